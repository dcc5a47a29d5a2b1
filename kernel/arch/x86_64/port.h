/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/port.h - types and inline functions that the core sees.
 *
 * Address map (4-level paging):
 *   0xffff800000000000  direct map of physical memory
 *   0xffffea0000000000  frame table
 *   0xfffffe0000000000  device windows
 *   0xffffff0000000000  per-CPU windows: stacks with guards between them (cpu.h)
 *   0xffffffff80000000  kernel image
 */
#pragma once
#include <abi/x86_64.h>
#include <core/types.h>

#define ARCH_DIRECT_MAP  0xffff800000000000ull
#define ARCH_FRAME_TABLE 0xffffea0000000000ull
#define ARCH_DEVICE_MAP  0xfffffe0000000000ull
#define ARCH_CPU_MAP     0xffffff0000000000ull
#define ARCH_KERNEL      0xffffffff80000000ull

/* User addresses. The last page below the hole stays free: a system call that ends
 * there would make the processor return to an address that it refuses. */
#define ARCH_USER_END    0x00007ffffffff000ull
#define ARCH_PERSONALITY 0x00007f8000000000ull

#define ARCH_ELF_MACHINE 62 /* EM_X86_64 */
#define ARCH_PORTS       0x10000u

#define ARCH_SYSCALL_ARGS 6

/* Tags under which this CPU may have translations cached, see user_mmu.c. */
#define ARCH_PCIDS 64

struct cpu;
struct thread;
struct trap_frame;

/* The processor's task state segment (Intel SDM volume 3, figure 8-11): which
 * stack an entry begins on. */
struct arch_tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
} __attribute__((packed));

#define ARCH_GDT_ENTRIES 7 /* see cpu.c */

/* The user's side of a thread that is not in user mode. user.S knows where the fields lie. */
struct arch_thread {
	struct arch_registers regs;   /* first; the bases count while it is in guest mode */
	struct arch_registers *guest; /* its state page; NULL: it has none */
	uint64_t fs_base, gs_base;    /* of the side that runs, thread or guest */
	void *vector;                 /* its vector registers; NULL: it has never used any */
	uint32_t vector_cpu;          /* CPU that loaded them last, plus 1 */
	uint8_t leave;                /* how it goes back to user mode, ARCH_LEAVE_... */
	struct arch_registers inside; /* the guest's, while it is interrupted; no bases */
};

/* Bits of `leave`; 0: it came by SYSCALL and goes back by SYSRET. */
#define ARCH_LEAVE_FULL  1u /* all registers count: it was interrupted, or they were written */
#define ARCH_LEAVE_GUEST 2u /* to the guest: it is in guest mode */

struct arch_cpu {
	uint64_t canary; /* first: the compiler was told its place, see cpu.c */

	/* Next, for user.S. */
	uint64_t user_rsp;  /* the user's stack pointer, for a moment */
	uint64_t stack_top; /* where entries from user mode begin */

	uint64_t slow_switch; /* 0: vector_off, and the bases are not in MSRs alone */
	uint32_t apic_id;
	bool vector_off;                        /* CR0.TS is set: vector instructions trap */
	const struct arch_thread *vector_owner; /* whose vector registers were loaded last */
	vaddr_t stacks;                         /* its struct cpu_stacks, see cpu.h */
	const struct trap_frame *report;        /* the exception that is being reported */
	uint64_t gdt[ARCH_GDT_ENTRIES];
	struct arch_tss tss;
	uint32_t pcid_tag[ARCH_PCIDS]; /* whose translations each PCID has, see user_mmu.c */
};

/* An interrupt, see irq.h. */
struct arch_irq;
typedef void arch_irq_fn(struct arch_irq *irq);

struct arch_irq {
	arch_irq_fn *fn;
	uint8_t vector; /* 0: none */
	bool level;
	uint32_t gsi; /* its line, or IRQ_NO_LINE */
};

/* GS base holds the address of this CPU's struct cpu, whose first member is
 * that address. */
static inline struct cpu *arch_this_cpu(void)
{
	struct cpu *c;

	/* Not volatile: no code of the kernel moves from CPU to CPU. */
	__asm__("movq %%gs:0, %0" : "=r"(c));
	return c;
}

/* Where struct arch_cpu lies in struct cpu; checked in cpu.c. */
#define ARCH_CPU_OFFSET 24

static inline struct arch_cpu *arch_cpu_own(void)
{
	return (struct arch_cpu *)((uintptr_t)arch_this_cpu() + ARCH_CPU_OFFSET);
}

static inline void arch_cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline void *arch_phys_to_virt(paddr_t pa)
{
	return (void *)(uintptr_t)(pa + ARCH_DIRECT_MAP);
}

static inline paddr_t arch_virt_to_phys(const void *va)
{
	return (uintptr_t)va - ARCH_DIRECT_MAP;
}

static inline uint64_t arch_cycles(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

extern uint64_t time_ratio; /* time.c */

static inline uint64_t arch_time_local(void)
{
	return (uint64_t)((unsigned __int128)arch_cycles() * time_ratio >> 48);
}

/* Tests on the host make allocations fail, and generations narrow. */
static inline bool arch_fail_step(void)
{
	return false;
}

static inline void arch_release_next(_Atomic uint16_t *n)
{
	__asm__ volatile("incw %0" : "+m"(*n) : : "memory");
}

static inline void arch_count_up(_Atomic uint64_t *n)
{
	__asm__ volatile("incq %0" : "+m"(*n));
}

#define ARCH_OBJECT_GEN_MASK UINT16_MAX
#define ARCH_SLOT_GEN_MAX    UINT32_MAX
#define ARCH_GRACE_GAP       250000

/* ---- threads ---- */

extern uint64_t cpu_lacks_fsgsbase; /* cpu.c */
extern uint8_t cpu_has_pcid;

/* The rare halves of the two below, see vector.c and user.c. */
void vector_save(struct arch_thread *t);
void vector_load(struct arch_thread *t);
void vector_forbid(void);
void user_load_bases(const struct arch_thread *t);

/* The bases of user mode, out of the registers and into them. */
static inline void arch_bases_save(struct arch_thread *t)
{
	if (LIKELY(!cpu_lacks_fsgsbase))
		__asm__ volatile("rdfsbase %0\n\t"
				 "swapgs\n\t"
				 "rdgsbase %1\n\t"
				 "swapgs"
				 : "=r"(t->fs_base), "=r"(t->gs_base));
}

static inline void arch_bases_load(const struct arch_thread *t)
{
	if (LIKELY(!cpu_lacks_fsgsbase))
		__asm__ volatile("wrfsbase %0\n\t"
				 "swapgs\n\t"
				 "wrgsbase %1\n\t"
				 "swapgs"
				 :
				 : "r"(t->fs_base), "r"(t->gs_base));
	else
		user_load_bases(t);
}

/* Puts away what this CPU's registers still hold of `t`, which has left user mode and will not
 * run on here. */
static inline void arch_thread_save(struct arch_thread *t)
{
	arch_bases_save(t);
	if (UNLIKELY(t->vector != NULL))
		vector_save(t);
}

/* Makes `t` the one who goes to user mode next. */
static inline void arch_thread_load(struct arch_thread *t)
{
	arch_bases_load(t);
	if (UNLIKELY(t->vector != NULL))
		vector_load(t);
	else if (UNLIKELY(!arch_cpu_own()->vector_off))
		vector_forbid();
}

/* True if the running thread and `to`, which ran here last, have no vector registers, so that
 * these are off and stay so. */
static inline bool arch_thread_is_near(const struct arch_cpu *c, const struct arch_thread *to)
{
	return LIKELY(((uintptr_t)to->vector | c->slow_switch) == 0);
}

/* Both at once, for a switch on the CPU where both were last. */
static inline void arch_thread_switch(struct arch_thread *from, struct arch_thread *to)
{
	if (UNLIKELY(!arch_thread_is_near(arch_cpu_own(), to))) {
		arch_thread_save(from);
		arch_thread_load(to);
		return;
	}
	__asm__ volatile("rdfsbase %0\n\t"
			 "wrfsbase %2\n\t"
			 "swapgs\n\t"
			 "rdgsbase %1\n\t"
			 "wrgsbase %3\n\t"
			 "swapgs"
			 : "=&r"(from->fs_base), "=&r"(from->gs_base)
			 : "r"(to->fs_base), "r"(to->gs_base));
}

/* Which of a CPU's PCIDs a tag may have, see user_mmu.c. */
static inline unsigned arch_pcid_slot(uint32_t tag)
{
	return tag * 0x9e3779b1u >> 16 & (ARCH_PCIDS - 1);
}

#define ARCH_CR3_NO_FLUSH (1ull << 63)

static inline bool arch_root_switch(paddr_t root, const uint32_t *tag)
{
	if (UNLIKELY(cpu_has_pcid)) {
		unsigned slot = arch_pcid_slot(*tag);

		if (arch_cpu_own()->pcid_tag[slot] != *tag)
			return false;
		root |= (slot + 1) | ARCH_CR3_NO_FLUSH;
		__asm__ volatile("movq %0, %%cr3" : : "r"(root) : "memory");
	} else {
		__asm__ volatile("movq %0, %%cr3" : : "r"(root) : "memory");
	}
	return true;
}

/* The end of an entry that came by SYSCALL: the running thread `t`, which came by SYSCALL too, goes
 * to user mode with these results and ST_OK. */
__attribute__((always_inline)) static inline void arch_thread_leave(struct thread *t, uint64_t a,
								    uint64_t b, uint64_t c)
{
	__asm__ volatile("jmp user_exit_results" : : "c"(t), "S"(a), "D"(b), "d"(c) : "memory");
	__builtin_unreachable();
}

struct ipc_result {
	uint64_t a, b, c;
};

/* The same for `to`, which is near, in place of `from`: it becomes cpu.current. */
__attribute__((always_inline)) static inline void
arch_thread_leave_to(struct cpu *c, struct thread *to, struct thread *from, struct ipc_result r)
{
	register struct thread *old __asm__("r10") = from;
	register struct cpu *cpu __asm__("r9") = c;

	__asm__ volatile("jmp user_exit_switch"
			 :
			 : "b"(to), "S"(r.a), "D"(r.b), "d"(r.c), "r"(old), "r"(cpu)
			 : "memory");
	__builtin_unreachable();
}

/* What a system call answers, for a thread that waits or is about to leave the kernel. */
static inline void arch_thread_result(struct arch_thread *t, status_t status, uint64_t a,
				      uint64_t b, uint64_t c)
{
	t->regs.rax = (uint64_t)(int64_t)status;
	t->regs.rsi = a;
	t->regs.rdi = b;
	t->regs.rdx = c;
}

/* ---- guest mode ---- */

/* The thread goes on elsewhere in its own code, with `a` as the first result. */
static inline void arch_thread_jump(struct arch_thread *t, vaddr_t pc, uint64_t a)
{
	t->regs.rip = pc;
	t->regs.rsi = a;
}

static inline bool arch_thread_in_guest(const struct arch_thread *t)
{
	return __atomic_load_n(&t->leave, __ATOMIC_RELAXED) & ARCH_LEAVE_GUEST;
}

/* True for addresses that WRFSBASE takes. */
static inline bool arch_is_canonical(uint64_t va)
{
	return (va + (1ull << 47)) >> 48 == 0;
}

/* Puts bases into the registers, and what was there into *keep. */
static inline void arch_bases_swap(struct arch_registers *keep, uint64_t fs, uint64_t gs)
{
	uint64_t old_fs, old_gs;

	__asm__ volatile("rdfsbase %0\n\t"
			 "wrfsbase %2\n\t"
			 "swapgs\n\t"
			 "rdgsbase %1\n\t"
			 "wrgsbase %3\n\t"
			 "swapgs"
			 : "=&r"(old_fs), "=&r"(old_gs)
			 : "r"(fs), "r"(gs));
	keep->fs_base = old_fs;
	keep->gs_base = old_gs;
}

/* What SYSRET must be told; the other registers are loaded from the page. */
struct arch_guest_start {
	const volatile struct arch_registers *page;
	uint64_t rip, rflags;
};

/* What a guest has after a system call, and of these, what it may choose. */
#define ARCH_GUEST_FLAGS  0x202u
#define ARCH_GUEST_CHOICE 0x240cd5u /* carry to overflow but for trap; alignment, CPUID */

/* The running thread goes on with its guest behind a system call: each word of the page that must
 * not be just any is read once and checked. False, and nothing is changed: the long way has to be
 * gone (arch_guest_enter). */
__attribute__((always_inline)) static inline bool arch_guest_start(struct arch_thread *t,
								   struct arch_guest_start *s)
{
	const volatile struct arch_registers *page = t->guest;
	uint64_t fs = page->fs_base, gs = page->gs_base;

	s->page = page;
	s->rip = page->rip;
	s->rflags = page->rflags;
	if (UNLIKELY(s->rip >= ARCH_USER_END) ||
	    UNLIKELY((s->rflags & ~(uint64_t)ARCH_GUEST_CHOICE) != ARCH_GUEST_FLAGS) ||
	    UNLIKELY(!arch_is_canonical(fs)) || UNLIKELY(!arch_is_canonical(gs)) ||
	    UNLIKELY(cpu_lacks_fsgsbase))
		return false;
	arch_bases_swap(&t->regs, fs, gs);
	__atomic_store_n(&t->leave, ARCH_LEAVE_GUEST, __ATOMIC_RELAXED);
	return true;
}

/* Goes there, from where guest_fast.c begins. */
__attribute__((always_inline)) static inline void arch_guest_run(struct arch_thread *t,
								 const struct arch_guest_start *s)
{
	register uint64_t flags __asm__("r11") = s->rflags;

	(void)t;
	__asm__ volatile("jmp user_guest_run" : : "b"(s->page), "c"(s->rip), "r"(flags) : "memory");
	__builtin_unreachable();
}

/* The guest has made a system call: its general registers are in the page already. */
__attribute__((always_inline)) static inline void arch_guest_stop(struct arch_thread *t)
{
	if (LIKELY(!cpu_lacks_fsgsbase)) {
		arch_bases_swap(t->guest, t->regs.fs_base, t->regs.gs_base);
	} else {
		t->guest->fs_base = t->fs_base;
		t->guest->gs_base = t->gs_base;
		t->fs_base = t->regs.fs_base;
		t->gs_base = t->regs.gs_base;
		user_load_bases(t);
	}
	__atomic_store_n(&t->leave, 0, __ATOMIC_RELAXED);
}

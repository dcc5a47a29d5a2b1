/* SPDX-License-Identifier: MIT */
/* kernel/arch/host/port.h - the kernel core as an ordinary program: types and
 * inline functions that the core sees. What tests do with it is in host.h.
 *
 * Threads act as CPUs. Physical memory is one large reservation of which only
 * what the boot map calls memory can be touched; the frame table and whatever
 * else the kernel maps lie in another, the kernel window.
 */
#pragma once
#include <core/types.h>
#include <stdatomic.h>

#define HOST_PHYS_SIZE   GIB(320)               /* physical addresses end here */
#define HOST_TABLE_SIZE  (HOST_PHYS_SIZE / 256) /* 16 bytes for each frame */
#define HOST_WINDOW_SIZE (HOST_TABLE_SIZE + MIB(64))
#define HOST_TLB_ENTRIES 1024

/* User addresses, as on the machines that we have. */
#define ARCH_USER_END    0x00007ffffffff000ull
#define ARCH_PERSONALITY 0x00007f8000000000ull

#define ARCH_SYSCALL_ARGS 6
#define ARCH_PORTS        0x10000 /* modelled: device.c */
#define ARCH_ELF_MACHINE  62      /* EM_X86_64 */

struct arch_registers {
	uint64_t pc, sp;
};

/* A thread's program is a function of the test, which looks at these words. */
struct arch_thread {
	uint64_t result[4];
	uint64_t results;  /* written so far */
	uint64_t restarts; /* asked for since the test looked last */
	uint64_t number, arg[ARCH_SYSCALL_ARGS];
	uint64_t pc, sp;
	_Atomic(struct cpu *) loaded; /* where its registers are */
	void *program;
	struct arch_registers *guest; /* its state page */
	struct arch_registers inside; /* its guest's registers; who plays the guest changes them */
	_Atomic bool in_guest;
};

struct cpu;
struct thread;
struct arch_irq;
typedef void arch_irq_fn(struct arch_irq *irq);

/* A device's interrupt; tests play the device, see host.h. */
struct arch_irq {
	_Atomic(arch_irq_fn *) fn; /* NULL: not connected */
	uint32_t line;
	bool level;
	_Atomic bool masked;
};

struct host_cpu;
struct host_user;

struct arch_cpu {
	struct host_cpu *host;    /* its thread; NULL: the program's first */
	_Atomic uint32_t pending; /* enum host_interrupt, one bit each */
	_Atomic uint64_t *tlb;    /* modelled: HOST_TLB_ENTRIES words, see mmu.c */
	struct host_user *user;   /* modelled: what it knows of user page tables, user_mmu.c */
	uint64_t timer;           /* what arch_timer_arm said last */
};

uint64_t arch_time_ns(void);

static inline uint64_t arch_time_local(void)
{
	return arch_time_ns();
}

/* The program's first thread acts as the boot CPU, from its first instruction. */
extern _Thread_local struct cpu *host_this_cpu;

static inline struct cpu *arch_this_cpu(void)
{
	return host_this_cpu;
}

/* There may be fewer processors than threads: who spins lets others run. */
void arch_cpu_relax(void);

/* Reserved by host_machine. */
extern char *host_phys, *host_window;

#define ARCH_FRAME_TABLE ((vaddr_t)host_window)
#define HOST_WINDOW_FREE ((vaddr_t)host_window + HOST_TABLE_SIZE) /* for tests */

static inline void *arch_phys_to_virt(paddr_t pa)
{
	return host_phys + pa;
}

static inline paddr_t arch_virt_to_phys(const void *va)
{
	return (paddr_t)((const char *)va - host_phys);
}

/* A test can make the counter advance by the same step at each reading. */
extern _Atomic uint64_t host_cycles_step; /* 0: the processor's own counter */
extern _Atomic uint64_t host_cycles;

static inline uint64_t arch_cycles(void)
{
	uint64_t step = atomic_load(&host_cycles_step);

	return step == 0 ? __builtin_ia32_rdtsc() : atomic_fetch_add(&host_cycles, step);
}

void arch_root_load(paddr_t root, uint32_t tag); /* user_mmu.c */

static inline bool arch_root_switch(paddr_t root, const uint32_t *tag)
{
	arch_root_load(root, *tag);
	return true;
}

/* Counted down by every allocation of this thread; the one that finds 0 fails. */
extern _Thread_local int64_t host_steps_left; /* negative: none fails */

static inline bool arch_fail_step(void)
{
	return host_steps_left >= 0 && host_steps_left-- == 0;
}

/* Narrower generations wrap sooner. */
extern uint16_t host_object_gen_mask;
extern uint32_t host_slot_gen_max;
extern uint64_t host_grace_gap;
#define ARCH_OBJECT_GEN_MASK host_object_gen_mask
#define ARCH_SLOT_GEN_MAX    host_slot_gen_max
#define ARCH_GRACE_GAP       host_grace_gap

static inline void arch_thread_result(struct arch_thread *t, status_t status, uint64_t r0,
				      uint64_t r1, uint64_t r2)
{
	t->result[0] = (uint64_t)(int64_t)status;
	t->result[1] = r0;
	t->result[2] = r1;
	t->result[3] = r2;
	t->results++;
}

static inline void arch_release_next(_Atomic uint16_t *n)
{
	uint16_t value = atomic_load_explicit(n, memory_order_relaxed);

	atomic_store_explicit(n, (uint16_t)(value + 1), memory_order_release);
}

static inline void arch_count_up(_Atomic uint64_t *n)
{
	uint64_t value = atomic_load_explicit(n, memory_order_relaxed);

	atomic_store_explicit(n, value + 1, memory_order_relaxed);
}

/* They abort if a thread's registers are in two processors, or in another one. */
void arch_thread_save(struct arch_thread *t);
void arch_thread_load(struct arch_thread *t);

/* user.c: a test goes to user mode by itself. */
void arch_thread_leave(struct thread *t, uint64_t a, uint64_t b, uint64_t c);
struct ipc_result {
	uint64_t a, b, c;
};
void arch_thread_leave_to(struct cpu *c, struct thread *to, struct thread *from,
			  struct ipc_result r);

static inline void arch_thread_switch(struct arch_thread *from, struct arch_thread *to)
{
	arch_thread_save(from);
	arch_thread_load(to);
}

/* Every second one is told to be far, so that both ways are gone. */
static inline bool arch_thread_is_near(const struct arch_cpu *c, const struct arch_thread *to)
{
	static _Thread_local bool is_far;

	(void)c, (void)to;
	is_far = !is_far;
	return !is_far;
}

/* ---- guest mode; a test plays the guest ---- */

static inline bool arch_thread_in_guest(const struct arch_thread *t)
{
	return atomic_load_explicit(&t->in_guest, memory_order_relaxed);
}

static inline void arch_thread_jump(struct arch_thread *t, vaddr_t pc, uint64_t a)
{
	t->pc = pc;
	t->result[1] = a;
}

struct arch_guest_start {
	struct arch_registers regs;
};

static inline bool arch_guest_start(struct arch_thread *t, struct arch_guest_start *s)
{
	s->regs = *t->guest;
	return s->regs.pc < ARCH_USER_END;
}

static inline void arch_guest_run(struct arch_thread *t, const struct arch_guest_start *s)
{
	t->inside = s->regs;
	t->in_guest = true;
}

static inline void arch_guest_stop(struct arch_thread *t)
{
	*t->guest = t->inside;
	t->in_guest = false;
}

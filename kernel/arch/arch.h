/* SPDX-License-Identifier: MIT */
/* kernel/arch/arch.h - everything the core may ask of a machine.
 *
 * Each kernel/arch/<name>/ provides exactly these, in the file named on the
 * right; the host port used by unit tests does too. port.h has the types and
 * the inline functions of hot paths. The core has no #ifdef on the machine.
 */
#pragma once
#include <core/types.h>
#include <port.h> /* struct arch_cpu, arch_this_cpu, arch_cpu_relax, arch_phys_to_virt ... */

struct arch_registers;
struct arch_thread;
struct boot_info;
struct cpu;
struct quota;
struct thread;

/* From port.h:
 *   struct arch_cpu                         the port's part of struct cpu
 *   struct cpu *arch_this_cpu(void)         valid from the first C instruction
 *   void arch_cpu_relax(void)               hint inside a spin loop
 *   void *arch_phys_to_virt(paddr_t)        direct map of all RAM
 *   paddr_t arch_virt_to_phys(const void *) of an address in the direct map
 *   uint64_t arch_cycles(void)              free-running counter, for seeds and benchmarks
 *   uint64_t arch_time_local(void)          a clock of this CPU's own, in ns: differences count
 *   ARCH_FRAME_TABLE                        where the frame table is mapped
 *   ARCH_USER_END                           user addresses end here
 *   ARCH_PERSONALITY                        the last entry of a root's user half begins here
 *   struct arch_thread                      user registers of a thread; all zero before init
 *   struct arch_registers                   of these, what programs may read and write (abi/)
 *   ARCH_SYSCALL_ARGS                       6
 *   void arch_thread_result(struct arch_thread *, status_t, uint64_t, uint64_t, uint64_t)
 *                                           what its system call returns
 *   void arch_thread_save(struct arch_thread *), arch_thread_load(struct arch_thread *)
 *                                           of the thread that this CPU ran: what the entry left
 *                                           in registers (vector state, thread pointer); and the
 *                                           other way round, so that an exit goes to its program
 *   void arch_thread_switch(struct arch_thread *from, struct arch_thread *to)
 *                                           both at once
 *   bool arch_thread_is_near(const struct arch_cpu *, const struct arch_thread *to)
 *                                           a few instructions switch to it
 *   bool arch_root_switch(paddr_t, const uint32_t *tag)
 *                                           arch_root_load, likewise; not of the kernel's
 *   arch_thread.guest                       kernel address of its state page, NULL: it has none
 *   bool arch_thread_in_guest(const struct arch_thread *)
 *                                           its guest runs, or is interrupted; any CPU may ask
 *   void arch_thread_jump(struct arch_thread *, vaddr_t, uint64_t)
 *                                           it goes on there, with this first result
 *   struct arch_guest_start, arch_guest_start, arch_guest_run, arch_guest_stop
 *                                           the short way in and out, see guest_fast.c
 *   void arch_thread_leave(struct thread *, uint64_t, uint64_t, uint64_t)
 *                                           goes to user mode from where ipc_fast.h begins, with
 *                                           these results of a system call that waited
 *   struct ipc_result                       three results
 *   void arch_thread_leave_to(struct cpu *, struct thread *to, struct thread *from,
 *                             struct ipc_result)
 *                                           the same for one that is near, in place of the running
 *                                           thread; sets cpu.current
 * From pte.h: what an entry of a user page table looks like, for core/pagetable.c alone.
 *   void arch_count_up(_Atomic uint64_t *)  adds 1 where nobody else writes
 *   void arch_release_next(_Atomic uint16_t *) the same, with release
 *   bool arch_fail_step(void)               constant false; tests on the host make it true at
 *                                           one step of an allocation
 *   ARCH_OBJECT_GEN_MASK                    UINT16_MAX; less where tests want it to wrap soon
 *   ARCH_SLOT_GEN_MAX                       UINT32_MAX; likewise
 *   ARCH_GRACE_GAP                          ns between two grace periods at least; likewise
 *   struct arch_irq, arch_irq_fn            an interrupt, and what it calls
 *   ARCH_ELF_MACHINE                        as ELF numbers machines
 *   ARCH_PORTS                              I/O ports, 0 on machines that have none
 */

/* Access of a mapping, MAP_READ and its like of the ABI. Of the kernel's, which can all be
 * read, writable and executable at once is refused. */
#define ARCH_READ   1u
#define ARCH_WRITE  2u
#define ARCH_EXEC   4u
#define ARCH_DEVICE 8u /* uncached */

/* mmu.c: the kernel's half. Sizes and addresses are multiples of FRAME_SIZE. */
void arch_mmu_init(void); /* builds the final tables, switches to them */
status_t arch_kernel_map(vaddr_t va, paddr_t pa, size_t size, unsigned access) MUST_CHECK;
void arch_kernel_unmap(vaddr_t va, size_t size);                       /* no flush: see tlb.h */
bool arch_kernel_translate(vaddr_t va, paddr_t *pa, unsigned *access); /* walks the tables */
void *arch_device_map(paddr_t pa, size_t size); /* a window on registers; panics if none can be */
bool arch_device_is_taken(paddr_t pa, uint64_t size); /* the kernel has a window on a part */
paddr_t arch_physical_end(void);                      /* physical addresses end here */
void arch_tlb_flush_range(uint32_t tag, vaddr_t base, size_t size); /* on this CPU */
void arch_tlb_flush_tag(uint32_t tag);                              /* on this CPU */

/* user_mmu.c: roots of user page tables, see core/pagetable.h. */
void arch_root_init(paddr_t root);               /* fills in the kernel's half */
void arch_root_load(paddr_t root, uint32_t tag); /* makes it active on this CPU; 0: the kernel's */
bool arch_root_is_tagged(void);   /* false: loading a root forgets the translations of others */
bool arch_predictors_leak(void);  /* what a program taught the branch predictors outlives it, */
void arch_predictors_empty(void); /* unless this is done; on this CPU */

/* Memory that boot may need before the frame allocator runs: a zeroed frame of RAM below 4 GiB,
 * never given back. Panics when there is none. Provided by frame.c. */
paddr_t frame_alloc_boot(void);

/* The same for a frame that ends at or below `below`; false if there is none. */
bool frame_take_boot(paddr_t below, paddr_t *out) MUST_CHECK;

/* cpu.c */
void arch_cpu_init_boot(void);          /* descriptor tables, features, protections */
void arch_stack_guard_init(void);       /* new stack canary; its caller never returns */
void arch_interrupts_init(void);        /* interrupt controllers, time, timer; from ACPI */
void arch_cpus_start(void);             /* starts every other CPU, returns when all are up */
void arch_cpu_idle(void);               /* waits for an interrupt; returns after serving one */
void arch_cpu_interrupts(void);         /* serves interrupts that wait, if there are any */
void arch_cpu_kick(uint32_t cpu);       /* IPI: look for work */
void arch_cpu_shootdown(uint64_t mask); /* IPI to each CPU of the mask: tlb_serve */
bool arch_cpus_stop(void);              /* stops every other CPU for good; false: one goes on */

/* time.c */
uint64_t arch_time_ns(void);               /* since boot, see time_now for the promise */
void arch_timer_arm(uint64_t deadline_ns); /* TIMER_NEVER disarms */
/* How programs read the clock themselves: abi/startup.h. */
void arch_clock_scale(uint64_t *base, uint64_t *ratio);

/* random.c: fills `out` with up to `size` bytes of hardware randomness, returns how many and
 * names the source. */
size_t arch_random_seed(void *out, size_t size, const char **source);

/* console.c: early console, usable at any time */
void arch_console_init(void);
void arch_console_write(const char *text, size_t size);

/* power.c */
NORETURN void arch_power_off(bool failure); /* failure: the emulator's exit code tells */
NORETURN void arch_reboot(void);

/* ioport.c: `width` 1, 2 or 4 bytes */
uint32_t arch_port_read(uint16_t port, unsigned width);
void arch_port_write(uint16_t port, unsigned width, uint32_t value);

/* irq.c: a device's interrupt becomes a call of `fn` on one CPU, until arch_irq_disconnect; one
 * that has begun may go on until every CPU has been outside the kernel once. A line is masked at
 * first and, if it is level-triggered, each time that it has interrupted, until
 * arch_irq_ack. ST_BAD_ARG: no such line or CPU; ST_EXISTS: the line is somebody else's;
 * ST_UNSUPPORTED: the machine has no more vectors, or no way to that CPU. */
struct arch_irq_source {
	bool message;    /* else a line */
	bool level, low; /* of a line: level-triggered; active low */
	uint32_t line;
	uint32_t cpu;
};
status_t arch_irq_connect(struct arch_irq *irq, const struct arch_irq_source *source,
			  arch_irq_fn *fn) MUST_CHECK;
void arch_irq_disconnect(struct arch_irq *irq); /* does nothing for one that is not connected */
void arch_irq_mask(const struct arch_irq *irq);
void arch_irq_unmask(const struct arch_irq *irq);
void arch_irq_ack(const struct arch_irq *irq);

/* What the device has to write where, for an interrupt by message. */
status_t arch_irq_message(const struct arch_irq *irq, uint32_t cpu, uint64_t *address,
			  uint32_t *data) MUST_CHECK;

/* Interrupts that CPU `cpu` has taken. */
uint64_t arch_interrupt_count(uint32_t cpu);

/* trap.c: calls `visit` for each return address up the stack, at most `max` */
void arch_backtrace(void (*visit)(vaddr_t pc), unsigned max);

/* user.c: threads in user mode. The port calls syscall_dispatch, thread_fault and aspace_fault
 * when one has entered the kernel, and thread_exit_kernel before one goes back. */
void arch_thread_init(struct arch_thread *t);
void arch_thread_close(struct arch_thread *t, struct quota *q); /* it has run for the last time */
NORETURN void arch_run_threads(void); /* this CPU serves its run queue from now on */

/* A new thread begins at `pc` with the stack that ends at `sp` and one argument. */
void arch_thread_begin(struct arch_thread *t, vaddr_t pc, vaddr_t sp, uint64_t argument);

/* Registers that user code chose. ST_BAD_ARG: an address is none of user mode. Not while it runs
 * or waits. */
status_t arch_thread_set(struct arch_thread *t, const struct arch_registers *r) MUST_CHECK;
void arch_thread_get(const struct arch_thread *t, struct arch_registers *r);

/* The running thread `t` makes system call `number` and leaves the kernel, it or whoever runs
 * then: what an entry does that has no shorter way. */
void arch_syscall(struct thread *t, uint64_t number, uint64_t arg[ARCH_SYSCALL_ARGS]);

/* The system call that it made is made again when it goes to user mode. */
void arch_thread_restart(struct arch_thread *t, uint64_t number,
			 const uint64_t arg[ARCH_SYSCALL_ARGS]);

/* The running thread's guest: takes its registers out of the state page, as a copy that is then
 * checked and made fit for user mode, so that the next exit goes to it; `called`: behind a system
 * call. ST_BAD_ARG: no program can go on there; nothing is changed. */
status_t arch_guest_enter(struct arch_thread *t, bool called) MUST_CHECK;

/* The other way round, after an interrupt or exception: the next exit goes to the thread's own
 * code, and the guest's registers go into the page, or are lost. */
void arch_guest_leave(struct arch_thread *t, bool keep);

/* probe.S: copies from or to the user memory of the running thread. False: the range leaves the
 * user addresses, or a part of it is not mapped so at the moment; some bytes may have
 * been copied. */
MUST_CHECK bool arch_copy_from_user(void *to, const void *from, size_t size);
MUST_CHECK bool arch_copy_to_user(void *to, const void *from, size_t size);

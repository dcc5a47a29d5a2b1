/* SPDX-License-Identifier: MIT */
/* kernel/core/cpu.h - what the kernel keeps for each CPU.
 *
 * Life    the boot CPU's is static, the others' are made (zeroed) before they
 *         start and live for ever.
 * Locks   a CPU touches its own fields with interrupts off and no lock; fields
 *         that others touch are atomic and say so.
 *
 * What other CPUs write (the shootdown mailbox) has cache lines of its own, so
 * that they do not slow down what this CPU uses all the time.
 */
#pragma once
#include <core/pagetable.h>
#include <stdatomic.h>

#define CPU_MAX        64 /* one bit each in a cpumask_t */
#define CPU_LOCKS_HELD 16 /* debug builds: locks that one CPU may hold at once */

struct run_queue;
struct spinlock;
struct thread;
struct timer_queue;

typedef uint64_t cpumask_t;

/* A count that its CPU alone advances and others may read. */
typedef _Atomic uint64_t cpu_counter_t;

#define CPU_SYSCALLS 64 /* at most; numbers of abi/syscall.def */

/* Entries that are counted on the fast path, see ipc_fast.h. */
enum cpu_fast { FAST_CALL, FAST_REPLY, FAST_SIGNAL, FAST_WAIT, FAST_YIELD, FAST_FAULT, CPU_FAST };

/* What a CPU did, for the node object. */
struct cpu_counters {
	cpu_counter_t calls[CPU_SYSCALLS]; /* by number */
	cpu_counter_t refused;             /* calls that failed */
	cpu_counter_t switches;            /* from thread to thread */
	cpu_counter_t direct;              /* of these, without a look at the run queue */
	cpu_counter_t fast[CPU_FAST];      /* on the fast path, besides those above */
	cpu_counter_t kicks;  /* interrupts sent to have another CPU look at its queue */
	cpu_counter_t faults; /* of user programs, sent to a handler or not */
};

/* The longest that it ran in the kernel between two points where it takes interrupts, in cycles,
 * and what that began with: the number of a system call, CPU_RUN_TRAP or CPU_RUN_IDLE. Measured if
 * the boot option "runs" asks for it; every way out of the kernel is the long one then. */
struct cpu_run {
	bool measured;
	uint8_t what;
	uint64_t begun;
	cpu_counter_t longest, longest_what;
};

#define CPU_RUN_TRAP CPU_SYSCALLS
#define CPU_RUN_IDLE (CPU_SYSCALLS + 1)

struct cpu {
	struct cpu *self;           /* first member: how a port finds it */
	uint32_t id;                /* dense, 0 is the boot CPU */
	_Atomic uint8_t idle;       /* in the idle loop, outside the kernel; see cpu_leave_idle */
	cpu_counter_t kernel_exits; /* times it left the kernel, into user mode or idle */
	struct arch_cpu arch;       /* the port's part */

	/* What it runs: thread.c, run_queue.c. */
	_Atomic(struct thread *) current; /* whose registers are loaded; NULL: nobody's */
	struct run_queue *run_queue;
	uint64_t call_number; /* of the last call taken here: cpu id + n * CPU_MAX */
	uint64_t epoch;       /* call_number when it last chose what is charged */
	cpumask_t bit;        /* of it in a mask of CPUs */
	uint64_t hot;         /* what thread_hot gives for a thread that can run here at once */
	_Atomic bool resched; /* look at the run queue before going to user mode */
	_Atomic bool reap;    /* and do a piece of the reaper's work, see object.h */

	cpu_counter_t lock_waits;   /* times it had to wait for a lock */
	struct timer_queue *timers; /* see timer.c */
	struct frame_cache frames[FRAME_ZONES];

	struct cpu_counters counters;
	struct cpu_run run;

	struct pagetable_cpu tables; /* the user's page tables that are active */

	struct tlb_cpu tlb; /* shootdown mailbox, see tlb.h */

	/* Debug builds: locks held, in the order of taking. */
	uint32_t locks_held ALIGNED(64);
	const struct spinlock *lock[CPU_LOCKS_HELD];
};

/* CPUs that are up, and how many. Grows during boot, never shrinks. An entry of
 * cpu_by_id may be used once its bit is in the mask. */
extern struct cpu *cpu_by_id[CPU_MAX];
uint32_t cpu_count(void);
cpumask_t cpu_online_mask(void);

/* The boot CPU's structure, usable before anything is allocated. */
extern struct cpu cpu_boot;

/* Enters `c` into cpu_by_id; called once by each CPU on itself, when it can
 * take interprocessor interrupts. Flushes the kernel's translations: what was
 * unmapped before this CPU could be asked, it has not been told. */
void cpu_set_online(struct cpu *c);

/* Makes CPU `id`, maybe this one, look at its run queue before it goes (back) to user mode. */
void cpu_resched(uint32_t id);

/* Is outside the kernel for a moment: until an interrupt has been served, or only as long as those
 * take that wait. */
void cpu_idle(bool halt);

/* One CPU at a time advances a counter, so that needs no locked instruction. */
static inline void cpu_count_up(cpu_counter_t *n)
{
	arch_count_up(n);
}

static inline void cpu_run_begin(struct cpu *c, unsigned what)
{
	if (LIKELY(!c->run.measured))
		return;
	c->run.what = (uint8_t)what;
	c->run.begun = arch_cycles();
}

/* The run that cpu_run_begin began is over: it is kept if it was the longest. */
void cpu_run_end(struct cpu *c);

/* The last thing that the kernel does before user mode: whatever this CPU
 * looked up without a reference is let go of. See grace.h. */
static inline void cpu_leave_kernel(struct cpu *c)
{
	uint64_t value = atomic_load_explicit(&c->kernel_exits, memory_order_relaxed);

	atomic_store_explicit(&c->kernel_exits, value + 1, memory_order_release);
}

/* Every interrupt handler calls this first: an idle CPU counts as outside the
 * kernel (grace.h), one that serves an interrupt does not. The exchange, and not
 * a store, is what grace_begin relies on. */
static inline void cpu_leave_idle(struct cpu *c)
{
	if (atomic_load_explicit(&c->idle, memory_order_relaxed)) {
		atomic_exchange(&c->idle, 0);
		cpu_run_begin(c, CPU_RUN_IDLE);
	}
}

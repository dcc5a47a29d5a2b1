/* SPDX-License-Identifier: MIT */
/* kernel/core/sched.h - who runs: shares of the CPUs, run queues, lending.
 *
 * Life    a sched serves the threads bound to it; when it dies its bindings are cut, and
 *         a thread without sched waits until it is given one.
 * Owns    one part for each CPU of its set, charged to its quota when it is configured.
 * Locks   obj.lock (rank LOCK_SCHED): parameters and the pool's period. Each CPU's run
 *         queue has a lock (rank LOCK_RUN_QUEUE) that guards the parts for that CPU and
 *         the threads in them. Two run queues are never locked together.
 * Blocks  never.
 *
 * 256 fixed priorities: 200-255 real-time, 100-199 interactive, 0-99 batch. Scheds of one
 * priority share each CPU by weight (virtual time); threads within one take turns. The
 * budget is one pool for each period, drawn in slices by the CPUs; who finds it empty
 * waits for the next period.
 *
 * A running thread is in no queue. A call lends the caller's sched to the server and the
 * answer gives it back; the CPU goes on charging the same part and no queue is touched. A
 * caller that waits behind another lends its sched to the server at once if it is more
 * urgent, so that the server is never held up by what the caller outranks.
 */
#pragma once
#include <core/thread.h>
#include <core/tree.h>

#define SCHED_PRIORITIES     256
#define SCHED_CHAIN          16 /* servers that call servers: how far a lent sched is followed */
#define SCHED_WEIGHT_DEFAULT 1024u
#define SCHED_WEIGHT_MAX     65536u
#define SCHED_SLICE_NS       4000000ull /* turn of one part among equals */
#define SCHED_PERIOD_MIN_NS  1000000ull
#define SCHED_PERIOD_MAX_NS  10000000000ull

/* A sched's share of one CPU; guarded by that CPU's run queue lock. */
struct sched_part {
	struct object obj;     /* a slab of its own, never named */
	struct tree_node node; /* in its level, by virtual time */
	struct sched *sched;
	struct thread *head, *tail; /* ready, in turn */
	uint64_t vtime;        /* ns scaled by weight */
	int64_t allowance;     /* ns drawn from the pool and not yet spent */
	uint8_t level;         /* while linked */
	bool throttled;        /* waits for the next period */
};

struct sched {
	struct object obj; /* first */

	/* Guarded by obj.lock; read without it by the CPUs that run its threads. */
	uint8_t priority, ceiling; /* ceiling: the highest that configure may set */
	uint32_t weight;
	uint64_t budget, period; /* ns; budget 0: no limit */
	cpumask_t cpus;

	_Atomic int64_t pool;    /* ns left in this period; negative: a debt */
	_Atomic uint64_t spent;  /* ns since it was made */
	uint64_t refill_at;
	struct ktimer refill;
	_Atomic bool refilling;
	struct sched_part *part[CPU_MAX];
};

struct sched_level {
	struct tree parts;
	uint64_t vtime; /* that of the part that ran last: where a newcomer begins */
};

/* One for each CPU. */
struct run_queue {
	struct spinlock lock;
	uint64_t levels[SCHED_PRIORITIES / 64]; /* bit: the level is not empty */
	struct sched_level level[SCHED_PRIORITIES];

	/* The running thread's, touched by its CPU alone. */
	struct sched_part *running; /* being charged; outside its level */
	uint64_t since;             /* from when */
	uint64_t turn_began;
	struct ktimer slice;
	_Atomic int priority;       /* of what runs; -1: idle. Others read it to decide on a kick */
};

struct sched_params {
	uint32_t priority, weight;
	uint64_t budget, period;
	cpumask_t cpus;
};

/* The sched of the root process; all CPUs, every priority. */
extern struct sched *sched_root;

status_t sched_create(struct quota *q, struct sched *parent, struct sched **out) MUST_CHECK;
status_t sched_configure(struct sched *s, const struct sched_params *p) MUST_CHECK;

/* Makes `t`, which is THREAD_MOVING and the caller's, ready on its CPU or another of its
 * sched's set, and asks that CPU to look if `t` is more urgent than what runs there. A thread
 * without sched stops until it is given one. */
void sched_wake(struct thread *t);

/* Takes `t` out of its run queue: true if it was READY; it is THREAD_MOVING then. */
bool sched_take(struct thread *t);

/* Chooses what this CPU runs next, putting the running thread back if it could go on (behind
 * its equals if its turn is over). NULL: nothing is ready. */
struct thread *sched_pick(void);

/* `t` runs on `s` from now on (a caller's, or its own again), and so does every server
 * that it had lent its old one to. Any state. */
void sched_change(struct thread *t, struct sched *s);

/* Ends the turn of this CPU's running thread. */
void sched_yield(void);

/* True if what this CPU charges now is `s`: a thread that runs on it can be switched to
 * without a look at the queues. */
bool sched_is_running(const struct sched *s);

/* True if the running thread `t` has a sched that may use this CPU. */
bool sched_may_run(const struct thread *t);

/* 0 for none. */
unsigned sched_priority(const struct sched *s);

/* Called by each CPU for itself before it takes interrupts. Panics without memory. */
void sched_cpu_init(void);

/* The sched of the first thread: every CPU, the highest ceiling. */
void sched_init(struct quota *q);

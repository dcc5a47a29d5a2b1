/* SPDX-License-Identifier: MIT */
/* kernel/core/sched.h - who runs: shares of the CPUs, run queues, lending.
 *
 * Life    a sched serves the threads bound to it; when it dies its bindings are cut, and a
 *         thread without sched stops until it is given one.
 * Owns    one part for each CPU that it was ever allowed, charged to its quota.
 * Locks   obj.lock (rank LOCK_IPC) guards parameters and the list of threads. Each CPU's run
 *         queue has a lock (rank LOCK_RUN_QUEUE) that guards the parts for that CPU and the
 *         threads in them. Two run queues are never locked together.
 * Blocks  never.
 *
 * 256 fixed priorities: 200-255 real-time, 100-199 interactive, 0-99 batch. Scheds of one
 * priority share each CPU by weight (virtual time); threads within one take turns. The
 * budget is one pool for each period, drawn in slices by the CPUs; who finds it empty waits
 * for the next period, which begins with the first use after the last one ended.
 *
 * Lending. What a thread runs on follows from where others wait: it is the sched of the thread
 * that it helps (thread.helper) or whose call it holds, and so on up to one that serves
 * nobody, whose own (home) it is. Nothing of that is stored: a sched is named by its bindings
 * alone, and nobody is left with one that is dead. A call to a waiting server so lends the sched
 * and the answer gives it back without any queue being touched.
 *
 * A sched in this chain that has used up its budget is passed over, and the next one down is
 * used: a server that has a sched of its own is never frozen by its clients. What it then
 * spends is taken from the pool of the one that was passed over (a debt), or of the one whose
 * thread left the call in its hand by deadline or death (thread.debtor).
 */
#pragma once
#include <core/cpu.h>
#include <core/object.h>
#include <core/spinlock.h>
#include <core/thread.h>
#include <core/timer.h>
#include <core/tree.h>

#define SCHED_PRIORITIES     256
#define SCHED_CHAIN          16 /* servers that call servers: how far a sched is followed */
#define SCHED_WEIGHT_DEFAULT 1024u
#define SCHED_WEIGHT_MAX     65536u
#define SCHED_SLICE_NS       4000000ull /* turn of one thread among equals */
#define SCHED_PERIOD_MIN_NS  1000000ull
#define SCHED_PERIOD_MAX_NS  10000000000ull
#define SCHED_BUDGET_MIN_NS  50000ull

/* A sched's share of one CPU; guarded by that CPU's run queue lock. */
struct sched_part {
	struct object obj;     /* first; a slab of its own, never named */
	struct sched *sched;   /* constant */
	uint32_t cpu;          /* constant */
	uint8_t level;         /* while queued */
	bool queued;           /* in its level */
	bool throttled;        /* waits for the next period */
	bool closed;           /* the sched dies: takes nobody any more */
	bool guest_next;       /* whose turn it is, if there are both */
	struct tree_node node; /* in its level, if it isn't the first there */
	uint64_t vtime;        /* ns scaled by weight */
	uint64_t turn;         /* ns that the present turn has lasted */
	int64_t allowance;     /* while it runs: ns drawn from the pool and not yet spent */
	/* Ready, in turn: threads that could also run on another sched, and all others. */
	struct thread_queue guests, own;
};

struct sched {
	struct object obj; /* first */

	/* Guarded by obj.lock; read without it by the CPUs that run its threads. */
	_Atomic uint8_t priority;
	uint8_t ceiling; /* the highest that may be configured; constant */
	_Atomic uint32_t weight;
	_Atomic uint64_t budget, period; /* ns; budget 0: no limit */
	cpumask_t allowed;               /* what may be configured; constant */
	_Atomic cpumask_t cpus;

	_Atomic int64_t pool;   /* ns left in this period; negative: a debt */
	_Atomic uint64_t spent; /* ns since it was made */
	_Atomic bool dry;       /* the pool was found empty */
	_Atomic bool in_period; /* the refill timer is set, or about to */
	struct ktimer refill;

	_Atomic(struct sched_part *) part[CPU_MAX];

	/* Guarded by obj.lock. */
	struct thread *threads; /* whose home it is */
	struct thread *last;
	uint64_t walk; /* of threads after a change of priority, see sched_configure */
	bool walking;
	uint64_t ticket; /* of close */
};

extern const struct object_ops sched_ops, sched_part_ops;

struct sched_params {
	uint32_t priority, weight;
	uint64_t budget, period;
	cpumask_t cpus;
};

/* ---- the object (sched.c) ---- */

/* The sched of the root process; all CPUs, every priority. Every CPU is up. */
extern struct sched *sched_root;
void sched_init(struct quota *q);

/* With the parameters of `parent`, but no budget, and its limits. */
status_t sched_create(struct quota *q, struct sched *parent, struct sched **out) MUST_CHECK;

/* All or nothing. ST_BAD_ARG; ST_NO_MEMORY; ST_BAD_CAP: `by`, by which it is done, has died
 * (NULL: the kernel does it); ST_LATER: done, but for threads whose place in a queue must be
 * found anew: call again with the same parameters. */
status_t sched_configure(struct sched *s, const struct sched_params *p,
			 const struct cap_ref *by) MUST_CHECK;

/* True if `p` is what `s` may be configured to. */
bool sched_params_ok(const struct sched *s, const struct sched_params *p);

/* `t` has `s` for its home from now on (or, with NULL, none). Runs anywhere or nowhere. */
void sched_set_home(struct thread *t, struct sched *s);

/* ---- lending (sched.c) ---- */

/* What `t` runs on if it runs now; NULL: nothing. `*payer`, unless NULL: who pays for it if
 * that is another (a debt), or NULL. sched_follow: the same for threads that serve others. */
struct sched *sched_follow(const struct thread *t, struct sched **payer);

static inline struct sched *sched_of(const struct thread *t, struct sched **payer)
{
	struct sched *s = atomic_load_explicit(&t->home, memory_order_acquire);

	if (UNLIKELY(atomic_load_explicit(&t->reply.caller, memory_order_relaxed) != NULL ||
		     atomic_load_explicit(&t->helper, memory_order_relaxed) != NULL || s == NULL ||
		     atomic_load_explicit(&s->dry, memory_order_relaxed)))
		return sched_follow(t, payer);
	if (payer != NULL)
		*payer = NULL;
	return s;
}

/* 0 for none. */
static inline unsigned sched_priority(const struct sched *s)
{
	return s == NULL ? 0 : atomic_load_explicit(&s->priority, memory_order_relaxed);
}

unsigned thread_priority(const struct thread *t);

/* What `t` runs on may have changed: makes that effective wherever it is, and for the servers
 * to which it lends. Holds no lock and no thread THREAD_MOVING. */
void sched_refresh(struct thread *t);

/* Notes that `t`, which leaves its call in the hand of `server`, owes what that will spend. */
void sched_note_debt(struct thread *server, const struct thread *t);

/* ---- run queues (run_queue.c) ---- */

struct sched_level {
	struct sched_part *first; /* with the lowest virtual time; NULL: the level is empty */
	struct tree rest;         /* the others: where there are only one or two, nobody searches */
	uint64_t vtime;           /* that of the part that ran last: near where a newcomer begins */
};

/* One for each CPU. */
struct run_queue {
	struct spinlock lock;
	uint32_t cpu;
	uint64_t levels[SCHED_PRIORITIES / 64]; /* bit: the level is not empty */
	struct sched_level level[SCHED_PRIORITIES];

	/* Written by its CPU under the lock. */
	struct sched_part *running; /* being charged; outside its level */
	struct sched *debtor;       /* whose pool pays instead; NULL: nobody */
	uint64_t since;             /* from when */
	struct ktimer slice;
	uint64_t slice_end;     /* for when it is armed; TIMER_NEVER: it isn't */
	_Atomic int priority;   /* of what runs; -1: idle. Others read it to decide on a kick */
	_Atomic uint32_t ready; /* threads queued */
};

/* Called by each CPU for itself before it takes interrupts. Panics without memory. */
void run_queue_init(void);

/* Makes `t`, which is THREAD_MOVING and the caller's, ready on its CPU or another of its
 * sched's set, and asks that CPU to look if `t` is more urgent than what runs there. A thread
 * without sched stops until it is given one. */
void sched_wake(struct thread *t);

/* Takes `t` out of its run queue: true if it was READY; it is THREAD_MOVING then. */
bool sched_take(struct thread *t);

/* Chooses what this CPU runs next, putting the running thread back if it could go on (behind
 * its equals if its turn is over). NULL: nothing is ready. */
struct thread *sched_pick(void);

/* Ends the turn of this CPU's running thread. */
void sched_yield_turn(void);

/* True if `t` runs on what this CPU charges now, so that it can be switched to without a
 * look at the queues. */
bool sched_is_charged(const struct thread *t);

/* The short ways to another thread, for the fast path: it runs next, and the running thread `self`
 * is ready. `t`, which is about to be taken out of its wait, is more urgent than all that is ready
 * here; sched_turn gives the next one that shares the sched of `self`, or NULL. If it takes more,
 * or nothing else would come first, nothing has changed. */
bool sched_preempt(struct cpu *c, struct thread *self, struct thread *t) MUST_CHECK;
struct thread *sched_turn(struct cpu *c, struct thread *self) MUST_CHECK;

/* A new period: fills the pool of `s`, but what it owes stays owed. */
void sched_fill(struct sched *s);

/* Parameters have changed: the part finds its place anew. */
void sched_part_requeue(struct sched_part *p);

/* The same if it waited for a new period. */
void sched_part_unthrottle(struct sched_part *p);

/* Takes no more threads, and tries to get rid of those that it has: true when none is left
 * and no CPU charges it. */
bool sched_part_close(struct sched_part *p);

/* No CPU charges a debt to `s` any more. */
void sched_forget_debts(const struct sched *s);

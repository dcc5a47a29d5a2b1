/* SPDX-License-Identifier: MIT */
/* kernel/core/sched.h - who runs: shares of the CPUs, run queues, lending.
 *
 * Life    a sched serves the threads bound to it; when it dies its bindings are cut, and a
 *         thread without sched stops until it is given one.
 * Owns    one part for each CPU, charged to its quota.
 * Locks   obj.lock (rank LOCK_IPC) guards parameters and the list of threads. Each CPU's run
 *         queue has a lock (rank LOCK_RUN_QUEUE) that guards the parts for that CPU and the
 *         threads in them. Two run queues are never locked together.
 * Blocks  never.
 *
 * 256 fixed priorities: 200-255 real-time, 100-199 interactive, 0-99 batch. Scheds of one
 * priority share each CPU by weight (virtual time); threads within one take turns. The
 * budget is one pool for each period, drawn in pieces by the CPUs; who finds it empty waits
 * for the next period, which begins with the first use after the last one ended. A piece is
 * drawn whole: what was drawn or spent too much is missing in the next period.
 *
 * A thread that wakes, or has to give way, goes where something less urgent runs, or nothing,
 * else where fewer wait than where it was; and a CPU without work takes a thread that waits.
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
#include <core/thread.h>

#define SCHED_PRIORITIES     256
#define SCHED_CHAIN          16 /* servers that call servers: how far a sched is followed */
#define SCHED_WEIGHT_DEFAULT 1024u
#define SCHED_WEIGHT_MAX     65536u
#define SCHED_SLICE_NS       4000000ull     /* turn of one thread among equals */
#define SCHED_LAG_MAX        SCHED_SLICE_NS /* of virtual time */
#define SCHED_PERIOD_MIN_NS  1000000ull
#define SCHED_PERIOD_MAX_NS  10000000000ull
#define SCHED_BUDGET_MIN_NS  50000ull

/* A sched's share of one CPU; guarded by that CPU's run queue lock. */
struct sched_part {
	struct object obj;     /* first; a slab of its own, never named */
	struct sched *sched;   /* constant */
	uint32_t cpu;          /* constant */
	uint8_t level;         /* where it is, or was last */
	bool throttled;        /* waits for the next period */
	bool guest_next;       /* whose turn it is, if there are both */
	bool new_turn;         /* a turn began since the last charge */
	struct tree_node node; /* in its level, by vtime */
	uint64_t vtime;        /* ns scaled by weight */
	uint64_t turn;         /* ns that the present turn has lasted */
	uint64_t spent;        /* ns since it was made */
	int64_t allowance;     /* while it runs: ns drawn from the pool and not yet spent */
	/* Ready, in turn: [true] threads that could also run on another sched; all others. */
	struct thread_queue ready[2];
};

struct sched {
	struct object obj; /* first */

	/* Guarded by obj.lock; read without it by the CPUs that run its threads. */
	_Atomic uint8_t priority;
	_Atomic uint32_t weight;
	_Atomic uint64_t budget, period; /* ns; budget 0: no limit */
	_Atomic cpumask_t cpus;          /* none: it dies */

	_Atomic int64_t pool;   /* ns left in this period; negative: a debt */
	_Atomic bool in_period; /* the refill timer is set, or about to */
	struct ktimer refill;
	uint64_t period_end; /* of the present or last period; who sets the timer writes it */

	struct sched_part *part[CPU_MAX]; /* of CPUs that are up; constant */

	/* Guarded by obj.lock. */
	struct tree threads; /* whose home it is, by the last walk that met them */
	uint64_t walk;       /* changes of priority, after each of which all are met */
	uint64_t ticket;     /* of close */
};

struct sched_params {
	uint32_t priority, weight;
	uint64_t budget, period;
	cpumask_t cpus;
};

/* ---- the object (sched.c) ---- */

/* The sched of the root process. Every CPU is up. */
extern struct sched *sched_root;
void sched_init(struct quota *q);

/* With the priority and the CPUs of `parent` (NULL: in the middle, all), and no budget. */
status_t sched_create(struct quota *q, const struct sched *parent, struct sched **out) MUST_CHECK;

/* All or nothing; a change of budget or period fills the pool. ST_BAD_ARG; ST_BAD_CAP: `by`, by
 * which it is done, has died (NULL: the kernel does it); ST_LATER: done, but for threads whose
 * place in a queue must be found anew: call again with the same parameters. */
status_t sched_configure(struct sched *s, const struct sched_params *p,
			 const struct cap_ref *by) MUST_CHECK;

/* Nanoseconds that were spent on `s` on all CPUs, up to now. */
uint64_t sched_spent(const struct sched *s);

/* `t` has `s` for its home from now on (or, with NULL, none). Runs anywhere or nowhere. */
void sched_set_home(struct thread *t, struct sched *s);

/* ---- lending (sched.c) ---- */

/* What `t` runs on if it runs now; NULL: nothing. `*payer`, unless NULL: who pays for it if
 * that is another (a debt), or NULL. sched_follow: the same for threads that serve others. */
struct sched *sched_follow(const struct thread *t, struct sched **payer);

/* True if `t` serves somebody, on whose sched it may run. */
static inline bool sched_serves(const struct thread *t)
{
	return ((uintptr_t)atomic_load_explicit(&t->reply.caller, memory_order_relaxed) |
		(uintptr_t)atomic_load_explicit(&t->helper, memory_order_relaxed)) != 0;
}

static inline bool sched_is_dry(const struct sched *s)
{
	return atomic_load_explicit(&s->pool, memory_order_relaxed) <= 0;
}

static inline struct sched *sched_of(const struct thread *t, struct sched **payer)
{
	struct sched *s = atomic_load_explicit(&t->home, memory_order_acquire);

	if (UNLIKELY(sched_serves(t) || s == NULL || sched_is_dry(s)))
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

/* That of what `t` runs on if it runs now. */
unsigned thread_priority(const struct thread *t);

/* What `t` runs on may have changed: makes that effective wherever it is, and for the servers
 * to which it lends. Holds no lock and no thread THREAD_MOVING. */
void sched_refresh(struct thread *t);

/* The name of `s` as a debtor. */
static inline uint64_t sched_token(const struct sched *s)
{
	return token_make(object_id(&s->obj), s->obj.gen, 0);
}

/* Notes that `t`, which leaves its call in the hand of `server`, owes what that will spend. */
void sched_note_debt(struct thread *server, const struct thread *t);

/* ---- run queues (run_queue.c) ---- */

struct sched_level {
	struct tree parts; /* by virtual time: the lowest is next */
	uint64_t vtime;    /* that of the part that ran last: near where a newcomer begins */
};

/* One for each CPU. */
struct run_queue {
	struct spinlock lock;
	uint32_t cpu;
	uint64_t levels[SCHED_PRIORITIES / 64]; /* bit: the level is not empty */
	struct sched_level level[SCHED_PRIORITIES];

	/* Written by its CPU under the lock. */
	struct sched_part *running; /* being charged; outside its level */
	struct sched_part *aside;   /* gave way to something more urgent; outside its level, too */
	uint64_t debtor;            /* token of the sched that pays instead; 0: none */
	uint64_t since;             /* from when, by arch_time_local */
	struct ktimer slice;
	_Atomic uint64_t slice_end; /* for when it is armed; TIMER_NEVER: it isn't */

	/* Written under the lock, read by all who choose a CPU. */
	_Atomic int priority;   /* of what runs, or was sent since to preempt that; -1: idle */
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

/* Fills the pool of `s` for a period, but what it owes stays owed. */
void sched_fill(struct sched *s);

/* Parameters have changed, the sched dies, or (`refilled`) a period has begun, which matters to
 * parts that waited for that: each finds its place anew. True if none has a thread or is
 * charged. */
bool sched_update_parts(struct sched *s, bool refilled);

/* ---- what the short ways of ipc_fast.c share with run_queue.c; the queue's lock is held ---- */

static inline bool part_is_allowed(const struct sched_part *p)
{
	return p->sched->cpus >> p->cpu & 1;
}

/* Whose turn it is in `p`. */
static inline struct thread *part_first(const struct sched_part *p)
{
	struct thread *t = p->ready[p->guest_next].head;

	return t != NULL ? t : p->ready[!p->guest_next].head;
}

/* The most urgent level with a part in it, or -1. */
static inline int level_top(const struct run_queue *rq)
{
	for (int word = SCHED_PRIORITIES / 64 - 1; word >= 0; word--) {
		if (rq->levels[word] != 0)
			return word * 64 + 63 - __builtin_clzll(rq->levels[word]);
	}
	return -1;
}

/* Who slept, or waited for its budget, gets no more back than to be the next one. Virtual time of
 * another level says nothing here. */
static inline void part_catch_up(struct run_queue *rq, struct sched_part *p) REQUIRES(rq->lock)
{
	uint8_t priority = p->sched->priority;
	uint64_t vtime = rq->level[priority].vtime;

	if (p->level != priority)
		p->vtime = vtime;
	else if (p->vtime + SCHED_LAG_MAX < vtime)
		p->vtime = vtime - SCHED_LAG_MAX;
	p->level = priority;
}

/* `p`, which is in no level, is charged from now on. */
static inline void rq_begin(struct run_queue *rq, struct sched_part *p) REQUIRES(rq->lock)
{
	struct sched_level *level = &rq->level[p->level];

	if (p->vtime > level->vtime)
		level->vtime = p->vtime;
	rq->running = p;
}

/* `p`, the part that runs, pays until now. part_pay: the rest, where there are budgets. */
void part_pay(struct run_queue *rq, struct sched_part *p, uint64_t ran);
static inline void rq_charge(struct run_queue *rq, struct sched_part *p) REQUIRES(rq->lock)
{
	uint64_t now = arch_time_local();
	uint64_t ran = now - rq->since;
	uint32_t weight = p->sched->weight;

	rq->since = now;
	p->vtime +=
		LIKELY(weight == SCHED_WEIGHT_DEFAULT) ? ran : ran * SCHED_WEIGHT_DEFAULT / weight;
	/* When the turn began is not known exactly: it is not to be cut short for that. */
	p->turn += ran;
	if (UNLIKELY(p->new_turn))
		p->turn = 0;
	p->new_turn = false;
	p->spent += ran;
	if (UNLIKELY((rq->debtor | p->sched->budget | (uint64_t)p->allowance) != 0))
		part_pay(rq, p, ran);
}

/* While the budget lasts, a thread that serves another is a guest; if it is used up, who comes
 * has nowhere else to go. */
static inline void part_push(struct run_queue *rq, struct sched_part *p, struct thread *t,
			     bool front) REQUIRES(rq->lock)
{
	bool in_guests = sched_serves(t) && !p->throttled;

	thread_queue_push(&p->ready[in_guests], t);
	if (front) {
		p->ready[in_guests].head = t;
		p->guest_next = in_guests;
	}
	t->in_guests = in_guests;
	atomic_store_explicit(&rq->ready, rq->ready + 1, memory_order_relaxed);
	atomic_store_explicit(&t->cpu, p->cpu, memory_order_relaxed);
	thread_put(t, THREAD_READY, &p->obj);
}

/* Into its level, unless it is there, or has nothing to do. */
void part_enter(struct run_queue *rq, struct sched_part *p) REQUIRES(rq->lock);

/* `t` is ready on CPU `here`, behind something else: makes it ready elsewhere if it is better off
 * there. No lock is held. */
void sched_move_away(struct thread *t, uint32_t here);

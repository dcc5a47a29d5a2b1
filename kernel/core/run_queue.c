/* SPDX-License-Identifier: MIT */
#include <core/assert.h>
#include <core/boot.h>
#include <core/ipc_fast.h>
#include <core/sched.h>
#include <core/slab.h>

/* A CPU draws this part of a budget at a time, so that it serves several CPUs; what it has
 * not used when it turns to another part goes back. */
#define DRAW_SHIFT 4
#define DRAW_MIN   20000ll /* ns: less is not worth a timer */

#define LAG_MAX SCHED_SLICE_NS /* of virtual time */

#define PICK_BATCH  16 /* threads that look for another part, before interrupts are let in */
#define STEAL_PARTS 4  /* of one CPU, that an idle one looks at */

static _Atomic cpumask_t idle_cpus; /* that found nothing to run */

static struct run_queue *queue_of(uint32_t cpu)
{
	return cpu_by_id[cpu]->run_queue;
}

static int priority_of(const struct run_queue *rq)
{
	return atomic_load_explicit(&rq->priority, memory_order_relaxed);
}

/* ---- parts in levels, threads in parts; the queue's lock is held ---- */

/* The most urgent level with a part in it, or -1. */
static int level_top(const struct run_queue *rq)
{
	for (int word = SCHED_PRIORITIES / 64 - 1; word >= 0; word--) {
		if (rq->levels[word] != 0)
			return word * 64 + 63 - __builtin_clzll(rq->levels[word]);
	}
	return -1;
}

static struct sched_part *part_at(struct tree_node *n)
{
	return n == NULL ? NULL : container_of(n, struct sched_part, node);
}

static bool part_is_allowed(const struct sched_part *p)
{
	return !p->closed && (p->sched->cpus >> p->cpu & 1);
}

/* Whose turn it is in `p`. */
static struct thread *part_first(const struct sched_part *p)
{
	if (p->own.head == NULL || (p->guest_next && p->guests.head != NULL))
		return p->guests.head;
	return p->own.head;
}

/* True if the CPU has to look at `p`: it may run, or has threads that can go elsewhere. */
static bool part_has_work(const struct sched_part *p)
{
	if (UNLIKELY(p->throttled) && part_is_allowed(p))
		return p->guests.head != NULL;
	return p->own.head != NULL || p->guests.head != NULL;
}

/* Into its level, unless it is there, or has nothing to do. */
static void part_enter(struct run_queue *rq, struct sched_part *p) REQUIRES(rq->lock)
{
	unsigned priority = sched_priority(p->sched);
	struct sched_level *level = &rq->level[priority];

	/* The part that runs is outside: its virtual time moves. */
	if (p->queued || p == rq->running || !part_has_work(p))
		return;
	/* Who slept, or waited for its budget, gets no more back than to be the next one. */
	if (p->vtime + LAG_MAX < level->vtime)
		p->vtime = level->vtime - LAG_MAX;
	p->queued = true;
	p->level = (uint8_t)priority;
	struct sched_part *later = p;
	if (level->first == NULL || p->vtime < level->first->vtime) {
		later = level->first;
		level->first = p;
		rq->levels[priority / 64] |= 1ull << priority % 64;
	}
	if (later != NULL)
		tree_insert(&level->rest, &later->node, later->vtime, later->vtime);
}

static void part_leave(struct run_queue *rq, struct sched_part *p) REQUIRES(rq->lock)
{
	struct sched_level *level = &rq->level[p->level];

	if (!p->queued)
		return;
	p->queued = false;
	if (p != level->first) {
		tree_remove(&level->rest, &p->node);
		return;
	}
	level->first = part_at(tree_first(&level->rest));
	if (level->first != NULL)
		tree_remove(&level->rest, &level->first->node);
	else
		rq->levels[p->level / 64] &= ~(1ull << p->level % 64);
}

static void count_ready(struct run_queue *rq, int change)
{
	uint32_t n = atomic_load_explicit(&rq->ready, memory_order_relaxed);

	atomic_store_explicit(&rq->ready, n + (uint32_t)change, memory_order_relaxed);
}

static bool serves(const struct thread *t)
{
	return atomic_load_explicit(&t->reply.caller, memory_order_relaxed) != NULL ||
	       atomic_load_explicit(&t->helper, memory_order_relaxed) != NULL;
}

/* While the budget lasts, a thread that serves another is a guest; if it is used up, who comes
 * has nowhere else to go. */
static void part_push(struct run_queue *rq, struct sched_part *p, struct thread *t, bool front)
	REQUIRES(rq->lock)
{
	t->in_guests = serves(t) && !p->throttled;
	struct thread_queue *q = t->in_guests ? &p->guests : &p->own;
	if (front) {
		thread_queue_push_front(q, t);
		p->guest_next = t->in_guests;
	} else {
		thread_queue_push(q, t);
	}
	count_ready(rq, 1);
	atomic_store_explicit(&t->cpu, p->cpu, memory_order_relaxed);
	thread_put(t, THREAD_READY, &p->obj);
}

static void part_pull(struct run_queue *rq, struct sched_part *p, struct thread *t)
	REQUIRES(rq->lock)
{
	thread_queue_remove(t->in_guests ? &p->guests : &p->own, t);
	count_ready(rq, -1);
}

/* ---- budgets ---- */

/* Takes a piece of the pool for `p`; false when it is empty. */
static bool part_draw(struct sched_part *p)
{
	struct sched *s = p->sched;
	int64_t want = (int64_t)(s->budget >> DRAW_SHIFT);
	int64_t left = atomic_load_explicit(&s->pool, memory_order_relaxed);
	int64_t take;

	if (want < DRAW_MIN)
		want = DRAW_MIN;
	do {
		if (left <= 0)
			return false;
		take = want < left ? want : left;
	} while (!atomic_compare_exchange_weak_explicit(
		&s->pool, &left, left - take, memory_order_relaxed, memory_order_relaxed));
	p->allowance += take;
	return true;
}

/* What was drawn and not spent goes back, and so does what was spent too much. */
static void part_undraw(struct sched_part *p)
{
	if (p->allowance != 0)
		atomic_fetch_add_explicit(&p->sched->pool, p->allowance, memory_order_relaxed);
	p->allowance = 0;
}

static void pool_refill(struct ktimer *timer)
{
	struct sched *s = container_of(timer, struct sched, refill);

	atomic_store(&s->in_period, false);
	sched_fill(s);
	for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
		struct sched_part *p = s->part[cpu];
		if (p != NULL)
			sched_part_unthrottle(p);
	}
}

/* Begins a period if none is running. */
static void period_begin(struct sched *s, uint64_t now)
{
	if (atomic_load_explicit(&s->in_period, memory_order_relaxed) ||
	    atomic_exchange(&s->in_period, true))
		return;
	timer_set(&s->refill, now + s->period, pool_refill);
}

/* True if the part that is about to run has time left. */
static bool part_has_budget(struct sched_part *p, uint64_t now)
{
	struct sched *s = p->sched;

	if (s->budget == 0)
		return true;
	period_begin(s, now);
	for (;;) {
		if (part_draw(p))
			return true;
		/* A refill fills the pool, then says that it is not dry. */
		atomic_store(&s->dry, true);
		if (atomic_load(&s->pool) <= 0)
			break;
		atomic_store(&s->dry, false);
	}
	p->throttled = true;
	return false;
}

/* Charges for the time since the last charge. */
static void rq_charge(struct run_queue *rq, uint64_t now)
{
	struct sched_part *p = rq->running;
	uint64_t ran = now - rq->since;

	rq->since = now;
	if (p == NULL)
		return;
	p->vtime += ran * SCHED_WEIGHT_DEFAULT / p->sched->weight;
	p->turn += ran;
	atomic_fetch_add_explicit(&p->sched->spent, ran, memory_order_relaxed);
	if (rq->debtor != NULL)
		atomic_fetch_sub_explicit(&rq->debtor->pool, (int64_t)ran, memory_order_relaxed);
	else if (p->sched->budget != 0)
		p->allowance -= (int64_t)ran;
}

/* Whose pool pays for `t` instead of that of what it runs on: `payer`, which was passed over, or
 * the one whose thread left it a call. */
static struct sched *find_debtor(const struct thread *t, struct sched *payer)
{
	uint64_t token = atomic_load_explicit(&t->debtor, memory_order_relaxed);

	if (LIKELY(payer == NULL && token == 0))
		return NULL;
	if (payer == NULL) {
		struct object *o = slab_object(token_object(token), OBJ_SCHED);
		if (o != NULL && o->gen == token_gen(token))
			payer = container_of(o, struct sched, obj);
	}
	return payer != NULL && payer->budget != 0 ? payer : NULL;
}

/* ---- the end of a turn ---- */

static void slice_over(struct ktimer *timer)
{
	struct run_queue *rq = container_of(timer, struct run_queue, slice);

	spin_lock(&rq->lock);
	rq->slice_end = TIMER_NEVER;
	spin_unlock(&rq->lock);
	atomic_store_explicit(&arch_this_cpu()->resched, true, memory_order_relaxed);
}

/* Arms the end of the running thread's turn, if anything could then take over: nobody else
 * ready and no budget means no timer at all. */
static void slice_arm(struct run_queue *rq, uint64_t now) REQUIRES(rq->lock)
{
	struct sched_part *p = rq->running;
	bool rivals = part_first(p) != NULL || level_top(rq) >= (int)sched_priority(p->sched);
	bool limited = p->sched->budget != 0 && rq->debtor == NULL;
	uint64_t left = p->turn < SCHED_SLICE_NS ? SCHED_SLICE_NS - p->turn : 0;

	if (limited && (!rivals || (uint64_t)p->allowance < left))
		left = (uint64_t)p->allowance;
	else if (!rivals)
		return;
	/* If it is armed for earlier it fires, finds nothing to do and is armed anew: cheaper
	 * than moving it at every switch. */
	if (LIKELY(rq->slice_end <= now + left))
		return;
	if (rq->slice_end != TIMER_NEVER)
		(void)timer_cancel(&rq->slice);
	rq->slice_end = now + left;
	timer_set(&rq->slice, rq->slice_end, slice_over);
}

/* ---- choosing ---- */

/* Puts the running thread back into its part, which still has to enter its level. False: it
 * can't go on here; it is the caller's (THREAD_MOVING). */
static bool put_back(struct run_queue *rq, struct thread *t, struct sched_part *was, bool goes_on)
	REQUIRES(rq->lock)
{
	thread_put(t, THREAD_MOVING, NULL);
	atomic_thread_fence(memory_order_seq_cst); /* see sched_refresh */
	const struct sched *s = sched_of(t, NULL);
	struct sched_part *p = s == NULL ? NULL : s->part[rq->cpu];
	if (p == NULL || !part_is_allowed(p) || (thread_flags(t) & THREAD_STOP))
		return false;
	part_push(rq, p, t, goes_on && p == was);
	if (p != was)
		part_enter(rq, p);
	return true;
}

/* Runs the first thread of `p`, which is in no level. */
static struct thread *rq_run(struct run_queue *rq, struct sched_part *p, struct sched *payer)
	REQUIRES(rq->lock)
{
	struct thread *t = part_first(p);
	struct sched_level *level = &rq->level[sched_priority(p->sched)];

	if (p->vtime > level->vtime)
		level->vtime = p->vtime;
	rq->running = p;
	part_pull(rq, p, t);
	p->guest_next = !t->in_guests;
	thread_put(t, THREAD_RUNNING, NULL);
	rq->debtor = find_debtor(t, payer);
	if (UNLIKELY(rq->debtor != NULL))
		part_undraw(p);
	slice_arm(rq, rq->since);
	return t;
}

/* Tries to run `p`, which is in no level. NULL: it can't; it is back where it belongs, and a
 * thread that has to look for another sched or CPU is `*evicted` (THREAD_MOVING). */
static struct thread *part_try(struct run_queue *rq, struct sched_part *p, struct thread **evicted)
	REQUIRES(rq->lock)
{
	struct thread *t = part_first(p);
	struct sched *payer;

	if (LIKELY(part_is_allowed(p))) {
		bool fits = sched_of(t, &payer) == p->sched;
		if (fits && !p->throttled && part_has_budget(p, rq->since))
			return rq_run(rq, p, payer);
		if (p->throttled) /* its own threads wait */
			t = p->guests.head;
	}
	if (t != NULL) {
		part_pull(rq, p, t);
		thread_put(t, THREAD_MOVING, NULL);
		*evicted = t;
	}
	part_enter(rq, p);
	return NULL;
}

/* True if `was`, whose turn is over or not, goes before the first part of level `top`. */
static bool stays_first(const struct run_queue *rq, const struct sched_part *was, int top,
			bool over)
{
	int priority = (int)sched_priority(was->sched);

	if (!part_has_work(was) || was->queued)
		return false;
	if (priority != top)
		return priority > top;
	uint64_t next = rq->level[top].first->vtime;
	return over ? was->vtime < next : was->vtime <= next;
}

/* The next thread, or NULL and perhaps one that was evicted. */
static struct thread *rq_choose(struct run_queue *rq, struct sched_part *was, bool over,
				struct thread **evicted) REQUIRES(rq->lock)
{
	struct thread *t = NULL;
	int top = level_top(rq);

	if (was != NULL && *evicted == NULL && stays_first(rq, was, top, over))
		t = part_try(rq, was, evicted);
	else if (was != NULL)
		part_enter(rq, was);
	while (t == NULL && *evicted == NULL && (top = level_top(rq)) >= 0) {
		struct sched_part *p = rq->level[top].first;
		part_leave(rq, p);
		t = part_try(rq, p, evicted);
	}
	return t;
}

static cpumask_t idle_of(cpumask_t cpus)
{
	return atomic_load_explicit(&idle_cpus, memory_order_relaxed) & cpus;
}

/* Whether CPU `cpu` has nothing to run, and nobody has sent it anything. */
static void set_idle(uint32_t cpu, bool idle)
{
	cpumask_t bit = 1ull << cpu;

	if (idle && !idle_of(bit))
		atomic_fetch_or(&idle_cpus, bit);
	else if (!idle && idle_of(bit))
		atomic_fetch_and(&idle_cpus, ~bit);
}

static void note_what_runs(struct run_queue *rq)
{
	int priority = rq->running == NULL ? -1 : (int)sched_priority(rq->running->sched);
	int before = priority_of(rq);

	atomic_store_explicit(&rq->priority, priority, memory_order_relaxed);
	if (UNLIKELY((priority | before) < 0))
		set_idle(rq->cpu, priority < 0);
}

/* A thread of `p` that may run on CPU `to`, THREAD_MOVING; or NULL. */
static struct thread *steal_from_part(struct run_queue *rq, struct sched_part *p, uint32_t to)
	REQUIRES(rq->lock)
{
	struct thread *t = part_first(p);

	if (t == NULL || p->throttled || p->closed || !(p->sched->cpus >> to & 1))
		return NULL;
	part_pull(rq, p, t);
	if (!part_has_work(p))
		part_leave(rq, p);
	thread_put(t, THREAD_MOVING, NULL);
	return t;
}

/* One that waits behind what CPU `from` runs, or in the first parts of its most urgent level. */
static struct thread *steal_from(uint32_t from, uint32_t to)
{
	struct run_queue *rq = queue_of(from);
	struct thread *found = NULL;
	unsigned looked = 0;

	spin_lock(&rq->lock);
	if (rq->running != NULL)
		found = steal_from_part(rq, rq->running, to);
	int top = level_top(rq);
	struct sched_part *p = top < 0 ? NULL : rq->level[top].first;
	struct tree_node *next = p == NULL ? NULL : tree_first(&rq->level[top].rest);
	while (p != NULL && found == NULL && looked++ < STEAL_PARTS) {
		found = steal_from_part(rq, p, to);
		p = part_at(next);
		next = next == NULL ? NULL : tree_next(next);
	}
	spin_unlock(&rq->lock);
	return found;
}

/* An idle CPU takes a thread that waits for another. */
static bool steal(uint32_t self)
{
	uint32_t count = cpu_count();

	for (uint32_t i = 1; i < count; i++) {
		uint32_t cpu = (self + i) % count;
		struct run_queue *rq = queue_of(cpu);

		if (rq == NULL || atomic_load_explicit(&rq->ready, memory_order_relaxed) == 0)
			continue;
		struct thread *t = steal_from(cpu, self);
		if (t != NULL) {
			atomic_store_explicit(&t->cpu, self, memory_order_relaxed);
			thread_settle(t);
			return true;
		}
	}
	return false;
}

/* Somebody who sleeps could run `t`, which this CPU has to leave waiting. */
static void offer(const struct thread *t)
{
	const struct sched *s = NULL;
	cpumask_t idle = idle_of(~0ull);

	if (UNLIKELY(idle != 0))
		s = sched_of(t, NULL);
	if (s != NULL && (idle & s->cpus) != 0)
		cpu_resched((uint32_t)__builtin_ctzll(idle & s->cpus));
}

/* One try: the next thread, or NULL and perhaps one that was evicted. */
static struct thread *pick_once(struct cpu *c, struct thread **evicted)
{
	struct run_queue *rq = c->run_queue;
	struct thread *t = c->current;
	bool back = false;

	c->epoch = c->call_number;
	spin_lock(&rq->lock);
	struct sched_part *was = rq->running;
	rq_charge(rq, time_now());
	if (was != NULL)
		part_undraw(was);
	rq->running = NULL;
	rq->debtor = NULL;
	bool over = c->yielding || was == NULL || was->turn >= SCHED_SLICE_NS;
	c->yielding = false;
	/* What is evicted may run elsewhere while its registers are still here. */
	if (t != NULL && thread_state(t) == THREAD_RUNNING &&
	    atomic_load_explicit(&t->cpu, memory_order_relaxed) == c->id) {
		back = put_back(rq, t, was, !over);
		if (!back)
			*evicted = t;
	}
	if (was != NULL && (over || !back))
		was->turn = 0;
	struct thread *next = rq_choose(rq, was, over, evicted);
	note_what_runs(rq);
	spin_unlock(&rq->lock);
	if (back && next != t)
		offer(t);
	return next;
}

struct thread *sched_pick(void)
{
	struct cpu *c = arch_this_cpu();

	for (unsigned i = 0; i < PICK_BATCH; i++) {
		struct thread *evicted = NULL;
		struct thread *next = pick_once(c, &evicted);

		if (next != NULL)
			return next;
		if (evicted != NULL)
			thread_settle(evicted);
		else if (!steal(c->id))
			return NULL;
	}
	atomic_store_explicit(&c->resched, true, memory_order_relaxed);
	return NULL;
}

void sched_yield_turn(void)
{
	struct cpu *c = arch_this_cpu();

	c->yielding = true;
	atomic_store_explicit(&c->resched, true, memory_order_relaxed);
}

bool sched_is_charged(const struct thread *t)
{
	const struct sched_part *p = arch_this_cpu()->run_queue->running;

	atomic_thread_fence(memory_order_seq_cst);
	return p != NULL && sched_of(t, NULL) == p->sched;
}

/* ---- short ways ---- */

/* True if the running part pays for itself, without a look at any budget. */
static bool is_plain(const struct run_queue *rq, const struct cpu *c)
{
	return rq->running != NULL && rq->running->sched->budget == 0 && rq->debtor == NULL &&
	       !atomic_load_explicit(&c->resched, memory_order_relaxed) && idle_of(~0ull) == 0;
}

/* `t` runs from now on, on what is charged; the choice was made at this moment. */
static void run_at_once(struct cpu *c, struct thread *t)
{
	thread_put(t, THREAD_RUNNING, NULL);
	c->epoch = c->call_number;
}

bool sched_preempt(struct cpu *c, struct thread *self, struct thread *t)
{
	struct run_queue *rq = c->run_queue;
	struct sched *s = atomic_load_explicit(&t->home, memory_order_relaxed);
	struct sched_part *was = rq->running;
	bool ok = false;

	if (s == NULL || s->budget != 0 || s->part[c->id] == NULL || serves(t) ||
	    atomic_load_explicit(&t->debtor, memory_order_relaxed) != 0)
		return false;
	struct sched_part *p = s->part[c->id];
	unsigned priority = sched_priority(s);
	spin_lock(&rq->lock);
	/* What runs is the most urgent of all that is ready; `p` has nobody ready, or would be. */
	if (LIKELY(is_plain(rq, c)) && (int)priority > priority_of(rq) && part_is_allowed(p)) {
		rq_charge(rq, time_now());
		part_push(rq, was, self, true);
		rq->running = p;
		part_enter(rq, was);
		if (p->vtime > rq->level[priority].vtime)
			rq->level[priority].vtime = p->vtime;
		atomic_store_explicit(&rq->priority, (int)priority, memory_order_relaxed);
		run_at_once(c, t);
		ok = true;
	}
	spin_unlock(&rq->lock);
	return ok;
}

struct thread *sched_turn(struct cpu *c, struct thread *self)
{
	struct run_queue *rq = c->run_queue;
	struct thread *next = NULL;

	spin_lock(&rq->lock);
	struct sched_part *p = rq->running;
	if (LIKELY(is_plain(rq, c)) && p->guests.head == NULL && !serves(self) &&
	    rq->slice_end != TIMER_NEVER && level_top(rq) < priority_of(rq))
		next = p->own.head;
	if (next != NULL && thread_hot(next) == c->hot && next->loaded_on == c->id) {
		rq_charge(rq, time_now());
		p->turn = 0;
		thread_queue_remove(&p->own, next);
		thread_queue_push(&p->own, self);
		self->in_guests = false;
		thread_put(self, THREAD_READY, &p->obj);
		run_at_once(c, next);
	} else {
		next = NULL;
	}
	spin_unlock(&rq->lock);
	return next;
}

/* ---- waking ---- */

/* The CPU for `t`: where it was, if that is idle or runs something less urgent; else one that
 * is idle. */
static uint32_t choose_cpu(const struct thread *t, const struct sched *s)
{
	uint32_t old = atomic_load_explicit(&t->cpu, memory_order_relaxed);
	cpumask_t allowed = s->cpus;
	cpumask_t idle = idle_of(allowed);
	bool may_stay = allowed >> old & 1;

	if (may_stay) {
		int runs = priority_of(queue_of(old));
		if (runs < 0 ? (bool)(idle >> old & 1) : runs < (int)sched_priority(s))
			return old;
	}
	if (idle != 0)
		return (uint32_t)__builtin_ctzll(idle);
	return may_stay ? old : (uint32_t)__builtin_ctzll(allowed);
}

/* True if the CPU of `rq` must look at a thread of `priority` that has just come. */
static bool needs_look(struct run_queue *rq, unsigned priority) REQUIRES(rq->lock)
{
	int runs = priority_of(rq);

	if (runs != (int)priority)
		return runs < (int)priority;
	/* An equal waits for the end of the turn; see to it that the turn ends. */
	if (rq->cpu == arch_this_cpu()->id && rq->running != NULL) {
		slice_arm(rq, time_now());
		return false;
	}
	return rq->slice_end == TIMER_NEVER;
}

void sched_wake(struct thread *t)
{
	for (;;) {
		atomic_thread_fence(memory_order_seq_cst); /* see sched_refresh */
		const struct sched *s = sched_of(t, NULL);
		if (s == NULL) {
			thread_stop_without_sched(t);
			return;
		}
		struct run_queue *rq = queue_of(choose_cpu(t, s));
		struct sched_part *p = s->part[rq->cpu];
		spin_lock(&rq->lock);
		bool ok = p != NULL && part_is_allowed(p);
		bool look = false;
		if (ok) {
			part_push(rq, p, t, false);
			part_enter(rq, p);
			look = needs_look(rq, sched_priority(s));
			set_idle(rq->cpu, false);
		}
		spin_unlock(&rq->lock);
		if (look)
			cpu_resched(rq->cpu);
		if (ok)
			return;
		arch_cpu_relax(); /* it was changed, or died, meanwhile */
	}
}

bool sched_take(struct thread *t)
{
	uintptr_t place;

	while (thread_state_of(place = atomic_load_explicit(&t->place, memory_order_acquire)) ==
	       THREAD_READY) {
		struct sched_part *p = container_of(thread_where(place), struct sched_part, obj);
		struct run_queue *rq = queue_of(p->cpu);

		spin_lock(&rq->lock);
		bool here = atomic_load_explicit(&t->place, memory_order_relaxed) == place;
		if (here) {
			part_pull(rq, p, t);
			if (!part_has_work(p))
				part_leave(rq, p);
			thread_put(t, THREAD_MOVING, NULL);
		}
		spin_unlock(&rq->lock);
		if (here)
			return true;
	}
	return false;
}

/* ---- parts change ---- */

void sched_part_requeue(struct sched_part *p)
{
	struct run_queue *rq = queue_of(p->cpu);

	spin_lock(&rq->lock);
	p->throttled = false;
	part_leave(rq, p);
	part_enter(rq, p);
	bool look = p->queued || rq->running == p;
	spin_unlock(&rq->lock);
	if (look)
		cpu_resched(p->cpu);
}

void sched_part_unthrottle(struct sched_part *p)
{
	struct run_queue *rq = queue_of(p->cpu);

	spin_lock(&rq->lock);
	bool waited = p->throttled;
	spin_unlock(&rq->lock);
	if (waited)
		sched_part_requeue(p);
}

bool sched_part_close(struct sched_part *p)
{
	struct run_queue *rq = queue_of(p->cpu);

	spin_lock(&rq->lock);
	p->closed = true;
	bool busy = rq->running == p || part_first(p) != NULL;
	part_enter(rq, p);
	spin_unlock(&rq->lock);
	if (busy)
		cpu_resched(p->cpu);
	return !busy;
}

void sched_forget_debts(const struct sched *s)
{
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		struct run_queue *rq = queue_of(cpu);

		if (rq == NULL)
			continue;
		spin_lock(&rq->lock);
		if (rq->debtor == s)
			rq->debtor = NULL;
		spin_unlock(&rq->lock);
	}
}

/* ---- beginning ---- */

void run_queue_init(void)
{
	struct cpu *c = arch_this_cpu();
	unsigned order = 0;
	paddr_t pa;

	while ((FRAME_SIZE << order) < sizeof(struct run_queue))
		order++;
	if (!frame_alloc(order, FRAME_ANY, &pa))
		panic("no memory for the run queue of CPU %u", c->id);
	frame_zero(pa, order);
	c->run_queue = arch_phys_to_virt(pa);
	c->run_queue->cpu = c->id;
	c->run_queue->slice_end = TIMER_NEVER;
	c->call_number = c->epoch = c->id;
	c->bit = 1ull << c->id;
	ipc_fast_allow(c, !boot_option("test.slow", NULL, 0));
	spin_init(&c->run_queue->lock, LOCK_RUN_QUEUE);
	atomic_store(&c->run_queue->priority, -1);
	atomic_fetch_or(&idle_cpus, 1ull << c->id);
}

/* SPDX-License-Identifier: MIT */
#include <core/assert.h>
#include <core/boot.h>
#include <core/ipc_fast.h>
#include <core/sched.h>
#include <core/slab.h>

/* A CPU draws this part of a budget at a time, so that it serves several CPUs; what it has
 * not used when it turns to another part goes back. */
#define DRAW_SHIFT 4
#define DRAW_MIN   20000 /* ns: less is not worth a timer */

#define LAG_MAX SCHED_SLICE_NS /* of virtual time */

#define PICK_BATCH  16 /* threads that look for another part, before interrupts are let in */
#define STEAL_PARTS 64 /* of one CPU, that an idle one looks at */

static struct run_queue *queue_of(uint32_t cpu)
{
	return cpu_by_id[cpu]->run_queue;
}

static int priority_of(const struct run_queue *rq)
{
	return atomic_load_explicit(&rq->priority, memory_order_relaxed);
}

static void set_priority(struct run_queue *rq, int priority) REQUIRES(rq->lock)
{
	atomic_store_explicit(&rq->priority, priority, memory_order_relaxed);
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
	return container_of(n, struct sched_part, node);
}

static bool part_is_allowed(const struct sched_part *p)
{
	return p->sched->cpus >> p->cpu & 1;
}

/* Whose turn it is in `p`. */
static struct thread *part_first(const struct sched_part *p)
{
	struct thread *t = p->ready[p->guest_next].head;

	return t != NULL ? t : p->ready[!p->guest_next].head;
}

/* True if the CPU has to look at `p`: it may run, or has threads that can go elsewhere. */
static bool part_has_work(const struct sched_part *p)
{
	if (UNLIKELY(p->throttled) && part_is_allowed(p))
		return p->ready[true].head != NULL;
	return part_first(p) != NULL;
}

/* Into its level, unless it is there, or has nothing to do. */
static void part_enter(struct run_queue *rq, struct sched_part *p) REQUIRES(rq->lock)
{
	unsigned priority = sched_priority(p->sched);
	struct sched_level *level = &rq->level[priority];

	/* The part that runs is outside: its virtual time moves. */
	if (p->node.linked || p == rq->running || !part_has_work(p))
		return;
	/* Who slept, or waited for its budget, gets no more back than to be the next one. Virtual
	 * time of another level says nothing here. */
	if (p->level != priority)
		p->vtime = level->vtime;
	else if (p->vtime + LAG_MAX < level->vtime)
		p->vtime = level->vtime - LAG_MAX;
	p->level = (uint8_t)priority;
	rq->levels[priority / 64] |= 1ull << priority % 64;
	tree_insert(&level->parts, &p->node, p->vtime, p->vtime);
}

static void part_leave(struct run_queue *rq, struct sched_part *p) REQUIRES(rq->lock)
{
	struct tree *parts = &rq->level[p->level].parts;

	if (!p->node.linked)
		return;
	tree_remove(parts, &p->node);
	if (tree_first(parts) == NULL)
		rq->levels[p->level / 64] &= ~(1ull << p->level % 64);
}

static void count_ready(struct run_queue *rq, uint32_t change) REQUIRES(rq->lock)
{
	uint32_t n = atomic_load_explicit(&rq->ready, memory_order_relaxed);

	atomic_store_explicit(&rq->ready, n + change, memory_order_relaxed);
}

/* While the budget lasts, a thread that serves another is a guest; if it is used up, who comes
 * has nowhere else to go. */
static void part_push(struct run_queue *rq, struct sched_part *p, struct thread *t, bool front)
	REQUIRES(rq->lock)
{
	t->in_guests = sched_serves(t) && !p->throttled;
	if (front) {
		thread_queue_push_front(&p->ready[t->in_guests], t);
		p->guest_next = t->in_guests;
	} else {
		thread_queue_push(&p->ready[t->in_guests], t);
	}
	count_ready(rq, 1);
	atomic_store_explicit(&t->cpu, p->cpu, memory_order_relaxed);
	thread_put(t, THREAD_READY, &p->obj);
}

/* The caller's from now on: THREAD_MOVING, or THREAD_RUNNING here. */
static struct thread *part_pull(struct run_queue *rq, struct sched_part *p, struct thread *t,
				enum thread_state state) REQUIRES(rq->lock)
{
	thread_queue_remove(&p->ready[t->in_guests], t);
	count_ready(rq, UINT32_MAX);
	thread_put(t, state, NULL);
	return t;
}

/* The same for a part that may be in its level. */
static struct thread *part_take(struct run_queue *rq, struct sched_part *p, struct thread *t)
	REQUIRES(rq->lock)
{
	(void)part_pull(rq, p, t, THREAD_MOVING);
	if (!part_has_work(p))
		part_leave(rq, p);
	return t;
}

/* ---- budgets ---- */

static void pool_refill(struct ktimer *timer)
{
	struct sched *s = container_of(timer, struct sched, refill);

	/* One period follows the other for who has used up the last; else the next one begins
	 * with the next use. */
	if (s->pool <= 0)
		timer_set(timer, timer->deadline + s->period, pool_refill);
	else
		s->in_period = false;
	sched_fill(s);
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
		(void)sched_part_update(s->part[cpu], true);
}

/* Draws a piece of the pool for the part that is about to run, and begins a period if none
 * is running. False: the pool is empty. */
static bool part_draw(struct sched_part *p, uint64_t now)
{
	struct sched *s = p->sched;
	int64_t piece = (int64_t)(s->budget >> DRAW_SHIFT);

	if (s->budget == 0)
		return true;
	if (!s->in_period && !atomic_exchange(&s->in_period, true))
		timer_set(&s->refill, now + s->period, pool_refill);
	if (piece < DRAW_MIN)
		piece = DRAW_MIN;
	/* A refill fills the pool, then takes the queue's lock to look who is throttled. */
	p->throttled = atomic_fetch_sub(&s->pool, piece) <= 0;
	if (p->throttled)
		atomic_fetch_add(&s->pool, piece);
	else
		p->allowance = piece;
	return !p->throttled;
}

/* Takes `ran` out of the pool of the sched that `token` names; false: it is dead, or has no
 * limit. */
static bool debt_charge(uint64_t token, uint64_t ran)
{
	struct object *o = slab_object(token_object(token), OBJ_SCHED);
	struct sched *s = o == NULL ? NULL : container_of(o, struct sched, obj);
	bool owes = s != NULL && o->gen == token_gen(token) && s->budget != 0;

	if (owes)
		atomic_fetch_sub(&s->pool, (int64_t)ran);
	return owes;
}

/* The part that runs pays until now, and what it has drawn and not spent goes back, or what was
 * spent too much. */
static void rq_charge(struct run_queue *rq, uint64_t now) REQUIRES(rq->lock)
{
	struct sched_part *p = rq->running;
	uint64_t ran = now - rq->since;

	rq->since = now;
	if (p == NULL)
		return;
	p->vtime += ran * SCHED_WEIGHT_DEFAULT / p->sched->weight;
	p->turn += ran;
	p->spent += ran;
	if (LIKELY(rq->debtor == 0) || !debt_charge(rq->debtor, ran))
		p->allowance -= p->sched->budget != 0 ? (int64_t)ran : 0;
	if (p->allowance != 0)
		atomic_fetch_add(&p->sched->pool, p->allowance);
	p->allowance = 0;
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
static void slice_arm(struct run_queue *rq) REQUIRES(rq->lock)
{
	struct sched_part *p = rq->running;
	bool rivals = part_first(p) != NULL || level_top(rq) >= (int)sched_priority(p->sched);
	uint64_t left = p->turn < SCHED_SLICE_NS ? SCHED_SLICE_NS - p->turn : 0;

	if (p->allowance > 0 && (!rivals || (uint64_t)p->allowance < left))
		left = (uint64_t)p->allowance;
	else if (!rivals)
		return;
	/* If it is armed for earlier it fires, finds nothing to do and is armed anew: cheaper
	 * than moving it at every switch. */
	if (LIKELY(rq->slice_end <= rq->since + left))
		return;
	if (rq->slice_end != TIMER_NEVER)
		(void)timer_cancel(&rq->slice);
	rq->slice_end = rq->since + left;
	timer_set(&rq->slice, rq->slice_end, slice_over);
}

/* ---- choosing a CPU ---- */

/* What a thread meets on a CPU: first of all what runs there, then how many wait. */
#define LOAD_PRIORITY (1ll << 32)

static int64_t load_of(uint32_t cpu)
{
	const struct run_queue *rq = queue_of(cpu);

	return priority_of(rq) * LOAD_PRIORITY +
	       atomic_load_explicit(&rq->ready, memory_order_relaxed);
}

/* The CPU for `t`: where it was, if it is more urgent than what runs there or would be no better
 * off elsewhere. */
static uint32_t choose_cpu(const struct thread *t, const struct sched *s)
{
	uint32_t best = atomic_load_explicit(&t->cpu, memory_order_relaxed);
	cpumask_t allowed = s->cpus;
	int64_t least = INT64_MAX;

	if (LIKELY(allowed >> best & 1)) {
		least = load_of(best) - (thread_state(t) == THREAD_READY);
		allowed &= ~(1ull << best);
	}
	if (least < (int64_t)sched_priority(s) * LOAD_PRIORITY)
		return best;
	for (; allowed != 0; allowed &= allowed - 1) {
		uint32_t cpu = (uint32_t)__builtin_ctzll(allowed);
		if (load_of(cpu) < least) {
			least = load_of(cpu);
			best = cpu;
		}
	}
	return best;
}

/* `t` is ready on CPU `here`, behind something else: takes it out (THREAD_MOVING) if it is better
 * off elsewhere. */
static bool move_away(struct thread *t, uint32_t here)
{
	atomic_thread_fence(memory_order_seq_cst); /* see steal */
	const struct sched *s = sched_of(t, NULL);

	return s != NULL && choose_cpu(t, s) != here && sched_take(t);
}

/* Queues `t` on the CPU of `rq`; false if that can't be any more. `*waits`: behind others. */
static bool rq_accept(struct run_queue *rq, struct sched *s, struct thread *t, bool *waits)
{
	struct sched_part *p = s->part[rq->cpu];
	int priority = (int)sched_priority(s);

	spin_lock(&rq->lock);
	int runs = priority_of(rq);
	/* Something that was drawn has come back. */
	p->throttled = p->throttled && sched_is_dry(s);
	bool ok = part_is_allowed(p) && (!p->throttled || sched_of(t, NULL) == s);
	/* An equal waits for the end of the turn; see to it that the turn ends. */
	bool look = ok && (runs < priority || (runs == priority && rq->slice_end == TIMER_NEVER));
	if (ok) {
		part_push(rq, p, t, false);
		part_enter(rq, p);
		set_priority(rq, runs < priority ? priority : runs);
	}
	spin_unlock(&rq->lock);
	if (look)
		cpu_resched(rq->cpu);
	*waits = runs >= priority;
	return ok;
}

void sched_wake(struct thread *t)
{
	for (;;) {
		bool waits;

		atomic_thread_fence(memory_order_seq_cst); /* see sched_refresh */
		struct sched *s = sched_of(t, NULL);
		if (s == NULL) {
			thread_stop_without_sched(t);
			return;
		}
		uint32_t cpu = choose_cpu(t, s);
		if (!rq_accept(queue_of(cpu), s, t, &waits))
			arch_cpu_relax(); /* it was changed, or died, meanwhile */
		else if (LIKELY(!waits) || !move_away(t, cpu))
			return;
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
		if (here)
			(void)part_take(rq, p, t);
		spin_unlock(&rq->lock);
		if (here)
			return true;
	}
	return false;
}

static bool may_steal(const struct sched_part *p, uint32_t to)
{
	return !p->throttled && part_first(p) != NULL && (p->sched->cpus >> to & 1);
}

/* A thread that waits for the CPU of `rq` and may run on `to`, THREAD_MOVING; or NULL. */
static struct thread *steal_from(struct run_queue *rq, uint32_t to)
{
	struct thread *t = NULL;
	unsigned looked = 0;

	spin_lock(&rq->lock);
	struct sched_part *p = rq->running;
	if (p != NULL && !may_steal(p, to))
		p = NULL;
	for (int level = level_top(rq); level >= 0 && p == NULL; level--) {
		struct tree_node *n = tree_first(&rq->level[level].parts);
		for (; n != NULL && p == NULL && looked++ < STEAL_PARTS; n = tree_next(n))
			p = may_steal(part_at(n), to) ? part_at(n) : NULL;
	}
	if (p != NULL)
		t = part_take(rq, p, part_first(p));
	spin_unlock(&rq->lock);
	return t;
}

/* An idle CPU takes a thread that waits for another. */
static struct thread *steal(uint32_t self)
{
	uint32_t count = cpu_count();
	struct thread *t = NULL;

	/* We have said that we are idle; who leaves a thread waiting looks for that afterwards
	 * (move_away): he sees it, or we see his thread. */
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t i = 1; i < count && t == NULL; i++) {
		struct run_queue *rq = queue_of((self + i) % count);
		if (atomic_load_explicit(&rq->ready, memory_order_relaxed) != 0)
			t = steal_from(rq, self);
	}
	if (t != NULL)
		atomic_store_explicit(&t->cpu, self, memory_order_relaxed);
	return t;
}

/* ---- choosing a thread ---- */

/* Puts the running thread back into its part, which still has to enter its level if it is
 * `was`, the part that ran. False: it can't go on here; it is the caller's (THREAD_MOVING). */
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
static struct thread *rq_run(struct run_queue *rq, struct sched_part *p, const struct sched *payer)
	REQUIRES(rq->lock)
{
	struct sched_level *level = &rq->level[p->level];
	struct thread *t = part_pull(rq, p, part_first(p), THREAD_RUNNING);

	if (p->vtime > level->vtime)
		level->vtime = p->vtime;
	p->guest_next = !t->in_guests;
	rq->running = p;
	rq->debtor = LIKELY(payer == NULL) ? atomic_load_explicit(&t->debtor, memory_order_relaxed)
					   : sched_token(payer);
	slice_arm(rq);
	return t;
}

/* Tries to run `p`, which is in no level. Else it is back where it belongs, and a thread that has
 * to look for another sched or CPU is given (THREAD_MOVING), or NULL. */
static struct thread *part_try(struct run_queue *rq, struct sched_part *p) REQUIRES(rq->lock)
{
	struct thread *t = part_first(p);
	struct sched *payer;

	if (LIKELY(part_is_allowed(p))) {
		bool fits = sched_of(t, &payer) == p->sched;
		if (fits && !p->throttled && part_draw(p, rq->since))
			return rq_run(rq, p, payer);
		if (p->throttled) /* its own threads wait */
			t = p->ready[true].head;
	}
	if (t != NULL)
		(void)part_pull(rq, p, t, THREAD_MOVING);
	part_enter(rq, p);
	return t;
}

/* True if `was`, which ran, goes before all others: the turn of its first thread goes on, unless
 * it is more than a turn ahead of an equal. */
static bool stays_first(struct run_queue *rq, const struct sched_part *was, bool goes_on)
	REQUIRES(rq->lock)
{
	int priority = (int)sched_priority(was->sched);
	int top = level_top(rq);

	if (!part_has_work(was) || priority != top)
		return part_has_work(was) && priority > top;
	return goes_on && was->vtime < part_at(tree_first(&rq->level[top].parts))->vtime + LAG_MAX;
}

/* The thread that runs next (THREAD_RUNNING), one that has to look for another sched or CPU
 * (THREAD_MOVING), or NULL. */
static struct thread *rq_choose(struct run_queue *rq, struct sched_part *was, bool goes_on)
	REQUIRES(rq->lock)
{
	struct thread *next = NULL;
	int top;

	if (was != NULL && stays_first(rq, was, goes_on))
		next = part_try(rq, was);
	else if (was != NULL)
		part_enter(rq, was);
	while (next == NULL && (top = level_top(rq)) >= 0) {
		struct sched_part *p = part_at(tree_first(&rq->level[top].parts));
		part_leave(rq, p);
		next = part_try(rq, p);
	}
	return next;
}

/* One try, as rq_choose. */
static struct thread *pick_once(struct cpu *c)
{
	struct run_queue *rq = c->run_queue;
	struct thread *t = c->current;

	c->epoch += CPU_MAX;
	spin_lock(&rq->lock);
	struct sched_part *was = rq->running;
	rq_charge(rq, time_now());
	rq->running = NULL;
	bool over = c->yielding || was == NULL || was->turn >= SCHED_SLICE_NS;
	c->yielding = false;
	/* What left for another CPU may run there while its registers are still here. */
	bool runs = t != NULL && thread_state(t) == THREAD_RUNNING &&
		    atomic_load_explicit(&t->cpu, memory_order_relaxed) == c->id;
	bool back = runs && put_back(rq, t, was, !over);
	if (was != NULL && (over || !back))
		was->turn = 0;
	struct thread *next = rq_choose(rq, was, back && !over);
	set_priority(rq, rq->running == NULL ? -1 : (int)sched_priority(rq->running->sched));
	spin_unlock(&rq->lock);
	if ((runs && !back) || (back && next != t && move_away(t, c->id)))
		thread_settle(t);
	return next;
}

struct thread *sched_pick(void)
{
	struct cpu *c = arch_this_cpu();

	for (unsigned i = 0; i < PICK_BATCH; i++) {
		struct thread *next = pick_once(c);

		if (next == NULL && (next = steal(c->id)) == NULL)
			return NULL;
		if (thread_state(next) == THREAD_RUNNING)
			return next;
		thread_settle(next);
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

/* ---- parts change ---- */

bool sched_part_update(struct sched_part *p, bool refilled)
{
	struct run_queue *rq = queue_of(p->cpu);

	spin_lock(&rq->lock);
	bool look = !refilled || p->throttled;
	if (look) {
		p->throttled = false;
		part_leave(rq, p);
		part_enter(rq, p);
	}
	bool unused = rq->running != p && part_first(p) == NULL;
	spin_unlock(&rq->lock);
	if (look && !unused)
		cpu_resched(p->cpu);
	return unused;
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
	c->run_queue->priority = -1;
	c->call_number = c->id;
	c->epoch = c->id + CPU_MAX;
	c->bit = 1ull << c->id;
	c->hot = (uint64_t)c->id << 32;
	ipc_fast_allow(c, !boot_option("test.slow", NULL, 0));
	spin_init(&c->run_queue->lock, LOCK_RUN_QUEUE);
}

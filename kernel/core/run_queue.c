/* SPDX-License-Identifier: MIT */
#include <core/boot.h>
#include <core/ipc_fast.h>
#include <core/sched.h>
#include <core/slab.h>

/* A CPU draws this part of a budget at a time, so that it serves several CPUs; what it has
 * not used when it turns to another part goes back. */
#define DRAW_SHIFT 4
#define DRAW_MIN   20000 /* ns: less is not worth a timer */

#define PICK_BATCH  16 /* threads to move, or dry parts, before interrupts are let in */
#define STEAL_PARTS 64 /* of one CPU, that an idle one looks at */

static struct run_queue *queue_of(uint32_t cpu)
{
	return cpu_by_id[cpu]->run_queue;
}

/* ---- parts in levels, threads in parts; the queue's lock is held ---- */

static struct sched_part *part_at(struct tree_node *n)
{
	return container_of(n, struct sched_part, node);
}

/* True if the CPU has to look at `p`: it may run, or has threads that can go elsewhere. */
static bool part_has_work(const struct sched_part *p)
{
	if (UNLIKELY(p->throttled) && part_is_allowed(p))
		return p->ready[true].head != NULL;
	return part_first(p) != NULL;
}

void part_enter(struct run_queue *rq, struct sched_part *p)
{
	/* The part that runs is outside: its virtual time moves. */
	if (p->node.linked || p == rq->running || p == rq->aside || !part_has_work(p))
		return;
	part_catch_up(rq, p);
	rq->levels[p->level / 64] |= 1ull << p->level % 64;
	tree_insert(&rq->level[p->level].parts, &p->node, p->vtime, p->vtime);
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

/* The caller's from now on: THREAD_MOVING, or THREAD_RUNNING here. */
static struct thread *part_pull(struct run_queue *rq, struct sched_part *p, struct thread *t,
				enum thread_state state) REQUIRES(rq->lock)
{
	thread_queue_remove(&p->ready[t->in_guests], t);
	atomic_store_explicit(&rq->ready, rq->ready - 1, memory_order_relaxed);
	if (UNLIKELY(p->node.linked) && !part_has_work(p))
		part_leave(rq, p);
	thread_put(t, state, NULL);
	return t;
}

/* ---- budgets ---- */

static void pool_refill(struct ktimer *timer)
{
	struct sched *s = container_of(timer, struct sched, refill);

	s->in_period = false;
	sched_fill(s);
	(void)sched_update_parts(s, true);
}

/* Draws a piece of the pool for the part that is about to run, and begins a period if none
 * is running. False: the pool is empty. */
static bool part_draw(struct sched_part *p)
{
	struct sched *s = p->sched;
	int64_t piece = (int64_t)(s->budget >> DRAW_SHIFT);

	if (s->budget == 0)
		return true;
	uint64_t now = time_now();
	if (!s->in_period && !atomic_exchange(&s->in_period, true)) {
		/* Who goes on where the last one ended has no gap between them. */
		uint64_t begin = now < s->period_end + s->period ? s->period_end : now;
		s->period_end = begin + s->period;
		timer_set(&s->refill, s->period_end, pool_refill);
	}
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

/* What it has drawn and not spent goes back, or what was spent too much. */
void part_pay(struct run_queue *rq, struct sched_part *p, uint64_t ran)
{
	if (rq->debtor == 0 || !debt_charge(rq->debtor, ran))
		p->allowance -= p->sched->budget != 0 ? (int64_t)ran : 0;
	if (p->allowance != 0)
		atomic_fetch_add(&p->sched->pool, p->allowance);
	p->allowance = 0;
}

/* ---- the end of a turn ---- */

static void slice_over(struct ktimer *timer)
{
	struct run_queue *rq = container_of(timer, struct run_queue, slice);

	rq->slice_end = TIMER_NEVER;
	cpu_resched(rq->cpu);
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
	uint64_t end = time_now() + left;
	if (LIKELY(rq->slice_end <= end))
		return;
	if (rq->slice_end != TIMER_NEVER)
		(void)timer_cancel(&rq->slice);
	rq->slice_end = end;
	timer_set(&rq->slice, rq->slice_end, slice_over);
}

/* ---- choosing a CPU ---- */

/* What a thread meets on a CPU: first of all what runs there, then how many wait. */
#define LOAD_PRIORITY (1ll << 32)

static int64_t load_of(uint32_t cpu)
{
	const struct run_queue *rq = queue_of(cpu);

	return rq->priority * LOAD_PRIORITY + rq->ready;
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

/* The same, but only takes it out (THREAD_MOVING). */
static bool leaves(struct thread *t, uint32_t here)
{
	atomic_thread_fence(memory_order_seq_cst); /* see steal */
	const struct sched *s = sched_of(t, NULL);

	return s != NULL && choose_cpu(t, s) != here && sched_take(t);
}

void sched_move_away(struct thread *t, uint32_t here)
{
	if (leaves(t, here))
		thread_settle(t);
}

/* Queues `t` on the CPU of `rq`: 1 if it goes first there, 0 if it waits behind others, -1 if
 * that can't be any more. */
static int rq_accept(struct run_queue *rq, struct sched *s, struct thread *t)
{
	struct sched_part *p = s->part[rq->cpu];
	int priority = (int)sched_priority(s);

	spin_lock(&rq->lock);
	int runs = rq->priority;
	/* Something that was drawn has come back. */
	p->throttled = p->throttled && sched_is_dry(s);
	bool ok = part_is_allowed(p) && (!p->throttled || sched_of(t, NULL) == s);
	/* An equal waits for the end of the turn; see to it that the turn ends. */
	bool look = runs < priority || (runs == priority && rq->slice_end == TIMER_NEVER);
	if (ok) {
		part_push(rq, p, t, false);
		part_enter(rq, p);
		if (runs < priority)
			atomic_store_explicit(&rq->priority, priority, memory_order_relaxed);
	}
	spin_unlock(&rq->lock);
	if (ok && look)
		cpu_resched(rq->cpu);
	return ok ? runs < priority : -1;
}

void sched_wake(struct thread *t)
{
	for (;;) {
		atomic_thread_fence(memory_order_seq_cst); /* see sched_refresh */
		struct sched *s = sched_of(t, NULL);
		if (s == NULL) {
			thread_stop_without_sched(t);
			return;
		}
		uint32_t cpu = choose_cpu(t, s);
		int first = rq_accept(queue_of(cpu), s, t);
		if (first < 0)
			arch_cpu_relax(); /* it was changed, or died, meanwhile */
		else if (LIKELY(first) || !leaves(t, cpu))
			return;
	}
}

bool sched_take(struct thread *t)
{
	uintptr_t place;
	bool here = false;

	while (!here && thread_state_of(place = t->place) == THREAD_READY) {
		struct sched_part *p = container_of(thread_where(place), struct sched_part, obj);
		struct run_queue *rq = queue_of(p->cpu);

		spin_lock(&rq->lock);
		here = t->place == place;
		if (here)
			(void)part_pull(rq, p, t, THREAD_MOVING);
		spin_unlock(&rq->lock);
	}
	return here;
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
	if (p == NULL || !may_steal(p, to))
		p = rq->aside != NULL && may_steal(rq->aside, to) ? rq->aside : NULL;
	for (int level = level_top(rq); level >= 0 && p == NULL; level--) {
		struct tree_node *n = tree_first(&rq->level[level].parts);
		for (; n != NULL && p == NULL && looked++ < STEAL_PARTS; n = tree_next(n))
			p = may_steal(part_at(n), to) ? part_at(n) : NULL;
	}
	if (p != NULL)
		t = part_pull(rq, p, part_first(p), THREAD_MOVING);
	spin_unlock(&rq->lock);
	return t;
}

/* An idle CPU takes a thread that waits for another. */
static struct thread *steal(uint32_t self)
{
	uint32_t count = cpu_count();
	struct thread *t = NULL;

	/* We have said that we are idle; who leaves a thread waiting looks for that afterwards
	 * (leaves): he sees it, or we see his thread. */
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
	struct thread *t = part_pull(rq, p, part_first(p), THREAD_RUNNING);

	rq_begin(rq, p);
	p->guest_next = !t->in_guests;
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
	bool allowed = part_is_allowed(p);

	if (LIKELY(allowed && !p->throttled && sched_of(t, &payer) == p->sched && part_draw(p)))
		return rq_run(rq, p, payer);
	if (allowed && p->throttled) /* its own threads wait */
		t = p->ready[true].head;
	if (t != NULL)
		(void)part_pull(rq, p, t, THREAD_MOVING);
	part_enter(rq, p);
	return t;
}

/* The part that goes first, taken out of its level, or NULL. `was`, unless NULL, is the one that
 * ran; it stays before its equals if it isn't `lead` ahead of them. So does the one that was put
 * aside, as soon as what it gave way to has nothing to do. */
static struct sched_part *rq_first(struct run_queue *rq, struct sched_part *was, uint64_t lead)
	REQUIRES(rq->lock)
{
	struct sched_part *aside = rq->aside;

	rq->aside = NULL;
	if (was == NULL || !part_has_work(was)) {
		was = aside != NULL && part_has_work(aside) ? aside : NULL;
		lead = SCHED_LAG_MAX;
	} else if (aside != NULL) {
		part_enter(rq, aside);
	}
	int top = level_top(rq);
	struct sched_part *first = top < 0 ? NULL : part_at(tree_first(&rq->level[top].parts));
	int priority = was == NULL ? -1 : (int)sched_priority(was->sched);
	if (priority > top || (was != NULL && priority == top && was->vtime < first->vtime + lead))
		return was;
	if (first != NULL)
		part_leave(rq, first);
	if (was != NULL && priority < top)
		rq->aside = was;
	else if (was != NULL)
		part_enter(rq, was);
	return first;
}

/* No call that `t`, which runs next, has in hand was taken here since this CPU chose what is
 * charged; if it was taken on another CPU its number shall not look so. */
static void begin_epoch(struct cpu *c, const struct thread *t)
{
	if (t->reply.number > c->call_number)
		c->call_number = ALIGN_DOWN(t->reply.number, CPU_MAX) + CPU_MAX + c->id;
	c->epoch = c->call_number;
}

/* One try: the thread that runs next (THREAD_RUNNING), one that has to look for another sched or
 * CPU (THREAD_MOVING), or NULL. */
static struct thread *pick_once(struct cpu *c)
{
	struct run_queue *rq = c->run_queue;
	struct thread *t = c->current;

	spin_lock(&rq->lock);
	struct sched_part *was = rq->running;
	if (was != NULL)
		rq_charge(rq, was);
	else
		rq->since = arch_time_local();
	rq->running = NULL;
	bool over = was != NULL && was->turn >= SCHED_SLICE_NS;
	/* What left for another CPU may run there while its registers are still here. */
	bool runs = t != NULL && thread_state(t) == THREAD_RUNNING && t->cpu == c->id;
	bool back = runs && put_back(rq, t, was, !over);
	bool goes_on = back && !over;
	if (was != NULL && !goes_on)
		was->turn = 0;
	struct thread *next = NULL;
	struct sched_part *p = rq_first(rq, was, goes_on ? SCHED_LAG_MAX : 0);
	for (unsigned i = 0; p != NULL && (next = part_try(rq, p)) == NULL; i++)
		p = i < PICK_BATCH ? rq_first(rq, NULL, 0) : NULL;
	if (next == NULL && (rq->aside != NULL || level_top(rq) >= 0))
		c->resched = true;
	int priority = rq->running == NULL ? -1 : (int)sched_priority(rq->running->sched);
	atomic_store_explicit(&rq->priority, priority, memory_order_relaxed);
	spin_unlock(&rq->lock);
	if (rq->running != NULL)
		begin_epoch(c, next);
	if (runs && !back)
		thread_settle(t);
	else if (back && next != t)
		sched_move_away(t, c->id);
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

	c->run_queue->running->turn = SCHED_SLICE_NS;
	c->run_queue->running->new_turn = false;
	atomic_store_explicit(&c->resched, true, memory_order_relaxed);
}

bool sched_is_charged(const struct thread *t)
{
	const struct sched_part *p = arch_this_cpu()->run_queue->running;

	atomic_thread_fence(memory_order_seq_cst);
	return p != NULL && sched_of(t, NULL) == p->sched;
}

/* ---- parts change ---- */

static bool part_update(struct sched_part *p, bool refilled)
{
	struct run_queue *rq = queue_of(p->cpu);

	spin_lock(&rq->lock);
	bool look = !refilled || p->throttled;
	if (look) {
		p->throttled = false;
		part_leave(rq, p);
		part_enter(rq, p);
	}
	bool unused = rq->running != p && rq->aside != p && part_first(p) == NULL;
	spin_unlock(&rq->lock);
	if (look && !unused)
		cpu_resched(p->cpu);
	return unused;
}

bool sched_update_parts(struct sched *s, bool refilled)
{
	bool unused = true;

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
		unused = (s->part[cpu] == NULL || part_update(s->part[cpu], refilled)) && unused;
	return unused;
}

/* ---- beginning ---- */

#define QUEUE_ORDER 1
_Static_assert(sizeof(struct run_queue) <= FRAME_SIZE << QUEUE_ORDER, "it fits");

void run_queue_init(void)
{
	struct cpu *c = arch_this_cpu();
	paddr_t pa;

	if (!frame_alloc(QUEUE_ORDER, FRAME_ANY, &pa))
		panic("no memory for the run queue of CPU %u", c->id);
	frame_zero(pa, QUEUE_ORDER);
	c->run_queue = arch_phys_to_virt(pa);
	c->run_queue->cpu = c->id;
	c->run_queue->slice_end = TIMER_NEVER;
	c->run_queue->priority = -1;
	c->call_number = c->epoch = c->id;
	c->bit = 1ull << c->id;
	ipc_fast_allow(c, !boot_option("test.slow", NULL, 0));
	spin_init(&c->run_queue->lock, LOCK_RUN_QUEUE);
}

/* SPDX-License-Identifier: MIT */
#include <core/sched.h>
#include <core/assert.h>
#include <core/cpu.h>
#include <core/quota.h>
#include <core/thread.h>

struct sched *sched_root;

/* A CPU draws this part of the pool at a time, so that a budget holds over several
 * CPUs to within one slice each, and a short budget is not eaten by the first. */
#define DRAW_SHIFT 4
#define DRAW_MIN   20000ll /* ns: less is not worth a timer */

static struct run_queue *queue_of(uint32_t cpu)
{
	return cpu_by_id[cpu]->run_queue;
}

static int level_top(const struct run_queue *rq)
{
	for (int word = SCHED_PRIORITIES / 64 - 1; word >= 0; word--) {
		if (rq->levels[word] != 0)
			return word * 64 + 63 - __builtin_clzll(rq->levels[word]);
	}
	return -1;
}

/* --- parts in levels; the queue's lock is held --- */

static void part_enter(struct run_queue *rq, struct sched_part *p)
{
	unsigned priority = p->sched->priority;
	struct sched_level *level = &rq->level[priority];

	/* The part that runs is outside the tree: its virtual time moves. */
	if (p->node.linked || p->head == NULL || p->throttled || p == rq->running)
		return;
	/* Who slept does not get the time back that it did not use. */
	if (p->vtime < level->vtime)
		p->vtime = level->vtime;
	p->level = (uint8_t)priority;
	tree_insert(&level->parts, &p->node, p->vtime);
	rq->levels[priority / 64] |= 1ull << priority % 64;
}

static void part_leave(struct run_queue *rq, struct sched_part *p)
{
	struct sched_level *level = &rq->level[p->level];

	if (!p->node.linked)
		return;
	tree_remove(&level->parts, &p->node);
	if (tree_first(&level->parts) == NULL)
		rq->levels[p->level / 64] &= ~(1ull << p->level % 64);
}

static void part_push(struct run_queue *rq, struct sched_part *p, struct thread *t, bool front)
{
	t->next = t->prev = NULL;
	if (p->head == NULL) {
		p->head = p->tail = t;
	} else if (front) {
		t->next = p->head;
		p->head->prev = t;
		p->head = t;
	} else {
		t->prev = p->tail;
		p->tail->next = t;
		p->tail = t;
	}
	t->part = p;
	t->state = THREAD_READY;
	part_enter(rq, p);
}

static void part_pull(struct run_queue *rq, struct sched_part *p, struct thread *t)
{
	if (t->prev == NULL)
		p->head = t->next;
	else
		t->prev->next = t->next;
	if (t->next == NULL)
		p->tail = t->prev;
	else
		t->next->prev = t->prev;
	t->next = t->prev = NULL;
	t->part = NULL;
	if (p->head == NULL)
		part_leave(rq, p);
}

/* --- budgets --- */

/* Takes a piece of the pool for `p`; false when it is empty. */
static bool part_draw(struct sched_part *p)
{
	struct sched *s = p->sched;
	int64_t want = (int64_t)(s->budget >> DRAW_SHIFT);
	int64_t left = atomic_load_explicit(&s->pool, memory_order_relaxed);

	if (want < DRAW_MIN)
		want = DRAW_MIN;
	do {
		if (left <= 0)
			return false;
		if (want > left)
			want = left;
	} while (!atomic_compare_exchange_weak_explicit(&s->pool, &left, left - want,
	                                                memory_order_relaxed,
	                                                memory_order_relaxed));
	p->allowance += want;
	return p->allowance > 0;
}

static void sched_refill(struct ktimer *timer)
{
	struct sched *s = container_of(timer, struct sched, refill);

	spin_lock(&s->obj.lock);
	/* A debt is paid from the new period; what was left is not saved up. */
	int64_t pool = atomic_load(&s->pool);
	atomic_store(&s->pool, (pool < 0 ? pool : 0) + (int64_t)s->budget);
	atomic_store(&s->refilling, false);
	uint64_t cpus = s->cpus;
	spin_unlock(&s->obj.lock);

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		struct sched_part *p = s->part[cpu];
		if (p == NULL || !(cpus >> cpu & 1))
			continue;
		struct run_queue *rq = queue_of(cpu);
		spin_lock(&rq->lock);
		bool waited = p->throttled;
		if (waited) {
			p->throttled = false;
			part_enter(rq, p);
		}
		spin_unlock(&rq->lock);
		if (waited)
			cpu_resched(cpu);
	}
}

/* Sees to it that the pool is filled at the end of the present period. */
static void sched_await_refill(struct sched *s, uint64_t now)
{
	if (atomic_exchange(&s->refilling, true))
		return;
	while (s->refill_at <= now)
		s->refill_at += s->period;
	timer_set(&s->refill, s->refill_at, sched_refill);
}

/* Charges this CPU's running part for the time since the last charge. */
static void rq_charge(struct run_queue *rq, uint64_t now)
{
	struct sched_part *p = rq->running;

	if (p == NULL)
		return;
	uint64_t ran = now - rq->since;
	rq->since = now;
	p->vtime += ran * SCHED_WEIGHT_DEFAULT / p->sched->weight;
	atomic_fetch_add_explicit(&p->sched->spent, ran, memory_order_relaxed);
	if (p->sched->budget != 0)
		p->allowance -= (int64_t)ran;
}

/* True if `p` may run now; else it waits until its pool is filled. */
static bool part_may_run(struct sched_part *p, uint64_t now)
{
	struct sched *s = p->sched;

	if (s->budget == 0)
		return true;
	sched_await_refill(s, now);
	if (p->allowance > 0 || part_draw(p))
		return true;
	p->throttled = true;
	return false;
}

/* --- choosing --- */

static void slice_over(struct ktimer *timer)
{
	(void)timer;
	arch_this_cpu()->resched = true;
}

/* Arms the end of the running part's turn, if anything could then take over: nobody else
 * ready and no budget means no timer at all. */
static void slice_arm(struct run_queue *rq, uint64_t now)
{
	struct sched_part *p = rq->running;
	uint64_t turn = SCHED_SLICE_NS;
	bool rivals = level_top(rq) >= (int)p->sched->priority || p->head != NULL;

	if (p->sched->budget != 0 && (uint64_t)p->allowance < turn)
		turn = (uint64_t)p->allowance;
	else if (!rivals)
		return;
	/* A timer that is armed for earlier fires, finds nothing to do and is armed anew:
	 * cheaper than moving it at every switch. */
	if (rq->slice.cpu != 0 && rq->slice.deadline <= now + turn)
		return;
	(void)timer_cancel(&rq->slice);
	timer_set(&rq->slice, now + turn, slice_over);
}

/* Puts the running thread, which could go on, back into its part. */
static void rq_put_back(struct cpu *c, struct run_queue *rq, uint64_t now)
{
	struct thread *t = c->current;

	if (t == NULL || t->state != THREAD_RUNNING)
		return;
	struct sched *s = t->sched;
	if (s == NULL || s->part[c->id] == NULL) {
		/* It lost its sched, or the sched lost this CPU: thread_exit_kernel moves it. */
		return;
	}
	bool turn_over = now - rq->turn_began >= SCHED_SLICE_NS || c->yielding;
	part_push(rq, s->part[c->id], t, !turn_over);
}

struct thread *sched_pick(void)
{
	struct cpu *c = arch_this_cpu();
	struct run_queue *rq = c->run_queue;
	uint64_t now = time_now();
	struct thread *next = NULL;

	spin_lock(&rq->lock);
	rq_charge(rq, now);
	struct sched_part *was = rq->running;
	rq->running = NULL;
	rq_put_back(c, rq, now);
	if (was != NULL)
		part_enter(rq, was);
	c->yielding = false;

	for (int top = level_top(rq); top >= 0; top = level_top(rq)) {
		struct sched_level *level = &rq->level[top];
		struct sched_part *p = container_of(tree_first(&level->parts), struct sched_part,
		                                    node);
		part_leave(rq, p);
		if (!part_may_run(p, now))
			continue;
		if (p->vtime > level->vtime)
			level->vtime = p->vtime;
		rq->running = p;
		rq->since = rq->turn_began = now;
		next = p->head;
		part_pull(rq, p, next);
		next->state = THREAD_RUNNING;
		slice_arm(rq, now);
		break;
	}
	atomic_store_explicit(&rq->priority,
	                      rq->running != NULL ? (int)rq->running->sched->priority : -1,
	                      memory_order_relaxed);
	spin_unlock(&rq->lock);
	return next;
}

void sched_yield(void)
{
	struct cpu *c = arch_this_cpu();

	c->yielding = true;
	c->resched = true;
}

bool sched_is_running(const struct sched *s)
{
	const struct sched_part *p = arch_this_cpu()->run_queue->running;

	return p != NULL && p->sched == s;
}

bool sched_may_run(const struct thread *t)
{
	uint32_t cpu = arch_this_cpu()->id;

	return t->sched != NULL && t->sched->part[cpu] != NULL && (t->sched->cpus >> cpu & 1);
}

unsigned sched_priority(const struct sched *s)
{
	return s != NULL ? s->priority : 0;
}

/* --- waking --- */

/* The CPU for `t`: the one where it ran, if its sched may run there and it is not busy with
 * something as urgent while another of the set idles. */
static uint32_t choose_cpu(const struct thread *t)
{
	const struct sched *s = t->sched;
	uint64_t allowed = s->cpus & cpu_online_mask();

	if (allowed >> t->cpu & 1) {
		struct run_queue *rq = queue_of(t->cpu);
		if (atomic_load_explicit(&rq->priority, memory_order_relaxed) < (int)s->priority)
			return t->cpu;
	}
	for (uint64_t rest = allowed; rest != 0; rest &= rest - 1) {
		uint32_t cpu = (uint32_t)__builtin_ctzll(rest);
		if (atomic_load_explicit(&queue_of(cpu)->priority, memory_order_relaxed) < 0)
			return cpu;
	}
	return allowed >> t->cpu & 1 ? t->cpu : (uint32_t)__builtin_ctzll(allowed);
}

static void sched_stop_without(struct thread *t)
{
	spin_lock(&t->obj.lock);
	t->state = THREAD_STOPPED;
	atomic_fetch_or(&t->flags, THREAD_NO_SCHED);
	spin_unlock(&t->obj.lock);
}

void sched_wake(struct thread *t)
{
	ASSERT(t->state == THREAD_MOVING);
	if (t->sched == NULL) {
		sched_stop_without(t);
		return;
	}
	uint32_t cpu = choose_cpu(t);
	struct run_queue *rq = queue_of(cpu);
	struct sched_part *p = t->sched->part[cpu];

	spin_lock(&rq->lock);
	t->cpu = cpu;
	part_push(rq, p, t, false);
	bool urgent = atomic_load_explicit(&rq->priority, memory_order_relaxed) <
	              (int)t->sched->priority;
	/* An equal waits for the end of the turn; see to it that the turn ends. */
	if (!urgent && cpu == arch_this_cpu()->id && rq->running != NULL)
		slice_arm(rq, time_now());
	else if (!urgent && rq->slice.cpu == 0)
		urgent = true;
	spin_unlock(&rq->lock);
	if (urgent)
		cpu_resched(cpu);
}

bool sched_take(struct thread *t)
{
	for (;;) {
		uint32_t cpu = t->cpu;
		struct run_queue *rq = queue_of(cpu);

		spin_lock(&rq->lock);
		if (t->cpu != cpu) {
			spin_unlock(&rq->lock);
			continue;
		}
		bool ready = t->state == THREAD_READY;
		if (ready) {
			part_pull(rq, t->part, t);
			t->state = THREAD_MOVING;
		}
		spin_unlock(&rq->lock);
		return ready;
	}
}

/* The server that `t` lent its sched to: the one that holds its call. */
static struct thread *lent_to(struct thread *t, const struct sched *s)
{
	struct object *holder = atomic_load_explicit(&t->wait, memory_order_acquire);

	if (holder == &t->obj || holder->type != OBJ_THREAD)
		return NULL;
	struct thread *server = container_of(holder, struct thread, obj);
	return server->sched == s ? server : NULL;
}

void sched_change(struct thread *t, struct sched *s)
{
	for (unsigned depth = 0; t != NULL && depth < SCHED_CHAIN; depth++) {
		struct sched *old = t->sched;
		bool ready = sched_take(t);

		t->sched = s;
		if (ready)
			sched_wake(t);
		else if (t->state == THREAD_RUNNING)
			cpu_resched(t->cpu);
		t = lent_to(t, old);
	}
}

/* --- making, changing, ending --- */

static bool params_ok(const struct sched *s, const struct sched_params *p)
{
	if (p->priority > s->ceiling || p->weight == 0 || p->weight > SCHED_WEIGHT_MAX)
		return false;
	if ((p->cpus & cpu_online_mask()) == 0)
		return false;
	if (p->budget == 0)
		return true;
	return p->period >= SCHED_PERIOD_MIN_NS && p->period <= SCHED_PERIOD_MAX_NS &&
	       p->budget <= p->period * cpu_count();
}

static void parts_discard(struct sched_part **part)
{
	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
		if (part[cpu] != NULL)
			object_discard(&part[cpu]->obj);
	}
}

/* Makes the parts that `cpus` needs and `s` lacks; all or none. */
static bool parts_create(struct sched *s, uint64_t cpus, struct sched_part **part)
{
	for (uint64_t rest = cpus & cpu_online_mask(); rest != 0; rest &= rest - 1) {
		unsigned cpu = (unsigned)__builtin_ctzll(rest);
		if (s->part[cpu] != NULL)
			continue;
		part[cpu] = (struct sched_part *)object_create(s->obj.quota, OBJ_SCHED_PART);
		if (part[cpu] == NULL) {
			parts_discard(part);
			return false;
		}
		part[cpu]->sched = s;
	}
	return true;
}

/* The level that a part stands in is written in it, so the priority may change first. */
static void parts_requeue(struct sched *s)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct sched_part *part = s->part[cpu];
		if (part == NULL)
			continue;
		struct run_queue *rq = queue_of(cpu);
		spin_lock(&rq->lock);
		part->throttled = false;
		part_leave(rq, part);
		part_enter(rq, part);
		spin_unlock(&rq->lock);
		cpu_resched(cpu);
	}
}

status_t sched_configure(struct sched *s, const struct sched_params *p)
{
	struct sched_part *part[CPU_MAX] = { NULL };

	if (!params_ok(s, p))
		return ST_BAD_ARG;
	if (!parts_create(s, p->cpus, part))
		return ST_NO_MEMORY;
	spin_lock(&s->obj.lock);
	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
		if (s->part[cpu] == NULL) {
			s->part[cpu] = part[cpu];
			part[cpu] = NULL;
		}
	}
	s->priority = (uint8_t)p->priority;
	s->weight = p->weight;
	s->budget = p->budget;
	s->period = p->period;
	s->cpus = p->cpus & cpu_online_mask();
	s->refill_at = time_now();
	atomic_store(&s->pool, (int64_t)p->budget);
	spin_unlock(&s->obj.lock);
	parts_discard(part); /* somebody else was faster */
	parts_requeue(s);
	return ST_OK;
}

status_t sched_create(struct quota *q, struct sched *parent, struct sched **out)
{
	struct sched *s = (struct sched *)object_create(q, OBJ_SCHED);
	if (s == NULL)
		return ST_NO_MEMORY;
	s->ceiling = parent->ceiling;
	struct sched_params p = {
		.priority = parent->priority,
		.weight = SCHED_WEIGHT_DEFAULT,
		.cpus = parent->cpus,
	};
	status_t st = sched_configure(s, &p);
	if (st != ST_OK) {
		object_discard(&s->obj);
		return st;
	}
	*out = s;
	return ST_OK;
}

/* The bindings are cut, so no thread has `s` for its own; what was lent goes with them. A CPU
 * that still charges it is asked to look again. */
bool sched_close(struct object *o)
{
	struct sched *s = container_of(o, struct sched, obj);

	(void)timer_cancel(&s->refill);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct sched_part *part = s->part[cpu];
		if (part == NULL)
			continue;
		struct run_queue *rq = queue_of(cpu);
		spin_lock(&rq->lock);
		bool busy = rq->running == part || part->head != NULL;
		spin_unlock(&rq->lock);
		if (busy) {
			cpu_resched(cpu);
			return false;
		}
		s->part[cpu] = NULL;
		object_discard(&part->obj);
	}
	return true;
}

void sched_cpu_init(void)
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
	spin_init(&c->run_queue->lock, LOCK_RUN_QUEUE);
	atomic_store(&c->run_queue->priority, -1);
}

void sched_init(struct quota *q)
{
	static struct sched model; /* only its ceiling and CPUs count */

	model.ceiling = SCHED_PRIORITIES - 1;
	model.priority = SCHED_PRIORITIES / 2;
	model.cpus = cpu_online_mask();
	if (sched_create(q, &model, &sched_root) != ST_OK)
		panic("no memory for the first sched");
}

/* SPDX-License-Identifier: MIT */
#include <core/sched.h>
#include <core/assert.h>
#include <core/endpoint.h>
#include <core/grace.h>
#include <core/quota.h>

#define WALK_BATCH 32 /* threads whose place is found anew, between two preemption points */

struct sched *sched_root;

static struct thread *load_thread(_Atomic(struct thread *) const *p)
{
	return atomic_load_explicit(p, memory_order_acquire);
}

static struct sched *home_of(const struct thread *t)
{
	return atomic_load_explicit(&t->home, memory_order_acquire);
}

static bool is_dry(const struct sched *s)
{
	return atomic_load_explicit(&s->dry, memory_order_relaxed);
}

/* ---- lending ---- */

/* Whom `t` serves at the moment; NULL: nobody. A helper that has nothing to give at present
 * is passed over. */
static const struct thread *served_by(const struct thread *t)
{
	const struct thread *helper = load_thread(&t->helper);

	if (UNLIKELY(helper != NULL)) {
		const struct sched *s = home_of(helper);
		if (s == NULL || !is_dry(s))
			return helper;
	}
	return load_thread(&t->reply.caller);
}

struct sched *sched_follow(const struct thread *t, struct sched **payer)
{
	struct sched *top = NULL;
	struct sched *use = NULL;

	for (unsigned depth = 0; t != NULL && depth < SCHED_CHAIN; depth++) {
		struct sched *s = home_of(t);
		if (s != NULL) {
			top = s;
			if (LIKELY(!is_dry(s)))
				use = s;
		}
		t = served_by(t);
	}
	if (use == NULL)
		use = top;
	if (payer != NULL)
		*payer = top != use ? top : NULL;
	return use;
}

unsigned thread_priority(const struct thread *t)
{
	return sched_priority(sched_of(t, NULL));
}

/* `t` waits at `where`. Gives the server that is to be refreshed next. */
UNCHECKED_LOCKS static struct thread *refresh_waiting(struct thread *t, uintptr_t place)
{
	struct object *where = thread_where(place);
	struct thread *next = NULL;

	if (thread_state_of(place) == THREAD_REPLY) {
		next = reply_server(where);
		if (next != NULL)
			endpoint_help(next);
		return next;
	}
	spin_lock(&where->lock);
	if (atomic_load_explicit(&t->place, memory_order_relaxed) == place)
		next = endpoint_resort(container_of(where, struct endpoint, obj), t);
	spin_unlock(&where->lock);
	return next;
}

void sched_refresh(struct thread *t)
{
	/* Who puts a thread anywhere but into RUNNING looks at its sched after that and
	 * a fence: either he sees what has changed, or we see where he put it. */
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned depth = 0; t != NULL && depth < SCHED_CHAIN;) {
		uintptr_t place = atomic_load_explicit(&t->place, memory_order_acquire);

		switch (thread_state_of(place)) {
		case THREAD_READY:
			if (!sched_take(t))
				continue;
			thread_settle(t);
			return;
		case THREAD_RUNNING:
			cpu_resched(atomic_load_explicit(&t->cpu, memory_order_relaxed));
			return;
		case THREAD_MOVING:
			tlb_serve();
			arch_cpu_relax();
			continue;
		case THREAD_STOPPED:
			thread_retry_sched(t);
			return;
		case THREAD_CALLING:
		case THREAD_REPLY:
			t = refresh_waiting(t, place);
			depth++;
			continue;
		case THREAD_PARKED:
		case THREAD_WAITING:
		case THREAD_RECEIVING:
		case THREAD_STATES:
			return;
		}
	}
}

void sched_note_debt(struct thread *server, const struct thread *t)
{
	const struct sched *s = sched_of(t, NULL);

	if (s != NULL)
		atomic_store_explicit(&server->debtor,
				      token_make(object_id(&s->obj), s->obj.gen, 0),
				      memory_order_relaxed);
}

/* ---- home ---- */

static void home_remove(struct sched *s, struct thread *t) REQUIRES(s->obj.lock)
{
	*(t->home_prev == NULL ? &s->threads : &t->home_prev->home_next) = t->home_next;
	*(t->home_next == NULL ? &s->last : &t->home_next->home_prev) = t->home_prev;
	t->home_next = t->home_prev = NULL;
}

static void home_add(struct sched *s, struct thread *t) REQUIRES(s->obj.lock)
{
	t->home_next = NULL;
	t->home_prev = s->last;
	*(s->last == NULL ? &s->threads : &s->last->home_next) = t;
	s->last = t;
}

void sched_set_home(struct thread *t, struct sched *s)
{
	struct sched *old = home_of(t);

	/* One at a time: who configures the thread, cuts its binding or ends it. */
	if (old != NULL) {
		spin_lock(&old->obj.lock);
		home_remove(old, t);
		spin_unlock(&old->obj.lock);
	}
	atomic_store_explicit(&t->home, s, memory_order_release);
	if (s != NULL) {
		spin_lock(&s->obj.lock);
		t->home_seen = s->walk;
		home_add(s, t);
		spin_unlock(&s->obj.lock);
	}
	sched_refresh(t);
}

/* ---- making and changing ---- */

bool sched_params_ok(const struct sched *s, const struct sched_params *p)
{
	if (p->priority > s->ceiling || p->weight == 0 || p->weight > SCHED_WEIGHT_MAX)
		return false;
	if (p->cpus == 0 || (p->cpus & ~s->allowed) != 0)
		return false;
	if (p->budget == 0)
		return true;
	return p->period >= SCHED_PERIOD_MIN_NS && p->period <= SCHED_PERIOD_MAX_NS &&
	       p->budget >= SCHED_BUDGET_MIN_NS && p->budget <= p->period * cpu_count();
}

static void parts_free(struct sched_part *part[])
{
	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
		if (part[cpu] != NULL)
			object_discard(&part[cpu]->obj);
	}
}

/* Makes the parts that `cpus` needs and `s` lacks; all or none. */
static bool parts_create(struct sched *s, cpumask_t cpus, struct sched_part *part[])
{
	for (cpumask_t rest = cpus; rest != 0; rest &= rest - 1) {
		unsigned cpu = (unsigned)__builtin_ctzll(rest);
		if (s->part[cpu] != NULL)
			continue;
		struct object *o = object_create(s->obj.quota, OBJECT_SCHED_PART);
		if (o == NULL) {
			parts_free(part);
			return false;
		}
		part[cpu] = container_of(o, struct sched_part, obj);
		part[cpu]->sched = s;
		part[cpu]->cpu = cpu;
	}
	return true;
}

void sched_fill(struct sched *s)
{
	int64_t budget = (int64_t)s->budget;
	int64_t left = atomic_load_explicit(&s->pool, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&s->pool, &left,
						      (left < 0 ? left : 0) + budget,
						      memory_order_relaxed, memory_order_relaxed))
		;
	atomic_store_explicit(&s->dry, false, memory_order_seq_cst);
}

static bool params_are(const struct sched *s, const struct sched_params *p) REQUIRES(s->obj.lock)
{
	return s->priority == p->priority && s->weight == p->weight && s->budget == p->budget &&
	       s->period == p->period && s->cpus == p->cpus;
}

/* Parameters and parts; `part` keeps what somebody else has made already. */
static void params_set(struct sched *s, const struct sched_params *p, struct sched_part *part[])
	REQUIRES(s->obj.lock)
{
	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
		if (part[cpu] == NULL || s->part[cpu] != NULL)
			continue;
		s->part[cpu] = part[cpu];
		part[cpu] = NULL;
	}
	if (s->priority != p->priority) {
		s->walk++;
		s->walking = true;
	}
	s->priority = (uint8_t)p->priority;
	s->weight = p->weight;
	s->budget = p->budget;
	s->period = p->period;
	s->cpus = p->cpus;
}

/* The next thread whose place has to be found anew because the priority has changed. */
static struct thread *walk_next(struct sched *s)
{
	spin_lock(&s->obj.lock);
	struct thread *t = s->threads;
	if (t != NULL && t->home_seen != s->walk) {
		t->home_seen = s->walk;
		home_remove(s, t);
		home_add(s, t);
	} else {
		s->walking = false;
		t = NULL;
	}
	spin_unlock(&s->obj.lock);
	return t;
}

static status_t walk_some(struct sched *s)
{
	for (unsigned i = 0; i < WALK_BATCH; i++) {
		struct thread *t = walk_next(s);
		if (t == NULL)
			return ST_OK;
		sched_refresh(t);
	}
	return ST_LATER;
}

status_t sched_configure(struct sched *s, const struct sched_params *p, const struct cap_ref *by)
{
	struct sched_part *part[CPU_MAX] = { NULL };

	if (!sched_params_ok(s, p))
		return ST_BAD_ARG;
	spin_lock(&s->obj.lock);
	bool go_on = s->walking && params_are(s, p);
	spin_unlock(&s->obj.lock);
	if (go_on)
		return walk_some(s);

	if (!parts_create(s, p->cpus, part))
		return ST_NO_MEMORY;
	spin_lock(&s->obj.lock);
	bool alive = by == NULL || cap_still(by);
	if (alive)
		params_set(s, p, part);
	spin_unlock(&s->obj.lock);
	parts_free(part);
	if (!alive)
		return ST_BAD_CAP;
	sched_fill(s);
	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
		struct sched_part *known = s->part[cpu];
		if (known != NULL)
			sched_part_requeue(known);
	}
	return walk_some(s);
}

status_t sched_create(struct quota *q, struct sched *parent, struct sched **out)
{
	struct object *o = object_create(q, OBJ_SCHED);

	if (o == NULL)
		return ST_NO_MEMORY;
	struct sched *s = container_of(o, struct sched, obj);
	s->ceiling = parent->ceiling;
	s->allowed = parent->allowed;
	struct sched_params p = {
		.priority = parent->priority,
		.weight = SCHED_WEIGHT_DEFAULT,
		.cpus = parent->cpus,
	};
	status_t st = sched_configure(s, &p, NULL);
	if (st != ST_OK) {
		object_discard(o);
		return st;
	}
	*out = s;
	return ST_OK;
}

/* ---- the end ---- */

static bool part_close(struct object *o)
{
	(void)o;
	return true;
}

const struct object_ops sched_part_ops = {
	.name = "sched part",
	.size = ALIGN_UP(sizeof(struct sched_part), OBJECT_GRANULE),
	.rank = LOCK_IPC,
	.close = part_close,
};

/* No thread has it for its home any more. What runs on it looks for something else, and then,
 * a grace period later, nobody has a pointer to its parts. */
static bool sched_close(struct object *o)
{
	struct sched *s = container_of(o, struct sched, obj);
	bool idle = true;

	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
		struct sched_part *p = s->part[cpu];
		idle = (p == NULL || sched_part_close(p)) && idle;
	}
	if (!idle)
		return false;
	(void)timer_cancel(&s->refill);
	sched_forget_debts(s);
	if (!(o->flags & OBJECT_NEW) && !grace_passed(&s->ticket))
		return false;
	for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
		struct sched_part *p = s->part[cpu];
		if (p != NULL)
			object_free(&p->obj);
	}
	return true;
}

const struct object_ops sched_ops = {
	.name = "sched",
	.size = ALIGN_UP(sizeof(struct sched), OBJECT_GRANULE),
	.rank = LOCK_IPC,
	.close = sched_close,
};

void sched_init(struct quota *q)
{
	static struct sched model; /* only its ceiling and CPUs count */

	model.ceiling = SCHED_PRIORITIES - 1;
	model.priority = SCHED_PRIORITIES / 2;
	model.cpus = model.allowed = cpu_online_mask();
	if (sched_create(q, &model, &sched_root) != ST_OK)
		panic("no memory for the first sched");
}

/* SPDX-License-Identifier: MIT */
#include <core/sched.h>
#include <core/endpoint.h>
#include <core/grace.h>
#include <core/quota.h>

#define WALK_BATCH 32 /* threads whose place is found anew, between two preemption points */
#define UNLIMITED  (INT64_MAX / 2)

struct sched *sched_root;

/* ---- lending ---- */

/* Whom `t` serves at the moment; NULL: nobody. A helper that has nothing to give at present
 * is passed over. */
static const struct thread *served_by(const struct thread *t)
{
	const struct thread *helper = t->helper;
	const struct sched *s = helper == NULL ? NULL : helper->home;

	return helper != NULL && (s == NULL || !sched_is_dry(s)) ? helper : t->reply.caller;
}

struct sched *sched_follow(const struct thread *t, struct sched **payer)
{
	struct sched *top = NULL;
	struct sched *use = NULL;

	for (unsigned depth = 0; t != NULL && depth < SCHED_CHAIN; depth++) {
		struct sched *s = t->home;
		if (s != NULL)
			top = s;
		if (s != NULL && !sched_is_dry(s))
			use = s;
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
		uintptr_t place = t->place;
		enum thread_state state = thread_state_of(place);

		if (state == THREAD_MOVING) {
			tlb_serve();
			arch_cpu_relax();
		} else if (state == THREAD_CALLING || state == THREAD_REPLY) {
			t = refresh_waiting(t, place);
			depth++;
		} else if (state != THREAD_READY || sched_take(t)) {
			if (state == THREAD_READY)
				thread_settle(t);
			else if (state == THREAD_RUNNING)
				cpu_resched(t->cpu);
			else if (state == THREAD_STOPPED)
				thread_retry_sched(t);
			return;
		}
	}
}

void sched_note_debt(struct thread *server, const struct thread *t)
{
	const struct sched *s = sched_of(t, NULL);

	if (s != NULL)
		atomic_store_explicit(&server->debtor, sched_token(s), memory_order_relaxed);
}

/* ---- home ---- */

void sched_set_home(struct thread *t, struct sched *s)
{
	struct sched *old = t->home;

	/* One at a time: who configures the thread, cuts its binding or ends it. */
	if (old != NULL) {
		spin_lock(&old->obj.lock);
		tree_remove(&old->threads, &t->homed);
		spin_unlock(&old->obj.lock);
	}
	atomic_store_explicit(&t->home, s, memory_order_release);
	if (s != NULL) {
		spin_lock(&s->obj.lock);
		tree_insert(&s->threads, &t->homed, s->walk, s->walk);
		spin_unlock(&s->obj.lock);
	}
	sched_refresh(t);
}

/* The next thread whose place has to be found anew because the priority has changed. */
static struct thread *walk_next(struct sched *s)
{
	spin_lock(&s->obj.lock);
	struct tree_node *n = tree_first(&s->threads);
	if (n != NULL && n->key != s->walk) {
		tree_remove(&s->threads, n);
		tree_insert(&s->threads, n, s->walk, s->walk);
	} else {
		n = NULL;
	}
	spin_unlock(&s->obj.lock);
	return n == NULL ? NULL : container_of(n, struct thread, homed);
}

/* ---- making and changing ---- */

void sched_fill(struct sched *s)
{
	int64_t budget = (int64_t)s->budget;
	int64_t left = s->pool;
	int64_t full;

	do {
		full = budget == 0 ? UNLIMITED : (left < 0 ? left : 0) + budget;
	} while (!atomic_compare_exchange_weak(&s->pool, &left, full));
}

static bool params_ok(const struct sched_params *p)
{
	if (p->priority >= SCHED_PRIORITIES || p->weight == 0 || p->weight > SCHED_WEIGHT_MAX ||
	    p->cpus == 0 || (p->cpus & ~cpu_online_mask()) != 0)
		return false;
	if (p->budget == 0)
		return true;
	return p->period >= SCHED_PERIOD_MIN_NS && p->period <= SCHED_PERIOD_MAX_NS &&
	       p->budget >= SCHED_BUDGET_MIN_NS && p->budget <= p->period * cpu_count();
}

status_t sched_configure(struct sched *s, const struct sched_params *p, const struct cap_ref *by)
{
	struct thread *t = NULL;

	if (!params_ok(p))
		return ST_BAD_ARG;
	spin_lock(&s->obj.lock);
	if (by != NULL && !cap_still(by)) {
		spin_unlock(&s->obj.lock);
		return ST_BAD_CAP;
	}
	bool fill = s->budget != p->budget || s->period != p->period;
	s->walk += s->priority != p->priority;
	s->priority = (uint8_t)p->priority;
	s->weight = p->weight;
	s->budget = p->budget;
	s->period = p->period;
	s->cpus = p->cpus;
	if (fill)
		sched_fill(s);
	spin_unlock(&s->obj.lock);
	(void)sched_update_parts(s, false);
	for (unsigned i = 0; i < WALK_BATCH && (t = walk_next(s)) != NULL; i++)
		sched_refresh(t);
	return t == NULL ? ST_OK : ST_LATER;
}

status_t sched_create(struct quota *q, const struct sched *parent, struct sched **out)
{
	struct object *o = object_create(q, OBJ_SCHED);

	if (o == NULL)
		return ST_NO_MEMORY;
	struct sched *s = container_of(o, struct sched, obj);
	s->priority = parent == NULL ? SCHED_PRIORITIES / 2 : (uint8_t)sched_priority(parent);
	s->weight = SCHED_WEIGHT_DEFAULT;
	s->cpus = parent == NULL ? cpu_online_mask() : parent->cpus;
	s->pool = UNLIMITED;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct object *part = object_create(q, OBJECT_SCHED_PART);
		if (part == NULL) {
			object_discard(o);
			return ST_NO_MEMORY;
		}
		s->part[cpu] = container_of(part, struct sched_part, obj);
		s->part[cpu]->sched = s;
		s->part[cpu]->cpu = cpu;
	}
	*out = s;
	return ST_OK;
}

/* What the part that `rq` charges has not paid yet. The clock of another CPU may be ahead. */
static uint64_t since(const struct run_queue *rq)
{
	uint64_t now = arch_time_local();

	return now > rq->since ? now - rq->since : 0;
}

uint64_t sched_spent(const struct sched *s)
{
	uint64_t spent = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		struct run_queue *rq = cpu_by_id[cpu]->run_queue;
		spin_lock(&rq->lock);
		spent += s->part[cpu]->spent;
		if (rq->running == s->part[cpu])
			spent += since(rq);
		spin_unlock(&rq->lock);
	}
	return spent;
}

/* ---- the end ---- */

const struct object_ops sched_part_ops =
	OBJECT_OPS("sched part", struct sched_part, LOCK_IPC, NULL);

/* No thread has it for its home any more. What runs on it looks for something else, and then,
 * a grace period later, nobody has a pointer to its parts. */
static bool sched_close(struct object *o)
{
	struct sched *s = container_of(o, struct sched, obj);

	s->cpus = 0;
	if (!sched_update_parts(s, false))
		return false;
	(void)timer_cancel(&s->refill);
	if (!(o->flags & OBJECT_NEW) && !grace_passed(&s->ticket))
		return false;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (s->part[cpu] != NULL)
			object_free(&s->part[cpu]->obj);
	}
	return true;
}

const struct object_ops sched_ops = OBJECT_OPS("sched", struct sched, LOCK_IPC, sched_close);

void sched_init(struct quota *q)
{
	if (sched_create(q, NULL, &sched_root) != ST_OK)
		panic("no memory for the first sched");
}

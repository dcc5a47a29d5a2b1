/* SPDX-License-Identifier: MIT */
#include <core/object.h>
#include <core/cap.h>
#include <core/cpu.h>
#include <core/grace.h>
#include <core/quota.h>
#include <core/timer.h>

#define TYPE_OPS(NAME, name, rights) [OBJ_##NAME] = &name##_ops,
const struct object_ops *const object_ops[OBJECT_KINDS] = {
	[OBJ_NONE] = &test_ops,
	[OBJECT_MAPPING] = &mapping_ops,
	[OBJECT_DMA_MAPPING] = &dma_mapping_ops,
	[OBJECT_SCHED_PART] = &sched_part_ops,
	OBJECT_TYPE_LIST(TYPE_OPS) /* the rest */
};

struct object *object_create(struct quota *q, unsigned kind)
{
	struct object *o = slab_alloc(&q->slab[kind]);

	if (o == NULL)
		return NULL;
	o->quota = q;
	spin_lock(&o->tree);
	o->flags = OBJECT_NEW;
	o->caps = 0;
	spin_unlock(&o->tree);
	return o;
}

static void object_return(struct object *o)
{
	spin_lock(&o->tree);
	ASSERT(o->children == NULL);
	o->flags = 0;
	spin_unlock(&o->tree);
	slab_free(&o->quota->slab[o->type], o);
}

static bool object_close(struct object *o)
{
	return object_ops[o->type]->close == NULL || object_ops[o->type]->close(o);
}

void object_discard(struct object *o)
{
	/* Another CPU may be cutting one of its bindings, and may want our answer
	 * to a shootdown for that. */
	while (!object_close(o))
		tlb_serve();
	object_return(o);
}

void object_free(struct object *o)
{
	slab_publish(o); /* its page is kept for the next */
	object_return(o);
}

uint64_t object_kill(struct object *o)
{
	if (!(o->flags & OBJECT_LIVE) || o->quota == NULL)
		return 0;
	spin_lock(&o->lock);
	o->gen = (object_gen_t)((o->gen + 1) & ARCH_OBJECT_GEN_MASK);
	spin_unlock(&o->lock);
	o->flags = OBJECT_DYING;
	return token_make(object_id(o), o->gen, o->type);
}

/* ---- destruction ---- */

bool object_claim(struct object *o)
{
	bool mine = (o->flags & (OBJECT_DYING | OBJECT_CLAIMED)) == OBJECT_DYING;

	if (mine)
		o->flags |= OBJECT_CLAIMED;
	return mine;
}

/* What `ticket` is for, claimed if that can be; NULL: it is gone. */
static struct object *object_of(uint64_t ticket, bool *mine)
{
	struct object *o = slab_object(token_object(ticket), token_rights(ticket));

	*mine = false;
	if (o == NULL)
		return NULL;
	spin_lock(&o->tree);
	bool there = (o->flags & OBJECT_DYING) && o->gen == token_gen(ticket);
	*mine = there && object_claim(o);
	spin_unlock(&o->tree);
	return there ? o : NULL;
}

/* One piece of work on a claimed object; true when it is gone. */
static bool object_work(struct object *o)
{
	unsigned budget = CAP_BATCH;

	/* A long sweep is a piece of its own. */
	if (cap_prune(o, NULL, &budget) != ST_OK || budget < CAP_BATCH / 2 || !object_close(o))
		return false;
	object_return(o);
	return true;
}

bool object_work_once(struct object *o)
{
	if (object_work(o))
		return true;
	spin_lock(&o->tree);
	o->flags &= (uint8_t)~OBJECT_CLAIMED;
	spin_unlock(&o->tree);
	return false;
}

bool object_demolish(struct object *o)
{
	spin_lock(&o->tree);
	object_kill(o);
	bool mine = object_claim(o);
	spin_unlock(&o->tree);
	return mine && object_work_once(o);
}

bool object_destroy_some(uint64_t ticket)
{
	bool mine;
	struct object *o = object_of(ticket, &mine);

	if (o == NULL || (mine && object_work_once(o)))
		return true;
	object_reap_some(); /* it may wait for something that they have */
	return false;
}

/* ---- the reaper ---- */

static struct {
	struct spinlock lock;
	_Atomic object_id_t first; /* guarded by lock; a hint without */
	object_id_t last;
	_Atomic bool called; /* the timer runs */
	struct ktimer timer;
} reaper = { .lock = SPINLOCK_INIT(LOCK_REAPER) };

bool object_reap_waiting(void)
{
	return atomic_load_explicit(&reaper.first, memory_order_relaxed) != 0;
}

/* `o` is claimed. */
static void reaper_push(struct object *o)
{
	o->next = 0;
	spin_lock(&reaper.lock);
	if (reaper.first == 0)
		reaper.first = object_id(o);
	else
		object_at(reaper.last)->next = object_id(o);
	reaper.last = object_id(o);
	spin_unlock(&reaper.lock);
}

static struct object *reaper_pop(void)
{
	struct object *o = NULL;

	if (!object_reap_waiting())
		return NULL;
	spin_lock(&reaper.lock);
	if (reaper.first != 0) {
		o = object_at(reaper.first);
		reaper.first = o->next;
	}
	spin_unlock(&reaper.lock);
	return o;
}

/* An idle CPU is to work, or else this one, for a piece. */
static void reaper_called(struct ktimer *timer)
{
	struct cpu *c = arch_this_cpu();

	(void)timer;
	atomic_store(&reaper.called, false);
	for (uint32_t i = 0; i < cpu_count(); i++) {
		if (atomic_load_explicit(&cpu_by_id[i]->idle, memory_order_relaxed))
			c = cpu_by_id[i];
	}
	atomic_store(&c->reap, true);
	cpu_resched(c->id);
}

static void reaper_call_later(void)
{
	if (object_reap_waiting() && !atomic_exchange(&reaper.called, true))
		timer_set(&reaper.timer, time_now() + ARCH_GRACE_GAP, reaper_called);
}

void object_reap(uint64_t ticket)
{
	bool mine;
	struct object *o = object_of(ticket, &mine);

	if (mine)
		reaper_push(o);
	reaper_call_later();
}

bool object_reap_some(void)
{
	struct object *o = reaper_pop();

	if (o == NULL)
		return false;
	bool gone = object_work(o);
	if (!gone)
		reaper_push(o);
	reaper_call_later();
	return gone || !grace_is_awaited();
}

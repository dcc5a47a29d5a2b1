/* SPDX-License-Identifier: MIT */
#include <core/object.h>
#include <core/aspace.h>
#include <core/assert.h>
#include <core/cap.h>
#include <core/cpu.h>
#include <core/endpoint.h>
#include <core/ioport.h>
#include <core/irq_object.h>
#include <core/memory.h>
#include <core/node.h>
#include <core/notification.h>
#include <core/quota.h>
#include <core/reply.h>
#include <core/sched.h>
#include <core/slab.h>
#include <core/thread.h>
#include <core/timer_object.h>

/* Where there are no unit tests. */
static bool nothing_to_close(struct object *o)
{
	(void)o;
	return true;
}

const struct object_ops test_ops __attribute__((weak)) = {
	.name = "none",
	.size = OBJECT_GRANULE,
	.rank = LOCK_IPC,
	.close = nothing_to_close,
};

extern const struct object_ops dma_ops __attribute__((weak, alias("test_ops")));

#define TYPE_OPS(NAME, name, rights) [OBJ_##NAME] = &name##_ops,
const struct object_ops *const object_ops[OBJECT_KINDS] = {
	[OBJ_NONE] = &test_ops,
	[OBJECT_MAPPING] = &mapping_ops,
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

void object_discard(struct object *o)
{
	/* Another CPU may be cutting one of its bindings, and may want our answer
	 * to a shootdown for that. */
	while (!object_ops[o->type]->close(o))
		tlb_serve();
	object_return(o);
}

void object_free(struct object *o)
{
	slab_publish(o); /* its page is kept for the next */
	object_return(o);
}

uint64_t object_kill_locked(struct object *o)
{
	if (!(o->flags & OBJECT_LIVE) || o->quota == NULL)
		return 0;
	spin_lock(&o->lock);
	o->gen = (object_gen_t)((o->gen + 1) & ARCH_OBJECT_GEN_MASK);
	spin_unlock(&o->lock);
	o->flags = OBJECT_DYING;
	return token_make(object_id(o), o->gen, o->type);
}

uint64_t object_kill(struct object *o)
{
	spin_lock(&o->tree);
	uint64_t ticket = object_kill_locked(o);
	spin_unlock(&o->tree);
	return ticket;
}

/* ---- destruction ---- */

/* Only who has claimed a dying object works on it; nobody else frees it meanwhile. */
static bool object_claim(struct object *o) REQUIRES(o->tree)
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
	if (!cap_sweep(o) || !object_ops[o->type]->close(o))
		return false;
	object_return(o);
	return true;
}

/* The same, and the claim is given up. */
static bool object_work_once(struct object *o)
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
	object_kill_locked(o);
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

/* ---- reapers ---- */

static struct reaper {
	struct spinlock lock ALIGNED(64);
	_Atomic object_id_t first; /* guarded by lock; a hint without */
	object_id_t last;
} reapers[CPU_MAX] = { [0 ... CPU_MAX - 1] = { .lock = SPINLOCK_INIT(LOCK_REAPER) } };

/* `o` is claimed. */
static void reaper_push(struct object *o)
{
	struct reaper *r = &reapers[arch_this_cpu()->id];

	o->next = 0;
	spin_lock(&r->lock);
	if (r->first == 0)
		r->first = object_id(o);
	else
		object_at(r->last)->next = object_id(o);
	r->last = object_id(o);
	spin_unlock(&r->lock);
	/* On the way out of the kernel this CPU looks for work. */
	atomic_store_explicit(&arch_this_cpu()->resched, true, memory_order_relaxed);
}

static struct object *reaper_pop(struct reaper *r)
{
	struct object *o = NULL;

	if (atomic_load_explicit(&r->first, memory_order_relaxed) == 0)
		return NULL;
	spin_lock(&r->lock);
	if (r->first != 0) {
		o = object_at(r->first);
		r->first = o->next;
	}
	spin_unlock(&r->lock);
	return o;
}

void object_reap(uint64_t ticket)
{
	bool mine;
	struct object *o = object_of(ticket, &mine);

	if (mine)
		reaper_push(o);
}

bool object_reap_some(void)
{
	uint32_t self = arch_this_cpu()->id;
	uint32_t count = cpu_count();
	struct object *o = NULL;

	for (uint32_t i = 0; i < count && o == NULL; i++)
		o = reaper_pop(&reapers[(self + i) % count]);
	if (o == NULL)
		return false;
	if (!object_work(o))
		reaper_push(o);
	return true;
}

bool object_reap_waiting(void)
{
	return atomic_load_explicit(&reapers[arch_this_cpu()->id].first, memory_order_relaxed) != 0;
}

/* SPDX-License-Identifier: MIT */
/* kernel/core/object.h - the header of every kernel object.
 *
 * Objects live in type-stable slabs (slab.h): a slot is only ever reused for an
 * object of the same type, and the header survives that with its generation
 * counted up. So an object id that went stale can still be looked at safely: lock
 * the object, then compare the generation.
 *
 * An object's id is its granule number, physical address / OBJECT_GRANULE, so it
 * is found by arithmetic. 32 bits of id reach 256 GiB: object memory comes from
 * below that. Id 0 names nothing: frame 0 is never allocated.
 */
#pragma once
#include <arch/arch.h>
#include <core/spinlock.h>
#include <core/types.h>

#define OBJECT_GRANULE 64
#define OBJECT_LIMIT   ((paddr_t)OBJECT_GRANULE << 32)

typedef uint32_t object_id_t;
typedef uint16_t object_gen_t;

struct object {
	struct spinlock lock; /* its rank is the type's, see lock_order.h */
	object_gen_t gen;     /* counted up by destroy; kept while the slot is free */
	uint8_t type;         /* constant for the life of the slab page */
	uint8_t flags;        /* OBJECT_LIVE; guarded by lock */
};

#define OBJECT_LIVE 1u

static inline struct object *object_at(object_id_t id)
{
	return arch_phys_to_virt((paddr_t)id * OBJECT_GRANULE);
}

static inline object_id_t object_id(const struct object *o)
{
	return (object_id_t)(arch_virt_to_phys(o) / OBJECT_GRANULE);
}

/* Makes a slot that slab_alloc gave an object that look-ups find. */
void object_start(struct object *o);

/* Kills `o`: counts the generation up, so that every capability to it misses from
 * now on. False if it was dead already. */
bool object_kill(struct object *o);

/* True when `o` is what a capability with this type and generation names. */
bool object_is(const struct object *o, uint8_t type, object_gen_t gen) REQUIRES(o->lock);

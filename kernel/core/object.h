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
 * below that.
 */
#pragma once
#include <core/spinlock.h>
#include <core/types.h>

#define OBJECT_GRANULE 64

typedef uint32_t object_id_t;
typedef uint16_t object_gen_t;

struct object {
	struct spinlock lock; /* its rank is the type's, see lock_order.h */
	object_gen_t gen;     /* counted up by destroy; kept while the slot is free */
	uint8_t type;         /* constant for the life of the slab page */
	uint8_t flags;        /* OBJECT_LIVE */
};

#define OBJECT_LIVE 1u

struct object *object_at(object_id_t id);
object_id_t object_id(const struct object *o);

/* SPDX-License-Identifier: MIT */
/* kernel/core/object.h - the header of every kernel object, and its death.
 *
 * Life    made by its type's create function from a slab of the quota that pays
 *         (slab.h); dies by object_destroy, with its quota, or when its last
 *         capability is dropped. Dead means: the generation was counted up, so no
 *         look-up finds it any more. The slot is used again only after the sweep
 *         has emptied every capability slot that names it.
 * Owns    its derivation tree: `children` and everything below.
 * Locks   `tree` (rank LOCK_TREE) guards the derivation tree. `lock` (the rank is
 *         the type's) guards the object, and the token word of every capability
 *         slot that names it is only cleared under it.
 * Blocks  never.
 *
 * Look-ups take no reference: read the slot, lock the object, compare the
 * generation, read the slot again. So a look-up either runs before a revocation
 * returns or misses. A slab page whose objects are all dead goes back to the
 * frame allocator after every CPU has been outside the kernel once.
 *
 * An object's id is its granule number, physical address / OBJECT_GRANULE, so it
 * is found by arithmetic. 32 bits of id reach 256 GiB: object memory comes from
 * below that.
 */
#pragma once
#include <abi/rights.h>
#include <core/spinlock.h>
#include <core/types.h>

#define OBJECT_GRANULE 64

typedef uint32_t object_id_t;
typedef uint16_t object_gen_t;

struct cap_node;
struct quota;

struct object {
	struct spinlock lock;
	object_gen_t gen; /* counted up by destroy; kept while the slot is free */
	uint8_t type;     /* enum object_type; constant for the life of the slab page */
	uint8_t flags;    /* OBJECT_LIVE, OBJECT_SWEEPING; guarded by lock */
	uint32_t caps;    /* capability slots that name it; guarded by tree */
	struct quota *quota; /* who pays; constant while live */

	struct spinlock tree;
	struct cap_node *children; /* guarded by tree: the first capabilities */
};

#define OBJECT_LIVE     1u
#define OBJECT_SWEEPING 2u /* somebody empties its slots; guarded by tree */

struct object *object_at(object_id_t id);
object_id_t object_id(const struct object *o);

/* What a type supplies. All are called without locks held. */
struct object_ops {
	const char *name;
	size_t size;          /* of the whole object, a multiple of OBJECT_GRANULE */
	enum lock_rank rank;
	/* Lets go of what the object holds and wakes who waits on it, in bounded
	 * pieces: true when done, false to be called again after a preemption
	 * point. The object is dead already: nobody new finds it. */
	bool (*close)(struct object *o);
};

extern const struct object_ops *const object_ops[OBJ_TYPES];

/* A new live object of `type`, zeroed behind the header, charged to `q`. Nobody
 * can name it yet. NULL: the quota or the machine has no room. */
struct object *object_create(struct quota *q, enum object_type type);

/* Undoes object_create for an object that was never named. */
void object_discard(struct object *o);

/* Kills `o` at once (counts the generation up); false if somebody else did so
 * first. The caller then runs object_destroy_some until it says true. */
bool object_kill(struct object *o);

/* Goes on with the destruction of a killed object: close, sweep of its slots and
 * mappings, return of its memory. True when it is gone. */
bool object_destroy_some(struct object *o);

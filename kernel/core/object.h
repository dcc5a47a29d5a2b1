/* SPDX-License-Identifier: MIT */
/* kernel/core/object.h - the header of every kernel object, and its death.
 *
 * Life    made by its type's create function from a slab of the quota that pays
 *         (slab.h); dies by object_kill, with its quota, or when its last
 *         capability is dropped. Dead means: the generation was counted up, so no
 *         look-up finds it any more. The slot is used again only after the sweep
 *         has emptied every capability slot that names it.
 * Owns    its derivation tree: `children` and everything below.
 * Locks   `tree` (rank LOCK_TREE) guards the derivation tree, `flags` and `caps`.
 *         `lock` (the rank is the type's) guards the object. `gen` is written under
 *         both, so either is enough to read it; so is a capability slot cleared.
 * Blocks  never.
 *
 * Look-ups take no reference: read the slot, lock the object, compare the
 * generation, read the slot again. So a look-up either runs before a revocation
 * returns or misses. A slab page whose objects are all dead goes back to the
 * frame allocator a grace period later (grace.h).
 *
 * An object's id is its granule number, physical address / OBJECT_GRANULE, so it
 * is found by arithmetic. 32 bits of id reach 256 GiB: object memory comes from
 * below that. Id 0 names nothing: frame 0 is never allocated.
 */
#pragma once
#include <abi/rights.h>
#include <core/spinlock.h>

#define OBJECT_GRANULE 64
#define OBJECT_LIMIT   ((paddr_t)OBJECT_GRANULE << 32)

typedef uint32_t object_id_t;
typedef uint16_t object_gen_t;

struct cap_node;
struct quota;

/* What lies in slabs: the types that capabilities name, and parts of objects that
 * need memory of their own. Kind 0 (OBJ_NONE) is free for unit tests. */
enum object_kind {
	OBJECT_MAPPING = OBJ_TYPES, /* aspace.h */
	OBJECT_DMA_MAPPING,         /* dma.c */
	OBJECT_SCHED_PART,          /* sched.h: a sched's part for one CPU */
	OBJECT_KINDS,
};

struct object {
	struct spinlock lock;
	object_gen_t gen;         /* counted up by the kill; kept while the slot is free */
	uint8_t type;             /* enum object_type or object_kind; constant for the slab page */
	uint8_t flags;            /* guarded by tree; 0: the slot is free */
	union {                   /* guarded by tree */
		uint32_t caps;    /* while live: capability slots that name it */
		object_id_t next; /* while on the reaper's list */
	};
	struct quota *quota; /* who pays; constant while the slot is in use; NULL: the root */

	struct spinlock tree;
	struct cap_node *children; /* guarded by tree: the first capabilities */
};

_Static_assert(sizeof(struct object) == 40, "small objects fit one granule");

#define OBJECT_NEW     1u /* being made, within one stay in the kernel: nobody else touches it */
#define OBJECT_LIVE    2u
#define OBJECT_DYING   4u /* killed */
#define OBJECT_CLAIMED 8u /* somebody is at its destruction, or the reaper has it */

static inline struct object *object_at(object_id_t id)
{
	return arch_phys_to_virt((paddr_t)id * OBJECT_GRANULE);
}

static inline object_id_t object_id(const struct object *o)
{
	return (object_id_t)(arch_virt_to_phys(o) / OBJECT_GRANULE);
}

/* What a type supplies. */
struct object_ops {
	const char *name;
	size_t size; /* of the whole object, a multiple of OBJECT_GRANULE */
	enum lock_rank rank;

	/* NULL for what holds nothing. Lets go of what the object holds and wakes who
	 * waits on it, in bounded pieces: true when done, false to be called again after a
	 * preemption point. Called without locks, by one CPU at a time, when no capability, binding
	 * or mapping is left in the object's tree. It also undoes an object that was half made
	 * (object_discard), so everything may still be zero; then flags has OBJECT_NEW and nobody
	 * else has ever seen it. */
	bool (*close)(struct object *o);
};

/* By kind. */
#define OBJECT_OPS(text, type, lock, fn)                                                           \
	{                                                                                          \
		.name = (text), .size = ALIGN_UP(sizeof(type), OBJECT_GRANULE), .rank = (lock),    \
		.close = (fn)                                                                      \
	}
extern const struct object_ops *const object_ops[OBJECT_KINDS];

/* Supplied by each type. */
#define OBJECT_TYPE_OPS(NAME, name, rights) name##_ops,
extern const struct object_ops OBJECT_TYPE_LIST(OBJECT_TYPE_OPS) mapping_ops, dma_mapping_ops,
	sched_part_ops, test_ops;

/* A new object of `kind`, zeroed behind the header, charged to `q`. Nobody can name it
 * before cap_insert. NULL: the quota or the machine has no room, or the quota died. */
struct object *object_create(struct quota *q, unsigned kind) MUST_CHECK;

/* Undoes object_create, and what the type has put into `o` since (by its close). */
void object_discard(struct object *o);

/* Gives back an object of a kind that no capability names. */
void object_free(struct object *o);

/* Kills `o` at once: from now on nobody finds it. Gives a ticket for what is left to
 * do, or 0 if it is not live, or is the root quota. The memory of `o` may be gone as soon as the
 * caller has left the kernel, so only the ticket can be kept. */
uint64_t object_kill(struct object *o) REQUIRES(o->tree);

/* Goes on with the destruction of a killed object by one piece: sweep of its slots,
 * bindings and mappings, close, return of its memory. True when it is gone. Anybody
 * may call it at any time, as often as he likes. */
bool object_destroy_some(uint64_t ticket);

/* The same for who has just killed it, and stayed in the kernel since. Only who has claimed a dying
 * object (true) works on it; nobody else frees it meanwhile. Work gives up the claim. */
bool object_claim(struct object *o) REQUIRES(o->tree);
bool object_work_once(struct object *o);

/* The same for one that is found in a closed cache (slab.h), alive or not. False: it
 * isn't gone, or somebody else is at it. */
bool object_demolish(struct object *o);

/* Leaves the rest of the destruction to the reaper: who killed it does not want to
 * wait, or dies himself. The reaper is a list, on which idle CPUs work. If none is
 * idle, one CPU does a piece each ARCH_GRACE_GAP, whoever runs there: so much
 * anybody can take from others by leaving work behind, and no more. */
void object_reap(uint64_t ticket);

/* One piece of the reaper's work. False: there is nothing to be done now, and what may
 * wait for a grace period is looked at by some CPU that a timer calls (cpu.reap). For the
 * idle loop, and for CPUs that are called. */
bool object_reap_some(void);

/* True if the reaper has work. */
bool object_reap_waiting(void);

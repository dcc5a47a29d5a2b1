/* SPDX-License-Identifier: MIT */
/* kernel/core/cspace.h - a process's capability space: a flat table of slots.
 *
 * Life    made with one chunk of CSPACE_CHUNK slots; grows by chunks, which never
 *         move and are paid by the cspace's quota; given back when it dies, a grace
 *         period later (look-ups read slots without a lock).
 * Owns    its chunks and directories. What is in a slot belongs to the derivation
 *         tree of the object that the slot names.
 * Locks   obj.lock (rank LOCK_CSPACE) guards the free list and growth; it is taken
 *         with tree locks held. Look-ups take none: a chunk pointer is written once,
 *         released, before its slots can be named.
 *
 * index -> directory[index >> 15] -> chunk[(index >> 6) & 511] -> slot[index & 63].
 * The first chunk is reached directly, most processes need no other.
 *
 * Handle = slot index (32) + slot generation (32). The generation is counted up when
 * the slot is cleared; where it would wrap it becomes 0, which no handle has, and the
 * slot is retired for good.
 */
#pragma once
#include <core/object.h>
#include <stdatomic.h>

#define CSPACE_CHUNK       64u  /* slots in a frame */
#define CSPACE_DIRECTORY   512u /* chunks that a frame names */
#define CSPACE_DIRECTORIES 32u
#define CSPACE_SLOTS_MAX   (CSPACE_CHUNK * CSPACE_DIRECTORY * CSPACE_DIRECTORIES)

enum cap_kind {
	CAP_SLOT,    /* in a cspace; the user names it by handle */
	CAP_BINDING, /* held by a kernel object: a thread's address space, a timer's
		      * notification, the pin of a message block ... */
	CAP_MAPPING, /* part of a struct mapping */
};

/* One node of a derivation tree. Guarded by the object's tree lock; the flags may be
 * read without. */
struct cap_node {
	struct cap_node *parent;      /* NULL: directly below the object */
	struct cap_node *child;       /* first of its children */
	struct cap_node *next, *prev; /* siblings; prev of the first is NULL */
	object_id_t owner;            /* the cspace it lies in, or the binding's object */
	uint8_t kind;                 /* enum cap_kind */
	uint8_t which;                /* CAP_BINDING: enum cap_binding */
	_Atomic uint16_t flags;
};

#define CAP_REVOKING 1u /* nothing new is derived below it */
#define CAP_GRAVE    2u /* dropped, but children are left; the badge word has its token */
#define CAP_BUSY     4u /* a binding that is being cut */

/* 64 bytes, one cache line. A binding is one too. */
struct cap_slot {
	_Atomic uint64_t token; /* 0: empty. Written last, cleared under object and tree lock */
	_Atomic uint64_t badge; /* endpoint, notification: badge; memory, ioport: range */
	struct cap_node node;
	_Atomic uint32_t gen; /* of the handle; binding: id of the bound object, 0: none */
	uint32_t index;       /* of the handle; the next free one while empty */
};

_Static_assert(sizeof(struct cap_slot) == 64, "a slot is one cache line");

struct cspace {
	struct object obj; /* first */

	struct cap_slot *first;                          /* chunk 0; constant */
	struct cap_slot **directory[CSPACE_DIRECTORIES]; /* of the other chunks */

	/* Guarded by obj.lock. */
	uint32_t free;  /* index of the first free slot, 0: none */
	uint32_t slots; /* slots that exist */
	uint32_t used;
	uint32_t sweep;  /* where close goes on */
	bool closed;     /* takes nothing new */
	uint64_t ticket; /* of close */
};

/* An empty space charged to `q`, with its first chunk. ST_NO_MEMORY. */
status_t cspace_create(struct quota *q, struct cspace **out) MUST_CHECK;

/* The slot of `index` in the first chunk. */
static inline struct cap_slot *cspace_slot_near(const struct cspace *cs, uint32_t index)
{
	OPAQUE(index); /* the mask stays: a CPU may run ahead of the comparison before it */
	return &cs->first[index % CSPACE_CHUNK];
}

/* The slot of the index in the lower half of `handle`, or NULL beyond the table. */
static inline struct cap_slot *cspace_slot(const struct cspace *cs, uint64_t handle)
{
	uint32_t index = (uint32_t)handle;
	uint32_t number = index / CSPACE_CHUNK;

	if (number == 0)
		return &cs->first[index];
	if (index >= CSPACE_SLOTS_MAX)
		return NULL;
	struct cap_slot **directory =
		__atomic_load_n(&cs->directory[number / CSPACE_DIRECTORY], __ATOMIC_ACQUIRE);
	if (directory == NULL)
		return NULL;
	struct cap_slot *chunk =
		__atomic_load_n(&directory[number % CSPACE_DIRECTORY], __ATOMIC_ACQUIRE);
	return chunk == NULL ? NULL : &chunk[index % CSPACE_CHUNK];
}

/* Takes `count` empty slots, all or none. Each is filled before its tree lock, which
 * the caller holds, is let go. ST_NO_MEMORY, ST_NO_SLOTS; ST_BAD_CAP: the space died. */
status_t cspace_take(struct cspace *cs, unsigned count, struct cap_slot *out[]) MUST_CHECK;

/* Takes back a slot that was cleared. */
void cspace_put(struct cspace *cs, struct cap_slot *slot);

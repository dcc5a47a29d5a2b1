/* SPDX-License-Identifier: MIT */
/* kernel/core/cspace.h - a process's capability space: a flat table that grows.
 *
 * Life    made empty; grows by chunks of CSPACE_CHUNK slots, which never move and
 *         are paid by the cspace's quota; given back when it dies, after every CPU
 *         has been outside the kernel once.
 * Owns    its chunks and directories. Slots are owned by whoever fills them.
 * Locks   obj.lock (rank LOCK_CSPACE) guards the free list and growth. Look-ups
 *         take none: a chunk pointer is written once, released, before its slots
 *         can be named.
 *
 * index -> directory[index >> 15] -> chunk[(index >> 6) & 511] -> slot[index & 63].
 * The first chunk is reached directly, most processes need no other.
 */
#pragma once
#include <core/cap.h>
#include <core/object.h>

#define CSPACE_CHUNK     64  /* slots in a 4 KiB frame */
#define CSPACE_DIRECTORY 512
#define CSPACE_SLOTS_MAX ((uint32_t)CSPACE_CHUNK * CSPACE_DIRECTORY * CSPACE_DIRECTORY)

struct cspace {
	struct object obj; /* first */

	struct cap_slot *first; /* chunk 0 */
	_Atomic(struct cap_slot **) *root; /* directories of chunks; NULL until needed */

	/* Guarded by obj.lock. */
	uint32_t free;  /* index of the first free slot, 0: none */
	uint32_t slots; /* slots that exist */
	uint32_t used;
	uint32_t retired;
	uint32_t sweep; /* where close goes on */
};

/* An empty space charged to `q`, with its first chunk. */
status_t cspace_create(struct quota *q, struct cspace **out) MUST_CHECK;

/* The slot of `index`, or NULL beyond the table. */
struct cap_slot *cspace_slot(struct cspace *cs, uint32_t index);

/* Reserves an empty slot; its handle is good once the token is written. Gives it
 * back with cspace_slot_free (which counts the slot's generation up). */
status_t cspace_slot_alloc(struct cspace *cs, struct cap_slot **out) MUST_CHECK;
void cspace_slot_free(struct cspace *cs, struct cap_slot *slot);

/* SPDX-License-Identifier: MIT */
/* kernel/core/quota.h - who pays for memory and objects.
 *
 * Life    the root is made at boot over all free memory; others below a parent.
 *         Destroying one destroys, in pieces, all that it paid for: children
 *         first, then its objects page by page.
 * Owns    a slab cache for each object type, so that no page is shared between
 *         payers and what a quota paid for is found by walking its caches.
 * Locks   obj.lock (rank LOCK_QUOTA, parents after children are never held
 *         together: a draw from the parent is a step of its own).
 *
 * Everything is counted in bytes, in multiples of OBJECT_GRANULE. `drawn` is what it
 * took from its parent, `used` what it handed on to objects, frames and children;
 * it draws in chunks of QUOTA_CHUNK, so that faults don't meet on one counter.
 * used <= drawn <= limit, drawn >= reservation. The reservation is drawn at once
 * and kept; reservations add up to no more than the parent's own.
 */
#pragma once
#include <core/object.h>
#include <core/slab.h>

#define QUOTA_CHUNK (64 * 1024)

struct quota {
	struct object obj; /* first */
	struct quota *parent; /* constant; NULL for the root */

	/* Guarded by obj.lock. */
	uint64_t limit, reservation;
	uint64_t drawn, used;
	uint64_t promised;  /* reservations of its children */
	uint64_t peak;      /* highest `used` */
	uint64_t refused;   /* charges that failed */
	struct quota *children, *next, *prev; /* next, prev: guarded by the parent's lock */

	struct slab_cache slab[OBJ_TYPES + 2]; /* each has its own lock; mappings, cpu parts of scheds */
};

/* Takes `bytes` for `q`; false and no change when limit or machine forbid it. */
bool quota_charge(struct quota *q, uint64_t bytes) MUST_CHECK;
void quota_refund(struct quota *q, uint64_t bytes);

/* A zeroed frame charged to `q`; frames that user memory or tables are made of. */
bool quota_frame_alloc(struct quota *q, paddr_t *out) MUST_CHECK;
void quota_frame_free(struct quota *q, paddr_t pa);

status_t quota_create(struct quota *parent, uint64_t limit, uint64_t reservation,
                      struct quota **out) MUST_CHECK;
status_t quota_resize(struct quota *q, uint64_t limit, uint64_t reservation) MUST_CHECK;

/* The quota of all memory; made from what the frame allocator has. */
extern struct quota *quota_root;
void quota_init(void);

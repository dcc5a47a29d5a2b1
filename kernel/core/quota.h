/* SPDX-License-Identifier: MIT */
/* kernel/core/quota.h - who pays for memory and objects.
 *
 * Life    the root is made at boot over all free memory and stays; others are made
 *         below a parent. Destroying one destroys, in pieces, all that it paid for.
 * Owns    a slab cache for each kind of object, so that no page is shared between
 *         payers: who makes fragmentation pays for it, and what a quota paid for is
 *         found by walking its caches. Its children are the quotas in its caches.
 * Locks   obj.lock (rank LOCK_QUOTA). Parent and child are never locked together: a
 *         draw from the parent is a step of its own.
 *
 * Counted in bytes, in whole frames. `drawn` is what it took from its parent, `used`
 * what it handed on to slab pages, frames and children; it draws in chunks of
 * QUOTA_CHUNK, so that faults don't meet on one counter.
 *     reservation <= drawn <= limit, used <= drawn, promised <= reservation
 * hold whenever no call is on its way; a call that is first takes what it wants out of
 * `used` and draws what lacks then.
 */
#pragma once
#include <core/slab.h>

#define QUOTA_CHUNK (64 * 1024)
#define QUOTA_DEPTH 16 /* of the tree; the root has depth 0 */

struct quota {
	struct object obj;    /* first */
	struct quota *parent; /* constant; NULL for the root */
	uint8_t depth;        /* constant */

	/* Guarded by obj.lock. */
	uint64_t limit, reservation;
	uint64_t drawn, used;
	uint64_t promised; /* reservations of its children */
	uint64_t peak;     /* highest `used` */

	/* Whoever destroys it, one at a time. */
	uint8_t stage;   /* of the walk through its objects */
	unsigned cursor; /* within one kind */
	uint64_t ticket; /* for those who were about to charge something to it */

	struct slab_cache slab[OBJECT_KINDS]; /* each has a lock of its own */
};

/* The quota of all memory that was free when quota_init was called, and of what
 * frame_free_loader will free. */
extern struct quota *quota_root;
void quota_init(void);

/* Takes `bytes` (whole frames) for `q`; false and no change when a limit on the way to the
 * root forbids it. */
bool quota_charge(struct quota *q, uint64_t bytes) MUST_CHECK;

/* The same for callers that hold no lock: if need be, empty slab pages that were kept for the
 * next object are given back for it, as far as nobody can be looking at them any more. */
bool quota_charge_trim(struct quota *q, uint64_t bytes) MUST_CHECK;
void quota_refund(struct quota *q, uint64_t bytes);

/* Gives those pages back, and asks for a grace period for those that have to wait. Returns how
 * many slab pages are left. Holds no lock. */
unsigned quota_trim(struct quota *q);

/* A frame charged to `q`, with what its last owner left; and one that is zeroed. */
bool quota_frame_take(struct quota *q, unsigned order, enum frame_want want,
		      paddr_t *out) MUST_CHECK;
bool quota_frame_alloc(struct quota *q, paddr_t *out) MUST_CHECK;
void quota_frame_free(struct quota *q, paddr_t pa);

/* A child of `parent`. Limit and reservation are whole frames and the limit is the larger
 * (ST_BAD_ARG). ST_NO_MEMORY: the object or the reservation does not fit; ST_TOO_BIG:
 * deeper than QUOTA_DEPTH. */
status_t quota_create(struct quota *parent, uint64_t limit, uint64_t reservation,
		      struct quota **out) MUST_CHECK;

/* ST_BAD_STATE: it uses or has promised more, or is the root. ST_LATER: somebody else resized it
 * meanwhile. ST_BAD_ARG, ST_NO_MEMORY as above. */
status_t quota_resize(struct quota *q, uint64_t limit, uint64_t reservation) MUST_CHECK;

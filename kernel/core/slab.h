/* SPDX-License-Identifier: MIT */
/* kernel/core/slab.h - type-stable memory for the objects of one kind that one quota
 * pays for.
 *
 * Life    part of its quota. A page of slots is charged and made when needed. An
 *         empty one is kept; of several, all but one are given back and refunded a
 *         grace period later (grace.h): a look-up without reference may still be
 *         reading the header of a dead slot. Until then they are in limbo, and can
 *         be used again.
 * Owns    its pages. Slots are handed out whole.
 * Locks   one, rank LOCK_SLAB.
 * Blocks  never.
 *
 * Each slot starts with a struct object whose locks, type and `gen` survive free and
 * reuse. A page is one frame; its first granule is a struct slab, the rest is slots. One
 * of whose objects somebody was told is marked in the frame table until it gets into limbo,
 * so that an id that went stale can be told from one that is an object's (slab_object).
 */
#pragma once
#include <core/frame.h>
#include <core/object.h>

#define SLAB_SIZE_MAX (FRAME_SIZE - OBJECT_GRANULE)
#define SLAB_BATCH    16 /* pages that are touched on their way back in one piece */

struct slab;

struct slab_list {
	struct slab *first, *last;
};

/* The first granule of a page. All is guarded by the cache's lock. */
struct slab {
	struct slab *next, *prev;
	struct slab_list *list;   /* which it is in; NULL: none */
	struct slab_cache *cache; /* constant */
	uint64_t free;            /* bit n: slot n is here */
	_Atomic bool published;   /* only this without the lock */
};

struct slab_cache {
	struct spinlock lock;

	/* Constant. */
	struct quota *quota; /* who pays; NULL: nobody (the root quota itself) */
	uint16_t size;       /* of a slot, bytes */
	uint8_t type;
	uint64_t all; /* bits of the slots in a page */

	/* Guarded by lock. */
	bool closed;            /* nothing new is handed out */
	uint32_t pages;         /* all there are */
	struct slab_list used;  /* some slots are taken; pages that are full come last */
	struct slab_list empty; /* the one that was emptied first comes first */
	struct slab_list limbo; /* given back when the ticket is over */
	uint64_t ticket;
};

/* Sets `cache` up for objects of `type` and of `size` bytes (header included, a multiple of
 * OBJECT_GRANULE up to SLAB_SIZE_MAX). */
void slab_cache_init(struct slab_cache *cache, struct quota *q, unsigned type, size_t size);

/* A slot, zeroed behind the header, or NULL when no frame is to be had or the cache is
 * closed. Its generation is the one that the slot's next capabilities must carry. */
struct object *slab_alloc(struct slab_cache *cache);

/* From now on look-ups and numbers may lead to `o`. */
void slab_publish(struct object *o);

/* Takes back `o`. A page of which nothing was published goes at once: then nothing is left of
 * what was made in vain. */
void slab_free(struct slab_cache *cache, struct object *o);

/* Hands out nothing more. */
void slab_close(struct slab_cache *cache);

/* A slot that is taken, another one each time in turn; NULL: there is none. What is found
 * in a closed cache remains slab memory until the caller leaves the kernel. */
struct object *slab_next(struct slab_cache *cache, unsigned *cursor);

/* Gives back the pages in limbo if their grace period is over. If none is left there, empty ones
 * follow, the oldest first, maybe but for one; all as far as the budget of pages goes. grace_poll,
 * before and after, is the caller's. Returns how many pages there are. */
unsigned slab_reclaim(struct slab_cache *cache, bool keep_one, unsigned *budget);

/* The published object of `id`, dead or alive, if that is a slot for objects of `type`; else NULL.
 * Safe for any number. It remains one until this CPU leaves the kernel. */
struct object *slab_object(object_id_t id, unsigned type);

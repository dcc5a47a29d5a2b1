/* SPDX-License-Identifier: MIT */
/* kernel/core/slab.h - type-stable memory for kernel objects of one type.
 *
 * Life    a cache is part of its owner. A page of slots is made when needed and
 *         given back when empty, a grace period later (grace.h): a look-up without
 *         reference may still be reading the header of a dead slot. Until then it
 *         can be used again.
 * Owns    its pages. Slots are handed out whole.
 * Locks   one lock for each cache, rank LOCK_SLAB; a cache that was given
 *         magazines keeps a few slots for each CPU, which take none.
 * Blocks  never.
 *
 * Each slot starts with a struct object whose lock, type and `gen` survive free
 * and reuse; everything behind the header is zero when the slot is handed out.
 *
 * A page is one frame, so fragmentation can't make an allocation fail. Its first
 * granule is a struct slab, the rest is slots.
 */
#pragma once
#include <core/frame.h>
#include <core/object.h>
#include <core/types.h>

#define SLAB_SIZE_MAX (FRAME_SIZE - OBJECT_GRANULE)

/* Slots that one CPU has at hand: one cache line. A cache that many CPUs use is
 * given an array of CPU_MAX of them, which begins as zeros. */
#define SLAB_MAGAZINE 7

struct slab_magazine {
	_Atomic uint32_t count; /* its CPU alone writes */
	struct object *slot[SLAB_MAGAZINE];
} ALIGNED(64);

struct slab;

struct slab_list {
	struct slab *first;
};

struct slab_cache {
	struct spinlock lock;

	/* Constant. */
	uint8_t type;
	uint8_t rank;                   /* of the objects' locks */
	uint8_t slots;                  /* in a page */
	uint32_t size;                  /* of a slot, bytes */
	struct slab_magazine *magazine; /* NULL: none */

	/* Guarded by lock. */
	struct slab_list partial; /* some slots taken, some free */
	struct slab_list full;    /* all taken */
	struct slab_list empty;   /* none taken */
	struct slab_list waiting; /* none taken, to be freed when `ticket` is over */
	uint64_t ticket;
	uint64_t pages;
	uint64_t taken; /* slots that are not in a page: handed out, or in a magazine */
};

/* Sets `cache` up for objects of `size` bytes (header included, a multiple of
 * OBJECT_GRANULE up to SLAB_SIZE_MAX) and the given type number; their locks get
 * `rank`. It has no magazines until it is given an array of them, which lives as
 * long as the cache. */
void slab_cache_init(struct slab_cache *cache, uint8_t type, size_t size, enum lock_rank rank);
void slab_cache_magazines(struct slab_cache *cache, struct slab_magazine *magazine);

/* A slot, or NULL when no frame is to be had. Its generation is the one that the
 * slot's next capabilities must carry. */
struct object *slab_alloc(struct slab_cache *cache);

/* Takes back `o`; its generation was counted up by whoever made it dead. A slot
 * that is not handed out panics, at the latest when it leaves the magazine. */
void slab_free(struct slab_cache *cache, struct object *o);

/* Takes this CPU's magazine back in, gives back the pages whose grace period is
 * over, and asks for one for those that are empty by now. Returns how many it
 * gave back. Holds no lock. */
unsigned slab_reclaim(struct slab_cache *cache);

struct slab_stats {
	uint64_t pages, slots_used, slots_free;
};

/* Slots in magazines count as free. */
void slab_stats(struct slab_cache *cache, struct slab_stats *out);

/* True when lists, bitmaps and counts agree; expects that nobody allocates
 * meanwhile (tests). */
bool slab_ok(struct slab_cache *cache);

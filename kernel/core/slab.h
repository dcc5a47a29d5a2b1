/* SPDX-License-Identifier: MIT */
/* kernel/core/slab.h - type-stable memory for kernel objects of one type.
 *
 * Life    a cache is static, one for each object type. A page of slots is made
 *         when needed and given back when empty, after every CPU has been
 *         outside the kernel once (a look-up without reference may still be
 *         reading the header of a dead slot).
 * Owns    its pages. Slots are handed out whole.
 * Locks   one lock for each cache, rank LOCK_SLAB; a per-CPU list of a few
 *         slots takes none.
 * Blocks  never.
 *
 * Each slot starts with a struct object whose `gen` survives free and reuse;
 * everything behind the header is zero when the slot is handed out.
 */
#pragma once
#include <core/object.h>
#include <core/types.h>

struct slab_cache;

/* Sets `cache` up for objects of `size` bytes (header included, a multiple of
 * OBJECT_GRANULE) and the given type number; locks get `rank`. */
void slab_cache_init(struct slab_cache *cache, uint8_t type, size_t size, enum lock_rank rank);

/* A slot, or NULL when no frame is to be had. The generation is that which the
 * slot's next capabilities must carry. */
struct object *slab_alloc(struct slab_cache *cache);

/* Takes back `o`; its generation was counted up by whoever made it dead. */
void slab_free(struct slab_cache *cache, struct object *o);

/* Gives back empty pages whose grace period is over. Returns how many. */
unsigned slab_reclaim(struct slab_cache *cache);

struct slab_stats {
	uint64_t pages, slots_used, slots_free;
};
void slab_stats(struct slab_cache *cache, struct slab_stats *out);

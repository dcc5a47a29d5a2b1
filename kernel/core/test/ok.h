/* SPDX-License-Identifier: MIT */
/* kernel/core/test/ok.h - whether structures are in order: what their headers promise,
 * walked through. Each expects that nobody changes them meanwhile. */
#pragma once
#include <core/cap.h>
#include <core/quota.h>
#include <core/slab.h>

/* Lists, bitmaps and counts agree. */
bool slab_ok(struct slab_cache *cache);

/* Its counts agree with each other, its caches and its children. `frames` is what its
 * objects hold besides. */
bool quota_ok(struct quota *q, uint64_t frames);

/* Free list, counts and slots agree. */
bool cspace_ok(struct cspace *cs);

/* Parents, siblings, depth and count of the object's tree agree. */
bool cap_tree_ok(struct object *o);

/* This CPU holds the lock, which debug builds record. */
bool spin_is_held(const struct spinlock *l);

/* Times that a CPU had to wait for a lock since boot, all CPUs. */
uint64_t lock_waits_total(void);

struct slab_stats {
	uint64_t pages, slots_used, slots_free;
};

/* Counts what the cache has. */
void slab_stats(struct slab_cache *cache, struct slab_stats *out);

/* Calls `fn` for each slot that is taken, with the cache's lock held. */
void slab_visit(struct slab_cache *cache, void (*fn)(struct object *o, void *arg), void *arg);

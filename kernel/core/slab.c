/* SPDX-License-Identifier: MIT */
#include <core/slab.h>
#include <core/assert.h>
#include <core/cpu.h>
#include <core/frame.h>
#include <core/grace.h>

/* The first granule of a page. */
struct slab {
	struct slab *next, *prev; /* guarded by the cache's lock, as is all here */
	struct slab_list *list;   /* which it is in */
	struct slab_cache *cache; /* constant */
	uint64_t free;            /* bit n: slot n is here */
	uint64_t all;             /* constant: bits of the slots that exist */
};

_Static_assert(sizeof(struct slab) <= OBJECT_GRANULE, "the head takes one granule");
_Static_assert(sizeof(struct slab_magazine) == 64, "a magazine is one cache line");

void slab_cache_init(struct slab_cache *cache, uint8_t type, size_t size, enum lock_rank rank)
{
	ASSERT(size % OBJECT_GRANULE == 0 && size >= sizeof(struct object) &&
	       size <= SLAB_SIZE_MAX);
	*cache = (struct slab_cache){
		.type = type,
		.rank = (uint8_t)rank,
		.slots = (uint8_t)((FRAME_SIZE - OBJECT_GRANULE) / size),
		.size = (uint32_t)size,
	};
	spin_init(&cache->lock, LOCK_SLAB);
}

void slab_cache_magazines(struct slab_cache *cache, struct slab_magazine *magazine)
{
	cache->magazine = magazine;
}

/* ---- pages ---- */

static struct object *slot_at(const struct slab_cache *cache, struct slab *s, unsigned i)
{
	return (struct object *)((uintptr_t)s + OBJECT_GRANULE + (uintptr_t)i * cache->size);
}

static struct slab *slab_of(const struct object *o)
{
	return (struct slab *)ALIGN_DOWN((uintptr_t)o, FRAME_SIZE);
}

/* With the cache's lock held. */
static void slab_move(struct slab *s, struct slab_list *to)
{
	if (s->list == to)
		return;
	if (s->list != NULL) {
		if (s->prev != NULL)
			s->prev->next = s->next;
		else
			s->list->first = s->next;
		if (s->next != NULL)
			s->next->prev = s->prev;
	}
	s->list = to;
	s->prev = NULL;
	s->next = to->first;
	if (to->first != NULL)
		to->first->prev = s;
	to->first = s;
}

/* A frame whose granules have an object id. */
static bool page_alloc(paddr_t *out)
{
	paddr_t pa;

	if (!frame_alloc(0, FRAME_ANY, &pa))
		return false;
	if (UNLIKELY(pa >= OBJECT_LIMIT)) {
		frame_free(pa, 0);
		return frame_alloc(0, FRAME_BELOW_4G, out);
	}
	*out = pa;
	return true;
}

/* A page of dead slots in no list; NULL: no frame is to be had. The one place that
 * writes headers as a whole. Nobody can be reading them: if the frame held objects
 * before, a grace period has passed since. */
static struct slab *slab_create(struct slab_cache *cache)
{
	paddr_t pa;

	if (!page_alloc(&pa))
		return NULL;
	struct slab *s = arch_phys_to_virt(pa);
	uint64_t all = (1ull << cache->slots) - 1;
	*s = (struct slab){ .cache = cache, .free = all, .all = all };
	for (unsigned i = 0; i < cache->slots; i++) {
		struct object *o = slot_at(cache, s, i);

		__builtin_memset(o, 0, sizeof(*o));
		spin_init(&o->lock, cache->rank);
		o->type = cache->type;
	}
	return s;
}

/* ---- slots, between the pages and the user or a magazine ---- */

/* The page to take a slot from: one in use, so that others get empty. */
static struct slab *slab_to_use(const struct slab_cache *cache) REQUIRES(cache->lock)
{
	if (cache->partial.first != NULL)
		return cache->partial.first;
	return cache->empty.first != NULL ? cache->empty.first : cache->waiting.first;
}

static struct object *take_slot(struct slab_cache *cache) REQUIRES(cache->lock)
{
	struct slab *s = slab_to_use(cache);

	if (s == NULL)
		return NULL;
	unsigned i = (unsigned)__builtin_ctzll(s->free);
	s->free &= s->free - 1;
	slab_move(s, s->free == 0 ? &cache->full : &cache->partial);
	cache->taken++;
	return slot_at(cache, s, i);
}

static void put_slot(struct slab_cache *cache, struct object *o) REQUIRES(cache->lock)
{
	struct slab *s = slab_of(o);
	size_t offset = (uintptr_t)o - (uintptr_t)s - OBJECT_GRANULE;
	uint64_t bit = 1ull << offset / cache->size;

	/* Always on: the head of the page is in use anyway, and a slot that is free
	 * twice would soon be two objects. */
	if (s->cache != cache || offset % cache->size != 0 || !(s->all & ~s->free & bit))
		panic("slab_free: %p of type %u is no slot in use", (void *)o, cache->type);
	s->free |= bit;
	slab_move(s, s->free == s->all ? &cache->empty : &cache->partial);
	cache->taken--;
}

static struct slab_magazine *my_magazine(const struct slab_cache *cache)
{
	return cache->magazine != NULL ? &cache->magazine[arch_this_cpu()->id] : NULL;
}

static uint32_t magazine_count(const struct slab_magazine *m)
{
	return atomic_load_explicit(&m->count, memory_order_relaxed);
}

static void magazine_set_count(struct slab_magazine *m, uint32_t count)
{
	atomic_store_explicit(&m->count, count, memory_order_relaxed);
}

UNUSED static bool magazine_has(const struct slab_magazine *m, const struct object *o)
{
	for (uint32_t i = 0; i < magazine_count(m); i++) {
		if (m->slot[i] == o)
			return true;
	}
	return false;
}

/* Takes `m` (full, or to be emptied) down to `left` slots. */
static void magazine_drain(struct slab_cache *cache, struct slab_magazine *m, uint32_t left)
{
	spin_lock(&cache->lock);
	for (uint32_t i = magazine_count(m); i > left; i--)
		put_slot(cache, m->slot[i - 1]);
	spin_unlock(&cache->lock);
	magazine_set_count(m, left);
}

/* A slot from the pages, and up to half a magazine more. Half, and not all: then a
 * CPU that frees next has room, and one that goes to and fro at the edge does not
 * come here each time. */
static struct object *slab_take(struct slab_cache *cache, struct slab_magazine *m)
{
	uint32_t count = 0;

	spin_lock(&cache->lock);
	struct object *o = take_slot(cache);
	while (o != NULL && m != NULL && count < SLAB_MAGAZINE / 2) {
		struct object *more = take_slot(cache);
		if (more == NULL)
			break;
		m->slot[count++] = more;
	}
	spin_unlock(&cache->lock);
	if (m != NULL)
		magazine_set_count(m, count);
	return o;
}

struct object *slab_alloc(struct slab_cache *cache)
{
	struct slab_magazine *m = my_magazine(cache);
	struct object *o;

	if (UNLIKELY(arch_fail_step()))
		return NULL;
	if (m != NULL && LIKELY(magazine_count(m) > 0)) {
		magazine_set_count(m, magazine_count(m) - 1);
		o = m->slot[magazine_count(m)];
	} else {
		o = slab_take(cache, m);
	}
	if (UNLIKELY(o == NULL)) {
		/* Made without the lock. Others may do the same or free a slot
		 * meanwhile; then there is a page more than needed, which
		 * slab_reclaim finds. Our slot is taken in the same breath as the
		 * page goes in, so nobody can take the last one first. */
		struct slab *s = slab_create(cache);
		if (s == NULL)
			return NULL;
		spin_lock(&cache->lock);
		slab_move(s, &cache->empty);
		cache->pages++;
		o = take_slot(cache);
		spin_unlock(&cache->lock);
	}
	__builtin_memset(o + 1, 0, cache->size - sizeof(*o));
	return o;
}

void slab_free(struct slab_cache *cache, struct object *o)
{
	struct slab_magazine *m = my_magazine(cache);

	if (m == NULL) {
		spin_lock(&cache->lock);
		put_slot(cache, o);
		spin_unlock(&cache->lock);
		return;
	}
	DEBUG_ASSERT(!magazine_has(m, o));
	if (UNLIKELY(magazine_count(m) == SLAB_MAGAZINE))
		magazine_drain(cache, m, SLAB_MAGAZINE / 2);
	uint32_t count = magazine_count(m);
	m->slot[count] = o;
	magazine_set_count(m, count + 1);
}

/* Polls before, to end a period that is over, and after, to begin the one that was
 * just asked for. All pages that wait share one ticket, and pages that get empty
 * later wait for the next: else a stream of them would put off the first for ever.
 * Frames are freed without the lock, which nobody needs for pages in no list. */
unsigned slab_reclaim(struct slab_cache *cache)
{
	struct slab_magazine *m = my_magazine(cache);
	struct slab *over = NULL;
	unsigned freed = 0;

	if (m != NULL)
		magazine_drain(cache, m, 0);
	grace_poll();
	spin_lock(&cache->lock);
	if (cache->waiting.first != NULL && grace_is_over(cache->ticket)) {
		over = cache->waiting.first;
		cache->waiting.first = NULL;
	}
	for (const struct slab *s = over; s != NULL; s = s->next)
		cache->pages--;
	if (cache->waiting.first == NULL && cache->empty.first != NULL) {
		while (cache->empty.first != NULL)
			slab_move(cache->empty.first, &cache->waiting);
		cache->ticket = grace_ticket();
	}
	spin_unlock(&cache->lock);

	while (over != NULL) {
		struct slab *next = over->next;
		frame_free(arch_virt_to_phys(over), 0);
		over = next;
		freed++;
	}
	grace_poll();
	return freed;
}

void slab_stats(struct slab_cache *cache, struct slab_stats *out)
{
	uint64_t at_hand = 0;

	for (unsigned id = 0; cache->magazine != NULL && id < CPU_MAX; id++)
		at_hand += magazine_count(&cache->magazine[id]);
	spin_lock(&cache->lock);
	out->pages = cache->pages;
	out->slots_used = cache->taken - at_hand;
	out->slots_free = cache->pages * cache->slots - out->slots_used;
	spin_unlock(&cache->lock);
}

/* With the cache's lock held. */
static bool list_ok(const struct slab_cache *cache, const struct slab_list *list, uint64_t *pages,
		    uint64_t *taken)
{
	const struct slab *prev = NULL;

	for (const struct slab *s = list->first; s != NULL; s = s->next) {
		bool none = s->free == s->all;
		bool every = s->free == 0;

		if (s->list != list || s->cache != cache || s->prev != prev ||
		    (s->free & ~s->all) != 0)
			return false;
		if (none != (list == &cache->empty || list == &cache->waiting) ||
		    every != (list == &cache->full))
			return false;
		for (unsigned i = 0; i < cache->slots; i++) {
			const struct object *o = (const void *)((uintptr_t)s + OBJECT_GRANULE +
								(uintptr_t)i * cache->size);
			if (o->type != cache->type || o->lock.rank != cache->rank)
				return false;
		}
		for (uint64_t left = s->all & ~s->free; left != 0; left &= left - 1)
			++*taken;
		++*pages;
		prev = s;
	}
	return true;
}

bool slab_ok(struct slab_cache *cache)
{
	uint64_t pages = 0;
	uint64_t taken = 0;

	spin_lock(&cache->lock);
	bool ok = list_ok(cache, &cache->partial, &pages, &taken) &&
		  list_ok(cache, &cache->full, &pages, &taken) &&
		  list_ok(cache, &cache->empty, &pages, &taken) &&
		  list_ok(cache, &cache->waiting, &pages, &taken) && pages == cache->pages &&
		  taken == cache->taken;
	spin_unlock(&cache->lock);
	return ok;
}

/* SPDX-License-Identifier: MIT */
#include <core/slab.h>
#include <core/assert.h>
#include <core/grace.h>
#include <core/quota.h>

_Static_assert(sizeof(struct slab) <= OBJECT_GRANULE, "the head takes one granule");

void slab_cache_init(struct slab_cache *cache, struct quota *q, unsigned type, size_t size)
{
	ASSERT(size % OBJECT_GRANULE == 0 && size <= SLAB_SIZE_MAX);
	*cache = (struct slab_cache){
		.quota = q,
		.size = (uint16_t)size,
		.type = (uint8_t)type,
		.all = (1ull << SLAB_SIZE_MAX / size) - 1,
	};
	spin_init(&cache->lock, LOCK_SLAB);
}

/* ---- lists, with the cache's lock held ---- */

static void list_remove(struct slab *s)
{
	if (s->list == NULL)
		return;
	*(s->prev != NULL ? &s->prev->next : &s->list->first) = s->next;
	*(s->next != NULL ? &s->next->prev : &s->list->last) = s->prev;
	s->list = NULL;
}

static void list_push(struct slab_list *list, struct slab *s, bool last)
{
	list_remove(s);
	s->list = list;
	s->prev = last ? list->last : NULL;
	s->next = last ? NULL : list->first;
	*(s->prev != NULL ? &s->prev->next : &list->first) = s;
	*(s->next != NULL ? &s->next->prev : &list->last) = s;
}

/* ---- pages ---- */

static struct object *slot_at(const struct slab_cache *cache, const struct slab *s, unsigned i)
{
	return (struct object *)((uintptr_t)s + OBJECT_GRANULE + (uintptr_t)i * cache->size);
}

static struct slab *slab_of(const struct object *o)
{
	return (struct slab *)ALIGN_DOWN((uintptr_t)o, FRAME_SIZE);
}

/* Only pages that are marked are found by number. */
static void page_mark(const struct slab *s, bool marked)
{
	unsigned mark = marked ? FRAME_SLAB | s->cache->type : 0;

	STORE(frame_of(arch_virt_to_phys(s))->flags, (uint16_t)mark);
}

/* A frame whose granules have an object id. */
static bool page_alloc(struct quota *q, paddr_t *out)
{
	if (q != NULL && !quota_charge_trim(q, FRAME_SIZE))
		return false;
	bool got = frame_alloc(0, FRAME_ANY, out);
	if (got && UNLIKELY(*out >= OBJECT_LIMIT)) {
		frame_free(*out, 0);
		got = frame_alloc(0, FRAME_BELOW_4G, out);
	}
	if (!got && q != NULL)
		quota_refund(q, FRAME_SIZE);
	return got;
}

static void page_free(const struct slab_cache *cache, struct slab *s)
{
	frame_free(arch_virt_to_phys(s), 0);
	if (cache->quota != NULL)
		quota_refund(cache->quota, FRAME_SIZE);
}

/* A page of free slots in no list; NULL: no frame is to be had. */
static struct slab *slab_create(struct slab_cache *cache)
{
	paddr_t pa;

	if (!page_alloc(cache->quota, &pa))
		return NULL;
	struct slab *s = arch_phys_to_virt(pa);
	*s = (struct slab){ .cache = cache, .free = cache->all };
	for (unsigned i = 0; i < SLAB_SIZE_MAX / cache->size; i++) {
		struct object *o = slot_at(cache, s, i);

		*o = (struct object){ .type = cache->type };
		spin_init(&o->lock, object_ops[cache->type]->rank);
		spin_init(&o->tree, LOCK_TREE);
	}
	if (cache->quota != NULL)
		frame_of(pa)->payer = object_id(&cache->quota->obj);
	return s;
}

/* ---- slots ---- */

static struct object *take_slot(struct slab_cache *cache) REQUIRES(cache->lock)
{
	struct slab *s = cache->used.first;

	if (s == NULL || s->free == 0)
		s = cache->empty.last;
	if (s == NULL && (s = cache->limbo.last) != NULL)
		page_mark(s, true);
	if (s == NULL)
		return NULL;
	unsigned i = (unsigned)__builtin_ctzll(s->free);
	s->free &= s->free - 1;
	if (s->list != &cache->used || s->free == 0)
		list_push(&cache->used, s, s->free == 0);
	return slot_at(cache, s, i);
}

struct object *slab_alloc(struct slab_cache *cache)
{
	spin_assert_none_held();
	if (UNLIKELY(arch_fail_step()))
		return NULL;
	spin_lock(&cache->lock);
	bool closed = cache->closed;
	struct object *o = closed ? NULL : take_slot(cache);
	spin_unlock(&cache->lock);

	if (UNLIKELY(o == NULL)) {
		struct slab *s = closed ? NULL : slab_create(cache);
		if (s == NULL)
			return NULL;
		spin_lock(&cache->lock);
		list_push(&cache->empty, s, true);
		cache->pages++;
		o = cache->closed ? NULL : take_slot(cache);
		spin_unlock(&cache->lock);
		if (o == NULL)
			return NULL; /* who closed it takes the page away */
	}
	__builtin_memset(o + 1, 0, cache->size - sizeof(*o));
	return o;
}

void slab_publish(struct object *o)
{
	struct slab *s = slab_of(o);

	if (LIKELY(LOAD(s->published)))
		return;
	page_mark(s, true); /* first: whoever reads that it is published goes on without */
	STORE(s->published, true);
}

void slab_free(struct slab_cache *cache, struct object *o)
{
	struct slab *s = slab_of(o);
	size_t offset = (uintptr_t)o - (uintptr_t)s - OBJECT_GRANULE;
	uint64_t bit = 1ull << offset / cache->size;
	bool undone = false;

	spin_assert_none_held();
	spin_lock(&cache->lock);
	if (s->cache != cache || offset % cache->size != 0 || !(cache->all & ~s->free & bit))
		panic("slab_free: %p of type %u is no slot in use", (void *)o, cache->type);
	s->free |= bit;
	if (s->free == cache->all) {
		/* Who closed the cache may be looking at one that was never published. */
		undone = !LOAD(s->published) && !cache->closed;
		if (undone) {
			list_remove(s);
			cache->pages--;
		} else {
			list_push(&cache->empty, s, true);
		}
	} else if (s->free == bit) {
		list_push(&cache->used, s, false);
	}
	bool more = cache->limbo.first != NULL || cache->empty.first != cache->empty.last;
	spin_unlock(&cache->lock);
	if (undone)
		page_free(cache, s);
	if (more) {
		unsigned budget = SLAB_BATCH;
		grace_poll();
		slab_reclaim(cache, true, &budget);
	}
}

void slab_close(struct slab_cache *cache)
{
	spin_lock(&cache->lock);
	cache->closed = true;
	spin_unlock(&cache->lock);
}

struct object *slab_next(struct slab_cache *cache, unsigned *cursor)
{
	struct object *o = NULL;

	spin_lock(&cache->lock);
	struct slab *s = cache->used.first;
	if (s != NULL) {
		uint64_t from_here = *cursor < 64 ? ~0ull << *cursor : 0;
		uint64_t taken = cache->all & ~s->free & from_here;

		if (taken == 0) {
			list_push(&cache->used, s, true);
			s = cache->used.first;
			taken = cache->all & ~s->free;
		}
		unsigned i = (unsigned)__builtin_ctzll(taken);
		*cursor = i + 1;
		o = slot_at(cache, s, i);
	}
	spin_unlock(&cache->lock);
	return o;
}

unsigned slab_reclaim(struct slab_cache *cache, bool keep_one, unsigned *budget)
{
	struct slab *over = NULL;
	struct slab *s;

	spin_lock(&cache->lock);
	if (cache->limbo.first != NULL && grace_is_over(cache->ticket)) {
		for (; *budget > 0 && (s = cache->limbo.first) != NULL; --*budget) {
			list_remove(s);
			s->next = over;
			over = s;
			cache->pages--;
		}
	}
	if (cache->limbo.first == NULL) {
		const struct slab *kept = keep_one ? cache->empty.last : NULL;

		for (; *budget > 0 && (s = cache->empty.first) != kept; --*budget) {
			page_mark(s, false);
			list_push(&cache->limbo, s, true);
		}
		if (cache->limbo.first != NULL)
			cache->ticket = grace_ticket();
	}
	unsigned left = cache->pages;
	spin_unlock(&cache->lock);

	for (; over != NULL; over = s) {
		s = over->next;
		page_free(cache, over);
	}
	return left;
}

/* ---- by number ---- */

struct object *slab_object(object_id_t id, unsigned type)
{
	paddr_t pa = (paddr_t)id * OBJECT_GRANULE;

	if (type > UINT8_MAX || !frame_exists(pa))
		return NULL;
	/* Who takes the mark away waits for our way out of the kernel. */
	if (LOAD(frame_of(pa)->flags) != (int)(FRAME_SLAB | type))
		return NULL;
	struct object *o = object_at(id);
	size_t offset = pa % FRAME_SIZE - OBJECT_GRANULE; /* of the head: very large */
	return offset < FRAME_SIZE && offset % slab_of(o)->cache->size == 0 ? o : NULL;
}

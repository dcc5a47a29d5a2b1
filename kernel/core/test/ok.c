/* SPDX-License-Identifier: MIT */
#include "ok.h"
#include <core/cpu.h>

/* ---- slabs ---- */

static struct object *slot_at(const struct slab_cache *cache, const struct slab *s, unsigned i)
{
	return (struct object *)((uintptr_t)s + OBJECT_GRANULE + (uintptr_t)i * cache->size);
}

void slab_visit(struct slab_cache *cache, void (*fn)(struct object *o, void *arg), void *arg)
{
	spin_lock(&cache->lock);
	for (const struct slab *s = cache->used.first; s != NULL; s = s->next) {
		for (uint64_t left = s->cache->all & ~s->free; left != 0; left &= left - 1)
			fn(slot_at(cache, s, (unsigned)__builtin_ctzll(left)), arg);
	}
	spin_unlock(&cache->lock);
}

static void count_one(struct object *o, void *count)
{
	(void)o;
	++*(uint64_t *)count;
}

void slab_stats(struct slab_cache *cache, struct slab_stats *out)
{
	*out = (struct slab_stats){ 0 };
	slab_visit(cache, count_one, &out->slots_used);
	spin_lock(&cache->lock);
	out->pages = cache->pages;
	out->slots_free = out->pages * (SLAB_SIZE_MAX / cache->size) - out->slots_used;
	spin_unlock(&cache->lock);
}

/* With the cache's lock held. */
static bool list_ok(const struct slab_cache *cache, const struct slab_list *list, uint64_t *pages)
{
	const struct slab *prev = NULL;
	bool full = false;

	for (const struct slab *s = list->first; s != NULL; s = s->next) {
		if (s->list != list || s->cache != cache || s->prev != prev ||
		    (s->free & ~s->cache->all) != 0)
			return false;
		if ((s->free == s->cache->all) != (list != &cache->used))
			return false;
		uint16_t mark =
			s->published && list != &cache->limbo ? FRAME_SLAB | cache->type : 0;
		if (frame_of(arch_virt_to_phys(s))->flags != mark)
			return false;
		if (full && s->free != 0 && !cache->closed)
			return false;
		full = s->free == 0;
		for (unsigned i = 0; i < (SLAB_SIZE_MAX / cache->size); i++) {
			if (slot_at(cache, s, i)->type != cache->type)
				return false;
		}
		++*pages;
		prev = s;
	}
	return list->last == prev;
}

bool slab_ok(struct slab_cache *cache)
{
	uint64_t used = 0, empty = 0, limbo = 0;

	spin_lock(&cache->lock);
	bool ok = list_ok(cache, &cache->used, &used) && list_ok(cache, &cache->empty, &empty) &&
		  list_ok(cache, &cache->limbo, &limbo) && used + empty + limbo == cache->pages;
	spin_unlock(&cache->lock);
	return ok;
}

/* ---- quotas ---- */

struct books {
	const struct quota *parent;
	uint64_t used, promised;
	bool ok;
};

static void add_child(struct object *o, void *arg)
{
	const struct quota *child = container_of(o, struct quota, obj);
	struct books *b = arg;

	b->ok = b->ok && child->parent == b->parent;
	b->used += child->drawn;
	b->promised += child->reservation;
}

bool quota_ok(struct quota *q, uint64_t frames)
{
	struct books b = { .parent = q, .used = frames * FRAME_SIZE, .ok = true };

	for (unsigned kind = 0; kind < OBJECT_KINDS; kind++) {
		b.ok = b.ok && slab_ok(&q->slab[kind]);
		b.used += q->slab[kind].pages * FRAME_SIZE;
	}
	slab_visit(&q->slab[OBJ_QUOTA], add_child, &b);
	return b.ok && b.used == q->used && b.promised == q->promised && q->used <= q->drawn &&
	       q->drawn <= q->limit && q->reservation <= q->drawn && q->promised <= q->reservation;
}

/* ---- spaces and capabilities ---- */

bool cspace_ok(struct cspace *cs)
{
	uint32_t free = 0, retired = 0;
	bool ok = true;

	spin_lock(&cs->obj.lock);
	for (uint32_t i = 1; i < cs->slots; i++) {
		const struct cap_slot *slot = cspace_slot(cs, i);

		retired += slot->gen == 0 && !(slot->node.flags & CAP_GRAVE);
	}
	for (uint32_t i = cs->free; ok && i != 0; i = cspace_slot(cs, i)->index) {
		const struct cap_slot *slot = cspace_slot(cs, i);

		ok = slot->token == 0 && slot->gen != 0 && i < cs->slots;
		free++;
	}
	ok = ok && cs->slots == 1 + free + cs->used + retired;
	spin_unlock(&cs->obj.lock);
	return ok;
}

static struct cap_slot *slot_of(struct cap_node *n)
{
	return container_of(n, struct cap_slot, node);
}

static struct cap_node *first_child(const struct object *o, const struct cap_node *parent)
{
	return parent != NULL ? parent->child : o->children;
}

/* The next node of the whole tree, parents before children. */
static struct cap_node *node_after(struct cap_node *n, unsigned *depth)
{
	if (n->child != NULL) {
		++*depth;
		return n->child;
	}
	while (n->next == NULL && n->parent != NULL) {
		--*depth;
		n = n->parent;
	}
	return n->next;
}

static bool node_ok(struct object *o, struct cap_node *n, unsigned depth) REQUIRES(o->tree)
{
	bool grave = n->flags & CAP_GRAVE;

	if ((n->prev != NULL ? n->prev->next : first_child(o, n->parent)) != n)
		return false;
	if ((n->next != NULL && n->next->prev != n) || (n->child != NULL && n->child->parent != n))
		return false;
	if (n->kind != CAP_SLOT)
		return n->child == NULL && depth <= CAP_DEPTH + 1;
	uint64_t token = slot_of(n)->token;
	if ((token == 0) != grave || depth > CAP_DEPTH)
		return false;
	if (token == 0) {
		token = slot_of(n)->badge;
		return n->child != NULL && token_object(token) == object_id(o);
	}
	return token_object(token) == object_id(o) &&
	       (o->flags & OBJECT_DYING || token_gen(token) == o->gen);
}

bool cap_tree_ok(struct object *o)
{
	unsigned depth = 0;
	unsigned caps = 0;
	bool ok = true;

	spin_lock(&o->tree);
	for (struct cap_node *n = o->children; ok && n != NULL; n = node_after(n, &depth)) {
		ok = node_ok(o, n, depth);
		caps += n->kind == CAP_SLOT && slot_of(n)->token != 0;
	}
	ok = ok && (!(o->flags & OBJECT_LIVE) || caps == o->caps);
	spin_unlock(&o->tree);
	return ok;
}

bool spin_is_held(const struct spinlock *l)
{
	const struct cpu *c = arch_this_cpu();
	bool found = false;

	for (uint32_t i = 0; i < c->locks_held; i++)
		found |= c->lock[i] == l;
	return found;
}

uint64_t lock_waits_total(void)
{
	uint64_t total = 0;

	for (cpumask_t left = cpu_online_mask(); left != 0; left &= left - 1)
		total += atomic_load(&cpu_by_id[__builtin_ctzll(left)]->lock_waits);
	return total;
}

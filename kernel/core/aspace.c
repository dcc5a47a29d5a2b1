/* SPDX-License-Identifier: MIT */
#include <core/aspace.h>
#include <core/quota.h>

#define MAP_ALL        ((uint64_t)(MAP_READ | MAP_WRITE | MAP_EXEC))
#define MAPPING_BUDGET 64 /* entries of page tables whose work one mapping itself is worth */

static struct aspace *aspace_of(const struct cap_ref *by)
{
	return container_of(by->object, struct aspace, obj);
}

static struct mapping *mapping_of(struct tree_node *n)
{
	return n != NULL ? container_of(n, struct mapping, region) : NULL;
}

static vaddr_t map_end(const struct mapping *map)
{
	return map->base + map->pages * FRAME_SIZE;
}

_Static_assert(MAP_READ == ARCH_READ && MAP_WRITE == ARCH_WRITE && MAP_EXEC == ARCH_EXEC,
	       "what a mapping allows is what its translations may");

/* True if the range consists of whole pages that this kind of space may have. */
static bool range_ok(const struct aspace *as, vaddr_t va, uint64_t pages)
{
	vaddr_t low = as->kind == ASPACE_PERSONALITY ? ARCH_PERSONALITY : ASPACE_FIRST;
	vaddr_t high = as->kind == ASPACE_GUEST ? ARCH_PERSONALITY : ARCH_USER_END;

	return pages > 0 && va % FRAME_SIZE == 0 && va >= low && va < high &&
	       pages <= (high - va) / FRAME_SIZE;
}

/* True if mappings of this kind of space may have the access. */
static bool access_fits(const struct aspace *as, uint64_t access)
{
	if ((access & ~MAP_ALL) || (access != 0 && !(access & MAP_READ)))
		return false;
	return !(access & MAP_WRITE) || !(access & MAP_EXEC) || as->kind == ASPACE_GUEST;
}

/* The first mapping in the range. */
static struct mapping *region_in(const struct aspace *as, vaddr_t va, uint64_t pages)
{
	uint64_t page = va / FRAME_SIZE;

	return mapping_of(tree_overlap(&as->regions, page, page + pages - 1));
}

/* ---- mappings ---- */

UNCHECKED_LOCKS static void lock_three(struct memory *m, struct aspace *as)
{
	spin_lock(&m->obj.tree);
	spin_lock(&as->obj.lock);
	spin_lock(&m->obj.lock);
}

UNCHECKED_LOCKS static void unlock_three(struct memory *m, struct aspace *as)
{
	spin_unlock(&m->obj.lock);
	spin_unlock(&as->obj.lock);
	spin_unlock(&m->obj.tree);
}

static void mapping_link(struct mapping *map)
{
	uint64_t page = map->base / FRAME_SIZE, last = map->pages - 1;

	tree_insert(&map->aspace->regions, &map->region, page, page + last);
	tree_insert(&map->memory->mappings, &map->pagewise, map->first, map->first + last);
}

static void mapping_set_writer(struct mapping *map, bool writer)
{
	map->memory->writers += writer - map->writer;
	map->writer = writer;
}

/* Flushes with the three locks let go; the mapping is busy, so nobody else changes or
 * removes it meanwhile. */
static void mapping_flush(struct mapping *map, const struct pagetable_cut *c)
{
	struct memory *m = map->memory;
	struct aspace *as = map->aspace;

	if (c->flush.count == 0)
		return;
	uint64_t where = pagetable_flush_begin(&as->table);
	unlock_three(m, as);
	pagetable_flush(c, where);
	lock_three(m, as);
}

/* Takes out the tables under a mapping that goes, of the `pages` that were settled last; in the end
 * of all, as neighbours may have gone that had a part in one. */
static void mapping_trim(struct mapping *map, uint64_t pages, struct pagetable_cut *c)
{
	struct mapping *before = mapping_of(tree_prev(&map->region));
	struct mapping *after = mapping_of(tree_next(&map->region));
	struct pagetable_gap gap = { .to = map->base + map->settled * FRAME_SIZE };

	gap.from = gap.to - pages * FRAME_SIZE;
	gap.low = before != NULL ? map_end(before) : 0;
	gap.high = gap.to;
	if (map->settled == map->pages) {
		gap.from = map->base;
		gap.high = after != NULL ? after->base : UINT64_MAX;
	}
	pagetable_trim(&map->aspace->table, &gap, c);
}

/* Makes translations allow no more than the mapping does, as far as the budget goes. True: all
 * of them do. What another CPU takes away at this moment, in a transition of the memory, is flushed
 * too. */
static bool mapping_settle(struct mapping *map, int *budget)
{
	vaddr_t va = map->base + map->settled * FRAME_SIZE;
	struct pagetable *t = &map->aspace->table;
	struct pagetable_cut c UNINITIALIZED;
	uint64_t removed = map->aspace->removed;

	map->busy = true;
	pagetable_cut_init(&c, t, (unsigned)*budget);
	uint64_t n = pagetable_restrict(t, va, map->pages - map->settled, map->access, &c);
	if (map->memory->transit.running)
		tlb_batch_add(&c.flush, va, n * FRAME_SIZE);
	map->settled += n;
	if (map->dead)
		mapping_trim(map, n, &c);
	mapping_flush(map, &c);
	*budget = (int)c.budget - MAPPING_BUDGET;
	map->busy = false;
	/* Nor has a neighbour gone meanwhile that took this one's part in a table for mapped. */
	if (map->settled < map->pages || (map->dead && map->aspace->removed != removed))
		return false;
	if (!(map->access & MAP_WRITE))
		mapping_set_writer(map, false);
	return true;
}

/* Takes a mapping, at which nobody else is, away as far as the budget goes. The three locks are
 * held on entry, none on exit. True: it is gone. */
UNCHECKED_LOCKS static bool mapping_take(struct mapping *map, int *budget)
{
	struct aspace *as = map->aspace;
	struct memory *m = map->memory;

	if (!map->dead) {
		map->dead = true;
		map->access = 0;
		map->settled = 0;
	}
	bool gone = mapping_settle(map, budget);
	if (gone) {
		as->removed++;
		tree_remove(&as->regions, &map->region);
		memory_map_remove(m, map);
	}
	spin_unlock(&m->obj.lock);
	spin_unlock(&as->obj.lock);
	if (gone)
		cap_unhang(&m->obj, &map->node);
	spin_unlock(&m->obj.tree);
	if (gone)
		object_free(&map->obj);
	return gone;
}

/* Revoke and sweep. The tree is locked. */
bool aspace_node_claim(struct cap_node *node)
{
	struct mapping *map = container_of(node, struct mapping, node);
	struct memory *m = map->memory;

	spin_lock(&m->obj.lock);
	bool mine = !map->busy;
	map->busy = true;
	spin_unlock(&m->obj.lock);
	return mine;
}

bool aspace_node_unmap(struct cap_node *node)
{
	struct mapping *map = container_of(node, struct mapping, node);
	int budget = MEMORY_WALK;

	lock_three(map->memory, map->aspace);
	return mapping_take(map, &budget);
}

/* ---- splitting mappings ---- */

static struct mapping *mapping_alloc(struct quota *q)
{
	struct object *o = object_create(q, OBJECT_MAPPING);

	return o != NULL ? container_of(o, struct mapping, obj) : NULL;
}

/* Moves what lies from `at` on into a new mapping. None is split while it goes. */
UNCHECKED_LOCKS
static void mapping_divide(struct mapping *map, vaddr_t at, struct mapping *right)
{
	uint64_t n = (at - map->base) / FRAME_SIZE;

	right->aspace = map->aspace;
	right->memory = map->memory;
	right->access = map->access;
	right->allowed = map->allowed;
	right->base = at;
	right->first = map->first + n;
	right->pages = map->pages - n;
	right->settled = map->settled > n ? map->settled - n : 0;
	map->pages = n;
	map->settled -= right->settled;
	tree_shorten(&map->region, map->region.key + n - 1);
	tree_shorten(&map->pagewise, map->first + n - 1);
	mapping_link(right);
	mapping_set_writer(right, map->writer);
	cap_hang(&map->memory->obj, map->node.parent, &right->node);
}

/* True, after a flush, if a large page lay across `at`. */
static bool large_page_cut(struct mapping *map, vaddr_t at)
{
	struct pagetable *t = &map->aspace->table;
	struct pagetable_page page;
	struct pagetable_cut c;

	if (!pagetable_find(t, at, &page) || page.va == at)
		return false;
	map->busy = true;
	pagetable_cut_init(&c, t, 1);
	pagetable_restrict(t, at, 1, 0, &c);
	mapping_flush(map, &c);
	map->busy = false;
	return true;
}

/* Splits a mapping, at which nobody else is, before `at`; the three locks are held on entry, none
 * on exit. The new one is made without locks, so at first there is none. ST_LATER: look again
 * whether it is split by now. */
UNCHECKED_LOCKS static status_t mapping_split(struct mapping *map, vaddr_t at,
					      struct mapping **spare)
{
	struct aspace *as = map->aspace;
	struct memory *m = map->memory;
	bool is_made = *spare != NULL;

	if (is_made && !large_page_cut(map, at)) {
		mapping_divide(map, at, *spare);
		*spare = NULL;
	}
	unlock_three(m, as);
	if (!is_made)
		*spare = mapping_alloc(as->obj.quota);
	return is_made || *spare != NULL ? ST_LATER : ST_NO_MEMORY;
}

static void mapping_discard(struct mapping *spare)
{
	if (spare != NULL)
		object_discard(&spare->obj);
}

/* Locks the first mapping in the range with its aspace, its memory and the memory's tree.
 * NULL, and nothing locked: there is none, or the capability (if any) is gone. */
UNCHECKED_LOCKS static struct mapping *lock_first(struct aspace *as, const struct cap_ref *by,
						  vaddr_t va, uint64_t pages)
{
	struct memory *m, *held = NULL; /* whose tree is locked, though its lock comes first */

	for (;;) {
		spin_lock(&as->obj.lock);
		bool still = by == NULL || cap_still(by);
		struct mapping *map = still ? region_in(as, va, pages) : NULL;
		m = map != NULL ? map->memory : NULL;
		if (m != NULL && (m == held || (held == NULL && spin_trylock(&m->obj.tree)))) {
			spin_lock(&m->obj.lock);
			return map;
		}
		spin_unlock(&as->obj.lock);
		if (held != NULL)
			spin_unlock(&held->obj.tree);
		if (m == NULL)
			return NULL;
		/* Neither the mapping nor its memory need exist any more; but the lock does. */
		held = m;
		spin_lock(&held->obj.tree);
	}
}

/* ---- map, unmap, protect, scan ---- */

_Static_assert(RIGHT_READ == MAP_READ << 2 && RIGHT_WRITE == MAP_WRITE << 2 &&
		       RIGHT_EXEC == MAP_EXEC << 2,
	       "what a memory capability lets be mapped");

static uint64_t access_allowed(const struct cap_ref *ref)
{
	return token_rights(ref->token) >> 2 & MAP_ALL;
}

/* All that can forbid a mapping; the three locks are held. */
static status_t map_check(const struct cap_ref *by, const struct cap_ref *ref,
			  const struct map_request *r, uint64_t *page)
{
	const struct memory *m = memory_of(ref);
	const struct aspace *as = aspace_of(by);

	if (!cap_still(by))
		return ST_BAD_CAP;
	if (!range_ok(as, r->va, r->count) || !access_fits(as, r->access) ||
	    !memory_range(m, ref->badge, page, r->count))
		return ST_BAD_ARG;
	if (r->access & ~access_allowed(ref))
		return ST_NO_RIGHT;
	if (m->kind == MEMORY_DEVICE && (r->access & MAP_EXEC))
		return ST_BAD_ARG;
	if (m->sealed && (r->access & MAP_WRITE))
		return ST_BAD_STATE;
	return region_in(as, r->va, r->count) != NULL ? ST_EXISTS : ST_OK;
}

UNCHECKED_LOCKS status_t aspace_map(const struct cap_ref *by, const struct cap_ref *memory,
				    const struct map_request *r)
{
	struct aspace *as = aspace_of(by);
	struct memory *m = memory_of(memory);
	uint64_t page = r->page;

	struct mapping *map = mapping_alloc(as->obj.quota);
	if (map == NULL)
		return ST_NO_MEMORY;
	status_t st = cap_hold(memory);
	if (st == ST_OK) {
		spin_lock(&as->obj.lock);
		spin_lock(&m->obj.lock);
		st = map_check(by, memory, r, &page);
		if (st == ST_OK) {
			map->aspace = as;
			map->memory = m;
			map->base = r->va;
			map->pages = map->settled = r->count;
			map->first = page;
			map->access = (uint8_t)r->access;
			map->allowed = (uint8_t)access_allowed(memory);
			mapping_link(map);
			mapping_set_writer(map, r->access & MAP_WRITE);
			cap_hang(&m->obj, &memory->slot->node, &map->node);
		}
		unlock_three(m, as);
	}
	if (st != ST_OK)
		object_discard(&map->obj);
	return st;
}

UNCHECKED_LOCKS status_t aspace_unmap(const struct cap_ref *by, vaddr_t va, uint64_t pages)
{
	const vaddr_t end = va + pages * FRAME_SIZE;
	struct mapping *spare = NULL;
	int budget = MEMORY_WALK;
	status_t st = ST_LATER;

	if (!range_ok(aspace_of(by), va, pages))
		return cap_refuse(by, ST_BAD_ARG);
	for (unsigned i = 0; i < ASPACE_BATCH && budget > 0 && st == ST_LATER; i++) {
		struct mapping *map = lock_first(aspace_of(by), by, va, pages);

		if (map == NULL) {
			st = cap_refuse(by, ST_OK);
		} else if (map->busy) {
			unlock_three(map->memory, map->aspace);
		} else if (!map->dead && (map->base < va || map_end(map) > end)) {
			st = mapping_split(map, map->base < va ? va : end, &spare);
		} else {
			bool is_all = map->base <= va && map_end(map) >= end;

			st = mapping_take(map, &budget) && is_all ? ST_OK : ST_LATER;
		}
	}
	mapping_discard(spare);
	return st;
}

/* All that can forbid a change of access to one mapping. */
static status_t protect_allowed(const struct mapping *map, uint64_t access)
{
	if (map->dead)
		return ST_BAD_ADDRESS;
	if (access & ~(uint64_t)map->allowed)
		return ST_NO_RIGHT;
	if ((access & MAP_WRITE) && map->memory->sealed)
		return ST_BAD_STATE;
	return ST_OK;
}

/* Looks at all mappings of the range, before any is changed; one that has to change and lies
 * across an end of the range lies across *at then, which is 0 if there is none. */
static status_t protect_check(const struct cap_ref *by, const struct map_request *r, vaddr_t *at)
{
	struct aspace *as = aspace_of(by);
	const vaddr_t end = r->va + r->count * FRAME_SIZE;
	vaddr_t va = r->va;

	*at = 0;
	spin_lock(&as->obj.lock);
	status_t st = cap_still(by) ? ST_OK : ST_BAD_CAP;
	if (st == ST_OK && !(range_ok(as, va, r->count) && access_fits(as, r->access)))
		st = ST_BAD_ARG;
	for (unsigned i = 0; st == ST_OK && va < end; i++) {
		struct mapping *map = region_in(as, va, 1);

		st = map == NULL ? ST_BAD_ADDRESS : i == PROTECT_MAX ? ST_TOO_BIG : ST_OK;
		if (st != ST_OK)
			break;
		spin_lock(&map->memory->obj.lock);
		st = protect_allowed(map, r->access);
		spin_unlock(&map->memory->obj.lock);
		if (map->access != r->access && (map->base < va || map_end(map) > end))
			*at = map->base < va ? va : end;
		va = map_end(map);
	}
	spin_unlock(&as->obj.lock);
	return st;
}

/* The check, until all that has to change lies in the range whole. */
UNCHECKED_LOCKS static status_t protect_prepare(const struct cap_ref *by,
						const struct map_request *r)
{
	struct mapping *spare = NULL;
	status_t st = ST_LATER;

	for (unsigned i = 0; i < ASPACE_BATCH && st == ST_LATER; i++) {
		vaddr_t at;

		st = protect_check(by, r, &at);
		if (st != ST_OK || at == 0)
			break;
		struct mapping *map = lock_first(aspace_of(by), by, at, 1);
		st = ST_LATER;
		if (map != NULL && !map->busy && map->base < at)
			st = mapping_split(map, at, &spare);
		else if (map != NULL)
			unlock_three(map->memory, map->aspace);
	}
	mapping_discard(spare);
	return st;
}

/* Changes the first mapping in the range, and takes its pages from the front of that once its
 * translations have followed. */
UNCHECKED_LOCKS static status_t protect_first(const struct cap_ref *by, struct map_request *r,
					      int *budget)
{
	const vaddr_t end = r->va + r->count * FRAME_SIZE;
	struct mapping *map = lock_first(aspace_of(by), by, r->va, r->count);
	status_t st = ST_LATER;

	if (map == NULL)
		return cap_refuse(by, ST_BAD_ADDRESS);
	struct memory *m = map->memory;
	bool same = map->access == r->access;
	/* It is another one by now if it lies across an end. */
	if (!map->busy && (same || (map->base >= r->va && map_end(map) <= end)))
		st = same ? ST_OK : protect_allowed(map, r->access);
	if (st == ST_OK) {
		if (map->access & ~r->access)
			map->settled = 0;
		map->access = (uint8_t)r->access;
		if (r->access & MAP_WRITE)
			mapping_set_writer(map, true);
		if (map->settled < map->pages && !mapping_settle(map, budget))
			st = ST_LATER;
	}
	if (st == ST_OK) {
		r->va = least(end, map_end(map));
		r->count = (end - r->va) / FRAME_SIZE;
	}
	unlock_three(m, aspace_of(by));
	return st;
}

status_t aspace_protect(const struct cap_ref *by, struct map_request *r)
{
	int budget = MEMORY_WALK;

	status_t st = protect_prepare(by, r);
	for (unsigned i = 0; i < PROTECT_MAX && budget > 0 && r->count > 0 && st == ST_OK; i++)
		st = protect_first(by, r, &budget);
	return st == ST_OK && r->count > 0 ? ST_LATER : st;
}

UNCHECKED_LOCKS status_t aspace_scan(const struct cap_ref *by, vaddr_t va, uint64_t pages,
				     uint8_t *out)
{
	struct aspace *as = aspace_of(by);
	struct pagetable_cut c;

	if (pages > SCAN_MAX)
		return ST_TOO_BIG;
	status_t st = cap_ref_lock(by);
	if (st != ST_OK)
		return st;
	bool fits = range_ok(as, va, pages);
	pagetable_cut_init(&c, &as->table, 0);
	for (uint64_t i = 0; fits && i < pages; i++)
		out[i] = pagetable_scan(&as->table, va + i * FRAME_SIZE, &c);
	uint64_t where = pagetable_flush_begin(&as->table);
	spin_unlock(&as->obj.lock);
	pagetable_flush(&c, where);
	return fits ? ST_OK : ST_BAD_ARG;
}

/* ---- faults ---- */

/* Enters the page that a fault is about, as large as mapping and frames allow. The memory of the
 * mapping is locked, so the mapping stays. */
NOINLINE static status_t fault_resolve(const struct mapping *map, vaddr_t va, unsigned access)
{
	uint64_t page = map->first + (va - map->base) / FRAME_SIZE;
	struct pagetable_page p UNINITIALIZED, e;

	if (map->dead)
		return ST_BAD_ADDRESS;
	if (access & ~(unsigned)map->access)
		return ST_NO_RIGHT;
	status_t st = memory_look(map->memory, page, access & MAP_WRITE, &p);
	if (st != ST_OK)
		return st;
	if (access & ~p.access)
		return ST_NO_RIGHT;
	st = ST_EXISTS;
	for (unsigned level = p.level + 1; level-- > 0 && st == ST_EXISTS;) {
		uint64_t mask = pagetable_span(level) - 1;

		e = (struct pagetable_page){ va & ~mask, p.pa & ~mask, level,
					     p.access & (map->access | ARCH_DEVICE) };
		if (((va ^ p.pa) & mask) == 0 && e.va >= map->base && e.va + mask < map_end(map))
			st = pagetable_enter(&map->aspace->table, &e);
	}
	return st;
}

UNCHECKED_LOCKS status_t aspace_fault(struct aspace *as, vaddr_t va, unsigned access)
{
	status_t st = ST_LATER;

	va = ALIGN_DOWN(va, FRAME_SIZE);
	for (unsigned tries = 0; tries < 2 && st == ST_LATER; tries++) {
		spin_lock(&as->obj.lock);
		struct mapping *map = region_in(as, va, 1);
		struct memory *m = map != NULL ? map->memory : NULL;
		if (m != NULL)
			spin_lock(&m->obj.lock);
		spin_unlock(&as->obj.lock);
		if (m == NULL)
			return ST_BAD_ADDRESS;
		st = fault_resolve(map, va, access | MAP_READ);
		spin_unlock(&m->obj.lock);
	}
	/* What was in the way shows itself when the access is tried again. */
	return st == ST_LATER ? ST_OK : st;
}

/* ---- life ---- */

UNCHECKED_LOCKS status_t aspace_create(struct quota *q, uint64_t kind, const struct cap_ref *half,
				       struct aspace **out)
{
	if (kind > ASPACE_GUEST || (kind == ASPACE_GUEST) != (half != NULL))
		return ST_BAD_ARG;
	struct object *o = object_create(q, OBJ_ASPACE);
	if (o == NULL)
		return ST_NO_MEMORY;
	struct aspace *as = container_of(o, struct aspace, obj);
	as->kind = (uint8_t)kind;
	status_t st = pagetable_init(&as->table, q, object_id(o), kind == ASPACE_PERSONALITY);
	if (st == ST_OK && half != NULL)
		st = cap_ref_lock(half);
	if (st == ST_OK && half != NULL) {
		/* The half becomes part of the joint root, which nobody loads before the guest
		 * is bound to it. */
		st = ST_BAD_ARG;
		if (aspace_of(half)->kind == ASPACE_PERSONALITY)
			st = pagetable_join(&as->table, &aspace_of(half)->table);
		spin_unlock(&half->object->lock);
	}
	if (st == ST_OK && half != NULL)
		st = cap_bind(half, o, o->gen, BIND_ASPACE_PERSONALITY, &as->half);
	if (st != ST_OK) {
		object_discard(o);
		return st;
	}
	*out = as;
	return ST_OK;
}

/* The half dies, or may be used no more. For the guest's threads see guest_lose. */
bool aspace_cut(struct cap_slot *binding)
{
	struct aspace *as = container_of(binding, struct aspace, half);
	struct pagetable_cut c;

	spin_lock(&as->obj.lock);
	pagetable_cut_init(&c, &as->table, 0);
	pagetable_cut_half(&as->table, &c);
	uint64_t where = pagetable_flush_begin(&as->table);
	spin_unlock(&as->obj.lock);
	pagetable_flush(&c, where);
	return true;
}

static bool aspace_close(struct object *o)
{
	struct aspace *as = container_of(o, struct aspace, obj);
	int budget = MEMORY_WALK;
	struct mapping *map = lock_first(as, NULL, 0, UINT64_MAX);

	if (map != NULL) {
		if (map->busy)
			unlock_three(map->memory, as);
		else
			mapping_take(map, &budget);
		return false;
	}
	/* Who cuts the half writes to the root: he comes first, or finds no binding. */
	if (atomic_load(&as->table.half) != NULL && !aspace_cut(&as->half))
		return false;
	if (!cap_unbind(&as->half) || LOAD(as->table.flushes) != 0)
		return false;
	pagetable_free(&as->table);
	return true;
}

const struct object_ops aspace_ops = OBJECT_OPS("aspace", struct aspace, LOCK_ASPACE, aspace_close);

/* Only a spare one is closed; those in use go with their aspace. */
const struct object_ops mapping_ops = OBJECT_OPS("mapping", struct mapping, LOCK_ASPACE, NULL);

/* SPDX-License-Identifier: MIT */
#include <core/aspace.h>
#include <core/quota.h>

#define MAP_ALL        (MAP_READ | MAP_WRITE | MAP_EXEC)
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

/* True if the range consists of whole pages of user addresses. */
static bool range_ok(vaddr_t va, uint64_t pages)
{
	return pages > 0 && va % FRAME_SIZE == 0 && va < ARCH_USER_END &&
	       pages <= (ARCH_USER_END - va) / FRAME_SIZE;
}

/* True if they are addresses of this kind of space. */
static bool range_fits(const struct aspace *as, vaddr_t va, uint64_t pages)
{
	vaddr_t low = as->kind == ASPACE_PERSONALITY ? ARCH_PERSONALITY : ASPACE_FIRST;
	vaddr_t high = as->kind == ASPACE_GUEST ? ARCH_PERSONALITY : ARCH_USER_END;

	return va >= low && va + pages * FRAME_SIZE <= high;
}

/* True if mappings of this kind of space may have the access. */
static bool access_fits(const struct aspace *as, unsigned access)
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

/* Who changes the range of a mapping takes it out of both trees first, and puts it back in
 * with what taking it out said. */
static void mapping_link(struct mapping *map, bool is_due)
{
	uint64_t page = map->base / FRAME_SIZE;

	tree_insert(&map->aspace->regions, &map->region, page, page + map->pages - 1);
	memory_map_add(map->memory, map, is_due);
}

static bool mapping_unlink(struct mapping *map)
{
	tree_remove(&map->aspace->regions, &map->region);
	return memory_map_remove(map->memory, map);
}

static void mapping_set_writer(struct mapping *map, bool writer)
{
	map->memory->writers += writer - map->writer;
	map->writer = writer;
}

/* Takes access from pages of a mapping, from its page `at` on, as far as the budget goes.
 * What another CPU takes away at this moment, in a transition of the memory, it flushes too. */
static uint64_t mapping_restrict(struct mapping *map, uint64_t at, unsigned keep,
				 struct pagetable_cut *c)
{
	vaddr_t va = map->base + at * FRAME_SIZE;
	uint64_t n = pagetable_restrict(&map->aspace->table, va, map->pages - at, keep, c);

	if (map->memory->transit.running)
		tlb_batch_add(&c->flush, va, n * FRAME_SIZE);
	return n;
}

/* Flushes with the three locks let go; the mapping is busy, so nobody else changes or
 * removes it meanwhile. Tables in `list` are freed. */
static void mapping_flush(struct mapping *map, const struct pagetable_cut *c, paddr_t list)
{
	struct memory *m = map->memory;
	struct aspace *as = map->aspace;

	if (c->flush.count == 0 && list == 0)
		return;
	uint64_t where = pagetable_flush_begin(&as->table);
	unlock_three(m, as);
	pagetable_flush(c, where);
	pagetable_free_list(as->obj.quota, list);
	lock_three(m, as);
}

/* Makes translations allow no more than the mapping does, as far as the budget goes. */
static void mapping_settle(struct mapping *map, int *budget)
{
	struct pagetable_cut c;

	map->busy = true;
	pagetable_cut_init(&c, &map->aspace->table, (unsigned)*budget);
	uint64_t n = mapping_restrict(map, map->settled, map->access, &c);
	mapping_flush(map, &c, 0);
	*budget = (int)c.budget - MAPPING_BUDGET;
	map->settled += n;
	map->busy = false;
	if (map->settled == map->pages && !(map->access & MAP_WRITE))
		mapping_set_writer(map, false);
}

/* Takes a mapping, at which nobody else is, away from its front as far as the budget goes. The
 * three locks are held on entry, none on exit. True: it is gone. */
UNCHECKED_LOCKS static bool mapping_take(struct mapping *map, int *budget)
{
	struct aspace *as = map->aspace;
	struct memory *m = map->memory;
	struct mapping *before = mapping_of(tree_prev(&map->region));
	struct mapping *after = mapping_of(tree_next(&map->region));
	struct pagetable_cut c;

	map->busy = map->dead = true;
	pagetable_cut_init(&c, &as->table, (unsigned)*budget);
	uint64_t n = mapping_restrict(map, 0, 0, &c);
	bool gone = n == map->pages;
	struct pagetable_gap gap = { .from = map->base, .to = map->base + n * FRAME_SIZE };
	gap.low = before != NULL ? map_end(before) : 0;
	gap.high = gap.to;
	if (gone)
		gap.high = after != NULL ? after->base : UINT64_MAX;
	pagetable_trim(&as->table, &gap, &c);
	mapping_flush(map, &c, gap.list);
	*budget = (int)c.budget - MAPPING_BUDGET;
	bool is_due = mapping_unlink(map);
	if (gone) {
		mapping_set_writer(map, false);
	} else {
		map->base += n * FRAME_SIZE;
		map->first += n;
		map->pages -= n;
		map->settled = map->settled > n ? map->settled - n : 0;
		mapping_link(map, is_due);
	}
	map->busy = false;
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
	map->dead |= mine;
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

/* ---- cutting mappings ---- */

/* What a call may use: entries of page tables to look at, and mappings, made before any lock
 * is taken, for what has to be split. */
struct means {
	int budget;
	struct mapping *map[2];
};

static struct mapping *mapping_alloc(struct quota *q)
{
	struct object *o = object_create(q, OBJECT_MAPPING);

	return o != NULL ? container_of(o, struct mapping, obj) : NULL;
}

/* ST_LATER, once there are enough. */
static status_t means_fill(struct means *s, struct quota *q)
{
	for (unsigned i = 0; i < ARRAY_LEN(s->map); i++) {
		if (s->map[i] == NULL)
			s->map[i] = mapping_alloc(q);
		if (s->map[i] == NULL)
			return ST_NO_MEMORY;
	}
	return ST_LATER;
}

static void means_drop(struct means *s)
{
	for (unsigned i = 0; i < ARRAY_LEN(s->map); i++) {
		if (s->map[i] != NULL)
			object_discard(&s->map[i]->obj);
	}
}

/* Moves what lies from `at` on into a new mapping, which it gives. */
UNCHECKED_LOCKS
static struct mapping *mapping_split(struct mapping *map, vaddr_t at, struct means *s)
{
	unsigned i = s->map[0] != NULL ? 0 : 1;
	struct mapping *right = s->map[i];
	uint64_t n = (at - map->base) / FRAME_SIZE;

	s->map[i] = NULL;
	bool is_due = mapping_unlink(map);
	right->aspace = map->aspace;
	right->memory = map->memory;
	right->access = map->access;
	right->allowed = map->allowed;
	right->dead = map->dead;
	right->base = at;
	right->first = map->first + n;
	right->pages = map->pages - n;
	right->settled = map->settled > n ? map->settled - n : 0;
	map->pages = n;
	map->settled -= right->settled;
	mapping_link(map, is_due);
	mapping_link(right, is_due);
	mapping_set_writer(right, map->writer);
	cap_hang(&map->memory->obj, map->node.parent, &right->node);
	return right;
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
	mapping_flush(map, &c, 0);
	map->busy = false;
	return true;
}

/* Splits a mapping at the ends of [from, to), so that what is in there is *map. ST_LATER: it
 * had to be prepared; ST_WOULD_BLOCK: spares are needed. */
static status_t mapping_isolate(struct mapping **map, vaddr_t from, vaddr_t to, struct means *s)
{
	bool left = from > (*map)->base;
	bool right = to < map_end(*map);

	if (!left && !right)
		return ST_OK;
	if (s->map[0] == NULL || s->map[1] == NULL)
		return ST_WOULD_BLOCK;
	if ((left && large_page_cut(*map, from)) || (right && large_page_cut(*map, to)))
		return ST_LATER;
	if (right)
		mapping_split(*map, to, s);
	if (left)
		*map = mapping_split(*map, from, s);
	return ST_OK;
}

/* Locks the first mapping in the range with its aspace, its memory and the memory's tree.
 * NULL, and nothing locked: there is none, or the capability (if any) is gone. */
UNCHECKED_LOCKS static struct mapping *lock_first(struct aspace *as, const struct cap_ref *by,
						  vaddr_t va, uint64_t pages)
{
	for (;;) {
		spin_lock(&as->obj.lock);
		bool still = by == NULL || cap_still(by);
		struct mapping *map = still ? region_in(as, va, pages) : NULL;
		struct memory *m = map != NULL ? map->memory : NULL;
		if (m != NULL && spin_trylock(&m->obj.tree)) {
			spin_lock(&m->obj.lock);
			return map;
		}
		spin_unlock(&as->obj.lock);
		if (m == NULL)
			return NULL;

		/* Neither the mapping nor its memory need exist any more; but the locks do. */
		lock_three(m, as);
		if ((by == NULL || cap_still(by)) && region_in(as, va, pages) == map &&
		    map->memory == m)
			return map;
		unlock_three(m, as);
	}
}

/* The same, with what lies in the range split off, unless the mapping has `access` already. NULL
 * with ST_OK: there is none. NULL with ST_LATER: it is busy, or had to be prepared. */
UNCHECKED_LOCKS static status_t lock_part(const struct cap_ref *by, const struct map_request *r,
					  struct means *s, struct mapping **out)
{
	struct aspace *as = aspace_of(by);
	struct mapping *map = lock_first(as, by, r->va, r->count);
	status_t st = ST_OK;

	*out = NULL;
	if (map == NULL)
		return cap_refuse(by, ST_OK);
	struct memory *m = map->memory;
	if (map->busy)
		st = ST_LATER;
	else if (map->access != r->access)
		st = mapping_isolate(&map, r->va, r->va + r->count * FRAME_SIZE, s);
	if (st == ST_OK) {
		*out = map;
		return ST_OK;
	}
	unlock_three(m, as);
	return st == ST_WOULD_BLOCK ? means_fill(s, as->obj.quota) : st;
}

/* ---- map, unmap, protect, scan ---- */

_Static_assert(RIGHT_READ == MAP_READ << 2 && RIGHT_WRITE == MAP_WRITE << 2 &&
		       RIGHT_EXEC == MAP_EXEC << 2,
	       "what a memory capability lets be mapped");

static unsigned access_allowed(const struct cap_ref *ref)
{
	return token_rights(ref->token) >> 2 & MAP_ALL;
}

/* All that can forbid a mapping; the three locks are held. */
static status_t map_check(const struct cap_ref *by, const struct cap_ref *ref,
			  const struct map_request *r, uint64_t *page)
{
	const struct memory *m = container_of(ref->object, struct memory, obj);

	const struct aspace *as = aspace_of(by);

	if (!cap_still(by))
		return ST_BAD_CAP;
	if (!range_fits(as, r->va, r->count) || !access_fits(as, r->access) ||
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

/* With the tree of the memory held. */
UNCHECKED_LOCKS static status_t map_enter(const struct cap_ref *by, const struct cap_ref *ref,
					  const struct map_request *r, struct mapping *map)
{
	struct aspace *as = aspace_of(by);
	struct memory *m = container_of(ref->object, struct memory, obj);
	uint64_t page = r->page;

	spin_lock(&as->obj.lock);
	spin_lock(&m->obj.lock);
	status_t st = map_check(by, ref, r, &page);
	if (st == ST_OK) {
		map->aspace = as;
		map->memory = m;
		map->base = r->va;
		map->pages = map->settled = r->count;
		map->first = page;
		map->access = (uint8_t)r->access;
		map->allowed = (uint8_t)access_allowed(ref);
		mapping_link(map, false);
		mapping_set_writer(map, r->access & MAP_WRITE);
		cap_hang(ref->object, &ref->slot->node, &map->node);
	}
	spin_unlock(&m->obj.lock);
	spin_unlock(&as->obj.lock);
	return st;
}

UNCHECKED_LOCKS status_t aspace_map(const struct cap_ref *by, const struct cap_ref *memory,
				    const struct map_request *r)
{
	if (!range_ok(r->va, r->count))
		return ST_BAD_ARG;
	struct mapping *map = mapping_alloc(by->object->quota);
	if (map == NULL)
		return ST_NO_MEMORY;
	status_t st = cap_hold(memory);
	if (st == ST_OK) {
		st = map_enter(by, memory, r, map);
		spin_unlock(&memory->object->tree);
	}
	if (st != ST_OK)
		object_discard(&map->obj);
	return st;
}

status_t aspace_unmap(const struct cap_ref *by, vaddr_t va, uint64_t pages)
{
	const struct map_request all = { va, pages, ~0u, 0 };
	struct means means = { .budget = MEMORY_WALK };
	status_t st = ST_LATER;

	if (!range_ok(va, pages))
		return ST_BAD_ARG;
	for (unsigned i = 0; i < ASPACE_BATCH && means.budget > 0 && st == ST_LATER; i++) {
		struct mapping *map;

		st = lock_part(by, &all, &means, &map);
		if (map == NULL)
			continue;
		bool is_all = map->base <= va && map_end(map) >= va + pages * FRAME_SIZE;
		st = mapping_take(map, &means.budget) && is_all ? ST_OK : ST_LATER;
	}
	means_drop(&means);
	return st;
}

/* All that can forbid a change of access to one mapping. */
static status_t protect_allowed(const struct mapping *map, unsigned access)
{
	if (map->dead)
		return ST_BAD_ADDRESS;
	if (access & ~(unsigned)map->allowed)
		return ST_NO_RIGHT;
	if ((access & MAP_WRITE) && map->memory->sealed)
		return ST_BAD_STATE;
	return ST_OK;
}

/* Looks at the first ASPACE_BATCH mappings of the range, before any is changed; *pages is how
 * much of the range they are. */
static status_t protect_check(const struct cap_ref *by, const struct map_request *r,
			      uint64_t *pages)
{
	struct aspace *as = aspace_of(by);
	const vaddr_t end = r->va + r->count * FRAME_SIZE;
	vaddr_t at = r->va;

	spin_lock(&as->obj.lock);
	status_t st = cap_still(by) ? ST_OK : ST_BAD_CAP;
	if (st == ST_OK && !access_fits(as, r->access))
		st = ST_BAD_ARG;
	for (unsigned i = 0; st == ST_OK && at < end && i < ASPACE_BATCH; i++) {
		struct mapping *map = region_in(as, at, 1);

		if (map == NULL) {
			st = ST_BAD_ADDRESS;
			break;
		}
		spin_lock(&map->memory->obj.lock);
		st = protect_allowed(map, r->access);
		spin_unlock(&map->memory->obj.lock);
		at = map_end(map);
	}
	spin_unlock(&as->obj.lock);
	*pages = at < end ? (at - r->va) / FRAME_SIZE : r->count;
	return st;
}

/* Gives the mapping another access; the three locks are held. ST_LATER: its translations do not
 * follow yet. */
static status_t mapping_set_access(struct mapping *map, unsigned access, int *budget)
{
	status_t st = map->access == access ? ST_OK : protect_allowed(map, access);

	if (st != ST_OK)
		return st;
	if (map->access & ~access)
		map->settled = 0;
	map->access = (uint8_t)access;
	if (access & MAP_WRITE)
		mapping_set_writer(map, true);
	if (map->settled < map->pages)
		mapping_settle(map, budget);
	return map->settled < map->pages ? ST_LATER : ST_OK;
}

/* Changes the first mapping in the range, and takes its pages from the front of that. */
UNCHECKED_LOCKS static status_t protect_first(const struct cap_ref *by, struct map_request *r,
					      struct means *s)
{
	const vaddr_t end = r->va + r->count * FRAME_SIZE;
	struct mapping *map;
	status_t st = lock_part(by, r, s, &map);

	if (map == NULL)
		return st == ST_OK ? ST_BAD_ADDRESS : st;
	struct memory *m = map->memory;
	st = mapping_set_access(map, r->access, &s->budget);
	if (st == ST_OK) {
		r->va = end < map_end(map) ? end : map_end(map);
		r->count = (end - r->va) / FRAME_SIZE;
	}
	unlock_three(m, aspace_of(by));
	return st;
}

status_t aspace_protect(const struct cap_ref *by, struct map_request *r)
{
	struct means means = { .budget = MEMORY_WALK };
	uint64_t pages = 0;

	if (!range_ok(r->va, r->count))
		return ST_BAD_ARG;
	status_t st = protect_check(by, r, &pages);
	const uint64_t rest = r->count - pages;
	for (unsigned i = 0; i < ASPACE_BATCH && means.budget > 0 && r->count > rest &&
			     (st == ST_OK || st == ST_LATER);
	     i++)
		st = protect_first(by, r, &means);
	means_drop(&means);
	return st == ST_OK && r->count > 0 ? ST_LATER : st;
}

UNCHECKED_LOCKS status_t aspace_scan(const struct cap_ref *by, vaddr_t va, uint64_t pages,
				     uint8_t *out)
{
	struct aspace *as = aspace_of(by);
	struct pagetable_cut c;

	if (!range_ok(va, pages))
		return ST_BAD_ARG;
	if (pages > SCAN_MAX)
		return ST_TOO_BIG;
	status_t st = cap_ref_lock(by);
	if (st != ST_OK)
		return st;
	bool fits = range_fits(as, va, pages);
	pagetable_cut_init(&c, &as->table, 0);
	for (uint64_t i = 0; fits && i < pages; i++)
		out[i] = pagetable_scan(&as->table, va + i * FRAME_SIZE, &c);
	uint64_t where = pagetable_flush_begin(&as->table);
	spin_unlock(&as->obj.lock);
	pagetable_flush(&c, where);
	return fits ? ST_OK : ST_BAD_ARG;
}

/* ---- faults ---- */

/* Enters the page that a fault is about, as large as mapping and frames allow. */
static status_t fault_enter(const struct mapping *map, vaddr_t va, const struct memory_page *p)
{
	struct aspace *as = map->aspace;
	status_t st = ST_EXISTS;

	for (unsigned level = p->level + 1; level-- > 0 && st == ST_EXISTS;) {
		uint64_t mask = pagetable_span(level) - 1;
		struct pagetable_page e = {
			.va = va & ~mask,
			.pa = p->pa & ~mask,
			.level = level,
			.access = p->keep & (map->access | ARCH_DEVICE),
		};

		if (((va ^ p->pa) & mask) == 0 && e.va >= map->base && e.va + mask < map_end(map))
			st = pagetable_enter(&as->table, as->obj.quota, &e);
	}
	return st;
}

/* The memory of the mapping is locked, so the mapping stays. */
static status_t fault_resolve(const struct mapping *map, vaddr_t va, unsigned access)
{
	uint64_t page = map->first + (va - map->base) / FRAME_SIZE;
	struct memory_page p;

	if (map->dead)
		return ST_BAD_ADDRESS;
	if (access & ~(unsigned)map->access)
		return ST_NO_RIGHT;
	status_t st = memory_look(map->memory, page, access & MAP_WRITE, &p);
	if (st != ST_OK)
		return st;
	return access & ~p.keep ? ST_NO_RIGHT : fault_enter(map, va, &p);
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

/* The half becomes part of the guest's joint root, which nobody loads before the guest is bound
 * to it. */
UNCHECKED_LOCKS static status_t half_join(struct aspace *as, const struct cap_ref *ref)
{
	struct aspace *half = aspace_of(ref);
	status_t st = cap_ref_lock(ref);

	if (st != ST_OK)
		return st;
	st = ST_BAD_ARG;
	if (half->kind == ASPACE_PERSONALITY)
		st = pagetable_join(&as->table, as->obj.quota, &half->table);
	spin_unlock(&half->obj.lock);
	return st;
}

status_t aspace_create(struct quota *q, enum aspace_kind kind, const struct cap_ref *half,
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
		st = half_join(as, half);
	if (st == ST_OK && half != NULL)
		st = cap_bind(half, o, o->gen, BIND_ASPACE_PERSONALITY, &as->half);
	if (st != ST_OK) {
		object_discard(o);
		return st;
	}
	*out = as;
	return ST_OK;
}

/* The half dies, or may be used no more: the guest's threads have no code to come back to. */
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
	if (!cap_unbind(&as->half) || !pagetable_is_flushed(&as->table))
		return false;
	pagetable_free(&as->table, o->quota);
	return true;
}

static bool mapping_close(struct object *o)
{
	(void)o; /* a spare one; those in use go with their aspace */
	return true;
}

const struct object_ops aspace_ops = {
	.name = "aspace",
	.size = ALIGN_UP(sizeof(struct aspace), OBJECT_GRANULE),
	.rank = LOCK_ASPACE,
	.close = aspace_close,
};

const struct object_ops mapping_ops = {
	.name = "mapping",
	.size = ALIGN_UP(sizeof(struct mapping), OBJECT_GRANULE),
	.rank = LOCK_ASPACE,
	.close = mapping_close,
};

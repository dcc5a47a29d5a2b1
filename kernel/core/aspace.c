/* SPDX-License-Identifier: MIT */
#include <core/aspace.h>
#include <core/assert.h>
#include <core/frame.h>
#include <core/quota.h>

#define MAP_ALL         (MAP_READ | MAP_WRITE | MAP_EXEC)
#define MAPPING_BUDGET  64 /* entries of page tables whose work one mapping itself is worth */

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

static unsigned to_arch(unsigned access)
{
	return (access & MAP_READ ? ARCH_READ : 0) | (access & MAP_WRITE ? ARCH_WRITE : 0) |
	       (access & MAP_EXEC ? ARCH_EXEC : 0);
}

/* True if the range consists of whole pages of addresses of this kind of space. */
static bool range_ok(const struct aspace *as, vaddr_t va, uint64_t pages)
{
	vaddr_t low = as->kind == ASPACE_PERSONALITY ? ARCH_PERSONALITY : ASPACE_FIRST;
	vaddr_t high = as->kind == ASPACE_GUEST ? ARCH_PERSONALITY : ARCH_USER_END;

	return pages > 0 && va % FRAME_SIZE == 0 && va >= low && va < high &&
	       pages <= (high - va) / FRAME_SIZE;
}

static status_t access_ok(const struct aspace *as, unsigned access)
{
	if ((access & ~MAP_ALL) || (access != 0 && !(access & MAP_READ)))
		return ST_BAD_ARG;
	if ((access & MAP_WRITE) && (access & MAP_EXEC) && as->kind != ASPACE_GUEST)
		return ST_BAD_ARG;
	return ST_OK;
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

static struct mapping *mapping_alloc(struct quota *q)
{
	struct object *o = object_create(q, OBJ_TYPES);

	return o != NULL ? container_of(o, struct mapping, obj) : NULL;
}

/* Where the range of a mapping stands in the two trees; whoever changes it takes it out and puts it
 * back in. */
static void mapping_link(struct mapping *map)
{
	uint64_t page = map->base / FRAME_SIZE;

	tree_insert(&map->aspace->regions, &map->region, page, page + map->pages - 1);
	memory_map_add(map->memory, map);
	map->aspace->mapped += map->pages;
}

static void mapping_unlink(struct mapping *map)
{
	tree_remove(&map->aspace->regions, &map->region);
	memory_map_remove(map->memory, map);
	map->aspace->mapped -= map->pages;
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

/* Flushes with the three locks let go; nobody else changes or removes the mapping meanwhile.
 * Tables in `list` are freed. */
static void mapping_flush(struct mapping *map, const struct pagetable_cut *c, paddr_t list)
{
	struct memory *m = map->memory;
	struct aspace *as = map->aspace;

	if (c->flush.count == 0)
		return;
	uint64_t where = pagetable_where(&as->table);
	map->busy = true;
	unlock_three(m, as);
	tlb_flush(&c->flush, where);
	pagetable_free_list(as->obj.quota, list);
	lock_three(m, as);
	map->busy = false;
}

/* Makes translations allow no more than the mapping does, some of them. */
static void mapping_settle(struct mapping *map)
{
	struct pagetable_cut c;

	pagetable_cut_init(&c, &map->aspace->table, MEMORY_WALK);
	uint64_t n = mapping_restrict(map, map->settled, to_arch(map->access), &c);
	mapping_flush(map, &c, 0);
	map->settled += n;
	if (map->settled == map->pages && !(map->access & MAP_WRITE))
		mapping_set_writer(map, false);
}

/* Takes the mapping away from its front as far as the budget goes. */
static void mapping_take(struct mapping *map, unsigned *budget)
{
	struct aspace *as = map->aspace;
	struct mapping *before = mapping_of(tree_prev(&map->region));
	struct mapping *after = mapping_of(tree_next(&map->region));
	struct pagetable_cut c;

	map->dead = true;
	pagetable_cut_init(&c, &as->table, *budget);
	uint64_t n = mapping_restrict(map, 0, 0, &c);
	struct pagetable_gap gap = { .from = map->base, .to = map->base + n * FRAME_SIZE };
	gap.low = before != NULL ? map_end(before) : 0;
	gap.high = gap.to;
	if (n == map->pages)
		gap.high = after != NULL ? after->base : UINT64_MAX;
	pagetable_trim(&as->table, &gap, &c);
	mapping_flush(map, &c, gap.list);

	mapping_unlink(map);
	*budget = c.budget > MAPPING_BUDGET ? c.budget - MAPPING_BUDGET : 0;
	if (n < map->pages) {
		map->base += n * FRAME_SIZE;
		map->first += n;
		map->pages -= n;
		mapping_link(map);
		return;
	}
	mapping_set_writer(map, false);
	cap_node_unlink(&map->memory->obj, &map->node);
	object_discard(&map->obj);
}

UNCHECKED_LOCKS void aspace_unmap_mapping(struct mapping *map)
{
	struct aspace *as = map->aspace;
	struct memory *m = map->memory;
	unsigned budget = MEMORY_WALK;

	spin_lock(&as->obj.lock);
	spin_lock(&m->obj.lock);
	if (!map->busy)
		mapping_take(map, &budget);
	spin_unlock(&m->obj.lock);
	spin_unlock(&as->obj.lock);
}

/* ---- cutting mappings ---- */

/* Moves what lies from `at` on into `right`, which is new. */
static void mapping_split(struct mapping *map, vaddr_t at, struct mapping *right)
{
	uint64_t n = (at - map->base) / FRAME_SIZE;

	mapping_unlink(map);
	right->node.kind = CAP_MAPPING;
	right->node.owner = map->node.owner;
	right->aspace = map->aspace;
	right->memory = map->memory;
	right->access = map->access;
	right->allowed = map->allowed;
	right->dead = map->dead;
	right->base = at;
	right->first = map->first + n;
	right->pages = map->pages - n;
	right->settled = right->pages;
	map->pages = n;
	map->settled = n;
	mapping_link(map);
	mapping_link(right);
	mapping_set_writer(right, map->writer);
	cap_node_link(&map->memory->obj, map->node.parent, &right->node);
}

/* True, after a flush, if a large page lay across `at`. */
static bool large_page_cut(struct mapping *map, vaddr_t at)
{
	struct pagetable *t = &map->aspace->table;
	struct pagetable_page page;
	struct pagetable_cut c;

	if (!pagetable_find(t, at, &page) || page.va == at)
		return false;
	pagetable_cut_init(&c, t, 1);
	pagetable_restrict(t, at, 1, 0, &c);
	mapping_flush(map, &c, 0);
	return true;
}

/* Splits a mapping at the ends of [from, to), so that what is in there is *map. ST_LATER:
 * locks were let go, look anew; or somebody else is at it. */
static status_t mapping_isolate(struct mapping **map, vaddr_t from, vaddr_t to)
{
	struct quota *q = (*map)->aspace->obj.quota;
	vaddr_t cut[2] = { from, to };
	struct mapping *right[2] = { NULL, NULL };

	if ((*map)->busy)
		return ST_LATER;
	for (unsigned i = 0; i < 2; i++) {
		if (cut[i] <= (*map)->base || cut[i] >= map_end(*map))
			continue;
		if ((*map)->settled < (*map)->pages) {
			mapping_settle(*map);
			return ST_LATER;
		}
		if (large_page_cut(*map, cut[i]))
			return ST_LATER;
		right[i] = mapping_alloc(q);
		if (right[i] == NULL) {
			if (right[0] != NULL)
				object_discard(&right[0]->obj);
			return ST_NO_MEMORY;
		}
	}
	if (right[1] != NULL)
		mapping_split(*map, to, right[1]);
	if (right[0] != NULL) {
		mapping_split(*map, from, right[0]);
		*map = right[0];
	}
	return ST_OK;
}

/* ---- map, unmap, protect, scan ---- */

/* What a memory capability lets be mapped. */
static unsigned access_allowed(const struct cap_ref *ref)
{
	rights_t rights = token_rights(ref->token);

	return (rights & RIGHT_READ ? MAP_READ : 0) | (rights & RIGHT_WRITE ? MAP_WRITE : 0) |
	       (rights & RIGHT_EXEC ? MAP_EXEC : 0);
}

/* All that can forbid a mapping; the three locks are held. */
static status_t map_check(const struct cap_ref *by, const struct cap_ref *ref,
                          const struct map_request *r, uint64_t *page)
{
	const struct aspace *as = aspace_of(by);
	const struct memory *m = container_of(ref->object, struct memory, obj);

	if (!cap_still(by) || !cap_still(ref))
		return ST_BAD_CAP;
	if (!memory_range(m, ref->badge, page, r->count))
		return ST_BAD_ARG;
	if (r->access & ~access_allowed(ref))
		return ST_NO_RIGHT;
	if (m->kind == MEMORY_DEVICE && (r->access & MAP_EXEC))
		return ST_BAD_ARG;
	if (m->sealed && (r->access & MAP_WRITE))
		return ST_BAD_STATE;
	if (region_in(as, r->va, r->count) != NULL)
		return ST_EXISTS;
	return cap_node_may_derive(&ref->slot->node);
}

status_t aspace_map(const struct cap_ref *by, struct cspace *cs, const struct map_request *r)
{
	struct aspace *as = aspace_of(by);
	struct cap_ref ref;
	uint64_t page = r->page;

	if (!range_ok(as, r->va, r->count))
		return ST_BAD_ARG;
	status_t st = access_ok(as, r->access);
	if (st != ST_OK)
		return st;
	st = cap_find(cs, r->memory, OBJ_MEMORY, RIGHT_MAP, &ref);
	if (st != ST_OK)
		return st;
	struct mapping *map = mapping_alloc(as->obj.quota);
	if (map == NULL)
		return ST_NO_MEMORY;

	struct memory *m = container_of(ref.object, struct memory, obj);
	lock_three(m, as);
	st = map_check(by, &ref, r, &page);
	if (st == ST_OK) {
		map->node.kind = CAP_MAPPING;
		map->node.owner = object_id(&as->obj);
		map->aspace = as;
		map->memory = m;
		map->base = r->va;
		map->pages = map->settled = r->count;
		map->first = page;
		map->access = (uint8_t)r->access;
		map->allowed = (uint8_t)access_allowed(&ref);
		mapping_link(map);
		mapping_set_writer(map, r->access & MAP_WRITE);
		cap_node_link(&m->obj, &ref.slot->node, &map->node);
	}
	unlock_three(m, as);
	if (st != ST_OK)
		object_discard(&map->obj);
	return st;
}

/* Locks the first mapping in the range with its aspace, its memory and the memory's tree:
 * NULL, and nothing locked, if there is none or the capability is gone. */
UNCHECKED_LOCKS static struct mapping *lock_first(const struct cap_ref *by, vaddr_t va, uint64_t pages,
                                  status_t *st)
{
	struct aspace *as = aspace_of(by);

	*st = ST_OK;
	for (;;) {
		struct mapping *map = NULL;

		spin_lock(&as->obj.lock);
		if (!cap_still(by))
			*st = ST_BAD_CAP;
		else
			map = region_in(as, va, pages);
		struct memory *m = map != NULL ? map->memory : NULL;
		spin_unlock(&as->obj.lock);
		if (map == NULL)
			return NULL;

		/* Neither the mapping nor its memory need exist any more; but the locks do. */
		lock_three(m, as);
		if (cap_still(by) && region_in(as, va, pages) == map && map->memory == m)
			return map;
		unlock_three(m, as);
	}
}

status_t aspace_unmap(const struct cap_ref *by, vaddr_t va, uint64_t pages)
{
	struct aspace *as = aspace_of(by);
	unsigned budget = MEMORY_WALK;

	if (!range_ok(as, va, pages))
		return ST_BAD_ARG;
	while (budget > 0) {
		status_t st;
		struct mapping *map = lock_first(by, va, pages, &st);

		if (map == NULL)
			return st;
		struct memory *m = map->memory;
		st = mapping_isolate(&map, va, va + pages * FRAME_SIZE);
		if (st == ST_OK)
			mapping_take(map, &budget);
		unlock_three(m, as);
		if (st != ST_OK)
			return st;
	}
	return ST_LATER;
}

/* All that can forbid a change of access, for the first ASPACE_BATCH mappings; *pages becomes the
 * number of pages that they have of the range. */
static status_t protect_check(const struct cap_ref *by, const struct protect_request *r, uint64_t *pages)
{
	struct aspace *as = aspace_of(by);
	const vaddr_t end = r->va + r->pages * FRAME_SIZE;
	vaddr_t at = r->va;
	status_t st = ST_OK;

	spin_lock(&as->obj.lock);
	if (!cap_still(by))
		st = ST_BAD_CAP;
	for (unsigned i = 0; st == ST_OK && at < end && i < ASPACE_BATCH; i++) {
		const struct mapping *map = region_in(as, at, 1);

		if (map == NULL || map->dead) {
			st = ST_BAD_ADDRESS;
			break;
		}
		spin_lock(&map->memory->obj.lock);
		if (r->access & ~(unsigned)map->allowed)
			st = ST_NO_RIGHT;
		else if ((r->access & MAP_WRITE) && map->memory->sealed)
			st = ST_BAD_STATE;
		spin_unlock(&map->memory->obj.lock);
		at = map_end(map);
	}
	spin_unlock(&as->obj.lock);
	*pages = at < end ? (at - r->va) / FRAME_SIZE : r->pages;
	return st;
}

/* Changes the mapping at `va`, up to `end`; *done are its pages there. The three locks are held. */
static status_t protect_mapping(struct mapping *map, vaddr_t va, vaddr_t end, unsigned access,
                                uint64_t *done)
{
	if (map->base > va || map->dead)
		return ST_BAD_ADDRESS;
	if (map->access != access) {
		if (map->busy)
			return ST_LATER;
		if ((access & ~(unsigned)map->allowed))
			return ST_NO_RIGHT;
		if ((access & MAP_WRITE) && map->memory->sealed)
			return ST_BAD_STATE;
		status_t st = mapping_isolate(&map, va, end);
		if (st != ST_OK)
			return st;
		if (map->access & ~access)
			map->settled = 0;
		map->access = (uint8_t)access;
		if (access & MAP_WRITE)
			mapping_set_writer(map, true);
	}
	if (map->busy)
		return ST_LATER;
	if (map->settled < map->pages)
		mapping_settle(map);
	if (map->settled < map->pages)
		return ST_LATER;
	*done = ((end < map_end(map) ? end : map_end(map)) - va) / FRAME_SIZE;
	return ST_OK;
}

status_t aspace_protect(const struct cap_ref *by, const struct protect_request *r, uint64_t *done)
{
	struct aspace *as = aspace_of(by);
	uint64_t pages;

	*done = 0;
	if (!range_ok(as, r->va, r->pages))
		return ST_BAD_ARG;
	status_t st = access_ok(as, r->access);
	if (st == ST_OK)
		st = protect_check(by, r, &pages);
	while (st == ST_OK && *done < pages) {
		vaddr_t at = r->va + *done * FRAME_SIZE;
		uint64_t n = 0;
		struct mapping *map = lock_first(by, at, pages - *done, &st);

		if (map == NULL)
			return st != ST_OK ? st : ST_BAD_ADDRESS;
		struct memory *m = map->memory;
		st = protect_mapping(map, at, r->va + pages * FRAME_SIZE, r->access, &n);
		unlock_three(m, as);
		*done += n;
	}
	if (st == ST_OK && *done < r->pages)
		st = ST_LATER;
	return st;
}

status_t aspace_scan(const struct cap_ref *by, vaddr_t va, uint64_t pages, uint8_t *out)
{
	struct aspace *as = aspace_of(by);
	struct pagetable_cut c;

	if (!range_ok(as, va, pages))
		return ST_BAD_ARG;
	if (pages > ASPACE_BATCH)
		return ST_TOO_BIG;
	pagetable_cut_init(&c, &as->table, 0);
	spin_lock(&as->obj.lock);
	bool still = cap_still(by);
	for (uint64_t i = 0; still && i < pages; i++)
		out[i] = pagetable_scan(&as->table, va + i * FRAME_SIZE, &c);
	uint64_t where = still ? pagetable_where(&as->table) : 0;
	spin_unlock(&as->obj.lock);
	if (!still)
		return ST_BAD_CAP;
	tlb_flush(&c.flush, where);
	return ST_OK;
}

/* ---- faults ---- */

/* Enters the page that a fault is about, as large as mapping and frames allow. */
static status_t fault_enter(struct aspace *as, const struct mapping *map, vaddr_t va,
                            const struct memory_page *p)
{
	uint64_t page = map->first + (va - map->base) / FRAME_SIZE;
	status_t st = ST_EXISTS;

	for (unsigned level = p->level + 1; level-- > 0 && st == ST_EXISTS;) {
		uint64_t mask = pagetable_span(level) - 1;
		struct pagetable_page e = {
			.va = va & ~mask,
			.pa = p->pa & ~mask,
			.level = level,
			.access = p->keep & (to_arch(map->access) | ARCH_DEVICE),
		};
		bool fits = ((va / FRAME_SIZE - page) & mask / FRAME_SIZE) == 0 && e.va >= map->base &&
		            e.va + mask < map_end(map);

		if (fits)
			st = pagetable_enter(&as->table, as->obj.quota, &e);
	}
	return st;
}

/* ST_WOULD_BLOCK: let go of the aspace, keep *memory, which is locked, and prepare *page. */
UNCHECKED_LOCKS static status_t fault_look(struct aspace *as, vaddr_t va, unsigned access,
                                           struct memory **memory, uint64_t *page)
{
	struct mapping *map = region_in(as, va, 1);
	struct memory_page p;

	*memory = NULL;
	if (!(as->obj.flags & OBJECT_LIVE) || map == NULL || map->dead)
		return ST_BAD_ADDRESS;
	if (access & ~(unsigned)map->access)
		return ST_NO_RIGHT;
	*memory = map->memory;
	*page = map->first + (va - map->base) / FRAME_SIZE;
	spin_lock(&(*memory)->obj.lock);
	status_t st = memory_look(*memory, *page, access & MAP_WRITE, &p);
	if (st == ST_OK && (to_arch(access) & ~p.keep))
		st = ST_NO_RIGHT;
	if (st == ST_OK)
		st = fault_enter(as, map, va, &p);
	return st;
}

UNCHECKED_LOCKS status_t aspace_fault(struct aspace *as, vaddr_t va, unsigned access)
{
	status_t st = ST_WOULD_BLOCK;

	va = ALIGN_DOWN(va, FRAME_SIZE);
	access |= MAP_READ;
	for (unsigned tries = 0; tries < 2 && st == ST_WOULD_BLOCK; tries++) {
		struct memory *m;
		uint64_t page;

		spin_lock(&as->obj.lock);
		st = fault_look(as, va, access, &m, &page);
		spin_unlock(&as->obj.lock);
		if (m == NULL)
			return st;
		if (st == ST_WOULD_BLOCK) {
			status_t prepared = memory_prepare(m, page, access & MAP_WRITE);
			if (prepared != ST_OK)
				st = prepared;
		}
		spin_unlock(&m->obj.lock);
	}
	/* Whatever has to come first, or was in the way, shows itself when the access is
	 * tried again. */
	return st == ST_LATER || st == ST_WOULD_BLOCK || st == ST_BAD_CAP ? ST_OK : st;
}

/* ---- life ---- */

/* The half that the binding names becomes part of the guest's joint root. */
static status_t join_half(struct aspace *as)
{
	struct object *o = cap_binding_lock(&as->personality);

	if (o == NULL)
		return ST_BAD_CAP;
	struct aspace *half = container_of(o, struct aspace, obj);
	status_t st = ST_BAD_ARG;
	if (half->kind == ASPACE_PERSONALITY)
		st = pagetable_join(&as->table, as->obj.quota, &half->table);
	spin_unlock(&o->lock);
	return st;
}

status_t aspace_create(struct quota *q, enum aspace_kind kind, struct cspace *cs, cap_t personality,
                       struct aspace **out)
{
	if (kind > ASPACE_GUEST || (kind == ASPACE_GUEST) != (personality != CAP_NONE))
		return ST_BAD_ARG;
	struct object *o = object_create(q, OBJ_ASPACE);
	if (o == NULL)
		return ST_NO_MEMORY;
	struct aspace *as = container_of(o, struct aspace, obj);
	as->kind = (uint8_t)kind;
	status_t st = pagetable_init(&as->table, q, object_id(o), kind == ASPACE_PERSONALITY);
	if (st != ST_OK)
		goto discard;
	if (kind == ASPACE_GUEST) {
		st = cap_bind(cs, personality, OBJ_ASPACE, RIGHT_MANAGE, o, BIND_ASPACE_PERSONALITY,
		              &as->personality);
		if (st != ST_OK)
			goto free_table;
		st = join_half(as);
		if (st != ST_OK)
			goto unbind;
	}
	*out = as;
	return ST_OK;

unbind:
	cap_unbind(&as->personality);
free_table:
	pagetable_free(&as->table, q);
discard:
	object_discard(o);
	return st;
}

UNCHECKED_LOCKS bool aspace_cut_personality(struct cap_slot *binding)
{
	struct aspace *as = container_of(binding, struct aspace, personality);
	struct aspace *half = NULL;
	struct pagetable_cut c;

	spin_lock(&as->obj.lock);
	if (as->table.half != NULL && !as->cutting)
		half = container_of(as->table.half, struct aspace, table);
	bool done = as->table.half == NULL;
	if (half == NULL) {
		spin_unlock(&as->obj.lock);
		return done;
	}
	as->cutting = true;
	pagetable_cut_init(&c, &as->table, 0);
	pagetable_cut_half(&as->table, &c);
	uint64_t where = pagetable_where(&as->table);
	spin_unlock(&as->obj.lock);
	spin_unlock(&half->obj.tree);
	tlb_flush(&c.flush, where);
	spin_lock(&as->obj.lock);
	as->table.half = NULL;
	as->cutting = false;
	spin_unlock(&as->obj.lock);
	spin_lock(&half->obj.tree);
	return false;
}

/* Takes some of the first mapping away; false if there is none. */
UNCHECKED_LOCKS static bool unmap_some(struct aspace *as)
{
	spin_lock(&as->obj.lock);
	struct mapping *map = mapping_of(tree_first(&as->regions));
	struct memory *m = map != NULL ? map->memory : NULL;
	spin_unlock(&as->obj.lock);
	if (map == NULL)
		return false;
	spin_lock(&m->obj.tree);
	spin_lock(&as->obj.lock);
	bool same = mapping_of(tree_first(&as->regions)) == map && map->memory == m;
	spin_unlock(&as->obj.lock);
	if (same)
		aspace_unmap_mapping(map); /* its node keeps it while the tree is locked */
	spin_unlock(&m->obj.tree);
	return true;
}

static bool aspace_close(struct object *o)
{
	struct aspace *as = container_of(o, struct aspace, obj);

	if (unmap_some(as))
		return false;
	spin_lock(&o->lock);
	bool wait = as->cutting;
	spin_unlock(&o->lock);
	if (wait)
		return false;
	pagetable_retire(&as->table);
	if (as->kind == ASPACE_GUEST)
		cap_unbind(&as->personality);
	pagetable_free(&as->table, o->quota);
	return true;
}

static bool mapping_close(struct object *o)
{
	(void)o; /* goes with its aspace, whose quota pays for it */
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

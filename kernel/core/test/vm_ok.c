/* SPDX-License-Identifier: MIT */
/* What core/memory.h and core/aspace.h promise about every object, from outside. */
#include "tree_ok.h"
#include "vm.h"
#include <string.h>

static bool has_slots(const struct memory *m)
{
	return m->kind == MEMORY_ANON || m->kind == MEMORY_VIEW;
}

/* The slot of `page`; where there is none, *skip pages have none. */
static uint64_t slot_of(const struct memory *m, uint64_t page, uint64_t *skip)
{
	const _Atomic uint64_t *entry = &m->slot[m->levels == 0 ? page : 0];

	*skip = 1;
	for (unsigned level = m->levels; level > 0; level--) {
		if (*entry == 0) {
			*skip = (1ull << (9 * level)) - (page & ((1ull << (9 * level)) - 1));
			return 0;
		}
		entry = (const _Atomic uint64_t *)arch_phys_to_virt(*entry) +
			(page >> (9 * (level - 1)) & 511);
	}
	return *entry;
}

static bool is_alone(uint64_t slot)
{
	return slot / MEMORY_SLOT_PIN > 0 ||
	       (uint32_t)frame_of(slot & MEMORY_SLOT_FRAME)->uses == 1;
}

/* The books of one slot. */
static bool slot_ok(const struct memory *m, uint64_t page, uint64_t slot)
{
	uint64_t held = 0;

	if (!(slot & MEMORY_SLOT_HERE))
		return (slot & ~MEMORY_SLOT_RO) == 0;
	const struct frame *f = frame_of(slot & MEMORY_SLOT_FRAME);
	struct tree_node *n = tree_overlap(&m->holds, page, page);
	uint32_t all = (uint32_t)f->uses, payers = (uint32_t)(f->uses >> 32);

	for (; n != NULL; n = tree_overlap_next(n, page, page))
		held++;
	if (f->state != FRAME_USED || all == 0 || payers > all)
		return false;
	if ((slot & MEMORY_SLOT_PAYER) &&
	    (payers == 0 || f->payer != object_id(&m->obj.quota->obj)))
		return false;
	return slot / MEMORY_SLOT_PIN == 0 ||
	       (!m->sealed && !(slot & MEMORY_SLOT_RO) && all == 1 + held);
}

/* What may be mapped where there is no slot: the sealed object's frame, or one of zeros
 * that no slot names. */
static bool backing_ok(const struct memory *m, uint64_t page, paddr_t pa)
{
	static const char zeros[PAGE];
	uint64_t skip, slot = 0;

	if (!m->lent || m->cut)
		return false;
	if (m->kind == MEMORY_VIEW && m->source->kind == MEMORY_BLOCK)
		return pa == m->source->base + (m->first + page) * PAGE;
	if (m->kind == MEMORY_VIEW)
		slot = slot_of(m->source, m->first + page, &skip);
	if (slot & MEMORY_SLOT_HERE)
		return pa == (slot & MEMORY_SLOT_FRAME);
	return frame_of(pa)->uses == 0 && memcmp(arch_phys_to_virt(pa), zeros, PAGE) == 0;
}

/* A translation shows what the page holds, and allows writing only to whom it belongs. */
static bool translation_ok(const struct memory *m, const struct mapping *map, uint64_t page)
{
	vaddr_t va = map->base + (page - map->first) * PAGE;
	uint64_t skip, slot = has_slots(m) ? slot_of(m, page, &skip) : 0;
	struct pagetable_page e;

	if (!pagetable_find(&map->aspace->table, va, &e))
		return true;
	paddr_t pa = e.pa + (va - e.va);
	bool may_write = map->writer && !m->sealed;
	if (!has_slots(m))
		return pa == m->base + page * PAGE && (may_write || !(e.access & ARCH_WRITE));
	if (!(slot & MEMORY_SLOT_HERE))
		return backing_ok(m, page, pa) && !(e.access & ARCH_WRITE);
	may_write = may_write && !(slot & MEMORY_SLOT_RO) && is_alone(slot);
	return pa == (slot & MEMORY_SLOT_FRAME) && (may_write || !(e.access & ARCH_WRITE));
}

static bool mappings_ok(const struct memory *m, uint64_t *writers)
{
	if (!tree_ok(&m->mappings))
		return false;
	for (struct tree_node *n = tree_first(&m->mappings); n != NULL; n = tree_next(n)) {
		const struct mapping *map = container_of(n, struct mapping, pagewise);

		if (map->memory != m || map->first + map->pages > m->pages)
			return false;
		for (uint64_t i = 0; i < map->pages && m->transit.count == 0; i++) {
			if (!translation_ok(m, map, map->first + i))
				return false;
		}
		*writers += map->writer;
	}
	return true;
}

uint64_t vm_committed(const struct memory *m)
{
	uint64_t count = 0, skip;

	for (uint64_t page = 0; has_slots(m) && page < m->pages; page += skip)
		count += slot_of(m, page, &skip) & MEMORY_SLOT_HERE;
	return count;
}

uint64_t vm_pins(const struct memory *m)
{
	uint64_t pins = m->writers;

	for (struct tree_node *n = tree_first(&m->mappings); n != NULL; n = tree_next(n))
		pins -= container_of(n, struct mapping, pagewise)->writer;
	return pins;
}

bool memory_ok(struct memory *m)
{
	uint64_t pins = 0, writers = 0, skip;

	for (uint64_t page = 0; has_slots(m) && page < m->pages; page += skip) {
		uint64_t slot = slot_of(m, page, &skip);

		if (!slot_ok(m, page, slot))
			return false;
		pins += slot / MEMORY_SLOT_PIN;
	}
	return mappings_ok(m, &writers) && writers <= m->writers &&
	       (!has_slots(m) || m->writers == writers + pins) && !(m->sealed && m->writers > 0);
}

static bool mapping_ok(const struct aspace *as, const struct mapping *map)
{
	bool code = (map->access & MAP_WRITE) && (map->access & MAP_EXEC);

	return map->aspace == as && map->pages > 0 && map->settled <= map->pages &&
	       map->region.key == map->base / PAGE && map->pagewise.key == map->first &&
	       map->region.last == map->region.key + map->pages - 1 && map->pagewise.linked &&
	       map->pagewise.last == map->first + map->pages - 1 &&
	       !(map->access & ~map->allowed) && (!code || as->kind == ASPACE_GUEST) &&
	       (map->writer || !(map->access & MAP_WRITE));
}

bool aspace_ok(struct aspace *as)
{
	vaddr_t end = as->kind == ASPACE_PERSONALITY ? ARCH_PERSONALITY : ASPACE_FIRST;

	if (!tree_ok(&as->regions))
		return false;
	for (struct tree_node *n = tree_first(&as->regions); n != NULL; n = tree_next(n)) {
		const struct mapping *map = container_of(n, struct mapping, region);

		if (!mapping_ok(as, map) || map->base < end)
			return false;
		end = map->base + map->pages * PAGE;
	}
	return end <= ARCH_USER_END;
}

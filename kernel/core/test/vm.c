/* SPDX-License-Identifier: MIT */
#include "vm.h"
#include <core/dma.h>
#include <core/assert.h>
#include <core/boot.h>
#include <pte.h>
#include <stdlib.h>

_Thread_local status_t vm_status;

void vm_boot(void)
{
	world_boot(0, 0);
	memory_init();
}

/* ---- objects ---- */

static cap_t keep(struct object *o)
{
	cap_t handle;

	vm_status = cap_insert(home, o, RIGHTS_ALL, 0, &handle);
	if (vm_status == ST_OK)
		return handle;
	object_discard(o);
	return CAP_NONE;
}

cap_t vm_memory(struct quota *q, uint64_t pages, enum memory_kind kind)
{
	struct memory *m;

	vm_status = memory_create(q, pages, kind == MEMORY_BLOCK ? MEMORY_CONTIGUOUS : 0, &m);
	return vm_status == ST_OK ? keep(&m->obj) : CAP_NONE;
}

cap_t vm_view(struct quota *q, cap_t sealed)
{
	struct cap_ref ref;
	struct memory *m;

	vm_status = cap_find(home, sealed, OBJ_MEMORY, RIGHT_MAP | RIGHT_READ, &ref);
	if (vm_status == ST_OK)
		vm_status = memory_create_view(q, &ref, &m);
	return vm_status == ST_OK ? keep(&m->obj) : CAP_NONE;
}

cap_t vm_aspace(struct quota *q, enum aspace_kind kind, cap_t half)
{
	struct cap_ref ref;
	struct aspace *as;

	vm_status = ST_OK;
	if (half != CAP_NONE)
		vm_status = cap_find(home, half, OBJ_ASPACE, RIGHT_MANAGE, &ref);
	if (vm_status == ST_OK)
		vm_status = aspace_create(q, kind, half != CAP_NONE ? &ref : NULL, &as);
	return vm_status == ST_OK ? keep(&as->obj) : CAP_NONE;
}

struct memory *vm_object(cap_t memory)
{
	struct cap_ref ref;

	if (cap_find(home, memory, OBJ_MEMORY, 0, &ref) != ST_OK)
		abort();
	return container_of(ref.object, struct memory, obj);
}

struct aspace *vm_space(cap_t aspace)
{
	struct cap_ref ref;

	if (cap_find(home, aspace, OBJ_ASPACE, 0, &ref) != ST_OK)
		abort();
	return container_of(ref.object, struct aspace, obj);
}

/* ---- address spaces ---- */

status_t vm_map_at(cap_t aspace, cap_t memory, const struct map_request *r)
{
	struct cap_ref by, ref;
	status_t st = cap_find(home, aspace, OBJ_ASPACE, RIGHT_MANAGE, &by);

	if (st == ST_OK)
		st = cap_find(home, memory, OBJ_MEMORY, RIGHT_MAP, &ref);
	return st == ST_OK ? aspace_map(&by, &ref, r) : st;
}

status_t vm_map(cap_t aspace, cap_t memory, vaddr_t va, uint64_t count, unsigned access)
{
	struct map_request r = { .va = va, .page = 0, .count = count, .access = access };

	return vm_map_at(aspace, memory, &r);
}

status_t vm_unmap(cap_t aspace, vaddr_t va, uint64_t pages)
{
	status_t st;

	do {
		struct cap_ref by;

		st = cap_find(home, aspace, OBJ_ASPACE, RIGHT_MANAGE, &by);
		if (st == ST_OK)
			st = aspace_unmap(&by, va, pages);
		host_user_mode();
	} while (st == ST_LATER);
	return st;
}

status_t vm_protect(cap_t aspace, vaddr_t va, uint64_t pages, unsigned access)
{
	struct map_request r = { va, pages, access, 0 };
	status_t st;

	do {
		struct cap_ref by;

		st = cap_find(home, aspace, OBJ_ASPACE, RIGHT_MANAGE, &by);
		if (st == ST_OK)
			st = aspace_protect(&by, &r);
		host_user_mode();
	} while (st == ST_LATER);
	return st;
}

status_t vm_scan(cap_t aspace, vaddr_t va, uint64_t pages, uint8_t *out)
{
	struct cap_ref by;
	status_t st = cap_find(home, aspace, OBJ_ASPACE, RIGHT_MANAGE, &by);

	return st == ST_OK ? aspace_scan(&by, va, pages, out) : st;
}

/* ---- memory ---- */

/* Repeats `call`, an expression with the locked `ref`, until it says something else than
 * ST_LATER; `more` comes after each. */
#define LOCKED(memory, call, more)                                                                 \
	do {                                                                                       \
		struct cap_ref ref;                                                                \
		st = ref_lock(home, memory, OBJ_MEMORY, 0, &ref);                                  \
		if (st != ST_OK)                                                                   \
			return st;                                                                 \
		struct memory *m = container_of(ref.object, struct memory, obj);                   \
		(void)m;                                                                           \
		st = (call);                                                                       \
		spin_unlock(&ref.object->lock);                                                    \
		more;                                                                              \
		host_user_mode();                                                                  \
	} while (st == ST_LATER)

status_t vm_commit(cap_t memory, uint64_t page, uint64_t count)
{
	uint64_t done = 0;
	status_t st;

	LOCKED(memory, memory_commit(m, page, count, &done), (page += done, count -= done));
	return st;
}

status_t vm_decommit(cap_t memory, uint64_t page, uint64_t count)
{
	uint64_t done = 0;
	status_t st;

	LOCKED(memory, memory_decommit(&ref, page, count, &done), (page += done, count -= done));
	return st;
}

status_t vm_seal(cap_t memory)
{
	status_t st;

	LOCKED(memory, memory_seal(m), );
	return st;
}

status_t vm_pin(cap_t memory, uint64_t page, paddr_t *pa)
{
	status_t st;

	LOCKED(memory, memory_pin(m, page, pa), );
	return st;
}

void vm_unpin(cap_t memory, uint64_t page)
{
	struct memory *m = vm_object(memory);

	spin_lock(&m->obj.lock);
	memory_unpin(m, page);
	spin_unlock(&m->obj.lock);
}

status_t vm_copy_in(cap_t memory, uint64_t offset, uint64_t value)
{
	status_t st;

	LOCKED(memory, memory_copy(m, offset, &value, sizeof(value), false), );
	return st;
}

status_t vm_copy_out(cap_t memory, uint64_t offset, uint64_t *value)
{
	status_t st;

	LOCKED(memory, memory_copy(m, offset, value, sizeof(*value), true), );
	return st;
}

static status_t share_once(const struct vm_share *s, uint64_t *done)
{
	struct cap_ref to, from;
	status_t st = cap_find(home, s->to, OBJ_MEMORY, RIGHT_WRITE, &to);

	*done = 0;
	if (st == ST_OK)
		st = cap_find(home, s->from, OBJ_MEMORY, RIGHT_MAP, &from);
	if (st != ST_OK)
		return st;
	const struct memory_share share = {
		&to, &from, s->to_page, s->from_page, s->count, s->read_only,
	};
	return memory_share(&share, done);
}

status_t vm_share(const struct vm_share *s, uint64_t *done)
{
	struct vm_share left = *s;
	uint64_t n;
	status_t st;

	*done = 0;
	do {
		st = share_once(&left, &n);
		*done += n;
		left.to_page += n;
		left.from_page += n;
		left.count -= n;
		host_user_mode();
	} while (st == ST_LATER);
	return st;
}

/* ---- the user ---- */

status_t vm_touch(struct aspace *as, vaddr_t va, unsigned access, paddr_t *pa)
{
	enum pagetable_which own = as->kind == ASPACE_GUEST ? ROOT_GUEST : ROOT_MAIN;

	vm_switch(as, own);
	while (!host_user_access(va, access | MAP_READ, pa)) {
		status_t st = aspace_fault(as, va, access);

		if (st != ST_OK)
			return st;
		host_user_mode();
		vm_switch(as, own);
	}
	return ST_OK;
}

status_t vm_write(struct aspace *as, vaddr_t va, uint64_t value)
{
	paddr_t pa;
	status_t st = vm_touch(as, va, MAP_WRITE, &pa);

	if (st == ST_OK)
		*(volatile uint64_t *)arch_phys_to_virt(pa) = value;
	return st;
}

status_t vm_read(struct aspace *as, vaddr_t va, uint64_t *value)
{
	paddr_t pa;
	status_t st = vm_touch(as, va, MAP_READ, &pa);

	if (st == ST_OK)
		*value = *(volatile uint64_t *)arch_phys_to_virt(pa);
	return st;
}

/* ---- checks ---- */

bool vm_memory_ok(cap_t memory)
{
	struct memory *m = vm_object(memory);

	spin_lock(&m->obj.lock);
	bool ok = memory_ok(m);
	spin_unlock(&m->obj.lock);
	return ok;
}

bool vm_aspace_ok(cap_t aspace)
{
	struct aspace *as = vm_space(aspace);

	spin_lock(&as->obj.lock);
	bool ok = aspace_ok(as);
	spin_unlock(&as->obj.lock);
	return ok;
}

/* Nodes below an entry, itself included, and slots that pay for themselves. */
static uint64_t frames_below(const _Atomic uint64_t *entry, unsigned level)
{
	uint64_t value = *entry;
	uint64_t count = 1;

	if (level == 0)
		return (value & MEMORY_SLOT_HERE) && !(value & MEMORY_SLOT_PAYER);
	if (value == 0)
		return 0;
	const _Atomic uint64_t *node = arch_phys_to_virt(value);
	for (unsigned i = 0; i < 512; i++)
		count += frames_below(&node[i], level - 1);
	return count;
}

uint64_t vm_memory_frames(struct memory *m)
{
	uint64_t count = 0;

	if (m->kind == MEMORY_BLOCK)
		return 1ull << frame_of(m->base)->order;
	if (m->kind == MEMORY_DEVICE)
		return 0;
	for (unsigned i = 0; i < (m->levels > 0 ? 1 : MEMORY_FEW); i++)
		count += frames_below(&m->slot[i], m->levels);
	return count;
}

static uint64_t tables_below(paddr_t table, unsigned level)
{
	const _Atomic uint64_t *e = arch_phys_to_virt(table);
	uint64_t count = 1;

	for (unsigned i = 0; level > 0 && i < 512; i++) {
		uint64_t value = e[i];
		if (pte_is_present(value) && !pte_is_page(value, level))
			count += tables_below(pte_address(value), level - 1);
	}
	return count;
}

uint64_t vm_table_frames(struct aspace *as)
{
	uint64_t count = tables_below(as->table.top, as->table.level);

	return count + (as->kind == ASPACE_PERSONALITY) + (as->table.root[ROOT_GUEST].pa != 0);
}

uint64_t vm_payer_frames(const struct quota *q)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *r = &boot_info.range[i];
		for (paddr_t pa = r->base; pa < r->base + r->size; pa += PAGE) {
			if (frame_exists(pa) && frame_of(pa)->state == FRAME_USED &&
			    frame_of(pa)->payer == object_id(&q->obj) &&
			    frame_of(pa)->uses >> 32 > 0)
				count += 1ull << frame_of(pa)->order;
		}
	}
	return count;
}

uint64_t vm_dma_frames(struct object *o)
{
	const struct dma *d = container_of(o, struct dma, obj);
	uint64_t count = 0;

	for (struct tree_node *n = tree_first(&d->mappings); n != NULL; n = tree_next(n)) {
		uint64_t frame = container_of(n, struct dma_mapping, node)->hold.frame;
		if (!(frame & MEMORY_SLOT_PAYER))
			count += 1ull << frame_of(frame & MEMORY_SLOT_FRAME)->order;
	}
	return count;
}

uint64_t vm_mapped(const struct aspace *as)
{
	uint64_t pages = 0;

	for (struct tree_node *n = tree_first(&as->regions); n != NULL; n = tree_next(n))
		pages += container_of(n, struct mapping, region)->pages;
	return pages;
}

struct tlb_check {
	struct aspace *as;
	bool ok;
};

static void check_translation(const struct host_translation *t, void *with)
{
	struct tlb_check *c = with;
	struct pagetable_page e;
	unsigned which = t->tag == c->as->table.root[ROOT_MAIN].tag ? ROOT_MAIN : ROOT_GUEST;
	bool is_joint = which == ROOT_MAIN && c->as->table.root[ROOT_GUEST].pa != 0;

	if (t->tag != c->as->table.root[which].tag)
		return;
	struct pagetable *table = &c->as->table;
	if (is_joint && t->va >= ARCH_PERSONALITY)
		return; /* see vm_half_ok */
	if (!pagetable_find(table, t->va, &e) || e.pa + (t->va - e.va) != t->pa ||
	    (t->access & ~e.access))
		c->ok = false;
}

bool vm_tlb_ok(struct aspace *as)
{
	struct tlb_check c = { as, true };

	host_user_translations(check_translation, &c);
	return c.ok;
}

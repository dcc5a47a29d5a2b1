/* SPDX-License-Identifier: MIT */
#include <core/pagetable.h>
#include <core/assert.h>
#include <core/cpu.h>
#include <core/frame.h>
#include <core/quota.h>
#include <pte.h>

#define TOP_LEVEL 3
#define ENTRIES   512

typedef _Atomic uint64_t pte_t;

static pte_t *table_at(paddr_t pa)
{
	return arch_phys_to_virt(pa);
}

static uint64_t load(const pte_t *e)
{
	return atomic_load_explicit(e, memory_order_acquire);
}

static unsigned index_at(vaddr_t va, unsigned level)
{
	return (unsigned)(va / pagetable_span(level)) % ENTRIES;
}

static bool is_table(uint64_t e, unsigned level)
{
	return level > 0 && pte_is_present(e) && !pte_is_page(e, level);
}

/* ---- life ---- */

static status_t root_alloc(struct quota *q, paddr_t *out)
{
	if (!quota_frame_alloc(q, out))
		return ST_NO_MEMORY;
	arch_root_init(*out);
	return ST_OK;
}

status_t pagetable_init(struct pagetable *t, struct quota *q, uint32_t tag, bool is_half)
{
	paddr_t top;

	*t = (struct pagetable){ .level = TOP_LEVEL, .is_half = is_half };
	status_t st = root_alloc(q, &t->root[ROOT_OWN].pa);
	if (st != ST_OK)
		return st;
	t->root[ROOT_OWN].tag = tag;
	t->top = t->root[ROOT_OWN].pa;
	if (!is_half)
		return ST_OK;

	if (!quota_frame_alloc(q, &top)) {
		quota_frame_free(q, t->top);
		*t = (struct pagetable){ 0 };
		return ST_NO_MEMORY;
	}
	table_at(t->top)[index_at(ARCH_PERSONALITY, TOP_LEVEL)] = pte_table(top);
	t->top = top;
	t->level = TOP_LEVEL - 1;
	return ST_OK;
}

status_t pagetable_join(struct pagetable *t, struct quota *q, struct pagetable *half)
{
	struct pagetable_root *joint = &t->root[ROOT_JOINT];

	ASSERT(half->is_half && !t->is_half);
	status_t st = root_alloc(q, &joint->pa);
	if (st != ST_OK)
		return st;
	joint->tag = t->root[ROOT_OWN].tag + 1;
	table_at(joint->pa)[index_at(ARCH_PERSONALITY, TOP_LEVEL)] = pte_table(half->top);
	atomic_store(&t->half, half);
	return ST_OK;
}

void pagetable_cut_half(struct pagetable *t, struct pagetable_cut *c)
{
	atomic_store(&table_at(t->root[ROOT_JOINT].pa)[index_at(ARCH_PERSONALITY, TOP_LEVEL)], 0);
	atomic_store(&t->half, NULL);
	c->flush.count = TLB_RANGES + 1;
}

void pagetable_free(struct pagetable *t, struct quota *q)
{
	if (t->is_half)
		quota_frame_free(q, t->top);
	for (unsigned i = 0; i < ROOTS; i++) {
		if (t->root[i].pa != 0)
			quota_frame_free(q, t->root[i].pa);
	}
}

/* ---- entries ---- */

/* The entry for `va` at the lowest level that there is: of level 0, or one that is absent
 * or a large page. */
static pte_t *entry_find(const struct pagetable *t, vaddr_t va, unsigned *level)
{
	pte_t *table = table_at(t->top);

	for (unsigned at = t->level;; at--) {
		pte_t *e = &table[index_at(va, at)];
		uint64_t value = load(e);

		if (!is_table(value, at)) {
			*level = at;
			return e;
		}
		table = table_at(pte_address(value));
	}
}

/* Puts a table's entry, or 0, into a table of `level`; the joint root follows. */
static void set_table(struct pagetable *t, pte_t *e, vaddr_t va, unsigned level, uint64_t value)
{
	atomic_store_explicit(e, value, memory_order_release);
	if (level == TOP_LEVEL && t->root[ROOT_JOINT].pa != 0)
		atomic_store_explicit(&table_at(t->root[ROOT_JOINT].pa)[index_at(va, level)],
				      value == 0 ? 0 : pte_forbid_exec(value),
				      memory_order_release);
}

status_t pagetable_enter(struct pagetable *t, struct quota *q, const struct pagetable_page *page)
{
	unsigned level;
	pte_t *e;

	for (;;) {
		paddr_t table;

		e = entry_find(t, page->va, &level);
		if (level <= page->level)
			break;
		ASSERT(!pte_is_present(load(e))); /* a larger page was cut before this */
		if (!quota_frame_alloc(q, &table))
			return ST_NO_MEMORY;
		set_table(t, e, page->va, level, pte_table(table));
	}
	if (level < page->level)
		return ST_EXISTS;

	uint64_t old = load(e);
	uint64_t new;
	do {
		ASSERT(!pte_is_present(old) || pte_address(old) == page->pa);
		new = pte_page(page->pa, level, page->access) | pte_used(old);
	} while (!atomic_compare_exchange_weak(e, &old, new));
	return ST_OK;
}

void pagetable_cut_init(struct pagetable_cut *c, struct pagetable *t, unsigned budget)
{
	tlb_batch_init(&c->flush, t->root[ROOT_OWN].tag);
	c->flush.table = t;
	c->budget = budget;
}

/* Takes access from one entry. */
static void restrict_entry(pte_t *e, unsigned keep, vaddr_t va, unsigned level,
			   struct pagetable_cut *c)
{
	uint64_t old = load(e);
	uint64_t new;

	do {
		new = pte_is_present(old) ? pte_restrict(old, keep) : old;
		if (new == old)
			return;
	} while (!atomic_compare_exchange_weak(e, &old, new));
	tlb_batch_add(&c->flush, va, pagetable_span(level));
}

uint64_t pagetable_restrict(struct pagetable *t, vaddr_t va, uint64_t pages, unsigned keep,
			    struct pagetable_cut *c)
{
	const vaddr_t end = va + pages * FRAME_SIZE;
	vaddr_t at = va;

	while (at < end && c->budget > 0) {
		unsigned level;
		pte_t *e = entry_find(t, at, &level);
		vaddr_t base = ALIGN_DOWN(at, pagetable_span(level));
		vaddr_t next = base + pagetable_span(level);

		if (level > 0) {
			bool whole = base == at && next <= end;
			restrict_entry(e, whole ? keep : 0, base, level, c);
			at = next;
			c->budget--;
			continue;
		}
		/* The rest of the table, as far as it is in the range. */
		do {
			restrict_entry(e++, keep, at, 0, c);
			at += FRAME_SIZE;
		} while (at < end && --c->budget > 0 && index_at(at, 0) != 0);
	}
	return at >= end ? pages : (at - va) / FRAME_SIZE;
}

uint8_t pagetable_scan(struct pagetable *t, vaddr_t va, struct pagetable_cut *c)
{
	unsigned level;
	pte_t *e = entry_find(t, va, &level);
	uint64_t old = load(e);

	if (!pte_is_present(old))
		return 0;
	uint64_t used = pte_used(old);
	if (used != 0) {
		used &= atomic_fetch_and(e, ~used);
		tlb_batch_add(&c->flush, ALIGN_DOWN(va, pagetable_span(level)),
			      pagetable_span(level));
	}
	return (uint8_t)(PAGETABLE_PRESENT | (pte_is_accessed(used) ? PAGETABLE_ACCESSED : 0) |
			 (pte_is_dirty(used) ? PAGETABLE_DIRTY : 0));
}

bool pagetable_find(struct pagetable *t, vaddr_t va, struct pagetable_page *out)
{
	unsigned level;
	uint64_t e = load(entry_find(t, va, &level));

	if (!pte_is_present(e))
		return false;
	*out = (struct pagetable_page){ ALIGN_DOWN(va, pagetable_span(level)), pte_address(e),
					level, pte_access(e) };
	return true;
}

/* ---- taking tables out ---- */

/* All in `table`, of `level`, whose first entry is for `base`. */
static void trim(struct pagetable *t, paddr_t table, unsigned level, vaddr_t base,
		 struct pagetable_gap *gap)
{
	const uint64_t span = pagetable_span(level);
	vaddr_t va = gap->from > base ? ALIGN_DOWN(gap->from, span) : base;

	for (; va < gap->to && va < base + ENTRIES * span; va += span) {
		pte_t *e = &table_at(table)[index_at(va, level)];
		uint64_t value = load(e);

		if (!is_table(value, level))
			continue;
		paddr_t child = pte_address(value);
		if (level > 1)
			trim(t, child, level - 1, va, gap);
		if (va < gap->low || va + span > gap->high)
			continue;
		set_table(t, e, va, level, 0);
		/* A link is not present, should a processor still walk here. */
		atomic_store_explicit(table_at(child), gap->list, memory_order_relaxed);
		gap->list = child;
	}
}

void pagetable_trim(struct pagetable *t, struct pagetable_gap *gap, struct pagetable_cut *c)
{
	const vaddr_t base = ALIGN_DOWN(gap->from, pagetable_span(t->level) * ENTRIES);

	trim(t, t->top, t->level, base, gap);
	/* All of it: what led to the tables is cached too. */
	if (gap->list != 0)
		c->flush.count = TLB_RANGES + 1;
}

void pagetable_free_list(struct quota *q, paddr_t list)
{
	while (list != 0) {
		paddr_t next = load(table_at(list));

		quota_frame_free(q, list);
		list = next;
	}
}

/* ---- CPUs ---- */

uint64_t pagetable_flush_begin(struct pagetable *t)
{
	atomic_fetch_add_explicit(&t->flushes, 1, memory_order_relaxed);
	/* Also the full barrier between the entries and `cpus`. */
	atomic_fetch_add(&t->generation, 1);
	return atomic_load(&t->cpus);
}

void pagetable_flush(const struct pagetable_cut *c, uint64_t where)
{
	tlb_flush(&c->flush, where);
	atomic_fetch_sub_explicit(&c->flush.table->flushes, 1, memory_order_release);
}

bool pagetable_is_flushed(struct pagetable *t)
{
	return atomic_load_explicit(&t->flushes, memory_order_acquire) == 0;
}

/* Says that this CPU may have translations of `t`, before it has any. */
static void enlist(struct pagetable *t, uint64_t bit)
{
	if (!(atomic_load_explicit(&t->cpus, memory_order_relaxed) & bit))
		atomic_fetch_or(&t->cpus, bit);
}

/* This CPU may have translations of the half under the tag from when it ran on the joint
 * root last; if they are not those of now, they go. */
static void check_generation(struct pagetable_cpu *c, struct pagetable *half, uint32_t tag)
{
	uint64_t now = atomic_load(&half->generation);
	unsigned i = tag * 0x9e3779b1u >> 16 & (PAGETABLE_NOTES - 1);

	if (c->note[i].tag == tag && c->note[i].generation == now)
		return;
	c->note[i].tag = tag;
	c->note[i].generation = now;
	arch_tlb_flush_tag(tag);
}

void pagetable_load(struct pagetable *t, enum pagetable_which which)
{
	struct cpu *cpu = arch_this_cpu();
	struct pagetable_cpu *c = &cpu->tables;
	struct pagetable *half = which == ROOT_JOINT ? atomic_load(&t->half) : NULL;

	DEBUG_ASSERT(!atomic_load(&t->dead));
	c->root = t->root[which].pa;
	c->tag = t->root[which].tag;
	c->table = t;
	c->half = half;
	enlist(t, 1ull << cpu->id);
	if (half != NULL) {
		enlist(half, 1ull << cpu->id);
		if (arch_root_is_tagged())
			check_generation(c, half, c->tag);
	}
	arch_root_load(c->root, c->tag);
}

void pagetable_flush_here(const struct tlb_batch *b)
{
	struct cpu *cpu = arch_this_cpu();
	struct pagetable_cpu *c = &cpu->tables;
	struct pagetable *t = b->table;
	bool in_use = c->table == t || c->half == t;
	struct tlb_batch all = { .count = TLB_RANGES + 1 };

	if (in_use && atomic_load(&t->dead)) {
		*c = (struct pagetable_cpu){ 0 };
		arch_root_load(0, 0);
		in_use = false;
	}
	if (in_use && c->half == t)
		tlb_flush_tag(b, c->tag);
	for (unsigned i = 0; i < ROOTS; i++) {
		if (t->root[i].pa != 0)
			tlb_flush_tag(in_use ? b : &all, t->root[i].tag);
	}
	if (!in_use)
		atomic_fetch_and(&t->cpus, ~(1ull << cpu->id));
}

void pagetable_retire(struct pagetable *t)
{
	struct pagetable_cut c;

	atomic_store(&t->dead, true);
	pagetable_cut_init(&c, t, 0);
	c.flush.count = TLB_RANGES + 1;
	pagetable_flush(&c, pagetable_flush_begin(t));
}

/* SPDX-License-Identifier: MIT */
#include <core/pagetable.h>
#include <core/cpu.h>
#include <core/quota.h>
#include <pte.h>

#define TOP_LEVEL 3
#define ENTRIES   512

typedef _Atomic uint64_t pte_t;

static pte_t *table_at(paddr_t pa)
{
	return arch_phys_to_virt(pa);
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

static bool root_alloc(const struct pagetable *t, struct pagetable_root *root, uint32_t tag)
{
	if (!quota_frame_alloc(t->payer, &root->pa))
		return false;
	arch_root_init(root->pa);
	root->tag = tag;
	return true;
}

status_t pagetable_init(struct pagetable *t, struct quota *q, uint32_t tag, bool is_half)
{
	struct pagetable_root *root = &t->root[ROOT_MAIN];

	*t = (struct pagetable){ .level = TOP_LEVEL, .payer = q };
	if (!root_alloc(t, root, tag))
		return ST_NO_MEMORY;
	t->top = root->pa;
	if (!is_half)
		return ST_OK;
	if (!quota_frame_alloc(q, &t->top))
		return ST_NO_MEMORY;
	table_at(root->pa)[index_at(ARCH_PERSONALITY, TOP_LEVEL)] = pte_table(t->top);
	t->level = TOP_LEVEL - 1;
	return ST_OK;
}

status_t pagetable_join(struct pagetable *t, struct pagetable *half)
{
	struct pagetable_root *joint = &t->root[ROOT_MAIN];
	const struct pagetable_root own = *joint;

	ASSERT(half->level < TOP_LEVEL && t->level == TOP_LEVEL);
	if (!root_alloc(t, joint, own.tag + 1))
		return ST_NO_MEMORY;
	t->root[ROOT_GUEST] = own;
	table_at(joint->pa)[index_at(ARCH_PERSONALITY, TOP_LEVEL)] = pte_table(half->top);
	atomic_store(&t->half, half);
	return ST_OK;
}

void pagetable_cut_half(struct pagetable *t, struct pagetable_cut *c)
{
	atomic_store(&table_at(t->root[ROOT_MAIN].pa)[index_at(ARCH_PERSONALITY, TOP_LEVEL)], 0);
	atomic_store(&t->half, NULL);
	c->flush.count = TLB_RANGES + 1;
}

/* ---- entries ---- */

struct walk {
	pte_t *e;
	uint64_t value;
	unsigned level;
};

/* The entry for `va` at the lowest level that there is: of level 0, or one that is absent
 * or a large page. */
static struct walk walk(const struct pagetable *t, vaddr_t va)
{
	pte_t *table = table_at(t->top);

	for (unsigned level = t->level;; level--) {
		pte_t *e = &table[index_at(va, level)];
		uint64_t value = *e;

		if (!is_table(value, level))
			return (struct walk){ e, value, level };
		table = table_at(pte_address(value));
	}
}

/* Puts a table's entry, or 0, in the place of what was found; false if that has changed. The
 * joint root follows. */
static bool set_table(struct pagetable *t, const struct walk *w, vaddr_t va, uint64_t value)
{
	uint64_t old = w->value;

	if (!atomic_compare_exchange_strong(w->e, &old, value))
		return false;
	if (w->level == TOP_LEVEL && t->root[ROOT_GUEST].pa != 0)
		atomic_store_explicit(&table_at(t->root[ROOT_MAIN].pa)[index_at(va, TOP_LEVEL)],
				      value == 0 ? 0 : pte_forbid_exec(value),
				      memory_order_release);
	return true;
}

status_t pagetable_enter(struct pagetable *t, const struct pagetable_page *page)
{
	struct walk w;
	paddr_t table;

	while (w = walk(t, page->va), w.level > page->level) {
		ASSERT(!pte_is_present(w.value)); /* a larger page was cut before this */
		if (!quota_frame_alloc(t->payer, &table))
			return ST_NO_MEMORY;
		if (!set_table(t, &w, page->va, pte_table(table)))
			quota_frame_free(t->payer, table); /* another fault was faster */
	}
	if (w.level < page->level)
		return ST_EXISTS;

	uint64_t new;
	do {
		ASSERT(!pte_is_present(w.value) || pte_address(w.value) == page->pa);
		new = pte_page(page->pa, w.level, page->access) | pte_used(w.value);
	} while (!atomic_compare_exchange_weak(w.e, &w.value, new));
	return ST_OK;
}

void pagetable_cut_init(struct pagetable_cut *c, struct pagetable *t, unsigned budget)
{
	c->flush.tag = t->root[ROOT_MAIN].tag;
	c->flush.table = t;
	c->flush.count = 0; /* the ranges need not be zeroed */
	c->tables = 0;
	c->budget = budget;
}

/* Takes access from one entry. */
static void restrict_entry(pte_t *e, unsigned keep, vaddr_t va, unsigned level,
			   struct pagetable_cut *c)
{
	uint64_t old = *e;
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
		struct walk w = walk(t, at);
		vaddr_t base = ALIGN_DOWN(at, pagetable_span(w.level));
		vaddr_t next = base + pagetable_span(w.level);

		if (w.level > 0) {
			bool whole = base == at && next <= end;
			restrict_entry(w.e, whole ? keep : 0, base, w.level, c);
			at = next;
			c->budget--;
			continue;
		}
		/* The rest of the table, as far as it is in the range. */
		do {
			restrict_entry(w.e++, keep, at, 0, c);
			at += FRAME_SIZE;
		} while (at < end && --c->budget > 0 && index_at(at, 0) != 0);
	}
	return at >= end ? pages : (at - va) / FRAME_SIZE;
}

uint8_t pagetable_scan(struct pagetable *t, vaddr_t va, struct pagetable_cut *c)
{
	struct walk w = walk(t, va);
	uint64_t used = pte_used(w.value);

	if (!pte_is_present(w.value))
		return 0;
	if (used != 0 && w.level == 0) {
		used &= atomic_fetch_and(w.e, ~used);
		tlb_batch_add(&c->flush, va, FRAME_SIZE);
	}
	return (uint8_t)(SCAN_PRESENT | (pte_is_accessed(used) ? SCAN_ACCESSED : 0) |
			 (pte_is_dirty(used) ? SCAN_DIRTY : 0));
}

bool pagetable_find(struct pagetable *t, vaddr_t va, struct pagetable_page *out)
{
	struct walk w = walk(t, va);

	if (!pte_is_present(w.value))
		return false;
	*out = (struct pagetable_page){ ALIGN_DOWN(va, pagetable_span(w.level)),
					pte_address(w.value), w.level, pte_access(w.value) };
	return true;
}

/* ---- taking tables out ---- */

/* All in `table`, of `level`, whose first entry is for `base`. */
static void trim(paddr_t table, unsigned level, vaddr_t base, const struct pagetable_gap *gap,
		 struct pagetable_cut *c)
{
	const uint64_t span = pagetable_span(level);
	vaddr_t va = most(ALIGN_DOWN(gap->from, span), base);

	for (; va < gap->to && va < base + ENTRIES * span; va += span) {
		pte_t *e = &table_at(table)[index_at(va, level)];
		struct walk w = { e, *e, level };

		if (!is_table(w.value, level))
			continue;
		paddr_t child = pte_address(w.value);
		if (level > 1)
			trim(child, level - 1, va, gap, c);
		if (va < gap->low || va + span > gap->high || !set_table(c->flush.table, &w, va, 0))
			continue;
		/* A link is not present, should a processor still walk here. */
		atomic_store_explicit(table_at(child), c->tables, memory_order_relaxed);
		c->tables = child;
	}
}

void pagetable_trim(struct pagetable *t, const struct pagetable_gap *gap, struct pagetable_cut *c)
{
	trim(t->top, t->level, ALIGN_DOWN(gap->from, pagetable_span(t->level) * ENTRIES), gap, c);
	/* All of it: what led to the tables is cached too. */
	if (c->tables != 0)
		c->flush.count = TLB_RANGES + 1;
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
	struct pagetable *t = c->flush.table;
	paddr_t next;

	tlb_flush(&c->flush, where);
	for (paddr_t table = c->tables; table != 0; table = next) {
		next = *table_at(table);
		quota_frame_free(t->payer, table);
	}
	atomic_fetch_sub_explicit(&t->flushes, 1, memory_order_release);
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
	struct pagetable *half = atomic_load(&t->half);

	DEBUG_ASSERT(!atomic_load(&t->dead));
	enlist(t, 1ull << cpu->id);
	if (half == NULL && !arch_predictors_leak())
		atomic_fetch_or(&t->ready, 1ull << cpu->id);
	if (half != NULL) {
		enlist(half, 1ull << cpu->id);
		/* While `c` still says which tag is active. */
		if (arch_root_is_tagged())
			check_generation(c, half, t->root[ROOT_MAIN].tag);
	}
	if (arch_predictors_leak() && c->payer != t->payer) {
		c->payer = t->payer;
		arch_predictors_empty();
	}
	c->root = t->root[which].pa;
	c->table = t;
	c->half = half;
	arch_root_load(c->root, t->root[which].tag);
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
		tlb_flush_tag(b, c->table->root[ROOT_MAIN].tag);
	for (unsigned i = 0; i < ROOTS; i++) {
		if (t->root[i].pa != 0)
			tlb_flush_tag(in_use ? b : &all, t->root[i].tag);
	}
	if (!in_use) {
		atomic_fetch_and(&t->ready, ~(1ull << cpu->id));
		atomic_fetch_and(&t->cpus, ~(1ull << cpu->id));
	}
}

void pagetable_free(struct pagetable *t)
{
	struct pagetable_cut c;

	if (t->root[ROOT_MAIN].pa == 0)
		return;
	atomic_store(&t->dead, true);
	pagetable_cut_init(&c, t, 0);
	c.flush.count = TLB_RANGES + 1;
	pagetable_flush(&c, pagetable_flush_begin(t));
	if (t->level < TOP_LEVEL)
		quota_frame_free(t->payer, t->top);
	for (unsigned i = 0; i < ROOTS; i++) {
		if (t->root[i].pa != 0)
			quota_frame_free(t->payer, t->root[i].pa);
		t->root[i].pa = 0;
	}
}

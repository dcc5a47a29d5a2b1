/* SPDX-License-Identifier: MIT */
/* The processor's part in address translation: it walks the tables that
 * core/pagetable.c makes, notes what it used, and remembers as much as a real one
 * may: translations under each tag, and under each tag the lowest tables that it
 * found, from which it walks without looking at those above. */
#include "host.h"
#include <core/frame.h>
#include <pte.h>
#include <stdlib.h>

#define TLB_ENTRIES  2048
#define WALK_ENTRIES 64
#define TABLE_PAGES  512

struct host_user {
	paddr_t root; /* that is active; 0: none */
	uint32_t tag;
	struct host_translation tlb[TLB_ENTRIES]; /* pa 0: free */
	struct {
		uint32_t tag;
		vaddr_t base;  /* of what the table translates */
		paddr_t table; /* 0: free */
		bool exec;     /* allowed by the tables above */
	} walk[WALK_ENTRIES];
};

static struct host_user *self(void)
{
	struct arch_cpu *a = &arch_this_cpu()->arch;

	if (a->user == NULL)
		a->user = calloc(1, sizeof(*a->user));
	return a->user;
}

void arch_root_init(paddr_t root)
{
	(void)root; /* the kernel has tables of its own here */
}

void arch_root_load(paddr_t root, uint32_t tag)
{
	self()->root = root;
	self()->tag = tag;
}

paddr_t host_user_root(void)
{
	return self()->root;
}

bool host_predictors_leak;
uint64_t host_predictors_emptied;

bool arch_predictors_leak(void)
{
	return host_predictors_leak;
}

void arch_predictors_empty(void)
{
	host_predictors_emptied++;
}

bool arch_root_is_tagged(void)
{
	return true;
}

static struct host_translation *tlb_slot(struct host_user *u, uint32_t tag, vaddr_t va)
{
	return &u->tlb[(va / FRAME_SIZE * 7 + tag * 131ull) % TLB_ENTRIES];
}

/* What the entry of a page becomes when it is used so; 0 if it does not allow that. */
static uint64_t entry_used(uint64_t e, unsigned access, bool exec)
{
	unsigned has = pte_is_present(e) ? pte_access(e) : 0;

	if (!exec)
		has &= ~ARCH_EXEC;
	if (access & ~has)
		return 0;
	return e | PTE_ACCESSED | (access & ARCH_WRITE ? PTE_DIRTY : 0);
}

/* Notes the use in the entry, and then, as all bits are set, in the TLB. */
static bool use_entry(_Atomic uint64_t *e, vaddr_t va, unsigned level, unsigned access, bool exec)
{
	struct host_user *u = self();
	uint64_t old = *e;
	uint64_t new;

	do {
		new = entry_used(old, access, exec);
		if (new == 0)
			return false;
	} while (!atomic_compare_exchange_weak(e, &old, new));

	unsigned allows = pte_access(new);
	if (!exec)
		allows &= ~ARCH_EXEC;
	if (!pte_is_dirty(new))
		allows &= ~ARCH_WRITE; /* the next write looks at the entry again */
	*tlb_slot(u, u->tag, va) = (struct host_translation){
		u->tag, va, pte_address(new) + va % (FRAME_SIZE << (9 * level)), allows
	};
	return true;
}

static void walk_note(struct host_user *u, vaddr_t va, paddr_t table, bool exec)
{
	unsigned i = (unsigned)(va / (FRAME_SIZE * TABLE_PAGES)) % WALK_ENTRIES;

	u->walk[i].tag = u->tag;
	u->walk[i].base = ALIGN_DOWN(va, FRAME_SIZE * TABLE_PAGES);
	u->walk[i].table = table;
	u->walk[i].exec = exec;
}

static bool walk(struct host_user *u, vaddr_t va, unsigned access)
{
	paddr_t table = u->root;
	bool exec = true;

	for (unsigned level = 3;; level--) {
		_Atomic uint64_t *e = arch_phys_to_virt(table);
		e += va / (FRAME_SIZE << (9 * level)) % TABLE_PAGES;
		uint64_t value = *e;

		if (!pte_is_present(value))
			return false;
		if (pte_is_page(value, level))
			return use_entry(e, va, level, access, exec);
		exec = exec && (value & PTE_EXEC);
		table = pte_address(value);
		if (level == 1)
			walk_note(u, va, table, exec);
	}
}

/* From a table that is remembered; the fault is true only if a whole walk says so too. */
static bool short_walk(struct host_user *u, vaddr_t va, unsigned access)
{
	unsigned i = (unsigned)(va / (FRAME_SIZE * TABLE_PAGES)) % WALK_ENTRIES;

	if (u->walk[i].table == 0 || u->walk[i].tag != u->tag ||
	    u->walk[i].base != ALIGN_DOWN(va, FRAME_SIZE * TABLE_PAGES))
		return false;
	_Atomic uint64_t *e = arch_phys_to_virt(u->walk[i].table);
	return use_entry(e + va / FRAME_SIZE % TABLE_PAGES, va, 0, access, u->walk[i].exec);
}

bool host_user_access(vaddr_t va, unsigned access, paddr_t *pa)
{
	struct host_user *u = self();
	vaddr_t page = ALIGN_DOWN(va, FRAME_SIZE);
	struct host_translation *t = tlb_slot(u, u->tag, page);

	if (u->root == 0)
		return false;
	bool hit = t->pa != 0 && t->tag == u->tag && t->va == page && !(access & ~t->access);
	if (!hit && !short_walk(u, page, access) && !walk(u, page, access))
		return false;
	*pa = t->pa + va % FRAME_SIZE;
	return true;
}

void host_user_translations(void (*visit)(const struct host_translation *t, void *with), void *with)
{
	struct host_user *u = self();

	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		if (u->tlb[i].pa != 0)
			visit(&u->tlb[i], with);
	}
}

static void flush(uint32_t tag, vaddr_t base, size_t size)
{
	struct host_user *u = self();

	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		struct host_translation *t = &u->tlb[i];
		if (t->tag == tag && t->va - base < size)
			t->pa = 0;
	}
	for (unsigned i = 0; i < WALK_ENTRIES; i++) {
		if (u->walk[i].tag == tag)
			u->walk[i].table = 0;
	}
}

void host_user_flush_range(uint32_t tag, vaddr_t base, size_t size)
{
	flush(tag, base, size);
}

void host_user_flush_tag(uint32_t tag)
{
	flush(tag, 0, SIZE_MAX);
}

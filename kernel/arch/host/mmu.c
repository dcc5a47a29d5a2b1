/* SPDX-License-Identifier: MIT */
/* Kernel mappings, and the model of page tables and tagged TLBs.
 *
 * A kernel mapping is two things here: an entry in the modelled table of tag 0,
 * and pages of the kernel window that can be accessed; they begin with what the
 * frames held, and are not the frames themselves.
 */
#include "host.h"
#include <core/boot.h>
#include <core/frame.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WINDOW_PAGES (HOST_WINDOW_SIZE / FRAME_SIZE)
#define TABLE_PAGES  512 /* pages that one page table maps */

/* An entry of a table, and, with tag and page above, of a TLB. 0: none. */
#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE   (1ull << 1)
#define PTE_FRAME   2  /* 28 bits of frame number */
#define TLB_PAGE    30 /* 24 bits of page number */
#define TLB_TAG     54 /* 8 bits */
#define PTE_BITS    ((1ull << TLB_PAGE) - 1)

static _Atomic uint64_t window_table[WINDOW_PAGES];
static _Atomic uint64_t user_table[HOST_TAGS][HOST_PAGES];

/* Which page tables of the window are there. */
static bool has_table[WINDOW_PAGES / TABLE_PAGES + 1];

void arch_mmu_init(void)
{
	frame_alloc_boot(); /* the root */
}

static uint64_t page_of(uint32_t tag, vaddr_t va)
{
	return (tag == TLB_KERNEL ? va - (vaddr_t)host_window : va) / FRAME_SIZE;
}

static _Atomic uint64_t *entry_at(uint32_t tag, uint64_t page)
{
	if (tag >= HOST_TAGS || page >= (tag == TLB_KERNEL ? WINDOW_PAGES : HOST_PAGES))
		abort();
	return tag == TLB_KERNEL ? &window_table[page] : &user_table[tag][page];
}

/* As a real port does: page tables come from where frames come from by now. */
static bool table_alloc(void)
{
	paddr_t pa;

	if (frame_ready())
		return frame_alloc(0, FRAME_ANY, &pa);
	frame_alloc_boot();
	return true;
}

static status_t make_tables(uint64_t page, uint64_t end)
{
	for (uint64_t t = page / TABLE_PAGES; t <= (end - 1) / TABLE_PAGES; t++) {
		if (!has_table[t] && !table_alloc())
			return ST_NO_MEMORY;
		has_table[t] = true;
	}
	return ST_OK;
}

static bool arguments_ok(vaddr_t va, size_t size)
{
	return va >= (vaddr_t)host_window && va % FRAME_SIZE == 0 && size % FRAME_SIZE == 0 &&
	       size > 0 && size <= HOST_WINDOW_SIZE &&
	       va - (vaddr_t)host_window <= HOST_WINDOW_SIZE - size;
}

/* Out of sight of ThreadSanitizer, which would note every byte of what is mostly
 * never used. */
__attribute__((no_sanitize("thread"))) static void copy(vaddr_t to, paddr_t from, size_t size)
{
	const volatile uint64_t *f = arch_phys_to_virt(from);
	volatile uint64_t *t = (void *)to;

	for (size_t i = 0; i < size / sizeof(*t); i++)
		t[i] = f[i];
}

status_t arch_kernel_map(vaddr_t va, paddr_t pa, size_t size, unsigned access)
{
	uint64_t page = page_of(TLB_KERNEL, va);
	uint64_t end = page + size / FRAME_SIZE;

	if (!arguments_ok(va, size) || pa % FRAME_SIZE != 0 ||
	    ((access & ARCH_WRITE) && (access & ARCH_EXEC)))
		return ST_BAD_ARG;
	for (uint64_t p = page; p < end; p++) {
		if (window_table[p] != 0)
			return ST_EXISTS;
	}
	status_t st = make_tables(page, end);
	if (st != ST_OK)
		return st;
	for (uint64_t p = page; p < end; p++)
		window_table[p] = (pa / FRAME_SIZE + p - page) << PTE_FRAME | PTE_PRESENT |
				  (access & ARCH_WRITE ? PTE_WRITE : 0);
	if (mprotect((void *)va, size, PROT_READ | PROT_WRITE))
		abort();
	copy(va, pa, size);
	if (!(access & ARCH_WRITE) && mprotect((void *)va, size, PROT_READ))
		abort();
	return ST_OK;
}

void arch_kernel_unmap(vaddr_t va, size_t size)
{
	uint64_t page = page_of(TLB_KERNEL, va);

	if (!arguments_ok(va, size) || mprotect((void *)va, size, PROT_NONE))
		abort();
	for (uint64_t p = page; p < page + size / FRAME_SIZE; p++)
		window_table[p] = 0;
}

bool arch_kernel_translate(vaddr_t va, paddr_t *pa, unsigned *access)
{
	if (va < (vaddr_t)host_window || va - (vaddr_t)host_window >= HOST_WINDOW_SIZE)
		return false;
	uint64_t e = window_table[page_of(TLB_KERNEL, va)];
	if (e == 0)
		return false;
	*pa = (e >> PTE_FRAME) * FRAME_SIZE + va % FRAME_SIZE;
	*access = e & PTE_WRITE ? ARCH_WRITE : 0;
	return true;
}

void *arch_device_map(paddr_t pa, size_t size)
{
	(void)pa;
	return calloc(1, size); /* registers that nothing stands behind */
}

/* ---- the model ---- */

void host_map(uint32_t tag, vaddr_t va, paddr_t pa, bool write)
{
	*entry_at(tag, page_of(tag, va)) =
		pa / FRAME_SIZE << PTE_FRAME | PTE_PRESENT | (write ? PTE_WRITE : 0);
}

void host_unmap(uint32_t tag, vaddr_t va)
{
	*entry_at(tag, page_of(tag, va)) = 0;
}

static uint64_t tlb_key(uint32_t tag, uint64_t page)
{
	return (uint64_t)tag << TLB_TAG | page << TLB_PAGE;
}

/* Where the TLB of `c` keeps the page, if it does. Direct-mapped, so some
 * translations push others out, as in a real one; tags are spread so that two
 * spaces can hold the same page at once. */
static _Atomic uint64_t *tlb_slot(const struct cpu *c, uint32_t tag, uint64_t page)
{
	return &c->arch.tlb[(page + tag * 131ull) % HOST_TLB_ENTRIES];
}

static bool tlb_matches(uint64_t e, uint32_t tag, uint64_t page)
{
	return (e & PTE_PRESENT) && (e & ~PTE_BITS) == tlb_key(tag, page);
}

/* An entry that allows the access is believed, however old; only one that does not
 * is looked up anew, as processors do. So a missed flush shows when rights were
 * taken, and need not when they were added. */
bool host_access(uint32_t tag, vaddr_t va, bool write, paddr_t *pa)
{
	uint64_t page = page_of(tag, va);
	_Atomic uint64_t *slot = tlb_slot(arch_this_cpu(), tag, page);
	uint64_t e = *slot;

	if (!tlb_matches(e, tag, page) || (write && !(e & PTE_WRITE))) {
		e = *entry_at(tag, page) | tlb_key(tag, page);
		if (!(e & PTE_PRESENT) || (write && !(e & PTE_WRITE)))
			return false;
		*slot = e;
	}
	*pa = ((e & PTE_BITS) >> PTE_FRAME) * FRAME_SIZE + va % FRAME_SIZE;
	return true;
}

bool host_tlb_holds(unsigned id, uint32_t tag, vaddr_t va)
{
	uint64_t page = page_of(tag, va);

	return tlb_matches(*tlb_slot(cpu_by_id[id], tag, page), tag, page);
}

void arch_tlb_flush_range(uint32_t tag, vaddr_t base, size_t size)
{
	if (tag >= HOST_TAGS) {
		host_user_flush_range(tag, base, size);
		return;
	}
	uint64_t page = page_of(tag, base);
	uint64_t end = page + (base % FRAME_SIZE + size + FRAME_SIZE - 1) / FRAME_SIZE;

	for (; page < end; page++) {
		_Atomic uint64_t *slot = tlb_slot(arch_this_cpu(), tag, page);
		if (tlb_matches(*slot, tag, page))
			*slot = 0;
	}
}

void arch_tlb_flush_tag(uint32_t tag)
{
	if (tag >= HOST_TAGS) {
		host_user_flush_tag(tag);
		return;
	}
	_Atomic uint64_t *tlb = arch_this_cpu()->arch.tlb;

	for (unsigned i = 0; i < HOST_TLB_ENTRIES; i++) {
		if (tlb[i] >> TLB_TAG == tag)
			tlb[i] = 0;
	}
}

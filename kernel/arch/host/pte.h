/* SPDX-License-Identifier: MIT */
/* kernel/arch/host/pte.h - an entry of a modelled user page table, for
 * core/pagetable.c; user_mmu.c plays the processor that walks them. */
#pragma once
#include <arch/arch.h>

#define PTE_PRESENT  (1ull << 0)
#define PTE_PAGE     (1ull << 1) /* no table */
#define PTE_WRITE    (1ull << 2)
#define PTE_EXEC     (1ull << 3) /* of a table: what is below may allow it */
#define PTE_DEVICE   (1ull << 4)
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY    (1ull << 6)
#define PTE_ADDRESS  0x000ffffffffff000ull

static inline bool pte_is_present(uint64_t e)
{
	return (e & PTE_PRESENT) != 0;
}

static inline bool pte_is_page(uint64_t e, unsigned level)
{
	(void)level;
	return (e & PTE_PAGE) != 0;
}

static inline paddr_t pte_address(uint64_t e)
{
	return e & PTE_ADDRESS;
}

static inline uint64_t pte_table(paddr_t table)
{
	return table | PTE_PRESENT | PTE_EXEC;
}

static inline uint64_t pte_forbid_exec(uint64_t e)
{
	return e & ~PTE_EXEC;
}

static inline uint64_t pte_page(paddr_t pa, unsigned level, unsigned access)
{
	(void)level;
	return pa | PTE_PRESENT | PTE_PAGE | (access & ARCH_WRITE ? PTE_WRITE : 0) |
	       (access & ARCH_EXEC ? PTE_EXEC : 0) | (access & ARCH_DEVICE ? PTE_DEVICE : 0);
}

static inline unsigned pte_access(uint64_t e)
{
	return ARCH_READ | (e & PTE_WRITE ? ARCH_WRITE : 0) | (e & PTE_EXEC ? ARCH_EXEC : 0) |
	       (e & PTE_DEVICE ? ARCH_DEVICE : 0);
}

static inline uint64_t pte_restrict(uint64_t e, unsigned keep)
{
	if (!(keep & ARCH_READ))
		return 0;
	return e & ~((keep & ARCH_WRITE ? 0 : PTE_WRITE) | (keep & ARCH_EXEC ? 0 : PTE_EXEC));
}

static inline uint64_t pte_used(uint64_t e)
{
	return e & (PTE_ACCESSED | PTE_DIRTY);
}

static inline bool pte_is_accessed(uint64_t e)
{
	return (e & PTE_ACCESSED) != 0;
}

static inline bool pte_is_dirty(uint64_t e)
{
	return (e & PTE_DIRTY) != 0;
}

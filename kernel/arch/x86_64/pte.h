/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/pte.h - an entry of a user page table, for core/pagetable.c.
 *
 * Tables allow everything; what a page allows is in its own entry. The processor
 * sets MMU_ACCESSED and MMU_DIRTY by itself. */
#pragma once
#include "mmu.h"
#include <arch/arch.h>

static inline bool pte_is_present(uint64_t e)
{
	return (e & MMU_PRESENT) != 0;
}

/* Of an entry that is present, in a table of `level` (0: the lowest). */
static inline bool pte_is_page(uint64_t e, unsigned level)
{
	return level == 0 || (e & MMU_LARGE) != 0;
}

static inline paddr_t pte_address(uint64_t e)
{
	return e & MMU_ADDRESS;
}

static inline uint64_t pte_table(paddr_t table)
{
	return table | MMU_PRESENT | MMU_WRITE | MMU_USER | MMU_ACCESSED;
}

/* The same table, where nothing below it may be executed. */
static inline uint64_t pte_forbid_exec(uint64_t e)
{
	return e | MMU_NO_EXEC;
}

static inline uint64_t pte_page(paddr_t pa, unsigned level, unsigned access)
{
	uint64_t e = pa | MMU_PRESENT | MMU_USER;

	if (level > 0)
		e |= MMU_LARGE;
	if (access & ARCH_WRITE)
		e |= MMU_WRITE;
	if (!(access & ARCH_EXEC))
		e |= MMU_NO_EXEC;
	if (access & ARCH_DEVICE)
		e |= MMU_NO_CACHE | MMU_WRITE_THROUGH;
	return e;
}

/* What a page's entry allows, and the entry that allows no more than `keep`. */
static inline unsigned pte_access(uint64_t e)
{
	return ARCH_READ | (e & MMU_WRITE ? ARCH_WRITE : 0) | (e & MMU_NO_EXEC ? 0 : ARCH_EXEC) |
	       (e & MMU_NO_CACHE ? ARCH_DEVICE : 0);
}

static inline uint64_t pte_restrict(uint64_t e, unsigned keep)
{
	if (!(keep & ARCH_READ))
		return 0;
	if (!(keep & ARCH_WRITE))
		e &= ~MMU_WRITE;
	if (!(keep & ARCH_EXEC))
		e |= MMU_NO_EXEC;
	return e;
}

/* The bits in which the processor notes that a page was accessed or written. */
static inline uint64_t pte_used(uint64_t e)
{
	return e & (MMU_ACCESSED | MMU_DIRTY);
}

static inline bool pte_is_accessed(uint64_t e)
{
	return (e & MMU_ACCESSED) != 0;
}

static inline bool pte_is_dirty(uint64_t e)
{
	return (e & MMU_DIRTY) != 0;
}

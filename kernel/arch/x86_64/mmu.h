/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/mmu.h - the kernel's half of every address space.
 *
 * Life    arch_mmu_init builds the tables once; tables are added when a mapping
 *         needs them and never taken away. All entries of the root that the
 *         kernel will ever use are made at once, so that every address space
 *         can share what lies below them by copying them.
 * Locks   changes are made under one lock of rank LOCK_KERNEL_MAP; looking up
 *         takes none.
 *
 * Rights: text is executable, text and constants are read-only under every
 * address that they have, all else can't be executed; nothing is for user mode.
 * Kernel mappings are global: they are the same in every address space, so a
 * change of address space keeps them cached (docs/decisions).
 */
#pragma once
#include <core/types.h>

#define MMU_LEVELS  4
#define MMU_ENTRIES 512

/* Bits of an entry, the same at every level but for MMU_LARGE. */
#define MMU_PRESENT       (1ull << 0)
#define MMU_WRITE         (1ull << 1)
#define MMU_USER          (1ull << 2)
#define MMU_WRITE_THROUGH (1ull << 3)
#define MMU_NO_CACHE      (1ull << 4)
#define MMU_ACCESSED      (1ull << 5)
#define MMU_DIRTY         (1ull << 6)
#define MMU_LARGE         (1ull << 7) /* levels 2 and 3: a page, no table */
#define MMU_GLOBAL        (1ull << 8)
#define MMU_NO_EXEC       (1ull << 63)
#define MMU_ADDRESS       0x000ffffffffff000ull

/* First address, seen by level, that an entry decides about, and how many. */
static inline unsigned mmu_shift(unsigned level)
{
	return 12 + 9 * (level - 1);
}

static inline uint64_t mmu_size(unsigned level)
{
	return 1ull << mmu_shift(level);
}

static inline unsigned mmu_index(vaddr_t va, unsigned level)
{
	return (unsigned)(va >> mmu_shift(level)) & (MMU_ENTRIES - 1);
}

/* The root table; below 4 GiB, so that a CPU can load it before it is in long
 * mode. */
paddr_t mmu_kernel_root(void);

/* A window on memory outside the direct map, as arch_device_map gives on device
 * registers, but cached and read-only: for tables that firmware left. NULL if the
 * address is not one that this machine can have or the room is used up. */
const void *mmu_map_firmware(paddr_t pa, size_t size);

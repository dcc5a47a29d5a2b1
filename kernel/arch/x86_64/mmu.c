/* SPDX-License-Identifier: MIT */
#include "mmu.h"
#include "boot.h"
#include "cpu.h"
#include "feature.h"
#include "regs.h"
#include "user_mmu.h"
#include "smp.h"
#include <arch/arch.h>
#include <core/assert.h>
#include <core/boot.h>
#include <core/frame.h>
#include <core/spinlock.h>
#include <core/tlb.h>

#define DEVICE_MAP_END (ARCH_DEVICE_MAP + GIB(512))
#define KERNEL_HALF    (MMU_ENTRIES / 2) /* first entry of the root that is ours */

/* More pages than this are flushed all at once. */
#define FLUSH_PAGES_MAX 64

static struct spinlock lock = SPINLOCK_INIT(LOCK_KERNEL_MAP);
static LATE_CONST paddr_t root;
static vaddr_t window_next = ARCH_DEVICE_MAP; /* guarded by lock */

static uint64_t *table_at(uint64_t entry)
{
	return arch_phys_to_virt(entry & MMU_ADDRESS);
}

static bool is_table(uint64_t entry, unsigned level)
{
	return level > 1 && (entry & MMU_PRESENT) && !(entry & MMU_LARGE);
}

static bool table_alloc(paddr_t *out)
{
	if (!frame_ready()) {
		*out = frame_alloc_boot();
		return true;
	}
	if (!frame_alloc(0, FRAME_ANY, out))
		return false;
	frame_zero(*out, 0);
	return true;
}

/* The entry for `va` at `level`, or at the level above where the way ends: at an
 * entry that is absent or a large page. *level says which. */
static uint64_t *entry_find(vaddr_t va, unsigned *level)
{
	uint64_t *table = table_at(root);
	unsigned at = MMU_LEVELS;

	for (;; at--) {
		uint64_t *e = &table[mmu_index(va, at)];

		if (at == *level || !is_table(*e, at)) {
			*level = at;
			return e;
		}
		table = table_at(*e);
	}
}

/* Like entry_find, but makes the tables on the way. NULL without memory; the
 * tables made until then stay, they translate nothing. */
static uint64_t *entry_make(vaddr_t va, unsigned *level)
{
	const unsigned wanted = *level;

	for (;;) {
		unsigned at = wanted;
		uint64_t *e = entry_find(va, &at);
		paddr_t pa;

		if (at == wanted || (*e & MMU_PRESENT)) {
			*level = at;
			return e;
		}
		if (!table_alloc(&pa))
			return NULL;
		/* Behind the zeros of the table: arch_kernel_translate takes no lock. */
		__atomic_store_n(e, pa | MMU_PRESENT | MMU_WRITE | MMU_ACCESSED, __ATOMIC_RELEASE);
	}
}

/* The largest page with which a mapping of `size` bytes can begin. Where a table
 * stands already a large page can't go: tables are never taken away, since others
 * may be walking through them. */
static unsigned level_for(vaddr_t va, paddr_t pa, size_t size)
{
	unsigned level = cpu_has(FEATURE_HUGE_PAGES) ? 3 : 2;

	for (; level > 1; level--) {
		unsigned at = level;
		uint64_t mask = mmu_size(level) - 1;

		if (((va | pa) & mask) == 0 && size > mask && !is_table(*entry_find(va, &at), at))
			break;
	}
	return level;
}

/* Accessed and dirty are set from the start. Nobody asks for them in the kernel's
 * half, and the processor need not write them with a locked access at the first
 * use. Uncached is both cache bits, entry 3 of the PAT as it is after reset. */
static uint64_t leaf_bits(unsigned access)
{
	uint64_t bits = MMU_PRESENT | MMU_ACCESSED | MMU_GLOBAL;

	if (access & ARCH_WRITE)
		bits |= MMU_WRITE | MMU_DIRTY;
	if (!(access & ARCH_EXEC))
		bits |= MMU_NO_EXEC;
	if (access & ARCH_DEVICE)
		bits |= MMU_NO_CACHE | MMU_WRITE_THROUGH;
	return bits;
}

/* Makes the tables for a mapping and looks whether its place is free. */
static status_t map_prepare(vaddr_t va, paddr_t pa, size_t size)
{
	while (size > 0) {
		const unsigned wanted = level_for(va, pa, size);
		unsigned level = wanted;
		uint64_t *e = entry_make(va, &level);

		if (e == NULL)
			return ST_NO_MEMORY;
		if (*e & MMU_PRESENT)
			return ST_EXISTS;
		va += mmu_size(level);
		pa += mmu_size(level);
		size -= mmu_size(level);
	}
	return ST_OK;
}

/* Twice over the range: all that can fail is done before the first page appears, so
 * that a mapping is there as a whole or not at all. */
static status_t map(vaddr_t va, paddr_t pa, size_t size, unsigned access)
{
	status_t st = map_prepare(va, pa, size);

	if (st != ST_OK)
		return st;
	while (size > 0) {
		unsigned level = level_for(va, pa, size);
		uint64_t *e = entry_find(va, &level);
		uint64_t large = level > 1 ? MMU_LARGE : 0;

		__atomic_store_n(e, pa | leaf_bits(access) | large, __ATOMIC_RELEASE);
		va += mmu_size(level);
		pa += mmu_size(level);
		size -= mmu_size(level);
	}
	return ST_OK;
}

/* True if [va, va + size) lies under entries of the root that exist. */
static bool is_kernel_range(vaddr_t va, size_t size)
{
	if (size == 0 || ((va | size) & (FRAME_SIZE - 1)) || va + (size - 1) < va)
		return false;
	for (unsigned i = mmu_index(va, 4); i <= mmu_index(va + size - 1, 4); i++) {
		if (i < KERNEL_HALF || !(table_at(root)[i] & MMU_PRESENT))
			return false;
	}
	return va >= ARCH_DIRECT_MAP;
}

paddr_t arch_physical_end(void)
{
	return 1ull << cpu_features.physical_bits;
}

static bool is_physical_range(paddr_t pa, size_t size)
{
	const paddr_t end = arch_physical_end();

	return size <= end && pa <= end - size;
}

status_t arch_kernel_map(vaddr_t va, paddr_t pa, size_t size, unsigned access)
{
	if ((access & ARCH_WRITE) && (access & ARCH_EXEC))
		return ST_BAD_ARG;
	if (!is_kernel_range(va, size) || (pa & (FRAME_SIZE - 1)) || !is_physical_range(pa, size))
		return ST_BAD_ARG;
	spin_lock(&lock);
	status_t st = map(va, pa, size, access);
	spin_unlock(&lock);
	return st;
}

/* A part of a large page can't be taken away: that would split it, which no mapping
 * of ours needs. What is absent is passed over, so whoever undoes a mapping that was
 * made in parts may name all of it. */
void arch_kernel_unmap(vaddr_t va, size_t size)
{
	ASSERT(is_kernel_range(va, size));
	spin_lock(&lock);
	while (size > 0) {
		unsigned level = 1;
		uint64_t *e = entry_find(va, &level);
		uint64_t step = mmu_size(level);

		if (*e & MMU_PRESENT) {
			ASSERT((va & (step - 1)) == 0 && size >= step); /* whole pages */
			__atomic_store_n(e, 0, __ATOMIC_RELEASE);
		} else {
			step -= va & (step - 1);
		}
		va += step;
		size -= step < size ? step : size;
	}
	spin_unlock(&lock);
}

/* What an entry forbids no entry below it can allow, so rights only go on the way
 * down, as for the processor. */
bool arch_kernel_translate(vaddr_t va, paddr_t *pa, unsigned *access)
{
	uint64_t *table = table_at(root);
	unsigned rights = ARCH_WRITE | ARCH_EXEC;

	if (va < ARCH_DIRECT_MAP) /* not ours, or not even an address */
		return false;
	for (unsigned level = MMU_LEVELS;; level--) {
		uint64_t e = __atomic_load_n(&table[mmu_index(va, level)], __ATOMIC_ACQUIRE);

		if (!(e & MMU_PRESENT))
			return false;
		if (!(e & MMU_WRITE))
			rights &= ~ARCH_WRITE;
		if (e & MMU_NO_EXEC)
			rights &= ~ARCH_EXEC;
		if (is_table(e, level)) {
			table = table_at(e);
			continue;
		}
		if (e & MMU_NO_CACHE)
			rights |= ARCH_DEVICE;
		*pa = (e & MMU_ADDRESS & ~(mmu_size(level) - 1)) | (va & (mmu_size(level) - 1));
		*access = rights;
		return true;
	}
}

/* Physical addresses of the kernel's own devices; complete when the boot is. */
static struct taken {
	paddr_t first, last;
} taken[64];
static unsigned taken_count;

/* Maps whole pages around the bytes somewhere in the device windows; a page that
 * stays absent follows. 0: no room, no memory, or no such address. Room is handed
 * out upwards and never comes back: there are few devices that the kernel itself
 * drives, and 512 GiB for them. */
static vaddr_t window_map(paddr_t pa, size_t size, unsigned access)
{
	const paddr_t first = ALIGN_DOWN(pa, FRAME_SIZE);

	if (size == 0 || size > GIB(1) || !is_physical_range(pa, size))
		return 0;
	const size_t bytes = ALIGN_UP(pa - first + size, FRAME_SIZE);

	spin_lock(&lock);
	vaddr_t va = window_next;
	bool fits = bytes + FRAME_SIZE <= DEVICE_MAP_END - va;
	if (fits && map(va, first, bytes, access) == ST_OK)
		window_next = va + bytes + FRAME_SIZE;
	else
		va = 0;
	spin_unlock(&lock);
	return va == 0 ? 0 : va + (pa - first);
}

static bool touches_memory(paddr_t pa, size_t size)
{
	for (unsigned i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *r = &boot_info.range[i];
		const paddr_t from = ALIGN_DOWN(pa, FRAME_SIZE),
			      to = ALIGN_UP(pa + size, FRAME_SIZE);

		if ((r->kind == BOOT_RAM || r->kind == BOOT_LOADER) && from < r->base + r->size &&
		    to > r->base)
			return true;
	}
	return false;
}

/* Where registers are is told by tables that may be wrong. In memory a window
 * would be a second, writable way to what the kernel has there, its text even. */
void *arch_device_map(paddr_t pa, size_t size)
{
	vaddr_t va = 0;

	if (!touches_memory(pa, size))
		va = window_map(pa, size, ARCH_WRITE | ARCH_DEVICE);
	if (va == 0 || taken_count == ARRAY_LEN(taken))
		panic("can't map %zu bytes of device registers at 0x%llx", size,
		      (unsigned long long)pa);
	taken[taken_count++] = (struct taken){ ALIGN_DOWN(pa, FRAME_SIZE), pa + size - 1 };
	return (void *)va;
}

bool arch_device_is_taken(paddr_t pa, uint64_t size)
{
	for (unsigned i = 0; i < taken_count; i++) {
		if (pa + size > taken[i].first && pa <= taken[i].last)
			return true;
	}
	return false;
}

const void *mmu_map_firmware(paddr_t pa, size_t size)
{
	return (const void *)window_map(pa, size, 0);
}

paddr_t mmu_kernel_root(void)
{
	return root;
}

/* Maps a part of the image, of the direct map, where nothing can be in the way. */
static void map_at_boot(vaddr_t va, vaddr_t end, paddr_t pa, unsigned access)
{
	if (va < end && map(va, pa, end - va, access) != ST_OK)
		panic("can't map the kernel at 0x%lx", va);
}

static void map_image(void)
{
	const vaddr_t start = (uintptr_t)kernel_start;
	const paddr_t base = boot_info.kernel_base;
	const vaddr_t stacks = (uintptr_t)&cpu_boot_stacks;
	vaddr_t at = (uintptr_t)data_start;

	map_at_boot(start, (uintptr_t)text_end, base, ARCH_EXEC);
	map_at_boot((uintptr_t)rodata_start, (uintptr_t)rodata_end,
		    base + ((uintptr_t)rodata_start - start), 0);

	/* The data in pieces: between them the boot CPU's guard pages. */
	static const size_t guards[] = {
		offsetof(struct cpu_stacks, guard0), offsetof(struct cpu_stacks, guard1),
		offsetof(struct cpu_stacks, guard2), offsetof(struct cpu_stacks, guard3),
		offsetof(struct cpu_stacks, guard4),
	};
	for (unsigned i = 0; i < ARRAY_LEN(guards); i++) {
		map_at_boot(at, stacks + guards[i], base + (at - start), ARCH_WRITE);
		at = stacks + guards[i] + CPU_PAGE;
	}
	map_at_boot(at, (uintptr_t)data_end, base + (at - start), ARCH_WRITE);
}

/* The direct map of [from, to). Text and constants stay read-only in it. */
static void map_direct(paddr_t from, paddr_t to)
{
	const paddr_t ro = boot_info.kernel_base;
	const paddr_t rw = ro + (paddr_t)(rodata_end - kernel_start);
	const paddr_t cut[] = { from, ro < from ? from : ro, rw < from ? from : rw, to };
	static const unsigned access[] = { ARCH_WRITE, 0, ARCH_WRITE };

	for (unsigned i = 0; i < ARRAY_LEN(access); i++) {
		paddr_t end = cut[i + 1] < to ? cut[i + 1] : to;

		map_at_boot(ARCH_DIRECT_MAP + cut[i], ARCH_DIRECT_MAP + end, cut[i], access[i]);
	}
}

/* Every page that has a byte of RAM or of ACPI tables, in runs as long as
 * possible; RAM from FRAME_LIMIT on is not used. The ranges are sorted and do not
 * overlap, but may share a page. */
static void map_memory(void)
{
	paddr_t start = 0, end = 0;

	for (unsigned i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *r = &boot_info.range[i];
		paddr_t from = ALIGN_DOWN(r->base, FRAME_SIZE);
		paddr_t to = ALIGN_UP(r->base + r->size, FRAME_SIZE);

		if (r->kind == BOOT_RESERVED || from >= FRAME_LIMIT)
			continue;
		if (to > FRAME_LIMIT)
			to = FRAME_LIMIT;
		if (!is_physical_range(from, to - from))
			boot_refuse("memory up to 0x%llx, but addresses have %u bits",
				    (unsigned long long)to, cpu_features.physical_bits);
		if (from > end) {
			map_direct(start, end);
			start = from;
		}
		end = to;
	}
	map_direct(start, end);
}

/* The entry of the root for a window of the address map, with an empty table. */
static void root_entry_make(vaddr_t window)
{
	unsigned level = MMU_LEVELS - 1;

	entry_make(window, &level);
}

void arch_mmu_init(void)
{
	static const vaddr_t windows[] = { ARCH_FRAME_TABLE, ARCH_DEVICE_MAP, ARCH_CPU_MAP };

	root = frame_alloc_boot();
	map_image();
	map_memory();
	for (unsigned i = 0; i < ARRAY_LEN(windows); i++)
		root_entry_make(windows[i]);
	write_cr3(root);
	smp_reserve();

	/* Nothing refers to the boot tables any more; they map all of memory
	 * writable and executable, so they are made useless. */
	for (unsigned i = 0; i < MMU_ENTRIES; i++)
		boot_pml4[i] = 0;
}

void arch_tlb_flush_range(uint32_t tag, vaddr_t base, size_t size)
{
	if (tag != TLB_KERNEL) {
		user_flush_range(tag, base, size);
		return;
	}
	if (size > FLUSH_PAGES_MAX * FRAME_SIZE) {
		arch_tlb_flush_tag(tag);
		return;
	}
	for (vaddr_t va = ALIGN_DOWN(base, FRAME_SIZE); va < base + size; va += FRAME_SIZE)
		invlpg(va);
}

/* A load of CR3 leaves global translations alone, and the kernel's are global: so
 * theirs take another way. */
void arch_tlb_flush_tag(uint32_t tag)
{
	if (tag != TLB_KERNEL) {
		user_flush_tag(tag);
	} else if (cpu_has(FEATURE_INVPCID)) {
		invpcid(INVPCID_ALL, 0, 0);
	} else {
		const uint64_t cr4 = read_cr4();

		write_cr4(cr4 & ~CR4_PGE);
		write_cr4(cr4);
	}
}

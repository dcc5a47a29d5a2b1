/* SPDX-License-Identifier: MIT */
#include "../mmu.h"
#include "../boot.h"
#include "../cpu.h"
#include "../feature.h"
#include "../probe.h"
#include "../regs.h"
#include "probe.h"
#include <arch/arch.h>
#include <core/boot.h>
#include <core/cpu.h>
#include <core/frame.h>
#include <core/tlb.h>
#include <test/test.h>

/* A place in the device windows' part of the map that nothing else comes near. */
#define FREE_PLACE (ARCH_DEVICE_MAP + GIB(256))

/* The processor's view of one page, by a walk of our own from CR3. */
struct page {
	vaddr_t va;
	paddr_t pa;
	uint64_t size;
	uint64_t leaf; /* the entry that maps it */
	bool write, user, exec;
};

typedef bool page_check(const struct page *p);

static struct page offender;

static bool walk_table(const uint64_t *table, unsigned level, struct page above, page_check *check)
{
	for (unsigned i = 0; i < MMU_ENTRIES; i++) {
		const uint64_t e = table[i];
		struct page p = above;

		if (!(e & MMU_PRESENT))
			continue;
		p.va = above.va | (vaddr_t)i << mmu_shift(level);
		if (level == MMU_LEVELS && i >= MMU_ENTRIES / 2)
			p.va |= 0xffffull << 48;
		p.pa = e & MMU_ADDRESS;
		p.size = mmu_size(level);
		p.leaf = e;
		p.write = above.write && (e & MMU_WRITE);
		p.user = above.user && (e & MMU_USER);
		p.exec = above.exec && !(e & MMU_NO_EXEC);
		if (level > 1 && !(e & MMU_LARGE)) {
			if (!walk_table(arch_phys_to_virt(p.pa), level - 1, p, check))
				return false;
			continue;
		}
		p.pa &= ~(p.size - 1);
		if (!check(&p)) {
			offender = p;
			return false;
		}
	}
	return true;
}

/* True if `check` holds for every page that is mapped. */
static bool for_all_pages(page_check *check)
{
	const struct page all = { .write = true, .user = true, .exec = true };

	return walk_table(arch_phys_to_virt(read_cr3() & MMU_ADDRESS), MMU_LEVELS, all, check);
}

static uint64_t leaf_of(vaddr_t va)
{
	const uint64_t *table = arch_phys_to_virt(read_cr3() & MMU_ADDRESS);

	for (unsigned level = MMU_LEVELS;; level--) {
		uint64_t e = table[mmu_index(va, level)];

		if (!(e & MMU_PRESENT))
			return 0;
		if (level == 1 || (e & MMU_LARGE))
			return e;
		table = arch_phys_to_virt(e & MMU_ADDRESS);
	}
}

static bool is_write_xor_exec(const struct page *p)
{
	return !(p->write && p->exec);
}

TEST(mmu_nothing_is_writable_and_executable)
{
	CHECK(for_all_pages(is_write_xor_exec));
}

static bool is_for_kernel_only(const struct page *p)
{
	return !p->user && p->va >= ARCH_DIRECT_MAP;
}

TEST(mmu_nothing_is_for_user_mode)
{
	CHECK(for_all_pages(is_for_kernel_only));
}

static unsigned text_pages;

static bool is_text_if_exec(const struct page *p)
{
	if (!p->exec)
		return true;
	text_pages += (unsigned)(p->size / FRAME_SIZE);
	return p->va >= (uintptr_t)text_start && p->va + p->size <= (uintptr_t)text_end;
}

TEST(mmu_only_text_is_executable)
{
	text_pages = 0;
	CHECK(for_all_pages(is_text_if_exec));
	CHECK(text_pages * FRAME_SIZE == (size_t)(text_end - text_start));
}

/* Under every address that they have. */
static bool is_image_constant(const struct page *p)
{
	const paddr_t start = boot_info.kernel_base;
	const paddr_t end = start + (paddr_t)(rodata_end - kernel_start);

	return !p->write || p->pa + p->size <= start || p->pa >= end;
}

TEST(mmu_text_and_constants_have_no_writable_alias)
{
	CHECK(for_all_pages(is_image_constant));
}

static bool is_global(const struct page *p)
{
	return (p->leaf & MMU_GLOBAL) != 0;
}

TEST(mmu_kernel_pages_are_global)
{
	CHECK(for_all_pages(is_global));
}

static bool is_direct(paddr_t pa, bool write)
{
	paddr_t found;
	unsigned access;

	return arch_kernel_translate((vaddr_t)arch_phys_to_virt(pa), &found, &access) &&
	       found == pa && access == (write ? ARCH_WRITE : 0);
}

TEST(mmu_direct_map_reaches_all_memory)
{
	const paddr_t ro = boot_info.kernel_base;
	const paddr_t rw = ro + (paddr_t)(rodata_end - kernel_start);

	for (unsigned i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *r = &boot_info.range[i];
		const paddr_t last = r->base + r->size - 1;

		if (r->kind == BOOT_RESERVED || last >= FRAME_LIMIT)
			continue;
		CHECK(is_direct(r->base, r->base < ro || r->base >= rw));
		CHECK(is_direct(last, last < ro || last >= rw));
	}
	CHECK(is_direct(ro, false) && is_direct(rw - 1, false));
	CHECK(is_direct(rw, true));
	CHECK(ro == 0 || is_direct(ro - 1, true));
}

TEST(mmu_direct_map_uses_large_pages)
{
	/* 2 MiB from the end of the image on are RAM in every machine tested. */
	const paddr_t pa = ALIGN_UP(boot_info.kernel_base + boot_info.kernel_size, MIB(2));

	CHECK(leaf_of((vaddr_t)arch_phys_to_virt(pa)) & MMU_LARGE);
}

TEST(mmu_reserved_memory_is_not_mapped)
{
	paddr_t pa;
	unsigned access;

	for (unsigned i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *r = &boot_info.range[i];

		if (r->kind != BOOT_RESERVED || r->size < 2 * FRAME_SIZE || r->base >= FRAME_LIMIT)
			continue;
		const paddr_t inside = ALIGN_UP(r->base, FRAME_SIZE);
		CHECK(!arch_kernel_translate((vaddr_t)arch_phys_to_virt(inside), &pa, &access));
	}
}

TEST(mmu_write_to_text_faults)
{
	const uint64_t *text = (const uint64_t *)(const void *)text_start;
	const uint64_t before = *text;

	CHECK(!arch_probe_write(text_start, ~before));
	CHECK(*text == before);
}

TEST(mmu_write_to_constants_faults)
{
	static const uint64_t constant = 77;
	const uint64_t *volatile where = &constant;

	CHECK(!arch_probe_write((void *)(uintptr_t)where, 1));
	CHECK(*where == 77);
}

TEST(mmu_write_to_the_interrupt_table_faults)
{
	struct table_pointer idt;
	uint64_t gate;

	__asm__ volatile("sidt %0" : "=m"(idt));
	CHECK(arch_probe_read((const void *)idt.base, &gate));
	CHECK(!arch_probe_write((void *)idt.base, gate));
}

TEST(mmu_write_to_data_works)
{
	static uint64_t variable = 3;

	CHECK(arch_probe_write(&variable, 4));
	CHECK(*(volatile uint64_t *)&variable == 4);
}

TEST(mmu_data_is_not_executable)
{
	CHECK(probe_exec(probe_text_code));
	CHECK(!probe_exec(probe_data_code));
}

TEST(mmu_direct_map_is_not_executable)
{
	const paddr_t pa =
		boot_info.kernel_base + (paddr_t)((const char *)probe_text_code - kernel_start);

	if (boot_info.kernel_base != PROBE_KERNEL_BASE)
		SKIP("the image is not where probe.S expects it");
	CHECK(!probe_exec(arch_phys_to_virt(pa)));
}

TEST(mmu_identity_map_is_gone)
{
	uint64_t word;

	CHECK(!arch_probe_read((const void *)8, &word));
	CHECK(!arch_probe_read((const void *)MIB(1), &word));
	CHECK((read_cr3() & MMU_ADDRESS) == mmu_kernel_root());
	for (unsigned i = 0; i < MMU_ENTRIES; i++)
		CHECK(boot_pml4[i] == 0);
}

TEST(mmu_guard_pages_are_absent)
{
	for (uint32_t id = 0; id < cpu_count(); id++) {
		const struct cpu *c = cpu_by_id[id];
		const struct cpu_stacks *s = (const struct cpu_stacks *)c->arch.stacks;
		const uint8_t *const guards[] = { s->guard0, s->guard1, s->guard2, s->guard3,
						  s->guard4 };
		const uint8_t *const stacks[] = { s->kernel, s->double_fault, s->nmi,
						  s->machine_check };
		uint64_t word;

		for (unsigned i = 0; i < ARRAY_LEN(guards); i++) {
			CHECK(!arch_probe_read(guards[i], &word));
			CHECK(!arch_probe_read(guards[i] + CPU_PAGE - sizeof(word), &word));
		}
		for (unsigned i = 0; i < ARRAY_LEN(stacks); i++)
			CHECK(arch_probe_read(stacks[i], &word));
	}
}

TEST(mmu_map_refuses_what_it_must)
{
	const vaddr_t place = FREE_PLACE;
	paddr_t frame, pa;
	unsigned access;

	CHECK(frame_alloc(0, FRAME_ANY, &frame));
	CHECK(arch_kernel_map(place, frame, FRAME_SIZE, ARCH_WRITE | ARCH_EXEC) == ST_BAD_ARG);
	CHECK(arch_kernel_map(place + 8, frame, FRAME_SIZE, 0) == ST_BAD_ARG);
	CHECK(arch_kernel_map(place, frame + 8, FRAME_SIZE, 0) == ST_BAD_ARG);
	CHECK(arch_kernel_map(place, frame, 0, 0) == ST_BAD_ARG);
	CHECK(arch_kernel_map(place, frame, 100, 0) == ST_BAD_ARG);
	CHECK(arch_kernel_map(place, 1ull << cpu_features.physical_bits, FRAME_SIZE, 0) ==
	      ST_BAD_ARG);
	CHECK(arch_kernel_map(USER_PAGE, frame, FRAME_SIZE, 0) == ST_BAD_ARG);
	CHECK(arch_kernel_map(0xffffc00000000000, frame, FRAME_SIZE, 0) == ST_BAD_ARG);
	CHECK(arch_kernel_map(~0xfffull, frame, 2 * FRAME_SIZE, 0) == ST_BAD_ARG);
	CHECK(!arch_kernel_translate(place, &pa, &access));
	frame_free(frame, 0);
}

TEST(mmu_translate_knows_kernel_addresses_only)
{
	const vaddr_t va = (vaddr_t)arch_phys_to_virt(boot_info.kernel_base);
	paddr_t pa;
	unsigned access;

	CHECK(arch_kernel_translate(va, &pa, &access));
	CHECK(!arch_kernel_translate(va & ~(0xffffull << 48), &pa, &access));
	CHECK(!arch_kernel_translate(boot_info.kernel_base, &pa, &access));
}

TEST(mmu_map_leaves_a_taken_place_alone)
{
	const vaddr_t place = FREE_PLACE;
	paddr_t frame, pa;
	unsigned access;

	CHECK(frame_alloc(0, FRAME_ANY, &frame));
	CHECK(arch_kernel_map(place + FRAME_SIZE, frame, FRAME_SIZE, 0) == ST_OK);
	CHECK(arch_kernel_map(place, frame, 2 * FRAME_SIZE, ARCH_WRITE) == ST_EXISTS);
	CHECK(!arch_kernel_translate(place, &pa, &access));
	CHECK(arch_kernel_translate(place + FRAME_SIZE, &pa, &access));
	CHECK(pa == frame && access == 0);
	arch_kernel_unmap(place, 2 * FRAME_SIZE);
	arch_tlb_flush_range(TLB_KERNEL, place, 2 * FRAME_SIZE);
	CHECK(!arch_kernel_translate(place + FRAME_SIZE, &pa, &access));
	frame_free(frame, 0);
}

TEST(mmu_mapping_comes_and_goes)
{
	const vaddr_t place = FREE_PLACE + GIB(1);
	paddr_t frame;
	uint64_t word = 0;

	CHECK(frame_alloc(0, FRAME_ANY, &frame));
	frame_zero(frame, 0);
	CHECK(!arch_probe_read((const void *)place, &word));
	CHECK(arch_kernel_map(place, frame, FRAME_SIZE, ARCH_WRITE) == ST_OK);
	CHECK(arch_probe_write((void *)place, 0x1234));
	CHECK(*(volatile uint64_t *)arch_phys_to_virt(frame) == 0x1234);
	arch_kernel_unmap(place, FRAME_SIZE);
	arch_tlb_flush_range(TLB_KERNEL, place, FRAME_SIZE);
	CHECK(!arch_probe_read((const void *)place, &word));

	CHECK(arch_kernel_map(place, frame, FRAME_SIZE, 0) == ST_OK);
	CHECK(arch_probe_read((const void *)place, &word) && word == 0x1234);
	CHECK(!arch_probe_write((void *)place, 0));
	arch_kernel_unmap(place, FRAME_SIZE);
	arch_tlb_flush_tag(TLB_KERNEL);
	CHECK(!arch_probe_read((const void *)place, &word));
	frame_free(frame, 0);
}

TEST(mmu_map_takes_large_pages_where_they_fit)
{
	const vaddr_t place = FREE_PLACE + GIB(2);
	const size_t size = MIB(4) + FRAME_SIZE;
	paddr_t pa;
	unsigned access;

	CHECK(arch_kernel_map(place, 0, size, 0) == ST_OK);
	CHECK(leaf_of(place) & MMU_LARGE);
	CHECK(leaf_of(place + MIB(2)) & MMU_LARGE);
	CHECK(leaf_of(place + MIB(4)) != 0 && !(leaf_of(place + MIB(4)) & MMU_LARGE));
	CHECK(arch_kernel_translate(place + MIB(2) + 0x5678, &pa, &access));
	CHECK(pa == MIB(2) + 0x5678 && access == 0);
	arch_kernel_unmap(place, size);
	arch_tlb_flush_range(TLB_KERNEL, place, size);
	CHECK(leaf_of(place) == 0 && leaf_of(place + MIB(4)) == 0);

	/* The table that is left from the small page is no obstacle. */
	CHECK(arch_kernel_map(place + MIB(4), 0, MIB(2), 0) == ST_OK);
	CHECK(arch_kernel_translate(place + MIB(6) - 1, &pa, &access) && pa == MIB(2) - 1);
	arch_kernel_unmap(place + MIB(4), MIB(2));
	arch_tlb_flush_range(TLB_KERNEL, place + MIB(4), MIB(2));
}

TEST(mmu_device_window_is_uncached)
{
	const paddr_t ioapic = 0xfec00000, offset = 0x10;
	const vaddr_t a = (vaddr_t)arch_device_map(ioapic + offset, 4);
	const vaddr_t b = (vaddr_t)arch_device_map(ioapic, 4);
	uint64_t word;

	CHECK((leaf_of(a) & (MMU_NO_CACHE | MMU_WRITE_THROUGH)) ==
	      (MMU_NO_CACHE | MMU_WRITE_THROUGH));
	CHECK((rdmsr(MSR_PAT) >> 24 & 0xff) == 0); /* such pages use entry 3: uncached */
	CHECK((leaf_of(a) & MMU_ADDRESS) == ioapic && a % FRAME_SIZE == offset);
	CHECK((leaf_of(a) & MMU_WRITE) && (leaf_of(a) & MMU_NO_EXEC));
	CHECK(b - ALIGN_DOWN(a, FRAME_SIZE) == 2 * FRAME_SIZE); /* an absent page between */
	CHECK(!arch_probe_read((const void *)(b - FRAME_SIZE), &word));
}

TEST(mmu_firmware_window_is_read_only)
{
	const paddr_t pa = boot_info.kernel_base + 12;
	const uint32_t *w = mmu_map_firmware(pa, 4);

	CHECK(w != NULL && *w == *(const uint32_t *)arch_phys_to_virt(pa));
	CHECK(!(leaf_of((vaddr_t)w) & (MMU_WRITE | MMU_NO_CACHE)));
	CHECK(mmu_map_firmware(1ull << cpu_features.physical_bits, 4) == NULL);
	CHECK(mmu_map_firmware(pa, 0) == NULL);
}

TEST(mmu_user_page_is_out_of_reach)
{
	uint64_t word;
	bool read, written, executed;

	if (!cpu_has(FEATURE_SMAP) || !cpu_has(FEATURE_SMEP))
		SKIP("no SMAP or SMEP on this CPU");
	CHECK(user_page_map() != NULL);
	read = arch_probe_read((const void *)USER_PAGE, &word);
	written = arch_probe_write((void *)USER_PAGE, 0);
	executed = probe_exec((const void *)USER_PAGE);
	user_page_unmap();
	CHECK(!read && !written);
	CHECK(!executed);
}

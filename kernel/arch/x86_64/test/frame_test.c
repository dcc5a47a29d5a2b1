/* SPDX-License-Identifier: MIT */
#include "../probe.h"
#include "smp_call.h"
#include <core/boot.h>
#include <core/frame.h>
#include <core/test/frame_ok.h>
#include <test/test.h>

#define HELD 64

static _Atomic uint32_t wrong;

TEST(frame_books_agree_after_boot)
{
	struct frame_stats s;

	frame_stats(&s);
	CHECK(frame_ok());
	CHECK(s.free < s.total && s.free > s.total / 2);
	CHECK(frame_exists(boot_info.kernel_base));
	CHECK(frame_of(boot_info.kernel_base)->state == FRAME_BOOT);
	CHECK(frame_of(boot_info.archive_base)->state != FRAME_BOOT);
	CHECK(frame_of(0)->state == FRAME_BOOT || !frame_exists(0));
}

/* The page of the table that all holes share says so, and can't be written. */
TEST(frame_table_of_a_hole_is_read_only)
{
	const struct boot_range *last = &boot_info.range[boot_info.range_count - 1];
	paddr_t hole = 0;
	uint64_t word;

	for (const struct boot_range *r = boot_info.range; r <= last; r++) {
		paddr_t end = ALIGN_UP(r->base + r->size, MIB(1));
		if ((r->kind == BOOT_RAM || r->kind == BOOT_LOADER) && end % GIB(1) != 0 &&
		    !frame_exists(end))
			hole = end;
	}
	if (hole == 0)
		SKIP("the memory of this machine ends with a whole GiB");
	CHECK(frame_of(hole)->state == FRAME_ABSENT);
	CHECK(arch_probe_read(frame_of(hole), &word));
	CHECK(!arch_probe_write(frame_of(hole), word));
	CHECK(arch_probe_write(frame_of(boot_info.kernel_base),
			       *(uint64_t *)frame_of(boot_info.kernel_base)));
}

TEST(frame_exists_reads_nothing_that_is_not_mapped)
{
	for (paddr_t pa = FRAME_SIZE - 1; pa < UINT64_MAX / 3; pa += pa / 64 + FRAME_SIZE)
		frame_exists(pa);
	CHECK(!frame_exists(UINT64_MAX) && !frame_exists(FRAME_LIMIT));
}

/* Every CPU takes and gives back, and finds its mark where it left it. */
static void take_and_give(void *arg)
{
	uint64_t mark = arch_this_cpu()->id + 1ull;
	paddr_t held[HELD] = { 0 };

	(void)arg;
	for (uint64_t i = 0; i < test_rounds(2000); i++) {
		paddr_t *pa = &held[i * 7 % HELD];
		unsigned order = i * 7 % HELD % 5 == 0 ? 3 : 0;

		if (*pa == 0 && frame_alloc(order, FRAME_ANY, pa)) {
			*(volatile uint64_t *)arch_phys_to_virt(*pa) = mark;
		} else if (*pa != 0) {
			if (*(volatile uint64_t *)arch_phys_to_virt(*pa) != mark)
				atomic_fetch_add(&wrong, 1);
			frame_free(*pa, order);
			*pa = 0;
		}
	}
	for (unsigned i = 0; i < HELD; i++) {
		if (held[i] != 0)
			frame_free(held[i], i % 5 == 0 ? 3 : 0);
	}
}

TEST(frame_storm_on_every_cpu)
{
	struct frame_stats before, after;

	frame_stats(&before);
	smp_call(cpu_online_mask(), take_and_give, NULL);
	frame_stats(&after);
	CHECK(wrong == 0);
	CHECK(after.free == before.free);
	CHECK(frame_ok());
}

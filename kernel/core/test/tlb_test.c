/* SPDX-License-Identifier: MIT */
#include "chance.h"
#include "frame_ok.h"
#include <arch/host/host.h>
#include <core/frame.h>
#include <core/spinlock.h>
#include <core/tlb.h>
#include <test/test.h>

#define TAG     1u
#define OTHER   2u
#define ALL     UINT64_MAX
#define PAGE(n) ((vaddr_t)(n)*FRAME_SIZE)

static struct tlb_batch batch_of(uint32_t tag, vaddr_t base, size_t size)
{
	struct tlb_batch b;

	b = (struct tlb_batch){ .tag = tag };
	tlb_batch_add(&b, base, size);
	return b;
}

static void touch(uint32_t tag, vaddr_t va)
{
	paddr_t pa;

	CHECK(host_access(tag, va, false, &pa) && pa == MIB(2) + va);
}

static void map_some(unsigned pages)
{
	for (unsigned n = 0; n < pages; n++) {
		host_map(TAG, PAGE(n), MIB(2) + PAGE(n), true);
		host_map(OTHER, PAGE(n), MIB(2) + PAGE(n), true);
	}
}

static void touch_all(unsigned id)
{
	(void)id;
	for (unsigned n = 0; n < 40; n++) {
		touch(TAG, PAGE(n));
		touch(OTHER, PAGE(n));
	}
}

/* ---- batches ---- */

TEST(tlb_batch_joins_neighbours)
{
	struct tlb_batch b = batch_of(TAG, PAGE(4), PAGE(2));

	tlb_batch_add(&b, PAGE(6), PAGE(1));
	CHECK(b.count == 1 && b.range[0].base == PAGE(4) && b.range[0].size == PAGE(3));
	tlb_batch_add(&b, PAGE(2), PAGE(1));
	CHECK(b.count == 2 && b.tag == TAG);
}

static void flush_and_look(unsigned ranges)
{
	struct tlb_batch b;

	touch_all(0);
	b = (struct tlb_batch){ .tag = TAG };
	for (unsigned n = 0; n < ranges; n++)
		tlb_batch_add(&b, PAGE(2 * n), PAGE(1));
	tlb_flush(&b, ALL);
	for (unsigned n = 0; n < 40; n++) {
		bool named = n % 2 == 0 && n / 2 < ranges;
		CHECK(host_tlb_holds(0, TAG, PAGE(n)) == (ranges <= TLB_RANGES && !named));
		CHECK(host_tlb_holds(0, OTHER, PAGE(n)));
	}
}

/* Up to TLB_RANGES only what is named goes; beyond, the whole tag, and no other. */
TEST(tlb_flush_takes_what_the_batch_names)
{
	cpu_set_online(&cpu_boot);
	map_some(40);
	for (unsigned ranges = 0; ranges <= TLB_RANGES + 3; ranges++)
		flush_and_look(ranges);
}

/* The model itself: without a flush an entry stays. */
TEST(tlb_model_keeps_stale_entries)
{
	paddr_t pa;

	map_some(1);
	touch(TAG, 0);
	host_unmap(TAG, 0);
	CHECK(host_access(TAG, 0, false, &pa) && pa == MIB(2));
	CHECK(host_tlb_holds(0, TAG, 0) && !host_tlb_holds(0, OTHER, 0));
	arch_tlb_flush_range(TAG, 0, FRAME_SIZE);
	CHECK(!host_access(TAG, 0, false, &pa));

	host_map(TAG, 0, MIB(2), false);
	touch(TAG, 0);
	CHECK(!host_access(TAG, 0, true, &pa));
	host_map(TAG, 0, MIB(2), true); /* more access needs no flush */
	CHECK(host_access(TAG, 0, true, &pa));
	host_map(TAG, 0, MIB(2), false);
	CHECK(host_access(TAG, 0, true, &pa));
	arch_tlb_flush_tag(TAG);
	CHECK(!host_access(TAG, 0, true, &pa));
}

/* ---- who is reached ---- */

TEST(tlb_flush_reaches_idle_cpus)
{
	cpu_set_online(&cpu_boot);
	map_some(40);
	host_cpus_run(4, touch_all);
	CHECK(host_tlb_holds(3, TAG, PAGE(7)));
	struct tlb_batch b = batch_of(TAG, PAGE(7), PAGE(2));
	tlb_flush(&b, ALL);
	for (unsigned id = 0; id < 4; id++) {
		CHECK(host_tlb_holds(id, TAG, PAGE(6)));
		CHECK(!host_tlb_holds(id, TAG, PAGE(7)));
		CHECK(!host_tlb_holds(id, TAG, PAGE(8)));
		CHECK(host_tlb_holds(id, TAG, PAGE(9)));
		CHECK(host_tlb_holds(id, OTHER, PAGE(7)));
		CHECK(cpu_by_id[id]->tlb.served == (id > 0));
	}
}

TEST(tlb_flush_asks_only_whom_it_is_told)
{
	cpu_set_online(&cpu_boot);
	map_some(40);
	host_cpus_run(4, touch_all);
	struct tlb_batch b = batch_of(TAG, PAGE(7), PAGE(1));
	tlb_flush(&b, 1ull << 2 | 1ull << 63 | 1ull << 0);
	CHECK(!host_tlb_holds(0, TAG, PAGE(7)) && !host_tlb_holds(2, TAG, PAGE(7)));
	CHECK(host_tlb_holds(1, TAG, PAGE(7)) && host_tlb_holds(3, TAG, PAGE(7)));
	CHECK(cpu_by_id[1]->tlb.served == 0 && cpu_by_id[2]->tlb.served == 1);
}

TEST(tlb_empty_batch_costs_nothing)
{
	struct tlb_batch b;

	cpu_set_online(&cpu_boot);
	map_some(40);
	host_cpus_run(2, touch_all);
	b = (struct tlb_batch){ .tag = TAG };
	tlb_flush(&b, ALL);
	CHECK(cpu_by_id[1]->tlb.served == 0);
	CHECK(host_tlb_holds(0, TAG, 0) && host_tlb_holds(1, TAG, 0));
}

static _Atomic unsigned stage;

/* CPU 1 does not serve before CPU 0 has begun to wait: the answer is awaited. */
static void answer_late(unsigned id)
{
	struct tlb_batch b = batch_of(TAG, PAGE(7), PAGE(1));

	touch_all(id);
	if (id == 0) {
		while (stage == 0)
			arch_cpu_relax();
		tlb_flush(&b, ALL);
		CHECK(stage == 2);
		return;
	}
	stage = 1;
	while (cpu_boot.tlb.waiting == 0)
		arch_cpu_relax();
	for (unsigned i = 0; i < 10000; i++)
		arch_cpu_relax();
	CHECK(host_tlb_holds(1, TAG, PAGE(7)));
	stage = 2;
	tlb_serve();
	CHECK(!host_tlb_holds(1, TAG, PAGE(7)));
}

TEST(tlb_flush_waits_for_the_answer)
{
	cpu_set_online(&cpu_boot);
	map_some(40);
	host_cpus_run(2, answer_late);
}

static void shoot(unsigned id)
{
	struct tlb_batch b = batch_of(TAG, PAGE(id), PAGE(1));

	for (unsigned i = 0; i < 2000; i++)
		tlb_flush(&b, ALL);
}

/* Every CPU waits for every other, over and over, and nobody else serves. */
TEST(tlb_all_cpus_shoot_at_each_other)
{
	uint64_t served = 0;

	cpu_set_online(&cpu_boot);
	map_some(4);
	host_cpus_run(4, shoot);
	for (unsigned id = 0; id < 4; id++) {
		served += cpu_by_id[id]->tlb.served;
		CHECK(cpu_by_id[id]->tlb.waiting == 0);
	}
	CHECK(served == 3 * 4 * 2000);
}

static void note_barrier(unsigned id)
{
	if (id == 0) {
		while (stage < 2)
			arch_cpu_relax();
		tlb_barrier(ALL);
		stage = 3;
		return;
	}
	for (unsigned i = 0; i < 10 * id; i++)
		cpu_leave_kernel(arch_this_cpu());
	stage++;
	while (stage < 3)
		host_interrupt_window();
	CHECK(arch_this_cpu()->tlb.exits_then == arch_this_cpu()->kernel_exits);
	CHECK(arch_this_cpu()->tlb.exits_then >= 10 * id);
}

TEST(tlb_barrier_passes_all_and_flushes_nothing)
{
	cpu_set_online(&cpu_boot);
	map_some(40);
	host_cpus_run(3, touch_all);
	host_cpus_run(3, note_barrier);
	CHECK(cpu_by_id[1]->tlb.served == 1 && cpu_by_id[2]->tlb.served == 1);
	for (unsigned id = 0; id < 3; id++)
		CHECK(host_tlb_holds(id, TAG, 0));
}

/* ---- a storm of mapping, unmapping and access ---- */

#define STORM_CPUS  4
#define STORM_PAGES 24 /* each CPU maps and unmaps its own, and all access all */
#define STRAY       UINT64_MAX

static struct spinlock crowd = SPINLOCK_INIT(LOCK_IPC);
static uint64_t crowded;

static uint64_t *content(paddr_t pa)
{
	return arch_phys_to_virt(pa);
}

/* What is read through a translation is what its owner wrote for this page. Until
 * this CPU serves a shootdown, the frame can't have become something else. */
static void storm_access(unsigned page)
{
	paddr_t pa;

	if (host_access(TAG, PAGE(page), false, &pa))
		CHECK(*content(pa) == page);
}

static void storm_map(unsigned page, paddr_t *frame)
{
	if (!frame_alloc(0, FRAME_ANY, frame)) {
		*frame = 0;
		return;
	}
	*content(*frame) = page;
	host_map(TAG, PAGE(page), *frame, false);
}

/* Unmaps some pages with one flush; then no CPU has any of them cached. */
static void storm_unmap(struct chance *chance, unsigned first, paddr_t frame[STORM_PAGES])
{
	paddr_t gone[STORM_PAGES] = { 0 };
	uint64_t some = 2 + chance_below(chance, 4);
	struct tlb_batch b;

	b = (struct tlb_batch){ .tag = TAG };
	for (unsigned i = 0; i < STORM_PAGES; i++) {
		if (frame[i] == 0 || chance_below(chance, some) == 0)
			continue;
		gone[i] = frame[i];
		frame[i] = 0;
		host_unmap(TAG, PAGE(first + i));
		tlb_batch_add(&b, PAGE(first + i), FRAME_SIZE);
	}
	tlb_flush(&b, ALL);
	for (unsigned i = 0; i < STORM_PAGES; i++) {
		if (gone[i] == 0)
			continue;
		for (unsigned id = 0; id < STORM_CPUS; id++)
			CHECK(!host_tlb_holds(id, TAG, PAGE(first + i)));
		*content(gone[i]) = STRAY;
		frame_free(gone[i], 0);
	}
}

static void storm(unsigned id)
{
	struct chance chance = { test_seed() * 64 + id };
	unsigned first = id * STORM_PAGES;
	paddr_t frame[STORM_PAGES] = { 0 };

	for (uint64_t i = 0; i < test_rounds(3000); i++) {
		unsigned mine = (unsigned)chance_below(&chance, STORM_PAGES);

		for (unsigned n = 0; n < 8; n++)
			storm_access((unsigned)chance_below(&chance, STORM_CPUS * STORM_PAGES));
		if (frame[mine] == 0)
			storm_map(first + mine, &frame[mine]);
		else if (chance_below(&chance, 4) == 0)
			storm_unmap(&chance, first, frame);
		if (chance_below(&chance, 4) == 0) {
			spin_lock(&crowd);
			crowded++;
			spin_unlock(&crowd);
		}
		host_interrupt_window();
	}
	storm_unmap(&chance, first, frame);
}

TEST(tlb_storm_leaves_no_stale_translation)
{
	host_boot_usual();
	host_cpus_run(STORM_CPUS, storm);
	CHECK(crowded > 0);
	CHECK(frame_ok());
}

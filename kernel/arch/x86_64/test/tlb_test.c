/* SPDX-License-Identifier: MIT */
/* QEMU keeps translations for each CPU as a processor does, so a flush that is
 * missed shows here. */
#include "../probe.h"
#include "smp_call.h"
#include <arch/arch.h>
#include <core/frame.h>
#include <core/tlb.h>
#include <test/test.h>

/* Addresses that nothing else uses. */
#define PLACE         (ARCH_DEVICE_MAP + GIB(300))
#define PLACE_OF(cpu) (PLACE + (cpu)*2 * FRAME_SIZE)
#define CONTENTS(pa)  (*(volatile uint64_t *)arch_phys_to_virt(pa))

static _Atomic uint32_t wrong;
static _Atomic uint64_t barrier;

static bool remap(vaddr_t va, paddr_t to)
{
	struct tlb_batch b;

	arch_kernel_unmap(va, FRAME_SIZE);
	if (arch_kernel_map(va, to, FRAME_SIZE, ARCH_WRITE) != ST_OK)
		return false;
	b = (struct tlb_batch){ .tag = TLB_KERNEL };
	tlb_batch_add(&b, va, FRAME_SIZE);
	tlb_flush(&b, cpu_online_mask());
	return true;
}

static void unmap(vaddr_t va)
{
	struct tlb_batch b;

	arch_kernel_unmap(va, FRAME_SIZE);
	b = (struct tlb_batch){ .tag = TLB_KERNEL };
	tlb_batch_add(&b, va, FRAME_SIZE);
	tlb_flush(&b, cpu_online_mask());
}

/* Everybody reads the page, CPU 0 puts another frame there, and so on. */
static struct {
	uint64_t rounds;
	paddr_t frame[2];
} swap;

static void read_swapped(void *arg)
{
	bool mapper = arch_this_cpu()->id == 0;

	(void)arg;
	for (uint64_t n = 1; n <= swap.rounds; n++) {
		smp_meet(&barrier, cpu_count());
		if (*(volatile uint64_t *)PLACE != n - 1)
			atomic_fetch_add(&wrong, 1);
		smp_meet(&barrier, cpu_count());
		if (mapper) {
			CONTENTS(swap.frame[n % 2]) = n;
			if (!remap(PLACE, swap.frame[n % 2]))
				atomic_fetch_add(&wrong, 1);
		}
	}
}

TEST(tlb_flush_reaches_every_cpu)
{
	swap.rounds = test_rounds(600) / cpu_count();
	CHECK(frame_alloc(0, FRAME_ANY, &swap.frame[0]));
	CHECK(frame_alloc(0, FRAME_ANY, &swap.frame[1]));
	CHECK(arch_kernel_map(PLACE, swap.frame[0], FRAME_SIZE, ARCH_WRITE) == ST_OK);
	CONTENTS(swap.frame[0]) = 0;
	atomic_store(&wrong, 0);
	smp_call(cpu_online_mask(), read_swapped, NULL);
	unmap(PLACE);
	frame_free(swap.frame[0], 0);
	frame_free(swap.frame[1], 0);
	CHECK(atomic_load(&wrong) == 0);
}

/* Every CPU remaps a page of its own and reads everybody's, all at once. A page
 * holds how often its owner has remapped it. Once the flush is over the owner
 * says so, and the frame that was there before gets a number that is too small,
 * as if somebody else had it. */
static struct {
	paddr_t frame[2];
	_Atomic uint64_t flushed;
} own[CPU_MAX];
static uint64_t storm_rounds;

static void look_at(uint32_t cpu)
{
	uint64_t least = atomic_load(&own[cpu].flushed), there;

	/* While the owner is at it the page may be missing. */
	if (arch_probe_read((const void *)PLACE_OF(cpu), &there) && there < least)
		atomic_fetch_add(&wrong, 1);
}

static void storm(void *arg)
{
	uint32_t self = arch_this_cpu()->id;

	(void)arg;
	smp_meet(&barrier, cpu_count());
	for (uint64_t n = 1; n <= storm_rounds; n++) {
		CONTENTS(own[self].frame[n % 2]) = n;
		if (!remap(PLACE_OF(self), own[self].frame[n % 2]))
			atomic_fetch_add(&wrong, 1);
		atomic_store(&own[self].flushed, n);
		CONTENTS(own[self].frame[(n + 1) % 2]) = 0;
		for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
			look_at(cpu);
	}
	smp_meet(&barrier, cpu_count());
}

TEST(tlb_everybody_shoots_at_everybody)
{
	storm_rounds = test_rounds(400) / cpu_count();
	for (uint32_t i = 0; i < cpu_count(); i++) {
		CHECK(frame_alloc(0, FRAME_ANY, &own[i].frame[0]));
		CHECK(frame_alloc(0, FRAME_ANY, &own[i].frame[1]));
		CHECK(arch_kernel_map(PLACE_OF(i), own[i].frame[0], FRAME_SIZE, ARCH_WRITE) ==
		      ST_OK);
		CONTENTS(own[i].frame[0]) = 0;
		atomic_store(&own[i].flushed, 0);
	}
	atomic_store(&wrong, 0);
	smp_call(cpu_online_mask(), storm, NULL);
	for (uint32_t i = 0; i < cpu_count(); i++) {
		unmap(PLACE_OF(i));
		frame_free(own[i].frame[0], 0);
		frame_free(own[i].frame[1], 0);
	}
	CHECK(atomic_load(&wrong) == 0);
	for (uint32_t i = 0; i < cpu_count(); i++)
		CHECK(atomic_load(&own[i].flushed) == storm_rounds);
}

/* SPDX-License-Identifier: MIT */
/* Under -icount shift=0 the time-stamp counter counts instructions, so
 * arch_cycles is the measure. */
#include <arch/arch.h>
#include <core/frame.h>
#include <test/test.h>

#define ROUNDS 1000

/* What the loop and the reading of the counter cost by themselves. */
static uint64_t empty_rounds(void)
{
	uint64_t begin = arch_cycles();

	for (unsigned i = 0; i < ROUNDS; i++)
		__asm__ volatile("");
	return arch_cycles() - begin;
}

TEST(frame_alloc_and_free)
{
	struct frame_stats before, after;
	unsigned failed = 0;
	paddr_t pa;

	CHECK(frame_alloc(0, FRAME_ANY, &pa)); /* fills the cache of this CPU */
	frame_free(pa, 0);
	frame_stats(&before);
	uint64_t begin = arch_cycles();
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (frame_alloc(0, FRAME_ANY, &pa))
			frame_free(pa, 0);
		else
			failed++;
	}
	uint64_t taken = arch_cycles() - begin;
	frame_stats(&after);
	CHECK(failed == 0);
	CHECK(after.free == before.free);
	bench_report("frame_alloc_free_instr", (taken - empty_rounds()) / ROUNDS, "instructions");
}

/* SPDX-License-Identifier: MIT */
#include "smp_call.h"
#include <core/grace.h>
#include <core/slab.h>
#include <test/test.h>

/* How often CPU 0 leaves the kernel, as it were, before we believe that a period
 * does not end by itself. The tests hold nothing that a grace period protects. */
#define PATIENCE 1000

static _Atomic bool inside, may_leave;

static bool over_in_time(uint64_t ticket)
{
	for (unsigned i = 0; i < PATIENCE && !grace_is_over(ticket); i++) {
		grace_poll();
		cpu_leave_kernel(arch_this_cpu());
	}
	return grace_is_over(ticket);
}

TEST(grace_period_leaves_idle_cpus_asleep)
{
	cpumask_t others = smp_others();

	for (cpumask_t left = others; left != 0; left &= left - 1) {
		while (!cpu_by_id[__builtin_ctzll(left)]->idle)
			smp_spin();
	}
	uint64_t waits = 0;
	for (cpumask_t left = others; left != 0; left &= left - 1)
		waits += cpu_by_id[__builtin_ctzll(left)]->tlb.served;
	CHECK(over_in_time(grace_ticket()));
	for (cpumask_t left = others; left != 0; left &= left - 1)
		waits -= cpu_by_id[__builtin_ctzll(left)]->tlb.served;
	CHECK(waits == 0);
}

static void stay(void *arg)
{
	(void)arg;
	inside = true;
	while (!may_leave)
		smp_spin();
}

/* The interrupt came to an idle CPU: from then on it does not count as idle. */
TEST(grace_period_waits_for_an_interrupt_handler)
{
	cpumask_t others = smp_others();

	if (others == 0)
		SKIP("one CPU");
	inside = may_leave = false;
	smp_call_begin(others & (0 - others), stay, NULL);
	while (!inside)
		smp_spin();
	uint64_t ticket = grace_ticket();
	CHECK(!over_in_time(ticket));
	may_leave = true;
	smp_call_end();
	while (!over_in_time(ticket)) /* it is on its way back to idle */
		smp_spin();
}

TEST(slab_page_comes_back)
{
	static struct slab_cache cache;
	struct frame_stats before, after;

	slab_cache_init(&cache, NULL, 1, 256);
	frame_stats(&before);
	struct object *o = slab_alloc(&cache);
	CHECK(o != NULL && object_at(object_id(o)) == o);
	slab_publish(o);
	slab_free(&cache, o);
	CHECK(slab_reclaim(&cache, false, &(unsigned){ SLAB_BATCH }) == 1);
	for (unsigned i = 0; i < PATIENCE; i++) {
		cpu_leave_kernel(arch_this_cpu());
		grace_poll();
		slab_reclaim(&cache, false, &(unsigned){ SLAB_BATCH });
	}
	frame_stats(&after);
	CHECK(slab_reclaim(&cache, false, &(unsigned){ SLAB_BATCH }) == 0 &&
	      after.free == before.free);
}

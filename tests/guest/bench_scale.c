/* SPDX-License-Identifier: MIT */
/* Four CPUs against one. */
#include "scale.h"

static void judge(bool (*scale)(struct scale *), const char *growth, const char *waits)
{
	struct scale s;

	if (start->cpus < SCALE_CPUS)
		SKIP("fewer than four CPUs");
	CHECK(scale(&s));
	uint64_t more = s.together > s.alone ? s.together - s.alone : 0;
	bench_report(growth, more * 100 / s.alone, "percent");
	bench_report(waits, s.waits, "waits");
}

TEST(scale_calls)
{
	judge(scale_calls, "scale_calls_growth", "scale_calls_lock_waits");
}

TEST(scale_maps)
{
	judge(scale_maps, "scale_maps_growth", "scale_maps_lock_waits");
}

TEST(scale_faults)
{
	judge(scale_faults, "scale_faults_growth", "scale_faults_lock_waits");
}

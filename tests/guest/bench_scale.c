/* SPDX-License-Identifier: MIT */
/* Four CPUs against one. Where the cycle counter counts the instructions of all CPUs together
 * (-icount), an operation costs four threads as many as one, if none does another's work. */
#include "scale.h"

static void judge(enum scale_kind kind, const char *growth)
{
	struct scale s;

	if (start->cpus < SCALE_CPUS)
		SKIP("fewer than four CPUs");
	scale_cost(kind, &s);
	CHECK(s.wrong == 0);
	uint64_t more = s.together > s.alone ? s.together - s.alone : 0;
	bench_report(growth, more * 100 / s.alone, "percent");
}

TEST(scale_calls)
{
	judge(SCALE_CALLS, "scale_calls_growth");
}

TEST(scale_maps)
{
	judge(SCALE_MAPS, "scale_maps_growth");
}

TEST(scale_faults)
{
	judge(SCALE_FAULTS, "scale_faults_growth");
}

/* SPDX-License-Identifier: MIT */
/* Who works on objects of his own waits for nobody. */
#include "console.h"
#include "scale.h"

static void judge(enum scale_kind kind)
{
	struct scale s;

	if (start->cpus < SCALE_CPUS)
		SKIP("fewer than four CPUs");
	scale_waits(kind, &s);
	say("scale: %lu waits for locks", s.waits);
	CHECK(s.wrong == 0);
	CHECK(s.waits == 0);
}

TEST(scale_calls_wait_for_no_lock)
{
	judge(SCALE_CALLS);
}

TEST(scale_maps_wait_for_no_lock)
{
	judge(SCALE_MAPS);
}

TEST(scale_faults_wait_for_no_lock)
{
	judge(SCALE_FAULTS);
}

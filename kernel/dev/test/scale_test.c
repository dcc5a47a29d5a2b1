/* SPDX-License-Identifier: MIT */
#include <dev/scale.h>
#include <test/test.h>

#define SECOND 1000000000ull
#define YEAR   (366ull * 24 * 3600)

TEST(scale_is_exact_where_the_ratio_is)
{
	struct scale s;

	scale_init(&s, SECOND, SECOND);
	CHECK(scale_apply(&s, 0) == 0);
	CHECK(scale_apply(&s, 12345) == 12345);
	CHECK(scale_apply(&s, UINT64_MAX) == UINT64_MAX);
	scale_init(&s, 4 * SECOND, SECOND);
	CHECK(scale_apply(&s, 4000000007) == 1000000001);
	scale_init(&s, SECOND, 4 * SECOND);
	CHECK(scale_apply(&s, 1000000001) == 4000000004);
}

/* Ten years of any clock, against division with all digits. */
TEST(scale_does_not_drift)
{
	static const uint64_t rates[] = { 24000000,   1193182,    3579545,    999999937,
					  1000000000, 2449999999, 3600000001, 5800000000 };

	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct scale s;
		scale_init(&s, rates[i], SECOND);
		for (uint64_t years = 1; years <= 10; years++) {
			uint64_t ticks = rates[i] * YEAR * years + years;
			unsigned __int128 exact = (unsigned __int128)ticks * SECOND / rates[i];
			uint64_t ns = scale_apply(&s, ticks);
			CHECK(ns <= exact);
			CHECK(exact - ns <= (ticks >> SCALE_FRACTION) + 1);
		}
	}
}

TEST(scale_never_runs_backwards)
{
	struct scale s;
	uint64_t last = 0;

	scale_init(&s, 2449999999, SECOND);
	for (uint64_t ticks = 1ull << 60; ticks < (1ull << 60) + 100000; ticks++) {
		uint64_t ns = scale_apply(&s, ticks);
		CHECK(ns >= last);
		last = ns;
	}
}

TEST(scale_saturates)
{
	struct scale s;

	scale_init(&s, SECOND, 3 * SECOND);
	CHECK(scale_apply(&s, UINT64_MAX / 3) == UINT64_MAX / 3 * 3);
	CHECK(scale_apply(&s, UINT64_MAX / 3 + 1) == UINT64_MAX);
	CHECK(scale_apply(&s, UINT64_MAX) == UINT64_MAX);
}

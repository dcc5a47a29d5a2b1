/* SPDX-License-Identifier: MIT */
#include "chance.h"
#include "child.h"
#include <core/extent.h>
#include <string.h>
#include <test/test.h>

#define SPAN 512

static struct extent_list list;
static bool in[SPAN]; /* what the list should hold */

static void check_list(void)
{
	bool found[SPAN] = { false };

	for (uint32_t i = 0; i < list.count; i++) {
		CHECK(list.at[i].base < list.at[i].end && list.at[i].end <= SPAN);
		for (uint64_t n = list.at[i].base; n < list.at[i].end; n++)
			CHECK(!found[n]);
		memset(&found[list.at[i].base], true, list.at[i].end - list.at[i].base);
	}
	CHECK(memcmp(in, found, sizeof(in)) == 0);
}

static void fill(struct chance *chance)
{
	uint64_t at = 0;

	list.count = 0;
	memset(in, false, sizeof(in));
	while (at < SPAN) {
		uint64_t base = at + chance_below(chance, 3) * 5;
		uint64_t end = base + chance_below(chance, 40);

		if (end > SPAN)
			break;
		extent_append(&list, base, end);
		memset(&in[base], true, end - base);
		at = end;
	}
}

static void cut_something(struct chance *chance)
{
	uint64_t base = chance_below(chance, SPAN);
	uint64_t end = base + chance_below(chance, SPAN - base);

	if (chance_below(chance, 2) && end > base + 9)
		end = base + 9;
	extent_cut(&list, base, end);
	if (end > base)
		memset(&in[base], false, end - base);
}

static void take_something(struct chance *chance)
{
	uint64_t limit = 1 + chance_below(chance, SPAN);
	uint64_t want = limit;
	uint64_t got = SPAN;

	while (want > 0 && !in[want - 1])
		want--;
	CHECK(extent_take(&list, limit, &got) == (want > 0));
	CHECK(got == (want > 0 ? want - 1 : SPAN));
	if (want > 0)
		in[got] = false;
}

static void overlap_something(struct chance *chance)
{
	uint64_t base = chance_below(chance, SPAN);
	uint64_t end = base + chance_below(chance, SPAN - base + 1);
	uint64_t sum = 0;

	for (uint64_t n = base; n < end; n++)
		sum += in[n];
	CHECK(extent_overlap(&list, base, end) == sum);
}

TEST(extent_lists_agree_with_a_bitmap)
{
	struct chance chance = { test_seed() };

	for (uint64_t round = 0; round < test_rounds(200); round++) {
		fill(&chance);
		check_list();
		for (unsigned i = 0; i < 30; i++) {
			if (chance_below(&chance, 2))
				cut_something(&chance);
			else
				take_something(&chance);
			overlap_something(&chance);
			check_list();
		}
	}
}

TEST(extent_appending_joins_what_touches)
{
	list.count = 0;
	extent_append(&list, 3, 5);
	extent_append(&list, 5, 9);
	extent_append(&list, 9, 9);
	extent_append(&list, 10, 12);
	CHECK(list.count == 2);
	CHECK(list.at[0].base == 3 && list.at[0].end == 9);
	CHECK(list.at[1].base == 10 && list.at[1].end == 12);
}

TEST(extent_scaling_keeps_whole_units_only)
{
	list.count = 0;
	extent_append(&list, 1, 7);
	extent_append(&list, 8, 16);
	extent_append(&list, 19, 33);
	extent_append(&list, 34, 39);
	extent_append(&list, UINT64_MAX - 8, UINT64_MAX);
	extent_scale_down(&list, 8);
	CHECK(list.count == 2);
	CHECK(list.at[0].base == 1 && list.at[0].end == 2);
	CHECK(list.at[1].base == 3 && list.at[1].end == 4);
}

static void fill_up(void)
{
	list.count = 0;
	for (uint64_t i = 0; i <= EXTENTS_MAX; i++)
		extent_append(&list, 2 * i, 2 * i + 1);
}

TEST(extent_list_that_is_full_panics)
{
	static struct child c;

	child_run(&c, fill_up);
	CHECK(child_gave_up(&c));
	CHECK(list.count == 0);
}

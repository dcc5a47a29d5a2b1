/* SPDX-License-Identifier: MIT */
/* Calls on quotas, and on the spaces that they pay for. */
#include "refuse.h"
#include <lib/sys/calls.h>

#define PAGE   ((uint64_t)MEMORY_PAGE)
#define LEVELS 16

/* Takes pages from `q` until it has no more; how many. */
static uint64_t fill(cap_t q)
{
	uint64_t count = 0;

	while (SYS(memory_create, q, 1, MEMORY_CONTIGUOUS).status == ST_OK)
		count++;
	return count;
}

/* A quota with a reservation, which only one that has some itself can give: the first program's.
 * The case has to destroy it. */
static cap_t rich_quota(uint64_t limit, uint64_t reservation)
{
	cap_t q;

	if (sys_quota_create(start->quota, limit, reservation, &q) != ST_OK)
		give_up("a reservation", 0);
	return q;
}

TEST(quota_create_wants_whole_pages)
{
	cap_t q = quota;

	CHECK(REFUSES(ST_BAD_ARG, quota_create, q, 1, 0));
	CHECK(REFUSES(ST_BAD_ARG, quota_create, q, PAGE + 1, 0));
	CHECK(REFUSES(ST_BAD_ARG, quota_create, q, UINT64_MAX, 0));
	CHECK(REFUSES(ST_BAD_ARG, quota_create, q, PAGE, 1));
	CHECK(REFUSES(ST_BAD_ARG, quota_create, q, PAGE, 2 * PAGE));
	CHECK(REFUSES(ST_BAD_ARG, quota_create, q, 0, PAGE));
	CHECK(REFUSES(ST_BAD_ARG, quota_create, q, 0, UINT64_MAX - (PAGE - 1)));
}

/* A limit is no promise: any will do. A reservation is. */
TEST(quota_create_limit_and_reservation)
{
	uint64_t used, limit, peak, before = used_of(quota);
	cap_t q;

	CHECK(sys_quota_create(quota, UINT64_MAX & ~(PAGE - 1), 0, &q) == ST_OK);
	CHECK(sys_quota_read(q, &used, &limit, &peak) == ST_OK);
	CHECK(used == 0 && limit == (UINT64_MAX & ~(PAGE - 1)) && peak == 0);
	CHECK(used_of(quota) <= before + 2 * PAGE);

	cap_t parent = rich_quota(8 << 20, 2 << 20);
	before = used_of(parent);
	CHECK(sys_quota_create(parent, 4 << 20, 1 << 20, &q) == ST_OK);
	CHECK(used_of(parent) >= before + (1 << 20));
	CHECK(sys_object_destroy(q) == ST_OK);
	CHECK(used_of(parent) <= before + PAGE);
	CHECK(sys_object_destroy(parent) == ST_OK);
}

TEST(quota_create_promises_no_more_than_there_is)
{
	cap_t parent = rich_quota(4 << 20, 1 << 20), q;

	CHECK(REFUSES(ST_NO_MEMORY, quota_create, quota, PAGE, PAGE)); /* has none itself */
	CHECK(REFUSES(ST_NO_MEMORY, quota_create, parent, 2 << 20, 2 << 20));
	CHECK(REFUSES(ST_NO_MEMORY, quota_create, parent, 2 << 20, (1 << 20) + PAGE));
	CHECK(REFUSES(ST_NO_MEMORY, quota_create, parent, -PAGE, 1ull << 62));
	CHECK(REFUSES(ST_NO_MEMORY, quota_create, parent, -PAGE, -PAGE));
	CHECK(sys_quota_create(parent, 4 << 20, 1 << 19, &q) == ST_OK);
	CHECK(REFUSES(ST_NO_MEMORY, quota_create, parent, 4 << 20, (1 << 19) + PAGE));
	CHECK(sys_object_destroy(parent) == ST_OK);
}

/* What one child was promised no other can use. */
TEST(quota_reservations_are_kept)
{
	cap_t parent = rich_quota(1 << 20, 1 << 20), first, second;

	CHECK(sys_quota_create(parent, 1 << 19, 1 << 19, &first) == ST_OK);
	CHECK(sys_quota_create(parent, 1 << 20, 0, &second) == ST_OK);
	uint64_t pages = fill(second);
	CHECK(pages > 0 && pages < (1 << 19) / PAGE);
	CHECK(fill(parent) <= 1); /* what an object's page leaves over */
	/* The promise holds: as many pages as it says, but for the objects themselves. */
	CHECK(fill(first) >= (1 << 19) / PAGE * 9 / 10);
	CHECK(sys_object_destroy(parent) == ST_OK);
}

TEST(quota_create_goes_so_deep)
{
	cap_t q = quota, next;
	unsigned levels = 1; /* the case's own is below the first program's */

	for (; sys_quota_create(q, 1 << 20, 0, &next) == ST_OK; levels++)
		q = next;
	CHECK(levels == LEVELS);
	CHECK(REFUSES(ST_TOO_BIG, quota_create, q, 0, 0));
}

TEST(quota_limit_holds)
{
	cap_t q = new_quota(40 * PAGE);
	uint64_t used, limit, peak, before = used_of(quota);
	uint64_t pages = fill(q);

	CHECK(sys_quota_read(q, &used, &limit, &peak) == ST_OK);
	CHECK(limit == 40 * PAGE && used <= limit && peak <= limit && peak >= used);
	CHECK(pages >= 30 && pages < 40);
	CHECK(REFUSES(ST_NO_MEMORY, memory_create, q, 1, MEMORY_CONTIGUOUS));
	CHECK(REFUSES(ST_NO_MEMORY, memory_create, q, 64, MEMORY_CONTIGUOUS));
	/* It draws from its parent in pieces, but never more than its limit. */
	CHECK(used_of(quota) <= before + 40 * PAGE);
	/* Below it there is no more than above. */
	cap_t child;
	if (sys_quota_create(q, 1 << 20, 0, &child) == ST_OK)
		CHECK(fill(child) == 0);
	CHECK(sys_object_destroy(q) == ST_OK);
	CHECK(used_of(quota) <= before);
}

TEST(quota_resize_within_what_is_used)
{
	cap_t q = new_quota(1 << 20);
	uint64_t used, limit, peak;

	(void)SYS(memory_create, q, 16, MEMORY_CONTIGUOUS);
	CHECK(sys_quota_read(q, &used, &limit, &peak) == ST_OK && used >= 16 * PAGE);
	CHECK(REFUSES(ST_BAD_STATE, quota_resize, q, 15 * PAGE, 0));
	CHECK(REFUSES(ST_BAD_STATE, quota_resize, q, 0, 0));
	CHECK(sys_quota_resize(q, used, 0) == ST_OK);
	CHECK(fill(q) == 0);
	CHECK(sys_quota_resize(q, used + 32 * PAGE, 0) == ST_OK);
	CHECK(fill(q) > 16);
	CHECK(SYS(quota_read, q).out[1] == used + 32 * PAGE);
}

TEST(quota_resize_moves_the_reservation)
{
	cap_t parent = rich_quota(4 << 20, 2 << 20), q;

	CHECK(sys_quota_create(parent, 1 << 20, 0, &q) == ST_OK);
	uint64_t before = used_of(parent);
	CHECK(sys_quota_resize(q, 1 << 20, 1 << 20) == ST_OK);
	CHECK(used_of(parent) >= before + (1 << 19));
	CHECK(sys_quota_resize(q, 1 << 20, 0) == ST_OK);
	CHECK(used_of(parent) <= before + (1 << 16));
	CHECK(REFUSES(ST_NO_MEMORY, quota_resize, q, 4 << 20, 3 << 20));
	CHECK(REFUSES(ST_NO_MEMORY, quota_resize, q, -PAGE, -PAGE));
	CHECK(used_of(parent) <= before + (1 << 16));
	CHECK(SYS(quota_read, q).out[1] == 1 << 20);
	CHECK(sys_quota_resize(q, 2 << 20, 2 << 20) == ST_OK);
	CHECK(sys_object_destroy(parent) == ST_OK);
}

TEST(quota_resize_below_what_is_promised)
{
	cap_t q = rich_quota(1 << 20, 1 << 20), child;

	CHECK(sys_quota_create(q, 1 << 18, 1 << 18, &child) == ST_OK);
	CHECK(REFUSES(ST_BAD_STATE, quota_resize, q, 1 << 20, (1 << 18) - PAGE));
	CHECK(sys_quota_resize(q, 1 << 20, 1 << 18) == ST_OK);
	CHECK(sys_object_destroy(q) == ST_OK);
}

TEST(quota_resize_refuses)
{
	cap_t q = new_quota(1 << 20);

	CHECK(REFUSES(ST_BAD_ARG, quota_resize, q, PAGE + 1, 0));
	CHECK(REFUSES(ST_BAD_ARG, quota_resize, q, PAGE, 1));
	CHECK(REFUSES(ST_BAD_ARG, quota_resize, q, PAGE, 2 * PAGE));
	CHECK(REFUSES(ST_BAD_STATE, quota_resize, start->quota, 1 << 30, 0));
	CHECK(SYS(quota_read, q).out[1] == 1 << 20);
}

/* The peak stays when what was used is given back. */
TEST(quota_read_tells_the_peak)
{
	cap_t q = new_quota(1 << 20);
	cap_t memory = SYS(memory_create, q, 32, MEMORY_CONTIGUOUS).out[0];
	uint64_t used, limit, peak, high = used_of(q);

	CHECK(high >= 32 * PAGE);
	CHECK(sys_object_destroy(memory) == ST_OK);
	CHECK(sys_quota_read(q, &used, &limit, &peak) == ST_OK);
	CHECK(used <= high - 32 * PAGE && peak == high);
}

/* A space pays for what it grows by with its own quota, whoever puts something in. */
TEST(cspace_growth_is_paid_for)
{
	cap_t q = new_quota(1 << 20), space, copy;
	uint64_t others = used_of(quota);

	CHECK(sys_cspace_create(q, &space) == ST_OK);
	uint64_t before = used_of(q);
	for (unsigned i = 0; i < 1000; i++)
		CHECK(sys_cap_copy(space, start->cspace, quota, 0, 0, &copy) == ST_OK);
	CHECK(used_of(q) >= before + 1000 * 64);
	CHECK(used_of(quota) - others <= used_of(q) + (1 << 16));
}

TEST(cspace_begins_empty)
{
	cap_t space = new_space();

	for (uint64_t gen = 0; gen < 3; gen++) {
		for (uint64_t slot = 0; slot < 130; slot++)
			CHECK(STATUS(cap_inspect, space, gen << 32 | slot) == ST_BAD_CAP);
	}
}

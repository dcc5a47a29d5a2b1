/* SPDX-License-Identifier: MIT */
/* The caller's own memory, where a call reads or writes it: not paid for, or taken away in the
 * middle. Addresses that can't be are in the cases of each call. */
#include "job.h"
#include "refuse.h"
#include <abi/node.h>
#include <lib/sys/calls.h>

#define RW (MAP_READ | MAP_WRITE)

static status_t call_from(unsigned which, const struct sources *by, const void *va)
{
	return which == 0 ? sys_memory_write(by->memory, 0, va, 64)
			  : sys_thread_write_registers(by->thread, va);
}

/* Memory that its quota has no page for. */
static void *unpaid(void)
{
	cap_t q = new_quota(64 * 1024);
	struct sys_result r = SYS(memory_create, q, 4, 0);

	if (r.status != ST_OK)
		give_up("memory", r.status);
	while (SYS(memory_create, q, 1, MEMORY_CONTIGUOUS).status == ST_OK)
		continue;
	return map(r.out[0], 4, RW);
}

TEST(buffer_that_is_not_paid_for)
{
	struct sources by = { new_memory(1), job_new()->thread };
	char *va = unpaid();

	for (unsigned i = 0; i < WRITING_CALLS; i++) {
		CHECK(write_by_call(i, &by, va) == ST_NO_MEMORY);
		CHECK(write_by_call(i, &by, va + MEMORY_PAGE - 32) == ST_NO_MEMORY);
	}
	CHECK(sys_memory_write(by.memory, 0, va, 64) == ST_OK); /* it reads as zeros */
}

/* The destination of a copy has nobody to pay for it either. */
TEST(buffer_into_memory_that_is_not_paid_for)
{
	cap_t q = new_quota(64 * 1024), poor = SYS(memory_create, q, 4, 0).out[0];
	char *va = new_pages(1);

	while (SYS(memory_create, q, 1, MEMORY_CONTIGUOUS).status == ST_OK)
		continue;
	CHECK(REFUSES(ST_NO_MEMORY, memory_write, poor, 0, va, 8));
	CHECK(REFUSES(ST_NO_MEMORY, memory_write, poor, MEMORY_PAGE, va, 8));
}

static void come_and_go(struct actor *a)
{
	const struct aspace_range r = { a->arg[1], 0, 2 };

	while (!a->seen) {
		(void)sys_aspace_unmap(start->aspace, a->arg[1], 2);
		(void)sys_aspace_map(start->aspace, a->arg[0], &r, RW);
		(void)sys_aspace_protect(start->aspace, a->arg[1], 2, MAP_READ);
		(void)sys_memory_decommit(a->arg[0], 0, 2);
	}
}

/* Another thread maps, protects, empties and unmaps it all the time. */
TEST(buffer_that_comes_and_goes)
{
	cap_t pages = new_memory(2);
	char *va = map(pages, 2, RW);
	struct actor *a = actor_new(come_and_go);
	struct sources by = { new_memory(1), job_new()->thread };

	a->arg[0] = pages;
	a->arg[1] = (uint64_t)va;
	actor_start(a);
	for (uint64_t i = 0; i < test_rounds(500); i++) {
		for (unsigned n = 0; n < WRITING_CALLS; n++) {
			status_t st = write_by_call(n, &by, va + MEMORY_PAGE - 32);
			CHECK(st == ST_OK || st == ST_BAD_ADDRESS);
		}
		for (unsigned n = 0; n < 2; n++) {
			status_t st = call_from(n, &by, va + MEMORY_PAGE - 32);
			CHECK(st == ST_OK || st == ST_BAD_ADDRESS || (n == 1 && st == ST_BAD_ARG));
		}
		yield();
	}
	a->seen = 1;
	actor_await(a);
}

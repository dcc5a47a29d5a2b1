/* SPDX-License-Identifier: MIT */
/* Two programs: what one does the other does not see, but through what both were given. */
#include "world.h"
#include <stdatomic.h>

static uint64_t variable = 1;

static void change_variable(struct actor *a)
{
	a->arg[0] = variable;
	variable = 77;
	a->arg[1] = variable;
}

TEST(process_has_data_of_its_own)
{
	variable = 5;
	struct actor *a = process_new(change_variable);
	variable = 6;
	actor_start(a);
	actor_await(a);
	CHECK(a->arg[0] == 5 && a->arg[1] == 77);
	CHECK(variable == 6);
}

static void try_handles(struct actor *a)
{
	uint64_t found = 0;

	for (uint64_t gen = 0; gen < 4; gen++) {
		for (uint64_t slot = 0; slot < 256; slot++) {
			cap_t handle = gen << 32 | slot;
			if (handle != a->self && STATUS(thread_yield, handle) != ST_BAD_CAP)
				found++;
		}
	}
	a->seen = found;
}

TEST(process_has_no_capability_but_those_given)
{
	struct actor *a = process_new(try_handles);

	actor_start(a);
	actor_await(a);
	CHECK(a->seen == 0);
}

static void call_and_add(struct actor *a)
{
	a->block->word[0] = 40;
	struct sys_result r = SYS(endpoint_call, a->arg[0], MSG_INFO(9, 8, 0), NEVER);

	a->arg[1] = (uint64_t)(int64_t)r.status;
	a->arg[2] = a->block->word[0];
	a->arg[3] = r.out[0];
}

TEST(process_calls_over_an_endpoint)
{
	struct actor *a = process_new(call_and_add);
	cap_t ep = new_endpoint();

	a->arg[0] = actor_give(a, ep, RIGHT_CALL, 1234);
	actor_start(a);
	struct sys_result r = SYS(endpoint_receive, ep, NEVER);
	CHECK(r.status == ST_OK && r.out[1] == 1234);
	CHECK(MSG_METHOD(r.out[0]) == 9 && MSG_LEN(r.out[0]) == 8);
	CHECK(own_block()->word[0] == 40);
	own_block()->word[0] = 42;
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(10, 8, 0)) == ST_OK);
	actor_await(a);
	CHECK((int64_t)a->arg[1] == ST_OK && a->arg[2] == 42);
	CHECK(MSG_METHOD(a->arg[3]) == 10 && MSG_LEN(a->arg[3]) == 8);
}

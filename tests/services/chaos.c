/* SPDX-License-Identifier: MIT */
/* The store is killed at each step of its work, while others use it. */
#include "numbers.h"
#include "tester.h"
#include <lib/program/program.h>
#include <proto/supervisor.h>
#include <services/init/composition.h>
#include <test/test.h>

static bool status(unsigned program, struct supervisor_status_rep *rep)
{
	const struct supervisor_status_req req = { program };

	return supervisor_status(program_cap("control"), &req, rep, NULL) == ST_OK;
}

/* Init kills it, wherever it is. */
static bool kill_store(void)
{
	struct supervisor_restart_req req = { "keeper" };
	struct supervisor_restart_rep rep;

	return supervisor_restart(program_cap("control"), &req, &rep, NULL) == ST_OK;
}

static uint64_t number, sum;

/* False: the answer is not what it should be. */
static bool add(enum store_death death)
{
	const uint64_t value = ++number * 977 % 1009;
	const struct store_add_req req = { number, value, death };
	struct store_add_rep rep;
	status_t st;

	sum += value;
	do
		st = store_add(program_cap("store"), &req, &rep, NULL);
	while (st == ST_PEER_GONE);
	return st == ST_OK && rep.number == number && rep.sum == sum;
}

/* One death that the store was asked for is over when it was started so often. */
static bool await_restarts(uint64_t restarts)
{
	struct supervisor_status_rep is;

	do {
		if (!status(KEEPER, &is) || is.state == SUPERVISOR_ENDED)
			return false;
	} while (is.restarts < restarts);
	return true;
}

TEST(services_chaos_loses_no_sum)
{
	struct supervisor_status_rep is, early = { 0 };
	uint64_t first = 0, second = 0;

	CHECK(status(KEEPER, &is));
	uint64_t restarts = is.restarts;
	for (uint64_t i = 0; i < test_rounds(100); i++) {
		enum store_death death = (enum store_death)(i % STORE_DEATHS);

		CHECK(death != STORE_LIVES || kill_store());
		CHECK(add(death));
		CHECK(await_restarts(++restarts));
		first = watch_await_progress(CLIENT, first);
		second = watch_await_progress(SECOND, second);
		CHECK(add(STORE_LIVES));
		if (i == 20)
			CHECK(status(KEEPER, &early));
	}
	CHECK(status(KEEPER, &is) && is.restarts == restarts);
	CHECK(is.state_memory <= early.state_memory + 8192);
	CHECK(status(CLIENT, &is) && is.state == SUPERVISOR_READY && is.restarts == 0);
	CHECK(status(SECOND, &is) && is.state == SUPERVISOR_READY && is.restarts == 0);
}

/* SPDX-License-Identifier: MIT */
/* Adds in the store without end, and knows what the sum has to be. */
#include "common.h"
#include <lib/program/program.h>
#include <pthread.h>

static void tell(uint64_t rounds)
{
	const struct desk_progress_req req = { rounds };
	struct desk_progress_rep rep;

	if (desk_progress(program_cap("desk"), &req, &rep, NULL) != ST_OK)
		common_fail("nobody counts");
}

static void *work(void *nothing)
{
	uint64_t x = (uint8_t)program_block()->name[0], sum = 0;

	for (uint64_t number = 1;; number++) {
		struct store_add_req req = { .number = number };
		struct store_add_rep rep;
		status_t st;

		x = x * 6364136223846793005u + 1442695040888963407u;
		req.value = x >> 40;
		sum += req.value;
		do
			st = store_add(program_cap("store"), &req, &rep, NULL);
		while (st == ST_PEER_GONE);
		if (st != ST_OK || rep.number != number || rep.sum != sum)
			common_fail(st == ST_OK ? "the sum is wrong" : "the store is gone");
		tell(number);
	}
	return nothing;
}

int main(void)
{
	pthread_t thread;

	(void)common_loop();
	if (pthread_create(&thread, NULL, work, NULL) != 0)
		common_fail("no thread");
	common_run();
}

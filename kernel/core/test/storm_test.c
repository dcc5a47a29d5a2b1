/* SPDX-License-Identifier: MIT */
/* Random system calls, many of them. */
#include "storm.h"
#include "chance.h"
#include <test/test.h>
#include <stdio.h>

#define BYTES 30000 /* of one process: some 1000 calls, if it lives so long */

TEST(storm_of_system_calls)
{
	static uint8_t bytes[BYTES];
	struct chance chance = { test_seed() };
	uint64_t wanted = test_rounds(100000), calls = 0, passed = 0;

	storm_boot();
	for (unsigned round = 0; calls < wanted; round++) {
		for (unsigned i = 0; i < BYTES; i++)
			bytes[i] = (uint8_t)chance_next(&chance);
		const char *wrong = storm_run(bytes, BYTES);
		if (wrong != NULL) {
			fprintf(stderr, "storm: round %u: %s\n", round, wrong);
			test_fail(__FILE__, __LINE__, "all is in order");
			return;
		}
		calls = 0;
		for (unsigned i = 0; i < 64; i++)
			calls += storm_calls[i];
	}
	/* It was about something: each call that there is went well at times. */
	for (unsigned i = 0; i < 64; i++)
		passed += storm_passed[i];
	CHECK(passed > calls / 10);
}

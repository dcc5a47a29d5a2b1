/* SPDX-License-Identifier: MIT */
/* What one program does in masses, and what others notice of it. */
#include "job.h"
#include <stdatomic.h>

/* ---- what is left to the kernel to end ---- */

/* The last capability to a space is dropped, and everybody waits: the machine ends the space when
 * it has nothing else to do, and still takes interrupts meanwhile. */
TEST(storm_idle_machine_ends_what_was_dropped)
{
	uint64_t t = time_before();

	for (unsigned i = 0; i < 20; i++) {
		cap_t space = new_space();
		for (unsigned n = 0; n < 500; n++)
			CHECK(STATUS(cap_copy, space, start->cspace, quota, 0, 0) == ST_OK);
		CHECK(STATUS(cap_drop, start->cspace, space) == ST_OK);
		t += 5 * MS;
		sleep_until(t);
	}
}

/* SPDX-License-Identifier: MIT */
/* What capabilities and objects cost, and the longest that the kernel keeps interrupts waiting. */
#include "console.h"
#include "storm.h"
#include <abi/node.h>
#include <abi/status.h>

#define LONGEST 20000 /* instructions */

static void tell_longest(const char *after)
{
	struct node_counters n;

	SYS(node_counters, start->node, 0, &n, sizeof(n));
	say("longest run after %s: %lu instructions, call %lu", after, n.longest_run,
	    n.longest_what);
}

/* Meant for a boot with the option "runs": other figures are not what they were then. */
TEST(longest_run)
{
	struct node_counters n;

	if (option("runs") == NULL)
		SKIP("the boot option runs is not set");
	tell_longest("boot");
	storm_heirs(256);
	tell_longest("heirs");
	storm_destroy(3000);
	tell_longest("destroy");
	storm_revoke(20000);
	tell_longest("revoke");
	CHECK(STATUS(node_counters, start->node, 0, &n, sizeof(n)) == ST_OK);
	bench_report("kernel_longest_run_instr", n.longest_run, "instructions");
}

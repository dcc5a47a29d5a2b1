/* SPDX-License-Identifier: MIT */
/* A first program that does nothing: it sees that it was given what it should, and switches the
 * machine off. For tests of what comes before it. */
#include <abi/node.h>
#include <lib/sys/program.h>
#include <lib/sys/syscall.h>
#include <stdbool.h>

void program_main(const struct startup_own *own)
{
	const struct startup *s = (const struct startup *)own;
	bool whole = s->magic == STARTUP_MAGIC && s->version == STARTUP_VERSION;

	SYS(node_power, s->node, whole ? NODE_OFF : NODE_OFF_FAILED);
	for (;;)
		SYS(thread_suspend, s->thread);
}

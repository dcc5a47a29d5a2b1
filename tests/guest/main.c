/* SPDX-License-Identifier: MIT */
/* The kernel's tests from user mode: the first program of a machine that has no other. Boot
 * options as in test/guest.c: test=PREFIX, test.rounds=N, test.seed=N. */
#include "console.h"
#include <abi/node.h>
#include <lib/sys/program.h>
#include <lib/sys/syscall.h>

void program_main(const struct startup *s)
{
	console_init(s->ports);
	say("hello from user mode, %u cpus", s->cpus);
	SYS(node_power, s->node, NODE_OFF);
	for (;;)
		SYS(thread_suspend, s->thread);
}

/* SPDX-License-Identifier: MIT */
/* abi/node.h - what the node object tells and does. */
#pragma once
#include <stdint.h>

#define NODE_LOG_MAX     4096 /* bytes that one node_log gives at most */
#define NODE_ENTROPY_MAX 256  /* bytes that one node_entropy gives at most */
#define NODE_CALLS       64   /* system calls that are counted, by number */

/* What one CPU has done since it was started (node_counters). New counts go to the end. */
struct node_counters {
	uint64_t calls[NODE_CALLS]; /* by number, whatever they answered */
	uint64_t refused;           /* calls that answered with an error */
	uint64_t exits;             /* times that it left the kernel */
	uint64_t lock_waits;        /* times that it waited for a lock */
	uint64_t switches;          /* from one thread to another */
	uint64_t direct;            /* of these, past the run queue */
	uint64_t fast;              /* messages on the fast path */
	uint64_t kicks;             /* interrupts sent to make another CPU look for work */
	uint64_t faults;            /* of programs, that the kernel did not resolve */
	uint64_t interrupts;        /* taken */
	uint64_t longest_run;       /* in the kernel without a look for interrupts, in cycles: */
	uint64_t longest_what;      /* in this call, NODE_CALLS: a trap, or behind: from idle. Only
				     * with the boot option "runs" */
};

_Static_assert(sizeof(struct node_counters) == 8 * (NODE_CALLS + 11), "node_counters is ABI");

/* How node_power ends the machine. */
enum node_power {
	NODE_OFF = 0,
	NODE_OFF_FAILED = 1, /* an emulator's exit code tells */
	NODE_REBOOT = 2,
};

/* SPDX-License-Identifier: MIT */
/* kernel/core/node.h - what there is one of: the kernel's log, counters, entropy, power.
 *
 * Life    made once for the first program, with a right for each of the four; it dies when
 *         nobody has a capability to it any more.
 * Owns    nothing.
 * Locks   none of its own.
 * Blocks  never.
 *
 * Its system calls are all there is to it. abi/node.h says what they carry.
 */
#pragma once
#include <core/object.h>

struct node {
	struct object obj; /* first */
};

extern const struct object_ops node_ops;

/* ST_NO_MEMORY. */
status_t node_create(struct quota *q, struct node **out) MUST_CHECK;

/* SPDX-License-Identifier: MIT */
/* kernel/core/ioport.h - I/O ports, on machines that have such.
 *
 * Life    one object for all ports, made for the first program. A capability to some of them
 *         is derived like one to a range of memory: the badge word says which (CAP_RANGE).
 * Owns    nothing.
 * Locks   obj.lock (rank LOCK_IPC): held while a port is touched.
 * Blocks  never.
 */
#pragma once
#include <core/object.h>

struct ioport {
	struct object obj; /* first */
};

extern const struct object_ops ioport_ops;

/* ST_NO_MEMORY. */
status_t ioport_create(struct quota *q, struct ioport **out) MUST_CHECK;

/* SPDX-License-Identifier: MIT */
/* kernel/core/syscall.h - from a trap to a handler.
 *
 * abi/syscall.def is the whole surface. The dispatcher looks up, type-checks, right-checks and
 * locks every capability that a call's line names, in order of rank and address, reads all
 * slots again under the last lock, and only then runs the handler. How the handler gets its
 * objects is the line's mode:
 *   HELD     locked until the handler returns
 *   TAKEN    locked; the handler lets the lock go (messages, notifications)
 *   CHECKED  checked, not locked: work that takes locks in an order of its own. Whatever
 *            the handler does to such an object it does under that object's lock after
 *            reading the slot again (cap_still), so a revocation that has returned is never
 *            passed by.
 */
#pragma once
#include <abi/status.h>
#include <core/cap.h>

#define SYSCALL_ARGS 6
#define SYSCALL_CAPS 5

/* One call in progress. */
struct syscall {
	struct thread *self;
	uint64_t arg[SYSCALL_ARGS];
	struct cap_ref cap[SYSCALL_CAPS]; /* object NULL: an optional one that was not given */
	uint64_t out[3];                  /* results besides the status */
};

/* A handler returns ST_BLOCKED when the thread waits (its results are written by whoever ends
 * that), SYSCALL_DONE when it has written the results itself, and ST_LATER to be run again with
 * the same arguments after a preemption point. */
typedef status_t syscall_fn(struct syscall *c);

#define ST_BLOCKED   ((status_t)-100)
#define SYSCALL_DONE ((status_t)-101)

/* Runs call `number` for the running thread and writes its results into its registers. */
void syscall_dispatch(struct thread *self, uint64_t number, const uint64_t arg[SYSCALL_ARGS]);

/* The name of call `number`, or NULL. */
const char *syscall_name(uint64_t number);

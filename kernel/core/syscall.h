/* SPDX-License-Identifier: MIT */
/* kernel/core/syscall.h - from a trap to a handler.
 *
 * abi/syscall.def is the whole surface. The dispatcher looks up, type-checks and right-checks
 * every capability that a call's line names, and only then runs the handler. How the handler
 * gets its objects is the line's mode:
 *   HELD     the only one is locked, and the slot was read again; until the handler returns
 *   TAKEN    the same, but the handler lets the lock go (messages, notifications)
 *   CHECKED  checked, not locked: work that takes locks in an order of its own. Whatever the
 *            handler does to such an object it does under that object's lock, or its
 *            tree's, after reading the slot again (cap_still), so a revocation that has
 *            returned is not passed by.
 */
#pragma once
#include <core/thread.h>

#define SYSCALL_CAPS 5

/* SYS_endpoint_call and so on. */
enum {
#define SYSCALL(nr, name, mode, caps) SYS_##name = (nr),
#include <abi/syscall.def>
#undef SYSCALL
};

/* One call in progress. */
struct syscall {
	struct thread *self;
	uint64_t *arg;                    /* ARCH_SYSCALL_ARGS of them */
	struct cap_ref cap[SYSCALL_CAPS]; /* object NULL: an optional one that was not given */
	uint64_t out[3];                  /* results besides the status */
};

/* A handler returns ST_BLOCKED when the thread waits (its results are written by whoever ends
 * that), SYSCALL_DONE when the results are in its registers already, and ST_LATER to be run
 * again, with the arguments as it left them in `arg`, after a preemption point. */
typedef status_t syscall_fn(struct syscall *c);

/* The handlers: sys_endpoint_call and so on. */
#define SYSCALL(nr, name, mode, caps) syscall_fn sys_##name;
#include <abi/syscall.def>
#undef SYSCALL

/* Runs call `number` for the running thread and writes its results into its registers. The
 * arguments are changed. */
void syscall_dispatch(struct thread *self, uint64_t number, uint64_t arg[ARCH_SYSCALL_ARGS]);

/* SPDX-License-Identifier: MIT */
/* kernel/core/timer_object.h - timers of user programs: deadlines that signal.
 *
 * Life    made for one notification; dies as every object does. Disarmed for good when
 *         its binding is cut.
 * Owns    its ktimer and the binding.
 * Locks   obj.lock (rank LOCK_IPC) guards `deadline` and `every`.
 * Blocks  never.
 */
#pragma once
#include <core/cap.h>
#include <core/timer.h>

#define TIMER_PERIOD_MIN_NS 100000ull
#define TIMER_PERIOD_MAX_NS (1ull << 62)

struct timer_object {
	struct object obj;     /* first */
	struct cap_slot bound; /* the notification, see BIND_TIMER_NOTIFICATION */
	uint64_t bits;         /* what it signals; constant */

	/* Guarded by obj.lock. */
	uint64_t deadline; /* TIMER_NEVER: disarmed */
	uint64_t every;    /* ns between two signals; 0: one */
	uint64_t ticket;   /* of close */
	struct ktimer timer;
};

/* Signals `bits`, or those of them that the capability's badge allows: ST_BAD_ARG if that is
 * none; as from cap_bind. */
status_t timer_create(struct quota *q, const struct cap_ref *notification, uint64_t bits,
		      struct timer_object **out) MUST_CHECK;

/* Signals at `deadline` (TIMER_NEVER: not at all) and, unless `every` is 0, again each `every`
 * ns after it; what could not be signalled in time is not made up for. Replaces what was
 * armed before, which may still signal if its turn has come already. ST_BAD_ARG: `every` is
 * out of its range; ST_PEER_GONE: the notification is gone. */
status_t timer_arm(struct timer_object *t, uint64_t deadline, uint64_t every)
	REQUIRES(t->obj.lock) MUST_CHECK;

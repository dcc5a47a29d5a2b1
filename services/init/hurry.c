/* SPDX-License-Identifier: MIT */
#include "hurry.h"
#include <lib/ipc/ipc.h>
#include <lib/sys/calls.h>
#include <pthread.h>
#include <stdatomic.h>

#define GRACE 10000000ull /* nanoseconds: who is in time is not called */

static struct {
	_Atomic uint64_t deadline;
	cap_t earlier; /* notification: the deadline has come nearer */
	cap_t loop;
} hurry = { .deadline = UINT64_MAX };

/* No method has this number: the call is refused, and has done its work by then. */
static void call_loop(void)
{
	static struct ipc_message m;

	ipc_begin(&m, 0, "", 0, NULL, 0);
	(void)!ipc_call(hurry.loop, &m);
}

static void *watch_loop(void *nothing)
{
	uint64_t bits;

	for (;;) {
		uint64_t deadline = hurry.deadline;
		uint64_t late = deadline < UINT64_MAX - GRACE ? deadline + GRACE : UINT64_MAX;
		status_t st = sys_notification_wait(hurry.earlier, late, &bits);

		/* ST_WOULD_BLOCK: the deadline had passed before the wait began. */
		if ((st == ST_DEADLINE || st == ST_WOULD_BLOCK) && hurry.deadline == deadline)
			call_loop();
	}
	return nothing;
}

bool hurry_init(cap_t quota, cap_t loop)
{
	pthread_t thread;

	hurry.loop = loop;
	return sys_notification_create(quota, &hurry.earlier) == ST_OK &&
	       pthread_create(&thread, NULL, watch_loop, NULL) == 0;
}

void hurry_at(uint64_t deadline)
{
	if (deadline < atomic_exchange(&hurry.deadline, deadline))
		(void)sys_notification_signal(hurry.earlier, 1);
}

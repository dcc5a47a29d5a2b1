/* SPDX-License-Identifier: MIT */
/* kernel/core/endpoint.h - meeting point of many callers and the servers of one service.
 *
 * Life    dies as every object does; queued callers and servers wake with ST_PEER_GONE.
 * Owns    nothing. Queued threads are borrowed: a thread waits at one place at most,
 *         and leaves the queue before it can be freed.
 * Locks   obj.lock (rank LOCK_IPC), taken before any thread lock, never held across a
 *         copy to or from user memory. Capabilities in a message: both threads are taken
 *         off the endpoint and it is unlocked before the first tree lock is taken.
 * Blocks  call, receive, reply_receive.
 *
 * Callers are served by priority, first come first served within one.
 */
#pragma once
#include <core/thread.h>

enum endpoint_state { ENDPOINT_IDLE, ENDPOINT_CALLERS, ENDPOINT_SERVERS };

struct endpoint {
	struct object obj; /* first */

	/* Guarded by obj.lock. */
	enum endpoint_state state; /* who waits */
	struct thread_queue queue; /* empty exactly when state is ENDPOINT_IDLE */
};

bool endpoint_ok(const struct endpoint *ep) REQUIRES(ep->obj.lock);

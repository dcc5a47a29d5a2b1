/* SPDX-License-Identifier: MIT */
/* kernel/core/endpoint.h - meeting point of many callers and the servers of one service.
 *
 * Life    dies as every object does; queued callers and servers wake with ST_PEER_GONE.
 * Owns    nothing. Queued threads are borrowed: a thread waits at one place at most,
 *         and leaves the queue before it can be freed.
 * Locks   obj.lock (rank LOCK_IPC), taken before any thread lock. The functions below that take
 *         a locked endpoint let it go before they return. Capabilities in a message: both
 *         threads are taken off the endpoint (THREAD_MOVING) and it is unlocked before the
 *         first tree lock is taken.
 * Blocks  call, receive.
 *
 * Callers are served by priority, first come first served within one.
 */
#pragma once
#include <core/thread.h>

struct endpoint {
	struct object obj; /* first */

	/* Guarded by obj.lock. One of the two is empty. */
	struct tree callers;          /* by priority, highest first; equals in order of arrival */
	struct thread_queue servers;
	struct thread *holder;        /* the server that took the last call and has not come back */
};

bool endpoint_ok(const struct endpoint *ep) REQUIRES(ep->obj.lock);

/* The running thread `self` calls with the message described by `info`, over a capability with
 * `badge`. ST_BLOCKED once the call is out; else nothing has happened: ST_BAD_ARG, ST_BAD_STATE (a
 * payload, but no message block), ST_NO_SLOTS (the server's space has no room for the
 * capabilities), ST_DEADLINE, or what a handle in the message is refused with. */
struct message {
	uint64_t info;     /* flags of the sender cleared */
	uint64_t badge;
	uint64_t deadline; /* ns on the clock of time_now; TIMER_NEVER: none; past: do not wait */
};
status_t endpoint_call(struct endpoint *ep, struct thread *self, const struct message *m)
	RELEASES(ep->obj.lock) MUST_CHECK;

/* The running thread waits for a call, or for bits of its bound notification. ST_OK: the results
 * are in its registers already. ST_BLOCKED: it waits. */
status_t endpoint_receive(struct endpoint *ep, struct thread *self, uint64_t deadline)
	RELEASES(ep->obj.lock) MUST_CHECK;

/* Answers the call that `slot` (part of an object whose lock the caller does not hold) holds, if
 * its number is `number` (0: whatever it is). ST_PEER_GONE: no call is held any more. On
 * failure the call is still held. `to_run`: the woken caller if it may be switched to at once,
 * else NULL and it is ready. */
status_t reply_answer(struct reply_slot *slot, struct thread *self, uint64_t info,
                      uint64_t number, struct thread **to_run) MUST_CHECK;

/* Wakes whoever waits for an answer from `slot` with ST_PEER_GONE; its holder dies. */
void reply_abandon(struct reply_slot *slot);

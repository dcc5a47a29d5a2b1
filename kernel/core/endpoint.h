/* SPDX-License-Identifier: MIT */
/* kernel/core/endpoint.h - meeting point of many callers and the servers of one service.
 *
 * Life    dies as every object does; queued callers and servers wake with ST_PEER_GONE.
 * Owns    nothing. Queued threads are borrowed: a thread is at one place at most, and leaves
 *         it before it can be freed.
 * Locks   obj.lock (rank LOCK_IPC), taken before any thread's. Capabilities in a message:
 *         both threads are taken off the endpoint (THREAD_MOVING) and it is unlocked before
 *         the first tree lock is taken.
 * Blocks  call, receive.
 *
 * Callers are served by priority, first come first served within one; of waiting servers,
 * the one that came last, whose registers and caches are warm.
 *
 * A server runs on the sched of the caller whose call it holds. The `holder`, the server that
 * took the last call and has not come back to receive, runs on that of the first in the queue
 * if that is more urgent (helping): then holder->helper names him.
 */
#pragma once
#include <core/reply.h>

struct endpoint {
	struct object obj; /* first */

	/* Guarded by obj.lock. One of the two is empty, but for a moment. */
	struct thread *servers; /* the last one to come first */
	struct tree callers;    /* by priority, highest first; equals in order of arrival */
	struct thread *holder;  /* holder->serving is this endpoint */
};

/* The running thread `self` calls: call_info, flags of the sender cleared, and call_badge, of the
 * capability that it is sent by, are set. `deadline`: ns on the clock of time_now; TIMER_NEVER:
 * none; past: it does not wait. ST_BLOCKED once the call is out; else nothing has happened:
 * as from message_check and message_caps, ST_DEADLINE. If message_caps failed, the wait of a
 * server that waited is over, see endpoint_receive. */
status_t endpoint_call(struct endpoint *ep, struct thread *self, uint64_t deadline)
	RELEASES(ep->obj.lock) MUST_CHECK;

/* The running thread gives up what it has from its last receive: the call in hand (its caller
 * gets ST_PEER_GONE), and a sched that was lent. Holds no lock. Comes before endpoint_receive. */
void endpoint_come_back(struct thread *self);

/* The running thread takes the first call, or bits of its bound notification, in turn if there
 * are both: SYSCALL_DONE. ST_BLOCKED: it waits. ST_DEADLINE: there
 * is nothing and it shall not wait. A call came that could not be taken: ST_NO_SLOTS,
 * ST_NO_MEMORY, as its capabilities do not fit into the space; or ST_CANCELLED, through no
 * fault of the receiver's, or as it has no block to be told of them. */
status_t endpoint_receive(struct endpoint *ep, struct thread *self, uint64_t deadline)
	RELEASES(ep->obj.lock) MUST_CHECK;

/* `server` did not get the call for which it was made the holder. Gives what it is told: to make
 * room, or just that its wait is over. What a client did wrong must not look like an error
 * of the server's own. Holds no lock. */
status_t endpoint_undelivered(struct endpoint *ep, const struct thread *server,
			      status_t why) MUST_CHECK;

/* The running thread has no call in hand any more, but was not back at its endpoint. */
void endpoint_lent_back(struct thread *self);

/* What `server` runs on may have changed: another helper is chosen, if it needs one. Holds
 * no lock. */
void endpoint_help(struct thread *server);

static inline void endpoint_push_server(struct endpoint *ep, struct thread *t)
	REQUIRES(ep->obj.lock)
{
	t->next = ep->servers; /* `prev` of the first means nothing */
	if (UNLIKELY(t->next != NULL))
		t->next->prev = t;
	ep->servers = t;
}

/* Takes a caller or server out of the queue (THREAD_MOVING): deadline, death, bits. Gives the
 * server that it helped, or NULL: sched_refresh him afterwards. */
struct thread *endpoint_forget_caller(struct endpoint *ep, struct thread *t) REQUIRES(ep->obj.lock);
void endpoint_forget_server(struct endpoint *ep, struct thread *t) REQUIRES(ep->obj.lock);

/* The priority of the queued caller `t` may have changed. Gives the server whose helper has
 * changed, or NULL. */
struct thread *endpoint_resort(struct endpoint *ep, struct thread *t) REQUIRES(ep->obj.lock);

/* SPDX-License-Identifier: MIT */
/* kernel/core/reply.h - the right to answer one call.
 *
 * Life    every thread has one built in, for the call in hand; reply objects are made by
 *         servers, and paid by them, to answer later. When its holder dies, or takes
 *         another call over it, who waits gets ST_PEER_GONE.
 * Owns    nothing. The caller is borrowed: it leaves the slot before it can be freed.
 * Locks   the holder's obj.lock guards the slot. A caller enters the slot of a thread that
 *         runs nowhere, or here, without the lock: its `place` is written last.
 * Blocks  never.
 */
#pragma once
#include <core/thread.h>

struct reply {
	struct object obj; /* first */
	struct reply_slot slot;
};

/* `caller`, which runs here or is THREAD_MOVING, waits from now on for `server`'s answer,
 * which runs here or is THREAD_MOVING as well. Gives the number of the call. */
static inline uint64_t reply_hold(struct cpu *c, struct thread *server, struct thread *caller)
{
	uint64_t number = c->call_number += CPU_MAX;

	server->reply.number = number;
	atomic_store_explicit(&server->reply.caller, caller, memory_order_release);
	thread_put(caller, THREAD_REPLY, &server->obj);
	return number;
}

/* Undoes what was done to `caller` to answer it (THREAD_MOVING): it waits on, unless its time is
 * over or `holder`, found by `by` (NULL: the running thread), dies or has got another call. */
void reply_put_again(struct object *holder, const struct cap_ref *by, struct thread *caller);

/* Answers the call that `holder` holds with a message of the running thread `self`. ST_OK:
 * `*caller` is the caller's of this function (THREAD_MOVING) with his results written.
 * ST_PEER_GONE: no such call is held any more. ST_BAD_CAP: `by` has died. Else as from
 * message_check and message_caps, and the call is still held. */
struct answer {
	const struct cap_ref *by; /* to the holder; NULL: its built-in one */
	uint64_t info;            /* flags of the sender cleared */
	uint64_t number;          /* of the call; 0: whatever it is */
};
status_t reply_answer(struct object *holder, struct thread *self, const struct answer *a,
		      struct thread **caller) MUST_CHECK;

/* Moves the call in the hand of the running thread `self` into `r`, which is locked:
 * ST_BAD_STATE if it has none; ST_EXISTS if `r` has one. */
status_t reply_save(struct reply *r, struct thread *self, uint64_t *number)
	REQUIRES(r->obj.lock) MUST_CHECK;

/* Wakes whoever waits for `holder`'s answer with ST_PEER_GONE. */
void reply_abandon(struct object *holder);

/* Takes the caller `t` out (THREAD_MOVING): deadline, death. */
void reply_forget(struct object *holder, struct thread *t) REQUIRES(holder->lock);

/* The server on whose behalf the sched of `t`, which waits at `holder`, is used; or NULL. */
struct thread *reply_server(struct object *holder);

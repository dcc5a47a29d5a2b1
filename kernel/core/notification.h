/* SPDX-License-Identifier: MIT */
/* kernel/core/notification.h - 64 sticky bits.
 *
 * Life    dies as every object does; waiters wake with ST_PEER_GONE.
 * Owns    nothing; waiters are borrowed as an endpoint's are.
 * Locks   obj.lock (rank LOCK_IPC). `bits` is atomic: it is set before anybody looks who waits,
 *         and looked at after one has begun to wait.
 * Blocks  wait.
 *
 * A signal sets bits; a wait takes all that are set at once. A capability with a badge can
 * only signal the bits of its badge, so a holder can be given single bits. At most one thread
 * is bound: its receive waits for messages and bits alike.
 */
#pragma once
#include <core/thread.h>

struct notification {
	struct object obj; /* first */
	_Atomic uint64_t bits;

	/* Guarded by obj.lock. */
	struct thread_queue waiters;
	struct thread *bound; /* the thread whose receive also waits here */
	uint64_t ticket;      /* of close: a bound thread reads `bits` without lock */
};

/* Takes the bits that are set. */
static inline uint64_t notification_take(struct notification *n)
{
	return n->bits == 0 ? 0 : atomic_exchange(&n->bits, 0);
}

/* Sets bits and wakes who waits for them; callable from timer and interrupt handlers. */
void notification_signal(struct notification *n, uint64_t bits) RELEASES(n->obj.lock);

/* The running thread takes the bits that are set, or waits for some. SYSCALL_DONE: it took
 * some. ST_WOULD_BLOCK: there are none and it shall not wait. */
status_t notification_wait(struct notification *n, struct thread *self, uint64_t deadline)
	RELEASES(n->obj.lock) MUST_CHECK;

/* True if bits are set in the notification that `self`, which has begun to wait in a receive, is
 * bound to. Signals set bits before they look who waits; we wait before we look at the bits: one
 * of the two sees the other. */
bool notification_is_pending(const struct thread *self);

/* Takes the bits of the notification that `self` is bound to; 0 without one. */
uint64_t notification_take_bound(struct thread *self);

/* Makes `t` the bound thread; t->notification is its own to set. ST_EXISTS: another one is. And
 * undoes that, unless `n` is t->notification, or NULL. */
status_t notification_bind(struct notification *n, struct thread *t) MUST_CHECK;
void notification_unbind(struct notification *n, struct thread *t);

/* Takes a waiter out of the queue (THREAD_MOVING): deadline, death. */
void notification_forget(struct notification *n, struct thread *t) REQUIRES(n->obj.lock);

/* SPDX-License-Identifier: MIT */
/* kernel/core/notification.h - 64 sticky bits.
 *
 * Life    dies as every object does; waiters wake with ST_PEER_GONE.
 * Owns    nothing; waiters are borrowed as an endpoint's are.
 * Locks   obj.lock (rank LOCK_IPC). `bits` is atomic: it is set before anybody looks who waits.
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
};

/* Sets bits and wakes who waits for them; callable from interrupt handlers with the object
 * locked. Lets the lock go. */
void notification_signal(struct notification *n, uint64_t bits) RELEASES(n->obj.lock);

/* The running thread takes the bits that are set, or waits for some. ST_OK: the results are in
 * its registers. */
status_t notification_wait(struct notification *n, struct thread *self, uint64_t deadline)
	RELEASES(n->obj.lock) MUST_CHECK;

/* Takes the bits of the notification that `self` is bound to; 0 without one. */
uint64_t notification_take_bound(struct thread *self);

/* Takes a waiter out of the queue (THREAD_MOVING): deadline, death. */
void notification_forget(struct notification *n, struct thread *t) REQUIRES(n->obj.lock);

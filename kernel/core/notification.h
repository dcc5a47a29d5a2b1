/* SPDX-License-Identifier: MIT */
/* kernel/core/notification.h - 64 sticky bits.
 *
 * Life    dies as every object does; waiters wake with ST_PEER_GONE.
 * Owns    nothing; waiters are borrowed as an endpoint's are.
 * Locks   obj.lock (rank LOCK_IPC).
 * Blocks  wait.
 *
 * A signal sets bits; a wait takes all that are set at once. Bits outside the badge of the
 * capability that signals are ignored (badge 0: all 64 allowed), so a holder can be given
 * single bits. At most one thread is bound: its receive waits for messages and bits.
 */
#pragma once
#include <core/thread.h>

struct notification {
	struct object obj; /* first */

	/* Guarded by obj.lock. */
	uint64_t bits;
	struct thread_queue waiters;
	struct thread *bound; /* the thread whose receive also waits here */
};

/* Sets bits and wakes who waits for them; callable from interrupt handlers. The object
 * is locked. */
void notification_signal(struct notification *n, uint64_t bits) REQUIRES(n->obj.lock);

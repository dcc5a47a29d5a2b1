/* SPDX-License-Identifier: MIT */
/* kernel/core/message.h - carrying a message from thread to thread. */
#pragma once
#include <core/thread.h>

/* Checks what can be checked without the other side: ST_BAD_ARG; ST_BAD_STATE: there is a
 * payload, but `from` has no message block. */
status_t message_check(const struct thread *from, uint64_t info) MUST_CHECK;

/* Moves and copies the capabilities of the message, all or none. Both threads are the caller's
 * (running here or THREAD_MOVING), no lock is held. ST_BAD_STATE: the receiver has no block;
 * as from cap_find and cap_transfer. */
status_t message_move_caps(struct thread *from, struct thread *to, uint64_t info) MUST_CHECK;

MUST_CHECK static inline status_t message_caps(struct thread *from, struct thread *to,
					       uint64_t info)
{
	return LIKELY(MSG_NCAPS(info) == 0) ? ST_OK : message_move_caps(from, to, info);
}

/* Copies the payload, in whole words, and gives the info word for the receiver: one without
 * block gets no payload. */
uint64_t message_copy(const struct thread *from, struct thread *to, uint64_t info);

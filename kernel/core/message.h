/* SPDX-License-Identifier: MIT */
/* kernel/core/message.h - carrying a message from thread to thread. */
#pragma once
#include <core/thread.h>

#define MESSAGE_SIZES 0x00ffffffu /* of an info word: payload, capabilities, and zero */

static inline struct msg_block *message_block(const struct thread *t)
{
	return atomic_load_explicit(&t->block, memory_order_acquire);
}

/* Checks what can be checked without the other side: ST_BAD_ARG; ST_BAD_STATE: there is a
 * payload, but `from` has no message block. */
MUST_CHECK static inline status_t message_check(const struct thread *from, uint64_t info)
{
	if ((info & MESSAGE_SIZES) == 0 || (info & MSG_FAULT))
		return ST_OK;
	if (MSG_LEN(info) > MSG_BYTES || MSG_NCAPS(info) > MSG_CAPS)
		return ST_BAD_ARG;
	return message_block(from) == NULL ? ST_BAD_STATE : ST_OK;
}

/* Moves and copies the capabilities of the message, all or none. Both threads are the caller's
 * (running here or THREAD_MOVING), no lock is held. ST_BAD_STATE: the receiver has no block;
 * as from cap_find and cap_transfer. */
status_t message_move_caps(struct thread *from, struct thread *to, uint64_t info) MUST_CHECK;

/* Copies the payload, in whole words, and gives the info word for the receiver: one without
 * block gets no payload. */
static inline uint64_t message_copy(const struct thread *from, struct thread *to, uint64_t info)
{
	unsigned words = (MSG_LEN(info) + 7) / 8;
	const struct msg_block *block = message_block(from);
	struct msg_block *into = message_block(to);

	if (words == 0)
		return info;
	if (UNLIKELY(into == NULL) || UNLIKELY(block == NULL && !(info & MSG_FAULT)))
		return info & ~0xffffull;
	const uint64_t *source = info & MSG_FAULT ? (const uint64_t *)&from->fault : block->word;
	uint64_t *target = into->word;
	for (; words >= 4; words -= 4, source += 4, target += 4) {
		uint64_t a = source[0], b = source[1], c = source[2], d = source[3];
		target[0] = a;
		target[1] = b;
		target[2] = c;
		target[3] = d;
	}
	for (; words > 0; words--)
		*target++ = *source++;
	return info;
}

/* The whole message goes over: capabilities, and if these have, payload. */
MUST_CHECK static inline status_t message_carry(struct thread *from, struct thread *to,
						uint64_t *info)
{
	status_t st = ST_OK;

	if (UNLIKELY(MSG_NCAPS(*info) != 0))
		st = message_move_caps(from, to, *info);
	if (LIKELY(st == ST_OK))
		*info = message_copy(from, to, *info);
	return st;
}

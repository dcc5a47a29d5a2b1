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

/* The block of `from` if the message is nothing but payload and would pass; else NULL. */
static inline const struct msg_block *message_plain(const struct thread *from, uint64_t info)
{
	OPAQUE(info); /* else a part of it is put aside on the way of messages without payload */
	return (uint32_t)info <= MSG_BYTES ? message_block(from) : NULL;
}

/* Copies the payload, in whole words, and gives the info word for the receiver: one without
 * block gets no payload. Both threads are the caller's (running here or THREAD_MOVING). */
static inline uint64_t message_copy(const uint64_t *source, struct thread *to, uint64_t info)
{
	struct msg_block *into = message_block(to);
	const uint64_t *end = source + (MSG_LEN(info) + 7) / 8;

	if (UNLIKELY(into == NULL))
		return info & ~0xffffull;
	for (uint64_t *out = into->word; source < end; source += 8, out += 8) {
		if (end - source < 8) {
			while (source < end)
				*out++ = *source++;
			break;
		}
		__builtin_memcpy(out, source, 64);
	}
	return info;
}

/* The whole message goes over: the capabilities, all or none, and if these have, the payload. No
 * lock is held. Who waits for the answer to a fault is given nothing. ST_BAD_STATE: the receiver
 * has no block for capabilities; as from cap_find and cap_transfer. */
struct message_carried {
	uint64_t info;
	status_t status;
};
struct message_carried message_carry(struct thread *from, struct thread *to,
				     uint64_t info) MUST_CHECK;

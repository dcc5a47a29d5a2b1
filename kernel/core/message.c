/* SPDX-License-Identifier: MIT */
#include <core/message.h>

/* What capability `cap` of the sender's block names; the block is the program's, so each of its
 * words was read once. */
static status_t find(const struct thread *from, struct msg_cap cap, struct cap_send *out)
{
	const struct cspace *cs = atomic_load_explicit(&from->cspace, memory_order_relaxed);

	out->mask = cap.rights;
	out->move = cap.flags & MSG_CAP_MOVE;
	out->word = 0; /* a sender mints nothing */
	if (UNLIKELY(cap.flags & ~MSG_CAP_MOVE))
		return ST_BAD_ARG;
	return cap_find(cs, cap.handle, OBJ_ANY, RIGHT_SEND, &out->ref);
}

static status_t move_caps(const struct thread *from, const struct thread *to, unsigned n)
{
	struct cap_send send[MSG_CAPS] UNINITIALIZED;
	cap_t handle[MSG_CAPS] UNINITIALIZED;
	const struct msg_block *source = message_block(from);
	struct msg_block *target = message_block(to);
	status_t st = source == NULL || target == NULL ? ST_BAD_STATE : ST_OK;

	for (unsigned i = 0; st == ST_OK && i < n; i++)
		st = find(from, *(const volatile struct msg_cap *)&source->cap[i], &send[i]);
	if (st == ST_OK)
		st = cap_transfer(atomic_load_explicit(&to->cspace, memory_order_relaxed), send, n,
				  handle);
	for (unsigned i = 0; st == ST_OK && i < n; i++) {
		target->cap[i].handle = handle[i];
		target->cap[i].rights = token_rights(send[i].ref.token) & send[i].mask;
		target->cap[i].flags = 0;
		target->cap[i].type = send[i].ref.object->type;
	}
	return st;
}

struct message_carried message_carry(struct thread *from, struct thread *to, uint64_t info)
{
	unsigned n = MSG_NCAPS(info);
	/* The answer to a fault is a word: the thread made no call that could return more. */
	if (UNLIKELY(thread_flags(to) & THREAD_FAULTED))
		return (struct message_carried){ info, ST_OK };
	status_t st = n == 0 ? ST_OK : move_caps(from, to, n);

	const struct msg_block *block = message_block(from);
	const uint64_t *source = block == NULL ? NULL : block->word;
	if (info & MSG_FAULT)
		source = (const uint64_t *)&from->fault;
	if (st == ST_OK && MSG_LEN(info) != 0)
		info = source == NULL ? info & ~0xffffull : message_copy(source, to, info);
	return (struct message_carried){ info, st };
}

/* SPDX-License-Identifier: MIT */
#include <core/message.h>

#define INFO_SIZES 0x00ffffffu /* of an info word: payload, capabilities, and zero */

static struct msg_block *block_of(const struct thread *t)
{
	return atomic_load_explicit(&t->block, memory_order_acquire);
}

status_t message_check(const struct thread *from, uint64_t info)
{
	if ((info & INFO_SIZES) == 0 || (info & MSG_FAULT))
		return ST_OK;
	if (MSG_LEN(info) > MSG_BYTES || MSG_NCAPS(info) > MSG_CAPS)
		return ST_BAD_ARG;
	return block_of(from) == NULL ? ST_BAD_STATE : ST_OK;
}

/* What the handles of the message name in the sender's space. `cap` is the sender's, copied
 * once; from then on nobody looks at his block. */
static status_t caps_find(const struct thread *from, const struct msg_cap cap[],
			  struct cap_send send[], unsigned n)
{
	const struct cspace *cs = atomic_load_explicit(&from->cspace, memory_order_relaxed);

	if (cs == NULL)
		return ST_BAD_CAP;
	for (unsigned i = 0; i < n; i++) {
		if (cap[i].flags & ~MSG_CAP_MOVE)
			return ST_BAD_ARG;
		status_t st = cap_find(cs, cap[i].handle, OBJ_ANY, RIGHT_SEND, &send[i].ref);
		if (st != ST_OK)
			return st;
		send[i].mask = cap[i].rights;
		send[i].move = cap[i].flags & MSG_CAP_MOVE;
		send[i].word = 0;
	}
	return ST_OK;
}

status_t message_move_caps(struct thread *from, struct thread *to, uint64_t info)
{
	unsigned n = MSG_NCAPS(info);
	struct msg_cap cap[MSG_CAPS] UNINITIALIZED;
	struct cap_send send[MSG_CAPS] UNINITIALIZED;
	cap_t handle[MSG_CAPS] UNINITIALIZED;

	const struct msg_block *source = block_of(from);
	struct msg_block *target = block_of(to);
	struct cspace *space = atomic_load_explicit(&to->cspace, memory_order_relaxed);
	if (n == 0 || source == NULL || target == NULL || space == NULL)
		return ST_BAD_STATE;
	for (unsigned i = 0; i < n; i++)
		cap[i] = source->cap[i];
	status_t st = caps_find(from, cap, send, n);
	if (st == ST_OK)
		st = cap_transfer(space, send, n, handle);
	for (unsigned i = 0; st == ST_OK && i < n; i++) {
		target->cap[i] = (struct msg_cap){
			.handle = handle[i],
			.rights = token_rights(send[i].ref.token) & send[i].mask,
			.type = send[i].ref.object->type,
		};
	}
	return st;
}

uint64_t message_copy(const struct thread *from, struct thread *to, uint64_t info)
{
	unsigned words = (MSG_LEN(info) + 7) / 8;
	const struct msg_block *block = block_of(from);
	struct msg_block *target = block_of(to);
	const uint64_t *source = block == NULL ? NULL : block->word;

	if (words == 0)
		return info;
	if (info & MSG_FAULT)
		source = (const uint64_t *)&from->fault;
	if (target == NULL || source == NULL)
		return info & ~0xffffull;
	for (unsigned i = 0; i < words; i++)
		target->word[i] = source[i];
	return info;
}

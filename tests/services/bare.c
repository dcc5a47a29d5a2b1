/* SPDX-License-Identifier: MIT */
/* A program without any library: what it finds in its space is what it was given. It never ends
 * when it is told to. */
#include "desk.h"
#include <lib/sys/calls.h>
#include <lib/sys/program.h>
#include <lib/sys/string.h>
#include <proto/program.h>

#define SLOTS       200
#define GENERATIONS 3
#define BLOCK_VA    0x300000000000

static struct desk_set_req found;

static void look(cap_t space, uint32_t slot, uint32_t generation)
{
	enum object_type type;
	rights_t rights;

	if (sys_cap_inspect(space, (cap_t)generation << 32 | slot, &type, &rights) != ST_OK)
		return;
	if (found.count < DESK_SLOTS)
		found.slot[found.count] =
			(struct desk_slot){ slot | generation << 24, (uint16_t)type, rights };
	found.count++;
}

void program_main(const struct startup_own *own)
{
	const struct program_block *b = (const struct program_block *)own;
	const struct aspace_range range = { .va = BLOCK_VA, .count = 1 };
	struct thread_setup setup = { .block = CAP_NONE };
	uint64_t answer;

	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		for (uint32_t generation = 1; generation <= GENERATIONS; generation++)
			look(b->cspace, slot, generation);
	}
	if (sys_memory_create(b->quota, 1, 0, &setup.block) == ST_OK &&
	    sys_aspace_map(b->aspace, setup.block, &range, 3) == ST_OK &&
	    sys_thread_configure(b->thread, &setup) == ST_OK) {
		memcpy((void *)BLOCK_VA, &found, sizeof(found));
		(void)sys_endpoint_call(b->cap[0].cap, MSG_INFO(2, sizeof(found), 0), UINT64_MAX,
					&answer);
	}
	(void)sys_notification_signal(b->alive, UINT64_MAX);
	for (;;)
		(void)sys_thread_suspend(b->thread);
}

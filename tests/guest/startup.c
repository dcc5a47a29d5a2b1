/* SPDX-License-Identifier: MIT */
/* What the first program is given: abi/startup.h and docs/book/root.md. */
#include "refuse.h"
#include <lib/sys/calls.h>

#define KEEP (RIGHT_COPY | RIGHT_SEND | RIGHT_REVOKE)
#define ALL  (KEEP | RIGHT_DESTROY)

#define MEMORY_ALL (RIGHT_READ | RIGHT_WRITE | RIGHT_EXEC | RIGHT_MAP | RIGHT_SEAL)
#define NODE_ALL   (RIGHT_LOG | RIGHT_COUNTERS | RIGHT_ENTROPY | RIGHT_POWER | RIGHT_IRQ | RIGHT_DMA)

TEST(startup_capabilities_are_as_documented)
{
	const struct {
		cap_t cap;
		uint64_t type, rights;
	} has[] = {
		{ start->quota, OBJ_QUOTA, KEEP | RIGHT_CREATE | RIGHT_MANAGE | RIGHT_READ },
		{ start->sched, OBJ_SCHED, KEEP | RIGHT_CONFIGURE | RIGHT_RUN },
		{ start->cspace, OBJ_CSPACE, ALL | RIGHT_MANAGE },
		{ start->aspace, OBJ_ASPACE, ALL | RIGHT_MANAGE },
		{ start->thread, OBJ_THREAD, ALL | RIGHT_CONTROL | RIGHT_UNPARK },
		{ start->self, OBJ_MEMORY, ALL | MEMORY_ALL },
		{ start->stack, OBJ_MEMORY, ALL | MEMORY_ALL },
		{ start->segment[0], OBJ_MEMORY, ALL | MEMORY_ALL },
		{ start->node, OBJ_NODE, KEEP | NODE_ALL },
		{ start->device, OBJ_MEMORY, KEEP | RIGHT_READ | RIGHT_WRITE | RIGHT_MAP },
		{ start->ports, OBJ_IOPORT, KEEP | RIGHT_READ | RIGHT_WRITE },
		{ start->archive, OBJ_MEMORY, ALL | RIGHT_READ | RIGHT_MAP | RIGHT_EXEC },
	};

	for (unsigned i = 0; i < ARRAY_LEN(has); i++) {
		struct sys_result r = SYS(cap_inspect, start->cspace, has[i].cap);
		CHECK(r.status == ST_OK && r.out[0] == has[i].type && r.out[1] == has[i].rights);
	}
	unsigned segments = 0;
	while (segments < STARTUP_SEGMENTS && start->segment[segments] != CAP_NONE)
		segments++;
	CHECK(segments >= 3);
	for (; segments < STARTUP_SEGMENTS; segments++)
		CHECK(start->segment[segments] == CAP_NONE);
}

TEST(startup_machine_can_not_be_destroyed)
{
	const cap_t machine[] = { start->quota, start->sched, start->node, start->device,
				  start->ports };

	for (unsigned i = 0; i < ARRAY_LEN(machine); i++)
		CHECK(REFUSES(ST_NO_RIGHT, object_destroy, machine[i]));
}

TEST(startup_block_is_as_documented)
{
	unsigned zeros = 0;

	CHECK(start->magic == STARTUP_MAGIC && start->version == STARTUP_VERSION);
	CHECK(start->cpus >= 1 && start->cpus <= 64);
	for (unsigned i = 0; i < STARTUP_SEED; i++)
		zeros += start->seed[i] == 0;
	CHECK(zeros < STARTUP_SEED / 2);
	CHECK(start->cmdline[STARTUP_CMDLINE - 1] == '\0');
	/* It can be read only, and is the memory `self`. */
	CHECK((uint64_t)start % MEMORY_PAGE == 0 && can_read(start));
	CHECK(!can_write((void *)(uintptr_t)start));
	volatile const struct startup *same = map(start->self, 1, MAP_READ);
	CHECK(same->magic == STARTUP_MAGIC && same->thread == start->thread);
	CHECK(STATUS(aspace_unmap, start->aspace, same, 1) == ST_OK);
}

/* Nothing lies next to it, not even the structure, which follows. */
TEST(startup_stack_is_bounded)
{
	const char *top = (const char *)start - MEMORY_PAGE;
	const char *bottom = top - STARTUP_STACK_PAGES * MEMORY_PAGE;
	const char *here = (const char *)&top;

	CHECK(here >= bottom && here < top);
	CHECK(can_read(top - 8) && can_write((void *)(uintptr_t)bottom));
	CHECK(!can_read(top) && !can_read(top + MEMORY_PAGE - 1));
	for (unsigned page = 1; page < 16; page++)
		CHECK(!can_read(bottom - page * MEMORY_PAGE));
}

/* From user.ld. */
extern const char program_text[], program_end[];

TEST(startup_nothing_lies_next_to_the_program)
{
	const uint64_t begin = (uint64_t)program_text, end = (uint64_t)program_end;

	CHECK(can_read((void *)begin) && can_read((void *)(end - 1)));
	for (unsigned page = 1; page < 16; page++) {
		CHECK(!can_read((void *)(begin - page * MEMORY_PAGE)));
		CHECK(!can_read((void *)(end + (page - 1) * MEMORY_PAGE)));
	}
}

TEST(startup_archive_is_there_and_constant)
{
	const uint64_t pages = (start->archive_size + MEMORY_PAGE - 1) / MEMORY_PAGE;

	CHECK(pages > 0);
	const char *archive = map(start->archive, pages, MAP_READ);
	CHECK(archive[0] == '0' && archive[1] == '7' && archive[5] == '1');
	for (uint64_t i = start->archive_size; i < pages * MEMORY_PAGE; i++)
		CHECK(archive[i] == 0); /* nothing of what lay behind it */
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, start->aspace, start->archive, archive, 0, pages + 1,
		      MAP_READ));
	CHECK(STATUS(aspace_map, start->aspace, start->archive, 0x7000000000, 0, 1,
		     MAP_READ | MAP_WRITE) == ST_NO_RIGHT);
	CHECK(STATUS(aspace_unmap, start->aspace, archive, pages) == ST_OK);
}

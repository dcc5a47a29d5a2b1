/* SPDX-License-Identifier: MIT */
/* The file of a program becomes pages: what is not written is mapped from the sealed archive,
 * the same frames for all; of the rest it has a copy. */
#include "newc.h"
#include "program.h"
#include <abi/memory.h>
#include <lib/sys/calls.h>
#include <machine_init.h>

/* Areas of 1 TiB: apart from each other, and from where lib/libc has its arena. */
#define AREA_PAGES (1u << 28)
static const uint64_t area[] = {
	[PLACE_IMAGE] = 0x550000000000,
	[PLACE_BLOCK] = 0x600000000000,
	[PLACE_STACK] = 0x700000000000,
};

/* One thing lies in each area, and half of it is left for the thing to end in. */
status_t program_place(enum place where, uint64_t *va)
{
	uint32_t page;
	status_t st = sys_node_entropy(workshop.startup->node, &page, sizeof(page));

	*va = area[where] + (1 + (uint64_t)(page % (AREA_PAGES / 2))) * MEMORY_PAGE;
	return st;
}

status_t program_map(struct program *p, cap_t memory, uint64_t va, uint64_t pages, unsigned access)
{
	const struct aspace_range range = { .va = va, .count = pages };

	return sys_aspace_map(p->aspace, memory, &range, access);
}

/* Maps pages of the archive: it is sealed, so they can never be written. */
static status_t map_shared(struct program *p, const struct pie_segment *s, size_t at)
{
	const struct aspace_range range = { p->base + s->va, at / MEMORY_PAGE, s->pages };

	return sys_aspace_map(p->aspace, workshop.startup->archive, &range, s->access);
}

/* The whole file is readable anyway, so what else is in the last page may be seen; but it may not
 * stand in place of zeros. */
static bool can_be_shared(const struct program *p, const struct pie_segment *s, size_t at)
{
	uint64_t end = s->skip + s->size;
	uint64_t left = p->image.size - s->from;

	return !(s->access & MAP_WRITE) && s->skip == 0 && at % MEMORY_PAGE == 0 &&
	       end > (s->pages - 1) * MEMORY_PAGE && left >= s->pages * MEMORY_PAGE;
}

static status_t map_copy(struct program *p, const struct pie_segment *s)
{
	cap_t memory;
	status_t st = sys_memory_create(p->run, s->pages, 0, &memory);

	if (st == ST_OK && s->size > 0)
		st = sys_memory_write(memory, s->skip, p->image.file + s->from, s->size);
	if (st == ST_OK)
		st = program_map(p, memory, p->base + s->va, s->pages, s->access);
	return st;
}

static status_t make_stack(struct program *p)
{
	status_t st = sys_memory_create(p->run, PROGRAM_STACK_PAGES, 0, &p->stack);

	if (st == ST_OK)
		st = program_place(PLACE_STACK, &p->stack_va);
	if (st == ST_OK)
		st = program_map(p, p->stack, p->stack_va, PROGRAM_STACK_PAGES,
				 MAP_READ | MAP_WRITE);
	return st;
}

status_t program_load(struct program *p, const char **what)
{
	struct newc_file file;

	*what = "its file is not in the archive";
	status_t st =
		newc_find(workshop.archive, workshop.startup->archive_size, p->spec->file, &file);
	if (st == ST_OK)
		st = pie_read(workshop.archive + file.offset, file.size, MACHINE_ELF, &p->image,
			      what);
	if (st != ST_OK)
		return st;
	*what = "its pages";
	st = program_place(PLACE_IMAGE, &p->base);
	for (unsigned i = 0; st == ST_OK && i < p->image.count; i++) {
		const struct pie_segment *s = &p->image.segment[i];
		size_t at = file.offset + s->from;

		st = can_be_shared(p, s, at) ? map_shared(p, s, at) : map_copy(p, s);
	}
	return st == ST_OK ? make_stack(p) : st;
}

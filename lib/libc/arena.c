/* SPDX-License-Identifier: MIT */
/* One memory object, whose frames come when they are touched; page n of it is only ever mapped
 * at the n-th page of the arena. A bit for each page says that it is taken. */
#include <lib/libc/port.h>
#include <abi/memory.h>
#include <errno.h>

#define ARENA_PAGES (1u << 20) /* 4 GiB */
#define WORD_BITS   64u

/* Somewhere in a TiB that nothing else is in: by chance, from the start-up block's seed. */
#define ARENA_LOWEST 0x200000000000ull
#define ARENA_PLACES (1u << 28) /* pages */

static struct {
	struct lock lock;
	cap_t memory;
	uint64_t base;
	uint32_t next; /* where to look first */
	uint64_t taken[ARENA_PAGES / WORD_BITS];
} arena;

bool arena_init(void)
{
	struct sys_result r = SYS(memory_create, libc_own->quota, ARENA_PAGES, 0);
	uint32_t place;

	if (r.status != ST_OK)
		return false;
	/* What musl makes its canary of lies before. */
	__builtin_memcpy(&place, libc_own->seed + 16, sizeof(place));
	arena.memory = r.out[0];
	arena.base = ARENA_LOWEST + (uint64_t)(place % ARENA_PLACES) * MEMORY_PAGE;
	return true;
}

static bool is_taken(uint32_t page)
{
	return arena.taken[page / WORD_BITS] >> page % WORD_BITS & 1;
}

static void mark(uint32_t page, uint64_t pages, bool taken)
{
	for (; pages > 0; page++, pages--) {
		uint64_t bit = 1ull << page % WORD_BITS;
		if (taken)
			arena.taken[page / WORD_BITS] |= bit;
		else
			arena.taken[page / WORD_BITS] &= ~bit;
	}
}

/* The first of `pages` free pages from `from` on; ARENA_PAGES: there are none. */
static uint32_t look_from(uint32_t from, uint64_t pages)
{
	uint32_t run = 0;

	for (uint32_t page = from; page < ARENA_PAGES; page++) {
		if (page % WORD_BITS == 0 && arena.taken[page / WORD_BITS] == UINT64_MAX) {
			page += WORD_BITS - 1;
			run = 0;
		} else if (is_taken(page)) {
			run = 0;
		} else if (++run == pages) {
			return page + 1 - run;
		}
	}
	return ARENA_PAGES;
}

/* The pages of a range of addresses: false if not all are the arena's. */
static bool pages_of(uint64_t va, uint64_t pages, uint32_t *first)
{
	uint64_t page = (va - arena.base) / MEMORY_PAGE;

	if (va % MEMORY_PAGE != 0 || page >= ARENA_PAGES || pages > ARENA_PAGES - page)
		return false;
	*first = (uint32_t)page;
	return true;
}

static long map(uint32_t page, uint64_t pages, unsigned access)
{
	uint64_t va = arena.base + (uint64_t)page * MEMORY_PAGE;

	if (access == 0)
		return 0;
	status_t st =
		SYS(aspace_map, libc_own->aspace, arena.memory, va, page, pages, access).status;
	return st == ST_OK ? 0 : -ENOMEM;
}

long arena_map(uint64_t pages, unsigned access)
{
	if (pages == 0 || pages > ARENA_PAGES)
		return pages == 0 ? -EINVAL : -ENOMEM;
	lock_take(&arena.lock);
	uint32_t page = look_from(arena.next, pages);
	if (page == ARENA_PAGES)
		page = look_from(0, pages);
	bool found = page < ARENA_PAGES;
	if (found) {
		mark(page, pages, true);
		arena.next = (uint32_t)(page + pages);
	}
	lock_release(&arena.lock);
	if (!found)
		return -ENOMEM;
	long error = map(page, pages, access);
	if (error == 0)
		return (long)(arena.base + (uint64_t)page * MEMORY_PAGE);
	lock_take(&arena.lock);
	mark(page, pages, false);
	lock_release(&arena.lock);
	return error;
}

long arena_unmap(uint64_t va, uint64_t pages)
{
	uint32_t page;

	if (pages == 0 || !pages_of(va, pages, &page))
		return -EINVAL;
	if (SYS(aspace_unmap, libc_own->aspace, va, pages).status != ST_OK)
		return -ENOMEM;
	/* What can't be given back, a pinned page say, stays taken: it would not be of zeros. */
	if (SYS(memory_decommit, arena.memory, page, pages).status != ST_OK)
		return -EINVAL;
	lock_take(&arena.lock);
	mark(page, pages, false);
	if (page < arena.next)
		arena.next = page;
	lock_release(&arena.lock);
	return 0;
}

long arena_protect(uint64_t va, uint64_t pages, unsigned access)
{
	uint32_t page;

	if (!pages_of(va, pages, &page))
		return -EINVAL;
	if (SYS(aspace_unmap, libc_own->aspace, va, pages).status != ST_OK)
		return -ENOMEM;
	return map(page, pages, access);
}

cap_t arena_memory(uint64_t va, uint64_t *offset)
{
	*offset = va - arena.base;
	return arena.memory;
}

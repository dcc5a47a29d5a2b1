/* SPDX-License-Identifier: MIT */
/* A copy from memory that is taken away ends, and nothing else does (lib/sys/copy.h). */
#include "world.h"
#include <lib/sys/calls.h>
#include <lib/sys/copy.h>
#include <stdatomic.h>

#define PAGE ((size_t)MEMORY_PAGE)

/* Bytes that somebody else can take: mapped by a capability of its own. */
struct lent {
	cap_t cap;
	uint8_t *bytes;
};

static struct lent lend(uint64_t pages)
{
	struct lent l = {
		.cap = copy_of(new_memory(pages),
			       RIGHT_READ | RIGHT_WRITE | RIGHT_MAP | RIGHT_COPY | RIGHT_REVOKE, 0)
	};

	l.bytes = map(copy_of(l.cap, RIGHT_READ | RIGHT_WRITE | RIGHT_MAP, 0), pages,
		      MAP_READ | MAP_WRITE);
	return l;
}

/* arg: to, from, size; seen is 1 + the result. */
static void copy_once(struct actor *a)
{
	if (copy_protect_thread(a->self) == ST_OK)
		a->seen = 1 + copy_try((void *)a->arg[0], (const void *)a->arg[1], a->arg[2]);
}

/* The result of a copy in a thread of its own. */
static bool copies(void *to, const void *from, size_t size)
{
	struct actor *a = actor_new(copy_once);

	a->arg[0] = (uint64_t)to;
	a->arg[1] = (uint64_t)from;
	a->arg[2] = size;
	actor_start(a);
	actor_await(a);
	return a->seen == 2;
}

TEST(copy_try_copies_what_is_there)
{
	struct lent l = lend(2);
	uint8_t *own = new_pages(2);

	for (size_t i = 0; i < 2 * PAGE; i++)
		l.bytes[i] = (uint8_t)(i * 7);
	CHECK(copies(own + 3, l.bytes + 5, 2 * PAGE - 8));
	CHECK(memcmp(own + 3, l.bytes + 5, 2 * PAGE - 8) == 0);
	CHECK(own[2] == 0 && own[2 * PAGE - 5] == 0);
	CHECK(copies(own, l.bytes, 0) && own[0] == 0);
	CHECK(copies(l.bytes, own, PAGE) && memcmp(l.bytes, own, PAGE) == 0);
}

TEST(copy_try_fails_where_memory_was_revoked)
{
	struct lent l = lend(2);
	uint8_t *own = new_pages(2);

	l.bytes[0] = 1;
	CHECK(copies(own, l.bytes, 2 * PAGE) && own[0] == 1);
	CHECK(sys_cap_revoke(start->cspace, l.cap) == ST_OK);
	CHECK(!copies(own, l.bytes, 1) && !copies(l.bytes, own, 1));
	CHECK(!copies(own, l.bytes + 2 * PAGE - 1, 1));
	CHECK(own[0] == 1);
	CHECK(copies(own, l.bytes, 0)); /* nothing is not too much */
}

TEST(copy_try_fails_at_addresses_that_are_none)
{
	uint8_t *own = new_pages(1);

	CHECK(!copies(own, (const void *)8, 8) && !copies((void *)8, own, 8));
	CHECK(!copies(own, (const void *)0x0123456789abcdef, 8));
	CHECK(!copies((void *)0xffff800000000000, own, 8));
	CHECK(!copies(own + PAGE - 8, own, 9) && own[0] == 0);
}

/* arg: to, from, size; `seen` counts the copies, until one fails. */
static void copy_on(struct actor *a)
{
	if (copy_protect_thread(a->self) != ST_OK)
		return;
	while (copy_try((void *)a->arg[0], (const void *)a->arg[1], a->arg[2]))
		a->seen++;
	a->arg[3] = 1;
}

TEST(copy_try_ends_when_memory_goes_in_the_middle)
{
	enum { PAGES = 64 };

	for (uint64_t round = 0; round < test_rounds(8); round++) {
		struct lent l = lend(PAGES);
		struct actor *a = actor_new(copy_on);

		memset(l.bytes, 1, PAGES * PAGE);
		a->arg[0] = (uint64_t)new_pages(PAGES);
		a->arg[1] = (uint64_t)l.bytes;
		a->arg[2] = PAGES * PAGE;
		actor_start(a);
		while (atomic_load(&a->seen) == 0)
			SYS(thread_yield, start->thread);
		CHECK(sys_cap_revoke(start->cspace, l.cap) == ST_OK);
		actor_await(a);
		CHECK(a->arg[3] == 1);
	}
}

static void copy_unprotected(struct actor *a)
{
	a->seen = 1 + copy_try((void *)a->arg[0], (const void *)a->arg[1], 1);
}

/* It is the range that does it, and only the copy lies in it. */
TEST(copy_try_of_a_thread_without_a_range_is_a_fault)
{
	cap_t handler = new_endpoint();
	struct actor *a = actor_new(copy_unprotected);

	a->arg[0] = (uint64_t)new_pages(1);
	a->arg[1] = 8;
	actor_configure(a, CAP_NONE, handler, CAP_NONE);
	actor_start(a);
	struct sys_result m = SYS(endpoint_receive, handler, NEVER);
	CHECK(m.status == ST_OK && (m.out[0] & MSG_FAULT));
	CHECK(own_block()->word[1] == 8 && a->seen == 0);
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_STOP, 0, 0)) == ST_OK);
}

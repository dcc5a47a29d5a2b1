/* SPDX-License-Identifier: MIT */
/* Calls on capabilities and on objects as such. */
#include "job.h"
#include "refuse.h"
#include <lib/sys/calls.h>

#define RIGHTS_ALL 0xffffu
#define DEEP       64   /* levels of derivation */
#define MANY       3000 /* more children than change their parent in one piece */

static rights_t rights_of(cap_t space, cap_t handle)
{
	enum object_type type;
	rights_t rights;

	return sys_cap_inspect(space, handle, &type, &rights) == ST_OK ? rights : 0;
}

static bool is_there(cap_t space, cap_t handle)
{
	return STATUS(cap_inspect, space, handle) == ST_OK;
}

static bool is_gone(cap_t space, cap_t handle)
{
	return STATUS(cap_inspect, space, handle) == ST_BAD_CAP;
}

/* A copy of `cap`, in `space`. */
static cap_t copy_to(cap_t space, cap_t cap)
{
	cap_t copy = CAP_NONE;

	(void)sys_cap_copy(space, start->cspace, cap, RIGHTS_ALL, 0, &copy);
	return copy;
}

/* A space whose quota has nothing left for it to grow. */
static cap_t small_space(void)
{
	cap_t poor = new_quota(64 * 1024), space;

	if (sys_cspace_create(poor, &space) != ST_OK)
		give_up("a small space", 0);
	while (SYS(memory_create, poor, 1, MEMORY_CONTIGUOUS).status == ST_OK)
		continue;
	return space;
}

/* ---- copy ---- */

TEST(cap_copy_has_no_more_rights)
{
	cap_t ep = new_endpoint();

	for (unsigned bit = 0; bit < 16; bit++) {
		rights_t mask = (rights_t)(1u << bit);
		cap_t one = copy_of(ep, mask, 0), none_but = copy_of(ep, (rights_t)~mask, 0);
		CHECK(rights_of(start->cspace, one) == (rights_of(start->cspace, ep) & mask));
		CHECK(rights_of(start->cspace, none_but) ==
		      (rights_of(start->cspace, ep) & (rights_t)~mask));
	}
	/* What a copy has not got no copy of it gets. */
	cap_t less = copy_of(ep, RIGHT_COPY | RIGHT_CALL, 0);
	CHECK(rights_of(start->cspace, copy_of(less, RIGHTS_ALL, 0)) == (RIGHT_COPY | RIGHT_CALL));
}

TEST(cap_copy_refuses_what_are_no_rights)
{
	cap_t s = start->cspace, ep = new_endpoint();

	CHECK(REFUSES(ST_BAD_ARG, cap_copy, s, s, ep, 0x10000));
	CHECK(REFUSES(ST_BAD_ARG, cap_copy, s, s, ep, UINT64_MAX));
	CHECK(REFUSES(ST_BAD_ARG, cap_copy, s, s, ep, 1ull << 32));
}

TEST(cap_copy_needs_its_right)
{
	cap_t s = start->cspace;
	cap_t ep = copy_of(new_endpoint(), (rights_t)~RIGHT_COPY, 0);

	CHECK(REFUSES(ST_NO_RIGHT, cap_copy, s, s, ep, RIGHTS_ALL, 0));
	CHECK(REFUSES(ST_NO_RIGHT, cap_copy, s, s, ep, 0, 0));
	CHECK(REFUSES(ST_NO_RIGHT, cap_copy, s, s, ep, RIGHTS_ALL, 5));
}

TEST(cap_copy_mints_a_badge_once)
{
	cap_t s = start->cspace, n = new_notification();
	cap_t three = copy_of(n, RIGHTS_ALL, 3), again = copy_of(three, RIGHTS_ALL, 0);
	uint64_t bits;

	CHECK(REFUSES(ST_BAD_STATE, cap_copy, s, s, three, RIGHTS_ALL, 4));
	CHECK(REFUSES(ST_BAD_STATE, cap_copy, s, s, three, RIGHTS_ALL, 3));
	CHECK(REFUSES(ST_BAD_STATE, cap_copy, s, s, again, RIGHTS_ALL, UINT64_MAX));
	/* A copy without a word has the same badge: it lets those bits through. */
	CHECK(sys_notification_signal(again, UINT64_MAX) == ST_OK);
	CHECK(sys_notification_wait(n, 0, &bits) == ST_OK && bits == 3);
}

TEST(cap_copy_has_badges_for_some_types_only)
{
	cap_t s = start->cspace;
	const cap_t others[] = { start->quota,  start->cspace, start->aspace,
				 start->thread, start->sched,  start->node };

	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		CHECK(REFUSES(ST_BAD_ARG, cap_copy, s, s, others[i], RIGHTS_ALL, 1));
		CHECK(REFUSES(ST_BAD_ARG, cap_copy, s, s, others[i], RIGHTS_ALL, 1ull << 32 | 1));
	}
}

#define RANGE(first, count) ((uint64_t)(first) << 32 | (uint32_t)(count))

TEST(cap_copy_slices_never_grow)
{
	cap_t s = start->cspace, all = new_memory(16);
	cap_t part = copy_of(all, RIGHTS_ALL, RANGE(4, 8));
	const uint64_t beyond[] = {
		RANGE(3, 8),          RANGE(4, 9),          RANGE(5, 8),
		RANGE(0, 1),          RANGE(12, 1),         RANGE(UINT32_MAX, 1),
		RANGE(4, UINT32_MAX), RANGE(UINT32_MAX, 8), RANGE(UINT32_MAX, UINT32_MAX),
		RANGE(4, 0),          RANGE(1, 0),
	};

	for (unsigned i = 0; i < ARRAY_LEN(beyond); i++)
		CHECK(REFUSES(ST_BAD_ARG, cap_copy, s, s, part, RIGHTS_ALL, beyond[i]));
	CHECK(REFUSES(ST_BAD_ARG, cap_copy, s, s, all, RIGHTS_ALL, RANGE(5, 0)));
}

TEST(cap_copy_slices_name_pages)
{
	cap_t all = new_memory(16), part = copy_of(all, RIGHTS_ALL, RANGE(4, 8));
	cap_t inner = copy_of(part, RIGHTS_ALL, RANGE(6, 2));
	uint64_t word = 0;

	/* Pages in calls count from the first of the slice. */
	for (uint64_t page = 0; page < 16; page++)
		CHECK(sys_memory_write(all, page * MEMORY_PAGE, &page, 8) == ST_OK);
	CHECK(sys_memory_read(part, 0, &word, 8) == ST_OK && word == 4);
	CHECK(sys_memory_read(part, 7 * MEMORY_PAGE, &word, 8) == ST_OK && word == 11);
	CHECK(sys_memory_read(inner, MEMORY_PAGE, &word, 8) == ST_OK && word == 7);
	CHECK(REFUSES(ST_BAD_ARG, memory_read, part, 8 * MEMORY_PAGE, &word, 8));
	CHECK(REFUSES(ST_BAD_ARG, memory_read, part, 8 * MEMORY_PAGE - 4, &word, 8));
	CHECK(REFUSES(ST_BAD_ARG, memory_read, inner, 2 * MEMORY_PAGE, &word, 8));
}

/* A slice of what is not there can be made, but not used. */
TEST(cap_copy_slice_beyond_the_memory_is_of_no_use)
{
	cap_t memory = new_memory(4), end = copy_of(memory, RIGHTS_ALL, RANGE(3, 2));
	cap_t behind = copy_of(memory, RIGHTS_ALL, RANGE(4, 1));
	uint64_t word = 0;

	CHECK(REFUSES(ST_BAD_ARG, memory_read, end, MEMORY_PAGE, &word, 8));
	CHECK(REFUSES(ST_BAD_ARG, memory_write, behind, 0, &word, 8));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, start->aspace, behind, 0x7000000000, 0, 1, MAP_READ));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, start->aspace, end, 0x7000000000, 0, 2, MAP_READ));
	CHECK(REFUSES(ST_BAD_ARG, memory_commit, behind, 0, 1));
	CHECK(REFUSES(ST_BAD_ARG, thread_configure, start->thread, 0, 0, 0, behind, 0));
}

TEST(cap_copy_reaches_other_spaces)
{
	cap_t a = new_space(), b = new_space(), ep = new_endpoint();
	cap_t there = copy_to(a, ep), further = CAP_NONE;

	CHECK(is_there(a, there));
	CHECK(sys_cap_copy(b, a, there, RIGHTS_ALL, 0, &further) == ST_OK);
	CHECK(rights_of(b, further) == rights_of(start->cspace, ep));
	CHECK(sys_cap_copy(a, a, there, RIGHT_CALL, 9, &further) == ST_OK);
	CHECK(rights_of(a, further) == RIGHT_CALL);
}

/* A handle counts in its own space alone. */
TEST(cap_copy_wants_a_handle_of_the_space)
{
	cap_t s = start->cspace, empty = new_space(), ep = new_endpoint();

	CHECK(REFUSES(ST_BAD_CAP, cap_copy, s, empty, ep, RIGHTS_ALL, 0));
	CHECK(REFUSES(ST_BAD_CAP, cap_copy, s, s, CAP_NONE, RIGHTS_ALL, 0));
	CHECK(REFUSES(ST_BAD_CAP, cap_copy, s, s, ep + (1ull << 32), RIGHTS_ALL, 0));
	CHECK(REFUSES(ST_BAD_CAP, cap_copy, s, s, ep | 1u << 30, RIGHTS_ALL, 0));
	CHECK(REFUSES(ST_BAD_CAP, cap_copy, empty, empty, 1ull << 32 | 1, RIGHTS_ALL, 0));
}

TEST(cap_copy_goes_so_deep)
{
	cap_t s = start->cspace, at = new_endpoint();

	for (unsigned i = 0; i < DEEP; i++)
		CHECK(sys_cap_copy(s, s, at, RIGHTS_ALL, 0, &at) == ST_OK);
	CHECK(REFUSES(ST_TOO_BIG, cap_copy, s, s, at, RIGHTS_ALL, 0));
	CHECK(is_there(s, at));
}

TEST(cap_copy_into_a_full_space)
{
	cap_t space = small_space(), first = copy_to(space, quota), last = first, copy;
	unsigned count = 1;

	while (sys_cap_copy(space, start->cspace, quota, 0, 0, &copy) == ST_OK) {
		last = copy;
		count++;
	}
	CHECK(count >= 63);
	CHECK(REFUSES(ST_NO_MEMORY, cap_copy, space, start->cspace, quota, 0, 0));
	CHECK(is_there(space, first) && is_there(space, last));
	/* One goes, one fits. */
	CHECK(sys_cap_drop(space, first) == ST_OK);
	CHECK(sys_cap_copy(space, start->cspace, quota, 0, 0, &copy) == ST_OK);
	CHECK((uint32_t)copy == (uint32_t)first && copy != first);
	CHECK(REFUSES(ST_NO_MEMORY, cap_copy, space, start->cspace, quota, 0, 0));
}

/* ---- move ---- */

TEST(cap_move_takes_all_along)
{
	cap_t s = start->cspace, other = new_space(), n = new_notification(), moved, back;
	cap_t five = copy_of(n, RIGHT_SIGNAL, 5);
	uint64_t bits;

	CHECK(sys_cap_move(other, s, five, &moved) == ST_OK);
	CHECK(is_gone(s, five));
	CHECK(rights_of(other, moved) == RIGHT_SIGNAL);
	CHECK(sys_cap_move(s, other, moved, &back) == ST_OK);
	CHECK(is_gone(other, moved) && rights_of(s, back) == RIGHT_SIGNAL);
	CHECK(sys_notification_signal(back, UINT64_MAX) == ST_OK);
	CHECK(sys_notification_wait(n, 0, &bits) == ST_OK && bits == 5);
}

TEST(cap_move_within_a_space)
{
	cap_t s = start->cspace, ep = new_endpoint(), moved;

	CHECK(sys_cap_move(s, s, ep, &moved) == ST_OK);
	CHECK(moved != ep && is_gone(s, ep) && is_there(s, moved));
	CHECK(REFUSES(ST_BAD_CAP, cap_move, s, s, ep));
}

/* What was derived before is below it where it is now. */
TEST(cap_move_keeps_its_children)
{
	cap_t s = start->cspace, other = new_space(), ep = new_endpoint(), moved;
	cap_t mine = copy_of(ep, RIGHTS_ALL, 0), child = copy_of(mine, RIGHTS_ALL, 0);

	CHECK(sys_cap_move(other, s, mine, &moved) == ST_OK);
	CHECK(is_there(s, child));
	CHECK(sys_cap_revoke(other, moved) == ST_OK);
	CHECK(is_gone(s, child) && is_there(s, ep) && is_there(other, moved));
	/* And it is below what it was derived from. */
	CHECK(sys_cap_revoke(s, ep) == ST_OK);
	CHECK(is_gone(other, moved));
}

TEST(cap_move_refuses_too_many_children)
{
	cap_t s = start->cspace, ep = new_endpoint(), moved;

	for (unsigned i = 0; i < MANY; i++)
		copy_of(ep, 0, 0);
	CHECK(REFUSES(ST_TOO_BIG, cap_move, s, s, ep));
	CHECK(is_there(s, ep));
	CHECK(sys_cap_revoke(s, ep) == ST_OK);
	CHECK(sys_cap_move(s, s, ep, &moved) == ST_OK);
}

TEST(cap_move_into_a_full_space)
{
	cap_t space = small_space(), ep = new_endpoint(), copy;

	while (sys_cap_copy(space, start->cspace, quota, 0, 0, &copy) == ST_OK)
		continue;
	CHECK(REFUSES(ST_NO_MEMORY, cap_move, space, start->cspace, ep));
	CHECK(is_there(start->cspace, ep));
}

/* ---- drop ---- */

TEST(cap_drop_once)
{
	cap_t s = start->cspace, ep = new_endpoint(), copy = copy_of(ep, RIGHTS_ALL, 0);

	CHECK(sys_cap_drop(s, copy) == ST_OK);
	CHECK(REFUSES(ST_BAD_CAP, cap_drop, s, copy));
	CHECK(REFUSES(ST_BAD_CAP, cap_drop, s, CAP_NONE));
	CHECK(REFUSES(ST_BAD_CAP, cap_drop, new_space(), ep));
	CHECK(is_there(s, ep));
}

TEST(cap_drop_leaves_what_was_derived)
{
	cap_t s = start->cspace, ep = new_endpoint();
	cap_t a = copy_of(ep, RIGHTS_ALL, 0), b = copy_of(a, RIGHTS_ALL, 0);
	cap_t c = copy_of(b, RIGHTS_ALL, 0);

	CHECK(sys_cap_drop(s, b) == ST_OK);
	CHECK(is_there(s, c));
	/* It is below the one above. */
	CHECK(sys_cap_revoke(s, a) == ST_OK);
	CHECK(is_gone(s, c) && is_there(s, a));
}

/* The same with more children than change their parent in one piece. */
TEST(cap_drop_leaves_many)
{
	cap_t s = start->cspace, ep = new_endpoint(), a = copy_of(ep, RIGHTS_ALL, 0);
	cap_t first = copy_of(a, 0, 0), last = first;

	for (unsigned i = 0; i < MANY; i++)
		last = copy_of(a, 0, 0);
	CHECK(sys_cap_drop(s, a) == ST_OK);
	CHECK(is_gone(s, a) && is_there(s, first) && is_there(s, last));
	CHECK(sys_cap_revoke(s, ep) == ST_OK);
	CHECK(is_gone(s, first) && is_gone(s, last));
}

TEST(cap_drop_of_the_last_ends_the_object)
{
	cap_t s = start->cspace, n = new_notification(), copy = copy_of(n, RIGHTS_ALL, 0);
	struct actor *a = job_new();

	JOB(a, notification_wait, copy, NEVER);
	CHECK(job_waits(a));
	CHECK(sys_cap_drop(s, n) == ST_OK);
	CHECK(job_waits(a)); /* there is another */
	CHECK(sys_cap_drop(s, copy) == ST_OK);
	CHECK(job_end(a).status == ST_PEER_GONE);
}

/* A program may drop what names its own space: it has less power then, but goes on. */
static void drop_own_space(struct actor *a)
{
	a->seen = STATUS(cap_drop, a->arg[0], a->arg[0]) == ST_OK &&
		  STATUS(cap_drop, a->arg[0], a->arg[0]) == ST_BAD_CAP &&
		  STATUS(thread_yield, a->self) == ST_OK;
}

TEST(cap_drop_of_the_own_space)
{
	struct actor *a = process_new(drop_own_space);

	a->arg[0] = actor_give(a, a->cspace, RIGHT_MANAGE, 0);
	actor_start(a);
	actor_await(a);
	CHECK(a->seen == 1);
}

/* ---- revoke ---- */

TEST(cap_revoke_reaches_every_space)
{
	cap_t s = start->cspace, far = new_space(), further = new_space(), ep = new_endpoint();
	cap_t mine = copy_of(ep, RIGHTS_ALL, 0), sibling = copy_of(ep, RIGHTS_ALL, 0);
	cap_t a = copy_to(far, mine), b, c;

	CHECK(sys_cap_copy(further, far, a, RIGHTS_ALL, 7, &b) == ST_OK);
	CHECK(sys_cap_copy(s, further, b, RIGHT_CALL, 0, &c) == ST_OK);
	CHECK(sys_cap_revoke(s, mine) == ST_OK);
	CHECK(is_gone(far, a) && is_gone(further, b) && is_gone(s, c));
	CHECK(is_there(s, mine) && is_there(s, sibling) && is_there(s, ep));
	CHECK(sys_cap_revoke(s, mine) == ST_OK); /* there is nothing below it any more */
}

TEST(cap_revoke_needs_its_right)
{
	cap_t s = start->cspace, ep = new_endpoint();
	cap_t weak = copy_of(ep, (rights_t)~RIGHT_REVOKE, 0), child = copy_of(weak, RIGHTS_ALL, 0);

	CHECK(REFUSES(ST_NO_RIGHT, cap_revoke, s, weak));
	CHECK(REFUSES(ST_NO_RIGHT, cap_revoke, s, child));
	CHECK(is_there(s, child));
	CHECK(REFUSES(ST_BAD_CAP, cap_revoke, s, CAP_NONE));
	CHECK(REFUSES(ST_BAD_CAP, cap_revoke, new_space(), ep));
}

TEST(cap_revoke_takes_mappings)
{
	cap_t s = start->cspace, memory = new_memory(2), mine = copy_of(memory, RIGHTS_ALL, 0);
	cap_t below = copy_of(mine, RIGHTS_ALL, 0);
	char *kept = map(memory, 2, MAP_READ | MAP_WRITE), *one = map(mine, 2, MAP_READ);
	char *two = map(below, 2, MAP_READ | MAP_WRITE);

	two[MEMORY_PAGE] = 9;
	CHECK(can_read(one) && can_read(two) && one[MEMORY_PAGE] == 9);
	CHECK(sys_cap_revoke(s, mine) == ST_OK);
	CHECK(!can_read(two) && !can_write(two) && !can_read(two + MEMORY_PAGE));
	/* Those that were made through it are below it too. */
	CHECK(!can_read(one) && is_there(s, mine));
	CHECK(can_write(kept) && kept[MEMORY_PAGE] == 9);
}

TEST(cap_revoke_takes_bindings)
{
	cap_t s = start->cspace, ep = new_endpoint(), mine = copy_of(ep, RIGHTS_ALL, 0);
	cap_t n = new_notification(), mine_too = copy_of(n, RIGHTS_ALL, 0);
	cap_t timer = make(SYS_timer_create, mine_too, 1, 0);

	CHECK(sys_timer_arm(timer, NEVER, 0) == ST_OK);
	CHECK(sys_cap_revoke(s, mine_too) == ST_OK);
	CHECK(REFUSES(ST_PEER_GONE, timer_arm, timer, NEVER, 0));
	CHECK(sys_cap_revoke(s, mine) == ST_OK && is_there(s, mine));
}

TEST(cap_revoke_of_many)
{
	cap_t s = start->cspace, ep = new_endpoint(), mine = copy_of(ep, RIGHTS_ALL, 0);
	cap_t space = new_space(), last = mine;

	for (unsigned i = 0; i < MANY; i++)
		last = i % 7 == 0 ? copy_of(mine, RIGHTS_ALL, 0) : copy_of(last, 0x1000, 0);
	cap_t there = copy_to(space, mine);
	CHECK(sys_cap_revoke(s, mine) == ST_OK);
	CHECK(is_gone(s, last) && is_gone(space, there) && is_there(s, mine) && is_there(s, ep));
}

/* ---- inspect ---- */

TEST(cap_inspect_tells_type_and_rights)
{
	const struct {
		cap_t cap;
		enum object_type type;
	} all[] = {
		{ quota, OBJ_QUOTA },
		{ start->cspace, OBJ_CSPACE },
		{ start->archive, OBJ_MEMORY },
		{ start->aspace, OBJ_ASPACE },
		{ start->thread, OBJ_THREAD },
		{ new_endpoint(), OBJ_ENDPOINT },
		{ make(SYS_reply_create, 0, 0, 0), OBJ_REPLY },
		{ new_notification(), OBJ_NOTIFICATION },
		{ make(SYS_timer_create, new_notification(), 1, 0), OBJ_TIMER },
		{ start->sched, OBJ_SCHED },
		{ start->ports, OBJ_IOPORT },
		{ start->node, OBJ_NODE },
	};

	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		struct sys_result r = SYS(cap_inspect, start->cspace, all[i].cap);
		CHECK(r.status == ST_OK && r.out[0] == all[i].type && r.out[1] != 0);
	}
	/* The archive can be read, executed and mapped, and no more. */
	const rights_t more = RIGHT_COPY | RIGHT_SEND | RIGHT_REVOKE | RIGHT_DESTROY;
	CHECK(rights_of(start->cspace, start->archive) ==
	      (RIGHT_READ | RIGHT_MAP | RIGHT_EXEC | more));
}

/* Whoever may change a space can see all that is in it; to use any of it he needs its handle. */
TEST(cap_inspect_looks_into_slots)
{
	cap_t ep = new_endpoint(), slot = (uint32_t)ep;

	CHECK(STATUS(cap_drop, start->cspace, ep) == ST_OK);
	CHECK(REFUSES(ST_BAD_CAP, cap_inspect, start->cspace, slot));
	ep = new_endpoint();
	CHECK((uint32_t)ep == slot && ep >> 32 > 1);
	struct sys_result r = SYS(cap_inspect, start->cspace, slot);
	CHECK(r.status == ST_OK && r.out[0] == OBJ_ENDPOINT);
	CHECK(REFUSES(ST_BAD_CAP, cap_inspect, start->cspace, slot | 1ull << 32));
	CHECK(REFUSES(ST_BAD_CAP, cap_drop, start->cspace, slot));
	CHECK(REFUSES(ST_BAD_CAP, endpoint_receive, slot, 0));
	CHECK(REFUSES(ST_BAD_CAP, cap_inspect, start->cspace, UINT32_MAX));
	CHECK(STATUS(cap_drop, start->cspace, ep) == ST_OK);
}

TEST(cap_inspect_never_tells_the_badge)
{
	const uint64_t badge = 0x1234567812345678;
	cap_t ep = copy_of(new_endpoint(), RIGHTS_ALL, badge);
	struct sys_result r = SYS(cap_inspect, start->cspace, ep);

	CHECK(r.status == ST_OK);
	for (unsigned i = 0; i < 3; i++)
		CHECK(r.out[i] != badge);
	CHECK(r.out[2] == 0);
	CHECK(REFUSES(ST_BAD_CAP, cap_inspect, start->cspace, CAP_NONE));
	CHECK(REFUSES(ST_BAD_CAP, cap_inspect, new_space(), ep));
}

/* ---- destroy ---- */

TEST(object_destroy_ends_every_capability)
{
	cap_t s = start->cspace, space = new_space(), ep = new_endpoint();
	cap_t a = copy_of(ep, RIGHT_CALL, 5), b = copy_to(space, ep);

	CHECK(sys_object_destroy(copy_of(ep, RIGHT_DESTROY, 0)) == ST_OK);
	CHECK(is_gone(s, ep) && is_gone(s, a) && is_gone(space, b));
	CHECK(REFUSES(ST_BAD_CAP, object_destroy, ep));
}

TEST(object_destroy_of_memory_unmaps_it)
{
	cap_t memory = new_memory(3);
	char *a = map(memory, 3, MAP_READ | MAP_WRITE), *b = map(memory, 1, MAP_READ);
	uint64_t before = used_of(quota);

	a[0] = a[MEMORY_PAGE] = 1;
	CHECK(used_of(quota) >= before + 2ull * MEMORY_PAGE);
	CHECK(sys_object_destroy(memory) == ST_OK);
	CHECK(!can_read(a) && !can_read(a + MEMORY_PAGE) && !can_read(b));
	CHECK(used_of(quota) <= before);
}

TEST(object_destroy_of_a_space_empties_it)
{
	cap_t s = start->cspace, space = new_space(), ep = new_endpoint(), child;
	cap_t there = copy_to(space, ep);

	CHECK(sys_cap_copy(s, space, there, RIGHTS_ALL, 0, &child) == ST_OK);
	CHECK(sys_object_destroy(space) == ST_OK);
	/* What was derived through it stays, below the one that it came from. */
	CHECK(is_there(s, ep) && is_there(s, child));
	CHECK(sys_cap_revoke(s, ep) == ST_OK && is_gone(s, child));
}

static void count_on(struct actor *a)
{
	for (;;)
		a->seen++;
}

TEST(object_destroy_of_an_address_space_stops_its_threads)
{
	struct actor *a = process_new(count_on);

	actor_start(a);
	while (a->seen == 0)
		yield();
	CHECK(sys_object_destroy(a->aspace) == ST_OK);
	uint64_t seen = a->seen;
	for (unsigned i = 0; i < 100; i++)
		yield();
	CHECK(a->seen == seen);
	CHECK(sys_thread_resume(a->thread) == ST_OK); /* it is still there, but will never run */
	yield();
	CHECK(a->seen == seen);
}

static void destroy_self(struct actor *a)
{
	a->seen = 1;
	(void)sys_object_destroy(a->self);
	a->seen = 2;
}

TEST(object_destroy_of_oneself)
{
	struct actor *a = process_new(destroy_self);

	a->self = actor_give(a, a->thread, RIGHT_CONTROL | RIGHT_DESTROY, 0);
	actor_start(a);
	while (!is_gone(start->cspace, a->thread))
		yield();
	CHECK(a->seen == 1);
}

/* Who destroys the quota that pays for him, and for the space that names it. */
static void destroy_own_quota(struct actor *a)
{
	a->seen = 1;
	(void)sys_object_destroy(a->arg[0]);
	a->seen = 2;
}

TEST(object_destroy_of_the_own_quota)
{
	cap_t outer = quota, inner = new_quota(8 << 20);

	quota = inner;
	struct actor *a = process_new(destroy_own_quota);
	quota = outer;
	a->arg[0] = actor_give(a, inner, RIGHT_DESTROY, 0);
	cap_t thread = a->thread, space = a->cspace;
	actor_start(a);
	/* The quota dies at once, what it paid for when the kernel has time for that. */
	while (!is_gone(start->cspace, inner) || !is_gone(start->cspace, thread) ||
	       !is_gone(start->cspace, space))
		yield();
}

TEST(object_destroy_of_a_quota_takes_everything)
{
	cap_t outer = quota, inner = new_quota(8 << 20), made[12];
	uint64_t before = used_of(outer);
	unsigned n = 0;

	quota = inner;
	made[n++] = new_quota(1 << 20);
	made[n++] = new_space();
	made[n++] = new_memory(4);
	made[n++] = make(SYS_memory_create, 2, MEMORY_CONTIGUOUS, 0);
	made[n++] = make(SYS_aspace_create, 0, ASPACE_PLAIN, 0);
	made[n++] = make(SYS_thread_create, made[4], made[1], 0);
	made[n++] = new_endpoint();
	made[n++] = new_notification();
	made[n++] = make(SYS_reply_create, 0, 0, 0);
	made[n++] = make(SYS_timer_create, made[7], 1, 0);
	made[n++] = make(SYS_sched_create, start->sched, 0, 0);
	quota = made[0];
	made[n++] = new_memory(1);
	quota = inner;
	char *va = map(made[2], 4, MAP_READ | MAP_WRITE);
	va[0] = 1;
	quota = outer;
	CHECK(sys_object_destroy(inner) == ST_OK);
	for (unsigned i = 0; i < n; i++)
		CHECK(is_gone(start->cspace, made[i]));
	CHECK(!can_read(va));
	CHECK(used_of(outer) <= before);
}

/* Two destroy the same, and each other's: each is told that it is gone, or was not there. */
TEST(object_destroy_by_two)
{
	for (unsigned i = 0; i < 20; i++) {
		cap_t inner = new_quota(1 << 20), outer = quota;
		struct actor *a = job_new();

		quota = inner;
		for (unsigned n = 0; n < 30; n++)
			new_endpoint();
		quota = outer;
		JOB(a, object_destroy, inner);
		status_t mine = sys_object_destroy(inner), other = job_end(a).status;
		CHECK(mine == ST_OK || mine == ST_BAD_CAP);
		CHECK(other == ST_OK || other == ST_BAD_CAP);
		CHECK(mine == ST_OK || other == ST_OK);
		CHECK(is_gone(start->cspace, inner));
		job_kill(a);
	}
}

TEST(object_destroy_of_what_cannot_be)
{
	CHECK(REFUSES(ST_NO_RIGHT, object_destroy, start->quota));
	CHECK(REFUSES(ST_NO_RIGHT, object_destroy, start->sched));
	CHECK(REFUSES(ST_NO_RIGHT, object_destroy, start->node));
	CHECK(REFUSES(ST_NO_RIGHT, object_destroy, start->device));
	CHECK(REFUSES(ST_NO_RIGHT, object_destroy, start->ports));
}

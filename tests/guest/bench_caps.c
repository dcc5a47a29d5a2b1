/* SPDX-License-Identifier: MIT */
/* What capabilities and objects cost, in instructions as in bench.c, and the longest that the
 * kernel keeps interrupts waiting. */
#include "console.h"
#include "storm.h"
#include <abi/node.h>
#include <abi/status.h>

#define WARM   16
#define ROUNDS 64
#define REVOKE 1000

/* Mean cycles of `once`, called with what `before` gives, without what an empty measurement takes.
 * `after` gets its answer. False, and no figure: it failed. */
static bool tell(const char *name, cap_t (*before)(void), struct sys_result (*once)(cap_t),
		 void (*after)(cap_t))
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < WARM + ROUNDS; i++) {
		cap_t cap = before == NULL ? CAP_NONE : before();
		uint64_t begin = cycle_count();
		struct sys_result r = once(cap);
		uint64_t end = cycle_count();
		uint64_t nothing = cycle_count() - end;

		if (r.status != ST_OK)
			return false;
		if (i >= WARM)
			sum += end - begin - nothing;
		if (after != NULL)
			after(r.out[0]);
	}
	bench_report(name, sum / ROUNDS, "instructions");
	return true;
}

/* ---- capabilities ---- */

static cap_t object;

static void drop(cap_t cap)
{
	SYS(cap_drop, start->cspace, cap);
}

static cap_t a_copy(void)
{
	return copy_of(object, 0xffff, 0);
}

static struct sys_result do_copy(cap_t cap)
{
	(void)cap;
	return SYS(cap_copy, start->cspace, start->cspace, object, 0xffff, 0);
}

static struct sys_result do_mint(cap_t cap)
{
	(void)cap;
	return SYS(cap_copy, start->cspace, start->cspace, object, 0xffff, 77);
}

static struct sys_result do_move(cap_t cap)
{
	return SYS(cap_move, start->cspace, start->cspace, cap);
}

static struct sys_result do_drop(cap_t cap)
{
	return SYS(cap_drop, start->cspace, cap);
}

static struct sys_result do_copy_drop(cap_t cap)
{
	struct sys_result r = do_copy(cap);

	return SYS(cap_drop, start->cspace, r.out[0]);
}

static struct sys_result do_inspect(cap_t cap)
{
	(void)cap;
	return SYS(cap_inspect, start->cspace, object);
}

static struct sys_result do_revoke(cap_t cap)
{
	return SYS(cap_revoke, start->cspace, cap);
}

static cap_t with_child(void)
{
	cap_t parent = a_copy();

	(void)SYS(cap_copy, start->cspace, start->cspace, parent, 0xffff, 0);
	return parent;
}

TEST(capabilities)
{
	object = new_endpoint();
	CHECK(tell("cap_copy_drop_instr", NULL, do_copy_drop, NULL));
	CHECK(tell("cap_copy_instr", NULL, do_copy, drop));
	CHECK(tell("cap_mint_instr", NULL, do_mint, drop));
	CHECK(tell("cap_move_instr", a_copy, do_move, drop));
	CHECK(tell("cap_drop_instr", a_copy, do_drop, NULL));
	CHECK(tell("cap_inspect_instr", NULL, do_inspect, NULL));
	CHECK(tell("cap_revoke_nothing_instr", a_copy, do_revoke, NULL));
	CHECK(tell("cap_revoke_1_instr", with_child, do_revoke, NULL));
}

TEST(cap_revoke_1000)
{
	cap_t space = new_space(), parent = new_endpoint();

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < REVOKE; i++)
			CHECK(STATUS(cap_copy, space, start->cspace, parent, 0xffff, 0) == ST_OK);
		uint64_t begin = cycle_count();
		CHECK(STATUS(cap_revoke, start->cspace, parent) == ST_OK);
		uint64_t cycles = cycle_count() - begin;
		if (round == 2)
			bench_report("cap_revoke_1000_instr", cycles, "instructions");
	}
}

/* ---- objects ---- */

static void destroy(cap_t cap)
{
	SYS(object_destroy, cap);
}

#define CREATE(name, ...)                                                                          \
	static struct sys_result make_##name(cap_t cap)                                            \
	{                                                                                          \
		(void)cap;                                                                         \
		return SYS(name##_create, quota, ##__VA_ARGS__);                                   \
	}

CREATE(endpoint)
CREATE(notification)
CREATE(reply)
CREATE(cspace)
CREATE(quota, 1 << 20, 0)
CREATE(memory, 16, 0)
CREATE(aspace, CAP_NONE, ASPACE_PLAIN)
CREATE(thread, start->aspace, start->cspace, 0)
CREATE(sched, start->sched)

static struct sys_result do_destroy(cap_t cap)
{
	return SYS(object_destroy, cap);
}

TEST(objects)
{
	CHECK(tell("endpoint_create_instr", NULL, make_endpoint, destroy));
	CHECK(tell("notification_create_instr", NULL, make_notification, destroy));
	CHECK(tell("reply_create_instr", NULL, make_reply, destroy));
	CHECK(tell("cspace_create_instr", NULL, make_cspace, destroy));
	CHECK(tell("quota_create_instr", NULL, make_quota, destroy));
	CHECK(tell("memory_create_instr", NULL, make_memory, destroy));
	CHECK(tell("aspace_create_instr", NULL, make_aspace, destroy));
	CHECK(tell("thread_create_instr", NULL, make_thread, destroy));
	CHECK(tell("sched_create_instr", NULL, make_sched, destroy));
	CHECK(tell("endpoint_destroy_instr", new_endpoint, do_destroy, NULL));
}

static cap_t pages;

static struct sys_result commit_one(cap_t cap)
{
	(void)cap;
	return SYS(memory_commit, pages, 0, 1);
}

static void decommit_one(cap_t cap)
{
	(void)cap;
	SYS(memory_decommit, pages, 0, 1);
}

TEST(frames)
{
	pages = new_memory(16);
	CHECK(tell("frame_commit_instr", NULL, commit_one, decommit_one));
}

/* ---- the longest run ---- */

static void tell_longest(const char *after)
{
	struct node_counters n;

	SYS(node_counters, start->node, 0, &n, sizeof(n));
	say("longest run after %s: %lu instructions, call %lu", after, n.longest_run,
	    n.longest_what);
}

/* Meant for a boot with the option "runs": other figures are not what they were then. */
TEST(longest_run)
{
	struct node_counters n;

	if (option("runs") == NULL)
		SKIP("the boot option runs is not set");
	tell_longest("boot");
	storm_heirs(256);
	tell_longest("heirs");
	storm_destroy(3000);
	tell_longest("destroy");
	storm_spaces(50);
	storm_stale(500);
	tell_longest("spaces");
	storm_bomb();
	tell_longest("bomb");
	storm_memory(4096);
	tell_longest("memory");
	storm_revoke(100000);
	tell_longest("revoke");
	CHECK(STATUS(node_counters, start->node, 0, &n, sizeof(n)) == ST_OK);
	bench_report("kernel_longest_run_instr", n.longest_run, "instructions");
}

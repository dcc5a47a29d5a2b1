/* SPDX-License-Identifier: MIT */
/* The dispatcher, for every line of the table: what it refuses never reaches a handler. */
#include "play.h"
#include <core/aspace.h>
#include <core/memory.h>
#include <test/test.h>
#include <string.h>

#define CAPS 5

/* The table once more, as a test reads it. */
struct need {
	uint8_t type;
	bool optional;
	rights_t right;
};

#define C(type, right) { OBJ_##type, false, RIGHT_##right },
#define O(type, right) { OBJ_##type, true, RIGHT_##right },
#define SYSCALL(nr, name, mode, list)                                                              \
	__attribute__((weak)) syscall_fn sys_##name;                                               \
	static const struct need needs_##name[] = { list };
#include <abi/syscall.def>
#undef SYSCALL

static const struct line {
	uint64_t number;
	const char *name;
	const struct need *need;
	unsigned needs;
	syscall_fn *handler;
} lines[] = {
#define SYSCALL(nr, name, mode, list)                                                              \
	{ nr, #name, needs_##name, sizeof(needs_##name) / sizeof(struct need), sys_##name },
#include <abi/syscall.def>
#undef SYSCALL
};

static struct actor *user;
static cap_t all[OBJ_TYPES]; /* a capability with every right for each type that there is */

static cap_t insert(struct object *o)
{
	cap_t handle;

	return cap_insert(user->cspace, o, RIGHTS_ALL, 0, &handle) == ST_OK ? handle : CAP_NONE;
}

static cap_t create(uint64_t number, cap_t a1, cap_t a2)
{
	return play_act(user, number, all[OBJ_QUOTA], a1, a2, 0) == ST_OK ? actor_info(user) : 0;
}

static void begin(void)
{
	play_boot(1);
	user = actor_ready(NULL, 50);
	memset(all, 0, sizeof(all));
	all[OBJ_QUOTA] = insert(&quota_root->obj);
	all[OBJ_CSPACE] = insert(&user->cspace->obj);
	all[OBJ_THREAD] = user->thread;
	all[OBJ_SCHED] = insert(&sched_root->obj);
	all[OBJ_ASPACE] = insert(&user->t->aspace->obj);
	all[OBJ_ENDPOINT] = create(SYS_endpoint_create, 0, 0);
	all[OBJ_NOTIFICATION] = create(SYS_notification_create, 0, 0);
	all[OBJ_REPLY] = create(SYS_reply_create, 0, 0);
	all[OBJ_TIMER] = create(SYS_timer_create, all[OBJ_NOTIFICATION], 1);
	all[OBJ_MEMORY] = insert(&user->t->block_pin[user->t->bound_block.at].memory->obj);
}

static status_t try(const struct line *l, const uint64_t arg[ARCH_SYSCALL_ARGS])
{
	return play_act_all(user, l->number, arg);
}

/* Good capabilities for the first `n` of a line's. False: there is no object of such a type. */
static bool good(const struct line *l, unsigned n, uint64_t arg[ARCH_SYSCALL_ARGS])
{
	for (unsigned i = 0; i < n; i++) {
		unsigned type = l->need[i].type == OBJ_ANY ? OBJ_NOTIFICATION : l->need[i].type;
		arg[i] = all[type];
		if (arg[i] == CAP_NONE)
			return false;
	}
	return true;
}

TEST(calls_that_there_are_not)
{
	begin();
	static const uint64_t bad[] = { 63, 64, 65, 1000, UINT32_MAX, 1ull << 32, UINT64_MAX };
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(play_act(user, bad[i], 0, 0, 0, 0) == ST_BAD_SYSCALL);
	CHECK(cpu_boot.counters.refused == ARRAY_LEN(bad));
}

static unsigned tried;

/* Goes through every capability that any call takes: the line, which one, and arguments in which
 * those before it are good. */
static void each_need(void (*look)(const struct line *l, unsigned k, uint64_t arg[]))
{
	begin();
	tried = 0;
	for (const struct line *l = lines; l < lines + ARRAY_LEN(lines); l++) {
		for (unsigned k = 0; l->handler != NULL && k < l->needs; k++) {
			uint64_t arg[ARCH_SYSCALL_ARGS] = { 0 };
			if (good(l, k, arg))
				look(l, k, arg);
		}
	}
}

static void without_capability(const struct line *l, unsigned k, uint64_t arg[])
{
	/* What is no handle at all, or is none any more. */
	arg[k] = UINT64_MAX;
	CHECK(try(l, arg) == ST_BAD_CAP);
	arg[k] = user->thread + (1ull << 32);
	CHECK(try(l, arg) == ST_BAD_CAP);
	if (!l->need[k].optional) {
		arg[k] = CAP_NONE;
		CHECK(try(l, arg) == ST_BAD_CAP);
	}
	tried++;
}

TEST(every_call_wants_its_capabilities)
{
	for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
		CHECK(lines[i].needs >= 1 && lines[i].needs <= CAPS && lines[i].number == i);
		CHECK(!lines[i].need[0].optional);
	}
	each_need(without_capability);
	CHECK(tried > 40);
}

static void with_wrong_type(const struct line *l, unsigned k, uint64_t arg[])
{
	for (unsigned type = 1; type < OBJ_TYPES && l->need[k].type != OBJ_ANY; type++) {
		if (type == l->need[k].type || all[type] == CAP_NONE)
			continue;
		arg[k] = all[type];
		CHECK(try(l, arg) == ST_BAD_TYPE);
		tried++;
	}
}

TEST(every_call_refuses_a_wrong_type)
{
	each_need(with_wrong_type);
	CHECK(tried > 300);
}

static void without_right(const struct line *l, unsigned k, uint64_t arg[])
{
	cap_t weak;

	if (!good(l, k + 1, arg))
		return;
	CHECK(do_derive(user->cspace, user->cspace, arg[k], (rights_t)~l->need[k].right, 0,
			&weak) == ST_OK);
	arg[k] = weak;
	CHECK(try(l, arg) == ST_NO_RIGHT);
	CHECK(do_drop(user->cspace, weak) == ST_OK);
	tried++;
}

TEST(every_call_refuses_a_missing_right)
{
	each_need(without_right);
	CHECK(tried > 40);
}

TEST(calls_are_counted)
{
	begin();
	uint64_t before = cpu_boot.counters.calls[SYS_thread_kick];
	uint64_t refused = cpu_boot.counters.refused;
	for (unsigned i = 0; i < 3; i++)
		CHECK(play_act(user, SYS_thread_kick, user->thread, 0, 0, 0) == ST_OK);
	CHECK(play_act(user, SYS_thread_kick, CAP_NONE, 0, 0, 0) == ST_BAD_CAP);
	CHECK(cpu_boot.counters.calls[SYS_thread_kick] == before + 4);
	CHECK(cpu_boot.counters.refused == refused + 1);
}

/* ---- calls on capabilities ---- */

TEST(capability_calls)
{
	begin();
	cap_t space = all[OBJ_CSPACE];
	uint64_t copy[ARCH_SYSCALL_ARGS] = { space, space, all[OBJ_ENDPOINT],
					     RIGHT_CALL | RIGHT_COPY | RIGHT_REVOKE, 0x123 };
	CHECK(play_act_all(user, SYS_cap_copy, copy) == ST_OK);
	cap_t minted = actor_info(user);
	CHECK(ref_of(user, minted).badge == 0x123);
	CHECK(play_act(user, SYS_cap_inspect, space, minted, 0, 0) == ST_OK);
	CHECK(actor_info(user) == OBJ_ENDPOINT);
	CHECK(actor_badge(user) == (RIGHT_CALL | RIGHT_COPY | RIGHT_REVOKE));
	CHECK(actor_number(user) == 0); /* not the badge */
	copy[2] = minted;
	CHECK(play_act_all(user, SYS_cap_copy, copy) == ST_BAD_STATE);
	copy[4] = 0;
	CHECK(play_act_all(user, SYS_cap_copy, copy) == ST_OK);
	cap_t child = actor_info(user);
	CHECK(play_act(user, SYS_cap_move, space, space, minted, 0) == ST_OK);
	cap_t moved = actor_info(user);
	CHECK(play_act(user, SYS_cap_inspect, space, minted, 0, 0) == ST_BAD_CAP);
	CHECK(play_act(user, SYS_cap_revoke, space, moved, 0, 0) == ST_OK);
	CHECK(play_act(user, SYS_cap_inspect, space, child, 0, 0) == ST_BAD_CAP);
	CHECK(play_act(user, SYS_cap_drop, space, moved, 0, 0) == ST_OK);
	CHECK(play_act(user, SYS_cap_drop, space, moved, 0, 0) == ST_BAD_CAP);
	CHECK(cspace_ok(user->cspace) && cap_tree_ok(ref_of(user, all[OBJ_ENDPOINT]).object));
}

TEST(long_revoke_is_made_in_pieces)
{
	cap_t child[300];

	begin();
	cap_t space = all[OBJ_CSPACE];
	for (unsigned i = 0; i < ARRAY_LEN(child); i++)
		CHECK(do_derive(user->cspace, user->cspace, all[OBJ_ENDPOINT], RIGHTS_ALL, 0,
				&child[i]) == ST_OK);
	uint64_t arg[ARCH_SYSCALL_ARGS] = { space, all[OBJ_ENDPOINT] };
	CHECK(play_until(user));
	syscall_dispatch(user->t, SYS_cap_revoke, arg);
	CHECK(user->t->arch.restarts == 1 && user->t->revoking == all[OBJ_ENDPOINT]);
	/* Nothing is derived meanwhile, until it is abandoned by another call. */
	CHECK(do_derive(user->cspace, user->cspace, all[OBJ_ENDPOINT], RIGHTS_ALL, 0, &child[0]) ==
	      ST_REVOKED);
	user->t->arch.restarts = 0;
	CHECK(play_act(user, SYS_thread_kick, user->thread, 0, 0, 0) == ST_OK);
	CHECK(user->t->revoking == CAP_NONE && user->t->work == 0);
	CHECK(do_derive(user->cspace, user->cspace, all[OBJ_ENDPOINT], RIGHTS_ALL, 0, &child[0]) ==
	      ST_OK);
	CHECK(play_act_all(user, SYS_cap_revoke, arg) == ST_OK && user->t->revoking == CAP_NONE);
	CHECK(ref_of(user, all[OBJ_ENDPOINT]).object->caps == 1);
}

/* Who found the capability before it was revoked may still be using it: it is over when every CPU
 * has been outside the kernel. */
TEST(revoke_awaits_calls_that_look_once)
{
	static const enum object_type once[] = { OBJ_QUOTA, OBJ_CSPACE, OBJ_SCHED };

	begin();
	uint64_t arg[ARCH_SYSCALL_ARGS] = { all[OBJ_CSPACE], all[OBJ_ENDPOINT] };
	CHECK(play_until(user));
	syscall_dispatch(user->t, SYS_cap_revoke, arg);
	CHECK(user->t->arch.restarts == 0); /* looked at again by every call */
	for (unsigned i = 0; i < ARRAY_LEN(once); i++) {
		cap_t child;

		CHECK(do_derive(user->cspace, user->cspace, all[once[i]], RIGHTS_ALL, 0, &child) ==
		      ST_OK);
		arg[1] = all[once[i]];
		for (unsigned n = 1; n < 10; n++) {
			syscall_dispatch(user->t, SYS_cap_revoke, arg);
			CHECK(user->t->arch.restarts == n && user->t->revoke_ticket != 0);
		}
		CHECK(ref_of(user, all[once[i]]).slot->node.child == NULL);
		user->t->arch.restarts = 0;
		CHECK(play_act_all(user, SYS_cap_revoke, arg) == ST_OK);
		CHECK(user->t->revoke_ticket == 0 && user->t->work == 0);
	}
}

TEST(long_destruction_outlives_its_capability)
{
	begin();
	struct quota *q = test_quota(quota_root, MIB(2), 0);
	struct cspace *cs = test_space(q);
	cap_t quota = insert(&q->obj), handle, copy;

	/* Many of its objects, each with capabilities elsewhere. */
	for (unsigned i = 0; i < 200; i++) {
		struct object *o = test_object_make(q, cs, RIGHTS_ALL, &handle);
		CHECK(o != NULL && do_derive(home, cs, handle, RIGHTS_ALL, 0, &copy) == ST_OK);
	}
	uint64_t arg[ARCH_SYSCALL_ARGS] = { quota };
	CHECK(play_until(user));
	syscall_dispatch(user->t, SYS_object_destroy, arg);
	CHECK(user->t->arch.restarts == 1 && user->t->work != 0);
	user->t->arch.restarts = 0;
	CHECK(play_act(user, SYS_object_destroy, quota, 0, 0, 0) == ST_OK);
	CHECK(q->obj.flags == 0 && user->t->work == 0);
	CHECK(play_act(user, SYS_object_destroy, quota, 0, 0, 0) == ST_BAD_CAP);
}

TEST(abandoned_destruction_is_the_reapers)
{
	begin();
	struct quota *q = test_quota(quota_root, MIB(2), 0);
	struct cspace *cs = test_space(q);
	cap_t quota = insert(&q->obj), handle;

	for (unsigned i = 0; i < 100; i++)
		CHECK(test_object_make(q, cs, RIGHTS_ALL, &handle) != NULL);
	uint64_t arg[ARCH_SYSCALL_ARGS] = { quota };
	CHECK(play_until(user));
	syscall_dispatch(user->t, SYS_object_destroy, arg);
	CHECK(user->t->work != 0);
	user->t->arch.restarts = 0;
	CHECK(play_act(user, SYS_thread_kick, user->thread, 0, 0, 0) == ST_OK);
	CHECK(user->t->work == 0 && object_reap_waiting());
	for (unsigned i = 0; i < 2000 && q->obj.flags != 0; i++) {
		(void)object_reap_some();
		(void)play_user();
	}
	CHECK(q->obj.flags == 0);
}

/* Whoever runs does a piece when a timer calls, not at each exit from the kernel. */
TEST(reaper_takes_no_more_than_its_share)
{
	struct cpu *c = arch_this_cpu();
	cap_t h;

	begin();
	CHECK(play_until(user));
	host_grace_gap = 1000;
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	test_object_of(o)->pieces = 10;
	object_reap(do_kill(o));
	for (unsigned left = 10; left > 0; left--) {
		for (unsigned i = 0; i < 5; i++) {
			thread_exit_slow();
			CHECK(c->current == user->t && !c->resched);
			CHECK(test_object_of(o)->pieces == left);
		}
		host_time_advance(1000);
		timer_interrupt();
		CHECK(c->resched);
		thread_exit_slow();
		CHECK(test_object_of(o)->pieces == left - 1);
	}
}

/* Registers can be written while a destruction is under way: what is asked for then is another. */
TEST(destruction_of_another_is_not_taken_for_the_first)
{
	cap_t handle[2];
	struct object *o[2];

	begin();
	for (unsigned i = 0; i < 2; i++) {
		o[i] = test_object_make(quota_root, user->cspace, RIGHTS_ALL, &handle[i]);
		CHECK(o[i] != NULL);
	}
	test_object_of(o[0])->pieces = 3;
	uint64_t arg[ARCH_SYSCALL_ARGS] = { handle[0] };
	CHECK(play_until(user));
	syscall_dispatch(user->t, SYS_object_destroy, arg);
	CHECK(user->t->arch.restarts == 1 && user->t->work != 0);
	user->t->arch.restarts = 0;
	CHECK(play_act(user, SYS_object_destroy, handle[1], 0, 0, 0) == ST_OK);
	CHECK(!(o[1]->flags & OBJECT_LIVE) && user->t->work == 0);
	settle();
	CHECK(test_objects_closed == 2);
	/* Nor is the end of what is destroyed already an answer for what never was there. */
	CHECK(play_act(user, SYS_object_destroy, handle[0], 0, 0, 0) == ST_BAD_CAP);
}

TEST(quota_calls)
{
	begin();
	CHECK(play_act(user, SYS_quota_create, all[OBJ_QUOTA], MIB(1), 64 * FRAME_SIZE, 0) ==
	      ST_OK);
	cap_t q = actor_info(user);
	CHECK(play_act(user, SYS_quota_create, all[OBJ_QUOTA], 100, 0, 0) == ST_BAD_ARG);
	CHECK(play_act(user, SYS_quota_read, q, 0, 0, 0) == ST_OK);
	CHECK(actor_info(user) == 0 && actor_badge(user) == MIB(1));
	CHECK(play_act(user, SYS_cspace_create, q, 0, 0, 0) == ST_OK);
	CHECK(play_act(user, SYS_quota_read, q, 0, 0, 0) == ST_OK && actor_info(user) > 0);
	CHECK(play_act(user, SYS_quota_resize, q, FRAME_SIZE, 0, 0) == ST_BAD_STATE);
	CHECK(play_act(user, SYS_quota_resize, q, MIB(2), 0, 0) == ST_OK);
	CHECK(act_destroy(user, q) == ST_OK);
}

/* Every call that makes an object, with each step failing in turn. */
TEST(creation_undoes_every_partial_failure)
{
	begin();
	const struct {
		uint64_t number, arg[ARCH_SYSCALL_ARGS];
	} make[] = {
		{ SYS_endpoint_create, { 0 } },
		{ SYS_notification_create, { 0 } },
		{ SYS_reply_create, { 0 } },
		{ SYS_cspace_create, { 0 } },
		{ SYS_quota_create, { 0, MIB(1), 0 } },
		{ SYS_timer_create, { 0, all[OBJ_NOTIFICATION], 1 } },
		{ SYS_sched_create, { 0, all[OBJ_SCHED] } },
		{ SYS_thread_create, { 0, all[OBJ_ASPACE], all[OBJ_CSPACE] } },
	};
	for (unsigned i = 0; i < ARRAY_LEN(make); i++) {
		struct quota *q = test_quota(quota_root, MIB(1), 0);
		uint64_t arg[ARCH_SYSCALL_ARGS];
		status_t st = ST_NO_MEMORY;

		memcpy(arg, make[i].arg, sizeof(arg));
		arg[0] = insert(&q->obj);
		uint64_t used = user->cspace->used;
		for (unsigned step = 0; st != ST_OK; step++) {
			CHECK(step < 50 && play_until(user));
			host_fail_step(step);
			st = play_act_all(user, make[i].number, arg);
			host_fail_step(-1);
			CHECK(st == ST_OK || (st == ST_NO_MEMORY && user->cspace->used == used));
			CHECK(st == ST_OK || used_after_all(q) == 0);
		}
		CHECK(user->cspace->used == used + 1);
		CHECK(act_destroy(user, actor_info(user)) == ST_OK && used_after_all(q) == 0);
	}
}

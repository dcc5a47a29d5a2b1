/* SPDX-License-Identifier: MIT */
#include "timer_next.h"
#include "world.h"
#include <core/slab.h>
#include <core/timer.h>
#include <test/test.h>

static status_t look(cap_t handle)
{
	struct object *o;
	rights_t rights;
	uint64_t badge;

	return do_look(home, handle, &o, &rights, &badge);
}

TEST(object_id_is_its_granule)
{
	cap_t h;

	world_boot(0, 0);
	const struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	CHECK((paddr_t)object_id(o) * OBJECT_GRANULE == arch_virt_to_phys(o));
	CHECK(object_at(object_id(o)) == o && object_id(o) != 0);
	/* The last granule that has an id, and no bit of it is lost. */
	CHECK(object_id(arch_phys_to_virt(OBJECT_LIMIT - OBJECT_GRANULE)) == UINT32_MAX);
	CHECK(object_at(UINT32_MAX) == arch_phys_to_virt(OBJECT_LIMIT - OBJECT_GRANULE));
}

TEST(object_is_dead_at_once_and_gone_later)
{
	cap_t h, copy;

	world_boot(0, 0);
	struct cspace *other = test_space(NULL);
	uint64_t before = used_after_all(quota_root);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	CHECK(do_derive(other, home, h, RIGHTS_ALL, 0, &copy) == ST_OK);
	test_object_of(o)->pieces = 3;
	uint64_t ticket = do_kill(o);
	CHECK(ticket != 0 && do_kill(o) == 0);
	CHECK(look(h) == ST_BAD_CAP && do_drop(other, copy) == ST_BAD_CAP);
	CHECK(do_derive(home, other, copy, RIGHTS_ALL, 0, &h) == ST_BAD_CAP);
	CHECK(other->used == 1); /* not swept yet */
	for (unsigned i = 0; i < 3; i++)
		CHECK(!object_destroy_some(ticket) && test_objects_closed == 0);
	CHECK(other->used == 0); /* by now */
	CHECK(object_destroy_some(ticket) && test_objects_closed == 1);
	CHECK(object_destroy_some(ticket)); /* gone is gone */
	CHECK(used_after_all(quota_root) == before);
	CHECK(object_destroy_some(ticket)); /* with its page */
	CHECK(object_destroy_some(0) && object_destroy_some(UINT64_MAX));
}

TEST(object_that_was_never_named_is_undone_without_trace)
{
	cap_t h;

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	struct object *o = object_create(q, OBJ_NONE);
	CHECK(o != NULL && o->quota == q && q->used == FRAME_SIZE);
	CHECK(do_kill(o) == 0); /* nobody can, it is being made */
	object_discard(o);
	CHECK(q->used == 0 && test_objects_closed == 1);

	/* Not with a full space either. */
	struct quota *small = test_quota(quota_root, 2 * FRAME_SIZE, 0);
	struct cspace *cs = test_space(small);
	while (test_object_make(quota_root, cs, RIGHTS_ALL, &h) != NULL)
		;
	CHECK(cs->used == CSPACE_CHUNK - 1 && q->used == 0);
	CHECK(test_object_make(q, cs, RIGHTS_ALL, &h) == NULL && q->used == 0);
}

TEST(object_creation_fails_at_every_step)
{
	unsigned step = 0;
	cap_t h;

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	for (;; step++) {
		uint64_t root = quota_root->used;

		host_fail_step(step);
		const struct object *o = test_object_make(q, home, RIGHTS_ALL, &h);
		host_fail_step(-1);
		if (o != NULL)
			break;
		CHECK(q->used == 0 && quota_ok(q, 0) && quota_root->used == root);
	}
	CHECK(step == 3); /* slot, charge, frame: a new step must be added here */
}

/* Generations wrap, and no stale handle ever comes to life again. */
TEST(object_generation_wraps)
{
	enum { GENS = 8, ROUNDS = 3 * GENS };
	cap_t stale[ROUNDS];
	struct object *first = NULL;

	world_boot(GENS - 1, 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &stale[i]);

		if (first == NULL)
			first = o;
		CHECK(o == first && o->gen == i % GENS); /* always the same slot */
		for (unsigned j = 0; j < i; j++)
			CHECK(look(stale[j]) == ST_BAD_CAP);
		CHECK(look(stale[i]) == ST_OK);
		CHECK(do_destroy(o));
	}
}

/* A generation that comes round meets no slot with a token of its first time: these were
 * emptied before the object's memory was used again. */
TEST(object_memory_is_not_reused_before_the_sweep)
{
	enum { MANY = 3 * CAP_BATCH };
	cap_t h[MANY + 1], again;

	world_boot(1, 0);
	struct cspace *other = test_space(NULL);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h[0]);
	for (unsigned i = 1; i <= MANY; i++)
		CHECK(do_derive(other, home, h[0], RIGHTS_ALL, 0, &h[i]) == ST_OK);
	uint64_t ticket = do_kill(o);
	unsigned pieces = 0;
	while (!object_destroy_some(ticket)) {
		struct object *another = test_object_make(quota_root, home, RIGHTS_ALL, &again);

		CHECK(another != o);
		pieces++;
	}
	CHECK(pieces >= 3 && other->used == 0);
	struct object *reused = test_object_make(quota_root, home, RIGHTS_ALL, &again);
	CHECK(reused == o);
	CHECK(do_destroy(reused)); /* with one bit: the generation of the first time */
	reused = test_object_make(quota_root, home, RIGHTS_ALL, &again);
	CHECK(reused == o && reused->gen == 0);
	for (unsigned i = 0; i <= MANY; i++)
		CHECK(do_drop(i == 0 ? home : other, h[i]) == ST_BAD_CAP);
	CHECK(look(again) == ST_OK);
}

TEST(object_destroyer_may_hand_on_to_the_reaper)
{
	cap_t h[3];

	world_boot(0, 0);
	for (unsigned i = 0; i < 3; i++) {
		struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h[i]);

		test_object_of(o)->pieces = 2;
		uint64_t ticket = do_kill(o);
		CHECK(!object_destroy_some(ticket));
		object_reap(ticket);
		object_reap(ticket); /* once is enough */
		CHECK(object_reap_waiting());
	}
	unsigned pieces = 0;
	while (object_reap_some())
		pieces++;
	CHECK(pieces >= 3 && pieces <= 6 && test_objects_closed == 3 && !object_reap_waiting());
	object_reap(UINT64_MAX);
	CHECK(!object_reap_some());
}

/* What waits for a grace period is not asked again and again: a timer calls. */
TEST(reaper_sleeps_while_a_grace_period_lasts)
{
	struct cpu *c = arch_this_cpu();

	world_boot(0, 0);
	host_grace_gap = 1000;
	struct cspace *cs = test_space(NULL);
	uint64_t ticket = do_kill(&cs->obj);
	object_reap(ticket);
	CHECK(timer_next() == time_now() + 1000);
	for (unsigned i = 0; i < 3; i++)
		CHECK(!object_reap_some() && object_reap_waiting()); /* we are in the kernel */
	host_user_mode();
	CHECK(!c->reap);
	host_time_advance(1000);
	timer_interrupt();
	CHECK(c->reap && c->resched);
	CHECK(object_reap_some() && !object_reap_waiting() && object_destroy_some(ticket));
}

/* As long as there is something else to be done, it goes on at once. */
TEST(reaper_does_not_sleep_over_work)
{
	cap_t h;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	test_object_of(o)->pieces = 5;
	object_reap(do_kill(o));
	for (unsigned i = 0; i < 6; i++)
		CHECK(object_reap_some());
	CHECK(!object_reap_some() && test_objects_closed == 1);
}

/* Who destroys and meets the reaper at it helps, wherever its list is. */
static uint64_t left_behind;

static void leave_behind(unsigned id)
{
	if (id == 1)
		object_reap(left_behind);
}

TEST(object_destroyer_helps_the_reaper_of_another_cpu)
{
	unsigned calls = 0;
	cap_t h;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	test_object_of(o)->pieces = 5;
	left_behind = do_kill(o);
	host_cpus_run(2, leave_behind);
	CHECK(object_reap_waiting());
	while (!object_destroy_some(left_behind))
		calls++;
	CHECK(calls == 6 && test_objects_closed == 1);
}

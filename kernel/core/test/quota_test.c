/* SPDX-License-Identifier: MIT */
#include "chance.h"
#include "world.h"
#include <core/frame.h>
#include <test/test.h>

static uint64_t free_frames(void)
{
	struct frame_stats s;

	frame_stats(&s);
	return s.free;
}

TEST(quota_root_has_all_that_is_free)
{
	struct quota *q;
	cap_t h;

	host_boot_usual();
	uint64_t free = free_frames();
	quota_init();
	CHECK(free_frames() == free - 1); /* the page that it lies in */
	struct frame_stats frames;
	frame_stats(&frames);
	CHECK(quota_root->limit == (free - 1 + frames.loader) * FRAME_SIZE);
	CHECK(frames.loader > 0 && quota_root->used == 0);
	CHECK(quota_root->drawn == quota_root->limit && quota_ok(quota_root, 0));
	CHECK(quota_resize(quota_root, MIB(1), 0) == ST_BAD_STATE);

	struct cspace *cs = test_space(NULL);
	CHECK(cap_insert(cs, &quota_root->obj, RIGHTS_ALL, 0, &h) == ST_OK);
	CHECK(do_drop(cs, h) == ST_OK && !object_reap_waiting()); /* the kernel keeps it */
	CHECK(quota_create(quota_root, MIB(1), 0, &q) == ST_OK);
}

TEST(quota_limit_is_kept_to_the_byte)
{
	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, 10 * FRAME_SIZE, 0);
	for (unsigned i = 0; i < 10; i++)
		CHECK(quota_charge(q, FRAME_SIZE) && quota_ok(q, i + 1));
	CHECK(!quota_charge(q, FRAME_SIZE));
	quota_refund(q, 3 * FRAME_SIZE);
	CHECK(!quota_charge(q, 4 * FRAME_SIZE) && q->used == 7 * FRAME_SIZE);
	CHECK(!quota_charge(q, UINT64_MAX & ~(FRAME_SIZE - 1)) && quota_ok(q, 7));
	CHECK(quota_charge(q, 3 * FRAME_SIZE) && q->peak == 10 * FRAME_SIZE);
	quota_refund(q, 10 * FRAME_SIZE);
	CHECK(q->used == 0 && q->drawn == 0 && quota_ok(q, 0));
}

TEST(quota_draws_in_chunks)
{
	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(4), 0);
	uint64_t root = quota_root->used;
	unsigned draws = 0;
	for (unsigned i = 0; i < 64; i++) {
		uint64_t before = quota_root->used;

		CHECK(quota_charge(q, FRAME_SIZE));
		draws += quota_root->used != before;
	}
	CHECK(draws == 64 * FRAME_SIZE / QUOTA_CHUNK);
	CHECK(quota_root->used == root + 64 * FRAME_SIZE);
	for (unsigned i = 0; i < 64; i++) {
		CHECK(quota_root->used - root <= q->used + 2 * QUOTA_CHUNK);
		quota_refund(q, FRAME_SIZE);
	}
	CHECK(quota_root->used == root && quota_ok(q, 0));
}

/* Whichever level refuses, none has changed; and the last frame can be had, though no
 * chunk is left. */
TEST(quota_every_level_can_refuse)
{
	enum { LEVELS = 4 };
	struct quota *q[LEVELS + 1] = { NULL };

	world_boot(0, 0);
	q[0] = quota_root;
	for (unsigned tight = 1; tight <= LEVELS; tight++) {
		for (unsigned i = 1; i <= LEVELS; i++)
			q[i] = test_quota(q[i - 1], i == tight ? 20 * FRAME_SIZE : MIB(8), 0);
		unsigned got = 0;
		while (quota_charge(q[LEVELS], FRAME_SIZE))
			got++;
		/* The quotas between take slab pages: one each. */
		CHECK(got == 20 - (LEVELS - tight));
		for (unsigned i = 1; i <= LEVELS; i++)
			CHECK(quota_ok(q[i], i == LEVELS ? got : 0));
		CHECK(quota_ok(quota_root, home->slots / CSPACE_CHUNK));
		quota_refund(q[LEVELS], got * FRAME_SIZE);
		CHECK(do_destroy(&q[1]->obj));
	}
}

TEST(quota_reservation_is_kept)
{
	struct quota *a, *b;

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(1), MIB(1));
	CHECK(q->drawn == MIB(1) && quota_root->promised == MIB(1));
	CHECK(quota_create(q, MIB(8), KIB(512), &a) == ST_OK);
	CHECK(cap_insert(home, &a->obj, RIGHTS_ALL, 0, &(cap_t){ 0 }) == ST_OK);
	CHECK(quota_create(q, MIB(8), KIB(516), &b) == ST_NO_MEMORY); /* promised too much */
	CHECK(q->promised == KIB(512) && quota_ok(q, 0));

	/* Beyond the reservation others may have it all; the reservation is always there. */
	while (quota_charge(q, FRAME_SIZE))
		;
	CHECK(q->used == MIB(1));
	for (unsigned i = 0; i < KIB(512) / FRAME_SIZE; i++)
		CHECK(quota_charge(a, FRAME_SIZE));
	CHECK(!quota_charge(a, FRAME_SIZE));
	quota_refund(a, KIB(512));
	CHECK(a->drawn == KIB(512) && q->used == MIB(1)); /* refunds keep it */
	/* But a reservation that was promised and used up otherwise can't be had. */
	CHECK(quota_create(q, MIB(8), FRAME_SIZE, &b) == ST_NO_MEMORY);
	quota_refund(q, q->used - q->slab[OBJ_QUOTA].pages * FRAME_SIZE - a->drawn);
	CHECK(quota_ok(q, 0));
	CHECK(do_destroy(&q->obj) && quota_root->promised == 0);
}

TEST(quota_creation_checks_first)
{
	struct quota *q[QUOTA_DEPTH + 1], *other;

	world_boot(0, 0);
	CHECK(quota_create(quota_root, FRAME_SIZE + 64, 0, &other) == ST_BAD_ARG);
	CHECK(quota_create(quota_root, MIB(1), 64, &other) == ST_BAD_ARG);
	CHECK(quota_create(quota_root, FRAME_SIZE, 2 * FRAME_SIZE, &other) == ST_BAD_ARG);
	q[0] = quota_root;
	for (unsigned i = 1; i <= QUOTA_DEPTH; i++)
		q[i] = test_quota(q[i - 1], MIB(4), 0);
	CHECK(quota_create(q[QUOTA_DEPTH], MIB(1), 0, &other) == ST_TOO_BIG);
	CHECK(do_destroy(&q[1]->obj));
}

TEST(quota_creation_fails_at_every_step)
{
	struct quota *q = NULL;
	int64_t step = 0;

	world_boot(0, 0);
	struct quota *parent = test_quota(quota_root, MIB(1), MIB(1));
	for (;; step++) {
		host_fail_step(step);
		status_t st = quota_create(parent, KIB(256), KIB(128), &q);
		host_fail_step(-1);
		if (st == ST_OK)
			break;
		CHECK(st == ST_NO_MEMORY && q == NULL);
		CHECK(parent->used == 0 && parent->promised == 0 && quota_ok(parent, 0));
	}
	CHECK(step == 4); /* slot, charge, frame; the reservation */
	CHECK(parent->promised == KIB(128) && quota_ok(parent, 0));
	object_discard(&q->obj);
	CHECK(parent->used == 0 && parent->promised == 0 && quota_ok(parent, 0));
}

TEST(quota_frames_are_clean_and_paid)
{
	paddr_t pa, again;

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, 2 * FRAME_SIZE, 0);
	uint64_t before = free_frames();
	CHECK(quota_frame_alloc(q, &pa) && q->used == FRAME_SIZE);
	CHECK(frame_of(pa)->payer == object_id(&q->obj));
	__builtin_memset(arch_phys_to_virt(pa), 0xee, FRAME_SIZE);
	quota_frame_free(q, pa);
	CHECK(q->used == 0 && free_frames() == before);
	CHECK(quota_frame_alloc(q, &again) && again == pa);
	for (unsigned i = 0; i < FRAME_SIZE; i++)
		CHECK(((uint8_t *)arch_phys_to_virt(again))[i] == 0);
	for (int64_t step = 0; step < 2; step++) {
		host_fail_step(step);
		CHECK(!quota_frame_alloc(q, &pa) && q->used == FRAME_SIZE);
	}
	host_fail_step(-1);
	CHECK(quota_frame_alloc(q, &pa) && !quota_frame_alloc(q, &again));
	CHECK(quota_ok(q, 2));
}

TEST(quota_resize_moves_both_bounds)
{
	struct quota *child;

	world_boot(0, 0);
	struct quota *parent = test_quota(quota_root, MIB(2), MIB(1));
	struct quota *q = test_quota(parent, KIB(512), KIB(64));
	CHECK(quota_charge(q, KIB(256)));

	CHECK(quota_resize(q, KIB(100), KIB(128)) == ST_BAD_ARG);
	CHECK(quota_resize(q, KIB(252), 0) == ST_BAD_STATE); /* uses more */
	CHECK(quota_resize(q, KIB(256), KIB(64)) == ST_OK && q->limit == KIB(256));
	CHECK(!quota_charge(q, FRAME_SIZE) && quota_ok(q, 64));
	CHECK(quota_resize(q, MIB(1), KIB(512)) == ST_OK);
	CHECK(q->drawn == KIB(512) && parent->promised == KIB(512) && quota_ok(parent, 0));
	CHECK(quota_resize(q, MIB(2), MIB(1) + FRAME_SIZE) ==
	      ST_NO_MEMORY); /* more than promised */
	CHECK(q->limit == MIB(1) && q->reservation == KIB(512) && parent->promised == KIB(512));
	CHECK(quota_resize(q, MIB(1), 0) == ST_OK && parent->promised == 0);
	CHECK(quota_ok(q, 64) && quota_ok(parent, 0));

	CHECK(quota_resize(q, MIB(1), KIB(512)) == ST_OK);
	CHECK(quota_create(q, KIB(512), KIB(128), &child) == ST_OK);
	CHECK(cap_insert(home, &child->obj, RIGHTS_ALL, 0, &(cap_t){ 0 }) == ST_OK);
	CHECK(quota_resize(q, MIB(1), KIB(64)) == ST_BAD_STATE); /* promised more */

	/* When the parent has promised but has not got it, nothing changes. */
	while (quota_charge(parent, FRAME_SIZE))
		;
	CHECK(quota_resize(q, MIB(1), MIB(1)) == ST_NO_MEMORY);
	CHECK(q->reservation == KIB(512) && parent->promised == KIB(512) && quota_ok(q, 64));
	/* What was drawn as a reserve counts. */
	quota_refund(parent, FRAME_SIZE);
	CHECK(quota_resize(q, MIB(1), KIB(512) + FRAME_SIZE) == ST_OK);
	quota_refund(q, KIB(256));
}

TEST(quota_trim_brings_back_kept_pages)
{
	static cap_t h[200];
	unsigned count = 0;

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, 5 * FRAME_SIZE, 0);
	while (count < 200 && test_object_make(q, home, RIGHTS_ALL, &h[count]) != NULL)
		count++;
	CHECK(q->used == 5 * FRAME_SIZE);
	for (unsigned i = 0; i < count; i++)
		CHECK(do_drop(home, h[i]) == ST_OK);
	settle();
	CHECK(q->used > 0); /* one page at least is kept for the next object ... */
	paddr_t pa;
	for (unsigned i = 0; i < 5; i++) { /* ... but not when it is wanted otherwise */
		while (!quota_frame_alloc(q, &pa)) {
			quota_trim(q);
			host_user_mode();
		}
	}
	CHECK(quota_ok(q, 5) && q->slab[OBJ_NONE].pages == 0);
}

/* ---- destruction ---- */

/* Fills `q` with objects of several kinds, some of them held elsewhere, and quotas that
 * are filled the same way. Returns how many test objects. */
static unsigned populate(struct quota *q, struct chance *c, unsigned levels)
{
	unsigned made = 0;
	cap_t h, copy;

	for (unsigned i = 0; i < 20; i++) {
		struct object *o = test_object_make(q, home, RIGHTS_ALL, &h);
		struct cspace *cs = test_space(q);

		test_object_of(o)->pieces = (unsigned)chance_below(c, 3);
		for (uint64_t n = chance_below(c, 100); n > 0; n--) {
			if (do_derive(cs, home, h, RIGHTS_ALL, 0, &copy) != ST_OK)
				return 0;
		}
		if (chance_below(c, 2) && do_bind(home, h, o, 0) != ST_OK)
			return 0;
		made++;
	}
	for (unsigned i = 0; levels > 0 && i < 2; i++)
		made += populate(test_quota(q, MIB(8), FRAME_SIZE << 2 * levels), c, levels - 1);
	return made;
}

TEST(quota_destruction_leaves_no_trace)
{
	struct chance c = { test_seed() };

	world_boot(0, 0);
	struct cspace *watch = test_space(NULL);
	for (unsigned round = 0; round < 3; round++) {
		uint64_t before = used_after_all(quota_root);
		uint32_t slots = home->used;
		uint64_t free = free_frames();
		cap_t h, seen;

		struct quota *q = test_quota(quota_root, MIB(16), MIB(1));
		unsigned made = populate(q, &c, 2);
		CHECK(made == 140);
		struct object *o = test_object_make(q, home, RIGHTS_ALL, &h);
		CHECK(o != NULL && do_derive(watch, home, h, RIGHTS_ALL, 0, &seen) == ST_OK);
		test_objects_closed = 0;
		CHECK(do_destroy(&q->obj));
		CHECK(test_objects_closed == made + 1);
		CHECK(do_drop(watch, seen) == ST_BAD_CAP && watch->used == 0);
		CHECK(home->used == slots && cspace_ok(home));
		/* Its frames are back, but for those by which `home` has grown. */
		uint64_t after = used_after_all(quota_root);
		CHECK(quota_root->promised == 0);
		CHECK(after - before == (free - free_frames()) * FRAME_SIZE);
		CHECK(round == 0 || after == before);
	}
}

TEST(quota_that_died_takes_nothing)
{
	struct quota *child;
	struct cspace *cs;

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	uint64_t ticket = do_kill(&q->obj);
	CHECK(!object_destroy_some(ticket));
	CHECK(object_create(q, OBJ_NONE) == NULL && q->used == 0);
	CHECK(cspace_create(q, &cs) == ST_NO_MEMORY);
	CHECK(quota_create(q, FRAME_SIZE, 0, &child) == ST_NO_MEMORY);
	while (!object_destroy_some(ticket))
		host_user_mode();
}

/* What is being made when its payer dies is let be, and then destroyed or undone. */
TEST(quota_waits_for_who_is_making_something)
{
	cap_t h;

	world_boot(0, 0);
	for (unsigned named = 0; named < 2; named++) {
		struct quota *q = test_quota(quota_root, MIB(1), 0);
		struct object *o = object_create(q, OBJ_NONE);
		uint64_t ticket = do_kill(&q->obj);

		test_objects_closed = 0;
		for (unsigned i = 0; i < 20; i++) {
			CHECK(!object_destroy_some(ticket) && test_objects_closed == 0);
			host_user_mode();
		}
		if (named)
			CHECK(cap_insert(home, o, RIGHTS_ALL, 0, &h) == ST_OK);
		else
			object_discard(o);
		while (!object_destroy_some(ticket))
			host_user_mode();
		CHECK(test_objects_closed == 1);
	}
}

/* Pieces of its objects are with the reapers, or with other destroyers. */
TEST(quota_destroyer_meets_others)
{
	enum { MANY = 30 };
	uint64_t ticket[MANY];
	cap_t h;

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	for (unsigned i = 0; i < MANY; i++) {
		struct object *o = test_object_make(q, home, RIGHTS_ALL, &h);

		test_object_of(o)->pieces = 3;
		ticket[i] = do_kill(o);
		if (i % 3 == 0)
			object_reap(ticket[i]);
		if (i % 3 == 1)
			CHECK(!object_destroy_some(ticket[i]));
	}
	CHECK(do_destroy(&q->obj) && test_objects_closed == MANY);
	for (unsigned i = 0; i < MANY; i++)
		CHECK(object_destroy_some(ticket[i]));
	CHECK(!object_reap_waiting());
}

TEST(quota_dies_with_its_last_capability)
{
	struct quota *q;
	cap_t h, of_object;

	world_boot(0, 0);
	uint64_t before = used_after_all(quota_root);
	CHECK(quota_create(quota_root, MIB(1), KIB(64), &q) == ST_OK);
	CHECK(cap_insert(home, &q->obj, RIGHTS_ALL, 0, &h) == ST_OK);
	CHECK(test_object_make(q, home, RIGHTS_ALL, &of_object) != NULL);
	CHECK(do_drop(home, h) == ST_OK);
	settle();
	CHECK(test_objects_closed == 1 && do_drop(home, of_object) == ST_BAD_CAP);
	CHECK(used_after_all(quota_root) == before && quota_root->promised == 0);
}

/* ---- books under races ---- */

#define RACERS 4

static struct quota *shared, *own[RACERS];
static _Atomic unsigned racers_done;

static void charge_and_refund(unsigned id)
{
	struct chance c = { test_seed() * RACERS + id };
	uint64_t mine[2] = { 0, 0 };

	for (uint64_t i = 0; i < test_rounds(20000); i++) {
		unsigned which = (unsigned)chance_below(&c, 2);
		struct quota *q = which ? own[id] : shared;
		uint64_t bytes = (1 + chance_below(&c, 40)) * FRAME_SIZE;

		if (chance_below(&c, 5) < 3) {
			if (quota_charge(q, bytes))
				mine[which] += bytes;
		} else if (mine[which] > 0) {
			bytes = bytes < mine[which] ? bytes : mine[which];
			quota_refund(q, bytes);
			mine[which] -= bytes;
		}
		if (chance_below(&c, 100) == 0 && id == 0)
			CHECK(quota_resize(shared, MIB(1) + chance_below(&c, 64) * FRAME_SIZE,
					   chance_below(&c, 64) * FRAME_SIZE) != ST_BAD_ARG);
	}
	racers_done++;
	while (racers_done < RACERS)
		arch_cpu_relax();
	quota_refund(own[id], mine[1]);
	quota_refund(shared, mine[0]);
}

TEST(quota_books_are_exact_under_races)
{
	world_boot(0, 0);
	uint64_t before = used_after_all(quota_root);
	struct quota *top = test_quota(quota_root, MIB(1) + KIB(512), MIB(1));
	shared = test_quota(top, MIB(1), KIB(256));
	for (unsigned i = 0; i < RACERS; i++)
		own[i] = test_quota(i % 2 ? shared : top, KIB(600), 0);
	host_cpus_run(RACERS, charge_and_refund);
	for (unsigned i = 0; i < RACERS; i++)
		CHECK(quota_ok(own[i], 0) && own[i]->used == 0 && own[i]->drawn == 0);
	CHECK(quota_ok(shared, 0) && quota_ok(top, 0));
	CHECK(do_destroy(&top->obj) && used_after_all(quota_root) == before);
}

TEST(reservation_beyond_all_numbers_is_refused)
{
	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(4), 0), *child;
	const uint64_t huge[] = { 1ull << 63, 3ull << 62, ALIGN_DOWN(UINT64_MAX, FRAME_SIZE) };
	uint64_t used = q->used;

	for (unsigned i = 0; i < ARRAY_LEN(huge); i++) {
		CHECK(quota_create(q, huge[i], huge[i], &child) == ST_NO_MEMORY);
		CHECK(quota_resize(q, huge[i], huge[i]) == ST_NO_MEMORY);
	}
	CHECK(q->promised == 0 && q->reservation == 0 && used_after_all(q) == used);
}

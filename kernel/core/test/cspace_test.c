/* SPDX-License-Identifier: MIT */
#include "chance.h"
#include "world.h"
#include <core/grace.h>
#include <test/test.h>

static status_t look(struct cspace *cs, cap_t handle)
{
	struct object *o;
	rights_t rights;
	uint64_t badge;

	return do_look(cs, handle, &o, &rights, &badge);
}

TEST(cspace_creation_fails_at_every_step)
{
	struct cspace *cs = NULL;
	int64_t step = 0;

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	uint64_t root = quota_root->used;
	for (;; step++) {
		host_fail_step(step);
		status_t st = cspace_create(q, &cs);
		host_fail_step(-1);
		if (st == ST_OK)
			break;
		CHECK(st == ST_NO_MEMORY && cs == NULL && q->used == 0 && quota_ok(q, 0));
		CHECK(quota_root->used == root);
	}
	CHECK(step == 5); /* slot, charge, frame; charge, frame */
	CHECK(cs->slots == CSPACE_CHUNK && cs->used == 0 && cspace_ok(cs));
	object_discard(&cs->obj);
	CHECK(q->used == 0 && quota_root->used == root);
}

TEST(cspace_growth_fails_at_every_step)
{
	cap_t h, child;

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(16), 0);
	struct cspace *cs = test_space(q);
	test_object_make(quota_root, home, RIGHTS_ALL, &h);
	/* Chunks 1 and 512 take a directory as well. */
	for (uint32_t chunk = 0; chunk <= 513; chunk++) {
		uint32_t need = chunk == 1 || chunk == 512 ? 2 : 1;
		uint64_t used = q->used;
		int64_t step = 0;

		if (chunk > 1 && chunk < 511) {
			for (unsigned i = 0; i < CSPACE_CHUNK; i++)
				CHECK(do_derive(cs, home, h, RIGHTS_ALL, 0, &child) == ST_OK);
			continue;
		}
		while (chunk > 0) {
			host_fail_step(step);
			status_t st = do_derive(cs, home, h, RIGHTS_ALL, 0, &child);
			host_fail_step(-1);
			if (st == ST_OK)
				break;
			CHECK(st == ST_NO_MEMORY && q->used == used && cspace_ok(cs));
			CHECK(cs->slots == chunk * CSPACE_CHUNK);
			step++;
		}
		CHECK(chunk == 0 || (step == 2 * need && q->used == used + need * FRAME_SIZE));
		while (cs->used < (chunk + 1) * CSPACE_CHUNK - 1)
			CHECK(do_derive(cs, home, h, RIGHTS_ALL, 0, &child) == ST_OK);
	}
	CHECK(cspace_ok(cs));
	CHECK(do_destroy(&cs->obj) && used_after_all(q) == 0);
}

/* From 10 to a million: every handle finds its own, and all is given back. */
TEST(cspace_of_a_million)
{
	enum { MILLION = 1000000 };
	static const struct boot_range map[] = { { MIB(1), MIB(128), BOOT_RAM, 0 } };
	struct boot_info info = host_machine_of(map, 1);
	struct chance c = { test_seed() };
	static cap_t all[MILLION];
	struct cap_slot *slot[4];
	unsigned count = 0;
	cap_t h;

	world_boot_on(&info, 0, 0);
	uint64_t before = used_after_all(quota_root);
	struct cspace *cs = test_space(NULL);
	test_object_make(quota_root, home, RIGHTS_ALL, &h);
	while (count < MILLION) {
		CHECK(cspace_take(cs, 4, slot) == ST_OK);
		for (unsigned i = 0; i < 4; i++) {
			atomic_store(&slot[i]->badge, slot[i]->index);
			all[count++] = slot[i]->index | 1ull << 32;
		}
	}
	for (unsigned i = 0; i < 100000; i++) {
		cap_t handle = all[chance_below(&c, MILLION)];
		const struct cap_slot *s = cspace_slot(cs, (uint32_t)handle);

		CHECK(s != NULL && s->index == (uint32_t)handle && s->badge == s->index);
	}
	CHECK(cs->used == MILLION && cspace_ok(cs));
	CHECK(cspace_slot(cs, cs->slots) == NULL && cspace_slot(cs, UINT32_MAX) == NULL);
	CHECK(cspace_slot(cs, CSPACE_SLOTS_MAX) == NULL);
	for (unsigned i = 0; i < MILLION; i++)
		cspace_put(cs, cspace_slot(cs, (uint32_t)all[i]));
	CHECK(do_destroy(&cs->obj));
	CHECK(do_drop(home, h) == ST_OK && used_after_all(quota_root) == before);
}

TEST(cspace_is_full_at_its_end)
{
	cap_t h, child;

	world_boot(0, 0);
	struct cspace *cs = test_space(NULL);
	test_object_make(quota_root, home, RIGHTS_ALL, &h);
	for (unsigned i = 1; i < CSPACE_CHUNK; i++)
		CHECK(do_derive(cs, home, h, RIGHTS_ALL, 0, &child) == ST_OK);
	cs->slots = CSPACE_SLOTS_MAX; /* as if */
	CHECK(do_derive(cs, home, h, RIGHTS_ALL, 0, &child) == ST_NO_SLOTS);
	cs->slots = CSPACE_CHUNK;
	CHECK(do_derive(cs, home, h, RIGHTS_ALL, 0, &child) == ST_OK);
}

/* A slot serves once for each generation and then never again. */
TEST(cspace_retires_slots_that_would_wrap)
{
	enum { GENS = 5 };
	static cap_t all[CSPACE_CHUNK * GENS];
	unsigned count = 0;
	cap_t h, child;

	world_boot(0, GENS);
	struct cspace *cs = test_space(NULL);
	test_object_make(quota_root, home, RIGHTS_ALL, &h);
	while (cs->slots == CSPACE_CHUNK) {
		CHECK(do_derive(cs, home, h, RIGHTS_ALL, 0, &child) == ST_OK);
		for (unsigned i = 0; i < count; i++) {
			CHECK(all[i] != child);
			CHECK(look(cs, all[i]) == ST_BAD_CAP);
		}
		if (cs->slots == CSPACE_CHUNK) {
			CHECK(count < ARRAY_LEN(all));
			all[count++] = child;
			CHECK(do_drop(cs, child) == ST_OK && cspace_ok(cs));
		}
	}
	CHECK(count == (CSPACE_CHUNK - 1) * GENS);
	for (uint32_t i = 0; i < CSPACE_CHUNK; i++)
		CHECK(look(cs, i) == ST_BAD_CAP); /* generation 0 is no handle's */
	CHECK(do_destroy(&cs->obj));
}

TEST(cspace_that_died_takes_nothing)
{
	cap_t h, child;

	world_boot(0, 0);
	struct cspace *cs = test_space(NULL);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	uint64_t ticket = do_kill(&cs->obj);
	CHECK(!object_destroy_some(ticket)); /* closed now; it waits for a grace period */
	CHECK(do_derive(cs, home, h, RIGHTS_ALL, 0, &child) == ST_BAD_CAP);
	CHECK(do_move(cs, home, h, &child) == ST_BAD_CAP);
	CHECK(test_object_make(quota_root, cs, RIGHTS_ALL, &child) == NULL);
	CHECK(look(home, h) == ST_OK && o->caps == 1);
	for (unsigned i = 0; i < 5; i++)
		CHECK(!object_destroy_some(ticket)); /* as long as we stay in the kernel */
	while (!object_destroy_some(ticket))
		host_user_mode();
}

/* All that it held is dropped, in pieces; what nobody else has dies. */
TEST(cspace_death_drops_what_it_holds)
{
	enum { MANY = 5 * CAP_BATCH };
	cap_t h[MANY], keep, child;

	world_boot(0, 0);
	struct cspace *cs = test_space(NULL);
	struct object *kept = test_object_make(quota_root, cs, RIGHTS_ALL, &h[0]);
	CHECK(do_derive(home, cs, h[0], RIGHTS_ALL, 0, &keep) == ST_OK);
	for (unsigned i = 1; i < MANY; i++)
		test_object_make(quota_root, cs, RIGHTS_ALL, &h[i]);
	CHECK(do_derive(cs, home, keep, RIGHTS_ALL, 0, &child) == ST_OK);
	uint64_t ticket = do_kill(&cs->obj);
	CHECK(!object_destroy_some(ticket) && cs->used > 0 && cs->used < MANY + 1);
	while (!object_destroy_some(ticket))
		host_user_mode();
	settle();
	CHECK(test_objects_closed == MANY - 1);
	CHECK(look(home, keep) == ST_OK && kept->caps == 1 && cap_tree_ok(kept));
}

/* Spaces that hold the last capabilities of each other go one after the other. */
TEST(cspace_chains_die_without_recursion)
{
	enum { LENGTH = 3000 };
	struct cspace *cs, *first = NULL;
	cap_t h;

	world_boot(0, 0);
	uint64_t before = used_after_all(quota_root);
	struct cspace *in = home;
	for (unsigned i = 0; i < LENGTH; i++) {
		CHECK(cspace_create(quota_root, &cs) == ST_OK);
		CHECK(cap_insert(in, &cs->obj, RIGHTS_ALL, 0, &h) == ST_OK);
		if (first == NULL)
			first = cs;
		in = cs;
	}
	CHECK(do_destroy(&first->obj));
	CHECK(used_after_all(quota_root) == before);
}

/* A space may hold itself and what revokes it. */
TEST(cspace_that_holds_itself_dies)
{
	cap_t h, own;

	world_boot(0, 0);
	uint64_t before = used_after_all(quota_root);
	struct cspace *cs;
	CHECK(cspace_create(quota_root, &cs) == ST_OK);
	CHECK(cap_insert(home, &cs->obj, RIGHTS_ALL, 0, &h) == ST_OK);
	CHECK(do_derive(cs, home, h, RIGHTS_ALL, 0, &own) == ST_OK);
	CHECK(do_derive(cs, cs, own, RIGHTS_ALL, 0, &own) == ST_OK);
	CHECK(do_destroy(&cs->obj));
	CHECK(used_after_all(quota_root) == before);
}

/* SPDX-License-Identifier: MIT */
/* Capabilities under races: four CPUs, few generations. */
#include "chance.h"
#include "world.h"
#include <core/assert.h>
#include <sched.h>
#include <test/test.h>

#define CPUS 4

static struct cspace *space[CPUS];

/* Handles as programs pass them on: read at any time, stale or not. */
#define HANDLES 64
static _Atomic cap_t shared[CPUS][HANDLES];

static _Atomic uint64_t incarnations;

static void make_spaces(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		space[i] = test_space(NULL);
}

/* A new object knows its incarnation, and so does every capability to it: its badge. */
static struct object *make_known(unsigned id, cap_t *out)
{
	struct object *o = object_create(quota_root, OBJ_NONE);

	if (o == NULL)
		return NULL;
	uint64_t badge = ++incarnations;
	test_object_of(o)->value = badge;
	if (cap_insert(space[id], o, RIGHTS_ALL, badge, out) == ST_OK)
		return o;
	object_discard(o);
	return NULL;
}

static void use(unsigned place, cap_t handle)
{
	struct cap_ref ref;

	if (ref_lock(space[place], handle, OBJ_NONE, 1, &ref) != ST_OK)
		return;
	struct test_object *t = test_object_of(ref.object);
	CHECK(t->value == ref.badge); /* not another one in the same memory */
	CHECK(t->obj.flags == OBJECT_LIVE || t->obj.flags == 0);
	t->uses++;
	spin_unlock(&ref.object->lock);
}

/* ---- everything at once ---- */

static void anything(struct chance *c, unsigned id)
{
	unsigned place = (unsigned)chance_below(c, CPUS);
	unsigned to = (unsigned)chance_below(c, CPUS);
	_Atomic cap_t *from = &shared[place][chance_below(c, HANDLES)];
	_Atomic cap_t *into = &shared[to][chance_below(c, HANDLES)];
	struct cap_ref ref;
	cap_t handle = *from;
	cap_t out;

	switch (chance_below(c, 16)) {
	case 0:
		if (make_known(to, &out) != NULL)
			*into = out;
		return;
	case 1:
	case 2:
	case 3:
		if (do_derive(space[to], space[place], handle, RIGHTS_ALL, 0, &out) == ST_OK)
			*into = out;
		return;
	case 4:
		if (do_move(space[to], space[place], handle, &out) == ST_OK)
			*into = out;
		return;
	case 5:
	case 6:
		do_drop(space[place], handle);
		return;
	case 7:
		do_revoke_some(space[place], handle);
		return;
	case 8:
		if (chance_below(c, 4) == 0 &&
		    cap_find(space[place], handle, OBJ_NONE, 0, &ref) == ST_OK)
			object_reap(object_kill(ref.object));
		return;
	case 9:
		if (id == 0)
			quota_trim(quota_root);
		return;
	default:
		use(place, handle);
	}
}

static void storm(unsigned id)
{
	struct chance c = { test_seed() * CPUS + id };

	for (uint64_t i = 0; i < test_rounds(6000); i++) {
		anything(&c, id);
		if (object_reap_waiting())
			object_reap_some();
		host_user_mode();
	}
}

TEST(cap_storm_of_everything)
{
	world_boot(1, 7);
	uint64_t before = used_after_all(quota_root);
	make_spaces();
	host_cpus_run(CPUS, storm);
	for (unsigned i = 0; i < CPUS; i++) {
		settle();
		CHECK(cspace_ok(space[i]));
		CHECK(do_destroy(&space[i]->obj));
	}
	/* Whoever held a capability is gone, and so is all that was made. */
	CHECK(used_after_all(quota_root) == before);
	CHECK(test_objects_closed == incarnations);
}

/* ---- when it returns, a call that found the capability is done or has missed ---- */

enum way { BY_REVOKE, BY_DROP, BY_KILL, WAYS };

static struct {
	struct object *_Atomic object;
	_Atomic cap_t handle[CPUS]; /* 0: none yet */
	_Atomic uint64_t round, closed;
	_Atomic bool over;
} promise;

static void use_until_over(unsigned id)
{
	while (!promise.over) {
		uint64_t round = promise.round;
		cap_t handle = promise.handle[id];
		struct cap_ref ref;

		if (cap_find(space[id], handle, OBJ_NONE, 0, &ref) == ST_OK) {
			struct test_object *t = test_object_of(ref.object);

			if (chance_below(&(struct chance){ handle }, 2))
				sched_yield(); /* between finding and locking */
			spin_lock(&ref.object->lock);
			if (cap_still(&ref)) {
				CHECK(ref.badge > promise.closed && ref.badge <= promise.round);
				t->uses++;
				sched_yield();
				CHECK(ref.badge > promise.closed);
				t->uses++;
			}
			spin_unlock(&ref.object->lock);
		}
		while (promise.round == round && promise.closed == round && !promise.over)
			sched_yield();
		host_user_mode();
	}
}

static void one_round(uint64_t round, enum way way)
{
	struct cap_ref ref;
	cap_t first, h[CPUS];

	struct object *o = object_create(quota_root, OBJ_NONE);
	CHECK(o != NULL && cap_insert(home, o, RIGHTS_ALL, round, &first) == ST_OK);
	for (unsigned i = 1; i < CPUS; i++)
		CHECK(do_derive(space[i], home, first, RIGHTS_ALL, 0, &h[i]) == ST_OK);
	promise.round = round;
	for (unsigned i = 1; i < CPUS; i++)
		promise.handle[i] = h[i];
	while (round % 4 != 0 && test_object_of(o)->uses == 0)
		sched_yield(); /* till somebody is at it, mostly */

	uint64_t ticket = 0;
	if (way == BY_REVOKE)
		CHECK(do_revoke(home, first) == ST_OK);
	for (unsigned i = 1; way == BY_DROP && i < CPUS; i++)
		CHECK(do_drop(space[i], h[i]) == ST_OK);
	if (way == BY_KILL) {
		ticket = object_kill(o);
		CHECK(ticket != 0);
	}
	promise.closed = round;
	uint64_t uses = test_object_of(o)->uses;
	CHECK(uses % 2 == 0);
	sched_yield();
	CHECK(test_object_of(o)->uses == uses);
	if (ticket == 0) {
		CHECK(cap_find(home, first, OBJ_NONE, 0, &ref) == ST_OK);
		ticket = object_kill(o);
	}
	while (!object_destroy_some(ticket))
		host_user_mode();
}

static void close_rounds(unsigned id)
{
	if (id != 0) {
		use_until_over(id);
		return;
	}
	for (uint64_t round = 1; round <= test_rounds(600); round++) {
		one_round(round, (enum way)(round % WAYS));
		host_user_mode();
	}
	promise.over = true;
}

TEST(revoke_drop_and_kill_wait_for_who_is_inside)
{
	world_boot(3, 0);
	make_spaces();
	host_cpus_run(CPUS, close_rounds);
}

/* ---- revokes, bindings and drops over each other in one tree ---- */

static struct object *tree_object;
static struct test_object *owner[CPUS];
static cap_t root;

static void grow_and_prune(unsigned id)
{
	struct chance c = { test_seed() * CPUS + id + 100 };
	struct cap_ref ref;
	cap_t out;

	for (uint64_t i = 0; i < test_rounds(4000); i++) {
		unsigned place = (unsigned)chance_below(&c, CPUS);
		cap_t handle = shared[place][chance_below(&c, HANDLES)];
		unsigned which = (unsigned)chance_below(&c, 4);
		struct cap_slot *binding = &owner[id]->binding[which];

		switch (chance_below(&c, 12)) {
		case 0:
			do_revoke_some(space[place], handle);
			break;
		case 1:
			do_drop(space[place], handle);
			break;
		case 2:
		case 3:
			if (cap_unbind(binding))
				do_bind(space[place], handle, &owner[id]->obj, which);
			break;
		case 4:
			if (cap_binding_lock(binding) != NULL)
				spin_unlock(&tree_object->lock);
			break;
		case 5:
			if (cap_find(space[place], handle, OBJ_ANY, 0, &ref) == ST_OK)
				cap_revoke_abandon(&ref);
			break;
		default:
			if (handle == 0 || chance_below(&c, 8) == 0)
				place = 0, handle = root;
			if (do_derive(space[id], space[place], handle, RIGHTS_ALL, 0, &out) ==
			    ST_OK)
				shared[id][chance_below(&c, HANDLES)] = out;
		}
		if (id == 0 && chance_below(&c, 64) == 0)
			do_revoke_some(space[0], root);
		host_user_mode();
	}
}

TEST(revokes_race_in_one_tree)
{
	cap_t h;

	world_boot(0, 31);
	make_spaces();
	tree_object = test_object_make(quota_root, space[0], RIGHTS_ALL, &root);
	for (unsigned i = 0; i < CPUS; i++)
		owner[i] = test_object_of(test_object_make(quota_root, home, RIGHTS_ALL, &h));
	host_cpus_run(CPUS, grow_and_prune);
	CHECK(cap_tree_ok(tree_object));
	CHECK(do_revoke(space[0], root) == ST_OK && tree_object->caps == 1);
	CHECK(tree_object->children->child == NULL && cap_tree_ok(tree_object));
	for (unsigned i = 0; i < CPUS; i++) {
		CHECK(space[i]->used == (i == 0) && cspace_ok(space[i]));
		for (unsigned which = 0; which < 4; which++)
			CHECK(owner[i]->binding[which].gen == 0);
	}
}

/* ---- a revoke of 100,000 while others go on ---- */

#define STORM 100000

static _Atomic bool revoked;

static void revoke_or_use(unsigned id)
{
	if (id == 0) {
		status_t st;

		do {
			st = do_revoke_some(space[0], root);
			host_user_mode();
		} while (st == ST_LATER);
		revoked = true;
		CHECK(st == ST_OK);
		return;
	}
	struct chance c = { test_seed() + id };
	while (!revoked) {
		struct object *o;
		cap_t h, child;

		use(id, shared[id][chance_below(&c, HANDLES)]);
		o = make_known(id, &h); /* and work of their own is not disturbed */
		CHECK(o != NULL &&
		      do_derive(space[id], space[id], h, RIGHTS_ALL, 0, &child) == ST_OK);
		CHECK(do_drop(space[id], h) == ST_OK && do_drop(space[id], child) == ST_OK);
		while (object_reap_waiting())
			object_reap_some();
		host_user_mode();
	}
}

TEST(revoke_storm_on_four_cpus)
{
	static const struct boot_range map[] = { { MIB(1), MIB(64), BOOT_RAM, 0 } };
	struct boot_info info = host_machine_of(map, 1);
	struct chance c = { test_seed() };
	static cap_t all[1000];

	world_boot_on(&info, 0, 0);
	make_spaces();
	tree_object = make_known(0, &root);
	all[0] = root;
	for (unsigned i = 1; i < STORM; i++) {
		unsigned from = (unsigned)chance_below(&c, i < 1000 ? i : 1000);
		unsigned to = i % CPUS;
		cap_t h;

		CHECK(do_derive(space[to], space[from % CPUS], all[from], RIGHTS_ALL, 0, &h) ==
		      ST_OK);
		if (i < 1000)
			all[i] = h;
		shared[to][i / CPUS % HANDLES] = h;
	}
	CHECK(tree_object->caps == STORM);
	host_cpus_run(CPUS, revoke_or_use);
	settle();
	CHECK(tree_object->caps == 1 && cap_tree_ok(tree_object));
	for (unsigned i = 0; i < CPUS; i++)
		CHECK(space[i]->used == (i == 0) && cspace_ok(space[i]));
}

/* ---- quotas that die while others make things in them ---- */

static _Atomic cap_t quota_handle;
static _Atomic bool no_more;
static _Atomic unsigned made;

static void make_in_quota(unsigned id)
{
	struct chance c = { test_seed() * CPUS + id };

	while (!no_more) {
		struct cap_ref ref;
		struct cspace *cs;
		struct quota *child;
		struct object *o = NULL;
		cap_t h;

		if (ref_lock(home, quota_handle, OBJ_QUOTA, RIGHT_CREATE, &ref) == ST_OK) {
			struct quota *q = container_of(ref.object, struct quota, obj);

			spin_unlock(&ref.object->lock);
			switch (chance_below(&c, 4)) {
			case 0:
				o = cspace_create(q, &cs) == ST_OK ? &cs->obj : NULL;
				break;
			case 1:
				o = quota_create(q, KIB(64), 0, &child) == ST_OK ? &child->obj
										 : NULL;
				break;
			default:
				o = object_create(q, OBJ_NONE);
			}
			if (o != NULL && (chance_below(&c, 4) == 0 ||
					  cap_insert(space[id], o, RIGHTS_ALL, 0, &h) != ST_OK))
				object_discard(o);
			made += o != NULL;
		} else {
			sched_yield();
		}
		host_user_mode();
	}
}

static void kill_quotas(unsigned id)
{
	if (id != 0) {
		make_in_quota(id);
		return;
	}
	for (uint64_t i = 0; i < test_rounds(20); i++) {
		struct quota *q;
		cap_t h;

		CHECK(quota_create(quota_root, MIB(1), KIB(64), &q) == ST_OK);
		CHECK(cap_insert(home, &q->obj, RIGHTS_ALL, 0, &h) == ST_OK);
		unsigned before = made;
		quota_handle = h;
		while (made - before < i)
			sched_yield();
		CHECK(do_destroy(&q->obj)); /* which asserts that nothing is left */
		CHECK(quota_root->promised == 0);
	}
	no_more = true;
}

TEST(quotas_die_while_others_use_them)
{
	world_boot(1, 0);
	make_spaces();
	uint64_t before = used_after_all(quota_root);
	host_cpus_run(CPUS, kill_quotas);
	for (unsigned i = 1; i < CPUS; i++)
		CHECK(space[i]->used == 0);
	uint64_t after = used_after_all(quota_root);
	for (unsigned i = 1; i < CPUS; i++) { /* they may have grown, by whole chunks */
		after -= (space[i]->slots / CSPACE_CHUNK - 1) * FRAME_SIZE;
		after -= space[i]->directory[0] != NULL ? FRAME_SIZE : 0;
	}
	CHECK(after == before);
}

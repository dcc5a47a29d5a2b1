/* SPDX-License-Identifier: MIT */
#include "chance.h"
#include "world.h"
#include <core/assert.h>
#include <test/test.h>
#include <string.h>

/* ---- tokens and handles ---- */

TEST(token_layout_is_published)
{
	_Static_assert(TOKEN_OBJECT_SHIFT == 32 && TOKEN_GEN_SHIFT == 16 && TOKEN_RIGHTS_SHIFT == 0,
		       "the token is 32/16/16");
	_Static_assert(sizeof(rights_t) == 2 && sizeof(cap_t) == 8, "as abi/rights.h says");
	uint64_t token = 0x12345678abcd9001;

	CHECK(token_object(token) == 0x12345678);
	CHECK(token_gen(token) == 0xabcd);
	CHECK(token_rights(token) == 0x9001);
	CHECK(token_make(0x12345678, 0xabcd, 0x9001) == token);
	CHECK(token_make(UINT32_MAX, 0, 0) == 0xffffffff00000000);
	CHECK(token_make(0, UINT16_MAX, 0) == 0xffff0000);
	CHECK(token_make(0, 0, UINT16_MAX) == 0xffff);
}

TEST(cap_find_tells_why_not)
{
	struct cap_ref ref;
	cap_t h;

	world_boot(0, 0);
	struct cspace *cs = test_space(NULL);
	struct object *o = test_object_make(quota_root, cs, 0x0003, &h);
	CHECK(o != NULL && o->type == OBJ_NONE);

	CHECK(cap_find(cs, h, OBJ_NONE, 0x0003, &ref) == ST_OK);
	CHECK(ref.object == o && token_rights(ref.token) == 3 && ref.badge == 0);
	CHECK(cap_find(cs, h, OBJ_ANY, 0x0001, &ref) == ST_OK);
	CHECK(cap_find(cs, h, OBJ_ENDPOINT, 0x0001, &ref) == ST_BAD_TYPE);
	CHECK(cap_find(cs, h, OBJ_NONE, 0x0004, &ref) == ST_NO_RIGHT);
	CHECK(cap_find(cs, h, OBJ_NONE, 0x0007, &ref) == ST_NO_RIGHT);

	CHECK(cap_find(cs, CAP_NONE, OBJ_ANY, 0, &ref) == ST_BAD_CAP);
	CHECK(cap_find(cs, h + 1, OBJ_ANY, 0, &ref) == ST_BAD_CAP); /* an empty slot */
	CHECK(cap_find(cs, h + (1ull << 32), OBJ_ANY, 0, &ref) == ST_BAD_CAP);
	CHECK(cap_find(cs, (uint32_t)h, OBJ_ANY, 0, &ref) == ST_BAD_CAP);
	for (unsigned shift = 6; shift < 32; shift++)
		CHECK(cap_find(cs, h | 1ull << shift, OBJ_ANY, 0, &ref) == ST_BAD_CAP);
	CHECK(cap_find(cs, UINT64_MAX, OBJ_ANY, 0, &ref) == ST_BAD_CAP);

	CHECK(ref_lock(cs, h, OBJ_NONE, 1, &ref) == ST_OK);
	CHECK(spin_is_held(&o->lock));
	spin_unlock(&o->lock);
	CHECK(do_kill(o) != 0);
	CHECK(ref_lock(cs, h, OBJ_NONE, 1, &ref) == ST_BAD_CAP);
	CHECK(cap_find(cs, h, OBJ_ENDPOINT, 1, &ref) == ST_BAD_CAP); /* not: of another type */
	CHECK(cap_find(cs, h, OBJ_NONE, 4, &ref) == ST_BAD_CAP);
}

/* ---- derive ---- */

TEST(derive_only_shrinks_rights)
{
	struct object *o, *same;
	rights_t rights;
	uint64_t badge;
	cap_t h, child, grandchild;

	world_boot(0, 0);
	struct cspace *a = test_space(NULL);
	struct cspace *b = test_space(NULL);
	o = test_object_make(quota_root, a, RIGHT_COPY | 0x00f, &h);

	CHECK(do_derive(b, a, h, RIGHT_COPY | 0x0f3, 0, &child) == ST_OK);
	CHECK(do_look(b, child, &same, &rights, &badge) == ST_OK && same == o);
	CHECK(rights == (RIGHT_COPY | 0x003));
	CHECK(do_derive(a, b, child, RIGHTS_ALL & ~RIGHT_COPY, 0, &grandchild) == ST_OK);
	CHECK(do_look(a, grandchild, &same, &rights, &badge) == ST_OK && same == o);
	CHECK(rights == 0x003);
	CHECK(do_derive(b, a, grandchild, RIGHTS_ALL, 0, &child) == ST_NO_RIGHT);
	CHECK(do_derive(b, a, h, 0, 0, &child) == ST_OK); /* no right at all is allowed */
	CHECK(cap_tree_ok(o) && o->caps == 4);
}

/* A capability without object behind it: badges are the business of cap.c alone. */
static struct object *of_type(struct cspace *cs, enum object_type type, uint64_t badge, cap_t *h)
{
	struct object *o = object_create(quota_root, OBJ_NONE);

	o->type = (uint8_t)type;
	return cap_insert(cs, o, RIGHTS_ALL, badge, h) == ST_OK ? o : NULL;
}

TEST(mint_gives_a_badge_once)
{
	static const enum object_type types[] = { OBJ_ENDPOINT, OBJ_NOTIFICATION };
	struct object *o;
	rights_t rights;
	uint64_t badge;
	cap_t h, child, copy;

	world_boot(0, 0);
	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		CHECK(of_type(home, types[i], 0, &h) != NULL);
		CHECK(do_derive(home, home, h, RIGHTS_ALL, 0xfeedull << 40, &child) == ST_OK);
		CHECK(do_look(home, child, &o, &rights, &badge) == ST_OK);
		CHECK(badge == 0xfeedull << 40);
		CHECK(do_derive(home, home, child, RIGHTS_ALL, 7, &copy) == ST_BAD_STATE);
		CHECK(do_derive(home, home, child, RIGHTS_ALL, badge, &copy) == ST_BAD_STATE);
		CHECK(do_derive(home, home, child, RIGHTS_ALL, 0, &copy) == ST_OK);
		CHECK(do_look(home, copy, &o, &rights, &badge) == ST_OK);
		CHECK(badge == 0xfeedull << 40);
		CHECK(do_move(home, home, copy, &copy) == ST_OK);
		CHECK(do_look(home, copy, &o, &rights, &badge) == ST_OK);
		CHECK(badge == 0xfeedull << 40);
	}
	CHECK(of_type(home, OBJ_QUOTA, 0, &h) != NULL);
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 1, &child) == ST_BAD_ARG);
}

TEST(slices_only_get_narrower)
{
	static const enum object_type types[] = { OBJ_MEMORY, OBJ_IOPORT };
	struct object *o;
	rights_t rights;
	uint64_t badge;
	cap_t h, slice, part;

	world_boot(0, 0);
	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		CHECK(of_type(home, types[i], 0, &h) != NULL);
		CHECK(do_derive(home, home, h, RIGHTS_ALL, CAP_RANGE(5, 0), &slice) == ST_BAD_ARG);
		CHECK(do_derive(home, home, h, RIGHTS_ALL, CAP_RANGE(100, 50), &slice) == ST_OK);
		CHECK(do_look(home, slice, &o, &rights, &badge) == ST_OK);
		CHECK(badge == CAP_RANGE(100, 50));
		CHECK(do_derive(home, home, slice, RIGHTS_ALL, CAP_RANGE(99, 10), &part) ==
		      ST_BAD_ARG);
		CHECK(do_derive(home, home, slice, RIGHTS_ALL, CAP_RANGE(100, 51), &part) ==
		      ST_BAD_ARG);
		CHECK(do_derive(home, home, slice, RIGHTS_ALL, CAP_RANGE(149, 2), &part) ==
		      ST_BAD_ARG);
		CHECK(do_derive(home, home, slice, RIGHTS_ALL, CAP_RANGE(150, 1), &part) ==
		      ST_BAD_ARG);
		CHECK(do_derive(home, home, slice, RIGHTS_ALL, CAP_RANGE(UINT32_MAX, UINT32_MAX),
				&part) == ST_BAD_ARG);
		CHECK(do_derive(home, home, slice, RIGHTS_ALL, CAP_RANGE(120, 0), &part) ==
		      ST_BAD_ARG);
		CHECK(do_derive(home, home, slice, RIGHTS_ALL, CAP_RANGE(149, 1), &part) == ST_OK);
		CHECK(do_derive(home, home, slice, RIGHTS_ALL, CAP_RANGE(100, 50), &part) == ST_OK);
		CHECK(do_derive(home, home, slice, RIGHTS_ALL, 0, &part) == ST_OK);
		CHECK(do_look(home, part, &o, &rights, &badge) == ST_OK);
		CHECK(badge == CAP_RANGE(100, 50));
	}
}

TEST(derive_stops_at_the_depth)
{
	struct test_object *t;
	cap_t h[CAP_DEPTH + 2];
	cap_t other;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h[0]);
	for (unsigned i = 0; i < CAP_DEPTH; i++)
		CHECK(do_derive(home, home, h[i], RIGHTS_ALL, 0, &h[i + 1]) == ST_OK);
	CHECK(do_derive(home, home, h[CAP_DEPTH], RIGHTS_ALL, 0, &other) == ST_TOO_BIG);
	CHECK(o->caps == CAP_DEPTH + 1 && cap_tree_ok(o));

	/* A binding may be one deeper, and who goes makes place. */
	t = test_object_of(test_object_make(quota_root, home, RIGHTS_ALL, &other));
	CHECK(do_bind(home, h[CAP_DEPTH], &t->obj, 0) == ST_OK);
	CHECK(do_drop(home, h[7]) == ST_OK);
	CHECK(do_derive(home, home, h[CAP_DEPTH], RIGHTS_ALL, 0, &h[7]) == ST_OK);
	CHECK(do_derive(home, home, h[7], RIGHTS_ALL, 0, &other) == ST_TOO_BIG);
	CHECK(cap_tree_ok(o));
	CHECK(do_revoke(home, h[0]) == ST_OK);
	CHECK(o->caps == 1 && t->cuts == 1);
}

/* A chain that is passed on hand over hand does not get deeper. */
TEST(drop_makes_chains_shorter)
{
	cap_t h, next;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	for (unsigned i = 0; i < 10 * CAP_DEPTH; i++) {
		CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &next) == ST_OK);
		CHECK(do_drop(home, h) == ST_OK);
		h = next;
	}
	CHECK(o->caps == 1 && cap_tree_ok(o));
}

/* ---- drop ---- */

TEST(drop_makes_the_handle_dead_for_ever)
{
	struct object *o;
	rights_t rights;
	uint64_t badge;
	cap_t h, child, again;

	world_boot(0, 0);
	test_object_make(quota_root, home, RIGHTS_ALL, &h);
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &child) == ST_OK);
	CHECK(do_drop(home, child) == ST_OK);
	CHECK(do_look(home, child, &o, &rights, &badge) == ST_BAD_CAP);
	CHECK(do_drop(home, child) == ST_BAD_CAP);
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &again) == ST_OK);
	CHECK((uint32_t)again == (uint32_t)child && again != child); /* the slot, not the handle */
	CHECK(do_look(home, child, &o, &rights, &badge) == ST_BAD_CAP);
	CHECK(do_look(home, again, &o, &rights, &badge) == ST_OK);
	CHECK(cspace_ok(home));
}

/* A capability, one below it, and some below that. */
static struct object *three_generations(cap_t *h, cap_t *middle, cap_t leaf[], unsigned leaves)
{
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, h);
	bool ok = do_derive(home, home, *h, RIGHTS_ALL, 0, middle) == ST_OK;

	for (unsigned i = 0; i < leaves; i++)
		ok = ok && do_derive(home, home, *middle, RIGHTS_ALL, 0, &leaf[i]) == ST_OK;
	ASSERT(ok);
	return o;
}

TEST(drop_hands_children_to_the_parent)
{
	cap_t h, middle, leaf[3];

	world_boot(0, 0);
	struct object *o = three_generations(&h, &middle, leaf, 3);
	CHECK(do_drop(home, middle) == ST_OK);
	CHECK(o->caps == 4 && cap_tree_ok(o));
	for (unsigned i = 0; i < 3; i++)
		CHECK(do_drop(home, leaf[i] + (1ull << 32)) == ST_BAD_CAP); /* alive as before */
	CHECK(do_revoke(home, h) == ST_OK); /* reaches what the dropped one had derived */
	CHECK(o->caps == 1);
	for (unsigned i = 0; i < 3; i++)
		CHECK(do_drop(home, leaf[i]) == ST_BAD_CAP);
}

TEST(drop_of_the_last_capability_kills)
{
	struct object *same;
	rights_t rights;
	uint64_t badge;
	cap_t h, child;

	world_boot(0, 0);
	struct cspace *cs = test_space(NULL);
	uint64_t before = used_after_all(quota_root);
	struct object *o = test_object_make(quota_root, cs, RIGHTS_ALL, &h);
	object_gen_t gen = o->gen;
	CHECK(do_derive(cs, cs, h, RIGHTS_ALL, 0, &child) == ST_OK);
	CHECK(do_drop(cs, h) == ST_OK);
	CHECK(o->gen == gen && do_look(cs, child, &same, &rights, &badge) == ST_OK);
	CHECK(do_drop(cs, child) == ST_OK);
	CHECK(o->gen == gen + 1 && test_objects_closed == 1 && !object_reap_waiting());
	CHECK(used_after_all(quota_root) == before);
}

/* Who drops it does a piece of what is to be done. */
TEST(drop_leaves_most_of_a_long_end_to_the_reaper)
{
	cap_t h;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	test_object_of(o)->pieces = 5;
	CHECK(do_drop(home, h) == ST_OK);
	CHECK(test_object_of(o)->pieces == 4 && object_reap_waiting());
	settle();
	CHECK(test_objects_closed == 1 && !object_reap_waiting());
}

/* With more children than one piece moves, the slot stays in use, as a grave. */
TEST(drop_with_many_children_leaves_a_grave)
{
	enum { MANY = 2 * CAP_HEIRS + 10 };
	static cap_t child[MANY];
	cap_t h, middle;

	world_boot(0, 0);
	struct cspace *cs = test_space(NULL);
	struct cspace *other = test_space(NULL);
	struct object *o = test_object_make(quota_root, cs, RIGHTS_ALL, &h);
	CHECK(do_derive(other, cs, h, RIGHTS_ALL, 0, &middle) == ST_OK);
	for (unsigned i = 0; i < MANY; i++)
		CHECK(do_derive(cs, other, middle, RIGHTS_ALL, 0, &child[i]) == ST_OK);
	CHECK(do_drop(other, middle) == ST_OK);
	CHECK(o->caps == MANY + 1 && cap_tree_ok(o));
	CHECK(other->used == 1);
	struct cap_ref ref;
	CHECK(cap_find(other, middle, OBJ_ANY, 0, &ref) == ST_BAD_CAP);
	CHECK(cap_find(other, middle + (1ull << 32), OBJ_ANY, 0, &ref) == ST_BAD_CAP);

	/* With its last child the grave goes. The newest children moved. */
	for (unsigned i = 0; i < MANY - CAP_HEIRS; i++) {
		CHECK(other->used == 1);
		CHECK(do_drop(cs, child[i]) == ST_OK);
	}
	CHECK(other->used == 0 && o->caps == CAP_HEIRS + 1);
	CHECK(cap_tree_ok(o) && cspace_ok(other));
	CHECK(do_derive(other, cs, h, RIGHTS_ALL, 0, &middle) == ST_OK); /* can be used again */
}

TEST(graves_go_with_revoke_and_with_their_space)
{
	enum { MANY = CAP_HEIRS + 10 };
	static cap_t child[MANY];
	cap_t h, middle;

	world_boot(0, 0);
	struct cspace *cs = test_space(NULL);
	struct object *o = test_object_make(quota_root, cs, RIGHTS_ALL, &h);
	for (unsigned round = 0; round < 2; round++) {
		struct cspace *other = test_space(NULL);

		CHECK(do_derive(other, cs, h, RIGHTS_ALL, 0, &middle) == ST_OK);
		for (unsigned i = 0; i < MANY; i++)
			CHECK(do_derive(cs, other, middle, RIGHTS_ALL, 0, &child[i]) == ST_OK);
		CHECK(do_drop(other, middle) == ST_OK && other->used == 1);
		if (round == 0) {
			CHECK(do_revoke(cs, h) == ST_OK && other->used == 0 && o->caps == 1);
			CHECK(do_destroy(&other->obj));
		} else {
			CHECK(do_destroy(&other->obj)); /* hands on what is left */
			CHECK(o->caps == MANY + 1 && cap_tree_ok(o));
			CHECK(do_revoke(cs, h) == ST_OK && o->caps == 1);
		}
	}
	CHECK(cspace_ok(cs));
}

/* ---- move ---- */

TEST(move_keeps_the_place_in_the_tree)
{
	struct object *o, *same;
	rights_t rights;
	uint64_t badge;
	cap_t h, middle, moved, leaf;

	world_boot(0, 0);
	struct cspace *a = test_space(NULL);
	struct cspace *b = test_space(NULL);
	o = test_object_make(quota_root, a, RIGHTS_ALL, &h);
	CHECK(do_derive(a, a, h, RIGHT_REVOKE | RIGHT_COPY | 5, 0, &middle) == ST_OK);
	CHECK(do_derive(a, a, middle, RIGHTS_ALL, 0, &leaf) == ST_OK);
	CHECK(do_move(b, a, middle, &moved) == ST_OK);
	CHECK(do_look(a, middle, &same, &rights, &badge) == ST_BAD_CAP);
	CHECK(do_look(b, moved, &same, &rights, &badge) == ST_OK);
	CHECK(same == o && rights == (RIGHT_REVOKE | RIGHT_COPY | 5));
	CHECK(o->caps == 3 && cap_tree_ok(o) && a->used == 2 && b->used == 1);
	CHECK(do_revoke(b, moved) == ST_OK); /* still above its child ... */
	CHECK(o->caps == 2 && do_drop(a, leaf) == ST_BAD_CAP);
	CHECK(do_revoke(a, h) == ST_OK); /* ... and below its parent */
	CHECK(do_look(b, moved, &same, &rights, &badge) == ST_BAD_CAP && o->caps == 1);
	CHECK(do_move(b, a, h, &moved) == ST_OK); /* the only one: nobody dies */
	CHECK(do_look(b, moved, &same, &rights, &badge) == ST_OK);
	CHECK(do_move(b, b, moved, &moved) == ST_OK && b->used == 1);
	CHECK(do_move(b, a, h, &moved) == ST_BAD_CAP);
}

TEST(move_of_a_large_family_is_refused)
{
	cap_t h, child, last;

	world_boot(0, 0);
	struct cspace *cs = test_space(NULL);
	struct object *o = test_object_make(quota_root, cs, RIGHTS_ALL, &h);
	for (unsigned i = 0; i < CAP_HEIRS; i++)
		CHECK(do_derive(cs, cs, h, RIGHTS_ALL, 0, &child) == ST_OK);
	CHECK(do_move(home, cs, h, &h) == ST_OK);
	CHECK(do_derive(cs, home, h, RIGHTS_ALL, 0, &last) == ST_OK);
	CHECK(do_move(cs, home, h, &child) == ST_TOO_BIG);
	CHECK(do_drop(cs, last) == ST_OK);
	CHECK(do_move(cs, home, h, &h) == ST_OK);
	CHECK(cap_tree_ok(o) && o->caps == CAP_HEIRS + 1);
}

/* ---- transfers ---- */

static struct cap_send sending(struct cspace *cs, cap_t handle, bool move)
{
	struct cap_send s = { .mask = RIGHTS_ALL, .move = move };

	ASSERT(cap_find(cs, handle, OBJ_ANY, 0, &s.ref) == ST_OK);
	return s;
}

TEST(transfer_moves_and_copies)
{
	struct object *o[4], *same;
	struct cap_send list[4];
	rights_t rights;
	uint64_t badge;
	cap_t h[4], out[4];

	world_boot(0, 0);
	struct cspace *from = test_space(NULL);
	struct cspace *to = test_space(NULL);
	for (unsigned i = 0; i < 4; i++)
		o[i] = test_object_make(quota_root, from, RIGHTS_ALL, &h[i]);
	/* In any order of addresses, and one object twice. */
	list[0] = sending(from, h[2], true);
	list[1] = sending(from, h[0], false);
	list[2] = sending(from, h[1], true);
	list[3] = sending(from, h[0], false);
	list[1].mask = RIGHT_SEND | 3;
	list[2].mask = 1;
	CHECK(cap_transfer(to, list, 4, out) == ST_OK);
	spin_assert_none_held();
	CHECK(from->used == 2 && to->used == 4);
	CHECK(do_look(to, out[0], &same, &rights, &badge) == ST_OK && same == o[2]);
	CHECK(do_look(to, out[1], &same, &rights, &badge) == ST_OK && same == o[0]);
	CHECK(rights == (RIGHT_SEND | 3));
	CHECK(do_look(to, out[2], &same, &rights, &badge) == ST_OK && same == o[1]);
	CHECK(rights == 1);
	CHECK(do_look(from, h[1], &same, &rights, &badge) == ST_BAD_CAP);
	CHECK(do_look(from, h[2], &same, &rights, &badge) == ST_BAD_CAP);
	CHECK(do_revoke(from, h[0]) == ST_OK && to->used == 2);
	CHECK(cap_transfer(to, NULL, 0, out) == ST_OK);
}

/* Whatever is wrong with whichever, nothing goes and everything stays. */
TEST(transfer_is_all_or_nothing)
{
	struct cap_send list[3];
	cap_t h[3], out[3], weak;

	world_boot(0, 0);
	struct cspace *from = test_space(NULL);
	struct cspace *to = test_space(NULL);
	struct object *o = test_object_make(quota_root, from, RIGHTS_ALL, &h[0]);
	test_object_make(quota_root, from, RIGHTS_ALL, &h[1]);
	CHECK(do_derive(from, from, h[0], RIGHT_SEND, 0, &weak) == ST_OK);

	for (unsigned bad = 0; bad < 3; bad++) {
		for (unsigned i = 0; i < 3; i++)
			list[i] = sending(from, h[i % 2], false);
		list[bad] = sending(from, weak, false);
		CHECK(cap_transfer(to, list, 3, out) == ST_NO_RIGHT);
		list[bad] = sending(from, h[1], true);
		list[(bad + 1) % 3] = sending(from, h[1], false);
		CHECK(cap_transfer(to, list, 3, out) == ST_BAD_ARG); /* moved and copied */
		CHECK(do_derive(from, from, h[0], RIGHTS_ALL, 0, &h[2]) == ST_OK);
		list[bad] = sending(from, h[2], true);
		list[(bad + 1) % 3] = sending(from, h[1], true);
		list[(bad + 2) % 3] = sending(from, h[0], false);
		CHECK(do_drop(from, h[2]) == ST_OK);
		CHECK(cap_transfer(to, list, 3, out) == ST_BAD_CAP);
		CHECK(to->used == 0 && from->used == 3 && o->caps == 2);
	}
	list[0] = sending(from, weak, true); /* moving takes no right to copy */
	CHECK(cap_transfer(to, list, 1, out) == ST_OK);
	spin_assert_none_held();
}

TEST(transfer_into_a_full_space_leaves_the_sender_everything)
{
	struct cap_send list[4];
	cap_t h[4], out[4], filler = 0;

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	struct cspace *from = test_space(NULL);
	struct cspace *to = test_space(q);
	for (unsigned i = 0; i < 4; i++)
		test_object_make(quota_root, from, RIGHTS_ALL, &h[i]);
	CHECK(quota_charge(q, q->limit - q->used)); /* it can't grow */
	while (to->used < CSPACE_CHUNK - 1)
		CHECK(do_derive(to, from, h[0], RIGHTS_ALL, 0, &filler) == ST_OK);
	for (unsigned room = 0; room < 4; room++) {
		for (unsigned i = 0; i < 4; i++)
			list[i] = sending(from, h[i], true);
		CHECK(cap_transfer(to, list, 4, out) == ST_NO_MEMORY);
		CHECK(from->used == 4 && to->used == CSPACE_CHUNK - 1 - room);
		CHECK(cspace_ok(to) && cspace_ok(from));
		CHECK(do_drop(to, filler) == ST_OK);
		filler--; /* the one derived before */
	}
	CHECK(cap_transfer(to, list, 4, out) == ST_OK);
	CHECK(from->used == 0 && to->used == CSPACE_CHUNK - 1);
}

/* ---- revoke ---- */

TEST(revoke_reaches_every_space)
{
	enum { SPACES = 5, EACH = 40 };
	struct cspace *space[SPACES];
	cap_t h, all[SPACES][EACH];

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	for (unsigned i = 0; i < SPACES; i++) {
		space[i] = test_space(NULL);
		for (unsigned j = 0; j < EACH; j++) {
			struct cspace *from = i == 0 ? home : space[i - 1];
			cap_t source = i == 0 ? h : all[i - 1][(j * 7) % EACH];
			CHECK(do_derive(space[i], from, source, RIGHTS_ALL, 0, &all[i][j]) ==
			      ST_OK);
		}
	}
	CHECK(do_revoke_some(home, h) == ST_LATER); /* more than a batch */
	CHECK(cap_tree_ok(o));
	CHECK(do_revoke(home, h) == ST_OK);
	for (unsigned i = 0; i < SPACES; i++)
		CHECK(space[i]->used == 0 && cspace_ok(space[i]));
	CHECK(o->caps == 1 && cap_tree_ok(o));
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &all[0][0]) == ST_OK); /* mark lifted */
	CHECK(do_revoke(home, h) == ST_OK);
}

TEST(revoke_needs_its_right)
{
	cap_t h, child;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	CHECK(do_derive(home, home, h, RIGHTS_ALL & ~RIGHT_REVOKE, 0, &child) == ST_OK);
	CHECK(do_derive(home, home, child, RIGHTS_ALL, 0, &h) == ST_OK);
	CHECK(do_revoke(home, child) == ST_NO_RIGHT && o->caps == 3);
	do_kill(o);
	CHECK(do_revoke(home, child) == ST_BAD_CAP);
}

/* Derives `count` capabilities from `h`, into `home`. */
static bool derive_many(cap_t h, unsigned count)
{
	cap_t child;

	for (unsigned i = 0; i < count; i++) {
		if (do_derive(home, home, h, RIGHTS_ALL, 0, &child) != ST_OK)
			return false;
	}
	return true;
}

TEST(nothing_is_derived_below_a_revoke)
{
	struct test_object *t;
	struct cap_ref ref;
	cap_t h, child, grandchild, beside, other, moved;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	t = test_object_of(test_object_make(quota_root, home, RIGHTS_ALL, &other));
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &beside) == ST_OK);
	CHECK(do_derive(home, home, beside, RIGHTS_ALL, 0, &child) == ST_OK);
	CHECK(do_derive(home, home, child, RIGHTS_ALL, 0, &grandchild) == ST_OK);
	CHECK(derive_many(beside, 2 * CAP_BATCH)); /* these come first, being newer */
	CHECK(do_revoke_some(home, beside) == ST_LATER);

	CHECK(do_derive(home, home, beside, RIGHTS_ALL, 0, &other) == ST_REVOKED);
	CHECK(do_derive(home, home, child, RIGHTS_ALL, 0, &other) == ST_REVOKED);
	CHECK(do_derive(home, home, grandchild, RIGHTS_ALL, 0, &other) == ST_REVOKED);
	CHECK(do_bind(home, child, &t->obj, 0) == ST_REVOKED);
	CHECK(cap_find(home, grandchild, OBJ_ANY, 0, &ref) == ST_OK);
	CHECK(cap_hold(&ref) == ST_REVOKED);
	struct cap_send send = { .ref = ref, .mask = RIGHTS_ALL };
	CHECK(cap_transfer(home, &send, 1, &other) == ST_REVOKED);
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &other) == ST_OK); /* above it may */
	CHECK(do_move(home, home, grandchild, &moved) == ST_OK);         /* is no derivation */
	CHECK(do_revoke(home, beside) == ST_OK);
	CHECK(do_drop(home, moved) == ST_BAD_CAP);
	CHECK(o->caps == 3 && cap_tree_ok(o));
	CHECK(do_derive(home, home, beside, RIGHTS_ALL, 0, &other) == ST_OK);
}

TEST(an_abandoned_revoke_lifts_its_mark)
{
	struct cap_ref ref;
	cap_t h, other;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	CHECK(derive_many(h, 3 * CAP_BATCH));
	CHECK(do_revoke_some(home, h) == ST_LATER);
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &other) == ST_REVOKED);
	CHECK(cap_find(home, h, OBJ_ANY, 0, &ref) == ST_OK);
	cap_revoke_abandon(&ref);
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &other) == ST_OK);
	CHECK(o->caps == 1 + 2 * CAP_BATCH + 1 && cap_tree_ok(o));
	CHECK(do_revoke(home, h) == ST_OK && o->caps == 1);
	CHECK(do_drop(home, h) == ST_OK);
	cap_revoke_abandon(&ref); /* of a dead one: nothing */
}

TEST(revokes_above_and_below_each_other)
{
	cap_t h, middle, low, child;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &middle) == ST_OK);
	CHECK(derive_many(middle, CAP_BATCH));
	CHECK(do_derive(home, home, middle, RIGHTS_ALL, 0, &low) == ST_OK);
	CHECK(derive_many(low, 4 * CAP_BATCH));

	/* The lower one ends first: its mark goes, that above stays. */
	CHECK(do_revoke_some(home, middle) == ST_LATER);
	while (do_revoke_some(home, low) == ST_LATER)
		CHECK(cap_tree_ok(o));
	CHECK(do_derive(home, home, low, RIGHTS_ALL, 0, &child) == ST_REVOKED);
	CHECK(do_revoke(home, middle) == ST_OK);
	CHECK(do_derive(home, home, middle, RIGHTS_ALL, 0, &low) == ST_OK);

	/* The upper one ends first: the lower one finds itself revoked. */
	CHECK(derive_many(low, 4 * CAP_BATCH));
	CHECK(do_revoke_some(home, low) == ST_LATER);
	CHECK(do_revoke(home, h) == ST_OK);
	CHECK(do_revoke_some(home, low) == ST_BAD_CAP);
	CHECK(o->caps == 1 && cap_tree_ok(o));
}

TEST(drops_inside_a_revoke_let_nothing_escape)
{
	cap_t h, middle, child[8];

	world_boot(0, 0);
	struct object *o = three_generations(&h, &middle, child, 8);
	for (unsigned i = 0; i < 8; i++)
		CHECK(derive_many(child[i], CAP_BATCH / 2));
	CHECK(do_revoke_some(home, middle) == ST_LATER);
	CHECK(do_drop(home, child[0]) == ST_OK); /* hands its children to middle */
	CHECK(do_drop(home, child[3]) == ST_OK);
	CHECK(do_revoke(home, middle) == ST_OK);
	CHECK(o->caps == 2 && cap_tree_ok(o));

	/* The one that is revoked is dropped: its revoke says that it did not end. */
	CHECK(derive_many(middle, 3 * CAP_BATCH));
	CHECK(do_revoke_some(home, middle) == ST_LATER);
	CHECK(do_drop(home, middle) == ST_OK);
	CHECK(do_revoke_some(home, middle) == ST_BAD_CAP);
	CHECK(o->caps == 1 + 2 * CAP_BATCH);
	CHECK(do_revoke(home, h) == ST_OK && o->caps == 1);

	/* And the same for one that is moved; there the mark is gone. */
	CHECK(derive_many(h, 3 * CAP_BATCH));
	CHECK(do_revoke_some(home, h) == ST_LATER);
	CHECK(do_move(home, home, h, &middle) == ST_OK);
	CHECK(do_revoke_some(home, h) == ST_BAD_CAP);
	CHECK(derive_many(middle, 1));
	CHECK(do_revoke(home, middle) == ST_OK && o->caps == 1 && cap_tree_ok(o));
}

/* In pieces of CAP_BATCH, each of them short. */
TEST(revoke_storm_in_batches)
{
	enum { STORM = 100000 };
	static cap_t all[STORM];
	struct chance c = { test_seed() };
	struct cspace *space[4];
	unsigned pieces = 0;
	status_t st;

	static const struct boot_range map[] = { { MIB(1), MIB(64), BOOT_RAM, 0 } };
	struct boot_info info = host_machine_of(map, 1);
	world_boot_on(&info, 0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &all[0]);
	space[0] = home;
	for (unsigned i = 1; i < 4; i++)
		space[i] = test_space(NULL);
	for (unsigned i = 1; i < STORM; i++) {
		unsigned from = (unsigned)chance_below(&c, i < 1000 ? i : 1000);

		st = do_derive(space[i % 4], space[from % 4], all[from], RIGHTS_ALL, 0, &all[i]);
		CHECK(st == ST_OK);
	}
	CHECK(o->caps == STORM && cap_tree_ok(o));
	do {
		uint32_t before = o->caps;

		st = do_revoke_some(home, all[0]);
		CHECK(before - o->caps <= CAP_BATCH);
		pieces++;
	} while (st == ST_LATER);
	CHECK(st == ST_OK && o->caps == 1 && pieces >= STORM / CAP_BATCH);
	for (unsigned i = 0; i < 4; i++)
		CHECK(cspace_ok(space[i]));
}

/* ---- bindings ---- */

TEST(a_binding_stands_until_it_is_cut)
{
	struct test_object *t;
	cap_t h, child, owner;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	t = test_object_of(test_object_make(quota_root, home, RIGHTS_ALL, &owner));
	CHECK(cap_binding_lock(&t->binding[0]) == NULL);
	CHECK(do_derive(home, home, h, 0x3, 0, &child) == ST_OK);
	CHECK(do_bind(home, child, &t->obj, 0) == ST_OK);
	CHECK(do_bind(home, h, &t->obj, 0) == ST_LATER); /* in use */
	CHECK(do_bind(home, child, &t->obj, 1) == ST_OK);
	CHECK(token_rights(t->binding[0].token) == 0x3);
	CHECK(o->caps == 2 && cap_tree_ok(o)); /* bindings do not count */

	CHECK(cap_binding_lock(&t->binding[0]) == o && spin_is_held(&o->lock));
	spin_unlock(&o->lock);
	CHECK(do_drop(home, child) == ST_OK); /* does not touch them */
	CHECK(cap_binding_lock(&t->binding[0]) == o);
	spin_unlock(&o->lock);

	CHECK(cap_unbind(&t->binding[0]) && t->cuts == 0);
	CHECK(cap_unbind(&t->binding[0])); /* of an empty one */
	CHECK(cap_binding_lock(&t->binding[0]) == NULL);
	CHECK(do_bind(home, h, &t->obj, 0) == ST_OK);
	CHECK(do_revoke(home, h) == ST_OK && t->cuts == 2);
	CHECK(cap_binding_lock(&t->binding[0]) == NULL && cap_binding_lock(&t->binding[1]) == NULL);

	CHECK(do_bind(home, h, &t->obj, 2) == ST_OK);
	CHECK(do_drop(home, h) == ST_OK); /* the last capability: the object dies */
	CHECK(cap_binding_lock(&t->binding[2]) == NULL && t->cuts == 3);
	settle();
	CHECK(t->cuts == 3 && test_objects_closed == 1);
}

TEST(bindings_end_with_their_owner)
{
	struct cap_ref ref;
	cap_t h, owner;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	struct object *t = test_object_make(quota_root, home, RIGHTS_ALL, &owner);
	CHECK(do_bind(home, h, t, 0) == ST_OK);
	CHECK(do_bind(home, h, t, 3) == ST_OK);
	object_gen_t gen = t->gen;
	CHECK(do_destroy(t));
	CHECK(o->children->child == NULL && cap_tree_ok(o));
	CHECK(cap_find(home, h, OBJ_ANY, 0, &ref) == ST_OK);
	CHECK(cap_bind(&ref, t, gen, BIND_NONE, &test_object_of(t)->binding[0]) == ST_BAD_STATE);
	CHECK(o->children->child == NULL);
	CHECK(do_drop(home, h) == ST_OK);
	CHECK(cap_bind(&ref, t, t->gen, BIND_NONE, &test_object_of(t)->binding[0]) == ST_BAD_CAP);
}

/* A cut that takes several pieces keeps the binding and the revoke from ending. */
TEST(a_long_cut_is_gone_on_with)
{
	struct test_object *t;
	cap_t h, owner;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	t = test_object_of(test_object_make(quota_root, home, RIGHTS_ALL, &owner));
	CHECK(do_bind(home, h, &t->obj, 0) == ST_OK);
	t->cut_pieces = 2;
	CHECK(do_revoke_some(home, h) == ST_LATER);
	CHECK(cap_binding_lock(&t->binding[0]) == NULL); /* not usable, though not cut */
	CHECK(do_bind(home, h, &t->obj, 0) == ST_REVOKED);
	CHECK(do_revoke_some(home, h) == ST_LATER && t->cuts == 0);
	CHECK(do_revoke_some(home, h) == ST_OK && t->cuts == 1);
	CHECK(do_bind(home, h, &t->obj, 0) == ST_OK);

	/* Given up half-way, the owner can still let go of it. */
	t->cut_pieces = 5;
	CHECK(do_revoke_some(home, h) == ST_LATER);
	CHECK(do_destroy(&t->obj) && t->cuts == 1 && cap_tree_ok(o));
	CHECK(do_revoke_some(home, h) == ST_OK);
}

static struct {
	struct cap_slot *binding;
	cap_t handle;
	bool unbound;
	status_t rebound, revoked;
} during;

static void look_during_cut(struct cap_slot *binding)
{
	struct object *owner = object_at(binding->node.owner);

	during.unbound = cap_unbind(binding);
	during.rebound = do_bind(home, during.handle, owner, 0);
	during.revoked = do_revoke_some(home, during.handle);
}

TEST(a_binding_is_kept_while_it_is_being_cut)
{
	cap_t h, child, owner;

	world_boot(0, 0);
	test_object_make(quota_root, home, RIGHTS_ALL, &h);
	struct object *t = test_object_make(quota_root, home, RIGHTS_ALL, &owner);
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &child) == ST_OK);
	CHECK(do_bind(home, child, t, 0) == ST_OK);
	during.handle = h;
	test_cut_hook = look_during_cut;
	CHECK(do_revoke(home, child) == ST_OK);
	CHECK(!during.unbound);            /* the owner has to come back */
	CHECK(during.rebound == ST_LATER); /* it is in use */
	CHECK(during.revoked == ST_LATER); /* from above too, it is not gone yet */
	test_cut_hook = NULL;
	CHECK(do_revoke(home, h) == ST_OK);
	CHECK(do_bind(home, h, t, 0) == ST_OK && test_object_of(t)->cuts == 1);
}

/* ---- look-ups are questions ---- */

TEST(a_look_up_is_asked_again_under_the_lock)
{
	struct cap_ref ref[4];
	cap_t h, child, other;

	world_boot(0, 0);
	struct object *o = test_object_make(quota_root, home, RIGHTS_ALL, &h);
	test_object_make(quota_root, home, RIGHTS_ALL, &other);
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &child) == ST_OK);
	for (unsigned i = 0; i < 4; i++)
		CHECK(cap_find(home, child, OBJ_NONE, 1, &ref[i]) == ST_OK);
	spin_lock(&o->lock);
	CHECK(cap_still(&ref[0]));
	spin_unlock(&o->lock);
	CHECK(do_drop(home, child) == ST_OK);
	spin_lock(&o->lock);
	CHECK(!cap_still(&ref[0]));
	spin_unlock(&o->lock);

	/* The same slot, with the same token. */
	CHECK(do_derive(home, home, h, RIGHTS_ALL, 0, &child) == ST_OK);
	CHECK(ref[0].slot->token == ref[0].token);
	spin_lock(&o->lock);
	CHECK(!cap_still(&ref[0]));
	spin_unlock(&o->lock);
	CHECK(cap_drop(&ref[0]) == ST_BAD_CAP && cap_revoke(&ref[0]) == ST_BAD_CAP);
	CHECK(cap_hold(&ref[0]) == ST_BAD_CAP);
	CHECK(ref_derive(home, &ref[0], RIGHTS_ALL, 0, &other) == ST_BAD_CAP);
	CHECK(ref_move(home, &ref[0], &other) == ST_BAD_CAP);

	/* The slot untouched, the object dead. */
	CHECK(cap_find(home, h, OBJ_NONE, 1, &ref[1]) == ST_OK);
	do_kill(o);
	spin_lock(&o->lock);
	CHECK(!cap_still(&ref[1]));
	spin_unlock(&o->lock);
	CHECK(cap_drop(&ref[1]) == ST_BAD_CAP);
}

/* SPDX-License-Identifier: MIT */
/* Random operations on the kernel and on its specification (cap_spec.h), compared after
 * each: every capability, its place in the tree, and every structure's own check. */
#include "cap_spec.h"
#include "chance.h"
#include "world.h"
#include <core/slab.h>
#include <string.h>
#include <test/test.h>

#ifdef __SANITIZE_THREAD__ /* which is slow, and there is one thread here */
#define STEPS 20000
#else
#define STEPS 300000
#endif
#define HOME       0 /* these two objects stay, and their own capabilities play no part */
#define ROOT_QUOTA 1
#define STALE      64

/* As CHECK; nothing is to be learned after the first difference. */
#define AGREE(x)                                                                                   \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			differs = true;                                                            \
			test_fail(__FILE__, __LINE__, #x);                                         \
			return;                                                                    \
		}                                                                                  \
	} while (0)

static bool differs;
static struct chance chance;
static struct object *real[SPEC_OBJECTS];
static cap_t handle[SPEC_CAPS];

/* Handles that died, and the space in which they were good. */
static struct {
	struct cspace *cs;
	object_gen_t gen;
	cap_t handle;
} stale[STALE];
static unsigned stale_next;

static int below(int limit)
{
	return (int)chance_below(&chance, (uint64_t)limit);
}

static struct cspace *space(int object)
{
	return container_of(real[object], struct cspace, obj);
}

static struct quota *quota(int object)
{
	return container_of(real[object], struct quota, obj);
}

static struct cap_slot *slot_of(int cap)
{
	const struct spec_cap *c = &spec.cap[cap];

	if (c->binding)
		return &test_object_of(real[c->place])->binding[c->which];
	return cspace_slot(space(c->place), (uint32_t)handle[cap]);
}

/* ---- choosing; NONE if there is nothing to choose ---- */

static int any_object(unsigned type)
{
	int from = below(SPEC_OBJECTS);

	for (int i = 0; i < SPEC_OBJECTS; i++) {
		int o = (from + i) % SPEC_OBJECTS;
		if (spec.object[o].live && spec.object[o].type == type)
			return o;
	}
	return NONE;
}

static int any_cap(void)
{
	int from = below(SPEC_CAPS);

	for (int i = 0; i < SPEC_CAPS; i++) {
		int c = (from + i) % SPEC_CAPS;
		if (spec.cap[c].live && !spec.cap[c].binding)
			return c;
	}
	return NONE;
}

static struct cap_ref ref_of(int cap)
{
	struct cap_ref ref = { 0 };

	if (cap_find(space(spec.cap[cap].place), handle[cap], OBJ_ANY, 0, &ref) != ST_OK)
		test_fail(__FILE__, __LINE__, "a capability is lost");
	return ref;
}

static void note_stale(int cap)
{
	struct cspace *cs = space(spec.cap[cap].place);

	stale[stale_next].cs = cs;
	stale[stale_next].gen = cs->obj.gen;
	stale[stale_next].handle = handle[cap];
	stale_next = (stale_next + 1) % STALE;
}

/* True if a quota from `q` upwards is so full that a refusal is in order. */
static bool is_tight(int q)
{
	for (; q != NONE; q = spec.object[q].payer) {
		if (quota(q)->limit - quota(q)->used < 4 * FRAME_SIZE)
			return true;
	}
	return false;
}

/* ---- operations, each on both sides ---- */

static void do_make(void)
{
	static const unsigned types[] = { OBJ_NONE,   OBJ_NONE,   OBJ_ENDPOINT,
					  OBJ_MEMORY, OBJ_CSPACE, OBJ_QUOTA };
	unsigned type = types[below(ARRAY_LEN(types))];
	int payer = any_object(OBJ_QUOTA);
	int to = any_object(OBJ_CSPACE);
	int object = spec_free_object();
	int cap = spec_free_cap();
	rights_t rights = (rights_t)chance_next(&chance) | RIGHT_COPY | RIGHT_SEND;
	struct cspace *cs = NULL;
	struct quota *q = NULL;
	struct object *o = NULL;

	if (object == NONE || cap == NONE)
		return;
	if (type == OBJ_CSPACE && cspace_create(quota(payer), &cs) == ST_OK)
		o = &cs->obj;
	else if (type == OBJ_QUOTA && quota_create(quota(payer), KIB(256), 0, &q) == ST_OK)
		o = &q->obj;
	else if (type != OBJ_CSPACE && type != OBJ_QUOTA)
		o = object_create(quota(payer), type);
	if (o == NULL) {
		AGREE(is_tight(payer) || quota(payer)->depth == QUOTA_DEPTH);
		return;
	}
	if (cap_insert(space(to), o, rights, 0, &handle[cap]) != ST_OK) {
		AGREE(is_tight(spec.object[to].payer));
		object_discard(o);
		return;
	}
	real[object] = o;
	spec_make(object, type, payer, cap, to, rights);
}

static void do_derive_one(void)
{
	int from = any_cap();
	int to = any_object(OBJ_CSPACE);
	int cap = spec_free_cap();
	rights_t mask = (rights_t)(chance_next(&chance) | chance_next(&chance));
	uint64_t word = below(3) > 0 ? 0 : CAP_RANGE(below(8), below(8));

	if (from == NONE || cap == NONE)
		return;
	struct cap_ref ref = ref_of(from);
	status_t st = ref_derive(space(to), &ref, mask, word, &handle[cap]);
	if (st == ST_NO_MEMORY)
		AGREE(is_tight(spec.object[to].payer));
	else
		AGREE(st == spec_derive(from, to, mask, word, cap));
}

static void do_move_one(void)
{
	int cap = any_cap();
	int to = any_object(OBJ_CSPACE);
	cap_t moved;

	if (cap == NONE)
		return;
	struct cap_ref ref = ref_of(cap);
	status_t st = ref_move(space(to), &ref, &moved);
	if (st == ST_NO_MEMORY) {
		AGREE(is_tight(spec.object[to].payer));
		return;
	}
	note_stale(cap);
	AGREE(st == spec_move(cap, to));
	handle[cap] = moved;
}

/* Several at once; the specification does them one by one if all may. */
static void do_transfer(void)
{
	struct cap_send list[MSG_CAPS];
	int from[MSG_CAPS], cap[MSG_CAPS];
	cap_t out[MSG_CAPS];
	unsigned count = 1 + (unsigned)below(MSG_CAPS);
	int to = any_object(OBJ_CSPACE);
	status_t expected = ST_OK;

	for (unsigned i = 0; i < count; i++) {
		from[i] = any_cap();
		if (from[i] == NONE)
			return;
		list[i] = (struct cap_send){ .ref = ref_of(from[i]),
					     .mask = RIGHTS_ALL,
					     .move = below(3) == 0 };
	}
	struct spec before = spec;
	for (unsigned i = 0; i < count && expected == ST_OK; i++) {
		cap[i] = spec_free_cap();
		if (cap[i] == NONE) {
			spec = before;
			return;
		}
		if (!list[i].move)
			expected = spec_derive(from[i], to, RIGHTS_ALL, 0, cap[i]);
		for (unsigned j = 0; j < count && expected == ST_OK; j++) {
			if (list[i].move && i != j && from[j] == from[i])
				expected = ST_BAD_ARG;
		}
	}
	status_t st = cap_transfer(space(to), list, count, out);
	if (st == ST_NO_MEMORY && expected == ST_OK) {
		AGREE(is_tight(spec.object[to].payer));
		spec = before;
		return;
	}
	AGREE(st == expected);
	if (st != ST_OK) {
		spec = before;
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		if (list[i].move) {
			note_stale(from[i]);
			spec_move(from[i], to);
			handle[from[i]] = out[i];
		} else {
			handle[cap[i]] = out[i];
		}
	}
}

static void do_drop_one(void)
{
	int cap = any_cap();

	if (cap == NONE)
		return;
	struct cap_ref ref = ref_of(cap);
	note_stale(cap);
	AGREE(cap_drop(&ref) == spec_drop(cap));
	settle();
}

/* After one piece of a revoke: what has gone went before what it was derived from. */
static void adopt_pieces(int root)
{
	bool gone[SPEC_CAPS] = { false };

	for (int i = 0; i < SPEC_CAPS; i++) {
		const struct spec_cap *c = &spec.cap[i];
		struct object *o;
		rights_t rights;
		uint64_t badge;

		if (!c->live || !spec_below(i, root))
			continue;
		if (c->binding)
			gone[i] = slot_of(i)->gen == 0;
		else
			gone[i] = do_look(space(c->place), handle[i], &o, &rights, &badge) != ST_OK;
	}
	for (int i = 0; i < SPEC_CAPS; i++) {
		if (spec.cap[i].live && spec.cap[i].parent != NONE && gone[spec.cap[i].parent])
			AGREE(gone[i]);
	}
	for (int i = 0; i < SPEC_CAPS; i++) {
		if (gone[i])
			spec.cap[i].live = false;
	}
	spec.cap[root].revoking = true;
}

static void do_revoke_one(void)
{
	int cap = any_cap();

	if (cap == NONE)
		return;
	struct cap_ref ref = ref_of(cap);
	status_t st = cap_revoke(&ref);
	if (st == ST_LATER) {
		adopt_pieces(cap);
		if (below(2) == 0) {
			cap_revoke_abandon(&ref);
			spec.cap[cap].revoking = false;
		}
		return;
	}
	AGREE(st == spec_revoke(cap));
}

static void do_destroy_one(void)
{
	int object = 2 + below(SPEC_OBJECTS - 2);

	if (!spec.object[object].live || below(3) > 0)
		return;
	AGREE(do_destroy(real[object]));
	AGREE(spec_destroy(object) == ST_OK);
	settle();
}

static void do_bind_one(void)
{
	int cap = any_cap();
	int owner = any_object(OBJ_NONE);
	int which = below(SPEC_BINDINGS);

	if (cap == NONE || owner == NONE || spec_free_cap() == NONE)
		return;
	struct cap_ref ref = ref_of(cap);
	struct cap_slot *binding = &test_object_of(real[owner])->binding[which];
	if (below(3) == 0) {
		AGREE(cap_unbind(binding));
		spec_unbind(owner, which);
	}
	AGREE(cap_bind(&ref, real[owner], real[owner]->gen, BIND_NONE, binding) ==
	      spec_bind(cap, owner, which));
}

/* ---- comparing ---- */

static void check_cap(int i)
{
	const struct spec_cap *c = &spec.cap[i];
	struct object *o = NULL;
	rights_t rights = 0;
	uint64_t badge = 0;

	if (c->binding) {
		o = cap_binding_lock(slot_of(i));
		AGREE(o != NULL);
		rights = token_rights(slot_of(i)->token);
		badge = slot_of(i)->badge;
		spin_unlock(&o->lock);
	} else {
		AGREE(do_look(space(c->place), handle[i], &o, &rights, &badge) == ST_OK);
	}
	AGREE(o == real[c->object] && rights == c->rights && badge == c->badge);
	const struct cap_node *parent = slot_of(i)->node.parent;
	AGREE(parent == (c->parent == NONE ? NULL : &slot_of(c->parent)->node));
	AGREE(slot_of(i)->node.flags == (c->revoking ? CAP_REVOKING : 0));
}

static uint64_t frames_of(const struct cspace *cs)
{
	uint64_t chunks = cs->slots / CSPACE_CHUNK;

	return chunks + (chunks > 1 ? (chunks - 1) / CSPACE_DIRECTORY + 1 : 0);
}

/* What the specification has of each object, counted once a step. */
static struct {
	uint32_t caps;   /* that name it */
	uint32_t held;   /* in it */
	uint32_t frames; /* of spaces that it pays for */
	bool bound[SPEC_BINDINGS];
} count[SPEC_OBJECTS];

static void count_all(void)
{
	memset(count, 0, sizeof(count));
	for (int i = 0; i < SPEC_CAPS; i++) {
		const struct spec_cap *c = &spec.cap[i];

		if (c->live && c->binding) {
			count[c->place].bound[c->which] = true;
		} else if (c->live) {
			count[c->object].caps++;
			count[c->place].held++;
		}
	}
	for (int i = 0; i < SPEC_OBJECTS; i++) {
		if (spec.object[i].live && spec.object[i].type == OBJ_CSPACE)
			count[spec.object[i].payer].frames += (uint32_t)frames_of(space(i));
	}
	count[HOME].held += 2; /* its own, and the root quota's */
}

static void check_object(int i)
{
	AGREE(cap_tree_ok(real[i]) && (i <= ROOT_QUOTA || real[i]->caps == count[i].caps));
	switch (spec.object[i].type) {
	case OBJ_CSPACE:
		AGREE(cspace_ok(space(i)) && space(i)->used == count[i].held);
		break;
	case OBJ_QUOTA:
		AGREE(quota_ok(quota(i), count[i].frames));
		break;
	case OBJ_NONE:
		for (int which = 0; which < SPEC_BINDINGS; which++)
			AGREE((test_object_of(real[i])->binding[which].gen != 0) ==
			      count[i].bound[which]);
		break;
	default:
		break;
	}
}

static void check_stale(void)
{
	struct object *o;
	rights_t rights;
	uint64_t badge;

	for (unsigned i = 0; i < STALE; i++) {
		struct cspace *cs = stale[i].cs;

		if (cs == NULL || cs->obj.flags != OBJECT_LIVE || cs->obj.gen != stale[i].gen)
			stale[i].cs = NULL; /* another space may come to lie here */
		else
			AGREE(do_look(cs, stale[i].handle, &o, &rights, &badge) == ST_BAD_CAP);
	}
}

static void check_all(void)
{
	count_all();
	for (int i = 0; i < SPEC_CAPS; i++) {
		if (spec.cap[i].live)
			check_cap(i);
	}
	for (int i = 0; i < SPEC_OBJECTS; i++) {
		if (spec.object[i].live)
			check_object(i);
	}
	check_stale();
}

static void step(void)
{
	static void (*const ops[])(void) = {
		do_make,       do_derive_one, do_derive_one, do_derive_one,  do_derive_one,
		do_derive_one, do_move_one,   do_transfer,   do_drop_one,    do_drop_one,
		do_revoke_one, do_bind_one,   do_bind_one,   do_destroy_one,
	};

	ops[below(ARRAY_LEN(ops))]();
	host_user_mode();
	check_all();
}

TEST(capabilities_do_what_the_specification_says)
{
	chance.state = test_seed();
	world_boot(3, 15);
	uint64_t before = used_after_all(quota_root);
	real[HOME] = &home->obj;
	real[ROOT_QUOTA] = &quota_root->obj;
	spec.object[HOME] = (struct spec_object){ true, OBJ_CSPACE, ROOT_QUOTA };
	spec.object[ROOT_QUOTA] = (struct spec_object){ true, OBJ_QUOTA, NONE };

	for (uint64_t i = 0; i < test_rounds(STEPS) && !differs; i++)
		step();
	for (int i = 2; i < SPEC_OBJECTS; i++) {
		if (spec.object[i].live) {
			AGREE(do_destroy(real[i]));
			spec_destroy(i);
			settle();
		}
	}
	uint64_t kept = (frames_of(home) - 1) * FRAME_SIZE; /* by which it has grown */
	AGREE(used_after_all(quota_root) == before + kept && quota_root->promised == 0);
}

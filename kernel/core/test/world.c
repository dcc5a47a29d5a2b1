/* SPDX-License-Identifier: MIT */
#include "world.h"
#include <core/assert.h>
#include <core/grace.h>
#include <core/timer.h>
#include <stdlib.h>

struct cspace *home;
_Atomic unsigned test_objects_closed;
void (*test_cut_hook)(struct cap_slot *binding);

void world_boot(uint16_t object_gen_mask, uint32_t slot_gen_max)
{
	struct boot_info info = host_usual_machine();

	world_boot_on(&info, object_gen_mask, slot_gen_max);
}

void world_boot_on(const struct boot_info *info, uint16_t object_gen_mask, uint32_t slot_gen_max)
{
	cap_t handle;

	host_boot(info);
	timer_cpu_init();
	if (object_gen_mask != 0)
		host_object_gen_mask = object_gen_mask;
	if (slot_gen_max != 0)
		host_slot_gen_max = slot_gen_max;
	quota_init();
	home = test_space(NULL);
	ASSERT(cap_insert(home, &quota_root->obj, RIGHTS_ALL, 0, &handle) == ST_OK);
}

/* ---- the test object ---- */

struct test_object *test_object_of(struct object *o)
{
	return container_of(o, struct test_object, obj);
}

static bool test_close(struct object *o)
{
	struct test_object *t = test_object_of(o);

	if (t->pieces > 0) {
		t->pieces--;
		return false;
	}
	for (unsigned i = 0; i < ARRAY_LEN(t->binding); i++) {
		if (!cap_unbind(&t->binding[i]))
			return false;
	}
	test_objects_closed++;
	return true;
}

const struct object_ops test_ops = {
	.name = "test",
	.size = ALIGN_UP(sizeof(struct test_object), OBJECT_GRANULE),
	.rank = LOCK_IPC,
	.close = test_close,
};

bool test_cut(struct cap_slot *binding)
{
	struct test_object *t = test_object_of(object_at(binding->node.owner));

	spin_assert_none_held();
	if (test_cut_hook != NULL)
		test_cut_hook(binding);
	if (t->cut_pieces > 0) {
		t->cut_pieces--;
		return false;
	}
	t->cuts++;
	return true;
}

struct object *test_object_make(struct quota *q, struct cspace *cs, rights_t rights, cap_t *out)
{
	struct object *o = object_create(q, OBJ_NONE);

	if (o == NULL)
		return NULL;
	if (cap_insert(cs, o, rights, 0, out) == ST_OK)
		return o;
	object_discard(o);
	return NULL;
}

struct cspace *test_space(struct quota *q)
{
	struct cspace *cs;
	cap_t handle;

	if (cspace_create(q == NULL ? quota_root : q, &cs) != ST_OK)
		abort();
	if (cap_insert(home == NULL ? cs : home, &cs->obj, RIGHTS_ALL, 0, &handle) != ST_OK)
		abort();
	return cs;
}

struct quota *test_quota(struct quota *parent, uint64_t limit, uint64_t reservation)
{
	struct quota *q;
	cap_t handle;

	if (quota_create(parent, limit, reservation, &q) != ST_OK)
		abort();
	if (cap_insert(home, &q->obj, RIGHTS_ALL, 0, &handle) != ST_OK)
		abort();
	return q;
}

/* ---- calls by handle ---- */

status_t ref_lock(const struct cspace *cs, cap_t handle, enum object_type type, rights_t need,
		  struct cap_ref *out)
{
	status_t st = cap_find(cs, handle, type, need, out);

	if (st != ST_OK)
		return st;
	spin_lock(&out->object->lock);
	if (cap_still(out))
		return ST_OK;
	spin_unlock(&out->object->lock);
	return ST_BAD_CAP;
}

status_t ref_derive(struct cspace *to, const struct cap_ref *from, rights_t mask, uint64_t word,
		    cap_t *out)
{
	const struct cap_send send = { .ref = *from, .mask = mask, .word = word };

	return cap_transfer(to, &send, 1, out);
}

status_t ref_move(struct cspace *to, const struct cap_ref *from, cap_t *out)
{
	const struct cap_send send = { .ref = *from, .mask = RIGHTS_ALL, .move = true };

	return cap_transfer(to, &send, 1, out);
}

static status_t look(struct cspace *cs, cap_t handle, struct cap_ref *ref)
{
	return cap_find(cs, handle, OBJ_ANY, 0, ref);
}

status_t do_derive(struct cspace *to, struct cspace *from, cap_t handle, rights_t mask,
		   uint64_t word, cap_t *out)
{
	struct cap_ref ref;
	status_t st = look(from, handle, &ref);

	return st == ST_OK ? ref_derive(to, &ref, mask, word, out) : st;
}

status_t do_move(struct cspace *to, struct cspace *from, cap_t handle, cap_t *out)
{
	struct cap_ref ref;
	status_t st = look(from, handle, &ref);

	return st == ST_OK ? ref_move(to, &ref, out) : st;
}

status_t do_drop(struct cspace *cs, cap_t handle)
{
	struct cap_ref ref;
	status_t st = look(cs, handle, &ref);

	return st == ST_OK ? cap_drop(&ref) : st;
}

status_t do_revoke_some(struct cspace *cs, cap_t handle)
{
	struct cap_ref ref;
	status_t st = look(cs, handle, &ref);

	return st == ST_OK ? cap_revoke(&ref) : st;
}

status_t do_revoke(struct cspace *cs, cap_t handle)
{
	status_t st;

	while ((st = do_revoke_some(cs, handle)) == ST_LATER)
		host_user_mode();
	return st;
}

status_t do_bind(struct cspace *cs, cap_t handle, struct object *owner, unsigned i)
{
	struct cap_ref ref;
	status_t st = look(cs, handle, &ref);

	return st != ST_OK ? st
			   : cap_bind(&ref, owner, owner->gen, BIND_NONE,
				      &test_object_of(owner)->binding[i]);
}

status_t do_look(struct cspace *cs, cap_t handle, struct object **o, rights_t *rights,
		 uint64_t *badge)
{
	struct cap_ref ref;
	status_t st = ref_lock(cs, handle, OBJ_ANY, 0, &ref);

	if (st != ST_OK)
		return st;
	*o = ref.object;
	*rights = token_rights(ref.token);
	*badge = ref.badge;
	spin_unlock(&ref.object->lock);
	return ST_OK;
}

uint64_t do_kill(struct object *o)
{
	spin_lock(&o->tree);
	uint64_t ticket = object_kill(o);
	spin_unlock(&o->tree);
	return ticket;
}

bool do_destroy(struct object *o)
{
	uint64_t ticket = do_kill(o);

	if (ticket == 0)
		return false;
	while (!object_destroy_some(ticket))
		host_user_mode();
	return true;
}

void settle(void)
{
	while (object_reap_waiting()) {
		(void)object_reap_some();
		host_user_mode();
	}
}

unsigned give_back_all(unsigned (*some)(struct quota *q), struct quota *q)
{
	unsigned left = 0;

	for (unsigned idle = 0; idle < 5; idle++) {
		unsigned before = left;

		left = some(q);
		if (left != before)
			idle = 0;
		host_user_mode();
	}
	return some(q);
}

uint64_t used_after_all(struct quota *q)
{
	settle();
	(void)give_back_all(quota_trim, q);
	return q->used;
}

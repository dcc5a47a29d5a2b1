/* SPDX-License-Identifier: MIT */
#include "cap_spec.h"

struct spec spec;

int spec_free_object(void)
{
	for (int i = 0; i < SPEC_OBJECTS; i++) {
		if (!spec.object[i].live)
			return i;
	}
	return NONE;
}

int spec_free_cap(void)
{
	for (int i = 0; i < SPEC_CAPS; i++) {
		if (!spec.cap[i].live)
			return i;
	}
	return NONE;
}

bool spec_below(int cap, int from)
{
	for (int p = spec.cap[cap].parent; p != NONE; p = spec.cap[p].parent) {
		if (p == from)
			return true;
	}
	return false;
}

int spec_binding(int owner, int which)
{
	for (int i = 0; i < SPEC_CAPS; i++) {
		const struct spec_cap *c = &spec.cap[i];
		if (c->live && c->binding && c->place == owner && c->which == which)
			return i;
	}
	return NONE;
}

/* ---- rules ---- */

/* Nothing is derived below a revoke, nor deeper than `depth`. */
static status_t may_hang_below(int cap, unsigned depth)
{
	unsigned ancestors = 0;

	for (int p = cap; p != NONE; p = spec.cap[p].parent) {
		if (spec.cap[p].revoking)
			return ST_REVOKED;
		ancestors++;
	}
	return ancestors > depth ? ST_TOO_BIG : ST_OK;
}

/* Badges are given once, to endpoints; memory is sliced. */
static status_t badge_of(int from, uint64_t word, uint64_t *badge)
{
	unsigned type = spec.object[spec.cap[from].object].type;
	uint64_t old = spec.cap[from].badge;
	uint64_t old_first = old >> 32, old_count = old & UINT32_MAX;
	uint64_t first = word >> 32, count = word & UINT32_MAX;

	*badge = old;
	if (word == 0)
		return ST_OK;
	*badge = word;
	switch (type) {
	case OBJ_ENDPOINT:
		return old != 0 ? ST_BAD_STATE : ST_OK;
	case OBJ_MEMORY:
		if (count == 0)
			return ST_BAD_ARG;
		if (old != 0 && (first < old_first || first + count > old_first + old_count))
			return ST_BAD_ARG;
		return ST_OK;
	default:
		return ST_BAD_ARG;
	}
}

/* ---- operations ---- */

void spec_make(int object, unsigned type, int payer, int cap, int space, rights_t rights)
{
	spec.object[object] = (struct spec_object){ true, type, payer };
	spec.cap[cap] = (struct spec_cap){
		.live = true,
		.object = object,
		.place = space,
		.parent = NONE,
		.rights = rights,
	};
}

status_t spec_derive(int from, int to_space, rights_t mask, uint64_t word, int new_cap)
{
	const struct spec_cap *c = &spec.cap[from];
	uint64_t badge;

	if (!c->live)
		return ST_BAD_CAP;
	if (!(c->rights & RIGHT_COPY))
		return ST_NO_RIGHT;
	status_t st = badge_of(from, word, &badge);
	if (st != ST_OK)
		return st;
	st = may_hang_below(from, SPEC_DEPTH);
	if (st != ST_OK)
		return st;
	if (!spec.object[to_space].live)
		return ST_BAD_CAP;
	spec.cap[new_cap] = (struct spec_cap){
		.live = true,
		.object = c->object,
		.place = to_space,
		.parent = from,
		.rights = c->rights & mask,
		.badge = badge,
	};
	return ST_OK;
}

status_t spec_move(int cap, int to_space)
{
	struct spec_cap *c = &spec.cap[cap];

	if (!c->live || !spec.object[to_space].live)
		return ST_BAD_CAP;
	c->place = to_space;
	c->revoking = false;
	return ST_OK;
}

status_t spec_destroy(int object)
{
	if (!spec.object[object].live)
		return ST_BAD_CAP;
	spec.object[object].live = false;
	for (int i = 0; i < SPEC_CAPS; i++) { /* what names it */
		if (spec.cap[i].object == object)
			spec.cap[i].live = false;
	}
	for (int i = 0; i < SPEC_CAPS; i++) { /* what it holds */
		if (spec.cap[i].live && !spec.cap[i].binding && spec.cap[i].place == object)
			spec_drop(i);
	}
	for (int which = 0; which < SPEC_BINDINGS; which++)
		spec_unbind(object, which);
	for (int i = 0; i < SPEC_OBJECTS; i++) { /* what it pays for */
		if (spec.object[i].live && spec.object[i].payer == object)
			spec_destroy(i);
	}
	return ST_OK;
}

status_t spec_drop(int cap)
{
	struct spec_cap *c = &spec.cap[cap];
	bool last = true;

	if (!c->live)
		return ST_BAD_CAP;
	c->live = false;
	for (int i = 0; i < SPEC_CAPS; i++) {
		struct spec_cap *other = &spec.cap[i];

		if (!other->live || other->object != c->object)
			continue;
		if (other->parent == cap)
			other->parent = c->parent;
		if (!other->binding)
			last = false;
	}
	if (last)
		spec_destroy(c->object);
	return ST_OK;
}

status_t spec_revoke(int cap)
{
	if (!spec.cap[cap].live)
		return ST_BAD_CAP;
	if (!(spec.cap[cap].rights & RIGHT_REVOKE))
		return ST_NO_RIGHT;
	for (int i = 0; i < SPEC_CAPS; i++) {
		if (spec.cap[i].live && spec_below(i, cap))
			spec.cap[i].live = false;
	}
	spec.cap[cap].revoking = false;
	return ST_OK;
}

status_t spec_bind(int cap, int owner, int which)
{
	const struct spec_cap *c = &spec.cap[cap];

	if (!c->live)
		return ST_BAD_CAP;
	status_t st = may_hang_below(cap, SPEC_DEPTH + 1);
	if (st != ST_OK)
		return st;
	if (!spec.object[owner].live)
		return ST_BAD_STATE;
	if (spec_binding(owner, which) != NONE)
		return ST_LATER;
	int i = spec_free_cap();
	spec.cap[i] = (struct spec_cap){
		.live = true,
		.binding = true,
		.object = c->object,
		.place = owner,
		.which = which,
		.parent = cap,
		.rights = c->rights,
		.badge = c->badge,
	};
	return ST_OK;
}

void spec_unbind(int owner, int which)
{
	int i = spec_binding(owner, which);

	if (i != NONE)
		spec.cap[i].live = false;
}

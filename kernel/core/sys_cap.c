/* SPDX-License-Identifier: MIT */
/* Calls on capabilities, objects as such, quotas and capability spaces. */
#include <core/sys_cap.h>
#include <core/grace.h>

#define TYPE_RIGHTS(NAME, name, rights) [OBJ_##NAME] = RIGHTS_EVERY | (rights),
const rights_t type_rights[OBJ_TYPES] = { OBJECT_TYPE_LIST(TYPE_RIGHTS) };

static struct cspace *space_of(const struct cap_ref *ref)
{
	return container_of(ref->object, struct cspace, obj);
}

status_t sys_publish(struct syscall *c, struct object *o)
{
	struct cspace *cs = atomic_load_explicit(&c->self->cspace, memory_order_relaxed);
	status_t st =
		cs == NULL ? ST_BAD_CAP : cap_insert(cs, o, type_rights[o->type], 0, &c->out[0]);

	if (st != ST_OK)
		object_discard(o);
	return st;
}

/* ---- capabilities ---- */

/* What argument `handle` names in the space of capability `space`. */
static status_t find(const struct syscall *c, unsigned space, unsigned handle, struct cap_ref *out)
{
	return cap_find(space_of(&c->cap[space]), c->arg[handle], OBJ_ANY, 0, out);
}

/* From a place in the second space to one in the first. */
static status_t transfer(struct syscall *c, rights_t mask, bool move, uint64_t word)
{
	struct cap_send send UNINITIALIZED;
	status_t st = find(c, 1, 2, &send.ref);

	send.mask = mask;
	send.move = move;
	send.word = word;
	return st != ST_OK ? st : cap_transfer(space_of(&c->cap[0]), &send, 1, &c->out[0]);
}

status_t sys_cap_copy(struct syscall *c)
{
	if (c->arg[3] > UINT16_MAX)
		return ST_BAD_ARG;
	return transfer(c, (rights_t)c->arg[3], false, c->arg[4]);
}

status_t sys_cap_move(struct syscall *c)
{
	return transfer(c, (rights_t)~0u, true, 0);
}

status_t sys_cap_drop(struct syscall *c)
{
	struct cap_ref ref;
	status_t st = find(c, 0, 1, &ref);

	return st != ST_OK ? st : cap_drop(&ref);
}

/* Tells type and rights, never the badge. No handle has generation 0: with it, the slot is
 * looked at, whatever it has. */
status_t sys_cap_inspect(struct syscall *c)
{
	const struct cap_slot *slot = cspace_slot(space_of(&c->cap[0]), (uint32_t)c->arg[1]);
	struct cap_ref ref;

	if (slot != NULL && c->arg[1] >> 32 == 0)
		c->arg[1] |= (uint64_t)atomic_load_explicit(&slot->gen, memory_order_relaxed) << 32;
	status_t st = find(c, 0, 1, &ref);

	if (st != ST_OK)
		return st;
	c->out[0] = ref.object->type;
	c->out[1] = token_rights(ref.token);
	return cap_refuse(&ref, ST_OK);
}

/* Calls that a capability to such an object lets through don't look at it again under a lock: a
 * revoke is over when the last of them has left the kernel. */
#define SEEN_ONCE (1u << OBJ_QUOTA | 1u << OBJ_CSPACE | 1u << OBJ_SCHED | 1u << OBJ_NODE)

status_t sys_cap_revoke(struct syscall *c)
{
	struct thread *self = c->self;
	struct cap_ref ref;

	if (self->work != c->cap[0].token || self->revoking != c->arg[1])
		sys_work_abandon(self);
	self->work = self->revoking = 0;
	status_t st = find(c, 0, 1, &ref);
	if (st == ST_OK)
		st = cap_revoke(&ref);
	if (st == ST_OK && (SEEN_ONCE >> ref.object->type & 1) &&
	    !grace_passed(&self->revoke_ticket))
		st = ST_LATER;
	if (st == ST_LATER) {
		self->work = c->cap[0].token;
		self->revoking = c->arg[1];
	} else {
		self->revoke_ticket = 0;
	}
	return st;
}

/* ---- destruction ---- */

/* True if `o` is a quota that pays for the thread, or for the quota that does. */
static bool goes_with(const struct thread *self, const struct object *o)
{
	const struct quota *q = self->obj.quota;

	while (q != NULL && &q->obj != o)
		q = q->parent;
	return q != NULL;
}

/* One piece of what was begun with the call's first handle was done (`gone`: the last). Who
 * destroys himself leaves the rest to the reaper. */
static status_t destroy_some(struct syscall *c, uint64_t ticket, bool gone)
{
	struct thread *self = c->self;

	self->work = 0;
	if (gone)
		return ST_OK;
	if (thread_flags(self) & THREAD_DYING)
		object_reap(ticket);
	else
		self->work = ticket;
	self->destroying = c->arg[0];
	return ST_LATER;
}

status_t sys_object_destroy(struct syscall *c)
{
	struct object *o = c->cap[0].object;
	uint64_t ticket = 0;

	spin_lock(&o->tree);
	if (cap_still(&c->cap[0]) && (ticket = object_kill(o)) != 0)
		(void)object_claim(o);
	spin_unlock(&o->tree);
	if (ticket == 0)
		return ST_BAD_CAP;
	/* Else somebody could stop him for good in the middle, and nobody would finish it. */
	if (goes_with(c->self, o)) {
		atomic_fetch_or(&c->self->flags, THREAD_DYING);
		(void)thread_kill(c->self);
	}
	return destroy_some(c, ticket, object_work_once(o));
}

void sys_work_abandon(struct thread *t)
{
	uint64_t work = t->work;
	cap_t handle = t->revoking;
	struct cap_ref ref;

	t->work = t->revoking = t->revoke_ticket = 0;
	if (work != 0 && handle == CAP_NONE)
		object_reap(work);
	if (handle == CAP_NONE)
		return;
	struct object *o = slab_object(token_object(work), OBJ_CSPACE);
	bool same = false;
	if (o != NULL) {
		spin_lock(&o->lock);
		same = o->gen == token_gen(work);
		spin_unlock(&o->lock);
	}
	if (same &&
	    cap_find(container_of(o, struct cspace, obj), handle, OBJ_ANY, 0, &ref) == ST_OK)
		cap_revoke_abandon(&ref);
}

bool sys_work_goes_on(struct syscall *c, uint64_t number, status_t *st)
{
	struct thread *self = c->self;

	if (self->revoking != CAP_NONE && number == SYS_cap_revoke)
		return false;
	if (self->revoking == CAP_NONE && number == SYS_object_destroy &&
	    self->destroying == c->arg[0]) {
		*st = destroy_some(c, self->work, object_destroy_some(self->work));
		return true;
	}
	sys_work_abandon(self);
	return false;
}

/* ---- quotas and spaces ---- */

status_t sys_quota_create(struct syscall *c)
{
	struct quota *q;
	status_t st = quota_create(sys_payer(c), c->arg[1], c->arg[2], &q);

	return st != ST_OK ? st : sys_publish(c, &q->obj);
}

status_t sys_quota_resize(struct syscall *c)
{
	return quota_resize(sys_payer(c), c->arg[1], c->arg[2]);
}

status_t sys_quota_read(struct syscall *c)
{
	const struct quota *q = sys_payer(c);

	c->out[0] = q->used;
	c->out[1] = q->limit;
	c->out[2] = q->peak;
	return ST_OK;
}

status_t sys_cspace_create(struct syscall *c)
{
	struct cspace *cs;
	status_t st = cspace_create(sys_payer(c), &cs);

	return st != ST_OK ? st : sys_publish(c, &cs->obj);
}

/* SPDX-License-Identifier: MIT */
/* What a thread is bound to: how it is made, configured, cut off and ended.
 *
 * One at a time works on the bindings of a thread: he claims it, holds no lock meanwhile,
 * and lets it go before he leaves the kernel. Who finds it claimed comes back later. */
#include <core/aspace.h>
#include <core/endpoint.h>
#include <core/grace.h>
#include <core/guest.h>
#include <core/notification.h>
#include <core/sched.h>
#include <core/sys_cap.h>

/* ---- making ---- */

status_t thread_create(struct quota *q, const struct cap_ref *aspace, const struct cap_ref *cspace,
		       struct thread **out)
{
	struct object *o = object_create(q, OBJ_THREAD);

	if (o == NULL)
		return ST_NO_MEMORY;
	struct thread *t = container_of(o, struct thread, obj);
	t->entered.slot = &t->bound_cspace; /* any that is there */
	t->entered.token = UINT64_MAX;      /* and this is none's */
	t->flags = THREAD_SUSPENDED;
	t->deadline = TIMER_NEVER;
	t->cpu = t->loaded_on = arch_this_cpu()->id;
	arch_thread_init(&t->arch);
	thread_put(t, THREAD_STOPPED, &t->obj);
	t->aspace = t->own_aspace = container_of(aspace->object, struct aspace, obj);
	/* Nobody's own code lives in a guest half: it would see the personality that serves it. */
	status_t st = t->own_aspace->kind == ASPACE_GUEST ? ST_BAD_ARG : ST_OK;
	if (st == ST_OK)
		st = cap_bind(aspace, o, o->gen, BIND_THREAD_ASPACE, &t->bound_aspace);
	if (st == ST_OK)
		st = cap_bind(cspace, o, o->gen, BIND_THREAD_CSPACE, &t->bound_cspace);
	if (st != ST_OK) {
		object_discard(o);
		return st;
	}
	/* Should one of them be cut by now, the thread is dying and never runs. */
	t->cspace = container_of(cspace->object, struct cspace, obj);
	*out = t;
	return ST_OK;
}

/* ---- configuring ---- */

static struct cap_slot *active(struct thread_binding *b)
{
	return &b->slot[b->at];
}

static struct cap_slot *spare(struct thread_binding *b)
{
	return &b->slot[!b->at];
}

static void unpin(struct thread_pin *pin)
{
	struct memory *m = pin->memory;

	if (m == NULL)
		return;
	spin_lock(&m->obj.lock);
	memory_unpin(m, pin->page);
	spin_unlock(&m->obj.lock);
	pin->memory = NULL;
}

/* Binds a new page that the kernel writes to, and pins it. Gives its kernel address. */
static status_t bind_page(struct thread *t, object_gen_t gen, const struct thread_config *c,
			  struct thread_binding *b, void **va)
{
	bool is_block = b == &t->bound_block;
	const struct cap_ref *to = is_block ? &c->block : &c->state;
	uint64_t page = is_block ? c->block_offset / FRAME_SIZE : c->state_page;
	struct memory *m = memory_of(to);
	paddr_t pa;

	if (to->object == NULL)
		return ST_OK;
	/* What it holds is sent, or becomes registers. */
	if (~token_rights(to->token) & (RIGHT_READ | RIGHT_WRITE))
		return cap_refuse(to, ST_NO_RIGHT);
	if (!memory_range(m, to->badge, &page, 1))
		return ST_BAD_ARG;
	status_t st = cap_bind(to, &t->obj, gen, is_block ? BIND_THREAD_BLOCK : BIND_THREAD_STATE,
			       spare(b));
	if (st != ST_OK)
		return st;
	spin_lock(&m->obj.lock);
	st = memory_pin(m, page, &pa);
	spin_unlock(&m->obj.lock);
	if (st != ST_OK)
		return st;
	(is_block ? t->block_pin : t->state_pin)[!b->at] =
		(struct thread_pin){ .memory = m, .page = page };
	*va = arch_phys_to_virt(pa);
	return spare(b)->token != 0 ? ST_OK : ST_BAD_CAP;
}

/* The places of successors, emptied; false: one is being cut on another CPU. */
static bool clear_spares(struct thread *t)
{
	bool done = true;

	unpin(&t->block_pin[!t->bound_block.at]);
	unpin(&t->state_pin[!t->bound_state.at]);
	for (unsigned i = 0; i < THREAD_BINDINGS; i++)
		done = cap_unbind(spare(&t->bound[i])) && done;
	return done;
}

/* Kernel addresses of pages. */
struct pages {
	void *block, *state;
};

/* Everything that can fail, into the places of successors. */
static status_t bind_all(struct thread *t, object_gen_t gen, const struct thread_config *c,
			 struct pages *pages)
{
	status_t st = ST_BAD_ARG;

	if (c->block_offset % MSG_BLOCK_ALIGN == 0 && guest_fits(t, c))
		st = bind_page(t, gen, c, &t->bound_block, &pages->block);
	if (st == ST_OK)
		st = bind_page(t, gen, c, &t->bound_state, &pages->state);
	for (unsigned i = 0; st == ST_OK && i < THREAD_BINDINGS; i++) {
		if (c->to[i].object != NULL && &c->to[i] != &c->block && &c->to[i] != &c->state)
			st = cap_bind(&c->to[i], &t->obj, gen, BIND_THREAD_SCHED + i,
				      spare(&t->bound[i]));
	}
	if (st == ST_OK && c->notification.object != NULL)
		st = notification_bind(
			container_of(c->notification.object, struct notification, obj), t);
	return st;
}

/* The successors come into force; `t` is stopped, or the running thread. */
static void put_in_force(struct thread *t, const struct thread_config *c, const struct pages *pages)
	REQUIRES(t->obj.lock)
{
	if (c->notification.object != NULL)
		t->notification = container_of(c->notification.object, struct notification, obj);
	if (c->block.object != NULL)
		t->block = (struct msg_block *)((uintptr_t)pages->block +
						c->block_offset % FRAME_SIZE);
	for (unsigned i = 0; i < THREAD_BINDINGS; i++) {
		if (c->to[i].object != NULL ||
		    (c->serves && BIND_THREAD_SCHED + i >= BIND_THREAD_GUEST))
			t->bound[i].at = !t->bound[i].at;
	}
	if (c->serves)
		guest_set(t, c, pages->state);
}

/* True if `t` may be configured: its pages change, so nobody may be about to use them. */
static bool is_quiet(const struct thread *t, const struct thread_config *c)
{
	return (t == arch_this_cpu()->current || thread_state(t) == THREAD_STOPPED) &&
	       !(c->serves && arch_thread_in_guest(&t->arch));
}

static status_t claim_to_configure(const struct cap_ref *ref, const struct thread_config *c,
				   object_gen_t *gen)
{
	struct thread *t = container_of(ref->object, struct thread, obj);
	status_t st = ST_OK;

	spin_lock(&t->obj.lock);
	if (!cap_still(ref))
		st = ST_BAD_CAP;
	else if (!is_quiet(t, c))
		st = ST_BAD_STATE;
	else if ((t != arch_this_cpu()->current && thread_is_loaded(t)) ||
		 atomic_exchange(&t->claimed, true))
		st = ST_LATER;
	*gen = t->obj.gen;
	spin_unlock(&t->obj.lock);
	return st;
}

status_t thread_configure(const struct cap_ref *ref, const struct thread_config *c)
{
	struct thread *t = container_of(ref->object, struct thread, obj);
	struct notification *new = NULL;
	struct pages pages = { 0 };
	object_gen_t gen;

	status_t st = claim_to_configure(ref, c, &gen);
	if (st != ST_OK)
		return st;
	struct notification *old = t->notification; /* nobody else changes it from here on */
	if (!clear_spares(t)) {
		t->claimed = false;
		return ST_LATER;
	}
	st = bind_all(t, gen, c, &pages);
	if (st == ST_OK) {
		spin_lock(&t->obj.lock);
		if (!is_quiet(t, c))
			st = ST_BAD_STATE; /* resumed meanwhile */
		else
			put_in_force(t, c, &pages);
		spin_unlock(&t->obj.lock);
	}
	if (c->notification.object != NULL)
		new = container_of(c->notification.object, struct notification, obj);
	notification_unbind(old, t);
	notification_unbind(new, t);
	if (st == ST_OK && c->sched.object != NULL)
		sched_set_home(t, container_of(c->sched.object, struct sched, obj));
	/* What was replaced, or what was bound in vain; what is being cut on another CPU is
	 * cleared by the next one. */
	(void)clear_spares(t);
	t->claimed = false;
	return st;
}

/* ---- cutting ---- */

/* The thread can't do without: it stops for good. */
static bool cut_space(struct thread *t)
{
	atomic_fetch_or(&t->flags, THREAD_DYING);
	if (!thread_kill(t))
		return false;
	sys_work_abandon(t);
	return true;
}

/* Somebody may be writing to it. */
static bool cut_page(struct thread_pin *pin)
{
	if (!grace_passed(&pin->ticket))
		return false;
	pin->ticket = 0;
	unpin(pin);
	return true;
}

static bool cut_claimed(struct thread *t, struct cap_slot *binding)
{
	switch (binding->node.which) {
	case BIND_THREAD_SCHED:
		if (binding == active(&t->bound_sched))
			sched_set_home(t, NULL);
		return true;
	case BIND_THREAD_NOTIFICATION:
		if (binding == active(&t->bound_notification))
			t->notification = NULL;
		notification_unbind(container_of(object_at(binding->gen), struct notification, obj),
				    t);
		return true;
	case BIND_THREAD_BLOCK:
		if (binding == active(&t->bound_block))
			t->block = NULL;
		return cut_page(&t->block_pin[binding == &t->bound_block.slot[1]]);
	case BIND_THREAD_GUEST:
		return binding != active(&t->bound_guest) || guest_take_away(t);
	case BIND_THREAD_STATE:
		return (binding != active(&t->bound_state) || guest_take_away(t)) &&
		       cut_page(&t->state_pin[binding == &t->bound_state.slot[1]]);
	default:
		return true;
	}
}

cap_cut_fn thread_cut;
bool thread_cut(struct cap_slot *binding)
{
	struct thread *t = container_of(object_at(binding->node.owner), struct thread, obj);

	if (binding->node.which == BIND_THREAD_ASPACE || binding->node.which == BIND_THREAD_CSPACE)
		return cut_space(t);
	if (atomic_exchange(&t->claimed, true))
		return false;
	bool done = cut_claimed(t, binding);
	t->claimed = false;
	return done;
}

/* ---- the end ---- */

static bool unbind_all(struct thread *t)
{
	/* What they name is there until the binding is out of its tree. Should it be in the middle
	 * of being cut, nobody need come back for it after this. */
	notification_unbind(atomic_exchange(&t->notification, NULL), t);
	if (t->home != NULL)
		sched_set_home(t, NULL);
	bool done = clear_spares(t) && cap_unbind(&t->bound_aspace) && cap_unbind(&t->bound_cspace);
	for (unsigned i = 0; i < THREAD_BINDINGS; i++)
		done = cap_unbind(active(&t->bound[i])) && done;
	if (done) {
		unpin(&t->block_pin[t->bound_block.at]);
		unpin(&t->state_pin[t->bound_state.at]);
	}
	return done;
}

static bool thread_close(struct object *o)
{
	struct thread *t = container_of(o, struct thread, obj);
	bool seen = !(o->flags & OBJECT_NEW);

	if (seen) {
		atomic_fetch_or(&t->flags, THREAD_DYING);
		if (!thread_kill(t))
			return false;
		reply_abandon(o);
		endpoint_come_back(t);
		thread_clear_deadline(t);
	}
	if (atomic_exchange(&t->claimed, true))
		return false;
	bool done = unbind_all(t);
	t->claimed = false;
	if (!done)
		return false;
	sys_work_abandon(t);
	arch_thread_close(&t->arch, o->quota);
	return !seen || grace_passed(&t->ticket);
}

const struct object_ops thread_ops = OBJECT_OPS("thread", struct thread, LOCK_THREAD, thread_close);

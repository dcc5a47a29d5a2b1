/* SPDX-License-Identifier: MIT */
#include <core/endpoint.h>
#include <core/assert.h>
#include <core/message.h>
#include <core/notification.h>
#include <core/quota.h>
#include <core/sched.h>

#define CLOSE_BATCH 32

/* ---- the queues; the endpoint is locked ---- */

static struct thread *caller_at(struct tree_node *n)
{
	return n == NULL ? NULL : container_of(n, struct thread, queued);
}

static struct thread *first_caller(const struct endpoint *ep)
{
	return caller_at(tree_first(&ep->callers));
}

static struct thread *helper_of(const struct thread *t)
{
	return atomic_load_explicit(&t->helper, memory_order_relaxed);
}

static void set_helper(struct thread *server, struct thread *helper)
{
	atomic_store_explicit(&server->helper, helper, memory_order_release);
}

/* What `server` would run on without a helper. */
static unsigned own_priority(const struct thread *server)
{
	const struct thread *caller =
		atomic_load_explicit(&server->reply.caller, memory_order_acquire);

	return caller != NULL ? thread_priority(caller) : sched_priority(server->home);
}

/* Lets the first caller help the holder if he is more urgent than who does so now. */
static void choose_helper(struct endpoint *ep) REQUIRES(ep->obj.lock)
{
	struct thread *first = first_caller(ep);
	struct thread *server = ep->holder;

	if (server == NULL)
		return;
	if (first != NULL && thread_priority(first) <= own_priority(server))
		first = NULL;
	set_helper(server, first);
}

/* `server` (or nobody) is the holder from now on. The one before was not waited for, or
 * waits for nobody any more. Gives him if he had a helper. */
static struct thread *set_holder(struct endpoint *ep, struct thread *server) REQUIRES(ep->obj.lock)
{
	struct thread *old = ep->holder;
	bool had_helper = false;

	if (old == server)
		return NULL;
	if (old != NULL) {
		had_helper = helper_of(old) != NULL;
		set_helper(old, NULL);
		atomic_store_explicit(&old->serving, NULL, memory_order_relaxed);
	}
	ep->holder = server;
	if (server != NULL)
		atomic_store_explicit(&server->serving, ep, memory_order_relaxed);
	return had_helper ? old : NULL;
}

static void caller_insert(struct endpoint *ep, struct thread *t) REQUIRES(ep->obj.lock)
{
	uint64_t key = SCHED_PRIORITIES - 1 - thread_priority(t);

	tree_insert(&ep->callers, &t->queued, key, key);
}

struct thread *endpoint_resort(struct endpoint *ep, struct thread *t)
{
	tree_remove(&ep->callers, &t->queued);
	caller_insert(ep, t);
	choose_helper(ep);
	return ep->holder;
}

struct thread *endpoint_forget_caller(struct endpoint *ep, struct thread *t)
{
	struct thread *server = ep->holder;

	tree_remove(&ep->callers, &t->queued);
	thread_put(t, THREAD_MOVING, NULL);
	if (server == NULL || helper_of(server) != t)
		return NULL;
	choose_helper(ep);
	return server;
}

static void server_push(struct endpoint *ep, struct thread *t) REQUIRES(ep->obj.lock)
{
	t->next = ep->servers; /* `prev` of the first means nothing */
	if (t->next != NULL)
		t->next->prev = t;
	ep->servers = t;
}

void endpoint_forget_server(struct endpoint *ep, struct thread *t)
{
	*(ep->servers == t ? &ep->servers : &t->prev->next) = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	thread_put(t, THREAD_MOVING, NULL);
}

/* ---- call ---- */

/* `caller` and `server` run here or are THREAD_MOVING: the message goes over, and the server
 * holds the call. On failure nothing has changed. */
static status_t deliver(struct thread *caller, struct thread *server)
{
	status_t st = message_caps(caller, server, caller->call_info);

	if (st != ST_OK)
		return st;
	uint64_t info = message_copy(caller, server, caller->call_info);
	uint64_t badge = caller->call_badge;
	reply_hold(server, caller);
	arch_thread_result(&server->arch, ST_OK, info, badge, server->reply.number);
	return ST_OK;
}

/* What a server is told of a call that did not reach it: to make room, or just that its wait is
 * over. What a client did wrong must not look like an error of the server's own. */
static status_t told(status_t st)
{
	return st == ST_OK || st == ST_NO_MEMORY || st == ST_NO_SLOTS ? st : ST_CANCELLED;
}

/* `server` did not get the call for which it was made the holder. */
static void unhold(struct endpoint *ep, const struct thread *server)
{
	spin_lock(&ep->obj.lock);
	if (ep->holder == server)
		(void)set_holder(ep, NULL);
	spin_unlock(&ep->obj.lock);
}

/* A server waits: the message goes over now. */
static status_t call_server(struct endpoint *ep, struct thread *self, const struct message *m)
	RELEASES(ep->obj.lock)
{
	struct thread *server = ep->servers;

	endpoint_forget_server(ep, server);
	struct thread *poorer = set_holder(ep, server);
	spin_unlock(&ep->obj.lock);

	thread_set_deadline(self, m->deadline);
	status_t st = deliver(self, server);
	if (st != ST_OK) {
		thread_wait_not(self);
		unhold(ep, server);
		thread_complete(server, &(struct thread_result){ .status = told(st) });
	} else {
		thread_clear_deadline(server);
		thread_run(server);
	}
	if (poorer != NULL)
		sched_refresh(poorer);
	return st == ST_OK ? ST_BLOCKED : st;
}

status_t endpoint_call(struct endpoint *ep, struct thread *self, const struct message *m)
{
	status_t st = message_check(self, m->info);

	if (st == ST_OK && ep->servers == NULL && deadline_passed(m->deadline))
		st = ST_DEADLINE;
	if (st != ST_OK) {
		spin_unlock(&ep->obj.lock);
		return st;
	}
	self->call_info = m->info;
	self->call_badge = m->badge;
	if (ep->servers != NULL)
		return call_server(ep, self, m);

	thread_wait(self, THREAD_CALLING, &ep->obj, m->deadline);
	atomic_thread_fence(memory_order_seq_cst); /* see sched_refresh */
	caller_insert(ep, self);
	choose_helper(ep);
	struct thread *helped = ep->holder;
	if (helped != NULL && helper_of(helped) != self)
		helped = NULL;
	spin_unlock(&ep->obj.lock);
	if (helped != NULL)
		sched_refresh(helped);
	return ST_BLOCKED;
}

/* ---- receive ---- */

void endpoint_help(struct thread *server)
{
	struct endpoint *ep = atomic_load_explicit(&server->serving, memory_order_relaxed);

	if (ep == NULL)
		return;
	spin_lock(&ep->obj.lock);
	if (ep->holder == server)
		choose_helper(ep);
	spin_unlock(&ep->obj.lock);
}

void endpoint_come_back(struct thread *self)
{
	struct endpoint *ep = atomic_load_explicit(&self->serving, memory_order_relaxed);

	reply_abandon(&self->obj);
	atomic_store_explicit(&self->debtor, 0, memory_order_relaxed);
	if (ep == NULL)
		return;
	spin_lock(&ep->obj.lock);
	if (ep->holder == self)
		(void)set_holder(ep, NULL);
	spin_unlock(&ep->obj.lock);
}

/* Takes the first caller. */
static status_t take_caller(struct endpoint *ep, struct thread *self) RELEASES(ep->obj.lock)
{
	struct thread *caller = first_caller(ep);
	struct thread *helped = endpoint_forget_caller(ep, caller);
	struct thread *poorer = set_holder(ep, self);

	spin_unlock(&ep->obj.lock);
	status_t st = deliver(caller, self);
	if (st != ST_OK) {
		unhold(ep, self);
		thread_complete(caller, &(struct thread_result){ .status = st });
	} else if (deadline_passed(caller->deadline)) { /* while nobody could wake it */
		(void)thread_cancel_wait(caller, ST_DEADLINE);
	}
	if (helped != NULL)
		sched_refresh(helped);
	if (poorer != NULL && poorer != helped)
		sched_refresh(poorer);
	/* From now on it runs on the sched of the caller. */
	atomic_store_explicit(&arch_this_cpu()->resched, true, memory_order_relaxed);
	return told(st);
}

/* Bits of the bound notification, unless there were some the last time and callers wait. */
static bool take_bits(struct endpoint *ep, struct thread *self)
{
	uint64_t bits = 0;

	if (!self->took_bits || first_caller(ep) == NULL)
		bits = notification_take_bound(self);
	self->took_bits = bits != 0;
	if (bits != 0)
		arch_thread_result(&self->arch, ST_OK, MSG_NOTIFICATION, bits, 0);
	return bits != 0;
}

status_t endpoint_receive(struct endpoint *ep, struct thread *self, uint64_t deadline)
{
	status_t st = ST_BLOCKED;

	if (take_bits(ep, self)) {
		spin_unlock(&ep->obj.lock);
		return ST_OK;
	}
	if (first_caller(ep) != NULL)
		return take_caller(ep, self);
	if (deadline_passed(deadline)) {
		spin_unlock(&ep->obj.lock);
		return ST_DEADLINE;
	}
	server_push(ep, self);
	thread_wait(self, THREAD_RECEIVING, &ep->obj, deadline);
	/* Signals set bits before they look who waits; we wait before we look at the bits:
	 * one of the two sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	if (UNLIKELY(take_bits(ep, self))) {
		endpoint_forget_server(ep, self);
		thread_wait_not(self);
		st = ST_OK;
	}
	spin_unlock(&ep->obj.lock);
	return st;
}

/* ---- answer ---- */

status_t endpoint_reply(struct thread *self, uint64_t info)
{
	struct thread *caller;
	struct answer a = { .info = info };
	status_t st = reply_answer(&self->obj, self, &a, &caller);

	if (st != ST_OK)
		return st;
	thread_settle(caller);
	endpoint_lent_back(self);
	return ST_OK;
}

void endpoint_lent_back(struct thread *self)
{
	endpoint_help(self);
	/* From now on it runs on its own sched, or that of who waits for it. */
	atomic_store_explicit(&arch_this_cpu()->resched, true, memory_order_relaxed);
}

/* ---- the object ---- */

status_t endpoint_create(struct quota *q, struct endpoint **out)
{
	struct object *o = object_create(q, OBJ_ENDPOINT);

	if (o == NULL)
		return ST_NO_MEMORY;
	*out = container_of(o, struct endpoint, obj);
	return ST_OK;
}

static bool endpoint_close(struct object *o)
{
	struct endpoint *ep = container_of(o, struct endpoint, obj);

	for (unsigned i = 0; i < CLOSE_BATCH; i++) {
		spin_lock(&ep->obj.lock);
		struct thread *poorer = set_holder(ep, NULL);
		struct thread *t = first_caller(ep);
		if (t != NULL) {
			(void)endpoint_forget_caller(ep, t);
		} else if (ep->servers != NULL) {
			t = ep->servers;
			endpoint_forget_server(ep, t);
		}
		spin_unlock(&ep->obj.lock);
		if (t != NULL)
			thread_complete(t, &(struct thread_result){ .status = ST_PEER_GONE });
		if (poorer != NULL)
			sched_refresh(poorer);
		if (t == NULL)
			return true;
	}
	return false;
}

const struct object_ops endpoint_ops = {
	.name = "endpoint",
	.size = ALIGN_UP(sizeof(struct endpoint), OBJECT_GRANULE),
	.rank = LOCK_IPC,
	.close = endpoint_close,
};

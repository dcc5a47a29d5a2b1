/* SPDX-License-Identifier: MIT */
#include <core/endpoint.h>
#include <core/ipc_fast.h>
#include <core/message.h>
#include <core/notification.h>
#include <core/sched.h>

#define CLOSE_BATCH 32

/* ---- the queues; the endpoint is locked ---- */

static struct thread *first_caller(const struct endpoint *ep)
{
	struct tree_node *n = tree_first(&ep->callers);

	return n == NULL ? NULL : container_of(n, struct thread, queued);
}

/* What `server` would run on without a helper. */
static unsigned own_priority(const struct thread *server)
{
	const struct thread *caller = server->reply.caller;

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
	server->helper = first;
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
		had_helper = old->helper != NULL;
		old->helper = NULL;
		old->serving = NULL;
	}
	ep->holder = server;
	if (server != NULL)
		server->serving = ep;
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
	if (server == NULL || server->helper != t)
		return NULL;
	choose_helper(ep);
	return server;
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
	struct message_carried m = message_carry(caller, server, caller->call_info);

	if (m.status != ST_OK)
		return m.status;
	uint64_t badge = caller->call_badge;
	uint64_t number = reply_hold(arch_this_cpu(), server, caller);
	arch_thread_result(&server->arch, ST_OK, m.info, badge, number);
	return ST_OK;
}

static void unhold(struct endpoint *ep, const struct thread *server)
{
	spin_lock(&ep->obj.lock);
	if (ep->holder == server)
		(void)set_holder(ep, NULL);
	spin_unlock(&ep->obj.lock);
}

status_t endpoint_undelivered(struct endpoint *ep, const struct thread *server, status_t why)
{
	unhold(ep, server);
	return why == ST_NO_MEMORY || why == ST_NO_SLOTS ? why : ST_CANCELLED;
}

/* A server waits: the message goes over now. */
static status_t call_server(struct endpoint *ep, struct thread *self, uint64_t deadline)
	RELEASES(ep->obj.lock)
{
	struct thread *server = ep->servers;

	ipc_take_server(ep, server, THREAD_MOVING);
	spin_unlock(&ep->obj.lock);
	thread_set_deadline(self, deadline);
	status_t st = deliver(self, server);
	if (st != ST_OK) {
		thread_wait_not(self);
		status_t told = endpoint_undelivered(ep, server, st);
		thread_complete(server, &(struct thread_result){ .status = told });
	} else {
		thread_clear_deadline(server);
		thread_run(server);
	}
	return st == ST_OK ? ST_BLOCKED : st;
}

status_t endpoint_call(struct endpoint *ep, struct thread *self, uint64_t deadline)
{
	status_t st = message_check(self, self->call_info);

	if (st == ST_OK && ep->servers == NULL && deadline_passed(deadline))
		st = ST_DEADLINE;
	if (st != ST_OK) {
		spin_unlock(&ep->obj.lock);
		return st;
	}
	if (ep->servers != NULL)
		return call_server(ep, self, deadline);

	thread_wait(self, THREAD_CALLING, &ep->obj, deadline);
	atomic_thread_fence(memory_order_seq_cst); /* see sched_refresh */
	caller_insert(ep, self);
	choose_helper(ep);
	struct thread *server = ep->holder;
	bool helps = server != NULL && server->helper == self;
	spin_unlock(&ep->obj.lock);
	if (helps)
		sched_refresh(server);
	return ST_BLOCKED;
}

/* ---- receive ---- */

void endpoint_help(struct thread *server)
{
	struct endpoint *ep = server == NULL ? NULL : server->serving;

	if (ep == NULL)
		return;
	spin_lock(&ep->obj.lock);
	if (ep->holder == server)
		choose_helper(ep);
	spin_unlock(&ep->obj.lock);
}

void endpoint_come_back(struct thread *self)
{
	struct endpoint *ep = self->serving;

	reply_abandon(&self->obj);
	self->debtor = 0;
	if (ep != NULL)
		unhold(ep, self);
}

/* Takes the first caller. */
static status_t take_caller(struct endpoint *ep, struct thread *self) RELEASES(ep->obj.lock)
{
	struct thread *caller = first_caller(ep);
	struct thread *helped = endpoint_forget_caller(ep, caller);
	struct thread *poorer = set_holder(ep, self);

	spin_unlock(&ep->obj.lock);
	status_t st = deliver(caller, self);
	status_t told = SYSCALL_DONE;
	if (st != ST_OK) {
		told = endpoint_undelivered(ep, self, st);
		thread_complete(caller, &(struct thread_result){ .status = st });
	} else if (deadline_passed(caller->deadline)) { /* while nobody could wake it */
		(void)thread_cancel_wait(caller, NULL, ST_DEADLINE);
	}
	sched_refresh(helped);
	sched_refresh(poorer);
	/* From now on it runs on the sched of the caller. */
	arch_this_cpu()->resched = true;
	return told;
}

/* Bits of the bound notification, unless there were some the last time and callers wait. */
static bool take_bits(struct endpoint *ep, struct thread *self)
{
	uint64_t bits = 0;

	if (!self->took_bits || first_caller(ep) == NULL)
		bits = notification_take_bound(self);
	self->took_bits = bits != 0;
	if (bits == 0)
		return false;
	arch_thread_result(&self->arch, ST_OK, MSG_NOTIFICATION, bits, 0);
	/* It may have run on the sched of a caller that it has answered since. */
	arch_this_cpu()->resched = true;
	return true;
}

status_t endpoint_receive(struct endpoint *ep, struct thread *self, uint64_t deadline)
{
	status_t st = ST_BLOCKED;

	if (take_bits(ep, self)) {
		spin_unlock(&ep->obj.lock);
		return SYSCALL_DONE;
	}
	if (first_caller(ep) != NULL)
		return take_caller(ep, self);
	if (deadline_passed(deadline)) {
		spin_unlock(&ep->obj.lock);
		return ST_DEADLINE;
	}
	endpoint_push_server(ep, self);
	thread_wait(self, THREAD_RECEIVING, &ep->obj, deadline);
	/* Signals set bits before they look who waits; we wait before we look at the bits:
	 * one of the two sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	if (UNLIKELY(take_bits(ep, self))) {
		endpoint_forget_server(ep, self);
		thread_wait_not(self);
		st = SYSCALL_DONE;
	}
	spin_unlock(&ep->obj.lock);
	return st;
}

/* ---- answer ---- */

void endpoint_lent_back(struct thread *self)
{
	endpoint_help(self);
	/* From now on it runs on its own sched, or that of who waits for it. */
	arch_this_cpu()->resched = true;
}

/* ---- the object ---- */

static bool endpoint_close(struct object *o)
{
	struct endpoint *ep = container_of(o, struct endpoint, obj);

	for (unsigned i = 0; i < CLOSE_BATCH; i++) {
		spin_lock(&ep->obj.lock);
		struct thread *poorer = set_holder(ep, NULL);
		struct thread *first = first_caller(ep);
		struct thread *t = first != NULL ? first : ep->servers;
		spin_unlock(&ep->obj.lock);
		sched_refresh(poorer);
		if (t == NULL)
			return true;
		(void)thread_cancel_wait(t, o, ST_PEER_GONE);
	}
	return false;
}

const struct object_ops endpoint_ops =
	OBJECT_OPS("endpoint", struct endpoint, LOCK_IPC, endpoint_close);

/* SPDX-License-Identifier: MIT */
#include <core/endpoint.h>
#include <core/assert.h>
#include <core/cpu.h>
#include <core/cspace.h>
#include <core/notification.h>
#include <core/sched.h>

#define CLOSE_BATCH 32

bool endpoint_ok(const struct endpoint *ep)
{
	return ep->callers.root == NULL || ep->servers.head == NULL;
}

/* --- the queues; the endpoint is locked --- */

static struct thread *first_caller(const struct endpoint *ep)
{
	struct tree_node *n = tree_first(&ep->callers);

	return n == NULL ? NULL : container_of(n, struct thread, queued);
}

static void caller_enqueue(struct endpoint *ep, struct thread *t)
{
	tree_insert(&ep->callers, &t->queued, SCHED_PRIORITIES - sched_priority(t->sched));
	/* The server that all wait for must not be held up by what this caller
	 * outranks. */
	struct thread *server = ep->holder;
	if (server != NULL && sched_priority(server->sched) < sched_priority(t->sched))
		sched_change(server, t->sched);
}

static void caller_dequeue(struct endpoint *ep, struct thread *t)
{
	tree_remove(&ep->callers, &t->queued);
	t->state = THREAD_MOVING;
}

static struct thread *server_dequeue(struct endpoint *ep)
{
	struct thread *t = ep->servers.head;

	thread_queue_remove(&ep->servers, t);
	t->state = THREAD_MOVING;
	return t;
}

/* --- carrying a message --- */

/* Checks what can be checked without the other side. */
static status_t message_check(const struct thread *from, uint64_t info)
{
	if (MSG_LEN(info) > MSG_BYTES || MSG_NCAPS(info) > MSG_CAPS)
		return ST_BAD_ARG;
	if ((MSG_LEN(info) | MSG_NCAPS(info)) != 0 && from->block == NULL)
		return ST_BAD_STATE;
	return ST_OK;
}

/* Moves the capabilities of the message, all or none. Both threads are the caller's
 * (running or THREAD_MOVING), no lock is held. */
static status_t message_caps(struct thread *from, struct thread *to, uint64_t info)
{
	struct msg_cap cap[MSG_CAPS];
	unsigned n = MSG_NCAPS(info);

	if (n == 0)
		return ST_OK;
	if (to->block == NULL || to->cspace == NULL || from->cspace == NULL)
		return ST_BAD_STATE;
	for (unsigned i = 0; i < n; i++)
		cap[i] = from->block->cap[i]; /* copied once, then looked at */
	status_t st = cap_transfer(to->cspace, from->cspace, cap, n);
	if (st != ST_OK)
		return st;
	for (unsigned i = 0; i < n; i++)
		to->block->cap[i] = cap[i];
	return ST_OK;
}

/* Copies the payload in whole words; a receiver without block gets none. */
static uint64_t message_copy(const struct thread *from, struct thread *to, uint64_t info)
{
	unsigned words = (MSG_LEN(info) + 7) / 8;

	if (words == 0)
		return info;
	if (to->block == NULL)
		return info & ~0xffffull;
	for (unsigned i = 0; i < words; i++)
		to->block->word[i] = from->block->word[i];
	return info;
}

/* From here on `server` holds the call of `caller`, which runs or is THREAD_MOVING. The
 * order of the stores lets thread_cancel_wait find a whole slot behind `wait`. */
static void reply_hold(struct reply_slot *slot, struct thread *caller)
{
	slot->caller = caller;
	slot->number = ++arch_this_cpu()->calls << 8 | arch_this_cpu()->id;
	caller->waits_at = slot;
	caller->state = THREAD_REPLY;
	atomic_store_explicit(&caller->wait, slot->holder, memory_order_release);
}

/* The caller is THREAD_MOVING (or runs), `server` as well; hands the message over. On failure
 * neither has changed. */
static status_t deliver(struct thread *caller, struct thread *server)
{
	status_t st = message_caps(caller, server, caller->call_info);
	if (st != ST_OK)
		return st;
	uint64_t info = message_copy(caller, server, caller->call_info);
	struct sched *lent = caller->sched;
	uint64_t badge = caller->call_badge;

	reply_hold(&server->reply, caller);
	server->sched = lent;
	arch_thread_result(&server->arch, ST_OK, info, badge, server->reply.number);
	return ST_OK;
}

/* --- call --- */

/* A server waits: the message goes over now. */
static status_t call_server(struct endpoint *ep, struct thread *self, uint64_t deadline)
	RELEASES(ep->obj.lock)
{
	struct thread *server = server_dequeue(ep);

	ep->holder = server;
	server->serving = ep;
	spin_unlock(&ep->obj.lock);

	status_t st = deliver(self, server);
	if (st != ST_OK) {
		/* The server learns that a message did not fit into its space. */
		thread_complete(server, &(struct thread_result){ .status = st });
		return st;
	}
	if (deadline != TIMER_NEVER)
		thread_set_deadline(self, deadline);
	thread_run(server);
	return ST_BLOCKED;
}

status_t endpoint_call(struct endpoint *ep, struct thread *self, const struct message *m)
{
	status_t st = message_check(self, m->info);

	if (st != ST_OK) {
		spin_unlock(&ep->obj.lock);
		return st;
	}
	self->call_info = m->info;
	self->call_badge = m->badge;
	if (ep->servers.head != NULL)
		return call_server(ep, self, m->deadline);
	if (m->deadline <= time_now()) {
		spin_unlock(&ep->obj.lock);
		return ST_DEADLINE;
	}
	caller_enqueue(ep, self);
	thread_block(self, THREAD_CALLING, &ep->obj, m->deadline);
	spin_unlock(&ep->obj.lock);
	return ST_BLOCKED;
}

/* --- receive --- */

/* Takes the first caller whose message can be delivered; ST_WOULD_BLOCK when there is none. A
 * caller whose capabilities do not fit is told so and the next is tried. */
static status_t take_caller(struct endpoint *ep, struct thread *self) RELEASES(ep->obj.lock)
{
	struct thread *caller = first_caller(ep);

	caller_dequeue(ep, caller);
	ep->holder = self;
	self->serving = ep;
	/* Those who stay behind may be more urgent than the one who is served. */
	struct thread *next = first_caller(ep);
	struct sched *lend = caller->sched;
	if (next != NULL && sched_priority(next->sched) > sched_priority(lend))
		lend = next->sched;
	spin_unlock(&ep->obj.lock);

	status_t st = deliver(caller, self);
	if (st != ST_OK) {
		thread_complete(caller, &(struct thread_result){ .status = st });
		return st;
	}
	self->sched = lend;
	arch_this_cpu()->resched = true;
	return ST_OK;
}

status_t endpoint_receive(struct endpoint *ep, struct thread *self, uint64_t deadline)
{
	reply_abandon(&self->reply);
	if (ep->holder == self)
		ep->holder = NULL;
	if (first_caller(ep) != NULL)
		return take_caller(ep, self);
	if (deadline <= time_now()) {
		spin_unlock(&ep->obj.lock);
		return ST_DEADLINE;
	}
	thread_queue_push(&ep->servers, self);
	thread_block(self, THREAD_RECEIVING, &ep->obj, deadline);
	/* Signals set bits before they look who waits; we wait before we look at the bits: one
	 * of the two sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	uint64_t bits = notification_take_bound(self);
	if (bits != 0) {
		thread_queue_remove(&ep->servers, self);
		thread_unblock(self);
		arch_thread_result(&self->arch, ST_OK, MSG_NOTIFICATION, bits, 0);
		spin_unlock(&ep->obj.lock);
		return ST_OK;
	}
	self->sched = self->home;
	spin_unlock(&ep->obj.lock);
	return ST_BLOCKED;
}

/* --- answer --- */

status_t reply_answer(struct reply_slot *slot, struct thread *self, uint64_t info,
                      uint64_t number, struct thread **to_run)
{
	status_t st = message_check(self, info);
	if (st != ST_OK)
		return st;

	spin_lock(&slot->holder->lock);
	struct thread *caller = slot->caller;
	if (caller == NULL || (number != 0 && slot->number != number)) {
		spin_unlock(&slot->holder->lock);
		return ST_PEER_GONE;
	}
	slot->caller = NULL;
	caller->state = THREAD_MOVING;
	spin_unlock(&slot->holder->lock);

	st = message_caps(self, caller, info);
	if (st != ST_OK) {
		spin_lock(&slot->holder->lock);
		bool alive = slot->holder->flags & OBJECT_LIVE;
		if (alive) {
			slot->caller = caller;
			caller->state = THREAD_REPLY;
		}
		spin_unlock(&slot->holder->lock);
		if (!alive)
			thread_complete(caller,
			                &(struct thread_result){ .status = ST_PEER_GONE });
		return st;
	}
	info = message_copy(self, caller, info);
	arch_thread_result(&caller->arch, ST_OK, info, 0, 0);
	*to_run = caller;
	return ST_OK;
}

void reply_abandon(struct reply_slot *slot)
{
	spin_lock(&slot->holder->lock);
	struct thread *caller = slot->caller;
	slot->caller = NULL;
	if (caller != NULL)
		caller->state = THREAD_MOVING;
	spin_unlock(&slot->holder->lock);
	if (caller != NULL)
		thread_complete(caller, &(struct thread_result){ .status = ST_PEER_GONE });
}

/* --- leaving --- */

/* The server went on with the sched of a caller that is gone: it falls back to that of the
 * caller whose call it holds, or to its own. */
static void unlend(struct thread *server, const struct sched *lent)
{
	if (server == NULL || server->sched != lent)
		return;
	struct thread *caller = server->reply.caller;
	struct sched *s = caller != NULL && caller->sched != lent ? caller->sched : server->home;
	if (s != lent)
		sched_change(server, s);
}

void endpoint_forget_caller(struct endpoint *ep, struct thread *t)
{
	caller_dequeue(ep, t);
	unlend(ep->holder, t->sched);
}

void endpoint_forget_server(struct endpoint *ep, struct thread *t)
{
	thread_queue_remove(&ep->servers, t);
	t->state = THREAD_MOVING;
}

void reply_forget(struct reply_slot *slot, struct thread *t)
{
	slot->caller = NULL;
	t->state = THREAD_MOVING;
	if (slot->holder->type != OBJ_THREAD)
		return;
	struct thread *server = container_of(slot->holder, struct thread, obj);
	if (server->sched == t->sched && server->sched != server->home)
		sched_change(server, server->home);
}

bool endpoint_close(struct object *o)
{
	struct endpoint *ep = container_of(o, struct endpoint, obj);

	for (unsigned i = 0; i < CLOSE_BATCH; i++) {
		spin_lock(&ep->obj.lock);
		struct thread *t = first_caller(ep);
		if (t != NULL)
			endpoint_forget_caller(ep, t);
		else if (ep->servers.head != NULL)
			t = server_dequeue(ep);
		ep->holder = t == NULL ? NULL : ep->holder;
		spin_unlock(&ep->obj.lock);
		if (t == NULL)
			return true;
		thread_complete(t, &(struct thread_result){ .status = ST_PEER_GONE });
	}
	return false;
}

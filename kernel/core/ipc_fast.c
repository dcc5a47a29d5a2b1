/* SPDX-License-Identifier: MIT */
#include <core/ipc_fast.h>
#include <core/aspace.h>
#include <core/endpoint.h>
#include <core/syscall.h>

_Static_assert(MSG_FAST % 8 == 0, "payloads are copied in words");

void ipc_fast_allow(struct cpu *c, bool allow)
{
	c->fast_limit = allow ? MSG_FAST + 1 : 0;
}

__attribute__((noinline)) static void slow(struct thread *self, uint64_t number, uint64_t a0,
					   uint64_t a1, uint64_t a2)
{
	uint64_t arg[ARCH_SYSCALL_ARGS] = { a0, a1, a2 };

	arch_syscall(&self->arch, number, arg);
}

/* The endpoint that `handle` names, locked, if that has `right`; else NULL. */
UNCHECKED_LOCKS ALWAYS_INLINE struct endpoint *fast_lock(const struct thread *self, cap_t handle,
							 rights_t right, uint64_t *badge)
{
	const struct cspace *cs = atomic_load_explicit(&self->cspace, memory_order_relaxed);
	uint32_t index = (uint32_t)handle;
	uint32_t gen = (uint32_t)(handle >> 32);
	const struct cap_slot *slot = LIKELY(index < CSPACE_CHUNK) ? cspace_slot_near(cs, index) :
								     cspace_slot(cs, index);

	if (UNLIKELY(slot == NULL || atomic_load_explicit(&slot->gen, memory_order_acquire) != gen))
		return NULL;
	uint64_t token = atomic_load_explicit(&slot->token, memory_order_acquire);
	if (UNLIKELY(!(token & right))) /* an empty slot has no rights */
		return NULL;
	struct object *o = object_at(token_object(token));
	if (UNLIKELY(o->type != OBJ_ENDPOINT))
		return NULL;
	*badge = atomic_load_explicit(&slot->badge, memory_order_relaxed);
	spin_lock(&o->lock);
	if (LIKELY(o->gen == token_gen(token) &&
		   atomic_load_explicit(&slot->gen, memory_order_relaxed) == gen))
		return container_of(o, struct endpoint, obj);
	spin_unlock(&o->lock);
	return NULL;
}

static struct msg_block *block_of(const struct thread *t)
{
	return atomic_load_explicit(&t->block, memory_order_relaxed);
}

/* Copies `len` bytes, not 0, in whole words, if both have a block. */
ALWAYS_INLINE bool copy(struct thread *to, const struct thread *from, uint32_t len)
{
	uint32_t words = (len + 7) / 8;

	if (UNLIKELY(block_of(from) == NULL || block_of(to) == NULL))
		return false;
	uint64_t *target = block_of(to)->word;
	const uint64_t *source = block_of(from)->word;
	for (; words >= 4; words -= 4) {
		uint64_t a = source[0], b = source[1], c = source[2], d = source[3];
		target[0] = a;
		target[1] = b;
		target[2] = c;
		target[3] = d;
		source += 4;
		target += 4;
	}
	for (; words > 0; words--)
		*target++ = *source++;
	return true;
}

ALWAYS_INLINE void switch_to(struct cpu *c, struct thread *from, struct thread *to)
{
	struct aspace *as = atomic_load_explicit(&to->aspace, memory_order_relaxed);

	arch_thread_switch(&from->arch, &to->arch);
	atomic_store_explicit(&c->current, to, memory_order_release);
	pagetable_switch(&c->tables, &as->table, c->bit);
}

UNCHECKED_LOCKS
void ipc_call(cap_t handle, uint64_t info, uint64_t deadline, struct arch_thread *user)
{
	struct thread *self = container_of(user, struct thread, arch);
	struct cpu *c = arch_this_cpu();
	uint32_t len = (uint32_t)info; /* nothing else is in there, or it isn't fast */
	uint64_t badge;

	if (UNLIKELY(len >= c->fast_limit || deadline != TIMER_NEVER))
		goto slow;
	struct endpoint *ep = fast_lock(self, handle, RIGHT_CALL, &badge);
	if (UNLIKELY(ep == NULL))
		goto slow;
	struct thread *server = ep->servers;
	if (UNLIKELY(server == NULL || thread_hot(server) != c->hot))
		goto unlock;
	if (UNLIKELY(len != 0) && UNLIKELY(!copy(server, self, len)))
		goto unlock;
	if (UNLIKELY(ep->holder != server)) {
		if (ep->holder != NULL)
			goto unlock;
		ep->holder = server;
		atomic_store_explicit(&server->serving, ep, memory_order_relaxed);
	}
	ep->servers = server->next;
	thread_put(server, THREAD_RUNNING, NULL);
	spin_unlock(&ep->obj.lock);

	arch_count_up(&c->counters.fast_calls);
	uint64_t number = c->call_number += CPU_MAX;
	server->reply.number = number;
	server->reply.epoch = c->epoch;
	atomic_store_explicit(&server->reply.caller, self, memory_order_release);
	thread_put(self, THREAD_REPLY, &server->obj);
	switch_to(c, self, server);
	arch_thread_leave(&server->arch, info, badge, number);
	return;
unlock:
	spin_unlock(&ep->obj.lock);
slow:
	slow(self, SYS_endpoint_call, handle, info, deadline);
}

/* Takes the caller off the running thread's hand if it can run at once: since its call this CPU has
 * chosen nobody, so what it charges is what the caller ran on. The endpoint is locked. */
ALWAYS_INLINE struct thread *take_caller(const struct cpu *c, struct thread *self, uint32_t len)
{
	spin_lock(&self->obj.lock);
	struct thread *caller = atomic_load_explicit(&self->reply.caller, memory_order_relaxed);
	if (UNLIKELY(caller == NULL || self->reply.epoch != c->epoch ||
		     thread_hot(caller) != c->hot))
		goto none;
	if (UNLIKELY(len != 0) && UNLIKELY(!copy(caller, self, len)))
		goto none;
	atomic_store_explicit(&self->reply.caller, NULL, memory_order_relaxed);
	thread_put(caller, THREAD_RUNNING, NULL);
	spin_unlock(&self->obj.lock);
	return caller;
none:
	spin_unlock(&self->obj.lock);
	return NULL;
}

UNCHECKED_LOCKS
void ipc_reply_receive(cap_t handle, uint64_t info, uint64_t deadline, struct arch_thread *user)
{
	struct thread *self = container_of(user, struct thread, arch);
	struct cpu *c = arch_this_cpu();
	uint32_t len = (uint32_t)info;
	uint64_t badge;

	if (UNLIKELY(len >= c->fast_limit || deadline != TIMER_NEVER))
		goto slow;
	struct endpoint *ep = fast_lock(self, handle, RIGHT_RECEIVE, &badge);
	if (UNLIKELY(ep == NULL))
		goto slow;
	/* Its `serving` is right, and nobody helps it; what could have been signalled, it would
	 * have to look at. */
	if (UNLIKELY(ep->holder != self || ep->callers.root != NULL ||
		     atomic_load_explicit(&self->notification, memory_order_relaxed) != NULL))
		goto unlock;
	struct thread *caller = take_caller(c, self, len);
	if (UNLIKELY(caller == NULL))
		goto unlock;
	self->next = ep->servers;
	if (UNLIKELY(ep->servers != NULL))
		ep->servers->prev = self;
	ep->servers = self;
	thread_put(self, THREAD_RECEIVING, &ep->obj);
	spin_unlock(&ep->obj.lock);

	arch_count_up(&c->counters.fast_replies);
	switch_to(c, self, caller);
	arch_thread_leave(&caller->arch, info, 0, 0);
	return;
unlock:
	spin_unlock(&ep->obj.lock);
slow:
	slow(self, SYS_endpoint_reply_receive, handle, info, deadline);
}

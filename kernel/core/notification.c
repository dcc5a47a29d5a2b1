/* SPDX-License-Identifier: MIT */
#include <core/notification.h>
#include <core/cpu.h>
#include <core/endpoint.h>
#include <core/sched.h>

static uint64_t bits_take(struct notification *n)
{
	if (atomic_load_explicit(&n->bits, memory_order_relaxed) == 0)
		return 0;
	return atomic_exchange(&n->bits, 0);
}

/* The bound thread, if it waits in a receive, is taken off its endpoint and given the bits. */
static void wake_bound(struct notification *n, struct thread *t)
{
	struct object *where = atomic_load_explicit(&t->wait, memory_order_acquire);

	spin_lock(&where->lock);
	bool receiving = atomic_load_explicit(&t->wait, memory_order_relaxed) == where &&
	                 t->state == THREAD_RECEIVING;
	uint64_t bits = receiving ? bits_take(n) : 0;
	if (bits != 0)
		endpoint_forget_server((struct endpoint *)where, t);
	spin_unlock(&where->lock);
	if (bits != 0)
		thread_complete(t, &(struct thread_result){ ST_OK, MSG_NOTIFICATION, bits, 0 });
}

void notification_signal(struct notification *n, uint64_t bits)
{
	atomic_fetch_or(&n->bits, bits);

	struct thread *t = n->waiters.head;
	if (t != NULL) {
		uint64_t taken = bits_take(n);
		notification_forget(n, t);
		spin_unlock(&n->obj.lock);
		thread_complete(t, &(struct thread_result){ ST_OK, 0, taken, 0 });
		return;
	}
	struct thread *bound = n->bound;
	spin_unlock(&n->obj.lock);
	/* A thread's memory outlives this kernel entry even if it dies now. */
	if (bound != NULL)
		wake_bound(n, bound);
}

status_t notification_wait(struct notification *n, struct thread *self, uint64_t deadline)
{
	uint64_t bits = bits_take(n);

	if (bits != 0) {
		spin_unlock(&n->obj.lock);
		arch_thread_result(&self->arch, ST_OK, 0, bits, 0);
		return ST_OK;
	}
	if (deadline <= time_now()) {
		spin_unlock(&n->obj.lock);
		return ST_WOULD_BLOCK;
	}
	thread_queue_push(&n->waiters, self);
	thread_block(self, THREAD_WAITING, &n->obj, deadline);
	spin_unlock(&n->obj.lock);
	return ST_BLOCKED;
}

uint64_t notification_take_bound(struct thread *self)
{
	struct notification *n = self->notification;

	return n == NULL ? 0 : bits_take(n);
}

void notification_forget(struct notification *n, struct thread *t)
{
	thread_queue_remove(&n->waiters, t);
	t->state = THREAD_MOVING;
}

/* Wakes the next waiters of a dead notification; true when none is left. */
bool notification_close(struct object *o)
{
	struct notification *n = container_of(o, struct notification, obj);

	for (unsigned i = 0; i < WAKE_BATCH; i++) {
		spin_lock(&n->obj.lock);
		struct thread *t = n->waiters.head;
		if (t != NULL)
			notification_forget(n, t);
		spin_unlock(&n->obj.lock);
		if (t == NULL)
			return true;
		thread_complete(t, &(struct thread_result){ .status = ST_PEER_GONE });
	}
	return false;
}

/* SPDX-License-Identifier: MIT */
#include <core/notification.h>
#include <core/endpoint.h>
#include <core/grace.h>

#define CLOSE_BATCH 32

/* The bound thread, if it waits in a receive, is taken off its endpoint and given the bits. */
UNCHECKED_LOCKS static void wake_bound(struct notification *n, struct thread *t)
{
	uintptr_t place = t->place;
	struct object *where = thread_where(place);
	uint64_t bits = 0;

	if (thread_state_of(place) != THREAD_RECEIVING)
		return;
	spin_lock(&where->lock);
	if (t->place == place)
		bits = notification_take(n);
	if (bits != 0) {
		endpoint_forget_server(container_of(where, struct endpoint, obj), t);
		t->took_bits = true;
	}
	spin_unlock(&where->lock);
	if (bits != 0)
		thread_complete(t, &(struct thread_result){ ST_OK, MSG_NOTIFICATION, bits, 0 });
}

void notification_signal(struct notification *n, uint64_t bits)
{
	atomic_fetch_or(&n->bits, bits);

	struct thread *t = n->waiters.head;
	if (t != NULL) {
		uint64_t taken = notification_take(n);
		notification_forget(n, t);
		spin_unlock(&n->obj.lock);
		thread_complete(t, &(struct thread_result){ ST_OK, MSG_NOTIFICATION, taken, 0 });
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
	uint64_t bits = notification_take(n);
	status_t st = ST_BLOCKED;

	if (bits != 0) {
		arch_thread_result(&self->arch, ST_OK, MSG_NOTIFICATION, bits, 0);
		st = SYSCALL_DONE;
	} else if (deadline_passed(deadline)) {
		st = ST_WOULD_BLOCK;
	} else {
		thread_queue_push(&n->waiters, self);
		thread_wait(self, THREAD_WAITING, &n->obj, deadline);
	}
	spin_unlock(&n->obj.lock);
	return st;
}

bool notification_is_pending(const struct thread *self)
{
	const struct notification *n = self->notification;

	atomic_thread_fence(memory_order_seq_cst);
	return n != NULL && n->bits != 0;
}

uint64_t notification_take_bound(struct thread *self)
{
	struct notification *n = self->notification;

	return n == NULL ? 0 : notification_take(n);
}

status_t notification_bind(struct notification *n, struct thread *t)
{
	status_t st = ST_OK;

	spin_lock(&n->obj.lock);
	if (n->bound == NULL)
		n->bound = t;
	else if (n->bound != t)
		st = ST_EXISTS;
	spin_unlock(&n->obj.lock);
	return st;
}

void notification_unbind(struct notification *n, struct thread *t)
{
	if (n == NULL || n == t->notification)
		return;
	spin_lock(&n->obj.lock);
	if (n->bound == t)
		n->bound = NULL;
	spin_unlock(&n->obj.lock);
}

void notification_forget(struct notification *n, struct thread *t)
{
	thread_queue_remove(&n->waiters, t);
	thread_put(t, THREAD_MOVING, NULL);
}

/* ---- the object ---- */

static bool notification_close(struct object *o)
{
	struct notification *n = container_of(o, struct notification, obj);

	for (unsigned i = 0; i < CLOSE_BATCH; i++) {
		spin_lock(&n->obj.lock);
		struct thread *t = n->waiters.head;
		spin_unlock(&n->obj.lock);
		/* Its binding was cut; who saw it before may be about to take its bits. */
		if (t == NULL)
			return (o->flags & OBJECT_NEW) || grace_passed(&n->ticket);
		(void)thread_cancel_wait(t, o, ST_PEER_GONE);
	}
	return false;
}

const struct object_ops notification_ops =
	OBJECT_OPS("notification", struct notification, LOCK_IPC, notification_close);

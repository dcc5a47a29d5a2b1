/* SPDX-License-Identifier: MIT */
#include <core/thread.h>
#include <core/aspace.h>
#include <core/assert.h>
#include <core/cpu.h>
#include <core/cspace.h>
#include <core/endpoint.h>
#include <core/notification.h>
#include <core/quota.h>
#include <core/sched.h>

/* --- making --- */

static void slot_init(struct thread *t)
{
	t->reply.holder = &t->obj;
	atomic_store(&t->wait, &t->obj);
	t->state = THREAD_STOPPED;
	t->deadline = TIMER_NEVER;
	t->cpu = arch_this_cpu()->id;
}

status_t thread_create(struct quota *q, struct cspace *cs, const struct thread_request *r,
                       struct thread **out)
{
	struct thread *t = (struct thread *)object_create(q, OBJ_THREAD);
	if (t == NULL)
		return ST_NO_MEMORY;
	slot_init(t);
	arch_thread_init(&t->arch);

	status_t st = cap_bind(cs, r->aspace, OBJ_ASPACE, RIGHT_MANAGE, &t->obj, BIND_THREAD_ASPACE,
	                       &t->bound_aspace);
	if (st != ST_OK)
		goto discard;
	st = cap_bind(cs, r->cspace, OBJ_CSPACE, RIGHT_MANAGE, &t->obj, BIND_THREAD_CSPACE,
	              &t->bound_cspace);
	if (st != ST_OK)
		goto unbind_aspace;
	t->aspace = (struct aspace *)cap_bound(&t->bound_aspace);
	t->cspace = (struct cspace *)cap_bound(&t->bound_cspace);
	t->fault_badge = r->badge;
	*out = t;
	return ST_OK;

unbind_aspace:
	cap_unbind(&t->bound_aspace);
discard:
	object_discard(&t->obj);
	return st;
}

/* --- deadlines --- */

static void thread_timeout(struct ktimer *timer)
{
	struct thread *t = container_of(timer, struct thread, timer);

	/* The wait that set the timer may be over and another begun. */
	if (t->deadline <= time_now())
		(void)thread_cancel_wait(t, ST_DEADLINE);
}

void thread_set_deadline(struct thread *t, uint64_t deadline)
{
	t->deadline = deadline;
	timer_set(&t->timer, deadline, thread_timeout);
}

static void thread_clear_deadline(struct thread *t)
{
	if (t->deadline == TIMER_NEVER)
		return;
	t->deadline = TIMER_NEVER;
	(void)timer_cancel(&t->timer);
}

/* --- waiting --- */

void thread_block(struct thread *self, enum thread_state state, struct object *where,
                  uint64_t deadline)
{
	if (deadline != TIMER_NEVER)
		thread_set_deadline(self, deadline);
	self->state = state;
	atomic_store_explicit(&self->wait, where, memory_order_release);
}

void thread_unblock(struct thread *self)
{
	thread_clear_deadline(self);
	self->state = THREAD_RUNNING;
	atomic_store_explicit(&self->wait, &self->obj, memory_order_release);
}

/* A thread that is ours (THREAD_MOVING) stops or becomes ready, as its flags say. */
static void thread_release(struct thread *t)
{
	thread_clear_deadline(t);
	atomic_store_explicit(&t->wait, &t->obj, memory_order_release);
	if (UNLIKELY(atomic_load(&t->flags) & THREAD_STOP)) {
		/* thread_resume clears the flag under this lock and looks at the state. */
		spin_lock(&t->obj.lock);
		bool stop = atomic_load(&t->flags) & THREAD_STOP;
		if (stop)
			t->state = THREAD_STOPPED;
		spin_unlock(&t->obj.lock);
		if (stop)
			return;
	}
	sched_wake(t);
}

void thread_complete(struct thread *t, const struct thread_result *r)
{
	arch_thread_result(&t->arch, r->status, r->info, r->badge, r->number);
	thread_release(t);
}

void thread_run(struct thread *t)
{
	struct cpu *c = arch_this_cpu();

	if (t->cpu != c->id || t->sched == NULL || !sched_is_running(t->sched) ||
	    (atomic_load(&t->flags) & THREAD_STOP) != 0) {
		thread_release(t);
		return;
	}
	thread_clear_deadline(t);
	atomic_store_explicit(&t->wait, &t->obj, memory_order_relaxed);
	t->state = THREAD_RUNNING;
	c->counters.direct++;
	thread_switch(c, t);
}

/* Takes `t` out of the wait that it is in, under the lock of what it waits at; true: it is
 * THREAD_MOVING and the caller's. */
static bool thread_leave_wait(struct thread *t, struct object *where)
{
	switch (t->state) {
	case THREAD_CALLING:
		endpoint_forget_caller((struct endpoint *)where, t);
		return true;
	case THREAD_RECEIVING:
		endpoint_forget_server((struct endpoint *)where, t);
		return true;
	case THREAD_WAITING:
		notification_forget((struct notification *)where, t);
		return true;
	case THREAD_REPLY:
		reply_forget(t->waits_at, t);
		return true;
	case THREAD_PARKED:
		t->state = THREAD_MOVING;
		return true;
	case THREAD_STOPPED:
	case THREAD_READY:
	case THREAD_RUNNING:
	case THREAD_MOVING:
		return false;
	}
	return false;
}

bool thread_cancel_wait(struct thread *t, status_t why)
{
	for (;;) {
		struct object *where = atomic_load_explicit(&t->wait, memory_order_acquire);

		spin_lock(&where->lock);
		if (atomic_load_explicit(&t->wait, memory_order_relaxed) != where) {
			spin_unlock(&where->lock);
			continue;
		}
		bool ours = thread_leave_wait(t, where);
		spin_unlock(&where->lock);
		if (!ours)
			return false;
		thread_complete(t, &(struct thread_result){ .status = why });
		return true;
	}
}

/* --- stopping and going on --- */

void thread_resume(struct thread *t)
{
	spin_lock(&t->obj.lock);
	uint32_t before = atomic_fetch_and(&t->flags, ~(THREAD_SUSPENDED | THREAD_NO_SCHED));
	bool wake = t->state == THREAD_STOPPED && !(before & THREAD_DYING);
	if (wake)
		t->state = THREAD_MOVING;
	spin_unlock(&t->obj.lock);
	if (wake)
		sched_wake(t);
}

/* After a stop flag was set: ST_OK when `t` is in user mode nowhere and will not be. */
static status_t thread_make_stop(struct thread *t)
{
	for (;;) {
		struct object *where = atomic_load_explicit(&t->wait, memory_order_acquire);

		if (sched_take(t)) {
			spin_lock(&t->obj.lock);
			t->state = THREAD_STOPPED;
			spin_unlock(&t->obj.lock);
			return ST_OK;
		}
		spin_lock(&where->lock);
		bool same = atomic_load_explicit(&t->wait, memory_order_relaxed) == where;
		enum thread_state state = t->state;
		spin_unlock(&where->lock);
		if (!same || state == THREAD_MOVING || state == THREAD_READY) {
			tlb_serve();
			arch_cpu_relax();
			continue;
		}
		if (state != THREAD_RUNNING)
			return atomic_load(&t->on_cpu) ? ST_LATER : ST_OK;
		cpu_resched(t->cpu);
		return arch_this_cpu()->current == t ? ST_OK : ST_LATER;
	}
}

status_t thread_suspend(struct thread *t)
{
	atomic_fetch_or(&t->flags, THREAD_SUSPENDED);
	return thread_make_stop(t);
}

status_t thread_park(struct thread *self, uint64_t deadline)
{
	if (atomic_fetch_and(&self->flags, ~THREAD_UNPARKED) & THREAD_UNPARKED)
		return ST_OK;
	if (deadline <= time_now())
		return ST_DEADLINE;
	spin_lock(&self->obj.lock);
	thread_block(self, THREAD_PARKED, &self->obj, deadline);
	/* thread_unpark sets the flag before it takes the lock. */
	if (atomic_fetch_and(&self->flags, ~THREAD_UNPARKED) & THREAD_UNPARKED) {
		thread_unblock(self);
		spin_unlock(&self->obj.lock);
		return ST_OK;
	}
	spin_unlock(&self->obj.lock);
	return ST_BLOCKED;
}

void thread_unpark(struct thread *t)
{
	atomic_fetch_or(&t->flags, THREAD_UNPARKED);
	spin_lock(&t->obj.lock);
	bool parked = t->state == THREAD_PARKED;
	if (parked) {
		atomic_fetch_and(&t->flags, ~THREAD_UNPARKED);
		t->state = THREAD_MOVING;
	}
	spin_unlock(&t->obj.lock);
	if (parked)
		thread_complete(t, &(struct thread_result){ .status = ST_OK });
}

/* --- leaving the kernel --- */

void thread_switch(struct cpu *c, struct thread *to)
{
	struct thread *from = c->current;

	if (from == to)
		return;
	c->counters.switches++;
	if (from != NULL) {
		arch_thread_save(&from->arch);
		atomic_store_explicit(&from->on_cpu, false, memory_order_release);
	}
	c->current = to;
	if (to == NULL)
		return;
	/* Where it ran last may still be putting its state away; that takes no lock. */
	while (atomic_load_explicit(&to->on_cpu, memory_order_acquire)) {
		tlb_serve();
		arch_cpu_relax();
	}
	atomic_store_explicit(&to->on_cpu, true, memory_order_relaxed);
	to->cpu = c->id;
	arch_thread_load(&to->arch);
	aspace_activate(to);
}

static void stop_running(struct thread *t)
{
	spin_lock(&t->obj.lock);
	t->state = THREAD_STOPPED;
	if (!(atomic_load(&t->flags) & THREAD_STOP))
		atomic_fetch_or(&t->flags, THREAD_NO_SCHED);
	spin_unlock(&t->obj.lock);
}

struct thread *thread_exit_kernel(void)
{
	struct cpu *c = arch_this_cpu();
	struct thread *t = c->current;

	if (LIKELY(!c->resched && t != NULL && t->state == THREAD_RUNNING &&
	           !(atomic_load_explicit(&t->flags, memory_order_relaxed) & THREAD_STOP)))
		return t;
	for (;;) {
		c->resched = false;
		t = c->current;
		if (t != NULL && t->state == THREAD_RUNNING &&
		    ((atomic_load(&t->flags) & THREAD_STOP) || !sched_may_run(t)))
			stop_running(t);
		struct thread *next = sched_pick();
		thread_switch(c, next);
		if (next != NULL && !(atomic_load(&next->flags) & THREAD_STOP))
			return next;
		if (next == NULL)
			cpu_idle();
	}
}

/* --- faults --- */

void thread_fault(struct thread *self, const struct msg_fault *f)
{
	struct endpoint *ep = (struct endpoint *)cap_binding_lock(&self->bound_fault);

	if (ep == NULL) {
		atomic_fetch_or(&self->flags, THREAD_SUSPENDED);
		return;
	}
	/* The report travels in the kernel's own copy: the thread's block, if it has one, holds
	 * what the thread put there. */
	self->fault = *f;
	struct message m = {
		.info = MSG_INFO(0, sizeof(*f), 0) | MSG_FAULT,
		.badge = self->fault_badge,
		.deadline = TIMER_NEVER,
	};
	status_t st = endpoint_call(ep, self, &m);
	if (st != ST_BLOCKED)
		atomic_fetch_or(&self->flags, THREAD_SUSPENDED);
}

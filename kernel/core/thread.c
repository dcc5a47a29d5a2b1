/* SPDX-License-Identifier: MIT */
#include <core/thread.h>
#include <core/aspace.h>
#include <core/assert.h>
#include <core/endpoint.h>
#include <core/guest.h>
#include <core/ipc_fast.h>
#include <core/message.h>
#include <core/notification.h>
#include <core/sched.h>

static uint32_t loaded_on(const struct thread *t)
{
	return atomic_load_explicit(&t->loaded_on, memory_order_relaxed);
}

bool thread_is_loaded(const struct thread *t)
{
	const struct cpu *c = cpu_by_id[loaded_on(t)];

	return atomic_load_explicit(&c->current, memory_order_acquire) == t;
}

/* ---- deadlines ---- */

bool deadline_passed(uint64_t deadline)
{
	return deadline != TIMER_NEVER && deadline <= time_now();
}

static void thread_timeout(struct ktimer *timer)
{
	struct thread *t = container_of(timer, struct thread, timer);

	/* The wait that set the timer may be over and another begun. */
	if (deadline_passed(t->deadline))
		(void)thread_cancel_wait(t, ST_DEADLINE);
}

void thread_set_deadline(struct thread *t, uint64_t deadline)
{
	if (deadline == TIMER_NEVER)
		return;
	atomic_store_explicit(&t->deadline, deadline, memory_order_relaxed);
	atomic_fetch_or(&t->flags, THREAD_TIMED);
	timer_set(&t->timer, deadline, thread_timeout);
}

void thread_clear_deadline(struct thread *t)
{
	if (LIKELY(!(thread_flags(t) & THREAD_TIMED)))
		return;
	atomic_fetch_and(&t->flags, ~THREAD_TIMED);
	atomic_store_explicit(&t->deadline, TIMER_NEVER, memory_order_relaxed);
	(void)timer_cancel(&t->timer);
}

/* ---- waiting ---- */

void thread_wait(struct thread *self, enum thread_state state, struct object *where,
		 uint64_t deadline)
{
	thread_set_deadline(self, deadline);
	thread_put(self, state, where);
}

void thread_wait_not(struct thread *self)
{
	thread_clear_deadline(self);
	thread_put(self, THREAD_RUNNING, NULL);
}

void thread_settle(struct thread *t)
{
	if (UNLIKELY(thread_flags(t) & THREAD_STOP)) {
		/* thread_resume clears the flag under this lock and looks at the state. */
		spin_lock(&t->obj.lock);
		bool stop = thread_flags(t) & THREAD_STOP;
		if (stop)
			thread_put(t, THREAD_STOPPED, &t->obj);
		spin_unlock(&t->obj.lock);
		if (stop)
			return;
	}
	sched_wake(t);
}

/* What waits for the answer to a fault has no call that could return anything. */
static void write_result(struct thread *t, const struct thread_result *r)
{
	if (LIKELY(!(thread_flags(t) & THREAD_FAULTED))) {
		arch_thread_result(&t->arch, r->status, r->info, r->badge, r->number);
		return;
	}
	atomic_fetch_and(&t->flags, ~THREAD_FAULTED);
	if (r->status != ST_OK || MSG_METHOD(r->info) != FAULT_RETRY)
		atomic_fetch_or(&t->flags, THREAD_SUSPENDED);
}

void thread_complete(struct thread *t, const struct thread_result *r)
{
	thread_clear_deadline(t);
	write_result(t, r);
	thread_settle(t);
}

void thread_answer(struct thread *t, uint64_t info)
{
	thread_clear_deadline(t);
	write_result(t, &(struct thread_result){ .status = ST_OK, .info = info });
}

void thread_run(struct thread *t)
{
	struct cpu *c = arch_this_cpu();

	if (atomic_load_explicit(&t->cpu, memory_order_relaxed) != c->id || loaded_on(t) != c->id ||
	    (thread_flags(t) & THREAD_STOP) || !sched_is_charged(t)) {
		thread_settle(t);
		return;
	}
	thread_put(t, THREAD_RUNNING, NULL);
	cpu_count_up(&c->counters.direct);
	thread_switch(c, t);
}

/* Takes `t` out of the wait that it is in (THREAD_MOVING); `where` is locked. Gives who may have
 * lost what it ran on, or NULL. */
UNCHECKED_LOCKS static struct thread *leave(struct thread *t, uintptr_t place)
{
	enum thread_state state = thread_state_of(place);
	struct object *where = thread_where(place);
	struct thread *served = NULL;

	if (state == THREAD_CALLING) {
		served = endpoint_forget_caller(container_of(where, struct endpoint, obj), t);
	} else if (state == THREAD_RECEIVING) {
		endpoint_forget_server(container_of(where, struct endpoint, obj), t);
	} else if (state == THREAD_WAITING) {
		notification_forget(container_of(where, struct notification, obj), t);
	} else if (state == THREAD_REPLY) {
		served = reply_server(where);
		reply_forget(where, t);
	} else {
		thread_put(t, THREAD_MOVING, NULL);
	}
	return served;
}

static bool is_wait(enum thread_state state)
{
	return state != THREAD_STOPPED && state < THREAD_READY;
}

bool thread_cancel_wait(struct thread *t, status_t why)
{
	uintptr_t place;

	while (is_wait(
		thread_state_of(place = atomic_load_explicit(&t->place, memory_order_acquire)))) {
		struct object *where = thread_where(place);
		struct thread *served = NULL;

		spin_lock(&where->lock);
		bool ours = atomic_load_explicit(&t->place, memory_order_acquire) == place;
		if (ours)
			served = leave(t, place);
		spin_unlock(&where->lock);
		if (!ours)
			continue;
		thread_complete(t, &(struct thread_result){ .status = why });
		if (served != NULL) {
			endpoint_help(served);
			sched_refresh(served);
		}
		return true;
	}
	return false;
}

/* ---- stopping and going on ---- */

void thread_resume(struct thread *t)
{
	atomic_fetch_and(&t->flags, ~(THREAD_SUSPENDED | THREAD_NO_SCHED));
	bool wake = thread_state(t) == THREAD_STOPPED && !(thread_flags(t) & THREAD_DYING);
	if (wake)
		thread_put(t, THREAD_MOVING, NULL);
	spin_unlock(&t->obj.lock);
	if (wake)
		thread_settle(t);
}

/* Nobody who has taken it out of its wait missed a flag that was set before. */
static bool is_still(const struct thread *t, uintptr_t place)
{
	struct object *where = thread_where(place);

	spin_lock(&where->lock);
	bool same = atomic_load_explicit(&t->place, memory_order_relaxed) == place;
	spin_unlock(&where->lock);
	return same;
}

/* After a stop flag was set: ST_OK when `t` is in user mode nowhere and will not be. */
static status_t make_stop(struct thread *t)
{
	for (;;) {
		uintptr_t place = atomic_load_explicit(&t->place, memory_order_acquire);
		enum thread_state state = thread_state_of(place);

		if (state == THREAD_RUNNING) {
			cpu_resched(atomic_load_explicit(&t->cpu, memory_order_relaxed));
			return ST_LATER;
		}
		if (state == THREAD_READY) {
			if (sched_take(t))
				thread_settle(t);
		} else if (state == THREAD_MOVING) {
			tlb_serve();
			arch_cpu_relax();
		} else if (is_still(t, place)) {
			return thread_is_loaded(t) ? ST_LATER : ST_OK;
		}
	}
}

status_t thread_suspend(struct thread *t)
{
	atomic_fetch_or(&t->flags, THREAD_SUSPENDED);
	spin_unlock(&t->obj.lock);
	status_t st = make_stop(t);
	/* The running thread itself stops on the way out. */
	return arch_this_cpu()->current == t ? ST_OK : st;
}

bool thread_kill(struct thread *t)
{
	if (make_stop(t) != ST_OK)
		return false;
	(void)thread_cancel_wait(t, ST_CANCELLED);
	return thread_state(t) == THREAD_STOPPED && !thread_is_loaded(t);
}

void thread_stop_without_sched(struct thread *t)
{
	spin_lock(&t->obj.lock);
	atomic_fetch_or(&t->flags, THREAD_NO_SCHED);
	thread_put(t, THREAD_STOPPED, &t->obj);
	spin_unlock(&t->obj.lock);
	/* It may have been given one since we looked. */
	atomic_thread_fence(memory_order_seq_cst);
	if (sched_of(t, NULL) != NULL)
		thread_retry_sched(t);
}

void thread_retry_sched(struct thread *t)
{
	spin_lock(&t->obj.lock);
	bool wake = thread_state(t) == THREAD_STOPPED && (thread_flags(t) & THREAD_NO_SCHED);
	if (wake) {
		atomic_fetch_and(&t->flags, ~THREAD_NO_SCHED);
		thread_put(t, THREAD_MOVING, NULL);
	}
	spin_unlock(&t->obj.lock);
	if (wake)
		thread_settle(t);
}

status_t thread_park(struct thread *self, uint64_t deadline)
{
	bool passed = deadline_passed(deadline);

	spin_lock(&self->obj.lock);
	bool unparked = atomic_fetch_and(&self->flags, ~THREAD_UNPARKED) & THREAD_UNPARKED;
	if (unparked || passed) {
		spin_unlock(&self->obj.lock);
		return unparked ? ST_OK : ST_DEADLINE;
	}
	thread_wait(self, THREAD_PARKED, &self->obj, deadline);
	spin_unlock(&self->obj.lock);
	return ST_BLOCKED;
}

void thread_unpark(struct thread *t)
{
	bool parked = thread_state(t) == THREAD_PARKED;
	if (parked)
		thread_put(t, THREAD_MOVING, NULL);
	else
		atomic_fetch_or(&t->flags, THREAD_UNPARKED);
	spin_unlock(&t->obj.lock);
	if (parked)
		thread_complete(t, &(struct thread_result){ .status = ST_OK });
}

void thread_kick(struct thread *t)
{
	atomic_fetch_or(&t->flags, THREAD_KICKED);
	if (thread_state(t) == THREAD_RUNNING)
		cpu_resched(atomic_load_explicit(&t->cpu, memory_order_relaxed));
}

/* ---- the way out of the kernel ---- */

/* From or to nobody, or to a thread that ran on another CPU. */
static void switch_far(struct cpu *c, struct thread *from, struct thread *to)
{
	if (from != NULL)
		arch_thread_save(&from->arch);
	atomic_store_explicit(&c->current, to, memory_order_release);
	if (to == NULL)
		return;
	/* Where it ran last may still be putting its registers away; that waits for nobody. */
	while (thread_is_loaded(to) && loaded_on(to) != c->id) {
		tlb_serve();
		arch_cpu_relax();
	}
	atomic_store_explicit(&to->loaded_on, c->id, memory_order_relaxed);
	arch_thread_load(&to->arch);
}

void thread_switch(struct cpu *c, struct thread *to)
{
	struct thread *from = atomic_load_explicit(&c->current, memory_order_relaxed);

	if (from == to)
		return;
	cpu_count_up(&c->counters.switches);
	if (LIKELY(from != NULL && to != NULL && loaded_on(to) == c->id)) {
		arch_thread_switch(&from->arch, &to->arch);
		atomic_store_explicit(&c->current, to, memory_order_release);
	} else {
		switch_far(c, from, to);
	}
	struct aspace *as =
		to == NULL ? NULL : atomic_load_explicit(&to->aspace, memory_order_relaxed);
	/* For one in guest mode see guest_resume. */
	if (LIKELY(as != NULL) && LIKELY(!arch_thread_in_guest(&to->arch)))
		pagetable_switch(&c->tables, &as->table, c->bit);
}

struct thread *thread_next(void)
{
	struct cpu *c = arch_this_cpu();

	atomic_store_explicit(&c->resched, false, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	struct thread *next = sched_pick();
	thread_switch(c, next);
	return next;
}

void thread_exit_slow(void)
{
	struct cpu *c = arch_this_cpu();
	struct thread *t;

	do {
		if (object_reap_waiting())
			(void)object_reap_some();
		t = thread_next();
		if (t == NULL && !atomic_load_explicit(&c->resched, memory_order_relaxed))
			cpu_idle(!object_reap_some());
	} while (t == NULL || atomic_load_explicit(&c->resched, memory_order_relaxed));
	if (UNLIKELY(arch_thread_in_guest(&t->arch)) || (thread_flags(t) & THREAD_CUT_OFF))
		guest_resume(t);
	cpu_run_end(c);
	/* A piece at each exit. */
	if (object_reap_waiting() || c->run.measured)
		atomic_store_explicit(&c->resched, true, memory_order_relaxed);
}

/* ---- faults ---- */

UNCHECKED_LOCKS void thread_fault(struct thread *self, const struct msg_fault *f)
{
	struct cpu *c = arch_this_cpu();

	cpu_count_up(&c->counters.faults);
	if (guest_fault(self, f))
		return;
	struct object *o = cap_binding_lock(&self->bound_fault.slot[self->bound_fault.at]);
	struct message m = {
		.info = MSG_INFO(0, sizeof(*f), 0) | MSG_FAULT,
		.badge = self->fault_badge,
		.deadline = TIMER_NEVER,
	};

	/* The report travels in the kernel's own copy: the thread's block, if it has one, holds
	 * what the thread put there. */
	self->fault = *f;
	atomic_fetch_or(&self->flags, THREAD_FAULTED);
	struct endpoint *ep = container_of(o, struct endpoint, obj);
	if (LIKELY(o != NULL) && ep->servers != NULL && ipc_can_run(c, ep->servers)) {
		struct thread *server = ipc_take_server(ep);
		spin_unlock(&ep->obj.lock);
		m.info = message_copy(self, server, m.info);
		uint64_t number = reply_hold(c, server, self);
		cpu_count_up(&c->counters.fast[FAST_FAULT]);
		ipc_leave(c, self, server, m.info, m.badge, number);
		return;
	}
	if (o == NULL || endpoint_call(ep, self, &m) != ST_BLOCKED) {
		atomic_fetch_and(&self->flags, ~THREAD_FAULTED);
		atomic_fetch_or(&self->flags, THREAD_SUSPENDED);
	}
	thread_blocked(self);
}

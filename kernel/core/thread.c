/* SPDX-License-Identifier: MIT */
#include <core/thread.h>
#include <core/guest.h>
#include <core/ipc_fast.h>
#include <core/message.h>
#include <core/notification.h>
#include <core/sched.h>

bool thread_is_loaded(const struct thread *t)
{
	return cpu_by_id[t->loaded_on]->current == t;
}

/* ---- deadlines ---- */

bool deadline_passed(uint64_t deadline)
{
	return deadline == 0 || (deadline != TIMER_NEVER && deadline <= time_now());
}

static void thread_timeout(struct ktimer *timer)
{
	(void)thread_cancel_wait(container_of(timer, struct thread, timer), NULL, ST_DEADLINE);
}

void thread_set_deadline(struct thread *t, uint64_t deadline)
{
	if (deadline == TIMER_NEVER)
		return;
	t->deadline = deadline;
	t->flags |= THREAD_TIMED;
	timer_set(&t->timer, deadline, thread_timeout);
}

void thread_clear_deadline(struct thread *t)
{
	if (LIKELY(!(thread_flags(t) & THREAD_TIMED)))
		return;
	t->flags &= ~THREAD_TIMED;
	t->deadline = TIMER_NEVER;
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

void thread_answer(struct thread *t, const struct thread_result *r)
{
	thread_clear_deadline(t);
	if (LIKELY(!(thread_flags(t) & THREAD_FAULTED))) {
		arch_thread_result(&t->arch, r->status, r->info, r->badge, r->number);
		return;
	}
	/* There is no call that could return anything. */
	t->flags &= ~THREAD_FAULTED;
	if (r->status != ST_OK || MSG_METHOD(r->info) != FAULT_RETRY)
		t->flags |= THREAD_SUSPENDED;
}

void thread_complete(struct thread *t, const struct thread_result *r)
{
	thread_answer(t, r);
	thread_settle(t);
}

void thread_run(struct thread *t)
{
	struct cpu *c = arch_this_cpu();

	if (t->cpu != c->id || t->loaded_on != c->id || (thread_flags(t) & THREAD_STOP) ||
	    !sched_is_charged(t)) {
		thread_settle(t);
		return;
	}
	thread_put(t, THREAD_RUNNING, NULL);
	cpu_count_up(&c->counters.direct);
	cpu_count_up(&c->counters.switches);
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

bool thread_cancel_wait(struct thread *t, const struct object *at, status_t why)
{
	for (;;) {
		uintptr_t place = t->place;
		enum thread_state state = thread_state_of(place);
		struct object *where = thread_where(place);
		struct thread *served = NULL;

		if (state == THREAD_STOPPED || state >= THREAD_READY || (at != NULL && at != where))
			return false;
		spin_lock(&where->lock);
		bool ours = t->place == place;
		/* The wait that set the timer may be over and another begun. */
		bool over = why != ST_DEADLINE || deadline_passed(t->deadline);
		if (ours && over)
			served = leave(t, place);
		spin_unlock(&where->lock);
		if (!ours)
			continue;
		if (!over)
			return false;
		thread_complete(t, &(struct thread_result){ .status = why });
		endpoint_help(served);
		sched_refresh(served);
		return true;
	}
}

/* ---- stopping and going on ---- */

/* Lets it go on if it is stopped and nothing else keeps it. */
static void go_on(struct thread *t, bool may) RELEASES(t->obj.lock)
{
	bool wake = may && thread_state(t) == THREAD_STOPPED;

	if (wake)
		thread_put(t, THREAD_MOVING, NULL);
	spin_unlock(&t->obj.lock);
	if (wake)
		thread_settle(t);
}

void thread_resume(struct thread *t)
{
	t->flags &= ~(THREAD_SUSPENDED | THREAD_NO_SCHED);
	go_on(t, !(thread_flags(t) & THREAD_DYING));
}

void thread_retry_sched(struct thread *t)
{
	spin_lock(&t->obj.lock);
	go_on(t, atomic_fetch_and(&t->flags, ~THREAD_NO_SCHED) & THREAD_NO_SCHED);
}

/* After a stop flag was set: ST_OK when `t` is in user mode nowhere and will not be. */
static status_t make_stop(struct thread *t)
{
	for (;;) {
		uintptr_t place = t->place;
		enum thread_state state = thread_state_of(place);

		if (state == THREAD_RUNNING) {
			cpu_resched(t->cpu);
			return ST_LATER;
		}
		if (state == THREAD_READY) {
			if (sched_take(t))
				thread_settle(t);
		} else if (state == THREAD_MOVING) {
			tlb_serve();
			arch_cpu_relax();
		} else {
			/* Who has taken it out of its wait by then has missed no flag. */
			struct object *where = thread_where(place);
			spin_lock(&where->lock);
			bool same = t->place == place;
			spin_unlock(&where->lock);
			if (same)
				return thread_is_loaded(t) ? ST_LATER : ST_OK;
		}
	}
}

status_t thread_suspend(struct thread *t)
{
	t->flags |= THREAD_SUSPENDED;
	spin_unlock(&t->obj.lock);
	status_t st = make_stop(t);
	/* The running thread itself stops on the way out. */
	return arch_this_cpu()->current == t ? ST_OK : st;
}

bool thread_kill(struct thread *t)
{
	if (make_stop(t) != ST_OK)
		return false;
	(void)thread_cancel_wait(t, NULL, ST_CANCELLED);
	return thread_state(t) == THREAD_STOPPED && !thread_is_loaded(t);
}

void thread_stop_without_sched(struct thread *t)
{
	spin_lock(&t->obj.lock);
	t->flags |= THREAD_NO_SCHED;
	thread_put(t, THREAD_STOPPED, &t->obj);
	spin_unlock(&t->obj.lock);
	/* It may have been given one since we looked. */
	atomic_thread_fence(memory_order_seq_cst);
	if (sched_of(t, NULL) != NULL)
		thread_retry_sched(t);
}

status_t thread_park(struct thread *self, uint64_t deadline)
{
	status_t st = ST_OK;

	spin_lock(&self->obj.lock);
	if (!(atomic_fetch_and(&self->flags, ~THREAD_UNPARKED) & THREAD_UNPARKED))
		st = deadline_passed(deadline) ? ST_DEADLINE : ST_BLOCKED;
	if (st == ST_BLOCKED)
		thread_wait(self, THREAD_PARKED, &self->obj, deadline);
	spin_unlock(&self->obj.lock);
	return st;
}

void thread_unpark(struct thread *t)
{
	bool parked = thread_state(t) == THREAD_PARKED;
	if (parked)
		thread_put(t, THREAD_MOVING, NULL);
	else
		t->flags |= THREAD_UNPARKED;
	spin_unlock(&t->obj.lock);
	if (parked)
		thread_complete(t, &(struct thread_result){ .status = ST_OK });
}

void thread_kick(struct thread *t)
{
	t->flags |= THREAD_KICKED;
	if (thread_state(t) == THREAD_RUNNING)
		cpu_resched(t->cpu);
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
	while (thread_is_loaded(to) && to->loaded_on != c->id) {
		tlb_serve();
		arch_cpu_relax();
	}
	to->loaded_on = c->id;
	arch_thread_load(&to->arch);
}

void thread_switch(struct cpu *c, struct thread *to)
{
	struct thread *from = c->current;

	if (LIKELY(from != NULL && to != NULL && to->loaded_on == c->id)) {
		arch_thread_switch(&from->arch, &to->arch);
		atomic_store_explicit(&c->current, to, memory_order_release);
	} else {
		switch_far(c, from, to);
	}
	struct aspace *as = to == NULL ? NULL : to->aspace;
	/* For one in guest mode see guest_resume. */
	if (LIKELY(as != NULL) && LIKELY(!arch_thread_in_guest(&to->arch)))
		pagetable_switch(&c->tables, &as->table, c->bit);
}

struct thread *thread_next(void)
{
	struct cpu *c = arch_this_cpu();

	c->resched = false; /* before it looks */
	struct thread *next = sched_pick();
	if (next != c->current) {
		cpu_count_up(&c->counters.switches);
		thread_switch(c, next);
	}
	return next;
}

void thread_exit_slow(void)
{
	struct cpu *c = arch_this_cpu();
	struct thread *t;

	do {
		if (UNLIKELY(c->reap)) {
			c->reap = false;
			(void)object_reap_some();
		}
		t = thread_next();
		if (t == NULL)
			cpu_idle(!c->resched && !object_reap_some());
	} while (t == NULL || c->resched);
	if (UNLIKELY(arch_thread_in_guest(&t->arch)) || (thread_flags(t) & THREAD_CUT_OFF))
		guest_resume(t);
	cpu_run_end(c);
	if (c->run.measured)
		c->resched = true;
}

/* ---- faults ---- */

#define FAULT_INFO (MSG_INFO(0, sizeof(struct msg_fault), 0) | MSG_FAULT)

/* Nobody waits for the report who could run here at once. `o`, if it is there, is locked. */
UNCHECKED_LOCKS __attribute__((noinline)) static void report(struct thread *self, struct object *o)
{
	self->call_info = FAULT_INFO;
	if (o == NULL ||
	    endpoint_call(container_of(o, struct endpoint, obj), self, TIMER_NEVER) != ST_BLOCKED) {
		self->flags &= ~THREAD_FAULTED;
		self->flags |= THREAD_SUSPENDED;
	}
	thread_blocked(self);
}

UNCHECKED_LOCKS void thread_fault(struct thread *self, const struct msg_fault *f)
{
	struct cpu *c = arch_this_cpu();

	cpu_count_up(&c->counters.faults);
	if (UNLIKELY(arch_thread_in_guest(&self->arch) || self->fix_up_to != 0) &&
	    guest_fault(self, f))
		return;
	/* The report travels in the kernel's own copy: the thread's block, if it has one, holds
	 * what the thread put there. */
	if (f != &self->fault)
		self->fault = *f;
	self->flags |= THREAD_FAULTED;
	/* As of any message, the badge is that of the capability: no holder chooses another. */
	struct cap_slot *to = &self->bound_fault.slot[self->bound_fault.at];
	struct object *o = cap_binding_lock(to);
	self->call_badge = atomic_load_explicit(&to->badge, memory_order_relaxed);
	struct endpoint *ep = container_of(o, struct endpoint, obj);
	if (UNLIKELY(o == NULL) || UNLIKELY(ep->servers == NULL) || !ipc_can_run(c, ep->servers)) {
		report(self, o);
		return;
	}
	struct thread *server = ep->servers;
	ipc_take_server(ep, server, THREAD_RUNNING);
	spin_unlock(&ep->obj.lock);
	struct msg_block *into = message_block(server);
	if (LIKELY(into != NULL))
		__builtin_memcpy(into->word, &self->fault, sizeof(self->fault));
	uint64_t info = into != NULL ? FAULT_INFO : MSG_FAULT;
	uint64_t number = reply_hold(c, server, self);
	cpu_count_up(&c->counters.fast[FAST_FAULT]);
	ipc_leave(c, self, server, (struct ipc_result){ info, self->call_badge, number });
}

/* SPDX-License-Identifier: MIT */
#include <core/ipc_fast.h>
#include <core/guest.h>
#include <core/message.h>
#include <core/notification.h>
#include <core/sched.h>
#include <core/syscall.h>

#define COLD __attribute__((noinline, cold)) static

/* The ordinary way, from the beginning. */
COLD void slow(struct thread *self, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2)
{
	uint64_t arg[ARCH_SYSCALL_ARGS] = { a0, a1, a2 };

	arch_syscall(self, number, arg);
}

/* The call that began here ends with an error. */
COLD void refuse(struct thread *self, status_t st)
{
	cpu_count_up(&arch_this_cpu()->counters.refused);
	arch_thread_result(&self->arch, st, 0, 0, 0);
	thread_exit_kernel();
}

/* `from`, whose place is written, leaves the CPU to `to`, which ran here last. */
ALWAYS_INLINE void hand_over(struct cpu *c, struct thread *from, struct thread *to)
{
	struct aspace *as = atomic_load_explicit(&to->aspace, memory_order_relaxed);

	pagetable_switch(&c->tables, &as->table, c->bit);
	arch_thread_switch(&from->arch, &to->arch);
	/* Another CPU may load `from` from here on. */
	atomic_store_explicit(&c->current, to, memory_order_release);
	if (UNLIKELY(arch_thread_in_guest(&to->arch)))
		guest_resume(to);
}

/* What `handle` of the running thread names. */
MUST_CHECK ALWAYS_INLINE bool find(const struct thread *self, cap_t handle, enum object_type type,
				   rights_t right, struct cap_ref *ref)
{
	const struct cspace *cs = atomic_load_explicit(&self->cspace, memory_order_relaxed);

	return LIKELY(cap_find(cs, handle, type, right, ref) == ST_OK);
}

/* The same, and locks it. */
MUST_CHECK ALWAYS_INLINE bool find_locked(const struct thread *self, cap_t handle,
					  enum object_type type, rights_t right,
					  struct cap_ref *ref)
{
	return find(self, handle, type, right, ref) && LIKELY(cap_ref_lock(ref) == ST_OK);
}

/* ---- call ---- */

/* The server, which was taken, learns that a message did not fit into its space. */
COLD void call_fails(struct endpoint *ep, struct thread *self, struct thread *server, status_t st)
{
	status_t told = endpoint_undelivered(ep, server, st);

	thread_complete(server, &(struct thread_result){ .status = told });
	refuse(self, st);
}

ALWAYS_INLINE void take_server(struct endpoint *ep, struct thread *server) RELEASES(ep->obj.lock)
{
	ipc_take_server(ep, server, THREAD_RUNNING);
	spin_unlock(&ep->obj.lock);
}

UNCHECKED_LOCKS void ipc_call(cap_t handle, uint64_t info, uint64_t deadline)
{
	struct cpu *c = arch_this_cpu();
	struct thread *self = atomic_load_explicit(&c->current, memory_order_relaxed);
	const struct msg_block *block;
	struct cap_ref ref UNINITIALIZED;

	if (UNLIKELY(deadline != TIMER_NEVER)) {
		slow(self, SYS_endpoint_call, handle, info, deadline);
		return;
	}
	if (!find_locked(self, handle, OBJ_ENDPOINT, RIGHT_CALL, &ref))
		goto slow;
	struct endpoint *ep = container_of(ref.object, struct endpoint, obj);
	struct thread *server = ep->servers;
	if (UNLIKELY(server == NULL) || !ipc_can_run(c, server))
		goto unlock;
	if ((uint32_t)info == 0) {
		take_server(ep, server);
	} else if ((block = message_plain(self, info)) != NULL) {
		take_server(ep, server);
		info = message_copy(block->word, server, info);
	} else {
		info &= ~(uint64_t)MSG_FLAGS;
		if (message_check(self, info) != ST_OK)
			goto unlock;
		take_server(ep, server);
		struct message_carried m = message_carry(self, server, info);
		if (UNLIKELY(m.status != ST_OK)) {
			call_fails(ep, self, server, m.status);
			return;
		}
		info = m.info;
	}
	cpu_count_up(&c->counters.fast[FAST_CALL]);
	uint64_t number = reply_hold(c, server, self);
	ipc_leave(c, self, server, (struct ipc_result){ info, ref.badge, number });
	return;
unlock:
	spin_unlock(&ep->obj.lock);
slow:
	slow(self, SYS_endpoint_call, handle, info, TIMER_NEVER);
}

/* ---- answer and receive ---- */

/* Takes the caller off the running thread's hand if it can run at once: since its call this CPU
 * has chosen nobody, so what it charges is what the caller ran on. */
ALWAYS_INLINE struct thread *take_caller(const struct cpu *c, struct thread *self, uint32_t flags)
{
	spin_lock(&self->obj.lock);
	struct thread *caller = atomic_load_explicit(&self->reply.caller, memory_order_relaxed);
	if (UNLIKELY(caller == NULL) || UNLIKELY(self->reply.number <= c->epoch) ||
	    UNLIKELY((thread_hot(caller) ^ flags) != c->hot)) {
		spin_unlock(&self->obj.lock);
		return NULL;
	}
	atomic_store_explicit(&self->reply.caller, NULL, memory_order_relaxed);
	thread_put(caller, THREAD_RUNNING, NULL);
	spin_unlock(&self->obj.lock);
	return caller;
}

/* The running thread waits at the endpoint. False: something is there already, or it is not the
 * one that calls were expected to go to. */
ALWAYS_INLINE bool wait_again(struct thread *self, const struct cap_ref *ref)
{
	struct endpoint *ep = container_of(ref->object, struct endpoint, obj);

	spin_lock(&ep->obj.lock);
	/* The holder's `serving` is right, and with no callers nobody helps it. */
	if (UNLIKELY(!cap_still(ref)) || UNLIKELY(ep->holder != self) ||
	    UNLIKELY(ep->callers.root != NULL)) {
		spin_unlock(&ep->obj.lock);
		return false;
	}
	endpoint_push_server(ep, self);
	thread_put(self, THREAD_RECEIVING, &ep->obj);
	if (UNLIKELY(atomic_load_explicit(&self->notification, memory_order_relaxed) != NULL) &&
	    notification_is_pending(self)) {
		endpoint_forget_server(ep, self);
		thread_put(self, THREAD_RUNNING, NULL);
		spin_unlock(&ep->obj.lock);
		return false;
	}
	spin_unlock(&ep->obj.lock);
	return true;
}

/* The answer is out, and what is left of the system call is to receive. */
COLD void answered(struct thread *self, struct thread *caller, uint64_t info, cap_t handle)
{
	thread_complete(caller, &(struct thread_result){ .status = ST_OK, .info = info });
	slow(self, SYS_endpoint_receive, handle, TIMER_NEVER, 0);
}

/* The answer did not fit into the caller's space. */
COLD void answer_fails(struct thread *self, struct thread *caller, status_t st)
{
	reply_put_again(&self->obj, NULL, caller);
	refuse(self, st);
}

/* The running thread, which has nobody in hand to whom the way is short, may have one that
 * faulted: that thread is given nothing, and goes on where it was. */
__attribute__((noinline)) static void answer_fault(cap_t handle, uint64_t info, struct thread *self,
						   struct cap_slot *slot, uint64_t token)
{
	const struct cap_ref ref = { .object = object_at(token_object(token)),
				     .slot = slot,
				     .token = token,
				     .gen = (uint32_t)(handle >> 32) };
	struct cpu *c = arch_this_cpu();
	struct thread *caller = NULL;

	if (MSG_METHOD(info) == FAULT_RETRY && (uint32_t)info == 0)
		caller = take_caller(c, self, THREAD_FAULTED);
	if (UNLIKELY(caller == NULL)) {
		slow(self, SYS_endpoint_reply_receive, handle, info, TIMER_NEVER);
	} else if (UNLIKELY(!wait_again(self, &ref))) {
		answered(self, caller, info, handle);
	} else {
		atomic_fetch_and(&caller->flags, ~THREAD_FAULTED);
		cpu_count_up(&c->counters.fast[FAST_REPLY]);
		hand_over(c, self, caller);
	}
}

void ipc_reply_receive(cap_t handle, uint64_t info, uint64_t deadline)
{
	struct cpu *c = arch_this_cpu();
	struct thread *self = atomic_load_explicit(&c->current, memory_order_relaxed);
	struct thread *caller = NULL;
	const struct msg_block *block;
	struct cap_ref ref UNINITIALIZED;

	if (UNLIKELY(deadline != TIMER_NEVER)) {
		slow(self, SYS_endpoint_reply_receive, handle, info, deadline);
		return;
	}
	if (!find(self, handle, OBJ_ENDPOINT, RIGHT_RECEIVE, &ref)) {
		slow(self, SYS_endpoint_reply_receive, handle, info, TIMER_NEVER);
		return;
	}
	if ((uint32_t)info == 0) {
		caller = take_caller(c, self, 0);
		if (UNLIKELY(caller == NULL))
			goto fault;
	} else if ((block = message_plain(self, info)) != NULL) {
		caller = take_caller(c, self, 0);
		if (UNLIKELY(caller == NULL))
			goto fault;
		info = message_copy(block->word, caller, info);
	} else {
		info &= ~(uint64_t)MSG_FLAGS;
		if (message_check(self, info) == ST_OK)
			caller = take_caller(c, self, 0);
		if (UNLIKELY(caller == NULL))
			goto fault;
		struct message_carried m = message_carry(self, caller, info);
		if (UNLIKELY(m.status != ST_OK)) {
			answer_fails(self, caller, m.status);
			return;
		}
		info = m.info;
	}
	if (UNLIKELY(!wait_again(self, &ref))) {
		answered(self, caller, info, handle);
		return;
	}
	cpu_count_up(&c->counters.fast[FAST_REPLY]);
	ipc_leave(c, self, caller, (struct ipc_result){ info, 0, 0 });
	return;
fault:
	answer_fault(handle, info, self, ref.slot, ref.token);
}

/* ---- signal ---- */

/* `t` of the part that is charged runs next (THREAD_RUNNING). */
ALWAYS_INLINE void begin(struct cpu *c, struct run_queue *rq, struct thread *t, int priority)
	RELEASES(rq->lock)
{
	atomic_store_explicit(&rq->priority, priority, memory_order_relaxed);
	rq->debtor = 0;
	thread_put(t, THREAD_RUNNING, NULL);
	spin_unlock(&rq->lock);
	c->epoch = c->call_number;
}

/* `t`, which is about to be taken out of its wait, runs next (THREAD_RUNNING), and the running
 * thread `self` is ready, if `t` is more urgent than all that is ready here. False: it takes more;
 * nothing has changed. */
UNCHECKED_LOCKS ALWAYS_INLINE bool preempt(struct cpu *c, struct thread *self, struct thread *t)
{
	const struct sched *s = t->home;
	struct run_queue *rq = c->run_queue;

	if (UNLIKELY(s == NULL) || UNLIKELY(sched_serves(t)) ||
	    UNLIKELY((s->budget | t->debtor) != 0))
		return false;
	struct sched_part *p = s->part[c->id];
	int priority = (int)sched_priority(s);
	spin_lock(&rq->lock);
	struct sched_part *was = rq->running;
	thread_put(self, THREAD_MOVING, NULL);
	atomic_thread_fence(memory_order_seq_cst); /* see sched_refresh */
	if (UNLIKELY(priority <= rq->priority) || UNLIKELY(!(s->cpus & c->bit)) ||
	    UNLIKELY(((uintptr_t)p->ready[0].head | (uintptr_t)p->ready[1].head) != 0) ||
	    UNLIKELY(p == rq->aside) || UNLIKELY(sched_of(self, NULL) != was->sched)) {
		thread_put(self, THREAD_RUNNING, NULL);
		spin_unlock(&rq->lock);
		return false;
	}
	rq_charge(rq, was);
	part_catch_up(rq, p);
	rq_begin(rq, p);
	part_push(rq, was, self, true);
	if (LIKELY(rq->aside == NULL))
		rq->aside = was;
	else
		part_enter(rq, was);
	begin(c, rq, t, priority);
	if (UNLIKELY(was->sched->cpus != c->bit))
		sched_move_away(self, c->id);
	return true;
}

UNCHECKED_LOCKS void ipc_signal(cap_t handle, uint64_t bits)
{
	struct cpu *c = arch_this_cpu();
	struct thread *self = atomic_load_explicit(&c->current, memory_order_relaxed);
	struct cap_ref ref UNINITIALIZED;

	if (!find_locked(self, handle, OBJ_NOTIFICATION, RIGHT_SIGNAL, &ref))
		goto slow;
	struct notification *n = container_of(ref.object, struct notification, obj);
	uint64_t allowed = ref.badge != 0 ? bits & ref.badge : bits;
	struct thread *t = n->waiters.head;
	if (UNLIKELY(allowed == 0) || UNLIKELY(n->bound != NULL))
		goto unlock;
	if (t == NULL) {
		atomic_fetch_or(&n->bits, allowed);
	} else {
		if (!ipc_can_run(c, t) || !preempt(c, self, t))
			goto unlock;
		thread_queue_remove(&n->waiters, t);
	}
	spin_unlock(&n->obj.lock);
	cpu_count_up(&c->counters.fast[FAST_SIGNAL]);
	if (t == NULL) {
		arch_thread_leave(self, 0, 0, 0);
	} else {
		arch_thread_result(&self->arch, ST_OK, 0, 0, 0);
		ipc_leave(c, self, t, (struct ipc_result){ MSG_NOTIFICATION, allowed, 0 });
	}
	return;
unlock:
	spin_unlock(&n->obj.lock);
slow:
	slow(self, SYS_notification_signal, handle, bits, 0);
}

/* ---- wait and yield ---- */

/* True if `t` of `p` can run here at once, and nobody is as urgent. What changes for them and is
 * not seen here makes this CPU look again. */
ALWAYS_INLINE bool is_simple(const struct cpu *c, const struct sched_part *p,
			     const struct thread *t)
{
	const struct run_queue *rq = c->run_queue;

	return LIKELY(!c->resched) && LIKELY(p->ready[true].head == NULL) &&
	       LIKELY(level_top(rq) < (int)sched_priority(p->sched)) &&
	       LIKELY((rq->debtor | t->debtor) == 0) && LIKELY(thread_hot(t) == c->hot) &&
	       LIKELY(t->loaded_on == c->id);
}

/* The running thread, which waits, gives the CPU back to the only one of the part that gave way to
 * it (THREAD_RUNNING). NULL: it takes more; nothing has changed. */
UNCHECKED_LOCKS ALWAYS_INLINE struct thread *give_back(struct cpu *c)
{
	struct run_queue *rq = c->run_queue;
	struct sched_part *was = rq->running, *p = rq->aside;

	spin_lock(&rq->lock);
	struct thread *t = p->ready[false].head;
	if (UNLIKELY(t == NULL) || UNLIKELY(t->next != t) || UNLIKELY(part_first(was) != NULL) ||
	    UNLIKELY(p->sched->budget != 0) || UNLIKELY(!is_simple(c, p, t))) {
		spin_unlock(&rq->lock);
		return NULL;
	}
	rq_charge(rq, was);
	was->turn = 0;
	rq_begin(rq, p);
	rq->aside = NULL;
	p->ready[false].head = NULL;
	p->guest_next = true;
	atomic_store_explicit(&rq->ready, rq->ready - 1, memory_order_relaxed);
	begin(c, rq, t, (int)sched_priority(p->sched));
	return t;
}

UNCHECKED_LOCKS void ipc_wait(cap_t handle, uint64_t deadline)
{
	struct cpu *c = arch_this_cpu();
	struct thread *self = atomic_load_explicit(&c->current, memory_order_relaxed);
	struct thread *next = NULL;
	struct cap_ref ref UNINITIALIZED;

	if (!find_locked(self, handle, OBJ_NOTIFICATION, RIGHT_WAIT, &ref))
		goto slow;
	struct notification *n = container_of(ref.object, struct notification, obj);
	uint64_t bits = notification_take(n);
	if (bits == 0 && deadline == TIMER_NEVER && c->run_queue->aside != NULL &&
	    (next = give_back(c)) != NULL) {
		thread_queue_push(&n->waiters, self);
		thread_put(self, THREAD_WAITING, &n->obj);
	}
	spin_unlock(&n->obj.lock);
	if (bits == 0 && deadline != 0 && next == NULL)
		goto slow;
	cpu_count_up(&c->counters.fast[FAST_WAIT]);
	if (next != NULL)
		hand_over(c, self, next);
	else if (bits == 0)
		refuse(self, ST_WOULD_BLOCK);
	else
		arch_thread_leave(self, MSG_NOTIFICATION, bits, 0);
	return;
slow:
	slow(self, SYS_notification_wait, handle, deadline, 0);
}

/* The thread that runs next (THREAD_RUNNING), which is the next on the sched of the running thread
 * `self`, or `self` if there is nobody else. NULL: it takes more; nothing has changed. */
UNCHECKED_LOCKS ALWAYS_INLINE struct thread *take_turn(struct cpu *c, struct thread *self)
{
	struct run_queue *rq = c->run_queue;

	spin_lock(&rq->lock);
	struct sched_part *p = rq->running;
	struct thread_queue *q = &p->ready[false];
	struct thread *next = q->head != NULL ? q->head : self;
	thread_put(self, THREAD_MOVING, NULL);
	atomic_thread_fence(memory_order_seq_cst); /* see sched_refresh */
	bool simple = is_simple(c, p, next) && LIKELY(self->home == p->sched) &&
		      LIKELY(!sched_serves(self));
	if (LIKELY(simple && next != self)) {
		thread_queue_remove(q, next);
		thread_queue_push(q, self);
		self->in_guests = false;
		p->new_turn = true;
		thread_put(self, THREAD_READY, &p->obj);
		self = next;
	}
	thread_put(self, THREAD_RUNNING, NULL);
	spin_unlock(&rq->lock);
	return LIKELY(simple) ? next : NULL;
}

void ipc_yield(cap_t handle)
{
	struct cpu *c = arch_this_cpu();
	struct thread *self = atomic_load_explicit(&c->current, memory_order_relaxed);
	struct thread *next = NULL;
	struct cap_ref ref UNINITIALIZED;

	if (find(self, handle, OBJ_THREAD, RIGHT_CONTROL, &ref) && ref.object == &self->obj)
		next = take_turn(c, self);
	if (next == NULL) {
		slow(self, SYS_thread_yield, handle, 0, 0);
		return;
	}
	cpu_count_up(&c->counters.fast[FAST_YIELD]);
	arch_thread_result(&self->arch, ST_OK, 0, 0, 0);
	if (next != self)
		hand_over(c, self, next);
}

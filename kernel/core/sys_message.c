/* SPDX-License-Identifier: MIT */
/* Calls on endpoints, replies, notifications and timers. */
#include <core/endpoint.h>
#include <core/notification.h>
#include <core/sys_cap.h>
#include <core/timer_object.h>

/* A new object that is as it should be when it is zero. */
static status_t create(struct syscall *c, enum object_type type)
{
	struct object *o = object_create(sys_payer(c), type);

	return o == NULL ? ST_NO_MEMORY : sys_publish(c, o);
}

static struct endpoint *endpoint_of(const struct syscall *c)
{
	return container_of(c->cap[0].object, struct endpoint, obj);
}

static uint64_t info_of(uint64_t arg)
{
	return arg & ~(uint64_t)MSG_FLAGS;
}

/* ---- endpoints ---- */

status_t sys_endpoint_create(struct syscall *c)
{
	return create(c, OBJ_ENDPOINT);
}

UNCHECKED_LOCKS status_t sys_endpoint_call(struct syscall *c)
{
	c->self->call_info = info_of(c->arg[1]);
	c->self->call_badge = c->cap[0].badge;
	return endpoint_call(endpoint_of(c), c->self, c->arg[2]);
}

UNCHECKED_LOCKS static status_t receive(struct syscall *c, uint64_t deadline,
					struct thread **answered)
{
	endpoint_come_back(c->self);
	status_t st = cap_ref_lock(&c->cap[0]);
	if (st != ST_OK)
		return st;
	if (*answered != NULL && endpoint_of(c)->callers.root != NULL) {
		thread_settle(*answered);
		*answered = NULL;
	}
	return endpoint_receive(endpoint_of(c), c->self, deadline);
}

status_t sys_endpoint_receive(struct syscall *c)
{
	return receive(c, c->arg[1], &(struct thread *){ NULL });
}

status_t sys_endpoint_reply(struct syscall *c)
{
	struct thread *caller;
	struct answer a = { .info = info_of(c->arg[1]) };

	if (c->cap[0].object != &c->self->obj)
		return ST_BAD_ARG;
	status_t st = reply_answer(&c->self->obj, c->self, &a, &caller);
	if (st == ST_OK) {
		thread_settle(caller);
		endpoint_lent_back(c->self);
	}
	return st;
}

status_t sys_endpoint_reply_receive(struct syscall *c)
{
	struct thread *caller = NULL;
	struct answer a = { .info = info_of(c->arg[1]) };
	status_t st = reply_answer(&c->self->obj, c->self, &a, &caller);

	/* Who has nobody to answer to just receives. */
	if (st != ST_OK && st != ST_PEER_GONE)
		return st;
	st = receive(c, c->arg[2], &caller);
	if (caller != NULL && st == ST_BLOCKED)
		thread_run(caller);
	else if (caller != NULL)
		thread_settle(caller);
	return st;
}

/* ---- replies ---- */

status_t sys_reply_create(struct syscall *c)
{
	return create(c, OBJ_REPLY);
}

UNCHECKED_LOCKS status_t sys_reply_save(struct syscall *c)
{
	struct reply *r = container_of(c->cap[0].object, struct reply, obj);
	status_t st = reply_save(r, c->self, &c->out[0]);

	spin_unlock(&r->obj.lock);
	if (st == ST_OK)
		endpoint_lent_back(c->self);
	return st;
}

status_t sys_reply_send(struct syscall *c)
{
	struct thread *caller;
	struct answer a = {
		.by = &c->cap[0],
		.info = info_of(c->arg[1]),
		.number = c->arg[2],
	};
	status_t st =
		a.number == 0 ? ST_BAD_ARG : reply_answer(c->cap[0].object, c->self, &a, &caller);

	if (st == ST_OK)
		thread_settle(caller);
	return st;
}

/* ---- notifications and timers ---- */

status_t sys_notification_create(struct syscall *c)
{
	return create(c, OBJ_NOTIFICATION);
}

UNCHECKED_LOCKS status_t sys_notification_signal(struct syscall *c)
{
	struct notification *n = container_of(c->cap[0].object, struct notification, obj);
	uint64_t bits = c->arg[1];

	if (c->cap[0].badge != 0)
		bits &= c->cap[0].badge;
	if (bits == 0) {
		spin_unlock(&n->obj.lock);
		return ST_BAD_ARG;
	}
	notification_signal(n, bits);
	return ST_OK;
}

UNCHECKED_LOCKS status_t sys_notification_wait(struct syscall *c)
{
	struct notification *n = container_of(c->cap[0].object, struct notification, obj);

	return notification_wait(n, c->self, c->arg[1]);
}

status_t sys_timer_create(struct syscall *c)
{
	struct timer_object *t;
	status_t st = timer_create(sys_payer(c), &c->cap[1], c->arg[2], &t);

	return st != ST_OK ? st : sys_publish(c, &t->obj);
}

UNCHECKED_LOCKS status_t sys_timer_arm(struct syscall *c)
{
	return timer_arm(container_of(c->cap[0].object, struct timer_object, obj), c->arg[1],
			 c->arg[2]);
}

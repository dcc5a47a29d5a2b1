/* SPDX-License-Identifier: MIT */
#include <core/timer_object.h>
#include <core/grace.h>
#include <core/notification.h>
#include <core/quota.h>

UNCHECKED_LOCKS static void timer_fire(struct ktimer *timer)
{
	struct timer_object *t = container_of(timer, struct timer_object, timer);
	uint64_t now = time_now();

	spin_lock(&t->obj.lock);
	/* It may have been armed anew, or disarmed, since this one's turn came. */
	bool due = t->deadline <= now;
	if (due && t->every != 0) {
		(void)timer_cancel(&t->timer);
		t->deadline += (1 + (now - t->deadline) / t->every) * t->every;
		timer_set(&t->timer, t->deadline, timer_fire);
	} else if (due) {
		t->deadline = TIMER_NEVER;
	}
	spin_unlock(&t->obj.lock);
	struct object *o = due ? cap_binding_lock(&t->bound) : NULL;
	if (o != NULL)
		notification_signal(container_of(o, struct notification, obj), t->bits);
}

static void disarm(struct timer_object *t)
{
	spin_lock(&t->obj.lock);
	t->deadline = TIMER_NEVER;
	(void)timer_cancel(&t->timer);
	spin_unlock(&t->obj.lock);
}

status_t timer_create(struct quota *q, const struct cap_ref *notification, uint64_t bits,
		      struct timer_object **out)
{
	if (notification->badge != 0)
		bits &= notification->badge;
	if (bits == 0)
		return ST_BAD_ARG;
	struct object *o = object_create(q, OBJ_TIMER);
	if (o == NULL)
		return ST_NO_MEMORY;
	struct timer_object *t = container_of(o, struct timer_object, obj);
	t->bits = bits;
	t->deadline = TIMER_NEVER;
	status_t st = cap_bind(notification, o, o->gen, BIND_TIMER_NOTIFICATION, &t->bound);
	if (st != ST_OK) {
		object_discard(o);
		return st;
	}
	*out = t;
	return ST_OK;
}

status_t timer_arm(struct timer_object *t, uint64_t deadline, uint64_t every)
{
	if (every != 0 && (every < TIMER_PERIOD_MIN_NS || every > TIMER_PERIOD_MAX_NS))
		return ST_BAD_ARG;
	if (t->bound.token == 0)
		return ST_PEER_GONE;
	(void)timer_cancel(&t->timer);
	t->deadline = deadline;
	t->every = every;
	if (deadline != TIMER_NEVER)
		timer_set(&t->timer, deadline, timer_fire);
	return ST_OK;
}

cap_cut_fn timer_cut;
bool timer_cut(struct cap_slot *binding)
{
	disarm(container_of(binding, struct timer_object, bound));
	return true;
}

static bool timer_close(struct object *o)
{
	struct timer_object *t = container_of(o, struct timer_object, obj);

	disarm(t);
	if (!cap_unbind(&t->bound))
		return false;
	return (o->flags & OBJECT_NEW) || grace_passed(&t->ticket);
}

const struct object_ops timer_ops = OBJECT_OPS("timer", struct timer_object, LOCK_IPC, timer_close);

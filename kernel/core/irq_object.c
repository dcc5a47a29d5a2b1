/* SPDX-License-Identifier: MIT */
#include <core/irq_object.h>
#include <abi/device.h>
#include <core/grace.h>
#include <core/notification.h>
#include <core/quota.h>
#include <core/syscall.h>

static struct irq_object *irq_of(struct object *o)
{
	return container_of(o, struct irq_object, obj);
}

/* ---- the interrupt ---- */

static void tell(struct irq_object *i, uint64_t bits) UNCHECKED_LOCKS
{
	struct object *o = cap_binding_lock(&i->bound);

	if (o != NULL)
		notification_signal(container_of(o, struct notification, obj), bits);
}

UNCHECKED_LOCKS static void fire(struct arch_irq *irq)
{
	struct irq_object *i = container_of(irq, struct irq_object, irq);

	spin_lock(&i->obj.lock);
	bool first = i->armed && !i->waiting;
	i->again = i->waiting;
	i->waiting = i->armed;
	uint64_t bits = i->bits;
	spin_unlock(&i->obj.lock);
	if (first)
		tell(i, bits);
}

UNCHECKED_LOCKS status_t irq_object_ack(const struct cap_ref *ref)
{
	struct irq_object *i = irq_of(ref->object);

	status_t st = cap_ref_lock(ref);
	if (st != ST_OK)
		return st;
	if (!i->waiting) {
		spin_unlock(&i->obj.lock);
		return ST_BAD_STATE;
	}
	bool again = i->again;
	uint64_t bits = i->bits;
	i->again = false;
	i->waiting = again;
	arch_irq_ack(&i->irq);
	spin_unlock(&i->obj.lock);
	if (again)
		tell(i, bits);
	return ST_OK;
}

/* ---- binding ---- */

UNCHECKED_LOCKS status_t irq_object_bind(const struct cap_ref *ref,
					 const struct cap_ref *notification, uint64_t bits)
{
	struct irq_object *i = irq_of(ref->object);

	if (notification->badge != 0)
		bits &= notification->badge;
	if (bits == 0)
		return ST_BAD_ARG;
	status_t st = cap_bind(notification, &i->obj, token_gen(ref->token), BIND_IRQ_NOTIFICATION,
			       &i->bound);
	if (st == ST_LATER)
		return i->armed ? ST_EXISTS : ST_LATER;
	if (st != ST_OK)
		return st;
	st = cap_ref_lock(ref);
	if (st != ST_OK)
		return cap_unbind(&i->bound) ? st : ST_LATER;
	i->bits = bits;
	i->armed = true;
	i->waiting = i->again = false;
	arch_irq_unmask(&i->irq);
	spin_unlock(&i->obj.lock);
	return ST_OK;
}

/* The notification's capability is gone: the device is silenced. */
bool irq_cut(struct cap_slot *binding)
{
	struct irq_object *i = container_of(binding, struct irq_object, bound);

	spin_lock(&i->obj.lock);
	i->armed = i->waiting = i->again = false;
	arch_irq_mask(&i->irq);
	spin_unlock(&i->obj.lock);
	return true;
}

/* ---- life ---- */

static bool irq_close(struct object *o)
{
	struct irq_object *i = irq_of(o);

	if (!cap_unbind(&i->bound))
		return false;
	if (i->ticket == 0)
		arch_irq_disconnect(&i->irq);
	/* What is half made has never interrupted. */
	return (o->flags & OBJECT_NEW) || grace_passed(&i->ticket);
}

const struct object_ops irq_ops = {
	.name = "irq",
	.size = ALIGN_UP(sizeof(struct irq_object), OBJECT_GRANULE),
	.rank = LOCK_IPC,
	.close = irq_close,
};

status_t irq_object_create(struct quota *q, const struct arch_irq_source *source,
			   struct irq_object **out)
{
	struct object *o = object_create(q, OBJ_IRQ);

	if (o == NULL)
		return ST_NO_MEMORY;
	struct irq_object *i = irq_of(o);
	status_t st = arch_irq_connect(&i->irq, source, fire);
	if (st != ST_OK) {
		object_discard(o);
		return st;
	}
	*out = i;
	return ST_OK;
}

/* ---- system calls ---- */

syscall_fn sys_irq_create, sys_irq_bind, sys_irq_ack;

static status_t source_read(uint64_t word, uint64_t cpu, struct arch_irq_source *out)
{
	if ((word & ~IRQ_ALL_BITS) || cpu >= CPU_MAX)
		return ST_BAD_ARG;
	if ((word & IRQ_MESSAGE) && word != IRQ_MESSAGE)
		return ST_BAD_ARG;
	*out = (struct arch_irq_source){
		.message = word & IRQ_MESSAGE,
		.level = word & IRQ_LEVEL,
		.low = word & IRQ_LOW,
		.line = (uint32_t)word,
		.cpu = (uint32_t)cpu,
	};
	return ST_OK;
}

/* out 0: the handle; out 1 and 2, for messages: the address to write to, and what. */
status_t sys_irq_create(struct syscall *c)
{
	const rights_t rights = RIGHT_BIND | RIGHT_COPY | RIGHT_SEND | RIGHT_REVOKE | RIGHT_DESTROY;
	struct arch_irq_source source;
	struct irq_object *i;
	uint32_t data = 0;

	status_t st = source_read(c->arg[2], c->arg[3], &source);
	if (st == ST_OK)
		st = irq_object_create(container_of(c->cap[0].object, struct quota, obj), &source,
				       &i);
	if (st != ST_OK)
		return st;
	if (source.message)
		st = arch_irq_message(&i->irq, source.cpu, &c->out[1], &data);
	if (st == ST_OK)
		st = cap_insert(c->self->cspace, &i->obj, rights, 0, &c->out[0]);
	if (st != ST_OK)
		object_discard(&i->obj);
	c->out[2] = data;
	return st;
}

status_t sys_irq_bind(struct syscall *c)
{
	return irq_object_bind(&c->cap[0], &c->cap[1], c->arg[2]);
}

status_t sys_irq_ack(struct syscall *c)
{
	return irq_object_ack(&c->cap[0]);
}

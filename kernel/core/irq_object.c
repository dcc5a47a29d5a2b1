/* SPDX-License-Identifier: MIT */
/* kernel/core/irq_object.c - interrupts of devices, for drivers.
 *
 * Life    made for one source, which nobody else can have then; dies as every object does,
 *         one grace period after the source was disconnected.
 * Owns    the way from the source to one CPU, and a binding to a notification.
 * Locks   obj.lock (rank LOCK_IPC), taken by the interrupt too. It is let go before the
 *         notification, of the same rank, is locked.
 * Blocks  never.
 *
 * An interrupt signals once, and then not again until it was acknowledged: a level-triggered
 * line stays masked, of others one more is remembered. Without a notification (not bound yet, or
 * its binding was cut) a line is masked, and a message is forgotten.
 */
#include <abi/device.h>
#include <core/grace.h>
#include <core/notification.h>
#include <core/sys_cap.h>

struct irq_object {
	struct object obj;     /* first */
	struct cap_slot bound; /* see BIND_IRQ_NOTIFICATION */

	/* Guarded by obj.lock. */
	uint64_t bits;   /* what it signals */
	bool armed;      /* there is a notification */
	bool waiting;    /* for the acknowledgement */
	bool again;      /* there was another one meanwhile */
	uint64_t ticket; /* of close: 0, not drawn */
	struct arch_irq irq;
};

static struct irq_object *irq_of(struct object *o)
{
	return container_of(o, struct irq_object, obj);
}

/* Signals, unless `first` is false, and lets the irq's lock go. */
static void unlock_and_tell(struct irq_object *i, bool first) UNCHECKED_LOCKS
{
	uint64_t bits = i->bits;

	spin_unlock(&i->obj.lock);
	struct object *o = first ? cap_binding_lock(&i->bound) : NULL;
	if (o != NULL)
		notification_signal(container_of(o, struct notification, obj), bits);
}

/* The interrupt. */
UNCHECKED_LOCKS static void fire(struct arch_irq *irq)
{
	struct irq_object *i = container_of(irq, struct irq_object, irq);

	spin_lock(&i->obj.lock);
	bool first = i->armed && !i->waiting;
	i->again = i->waiting;
	i->waiting = i->armed;
	unlock_and_tell(i, first);
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

const struct object_ops irq_ops = OBJECT_OPS("irq", struct irq_object, LOCK_IPC, irq_close);

/* ---- system calls ---- */

/* As from arch_irq_connect, and ST_NO_MEMORY. out 0: the handle; out 1 and 2, for messages:
 * the address to write to, and what. */
status_t sys_irq_create(struct syscall *c)
{
	const uint64_t word = c->arg[2], cpu = c->arg[3];
	const struct arch_irq_source source = {
		.message = word & IRQ_MESSAGE,
		.level = word & IRQ_LEVEL,
		.low = word & IRQ_LOW,
		.line = (uint32_t)word,
		.cpu = (uint32_t)cpu,
	};
	uint32_t data = 0;

	if ((word & ~IRQ_ALL_BITS) || (source.message && word != IRQ_MESSAGE) || cpu >= CPU_MAX)
		return ST_BAD_ARG;
	struct object *o = object_create(sys_payer(c), OBJ_IRQ);
	if (o == NULL)
		return ST_NO_MEMORY;
	struct arch_irq *irq = &irq_of(o)->irq;
	status_t st = arch_irq_connect(irq, &source, fire);
	if (st == ST_OK && source.message)
		st = arch_irq_message(irq, source.cpu, &c->out[1], &data);
	if (st != ST_OK) {
		object_discard(o);
		return st;
	}
	c->out[2] = data;
	return sys_publish(c, o);
}

/* From now on it signals these bits, or those of them that the capability's badge allows:
 * ST_BAD_ARG if that is none; ST_EXISTS: it is bound already; as from cap_bind. */
UNCHECKED_LOCKS status_t sys_irq_bind(struct syscall *c)
{
	const struct cap_ref *ref = &c->cap[0], *to = &c->cap[1];
	struct irq_object *i = irq_of(ref->object);
	uint64_t bits = c->arg[2] & (to->badge != 0 ? to->badge : UINT64_MAX);

	if (bits == 0)
		return ST_BAD_ARG;
	status_t st = cap_ref_lock(ref);
	if (st != ST_OK)
		return st;
	bool armed = i->armed;
	spin_unlock(&i->obj.lock);
	if (armed)
		return ST_EXISTS;
	st = cap_bind(to, &i->obj, token_gen(ref->token), BIND_IRQ_NOTIFICATION, &i->bound);
	if (st != ST_OK)
		return st;
	st = cap_ref_lock(ref);
	if (st != ST_OK)
		return cap_unbind(&i->bound) ? st : ST_LATER;
	/* If it was cut by now, irq_cut may have been here before; else it comes after us. */
	i->armed = atomic_load_explicit(&i->bound.token, memory_order_acquire) != 0;
	i->bits = bits;
	if (i->armed)
		arch_irq_unmask(&i->irq);
	st = i->armed ? ST_OK : ST_BAD_CAP;
	spin_unlock(&i->obj.lock);
	return st;
}

/* The driver has served the device. ST_BAD_STATE: it has not been told of an interrupt. */
UNCHECKED_LOCKS status_t sys_irq_ack(struct syscall *c)
{
	struct irq_object *i = irq_of(c->cap[0].object);
	bool waiting = i->waiting, again = i->again;

	i->waiting = again;
	i->again = false;
	if (waiting)
		arch_irq_ack(&i->irq);
	unlock_and_tell(i, again);
	return waiting ? ST_OK : ST_BAD_STATE;
}

/* SPDX-License-Identifier: MIT */
/* kernel/core/irq_object.h - interrupts of devices, for drivers.
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
#pragma once
#include <core/cap.h>

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

extern const struct object_ops irq_ops;

/* As from arch_irq_connect, and ST_NO_MEMORY. */
status_t irq_object_create(struct quota *q, const struct arch_irq_source *source,
			   struct irq_object **out) MUST_CHECK;

/* From now on it signals `bits`, or those of them that the capability's badge allows:
 * ST_BAD_ARG if that is none; ST_EXISTS: it is bound already; as from cap_bind. */
status_t irq_object_bind(const struct cap_ref *irq, const struct cap_ref *notification,
			 uint64_t bits) MUST_CHECK;

/* The driver has served the device. ST_BAD_STATE: it has not been told of an interrupt. */
status_t irq_object_ack(const struct cap_ref *irq) MUST_CHECK;

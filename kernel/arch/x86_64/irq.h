/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/irq.h - interrupts, from a vector to who wants it.
 *
 * The plan of the 256 vectors, the same on every CPU:
 *     0-31    exceptions (trap.h)
 *    32-47    where the masked 8259s would show up; nobody owns them
 *    48-239   devices: lines of I/O APICs, and MSI
 *   240-255   interprocessor interrupts, the timer, errors
 * A higher number is served first when several wait.
 *
 * Life    a struct arch_irq (port.h) is part of its owner. After irq_free no CPU begins
 *         to run its function, but one may be inside: the structure stays
 *         readable until every CPU has been outside the kernel once.
 * Locks   rank LOCK_IRQ: one for changes of the table (who serves an interrupt
 *         reads it without), and one for each I/O APIC.
 *
 * An interrupt is acknowledged at the local APIC before its function runs, so
 * the function need not return. A level-triggered line is masked before that,
 * or it would interrupt again at once, until arch_irq_ack.
 */
#pragma once
#include <arch/arch.h>
#include <stdatomic.h>

#define IRQ_VECTOR_DEVICE_FIRST 48
#define IRQ_VECTOR_DEVICE_LAST  239
#define IRQ_VECTOR_KICK         240 /* look for work */
#define IRQ_VECTOR_SHOOTDOWN    241 /* tlb_serve */
#define IRQ_VECTOR_TIMER        242
#define IRQ_VECTOR_ERROR        254
#define IRQ_VECTOR_SPURIOUS     255

#define IRQ_NO_LINE UINT32_MAX

/* What each CPU has taken. It alone writes, others may read. */
struct irq_counts {
	_Atomic uint64_t taken; /* all of them */
	_Atomic uint64_t timer;
	_Atomic uint64_t kicks;
	_Atomic uint64_t shootdowns;
	_Atomic uint64_t spurious; /* withdrawn before they could be served */
	_Atomic uint64_t unowned;  /* on a vector that nobody owns */
	_Atomic uint64_t errors;   /* reported by the local APIC */
} ALIGNED(64);

/* Those of CPU `cpu`, whether it is up or not. */
const struct irq_counts *irq_counts(uint32_t cpu);

/* Silences the 8259s, takes over the I/O APICs and this CPU's local APIC. */
void irq_init(void);

/* Sets up the local APIC of the CPU that it runs on. */
void irq_cpu_init(void);

/* Gives `s` a vector of the devices', and `fn` runs for it from now on. False
 * when all are taken; *s is untouched then. */
MUST_CHECK bool irq_alloc(struct arch_irq *s, arch_irq_fn *fn);

/* Masks the line of `s`, if it has one, and takes back its vector. The device
 * must have been told to send no more messages to it. */
void irq_free(struct arch_irq *s);

/* Where a line is and how it shows an interrupt. */
struct irq_line {
	uint32_t gsi;
	bool level, low; /* level-triggered; active low */
};

/* The line of one of the 16 interrupts of the old PC. */
MUST_CHECK bool irq_isa_line(uint32_t isa, struct irq_line *out);

/* Sends the line's interrupts to `s` (which has a vector, and no other line) on
 * CPU `cpu`, and leaves it masked. ST_BAD_ARG: no
 * such line or CPU; ST_UNSUPPORTED: the I/O APIC can't name that CPU; ST_EXISTS: the line is
 * somebody else's. */
MUST_CHECK status_t irq_route(struct arch_irq *s, const struct irq_line *line, uint32_t cpu);

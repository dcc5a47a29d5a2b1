/* SPDX-License-Identifier: MIT */
/* kernel/dev/lapic.h - the interrupt controller inside each CPU, its timer, and
 * the messages between CPUs. (Intel SDM volume 3, chapter 11.)
 *
 * Life    lapic_init once on the boot CPU, lapic_cpu_init on each CPU.
 * Locks   none: a CPU reaches its own only, with interrupts off.
 *
 * In x2APIC mode the registers are MSRs and the CPUs' numbers have 32 bits; else
 * the registers lie in memory and the numbers have 8.
 */
#pragma once
#include <core/types.h>

/* Vectors that the controller itself raises. */
struct lapic_vectors {
	uint8_t timer, error, spurious;
};

/* Chooses the mode. A CPU that has x2APIC must use it: firmware may have switched
 * it on, and the only way back is off. */
void lapic_init(bool x2apic);

/* Sets up this CPU's: everything masked but what `vectors` names. Before it the
 * CPU's controller can't be used, nor asked for its number. */
void lapic_cpu_init(const struct lapic_vectors *vectors);

/* Makes the local pins of this CPU whose bits are set in `lints` carry NMIs. */
void lapic_nmi_pins(unsigned lints);

bool lapic_is_x2apic(void); /* the mode that lapic_init was told */
uint32_t lapic_id(void);    /* this CPU's number among the controllers */
void lapic_eoi(void);       /* ends the interrupt being served */

/* Error bits since the last call (figure 11-9). */
uint32_t lapic_take_errors(void);

/* Messages to another CPU. */
void lapic_send(uint32_t apic_id, uint8_t vector);
void lapic_send_nmi(uint32_t apic_id);
void lapic_send_init(uint32_t apic_id);
void lapic_send_startup(uint32_t apic_id, paddr_t page); /* page: below 1 MiB */

/* The timer counts down from what lapic_timer_set wrote (0 stops it), once, at
 * a rate to be measured, and interrupts at 0. With `deadline` the timer instead
 * compares the time-stamp counter with what lapic_timer_set_deadline wrote. */
void lapic_timer_init(bool deadline); /* on each CPU, after lapic_cpu_init */
void lapic_timer_set(uint32_t count);
uint32_t lapic_timer_read(void);
void lapic_timer_set_deadline(uint64_t tsc); /* 0 stops it */

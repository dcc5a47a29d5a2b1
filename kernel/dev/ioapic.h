/* SPDX-License-Identifier: MIT */
/* kernel/dev/ioapic.h - I/O APICs: interrupt lines become messages to a CPU.
 *
 * Life    added during boot, for ever.
 * Locks   one lock for each, rank LOCK_IRQ: its registers are reached through a
 *         window of two.
 *
 * Lines are numbered as ACPI does, "global system interrupts", over all I/O
 * APICs. (Intel 82093AA data sheet; ICH9 data sheet, section 13.5.)
 */
#pragma once
#include <core/types.h>

#define IOAPIC_LINES_MAX 240

/* Where a line's interrupts go, and how the line shows one. */
struct ioapic_route {
	uint32_t apic_id; /* at most 254 */
	uint8_t vector;
	bool level, low; /* level-triggered; active low */
};

/* Takes over the controller whose registers are at `base` and masks its lines.
 * False when its lines overlap another's, or there is no room for it. */
MUST_CHECK bool ioapic_add(paddr_t base, uint32_t gsi_base);

/* Points line `gsi` at its target and leaves it masked. ST_BAD_ARG: no such
 * line; ST_UNSUPPORTED: the CPU's number does not fit. */
MUST_CHECK status_t ioapic_route(uint32_t gsi, const struct ioapic_route *route);

/* Nothing happens for a line that does not exist. A masked edge is lost, a
 * masked level interrupts when it is unmasked. */
void ioapic_mask(uint32_t gsi);
void ioapic_unmask(uint32_t gsi);

/* The line's redirection entry as the hardware has it. False: no such line. */
#define IOAPIC_ENTRY_MASKED (1ull << 16)
MUST_CHECK bool ioapic_read(uint32_t gsi, uint64_t *entry);

/* Lines of all controllers. */
uint32_t ioapic_line_count(void);

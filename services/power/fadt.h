/* SPDX-License-Identifier: MIT */
/* services/power/fadt.h - where ACPI's fixed power button is.
 *
 * Firmware's table is found and checked by lib/acpi; what it says is not believed without being
 * looked at. Pure code.
 */
#pragma once
#include <lib/acpi/acpi_table.h>

struct fadt {
	uint16_t sci;         /* interrupt line */
	uint16_t smi_command; /* port; 0: the hardware is the system's already */
	uint8_t acpi_enable;  /* what to write there */
	uint8_t event_size;   /* bytes of an event block: half status, half enable */
	uint16_t event[2];    /* ports of PM1a and PM1b; 0: there is none */
	uint16_t control[2];
};

/* Fills *f. ST_CORRUPT: the tables are not as they should be; ST_UNSUPPORTED: they are, and have no
 * such button. *why says it in a few words. */
status_t fadt_find(const struct acpi_memory *memory, uint64_t rsdp, struct fadt *f,
		   const char **why) __attribute__((warn_unused_result));

/* SPDX-License-Identifier: MIT */
/* services/power/fadt.h - where ACPI's fixed power button is.
 *
 * A walk of its own from the root pointer to the one table that tells it (ACPI 6.5, 5.2). The
 * tables come from firmware: no length is believed before it is bounded, nothing used before its
 * checksum is right. Pure code; `fadt_memory` says which bytes there are.
 */
#pragma once
#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fadt_memory {
	/* Copies `size` bytes from a physical address; false: there are none to be read. */
	bool (*read)(void *self, uint64_t address, void *to, size_t size);
	void *self;
};

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
status_t fadt_find(const struct fadt_memory *memory, uint64_t rsdp, struct fadt *f,
		   const char **why) __attribute__((warn_unused_result));

/* SPDX-License-Identifier: MIT */
/* lib/acpi/mcfg.h - where the configuration space of PCI functions is mapped in memory.
 *
 * From ACPI's table MCFG (PCI Firmware Specification 3.3, 4.1.2): one range for some buses of a
 * segment, a page of 4096 bytes for each function. Pure code.
 */
#pragma once
#include <lib/acpi/acpi_table.h>

#define MCFG_RANGES 8u /* ranges that are taken notice of; more are refused */

struct mcfg_range {
	uint64_t base; /* physical, where the first of its buses begins; a multiple of 1 MiB */
	uint64_t size; /* bytes, 1 MiB for each bus; base + size does not wrap */
	uint16_t segment;
	uint8_t first, last; /* buses */
};

struct mcfg {
	struct mcfg_range range[MCFG_RANGES]; /* no two share a bus or a byte */
	unsigned count;                       /* at least 1 */
};

/* Fills *mcfg. ST_CORRUPT: the tables are not as they should be; ST_UNSUPPORTED: there is no such
 * table, or it has no range. *why says it in a few words, and *mcfg means nothing then. */
status_t mcfg_find(const struct acpi_memory *memory, uint64_t rsdp, struct mcfg *mcfg,
		   const char **why) __attribute__((warn_unused_result));

/* SPDX-License-Identifier: MIT */
/* lib/acpi/acpi_table.h - one table of ACPI's, by its signature.
 *
 * A walk from the root pointer over the list of tables (ACPI 6.5, 5.2). The tables come from
 * firmware: no length is believed before it is bounded, nothing used before its checksum is right.
 * Pure code; `acpi_memory` says which bytes there are.
 */
#pragma once
#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_HEADER_SIZE 36u    /* bytes that each table begins with (5.2.6) */
#define ACPI_TABLE_MOST  65536u /* bytes of a table, its header counted */

struct acpi_memory {
	/* Copies `size` bytes from a physical address; false: there are none to be read. */
	bool (*read)(void *self, uint64_t address, void *to, size_t size);
	void *self;
};

struct acpi_table {
	uint64_t address;
	uint32_t length; /* bytes, ACPI_HEADER_SIZE to ACPI_TABLE_MOST */
};

/* Finds the first table with a signature of 4 letters, starting from the physical address of the
 * root pointer, and fills *table; its checksum is not looked at yet.
 *
 * ST_CORRUPT: what leads there is not as it should be; *why says it in a few words.
 * ST_UNSUPPORTED: there is no such table. */
status_t acpi_table_find(const struct acpi_memory *memory, uint64_t rsdp, const char *signature,
			 struct acpi_table *table, const char **why)
	__attribute__((warn_unused_result));

/* Copies the first `kept` bytes of a table, or all if it has less, and sums up the whole of it.
 * False: it can't be read, or the sum is wrong; the bytes at `to` mean nothing then. */
bool acpi_table_read(const struct acpi_memory *memory, const struct acpi_table *table, uint8_t *to,
		     size_t kept) __attribute__((warn_unused_result));

/* The number in the `size` bytes at `at`, the lowest first; size up to 8. */
uint64_t acpi_number(const uint8_t *at, size_t size);

/* SPDX-License-Identifier: MIT */
#include <services/power/fadt.h>

/* Layout: ACPI 6.5, 5.2.9. */
#define FADT_LEAST        116 /* as of ACPI 1.0 */
#define FADT_KEPT         196 /* up to the last field that is looked at */
#define FADT_SCI          46
#define FADT_SMI_COMMAND  48
#define FADT_ACPI_ENABLE  52
#define FADT_EVENT_A      56
#define FADT_EVENT_B      60
#define FADT_CONTROL_A    64
#define FADT_CONTROL_B    68
#define FADT_EVENT_SIZE   88
#define FADT_CONTROL_SIZE 89
#define FADT_FLAGS        112
#define FADT_X_EVENT_A    148
#define FADT_X_EVENT_B    160
#define FADT_X_CONTROL_A  172
#define FADT_X_CONTROL_B  184
#define FLAG_NO_BUTTON    (1u << 4)  /* it is a device with methods, or there is none */
#define FLAG_REDUCED      (1u << 20) /* there is none of this hardware */

/* A generic address (5.2.3.2): the space in byte 0, the address from byte 4 on. */
#define SPACE_IO 1

static status_t refuse(const char **why, status_t st, const char *words)
{
	*why = words;
	return st;
}

/* A register's port, by the extended field if the table has it; 0: there is none. */
static uint16_t port(const uint8_t *table, size_t length, size_t field, size_t extended)
{
	uint64_t address = 0;

	if (extended + 12 <= length && table[extended] == SPACE_IO)
		address = acpi_number(table + extended + 4, 8);
	if (address == 0)
		address = acpi_number(table + field, 4);
	return address <= UINT16_MAX ? (uint16_t)address : 0;
}

static status_t read_table(const struct acpi_memory *memory, const struct acpi_table *found,
			   struct fadt *f, const char **why)
{
	uint32_t length = found->length, flags;
	uint8_t table[FADT_KEPT];

	if (length < FADT_LEAST)
		return refuse(why, ST_CORRUPT, "the FADT is too short");
	if (!acpi_table_read(memory, found, table, sizeof(table)))
		return refuse(why, ST_CORRUPT, "the FADT has a wrong checksum");
	flags = (uint32_t)acpi_number(table + FADT_FLAGS, 4);
	if (flags & (FLAG_NO_BUTTON | FLAG_REDUCED))
		return refuse(why, ST_UNSUPPORTED, "the machine has no fixed power button");
	*f = (struct fadt){
		.sci = (uint16_t)acpi_number(table + FADT_SCI, 2),
		.acpi_enable = table[FADT_ACPI_ENABLE],
		.event_size = table[FADT_EVENT_SIZE],
		.event = { port(table, length, FADT_EVENT_A, FADT_X_EVENT_A),
			   port(table, length, FADT_EVENT_B, FADT_X_EVENT_B) },
		.control = { port(table, length, FADT_CONTROL_A, FADT_X_CONTROL_A),
			     port(table, length, FADT_CONTROL_B, FADT_X_CONTROL_B) },
	};
	if (acpi_number(table + FADT_SMI_COMMAND, 4) <= UINT16_MAX)
		f->smi_command = (uint16_t)acpi_number(table + FADT_SMI_COMMAND, 4);
	if (f->event[0] == 0 || f->control[0] == 0 || f->event_size < 4 || f->event_size % 2 != 0 ||
	    table[FADT_CONTROL_SIZE] < 2)
		return refuse(why, ST_CORRUPT, "the FADT names no registers for events");
	return ST_OK;
}

status_t fadt_find(const struct acpi_memory *memory, uint64_t rsdp, struct fadt *f,
		   const char **why)
{
	struct acpi_table table;
	status_t st = acpi_table_find(memory, rsdp, "FACP", &table, why);

	if (st == ST_UNSUPPORTED)
		return refuse(why, ST_CORRUPT, "no FADT is in the list of tables");
	return st == ST_OK ? read_table(memory, &table, f, why) : st;
}

/* SPDX-License-Identifier: MIT */
#include <services/power/fadt.h>
#include <string.h>

/* Layouts: ACPI 6.5, 5.2.5.3 (root pointer), 5.2.6 (header), 5.2.9 (FADT). */
#define RSDP_1_SIZE   20
#define RSDP_2_SIZE   36
#define RSDP_REVISION 15
#define RSDP_RSDT     16
#define RSDP_LENGTH   20
#define RSDP_XSDT     24

#define HEADER_SIZE   36
#define HEADER_LENGTH 4
#define TABLE_MOST    65536u

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

#define PIECE 256

struct walk {
	const struct fadt_memory *memory;
	const char **why;
};

static status_t refuse(const struct walk *w, status_t st, const char *why)
{
	*w->why = why;
	return st;
}

/* A number of `size` bytes, the lowest first. */
static uint64_t number(const uint8_t *at, size_t size)
{
	uint64_t n = 0;

	while (size-- > 0)
		n = n << 8 | at[size];
	return n;
}

static uint32_t number4(const uint8_t *at)
{
	return (uint32_t)number(at, 4);
}

static bool read_at(const struct walk *w, uint64_t address, void *to, size_t size)
{
	return address != 0 && size <= UINT64_MAX - address &&
	       w->memory->read(w->memory->self, address, to, size);
}

/* Reads `size` bytes, keeps the first `kept` of them, and sums up all; false: they can't be read,
 * or the sum is not zero. */
static bool read_summed(const struct walk *w, uint64_t address, size_t size, uint8_t *to,
			size_t kept)
{
	uint8_t piece[PIECE], sum = 0;

	for (size_t at = 0; at < size; at += PIECE) {
		size_t n = size - at < PIECE ? size - at : PIECE;

		if (!read_at(w, address + at, piece, n))
			return false;
		for (size_t i = 0; i < n; i++)
			sum = (uint8_t)(sum + piece[i]);
		if (at < kept)
			memcpy(to + at, piece, n < kept - at ? n : kept - at);
	}
	return sum == 0;
}

/* The header of a table; false: it can't be, whatever its checksum. */
static bool read_header(const struct walk *w, uint64_t address, uint8_t header[HEADER_SIZE])
{
	if (!read_at(w, address, header, HEADER_SIZE))
		return false;
	return number4(header + HEADER_LENGTH) >= HEADER_SIZE &&
	       number4(header + HEADER_LENGTH) <= TABLE_MOST;
}

/* The list of tables, and how many bytes an address in it has. */
static status_t find_list(const struct walk *w, uint64_t rsdp, uint64_t *list, size_t *width)
{
	uint8_t root[RSDP_2_SIZE];

	if (!read_summed(w, rsdp, RSDP_1_SIZE, root, RSDP_1_SIZE) ||
	    memcmp(root, "RSD PTR ", 8) != 0)
		return refuse(w, ST_CORRUPT, "there is no root pointer where it should be");
	*list = number4(root + RSDP_RSDT);
	*width = 4;
	if (root[RSDP_REVISION] < 2)
		return ST_OK;
	if (!read_at(w, rsdp, root, RSDP_2_SIZE) || number4(root + RSDP_LENGTH) < RSDP_2_SIZE ||
	    number4(root + RSDP_LENGTH) > TABLE_MOST ||
	    !read_summed(w, rsdp, number4(root + RSDP_LENGTH), root, RSDP_2_SIZE))
		return refuse(w, ST_CORRUPT, "the root pointer's second part is wrong");
	if (number(root + RSDP_XSDT, 8) != 0) {
		*list = number(root + RSDP_XSDT, 8);
		*width = 8;
	}
	return ST_OK;
}

/* The address of the FADT. */
static status_t find_table(const struct walk *w, uint64_t list, size_t width, uint64_t *table)
{
	uint8_t header[HEADER_SIZE], entry[8];
	uint32_t length;

	if (!read_header(w, list, header) || memcmp(header, width == 8 ? "XSDT" : "RSDT", 4) != 0)
		return refuse(w, ST_CORRUPT, "there is no list of tables where it should be");
	length = number4(header + HEADER_LENGTH);
	if (!read_summed(w, list, length, header, HEADER_SIZE))
		return refuse(w, ST_CORRUPT, "the list of tables has a wrong checksum");
	for (uint32_t at = HEADER_SIZE; width <= length - at; at += (uint32_t)width) {
		if (!read_at(w, list + at, entry, width))
			break;
		*table = number(entry, width);
		if (read_header(w, *table, header) && memcmp(header, "FACP", 4) == 0)
			return ST_OK;
	}
	return refuse(w, ST_CORRUPT, "no FADT is in the list of tables");
}

/* A register's port, by the extended field if the table has it; 0: there is none. */
static uint16_t port(const uint8_t *table, size_t length, size_t field, size_t extended)
{
	uint64_t address = 0;

	if (extended + 12 <= length && table[extended] == SPACE_IO)
		address = number(table + extended + 4, 8);
	if (address == 0)
		address = number4(table + field);
	return address <= UINT16_MAX ? (uint16_t)address : 0;
}

static status_t read_table(const struct walk *w, uint64_t address, struct fadt *f)
{
	uint8_t table[FADT_KEPT], header[HEADER_SIZE];
	uint32_t length, flags;

	if (!read_header(w, address, header))
		return refuse(w, ST_CORRUPT, "the FADT can't be read");
	length = number4(header + HEADER_LENGTH);
	if (length < FADT_LEAST)
		return refuse(w, ST_CORRUPT, "the FADT is too short");
	if (!read_summed(w, address, length, table, sizeof(table)))
		return refuse(w, ST_CORRUPT, "the FADT has a wrong checksum");
	flags = number4(table + FADT_FLAGS);
	if (flags & (FLAG_NO_BUTTON | FLAG_REDUCED))
		return refuse(w, ST_UNSUPPORTED, "the machine has no fixed power button");
	*f = (struct fadt){
		.sci = (uint16_t)number(table + FADT_SCI, 2),
		.acpi_enable = table[FADT_ACPI_ENABLE],
		.event_size = table[FADT_EVENT_SIZE],
		.event = { port(table, length, FADT_EVENT_A, FADT_X_EVENT_A),
			   port(table, length, FADT_EVENT_B, FADT_X_EVENT_B) },
		.control = { port(table, length, FADT_CONTROL_A, FADT_X_CONTROL_A),
			     port(table, length, FADT_CONTROL_B, FADT_X_CONTROL_B) },
	};
	if (number4(table + FADT_SMI_COMMAND) <= UINT16_MAX)
		f->smi_command = (uint16_t)number4(table + FADT_SMI_COMMAND);
	if (f->event[0] == 0 || f->control[0] == 0 || f->event_size < 4 || f->event_size % 2 != 0 ||
	    table[FADT_CONTROL_SIZE] < 2)
		return refuse(w, ST_CORRUPT, "the FADT names no registers for events");
	return ST_OK;
}

status_t fadt_find(const struct fadt_memory *memory, uint64_t rsdp, struct fadt *f,
		   const char **why)
{
	struct walk w = { memory, why };
	uint64_t list, table;
	size_t width;
	status_t st = find_list(&w, rsdp, &list, &width);

	if (st == ST_OK)
		st = find_table(&w, list, width, &table);
	return st == ST_OK ? read_table(&w, table, f) : st;
}

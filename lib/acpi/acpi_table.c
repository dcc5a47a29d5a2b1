/* SPDX-License-Identifier: MIT */
#include <lib/acpi/acpi_table.h>
#include <string.h>

/* Layouts: ACPI 6.5, 5.2.5.3 (root pointer), 5.2.6 (header). */
#define RSDP_1_SIZE   20
#define RSDP_2_SIZE   36
#define RSDP_REVISION 15
#define RSDP_RSDT     16
#define RSDP_LENGTH   20
#define RSDP_XSDT     24

#define HEADER_LENGTH 4

#define PIECE 256

uint64_t acpi_number(const uint8_t *at, size_t size)
{
	uint64_t n = 0;

	while (size-- > 0)
		n = n << 8 | at[size];
	return n;
}

static uint32_t number4(const uint8_t *at)
{
	return (uint32_t)acpi_number(at, 4);
}

static bool read_at(const struct acpi_memory *memory, uint64_t address, void *to, size_t size)
{
	return address != 0 && size <= UINT64_MAX - address &&
	       memory->read(memory->self, address, to, size);
}

bool acpi_table_read(const struct acpi_memory *memory, const struct acpi_table *table, uint8_t *to,
		     size_t kept)
{
	uint8_t piece[PIECE], sum = 0;

	for (size_t at = 0; at < table->length; at += PIECE) {
		size_t n = table->length - at < PIECE ? table->length - at : PIECE;

		if (!read_at(memory, table->address + at, piece, n))
			return false;
		for (size_t i = 0; i < n; i++)
			sum = (uint8_t)(sum + piece[i]);
		if (at < kept)
			memcpy(to + at, piece, n < kept - at ? n : kept - at);
	}
	return sum == 0;
}

/* Fills *table if the header at the address has that signature; false: it has not, or it can't be
 * a table's, whatever its checksum. */
static bool table_at(const struct acpi_memory *memory, uint64_t address, const char *signature,
		     struct acpi_table *table)
{
	uint8_t header[ACPI_HEADER_SIZE];
	uint32_t length;

	if (!read_at(memory, address, header, sizeof(header)))
		return false;
	length = number4(header + HEADER_LENGTH);
	if (length < ACPI_HEADER_SIZE || length > ACPI_TABLE_MOST ||
	    memcmp(header, signature, 4) != 0)
		return false;
	*table = (struct acpi_table){ address, length };
	return true;
}

/* Where the list of tables should be, and how many bytes an address in it has. Returns what is
 * wrong, or NULL. */
static const char *find_list(const struct acpi_memory *memory, uint64_t rsdp, uint64_t *list,
			     size_t *width)
{
	struct acpi_table part = { rsdp, RSDP_1_SIZE };
	uint8_t root[RSDP_2_SIZE];

	if (!acpi_table_read(memory, &part, root, RSDP_1_SIZE) || memcmp(root, "RSD PTR ", 8) != 0)
		return "there is no root pointer where it should be";
	*list = number4(root + RSDP_RSDT);
	*width = 4;
	if (root[RSDP_REVISION] < 2)
		return NULL;
	if (!read_at(memory, rsdp, root, RSDP_2_SIZE))
		return "the root pointer's second part is wrong";
	part.length = number4(root + RSDP_LENGTH);
	if (part.length < RSDP_2_SIZE || part.length > ACPI_TABLE_MOST ||
	    !acpi_table_read(memory, &part, root, RSDP_2_SIZE))
		return "the root pointer's second part is wrong";
	if (acpi_number(root + RSDP_XSDT, 8) != 0) {
		*list = acpi_number(root + RSDP_XSDT, 8);
		*width = 8;
	}
	return NULL;
}

status_t acpi_table_find(const struct acpi_memory *memory, uint64_t rsdp, const char *signature,
			 struct acpi_table *table, const char **why)
{
	struct acpi_table list;
	uint64_t address = 0;
	uint8_t entry[8];
	size_t width = 0;

	*why = find_list(memory, rsdp, &address, &width);
	if (*why != NULL)
		return ST_CORRUPT;
	if (!table_at(memory, address, width == 8 ? "XSDT" : "RSDT", &list)) {
		*why = "there is no list of tables where it should be";
		return ST_CORRUPT;
	}
	if (!acpi_table_read(memory, &list, entry, 0)) {
		*why = "the list of tables has a wrong checksum";
		return ST_CORRUPT;
	}
	for (uint32_t at = ACPI_HEADER_SIZE; width <= list.length - at; at += (uint32_t)width) {
		if (!read_at(memory, list.address + at, entry, width))
			break;
		if (table_at(memory, acpi_number(entry, width), signature, table))
			return ST_OK;
	}
	*why = "there is no such table";
	return ST_UNSUPPORTED;
}

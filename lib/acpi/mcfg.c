/* SPDX-License-Identifier: MIT */
#include <lib/acpi/mcfg.h>

/* PCI Firmware Specification 3.3, tables 4-2 and 4-3. */
#define FIRST_ENTRY   44u
#define ENTRY_SIZE    16u
#define ENTRY_SEGMENT 8
#define ENTRY_FIRST   10
#define ENTRY_LAST    11

#define BUS_SIZE (1ull << 20)

/* The entry names where bus 0 would be, whichever its first is. False: no such range can be. */
static bool range_read(const uint8_t *entry, struct mcfg_range *r)
{
	uint64_t bus_0 = acpi_number(entry, 8);

	r->segment = (uint16_t)acpi_number(entry + ENTRY_SEGMENT, 2);
	r->first = entry[ENTRY_FIRST];
	r->last = entry[ENTRY_LAST];
	if (r->first > r->last || bus_0 == 0 || bus_0 % BUS_SIZE != 0 ||
	    bus_0 > UINT64_MAX - 256 * BUS_SIZE)
		return false;
	r->base = bus_0 + r->first * BUS_SIZE;
	r->size = (r->last - r->first + 1u) * BUS_SIZE;
	return true;
}

static bool ranges_clash(const struct mcfg_range *a, const struct mcfg_range *b)
{
	if (a->base < b->base + b->size && b->base < a->base + a->size)
		return true;
	return a->segment == b->segment && a->first <= b->last && b->first <= a->last;
}

static bool range_add(struct mcfg *mcfg, const struct mcfg_range *r)
{
	for (unsigned i = 0; i < mcfg->count; i++) {
		if (ranges_clash(&mcfg->range[i], r))
			return false;
	}
	mcfg->range[mcfg->count++] = *r;
	return true;
}

static status_t refuse(status_t st, const char **why, const char *words)
{
	*why = words;
	return st;
}

status_t mcfg_find(const struct acpi_memory *memory, uint64_t rsdp, struct mcfg *mcfg,
		   const char **why)
{
	uint8_t bytes[FIRST_ENTRY + MCFG_RANGES * ENTRY_SIZE];
	struct acpi_table table;
	struct mcfg_range r;
	status_t st = acpi_table_find(memory, rsdp, "MCFG", &table, why);

	if (st == ST_UNSUPPORTED)
		return refuse(st, why, "no MCFG is in the list of tables");
	if (st != ST_OK)
		return st;
	if (table.length < FIRST_ENTRY || (table.length - FIRST_ENTRY) % ENTRY_SIZE != 0)
		return refuse(ST_CORRUPT, why, "the MCFG has a wrong length");
	if (table.length == FIRST_ENTRY)
		return refuse(ST_UNSUPPORTED, why, "the MCFG is empty");
	if (table.length > sizeof(bytes))
		return refuse(ST_CORRUPT, why, "the MCFG has too many ranges");
	if (!acpi_table_read(memory, &table, bytes, sizeof(bytes)))
		return refuse(ST_CORRUPT, why, "the MCFG has a wrong checksum");
	mcfg->count = 0;
	for (uint32_t at = FIRST_ENTRY; at < table.length; at += ENTRY_SIZE) {
		if (!range_read(bytes + at, &r) || !range_add(mcfg, &r))
			return refuse(ST_CORRUPT, why, "a range of the MCFG can't be");
	}
	return ST_OK;
}

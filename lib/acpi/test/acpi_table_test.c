/* SPDX-License-Identifier: MIT */
/* The walk with two tables; what damage does to it is in services/power/test/fadt_test.c. */
#include <lib/acpi/acpi_table.h>
#include <string.h>
#include <test/test.h>

#define BASE 0x1000u
#define SIZE 512u

static uint8_t memory[SIZE];

static bool memory_read(void *self, uint64_t address, void *to, size_t size)
{
	(void)self;
	if (address < BASE || address - BASE > SIZE || size > SIZE - (address - BASE))
		return false;
	memcpy(to, memory + (address - BASE), size);
	return true;
}

static const struct acpi_memory reader = { memory_read, NULL };

static void put(size_t at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		memory[at + i] = (uint8_t)(value >> (8 * i));
}

static void sum(size_t at, size_t size, size_t place)
{
	uint8_t s = 0;

	memory[place] = 0;
	for (size_t i = 0; i < size; i++)
		s = (uint8_t)(s + memory[at + i]);
	memory[place] = (uint8_t)-s;
}

static void table(size_t at, const char *signature, uint32_t length)
{
	memcpy(memory + at, signature, 4);
	put(at + 4, length, 4);
	sum(at, length, at + 9);
}

/* An old root pointer, whose list has ABCD and, in front of it, one that is not there. */
static void fill(void)
{
	memset(memory, 0, sizeof(memory));
	memcpy(memory, "RSD PTR ", 8);
	put(16, BASE + 64, 4);
	sum(0, 20, 8);
	put(64 + 36, BASE + SIZE, 4);
	put(64 + 40, BASE + 128, 4);
	put(64 + 44, BASE + 256, 4);
	table(64, "RSDT", 48);
	table(128, "ABCD", 40);
	memset(memory + 256 + 36, 7, 100);
	table(256, "EFGH", 136);
}

TEST(acpi_table_is_found_by_its_signature)
{
	struct acpi_table t = { 0, 0 };
	const char *why;

	fill();
	CHECK(acpi_table_find(&reader, BASE, "EFGH", &t, &why) == ST_OK);
	CHECK(t.address == BASE + 256 && t.length == 136);
	CHECK(acpi_table_find(&reader, BASE, "ABCD", &t, &why) == ST_OK);
	CHECK(t.address == BASE + 128 && t.length == 40);
	CHECK(acpi_table_find(&reader, BASE, "IJKL", &t, &why) == ST_UNSUPPORTED);
	CHECK(strstr(why, "no such table") != NULL);
	CHECK(acpi_table_find(&reader, BASE + 1, "ABCD", &t, &why) == ST_CORRUPT);
}

/* All of it is summed up, but no more than asked for is written. */
TEST(acpi_table_read_keeps_what_is_asked_for)
{
	const struct acpi_table t = { BASE + 256, 136 };
	uint8_t kept[137];

	fill();
	memset(kept, 0xee, sizeof(kept));
	CHECK(acpi_table_read(&reader, &t, kept, 40));
	CHECK(memcmp(kept, memory + 256, 40) == 0 && kept[40] == 0xee);
	CHECK(acpi_table_read(&reader, &t, kept, sizeof(kept)));
	CHECK(memcmp(kept, memory + 256, 136) == 0 && kept[136] == 0xee);
	memory[256 + 135]++;
	CHECK(!acpi_table_read(&reader, &t, kept, 40));
}

TEST(acpi_number_has_the_lowest_byte_first)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 0x88 };

	CHECK(acpi_number(bytes, 1) == 1 && acpi_number(bytes, 2) == 0x201);
	CHECK(acpi_number(bytes, 8) == 0x8807060504030201ull);
}

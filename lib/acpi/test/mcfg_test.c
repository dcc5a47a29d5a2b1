/* SPDX-License-Identifier: MIT */
#include <lib/acpi/mcfg.h>
#include <string.h>
#include <test/test.h>

#define BASE  0x1000u
#define SIZE  1024u
#define MCFG  256u
#define ENTRY (MCFG + 44u)
#define Q35   0xb0000000ull /* where QEMU's q35 has it */

static uint8_t memory[SIZE];

static bool memory_read(void *self, uint64_t address, void *to, size_t size)
{
	(void)self;
	if (address < BASE || address - BASE > SIZE || size > SIZE - (address - BASE))
		return false;
	memcpy(to, memory + (address - BASE), size);
	return true;
}

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

static void entry(unsigned n, uint64_t bus_0, unsigned segment, unsigned buses)
{
	size_t at = ENTRY + 16 * n;

	put(at, bus_0, 8);
	put(at + 8, segment, 2);
	put(at + 10, buses & 0xff, 1);
	put(at + 11, buses >> 8, 1);
}

#define BUSES(first, last) ((first) | (last) << 8)

/* What is found with the entries so far, the first `count` of them. */
static status_t find(unsigned count, struct mcfg *m)
{
	const struct acpi_memory reader = { memory_read, NULL };
	const char *why = NULL;
	status_t st;

	memcpy(memory, "RSD PTR ", 8);
	put(16, BASE + 64, 4);
	sum(0, 20, 8);
	put(64 + 36, BASE + MCFG, 4);
	table(64, "RSDT", 40);
	table(MCFG, "MCFG", 44 + 16 * count);
	st = mcfg_find(&reader, BASE, m, &why);
	return st == ST_OK || why != NULL ? st : ST_BAD_STATE;
}

TEST(mcfg_tells_the_ranges)
{
	struct mcfg m;

	memset(memory, 0, sizeof(memory));
	entry(0, Q35, 0, BUSES(0u, 255u));
	entry(1, 1ull << 40, 1, BUSES(16u, 31u));
	CHECK(find(2, &m) == ST_OK && m.count == 2);
	CHECK(m.range[0].base == Q35 && m.range[0].size == 256u << 20);
	CHECK(m.range[0].first == 0 && m.range[0].last == 255 && m.range[0].segment == 0);
	CHECK(m.range[1].base == (1ull << 40) + (16u << 20) && m.range[1].size == 16u << 20);
	CHECK(m.range[1].first == 16 && m.range[1].last == 31 && m.range[1].segment == 1);
}

TEST(mcfg_ranges_that_cannot_be_are_refused)
{
	static const struct {
		uint64_t base;
		unsigned segment, buses;
	} wrong[] = {
		{ 0, 0, BUSES(0u, 255u) },                     /* no address */
		{ Q35 + 4096, 0, BUSES(0u, 255u) },            /* within a bus */
		{ Q35, 0, BUSES(2u, 1u) },                     /* backwards */
		{ 0xfffffffff8000000ull, 0, BUSES(0u, 255u) }, /* wraps */
		{ 1ull << 40, 7, BUSES(9u, 9u) },              /* the other's bus */
		{ 1ull << 32, 1, BUSES(1u, 1u) }, /* memory of the other's second bus */
	};
	struct mcfg m;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memset(memory, 0, sizeof(memory));
		entry(0, (1ull << 32) - (8u << 20), 7, BUSES(8u, 9u));
		CHECK(find(1, &m) == ST_OK);
		entry(1, wrong[i].base, wrong[i].segment, wrong[i].buses);
		CHECK(find(2, &m) == ST_CORRUPT);
	}
}

TEST(mcfg_length_is_bounded)
{
	struct mcfg m;

	memset(memory, 0, sizeof(memory));
	CHECK(find(0, &m) == ST_UNSUPPORTED);
	for (unsigned i = 0; i <= MCFG_RANGES; i++)
		entry(i, Q35 + ((uint64_t)i << 28), i, BUSES(0u, 255u));
	CHECK(find(MCFG_RANGES, &m) == ST_OK && m.count == MCFG_RANGES);
	CHECK(find(MCFG_RANGES + 1, &m) == ST_CORRUPT);
}

TEST(mcfg_with_a_wrong_length_or_sum_is_refused)
{
	const struct acpi_memory reader = { memory_read, NULL };
	static const uint32_t lengths[] = { 36, 43, 45, 59, 61 };
	const char *why;
	struct mcfg m;

	memset(memory, 0, sizeof(memory));
	entry(0, Q35, 0, BUSES(0u, 255u));
	CHECK(find(1, &m) == ST_OK);
	memory[ENTRY + 11]--;
	CHECK(mcfg_find(&reader, BASE, &m, &why) == ST_CORRUPT);
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		table(MCFG, "MCFG", lengths[i]);
		CHECK(mcfg_find(&reader, BASE, &m, &why) == ST_CORRUPT);
		CHECK(strstr(why, "length") != NULL);
	}
	table(MCFG, "XXXX", 60);
	CHECK(mcfg_find(&reader, BASE, &m, &why) == ST_UNSUPPORTED);
}

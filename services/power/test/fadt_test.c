/* SPDX-License-Identifier: MIT */
#include <services/power/fadt.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

/* Firmware's memory: bytes from BASE on, the root pointer first. */
#define BASE   0xe0000u
#define SIZE   4096u
#define XSDT   64u
#define RSDT   256u
#define OTHER  320u
#define FADT   512u
#define LENGTH 244u

static uint8_t memory[SIZE];

/* Each read gets memory of its own size: a step beyond it is seen. */
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

/* Makes the sum of `size` bytes zero by the byte at `place`. */
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

static void root(uint8_t revision)
{
	memcpy(memory, "RSD PTR ", 8);
	memory[15] = revision;
	put(16, BASE + RSDT, 4);
	put(20, 36, 4);
	put(24, BASE + XSDT, 8);
	sum(0, 20, 8);
	sum(0, 36, 32);
}

/* As QEMU's q35 has them. */
static void fill(void)
{
	memset(memory, 0, sizeof(memory));
	root(2);
	put(XSDT + 36, BASE + OTHER, 8);
	put(XSDT + 44, BASE + FADT, 8);
	table(XSDT, "XSDT", 36 + 16);
	put(RSDT + 36, BASE + FADT, 4);
	table(RSDT, "RSDT", 36 + 4);
	table(OTHER, "APIC", 36);
	put(FADT + 46, 9, 2);
	put(FADT + 48, 0xb2, 4);
	memory[FADT + 52] = 2;
	put(FADT + 56, 0x600, 4);
	put(FADT + 64, 0x604, 4);
	memory[FADT + 88] = 4;
	memory[FADT + 89] = 2;
	table(FADT, "FACP", LENGTH);
}

static status_t find(struct fadt *f, const char **why)
{
	const struct acpi_memory m = { memory_read, NULL };

	*why = "";
	return fadt_find(&m, BASE, f, why);
}

/* Whether this is what comes of the tables, with these words. */
static bool ends(status_t want, const char *words)
{
	struct fadt f;
	const char *why;

	return find(&f, &why) == want && strstr(why, words) != NULL;
}

TEST(fadt_tells_where_the_button_is)
{
	struct fadt f;
	const char *why;

	for (uint8_t revision = 0; revision <= 2; revision += 2) {
		fill();
		root(revision);
		CHECK(find(&f, &why) == ST_OK);
		CHECK(f.sci == 9 && f.smi_command == 0xb2 && f.acpi_enable == 2);
		CHECK(f.event[0] == 0x600 && f.event[1] == 0 && f.event_size == 4);
		CHECK(f.control[0] == 0x604 && f.control[1] == 0);
	}
}

TEST(fadt_extended_fields_win_if_they_are_ports)
{
	struct fadt f;
	const char *why;

	fill();
	memory[FADT + 148] = 1;
	put(FADT + 152, 0x800, 8);
	memory[FADT + 172] = 0; /* memory: not for us */
	put(FADT + 176, 0x900, 8);
	table(FADT, "FACP", LENGTH);
	CHECK(find(&f, &why) == ST_OK && f.event[0] == 0x800 && f.control[0] == 0x604);
	table(FADT, "FACP", 116); /* then it has no such fields */
	CHECK(find(&f, &why) == ST_OK && f.event[0] == 0x600);
}

TEST(fadt_without_a_button)
{
	fill();
	put(FADT + 112, 1u << 4, 4);
	table(FADT, "FACP", LENGTH);
	CHECK(ends(ST_UNSUPPORTED, "no fixed power button"));
	put(FADT + 112, 1u << 20, 4);
	table(FADT, "FACP", LENGTH);
	CHECK(ends(ST_UNSUPPORTED, "no fixed power button"));
}

TEST(fadt_refuses_what_the_tables_should_not_say)
{
	static const struct {
		unsigned at, value, size;
	} wrong[] = { { 56, 0, 4 }, { 56, 0x10000, 4 }, { 64, 0, 4 }, { 88, 0, 1 },
		      { 88, 2, 1 }, { 88, 5, 1 },       { 89, 1, 1 } };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		fill();
		put(FADT + wrong[i].at, wrong[i].value, wrong[i].size);
		table(FADT, "FACP", LENGTH);
		CHECK(ends(ST_CORRUPT, "names no registers"));
	}
	fill();
	table(FADT, "FACP", 115);
	CHECK(ends(ST_CORRUPT, "too short"));
	fill();
	table(FADT, "XXXX", LENGTH);
	CHECK(ends(ST_CORRUPT, "no FADT"));
	fill();
	table(XSDT, "RSDT", 36 + 16);
	CHECK(ends(ST_CORRUPT, "no list of tables"));
	fill();
	put(24, UINT64_MAX - 3, 8);
	sum(0, 36, 32);
	CHECK(ends(ST_CORRUPT, "no list of tables"));
}

/* Any byte of what is summed up that changes is noticed. */
TEST(fadt_every_changed_byte_is_noticed)
{
	static const struct {
		size_t at, size;
	} part[] = { { 0, 36 }, { XSDT, 36 + 16 }, { FADT, LENGTH } };
	struct fadt f;
	const char *why;

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		for (size_t at = part[i].at; at < part[i].at + part[i].size; at++) {
			fill();
			memory[at] ^= 0x41;
			CHECK(find(&f, &why) != ST_OK && why[0] != '\0');
		}
	}
}

/* Lengths of every size, at the edge of what can be read. */
TEST(fadt_lengths_are_bounded)
{
	static const uint32_t lengths[] = { 0, 1, 35, 37, 43, SIZE, 65536, 65537, UINT32_MAX };
	static const size_t where[] = { 20, XSDT + 4, FADT + 4 };
	struct fadt f;
	const char *why;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (size_t j = 0; j < sizeof(where) / sizeof(where[0]); j++) {
			fill();
			put(where[j], lengths[i], 4);
			memory[36] = 1; /* not part of the root pointer */
			sum(0, 20, 8);
			sum(0, 36, 32);
			CHECK(find(&f, &why) == ST_CORRUPT && why[0] != '\0');
		}
	}
}

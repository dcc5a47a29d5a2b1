/* SPDX-License-Identifier: MIT */
/* ACPI tables as the power service reads them. Every three bytes of the input change one byte of
 * good tables (its place, then its value); then the checksums are made right, where the lengths
 * still allow that, so that what is behind them is reached. */
#include <services/power/fadt.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE 0xe0000u
#define SIZE 1024u
#define XSDT 64u
#define FADT 256u

static uint8_t *memory; /* SIZE bytes, on the heap: a step beyond is seen */

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
	for (size_t i = 0; i < size && at + i < SIZE; i++)
		s = (uint8_t)(s + memory[at + i]);
	memory[place] = (uint8_t)-s;
}

static uint32_t length(size_t at)
{
	return (uint32_t)memory[at] | (uint32_t)memory[at + 1] << 8 |
	       (uint32_t)memory[at + 2] << 16 | (uint32_t)memory[at + 3] << 24;
}

static void fill(void)
{
	memset(memory, 0, SIZE);
	memcpy(memory, "RSD PTR ", 8);
	memory[15] = 2;
	put(16, BASE + XSDT, 4);
	put(20, 36, 4);
	put(24, BASE + XSDT, 8);
	memcpy(memory + XSDT, "XSDT", 4);
	put(XSDT + 4, 44, 4);
	put(XSDT + 36, BASE + FADT, 8);
	memcpy(memory + FADT, "FACP", 4);
	put(FADT + 4, 244, 4);
	put(FADT + 56, 0x600, 4);
	put(FADT + 64, 0x604, 4);
	put(FADT + 88, 0x204, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct acpi_memory m = { memory_read, NULL };
	const char *why = NULL;
	struct fadt f;
	status_t st;

	if (memory == NULL)
		memory = malloc(SIZE);
	fill();
	for (size_t i = 0; i + 3 <= size; i += 3)
		memory[(data[i] | (size_t)data[i + 1] << 8) % SIZE] = data[i + 2];
	sum(0, 20, 8);
	sum(0, length(20), 32);
	sum(XSDT, length(XSDT + 4), XSDT + 9);
	sum(FADT, length(FADT + 4), FADT + 9);
	st = fadt_find(&m, BASE, &f, &why);
	if (st == ST_OK && (f.event[0] == 0 || f.control[0] == 0 || f.event_size < 4))
		abort();
	if (st != ST_OK && why == NULL)
		abort();
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include <lib/pci/ecam.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

TEST(pci_ecam_has_a_page_for_each_function)
{
	uint8_t *memory = calloc(2, ECAM_BUS_SIZE);
	struct pci_address a = { 17, 3, 5 };
	uint8_t *page = memory + ECAM_BUS_SIZE + 3 * 0x8000 + 5 * 0x1000;
	struct ecam e;
	struct pci_config c = ecam_init(&e, memory, 16, 17);

	CHECK(memory != NULL);
	pci_write4(&c, a, 0x10, 0x44332211);
	CHECK(memcmp(page + 0x10, "\x11\x22\x33\x44", 4) == 0);
	CHECK(pci_read4(&c, a, 0x10) == 0x44332211 && pci_read2(&c, a, 0x12) == 0x4433);
	CHECK(pci_read1(&c, a, 0x13) == 0x44);
	pci_write2(&c, a, 0x12, 0xabcd);
	pci_write1(&c, a, 0xfff, 0xef);
	CHECK(page[0x12] == 0xcd && page[0x13] == 0xab && page[0xfff] == 0xef);
	free(memory);
}

/* The memory ends where the last bus does: a step beyond is seen. */
TEST(pci_ecam_touches_nothing_beyond)
{
	uint8_t *memory = calloc(1, ECAM_BUS_SIZE);
	static const struct {
		struct pci_address a;
		unsigned offset, width;
	} wrong[] = { { { 15, 0, 0 }, 0, 4 },  { { 17, 0, 0 }, 0, 4 },     { { 16, 32, 0 }, 0, 4 },
		      { { 16, 31, 8 }, 0, 4 }, { { 16, 31, 7 }, 4096, 4 }, { { 16, 0, 0 }, 2, 4 },
		      { { 16, 0, 0 }, 1, 2 },  { { 16, 0, 0 }, 0, 8 } };
	struct ecam e;
	struct pci_config c = ecam_init(&e, memory, 16, 16);

	CHECK(memory != NULL);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		c.write(c.self, wrong[i].a, wrong[i].offset, wrong[i].width, 0x5a5a5a5a);
		CHECK(c.read(c.self, wrong[i].a, wrong[i].offset, wrong[i].width) == UINT32_MAX);
	}
	for (size_t i = 0; i < ECAM_BUS_SIZE; i++)
		CHECK(memory[i] == 0);
	free(memory);
}

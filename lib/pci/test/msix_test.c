/* SPDX-License-Identifier: MIT */
#include <lib/pci/msix.h>
#include <lib/pci/test/machine.h>
#include <string.h>
#include <test/test.h>

#define CAP 0x98u

static struct machine machine;
static struct pci_config config;
static struct machine_function *device;
static struct pci_bar bar[PCI_BARS];
static struct pci_msix msix;

/* 65 vectors in BAR 1 of 8 KiB, what is pending behind them. */
static void begin(void)
{
	config = machine_begin(&machine);
	device = machine_add(&machine, 0, 1, 0);
	machine_capability(device, PCI_CAPABILITY - 1, CAP, PCI_CAP_MSIX);
	machine_put(device, CAP + 2, 64, 2);
	machine_put(device, CAP + 4, 0x1001, 4);
	machine_put(device, CAP + 8, 0x1801, 4);
	device->writable[CAP + 3] = 0xc0;
	memset(bar, 0, sizeof(bar));
	bar[1] = (struct pci_bar){ .base = 0xfebd0000, .size = 0x2000 };
	bar[2] = (struct pci_bar){ .base = 0xc000, .size = 0x2000, .is_port = true };
	bar[3] = (struct pci_bar){ .base = 0, .size = 0x2000 };
}

static status_t find(void)
{
	struct pci_capabilities list;
	const char *why;

	if (pci_capabilities_read(&config, device->address, &list, &why) != ST_OK)
		return ST_BAD_STATE;
	return pci_msix_find(&config, device->address, &list, bar, &msix, &why);
}

TEST(pci_msix_tells_where_its_table_is)
{
	begin();
	CHECK(find() == ST_OK && msix.vectors == 65 && msix.capability == CAP);
	CHECK(msix.bar == 1 && msix.table == 0x1000);
	CHECK(msix.pending_bar == 1 && msix.pending == 0x1800);
	CHECK(pci_msix_is_near(&msix, 1, 0x1ff0, 1) && pci_msix_is_near(&msix, 1, 0xfff, 2));
	CHECK(!pci_msix_is_near(&msix, 1, 0, 0x1000) && !pci_msix_is_near(&msix, 0, 0x1000, 1));
	device->byte[CAP] = PCI_CAP_VENDOR;
	CHECK(find() == ST_UNSUPPORTED);
	device->byte[CAP] = PCI_CAP_MSIX;
	machine_capability(device, CAP, CAP + 8, 1); /* then it has no room */
	CHECK(find() == ST_UNSUPPORTED);
}

TEST(pci_msix_tables_lie_in_memory_and_apart)
{
	static const uint32_t wrong[][2] = {
		{ 0x1bf9, 0x1001 },     /* beyond the end by 8 bytes */
		{ 0xfffffff9, 0x1801 }, /* far beyond */
		{ 0x1001, 0x1ff1 },     /* 65 bits need 16 bytes, of which one is beyond */
		{ 0x1001, 0x1409 },     /* within the table */
		{ 0x1001, 0x0ff9 },     /* into the table */
		{ 0x1000, 0x1801 },     /* no such BAR */
		{ 0x1002, 0x1801 },     /* ports */
		{ 0x1003, 0x1801 },     /* a BAR without a place */
		{ 0x1006, 0x1801 },     /* numbers that are none of a BAR's */
		{ 0x1001, 0x1807 },
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin();
		machine_put(device, CAP + 4, wrong[i][0], 4);
		machine_put(device, CAP + 8, wrong[i][1] + (i == 2 ? 8 : 0), 4);
		CHECK(find() == ST_CORRUPT);
	}
	begin();
	machine_put(device, CAP + 8, 0x1411, 4); /* right behind it */
	CHECK(find() == ST_OK);
}

TEST(pci_msix_vectors_are_written_masked)
{
	uint32_t table[65 * 4 + 1];
	uint16_t control;

	begin();
	CHECK(find() == ST_OK);
	memset(table, 0, sizeof(table));
	table[65 * 4] = 0x5a5a5a5a;
	CHECK(pci_msix_start(&config, device->address, &msix, table));
	control = pci_read2(&config, device->address, CAP + 2);
	CHECK(control == (0x8000 | 64));
	for (unsigned i = 0; i < 65; i++)
		CHECK(table[4 * i + 3] == 1);
	CHECK(pci_msix_set(&msix, table, 64, 0x1fee00000ull, 0x4041));
	CHECK(table[256] == 0xfee00000 && table[257] == 1 && table[258] == 0x4041 &&
	      table[259] == 0);
	CHECK(!pci_msix_set(&msix, table, 65, 1, 2));
	pci_msix_clear(&msix, table, 65);
	CHECK(table[65 * 4] == 0x5a5a5a5a && table[255] == 1);
	pci_msix_clear(&msix, table, 64);
	CHECK(table[259] == 1);
	pci_msix_stop(&config, device->address, &msix);
	control = pci_read2(&config, device->address, CAP + 2);
	CHECK(control == (0x4000 | 64));
	device->writable[CAP + 3] = 0x40;
	CHECK(!pci_msix_start(&config, device->address, &msix, table));
}

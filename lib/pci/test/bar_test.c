/* SPDX-License-Identifier: MIT */
#include <lib/pci/space.h>
#include <lib/pci/test/machine.h>
#include <string.h>
#include <test/test.h>

static struct machine machine;
static struct pci_config config;
static struct machine_function *device;
static struct pci_bar bar[PCI_BARS];
static const char *why;

static void begin(void)
{
	config = machine_begin(&machine);
	device = machine_add(&machine, 0, 1, 0);
	device->byte[PCI_COMMAND] = PCI_MAY_IO | PCI_MAY_MEMORY | PCI_MAY_MASTER;
}

static status_t read_bars(void)
{
	why = "";
	return pci_bars_read(&config, device->address, PCI_TYPE_DEVICE, bar, &why);
}

/* Whether what is there is refused with these words, and left as it was. */
static bool is_refused(const char *words)
{
	uint8_t before[PCI_SPACE];

	memcpy(before, device->byte, sizeof(before));
	return read_bars() == ST_CORRUPT && strstr(why, words) != NULL &&
	       machine.bad_decodes == 0 && memcmp(before, device->byte, sizeof(before)) == 0;
}

/* Ports, memory below 4 GiB, and memory of 16 GiB with all 64 bits. */
TEST(pci_bars_are_read_as_the_standard_says)
{
	uint8_t before[PCI_SPACE];

	begin();
	machine_bar(device, 0, 0xc041, 0xffe0);
	machine_bar(device, 1, 0xfebd1000, 0xfffff000);
	machine_bar(device, 2, 0x0000000c, 0);
	machine_bar(device, 3, 0x8, 0xfffffffc);
	machine_bar(device, 5, 8, 0xffff0000); /* without a place */
	memcpy(before, device->byte, sizeof(before));
	CHECK(read_bars() == ST_OK);
	CHECK(bar[0].is_port && bar[0].base == 0xc040 && bar[0].size == 32);
	CHECK(!bar[1].is_port && bar[1].base == 0xfebd1000 && bar[1].size == 4096);
	CHECK(!bar[1].is_wide && !bar[1].is_prefetchable);
	CHECK(bar[2].is_wide && bar[2].is_prefetchable && bar[2].size == 1ull << 34);
	CHECK(bar[2].base == 0x800000000ull && bar[3].size == 0 && bar[4].size == 0);
	CHECK(bar[5].base == 0 && bar[5].size == 65536 && bar[5].is_prefetchable);
	CHECK(machine.bad_decodes == 0 && memcmp(before, device->byte, sizeof(before)) == 0);
}

TEST(pci_bars_of_a_bridge_are_two)
{
	begin();
	machine_bar(device, 1, 0xfebd1000, 0xfffff000);
	device->byte[PCI_BUS_PRIMARY] = 7; /* no BAR */
	CHECK(pci_bars_read(&config, device->address, PCI_TYPE_BRIDGE, bar, &why) == ST_OK);
	CHECK(bar[1].size == 4096 && bar[2].size == 0);
	CHECK(pci_bars_read(&config, device->address, 2, bar, &why) == ST_UNSUPPORTED);
	CHECK(bar[1].size == 0);
}

TEST(pci_bars_that_lie_are_refused)
{
	static const struct {
		uint32_t value, writable, next, next_writable;
		const char *words;
	} wrong[] = {
		{ 0xfeb51000, 0xfff7f000, 0, 0, "no size" }, /* a hole in the bits */
		{ 0x0ebd1000, 0x0ffff000, 0, 0, "no size" }, /* the upper bits are fixed */
		{ 0xfebd1000, 0xfffff001, 0, 0, "no size" }, /* becomes one of ports */
		{ 0xfebd1008, 0, 0, 0, "no size" },          /* nothing can be written */
		{ 0xc001, 0xf7f0, 0, 0, "no size" },
		{ 0xc003, 0xfff0, 0, 0, "no size" },
		{ 0x1c001, 0xfffffff0, 0, 0, "beyond the ports" },
		{ 0x4, 0xfffff000, 0x100000, 0xffffffff, "beyond all memory" },
		{ 0x4, 0, 0, 0x80000000, "beyond all memory" },   /* 2^63 bytes */
		{ 0x4, 0xfffff000, 0xfffff, 0xfffff, "no size" }, /* the top bits are fixed */
		{ 0xfebd1002, 0xfffff000, 0, 0, "unknown kind" },
		{ 0xfebd1006, 0xfffff000, 0, 0, "unknown kind" },
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin();
		machine_bar(device, 2, wrong[i].value, wrong[i].writable);
		machine_bar(device, 3, wrong[i].next, wrong[i].next_writable);
		CHECK(is_refused(wrong[i].words));
	}
	begin();
	machine_bar(device, 5, 0xfebd1004, 0xfffff000);
	CHECK(is_refused("no upper half"));
	begin();
	device->once[PCI_BAR + 6] = 1; /* does not take its value back */
	machine_bar(device, 1, 0xfebd0000, 0xfffe0000);
	CHECK(read_bars() == ST_CORRUPT && device->byte[PCI_COMMAND] == 7);
}

TEST(pci_bars_do_not_overlap)
{
	begin();
	machine_bar(device, 0, 0xfebd0000, 0xffff0000);
	machine_bar(device, 1, 0xfebe0000, 0xfffff000);
	machine_bar(device, 4, 0xc001, 0xfff0);
	machine_bar(device, 5, 0xc011, 0xfff0);
	CHECK(read_bars() == ST_OK);
	machine_bar(device, 1, 0xfebdf000, 0xfffff000);
	CHECK(is_refused("overlap"));
	machine_bar(device, 1, 0, 0);
	machine_bar(device, 5, 0xc00d, 0xfffc);
	CHECK(is_refused("overlap"));
}

TEST(pci_bar_bounds_what_lies_in_it)
{
	struct pci_bar b = { .base = 0x10000, .size = 0x4000 };

	CHECK(pci_bar_has(&b, 0, 0x4000) && pci_bar_has(&b, 0x3fff, 1));
	CHECK(!pci_bar_has(&b, 0, 0x4001) && !pci_bar_has(&b, 0x4000, 1));
	CHECK(!pci_bar_has(&b, 1, 0x4000) && !pci_bar_has(&b, 0, 0));
	CHECK(!pci_bar_has(&b, UINT64_MAX, 2) && !pci_bar_has(&b, 2, UINT64_MAX));
	b.is_port = true;
	CHECK(!pci_bar_has(&b, 0, 1));
	b = (struct pci_bar){ .size = 0x4000 };
	CHECK(!pci_bar_has(&b, 0, 1));
}

TEST(pci_space_has_one_owner_for_each_page)
{
	struct pci_range range[4];
	struct pci_space s = { range, 4, 0 };
	struct pci_bar two[PCI_BARS] = { { .base = 0x20000, .size = 0x1000 },
					 { .base = 0x30000, .size = 0x100 } };

	CHECK(pci_space_claim(&s, 0x10010, 16) && s.count == 1);
	CHECK(!pci_space_claim(&s, 0x10f00, 16) && !pci_space_claim(&s, 0xf000, 0x1001));
	CHECK(!pci_space_claim(&s, 0x50000, 0) && !pci_space_claim(&s, PCI_BAR_TOP - 1, 2));
	CHECK(!pci_space_claim(&s, UINT64_MAX, 2) && s.count == 1);
	CHECK(pci_space_claim(&s, 0x30800, 1) && s.count == 2);
	CHECK(!pci_space_claim_bars(&s, two) && s.count == 2); /* the second is taken */
	two[1].base = 0x40000;
	CHECK(pci_space_claim_bars(&s, two) && s.count == 4);
	CHECK(!pci_space_claim(&s, 0x90000, 1)); /* no room */
}

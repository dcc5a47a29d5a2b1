/* SPDX-License-Identifier: MIT */
#include <lib/pci/scan.h>
#include <lib/pci/test/machine.h>
#include <test/test.h>

static struct machine machine;
static struct pci_function function[MACHINE_FUNCTIONS];

static struct pci_scan scan(const struct pci_config *c, uint8_t first, uint8_t last, size_t most)
{
	struct pci_scan s = { .function = function, .most = most };

	pci_scan(c, first, last, &s);
	return s;
}

static bool is_at(size_t i, unsigned bus, unsigned device, unsigned f)
{
	return function[i].address.bus == bus && function[i].address.device == device &&
	       function[i].address.function == f;
}

static struct pci_address at(uint8_t bus, uint8_t device, uint8_t f)
{
	return (struct pci_address){ bus, device, f };
}

TEST(pci_scan_goes_through_bridges_and_functions)
{
	struct pci_config c = machine_begin(&machine);
	struct pci_scan s;

	machine_add(&machine, 0, 3, 0)->byte[PCI_HEADER] = PCI_HEADER_MANY;
	machine_add(&machine, 0, 3, 5)->byte[PCI_CLASS + 1] = 2;
	machine_add(&machine, 0, 4, 0);
	machine_add(&machine, 0, 4, 1); /* not said to be there */
	machine_add_bridge(&machine, at(0, 5, 0), 2, 4);
	machine_add_bridge(&machine, at(0, 6, 0), 0, 0); /* not set up */
	machine_add_bridge(&machine, at(0, 7, 0), 5, 9);
	machine_add_bridge(&machine, at(2, 0, 0), 3, 3);
	machine_add_bridge(&machine, at(2, 1, 0), 4, 4);
	machine_add(&machine, 4, 31, 0);
	machine_add(&machine, 9, 0, 0); /* no bridge leads there */
	s = scan(&c, 0, 255, MACHINE_FUNCTIONS);
	CHECK(s.count == 9 && s.left == 0 && s.refused == 0);
	CHECK(is_at(0, 0, 3, 0) && is_at(1, 0, 3, 5) && is_at(2, 0, 4, 0) && is_at(8, 4, 31, 0));
	CHECK(function[0].vendor == 0x1af4 && function[0].device == 0x1041);
	CHECK(function[0].subsystem == 0x1100 && function[0].type == PCI_TYPE_DEVICE);
	CHECK(function[1].class == 0x200 && function[3].type == PCI_TYPE_BRIDGE);
	s = scan(&c, 0, 255, 2);
	CHECK(s.count == 2 && s.left == 7 && is_at(1, 0, 3, 5));
}

/* Each bridge alone on its machine, with a device on every bus from 0 to 7. */
TEST(pci_scan_refuses_bridges_that_lead_astray)
{
	static const uint8_t wrong[][4] = {
		/* on bus, primary, first, last */
		{ 0, 1, 1, 2 }, /* it says that it is elsewhere */
		{ 0, 0, 0, 2 }, /* back to where it is */
		{ 0, 0, 2, 1 }, /* backwards */
		{ 0, 0, 1, 8 }, /* beyond what there is */
		{ 3, 3, 2, 4 }, /* back above */
		{ 3, 3, 4, 6 }, /* beyond what the bridge above has */
		{ 0, 0, 5, 6 }, /* another's bus */
		{ 0, 0, 1, 3 }, /* another's bus, at the end */
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct pci_config c = machine_begin(&machine);
		struct machine_function *bad;
		struct pci_scan s;

		machine_add_bridge(&machine, at(0, 0, 0), 3, 5);
		bad = machine_add_bridge(&machine, at(wrong[i][0], 1, 0), wrong[i][2], wrong[i][3]);
		bad->byte[PCI_BUS_PRIMARY] = wrong[i][1];
		for (uint8_t bus = 0; bus < 8; bus++)
			machine_add(&machine, bus, 9, 0);
		s = scan(&c, 0, 7, MACHINE_FUNCTIONS);
		CHECK(s.refused == 1 && s.count == 4 && s.left == 0);
	}
}

static uint32_t ones_read(void *self, struct pci_address a, unsigned offset, unsigned width)
{
	++*(uint64_t *)self;
	(void)a, (void)offset, (void)width;
	return UINT32_MAX;
}

/* All functions of all buses that lead there are the same bridge to all buses. */
static uint32_t bridge_read(void *self, struct pci_address a, unsigned offset, unsigned width)
{
	++*(uint64_t *)self;
	(void)width;
	switch (offset) {
	case PCI_HEADER:
		return PCI_HEADER_MANY | PCI_TYPE_BRIDGE;
	case PCI_BUS_PRIMARY:
		return a.bus;
	case PCI_BUS_SECONDARY:
		return a.bus + 1u;
	case PCI_BUS_LAST:
		return 255;
	default:
		return 0x1234;
	}
}

static void nothing_write(void *self, struct pci_address a, unsigned offset, unsigned width,
			  uint32_t value)
{
	(void)self, (void)a, (void)offset, (void)width, (void)value;
}

TEST(pci_scan_is_bounded)
{
	uint64_t reads = 0;
	struct pci_config c = { ones_read, nothing_write, &reads };
	struct pci_scan s = scan(&c, 0, 255, MACHINE_FUNCTIONS);

	CHECK(s.count == 0 && s.left == 0 && reads == PCI_DEVICES);
	reads = 0;
	c.read = bridge_read;
	s = scan(&c, 0, 255, MACHINE_FUNCTIONS);
	CHECK(s.count == MACHINE_FUNCTIONS && s.left == 256 * 256 - MACHINE_FUNCTIONS);
	CHECK(s.refused == 256 * 256 - 255 && reads <= 256 * 256 * 8);
}

/* SPDX-License-Identifier: MIT */
#include <lib/pci/capability.h>
#include <lib/pci/test/machine.h>
#include <string.h>
#include <test/test.h>

static struct machine machine;
static struct pci_config config;
static struct machine_function *device;
static struct pci_capabilities list;
static const char *why;

static void begin(void)
{
	config = machine_begin(&machine);
	device = machine_add(&machine, 0, 1, 0);
	machine_capability(device, PCI_CAPABILITY - 1, 0x98, PCI_CAP_MSIX);
	machine_capability(device, 0x98, 0x84, PCI_CAP_VENDOR);
	machine_capability(device, 0x84, 0x40, PCI_CAP_VENDOR);
}

static status_t read_list(void)
{
	return pci_capabilities_read(&config, device->address, &list, &why);
}

TEST(pci_capabilities_are_listed_with_their_room)
{
	unsigned from = 0;

	begin();
	CHECK(read_list() == ST_OK && list.count == 3);
	CHECK(list.list[0].id == PCI_CAP_MSIX && list.list[0].offset == 0x98);
	CHECK(list.list[0].room == 0x68 && list.list[1].room == 0x14 && list.list[2].room == 0x44);
	CHECK(pci_capability_next(&list, PCI_CAP_VENDOR, 0x14, &from) == &list.list[1]);
	CHECK(pci_capability_next(&list, PCI_CAP_VENDOR, 0x14, &from) == &list.list[2]);
	CHECK(pci_capability_next(&list, PCI_CAP_VENDOR, 0x14, &from) == NULL);
	from = 0;
	CHECK(pci_capability_next(&list, PCI_CAP_VENDOR, 0x15, &from) == &list.list[2]);
	device->byte[PCI_STATUS] = 0;
	CHECK(read_list() == ST_OK && list.count == 0);
}

TEST(pci_capabilities_that_lead_astray_are_refused)
{
	begin();
	device->byte[0x41] = 0x98;
	CHECK(read_list() == ST_CORRUPT && list.count == 0 && strstr(why, "back") != NULL);
	device->byte[0x41] = 0x43; /* to itself: the lowest bits do not count */
	CHECK(read_list() == ST_CORRUPT && list.count == 0);
	device->byte[0x41] = 0x3c;
	CHECK(read_list() == ST_CORRUPT && strstr(why, "header") != NULL);
	memset(device->byte, 0xff, PCI_SPACE);
	CHECK(read_list() == ST_CORRUPT && list.count == 0);
}

TEST(pci_capabilities_fill_all_there_is)
{
	begin();
	machine_capability(device, PCI_CAPABILITY - 1, 0x40, 1);
	for (unsigned at = 0x44; at < PCI_SPACE; at += 4)
		machine_capability(device, at - 4, at, 1);
	CHECK(read_list() == ST_OK && list.count == PCI_CAPABILITIES);
	CHECK(list.list[47].offset == 0xfc && list.list[47].room == 4);
}

/* SPDX-License-Identifier: MIT */
#include <lib/pci/reset.h>
#include <lib/pci/test/machine.h>
#include <test/test.h>

#define EXPRESS  0x40u
#define ADVANCED 0x80u

static struct machine machine;
static struct pci_config config;
static struct machine_function *device;
static const struct pci_pause pause_machine = { machine_sleep, &machine };

/* A device that works, with a port BAR and a wide one, and a reset of PCI Express. */
static void begin(void)
{
	config = machine_begin(&machine);
	device = machine_add(&machine, 0, 1, 0);
	device->byte[PCI_COMMAND] = 7;
	machine_bar(device, 0, 0xc041, 0xffe0);
	machine_bar(device, 4, 0xfebd000c, 0xffffc000);
	machine_bar(device, 5, 0x12, 0xffffffff);
	machine_capability(device, PCI_CAPABILITY - 1, EXPRESS, PCI_CAP_EXPRESS);
	machine_capability(device, EXPRESS, ADVANCED, PCI_CAP_ADVANCED);
	machine_put(device, EXPRESS + 4, 1u << 28, 4);
	device->reset_at = EXPRESS + 9;
	device->reset_bit = 0x80;
}

static status_t reset(void)
{
	struct pci_capabilities list;
	struct pci_bar bar[PCI_BARS];
	const char *why;

	if (pci_bars_read(&config, device->address, PCI_TYPE_DEVICE, bar, &why) != ST_OK ||
	    pci_capabilities_read(&config, device->address, &list, &why) != ST_OK)
		return ST_BAD_STATE;
	return pci_reset(&config, device->address, &list, bar, &pause_machine);
}

/* It has its places, and may do nothing. */
static bool is_as_after_reset(unsigned resets)
{
	return device->resets == resets && device->byte[PCI_COMMAND] == 0 &&
	       pci_read4(&config, device->address, PCI_BAR) == 0xc041 &&
	       pci_read4(&config, device->address, PCI_BAR + 16) == 0xfebd000c &&
	       pci_read4(&config, device->address, PCI_BAR + 20) == 0x12;
}

TEST(pci_reset_by_express_gives_places_back)
{
	begin();
	CHECK(reset() == ST_OK && is_as_after_reset(1));
	CHECK(machine.slept >= 100);
	begin();
	machine_put(device, EXPRESS + 10, 1u << 5, 2); /* never has all its answers */
	CHECK(reset() == ST_OK && is_as_after_reset(1) && machine.slept >= 200);
}

TEST(pci_reset_by_advanced_features)
{
	begin();
	machine_put(device, EXPRESS + 4, 0, 4);
	machine_put(device, ADVANCED + 3, 3, 1);
	device->reset_at = ADVANCED + 4;
	device->reset_bit = 1;
	CHECK(reset() == ST_OK && is_as_after_reset(1));
}

TEST(pci_reset_that_is_not_there)
{
	begin();
	machine_put(device, EXPRESS + 4, 0, 4);
	machine_put(device, ADVANCED + 3, 1, 1);
	CHECK(reset() == ST_UNSUPPORTED && is_as_after_reset(0));
}

static struct pci_config inner;
static unsigned dead_for; /* reads of its vendor that it does not answer after a reset */
static uint32_t identity;

static uint32_t dead_read(void *self, struct pci_address a, unsigned offset, unsigned width)
{
	if (offset == PCI_VENDOR && device->resets != 0) {
		if (dead_for != 0) {
			dead_for--;
			return UINT32_MAX;
		}
		return width == 2 ? (uint16_t)identity : identity;
	}
	return inner.read(self, a, offset, width);
}

static void begin_dead(unsigned reads, uint32_t comes_back_as)
{
	begin();
	inner = config;
	config.read = dead_read;
	dead_for = reads;
	identity = comes_back_as;
}

TEST(pci_reset_of_what_does_not_come_back)
{
	begin_dead(500, 0x10411af4);
	CHECK(reset() == ST_OK && is_as_after_reset(1) && machine.slept >= 600);
	begin_dead(1u << 20, 0x10411af4);
	CHECK(reset() == ST_DEADLINE && machine.slept <= 1300);
	begin_dead(0, 0x10421af4); /* another */
	CHECK(reset() == ST_CORRUPT);
	begin();
	device->writable[PCI_COMMAND] = 3; /* masters the bus whatever it is told */
	CHECK(reset() == ST_CORRUPT);
}

TEST(pci_allow_is_exact_and_checked)
{
	begin();
	device->byte[PCI_COMMAND + 1] = 1; /* another bit, which stays */
	CHECK(pci_allow(&config, device->address, PCI_MAY_MEMORY | PCI_NO_LINE));
	CHECK(pci_read2(&config, device->address, PCI_COMMAND) == 0x502);
	device->writable[PCI_COMMAND] = 3;
	CHECK(!pci_allow(&config, device->address, PCI_MAY_MEMORY | PCI_MAY_MASTER));
	CHECK(pci_read2(&config, device->address, PCI_COMMAND) == 0x500);
}

/* SPDX-License-Identifier: MIT */
#include <lib/pci/test/machine.h>
#include <lib/virtio/virtio_pci.h>
#include <string.h>
#include <test/test.h>

#define COMMON 0x40u
#define NOTIFY 0x50u
#define ISR    0x64u
#define CONFIG 0x74u
#define TYPE   3
#define BAR    4
#define OFFSET 8
#define LENGTH 12
#define STEP   16

static struct machine machine;
static struct pci_config config;
static struct machine_function *device;
static struct pci_bar bar[PCI_BARS];
static struct pci_msix msix;
static struct virtio_pci found;
static const char *why;

static void part(unsigned last, unsigned at, uint8_t type, uint32_t offset, uint32_t length)
{
	machine_capability(device, last, at, PCI_CAP_VENDOR);
	device->byte[at + 2] = at == NOTIFY ? 20 : 16;
	device->byte[at + TYPE] = type;
	device->byte[at + BAR] = 4;
	machine_put(device, at + OFFSET, offset, 4);
	machine_put(device, at + LENGTH, length, 4);
}

/* As QEMU has it: all in BAR 4, the table of vectors in BAR 1. */
static void begin(void)
{
	config = machine_begin(&machine);
	device = machine_add(&machine, 0, 1, 0);
	part(PCI_CAPABILITY - 1, COMMON, 1, 0, 0x1000);
	part(COMMON, NOTIFY, 2, 0x3000, 0x1000);
	part(NOTIFY, ISR, 3, 0x1000, 0x1000);
	part(ISR, CONFIG, 4, 0x2000, 0x1000);
	machine_put(device, NOTIFY + STEP, 4, 4);
	memset(bar, 0, sizeof(bar));
	bar[1] = (struct pci_bar){ .base = 0xfebd0000, .size = 0x1000 };
	bar[4] = (struct pci_bar){ .base = 0xfeb00000, .size = 0x4000 };
	msix = (struct pci_msix){ .bar = 1, .pending_bar = 1, .vectors = 3, .pending = 0x800 };
}

static status_t find(void)
{
	struct pci_capabilities l;

	if (pci_capabilities_read(&config, device->address, &l, &why) != ST_OK)
		return ST_BAD_STATE;
	return virtio_pci_find(&config, device->address, &l, bar, &msix, &found, &why);
}

TEST(virtio_pci_finds_the_registers)
{
	begin();
	CHECK(find() == ST_OK && found.notify_step == 4);
	CHECK(found.part[VIRTIO_COMMON].offset == 0 && found.part[VIRTIO_COMMON].bar == 4);
	CHECK(found.part[VIRTIO_NOTIFY].offset == 0x3000 &&
	      found.part[VIRTIO_NOTIFY].length == 0x1000);
	CHECK(found.part[VIRTIO_ISR].offset == 0x1000 &&
	      found.part[VIRTIO_CONFIG].offset == 0x2000);
	device->byte[CONFIG] = 1; /* no configuration of its own */
	CHECK(find() == ST_OK && found.part[VIRTIO_CONFIG].length == 0);
	device->byte[ISR] = 1;
	CHECK(find() == ST_UNSUPPORTED);
}

/* The first that can be used counts; kinds and BARs that are reserved don't. */
TEST(virtio_pci_takes_the_first_of_each_part)
{
	begin();
	part(CONFIG, 0x84, 1, 0x2000, 0x1000);
	CHECK(find() == ST_OK && found.part[VIRTIO_COMMON].offset == 0);
	device->byte[COMMON + BAR] = 6;
	CHECK(find() == ST_OK && found.part[VIRTIO_COMMON].offset == 0x2000);
	device->byte[COMMON + BAR] = 4;
	device->byte[COMMON + TYPE] = 5;
	CHECK(find() == ST_OK && found.part[VIRTIO_COMMON].offset == 0x2000);
	device->byte[COMMON + TYPE] = 0;
	CHECK(find() == ST_OK && found.part[VIRTIO_COMMON].offset == 0x2000);
}

TEST(virtio_pci_registers_lie_in_their_memory)
{
	static const struct {
		unsigned at;
		uint32_t value;
		unsigned size;
	} wrong[] = {
		{ COMMON + OFFSET, 0x3004, 4 },     /* beyond by 4 bytes */
		{ COMMON + OFFSET, 2, 4 },          /* not a multiple of 4 */
		{ COMMON + LENGTH, 55, 4 },         /* too short for the registers */
		{ NOTIFY + OFFSET, 0xfffff002, 4 }, /* would wrap */
		{ NOTIFY + OFFSET, 0x2001, 4 },     /* odd */
		{ NOTIFY + LENGTH, 1, 4 },          /* no doorbell has room */
		{ NOTIFY + STEP, 1, 4 },            /* odd doorbells */
		{ NOTIFY + STEP, 12, 4 },           /* no power of two */
		{ NOTIFY + 2, 16, 1 },              /* the capability has no step */
		{ ISR + LENGTH, UINT32_MAX, 4 },
		{ CONFIG + BAR, 2, 1 }, /* no such BAR */
		{ CONFIG + BAR, 1, 1 }, /* the BAR of vectors, beyond its end */
		{ CONFIG + 2, 15, 1 },  /* the capability is too short */
		{ COMMON + 2, 17, 1 },  /* it reaches into the next */
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin();
		machine_put(device, wrong[i].at, wrong[i].value, wrong[i].size);
		CHECK(find() == ST_CORRUPT && why != NULL);
	}
	begin();
	device->byte[0] = 0;
	memset(bar, 0, sizeof(bar));
	CHECK(find() == ST_CORRUPT);
}

TEST(virtio_pci_registers_are_apart_from_vectors)
{
	begin();
	msix.bar = 4;
	msix.table = 0x3800;
	CHECK(find() == ST_CORRUPT && strstr(why, "vectors") != NULL);
	machine_put(device, NOTIFY + LENGTH, 0x100, 4); /* the same page */
	CHECK(find() == ST_CORRUPT);
	machine_put(device, NOTIFY + OFFSET, 0x2000, 4);
	CHECK(find() == ST_OK);
}

TEST(virtio_pci_knows_its_kind)
{
	struct pci_function f = { .vendor = 0x1af4, .device = 0x1041, .subsystem = 9 };

	CHECK(virtio_pci_kind(&f) == 1);
	f.device = 0x1000;
	CHECK(virtio_pci_kind(&f) == 9);
	f.device = 0x1040;
	CHECK(virtio_pci_kind(&f) == 0);
	f.device = 0x1080;
	CHECK(virtio_pci_kind(&f) == 0);
	f.device = 0x1042;
	f.type = PCI_TYPE_BRIDGE;
	CHECK(virtio_pci_kind(&f) == 0);
	f.type = PCI_TYPE_DEVICE;
	f.vendor = 0x8086;
	CHECK(virtio_pci_kind(&f) == 0);
}

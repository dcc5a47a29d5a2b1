/* SPDX-License-Identifier: MIT */
/* What PCI devices say of themselves, as the platform service and drivers read it. The input is
 * the configuration space of up to 4 functions, with a seed each for which of its bits can be
 * written; then, what a virtio device answers, byte by byte. Whatever it is, what is taken for good
 * must be within its bounds. */
#include <lib/pci/reset.h>
#include <lib/pci/scan.h>
#include <lib/pci/space.h>
#include <lib/virtio/virtio_device.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUNCTIONS 4u

struct function {
	uint8_t byte[PCI_SPACE], writable[PCI_SPACE];
};

static struct function function[FUNCTIONS]; /* devices 0 to 3 of every bus */
static uint32_t *table;                     /* of vectors, on the heap: a step beyond is seen */
static const uint8_t *rest;                 /* what the virtio device answers */
static size_t rest_size;

static void must(bool claim)
{
	if (!claim)
		abort();
}

static uint32_t config_read(void *self, struct pci_address a, unsigned offset, unsigned width)
{
	uint32_t value = 0;

	(void)self;
	must((width == 1 || width == 2 || width == 4) && offset % width == 0);
	must(offset <= PCI_SPACE - width && a.device < PCI_DEVICES && a.function < PCI_FUNCTIONS);
	if (a.device >= FUNCTIONS)
		return UINT32_MAX >> (32 - 8 * width);
	memcpy(&value, function[a.device].byte + offset, width);
	/* Bridges on any bus lead on, as far as they may. */
	if (offset == PCI_BUS_PRIMARY && width == 1 && value == 1)
		return a.bus;
	return value;
}

static void config_write(void *self, struct pci_address a, unsigned offset, unsigned width,
			 uint32_t value)
{
	(void)self;
	must(offset % width == 0 && offset <= PCI_SPACE - width);
	if (a.device >= FUNCTIONS)
		return;
	for (unsigned i = 0; i < width; i++, value >>= 8) {
		uint8_t *b = &function[a.device].byte[offset + i];
		uint8_t w = function[a.device].writable[offset + i];

		*b = (uint8_t)((*b & ~w) | (value & w));
	}
}

static void no_sleep(void *self, unsigned milliseconds)
{
	(void)self, (void)milliseconds;
}

static uint32_t device_read(void *self, enum virtio_part part, uint32_t offset, unsigned width)
{
	uint32_t value = 0;

	(void)self, (void)part, (void)offset;
	for (unsigned i = 0; i < width && rest_size > 0; i++, rest_size--)
		value |= (uint32_t)*rest++ << (8 * i);
	return value;
}

static void device_write(void *self, enum virtio_part part, uint32_t offset, unsigned width,
			 uint32_t value)
{
	const struct virtio_device *d = self;

	(void)value;
	must(part != VIRTIO_NOTIFY || offset <= d->notify_length - width);
	must(part != VIRTIO_COMMON || offset <= 56 - width);
}

static void drive(const struct virtio_pci *v)
{
	static struct virtio_device d;
	const struct virtio_registers registers = { device_read, device_write, &d };
	const struct virtio_queue q = { 0x1000, 0x2000, 0x3000, 64, 1 };
	const struct virtio_fields f = { 0, 1, 6 };
	const char *why = NULL;
	uint16_t queue_size = 0;
	uint32_t doorbell = 0;
	uint8_t mac[6];

	virtio_device_init(&d, &registers, v);
	if (virtio_device_begin(&d, 1, UINT64_MAX, &why) != ST_OK) {
		must(why != NULL && d.features == 0);
		return;
	}
	must((d.features & (VIRTIO_VERSION_1 | 1)) == (VIRTIO_VERSION_1 | 1));
	if (virtio_device_queue_size(&d, 0, 64, &queue_size, &why) == ST_OK)
		must(queue_size != 0 && queue_size <= 64 && (queue_size & (queue_size - 1)) == 0);
	if (virtio_device_queue(&d, 0, &q, &doorbell, &why) == ST_OK)
		virtio_device_notify(&d, 0, doorbell);
	if (virtio_device_config(&d, &f, mac) == ST_OK)
		must(d.config_length >= 6);
}

static void check_bars(const struct pci_bar bar[PCI_BARS])
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		must((bar[i].size & (bar[i].size - 1)) == 0);
		must(bar[i].base <= PCI_BAR_TOP && bar[i].size <= PCI_BAR_TOP - bar[i].base);
		must(bar[i].size != 0 || bar[i].base == 0);
		must(bar[i].size == 0 || bar[i].base % bar[i].size == 0);
	}
}

static void check_msix(const struct pci_config *c, struct pci_address a, const struct pci_msix *m,
		       const struct pci_bar bar[PCI_BARS])
{
	must(m->vectors >= 1 && m->vectors <= 2048 && m->bar < PCI_BARS);
	must(m->table <= bar[m->bar].size &&
	     m->vectors * PCI_MSIX_ENTRY <= bar[m->bar].size - m->table);
	table = realloc(table, m->vectors * PCI_MSIX_ENTRY);
	if (pci_msix_start(c, a, m, table))
		must(pci_msix_set(m, table, m->vectors - 1u, 0xfee00000, 1));
	must(!pci_msix_set(m, table, m->vectors, 0xfee00000, 1));
	pci_msix_stop(c, a, m);
}

static void look(const struct pci_config *c, const struct pci_function *f, struct pci_space *space)
{
	const struct pci_pause pause = { no_sleep, NULL };
	struct pci_capabilities l;
	struct pci_bar bar[PCI_BARS];
	struct pci_msix m;
	struct virtio_pci v;
	const char *why = NULL;
	bool has_msix;

	if (pci_bars_read(c, f->address, f->type, bar, &why) != ST_OK ||
	    pci_capabilities_read(c, f->address, &l, &why) != ST_OK) {
		must(why != NULL);
		return;
	}
	check_bars(bar);
	(void)pci_space_claim_bars(space, bar);
	has_msix = pci_msix_find(c, f->address, &l, bar, &m, &why) == ST_OK;
	if (has_msix)
		check_msix(c, f->address, &m, bar);
	if (virtio_pci_find(c, f->address, &l, bar, has_msix ? &m : NULL, &v, &why) == ST_OK) {
		for (unsigned i = 0; i < VIRTIO_PARTS; i++) {
			const struct pci_bar *b = &bar[v.part[i].bar];

			must(v.part[i].length <= b->size &&
			     v.part[i].offset <= b->size - v.part[i].length);
		}
		drive(&v);
	}
	(void)pci_reset(c, f->address, &l, bar, &pause);
}

/* Bits that can be written: in the header as a seed says, elsewhere those of control registers. */
static void fill(struct function *f, const uint8_t *from, uint8_t seed)
{
	memcpy(f->byte, from, PCI_SPACE);
	memset(f->writable, seed & 1 ? 0x80 : 0, PCI_SPACE);
	f->writable[PCI_COMMAND] = 7;
	for (unsigned i = 0; i < PCI_BARS; i++) {
		uint32_t writable = UINT32_MAX << (4 + (seed + i) % 24);

		if (seed & 2)
			memcpy(f->writable + PCI_BAR + 4 * i, &writable, 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pci_function found[64];
	static struct pci_range range[32];
	const struct pci_config c = { config_read, config_write, NULL };
	struct pci_scan s = { .function = found, .most = 64 };
	struct pci_space space = { range, 32, 0 };

	memset(function, 0xff, sizeof(function));
	for (unsigned i = 0; i < FUNCTIONS && size > PCI_SPACE; i++) {
		fill(&function[i], data + 1, data[0]);
		data += PCI_SPACE + 1;
		size -= PCI_SPACE + 1;
	}
	rest = data;
	rest_size = size;
	pci_scan(&c, 0, 15, &s);
	must(s.count <= s.most && s.count + s.left <= 16 * FUNCTIONS * PCI_FUNCTIONS);
	for (size_t i = 0; i < s.count; i++)
		look(&c, &found[i], &space);
	for (size_t i = 0; i < space.count; i++) {
		for (size_t j = 0; j < i; j++)
			must(range[i].end <= range[j].base || range[j].end <= range[i].base);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include <lib/pci/test/machine.h>
#include <stdlib.h>
#include <string.h>

static struct machine_function *function_at(struct machine *m, struct pci_address a)
{
	for (unsigned i = 0; i < m->count; i++) {
		struct machine_function *f = &m->function[i];

		if (f->address.bus == a.bus && f->address.device == a.device &&
		    f->address.function == a.function)
			return f;
	}
	return NULL;
}

static void check_access(unsigned offset, unsigned width)
{
	if ((width != 1 && width != 2 && width != 4) || offset % width != 0 ||
	    offset > PCI_SPACE - width)
		abort();
}

static uint32_t machine_read(void *self, struct pci_address a, unsigned offset, unsigned width)
{
	const struct machine_function *f = function_at(self, a);
	uint32_t value = UINT32_MAX;

	check_access(offset, width);
	if (f == NULL)
		return value >> (32 - 8 * width);
	value = 0;
	memcpy(&value, f->byte + offset, width);
	return value;
}

/* As it comes out of a reset. */
static void function_reset(struct machine_function *f)
{
	for (unsigned i = 0; i < PCI_FIRST_FREE; i++)
		f->byte[i] &= (uint8_t)~f->writable[i];
	f->resets++;
}

static void machine_write(void *self, struct pci_address a, unsigned offset, unsigned width,
			  uint32_t value)
{
	struct machine *m = self;
	struct machine_function *f = function_at(m, a);

	check_access(offset, width);
	if (f == NULL)
		return;
	if (offset >= PCI_BAR && offset < PCI_BAR + 24 && value == UINT32_MAX &&
	    (f->byte[PCI_COMMAND] & (PCI_MAY_IO | PCI_MAY_MEMORY)))
		m->bad_decodes++;
	for (unsigned i = offset; i < offset + width; i++, value >>= 8) {
		uint8_t w = f->writable[i];

		f->byte[i] = (uint8_t)((f->byte[i] & ~w) | (value & w)) ^ f->once[i];
		if (i == f->reset_at && f->reset_at != 0 && (value & f->reset_bit))
			function_reset(f);
	}
}

struct pci_config machine_begin(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	return (struct pci_config){ machine_read, machine_write, m };
}

struct machine_function *machine_add(struct machine *m, uint8_t bus, uint8_t device,
				     uint8_t function)
{
	struct machine_function *f = &m->function[m->count++];

	if (m->count > MACHINE_FUNCTIONS)
		abort();
	f->address = (struct pci_address){ bus, device, function };
	machine_put(f, PCI_VENDOR, 0x10411af4, 4);
	machine_put(f, PCI_SUBSYSTEM, 0x1100, 2);
	f->writable[PCI_COMMAND] = PCI_MAY_IO | PCI_MAY_MEMORY | PCI_MAY_MASTER;
	f->writable[PCI_COMMAND + 1] = PCI_NO_LINE >> 8;
	return f;
}

struct machine_function *machine_add_bridge(struct machine *m, struct pci_address a, uint8_t first,
					    uint8_t last)
{
	struct machine_function *f = machine_add(m, a.bus, a.device, a.function);

	f->byte[PCI_HEADER] = PCI_TYPE_BRIDGE;
	f->byte[PCI_BUS_PRIMARY] = a.bus;
	f->byte[PCI_BUS_SECONDARY] = first;
	f->byte[PCI_BUS_LAST] = last;
	return f;
}

void machine_bar(struct machine_function *f, unsigned bar, uint32_t value, uint32_t writable)
{
	memcpy(f->byte + PCI_BAR + 4 * bar, &value, 4);
	memcpy(f->writable + PCI_BAR + 4 * bar, &writable, 4);
}

void machine_capability(struct machine_function *f, unsigned last, unsigned offset, uint8_t id)
{
	f->byte[PCI_STATUS] |= PCI_STATUS_LIST;
	f->byte[last + 1] = (uint8_t)offset;
	f->byte[offset] = id;
	f->byte[offset + 1] = 0;
}

void machine_put(struct machine_function *f, unsigned offset, uint64_t value, unsigned size)
{
	memcpy(f->byte + offset, &value, size);
}

void machine_sleep(void *self, unsigned milliseconds)
{
	((struct machine *)self)->slept += milliseconds;
}

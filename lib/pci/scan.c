/* SPDX-License-Identifier: MIT */
#include <lib/pci/scan.h>

/* Buses that are still to be looked at, each with the last that may be behind it. */
struct walk {
	const struct pci_config *config;
	struct pci_scan *scan;
	bool is_taken[PCI_BUSES]; /* led to, or within what a bridge has */
	uint8_t bus[PCI_BUSES], limit[PCI_BUSES];
	unsigned found, done; /* of `bus` */
};

static void bus_add(struct walk *w, uint8_t bus, uint8_t limit)
{
	w->bus[w->found] = bus;
	w->limit[w->found++] = limit;
}

/* Takes the buses behind a bridge on a bus whose limit is given; false: its numbers can't be. */
static bool bridge_follow(struct walk *w, struct pci_address a, uint8_t limit)
{
	uint8_t primary = pci_read1(w->config, a, PCI_BUS_PRIMARY);
	uint8_t first = pci_read1(w->config, a, PCI_BUS_SECONDARY);
	uint8_t last = pci_read1(w->config, a, PCI_BUS_LAST);
	unsigned bus;

	if (first == 0 && last == 0)
		return true; /* firmware has given it none */
	if (primary != a.bus || first <= a.bus || last < first || last > limit)
		return false;
	/* Ranges of bridges side by side must not meet. */
	for (bus = first; bus <= last; bus++) {
		if (w->is_taken[bus])
			return false;
	}
	for (bus = first; bus <= last; bus++)
		w->is_taken[bus] = true;
	bus_add(w, first, last);
	return true;
}

/* Lists a function if there is one; *header is its header field, or 0. */
static bool function_look(struct walk *w, struct pci_address a, uint8_t limit, uint8_t *header)
{
	const struct pci_config *c = w->config;
	struct pci_function f = { .address = a, .vendor = pci_read2(c, a, PCI_VENDOR) };

	if (f.vendor == PCI_VENDOR_NONE || f.vendor == 0)
		return false;
	*header = pci_read1(c, a, PCI_HEADER);
	f.device = pci_read2(c, a, PCI_DEVICE);
	f.class = pci_read2(c, a, PCI_CLASS);
	f.revision = pci_read1(c, a, PCI_REVISION);
	f.type = *header & PCI_HEADER_TYPE;
	if (f.type == PCI_TYPE_DEVICE)
		f.subsystem = pci_read2(c, a, PCI_SUBSYSTEM);
	if (w->scan->count < w->scan->most)
		w->scan->function[w->scan->count++] = f;
	else
		w->scan->left++;
	if (f.type == PCI_TYPE_BRIDGE && !bridge_follow(w, a, limit))
		w->scan->refused++;
	return true;
}

static void bus_look(struct walk *w, uint8_t bus, uint8_t limit)
{
	for (uint8_t device = 0; device < PCI_DEVICES; device++) {
		uint8_t header = 0, other;

		if (!function_look(w, (struct pci_address){ bus, device, 0 }, limit, &header) ||
		    !(header & PCI_HEADER_MANY))
			continue;
		for (uint8_t f = 1; f < PCI_FUNCTIONS; f++)
			(void)function_look(w, (struct pci_address){ bus, device, f }, limit,
					    &other);
	}
}

void pci_scan(const struct pci_config *c, uint8_t first, uint8_t last, struct pci_scan *s)
{
	struct walk w = { .config = c, .scan = s };

	s->count = s->left = s->refused = 0;
	bus_add(&w, first, last);
	while (w.done < w.found) {
		uint8_t bus = w.bus[w.done], limit = w.limit[w.done];

		w.done++;
		/* What lies behind it is for the bridges on it. */
		for (unsigned b = bus + 1u; b <= limit; b++)
			w.is_taken[b] = false;
		bus_look(&w, bus, limit);
	}
}

/* SPDX-License-Identifier: MIT */
/* lib/pci/scan.h - which functions a segment has.
 *
 * Buses are found through the bridges, whose numbers firmware has given. A bridge whose numbers
 * can't be, because they lead back, out of what the bridge above it has, or where another leads, is
 * listed, but nothing behind it is looked for: one bad bridge does not cost the others.
 */
#pragma once
#include <lib/pci/config.h>

struct pci_function {
	struct pci_address address;
	uint16_t vendor, device;
	uint16_t class;     /* class in the upper byte, subclass in the lower */
	uint16_t subsystem; /* of the device's maker; 0 for bridges */
	uint8_t revision;
	uint8_t type; /* PCI_TYPE_*, or one that is not known here */
};

struct pci_scan {
	struct pci_function *function; /* room for `most`, the caller's */
	size_t most;
	size_t count;   /* how many there are in it */
	size_t left;    /* functions that it had no room for */
	size_t refused; /* bridges whose numbers can't be */
};

/* Fills s->function with what is behind the root bus `first`; no bus above `last` is touched. The
 * caller sets `function` and `most`. Bounded: each bus is looked at once at most. */
void pci_scan(const struct pci_config *c, uint8_t first, uint8_t last, struct pci_scan *s);

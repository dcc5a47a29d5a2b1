/* SPDX-License-Identifier: MIT */
/* lib/pci/capability.h - the list of what a function can do (PCI Express Base 6.0, 7.5.1.1.11). */
#pragma once
#include <abi/status.h>
#include <lib/pci/config.h>

#define PCI_CAPABILITIES 48u /* no more have room: 4 bytes each */

#define PCI_CAP_VENDOR   0x09u
#define PCI_CAP_EXPRESS  0x10u
#define PCI_CAP_MSIX     0x11u
#define PCI_CAP_ADVANCED 0x13u

struct pci_capability {
	uint8_t id;
	uint8_t offset; /* in configuration space; a multiple of 4 */
	uint8_t room;   /* bytes up to the next one, wherever it is in the list, or the end */
};

struct pci_capabilities {
	struct pci_capability list[PCI_CAPABILITIES]; /* as the function lists them */
	unsigned count;
};

/* Fills *found. ST_CORRUPT: the list leads back into itself, or into the header; *why says it in a
 * few words, and the list is empty. */
status_t pci_capabilities_read(const struct pci_config *c, struct pci_address a,
			       struct pci_capabilities *found, const char **why)
	__attribute__((warn_unused_result));

/* The first one with that id, and at least `size` bytes, of those from *from on, which is set to
 * what follows it; NULL: there is none. */
const struct pci_capability *pci_capability_next(const struct pci_capabilities *l, uint8_t id,
						 unsigned size, unsigned *from);

/* SPDX-License-Identifier: MIT */
/* lib/pci/reset.h - a function forgets what it was told (PCI Express Base 6.0, 6.6.2).
 *
 * After that it reads and writes no memory on behalf of who drove it before.
 */
#pragma once
#include <lib/pci/bar.h>
#include <lib/pci/capability.h>

/* Lets time pass. */
struct pci_pause {
	void (*sleep)(void *self, unsigned milliseconds);
	void *self;
};

/* Forbids the function everything, resets it by itself (a function-level reset, as PCI Express or
 * Advanced Features have it), and gives its BARs the places that they had. Takes up to 1.3 s by
 * `pause`.
 *
 * ST_UNSUPPORTED: it has no such reset; it is forbidden everything nevertheless. What
 *   kind of device it is may have a way of its own.
 * ST_DEADLINE: it did not come back.
 * ST_CORRUPT: it is not what it was, may still act, or does not hold its BARs. */
status_t pci_reset(const struct pci_config *c, struct pci_address a,
		   const struct pci_capabilities *l, const struct pci_bar bar[PCI_BARS],
		   const struct pci_pause *pause) __attribute__((warn_unused_result));

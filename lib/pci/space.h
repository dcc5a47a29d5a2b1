/* SPDX-License-Identifier: MIT */
/* lib/pci/space.h - which physical pages are whose, over all devices.
 *
 * What two devices claim is handed to the first only: a driver of the second would drive the first
 * one. Counted in whole pages, as they are handed out.
 */
#pragma once
#include <lib/pci/bar.h>

#define PCI_PAGE 4096u

struct pci_range {
	uint64_t base, end; /* multiples of PCI_PAGE */
};

struct pci_space {
	struct pci_range *range; /* room for `most`, the caller's */
	size_t most, count;
};

/* Claims the pages with `size` bytes at `base`. False, and nothing is claimed: somebody has one of
 * them, they reach beyond PCI_BAR_TOP, or there is no room. */
bool pci_space_claim(struct pci_space *s, uint64_t base, uint64_t size)
	__attribute__((warn_unused_result));

/* Claims all memory of a function's BARs, or, and then it returns false, none. */
bool pci_space_claim_bars(struct pci_space *s, const struct pci_bar bar[PCI_BARS])
	__attribute__((warn_unused_result));

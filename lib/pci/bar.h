/* SPDX-License-Identifier: MIT */
/* lib/pci/bar.h - where a function's registers are (PCI Express Base 6.0, 7.5.1.2.1).
 *
 * A BAR's size is asked for by writing ones to it; meanwhile the function answers nowhere, and
 * afterwards everything is as it was, whatever came of it.
 */
#pragma once
#include <abi/status.h>
#include <lib/pci/config.h>

#define PCI_BARS    6u
#define PCI_BAR_TOP (1ull << 52) /* no physical address is above */

struct pci_bar {
	uint64_t base; /* a multiple of size; 0: firmware has given it no place */
	uint64_t size; /* bytes, a power of two; 0: there is none, or it is the upper half of one */
	bool is_port;  /* ports, not memory */
	bool is_wide;  /* has 64 bits, of two BARs */
	bool is_prefetchable;
};

/* Fills bar[] for a function of type `type` (struct pci_function), which nobody uses just now.
 * None reaches beyond PCI_BAR_TOP, or 64 Ki ports, and no two of them overlap.
 *
 * ST_UNSUPPORTED: what BARs such a type has is not known here.
 * ST_CORRUPT: they are not as they should be; *why says it in a few words. */
status_t pci_bars_read(const struct pci_config *c, struct pci_address a, uint8_t type,
		       struct pci_bar bar[PCI_BARS], const char **why)
	__attribute__((warn_unused_result));

/* Whether `length` bytes, at least one, at `offset` lie within memory that the BAR has a place
 * for. */
bool pci_bar_has(const struct pci_bar *bar, uint64_t offset, uint64_t length);

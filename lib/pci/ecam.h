/* SPDX-License-Identifier: MIT */
/* lib/pci/ecam.h - configuration space as it is mapped in memory (PCI Express Base 6.0, 7.2.2).
 *
 * Life   init; nothing to end. The memory is the caller's, mapped uncached, and outlives it.
 */
#pragma once
#include <lib/pci/config.h>

#define ECAM_FUNCTION_SIZE 4096u
#define ECAM_BUS_SIZE      (ECAM_FUNCTION_SIZE * PCI_FUNCTIONS * PCI_DEVICES)

struct ecam {
	volatile uint8_t *memory;
	uint8_t first, last; /* buses */
};

/* Begins with `memory`, ECAM_BUS_SIZE bytes for each bus from `first` to `last`; returns the
 * interface to it, which lives as long as *e. Buses beyond, and offsets that are none of a
 * function's, read as all ones; what is written there goes nowhere. */
struct pci_config ecam_init(struct ecam *e, volatile void *memory, uint8_t first, uint8_t last);

/* SPDX-License-Identifier: MIT */
/* lib/pci/msix.h - interrupts by messages (PCI Express Base 6.0, 6.1.4 and 7.7.2).
 *
 * The table of vectors lies in the function's own memory. Who writes there chooses where in memory
 * the device writes what, so the pages with it are for the platform service, never for a driver.
 */
#pragma once
#include <lib/pci/bar.h>
#include <lib/pci/capability.h>

#define PCI_MSIX_ENTRY 16u /* bytes of a vector in the table */

struct pci_msix {
	uint8_t capability; /* its offset */
	uint8_t bar, pending_bar;
	uint16_t vectors; /* 1 to 2048 */
	uint32_t table;   /* offset in its BAR, vectors * PCI_MSIX_ENTRY bytes; a multiple of 8 */
	uint32_t pending; /* offset in its BAR of a bit for each vector */
};

/* Fills *m. ST_UNSUPPORTED: the function has none; ST_CORRUPT: its tables do not lie where they
 * should, in memory of its BARs and apart; *why says either in a few words. */
status_t pci_msix_find(const struct pci_config *c, struct pci_address a,
		       const struct pci_capabilities *l, const struct pci_bar bar[PCI_BARS],
		       struct pci_msix *m, const char **why) __attribute__((warn_unused_result));

/* Whether a page with one of `length` bytes at `offset` of a BAR has some of the tables. */
bool pci_msix_is_near(const struct pci_msix *m, unsigned bar, uint64_t offset, uint64_t length);

/* Has the function send messages, of no vector yet. `table` is the table as mapped, uncached.
 * False: the function does not do it. */
bool pci_msix_start(const struct pci_config *c, struct pci_address a, const struct pci_msix *m,
		    volatile void *table) __attribute__((warn_unused_result));

/* Has a vector write `data` to `address` (struct irq_message). False: there is no such vector. */
bool pci_msix_set(const struct pci_msix *m, volatile void *table, unsigned vector, uint64_t address,
		  uint32_t data) __attribute__((warn_unused_result));

/* Has a vector send nothing any more, if there is such a vector. */
void pci_msix_clear(const struct pci_msix *m, volatile void *table, unsigned vector);

/* Has the function send no messages. */
void pci_msix_stop(const struct pci_config *c, struct pci_address a, const struct pci_msix *m);

/* SPDX-License-Identifier: MIT */
/* lib/pci/config.h - the configuration space of the PCI functions of one segment.
 *
 * A small interface, with the registers of every function's header (PCI Express Base 6.0, 7.5.1).
 * Behind it is mapped memory (lib/pci/ecam.h) or, in tests, a machine that is played. Devices are
 * not trusted: each value is read once, and checked by whoever uses it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_BUSES     256u
#define PCI_DEVICES   32u
#define PCI_FUNCTIONS 8u

/* One function. */
struct pci_address {
	uint8_t bus;
	uint8_t device;   /* below PCI_DEVICES */
	uint8_t function; /* below PCI_FUNCTIONS */
};

struct pci_config {
	/* Reads 1, 2 or 4 bytes at an offset that is a multiple of that; where nothing answers,
	 * all ones. */
	uint32_t (*read)(void *self, struct pci_address a, unsigned offset, unsigned width);
	void (*write)(void *self, struct pci_address a, unsigned offset, unsigned width,
		      uint32_t value);
	void *self;
};

#define PCI_VENDOR        0x00u
#define PCI_DEVICE        0x02u
#define PCI_COMMAND       0x04u
#define PCI_STATUS        0x06u
#define PCI_REVISION      0x08u
#define PCI_CLASS         0x0au /* class in the upper byte, subclass in the lower */
#define PCI_HEADER        0x0eu
#define PCI_BAR           0x10u
#define PCI_BUS_PRIMARY   0x18u /* bridges */
#define PCI_BUS_SECONDARY 0x19u
#define PCI_BUS_LAST      0x1au
#define PCI_SUBSYSTEM     0x2eu
#define PCI_CAPABILITY    0x34u /* where the list begins */
#define PCI_FIRST_FREE    0x40u /* behind the header */
#define PCI_SPACE         256u  /* bytes that every function has */

#define PCI_VENDOR_NONE 0xffffu
#define PCI_HEADER_TYPE 0x7fu
#define PCI_HEADER_MANY 0x80u /* the device has functions other than 0 */
#define PCI_TYPE_DEVICE 0u
#define PCI_TYPE_BRIDGE 1u
#define PCI_STATUS_LIST (1u << 4) /* there are capabilities */

/* What a function may do, in PCI_COMMAND. */
#define PCI_MAY_IO     (1u << 0)  /* answer at its ports */
#define PCI_MAY_MEMORY (1u << 1)  /* answer at its memory */
#define PCI_MAY_MASTER (1u << 2)  /* read and write memory, send messages */
#define PCI_NO_LINE    (1u << 10) /* must not use its interrupt line */

/* Reads a register of 1, 2 or 4 bytes; `offset` is a multiple of its width. */
uint8_t pci_read1(const struct pci_config *c, struct pci_address a, unsigned offset);
uint16_t pci_read2(const struct pci_config *c, struct pci_address a, unsigned offset);
uint32_t pci_read4(const struct pci_config *c, struct pci_address a, unsigned offset);

/* Writes one. */
void pci_write1(const struct pci_config *c, struct pci_address a, unsigned offset, uint8_t value);
void pci_write2(const struct pci_config *c, struct pci_address a, unsigned offset, uint16_t value);
void pci_write4(const struct pci_config *c, struct pci_address a, unsigned offset, uint32_t value);

/* Sets what the function may do to exactly `may`, of PCI_MAY_* and PCI_NO_LINE; its other command
 * bits stay. False: the function does not hold the value; it is told that it may do nothing. */
bool pci_allow(const struct pci_config *c, struct pci_address a, uint16_t may)
	__attribute__((warn_unused_result));

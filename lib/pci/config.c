/* SPDX-License-Identifier: MIT */
#include <lib/pci/config.h>

#define MAY_ALL (PCI_MAY_IO | PCI_MAY_MEMORY | PCI_MAY_MASTER | PCI_NO_LINE)

uint8_t pci_read1(const struct pci_config *c, struct pci_address a, unsigned offset)
{
	return (uint8_t)c->read(c->self, a, offset, 1);
}

uint16_t pci_read2(const struct pci_config *c, struct pci_address a, unsigned offset)
{
	return (uint16_t)c->read(c->self, a, offset, 2);
}

uint32_t pci_read4(const struct pci_config *c, struct pci_address a, unsigned offset)
{
	return c->read(c->self, a, offset, 4);
}

void pci_write1(const struct pci_config *c, struct pci_address a, unsigned offset, uint8_t value)
{
	c->write(c->self, a, offset, 1, value);
}

void pci_write2(const struct pci_config *c, struct pci_address a, unsigned offset, uint16_t value)
{
	c->write(c->self, a, offset, 2, value);
}

void pci_write4(const struct pci_config *c, struct pci_address a, unsigned offset, uint32_t value)
{
	c->write(c->self, a, offset, 4, value);
}

bool pci_allow(const struct pci_config *c, struct pci_address a, uint16_t may)
{
	uint16_t others = (uint16_t)(pci_read2(c, a, PCI_COMMAND) & ~MAY_ALL);

	pci_write2(c, a, PCI_COMMAND, (uint16_t)(others | (may & MAY_ALL)));
	/* PCI_NO_LINE need not be there where there is no line. */
	if (((pci_read2(c, a, PCI_COMMAND) ^ may) & (MAY_ALL & ~PCI_NO_LINE)) == 0)
		return true;
	pci_write2(c, a, PCI_COMMAND, PCI_NO_LINE);
	return false;
}

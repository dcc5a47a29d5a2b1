/* SPDX-License-Identifier: MIT */
#include <lib/pci/ecam.h>

/* NULL: there is no such register. */
static volatile void *place(const struct ecam *e, struct pci_address a, unsigned offset,
			    unsigned width)
{
	size_t number;

	if (a.bus < e->first || a.bus > e->last || a.device >= PCI_DEVICES ||
	    a.function >= PCI_FUNCTIONS)
		return NULL;
	if ((width != 1 && width != 2 && width != 4) || offset % width != 0 ||
	    offset >= ECAM_FUNCTION_SIZE)
		return NULL;
	number = ((size_t)(a.bus - e->first) * PCI_DEVICES + a.device) * PCI_FUNCTIONS + a.function;
	return e->memory + number * ECAM_FUNCTION_SIZE + offset;
}

static uint32_t ecam_read(void *self, struct pci_address a, unsigned offset, unsigned width)
{
	volatile void *at = place(self, a, offset, width);

	if (at == NULL)
		return UINT32_MAX;
	if (width == 1)
		return *(volatile uint8_t *)at;
	return width == 2 ? *(volatile uint16_t *)at : *(volatile uint32_t *)at;
}

static void ecam_write(void *self, struct pci_address a, unsigned offset, unsigned width,
		       uint32_t value)
{
	volatile void *at = place(self, a, offset, width);

	if (at == NULL)
		return;
	if (width == 1)
		*(volatile uint8_t *)at = (uint8_t)value;
	else if (width == 2)
		*(volatile uint16_t *)at = (uint16_t)value;
	else
		*(volatile uint32_t *)at = value;
}

struct pci_config ecam_init(struct ecam *e, volatile void *memory, uint8_t first, uint8_t last)
{
	*e = (struct ecam){ memory, first, last };
	return (struct pci_config){ ecam_read, ecam_write, e };
}

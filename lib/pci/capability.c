/* SPDX-License-Identifier: MIT */
#include <lib/pci/capability.h>

#define POINTER_BITS 0xfcu /* the others are reserved */

static unsigned room_at(const struct pci_capabilities *l, unsigned offset)
{
	unsigned end = PCI_SPACE;

	for (unsigned i = 0; i < l->count; i++) {
		if (l->list[i].offset > offset && l->list[i].offset < end)
			end = l->list[i].offset;
	}
	return end - offset;
}

static const char *list_read(const struct pci_config *c, struct pci_address a,
			     struct pci_capabilities *found)
{
	uint64_t seen = 0; /* a bit for each place */
	uint8_t at = pci_read1(c, a, PCI_CAPABILITY) & POINTER_BITS;

	while (at != 0) {
		if (at < PCI_FIRST_FREE)
			return "the list of capabilities leads into the header";
		if (seen & 1ull << at / 4)
			return "the list of capabilities leads back into itself";
		seen |= 1ull << at / 4;
		uint16_t both = pci_read2(c, a, at); /* id, and where the next is */
		found->list[found->count++] =
			(struct pci_capability){ .id = (uint8_t)both, .offset = at };
		at = (uint8_t)(both >> 8) & POINTER_BITS;
	}
	return NULL;
}

status_t pci_capabilities_read(const struct pci_config *c, struct pci_address a,
			       struct pci_capabilities *found, const char **why)
{
	found->count = 0;
	if (!(pci_read2(c, a, PCI_STATUS) & PCI_STATUS_LIST))
		return ST_OK;
	*why = list_read(c, a, found);
	if (*why != NULL) {
		found->count = 0;
		return ST_CORRUPT;
	}
	for (unsigned i = 0; i < found->count; i++)
		found->list[i].room = (uint8_t)room_at(found, found->list[i].offset);
	return ST_OK;
}

const struct pci_capability *pci_capability_next(const struct pci_capabilities *l, uint8_t id,
						 unsigned size, unsigned *from)
{
	while (*from < l->count) {
		const struct pci_capability *found = &l->list[(*from)++];

		if (found->id == id && found->room >= size)
			return found;
	}
	return NULL;
}

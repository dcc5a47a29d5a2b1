/* SPDX-License-Identifier: MIT */
#include <lib/pci/space.h>

bool pci_space_claim(struct pci_space *s, uint64_t base, uint64_t size)
{
	struct pci_range r;

	if (size == 0 || size > PCI_BAR_TOP || base > PCI_BAR_TOP - size || s->count == s->most)
		return false;
	r.base = base & ~(uint64_t)(PCI_PAGE - 1);
	r.end = (base + size + PCI_PAGE - 1) & ~(uint64_t)(PCI_PAGE - 1);
	for (size_t i = 0; i < s->count; i++) {
		if (s->range[i].base < r.end && r.base < s->range[i].end)
			return false;
	}
	s->range[s->count++] = r;
	return true;
}

bool pci_space_claim_bars(struct pci_space *s, const struct pci_bar bar[PCI_BARS])
{
	size_t before = s->count;

	for (unsigned i = 0; i < PCI_BARS; i++) {
		if (bar[i].is_port || bar[i].base == 0)
			continue;
		if (!pci_space_claim(s, bar[i].base, bar[i].size)) {
			s->count = before;
			return false;
		}
	}
	return true;
}

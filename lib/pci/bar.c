/* SPDX-License-Identifier: MIT */
#include <lib/pci/bar.h>

#define IS_PORT        (1u << 0)
#define PORT_FLAGS     3u
#define MEMORY_FLAGS   15u
#define MEMORY_KIND    6u /* of the flags */
#define KIND_32        0u
#define KIND_64        4u
#define IS_PREFETCHING (1u << 3)
#define PORTS          0x10000u

/* What one register says, and what it says to all ones. */
struct probe {
	uint32_t value, ones;
	bool is_held; /* it had its value back afterwards */
};

static struct probe probe_register(const struct pci_config *c, struct pci_address a,
				   unsigned offset)
{
	struct probe p = { .value = pci_read4(c, a, offset) };

	pci_write4(c, a, offset, UINT32_MAX);
	p.ones = pci_read4(c, a, offset);
	pci_write4(c, a, offset, p.value);
	p.is_held = pci_read4(c, a, offset) == p.value;
	return p;
}

/* From the bits that can be set: *size is 0 if none can; false: they don't make a size. */
static bool size_from(uint64_t settable, uint64_t *size)
{
	uint64_t fixed = ~settable;

	*size = fixed + 1;
	return settable == 0 || (fixed & (fixed + 1)) == 0;
}

static const char *port_decode(const struct probe *p, struct pci_bar *b)
{
	uint64_t settable = p->ones & ~PORT_FLAGS;

	/* The upper half need not be there. */
	if (settable != 0)
		settable |= ~(uint64_t)UINT16_MAX;
	*b = (struct pci_bar){ .base = p->value & ~PORT_FLAGS, .is_port = true };
	if ((p->ones & PORT_FLAGS) != IS_PORT || !size_from(settable, &b->size))
		return "a BAR for ports has no size that can be";
	if (b->base >= PORTS || b->size > PORTS - b->base)
		return "a BAR leads beyond the ports";
	return NULL;
}

static const char *memory_decode(const struct probe *low, const struct probe *high,
				 struct pci_bar *b)
{
	uint64_t settable = low->ones & ~MEMORY_FLAGS;

	*b = (struct pci_bar){ .base = low->value & ~MEMORY_FLAGS,
			       .is_wide = high != NULL,
			       .is_prefetchable = (low->value & IS_PREFETCHING) != 0 };
	if (high != NULL) {
		b->base |= (uint64_t)high->value << 32;
		settable |= (uint64_t)high->ones << 32;
	} else if (settable != 0) {
		settable |= ~(uint64_t)UINT32_MAX;
	}
	if (((low->ones ^ low->value) & MEMORY_FLAGS) != 0 || !size_from(settable, &b->size))
		return "a BAR for memory has no size that can be";
	if (b->base >= PCI_BAR_TOP || b->size > PCI_BAR_TOP - b->base)
		return "a BAR leads beyond all memory";
	return NULL;
}

/* Decodes the BAR in register *at, and the next if it is a wide one's; *at is the last then. */
static const char *bar_read(const struct pci_config *c, struct pci_address a, unsigned count,
			    unsigned *at, struct pci_bar *b)
{
	struct probe low = probe_register(c, a, PCI_BAR + 4 * *at), high = { .is_held = true };
	bool is_port = (low.value & IS_PORT) != 0;
	bool is_wide = !is_port && (low.value & MEMORY_KIND) == KIND_64;
	const char *wrong;

	*b = (struct pci_bar){ .base = 0 };
	if (low.value == 0 && low.ones == 0)
		return low.is_held ? NULL : "a BAR changes by itself";
	if (!is_port && !is_wide && (low.value & MEMORY_KIND) != KIND_32)
		return "a BAR is of an unknown kind";
	if (is_wide && *at + 1 == count)
		return "the last BAR has no upper half";
	if (is_wide)
		high = probe_register(c, a, PCI_BAR + 4 * ++*at);
	wrong = is_port ? port_decode(&low, b) : memory_decode(&low, is_wide ? &high : NULL, b);
	if (wrong != NULL)
		return wrong;
	if (!low.is_held || !high.is_held)
		return "a BAR changes by itself";
	if (b->size == 0 ? b->base != 0 : b->base % b->size != 0)
		return "a BAR's place does not fit its size";
	return NULL;
}

static bool bars_overlap(const struct pci_bar *a, const struct pci_bar *b)
{
	return a->base != 0 && b->base != 0 && a->is_port == b->is_port &&
	       a->base < b->base + b->size && b->base < a->base + a->size;
}

static const char *bars_read(const struct pci_config *c, struct pci_address a, unsigned count,
			     struct pci_bar bar[PCI_BARS])
{
	const char *wrong = NULL;

	for (unsigned i = 0; i < count && wrong == NULL; i++) {
		struct pci_bar *b = &bar[i];

		wrong = bar_read(c, a, count, &i, b);
		for (unsigned j = 0; j < i && wrong == NULL; j++) {
			if (&bar[j] != b && bars_overlap(&bar[j], b))
				wrong = "two BARs overlap";
		}
	}
	return wrong;
}

status_t pci_bars_read(const struct pci_config *c, struct pci_address a, uint8_t type,
		       struct pci_bar bar[PCI_BARS], const char **why)
{
	unsigned count = type == PCI_TYPE_DEVICE ? PCI_BARS : 2;
	uint16_t command = pci_read2(c, a, PCI_COMMAND);

	for (unsigned i = 0; i < PCI_BARS; i++)
		bar[i] = (struct pci_bar){ .base = 0 };
	if (type != PCI_TYPE_DEVICE && type != PCI_TYPE_BRIDGE) {
		*why = "what BARs it has is not known";
		return ST_UNSUPPORTED;
	}
	pci_write2(c, a, PCI_COMMAND, (uint16_t)(command & ~(PCI_MAY_IO | PCI_MAY_MEMORY)));
	*why = bars_read(c, a, count, bar);
	pci_write2(c, a, PCI_COMMAND, command);
	return *why == NULL ? ST_OK : ST_CORRUPT;
}

bool pci_bar_has(const struct pci_bar *bar, uint64_t offset, uint64_t length)
{
	return !bar->is_port && bar->base != 0 && length != 0 && length <= bar->size &&
	       offset <= bar->size - length;
}

/* SPDX-License-Identifier: MIT */
#include <lib/pci/msix.h>

#define CONTROL         2u /* offsets within the capability */
#define TABLE           4u
#define PENDING         8u
#define CAPABILITY_SIZE 12u

#define CONTROL_LAST   0x7ffu /* number of the last vector */
#define CONTROL_MASK   (1u << 14)
#define CONTROL_ENABLE (1u << 15)

#define BAR_BITS 7u /* of TABLE and PENDING; the others are the offset */

#define PAGE 4096u

/* An entry of the table: words of 32 bits, written as such. */
enum { ENTRY_LOW, ENTRY_HIGH, ENTRY_DATA, ENTRY_CONTROL, ENTRY_WORDS };
#define ENTRY_MASKED 1u

static uint64_t table_bytes(const struct pci_msix *m)
{
	return (uint64_t)m->vectors * PCI_MSIX_ENTRY;
}

static uint64_t pending_bytes(const struct pci_msix *m)
{
	return (m->vectors + 63u) / 64u * 8u;
}

static bool is_apart(const struct pci_msix *m)
{
	return m->bar != m->pending_bar || m->table + table_bytes(m) <= m->pending ||
	       m->pending + pending_bytes(m) <= m->table;
}

status_t pci_msix_find(const struct pci_config *c, struct pci_address a,
		       const struct pci_capabilities *l, const struct pci_bar bar[PCI_BARS],
		       struct pci_msix *m, const char **why)
{
	unsigned from = 0;
	const struct pci_capability *found =
		pci_capability_next(l, PCI_CAP_MSIX, CAPABILITY_SIZE, &from);
	uint32_t table, pending;

	*why = "it sends no messages (MSI-X)";
	if (found == NULL)
		return ST_UNSUPPORTED;
	table = pci_read4(c, a, found->offset + TABLE);
	pending = pci_read4(c, a, found->offset + PENDING);
	*m = (struct pci_msix){
		.capability = found->offset,
		.bar = table & BAR_BITS,
		.pending_bar = pending & BAR_BITS,
		.vectors =
			(uint16_t)((pci_read2(c, a, found->offset + CONTROL) & CONTROL_LAST) + 1),
		.table = table & ~BAR_BITS,
		.pending = pending & ~BAR_BITS,
	};
	*why = "its table of vectors (MSI-X) does not lie where it should";
	if (m->bar >= PCI_BARS || m->pending_bar >= PCI_BARS ||
	    !pci_bar_has(&bar[m->bar], m->table, table_bytes(m)) ||
	    !pci_bar_has(&bar[m->pending_bar], m->pending, pending_bytes(m)) || !is_apart(m))
		return ST_CORRUPT;
	return ST_OK;
}

static bool pages_meet(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a / PAGE <= (b + b_size - 1) / PAGE && b / PAGE <= (a + a_size - 1) / PAGE;
}

bool pci_msix_is_near(const struct pci_msix *m, unsigned bar, uint64_t offset, uint64_t length)
{
	return (bar == m->bar && pages_meet(offset, length, m->table, table_bytes(m))) ||
	       (bar == m->pending_bar && pages_meet(offset, length, m->pending, pending_bytes(m)));
}

static volatile uint32_t *entry_at(volatile void *table, unsigned vector)
{
	return (volatile uint32_t *)table + (size_t)vector * ENTRY_WORDS;
}

static void control_set(const struct pci_config *c, struct pci_address a, const struct pci_msix *m,
			unsigned bits)
{
	unsigned offset = m->capability + CONTROL;
	unsigned others = pci_read2(c, a, offset) & ~(CONTROL_MASK | CONTROL_ENABLE);

	pci_write2(c, a, offset, (uint16_t)(others | bits));
}

bool pci_msix_start(const struct pci_config *c, struct pci_address a, const struct pci_msix *m,
		    volatile void *table)
{
	control_set(c, a, m, CONTROL_ENABLE | CONTROL_MASK);
	for (unsigned vector = 0; vector < m->vectors; vector++)
		pci_msix_clear(m, table, vector);
	control_set(c, a, m, CONTROL_ENABLE);
	if ((pci_read2(c, a, m->capability + CONTROL) & (CONTROL_ENABLE | CONTROL_MASK)) ==
	    CONTROL_ENABLE)
		return true;
	pci_msix_stop(c, a, m);
	return false;
}

bool pci_msix_set(const struct pci_msix *m, volatile void *table, unsigned vector, uint64_t address,
		  uint32_t data)
{
	volatile uint32_t *entry = entry_at(table, vector);

	if (vector >= m->vectors)
		return false;
	/* Masked while it is neither what it was nor what it will be. */
	pci_msix_clear(m, table, vector);
	entry[ENTRY_LOW] = (uint32_t)address;
	entry[ENTRY_HIGH] = (uint32_t)(address >> 32);
	entry[ENTRY_DATA] = data;
	entry[ENTRY_CONTROL] = 0;
	return true;
}

void pci_msix_clear(const struct pci_msix *m, volatile void *table, unsigned vector)
{
	volatile uint32_t *entry = entry_at(table, vector);

	if (vector >= m->vectors)
		return;
	entry[ENTRY_CONTROL] = ENTRY_MASKED;
	(void)entry[ENTRY_CONTROL]; /* read back: the device has seen it */
}

void pci_msix_stop(const struct pci_config *c, struct pci_address a, const struct pci_msix *m)
{
	control_set(c, a, m, CONTROL_MASK);
}

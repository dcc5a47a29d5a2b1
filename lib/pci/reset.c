/* SPDX-License-Identifier: MIT */
#include <lib/pci/reset.h>

/* PCI Express capability (7.5.3). */
#define EXPRESS_SIZE     12u
#define EXPRESS_DEVICE   4u
#define DEVICE_CAN_RESET (1u << 28)
#define EXPRESS_CONTROL  8u
#define CONTROL_RESET    (1u << 15)
#define EXPRESS_STATUS   10u
#define STATUS_PENDING   (1u << 5) /* it waits for answers to what it has asked for */

/* Advanced Features (ECN of 2006), for conventional functions. */
#define ADVANCED_SIZE     6u
#define ADVANCED_FEATURES 3u
#define FEATURES_NEEDED   3u /* it tells what is pending, and can be reset */
#define ADVANCED_CONTROL  4u
#define ADVANCED_RESET    1u
#define ADVANCED_STATUS   5u
#define ADVANCED_PENDING  1u

#define PENDING_MS   100u
#define RESET_MS     100u  /* nothing is asked of it meanwhile */
#define BACK_MS      1000u /* and then it answers */
#define VENDOR_LATER 0x0001u

/* Where and how it is told to reset. */
struct way {
	unsigned control, width, bit;
	unsigned status, pending;
};

static bool way_find(const struct pci_config *c, struct pci_address a,
		     const struct pci_capabilities *l, struct way *w)
{
	const struct pci_capability *cap;
	unsigned from = 0;

	cap = pci_capability_next(l, PCI_CAP_EXPRESS, EXPRESS_SIZE, &from);
	if (cap != NULL && (pci_read4(c, a, cap->offset + EXPRESS_DEVICE) & DEVICE_CAN_RESET)) {
		*w = (struct way){ cap->offset + EXPRESS_CONTROL, 2, CONTROL_RESET,
				   cap->offset + EXPRESS_STATUS, STATUS_PENDING };
		return true;
	}
	from = 0;
	cap = pci_capability_next(l, PCI_CAP_ADVANCED, ADVANCED_SIZE, &from);
	if (cap == NULL ||
	    (pci_read1(c, a, cap->offset + ADVANCED_FEATURES) & FEATURES_NEEDED) != FEATURES_NEEDED)
		return false;
	*w = (struct way){ cap->offset + ADVANCED_CONTROL, 1, ADVANCED_RESET,
			   cap->offset + ADVANCED_STATUS, ADVANCED_PENDING };
	return true;
}

/* What was on its way arrives before the reset, or is lost with it: the reset is worth more. */
static void way_take(const struct pci_config *c, struct pci_address a, const struct way *w,
		     const struct pci_pause *pause)
{
	uint32_t control;

	for (unsigned ms = 0; ms < PENDING_MS; ms++) {
		if (!(c->read(c->self, a, w->status, w->width) & w->pending))
			break;
		pause->sleep(pause->self, 1);
	}
	control = c->read(c->self, a, w->control, w->width);
	c->write(c->self, a, w->control, w->width, control | w->bit);
	pause->sleep(pause->self, RESET_MS);
}

static bool is_back(const struct pci_config *c, struct pci_address a, const struct pci_pause *pause)
{
	for (unsigned ms = 0; ms <= BACK_MS; ms++) {
		uint16_t vendor = pci_read2(c, a, PCI_VENDOR);

		if (vendor != PCI_VENDOR_NONE && vendor != VENDOR_LATER)
			return true;
		pause->sleep(pause->self, 1);
	}
	return false;
}

static bool bar_restore(const struct pci_config *c, struct pci_address a, unsigned offset,
			const struct pci_bar *b)
{
	uint32_t flags = b->is_port ? 3 : 15;

	pci_write4(c, a, offset, (uint32_t)b->base);
	if ((pci_read4(c, a, offset) & ~flags) != (uint32_t)b->base)
		return false;
	if (!b->is_wide)
		return true;
	pci_write4(c, a, offset + 4, (uint32_t)(b->base >> 32));
	return pci_read4(c, a, offset + 4) == b->base >> 32;
}

status_t pci_reset(const struct pci_config *c, struct pci_address a,
		   const struct pci_capabilities *l, const struct pci_bar bar[PCI_BARS],
		   const struct pci_pause *pause)
{
	uint32_t identity = pci_read4(c, a, PCI_VENDOR);
	bool is_quiet = pci_allow(c, a, PCI_NO_LINE);
	struct way w;

	if (!way_find(c, a, l, &w))
		return is_quiet ? ST_UNSUPPORTED : ST_CORRUPT;
	way_take(c, a, &w, pause);
	if (!is_back(c, a, pause))
		return ST_DEADLINE;
	if (pci_read4(c, a, PCI_VENDOR) != identity || !pci_allow(c, a, PCI_NO_LINE))
		return ST_CORRUPT;
	for (unsigned i = 0; i < PCI_BARS; i++) {
		if (bar[i].size != 0 && !bar_restore(c, a, PCI_BAR + 4 * i, &bar[i]))
			return ST_CORRUPT;
	}
	return ST_OK;
}

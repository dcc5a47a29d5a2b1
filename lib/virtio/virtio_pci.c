/* SPDX-License-Identifier: MIT */
#include <lib/virtio/virtio_pci.h>

/* 4.1.2: devices of the standard, and those that can also do as before it. */
#define VENDOR            0x1af4u
#define DEVICE_FIRST      0x1040u
#define DEVICE_LAST       0x107fu
#define TRANSITIONAL      0x1000u
#define TRANSITIONAL_LAST 0x103fu

/* Fields of a capability (4.1.4), and the one more that VIRTIO_NOTIFY has. */
#define FIELD_SIZE   2u
#define FIELD_TYPE   3u
#define FIELD_BAR    4u
#define FIELD_OFFSET 8u
#define FIELD_LENGTH 12u
#define FIELD_STEP   16u
#define SIZE         16u
#define SIZE_NOTIFY  20u

/* What each part has at least, and where it may begin (4.1.4.3 to 4.1.4.6). */
static const struct {
	uint32_t least, align;
} shape[VIRTIO_PARTS] = {
	[VIRTIO_COMMON] = { 56, 4 },
	[VIRTIO_NOTIFY] = { 2, 2 },
	[VIRTIO_ISR] = { 1, 1 },
	[VIRTIO_CONFIG] = { 1, 4 },
};

unsigned virtio_pci_kind(const struct pci_function *f)
{
	if (f->vendor != VENDOR || f->type != PCI_TYPE_DEVICE)
		return 0;
	if (f->device > DEVICE_FIRST && f->device <= DEVICE_LAST)
		return f->device - DEVICE_FIRST;
	if (f->device >= TRANSITIONAL && f->device <= TRANSITIONAL_LAST)
		return f->subsystem;
	return 0;
}

/* Where a part is asked to be; what is wrong with that, or NULL. */
static const char *place_check(const struct virtio_place *p, enum virtio_part part,
			       const struct pci_bar bar[PCI_BARS], const struct pci_msix *msix)
{
	if (p->length < shape[part].least || p->offset % shape[part].align != 0)
		return "a part of its registers is too short, or at an odd place";
	if (!pci_bar_has(&bar[p->bar], p->offset, p->length))
		return "a part of its registers lies outside its memory";
	if (msix != NULL && pci_msix_is_near(msix, p->bar, p->offset, p->length))
		return "its registers share a page with its table of vectors";
	return NULL;
}

/* 4.1.4.4.1: none, or an even power of two. */
static bool step_ok(uint32_t step)
{
	return step == 0 || (step >= 2 && (step & (step - 1)) == 0);
}

/* Takes in what one capability says, if it is the first of its part that can be used. */
static const char *part_read(const struct pci_config *c, struct pci_address a,
			     const struct pci_capability *cap, struct virtio_pci *v)
{
	unsigned part = pci_read1(c, a, cap->offset + FIELD_TYPE) - 1u;
	struct virtio_place p = {
		.offset = pci_read4(c, a, cap->offset + FIELD_OFFSET),
		.length = pci_read4(c, a, cap->offset + FIELD_LENGTH),
		.bar = pci_read1(c, a, cap->offset + FIELD_BAR),
	};
	unsigned size = pci_read1(c, a, cap->offset + FIELD_SIZE);

	/* Kinds and BARs that are reserved are for others than us (4.1.4.1). */
	if (part >= VIRTIO_PARTS || p.bar >= PCI_BARS || p.length == 0 || v->part[part].length != 0)
		return NULL;
	if (size < SIZE || size > cap->room)
		return "a capability has a wrong length";
	if (part == VIRTIO_NOTIFY) {
		if (size < SIZE_NOTIFY)
			return "a capability has a wrong length";
		v->notify_step = pci_read4(c, a, cap->offset + FIELD_STEP);
		if (!step_ok(v->notify_step))
			return "its doorbells are at odd places";
	}
	v->part[part] = p;
	return NULL;
}

static const char *parts_check(const struct virtio_pci *v, const struct pci_bar bar[PCI_BARS],
			       const struct pci_msix *msix)
{
	const char *wrong = NULL;

	for (enum virtio_part part = 0; part < VIRTIO_PARTS && wrong == NULL; part++) {
		if (v->part[part].length != 0)
			wrong = place_check(&v->part[part], part, bar, msix);
	}
	return wrong;
}

status_t virtio_pci_find(const struct pci_config *c, struct pci_address a,
			 const struct pci_capabilities *l, const struct pci_bar bar[PCI_BARS],
			 const struct pci_msix *msix, struct virtio_pci *v, const char **why)
{
	const struct pci_capability *cap;
	unsigned from = 0;

	*v = (struct virtio_pci){ .notify_step = 0 };
	*why = NULL;
	while (*why == NULL && (cap = pci_capability_next(l, PCI_CAP_VENDOR, SIZE, &from)) != NULL)
		*why = part_read(c, a, cap, v);
	if (*why == NULL)
		*why = parts_check(v, bar, msix);
	if (*why != NULL)
		return ST_CORRUPT;
	if (v->part[VIRTIO_COMMON].length != 0 && v->part[VIRTIO_NOTIFY].length != 0 &&
	    v->part[VIRTIO_ISR].length != 0)
		return ST_OK;
	*why = "it has no registers of virtio 1.0";
	return ST_UNSUPPORTED;
}

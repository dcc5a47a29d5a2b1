/* SPDX-License-Identifier: MIT */
/* lib/virtio/virtio_pci.h - where a virtio device on PCI has its registers (virtio 1.2, 4.1.4).
 *
 * Found by who may read configuration space, which is not the driver: that gets the pages and this
 * description. The device says where they are, so nothing is believed that does not lie in memory
 * of its BARs, or that shares a page with its table of vectors, which no driver may have.
 */
#pragma once
#include <lib/pci/msix.h>
#include <lib/pci/scan.h>

enum virtio_part { VIRTIO_COMMON, VIRTIO_NOTIFY, VIRTIO_ISR, VIRTIO_CONFIG, VIRTIO_PARTS };

struct virtio_place {
	uint32_t offset, length; /* bytes, in the BAR; length 0: there is no such part */
	uint8_t bar;
};

struct virtio_pci {
	struct virtio_place part[VIRTIO_PARTS]; /* only VIRTIO_CONFIG may be missing */
	uint32_t notify_step; /* bytes from a queue's doorbell to the next one's; 0: all the same */
};

/* What kind of virtio device a function is (virtio 1.2, section 5); 0: it is none. */
unsigned virtio_pci_kind(const struct pci_function *f);

/* Fills *v from a function's capabilities. `msix` is NULL if it has none.
 *
 * ST_UNSUPPORTED: it has no registers as of virtio 1.0.
 * ST_CORRUPT: they do not lie where they should; *why says either in a few words. */
status_t virtio_pci_find(const struct pci_config *c, struct pci_address a,
			 const struct pci_capabilities *l, const struct pci_bar bar[PCI_BARS],
			 const struct pci_msix *msix, struct virtio_pci *v, const char **why)
	__attribute__((warn_unused_result));

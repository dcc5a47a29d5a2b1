/* SPDX-License-Identifier: MIT */
/* lib/virtio/virtio_mapped.h - registers of a virtio device as they are mapped in memory.
 *
 * Life   init; nothing to end. The memory is the caller's, mapped uncached, and outlives it.
 */
#pragma once
#include <lib/virtio/virtio_device.h>

struct virtio_mapped {
	volatile uint8_t *part[VIRTIO_PARTS]; /* where each begins; NULL: there is none */
	uint32_t length[VIRTIO_PARTS];        /* bytes */
};

/* Begins with memory for each part of *v, as many bytes as it says there; returns the registers,
 * which live as long as *m. What lies beyond reads as all ones, and is not written. */
struct virtio_registers virtio_mapped_init(struct virtio_mapped *m, const struct virtio_pci *v,
					   volatile void *const part[VIRTIO_PARTS]);

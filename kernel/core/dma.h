/* SPDX-License-Identifier: MIT */
/* kernel/core/dma.h - the memory that one device can reach.
 *
 * Life    made for one device, which has no other then; dies as every object does. However it
 *         dies, that says that the device was reset: so it is made by whoever can do so, and a
 *         driver is given a capability without the right to destroy it.
 * Owns    mappings. Each pins memory, holds its frames (memory.h) and is charged for them.
 * Locks   obj.lock (rank LOCK_IPC): the tree of mappings. A mapping that is not in the tree is
 *         whoever's took it out.
 * Blocks  never.
 *
 * No IOMMU is driven: a bus address is a physical address, and a device reaches what it likes. So
 * every mapping counts as one that is written, whatever access it asks for. For the same
 * reason nothing takes a mapping's frames back: when the capability that it was made with is
 * revoked, or the memory destroyed, they stay pinned and charged until the mapping is undone, which
 * is the driver's word that the device does not use them any more, or the object is destroyed.
 */
#pragma once
#include <core/memory.h>

struct dma {
	struct object obj;       /* first */
	struct tree_node device; /* in the tree of all, by DMA_PCI; it has a lock of its own */
	struct tree mappings;    /* guarded by obj.lock; by bus address */
};

struct dma_mapping {
	struct object obj;     /* first */
	struct cap_slot bound; /* to the memory, see BIND_DMA_MEMORY */
	_Atomic bool revoked;  /* the binding was cut */
	struct tree_node node; /* in dma->mappings: first and last address */
	struct memory_hold hold;
};

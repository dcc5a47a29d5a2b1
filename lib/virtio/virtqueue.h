/* SPDX-License-Identifier: MIT */
/* lib/virtio/virtqueue.h - the driver's side of a split virtqueue (virtio 1.2, section 2.7).
 *
 * The device is not trusted: it may write anything to the shared part at any time, descriptors
 * included. So what the driver needs to know of a chain lies in its own memory and is never read
 * back, and what the device says, an index, a number of a chain, a length, is read once and
 * checked. A device that says what can't be is broken: nothing more comes from it, and
 * the driver has to reset it.
 *
 * Pairing: the release store of avail.idx in virtqueue_add is what the device reads before a
 * descriptor; the acquire load of used.idx in virtqueue_get pairs with the device's store behind
 * what it wrote. Each side writes its index, then looks whether the other wants to be told:
 * the fences in virtqueue_notify and virtqueue_wait stand between the two.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTQUEUE_SIZE_MAX 1024u /* descriptors */

/* Memory as the device addresses it. */
struct virtqueue_part {
	uint64_t address;
	uint32_t length; /* bytes, at least 1 */
};

/* Where the three parts of a queue lie in its memory. */
struct virtqueue_layout {
	size_t avail, used, bytes; /* descriptors are at 0 */
};

/* What is known of a descriptor, or of the chain that it is the first of. */
struct virtqueue_own {
	uint64_t cookie;
	uint64_t room;  /* bytes that the device may write */
	uint16_t count; /* descriptors of the chain that the device has; 0: it begins none */
	uint16_t next;  /* of the chain, or of those that are free */
};

struct virtqueue {
	volatile struct virtqueue_descriptor *descriptor;
	volatile struct virtqueue_avail *avail;
	volatile struct virtqueue_used *used;
	uint16_t size; /* a power of two */
	uint16_t free; /* the first of the free descriptors, if there are any */
	uint16_t free_count;
	uint16_t added; /* chains that the device was ever given, modulo 2^16 */
	uint16_t told;  /* what `added` was when it was told last */
	uint16_t seen;  /* chains that ever came back */
	bool by_index;  /* VIRTIO_F_EVENT_IDX was agreed on */
	bool broken;    /* the device said what can't be */
	struct virtqueue_own own[VIRTQUEUE_SIZE_MAX];
};

/* Where the parts of a queue of `size` descriptors lie (2.7: alignments of 16, 2 and 4 bytes). */
struct virtqueue_layout virtqueue_layout(unsigned size);

/* Begins an empty queue of `size` descriptors, a power of two up to VIRTQUEUE_SIZE_MAX, in `bytes`
 * bytes of zeros at `memory`, aligned to 16. `by_index`: the device and the driver agreed on
 * VIRTIO_F_EVENT_IDX. False: it does not fit, or the arguments are not as said. */
bool virtqueue_init(struct virtqueue *q, void *memory, size_t bytes, unsigned size, bool by_index);

/* Gives the device a chain: `out` parts that it reads, then `in` that it writes. `cookie` comes
 * back with it. False: there are not as many free descriptors, no part was given, or the queue is
 * broken. */
bool virtqueue_add(struct virtqueue *q, const struct virtqueue_part *part, unsigned out,
		   unsigned in, uint64_t cookie);

/* After chains were added: true if the device wants to be told. */
bool virtqueue_notify(struct virtqueue *q);

/* Takes back one chain that the device is done with: its cookie, and how many bytes the device
 * says it wrote, which is no more than it was given. False: there is none, or the queue is
 * broken. */
bool virtqueue_get(struct virtqueue *q, uint64_t *cookie, uint32_t *written);

/* Asks the device for an interrupt when it is done with another chain. False: it is already, call
 * virtqueue_get first. */
bool virtqueue_wait(struct virtqueue *q);

/* Asks the device to send no interrupts: it may do so nevertheless. */
void virtqueue_quiet(struct virtqueue *q);

/* SPDX-License-Identifier: MIT */
/* lib/virtio/virtio_device.h - the driver's way through the registers of a virtio device
 * (virtio 1.2, 3.1 and 4.1.4.3).
 *
 * Life   virtio_device_init, virtio_device_begin, virtio_device_queue for each queue,
 *        virtio_device_run. virtio_device_reset at any time: everything is as at the beginning.
 * Owns   nothing; memory of queues is the caller's, and must stay until a reset succeeded.
 * Locks  none; one thread at a time. virtio_device_notify may be called from any.
 *
 * The device is not trusted: what matters is read back after it was written, and checked against
 * what was known. When it says what can't be, it is told that the driver has given up (FAILED), and
 * has to be reset.
 */
#pragma once
#include <lib/virtio/virtio_pci.h>

#define VIRTIO_VERSION_1      (1ull << 32) /* bits of features, section 6 */
#define VIRTIO_EVENT_INDEX    (1ull << 29)
#define VIRTIO_NO_VECTOR      0xffffu
#define VIRTIO_QUEUE_SIZE_MAX 32768u

/* Registers of each part, 1, 2 or 4 bytes at an offset that is a multiple of that. */
struct virtio_registers {
	uint32_t (*read)(void *self, enum virtio_part part, uint32_t offset, unsigned width);
	void (*write)(void *self, enum virtio_part part, uint32_t offset, unsigned width,
		      uint32_t value);
	void *self;
};

struct virtio_device {
	struct virtio_registers registers;
	uint32_t notify_step, notify_length, config_length; /* bytes */
	uint64_t features;                                  /* that were agreed on */
	uint16_t queues;                                    /* that it has */
	uint8_t status;                                     /* as it was written last */
};

/* Where a queue's parts are, as the device addresses them: aligned to 16, 2 and 4 bytes. */
struct virtio_queue {
	uint64_t descriptor, avail, used;
	uint16_t size;   /* of virtio_device_queue_size */
	uint16_t vector; /* of MSI-X; VIRTIO_NO_VECTOR: no interrupts */
};

/* Fields of the device's own configuration that belong together. */
struct virtio_fields {
	uint32_t offset;
	unsigned width; /* bytes of each: 1, 2 or 4 */
	unsigned count;
};

/* Begins with registers that are where *v says. Touches nothing yet. */
void virtio_device_init(struct virtio_device *d, const struct virtio_registers *registers,
			const struct virtio_pci *v);

/* Resets the device: it uses no memory afterwards. ST_DEADLINE: it does not say that it has; its
 * memory can't be used for anything else. */
status_t virtio_device_reset(struct virtio_device *d) __attribute__((warn_unused_result));

/* Resets the device, and agrees on d->features: all of `needed`, which VIRTIO_VERSION_1 is always
 * part of, and what it has of `wanted`. *why says in a few words what went wrong.
 *
 * ST_UNSUPPORTED: the device lacks what is needed, or does not agree.
 * ST_DEADLINE: see virtio_device_reset.
 * ST_CORRUPT: what it says changes. */
status_t virtio_device_begin(struct virtio_device *d, uint64_t needed, uint64_t wanted,
			     const char **why) __attribute__((warn_unused_result));

/* Tells how many descriptors a queue can have, at most `most`, a power of two; *size is one.
 * ST_UNSUPPORTED: the device has no such queue; ST_CORRUPT: it has a size that can't be. */
status_t virtio_device_queue_size(struct virtio_device *d, uint16_t queue, uint16_t most,
				  uint16_t *size, const char **why)
	__attribute__((warn_unused_result));

/* Tells the device where a queue is; *doorbell is what virtio_device_notify needs.
 * ST_CORRUPT: it does not take that, was told already, or its doorbell lies elsewhere than it may;
 * the device is given up. */
status_t virtio_device_queue(struct virtio_device *d, uint16_t queue, const struct virtio_queue *q,
			     uint32_t *doorbell, const char **why)
	__attribute__((warn_unused_result));

/* Says which vector tells of changes of the configuration. ST_CORRUPT: the device does not take it,
 * and is given up. */
status_t virtio_device_config_vector(struct virtio_device *d, uint16_t vector)
	__attribute__((warn_unused_result));

/* From here on the device works. ST_CORRUPT: it does not; it is given up. */
status_t virtio_device_run(struct virtio_device *d) __attribute__((warn_unused_result));

/* Tells the device that a queue has something new. */
void virtio_device_notify(const struct virtio_device *d, uint16_t queue, uint32_t doorbell);

/* Whether the device goes on working, as far as it says so. */
bool virtio_device_is_well(const struct virtio_device *d);

/* Copies fields of the device's own configuration, all of one moment.
 * ST_UNSUPPORTED: it has not as many bytes; ST_CORRUPT: they change all the time. */
status_t virtio_device_config(const struct virtio_device *d, const struct virtio_fields *f,
			      void *to) __attribute__((warn_unused_result));

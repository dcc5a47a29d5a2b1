/* SPDX-License-Identifier: MIT */
#include <lib/virtio/virtio_device.h>
#include <string.h>

/* 4.1.4.3: registers of VIRTIO_COMMON. Those of 8 bytes are written as two of 4. */
#define OFFERED_SELECT 0x00u
#define OFFERED        0x04u
#define AGREED_SELECT  0x08u
#define AGREED         0x0cu
#define CONFIG_VECTOR  0x10u
#define QUEUES         0x12u
#define STATUS         0x14u
#define GENERATION     0x15u
#define QUEUE_SELECT   0x16u
#define QUEUE_SIZE     0x18u
#define QUEUE_VECTOR   0x1au
#define QUEUE_ENABLE   0x1cu
#define QUEUE_DOORBELL 0x1eu
#define QUEUE_PART     0x20u /* descriptors, then 8 bytes on avail, then used */

/* 2.1: device status. */
#define STATUS_KNOWN    1u
#define STATUS_DRIVER   2u
#define STATUS_RUNNING  4u
#define STATUS_FEATURES 8u
#define STATUS_FAILED   128u

#define RESET_READS  100000u /* a few hundred milliseconds at most */
#define CONFIG_TRIES 16u

static uint32_t common_read(const struct virtio_device *d, uint32_t offset, unsigned width)
{
	return d->registers.read(d->registers.self, VIRTIO_COMMON, offset, width);
}

static void common_write(const struct virtio_device *d, uint32_t offset, unsigned width,
			 uint32_t value)
{
	d->registers.write(d->registers.self, VIRTIO_COMMON, offset, width, value);
}

static void status_add(struct virtio_device *d, uint8_t bits)
{
	d->status |= bits;
	common_write(d, STATUS, 1, d->status);
}

static status_t give_up(struct virtio_device *d, status_t st, const char **why, const char *words)
{
	status_add(d, STATUS_FAILED);
	*why = words;
	return st;
}

void virtio_device_init(struct virtio_device *d, const struct virtio_registers *registers,
			const struct virtio_pci *v)
{
	*d = (struct virtio_device){
		.registers = *registers,
		.notify_step = v->notify_step,
		.notify_length = v->part[VIRTIO_NOTIFY].length,
		.config_length = v->part[VIRTIO_CONFIG].length,
	};
}

status_t virtio_device_reset(struct virtio_device *d)
{
	d->status = 0;
	d->features = 0;
	d->queues = 0;
	common_write(d, STATUS, 1, 0);
	for (unsigned n = 0; n < RESET_READS; n++) {
		if (common_read(d, STATUS, 1) == 0)
			return ST_OK;
	}
	return ST_DEADLINE;
}

static uint64_t offered(const struct virtio_device *d)
{
	uint64_t features;

	common_write(d, OFFERED_SELECT, 4, 0);
	features = common_read(d, OFFERED, 4);
	common_write(d, OFFERED_SELECT, 4, 1);
	return features | (uint64_t)common_read(d, OFFERED, 4) << 32;
}

static void agree(const struct virtio_device *d, uint64_t features)
{
	common_write(d, AGREED_SELECT, 4, 0);
	common_write(d, AGREED, 4, (uint32_t)features);
	common_write(d, AGREED_SELECT, 4, 1);
	common_write(d, AGREED, 4, (uint32_t)(features >> 32));
}

status_t virtio_device_begin(struct virtio_device *d, uint64_t needed, uint64_t wanted,
			     const char **why)
{
	uint64_t features;

	needed |= VIRTIO_VERSION_1;
	if (virtio_device_reset(d) != ST_OK) {
		*why = "it can't be reset";
		return ST_DEADLINE;
	}
	status_add(d, STATUS_KNOWN);
	status_add(d, STATUS_DRIVER);
	features = offered(d) & (needed | wanted);
	if ((features & needed) != needed)
		return give_up(d, ST_UNSUPPORTED, why, "it lacks a feature that is needed");
	agree(d, features);
	status_add(d, STATUS_FEATURES);
	if (!(common_read(d, STATUS, 1) & STATUS_FEATURES))
		return give_up(d, ST_UNSUPPORTED, why, "it does not agree on features");
	if ((offered(d) & features) != features)
		return give_up(d, ST_CORRUPT, why, "its features change");
	d->features = features;
	d->queues = (uint16_t)common_read(d, QUEUES, 2);
	return ST_OK;
}

status_t virtio_device_queue_size(struct virtio_device *d, uint16_t queue, uint16_t most,
				  uint16_t *size, const char **why)
{
	uint32_t has;

	*why = "it has no such queue";
	if (queue >= d->queues)
		return ST_UNSUPPORTED;
	common_write(d, QUEUE_SELECT, 2, queue);
	has = common_read(d, QUEUE_SIZE, 2);
	if (has == 0)
		return ST_UNSUPPORTED;
	if (has > VIRTIO_QUEUE_SIZE_MAX || (has & (has - 1)) != 0)
		return give_up(d, ST_CORRUPT, why, "a queue has a size that can't be");
	*size = has < most ? (uint16_t)has : most;
	return ST_OK;
}

/* Writes a register of 2 bytes; false: the device does not hold it. */
static bool write_held(const struct virtio_device *d, uint32_t offset, uint16_t value)
{
	common_write(d, offset, 2, value);
	return common_read(d, offset, 2) == value;
}

/* Where the selected queue's doorbell is; false: not in the part with doorbells (4.1.4.4.1). */
static bool doorbell_read(const struct virtio_device *d, uint32_t *doorbell)
{
	uint64_t at = (uint64_t)common_read(d, QUEUE_DOORBELL, 2) * d->notify_step;

	if (d->notify_length < 2 || at > d->notify_length - 2)
		return false;
	*doorbell = (uint32_t)at;
	return true;
}

status_t virtio_device_queue(struct virtio_device *d, uint16_t queue, const struct virtio_queue *q,
			     uint32_t *doorbell, const char **why)
{
	const uint64_t part[] = { q->descriptor, q->avail, q->used };
	uint32_t at;

	common_write(d, QUEUE_SELECT, 2, queue);
	if (common_read(d, QUEUE_ENABLE, 2) != 0)
		return give_up(d, ST_CORRUPT, why, "a queue is in use already");
	if (!doorbell_read(d, &at))
		return give_up(d, ST_CORRUPT, why, "a doorbell lies elsewhere than it may");
	if (!write_held(d, QUEUE_SIZE, q->size))
		return give_up(d, ST_CORRUPT, why, "it does not take a queue's size");
	if (!write_held(d, QUEUE_VECTOR, q->vector))
		return give_up(d, ST_CORRUPT, why, "it has no vector for a queue");
	for (uint32_t i = 0; i < 3; i++) {
		common_write(d, QUEUE_PART + 8 * i, 4, (uint32_t)part[i]);
		common_write(d, QUEUE_PART + 8 * i + 4, 4, (uint32_t)(part[i] >> 32));
	}
	if (!write_held(d, QUEUE_ENABLE, 1))
		return give_up(d, ST_CORRUPT, why, "it does not begin with a queue");
	*doorbell = at;
	return ST_OK;
}

status_t virtio_device_config_vector(struct virtio_device *d, uint16_t vector)
{
	const char *why;

	if (write_held(d, CONFIG_VECTOR, vector))
		return ST_OK;
	return give_up(d, ST_CORRUPT, &why, "it has no vector for changes");
}

status_t virtio_device_run(struct virtio_device *d)
{
	const char *why;

	status_add(d, STATUS_RUNNING);
	if (virtio_device_is_well(d))
		return ST_OK;
	return give_up(d, ST_CORRUPT, &why, "it does not run");
}

void virtio_device_notify(const struct virtio_device *d, uint16_t queue, uint32_t doorbell)
{
	d->registers.write(d->registers.self, VIRTIO_NOTIFY, doorbell, 2, queue);
}

bool virtio_device_is_well(const struct virtio_device *d)
{
	/* NEEDS_RESET is the device's to set, and nothing else is. */
	return common_read(d, STATUS, 1) == d->status && !(d->status & STATUS_FAILED);
}

static void fields_copy(const struct virtio_device *d, const struct virtio_fields *f, uint8_t *to)
{
	for (uint32_t i = 0; i < f->count; i++) {
		uint32_t value = d->registers.read(d->registers.self, VIRTIO_CONFIG,
						   f->offset + i * f->width, f->width);

		memcpy(to + i * f->width, &value, f->width);
	}
}

status_t virtio_device_config(const struct virtio_device *d, const struct virtio_fields *f,
			      void *to)
{
	uint64_t bytes = (uint64_t)f->width * f->count;

	if (bytes > d->config_length || f->offset > d->config_length - bytes)
		return ST_UNSUPPORTED;
	for (unsigned n = 0; n < CONFIG_TRIES; n++) {
		uint32_t before = common_read(d, GENERATION, 1);

		fields_copy(d, f, to);
		if (common_read(d, GENERATION, 1) == before)
			return ST_OK;
	}
	return ST_CORRUPT;
}

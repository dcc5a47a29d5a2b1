/* SPDX-License-Identifier: MIT */
/* The driver's side against a device that is played here. It follows the standard and notes when
 * the driver does not; or it lies in one way. */
#include <lib/virtio/virtio_device.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

#define QUEUES 2u

enum lie {
	NONE,
	NEVER_RESETS,
	DISAGREES,
	FEATURES_CHANGE,
	HOLDS_NO_SIZE,
	HOLDS_NO_VECTOR,
	HOLDS_NO_ENABLE,
	RUNS_NOT,
	CONFIG_CHANGES,
	ALL_ONES,
};

struct played_queue {
	uint16_t size, vector, enable, doorbell;
	uint64_t part[3];
};

static struct {
	enum lie lie;
	unsigned violations; /* of the standard, by the driver */
	unsigned resets;
	uint64_t offered, agreed;
	uint32_t offered_select, agreed_select;
	uint8_t status, generation;
	unsigned generations; /* that still come, one with each byte of configuration */
	uint16_t vector, select, size_most;
	struct played_queue queue[QUEUES];
	uint8_t config[16];
	uint32_t rung_at;
	uint16_t rung;
} played;

static struct virtio_device device;
static const char *why;

static uint32_t half(uint64_t value, uint32_t select)
{
	return select > 1 ? 0 : (uint32_t)(value >> (32 * select));
}

static void played_reset(void)
{
	played.resets++;
	played.status = 0;
	played.agreed = 0;
	for (unsigned i = 0; i < QUEUES; i++) {
		uint16_t doorbell = played.queue[i].doorbell;

		played.queue[i] = (struct played_queue){ .size = played.size_most,
							 .vector = VIRTIO_NO_VECTOR,
							 .doorbell = doorbell };
	}
}

static uint32_t queue_read(uint32_t offset)
{
	const struct played_queue *q = &played.queue[played.select % QUEUES];

	if (played.select >= QUEUES)
		return 0;
	switch (offset) {
	case 0x18:
		return q->size;
	case 0x1a:
		return played.lie == HOLDS_NO_VECTOR ? VIRTIO_NO_VECTOR : q->vector;
	case 0x1c:
		return q->enable;
	case 0x1e:
		return q->doorbell;
	default:
		abort();
	}
}

static uint32_t common_read(uint32_t offset)
{
	switch (offset) {
	case 0x04:
		if (played.lie == FEATURES_CHANGE && (played.status & 8))
			return half(played.offered & ~1ull, played.offered_select);
		return half(played.offered, played.offered_select);
	case 0x10:
		return played.lie == HOLDS_NO_VECTOR ? VIRTIO_NO_VECTOR : played.vector;
	case 0x12:
		return QUEUES;
	case 0x14:
		return played.status;
	case 0x15:
		return played.generation;
	default:
		return queue_read(offset);
	}
}

static void must(bool claim)
{
	played.violations += !claim;
}

static void queue_write(uint32_t offset, unsigned width, uint32_t value)
{
	struct played_queue *q = &played.queue[played.select % QUEUES];

	/* 3.1.1: after features, before it runs; and not while it is enabled. */
	must((played.status & 0x0f) == 0x0b && !q->enable && played.select < QUEUES);
	if (offset >= 0x20) {
		must(width == 4 && offset <= 0x34);
		uint64_t *part = &q->part[(offset - 0x20) / 8];

		*part = offset % 8 ? (uint32_t)*part | (uint64_t)value << 32
				   : (*part & ~(uint64_t)UINT32_MAX) | value;
		return;
	}
	must(width == 2);
	if (offset == 0x18 && played.lie != HOLDS_NO_SIZE)
		q->size = (uint16_t)value;
	else if (offset == 0x1a)
		q->vector = (uint16_t)value;
	else if (offset == 0x1c && played.lie != HOLDS_NO_ENABLE) {
		must(value == 1 && q->part[0] && q->part[1] && q->part[2]);
		q->enable = (uint16_t)value;
	}
}

static void status_write(uint8_t value)
{
	if (value == 0) {
		if (played.lie != NEVER_RESETS)
			played_reset();
		return;
	}
	/* 2.1.1: bits are only added, and in their order. */
	must((played.status & ~value) == 0);
	must(!(value & 2) || (played.status & 1));
	must(!(value & 8) || (played.status & 2));
	must(!(value & 4) || (played.status & 8));
	played.status = value;
	if (played.lie == DISAGREES)
		played.status &= (uint8_t)~8;
	if (played.lie == RUNS_NOT && (value & 4))
		played.status |= 64;
}

static void common_write(uint32_t offset, unsigned width, uint32_t value)
{
	switch (offset) {
	case 0x00:
		played.offered_select = value;
		return;
	case 0x08:
		played.agreed_select = value;
		return;
	case 0x0c:
		must((played.status & 0x0f) == 3 && played.agreed_select < 2);
		played.agreed |= (uint64_t)value << (32 * played.agreed_select);
		must((played.agreed & ~played.offered) == 0);
		return;
	case 0x10:
		played.vector = (uint16_t)value;
		return;
	case 0x14:
		status_write((uint8_t)value);
		return;
	case 0x16:
		played.select = (uint16_t)value;
		return;
	default:
		queue_write(offset, width, value);
	}
}

static uint32_t played_read(void *self, enum virtio_part part, uint32_t offset, unsigned width)
{
	uint32_t value = 0;

	(void)self;
	if (played.lie == ALL_ONES)
		return UINT32_MAX >> (32 - 8 * width);
	if (part == VIRTIO_COMMON)
		return common_read(offset);
	if (part != VIRTIO_CONFIG || offset + width > sizeof(played.config))
		abort();
	memcpy(&value, played.config + offset, width);
	if (played.generations > 0 || played.lie == CONFIG_CHANGES) {
		played.generations -= played.generations > 0;
		played.generation++;
		played.config[0]++;
	}
	return value;
}

static void played_write(void *self, enum virtio_part part, uint32_t offset, unsigned width,
			 uint32_t value)
{
	(void)self;
	if (part == VIRTIO_COMMON) {
		common_write(offset, width, value);
		return;
	}
	must(part == VIRTIO_NOTIFY && width == 2 && (played.status & 4));
	played.rung_at = offset;
	played.rung = (uint16_t)value;
}

static void begin(enum lie lie)
{
	static const struct virtio_registers registers = { played_read, played_write, NULL };
	static const struct virtio_pci where = {
		.part = { [VIRTIO_COMMON] = { .length = 56 },
			  [VIRTIO_NOTIFY] = { .length = 16 },
			  [VIRTIO_ISR] = { .length = 1 },
			  [VIRTIO_CONFIG] = { .length = 16 } },
		.notify_step = 4,
	};

	memset(&played, 0, sizeof(played));
	played.lie = lie;
	played.offered = VIRTIO_VERSION_1 | 1ull << 40 | 0x23;
	played.size_most = 256;
	played.status = 0x4f; /* as another driver left it */
	for (unsigned i = 0; i < QUEUES; i++)
		played.queue[i] = (struct played_queue){ .enable = 1, .doorbell = (uint16_t)i };
	for (unsigned i = 0; i < sizeof(played.config); i++)
		played.config[i] = (uint8_t)(i + 1);
	why = NULL;
	virtio_device_init(&device, &registers, &where);
}

static status_t agree(void)
{
	return virtio_device_begin(&device, 1, 0x12 | 1ull << 40, &why);
}

static const struct virtio_queue queue = { 0x100001000ull, 0x100002000ull, 0x300003000ull, 64, 5 };

/* All that a driver does, up to where it works. */
static status_t set_up(uint32_t doorbell[QUEUES])
{
	status_t st = agree();
	uint16_t size;

	for (uint16_t i = 0; i < QUEUES && st == ST_OK; i++) {
		st = virtio_device_queue_size(&device, i, 64, &size, &why);
		if (st == ST_OK)
			st = virtio_device_queue(&device, i, &queue, &doorbell[i], &why);
	}
	if (st == ST_OK)
		st = virtio_device_config_vector(&device, 1);
	return st == ST_OK ? virtio_device_run(&device) : st;
}

TEST(virtio_device_is_set_up_as_the_standard_says)
{
	uint32_t doorbell[QUEUES];

	begin(NONE);
	CHECK(set_up(doorbell) == ST_OK && played.violations == 0);
	CHECK(played.status == 0x0f && virtio_device_is_well(&device));
	CHECK(played.agreed == (VIRTIO_VERSION_1 | 1ull << 40 | 3) &&
	      device.features == played.agreed);
	CHECK(doorbell[0] == 0 && doorbell[1] == 4 && played.vector == 1);
	for (unsigned i = 0; i < QUEUES; i++) {
		const struct played_queue *q = &played.queue[i];

		CHECK(q->enable == 1 && q->size == 64 && q->vector == 5);
		CHECK(q->part[0] == queue.descriptor && q->part[1] == queue.avail &&
		      q->part[2] == queue.used);
	}
	virtio_device_notify(&device, 1, doorbell[1]);
	CHECK(played.rung == 1 && played.rung_at == 4 && played.violations == 0);
	played.status |= 64; /* it needs a reset */
	CHECK(!virtio_device_is_well(&device));
	CHECK(virtio_device_reset(&device) == ST_OK && played.status == 0 && played.resets == 2);
	CHECK(device.features == 0 && device.queues == 0);
	CHECK(set_up(doorbell) == ST_OK && played.violations == 0);
}

TEST(virtio_device_features_are_agreed_on)
{
	begin(NONE);
	played.offered &= ~1ull;
	CHECK(agree() == ST_UNSUPPORTED && played.status == 0x83 && played.agreed == 0);
	begin(NONE);
	played.offered &= ~VIRTIO_VERSION_1;
	CHECK(agree() == ST_UNSUPPORTED && why != NULL);
	begin(DISAGREES);
	CHECK(agree() == ST_UNSUPPORTED && (played.status & 0x80));
	begin(FEATURES_CHANGE);
	CHECK(agree() == ST_CORRUPT && (played.status & 0x80) && device.features == 0);
	CHECK(played.violations == 0);
}

TEST(virtio_device_that_is_not_reset_is_left_alone)
{
	begin(NEVER_RESETS);
	CHECK(agree() == ST_DEADLINE && played.status == 0x4f && why != NULL);
	begin(ALL_ONES);
	CHECK(agree() == ST_DEADLINE);
	CHECK(virtio_device_reset(&device) == ST_DEADLINE);
}

TEST(virtio_device_queue_sizes_are_checked)
{
	static const uint16_t wrong[] = { 3, 255, 0x8001, 0xffff, 0xc000 };
	uint16_t size = 7;

	begin(NONE);
	CHECK(agree() == ST_OK);
	CHECK(virtio_device_queue_size(&device, 0, 1024, &size, &why) == ST_OK && size == 256);
	CHECK(virtio_device_queue_size(&device, 0, 64, &size, &why) == ST_OK && size == 64);
	CHECK(virtio_device_queue_size(&device, 2, 64, &size, &why) == ST_UNSUPPORTED);
	played.queue[1].size = 0;
	CHECK(virtio_device_queue_size(&device, 1, 64, &size, &why) == ST_UNSUPPORTED);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin(NONE);
		size = 7;
		CHECK(agree() == ST_OK);
		played.queue[0].size = wrong[i];
		CHECK(virtio_device_queue_size(&device, 0, 64, &size, &why) == ST_CORRUPT);
		CHECK(size == 7 && (played.status & 0x80));
	}
}

TEST(virtio_device_queue_that_is_not_taken)
{
	static const enum lie lies[] = { HOLDS_NO_SIZE, HOLDS_NO_VECTOR, HOLDS_NO_ENABLE };
	uint32_t doorbell = 77;

	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		begin(lies[i]);
		CHECK(agree() == ST_OK);
		CHECK(virtio_device_queue(&device, 0, &queue, &doorbell, &why) == ST_CORRUPT);
		CHECK(doorbell == 77 && (played.status & 0x80) && played.violations == 0);
		CHECK(!virtio_device_is_well(&device));
	}
	begin(NONE);
	CHECK(agree() == ST_OK);
	played.queue[0].enable = 1;
	CHECK(virtio_device_queue(&device, 0, &queue, &doorbell, &why) == ST_CORRUPT);
	CHECK(played.violations == 0);
	begin(HOLDS_NO_VECTOR);
	CHECK(agree() == ST_OK && virtio_device_config_vector(&device, 1) == ST_CORRUPT);
}

/* 16 bytes of doorbells, 4 bytes apart. */
TEST(virtio_device_doorbell_is_bounded)
{
	uint32_t doorbell = 77;

	begin(NONE);
	CHECK(agree() == ST_OK);
	played.queue[0].doorbell = 3;
	CHECK(virtio_device_queue(&device, 0, &queue, &doorbell, &why) == ST_OK && doorbell == 12);
	played.queue[1].doorbell = 4;
	CHECK(virtio_device_queue(&device, 1, &queue, &doorbell, &why) == ST_CORRUPT);
	CHECK(doorbell == 12 && played.queue[1].enable == 0 && (played.status & 0x80));
	begin(NONE);
	device.notify_step = 1u << 31; /* would wrap in 32 bits */
	CHECK(agree() == ST_OK);
	played.queue[0].doorbell = 2;
	CHECK(virtio_device_queue(&device, 0, &queue, &doorbell, &why) == ST_CORRUPT);
	begin(NONE);
	device.notify_step = 0; /* one for all */
	CHECK(agree() == ST_OK);
	played.queue[0].doorbell = 0xffff;
	CHECK(virtio_device_queue(&device, 0, &queue, &doorbell, &why) == ST_OK && doorbell == 0);
}

TEST(virtio_device_that_does_not_run)
{
	uint32_t doorbell[QUEUES];

	begin(RUNS_NOT);
	CHECK(set_up(doorbell) == ST_CORRUPT && (played.status & 0x80));
}

TEST(virtio_device_config_is_of_one_moment)
{
	const struct virtio_fields mac = { 0, 1, 6 }, most = { 12, 4, 1 };
	const struct virtio_fields beyond[] = {
		{ 13, 4, 1 }, { UINT32_MAX, 1, 2 }, { 0, 4, 5 }, { 0, 4, UINT32_MAX }
	};
	uint8_t bytes[6];
	uint32_t word;

	begin(NONE);
	CHECK(agree() == ST_OK);
	CHECK(virtio_device_config(&device, &mac, bytes) == ST_OK);
	CHECK(memcmp(bytes, "\1\2\3\4\5\6", 6) == 0);
	CHECK(virtio_device_config(&device, &most, &word) == ST_OK && word == 0x100f0e0d);
	for (unsigned i = 0; i < 4; i++)
		CHECK(virtio_device_config(&device, &beyond[i], bytes) == ST_UNSUPPORTED);
	played.generations = 3; /* it changes under the first try */
	CHECK(virtio_device_config(&device, &mac, bytes) == ST_OK && bytes[0] == 4);
	played.lie = CONFIG_CHANGES;
	CHECK(virtio_device_config(&device, &mac, bytes) == ST_CORRUPT);
}

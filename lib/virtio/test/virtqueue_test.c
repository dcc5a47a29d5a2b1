/* SPDX-License-Identifier: MIT */
/* The queue against a device that is played here: one that does as it should, and one that
 * writes whatever it likes. */
#include <lib/virtio/virtqueue.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

#define SIZE  8u
#define BYTES 512

static _Alignas(16) unsigned char memory[BYTES];
static struct virtqueue queue;

/* The shared part as the device sees it (virtio 1.2, 2.7). */
static uint64_t field(size_t offset, unsigned size)
{
	uint64_t value = 0;

	memcpy(&value, memory + offset, size);
	return value;
}

static void set_field(size_t offset, unsigned size, uint64_t value)
{
	memcpy(memory + offset, &value, size);
}

static struct virtqueue_layout at;
static uint16_t taken, done; /* chains that the device took, and gave back */

static void begin(bool by_index)
{
	memset(memory, 0, sizeof(memory));
	at = virtqueue_layout(SIZE);
	taken = done = 0;
	if (!virtqueue_init(&queue, memory, sizeof(memory), SIZE, by_index))
		abort();
}

static uint16_t avail_index(void)
{
	return (uint16_t)field(at.avail + 2, 2);
}

/* The device takes the next chain: the number of its first descriptor. */
static uint16_t device_take(void)
{
	return (uint16_t)field(at.avail + 4 + 2 * (taken++ % SIZE), 2);
}

static void device_give(uint32_t id, uint32_t length)
{
	size_t entry = at.used + 4 + 8 * (done % SIZE);

	set_field(entry, 4, id);
	set_field(entry + 4, 4, length);
	set_field(at.used + 2, 2, ++done);
}

static const struct virtqueue_part parts[4] = {
	{ 0x1000, 16 }, { 0x2000, 32 }, { 0x3000, 64 }, { 0x4000, 128 }
};

TEST(virtqueue_refuses_what_does_not_fit)
{
	struct virtqueue_layout l = virtqueue_layout(SIZE);

	/* 8 descriptors of 16 bytes; 6 + 2 * 8 bytes; 6 + 8 * 8 on the next multiple of 4. */
	CHECK(l.avail == 128 && l.used == 152 && l.bytes == 222);
	CHECK(!virtqueue_init(&queue, memory, l.bytes - 1, SIZE, false));
	CHECK(!virtqueue_init(&queue, memory + 2, BYTES - 2, SIZE, false));
	CHECK(!virtqueue_init(&queue, memory, BYTES, 0, false));
	CHECK(!virtqueue_init(&queue, memory, BYTES, 6, false));
	CHECK(!virtqueue_init(&queue, memory, SIZE_MAX, 2 * VIRTQUEUE_SIZE_MAX, false));
	CHECK(virtqueue_init(&queue, memory, l.bytes, SIZE, false));
}

TEST(virtqueue_shows_chains_as_the_standard_says)
{
	begin(false);
	CHECK(!virtqueue_notify(&queue));
	CHECK(!virtqueue_add(&queue, parts, 0, 0, 1));
	CHECK(virtqueue_add(&queue, parts, 1, 2, 77));
	CHECK(avail_index() == 1 && virtqueue_notify(&queue) && !virtqueue_notify(&queue));
	size_t d = 16u * device_take();
	const uint16_t flags[] = { 1, 3, 2 }; /* next; next and write; write */
	for (unsigned i = 0; i < 3; i++, d = 16 * field(d + 14, 2)) {
		CHECK(field(d, 8) == parts[i].address && field(d + 8, 4) == parts[i].length);
		CHECK(field(d + 12, 2) == flags[i]);
	}
}

TEST(virtqueue_gives_back_what_the_device_is_done_with)
{
	uint64_t cookie;
	uint32_t written;

	begin(false);
	for (unsigned round = 0; round < 70000; round++) {
		uint16_t first;
		CHECK(virtqueue_add(&queue, parts, 1, 1, round));
		CHECK(virtqueue_add(&queue, parts, 2, 3 - 1, round + 1000000ull));
		CHECK(!virtqueue_add(&queue, parts, 3, 0, 0)); /* 2 of 8 are left */
		first = device_take();
		device_give(device_take(), round % 193); /* in another order */
		CHECK(virtqueue_get(&queue, &cookie, &written));
		CHECK(cookie == round + 1000000ull && written == round % 193);
		CHECK(!virtqueue_get(&queue, &cookie, &written));
		device_give(first, 32);
		CHECK(virtqueue_get(&queue, &cookie, &written));
		CHECK(cookie == round && written == 32 && !queue.broken);
		CHECK(queue.free_count == SIZE);
	}
}

TEST(virtqueue_is_told_and_tells_only_when_asked)
{
	uint64_t cookie;
	uint32_t written;

	begin(false);
	set_field(at.used, 2, 1); /* the device does not want to be told */
	CHECK(virtqueue_add(&queue, parts, 1, 0, 1) && !virtqueue_notify(&queue));
	virtqueue_quiet(&queue);
	CHECK(field(at.avail, 2) == 1);
	CHECK(virtqueue_wait(&queue) && field(at.avail, 2) == 0);
	device_give(device_take(), 0);
	CHECK(!virtqueue_wait(&queue));
	CHECK(virtqueue_get(&queue, &cookie, &written));

	begin(true);
	set_field(at.used + 4 + 8 * SIZE, 2, 1); /* avail_event: told of the second from here */
	CHECK(virtqueue_add(&queue, parts, 1, 0, 1) && !virtqueue_notify(&queue));
	CHECK(virtqueue_add(&queue, parts, 1, 0, 2) && virtqueue_notify(&queue));
	CHECK(virtqueue_add(&queue, parts, 1, 0, 3) && !virtqueue_notify(&queue));
	CHECK(virtqueue_wait(&queue) && field(at.avail + 4 + 2 * SIZE, 2) == 0);
	device_give(device_take(), 0);
	CHECK(!virtqueue_wait(&queue) && virtqueue_get(&queue, &cookie, &written));
	CHECK(virtqueue_wait(&queue) && field(at.avail + 4 + 2 * SIZE, 2) == 1);
	virtqueue_quiet(&queue);
	CHECK(field(at.avail + 4 + 2 * SIZE, 2) == 0);
}

/* ---- a device that lies ---- */

static bool breaks(uint32_t id, uint32_t length, uint16_t more)
{
	uint64_t cookie;
	uint32_t written;

	begin(false);
	if (!virtqueue_add(&queue, parts, 1, 2, 5) || !virtqueue_add(&queue, parts, 1, 0, 6))
		return false;
	device_give(id, length);
	set_field(at.used + 2, 2, (uint16_t)(done + more));
	return !virtqueue_get(&queue, &cookie, &written) && queue.broken &&
	       !virtqueue_add(&queue, parts, 1, 0, 7) && !virtqueue_get(&queue, &cookie, &written);
}

TEST(virtqueue_believes_no_lie)
{
	CHECK(breaks(1, 0, 0));    /* in the middle of a chain */
	CHECK(breaks(4, 0, 0));    /* it was not given that one */
	CHECK(breaks(SIZE, 0, 0)); /* there is none of that number */
	CHECK(breaks(UINT32_MAX, 0, 0));
	CHECK(breaks(0, 97, 0)); /* more than there was room for */
	CHECK(breaks(0, UINT32_MAX, 0));
	CHECK(breaks(3, 1, 0));  /* into what it may only read */
	CHECK(breaks(0, 96, 2)); /* more chains than it has */
	CHECK(breaks(0, 96, UINT16_MAX - 1));
}

TEST(virtqueue_believes_nothing_twice)
{
	uint64_t cookie;
	uint32_t written;

	begin(false);
	CHECK(virtqueue_add(&queue, parts, 1, 1, 5) && virtqueue_add(&queue, parts, 1, 1, 6));
	device_give(0, 0);
	CHECK(virtqueue_get(&queue, &cookie, &written) && cookie == 5);
	device_give(0, 0);
	CHECK(!virtqueue_get(&queue, &cookie, &written) && queue.broken);
}

/* The device writes anywhere, between any two steps: no cookie comes that is not out, or twice. */
TEST(virtqueue_stands_a_device_that_writes_anything)
{
	unsigned short state[3] = { 1, 2, 3 };

	for (unsigned game = 0; game < 3000; game++) {
		bool out[64] = { false };
		unsigned steps = 0;
		begin(game & 1);
		while (steps++ < 60 && !queue.broken) {
			uint64_t cookie = (uint64_t)nrand48(state) % 64;
			uint32_t written;
			unsigned n = 1 + (unsigned)nrand48(state) % 4;
			if (!out[cookie] && virtqueue_add(&queue, parts, n / 2, n - n / 2, cookie))
				out[cookie] = true;
			(void)virtqueue_notify(&queue);
			if (nrand48(state) % 2)
				device_give(device_take() % SIZE, (uint32_t)nrand48(state) % 40);
			else if (nrand48(state) % 4 == 0)
				set_field((size_t)nrand48(state) % (at.bytes - 8), 8,
					  (uint64_t)nrand48(state) << 33 |
						  (uint64_t)nrand48(state));
			(void)virtqueue_wait(&queue);
			while (virtqueue_get(&queue, &cookie, &written)) {
				CHECK(cookie < 64 && out[cookie] && written <= 240);
				out[cookie] = false;
			}
		}
	}
}

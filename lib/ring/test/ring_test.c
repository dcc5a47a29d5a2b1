/* SPDX-License-Identifier: MIT */
#include <lib/ring/ring.h>
#include <pthread.h>
#include <string.h>
#include <test/test.h>

#define SLOTS 8u
#define MANY  200000u

static _Alignas(RING_LINE) unsigned char memory[sizeof(struct ring_shared) +
						SLOTS * sizeof(struct ring_slot)];
static struct ring producer, consumer;

static struct ring_shared *begin(void)
{
	memset(memory, 0, sizeof(memory));
	(void)ring_init(&producer, memory, sizeof(memory), SLOTS);
	(void)ring_init(&consumer, memory, sizeof(memory), SLOTS);
	return producer.shared;
}

static struct ring_slot numbered(uint32_t n)
{
	return (struct ring_slot){ (uint64_t)n << 32 | n, n, ~n };
}

static bool is_numbered(struct ring_slot s, uint32_t n)
{
	return s.address == ((uint64_t)n << 32 | n) && s.length == n && s.cookie == ~n;
}

TEST(ring_refuses_what_does_not_fit)
{
	struct ring r;

	CHECK(ring_bytes(SLOTS) == sizeof(memory));
	CHECK(!ring_init(&r, memory, sizeof(memory) - 1, SLOTS));
	CHECK(!ring_init(&r, memory, sizeof(memory), SLOTS - 1));
	CHECK(!ring_init(&r, memory, sizeof(memory), 0));
	CHECK(!ring_init(&r, memory, SIZE_MAX, RING_SLOTS_MAX * 2));
	CHECK(!ring_init(&r, memory + 16, sizeof(memory) - 16, SLOTS / 2));
	CHECK(ring_init(&r, memory, sizeof(memory), SLOTS));
}

TEST(ring_holds_as_many_as_it_has_slots)
{
	struct ring_slot s;

	begin();
	CHECK(!ring_get(&consumer, &s));
	for (uint32_t round = 0; round < 5; round++) {
		CHECK(ring_room(&producer) == SLOTS);
		for (uint32_t i = 0; i < SLOTS; i++)
			CHECK(ring_put(&producer, numbered(round * SLOTS + i)));
		CHECK(!ring_put(&producer, numbered(0)));
		CHECK(ring_ready(&consumer) == SLOTS);
		for (uint32_t i = 0; i < SLOTS; i++)
			CHECK(ring_get(&consumer, &s) && is_numbered(s, round * SLOTS + i));
		CHECK(!ring_get(&consumer, &s));
	}
	CHECK(!producer.broken && !consumer.broken);
}

TEST(ring_goes_on_when_its_indices_wrap)
{
	struct ring_shared *shared = begin();
	uint32_t start = UINT32_MAX - 3;
	struct ring_slot s;

	producer.mine = producer.theirs = consumer.mine = consumer.theirs = start;
	atomic_store(&shared->head, start);
	atomic_store(&shared->tail, start);
	for (uint32_t i = 0; i < 3 * SLOTS; i++) {
		CHECK(ring_put(&producer, numbered(i)));
		CHECK(ring_put(&producer, numbered(i + 100)));
		CHECK(ring_get(&consumer, &s) && is_numbered(s, i));
		CHECK(ring_get(&consumer, &s) && is_numbered(s, i + 100));
	}
	CHECK(ring_room(&producer) == SLOTS && ring_ready(&consumer) == 0);
}

/* A consumer that claims to have read what was never put, or to have gone back. */
TEST(ring_stops_when_the_consumer_lies)
{
	static const uint32_t lies[] = { 3, SLOTS, 0x80000000u, UINT32_MAX };

	for (unsigned i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct ring_shared *shared = begin();

		CHECK(ring_put(&producer, numbered(1)) && ring_put(&producer, numbered(2)));
		atomic_store(&shared->head, lies[i]);
		CHECK(ring_room(&producer) == 0 && producer.broken);
		CHECK(!ring_put(&producer, numbered(3)));
		atomic_store(&shared->head, 0);
		CHECK(!ring_put(&producer, numbered(3)));
	}
}

TEST(ring_stops_when_the_producer_lies)
{
	static const uint32_t lies[] = { SLOTS + 1, 0x80000000u, UINT32_MAX };
	struct ring_slot s;

	for (unsigned i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct ring_shared *shared = begin();

		atomic_store(&shared->tail, lies[i]);
		CHECK(ring_ready(&consumer) == 0 && consumer.broken);
		CHECK(!ring_get(&consumer, &s));
	}
}

static void *put_many(void *unused)
{
	for (uint32_t n = 0; n < MANY;) {
		if (ring_put(&producer, numbered(n)))
			n++;
	}
	return unused;
}

TEST(ring_carries_all_in_order_between_threads)
{
	struct ring_slot s;
	pthread_t thread;
	uint32_t wrong = 0;

	begin();
	CHECK(pthread_create(&thread, NULL, put_many, NULL) == 0);
	for (uint32_t n = 0; n < MANY;) {
		if (ring_get(&consumer, &s))
			wrong += !is_numbered(s, n++);
	}
	pthread_join(thread, NULL);
	CHECK(wrong == 0 && !producer.broken && !consumer.broken);
}

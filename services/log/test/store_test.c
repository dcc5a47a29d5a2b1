/* SPDX-License-Identifier: MIT */
#include <services/log/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

static _Alignas(8) uint8_t memory[STORE_SIZE];
static struct store store;
static unsigned kept;

static void begin(void)
{
	memset(memory, 0, sizeof(memory));
	(void)store_attach(&store, memory, &kept);
}

static bool say(unsigned writer, const char *text)
{
	struct store_entry e = { .time = 5,
				 .source = store.part[writer].source + 1,
				 .level = LOG_INFO,
				 .size = (uint16_t)strlen(text) };

	return store_append(&store, writer, &e, text);
}

/* Whether the first entry from `from` on is this one. */
static bool finds(uint64_t from, uint64_t number, unsigned writer, const char *text)
{
	char got[LOG_TEXT];
	struct store_entry e;
	unsigned w;

	return store_find(&store, from, &w, &e, got) && e.number == number && w == writer &&
	       e.size == strlen(text) && memcmp(got, text, e.size) == 0;
}

static bool finds_none(uint64_t from)
{
	char got[LOG_TEXT];
	struct store_entry e;
	unsigned w;

	return !store_find(&store, from, &w, &e, got);
}

TEST(log_store_numbers_through_all_writers)
{
	begin();
	CHECK(finds_none(0));
	CHECK(say(3, "one") && say(50, "two") && say(3, "") && say(STORE_KERNEL, "four"));
	CHECK(finds(0, 1, 3, "one") && finds(1, 1, 3, "one") && finds(2, 2, 50, "two"));
	CHECK(finds(3, 3, 3, "") && finds(4, 4, STORE_KERNEL, "four") && finds_none(5));
	CHECK(finds(1, 1, 3, "one")); /* backwards again */
}

TEST(log_store_noisy_writer_hides_nobody)
{
	unsigned n = 0;

	begin();
	CHECK(say(1, "quiet"));
	while (say(2, "noise noise noise noise noise noise noise noise"))
		n++;
	for (unsigned i = 0; i < 10000; i++)
		say(2, "noise noise noise noise noise noise noise noise");
	CHECK(n > 50 && n < STORE_PART / 40);
	CHECK(finds(0, 1, 1, "quiet"));
	CHECK(store.memory->part[2].dropped == 10001 && store.memory->part[1].dropped == 0);
	CHECK(store.next == 10001 + n + 2);
	CHECK(finds(2, store.next - n, 2, "noise noise noise noise noise noise noise noise") ||
	      finds(2, store.next - n - 1, 2, "noise noise noise noise noise noise noise noise"));
}

TEST(log_store_outlives_its_program)
{
	char text[32];

	begin();
	for (unsigned i = 1; i <= 2000; i++) {
		snprintf(text, sizeof(text), "entry %u", i);
		(void)say(i % 5, text);
	}
	uint64_t dropped = store.memory->part[4].dropped;
	struct store before = store;
	CHECK(store_attach(&store, memory, &kept) == STORE_WHOLE);
	CHECK(kept > 500 && store.next == 2001 && store.memory->part[4].dropped == dropped);
	for (unsigned w = 0; w < STORE_WRITERS; w++)
		CHECK(store.part[w].last == before.part[w].last &&
		      store.part[w].source == before.part[w].source);
	CHECK(finds(2000, 2000, 0, "entry 2000") && finds(1999, 1999, 4, "entry 1999"));
	(void)say(1, "more");
	CHECK(finds(2001, 2001, 1, "more"));
}

TEST(log_store_knows_what_was_written)
{
	struct store_entry e = { .source = 7, .incarnation = 2, .level = LOG_INFO };

	begin();
	CHECK(!store_has(&store, 4, 2, 1) && !store_has(&store, 4, 0, 0));
	store_append(&store, 4, &e, "");
	CHECK(store_attach(&store, memory, &kept) == STORE_WHOLE && kept == 1);
	CHECK(store_has(&store, 4, 2, 7) && store_has(&store, 4, 2, 6));
	CHECK(!store_has(&store, 4, 2, 8) && !store_has(&store, 4, 3, 1));
	CHECK(!store_has(&store, 5, 2, 7));
}

/* Ended after each write to the memory, as far as these are seen: an entry is there or not. */
TEST(log_store_is_whole_whenever_its_program_ends)
{
	static uint8_t image[STORE_SIZE];
	struct store_memory *m = (struct store_memory *)image;

	begin();
	while (say(1, "some text in the part of the first one"))
		;
	memcpy(image, memory, sizeof(image));
	uint64_t next = store.next, tail = store.memory->part[1].tail;
	(void)say(1, "the last");
	/* What was pushed out went first, then came the bytes, then the head, then the number. */
	m->part[1].tail = store.memory->part[1].tail;
	CHECK(m->part[1].tail != tail);
	memcpy(image + 4096, memory + 4096, sizeof(image) - 4096);
	CHECK(store_attach(&store, image, &kept) == STORE_WHOLE && store.next == next);
	CHECK(finds_none(next));
	m->part[1].head = ((struct store_memory *)memory)->part[1].head;
	CHECK(store_attach(&store, image, &kept) == STORE_WHOLE && store.next == next + 1);
	CHECK(finds(next, next, 1, "the last"));
}

TEST(log_store_part_that_can_not_be_begins_anew)
{
	begin();
	for (unsigned i = 0; i < 8; i++)
		CHECK(say(i, "text"));
	struct store_part *p = store.memory->part;
	p[0].tail = p[0].head + 8;
	p[1].head = 1ull << 63;
	p[2].head += 8;
	p[3].head = p[3].tail + STORE_PART + 8;
	((struct store_entry *)(memory + 4096 + 4 * STORE_PART))->size = LOG_TEXT + 1;
	((struct store_entry *)(memory + 4096 + 5 * STORE_PART))->number = 0;
	((struct store_entry *)(memory + 4096 + 6 * STORE_PART))->level = 9;
	CHECK(store_attach(&store, memory, &kept) == STORE_DAMAGED && kept == 1);
	for (unsigned i = 0; i < 7; i++)
		CHECK(p[i].head == 0 && p[i].tail == 0);
	CHECK(finds(0, 8, 7, "text") && finds_none(9) && store.next == 9);
	for (unsigned i = 0; i < 8; i++)
		CHECK(say(i, "again"));
	CHECK(store_attach(&store, memory, &kept) == STORE_WHOLE && kept == 9);
	((struct store_memory *)memory)->magic++;
	CHECK(store_attach(&store, memory, &kept) == STORE_DAMAGED && kept == 0 && store.next == 1);
}

static void damage(uint8_t *at, size_t size)
{
	for (unsigned n = (unsigned)rand() % 8; n > 0; n--) {
		size_t place = (size_t)rand() % (size - 8);
		switch (rand() % 3) {
		case 0:
			at[place] = (uint8_t)rand();
			break;
		case 1:
			memset(at + place / 8 * 8, rand() % 2 ? 0xff : 0, 8);
			break;
		default:
			at[place] ^= (uint8_t)(1u << rand() % 8);
		}
	}
}

TEST(log_store_lives_with_whatever_it_finds)
{
	char text[LOG_TEXT];
	struct store_entry e;
	unsigned writer;

	srand((unsigned)test_seed());
	memset(text, 'x', sizeof(text));
	for (uint64_t round = 0; round < test_rounds(3000); round++) {
		if (round % 100 == 0)
			begin();
		for (unsigned i = (unsigned)rand() % 64; i > 0; i--) {
			e = (struct store_entry){ .source = round,
						  .level = LOG_INFO,
						  .size = (uint16_t)(rand() % (LOG_TEXT + 1)) };
			(void)store_append(&store, (unsigned)rand() % 3, &e, text);
		}
		damage(memory, sizeof(struct store_memory));
		damage(memory + 4096, 3 * STORE_PART);
		/* Damage while it runs, too: every look has to stand it. */
		if (round % 2)
			(void)store_attach(&store, memory, &kept);
		uint64_t number = 0;
		for (unsigned i = 0; i < 50; i++) {
			if (!store_find(&store, number, &writer, &e, text))
				break;
			CHECK(e.size <= LOG_TEXT && writer < STORE_WRITERS);
			number = e.number + 1;
		}
	}
}

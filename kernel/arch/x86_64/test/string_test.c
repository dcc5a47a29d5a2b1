/* SPDX-License-Identifier: MIT */
#include <core/types.h>
#include <test/test.h>

#define ROOM 64
#define LEN  24 /* as long as several words, from any alignment */

/* From string.S. */
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
int memcmp(const void *a, const void *b, size_t size);

/* The compiler must call them, not know better. */
static void *(*volatile set)(void *, int, size_t) = memset;
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static void *(*volatile move)(void *, const void *, size_t) = memmove;
static int (*volatile compare)(const void *, const void *, size_t) = memcmp;

static uint8_t buf[ROOM];

static void number_all(void)
{
	for (unsigned i = 0; i < ROOM; i++)
		buf[i] = (uint8_t)i;
}

/* After a move of `len` bytes: those in place, the others untouched. */
static bool is_moved(unsigned to, unsigned from, unsigned len)
{
	for (unsigned i = 0; i < ROOM; i++) {
		unsigned want = i >= to && i < to + len ? i - to + from : i;
		if (buf[i] != want)
			return false;
	}
	return true;
}

TEST(string_set_fills_what_it_is_told)
{
	for (unsigned at = 0; at < 9; at++) {
		for (unsigned len = 0; len <= LEN; len++) {
			number_all();
			CHECK(set(buf + at, 0x1a5, len) == buf + at);
			for (unsigned i = 0; i < ROOM; i++)
				CHECK(buf[i] == (i >= at && i < at + len ? 0xa5 : i));
		}
	}
}

TEST(string_copy_and_move_keep_order)
{
	for (unsigned from = 0; from < 20; from++) {
		for (unsigned to = 0; to < 20; to++) {
			for (unsigned len = 0; len <= LEN; len++) {
				number_all();
				CHECK(move(buf + to, buf + from, len) == buf + to);
				CHECK(is_moved(to, from, len));
			}
		}
	}
	number_all();
	CHECK(copy(buf + 1, buf + 32, 31) == buf + 1);
	CHECK(is_moved(1, 32, 31));
}

TEST(string_compare_orders_bytes)
{
	static const uint8_t a[] = { 1, 2, 3, 0x80 }, b[] = { 1, 2, 3, 0x7f };

	CHECK(compare(a, b, 3) == 0);
	CHECK(compare(a, b, 4) > 0);
	CHECK(compare(b, a, 4) < 0);
	CHECK(compare(a + 1, a, 1) > 0);
	CHECK(compare(a, b, 0) == 0);
}

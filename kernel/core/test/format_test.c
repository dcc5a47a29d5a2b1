/* SPDX-License-Identifier: MIT */
#include <core/format.h>
#include <stdio.h>
#include <string.h>
#include <test/test.h>

static bool gives(const char *want, size_t len, const char *got)
{
	return len == strlen(want) && strcmp(want, got) == 0;
}

TEST(format_converts)
{
	char buf[64];
	const char *volatile none = NULL; /* the compiler must not see it */

	CHECK(gives("-7|42|ff|%", format(buf, sizeof(buf), "%d|%u|%x|%%", -7, 42u, 255u), buf));
	CHECK(gives("18446744073709551615", format(buf, sizeof(buf), "%lu", UINT64_MAX), buf));
	CHECK(gives("-9223372036854775808", format(buf, sizeof(buf), "%ld", INT64_MIN), buf));
	CHECK(gives("abc|(null)", format(buf, sizeof(buf), "%.*s|%s", 3, "abcdef", none), buf));
	CHECK(gives("0x0|0xff", format(buf, sizeof(buf), "%p|%p", (void *)0, (void *)255), buf));
}

TEST(format_pads)
{
	char buf[64];

	CHECK(gives("   42|42   |00042|-0042",
		    format(buf, sizeof(buf), "%5d|%-5d|%05d|%05d", 42, 42, 42, -42), buf));
	CHECK(gives("  ab|ab  |", format(buf, sizeof(buf), "%4s|%-4s|", "ab", "ab"), buf));
	CHECK(gives("    1f|00001f|1f    |",
		    format(buf, sizeof(buf), "%6x|%06x|%-6x|", 31u, 31u, 31u), buf));
}

TEST(format_cuts_and_tells_full_length)
{
	char buf[8] = "1234567";

	CHECK(format(buf, 4, "%s", "abcdef") == 6);
	CHECK(strcmp(buf, "abc") == 0);
	CHECK(buf[4] == '5');
	CHECK(format(buf, 0, "%s", "xyz") == 3);
	CHECK(strcmp(buf, "abc") == 0);
}

/* The formats below are made while the test runs. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

TEST(format_copies_what_it_does_not_know)
{
	static const char *const strange[] = { "%q", "%-5q|", "100%", "a%",
					       "%l", "%c",    "%#x",  "%08.3ld" };
	char buf[64];

	for (size_t i = 0; i < ARRAY_LEN(strange); i++)
		CHECK(gives(strange[i], format(buf, sizeof(buf), strange[i], 0), buf));
}

TEST(format_bounds_absurd_widths)
{
	const char *volatile absurd = "%99999999999999999999d";
	char buf[8];

	CHECK(format(buf, sizeof(buf), absurd, 1) == 4096);
	CHECK(strcmp(buf, "       ") == 0);
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A random conversion, of those that format and the C library both know. */
static void random_spec(uint64_t *state, char spec[32])
{
	static const char *const lengths[] = { "", "l", "ll", "z" };
	char conversion = "dduuxxs"[next(state) % 7];
	size_t used = 0;

	spec[used++] = '%';
	if (next(state) % 3 == 0)
		spec[used++] = '-';
	if (next(state) % 3 == 0 && conversion != 's')
		spec[used++] = '0';
	if (next(state) % 2 == 0)
		used += (size_t)sprintf(spec + used, "%u", (unsigned)(next(state) % 30 + 1));
	if (next(state) % 2 == 0 && conversion == 's')
		used += (size_t)sprintf(spec + used, ".*");
	if (conversion != 's')
		used += (size_t)sprintf(spec + used, "%s", lengths[next(state) % 4]);
	spec[used++] = conversion;
	spec[used] = '\0';
}

static void compare_once(uint64_t *state)
{
	char spec[32], fmt[48], want[64], got[64];
	size_t size = next(state) % (sizeof(got) + 1);
	uint64_t value = next(state) >> next(state) % 64;
	size_t want_len, got_len;

	random_spec(state, spec);
	snprintf(fmt, sizeof(fmt), "<%s>", spec);
	memset(want, '!', sizeof(want));
	memset(got, '!', sizeof(got));
	if (strchr(spec, 's') != NULL) {
		static const char *const texts[] = { "", "a", "kernel", "a longer piece of text" };
		const char *text = texts[value % 4];
		int max = (int)(next(state) % 13) - 1;
		if (strchr(spec, '*') != NULL) {
			want_len = (size_t)snprintf(want, size, fmt, max, text);
			got_len = format(got, size, fmt, max, text);
		} else {
			want_len = (size_t)snprintf(want, size, fmt, text);
			got_len = format(got, size, fmt, text);
		}
	} else if (strpbrk(spec, "lz") != NULL) {
		want_len = (size_t)snprintf(want, size, fmt, value);
		got_len = format(got, size, fmt, value);
	} else {
		want_len = (size_t)snprintf(want, size, fmt, (unsigned)value);
		got_len = format(got, size, fmt, (unsigned)value);
	}
	CHECK(got_len == want_len);
	CHECK(memcmp(got, want, sizeof(got)) == 0);
}

TEST(format_agrees_with_snprintf)
{
	uint64_t state = test_seed() * 0x9e3779b97f4a7c15;

	for (uint64_t i = test_rounds(100000); i > 0; i--)
		compare_once(&state);
}

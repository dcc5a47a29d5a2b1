/* SPDX-License-Identifier: MIT */
#include <core/format.h>
#include <test/test.h>
#include <string.h>

static bool gives(const char *want, size_t len, const char *got)
{
	return len == strlen(want) && strcmp(want, got) == 0;
}

TEST(format_converts)
{
	char buf[64];
	const char *volatile none = NULL; /* the compiler must not see it */

	CHECK(gives("-7|42|ff|0x1f|x|%",
		    format(buf, sizeof(buf), "%d|%u|%x|%#x|%c|%%", -7, 42u, 255u, 31u, 'x'), buf));
	CHECK(gives("18446744073709551615", format(buf, sizeof(buf), "%lu", UINT64_MAX), buf));
	CHECK(gives("-9223372036854775808", format(buf, sizeof(buf), "%ld", INT64_MIN), buf));
	CHECK(gives("abc|(null)", format(buf, sizeof(buf), "%.3s|%s", "abcdef", none), buf));
}

TEST(format_pads)
{
	char buf[64];

	CHECK(gives("   42|42   |00042|-0042",
		    format(buf, sizeof(buf), "%5d|%-5d|%05d|%05d", 42, 42, 42, -42), buf));
	CHECK(gives("  ab|ab  |", format(buf, sizeof(buf), "%4s|%-4s|", "ab", "ab"), buf));
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

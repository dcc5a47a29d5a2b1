/* SPDX-License-Identifier: MIT */
#include <services/log/text.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

static bool escapes(const char *in, size_t size, const char *expected)
{
	char out[LOG_TEXT];
	size_t n = text_escape(out, in, size);

	return n == strlen(expected) && memcmp(out, expected, n) == 0;
}

#define ESCAPES(in, expected) escapes(in, sizeof(in) - 1, expected)

TEST(log_text_stays_as_it_is)
{
	CHECK(ESCAPES("", ""));
	CHECK(ESCAPES("plain ~ text\\n", "plain ~ text\\n"));
	CHECK(ESCAPES("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x99",
		      "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x99"));
}

TEST(log_text_steers_no_terminal)
{
	CHECK(ESCAPES("a\x1b[2Jb", "a\\e[2Jb"));
	CHECK(ESCAPES("a\r\nb\tc", "a\\r\\nb\\tc"));
	CHECK(ESCAPES("\0\x7f\x01", "\\x00\\x7f\\x01"));
	CHECK(ESCAPES("\xc2\x9b", "\\xc2\\x9b"));          /* a control sequence in one byte */
	CHECK(ESCAPES("\xe2\x80\xae", "\\xe2\\x80\\xae")); /* writes from right to left */
	CHECK(ESCAPES("\xe2\x80\xa8", "\\xe2\\x80\\xa8")); /* ends a line */
}

TEST(log_text_shows_what_is_no_utf8)
{
	CHECK(ESCAPES("\xff\xfe", "\\xff\\xfe"));
	CHECK(ESCAPES("\xc0\xaf", "\\xc0\\xaf")); /* longer than need be */
	CHECK(ESCAPES("\xe0\x80\xaf", "\\xe0\\x80\\xaf"));
	CHECK(ESCAPES("\xed\xa0\x80", "\\xed\\xa0\\x80")); /* half of a pair */
	CHECK(ESCAPES("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"));
	CHECK(ESCAPES("\xe2\x82", "\\xe2\\x82")); /* ends in the middle */
	CHECK(ESCAPES("\xe2\x82z", "\\xe2\\x82z"));
}

TEST(log_text_is_cut_where_it_shows)
{
	char in[LOG_TEXT + 1], out[LOG_TEXT];

	memset(in, 'a', sizeof(in));
	CHECK(text_escape(out, in, LOG_TEXT) == LOG_TEXT && out[LOG_TEXT - 1] == 'a');
	CHECK(text_escape(out, in, LOG_TEXT + 1) == LOG_TEXT);
	CHECK(memcmp(out + LOG_TEXT - 4, "a...", 4) == 0);
	memset(in, 1, sizeof(in));
	size_t n = text_escape(out, in, sizeof(in));
	CHECK(n <= LOG_TEXT && memcmp(out + n - 7, "\\x01...", 7) == 0);
}

TEST(log_text_of_random_bytes_is_text)
{
	srand((unsigned)test_seed());
	for (uint64_t i = 0; i < test_rounds(20000); i++) {
		char in[LOG_TEXT], out[LOG_TEXT], again[LOG_TEXT];
		size_t size = (size_t)rand() % (LOG_TEXT / 4);
		for (size_t k = 0; k < size; k++)
			in[k] = (char)(rand() % 4 ? rand() : 0xe2);
		size_t n = text_escape(out, in, size);
		CHECK(n <= LOG_TEXT && text_escape(again, out, n) == n);
		CHECK(memcmp(out, again, n) == 0);
	}
}

static bool parses(const char *line, struct text_line *l)
{
	*l = (struct text_line){ .time = 77 };
	text_parse(l, line, strlen(line));
	return l->time != 77;
}

TEST(log_text_takes_kernel_lines_apart)
{
	struct text_line l;

	CHECK(parses("[    0.012345] cpu3 info  boot: 127 MiB of memory", &l));
	CHECK(l.time == 12345000 && l.cpu == 3 && l.level == LOG_INFO);
	CHECK(l.size == 23 && memcmp(l.text, "boot: 127 MiB", 13) == 0);
	CHECK(parses("[12345.999999] cpu0 error x", &l) && l.level == LOG_ERROR);
	CHECK(l.time == 12345999999000 && l.size == 1);
}

TEST(log_text_keeps_lines_of_another_form)
{
	static const char *const lines[] = {
		"",
		"[",
		"ThemeliOS 0.1",
		"[    0.012345] cpu3",
		"[    0.012345] cpu3 loud  x",
		"[    0.012345 cpu3 info  x",
		"[    0.1012345] cpu3 info  x",
		"[99999999999999999999999.0] cpu3 info  x",
		"[19999999999.0] cpu3 info  x",
		"[    0.012345] cpu99999 info  x",
	};

	for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct text_line l;
		CHECK(!parses(lines[i], &l));
		CHECK(l.level == LOG_INFO && l.cpu == LOG_CPU_UNKNOWN);
		CHECK(l.text == lines[i] && l.size == strlen(lines[i]));
	}
}

TEST(log_text_prefix_is_the_kernels)
{
	char out[TEXT_PREFIX];
	struct text_line l = { .time = 1002003000, .level = LOG_WARNING, .cpu = 1 };
	size_t n = text_prefix(out, &l, "power");

	CHECK(n == 33 && memcmp(out, "[    1.002003] cpu1 warn  power: ", 33) == 0);
}

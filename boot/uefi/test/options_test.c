/* SPDX-License-Identifier: MIT */
#include "../options.h"
#include <test/test.h>
#include <string.h>

/* Puts the text at an odd address, as load options may lie. */
struct options {
	uint8_t bytes[2 * BOOT_CMDLINE + 8];
	size_t size;
};

static struct options wide(const char *text, size_t length)
{
	struct options o = { .size = 2 * length };

	for (size_t i = 0; i < length; i++)
		o.bytes[1 + 2 * i] = (uint8_t)text[i];
	return o;
}

static bool is_text(const struct options *o)
{
	return options_are_text(o->bytes + 1, o->size);
}

TEST(uefi_options_text_is_copied)
{
	static const char line[] = "accept=meltdown  log=debug";
	struct options o = wide(line, sizeof(line)); /* with its end */
	char out[BOOT_CMDLINE] = "old";

	CHECK(is_text(&o));
	CHECK(options_copy(o.bytes + 1, o.size, out) && strcmp(out, line) == 0);
	o.size -= 2; /* without */
	CHECK(is_text(&o));
	CHECK(options_copy(o.bytes + 1, o.size, out) && strcmp(out, line) == 0);
	o.size -= 1; /* half a character is none */
	CHECK(options_copy(o.bytes + 1, o.size, out));
	CHECK(strcmp(out, "accept=meltdown  log=debu") == 0);
	o.bytes[1 + 2 * 6] = 0; /* what follows a zero is not looked at */
	o.bytes[1 + 2 * 7] = 0xff;
	CHECK(is_text(&o));
	CHECK(options_copy(o.bytes + 1, o.size, out) && strcmp(out, "accept") == 0);
}

TEST(uefi_options_that_are_no_text)
{
	struct options o = wide("", 0);

	CHECK(!options_are_text(NULL, 100));
	CHECK(!is_text(&o));
	o = wide("x", 1);
	o.size = 1;
	CHECK(!is_text(&o));
	o = wide("\0x", 2);
	CHECK(!is_text(&o));
	o = wide(" \t\r\n ", 5);
	CHECK(!is_text(&o));
	for (unsigned c = 1; c < 0x180; c++) {
		bool plain = (c >= ' ' && c <= '~') || c == '\t' || c == '\r' || c == '\n';

		o = wide("abc", 3);
		o.bytes[1 + 2] = (uint8_t)c;
		o.bytes[1 + 3] = (uint8_t)(c >> 8);
		CHECK(is_text(&o) == plain);
	}
}

TEST(uefi_options_length_is_bounded)
{
	char line[BOOT_CMDLINE], out[BOOT_CMDLINE + 1];

	memset(line, 'x', sizeof(line));
	memset(out, 'o', sizeof(out));
	struct options o = wide(line, BOOT_CMDLINE);
	CHECK(!options_copy(o.bytes + 1, o.size, out));
	CHECK(out[0] == 'o');
	o = wide(line, BOOT_CMDLINE - 1);
	CHECK(options_copy(o.bytes + 1, o.size, out));
	CHECK(strlen(out) == BOOT_CMDLINE - 1 && out[BOOT_CMDLINE] == 'o');
}

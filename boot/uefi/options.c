/* SPDX-License-Identifier: MIT */
#include "options.h"

#define CHARACTER_SIZE 2

/* Read by bytes: nothing says that load options are aligned. */
static uint16_t character(const uint8_t *text, size_t i)
{
	const uint8_t *at = text + i * CHARACTER_SIZE;

	return (uint16_t)(at[0] | at[1] << 8);
}

static size_t length(const uint8_t *text, size_t size)
{
	size_t n = 0;

	while (n < size / CHARACTER_SIZE && character(text, n) != 0)
		n++;
	return n;
}

static bool is_blank(uint16_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool options_are_text(const uint8_t *text, size_t size)
{
	size_t n = text == NULL ? 0 : length(text, size);
	bool blank = true;

	for (size_t i = 0; i < n; i++) {
		uint16_t c = character(text, i);

		if (is_blank(c))
			continue;
		if (c < ' ' || c > '~')
			return false;
		blank = false;
	}
	return !blank;
}

bool options_copy(const uint8_t *text, size_t size, char out[BOOT_CMDLINE])
{
	size_t n = length(text, size);

	if (n >= BOOT_CMDLINE)
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)character(text, i);
	out[n] = '\0';
	return true;
}

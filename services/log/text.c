/* SPDX-License-Identifier: MIT */
#include "text.h"
#include <stdio.h>
#include <string.h>

#define NS 1000000000ull
#define US 1000ull

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

/* ---- bytes that are no text ---- */

static size_t utf8_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* Characters that show as something, where they stand: no control characters, no ends of lines,
 * none that change the direction of writing. */
static bool is_shown(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c > 0x10ffff)
		return false;
	if (c == 0x61c || c == 0x200e || c == 0x200f || c == 0xfeff)
		return false;
	return !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) &&
	       !(c >= 0xd800 && c <= 0xdfff);
}

/* Bytes of the character that `in` begins with, if it is one that is shown; else 0. */
static size_t character(const char *in, size_t size)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t first = (uint8_t)in[0];
	size_t n = utf8_length(first);

	if (n == 0 || n > size)
		return 0;
	uint32_t c = n == 1 ? first : first & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (((uint8_t)in[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((uint8_t)in[i] & 0x3f);
	}
	return c >= least[n] && is_shown(c) ? n : 0;
}

/* How a byte that is not shown is written; its length. */
static size_t write_byte(char out[4], uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";
	static const char names[] = "\tt\nn\rr\033e";

	out[0] = '\\';
	for (const char *n = names; *n != '\0'; n += 2) {
		if (*n != (char)byte)
			continue;
		out[1] = n[1];
		return 2;
	}
	out[1] = 'x';
	out[2] = digits[byte >> 4];
	out[3] = digits[byte & 15];
	return 4;
}

size_t text_escape(char out[LOG_TEXT], const char *in, size_t size)
{
	size_t used = 0, safe = 0; /* up to `safe` the dots fit behind it */

	for (size_t at = 0, n; at < size; at += n) {
		char piece[4];
		size_t length = n = character(in + at, size - at);

		if (n != 0)
			memcpy(piece, in + at, n);
		else
			length = write_byte(piece, (uint8_t)in[at]);
		if (n == 0)
			n = 1;
		if (length > LOG_TEXT - used) {
			memcpy(out + safe, "...", 3);
			return safe + 3;
		}
		memcpy(out + used, piece, length);
		used += length;
		if (used <= LOG_TEXT - 3)
			safe = used;
	}
	return used;
}

/* ---- the kernel's lines ---- */

struct cursor {
	const char *at, *end;
};

static bool take(struct cursor *c, char expected)
{
	if (c->at == c->end || *c->at != expected)
		return false;
	c->at++;
	return true;
}

static void take_blanks(struct cursor *c)
{
	while (take(c, ' '))
		;
}

static bool take_number(struct cursor *c, uint64_t *out)
{
	const char *begin = c->at;
	uint64_t n = 0;

	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
		if (n > (1ull << 40))
			return false;
		n = n * 10 + (uint64_t)(*c->at - '0');
	}
	*out = n;
	return c->at > begin;
}

static bool take_word(struct cursor *c, const char *word)
{
	size_t size = strlen(word);

	if ((size_t)(c->end - c->at) < size || memcmp(c->at, word, size) != 0)
		return false;
	c->at += size;
	return true;
}

static bool take_level(struct cursor *c, enum log_level *level)
{
	for (unsigned i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		if (!take_word(c, level_names[i]))
			continue;
		*level = i;
		return true;
	}
	return false;
}

void text_parse(struct text_line *l, const char *line, size_t size)
{
	struct cursor c = { line, line + size };
	struct text_line found = *l;
	uint64_t seconds, micros, cpu;

	*l = (struct text_line){ .time = l->time,
				 .level = LOG_INFO,
				 .cpu = LOG_CPU_UNKNOWN,
				 .text = line,
				 .size = size };
	if (!take(&c, '['))
		return;
	take_blanks(&c);
	if (!take_number(&c, &seconds) || !take(&c, '.') || !take_number(&c, &micros) ||
	    !take_word(&c, "] cpu") || !take_number(&c, &cpu) || !take(&c, ' ') ||
	    !take_level(&c, &found.level) || !take(&c, ' ') || seconds > UINT64_MAX / NS - 1 ||
	    micros >= NS / US || cpu >= LOG_CPU_UNKNOWN)
		return;
	take_blanks(&c);
	*l = (struct text_line){ .time = seconds * NS + micros * US,
				 .level = found.level,
				 .cpu = (uint16_t)cpu,
				 .text = c.at,
				 .size = (size_t)(c.end - c.at) };
}

size_t text_prefix(char out[TEXT_PREFIX], const struct text_line *l, const char *program)
{
	char cpu[8] = "?";
	uint64_t us = l->time / US;

	if (l->cpu != LOG_CPU_UNKNOWN)
		snprintf(cpu, sizeof(cpu), "%u", l->cpu);
	int size =
		snprintf(out, TEXT_PREFIX,
			 "[%5llu.%06llu] cpu%s %-5s %.24s: ", (unsigned long long)(us / 1000000),
			 (unsigned long long)(us % 1000000), cpu, level_names[l->level], program);
	return size < TEXT_PREFIX ? (size_t)size : TEXT_PREFIX - 1;
}

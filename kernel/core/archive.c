/* SPDX-License-Identifier: MIT */
#include <core/archive.h>
#include <core/format.h>

/* The header is all text: a magic number of six digits, then 13 fields of
 * eight hexadecimal digits each. Numbers of the fields that we use: */
#define MAGIC        "070701"
#define MAGIC_SIZE   6
#define FIELD_DIGITS 8
#define FIELD_COUNT  13
#define FIELD_MODE   1
#define FIELD_SIZE   6
#define FIELD_NAME   11
#define HEADER_SIZE  (MAGIC_SIZE + FIELD_COUNT * FIELD_DIGITS)
#define PADDING      4

#define TRAILER      "TRAILER!!!"
#define MODE_TYPE    0170000u /* of stat(2) */
#define MODE_REGULAR 0100000u

/* Both cases: cpio programs do not agree on one. Above 15: it is no digit. */
static uint32_t digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - (uint32_t)'0';
	c |= 'a' ^ 'A';
	return c >= 'a' && c <= 'f' ? c - (uint32_t)'a' + 10 : UINT32_MAX;
}

static bool parse_header(const uint8_t *at, uint32_t field[FIELD_COUNT])
{
	if (__builtin_memcmp(at, MAGIC, MAGIC_SIZE) != 0)
		return false;
	at += MAGIC_SIZE;
	for (size_t f = 0; f < FIELD_COUNT; f++) {
		field[f] = 0;
		for (size_t i = 0; i < FIELD_DIGITS; i++, at++) {
			if (digit_of(*at) > 15)
				return false;
			field[f] = field[f] << 4 | digit_of(*at);
		}
	}
	return true;
}

/* The sums can't wrap: an offset is at most `size` and a field has 32 bits. */
status_t archive_next(const uint8_t *base, size_t size, size_t *offset, struct archive_file *out)
{
	uint32_t field[FIELD_COUNT];

	if (*offset > size || size - *offset < HEADER_SIZE || !parse_header(base + *offset, field))
		return ST_CORRUPT;

	size_t at = *offset + HEADER_SIZE;
	const char *name = (const char *)base + at;
	/* It is not empty and has its zero byte at its end, nowhere before. */
	if (size - at < field[FIELD_NAME] || field[FIELD_NAME] < 2 ||
	    text_length(name, field[FIELD_NAME]) != field[FIELD_NAME] - 1)
		return ST_CORRUPT;
	if (text_equal(name, TRAILER))
		return ST_WOULD_BLOCK;

	size_t data = ALIGN_UP(at + field[FIELD_NAME], PADDING);
	if (data > size || size - data < field[FIELD_SIZE])
		return ST_CORRUPT;
	*out = (struct archive_file){ name, base + data, field[FIELD_SIZE], field[FIELD_MODE] };
	*offset = ALIGN_UP(data + field[FIELD_SIZE], PADDING);
	return ST_OK;
}

/* Directories and the like are no files. */
status_t archive_find(const uint8_t *base, size_t size, const char *name, struct archive_file *out)
{
	struct archive_file file;
	size_t offset = 0;
	status_t st;

	do
		st = archive_next(base, size, &offset, &file);
	while (st == ST_OK &&
	       ((file.mode & MODE_TYPE) != MODE_REGULAR || !text_equal(file.name, name)));
	if (st == ST_OK)
		*out = file;
	return st == ST_WOULD_BLOCK ? ST_BAD_ARG : st;
}

/* SPDX-License-Identifier: MIT */
#include "newc.h"
#include <stdbool.h>
#include <string.h>

/* A header is text: the magic number, then fields of eight hexadecimal digits each. */
#define MAGIC        "070701"
#define MAGIC_SIZE   6u
#define FIELD_DIGITS 8u
#define FIELDS       13u
#define FIELD_MODE   1u
#define FIELD_SIZE   6u
#define FIELD_NAME   11u
#define HEADER       (MAGIC_SIZE + FIELDS * FIELD_DIGITS)
#define TRAILER      "TRAILER!!!"
#define MODE_TYPE    0170000u
#define MODE_REGULAR 0100000u

#define PADDED(n) (((n) + 3) & ~(size_t)3)

struct entry {
	const char *name;
	size_t data, size, next;
	uint32_t mode;
};

/* What is no digit: false. */
static bool read_field(const uint8_t *header, unsigned number, uint32_t *out)
{
	const uint8_t *at = header + MAGIC_SIZE + number * FIELD_DIGITS;

	*out = 0;
	for (unsigned i = 0; i < FIELD_DIGITS; i++) {
		uint8_t c = at[i];
		uint8_t letter = c | ('a' ^ 'A');
		uint32_t digit;

		if (c >= '0' && c <= '9')
			digit = (uint32_t)c - '0';
		else if (letter >= 'a' && letter <= 'f')
			digit = (uint32_t)letter - 'a' + 10;
		else
			return false;
		*out = *out << 4 | digit;
	}
	return true;
}

/* The entry at `at`, which is not behind the end. */
static bool read_entry(const uint8_t *archive, size_t size, size_t at, struct entry *e)
{
	const uint8_t *header = archive + at;
	uint32_t name, bytes;

	if (size - at < HEADER || memcmp(header, MAGIC, MAGIC_SIZE) != 0 ||
	    !read_field(header, FIELD_MODE, &e->mode) || !read_field(header, FIELD_NAME, &name) ||
	    !read_field(header, FIELD_SIZE, &bytes))
		return false;
	at += HEADER;
	e->name = (const char *)archive + at;
	if (name == 0 || name > size - at || e->name[name - 1] != '\0')
		return false;
	e->data = PADDED(at + name);
	e->size = bytes;
	if (e->data > size || bytes > size - e->data)
		return false;
	e->next = PADDED(e->data + bytes);
	return true;
}

status_t newc_find(const uint8_t *archive, size_t size, const char *name, struct newc_file *out)
{
	struct entry e;

	for (size_t at = 0; at <= size; at = e.next) {
		if (!read_entry(archive, size, at, &e))
			return ST_CORRUPT;
		if (strcmp(e.name, TRAILER) == 0)
			return ST_BAD_ARG;
		if ((e.mode & MODE_TYPE) == MODE_REGULAR && strcmp(e.name, name) == 0) {
			*out = (struct newc_file){ e.data, e.size };
			return ST_OK;
		}
	}
	return ST_CORRUPT;
}

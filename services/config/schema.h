/* SPDX-License-Identifier: MIT */
/* services/config/schema.h - the fields that the configuration has.
 *
 * docs/book/configuration.md describes them for who writes one.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
	FIELD_TEXT,
	FIELD_NUMBER,  /* whole, kept as decimal text */
	FIELD_BOOL,    /* kept as "true" or "false" */
	FIELD_LIST,    /* of texts */
	FIELD_OBJECT,  /* of `field` */
	FIELD_OBJECTS, /* a list of such */
};

struct field {
	const char *name;
	enum field_kind kind;
	bool secret;
	bool needed;                                  /* without it its object is left out */
	bool (*check)(const char *text, size_t size); /* of each text */
	const char *expects;                          /* what `check` looks for, for people */
	uint64_t least, most;                         /* bytes of a text; value of a number */
	uint32_t count;                               /* elements at most */
	const char *fallback;                         /* NULL: it has no value then */
	const char *option; /* boot option that gives it; commas part the texts of a list */
	const struct field *field;
	size_t fields;
};

/* The whole: an object. */
extern const struct field schema;

/* The field of that name, `size` bytes long, in an object; NULL: there is none. */
const struct field *field_find(const struct field *object, const char *name, size_t size);

/* What one path leads to, without its indices: "registries[3].name". NULL: nothing. */
const struct field *schema_find(const char *path);

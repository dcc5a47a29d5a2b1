/* SPDX-License-Identifier: MIT */
/* services/config/document.h - the configuration, as a list of texts.
 *
 * Each value has a path, such as "network.dns" or "registries[1].name", and an index among the
 * values of the same path. An element of a list of objects is there as a value too, empty, under
 * the list's path.
 *
 * Life    filled by config_merge (config.h), then only read.
 * Owns    copies of all texts; bounded by DOCUMENT_VALUES and DOCUMENT_BYTES.
 */
#pragma once
#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))

#define DOCUMENT_PATH   48 /* bytes, with the zero byte at its end */
#define DOCUMENT_VALUES 1024
#define DOCUMENT_BYTES  (256u * 1024)

struct document_value {
	char path[DOCUMENT_PATH];
	uint32_t index;
	uint32_t size; /* of `text`, without the zero byte behind it */
	bool secret;
	char *text;
};

struct document {
	struct document_value *value;
	size_t count, room, bytes;
};

/* An empty one. */
void document_init(struct document *d);

/* Gives back all that it owns. */
void document_destroy(struct document *d);

/* Adds a copy of a text, behind those of the same path. ST_NO_MEMORY: there is none, or a bound is
 * reached; ST_TOO_BIG: the path is too long. */
status_t document_add(struct document *d, const char *path, const char *text, size_t size,
		      bool secret) MUST_CHECK;

/* Takes out all values of a path, and of those below it: "a" has "a.b" and "a[0].c" below it. */
void document_remove(struct document *d, const char *path);

/* Takes out the last value of this very path, if there is one. */
void document_remove_last(struct document *d, const char *path);

/* The value of this path and index; NULL: there is none. */
const struct document_value *document_find(const struct document *d, const char *path,
					   uint32_t index);

/* How many values this path has. */
uint32_t document_count(const struct document *d, const char *path);

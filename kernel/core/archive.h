/* SPDX-License-Identifier: MIT */
/* kernel/core/archive.h - the boot archive: cpio in the "newc" form, read in
 * place. The format is the one that cpio(5) describes: a 110-byte header of
 * ASCII hex fields, name, data, each padded to four bytes, until "TRAILER!!!".
 * The archive comes from outside: every field is checked against the end.
 */
#pragma once
#include <core/types.h>

struct archive_file {
	const char *name;    /* ends with a zero byte inside the archive */
	const uint8_t *data; /* page-aligned only if the image builder padded it */
	size_t size;
	uint32_t mode;
};

/* Steps to the next entry, of whatever type (`mode`, as in stat(2)). `*offset` starts as 0. Returns
 * ST_OK with *out filled, ST_WOULD_BLOCK at the trailer, ST_CORRUPT for anything else; *out and
 * *offset change only with ST_OK. What follows the trailer is not looked at. */
MUST_CHECK status_t archive_next(const uint8_t *base, size_t size, size_t *offset,
				 struct archive_file *out);

/* Finds the regular file `name`; ST_BAD_ARG if it is not there, ST_CORRUPT if
 * the archive is found malformed on the way. */
MUST_CHECK status_t archive_find(const uint8_t *base, size_t size, const char *name,
				 struct archive_file *out);

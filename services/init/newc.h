/* SPDX-License-Identifier: MIT */
/* services/init/newc.h - files of the boot archive: cpio in the "newc" form (cpio(5)), in place.
 *
 * The archive is the image's own; still no field is believed before it was compared with the end.
 */
#pragma once
#include <abi/status.h>
#include <stddef.h>
#include <stdint.h>

struct newc_file {
	size_t offset; /* of its content in the archive */
	size_t size;
};

/* Finds the regular file `name`. ST_BAD_ARG: there is none; ST_CORRUPT: the archive is malformed
 * before it. */
status_t newc_find(const uint8_t *archive, size_t size, const char *name, struct newc_file *out)
	__attribute__((warn_unused_result));

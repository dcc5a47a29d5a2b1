/* SPDX-License-Identifier: MIT */
/* services/init/pie.h - a native program as its file describes it.
 *
 * A program is linked statically, to address 0, and relocates itself (System V ABI, ELF-64). The
 * file is part of the image; a wrong one is refused with a reason, and whatever it says, nothing
 * outside of it is read.
 */
#pragma once
#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIE_SEGMENTS  8
#define PIE_PAGES_MAX (1u << 18) /* 1 GiB */

/* Whole pages; no two segments share one. */
struct pie_segment {
	uint64_t va; /* of its first page, from the program's base on */
	uint64_t pages;
	unsigned access; /* MAP_READ ... */
	uint64_t skip;   /* bytes of the first page before the content */
	uint64_t from;   /* where the content lies in the file */
	uint64_t size;   /* of the content; all else is zero */
};

struct pie_symbols {
	uint64_t table, count; /* where in the file; 0: there are none */
	uint64_t names, names_size;
};

struct pie {
	const uint8_t *file;
	size_t size;
	uint64_t entry;
	uint64_t pages; /* from the base to the end of the last segment */
	unsigned count;
	struct pie_segment segment[PIE_SEGMENTS]; /* by address */
	struct pie_symbols symbols;
};

/* Reads a file, which has to stay, for the machine that ELF numbers so. ST_CORRUPT: it can't be
 * started, and *why says why not. */
status_t pie_read(const uint8_t *file, size_t size, unsigned machine, struct pie *out,
		  const char **why) __attribute__((warn_unused_result));

/* The name of the function that the address (from the base on) lies in, and where in it. NULL:
 * it is in none that the file names. */
const char *pie_symbol(const struct pie *p, uint64_t address, uint64_t *offset);

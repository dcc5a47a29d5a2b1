/* SPDX-License-Identifier: MIT */
/* kernel/core/elf.h - the first program, as its ELF file describes it.
 *
 * Only what the kernel itself must start is read: a statically linked program for this
 * machine (System V ABI, ELF-64 object file format), whose parts each have pages and rights of
 * their own. The file comes from outside, so each field is checked before it is used.
 */
#pragma once
#include <core/types.h>

#define ELF_SEGMENTS 8

/* Whole pages of the program. */
struct elf_segment {
	vaddr_t va; /* of its first page */
	uint64_t pages;
	unsigned access;     /* MAP_READ, ... */
	size_t offset;       /* in the first page, where its content begins */
	const uint8_t *data; /* in the file */
	size_t size;         /* of the content; all else is zero */
};

struct elf_image {
	vaddr_t entry;
	unsigned count;
	struct elf_segment segment[ELF_SEGMENTS]; /* by address; none touch the same page */
};

/* The addresses that a program may have. */
struct elf_limits {
	uint16_t machine; /* as ELF numbers them */
	vaddr_t low, high;
};

/* Reads the file. ST_CORRUPT: it can't be started, and *why says why not, in one sentence. */
status_t elf_read(const uint8_t *file, size_t size, const struct elf_limits *limits,
		  struct elf_image *out, const char **why) MUST_CHECK;

/* SPDX-License-Identifier: MIT */
/* kernel/core/elf.h - the first program, as its ELF file describes it.
 *
 * Only what the kernel itself must start is read: a statically linked program for this
 * machine that can lie anywhere (ET_DYN; System V ABI, ELF-64 object file format), whose parts each
 * have pages and rights of their own. It is moved to where the caller says, and relocates itself.
 * The file is as much to be trusted as the kernel, beside which it comes, but each field is checked
 * before it is used.
 */
#pragma once
#include <core/types.h>

#define ELF_SEGMENTS 8
#define ELF_END      (1ull << 45) /* programs end below */

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
	vaddr_t entry; /* in a segment that can be executed */
	unsigned count;
	struct elf_segment segment[ELF_SEGMENTS]; /* by address; none touch the same page */
};

/* Reads the file; `base`, a whole page below ELF_END, is where the program has its address 0.
 * False: it is nothing that can be started so, and *out is of no use. */
bool elf_read(const uint8_t *file, size_t size, vaddr_t base, struct elf_image *out) MUST_CHECK;

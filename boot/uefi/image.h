/* SPDX-License-Identifier: MIT */
/* boot/uefi/image.h - the kernel's ELF file: where its parts go. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define IMAGE_ALIGN    0x200000u  /* boot.S maps it with 2 MiB pages, */
#define IMAGE_SIZE_MAX 0x2000000u /* 32 MiB of them */

/* Offsets are from the image's first byte. */
struct image {
	const uint8_t *file;
	size_t file_size;
	uint64_t base;  /* virtual address of the first byte */
	uint64_t size;  /* bytes in memory, .bss included, whole pages */
	uint64_t entry; /* offset of the first instruction */
};

/* Checks every field that image_place will use and fills *out. NULL, or what
 * is wrong with the file; *out is then untouched. */
const char *image_parse(const uint8_t *file, size_t size, struct image *out);

/* Puts the image into `to`, which has image->size bytes. */
void image_place(const struct image *image, uint8_t *to);

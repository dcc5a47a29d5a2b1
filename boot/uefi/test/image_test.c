/* SPDX-License-Identifier: MIT */
#include "../image.h"
#include <test/test.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A small kernel: text, rodata, data with .bss, and a note, which is no part of
 * the image. Numbers are places in the file, from the ELF specification. */
#define VIRTUAL   0xffffffff80000000ull
#define FILE_SIZE 0x400
#define E_MAGIC   0
#define E_CLASS   4
#define E_DATA    5
#define E_TYPE    16
#define E_MACHINE 18
#define E_ENTRY   24
#define E_PHOFF   32
#define E_PHSIZE  54
#define E_PHCOUNT 56
#define P_TYPE    0
#define P_FLAGS   4
#define P_OFFSET  8
#define P_VIRTUAL 16
#define P_FILE    32
#define P_MEMORY  40
#define P_SIZE    56

struct file {
	_Alignas(8) uint8_t bytes[FILE_SIZE];
};

static void put(struct file *f, size_t at, uint64_t value, size_t size)
{
	memcpy(f->bytes + at, &value, size);
}

/* Place of a field of program header `n`. */
static size_t program(unsigned n, size_t field)
{
	return 64 + P_SIZE * n + field;
}

static void put_program(struct file *f, unsigned n, uint32_t flags, uint64_t offset,
			uint64_t virtual)
{
	put(f, program(n, P_TYPE), 1, 4);
	put(f, program(n, P_FLAGS), flags, 4);
	put(f, program(n, P_OFFSET), offset, 8);
	put(f, program(n, P_VIRTUAL), virtual, 8);
	put(f, program(n, P_FILE), 0x40, 8);
	put(f, program(n, P_MEMORY), 0x40, 8);
}

static struct file good(void)
{
	struct file f = { .bytes = { 0x7f, 'E', 'L', 'F', 2, 1, 1 } };

	put(&f, E_TYPE, 2, 2);
	put(&f, E_MACHINE, 62, 2);
	put(&f, E_ENTRY, VIRTUAL + 0x10, 8);
	put(&f, E_PHOFF, 64, 8);
	put(&f, E_PHSIZE, P_SIZE, 2);
	put(&f, E_PHCOUNT, 4, 2);
	put_program(&f, 0, 5, 0x200, VIRTUAL);
	put_program(&f, 1, 4, 0x280, VIRTUAL + 0x1000);
	put_program(&f, 2, 6, 0x300, VIRTUAL + 0x2000);
	put(&f, program(2, P_MEMORY), 0x1001, 8);
	put_program(&f, 3, 4, 0x280, VIRTUAL + 0x1000);
	put(&f, program(3, P_TYPE), 4, 4);
	for (size_t i = 0x200; i < FILE_SIZE; i++)
		f.bytes[i] = (uint8_t)(i >> 4 | 1);
	return f;
}

/* Parses a copy that ends where its memory ends. */
static const char *parse(const struct file *f, size_t size, struct image *out)
{
	uint8_t *exact = malloc(size + (size == 0));

	memcpy(exact, f->bytes, size);
	const char *why = image_parse(exact, size, out);
	free(exact);
	return why;
}

/* True if the file with `value` at `at` is refused for a reason with `words`. */
static bool refused(size_t at, uint64_t value, size_t size, const char *words)
{
	struct file f = good();
	struct image image = { .size = 77 };

	put(&f, at, value, size);
	const char *why = parse(&f, FILE_SIZE, &image);
	return why != NULL && strstr(why, words) != NULL && image.size == 77;
}

TEST(uefi_image_is_parsed_and_placed)
{
	struct file f = good();
	struct image image;

	CHECK(image_parse(f.bytes, FILE_SIZE, &image) == NULL);
	CHECK(image.base == VIRTUAL && image.entry == 0x10 && image.size == 0x4000);

	uint8_t *to = malloc(image.size);
	memset(to, 0xee, image.size);
	image_place(&image, to);
	bool same = memcmp(to, f.bytes + 0x200, 0x40) == 0 &&
		    memcmp(to + 0x1000, f.bytes + 0x280, 0x40) == 0 &&
		    memcmp(to + 0x2000, f.bytes + 0x300, 0x40) == 0;
	unsigned others = 0;
	for (size_t i = 0; i < image.size; i++)
		others += to[i] != 0;
	free(to);
	CHECK(same && others == 3 * 0x40);
}

TEST(uefi_image_header_is_checked)
{
	CHECK(refused(E_MAGIC, 0x464c457e, 4, "no ELF file"));
	CHECK(refused(E_CLASS, 1, 1, "no executable for this machine"));
	CHECK(refused(E_DATA, 2, 1, "no executable for this machine"));
	CHECK(refused(E_TYPE, 3, 2, "no executable for this machine"));
	CHECK(refused(E_MACHINE, 183, 2, "no executable for this machine"));
	CHECK(refused(E_PHSIZE, P_SIZE - 1, 2, "program headers are malformed"));
	CHECK(refused(E_PHOFF, 65, 8, "program headers are malformed"));
	CHECK(refused(E_PHOFF, FILE_SIZE + 8, 8, "program headers are malformed"));
	CHECK(refused(E_PHOFF, UINT64_MAX - 7, 8, "program headers are malformed"));
	CHECK(refused(E_PHCOUNT, (FILE_SIZE - 64) / P_SIZE + 1, 2, "headers are malformed"));
	CHECK(refused(E_PHCOUNT, 0, 2, "entry point"));
}

TEST(uefi_image_segments_are_checked)
{
	CHECK(refused(program(2, P_OFFSET), FILE_SIZE - 0x3f, 8, "outside its file"));
	CHECK(refused(program(2, P_OFFSET), FILE_SIZE + 1, 8, "outside its file"));
	CHECK(refused(program(2, P_OFFSET), UINT64_MAX - 0x20, 8, "outside its file"));
	CHECK(refused(program(2, P_FILE), UINT64_MAX, 8, "outside its file"));
	CHECK(refused(program(2, P_MEMORY), 0x3f, 8, "outside its file"));
	CHECK(refused(program(1, P_VIRTUAL), VIRTUAL + 0x3f, 8, "overlap"));
	CHECK(refused(program(1, P_VIRTUAL), VIRTUAL - 0x1000, 8, "overlap"));
	CHECK(refused(program(2, P_VIRTUAL), VIRTUAL + 0x1000, 8, "overlap"));
	CHECK(refused(program(2, P_VIRTUAL), VIRTUAL + IMAGE_SIZE_MAX + 1, 8, "too large"));
	CHECK(refused(program(2, P_MEMORY), IMAGE_SIZE_MAX - 0x2000 + 1, 8, "too large"));
	CHECK(refused(program(2, P_MEMORY), UINT64_MAX, 8, "too large"));
}

TEST(uefi_image_may_be_as_large_as_the_limit)
{
	struct file f = good();
	struct image image;

	put(&f, program(2, P_MEMORY), IMAGE_SIZE_MAX - 0x2000, 8);
	CHECK(image_parse(f.bytes, FILE_SIZE, &image) == NULL && image.size == IMAGE_SIZE_MAX);
}

TEST(uefi_image_entry_is_in_code)
{
	CHECK(refused(E_ENTRY, VIRTUAL + 0x40, 8, "entry point"));   /* behind the text */
	CHECK(refused(E_ENTRY, VIRTUAL + 0x1000, 8, "entry point")); /* in rodata */
	CHECK(refused(E_ENTRY, VIRTUAL - 1, 8, "entry point"));
	CHECK(refused(E_ENTRY, 0, 8, "entry point"));
	CHECK(refused(program(0, P_FLAGS), 4, 4, "entry point"));
}

TEST(uefi_image_truncated_at_every_byte)
{
	struct file f = good();
	struct image image;

	for (size_t size = 0; size < 0x340; size++)
		CHECK(parse(&f, size, &image) != NULL);
	CHECK(parse(&f, 0x340, &image) == NULL);
}

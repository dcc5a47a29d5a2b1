/* SPDX-License-Identifier: MIT */
#include <core/elf.h>
#include <core/aspace.h>
#include <core/frame.h>
#include "chance.h"
#include <string.h>
#include <test/test.h>

#define MACHINE 62
#define BASE    0x400000ull

/* As the format has them (System V ABI, ELF-64). */
struct file {
	struct {
		uint32_t magic;
		uint8_t class, data, version, pad[9];
		uint16_t type, machine;
		uint32_t object_version;
		uint64_t entry, program_headers, section_headers;
		uint32_t flags;
		uint16_t size, header_size, header_count;
		uint16_t section_size, section_count, section_names;
	} head;
	struct {
		uint32_t type, flags;
		uint64_t offset, va, pa, file_size, memory_size, align;
	} part[4];
	uint8_t content[4096];
};

static const struct elf_limits limits = { MACHINE, 0x10000, 0x7f8000000000 };

static struct file good(void)
{
	struct file f = {
		.head = { 0x464c457f, 2, 1, 1, { 0 }, 2, MACHINE, 1, BASE + 0x10,
			  offsetof(struct file, part), 0, 0, 64, 56, 4, 0, 0, 0 },
		.part = {
			{ 1, 5, offsetof(struct file, content), BASE, 0, 100, 100, 4096 },
			{ 1, 4, offsetof(struct file, content) + 100, BASE + 0x1800, 0, 50, 50, 4096 },
			{ 1, 6, offsetof(struct file, content), BASE + 0x3008, 0, 16, 0x5000, 4096 },
			{ 0x6474e551, 6, 0, 0, 0, 0, 0, 16 },
		},
	};

	return f;
}

static status_t read_file(const struct file *f, struct elf_image *out, const char **why)
{
	return elf_read((const uint8_t *)f, sizeof(*f), &limits, out, why);
}

TEST(elf_program_is_read)
{
	struct file f = good();
	struct elf_image image;
	const char *why;

	CHECK(read_file(&f, &image, &why) == ST_OK);
	CHECK(image.entry == BASE + 0x10 && image.count == 3);
	const struct elf_segment *s = image.segment;
	CHECK(s[0].va == BASE && s[0].pages == 1 && s[0].access == (MAP_READ | MAP_EXEC));
	CHECK(s[0].data == f.content && s[0].size == 100 && s[0].offset == 0);
	CHECK(s[1].va == BASE + 0x1000 && s[1].offset == 0x800 && s[1].access == MAP_READ);
	CHECK(s[1].data == f.content + 100 && s[1].size == 50);
	CHECK(s[2].va == BASE + 0x3000 && s[2].offset == 8 && s[2].pages == 6);
	CHECK(s[2].access == (MAP_READ | MAP_WRITE));
}

/* Sets one field of a good file, and expects the refusal. */
#define REFUSED(field, value, reason)                                                              \
	do {                                                                                       \
		struct file f = good();                                                            \
		struct elf_image image = { .count = 99 };                                          \
		const char *why = NULL;                                                            \
		f.field = (typeof(f.field))(value);                                                \
		CHECK(read_file(&f, &image, &why) == ST_CORRUPT);                                  \
		CHECK(why != NULL && strstr(why, reason) != NULL);                                 \
		CHECK(image.count == 99);                                                          \
	} while (0)

TEST(elf_that_is_none_of_ours_is_refused)
{
	REFUSED(head.magic, 0x464c457e, "no 64-bit ELF");
	REFUSED(head.class, 1, "no 64-bit ELF");
	REFUSED(head.data, 2, "no 64-bit ELF");
	REFUSED(head.version, 0, "no 64-bit ELF");
	REFUSED(head.machine, 183, "another machine");
	REFUSED(head.type, 3, "fixed addresses");
	REFUSED(part[3].type, 2, "statically");
	REFUSED(part[3].type, 3, "statically");
}

TEST(elf_headers_outside_of_the_file_are_refused)
{
	REFUSED(head.header_size, 64, "headers");
	REFUSED(head.header_count, 0, "headers");
	REFUSED(head.header_count, 33, "headers");
	REFUSED(head.program_headers, sizeof(struct file) - 100, "headers are not in the file");
	REFUSED(head.program_headers, UINT64_MAX - 10, "headers are not in the file");
	REFUSED(part[0].offset, sizeof(struct file) - 99, "not in the file");
	REFUSED(part[0].offset, UINT64_MAX - 10, "not in the file");
	REFUSED(part[0].file_size, UINT64_MAX, "not in the file");
}

TEST(elf_segments_that_are_wrong_are_refused)
{
	REFUSED(part[0].flags, 7, "writable and executable");
	REFUSED(part[3].flags, 7, "executable stack");
	REFUSED(part[0].flags, 1, "can't be read");
	REFUSED(part[1].file_size, 51, "longer than the segment");
	REFUSED(part[0].va, 0xf000, "outside of the addresses");
	REFUSED(part[2].va, limits.high - 0x4fff, "outside of the addresses");
	REFUSED(part[2].va, UINT64_MAX - 0x1000, "outside of the addresses");
	REFUSED(part[2].memory_size, UINT64_MAX, "outside of the addresses");
	REFUSED(part[1].va, BASE + 0x800, "overlap");
	REFUSED(part[1].va, BASE - 0x1000, "overlap");
	REFUSED(part[0].memory_size, 0x1001, "overlap");
}

TEST(elf_entry_must_be_code_of_the_file)
{
	REFUSED(head.entry, 0, "begin in code");
	REFUSED(head.entry, BASE + 100, "begin in code");
	REFUSED(head.entry, BASE + 0x1800, "begin in code");
	REFUSED(head.entry, BASE + 0x3008, "begin in code");
}

TEST(elf_cut_anywhere_is_refused)
{
	struct file f = good();
	struct elf_image image;
	const char *why;

	for (size_t size = 0; size < offsetof(struct file, content) + 150; size++)
		CHECK(elf_read((const uint8_t *)&f, size, &limits, &image, &why) == ST_CORRUPT);
}

/* Whatever is in the file, what is read from it lies in it, and within the limits. */
TEST(elf_of_chance_stays_within_bounds)
{
	struct chance chance = { test_seed() };
	unsigned accepted = 0;

	for (uint64_t n = 0; n < test_rounds(20000); n++) {
		struct file f = good();
		struct elf_image image;
		const char *why;
		for (unsigned i = 0; i < 1 + chance_below(&chance, 3); i++)
			((uint8_t *)&f)[chance_below(&chance, offsetof(struct file, content))] =
				(uint8_t)chance_below(&chance, 256);
		if (read_file(&f, &image, &why) != ST_OK)
			continue;
		accepted++;
		for (unsigned i = 0; i < image.count; i++) {
			const struct elf_segment *s = &image.segment[i];
			CHECK(s->data >= (uint8_t *)&f && s->data + s->size <= (uint8_t *)(&f + 1));
			CHECK(s->va >= limits.low && s->va + s->pages * FRAME_SIZE <= limits.high);
			CHECK(s->offset + s->size <= s->pages * FRAME_SIZE);
			CHECK(!((s->access & MAP_WRITE) && (s->access & MAP_EXEC)));
		}
	}
	CHECK(accepted > 100);
}

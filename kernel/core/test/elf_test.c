/* SPDX-License-Identifier: MIT */
#include <core/elf.h>
#include <core/aspace.h>
#include <core/frame.h>
#include <core/root.h>
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

static struct file good(void)
{
	struct file f = {
		.head = { 0x464c457f, 2, 1, 1, { 0 }, 3, MACHINE, 1, BASE + 0x10,
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

#define MOVED (1ull << 43)

static bool read_file(const struct file *f, struct elf_image *out)
{
	return elf_read((const uint8_t *)f, sizeof(*f), MOVED, out);
}

static void check_image(const struct file *f, vaddr_t base)
{
	struct elf_image image;

	CHECK(read_file(f, &image));
	CHECK(image.entry == base + 0x10 && image.count == 3);
	const struct elf_segment *s = image.segment;
	CHECK(s[0].va == base && s[0].pages == 1 && s[0].access == (MAP_READ | MAP_EXEC));
	CHECK(s[0].data == f->content && s[0].size == 100 && s[0].offset == 0);
	CHECK(s[1].va == base + 0x1000 && s[1].offset == 0x800 && s[1].access == MAP_READ);
	CHECK(s[1].data == f->content + 100 && s[1].size == 50);
	CHECK(s[2].va == base + 0x3000 && s[2].offset == 8 && s[2].pages == 6);
	CHECK(s[2].access == (MAP_READ | MAP_WRITE));
}

TEST(elf_program_lies_at_the_base)
{
	struct file f = good();

	check_image(&f, MOVED + BASE);
	f.head.entry -= BASE;
	for (unsigned i = 0; i < 3; i++)
		f.part[i].va -= BASE;
	check_image(&f, MOVED);
}

/* Sets one field of a good file, and expects the refusal. */
#define REFUSED(field, value)                                                                      \
	do {                                                                                       \
		struct file f = good();                                                            \
		struct elf_image image;                                                            \
		CHECK(read_file(&f, &image));                                                      \
		f.field = (typeof(f.field))(value);                                                \
		CHECK(!read_file(&f, &image));                                                     \
	} while (0)

TEST(elf_that_is_none_of_ours_is_refused)
{
	REFUSED(head.magic, 0x464c457e);
	REFUSED(head.class, 1);
	REFUSED(head.data, 2);
	REFUSED(head.version, 0);
	REFUSED(head.machine, 183);
	REFUSED(head.type, 1);
	REFUSED(head.type, 2);
	REFUSED(head.type, 4);
	REFUSED(part[3].type, 3);
}

TEST(elf_headers_outside_of_the_file_are_refused)
{
	REFUSED(head.header_size, 64);
	REFUSED(head.header_count, 0);
	REFUSED(head.header_count, UINT16_MAX);
	REFUSED(head.program_headers, sizeof(struct file) - 100);
	REFUSED(head.program_headers, UINT64_MAX - 10);
	REFUSED(part[0].offset, sizeof(struct file) - 99);
	REFUSED(part[0].offset, UINT64_MAX - 10);
	REFUSED(part[0].file_size, UINT64_MAX);
}

TEST(elf_segments_that_are_wrong_are_refused)
{
	REFUSED(part[0].flags, 7);
	REFUSED(part[0].flags, 1);
	REFUSED(part[1].file_size, 51);
	REFUSED(part[2].va, ELF_END - 0x4fff);
	REFUSED(part[2].va, UINT64_MAX - 0x1000);
	REFUSED(part[2].memory_size, UINT64_MAX);
	REFUSED(part[1].va, BASE + 0x800);
	REFUSED(part[1].va, BASE - 0x1000);
	REFUSED(part[0].memory_size, 0x1001);
}

TEST(elf_addresses_are_those_of_programs)
{
	struct file f = good();
	struct elf_image image;

	f.part[2].va = ELF_END - MOVED - 0x5000;
	CHECK(read_file(&f, &image) && image.segment[2].va == ELF_END - 0x5000);
	CHECK(image.segment[2].pages == 5);
	f.part[2].va += 0x1000;
	CHECK(!read_file(&f, &image));
	f.part[2].va = ELF_END - 0x5000;
	CHECK(!read_file(&f, &image));
}

static bool read_segments(unsigned count, struct elf_image *out)
{
	struct {
		struct file f;
		typeof(((struct file *)0)->part[0]) more[ELF_SEGMENTS + 1];
	} big = { .f = good() };

	big.f.head.program_headers = offsetof(typeof(big), more);
	big.f.head.header_count = (uint16_t)count;
	for (unsigned i = 0; i < count; i++) {
		big.more[i] = big.f.part[0];
		big.more[i].va += i * FRAME_SIZE;
	}
	return elf_read((const uint8_t *)&big, sizeof(big), MOVED, out);
}

TEST(elf_segments_are_so_many_at_most)
{
	struct elf_image image;

	CHECK(read_segments(ELF_SEGMENTS, &image) && image.count == ELF_SEGMENTS);
	CHECK(!read_segments(ELF_SEGMENTS + 1, &image));
}

/* A linker writes one for what is empty, too. */
TEST(elf_empty_segment_is_none)
{
	struct file f = good();
	struct elf_image image;

	f.part[2].file_size = f.part[2].memory_size = 0;
	CHECK(read_file(&f, &image) && image.count == 2);
}

TEST(elf_entry_must_be_code_of_the_file)
{
	REFUSED(head.entry, 0);
	REFUSED(head.entry, BASE - 1);
	REFUSED(head.entry, BASE + 100);
	REFUSED(head.entry, BASE + 0x1800);
	REFUSED(head.entry, BASE + 0x3008);
}

TEST(elf_cut_anywhere_is_refused)
{
	struct file f = good();
	struct elf_image image;

	for (size_t size = 0; size < offsetof(struct file, content) + 150; size++)
		CHECK(!elf_read((const uint8_t *)&f, size, MOVED, &image));
}

/* Whatever is in the file, what is read from it lies in it, and within the bounds. */
TEST(elf_of_chance_stays_within_bounds)
{
	struct chance chance = { test_seed() };
	unsigned accepted = 0;

	for (uint64_t n = 0; n < test_rounds(20000); n++) {
		struct file f = good();
		struct elf_image image;
		for (unsigned i = 0; i < 1 + chance_below(&chance, 3); i++)
			((uint8_t *)&f)[chance_below(&chance, offsetof(struct file, content))] =
				(uint8_t)chance_below(&chance, 256);
		if (!read_file(&f, &image))
			continue;
		accepted++;
		for (unsigned i = 0; i < image.count; i++) {
			const struct elf_segment *s = &image.segment[i];
			CHECK(s->data >= (uint8_t *)&f && s->data + s->size <= (uint8_t *)(&f + 1));
			CHECK(s->va >= MOVED && s->va + s->pages * FRAME_SIZE <= ELF_END);
			CHECK(s->offset + s->size <= s->pages * FRAME_SIZE);
			CHECK(!((s->access & MAP_WRITE) && (s->access & MAP_EXEC)));
		}
	}
	CHECK(accepted > 100);
}

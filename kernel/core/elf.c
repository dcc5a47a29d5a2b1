/* SPDX-License-Identifier: MIT */
#include <core/elf.h>
#include <core/aspace.h>

#define ELF_MAGIC      0x00010102464c457full /* 0x7f "ELF", 64 bits, little-endian, version 1 */
#define ELF_MOVABLE    3                     /* addresses count from where it is put */
#define SEGMENT_LOAD   1u
#define SEGMENT_INTERP 3u /* a dynamic linker is to load it */
#define SEGMENT_EXEC   1u
#define SEGMENT_WRITE  2u
#define SEGMENT_READ   4u

struct elf_header {
	uint64_t magic, abi;
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, program_headers, section_headers;
	uint32_t flags;
	uint16_t size, program_header_size, program_header_count;
	uint16_t section_header_size, section_header_count, section_names;
};

struct elf_program_header {
	uint32_t type, flags;
	uint64_t offset, va, pa, file_size, memory_size, align;
};

_Static_assert(sizeof(struct elf_header) == 64, "as in the format");
_Static_assert(sizeof(struct elf_program_header) == 56, "as in the format");

/* True if `count` things of `each` bytes, from `at` on, lie before `end`. */
static bool fits(uint64_t at, uint64_t count, uint64_t each, uint64_t end)
{
	return at <= end && count <= (end - at) / each;
}

/* Pages that nothing before it touches, and not to be written and executed both. */
static bool add_load(struct elf_image *out, const struct elf_program_header *p, vaddr_t base,
		     const uint8_t *file)
{
	struct elf_segment *s = &out->segment[out->count];
	vaddr_t begin = out->count == 0 ? base : s[-1].va + s[-1].pages * FRAME_SIZE;
	unsigned both = SEGMENT_WRITE | SEGMENT_EXEC;

	if (out->count++ == ELF_SEGMENTS || p->file_size > p->memory_size ||
	    !fits(p->va, p->memory_size, 1, ELF_END - base) || !(p->flags & SEGMENT_READ) ||
	    (p->flags & both) == both)
		return false;
	s->va = ALIGN_DOWN(base + p->va, FRAME_SIZE);
	s->pages = ALIGN_UP(base + p->va + p->memory_size - s->va, FRAME_SIZE) / FRAME_SIZE;
	s->access = MAP_READ | (p->flags & SEGMENT_WRITE ? MAP_WRITE : 0) |
		    (p->flags & SEGMENT_EXEC ? MAP_EXEC : 0);
	s->offset = p->va % FRAME_SIZE;
	s->data = file + p->offset;
	s->size = p->file_size;
	return s->va >= begin;
}

/* It begins in code that is in the file. */
static bool has_entry(const struct elf_image *image)
{
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *s = &image->segment[i];

		if ((s->access & MAP_EXEC) && image->entry - s->va - s->offset < s->size)
			return true;
	}
	return false;
}

bool elf_read(const uint8_t *file, size_t size, vaddr_t base, struct elf_image *out)
{
	struct elf_program_header p;
	struct elf_header h;

	if (size < sizeof(h))
		return false;
	__builtin_memcpy(&h, file, sizeof(h));
	if (h.magic != ELF_MAGIC || h.machine != ARCH_ELF_MACHINE || h.type != ELF_MOVABLE ||
	    h.program_header_size != sizeof(p) ||
	    !fits(h.program_headers, h.program_header_count, sizeof(p), size))
		return false;
	*out = (struct elf_image){ .entry = base + h.entry };
	for (unsigned i = 0; i < h.program_header_count; i++) {
		__builtin_memcpy(&p, file + h.program_headers + i * sizeof(p), sizeof(p));
		if (p.type == SEGMENT_INTERP || !fits(p.offset, p.file_size, 1, size))
			return false;
		if (p.type == SEGMENT_LOAD && p.memory_size > 0 && !add_load(out, &p, base, file))
			return false;
	}
	return has_entry(out);
}

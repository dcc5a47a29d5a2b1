/* SPDX-License-Identifier: MIT */
#include <core/elf.h>
#include <core/aspace.h>

#define ELF_MAGIC       0x464c457fu /* 0x7f "ELF" */
#define ELF_CLASS_64    2
#define ELF_DATA_LITTLE 1
#define ELF_VERSION     1
#define ELF_EXECUTABLE  2 /* fixed addresses */
#define SEGMENT_LOAD    1u
#define SEGMENT_DYNAMIC 2u
#define SEGMENT_INTERP  3u
#define SEGMENT_STACK   0x6474e551u /* its rights are those that the stack wants */
#define SEGMENT_EXEC    1u
#define SEGMENT_WRITE   2u
#define SEGMENT_READ    4u
#define PROGRAM_HEADERS 32 /* more than any linker makes */

struct elf_header {
	uint32_t magic;
	uint8_t class, data, version, pad[9];
	uint16_t type, machine;
	uint32_t object_version;
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

/* The file that is read. */
struct input {
	const uint8_t *file;
	size_t size;
	const struct elf_limits *limits;
};

/* Gives what is wrong, or NULL. So do all below. */
static const char *check_header(const struct elf_header *h, const struct input *in)
{
	if (h->magic != ELF_MAGIC || h->class != ELF_CLASS_64 || h->data != ELF_DATA_LITTLE ||
	    h->version != ELF_VERSION)
		return "it is no 64-bit ELF file";
	if (h->machine != in->limits->machine)
		return "it is for another machine";
	if (h->type != ELF_EXECUTABLE)
		return "it is no program with fixed addresses";
	if (h->program_header_size != sizeof(struct elf_program_header) ||
	    h->program_header_count == 0 || h->program_header_count > PROGRAM_HEADERS)
		return "its program headers are not as they should be";
	if (h->program_headers > in->size ||
	    (in->size - h->program_headers) / sizeof(struct elf_program_header) <
		    h->program_header_count)
		return "its program headers are not in the file";
	return NULL;
}

static const char *check_load(const struct elf_program_header *p, const struct input *in)
{
	const struct elf_limits *l = in->limits;

	if (p->offset > in->size || p->file_size > in->size - p->offset)
		return "a segment is not in the file";
	if (p->file_size > p->memory_size)
		return "a segment's content is longer than the segment";
	if (p->va < l->low || p->va > l->high || p->memory_size > l->high - p->va)
		return "a segment lies outside of the addresses for programs";
	if ((p->flags & SEGMENT_WRITE) && (p->flags & SEGMENT_EXEC))
		return "a segment is writable and executable";
	if (!(p->flags & SEGMENT_READ))
		return "a segment can't be read";
	return NULL;
}

static const char *add_load(struct elf_image *out, const struct elf_program_header *p,
			    const struct input *in)
{
	struct elf_segment *s = &out->segment[out->count];
	const char *wrong = check_load(p, in);

	if (wrong != NULL)
		return wrong;
	if (out->count == ELF_SEGMENTS)
		return "it has too many segments";
	*s = (struct elf_segment){
		.va = ALIGN_DOWN(p->va, FRAME_SIZE),
		.offset = p->va % FRAME_SIZE,
		.access = MAP_READ | (p->flags & SEGMENT_WRITE ? MAP_WRITE : 0) |
			  (p->flags & SEGMENT_EXEC ? MAP_EXEC : 0),
		.data = in->file + p->offset,
		.size = p->file_size,
	};
	s->pages = (ALIGN_UP(p->va + p->memory_size, FRAME_SIZE) - s->va) / FRAME_SIZE;
	if (out->count++ > 0 && s->va < s[-1].va + s[-1].pages * FRAME_SIZE)
		return "its segments overlap, share a page or are not sorted";
	return NULL;
}

static const char *add_segment(struct elf_image *out, const struct elf_program_header *p,
			       const struct input *in)
{
	switch (p->type) {
	case SEGMENT_LOAD:
		return p->memory_size == 0 ? NULL : add_load(out, p, in);
	case SEGMENT_DYNAMIC:
	case SEGMENT_INTERP:
		return "it is not statically linked";
	case SEGMENT_STACK:
		return p->flags & SEGMENT_EXEC ? "it wants an executable stack" : NULL;
	default:
		return NULL;
	}
}

static const char *check_entry(const struct elf_image *image)
{
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *s = &image->segment[i];

		if ((s->access & MAP_EXEC) && image->entry >= s->va + s->offset &&
		    image->entry - s->va - s->offset < s->size)
			return NULL;
	}
	return "it does not begin in code of its own";
}

static const char *read_image(const struct input *in, struct elf_image *out)
{
	struct elf_program_header p;
	struct elf_header h;

	if (in->size < sizeof(h))
		return "it is too short";
	__builtin_memcpy(&h, in->file, sizeof(h));
	const char *wrong = check_header(&h, in);
	for (unsigned i = 0; wrong == NULL && i < h.program_header_count; i++) {
		__builtin_memcpy(&p, in->file + h.program_headers + i * sizeof(p), sizeof(p));
		wrong = add_segment(out, &p, in);
	}
	out->entry = h.entry;
	return wrong != NULL ? wrong : check_entry(out);
}

status_t elf_read(const uint8_t *file, size_t size, const struct elf_limits *limits,
		  struct elf_image *out, const char **why)
{
	const struct input in = { file, size, limits };
	struct elf_image image = { 0 };

	*why = read_image(&in, &image);
	if (*why != NULL)
		return ST_CORRUPT;
	*out = image;
	return ST_OK;
}

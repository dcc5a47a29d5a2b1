/* SPDX-License-Identifier: MIT */
#include "image.h"
#include <stdbool.h>

/* System V ABI, "Object Files": ELF header and program header of 64-bit files;
 * the processor's number is from its supplement. */
#define ELF_MAGIC      0x464c457fu
#define ELF_CLASS_64   2
#define ELF_LITTLE     1
#define ELF_EXECUTABLE 2
#define ELF_X86_64     62
#define PROGRAM_LOAD   1u
#define PROGRAM_EXEC   1u
#define PAGE           4096u

struct elf_header {
	uint32_t magic;
	uint8_t class, data, version, abi[9];
	uint16_t type, machine;
	uint32_t version2;
	uint64_t entry, program_offset, section_offset;
	uint32_t flags;
	uint16_t size, program_size, program_count;
	uint16_t section_size, section_count, section_names;
};

struct elf_program {
	uint32_t type, flags;
	uint64_t offset, virtual, physical, file_size, memory_size, align;
};

_Static_assert(sizeof(struct elf_header) == 64, "ELF header");
_Static_assert(sizeof(struct elf_program) == 56, "ELF program header");

static const struct elf_program *programs(const uint8_t *file)
{
	const struct elf_header *h = (const void *)file;

	return (const void *)(file + h->program_offset);
}

static const char *check_header(const uint8_t *file, size_t size)
{
	const struct elf_header *h = (const void *)file;

	if (size < sizeof(*h) || h->magic != ELF_MAGIC)
		return "the kernel is no ELF file";
	if (h->class != ELF_CLASS_64 || h->data != ELF_LITTLE || h->type != ELF_EXECUTABLE ||
	    h->machine != ELF_X86_64)
		return "the kernel is no executable for this machine";
	if (h->program_size != sizeof(struct elf_program) || h->program_offset % 8 != 0 ||
	    h->program_offset > size ||
	    (size - h->program_offset) / sizeof(struct elf_program) < h->program_count)
		return "the kernel's program headers are malformed";
	return NULL;
}

/* Segments come in order and lie behind what *image has so far, which grows. */
static const char *add_segment(const struct elf_program *p, struct image *image)
{
	if (p->offset > image->file_size || p->file_size > image->file_size - p->offset ||
	    p->file_size > p->memory_size)
		return "a segment of the kernel lies outside its file";
	if (image->size == 0)
		image->base = p->virtual;
	if (p->virtual < image->base + image->size || p->virtual - image->base > IMAGE_SIZE_MAX ||
	    p->memory_size > IMAGE_SIZE_MAX - (p->virtual - image->base))
		return "the kernel's segments overlap or are too large";
	image->size = p->virtual - image->base + p->memory_size;
	return NULL;
}

const char *image_parse(const uint8_t *file, size_t size, struct image *out)
{
	struct image image = { .file = file, .file_size = size };
	const struct elf_header *h = (const void *)file;
	bool has_entry = false;

	const char *why = check_header(file, size);
	if (why != NULL)
		return why;
	for (unsigned i = 0; i < h->program_count; i++) {
		const struct elf_program *p = &programs(file)[i];

		if (p->type != PROGRAM_LOAD || p->memory_size == 0)
			continue;
		why = add_segment(p, &image);
		if (why != NULL)
			return why;
		if ((p->flags & PROGRAM_EXEC) && h->entry >= p->virtual &&
		    h->entry - p->virtual < p->file_size)
			has_entry = true;
	}
	if (!has_entry)
		return "the kernel's entry point is not in its code";
	image.entry = h->entry - image.base;
	image.size = (image.size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	*out = image;
	return NULL;
}

void image_place(const struct image *image, uint8_t *to)
{
	const struct elf_header *h = (const void *)image->file;

	for (uint64_t i = 0; i < image->size; i++)
		to[i] = 0;
	for (unsigned n = 0; n < h->program_count; n++) {
		const struct elf_program *p = &programs(image->file)[n];

		if (p->type != PROGRAM_LOAD)
			continue;
		for (uint64_t i = 0; i < p->file_size; i++)
			to[p->virtual - image->base + i] = image->file[p->offset + i];
	}
}

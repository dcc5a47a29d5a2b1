/* SPDX-License-Identifier: MIT */
#include "pie.h"
#include <abi/memory.h>
#include <elf.h>
#include <string.h>

#define HEADERS 32 /* more than any linker makes */

/* Whether `count` pieces of `each` bytes lie in the file from `offset` on. */
static bool is_inside(const struct pie *p, uint64_t offset, uint64_t count, uint64_t each)
{
	return offset <= p->size && count <= (p->size - offset) / each;
}

/* These give what is wrong, or NULL. */
static const char *check_header(const struct pie *p, const Elf64_Ehdr *h, unsigned machine)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_ident[EI_VERSION] != EV_CURRENT)
		return "it is no 64-bit ELF file";
	if (h->e_machine != machine)
		return "it is for another machine";
	if (h->e_type != ET_DYN)
		return "its position is fixed";
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > HEADERS)
		return "its program headers are not as they should be";
	if (!is_inside(p, h->e_phoff, h->e_phnum, sizeof(Elf64_Phdr)))
		return "its program headers are not in the file";
	return NULL;
}

static const char *check_load(const struct pie *p, const Elf64_Phdr *h)
{
	if (!is_inside(p, h->p_offset, h->p_filesz, 1))
		return "a segment is not in the file";
	if (h->p_filesz > h->p_memsz)
		return "a segment's content is longer than the segment";
	if (h->p_vaddr > (uint64_t)PIE_PAGES_MAX * MEMORY_PAGE ||
	    h->p_memsz > (uint64_t)PIE_PAGES_MAX * MEMORY_PAGE - h->p_vaddr)
		return "it is too large";
	if ((h->p_flags & PF_W) && (h->p_flags & PF_X))
		return "a segment is writable and executable";
	if (!(h->p_flags & PF_R))
		return "a segment can't be read";
	return NULL;
}

static const char *add_load(struct pie *p, const Elf64_Phdr *h)
{
	struct pie_segment *s = &p->segment[p->count];
	const char *wrong = check_load(p, h);

	if (wrong != NULL)
		return wrong;
	if (p->count == PIE_SEGMENTS)
		return "it has too many segments";
	*s = (struct pie_segment){
		.va = h->p_vaddr / MEMORY_PAGE * MEMORY_PAGE,
		.skip = h->p_vaddr % MEMORY_PAGE,
		.from = h->p_offset,
		.size = h->p_filesz,
		.access = MAP_READ | (h->p_flags & PF_W ? MAP_WRITE : 0) |
			  (h->p_flags & PF_X ? MAP_EXEC : 0),
	};
	uint64_t end = (h->p_vaddr + h->p_memsz + MEMORY_PAGE - 1) / MEMORY_PAGE;
	s->pages = end - s->va / MEMORY_PAGE;
	if (s->va / MEMORY_PAGE < p->pages)
		return "its segments overlap, share a page or are not sorted";
	p->pages = end;
	p->count++;
	return NULL;
}

static const char *add_segment(struct pie *p, const Elf64_Phdr *h)
{
	switch (h->p_type) {
	case PT_LOAD:
		return h->p_memsz == 0 ? NULL : add_load(p, h);
	case PT_INTERP:
		return "it is not statically linked";
	case PT_GNU_STACK:
		return h->p_flags & PF_X ? "it wants an executable stack" : NULL;
	default:
		return NULL;
	}
}

static const char *check_entry(const struct pie *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		const struct pie_segment *s = &p->segment[i];

		if ((s->access & MAP_EXEC) && p->entry >= s->va + s->skip &&
		    p->entry - s->va - s->skip < s->size)
			return NULL;
	}
	return "it does not begin in code of its own";
}

/* Without a table that is as it should be there are no symbols. */
static void find_symbols(struct pie *p, const Elf64_Ehdr *h)
{
	Elf64_Shdr table, names;

	if (h->e_shentsize != sizeof(table) || !is_inside(p, h->e_shoff, h->e_shnum, sizeof(table)))
		return;
	for (unsigned i = 0; i < h->e_shnum; i++) {
		memcpy(&table, p->file + h->e_shoff + i * sizeof(table), sizeof(table));
		if (table.sh_type != SHT_SYMTAB || table.sh_link >= h->e_shnum)
			continue;
		memcpy(&names, p->file + h->e_shoff + table.sh_link * sizeof(names), sizeof(names));
		uint64_t count = table.sh_size / sizeof(Elf64_Sym);
		if (!is_inside(p, table.sh_offset, count, sizeof(Elf64_Sym)) ||
		    !is_inside(p, names.sh_offset, names.sh_size, 1) || names.sh_size == 0 ||
		    p->file[names.sh_offset + names.sh_size - 1] != '\0')
			return;
		p->symbols = (struct pie_symbols){ table.sh_offset, count, names.sh_offset,
						   names.sh_size };
		return;
	}
}

static const char *read_all(struct pie *p, unsigned machine)
{
	Elf64_Phdr header;
	Elf64_Ehdr h;

	if (p->size < sizeof(h))
		return "it is too short";
	memcpy(&h, p->file, sizeof(h));
	const char *wrong = check_header(p, &h, machine);
	for (unsigned i = 0; wrong == NULL && i < h.e_phnum; i++) {
		memcpy(&header, p->file + h.e_phoff + i * sizeof(header), sizeof(header));
		wrong = add_segment(p, &header);
	}
	if (wrong != NULL)
		return wrong;
	p->entry = h.e_entry;
	find_symbols(p, &h);
	return check_entry(p);
}

status_t pie_read(const uint8_t *file, size_t size, unsigned machine, struct pie *out,
		  const char **why)
{
	struct pie p = { .file = file, .size = size };

	*why = read_all(&p, machine);
	if (*why != NULL)
		return ST_CORRUPT;
	*out = p;
	return ST_OK;
}

const char *pie_symbol(const struct pie *p, uint64_t address, uint64_t *offset)
{
	const struct pie_symbols *t = &p->symbols;
	const char *name = NULL;
	Elf64_Sym s;

	for (uint64_t i = 0; i < t->count; i++) {
		memcpy(&s, p->file + t->table + i * sizeof(s), sizeof(s));
		if (ELF64_ST_TYPE(s.st_info) != STT_FUNC || address < s.st_value ||
		    address - s.st_value >= s.st_size || s.st_name >= t->names_size)
			continue;
		name = (const char *)p->file + t->names + s.st_name;
		*offset = address - s.st_value;
	}
	return name;
}

/* SPDX-License-Identifier: MIT */
#include <core/symbol.h>
#include <core/format.h>

/* From tools/symbols.py: sorted by offset. An entry with an empty name ends the
 * function before it and begins none. A kernel of the first link has no entry. */
struct symbol {
	uint32_t offset; /* from kernel_start */
	uint32_t name;   /* offset in symbol_names */
};
extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;
extern const char symbol_names[];

extern const char kernel_start[]; /* the image's first byte, from the linker script */

const char *symbol_find(vaddr_t pc, size_t *offset, size_t *size)
{
	uint32_t low = 0, high = symbol_count; /* the entry is in [low, high) */
	size_t from_start = pc - (vaddr_t)kernel_start;

	if (pc < (vaddr_t)kernel_start || symbol_count == 0 || from_start < symbol_table[0].offset)
		return NULL;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (symbol_table[middle].offset <= from_start)
			low = middle;
		else
			high = middle;
	}

	const char *name = symbol_names + symbol_table[low].name;
	if (high == symbol_count || name[0] == '\0')
		return NULL;
	*offset = from_start - symbol_table[low].offset;
	*size = symbol_table[high].offset - symbol_table[low].offset;
	return name;
}

void symbol_format(vaddr_t pc, char *buf, size_t buf_size)
{
	size_t offset, size;
	const char *name = symbol_find(pc, &offset, &size);

	if (name == NULL)
		format(buf, buf_size, "0x%016lx", pc);
	else
		format(buf, buf_size, "%s+0x%zx/0x%zx", name, offset, size);
}

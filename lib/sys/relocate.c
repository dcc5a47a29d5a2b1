/* SPDX-License-Identifier: MIT */
/* A program is linked at 0. Before any code that may look at a constant pointer, it adds to
 * each of them where it really lies; then they are constants. */
#include <abi/memory.h>
#include <lib/sys/program.h>
#include <lib/sys/syscall.h>

/* As in the ELF-64 object file format. */
struct relocation {
	uint64_t offset, info, addend;
};

#pragma GCC visibility push(hidden)

/* What the linker says is to be relocated (user.ld). */
extern const struct relocation program_relocations[], program_relocations_end[];

/* The first code of a program in C, from start.S. Whatever is wrong ends in a fault. */
void program_relocate(const struct startup_own *own);

#pragma GCC visibility pop

void program_relocate(const struct startup_own *own)
{
	uint64_t base = (uint64_t)program_text;
	uint64_t pages = (uint64_t)(program_data - program_relro) / MEMORY_PAGE;

	/* mk/user.mk sees that there are none but these. */
	for (const struct relocation *r = program_relocations; r < program_relocations_end; r++)
		*(uint64_t *)(base + r->offset) = base + r->addend;
	if (SYS(aspace_protect, own->aspace, program_relro, pages, MAP_READ).status != ST_OK)
		__builtin_trap();
}

/* SPDX-License-Identifier: MIT */
#include <lib/libc/libc.h>
#include <lib/program/program.h>

const struct program_block *program_block(void)
{
	return program_block_check(libc_own);
}

cap_t program_cap(const char *name)
{
	const struct program_block *b = program_block();

	return b != NULL ? program_block_cap(b, name) : CAP_NONE;
}

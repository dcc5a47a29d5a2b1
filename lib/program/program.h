/* SPDX-License-Identifier: MIT */
/* lib/program/program.h - what a program was given by init.
 *
 * The start-up block is init's own writing, but it is looked at as anything else that comes from
 * outside. The first program has another block: for it there is nothing here.
 *
 * Linked with a program that does not supply its own are libc_exit, which tells init of the end,
 * and libc_write, which brings output to the log.
 */
#pragma once
#include <proto/program.h>
#include <stdbool.h>

/* `start` as a block of init's, if it is one: of its kind and version, with counts and texts that
 * end within it; else NULL. */
const struct program_block *program_block_check(const struct startup_own *start);

/* The capability of that name in a block that was checked; CAP_NONE: there is none. */
cap_t program_block_cap(const struct program_block *b, const char *name);

/* The `index`th argument, from 0 on, in a block that was checked; NULL: there are not as many. */
const char *program_block_argument(const struct program_block *b, unsigned index);

/* The program's own block; NULL: it has none that is good. */
const struct program_block *program_block(void);

/* The capability that the composition calls so; CAP_NONE: the program was not given it. */
cap_t program_cap(const char *name);

/* SPDX-License-Identifier: MIT */
/* lib/sys/program.h - where a native program begins. */
#pragma once
#include <abi/startup.h>

/* Supplied by each program; must not return. Its block is a struct startup or a struct
 * program_block: own->magic says which. */
__attribute__((noreturn)) void program_main(const struct startup_own *own);

#pragma GCC visibility push(hidden)

/* Where its parts begin, each on a page of its own: code, constants, constants that were
 * relocated, data; and where they end. The first program gets the memory of these in this
 * order (startup.segment), the last two in one. */
extern char program_text[], program_rodata[], program_relro[], program_data[], program_end[];

#pragma GCC visibility pop

/* SPDX-License-Identifier: MIT */
/* services/init/backtrace.h - who called whom in a program that has ended, by its frame pointers.
 *
 * What its stack holds is the program's own doing: each frame has to lie above the one before, and
 * there are at most so many.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define BACKTRACE_FRAMES 24

/* Reads a word of the stack; false: there is none at that address. */
typedef bool backtrace_read(void *stack, uint64_t address, uint64_t *word);

/* Fills `at` with the addresses in the code, the innermost first; how many there are. */
unsigned backtrace_walk(uint64_t pc, uint64_t frame, backtrace_read *read, void *stack,
			uint64_t at[BACKTRACE_FRAMES]);

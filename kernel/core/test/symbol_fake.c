/* SPDX-License-Identifier: MIT */
/* The symbols of a program that has none of its own. */
#include <core/types.h>

/* A kernel made up for the test: its text begins 0x100 behind kernel_start, has
 * a hole from 0x180 to 0x200, and ends at 0x240. */
extern const char kernel_start[], symbol_names[];
extern const uint32_t symbol_count;
struct symbol {
	uint32_t offset, name;
};
extern const struct symbol symbol_table[];

const char kernel_start[0x1000];
const char symbol_names[] = "alpha\0beta\0\0gamma";
const struct symbol symbol_table[] = {
	{ 0x100, 0 }, { 0x140, 6 }, { 0x180, 11 }, { 0x200, 12 }, { 0x240, 11 },
};
const uint32_t symbol_count = 5;

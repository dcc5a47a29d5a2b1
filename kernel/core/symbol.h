/* SPDX-License-Identifier: MIT */
/* kernel/core/symbol.h - names for addresses in backtraces.
 *
 * The table is made from the linked kernel by tools/symbols.py and linked in by
 * a second link; see mk/kernel.mk. Addresses are offsets from the kernel's
 * first byte, sorted.
 */
#pragma once
#include <core/types.h>

/* The function that contains `pc`, and the offset of `pc` in it. NULL if no
 * function of the kernel does. */
const char *symbol_find(vaddr_t pc, size_t *offset);

/* Writes "name+0x12/0x40" or the bare address to `buf`. */
void symbol_format(vaddr_t pc, char *buf, size_t size);

/* SPDX-License-Identifier: MIT */
/* kernel/core/symbol.h - names for addresses in backtraces.
 *
 * Life    constant. The table is made from the linked kernel by tools/symbols.py
 *         and linked in by a second link; see mk/kernel.mk.
 * Locks   none; usable at any time.
 */
#pragma once
#include <core/types.h>

/* The function that contains `pc`, the offset of `pc` in it, and its length. NULL, with
 * both untouched, if no function of the kernel does. */
const char *symbol_find(vaddr_t pc, size_t *offset, size_t *size);

/* Writes "name+0x12/0x40" (offset and length of the function) or the bare
 * address to `buf`. */
void symbol_format(vaddr_t pc, char *buf, size_t buf_size);

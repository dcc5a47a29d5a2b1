#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the output of nm into the kernel's table of function names.

    nm kernel.elf | symbols.py > symbols.S

The table is an assembler file for section .symbols, read by core/symbol.c:

    symbol_table   pairs of 32-bit words: offset of the function from
                   kernel_start, offset of its name in symbol_names; sorted
    symbol_count   number of pairs; the last one, with an empty name, stands
                   at text_end and so ends the last function
    symbol_names   zero-terminated strings

Without input the table is empty: what the first link of a kernel uses.
"""
import sys

# Marks of the linker script, not functions.
MARKS = {"kernel_start", "text_start", "text_end"}


def functions(lines):
    """The offsets and names of all functions, sorted, and where they end."""
    addresses, named = {}, {}
    for line in lines:
        fields = line.split()
        if len(fields) != 3:
            continue
        address, kind, name = int(fields[0], 16), fields[1], fields[2]
        if name in MARKS:
            addresses[name] = address
        elif kind in "tTwW" and not name.startswith("."):
            # Of several names at one address the global one is the better.
            if address not in named or kind in "TW":
                named[address] = name
    if not named:
        return []
    start, end = addresses["kernel_start"], addresses["text_end"]
    table = [(a - start, n) for a, n in sorted(named.items()) if start <= a < end]
    return table + [(end - start, "")]


def main():
    table = functions(sys.stdin)
    print('\t.section .symbols, "a"\n\t.balign 4\n\t.globl symbol_table\nsymbol_table:')
    at = 0
    for offset, name in table:
        print(f"\t.long {offset:#x}, {at}")
        at += len(name) + 1
    print(f"\t.globl symbol_count\nsymbol_count:\n\t.long {len(table)}")
    print("\t.globl symbol_names\nsymbol_names:")
    for _, name in table:
        print(f'\t.asciz "{name}"')


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that every function which another file can call has its contract.

A function that is not static is declared in a header, with a comment on the
line, or directly above it, or above the unbroken group of lines it stands in.
One that only assembler or the compiler calls may have all that in its own file.
One that is declared by a type of functions ("syscall_fn sys_cap_drop;") has the type's.
"""
import re
import sys

import ctext

ROOTS = ("abi", "kernel", "lib", "test")
EXEMPT = {"main"}
BY_TYPE = re.compile(r"^(?:extern )?\w+_fn (\w[\w\s,]*);", re.M)


def declarations(path):
    """Names declared in `path`, and whether each one has a comment."""
    lines = ctext.read(path).split("\n")
    bare = ctext.without_comments("\n".join(lines)).split("\n")
    is_comment = [bool(full.strip()) and full != code for full, code in zip(lines, bare)]
    for at, code in enumerate(bare):
        for name in re.findall(r"\b(\w+)\(", code):
            if path.endswith(".c") and not (code.endswith(");") and re.match(r"\w", code)):
                continue  # a call or a definition
            begin = at
            while begin >= 0 and lines[begin].strip() and not is_comment[begin]:
                begin -= 1
            yield name, begin >= 0 and is_comment[begin]


def main():
    declared, explained = set(), set()
    for path in ctext.find(*ROOTS, suffixes=(".h", ".c")):
        for names in BY_TYPE.findall(ctext.without_comments(ctext.read(path))):
            explained.update(re.findall(r"\w+", names))
        for name, has_comment in declarations(path):
            declared.add(name)
            if has_comment:
                explained.add(name)
    wrong = 0
    for path in ctext.find(*ROOTS, suffixes=(".c",)):
        for f in ctext.functions(path):
            if f.is_static or f.name in EXEMPT or f.name in ("TEST", "BENCH"):
                continue
            if f.name not in explained:
                what = "has no comment where it is declared" if f.name in declared else \
                    "is not static and declared nowhere"
                print(f"{f.path}:{f.line}: {f.name} {what}")
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

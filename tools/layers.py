#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks every #include against the table in mk/layers.txt."""
import glob
import os
import re
import sys

import ctext

INCLUDE = re.compile(r"^\s*#\s*include\s+([<\"])([^>\"]+)[>\"]", re.M)
# What a compiler brings without a C library.
FREESTANDING = {"stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdalign.h",
                "stdnoreturn.h", "limits.h"}
GENERATED = {"core/version.h": "kernel/core"}
ROOTS = ("", "kernel/")  # what the compiler is told by -I
MACHINES = ("kernel/arch/*/", "lib/sys/*/")


def read_table(path):
    """Directory or file -> the set of words that its files may include."""
    table = {}
    for line in ctext.read(path).splitlines():
        line = line.split("#")[0].strip()
        if line:
            who, what = line.split(":")
            table[who.strip()] = set(what.split())
    return table


def layer_of(path, table):
    """The table's entry for `path`: itself, or its directory."""
    return path if path in table else os.path.dirname(path)


def resolve(path, kind, name):
    """The file that an include names, or None if it is not one of ours."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    if kind == '"' and os.path.exists(beside):
        return beside
    return next((root + name for root in ROOTS if os.path.exists(root + name)), None)


def is_allowed(path, kind, name, allowed):
    if name in GENERATED:
        return GENERATED[name] in allowed
    file = resolve(path, kind, name)
    if file is not None:
        folder = os.path.dirname(file)
        return file in allowed or folder in allowed or folder == os.path.dirname(path)
    if any(glob.glob(d + name) for d in MACHINES):  # found through the machine's directory
        # Programs are not compiled with the kernel's folders; theirs is the library's header.
        return name in allowed or ("system" in allowed and not path.startswith("kernel/"))
    return "system" in allowed or ("freestanding" in allowed and name in FREESTANDING)


def main():
    table = read_table("mk/layers.txt")
    roots = [d for d in sorted(os.listdir(".")) if os.path.isdir(d) and d not in (".git", "build")]
    wrong = 0
    for path in ctext.find(*roots):
        layer = layer_of(path, table)
        if layer not in table:
            print(f"{path}: mk/layers.txt has no line for {layer}")
            wrong += 1
            continue
        # Comments go, but strings stay: an include in quotes is one.
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"),
                      ctext.read(path), flags=re.S)
        for match in INCLUDE.finditer(text):
            if not is_allowed(path, *match.groups(), table[layer]):
                at = text.count("\n", 0, match.start(1)) + 1
                print(f"{path}:{at}: {layer} may not include {match.group(2)}")
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

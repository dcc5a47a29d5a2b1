#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that every source names its licence and holds no mark of unfinished work.

    marks.py FILE ...
"""
import re
import sys

# Spelt so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
LICENCE = "SPDX-License-Identifier: MIT"
WITH_LICENCE = re.compile(r"\.(c|h|S|ld|py|sh|mk)$|(^|/)Makefile$|^\.ci/run$")
LISTS = re.compile(r"(^|/)build\.mk$")  # lists of names and nothing else
HEAD = 3  # the licence stands in one of the first lines


def main():
    wrong = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
        if WITH_LICENCE.search(path) and not LISTS.search(path):
            if not any(LICENCE in line for line in lines[:HEAD]):
                print(f"{path}:1: no line {LICENCE}")
                wrong += 1
        for at, line in enumerate(lines, 1):
            if UNFINISHED.search(line):
                print(f"{path}:{at}: a mark of unfinished work: {line.strip()}")
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks what the documents claim about the tree, as far as a machine can.

- A test named as `test: NAME` (or `test: NAME, NAME`) exists.
- A link to a file leads to one.
- A path in `backticks` that begins with a directory of ours exists; where it
  ends in / it is a directory, and a * stands for anything.
- Decisions have numbers of their own, all the parts, and a line in the index.
"""
import glob
import os
import re
import sys

TEST_IN_C = re.compile(r"^TEST\((\w+)\)", re.M)
TEST_IN_PYTHON = re.compile(r"^@case\ndef (\w+)", re.M)
NAMED = re.compile(r"`test:\s+([\w,\s]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:abi|bench|boot|docs|kernel|mk|test|tests|tools)/[\w./*-]*)`")
DECISIONS = "docs/decisions"
PARTS = ("**Choice.**", "**Why.**", "**Instead of.**", "**Again when.**")

problems = []


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def files(suffix):
    """Every file of the tree with that suffix, build output left out."""
    for folder, folders, names in os.walk("."):
        folders[:] = [d for d in folders if d not in (".git", "build")]
        for name in names:
            if name.endswith(suffix):
                yield os.path.normpath(os.path.join(folder, name))


def tests():
    """Names of all test cases."""
    found = set()
    for suffix, pattern in ((".c", TEST_IN_C), (".py", TEST_IN_PYTHON)):
        for path in files(suffix):
            found.update(pattern.findall(read(path)))
    return found


def check_document(path, known):
    text = read(path)

    def problem(match, what):
        problems.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {what}")

    for match in NAMED.finditer(text):
        for name in re.split(r"[,\s]+", match.group(1).strip(" ,\n")):
            if name not in known:
                problem(match, f"there is no test {name}")
    for match in LINK.finditer(text):
        target = match.group(1)
        if ":" not in target and not os.path.exists(os.path.join(os.path.dirname(path), target)):
            problem(match, f"the link to {target} leads nowhere")
    for match in PATH.finditer(text):
        if not glob.glob(match.group(1)):
            problem(match, f"there is no {match.group(1)}")


def check_decisions():
    index = os.path.join(DECISIONS, "README.md")
    if not os.path.exists(index):
        return
    listed = re.findall(r"^\| \[(\d{4})\]\((\S+?)\)", read(index), re.M)
    names = sorted(os.path.basename(p) for p in glob.glob(f"{DECISIONS}/[0-9]*.md"))
    numbers = [name[:4] for name in names]
    for name in names:
        path = os.path.join(DECISIONS, name)
        text = read(path)
        if numbers.count(name[:4]) > 1:
            problems.append(f"{path}: another decision has this number")
        if not text.startswith(f"# {name[:4]} "):
            problems.append(f"{path}: the title does not begin with the number")
        for part in PARTS:
            if part not in text:
                problems.append(f"{path}: no part {part}")
    if listed != [(name[:4], name) for name in names]:
        problems.append(f"{index}: does not list the decisions there are, in order")


def main():
    known = tests()
    for path in sorted(files(".md")):
        check_document(path, known)
    check_decisions()
    for line in problems:
        print(line)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

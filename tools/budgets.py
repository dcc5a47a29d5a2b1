#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Watches the size of the kernel and of its parts.

    budgets.py          checks; exit status 1 if a budget is broken
    budgets.py --sloc   prints the lines of code, as "name value unit"

Lines of code are lines that hold more than comment. Tests and benchmarks are
not part of the kernel.
"""
import os
import re
import sys

import ctext

CORE_LINES, PORT_LINES = 10000, 5000
FUNCTION_MAX, FUNCTION_P90 = 80, 45
NESTING, PARAMETERS, FILE_P90 = 4, 5, 600
COMMENT_LOW, COMMENT_HIGH = 15, 35  # percent
CONDITIONS, CONDITIONS_LEAST = 3, 3  # per 1000 lines of the core; always allowed

MACHINE = re.compile(r"x86|amd64|i386|aarch64|arm|riscv|ppc|mips", re.I)
CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:el)?if.*", re.M)

problems = []


def problem(where, what):
    problems.append(f"{where}: {what}")


def kernel_files(*roots):
    return [f for f in ctext.find(*roots) if not {"test", "bench"} & set(f.split(os.sep))]


def ports():
    return sorted(d for d in os.listdir("kernel/arch")
                  if os.path.exists(f"kernel/arch/{d}/kernel.ld"))


def sloc(files):
    return sum(ctext.count_lines(ctext.read(f))[0] for f in files)


def sizes():
    """The parts with a budget: (name, lines, budget)."""
    yield "kernel_core_sloc", sloc(kernel_files("kernel/core")), CORE_LINES
    for port in ports():
        files = kernel_files(f"kernel/arch/{port}", "kernel/dev") + ["kernel/arch/arch.h"]
        yield f"kernel_{port}_sloc", sloc(files), PORT_LINES


def p90(values):
    ordered = sorted(values)
    return ordered[(len(ordered) * 9 - 1) // 10] if ordered else 0


def check_functions(files):
    found = [f for path in files if path.endswith((".c", ".h")) for f in ctext.functions(path)]
    for f in found:
        where = f"{f.path}:{f.line}"
        if f.lines > FUNCTION_MAX:
            problem(where, f"{f.name} has {f.lines} lines, at most {FUNCTION_MAX}")
        if f.nesting > NESTING:
            problem(where, f"{f.name} is nested {f.nesting} deep, at most {NESTING}")
        if f.parameters > PARAMETERS:
            problem(where, f"{f.name} has {f.parameters} parameters, at most {PARAMETERS}")
    length = p90([f.lines for f in found])
    if length > FUNCTION_P90:
        problem("kernel", f"one function in ten has over {length} lines, at most {FUNCTION_P90}")
    return len(found), length


def check_conditions(files):
    count, lines = 0, 0
    for path in files:
        text = ctext.without_comments(ctext.read(path))
        lines += ctext.count_lines(text)[0]
        for match in CONDITION.finditer(text):
            count += 1
            if MACHINE.search(match.group(0)):
                at = text.count("\n", 0, match.start()) + 1
                problem(f"{path}:{at}", "the core has no condition on a machine")
    if count > max(CONDITIONS_LEAST, lines * CONDITIONS / 1000):
        problem("kernel/core", f"{count} conditions in {lines} lines, at most "
                               f"{CONDITIONS} in 1000")


def main():
    if sys.argv[1:] == ["--sloc"]:
        for name, lines, _ in sizes():
            print(name, lines, "lines")
        return 0
    files = kernel_files("kernel")
    for name, lines, budget in sizes():
        print(f"  {name}: {lines} of {budget} lines")
        if lines > budget:
            problem(name, f"{lines} lines of code, at most {budget}")
    count, length = check_functions(files)
    check_conditions(kernel_files("kernel/core"))
    file_length = p90([ctext.read(f).count("\n") for f in files])
    if file_length > FILE_P90:
        problem("kernel", f"one file in ten has over {file_length} lines, at most {FILE_P90}")
    code, comment = map(sum, zip(*(ctext.count_lines(ctext.read(f)) for f in files)))
    share = 100 * comment // (code + comment)
    print(f"  {count} functions, 90 % of them up to {length} lines; comment share {share} %")
    if not COMMENT_LOW <= share <= COMMENT_HIGH:
        print(f"  warning: the comment share should be {COMMENT_LOW} to {COMMENT_HIGH} %")
    for line in problems:
        print(line)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

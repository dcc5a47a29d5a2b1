#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the page of all system calls: docs/book/calls.md.

    calls.py            writes the page to standard output
    calls.py --check    compares it with the one that is there

The table abi/syscall.def says what each call is and which capabilities it takes; the comment of
its function in lib/sys/calls.h is its contract. What the two say of the arguments must agree.
"""
import argparse
import re
import sys
import textwrap

TABLE, STUBS, PAGE = "abi/syscall.def", "lib/sys/calls.h", "docs/book/calls.md"
STATUS_LIST = "abi/status.h"
ARGS = 6  # of a call
WIDTH = 120

LINE = re.compile(r"^SYSCALL\((\d+), (\w+), \w+,\s*((?:[CO]\(\w+, \w+\)\s*)+)\)", re.M)
CAP = re.compile(r"([CO])\((\w+), (\w+)\)")
SECTION = re.compile(r"^/\* ---- (.+) ---- \*/$", re.M)
STUB = re.compile(r"/\*((?:(?!\*/).)*?)\*/\s*static inline status_t sys_(\w+)\(([^)]*)\)\s*\{(.*?)^\}",
                  re.M | re.S)
CALL = re.compile(r"SYS\((\w+),\s*(.*?)\)(?:;|\s*\.status|\.out)", re.S)
STATUS = re.compile(r"^ST_(\w+): ", re.M)
LISTED = re.compile(r'S\((\w+), (-?\d+), "(.+)"\)')

HEAD = """# System calls

Made by `tools/calls.py` out of `abi/syscall.def`, the table that the kernel is built with, of `abi/status.h`, and of
the contracts in `lib/sys/calls.h` (`test: calls_page_is_that_of_the_table`).

"""


class Wrong(Exception):
    """Where table and functions don't fit together."""


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def prose(comment):
    """The text of a comment, without its stars, paragraph by paragraph."""
    lines = [re.sub(r"^\s*\*? ?", "", line).rstrip() for line in comment.strip("*\n ").split("\n")]
    return "\n".join(lines).strip()


def joined(text):
    """One paragraph as one line."""
    return re.sub(r"\s*\n\s*", " ", text).strip()


def wrapped(text, hang=""):
    """One paragraph, or an item of a list, in lines that are not too long."""
    return textwrap.fill(joined(text), WIDTH, subsequent_indent=hang, break_long_words=False,
                         break_on_hyphens=False)


def read_table():
    """(number, name, [(letter, type, right)]) of each line, in order."""
    text = read(TABLE)
    calls = [(int(m.group(1)), m.group(2), CAP.findall(m.group(3))) for m in LINE.finditer(text)]
    if len(calls) != len(re.findall(r"^SYSCALL\(", text, re.M)):
        raise Wrong(f"{TABLE}: a line is not understood")
    if [number for number, _, _ in calls] != list(range(len(calls))):
        raise Wrong(f"{TABLE}: the numbers are not 0, 1, 2, ...")
    return calls


def split_arguments(text):
    """The arguments of a C call: commas within brackets don't count."""
    parts, depth = [""], 0
    for c in joined(text):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts]


def read_stubs():
    """Name -> (section, parameters, arguments, text, [(status, sentence)])."""
    text = read(STUBS)
    sections = [(m.start(), m.group(1)) for m in SECTION.finditer(text)]
    stubs = {}
    for m in STUB.finditer(text):
        comment, name, parameters, body = m.groups()
        call = CALL.search(body)
        if call is None or call.group(1) != name:
            raise Wrong(f"{STUBS}: sys_{name} does not make the call {name}")
        words, *rest = STATUS.split(prose(comment))
        statuses = [(s, joined(t)) for s, t in zip(rest[::2], rest[1::2])]
        section = [title for at, title in sections if at < m.start()][-1]
        stubs[name] = (section, joined(parameters), split_arguments(call.group(2)), words,
                       statuses)
    return stubs


def check(calls, stubs):
    names = [name for _, name, _ in calls]
    for name in sorted(set(names) ^ set(stubs)):
        raise Wrong(f"{name} is not in both {TABLE} and {STUBS}")
    if [name for name in stubs] != names:
        raise Wrong(f"{STUBS} is not in the order of {TABLE}")
    known = {name for name, _, _ in LISTED.findall(read(STATUS_LIST))}
    for _, name, caps in calls:
        _, _, arguments, _, statuses = stubs[name]
        if not len(caps) <= len(arguments) <= ARGS:
            raise Wrong(f"{STUBS}: sys_{name} passes {len(arguments)} arguments")
        for status, _ in statuses:
            if status not in known:
                raise Wrong(f"{STUBS}: sys_{name}: there is no ST_{status}")
        if len({s for s, _ in statuses}) != len(statuses):
            raise Wrong(f"{STUBS}: sys_{name}: a status is there twice")


def needs(caps, arguments):
    """What a call takes, in words."""
    parts = []
    for (letter, kind, right), argument in zip(caps, arguments):
        kind = "any type" if kind == "ANY" else kind.lower()
        optional = ", or none" if letter == "O" else ""
        parts.append(f"`{argument.split('->')[-1]}`: {kind} [{right.lower()}]{optional}")
    return parts


def entry(number, name, caps, stub):
    _, parameters, arguments, words, statuses = stub
    given = [a.replace("(uintptr_t)", "").split("->")[-1] for a in arguments]
    out = [f"### {number} {name}", "", f"    status_t sys_{name}({parameters})", ""]
    for paragraph in words.strip().split("\n\n"):
        out += [wrapped(paragraph), ""]
    out += ["- Arguments: " + ", ".join(f"`{a}`" for a in given),
            wrapped("- Capabilities: " + "; ".join(needs(caps, arguments)), "  ")]
    out += [wrapped(f"- `{status}`: {sentence}", "  ") for status, sentence in statuses]
    return out + [""]


def rules():
    """What the head of the functions says of all calls."""
    head = re.match(r"/\*.*?\*/\s*/\*(.*?)\*/", read(STUBS), re.S).group(1)
    out = ["## What holds for all", ""]
    for rule in prose(head).split("\n\n")[1:-1]:
        first, *items = re.split(r"\n  (?=ST_\w+  )", rule)
        out += [wrapped(first)] + ([""] if items else [])
        out += ["- " + re.sub(r"^ST_(\w+) +", r"`\1`: ", item) for item in items] + [""]
    return out


def page(calls, stubs):
    out = [HEAD.rstrip(), ""] + rules()
    out += ["## Statuses", "", "| | | |", "| --- | --- | --- |"]
    out += [f"| {number} | {name} | {what} |" for name, number, what in
            LISTED.findall(read(STATUS_LIST))]
    out += ["", "## The table", "", "| | call | capabilities |", "| --- | --- | --- |"]
    out += [f"| {number} | {name} | {'; '.join(needs(caps, stubs[name][2]))} |"
            for number, name, caps in calls] + [""]
    section = None
    for number, name, caps in calls:
        if stubs[name][0] != section:
            section = stubs[name][0]
            out += [f"## {section.capitalize()}", ""]
        out += entry(number, name, caps, stubs[name])
    return "\n".join(out).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description="makes the page of all system calls")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    try:
        calls, stubs = read_table(), read_stubs()
        check(calls, stubs)
        text = page(calls, stubs)
    except Wrong as what:
        print(what)
        return 1
    if not options.check:
        sys.stdout.write(text)
        return 0
    if text != read(PAGE):
        print(f"{PAGE} is not what tools/calls.py makes: tools/calls.py >{PAGE}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

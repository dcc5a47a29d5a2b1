#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks a composition file and compiles it into a C file for init.

    compose.py FILE --files NAME ... [--output C | --show]

FILE is written as docs/book/composition.md says; NAME ... are the files of the
boot archive. All that is wrong is told, as FILE:LINE: sentence, and then nothing
is written. --show prints what runs as a table.
"""
import argparse
import os
import string
import sys

from composition import Composition
from composition_whole import check
from composition_words import PAGE

POLICIES = {"always": "RESTART_ALWAYS", "on-failure": "RESTART_ON_FAILURE", "never": "RESTART_NEVER"}


def text(words):
    """A C string whose bytes are those of `words`."""
    plain = string.ascii_letters + string.digits + " -_./:=,@"
    return '"' + "".join(chr(b) if chr(b) in plain else f"\\{b:03o}" for b in words.encode()) + '"'


def grant_fields(grant):
    """What struct grant says of it besides its name and kind."""
    yield "rights", " | ".join("RIGHT_" + right.upper() for right in dict.fromkeys(grant.rights))
    if grant.kind == "GRANT_USE":
        yield "program", grant.program.number if grant.program else "COMPOSITION_PROGRAMS"
        yield "protocol", grant.index
        yield "service_rights", f"{sum(set(grant.service_rights.values())):#x}"
    if grant.first or grant.count:
        yield "from", f"{grant.first:#x}"
        yield "count", f"{grant.count:#x}"
    if grant.file:
        yield "file", text(grant.file)


def program_fields(program):
    """What struct program_spec says of it besides its grants."""
    yield "name", text(program.name)
    yield "file", text(program.file)
    for name in ("limit", "reservation", "state", "priority", "weight", "budget", "period"):
        yield name, getattr(program, name)
    yield "cpus", f"{program.cpus:#x}"
    yield "restart", POLICIES[program.restart]
    for name in ("restarts", "within", "heartbeat", "stop"):
        yield name, getattr(program, name)
    yield "needs", f"{sum(1 << number for number in {p.number for p in program.needs}):#x}"
    yield "protocols", len(program.serves)
    arguments = "".join(argument + "\0" for argument in program.arguments) + "\0"
    yield "arguments", text(arguments)
    yield "arguments_size", len(arguments.encode())


def initializer(fields):
    return "{ " + ", ".join(f".{name} = {value}" for name, value in fields) + " }"


def c_file(composition, path):
    """The C file that defines `composition`."""
    lines = [f"/* Made of {path} by tools/compose.py. */", "#include <services/init/composition.h>", ""]
    specs = []
    for program in composition.programs:
        fields = list(program_fields(program))
        if program.grants:
            lines.append(f"static const struct grant grants_{program.number}[] = {{")
            for grant in program.grants:
                named = [("name", text(grant.name)), ("kind", grant.kind)]
                lines.append(f"\t{initializer(named + list(grant_fields(grant)))},")
            lines.append("};")
            fields += [("grants", len(program.grants)), ("grant", f"grants_{program.number}")]
        specs.append(f"\t{initializer(fields)},")
    lines += ["static const struct program_spec programs[] = {", *specs, "};",
              f"const struct composition composition = {{ programs, {len(specs)} }};", ""]
    return "\n".join(lines)


def short_size(size):
    return f"{size >> 20}M" if size and not size & 0xfffff else f"{size >> 10}K"


def short_time(time):
    return f"{time // 1000000}ms" if time else "-"


def told(grant):
    """A grant as --show tells it."""
    rights = [right for right in dict.fromkeys(grant.rights) if right != "call"]
    if grant.kind == "GRANT_USE":
        what = f"uses {grant.server}.{grant.protocol}"
        rights = list(grant.service_rights) + rights
    else:
        what = f"holds {grant.kind[len('GRANT_'):].lower()}"
    if grant.kind == "GRANT_IRQ":
        what += f" {grant.first & 0xffffffff}"
    elif grant.count:
        unit = PAGE if grant.kind == "GRANT_DEVICE" else 1
        what += f" {grant.first * unit:#x}-{(grant.first + grant.count) * unit - 1:#x}"
    return f"    {grant.name}: {what}{' ' + grant.file if grant.file else ''} ({' '.join(rights)})"


def table(composition):
    """What runs, in the order of the start, each with what it is given."""
    row = "{:>2} {:<16} {:>8} {:>8} {:>8} {:>4} {:>6} {:>8} {:>6} {:<12} {}"
    yield row.format("no", "program", "limit", "reserve", "state", "prio", "weight", "budget", "beat",
                     "restart", "serves")
    for p in composition.programs:
        budget = f"{p.budget * 100 // p.period}%" if p.budget else "-"
        yield row.format(p.number, p.name, short_size(p.limit), short_size(p.reservation),
                         short_size(p.state), p.priority, p.weight, budget, short_time(p.heartbeat),
                         p.restart, " ".join(p.serves) or "-")
        for grant in p.grants:
            yield told(grant)
    reserved = sum(p.reservation for p in composition.programs)
    yield f"{short_size(reserved)} of {short_size(composition.total)} are reserved"


def main():
    parser = argparse.ArgumentParser(description="compiles a composition")
    parser.add_argument("file")
    parser.add_argument("--files", nargs="*", default=[], help="of the boot archive")
    parser.add_argument("--output", help="the C file")
    parser.add_argument("--show", action="store_true", help="print a table instead")
    options = parser.parse_args()
    composition = Composition(options.file, set(options.files))
    check(composition)
    for line, sentence in composition.errors:
        print(f"{options.file}:{line}: {sentence}", file=sys.stderr)
    if composition.errors:
        return 1
    if options.show:
        print("\n".join(line.rstrip() for line in table(composition)))
    if options.output:
        with open(options.output + ".new", "w", encoding="utf-8") as file:
            file.write(c_file(composition, options.file))
        os.replace(options.output + ".new", options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

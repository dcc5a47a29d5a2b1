#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a boot archive: cpio in the "newc" form (cpio(5)).

    archive.py ARCHIVE NAME=FILE ...

Entries are sorted by name, and have the same owner, time and mode whoever builds them.
The content of an ELF file begins on a page, so that its parts can be mapped as they lie in
the archive: before it stands an entry of zeros, NAME.pad, as long as it has to be.
"""
import os
import sys

PAGE = 4096
BLOCK = 512  # archives end with a whole one, as cpio writes them
HEADER = 6 + 13 * 8
REGULAR = 0o100644
TRAILER = "TRAILER!!!"
SIZE_MAX = 0xffffffff


class Bad(Exception):
    """Why there can be no such archive."""


def padded(size, unit=4):
    return -(-size // unit) * unit


def entry(number, name, data, mode=REGULAR):
    """Header, name and content, each padded."""
    text = name.encode() + b"\0"
    links = 1
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(text), 0)
    head = b"070701" + b"".join(b"%08x" % f for f in fields) + text
    head += bytes(padded(len(head)) - len(head))
    return head + data + bytes(padded(len(data)) - len(data))


def before_data(name):
    """Bytes of an entry in front of its content."""
    return padded(HEADER + len(name.encode()) + 1)


def gap(at, name):
    """How long the content of NAME.pad at `at` has to be for that of `name` to begin a page; None:
    it does without."""
    if (at + before_data(name)) % PAGE == 0:
        return None
    end = at + before_data(name + ".pad") + before_data(name)
    return padded(end, PAGE) - end


def check(names):
    for name in names:
        if not name or "\0" in name or name == TRAILER:
            raise Bad(f"no file can have the name {name!r}")
        if names.count(name) > 1:
            raise Bad(f"there are two files {name!r}")


def archive(files):
    """The bytes of the archive of `files`, pairs of a name and its content."""
    check([name for name, _ in files])
    out = bytearray()
    number = 1
    for name, data in sorted(files):
        if len(data) > SIZE_MAX:
            raise Bad(f"{name} is too long")
        space = gap(len(out), name) if data[:4] == b"\x7fELF" else None
        if space is not None:
            out += entry(number, name + ".pad", bytes(space))
            number += 1
        out += entry(number, name, data)
        number += 1
    out += entry(0, TRAILER, b"", 0)
    return bytes(out + bytes(padded(len(out), BLOCK) - len(out)))


def read(argument):
    name, equals, path = argument.partition("=")
    if not equals:
        raise Bad(f"{argument} is not NAME=FILE")
    with open(path, "rb") as file:
        return name, file.read()


def main():
    try:
        content = archive([read(argument) for argument in sys.argv[2:]])
    except (Bad, OSError) as error:
        sys.exit(f"archive.py: {error}")
    with open(sys.argv[1] + ".new", "wb") as file:
        file.write(content)
    os.replace(sys.argv[1] + ".new", sys.argv[1])


if __name__ == "__main__":
    main()

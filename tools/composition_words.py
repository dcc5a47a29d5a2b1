# SPDX-License-Identifier: MIT
"""The words of a composition file: lines, numbers with units, and names that stand in headers."""
import os
import re

TOKEN = re.compile(r'\s*(?:"([^"]*)"|([^\s#"]+)|(#.*)?$)')
NAME = re.compile(r"^[a-z][a-z0-9_-]*$")
SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
TIMES = {"ns": 1, "us": 1000, "ms": 1000000, "s": 1000000000}
PAGE = 4096
EVERY = ("copy", "send")  # rights of all types that may be asked for


class Wrong(Exception):
    """What is wrong with a line, in one sentence."""


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def defines(path):
    """The numbers that a header defines."""
    found = re.findall(r"^#define (\w+)\s+(0x[0-9a-fA-F]+|\d+)[ul]*\b", read(path), re.M)
    return {name: int(number, 0) for name, number in found}


def protocol_rights(protocol):
    """The rights that the methods of proto/PROTOCOL.h ask for, by their names in lower case; None:
    there is no such protocol."""
    path = f"proto/{protocol}.h"
    if not NAME.match(protocol) or not os.path.exists(path):
        return None
    if f"PROTO_DEFINE({protocol}," not in read(path):
        return None
    numbers, prefix = defines(path), protocol.upper() + "_"
    asked = re.findall(rf"M\({protocol},\s*\d+,\s*\w+,\s*(\w+),", read(path))
    return {name[len(prefix):].lower(): numbers[name] for name in asked if name in numbers}


def type_rights(kind):
    """The rights of a type of objects (abi/rights.h), by their names in lower case."""
    names = re.search(rf"T\([A-Z]+, {kind},([^)]*)\)", read("abi/rights.h")).group(1)
    own = [name.lower() for name in re.findall(r"RIGHT_(\w+)", names)]
    return own + list(EVERY)


def split(text):
    """The words of a line; what stands in quotation marks is one."""
    words, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise Wrong("a quotation mark has no partner")
        words += [word for word in match.groups()[:2] if word is not None]
        at = match.end()
    return words


def scaled(word, units, what):
    match = re.match(r"^(0x[0-9a-fA-F]+|\d+)([A-Za-z]*)$", word)
    if not match:
        raise Wrong(f"'{word}' is no {what}")
    if match.group(2) not in units:
        known = ", ".join(unit for unit in units if unit)
        raise Wrong(f"'{match.group(2)}' is no unit of a {what}; there are {known}")
    return int(match.group(1), 0) * units[match.group(2)]


def size(word):
    value = scaled(word, SIZES, "size")
    if value % PAGE:
        raise Wrong(f"{word} is not a whole number of pages of {PAGE} bytes")
    return value


def time(word):
    return scaled(word, TIMES, "time")


def number(word, least, most):
    if not re.match(r"^(0x[0-9a-fA-F]+|\d+)$", word):
        raise Wrong(f"'{word}' is no number")
    if not least <= int(word, 0) <= most:
        raise Wrong(f"{word} is not within {least} to {most}")
    return int(word, 0)


def span(word, end):
    """First and count of "a" or "a-b"; 0 and 0 of "all"."""
    if word == "all":
        return 0, 0
    first, _, last = word.partition("-")
    first = number(first, 0, end - 1)
    last = number(last, first, end - 1) if last else first
    return first, last - first + 1


class Words:
    """The words of a line, taken one after the other."""

    def __init__(self, words):
        self.words = words

    def take(self, what):
        if not self.words:
            raise Wrong(f"{what} is missing")
        return self.words.pop(0)

    def follows(self, word):
        """Takes the next word if it is this one."""
        if self.words[:1] != [word]:
            return False
        self.words.pop(0)
        return True

    def rest(self, until=None):
        """Takes all words up to that one."""
        taken = []
        while self.words and self.words[0] != until:
            taken.append(self.words.pop(0))
        return taken

    def end(self):
        if self.words:
            raise Wrong(f"'{self.words[0]}' is one word too many")

# SPDX-License-Identifier: MIT
"""What the checkers of make lint need to know about C text.

No parser: the code is formatted by clang-format, so a function begins with a
brace in column 0 and nesting can be read off the tabs.
"""
import os
import re

# A comment, or a string or character in which a comment can't begin.
_TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
_CONTROL = re.compile(r"^(\t+)(?:} )?(?:else )?(?:if|for|while|switch|do|\w+_for_each\w*)\b")


def find(*roots, suffixes=(".c", ".h", ".S")):
    """All files below `roots` with one of the suffixes, sorted."""
    found = []
    for root in roots:
        for folder, _, names in os.walk(root):
            found += [os.path.join(folder, n) for n in names if n.endswith(suffixes)]
    return sorted(found)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def without_comments(text):
    """`text` with comments blanked out and strings emptied, line by line as before."""
    def blank(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] * 2
        return re.sub(r"[^\n]+", "", token)
    return _TOKEN.sub(blank, text)


def count_lines(text):
    """Lines that hold code, and lines that hold nothing but comment."""
    code = [bool(line.strip()) for line in without_comments(text).split("\n")]
    full = [bool(line.strip()) for line in text.split("\n")]
    return sum(code), sum(full) - sum(code)


class Function:
    """A function definition: where it is and how large."""

    def __init__(self, path, line, head, body):
        self.path, self.line = path, line  # line number of the head, from 1
        self.head = " ".join(head.split())
        self.lines = head.count("\n") + 1 + len(body)
        self.nesting = max((len(m.group(1)) for m in map(_CONTROL.match, body) if m), default=0)
        match = re.match(r".*?(\w+)\((.*)", self.head)
        self.name, rest = match.groups() if match else ("?", "")
        self.parameters = _count_parameters(rest)
        self.is_static = re.search(r"\b(static|ALWAYS_INLINE|COLD)\b", self.head) is not None


def _count_parameters(rest):
    """Number of parameters; `rest` is the text behind the opening parenthesis."""
    depth, commas, text = 0, 0, ""
    for char in rest:
        if char == ")" and depth == 0:
            break
        depth += (char == "(") - (char == ")")
        commas += char == "," and depth == 0
        text += char
    return 0 if text.strip() in ("", "void") else commas + 1


def functions(path):
    """The functions that the C file `path` defines."""
    lines = without_comments(read(path)).split("\n")
    found, at = [], 0
    while at < len(lines):
        if lines[at] != "{":
            at += 1
            continue
        begin = at
        while begin > 0 and re.match(r"[\w\s*]", lines[begin - 1]) and lines[begin - 1].strip() \
                and not lines[begin - 1].rstrip().endswith(";"):
            begin -= 1
        end = at
        while end < len(lines) - 1 and not lines[end].startswith("}"):
            end += 1
        if "(" in "".join(lines[begin:at]):
            found.append(Function(path, begin + 1, "\n".join(lines[begin:at]), lines[at:end + 1]))
        at = end + 1
    return found

# SPDX-License-Identifier: MIT
"""The published interface: the page of calls, and the numbers in abi/rights.h."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from cases import case, check, main

FILES = ("abi/syscall.def", "abi/status.h", "lib/sys/calls.h", "docs/book/calls.md")
COMMON = {"COPY", "SEND", "REVOKE", "DESTROY"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def calls(change=None, old="", new=""):
    """Exit status and output of tools/calls.py --check, with a change in one file."""
    tool = os.path.abspath("tools/calls.py")
    with tempfile.TemporaryDirectory() as root:
        for path in FILES:
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            shutil.copy(path, os.path.join(root, path))
        if change:
            check(old in read(change), f"no {old!r} in {change}")
            with open(os.path.join(root, change), "w", encoding="utf-8") as file:
                file.write(read(change).replace(old, new, 1))
        done = subprocess.run([sys.executable, tool, "--check"], cwd=root, capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout + done.stderr


@case
def calls_page_is_that_of_the_table():
    status, output = calls()
    check(status == 0, output)


@case
def calls_page_of_another_table_is_refused():
    changes = (("abi/syscall.def", "C(QUOTA, READ)", "C(QUOTA, MANAGE)"),
               ("abi/syscall.def", "SYSCALL(8, quota_read,", "SYSCALL(8, quota_look,"),
               ("abi/syscall.def", "SYSCALL(8, ", "SYSCALL(9, "),
               ("abi/syscall.def", "SYSCALL(8, ", "SYSCALL(8,  "),
               ("abi/status.h", "no such system call", "what?"),
               ("lib/sys/calls.h", "Tells how many bytes are in use", "Tells something"),
               ("lib/sys/calls.h", "SYS(quota_read, q)", "SYS(quota_resize, q)"),
               ("lib/sys/calls.h", "ST_NO_RIGHT: it lacks RIGHT_COPY", "ST_NO_COPY: it does"),
               ("docs/book/calls.md", "### 8 quota_read", "### 9 quota_read"))
    for change in changes:
        status, output = calls(*change)
        check(status == 1, f"{change} passes:\n{output}")


def constants(prefix):
    text = read("abi/rights.h")
    return {name: int(number, 0)
            for name, number in re.findall(rf"#define {prefix}_(\w+)\s+(0x[0-9a-f]+|\d+)", text)}


@case
def token_is_32_16_16():
    shift = constants("TOKEN")
    check(shift == {"OBJECT_SHIFT": 32, "GEN_SHIFT": 16, "RIGHTS_SHIFT": 0}, shift)
    check("typedef uint16_t rights_t;" in read("abi/rights.h"), "rights have 16 bits")
    check("typedef uint64_t cap_t;" in read("abi/rights.h"), "handles have 64 bits")


@case
def rights_of_one_type_are_bits_of_their_own():
    """The upper four mean the same for every type; each type counts its own from below."""
    rights = constants("RIGHT")
    check(all(bit & (bit - 1) == 0 and 0 < bit < 1 << 16 for bit in rights.values()), rights)
    check({n for n, bit in rights.items() if bit >= 1 << 12} == COMMON, "the upper four")
    check(len({rights[n] for n in COMMON}) == 4, "the upper four overlap")
    used = {}
    table = re.sub(r"/\*.*?\*/", "", read("abi/syscall.def"), flags=re.S)
    for kind, right in re.findall(r"[CO]\((\w+), (\w+)\)", table):
        if kind != "ANY":
            used.setdefault(kind, set()).add(right)
    used["MEMORY"] |= {"EXEC"}
    for kind, names in used.items():
        bits = [rights[name] for name in names if name not in COMMON]
        check(len(set(bits)) == len(bits), f"rights of {kind} overlap: {sorted(names)}")


main()

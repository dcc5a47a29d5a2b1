#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an operation costs beside instructions: the hardware pays for these.

    trace_calls.py CASE ...     cases of tests/guest's benchmark program

Runs a case with every instruction logged, one at a time, and looks at what
lies between the last readings of the time-stamp counter that have the kernel
between them. Prints, for each case, instructions, accesses to control and
model-specific registers, saves of the vector state and lines of code.
"""
import os
import re
import subprocess
import sys
import tempfile

import debug
import qemu_run

BUILD = os.environ.get("BUILD", "build/x86_64")
KERNEL, PROGRAM = f"{BUILD}/release/kernel.elf", f"{BUILD}/user/bench"
TIMEOUT = 120
LINE = 64  # bytes of code that a cache holds together
WINDOWS = 16  # of the last ones the median counts
OWN_TEXT, USER_END = 0x7f8000400000, 0x800000000000  # of a personality, where the program's text is once more
SPAN = 1 << 24  # more than the program takes up

EXECUTED = re.compile(rb"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/", re.M)
BASE = re.compile(r"^base ([0-9a-f]+)$", re.M)
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\t(\S+)[ \t]*(.*)$", re.M)
KINDS = (
    ("cr3", re.compile(r"^mov .*%cr3")),
    ("cr0", re.compile(r"^(mov .*%cr0|clts)")),
    ("msr", re.compile(r"^(rdmsr|wrmsr|swapgs|rd[fg]sbase|wr[fg]sbase)")),
    ("xsave", re.compile(r"^(xsave|fxsave)")),
)


class Unfit(Exception):
    """The trace can't tell."""


def disassemble(program):
    """Address -> instruction."""
    done = subprocess.run(["objdump", "-d", "--no-show-raw-insn", program], check=True,
                          capture_output=True, text=True)
    return {int(at, 16): f"{name} {operands}"
            for at, name, operands in INSTRUCTION.findall(done.stdout)}


def address_of(name, program):
    done = subprocess.run(["nm", program], check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        if line.endswith(f" {name}"):
            return int(line.split()[0], 16)
    raise Unfit(f"{program} has no {name}")


def run(case, log):
    """Leaves in `log` each instruction between the case's first and its report. Gives where the
    kernel has put the program, which is the third argument of what reads its file."""
    with tempfile.TemporaryDirectory() as scratch:
        socket = os.path.join(scratch, "gdb")
        command = qemu_run.machine(
            KERNEL, f"{BUILD}/user/bench.cpio", append=f"test={case}", smp=1,
            extra=["-icount", "shift=0", "-singlestep", "-D", log, "-S",
                   "-gdb", f"unix:{socket},server=on,wait=off"])
        at = {name: f"hbreak *($base + (unsigned long)&{name})"
              for name in (f"testcase_{case}", "bench_report")}
        script = ["set confirm off", f"target remote {socket}",
                  f"hbreak *{address_of('elf_read', KERNEL):#x}", "continue", "delete",
                  "set $base = (unsigned long)$rdx", 'printf "base %lx\\n", $base',
                  at[f"testcase_{case}"], "continue", "delete", at["bench_report"],
                  "monitor log exec,nochain", "continue", "monitor log none", "kill"]
        gdb = ["gdb", "-q", "-batch", "-nx"]
        for line in script:
            gdb += ["-ex", line]
        qemu = subprocess.Popen(qemu_run.TIED + command, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                start_new_session=True)
        try:
            debug.wait_for(socket, qemu)
            done = subprocess.run(gdb + [PROGRAM], check=False, timeout=TIMEOUT,
                                  capture_output=True, text=True)
        finally:
            qemu.kill()
            qemu.wait()
    base = BASE.search(done.stdout)
    if base is None:
        raise Unfit(f"{case}: no program was started")
    return int(base.group(1), 16)


def windows(trace, program, kernel):
    """The addresses between two readings of the counter, if the kernel is among them."""
    window = []
    for at in trace:
        if program.get(at, "").startswith("rdtsc"):
            if any(a in kernel for a in window):
                yield window
            window = []
        else:
            window.append(at)


def costs(case):
    """Kind -> how many, in one operation of this case."""
    program, kernel = disassemble(PROGRAM), disassemble(KERNEL)
    code = {**program, **kernel}
    with tempfile.TemporaryDirectory() as scratch:
        log = os.path.join(scratch, "log")
        base = run(case, log)
        with open(log, "rb") as file:
            trace = [int(at, 16) for at in EXECUTED.findall(file.read())]
    trace = [at - OWN_TEXT if OWN_TEXT <= at < USER_END else at for at in trace]
    trace = [at - base if base <= at < base + SPAN else at for at in trace]
    found = list(windows(trace, program, kernel))[-WINDOWS:]
    if not found:
        raise Unfit(f"{case}: no operation in the trace")
    window = sorted(found, key=len)[len(found) // 2]
    unknown = [at for at in window if at not in code]
    if unknown:
        raise Unfit(f"{case}: {unknown[0]:#x} is in neither program")
    told = {"instr": len(window)}
    for kind, pattern in KINDS:
        told[kind] = sum(1 for at in window if pattern.search(code[at]))
    told["code_lines"] = len({at // LINE for at in window})
    return told


def main():
    for case in sys.argv[1:]:
        print(case, *(f"{kind} {n}" for kind, n in costs(case).items()))


if __name__ == "__main__":
    main()

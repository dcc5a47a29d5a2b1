#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures, and compares with the aims in bench/aims.tsv.

Prints lines "name value unit"; where there is an aim it follows, with "met" or
"missed". Every benchmark checks itself: one whose check fails prints no figure
but the reason on standard error, and the exit status is 1.
"""
import os
import re
import statistics
import subprocess
import sys

import bench_node
import qemu_run
import trace_calls
from bench_node import Unfit

BUILD = os.environ.get("BUILD", "build/x86_64")
DIRECT = {"kernel": bench_node.KERNEL, "archive": f"{BUILD}/boot.cpio"}
UEFI = {"esp": f"{BUILD}/esp"}
RUNS = 5  # boots for each figure in wall-clock time; the median counts
UEFI_RUNS = 3  # the firmware takes seconds
IDLE = re.compile(r"boot: idle after (\d+) us, (\d+) KiB used")
BENCH = re.compile(r"^bench (\S+) (\d+) (\S+)$")
CASE = re.compile(r"^test (\S+): (\w+)")
# Cases of the benchmark program whose operation is looked at one instruction at a time.
TRACED = ("ipc_0b", "ipc_64b", "ipc_1cap", "ipc_512b", "signal_to_waiter", "null_call",
          "yield_to_another")
# The guest's own clock and ours may differ by this while it boots.
CLOCK_SHARE, CLOCK_SLACK = 0.2, 0.05  # of the time; seconds


def boot(**machine):
    """One boot of the kernel that ships: the runner's result, seconds from the
    first line to idle, KiB used."""
    result = qemu_run.run(qemu_run.machine(**machine), judge=qemu_run.judge_boot,
                          press="composition: up")
    if result.verdict != qemu_run.PASSED:
        raise Unfit(f"the boot {result.verdict}: {result.why}")
    at = next((i for i, line in enumerate(result.lines) if IDLE.search(line)), None)
    if at is None:
        raise Unfit("no line tells when the kernel was idle")
    microseconds, kib = map(int, IDLE.search(result.lines[at]).groups())
    outside = result.times[at] - result.times[0]
    # The guest's clock begins at our first instruction, which under UEFI is the
    # stub's, long before the first line: it may show more, but not less.
    if outside - microseconds / 1e6 > CLOCK_SHARE * outside + CLOCK_SLACK:
        raise Unfit(f"idle after {microseconds} us by the guest's clock, {outside:.3f} s by ours")
    return result, outside, kib


def boot_times(first_line, idle, runs, **machine):
    """Median times of several boots, as figures of these names (None: not told)."""
    boots = [boot(**machine) for _ in range(runs)]
    if first_line:
        seconds = statistics.median(result.times[0] for result, _, _ in boots)
        yield first_line, round(seconds * 1000, 1), "ms"
    yield idle, round(statistics.median(outside for _, outside, _ in boots) * 1000, 1), "ms"


def direct_boot():
    return boot_times("boot_direct_first_line_ms", "boot_direct_idle_ms", RUNS, **DIRECT)


def uefi_boot():
    return boot_times(None, "boot_uefi_idle_ms", UEFI_RUNS, **UEFI)


def image_size():
    """The kernel without what only a debugger reads; and it must boot."""
    small = f"{BUILD}/release/kernel.stripped"
    subprocess.run(["strip", "-o", small, DIRECT["kernel"]], check=True)
    boot(**{**DIRECT, "kernel": small})
    yield "kernel_image_bytes", os.path.getsize(small), "bytes"


def memory():
    for name, mem in (("kernel_boot_memory_kib", "128M"), ("kernel_boot_memory_4g_kib", "4G")):
        yield name, boot(mem=mem, **DIRECT)[2], "KiB"


def composition():
    boots = [boot(mem=bench_node.MEMORY, **DIRECT)[0] for _ in range(RUNS)]
    seconds, kib = zip(*(bench_node.read_composition(b.lines, b.times) for b in boots))
    yield "composition_up_ms", round(statistics.median(seconds) * 1000, 1), "ms"
    yield "composition_memory_kib", max(kib), "KiB"


def guest(smp=1, **machine):
    """Benchmarks inside the guest, where the TSC counts instructions."""
    command = qemu_run.machine(**machine, smp=smp, extra=["-icount", "shift=0"])
    result = qemu_run.run(command)
    figures = []
    for line in result.lines:
        if BENCH.match(line):
            name, value, unit = BENCH.match(line).groups()
            figures.append((name, int(value), unit))
        elif CASE.match(line):
            name, verdict = CASE.match(line).groups()
            if verdict == "ok":
                yield from figures
            figures = []
    if result.verdict != qemu_run.PASSED:
        raise Unfit(f"the guest's benchmarks {result.verdict}: {result.why}")


def kernel_instructions():
    return guest(**{**DIRECT, "kernel": f"{BUILD}/release/kernel-bench.elf"})


def call_instructions():
    """What programs see, on the kernel that ships."""
    return guest(**{**DIRECT, "archive": f"{BUILD}/user/bench.cpio"})


def longest_run():
    """The longest that interrupts wait for the kernel, in storms of all kinds."""
    return guest(**{**DIRECT, "archive": f"{BUILD}/user/bench.cpio"},
                 append="test=longest_run runs=1")


def four_cpus():
    """What operations cost more when four CPUs do them on objects of their own."""
    return guest(smp=4, **{**DIRECT, "archive": f"{BUILD}/user/bench.cpio"}, append="test=scale_")


def hardware_costs():
    """What hardware pays for in the operations of these cases, beside instructions."""
    for case in TRACED:
        try:
            counts = trace_calls.costs(case)
        except trace_calls.Unfit as reason:
            raise Unfit(str(reason)) from reason
        for kind, count in counts.items():
            if kind != "instr":
                yield f"{case}_{kind}", count, "lines" if kind == "code_lines" else "accesses"


def lines_of_code():
    done = subprocess.run([sys.executable, "tools/budgets.py", "--sloc"], check=True,
                          capture_output=True, text=True)
    for line in done.stdout.splitlines():
        name, value, unit = line.split()
        yield name, int(value), unit


def read_aims():
    """Name -> (limit, whether less is better)."""
    with open("bench/aims.tsv", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    return {row[0]: (float(row[2]), row[1] == "le") for row in rows}


def show(name, value, unit, aims):
    text = f"{name} {value:g} {unit}" if isinstance(value, float) else f"{name} {value} {unit}"
    if name in aims:
        limit, less = aims[name]
        met = value <= limit if less else value >= limit
        text += f"  aim {'<=' if less else '>='} {limit:g}: {'met' if met else 'missed'}"
    print(text, flush=True)


def main():
    aims = read_aims()
    unfit = 0
    for benchmark in (direct_boot, uefi_boot, image_size, memory, kernel_instructions,
                      call_instructions, longest_run, four_cpus, hardware_costs, composition,
                      bench_node.service_restart, bench_node.idle_node, lines_of_code):
        try:
            for figure in benchmark():
                show(*figure, aims)
        except Unfit as reason:
            print(f"bench: {benchmark.__name__}: no figure: {reason}", file=sys.stderr)
            unfit += 1
    return 1 if unfit else 0


if __name__ == "__main__":
    sys.exit(main())

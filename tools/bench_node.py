# SPDX-License-Identifier: MIT
"""Figures of the whole node: what its lines tell, and a node that measures itself (tests/meter)."""
import os
import re
import statistics

import qemu_run

BUILD = os.environ.get("BUILD", "build/x86_64")
KERNEL, ARCHIVE = f"{BUILD}/release/kernel.elf", f"{BUILD}/user/meter.cpio"
UP = re.compile(r" init: composition: up after \d+ us, \d+ KiB used, (\d+) KiB free$")
RAM = re.compile(r" boot: idle after \d+ us, \d+ KiB used of (\d+)$")
AWAY = re.compile(r" meter: (\w+) was away for (\d+) us$")
QUIET = re.compile(r" meter: idle for (\d+) ms: (\d+) interrupts, (\d+) switches$")
MEMORY = "512M"
DEATHS = 40  # as many as tests/meter does of each kind


class Unfit(Exception):
    """A benchmark whose check failed."""


def the_line(lines, pattern):
    """The place of the one line that has the pattern, and what it says."""
    found = [(n, m) for n, m in enumerate(map(pattern.search, lines)) if m]
    if len(found) != 1:
        raise Unfit(f"{len(found)} lines have {pattern.pattern!r}")
    return found[0]


def read_composition(lines, times):
    """Seconds from the first line until the composition is up, and KiB that are not free then."""
    at, up = the_line(lines, UP)
    ram = int(the_line(lines, RAM)[1].group(1))
    return times[at] - times[0], ram - int(up.group(1))


def read_deaths(lines, name):
    """For how many milliseconds that service was away, each time; in order of their length."""
    found = [int(m.group(2)) / 1000 for m in map(AWAY.search, lines) if m and m.group(1) == name]
    if len(found) != DEATHS:
        raise Unfit(f"{name} has died {len(found)} times and not {DEATHS}")
    return sorted(found)


def read_idle(lines):
    """Switches of threads and interrupts, each a second, of all CPUs."""
    milliseconds, interrupts, switches = map(int, the_line(lines, QUIET)[1].groups())
    return switches * 1000 / milliseconds, interrupts * 1000 / milliseconds


def meter(what, **machine):
    """The lines of a node that measures itself."""
    command = qemu_run.machine(KERNEL, ARCHIVE, append=f"meter={what}", mem=MEMORY, **machine)
    result = qemu_run.run(command, judge=qemu_run.judge_boot)
    if result.verdict != qemu_run.PASSED:
        raise Unfit(f"the node {result.verdict}: {result.why}")
    return result.lines


def service_restart():
    lines = meter("restart")
    for name, service in (("service_restart", "twin"), ("service_restart_fault", "victim")):
        away = read_deaths(lines, service)
        for kind, value in (("ms", statistics.median(away)), ("best_ms", away[0]),
                            ("worst_ms", away[-1])):
            yield f"{name}_{kind}", round(value, 1), "ms"


def idle_node():
    """In virtual time, which does not wait for anything when all CPUs do."""
    switches, interrupts = read_idle(meter("idle", extra=["-icount", "shift=0,sleep=off"]))
    yield "idle_wakeups_per_s", round(switches, 2), "1/s"
    yield "idle_interrupts_per_s", round(interrupts, 2), "1/s"

# SPDX-License-Identifier: MIT
"""The early console, a serial port: what is shown there, and that it may be missing."""
import re

import qemu_run
from cases import BUILD, case, check, main

LINE = re.compile(r"^\[ *(\d+\.\d{6})\] cpu\d+ (error|warn |info |debug) [a-z0-9_]+: .")


def boot(**more):
    command = qemu_run.machine(kernel=f"{BUILD}/release/kernel.elf",
                               archive=f"{BUILD}/user/off.cpio", **more)
    return qemu_run.run(command, judge=qemu_run.judge_boot)


@case
def lines_have_the_one_format():
    result = boot()
    check(result.verdict == qemu_run.PASSED, result.why)
    last = 0
    for line in result.lines[1:]:
        match = LINE.match(line)
        check(match, f"not the format of the log: {line}")
        check(last <= float(match.group(1)), f"time goes back: {line}")
        last = float(match.group(1))
    check(last > 0, "the clock stands still")


@case
def log_option_drops_what_is_less_urgent():
    result = boot(append="log=error")
    check(result.status == 0, f"ended with status {result.status}")
    # The line that tells what was handed over comes before options are read.
    check(len(result.lines) == 2, f"less urgent: {result.lines[2:]}")


@case
def boots_without_a_serial_port():
    command = qemu_run.machine(kernel=f"{BUILD}/release/kernel.elf",
                               archive=f"{BUILD}/user/off.cpio")
    command[command.index("-serial") + 1] = "none"
    result = qemu_run.run(command, judge=qemu_run.judge_boot)
    check(result.verdict != qemu_run.HUNG, result.why)
    check(result.status == 0, f"ended with status {result.status}")
    check(not result.lines, f"there is a console: {result.lines[:1]}")


main()

# SPDX-License-Identifier: MIT
"""The early console is a serial port, and may be missing."""
import qemu_run
from cases import BUILD, case, check, main


@case
def boots_without_a_serial_port():
    command = qemu_run.machine(kernel=f"{BUILD}/release/kernel.elf", archive=f"{BUILD}/boot.cpio")
    command[command.index("-serial") + 1] = "none"
    result = qemu_run.run(command, judge=qemu_run.judge_boot)
    check(result.verdict != qemu_run.HUNG, result.why)
    check(result.status == 0, f"ended with status {result.status}")
    check(not result.lines, f"there is a console: {result.lines[:1]}")


main()

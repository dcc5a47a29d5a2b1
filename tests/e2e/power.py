# SPDX-License-Identifier: MIT
"""How a program ends the machine, or begins it anew."""
import subprocess

from cases import BUILD, case, check, main
from qemu_run import GREETING, TIED, judge_boot, machine, run

KERNEL = f"{BUILD}/debug/kernel.elf"
ARCHIVE = f"{BUILD}/user/test.cpio"
TIMEOUT = 60  # hang detector
OFF, OFF_FAILED, REBOOT = range(3)  # abi/node.h


def asking_for(how):
    """The machine whose first program does nothing but that."""
    return machine(KERNEL, ARCHIVE, append=f"test.power={how}")


@case
def power_off_ends_well():
    result = run(asking_for(OFF), TIMEOUT, judge_boot)
    check(result.status == 0 and result.find(r" info  power: off: a program"), result.lines)


@case
def power_off_tells_failure():
    result = run(asking_for(OFF_FAILED), TIMEOUT, judge_boot)
    check(result.status == 1 and result.find(r" info  power: off, with a failure: "), result.lines)


@case
def power_reboot_begins_anew():
    command = [word for word in asking_for(REBOOT) if word != "-no-reboot"]
    seen = []
    with subprocess.Popen(["timeout", str(TIMEOUT)] + TIED + command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace") as child:
        for line in child.stdout:
            seen.append(line)
            if sum(GREETING in line for line in seen) == 2:
                break
        child.terminate()
    check(sum(GREETING in line for line in seen) == 2, seen[-3:])
    check(sum(" info  power: reboot: " in line for line in seen) == 1, seen[-3:])


main()

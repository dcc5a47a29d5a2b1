# SPDX-License-Identifier: MIT
"""The node as it is shipped, from its start to its end by the power button."""
import json
import os
import re
import tempfile

from cases import BUILD, case, check, main
from qemu_run import PASSED, judge_boot, machine, run

SHIPPED = {"kernel": f"{BUILD}/release/kernel.elf", "archive": f"{BUILD}/boot.cpio"}
UP = "composition: up"
TIMEOUT = 60  # hang detector


def stands(config=None, **more):
    """The lines of a node that was told this, stood, and was ended by its button."""
    with tempfile.TemporaryDirectory() as folder:
        extra = []
        if config is not None:
            path = os.path.join(folder, "config")
            with open(path, "w", encoding="utf-8") as file:
                file.write(config)
            extra = ["-fw_cfg", f"name=opt/org.themelios/config,file={path}"]
        result = run(machine(extra=extra, **{**SHIPPED, **more}), TIMEOUT, judge_boot, press=UP)
    check(result.verdict == PASSED, f"{result.why}: {result.lines[-20:]}")
    return result.lines


def place(lines, pattern):
    """The number of the one line that has the pattern."""
    found = [n for n, line in enumerate(lines) if re.search(pattern, line)]
    check(len(found) == 1, f"{len(found)} lines have {pattern}: {lines[-20:]}")
    return found[0]


@case
def node_power_button_ends_all_in_order():
    lines = stands()
    order = [place(lines, pattern) for pattern in (
        r"power: the power button was pressed", r"init: all programs are told to end",
        r"init: power: has ended", r"init: config: has ended", r"init: all programs have ended",
        r" info  power: off: a program")]
    check(order == sorted(order), lines)


@case
def node_power_button_works_under_uefi():
    lines = stands(kernel=None, archive=None, esp=f"{BUILD}/esp", mem="512M")
    place(lines, r"power: the power button was pressed")


@case
def node_is_told_its_configuration_by_qemu():
    lines = stands(json.dumps({"hostname": "node-7", "registries": [{"name": "docker.io"}]}))
    place(lines, r"config: hostname node-7, 1 registries, 0 containers")
    check(not any(" error " in line for line in lines), lines)


@case
def node_goes_on_without_what_is_wrong():
    lines = stands('{"hostname": "node-7",\n"log": {"level": "loud"},\n"colour": 7}',
                   append="hostname=node-8")
    place(lines, r"error config: fw_cfg, line 2: log\.level: it has to be error, warning, info or")
    place(lines, r"error config: fw_cfg, line 3: colour: there is no such field")
    place(lines, r"config: hostname node-8, 0 registries")


main()

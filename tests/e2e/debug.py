# SPDX-License-Identifier: MIT
"""make debug: gdb is attached to the guest and knows its symbols."""
import shutil
import subprocess
import sys

from cases import BUILD, case, check, main, skip


@case
def debug_stops_in_kernel_main():
    if shutil.which("gdb") is None:
        skip("gdb is not installed")
    commands = ["hbreak kernel_main", "continue", "backtrace", "kill"]
    done = subprocess.run(
        [sys.executable, "tools/debug.py", "--kernel", f"{BUILD}/debug/kernel.elf",
         "--archive", f"{BUILD}/user/off.cpio", "--", "-batch",
         *(word for command in commands for word in ("-ex", command))],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    check("hit Breakpoint 1, kernel_main (" in done.stdout, done.stdout + done.stderr)
    check("in pvh_main (" in done.stdout, done.stdout)


main()

# SPDX-License-Identifier: MIT
"""The runner of guests, with shell scripts in QEMU's place."""
import os
import subprocess
import sys
import tempfile
import time

from cases import case, check, main

RUNNER = [sys.executable, "tools/qemu_run.py"]
HELLO = "echo 'Hello from ThemeliOS 0.0.0 (fake)'; "


def run(script, *options):
    """Exit status and output of the runner over `script`."""
    done = subprocess.run([*RUNNER, *options, "--", "sh", "-c", script],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def expect(status, script, *options, says=""):
    got, output = run(script, *options)
    check(got == status, f"exit status {got}, not {status}; output:\n{output}")
    check(says in output, f"no {says!r} in:\n{output}")


@case
def runner_passes():
    expect(0, HELLO + "echo 'test a: ok'; echo '1 passed, 0 failed, 0 skipped'")


@case
def runner_sees_a_failed_case():
    expect(1, HELLO + "echo 'test a: FAIL x.c:1 y'; echo '0 passed, 1 failed, 0 skipped'; exit 1",
           says="1 failed")


@case
def runner_sees_a_failure_code_after_a_good_closing_line():
    expect(1, HELLO + "echo 'test a: ok'; echo '1 passed, 0 failed, 0 skipped'; exit 1")


@case
def runner_believes_no_closing_line_without_its_cases():
    expect(1, HELLO + "echo 'test a: ok'; echo '2 passed, 0 failed, 0 skipped'")


@case
def runner_sees_death():
    expect(3, HELLO + "echo 'test a: ok'", says="died")
    expect(3, HELLO + "echo 'test a: ok'; kill -SEGV $$", says="died")
    expect(3, "exit 0", says="died")


@case
def runner_sees_a_hang_and_ends_it():
    with tempfile.TemporaryDirectory() as scratch:
        note = os.path.join(scratch, "pid")
        expect(4, HELLO + f"sleep 30 & echo $! >{note}; wait", "--timeout", "4", says="hung")
        with open(note, encoding="ascii") as file:
            pid = int(file.read())
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}"):
            return
        time.sleep(0.05)
    check(False, "what the command started still runs")


@case
def runner_sees_a_hang_behind_a_closing_line():
    expect(4, HELLO + "echo 'test a: ok'; echo '1 passed, 0 failed, 0 skipped'; sleep 1000",
           "--timeout", "1")


@case
def runner_refuses_a_run_of_nothing():
    expect(5, HELLO + "echo '0 passed, 0 failed, 0 skipped'", says="nothing")
    expect(5, HELLO + "echo 'test a: skipped: no'; echo '0 passed, 0 failed, 1 skipped'")


@case
def runner_ignores_the_firmware():
    noise = "printf '\\033[2J\\033[01;01H\\033[=3htest x: ok\\r\\n1 passed, 0 failed, 0 skipped\\r\\n'; "
    good = HELLO + "printf 'test a: ok\\r\\n1 passed, 0 failed, 0 skipped\\r\\n'"
    expect(3, noise)
    expect(3, noise + HELLO)
    expect(0, noise + good)
    expect(0, "printf 'BdsDxe: starting\\033[0m'; " + good)


@case
def runner_judges_a_plain_boot():
    expect(0, HELLO + "echo '[    0.1] cpu0 info  power: off'", "--boot")
    expect(3, HELLO, "--boot", says="died")
    expect(1, HELLO + "echo '[    0.1] cpu0 error panic: no'; exit 1", "--boot", says="failed")
    expect(1, HELLO + "echo '[    0.1] cpu0 error panic: no'", "--boot", says="failed")
    expect(4, HELLO + "sleep 1000", "--boot", "--timeout", "1", says="hung")


main()

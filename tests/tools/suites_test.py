# SPDX-License-Identifier: MIT
"""The sum over suites: nothing that went wrong may be lost in it."""
import subprocess
import sys
import tempfile

from cases import case, check, main

GOOD = "sh -c 'echo test a: ok; echo 1 passed, 0 failed, 0 skipped'"


def expect(status, last, *suites, says="", timeout=60):
    with tempfile.TemporaryDirectory() as logs:
        done = subprocess.run([sys.executable, "tools/suites.py", "--timeout", str(timeout), "--logs", logs,
                               *suites], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    check(done.returncode == status, f"exit status {done.returncode}:\n{done.stdout}")
    check(lines[-1] == last, f"last line: {lines[-1]}")
    check(says in done.stdout, f"no {says!r} in:\n{done.stdout}")


@case
def sum_adds_up():
    expect(0, "2 passed, 0 failed, 0 skipped", "a=" + GOOD, "b=" + GOOD)


@case
def sum_names_the_skipped_with_the_reason():
    skips = "sh -c 'echo test a: ok; echo test b: skipped: no pcid; echo 1 passed, 0 failed, 1 skipped'"
    expect(0, "1 passed, 0 failed, 1 skipped", "s=" + skips, says="test s/b: skipped: no pcid")


@case
def sum_keeps_failures():
    fails = "sh -c 'echo test a: FAIL x.c:1 y; echo 0 passed, 1 failed, 0 skipped; exit 1'"
    expect(1, "1 passed, 1 failed, 0 skipped", "a=" + GOOD, "f=" + fails, says="f/a: FAIL x.c:1")


@case
def sum_counts_a_death_a_hang_and_a_run_of_nothing():
    expect(1, "1 passed, 1 failed, 0 skipped", "a=" + GOOD, "d=sh -c 'echo test a: ok >&2; kill $$'"
           .replace("test a: ok", "x"), says="died")
    expect(1, "0 passed, 1 failed, 0 skipped", "h=sleep 100", says="hung", timeout=1)
    expect(1, "1 passed, 1 failed, 0 skipped", "a=" + GOOD,
           "n=sh -c 'echo 0 passed, 0 failed, 0 skipped'", says="nothing was run")
    expect(1, "1 passed, 1 failed, 0 skipped", "a=" + GOOD, "q=sh -c 'exit 4'", says="hung")
    expect(1, "0 passed, 0 failed, 0 skipped")


main()

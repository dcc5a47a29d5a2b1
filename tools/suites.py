#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs suites of tests, a few at a time, and sums up.

    suites.py [--jobs N] [--timeout S] [--logs DIR] NAME=COMMAND ...

Each command prints lines and a closing line like test/runner.c. Shown are one
line for each suite, and what failed or was skipped, by name. The last line is
the sum of all, "N passed, N failed, N skipped"; a suite that died, hung or ran
nothing counts as one failure more. Exit status 0: all passed.
"""
import argparse
import concurrent.futures
import os
import re
import shlex
import sys
import time

import qemu_run

CASE = re.compile(r"^test (\S+): (ok|FAIL|skipped)(.*)$")
TAIL = 30  # lines of a suite shown when it ended without a verdict


class Suite:
    """One command: how it went, and its cases as (name, verdict, rest)."""

    def __init__(self, name, command, options):
        self.name = name
        begin = time.monotonic()
        result = qemu_run.run(shlex.split(command), options.timeout, greeting=None)
        self.seconds = time.monotonic() - begin
        self.lines, self.verdict, self.why = result.lines, result.verdict, result.why
        for verdict, status in qemu_run.EXIT.items():
            if self.verdict == qemu_run.DIED and result.status == status:
                self.verdict = verdict  # the suite's own runner knows better
        self.cases = [m.groups() for m in map(CASE.match, self.lines) if m]
        with open(os.path.join(options.logs, name + ".log"), "w", encoding="utf-8") as log:
            log.write("".join(line + "\n" for line in self.lines))

    def count(self, verdict):
        return sum(1 for case in self.cases if case[1] == verdict)

    def failures(self):
        """Failed cases; a suite that did not pass has at least one failure."""
        return max(self.count("FAIL"), int(self.verdict != qemu_run.PASSED))

    def show(self):
        print(f"suite {self.name}: {self.verdict}, {len(self.cases)} cases "
              f"in {self.seconds:.1f} s", flush=True)
        for name, verdict, rest in self.cases:
            if verdict != "ok":
                print(f"  test {self.name}/{name}: {verdict}{rest}")
        if self.verdict not in (qemu_run.PASSED, qemu_run.FAILED) or (
                self.verdict == qemu_run.FAILED and not self.count("FAIL")):
            print(f"  {self.verdict}: {self.why}; its last lines:")
            for line in self.lines[-TAIL:]:
                print(f"  | {line}")
        sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description="runs suites of tests and sums up")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=170)
    parser.add_argument("--logs", default="build/test")
    parser.add_argument("suites", nargs="*", metavar="NAME=COMMAND")
    options = parser.parse_args()
    os.makedirs(options.logs, exist_ok=True)

    done = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(Suite, *suite.split("=", 1), options) for suite in options.suites]
        for future in concurrent.futures.as_completed(running):
            done.append(future.result())
            done[-1].show()
    passed = sum(suite.count("ok") for suite in done)
    failed = sum(suite.failures() for suite in done)
    skipped = sum(suite.count("skipped") for suite in done)
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())

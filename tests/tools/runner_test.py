# SPDX-License-Identifier: MIT
"""test/runner.c in a program of its own, with cases that fail and skip."""
import os
import subprocess
import tempfile

from cases import case, check, main

CASES = r"""
#include <core/log.h>
#include <test/test.h>
#include <stdarg.h>
#include <stdio.h>

void log_write(enum log_level level, const char *area, const char *fmt, ...)
{
	va_list args;

	if (level != LOG_ERROR || area != NULL)
		return;
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

TEST(good) { CHECK(1 + 1 == 2); }
TEST(bad) { CHECK(1 + 1 == 2); CHECK(1 + 1 == 3); CHECK(1 + 1 == 4); }
TEST(absent) { SKIP("no such device"); }
TEST(rounds) { CHECK(test_rounds(10) == 30); CHECK(test_seed() == 7); }
TEST(usual) { CHECK(test_rounds(10) == 10); CHECK(test_seed() == 1); }
TEST(figure) { bench_report("speed", 42, "m/s"); }
"""


def run(*names, **environment):
    """Exit status and lines of a program with these cases."""
    with tempfile.TemporaryDirectory() as scratch:
        source, program = f"{scratch}/cases_test.c", f"{scratch}/cases"
        with open(source, "w", encoding="utf-8") as file:
            file.write(CASES)
        subprocess.run(["gcc", "-std=gnu17", "-I.", "-Ikernel", "-Ikernel/arch/host", "-o", program,
                        source, "test/runner.c", "test/host.c"], check=True)
        done = subprocess.run([program, *names], capture_output=True, text=True, check=False,
                              env={**os.environ, **environment})
        return done.returncode, done.stdout.splitlines()


@case
def unit_reports_each_verdict():
    status, lines = run("good", "bad", "absent")
    check(status == 1, lines)
    check("test good: ok" in lines, lines)
    check("test absent: skipped: no such device" in lines, lines)
    bad = [line for line in lines if line.startswith("test bad: FAIL")]
    check(len(bad) == 1 and "cases_test.c" in bad[0] and bad[0].endswith("1 + 1 == 3"), lines)
    check(lines[-1] == "1 passed, 1 failed, 1 skipped", lines)


@case
def unit_passes_only_if_something_passed():
    check(run("good") == (0, ["test good: ok", "1 passed, 0 failed, 0 skipped"]))
    check(run("good", "absent")[0] == 0)
    check(run("absent") == (1, ["test absent: skipped: no such device",
                                "0 passed, 0 failed, 1 skipped"]))
    check(run("no_such_case") == (1, ["0 passed, 0 failed, 0 skipped"]))


@case
def unit_takes_rounds_and_seed_from_outside():
    check(run("usual")[0] == 0)
    check(run("rounds", TEST_ROUNDS="3", TEST_SEED="7")[0] == 0)
    check(run("rounds", TEST_ROUNDS="many")[0] != 0)


@case
def unit_prints_figures_before_the_verdict():
    check(run("figure")[1][:2] == ["bench speed 42 m/s", "test figure: ok"])


main()

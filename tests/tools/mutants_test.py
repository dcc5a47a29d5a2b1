# SPDX-License-Identifier: MIT
"""The judge of mutants, over a tree whose only program is a shell script."""
import os
import subprocess
import sys
import tempfile

from cases import case, check, main

TOOL = os.path.abspath("tools/mutants.py")
MAKEFILE = ("build/host/asan/unit: unit.sh\n\tmkdir -p $(@D)\n\tsh -n $<\n\tcp $< $@\n"
            "\tchmod +x $@\n")
UNIT = """#!/bin/sh
x=1
[ $x = 1 ] && echo test one: ok || echo test one: FAIL unit.sh:3
echo test two: ok
echo 1 passed, 0 failed, 0 skipped
"""


def patch(head, replacement, line="x=1"):
    """A mutant that replaces one line of the script by another one."""
    before = UNIT.splitlines()
    at = before.index(line)
    return (f"{head}\n--- a/unit.sh\n+++ b/unit.sh\n@@ -{at + 1},2 +{at + 1},2 @@\n"
            f"-{line}\n+{replacement}\n {before[at + 1]}\n")


def judge(*mutants):
    """Exit status and output of a run over these patches."""
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(f"{root}/tests/mutants")
        files = {"Makefile": MAKEFILE, "unit.sh": UNIT, ".gitignore": "/build/\n"}
        files.update({f"tests/mutants/m{n}.patch": text for n, text in enumerate(mutants)})
        for name, text in files.items():
            with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                file.write(text)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        done = subprocess.run([sys.executable, TOOL], cwd=root, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        return done.returncode, done.stdout + done.stderr


def expect(status, says, *mutants):
    got, output = judge(*mutants)
    check(got == status, f"exit status {got}:\n{output}")
    check(says in output, f"no {says!r} in:\n{output}")


@case
def mutant_is_caught():
    expect(0, "2 passed, 0 failed", patch("# caught-by: one (host)", "x=2"),
           patch("# caught-by: one (host, died)", "kill -SEGV $$"))


@case
def mutant_that_survives_is_a_failure():
    expect(1, "two (host) is ok with the mutant", patch("# caught-by: two (host)", "x=2"))
    expect(1, "1 passed, 1 failed", patch("# caught-by: one (host)", "x=2"),
           patch("# caught-by: two (host)", "x=2"))


@case
def mutant_must_fail_as_it_says():
    expect(1, "is died with the mutant", patch("# caught-by: one (host)", "kill -SEGV $$"))
    expect(1, "is FAIL with the mutant", patch("# caught-by: one (host, died)", "x=2"))


@case
def mutant_must_apply_and_build():
    expect(1, "does not apply", patch("# caught-by: one (host)", "x=2").replace("-x=1", "-x=9"))
    expect(1, "does not build", patch("# caught-by: one (host)", "if"))


@case
def mutant_must_name_a_test_that_passes_without_it():
    expect(1, "first line", patch("# who knows", "x=2"))
    expect(1, "is absent without", patch("# caught-by: three (host)", "x=2"))


@case
def no_mutants_are_a_failure():
    expect(1, "0 passed, 0 failed")


main()

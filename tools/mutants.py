#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks one check of the source at a time, and sees whether its test notices.

    mutants.py [--jobs N] [PATCH ...]        without names: tests/mutants/*.patch

The first line of a patch says which test has to fail, and where it runs:

    # caught-by: frame_double_free_panics (host)

Kinds: host (address sanitizer), host-tsan, guest, user, libc, services, e2e, tools. "(guest, died)"
or "(guest, hung)" say that the mutant takes the whole run with it; else only a
failure of the named case counts. Each patch is applied in a copy of the tree
that is built incrementally; the named tests must pass there before.
"""
import argparse
import glob
import os
import queue
import re
import shutil
import subprocess
import sys
import threading

import qemu_run

BUILD = os.environ.get("BUILD", "build/x86_64")
SCRATCH = os.path.abspath("build/mutants")
KINDS = "host|host-tsan|guest|user|libc|services|e2e|tools"
HEAD = re.compile(rf"^# caught-by: (\S+) \(({KINDS})(?:, (died|hung))?\)$")
CPUS = 4  # of the guest
# Seconds after which a run hangs, far above what it needs: those of e2e build the tree twice, and
# the host's runner (test/host.c) has its own limit.
TIMEOUT = {"host": 300, "host-tsan": 300, "guest": 120, "user": 120, "e2e": 900, "tools": 300}
# Git must take a copy of the tree for what it is: no part of this repository.
ENVIRONMENT = {**{k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))},
               "GIT_CEILING_DIRECTORIES": SCRATCH,
               "PYTHONPATH": "tools:tests", "BUILD": BUILD}
TARGETS = {"host": ["build/host/asan/unit"], "host-tsan": ["build/host/tsan/unit"],
           "guest": [f"{BUILD}/debug/kernel-test.elf", f"{BUILD}/boot.cpio"],
           "user": [f"{BUILD}/debug/kernel.elf", f"{BUILD}/user/test.cpio"],
           "libc": [f"{BUILD}/debug/kernel.elf", f"{BUILD}/user/libc-test.cpio"],
           "services": [f"{BUILD}/debug/kernel.elf", f"{BUILD}/user/services.cpio"],
           "e2e": ["image", f"{BUILD}/debug/kernel-test.elf", f"{BUILD}/user/off.cpio",
                   f"{BUILD}/user/meter.cpio"],
           "tools": ["help"]}


class Bad(Exception):
    """What is wrong with a mutant, in one sentence."""


def call(tree, *command, **more):
    return subprocess.run(command, cwd=tree, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", check=False, **more)


def make_tree(tree):
    """Brings the copy in line with the tracked files, touching only what differs."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], stdout=subprocess.PIPE, check=True)
    wanted = {name for name in listed.stdout.decode().split("\0") if os.path.isfile(name)}
    for folder, folders, names in os.walk(tree):
        if folder == tree:
            folders[:] = [d for d in folders if d != "build"]
        for name in names:
            path = os.path.join(folder, name)
            if os.path.relpath(path, tree) not in wanted:
                os.remove(path)
    for name in wanted:
        copy = os.path.join(tree, name)
        with open(name, "rb") as file:
            content = file.read()
        if os.path.exists(copy):
            with open(copy, "rb") as file:
                if file.read() == content:
                    continue
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copy(name, copy)


def build(tree, kind):
    done = call(tree, "make", *TARGETS[kind])
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if "rror" in line]
        raise Bad(f"it does not build: {said[0] if said else done.stderr}")


def command_for(tree, kind, test):
    """What runs the named test in `tree`."""
    if kind == "host":
        return ["build/host/asan/unit", test]
    if kind == "host-tsan":
        return ["build/host/tsan/unit", test]
    if kind in ("e2e", "tools"):
        scripts = [s for s in sorted(glob.glob(f"{tree}/tests/{kind}/*.py"))
                   if f"\ndef {test}(" in open(s, encoding="utf-8").read()]
        if not scripts:
            raise Bad(f"there is no test {test} in tests/{kind}")
        return [sys.executable, scripts[0], test]
    return [sys.executable, "tools/qemu_run.py", "--timeout", str(TIMEOUT[kind]),
            "--smp", str(CPUS), "--append", f"test={test}", "--kernel", TARGETS[kind][0],
            "--archive", TARGETS[kind][1]]


def outcome(tree, kind, test):
    """How the named test went: ok, FAIL, skipped, died, hung, or absent."""
    command = ["env", f"--chdir={tree}", "PYTHONPATH=tools:tests", f"BUILD={BUILD}"]
    result = qemu_run.run(command + command_for(tree, kind, test), TIMEOUT[kind] + 10,
                          greeting=None)
    for line in result.lines:
        match = re.match(rf"^test {re.escape(test)}: (ok|FAIL|skipped)", line)
        if match:
            return match.group(1)
    if result.verdict == qemu_run.HUNG or result.status == qemu_run.EXIT[qemu_run.HUNG]:
        return "hung"
    return "died" if result.verdict == qemu_run.DIED else "absent"


def read_head(patch):
    with open(patch, encoding="utf-8") as file:
        first = file.readline().rstrip("\n")
    match = HEAD.match(first)
    if not match:
        raise Bad("its first line is not '# caught-by: <test> (<kind>)'")
    return match.groups()


def try_mutant(tree, patch, known_good):
    """Raises Bad unless the mutant is caught as its first line says."""
    test, kind, how = read_head(patch)
    apply = ["git", "apply", "--whitespace=nowarn"]
    if (kind, test) not in known_good:
        build(tree, kind)
        before = outcome(tree, kind, test)
        if before != "ok":
            raise Bad(f"{test} ({kind}) is {before} without the mutant")
        known_good.add((kind, test))
    if call(tree, *apply, os.path.abspath(patch)).returncode != 0:
        raise Bad("it does not apply")
    try:
        build(tree, kind)
        got = outcome(tree, kind, test)
    finally:
        if call(tree, *apply, "-R", os.path.abspath(patch)).returncode != 0:
            shutil.rmtree(tree)
            raise Bad("it can't be taken back")
    if got != (how or "FAIL"):
        raise Bad(f"{test} ({kind}) is {got} with the mutant, not {how or 'FAIL'}")
    return f"{test} ({kind}{', ' + how if how else ''})"


def work(number, patches, known_good, verdicts):
    tree = os.path.join(SCRATCH, f"tree{number}")
    os.makedirs(tree, exist_ok=True)
    make_tree(tree)
    while True:
        try:
            patch = patches.get_nowait()
        except queue.Empty:
            return
        name = os.path.splitext(os.path.basename(patch))[0]
        try:
            print(f"test {name}: ok, caught by {try_mutant(tree, patch, known_good)}", flush=True)
            verdicts.append(True)
        except Exception as what:  # pylint: disable=broad-except
            print(f"test {name}: FAIL {patch}:1 {what}", flush=True)
            verdicts.append(False)


def main():
    parser = argparse.ArgumentParser(description="breaks one check at a time")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("patches", nargs="*")
    options = parser.parse_args()
    patches, known_good, verdicts = queue.Queue(), set(), []
    for patch in options.patches or sorted(glob.glob("tests/mutants/*.patch")):
        patches.put(patch)
    total = patches.qsize()
    workers = [threading.Thread(target=work, args=(n, patches, known_good, verdicts))
               for n in range(options.jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"{verdicts.count(True)} passed, {total - verdicts.count(True)} failed, 0 skipped")
    return 0 if total and verdicts.count(True) == total else 1


if __name__ == "__main__":
    sys.exit(main())

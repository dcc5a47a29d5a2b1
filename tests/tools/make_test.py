# SPDX-License-Identifier: MIT
"""The front of the build: missing packages, machines without a port, help."""
import os
import shutil
import subprocess
import tempfile

from cases import case, check, main

DEPS = "alpha  build,run  {there}\nbeta   run  no-such-command-1\ngamma  test  /no/such/file\n"
FAKES = {"apt-get": "echo apt-get \"$@\"", "sudo": "echo sudo; \"$@\"", "id": "echo {uid}"}


def deps(*groups, uid=0, without=()):
    """Exit status and output of tools/deps.sh over DEPS, with nothing real behind it."""
    with tempfile.TemporaryDirectory() as root:
        for folder in ("mk", "tools", "bin"):
            os.mkdir(f"{root}/{folder}")
        shutil.copy("tools/deps.sh", f"{root}/tools")
        with open(f"{root}/mk/deps", "w", encoding="utf-8") as file:
            file.write(DEPS.format(there=f"{root}/tools/deps.sh"))
        for name, text in FAKES.items():
            if name not in without:
                with open(f"{root}/bin/{name}", "w", encoding="utf-8") as file:
                    file.write("#!/bin/sh\n" + text.format(uid=uid) + "\n")
                os.chmod(f"{root}/bin/{name}", 0o755)
        for name in ("env", "dirname"):
            os.symlink(shutil.which(name), f"{root}/bin/{name}")
        done = subprocess.run([shutil.which("sh"), f"{root}/tools/deps.sh", *groups],
                              env={"PATH": f"{root}/bin"}, capture_output=True, text=True,
                              check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()


def make(*arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], env=environment, capture_output=True, text=True,
                          check=False)


@case
def deps_leaves_a_complete_machine_alone():
    check(deps("build") == (0, []))
    check(deps("none") == (0, []))


@case
def deps_lists_before_it_installs():
    status, lines = deps("build", "run", "test")
    check(status == 0, lines)
    check(lines[0] == "Packages missing, to be installed with apt-get: beta gamma", lines)
    check(lines[-1].startswith("apt-get") and lines[-1].endswith("beta gamma"), lines)
    check(deps("run")[1][-1].endswith(" beta"), "only what the goal needs")


@case
def deps_needs_root_or_sudo():
    status, lines = deps("run", uid=1000)
    check(status == 0 and "sudo" in lines and lines[-1].startswith("apt-get"), lines)
    status, lines = deps("run", uid=1000, without=["sudo"])
    check(status == 1 and lines[-1] == "Only root can install them, and there is no sudo.", lines)
    status, lines = deps("run", without=["apt-get"])
    check(status == 1 and lines[0].endswith(" beta"), lines)


@case
def make_refuses_a_machine_without_port():
    for machine in ("riscv64", "host", "../arch/x86_64x"):
        done = make(f"ARCH={machine}")
        check(done.returncode != 0, "it was not refused")
        check(f"There is no port to ARCH={machine}; ports: x86_64" in done.stderr, done.stderr)


@case
def make_help_names_goals_and_variables():
    text = make("help").stdout
    for word in ("make run", "make test", "make lint", "make bench", "make debug", "make soak",
                 "make mutants", "make fresh", "ARCH=", "SMP=", "MEM=", "QEMU_EXTRA="):
        check(word in text, f"no {word!r} in:\n{text}")


main()

# SPDX-License-Identifier: MIT
"""The node image: the same bytes whoever builds it, and what is in it."""
import hashlib
import os
import shutil
import subprocess
import tempfile

from cases import BUILD, case, check, main

FILES = ("themelios.efi", "boot.cpio", "release/kernel.elf", "debug/kernel.elf")


def build(tree, **environment):
    """Builds a copy of the tree at `tree`; file -> hash of its content."""
    shutil.copytree(".", tree, ignore=shutil.ignore_patterns("build", ".git"))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "image"], cwd=tree, env={**inherited, **environment},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stderr[-400:])
    hashes = {}
    for name in FILES:
        with open(f"{tree}/{BUILD}/{name}", "rb") as file:
            hashes[name] = hashlib.sha256(file.read()).hexdigest()
    return hashes


@case
def image_is_the_same_wherever_it_is_built():
    """Another directory, file mode mask, language and time zone."""
    with tempfile.TemporaryDirectory() as scratch:
        one = build(f"{scratch}/a", LC_ALL="C", TZ="UTC")
        before = os.umask(0o077)
        try:
            two = build(f"{scratch}/another/place", LC_ALL="C.UTF-8", TZ="Asia/Tokyo")
        finally:
            os.umask(before)
    for name in FILES:
        check(one[name] == two[name], f"{name} differs")


@case
def archive_is_what_others_read():
    """cpio lists it, with no owner and no time of ours."""
    with open(f"{BUILD}/boot.cpio", "rb") as file:
        done = subprocess.run(["cpio", "--quiet", "-itv", "--numeric-uid-gid"], stdin=file,
                              capture_output=True, text=True, check=False,
                              env={**os.environ, "LC_ALL": "C", "TZ": "UTC"})
    check(done.returncode == 0, done.stderr)
    lines = [line.split() for line in done.stdout.splitlines()]
    check("version" in [line[-1] for line in lines], done.stdout)
    for mode, _, user, group, _, month, day, year, _ in lines:
        check((mode, user, group) == ("-rw-r--r--", "0", "0"), done.stdout)
        check((month, day, year) == ("Jan", "1", "1970"), done.stdout)
    names = [line[-1] for line in lines if not line[-1].endswith(".pad")]
    check(names == sorted(names), done.stdout)


main()

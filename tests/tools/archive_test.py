# SPDX-License-Identifier: MIT
"""The boot archive: what others read in it, and where programs lie."""
import os
import subprocess
import sys
import tempfile

from cases import BUILD, case, check, main

PAGE = 4096
ELF = b"\x7fELF"


def make(scratch, files, status=0):
    """Runs the tool on files with these contents; gives the archive's path."""
    arguments = []
    for number, (name, content) in enumerate(files):
        path = f"{scratch}/{number}"
        with open(path, "wb") as file:
            file.write(content)
        arguments.append(f"{name}={path}")
    done = subprocess.run([sys.executable, "tools/archive.py", f"{scratch}/out", *arguments],
                          capture_output=True, text=True, check=False)
    check(done.returncode == status, done.stderr)
    return f"{scratch}/out", done.stderr


def content(path):
    with open(path, "rb") as file:
        return file.read()


def extract(archive, where):
    os.mkdir(where)
    with open(archive, "rb") as file:
        done = subprocess.run(["cpio", "--quiet", "-id"], stdin=file, cwd=where,
                              capture_output=True, text=True, check=False)
    check(done.returncode == 0 and not done.stderr, done.stderr)
    paths = [f"{folder}/{name}" for folder, _, names in os.walk(where) for name in names]
    return {os.path.relpath(path, where): content(path) for path in paths}


@case
def archive_comes_out_as_it_went_in():
    files = [("version", b"1\n"), ("empty", b""), ("root", ELF + b"x" * 5000), ("odd", b"abc")]
    with tempfile.TemporaryDirectory() as scratch:
        archive, _ = make(scratch, files)
        out = extract(archive, f"{scratch}/there")
        for name, was in files:
            check(out.pop(name) == was, name)
        check(all(name.endswith(".pad") and not any(zeros) for name, zeros in out.items()), out)


@case
def archive_has_programs_on_pages():
    """Whatever lies before them; where there is hardly room for a padding entry, too."""
    for size in [0, 1, 1000, *range(PAGE - 520, PAGE - 200, 4), PAGE, 3 * PAGE]:
        with tempfile.TemporaryDirectory() as scratch:
            archive, _ = make(scratch, [("a", b"x" * size), ("b", ELF + b"b"), ("c", ELF + b"c")])
            found = content(archive)
            at, behind = found.index(ELF + b"b"), found.index(ELF + b"c")
            check(at % PAGE == 0 and behind == at + PAGE, (size, at, behind))
            check(at < size + PAGE + 400, (size, at))


@case
def archive_does_not_tell_who_made_it():
    files = [("b", b"2"), ("a", ELF + b"1")]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        first = content(make(one, files)[0])
        before = os.umask(0o077)
        try:
            second = content(make(two, list(reversed(files)))[0])
        finally:
            os.umask(before)
        check(first == second, "the order or the mode is seen in it")


@case
def archive_refuses_names_that_none_can_have():
    for names in (["a", "a"], ["TRAILER!!!"], [""]):
        with tempfile.TemporaryDirectory() as scratch:
            out, error = make(scratch, [(name, b"") for name in names], status=1)
            check("archive.py: " in error and not os.path.exists(out), error)


@case
def archive_of_the_image_has_programs_on_pages():
    with tempfile.TemporaryDirectory() as scratch:
        programs = {name: data for name, data in
                    extract(f"{BUILD}/boot.cpio", f"{scratch}/there").items()
                    if data[:4] == ELF}
        whole = content(f"{BUILD}/boot.cpio")
        check("root" in programs, programs.keys())
        for name, data in programs.items():
            check(whole.index(data) % PAGE == 0, name)


@case
def archive_keeps_symbols_but_no_debug_information():
    with tempfile.TemporaryDirectory() as scratch:
        extract(f"{BUILD}/boot.cpio", f"{scratch}/there")
        done = subprocess.run(["readelf", "--sections", "--wide", f"{scratch}/there/root"],
                              capture_output=True, text=True, check=True)
        check(".symtab" in done.stdout and ".debug" not in done.stdout, done.stdout)


main()

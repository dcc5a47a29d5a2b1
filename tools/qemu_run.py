#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots a kernel in QEMU, shows its serial line, and passes on its verdict.

    qemu_run.py --kernel K --archive A [--append S] [option ...]
    qemu_run.py --esp DIR [option ...]            UEFI firmware, files from DIR
    qemu_run.py [option ...] -- COMMAND ...       any command in QEMU's place

--press TEXT presses the machine's power button when a line has TEXT: a node that
stands does not end by itself.

Exit status: 0 passed, 1 failed (the guest said so), 3 died (ended without a
closing line), 4 hung (the time-out, which is there for nothing else), 5 nothing
was run.

What comes before the kernel's greeting is the firmware's and counts for
nothing. A run of tests closes with "N passed, N failed, N skipped"; a plain
boot closes with the log line "power: off", or says why it can't go on.
"""
import argparse
import json
import os
import re
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time

PASSED, FAILED, DIED, HUNG, NOTHING = "passed", "failed", "died", "hung", "nothing was run"
EXIT = {PASSED: 0, FAILED: 1, DIED: 3, HUNG: 4, NOTHING: 5}

GREETING = "Hello from ThemeliOS"
TESTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
BOOT = re.compile(r" (power: off|panic: |boot: cannot start: )")
CASE = re.compile(r"^test (\S+): (ok|FAIL|skipped)")
# Terminal control: CSI sequences, other escapes, and stray control characters.
CONTROL = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b.|[\x00-\x08\x0b-\x1f\x7f]")

FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
FIRMWARE_STATE = "/usr/share/OVMF/OVMF_VARS_4M.fd"
# Whatever is started dies with the process that watches over it.
TIED = ["setpriv", "--pdeathsig", "KILL", "--"]


class Result:
    """How a run ended: verdict, why, the exit status of the command, and the
    lines from the greeting on with the seconds at which each was complete."""

    def __init__(self, verdict, why, status, lines, times):
        self.verdict, self.why, self.status = verdict, why, status
        self.lines, self.times = lines, times

    def find(self, pattern):
        """The first match of `pattern` in any line, or None."""
        return next((m for m in (re.search(pattern, t) for t in self.lines) if m), None)


def machine(kernel=None, archive=None, esp=None, append="", smp=2, mem="256M", extra=()):
    """The QEMU command line of the machine that everything is tested on."""
    argv = ["qemu-system-x86_64", "-M", "q35", "-cpu", "max", "-smp", str(smp), "-m", str(mem),
            "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
            "-device", "pvpanic", "-action", "panic=exit-failure"]
    if kernel:
        argv += ["-kernel", kernel]
    if archive:
        argv += ["-initrd", archive]
    if append:
        argv += ["-append", append]
    if esp:
        argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}",
                 "-drive", f"if=pflash,format=raw,snapshot=on,file={FIRMWARE_STATE}",
                 "-drive", f"if=virtio,format=raw,readonly=on,file=fat:{esp}"]
    return argv + list(extra)


def clean(raw):
    return CONTROL.sub("", raw.decode("utf-8", "replace")).rstrip()


def judge_tests(lines, status):
    """Verdict of a run of test cases that ended by itself."""
    closing = next((m for m in map(TESTS.match, reversed(lines)) if m), None)
    if closing is None:
        return DIED, f"ended with status {status} and no closing line"
    told = dict(zip(("ok", "FAIL", "skipped"), map(int, closing.groups())))
    seen = {"ok": 0, "FAIL": 0, "skipped": 0}
    for match in filter(None, map(CASE.match, lines)):
        seen[match.group(2)] += 1
    if told != seen:
        return FAILED, f"the closing line tells {told}, the lines above it {seen}"
    if told["FAIL"]:
        return FAILED, f"{told['FAIL']} failed"
    if not told["ok"]:
        return NOTHING, "no case has passed"
    return (PASSED, "") if status == 0 else (FAILED, f"ended with status {status}")


def judge_boot(lines, status):
    """Verdict of a plain boot that ended by itself."""
    closing = next((m for m in map(BOOT.search, lines) if m), None)
    if closing is None:
        return DIED, f"ended with status {status} and no closing line"
    if status != 0 or closing.group(1) != "power: off":
        return FAILED, f"ended with status {status}"
    return PASSED, ""


class Button:
    """The machine's power button, which is pressed once, by way of QEMU's monitor."""

    def __init__(self, folder):
        self.path, self.pressed = os.path.join(folder, "monitor"), False
        self.arguments = ["-qmp", f"unix:{self.path},server=on,wait=off"]

    def press(self):
        if self.pressed:
            return
        self.pressed = True
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(self.path)
            with monitor.makefile("rw") as lines:
                lines.readline()  # its greeting
                for command in ("qmp_capabilities", "system_powerdown"):
                    lines.write(json.dumps({"execute": command}) + "\n")
                    lines.flush()
                    while "return" not in json.loads(lines.readline()):
                        pass  # an event


class Reader:
    """Cuts what the child writes into lines, and keeps those that count. `at` is a text and what
    is called when a line has it."""

    def __init__(self, greeting, echo, at=None):
        self.greeting, self.echo, self.at = greeting, echo, at
        self.rest, self.lines, self.times = b"", [], []
        self.start = time.monotonic()

    def take(self, data):
        *whole, self.rest = (self.rest + data).split(b"\n")
        for raw in whole:
            self.line(clean(raw))

    def finish(self):
        if self.rest:
            self.line(clean(self.rest))

    def line(self, text):
        if self.echo:
            print(text, flush=True)
        if not self.lines and self.greeting:
            at = text.find(self.greeting)
            if at < 0:
                return
            text = text[at:]
        self.lines.append(text)
        self.times.append(time.monotonic() - self.start)
        if self.at and self.at[0] in text:
            self.at[1]()


def watch(child, reader, timeout):
    """Reads until the child closes its output and has ended; False: hung."""
    deadline = reader.start + timeout
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                return False
            data = os.read(child.stdout.fileno(), 65536)
            if not data:
                break
            reader.take(data)
    try:
        child.wait(max(0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def run(command, timeout=60, judge=judge_tests, greeting=GREETING, echo=False, press=None):
    """Runs `command` to its end and judges it. Kills what it started, and
    nothing else, if that does not end in `timeout` seconds. `press`: QEMU's power
    button is pressed when a line has this text."""
    if press is None:
        return _run(command, timeout, judge, Reader(greeting, echo))
    with tempfile.TemporaryDirectory() as folder:
        button = Button(folder)
        return _run(command + button.arguments, timeout, judge,
                    Reader(greeting, echo, (press, button.press)))


def _run(command, timeout, judge, reader):
    child = subprocess.Popen(TIED + command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
    ended = False
    try:
        ended = watch(child, reader, timeout)
    finally:
        if not ended:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    reader.finish()
    if ended:
        verdict, why = judge(reader.lines, child.returncode)
    else:
        last = reader.lines[-1] if reader.lines else "no line at all"
        verdict, why = HUNG, f"no end after {timeout} s; last line: {last}"
    return Result(verdict, why, child.returncode, reader.lines, reader.times)


def add_machine_options(parser):
    """The options that describe a machine, for every tool that boots one."""
    parser.add_argument("--kernel")
    parser.add_argument("--archive")
    parser.add_argument("--esp")
    parser.add_argument("--append", default="")
    parser.add_argument("--smp", default=2, type=int)
    parser.add_argument("--mem", default="256M")
    parser.add_argument("--extra", default="", help="more arguments for QEMU")


def machine_from(options):
    return machine(options.kernel, options.archive, options.esp, options.append,
                   options.smp, options.mem, shlex.split(options.extra))


def split_arguments():
    """The program's own arguments, and those behind "--" (None: there is none)."""
    own = sys.argv[1:]
    if "--" not in own:
        return own, None
    at = own.index("--")
    return own[:at], own[at + 1:]


def main():
    own, command = split_arguments()
    parser = argparse.ArgumentParser(description="boots a kernel in QEMU")
    add_machine_options(parser)
    parser.add_argument("--timeout", default=60, type=float)
    parser.add_argument("--boot", action="store_true", help="a plain boot, no tests")
    parser.add_argument("--press", help="press the power button when a line has this text")
    options = parser.parse_args(own)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    judge = judge_boot if options.boot else judge_tests
    result = run(command or machine_from(options), options.timeout, judge, echo=True,
                 press=options.press)
    if result.verdict != PASSED:
        print(f"qemu_run: {result.verdict}: {result.why}", flush=True)
    return EXIT[result.verdict]


if __name__ == "__main__":
    sys.exit(main())

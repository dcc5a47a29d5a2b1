#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starts QEMU stopped at its first instruction, with gdb attached.

    debug.py [machine options of qemu_run.py] -- [gdb arguments]

The serial line appears between gdb's own output. QEMU ends with gdb.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

import qemu_run

PATIENCE = 10  # seconds until QEMU must have opened its socket


def wait_for(path, child):
    for _ in range(PATIENCE * 20):
        if os.path.exists(path):
            return
        if child.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit("debug: QEMU did not start")


def main():
    own, gdb_arguments = qemu_run.split_arguments()
    parser = argparse.ArgumentParser(description="a kernel in QEMU, under gdb")
    qemu_run.add_machine_options(parser)
    options = parser.parse_args(own)
    with tempfile.TemporaryDirectory() as scratch:
        socket = os.path.join(scratch, "gdb")
        command = qemu_run.machine_from(options)
        command += ["-S", "-gdb", f"unix:{socket},server=on,wait=off"]
        qemu = subprocess.Popen(qemu_run.TIED + command, stdin=subprocess.DEVNULL,
                                start_new_session=True)
        try:
            wait_for(socket, qemu)
            # Ctrl-C is for gdb, not for this script.
            signal.signal(signal.SIGINT, lambda *_: None)
            gdb = ["gdb", "-q", "-ex", f"target remote {socket}", *(gdb_arguments or []),
                   options.kernel]
            return subprocess.run(gdb, check=False).returncode
        finally:
            qemu.kill()
            qemu.wait()


if __name__ == "__main__":
    sys.exit(main())

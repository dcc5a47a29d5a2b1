# SPDX-License-Identifier: MIT
"""Changes a guest from outside, at an instruction, through QEMU's gdb port.

    with Remote(directory) as remote:
        remote.at(address, change)      # change(stop) is called there, once
        run(machine(..., extra=remote.extra), ...)
    remote.reached                      # whether the guest came by

`stop` reads and writes memory and registers of the stopped CPU. QEMU starts
stopped, so that the breakpoint is there before the first instruction.
The protocol is GDB's remote serial protocol, as its manual describes it.
"""
import os
import socket
import struct
import threading
import time

REGISTERS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp")


class Stop:
    """The guest, stopped."""

    def __init__(self, remote):
        self._remote = remote

    def read(self, address, size):
        return bytes.fromhex(self._remote.ask(f"m{address:x},{size:x}"))

    def write(self, address, data):
        answer = self._remote.ask(f"M{address:x},{len(data):x}:{data.hex()}")
        if answer != "OK":
            raise OSError(f"writing to {address:#x}: {answer}")

    def register(self, name):
        at = 16 * REGISTERS.index(name)
        return int.from_bytes(bytes.fromhex(self._remote.ask("g")[at:at + 16]), "little")


class Remote:
    def __init__(self, directory, patience=60):
        self._path = os.path.join(directory, "gdb")
        self._patience = patience
        self.extra = ["-S", "-gdb", f"unix:{self._path},server=on,wait=off"]
        self.reached, self.error = False, None

    def at(self, address, change):
        self._address, self._change = address, change

    def __enter__(self):
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join(self._patience)

    def ask(self, text):
        """Sends a packet and returns the answer's text."""
        self._send(text)
        return self._receive()

    def _send(self, text):
        self._socket.sendall(f"${text}#{sum(text.encode()) % 256:02x}".encode())

    def _receive(self):
        while (start := self._byte()) != b"$":
            if start == b"-":
                raise OSError("the guest's side did not understand")
        text = b""
        while (c := self._byte()) != b"#":
            text += c
        self._byte(), self._byte()
        self._socket.sendall(b"+")
        return text.decode()

    def _byte(self):
        c = self._socket.recv(1)
        if not c:
            raise EOFError("the guest has ended")
        return c

    def _connect(self):
        deadline = time.monotonic() + self._patience
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(self._patience)
        while True:
            try:
                return self._socket.connect(self._path)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _serve(self):
        try:
            self._connect()
            with self._socket:
                self.ask("?")
                self.ask(f"Z1,{self._address:x},1")
                self.ask("c")
                self._change(Stop(self))
                self.ask(f"z1,{self._address:x},1")
                self.reached = True
                self._send("D")
                self._receive()
        except Exception as error:  # whatever it is, the case tells of it
            self.error = error


def symbol(path, name):
    """Address of a symbol of a 64-bit ELF file."""
    with open(path, "rb") as file:
        data = file.read()
    sections, = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    table = [struct.unpack_from("<IIQQQQII", data, sections + size * i) for i in range(count)]
    for _, kind, _, _, at, length, link, _ in table:
        if kind != 2:  # SHT_SYMTAB
            continue
        names = table[link][4]
        for entry in range(at, at + length, 24):
            index, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", data, entry)
            start = names + index
            if data[start:data.index(b"\0", start)].decode() == name:
                return value
    raise KeyError(name)

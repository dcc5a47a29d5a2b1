# SPDX-License-Identifier: MIT
"""Writes what the fuzzer of PCI begins with into a folder: a virtio device, and a bridge."""
import os
import struct
import sys

WRITABLE = 7  # which bits of the BARs can be written, see fill() in pci.c


def put(space, offset, form, *values):
    struct.pack_into("<" + form, space, offset, *values)


def capability(space, at, after, kind, offset, *more):
    """One of virtio's, in BAR 4."""
    put(space, at, "BBBBBBHII", 9, after, 16 + 4 * len(more), kind, 4, 0, 0, offset, 0x1000)
    put(space, at + 16, f"{len(more)}I", *more)


def device():
    space = bytearray(256)
    put(space, 0, "HHHH", 0x1AF4, 0x1041, 7, 0x10)
    put(space, 0x10, "6I", 0, 0xFEBD1000, 0, 0, 0xFEB00000, 0)
    space[0x34] = 0x40
    capability(space, 0x40, 0x50, 1, 0)
    capability(space, 0x50, 0x64, 2, 0x3000, 4)
    capability(space, 0x64, 0x74, 3, 0x1000)
    capability(space, 0x74, 0x84, 4, 0x2000)
    put(space, 0x84, "BBHII", 0x11, 0x90, 2, 0x1, 0x801)
    put(space, 0x90, "BBHIHH", 0x10, 0, 2, 1 << 28, 0, 0)
    return space


def bridge():
    space = bytearray(256)
    put(space, 0, "HHHH", 0x1B36, 0x000C, 7, 0)
    put(space, 0x0E, "B", 0x81)
    put(space, 0x18, "BBB", 0, 1, 8)
    return space


def answers():
    """What a device says up to where it works: each register in the order in which it is read."""
    features = struct.pack("<II", 0x20000021, 1)
    begin = b"\0" + features + b"\x0b" + features + struct.pack("<H", 2)
    queue = struct.pack("<H", 256) + struct.pack("<HHHHH", 0, 1, 64, 1, 1)
    return begin + queue + b"\0" + b"\x52\x54\0\1\2\3" + b"\0"


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    flag = bytes([WRITABLE])
    texts = [flag + device() + b"\0", (flag + device()) * 4 + answers(),
             flag + bridge() + flag + device() + (flag + device()) * 2 + answers() * 3]
    for number, text in enumerate(texts):
        with open(os.path.join(folder, f"seed-{number}"), "wb") as file:
            file.write(text)


if __name__ == "__main__":
    main()

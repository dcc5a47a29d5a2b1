# SPDX-License-Identifier: MIT
"""Writes what the fuzzer of the IP stack begins with into a folder: rows of frames."""
import os
import struct
import sys

OWN, PEER = bytes([2, 0, 0, 0, 0, 2]), bytes([2, 0, 0, 0, 0, 1])
OWN4, PEER4 = bytes([10, 0, 0, 2]), bytes([10, 0, 0, 1])
PEER6, NODES6 = bytes([0xfe, 0x80] + [0] * 13 + [9]), bytes([0xff, 2] + [0] * 13 + [1])


def row(*frames, ticks=1):
    return b"".join(struct.pack(">H", ticks << 11 | len(f)) + f for f in frames)


def ethernet(kind, body):
    return OWN + PEER + struct.pack(">H", kind) + body


def ip4(protocol, body, fragment=0):
    return ethernet(0x800, struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, fragment, 64, protocol, 0)
                    + PEER4 + OWN4 + body)


def ip6(following, body, to=NODES6):
    return ethernet(0x86dd, struct.pack(">IHBB", 6 << 28, len(body), following, 255) + PEER6 + to + body)


def tcp(flags, number, answer, body=b""):
    options = bytes([2, 4, 5, 0xb4, 3, 3, 4, 1]) if flags & 2 else b""
    return ip4(6, struct.pack(">HHIIBBHHH", 2000, 80, number, answer, (5 + len(options) // 4) << 4, flags,
                              65535, 0, 0) + options + body)


def udp(port, body):
    return struct.pack(">HHHH", 53, port, 8 + len(body), 0) + body


ARP = ethernet(0x806, bytes.fromhex("0001080006040002") + PEER + PEER4 + OWN + OWN4)
ADVERT = bytes([134, 0, 0, 0, 64, 0, 7, 8] + [0] * 8 + [3, 4, 64, 0xc0] + [0, 0, 1, 0] * 2 + [0] * 4
               + [0xfd] + [0] * 15 + [5, 1, 0, 0, 0, 0, 5, 0xdc])
DNS = bytes.fromhex("0001818000010001000000000161076578616d706c6500000100 01c00c00010001000000 3c00040a010203")
SEEDS = [
    row(ARP),
    row(ARP, ip4(1, bytes([8, 0, 0, 0, 1, 2, 3, 4]) + b"echo")),
    row(ARP, tcp(2, 100, 0), tcp(0x10, 101, 1), tcp(0x18, 101, 1, b"hello"), tcp(0x11, 106, 1)),
    row(ARP, ip4(17, udp(80, b"hello")), ip4(17, udp(80, bytes(1000)), 0x2000), ip4(17, bytes(80), 126)),
    row(ARP, ip4(17, udp(50000, DNS)), ticks=12),
    row(ip6(58, ADVERT), ip6(58, bytes([135, 0, 0, 0, 0, 0, 0, 0]) + NODES6), ticks=31),
    row(ip6(44, bytes([17, 0, 0, 1, 0, 0, 0, 1]) + udp(80, bytes(64))),
        ip6(0, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp(80, b"6"))),
]


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        with open(os.path.join(folder, f"{number:02}"), "wb") as file:
            file.write(seed)


main()

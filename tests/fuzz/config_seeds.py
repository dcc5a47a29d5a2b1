# SPDX-License-Identifier: MIT
"""Writes what the fuzzer of the configuration begins with into a folder."""
import json
import os
import sys

PEM = "-----BEGIN {0}-----\naa\n-----END {0}-----\n"
CERTIFICATE, KEY = PEM.format("CERTIFICATE"), PEM.format("PRIVATE KEY")

PARTS = {
    "hostname": "node-7",
    "log": {"level": "debug"},
    "network": {"mode": "static", "address": "10.0.2.15/24", "gateway": "fd00::1", "dns": ["1.1.1.1", "::1"]},
    "api": {"listen": ["https://[::]:2376", "http://127.0.0.1:1"], "certificate": CERTIFICATE, "key": KEY,
            "clients": CERTIFICATE + CERTIFICATE},
    "registries": [{"name": "docker.io", "user": "u", "password": "\u00e9"},
                   {"name": "[::1]:5000", "plain_http": True}],
    "containers": [{"name": "web", "image": "nginx:1", "command": ["a", ""], "environment": ["A=1"],
                    "publish": ["80:80/tcp"], "memory_mib": 64, "cpu_percent": 150, "restart": "always"}],
}
OPTIONS = b"hostname=a loglevel=error network=static address=1.2.3.4/5 gateway=::1 dns=1.1.1.1,::1 " \
    b"listen=http://1.2.3.4:5,https://[::]:6"


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    texts = [b"", json.dumps(PARTS).encode(), json.dumps(PARTS, indent=1, ensure_ascii=False).encode()]
    texts += [json.dumps({name: part}).encode() for name, part in PARTS.items()]
    for number, text in enumerate(texts):
        with open(os.path.join(folder, f"{number:02}"), "wb") as file:
            file.write((OPTIONS if number % 2 == 0 else b"") + b"\0" + text)


main()

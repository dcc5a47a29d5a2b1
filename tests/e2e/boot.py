# SPDX-License-Identifier: MIT
"""Both boot paths, and what must stop a boot: each ends with its own message
and a failure code, none in silence."""
import os
import struct
import tempfile

from cases import BUILD, case, check, main
from qemu_run import GREETING, judge_boot, machine, run
from remote import Remote, symbol

KERNEL = f"{BUILD}/release/kernel.elf"
ARCHIVE = f"{BUILD}/user/off.cpio"
IMAGE = f"{BUILD}/themelios.efi"
ESP = f"{BUILD}/esp"
TIMEOUT = 60  # hang detector

# Places in abi/boot.h: struct boot_info.
INFO_KERNEL_BASE, INFO_ARCHIVE_BASE, INFO_ARCHIVE_SIZE, INFO_RANGE_COUNT = 16, 32, 40, 68
INFO_RANGES, RANGE_SIZE = 72 + 64 + 1024, 24
# Places in Xen's start_info.
START_MAGIC, START_MAP, START_MAP_COUNT = 0, 40, 48

# The firmware without a disk.
FIRMWARE = machine(esp=ESP)[:-2]


def direct(**more):
    """The machine with kernel and archive given to QEMU itself."""
    return machine(**{"kernel": KERNEL, "archive": ARCHIVE, **more})


def boot(command):
    """Runs and keeps every line, the firmware's too."""
    return run(command, TIMEOUT, judge_boot, greeting=None, press="composition: up")


def check_boots(command):
    """The boot passes, and nothing of ours comes before the greeting."""
    result = boot(command)
    check(result.verdict == "passed", f"{result.verdict}: {result.why}: {result.lines[-3:]}")
    first = next(i for i, line in enumerate(result.lines) if GREETING in line)
    ours = [line for line in result.lines[:first] if "boot:" in line or line.startswith("[")]
    check(not ours, f"before the greeting: {ours}")
    return result


def check_refused(result, words):
    """The boot ended with a message that has `words`, and with a failure code."""
    check(result.verdict == "failed", f"{result.verdict}: {result.why}: {result.lines[-3:]}")
    check(result.status == 1, f"ended with status {result.status}")
    found = result.find(r"boot: cannot start: (.*)")
    check(found and words in found.group(1), f"no '{words}' in: {result.lines[-3:]}")


def boot_changed(command, address, change):
    """Boots with a change from outside when the CPU comes to `address`."""
    with tempfile.TemporaryDirectory() as directory:
        remote = Remote(directory, TIMEOUT)
        remote.at(address, change)
        with remote:
            result = boot(command + remote.extra)
    check(remote.reached, f"the guest was not changed: {remote.error}: {result.lines[-3:]}")
    return result


def changed_start_info(change):
    """The PVH path; change(stop, address of start_info) at its first instruction."""
    return boot_changed(direct(), 0x200000, lambda s: change(s, s.register("rbx") & 0xffffffff))


def changed_boot_info(change, **more):
    """The UEFI path; change(stop, address of boot_info) when the kernel is entered."""
    return boot_changed(machine(esp=ESP, **more), symbol(KERNEL, "uefi_main"),
                        lambda s: change(s, s.register("rdi")))


def number(stop, address, size):
    return int.from_bytes(stop.read(address, size), "little")


@case
def pvh_boot_greets_first_and_powers_off():
    result = check_boots(direct())
    lines = [line for line in result.lines if line]
    check(lines[0].startswith(GREETING), lines[0])
    check(result.find("from PVH"), result.lines)


@case
def pvh_boot_takes_options():
    result = check_boots(direct(append="accept=nothing mispelt=1"))
    check(result.find("no kernel option: mispelt=1"), result.lines)
    check(not result.find("no kernel option: accept"), result.lines)


@case
def uefi_boot_greets_first_and_powers_off():
    result = check_boots(machine(esp=ESP))
    check(result.find("from UEFI"), result.lines)
    check(not result.find("no kernel option"), result.lines)


@case
def uefi_boot_takes_load_options():
    """QEMU's firmware loads what -kernel names, with -append as load options."""
    result = check_boots(FIRMWARE + ["-kernel", IMAGE, "-append", "accept=nothing mispelt=1"])
    check(result.find("from UEFI"), result.lines)
    check(result.find("no kernel option: mispelt=1"), result.lines)
    check(not result.find("no kernel option: accept"), result.lines)


@case
def uefi_boot_takes_the_firmwares_randomness():
    """A random source of the firmware's becomes one of the kernel's; the kernel
    has it from nowhere else."""
    seeded = r"seeded from .*boot seed"
    check(check_boots(machine(esp=ESP, extra=["-device", "virtio-rng-pci"])).find(seeded),
          "the seed was not used")
    check(not check_boots(machine(esp=ESP)).find(seeded), "a seed without a source")


@case
def uefi_boot_with_memory_above_4_gib():
    """The firmware puts the stub itself above 4 GiB then, the kernel stays below."""
    def look(stop, info):
        count = number(stop, info + INFO_RANGE_COUNT, 4)
        ranges = stop.read(info + INFO_RANGES, RANGE_SIZE * count)
        high = [base for base, _, kind, _ in struct.iter_unpack("<QQII", ranges)
                if kind == 2 and base >= 4 << 30]
        check(high, "nothing of the loader's is above 4 GiB")
        check(number(stop, info + INFO_KERNEL_BASE, 8) < 4 << 30, "the kernel is")
    result = changed_boot_info(look, mem="5G")
    check(result.verdict == "passed", f"{result.verdict}: {result.why}")
    found = result.find(r"(\d+) MiB of memory")
    check(found and int(found.group(1)) > 5000, result.lines)


@case
def micro_machine_ends_by_itself():
    """No ACPI power-off there, with or without ACPI tables: what boots ends, and
    what is refused says why and ends with a failure."""
    for kind in ("microvm", "microvm,acpi=off"):
        command = direct()
        command[command.index("q35")] = kind
        result = boot(command)
        check(result.verdict in ("passed", "failed"), f"{kind}: {result.why}")
        command = direct(archive=None)
        command[command.index("q35")] = kind
        check_refused(boot(command), "no boot archive was given")


@case
def no_archive_is_refused():
    check_refused(boot(direct(archive=None)), "no boot archive was given")


def check_archive_refused(content):
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        result = boot(direct(archive=file.name))
    check_refused(result, f"with 0x{len(content):x} bytes is no intact cpio archive")


@case
def archive_of_garbage_is_refused():
    check_archive_refused(bytes(range(256)) * 16)


@case
def archive_cut_short_is_refused():
    with open(ARCHIVE, "rb") as file:
        content = file.read()
    check_archive_refused(content[:content.index(b"TRAILER!!!") + 5])


@case
def too_little_memory_is_refused():
    check_refused(boot(direct(mem="24M")), "KiB of memory, at least 32768 KiB are needed")


@case
def command_line_too_long_is_refused():
    check_refused(boot(direct(append="x" * 1024)), "longer than 1023 characters")
    check_boots(direct(append="x" * 1023))


@case
def wrong_pvh_magic_is_refused():
    def change(stop, info):
        check(number(stop, info + START_MAGIC, 4) == 0x336ec578, "no start info")
        stop.write(info + START_MAGIC, struct.pack("<I", 0x2badb002))
    check_refused(changed_start_info(change), "wrong magic number 0x2badb002")


@case
def pvh_map_truncated_is_refused():
    """Only the first entry is left: memory below the BIOS's hole."""
    def change(stop, info):
        check(number(stop, info + START_MAP_COUNT, 4) > 1, "a map of one entry")
        stop.write(info + START_MAP_COUNT, struct.pack("<I", 1))
    check_refused(changed_start_info(change), "KiB of memory, at least")


@case
def pvh_map_without_entries_is_refused():
    check_refused(changed_start_info(lambda stop, info: stop.write(info + START_MAP_COUNT,
                                                                   bytes(4))), "no memory map")


@case
def pvh_map_of_too_many_entries_is_refused():
    check_refused(changed_start_info(
        lambda stop, info: stop.write(info + START_MAP_COUNT, b"\xff\xff\xff\xff")),
        "has 4294967295 entries")


@case
def pvh_map_elsewhere_is_refused():
    """The structures must be where the first tables reach."""
    check_refused(changed_start_info(
        lambda stop, info: stop.write(info + START_MAP, struct.pack("<Q", 1 << 40))),
        "memory map at 0x10000000000 is not below 4 GiB")


def overlap(stop, ranges, count, size):
    """Gives the first entry that ends where its neighbour begins a byte more."""
    for at in range(ranges, ranges + (count - 1) * size, size):
        base, length = struct.unpack("<QQ", stop.read(at, 16))
        if base + length == number(stop, at + size, 8):
            stop.write(at + 8, struct.pack("<Q", length + 1))
            return
    check(False, "no two entries touch")


@case
def pvh_map_with_overlap_is_refused():
    check_refused(changed_start_info(
        lambda stop, info: overlap(stop, number(stop, info + START_MAP, 8),
                                   number(stop, info + START_MAP_COUNT, 4), 24)), "overlap")


@case
def uefi_map_with_overlap_is_refused():
    check_refused(changed_boot_info(
        lambda stop, info: overlap(stop, info + INFO_RANGES,
                                   number(stop, info + INFO_RANGE_COUNT, 4), RANGE_SIZE)),
        "overlap")


@case
def uefi_map_truncated_is_refused():
    """The entries up to 16 MiB are left; the kernel lies higher."""
    def change(stop, info):
        count = number(stop, info + INFO_RANGE_COUNT, 4)
        bases = [number(stop, info + INFO_RANGES + RANGE_SIZE * i, 8) for i in range(count)]
        check(bases == sorted(bases), "the stub's map is not sorted")
        left = sum(base < 16 << 20 for base in bases) - 1
        # What is left out of the map goes from the sum as well: pad the last one.
        at = info + INFO_RANGES + RANGE_SIZE * left
        stop.write(at, struct.pack("<QQII", 8 << 30, 64 << 20, 1, 0))
        stop.write(info + INFO_RANGE_COUNT, struct.pack("<I", left + 1))
    check_refused(changed_boot_info(change), "is not inside RAM")


@case
def uefi_archive_missing_or_garbage_is_refused():
    check_refused(changed_boot_info(
        lambda stop, info: stop.write(info + INFO_ARCHIVE_SIZE, bytes(8))),
        "no boot archive was given")
    check_refused(changed_boot_info(
        lambda stop, info: stop.write(number(stop, info + INFO_ARCHIVE_BASE, 8), b"\0" * 6)),
        "is no intact cpio archive")


def boot_image(image):
    """Boots a node image from a disk of its own."""
    with tempfile.TemporaryDirectory() as esp:
        os.makedirs(f"{esp}/EFI/BOOT")
        with open(f"{esp}/EFI/BOOT/BOOTX64.EFI", "wb") as file:
            file.write(image)
        return boot(machine(esp=esp))


@case
def uefi_stub_refuses_a_kernel_that_is_none():
    with open(IMAGE, "rb") as file:
        image = bytearray(file.read())
    with open(f"{BUILD}/uefi/kernel.elf", "rb") as file:
        at = image.index(file.read())  # the archive holds programs, too
    image[at + 1] ^= 1
    check_refused(boot_image(image), "the kernel is no ELF file")
    image[at + 1] ^= 1
    image[at + 18] ^= 1
    check_refused(boot_image(image), "the kernel is no executable for this machine")


main()

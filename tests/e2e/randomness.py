# SPDX-License-Identifier: MIT
"""Where randomness comes from: what the log says, and that boots differ."""
import qemu_run
from cases import BUILD, case, check, main

SHIPPED = {"kernel": f"{BUILD}/release/kernel.elf", "archive": f"{BUILD}/user/off.cpio"}
TESTS = {"kernel": f"{BUILD}/debug/kernel-test.elf", "archive": f"{BUILD}/user/off.cpio",
         "append": "test=random_sample_for_comparison"}
IMAGE = {"esp": f"{BUILD}/esp"}
NO_SOURCE = "max,-rdrand,-rdseed"


def with_cpu(command, model):
    """The same machine with another processor."""
    return [model if argument == "max" else argument for argument in command]


def boot(files, extra):
    """A plain boot of the kernel that ships, on a processor without a source."""
    command = with_cpu(qemu_run.machine(extra=extra, **files), NO_SOURCE)
    return qemu_run.run(command, judge=qemu_run.judge_boot, press="composition: up")


def sample(model):
    """A word that the generator gave, and the sources that it was seeded from."""
    result = qemu_run.run(with_cpu(qemu_run.machine(**TESTS), model))
    check(result.verdict == qemu_run.PASSED, result.why)
    word, sources = (result.find(pattern) for pattern in (
        r"^random sample ([0-9a-f]{16})$", r" info  random: seeded from (.*)$"))
    check(word and sources, "the boot shows no sample or no sources")
    return word.group(1), sources.group(1)


@case
def two_boots_draw_different_numbers():
    first, second = sample("max"), sample("max")
    check(first[1] == second[1] == "rdrand", f"seeded from {first[1]} and {second[1]}")
    check(first[0] != second[0], f"both boots drew {first[0]}")


@case
def without_hardware_source_timer_jitter_seeds():
    first, second = sample(NO_SOURCE), sample(NO_SOURCE)
    check(first[1] == second[1] == "timer jitter", f"seeded from {first[1]} and {second[1]}")
    check(first[0] != second[0], f"both boots drew {first[0]}")


@case
def the_seed_of_the_firmware_is_enough():
    result = boot(IMAGE, ["-device", "virtio-rng-pci"])
    check(result.verdict == qemu_run.PASSED, result.why)
    check(result.find(r" info  random: seeded from boot seed$"), "the seed is not named")


@case
def a_machine_without_randomness_is_refused():
    # Here the time-stamp counter counts instructions, so nothing varies.
    result = boot(SHIPPED, ["-icount", "shift=0"])
    check(result.find(r" error boot: cannot start: no source of randomness"),
          f"{result.verdict}: {result.why}")
    check(result.status == 1, f"ended with status {result.status}")


main()

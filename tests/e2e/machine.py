# SPDX-License-Identifier: MIT
"""Machines of other kinds: what firmware lists is found and used, what is missing
is done without or said."""
from cases import BUILD, case, check, main
from qemu_run import judge_boot, machine, run

KERNEL = f"{BUILD}/release/kernel.elf"
TESTS = f"{BUILD}/debug/kernel-test.elf"
ARCHIVE = f"{BUILD}/user/off.cpio"
TIMEOUT = 60  # hang detector


def boot(command):
    result = run(command, TIMEOUT, judge_boot)
    return result, "\n".join(result.lines)


def without(command, *words):
    """The command less each of the words and the option before it."""
    for word in words:
        at = command.index(word)
        command = command[:at - 1] + command[at + 1:]
    return command


def tsc_khz(result, text):
    found = result.find(r" info  time: TSC (\d+) kHz by ")
    check(found, f"the log tells no rate:\n{text}")
    return int(found.group(1))


@case
def machine_clock_is_right_where_instructions_are_counted():
    # One instruction takes one nanosecond, for every clock of the machine. QEMU can't
    # count instructions and have x2APIC at once.
    command = ["max,-x2apic" if word == "max" else word for word in machine(KERNEL, ARCHIVE)]
    result, text = boot(command + ["-icount", "shift=0"])
    check(result.verdict == "passed", f"{result.why}\n{text}")
    check(abs(tsc_khz(result, text) - 1_000_000) < 100, text)


@case
def machine_with_too_many_cpus_says_how_many_are_left_out():
    result, text = boot(machine(KERNEL, ARCHIVE, smp="66,maxcpus=66"))
    check(result.verdict == "passed", f"{result.why}\n{text}")
    check(result.find(r" warn  smp: 2 CPUs are left out"), text)
    check(result.find(r" info  smp: 64 CPUs run$"), text)


@case
def machine_with_offline_cpus_does_not_count_them():
    result, text = boot(machine(KERNEL, ARCHIVE, smp="2,maxcpus=6"))
    check(result.verdict == "passed", f"{result.why}\n{text}")
    check(result.find(r" info  smp: 2 CPUs run$") and not result.find(r" warn  smp: "), text)


@case
def machine_with_sparse_cpu_numbers_starts_them():
    # Three cores in a socket leave gaps between the numbers of the local APICs.
    command = machine(TESTS, ARCHIVE, smp="6,sockets=2,cores=3,threads=1", append="test=smp_")
    result = run(command, TIMEOUT)
    check(result.verdict == "passed", f"{result.why}\n" + "\n".join(result.lines))
    check(result.find(r" info  smp: 6 CPUs run$"), "\n".join(result.lines))


def microvm(options):
    command = [f"microvm,{options}" if word == "q35" else word for word in machine(KERNEL, ARCHIVE)]
    return without(command, "pvpanic")


@case
def machine_without_acpi_runs_one_cpu_and_ends():
    result, text = boot(microvm("acpi=off"))
    check(result.verdict == "passed", f"{result.why}\n{text}")
    check(result.find(r" warn  acpi: no tables") and result.find(r" kHz by the PIT, "), text)
    check(result.find(r" info  smp: 1 CPUs run$"), text)


@case
def machine_without_a_way_to_switch_it_off_says_so_and_ends():
    result, text = boot(machine(KERNEL, ARCHIVE, extra=["-no-acpi"]))
    check(result.verdict == "passed", f"{result.why}\n{text}")
    check(result.find(r" error power: this machine can't be switched off"), text)


@case
def machine_with_reduced_hardware_is_switched_off():
    result, text = boot(microvm("acpi=on"))
    check(result.verdict == "passed" and result.status == 0, f"{result.why}\n{text}")
    check(result.find(r" info  irq: xAPIC, 48 lines"), text)
    check(not result.find(r" (warn|error) "), text)


@case
def machine_without_any_clock_is_refused():
    result, text = boot(microvm("acpi=on,pit=off"))
    check(result.find(r" error boot: cannot start: no clock to measure "), text)


@case
def machine_without_panic_device_is_switched_off_by_a_panic():
    command = machine(TESTS, ARCHIVE, append="test.crash=panic")
    result, text = boot(without(command, "pvpanic"))
    check(result.find(r" error panic: as it was asked for$"), text)
    check(result.status == 0, f"{result.verdict}: {result.why}\n{text}")
    check(not result.find(r"can't be switched off"), text)


@case
def machine_stops_every_cpu_before_a_report():
    result, text = boot(machine(TESTS, ARCHIVE, smp=4, append="test.crash=others"))
    check(result.status == 1 and result.find(r" error panic: while the others spin$"), text)
    turns = result.find(r"^  the others made (\d+) turns before the report, (\d+) in it$")
    check(turns and int(turns.group(1)) > 0 and int(turns.group(2)) == 0, text)
    check(not result.find(r"some CPUs do not stop"), text)


@case
def machine_reports_though_a_cpu_does_not_stop():
    result, text = boot(machine(TESTS, ARCHIVE, smp=3, append="test.crash=deaf"))
    check(result.status == 1 and result.find(r" error panic: with a deaf CPU$"), text)
    check(result.find(r" warn  panic: some CPUs do not stop$"), text)


main()

# SPDX-License-Identifier: MIT
"""Processors that the kernel refuses, and those that it takes with less."""
import qemu_run
from cases import BUILD, case, check, main


def boot(cpu, append="", kernel="release/kernel.elf", judge=qemu_run.judge_boot):
    command = qemu_run.machine(f"{BUILD}/{kernel}", f"{BUILD}/user/off.cpio", append=append, smp=2)
    command[command.index("-cpu") + 1] = cpu
    return qemu_run.run(command, timeout=60, judge=judge)


def told(result):
    return f"{result.verdict}: {result.why}\n" + "\n".join(result.lines)


@case
def cpu_open_to_meltdown_is_refused():
    result = boot("Skylake-Client")
    check(result.verdict == qemu_run.FAILED and result.status == 1, told(result))
    check(result.find(r"cannot start: the processor \(GenuineIntel family 6 model 94\) .*Meltdown"),
          told(result))


@case
def cpu_open_to_meltdown_is_taken_if_accepted():
    result = boot("Skylake-Client", "accept=meltdown")
    check(result.verdict == qemu_run.PASSED, told(result))
    check(result.find(r"warn  cpu: .*\(Meltdown\), accepted"), told(result))


@case
def cpu_acceptance_of_something_else_does_not_count():
    result = boot("Skylake-Client", "accept=meltdowns")
    check(result.verdict == qemu_run.FAILED, told(result))


@case
def cpu_without_required_features_is_refused():
    result = boot("max,-nx,-pge")
    check(result.verdict == qemu_run.FAILED and result.status == 1, told(result))
    check(result.find("cannot start: the processor lacks pge nx$"), told(result))


@case
def cpu_without_long_mode_is_refused():
    result = boot("max,-lm")
    check(result.verdict == qemu_run.FAILED and result.status == 1, told(result))
    check(result.find("cannot start: the processor lacks long-mode$"), told(result))


@case
def cpu_without_optional_features_passes_all_tests():
    result = boot("qemu64", kernel="debug/kernel-test.elf", judge=qemu_run.judge_tests)
    check(result.verdict == qemu_run.PASSED, told(result))
    check(result.find("uses nx; lacks smep smap umip fsgsbase pcid invpcid 1gib-pages xsave"),
          told(result))


main()

# SPDX-License-Identifier: MIT
"""Each exception that the kernel can raise ends in one report that names it, and
in a failure; the kernel with the tests provokes them (test.crash=NAME)."""
import re

import qemu_run
from cases import BUILD, case, check, main

FRAME = r"^  0x[0-9a-f]{16} (\S+?)\+0x"
REGISTERS = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11",
             "r12", "r13", "r14", "r15", "rip", "rflags", "cs", "ss", "cr0", "cr2", "cr3", "cr4",
             "gs", "error"]

# What the reason says, for the exceptions that happen in a function of their own.
REASONS = {
    "divide": "#DE divide error",
    "debug": "#DB debug",
    "nmi": "NMI",
    "breakpoint": "#BP breakpoint",
    "overflow": "#OF overflow",
    "bound": "#BR bound range exceeded",
    "opcode": "#UD invalid opcode",
    "no_fpu": "#NM device not available",
    "double_fault": "#DF double fault",
    "segment": "#NP segment not present: entry 3 of the GDT",
    "stack_segment": "#SS stack fault: entry 2 of the GDT",
    "protection": "#GP general protection",
    "page_read": "#PF page fault: read at 0x10, which is not mapped",
    "page_write": "#PF page fault: write at 0xffffffff8[0-9a-f]{7}, which the page's rights forbid",
    "page_user": "#PF page fault: write at 0x400000, which is a user page",
    "x87": "#MF x87 error",
    "simd": "#XM SIMD error",
    "machine_check": "#MC machine check",
}


def crash(name):
    """Boots and crashes; checks what every report has. Gives the lines of the
    report and the functions of its backtrace."""
    command = qemu_run.machine(f"{BUILD}/debug/kernel-test.elf", f"{BUILD}/user/off.cpio",
                               append=f"test.crash={name}", smp=1)
    result = qemu_run.run(command, timeout=60, judge=qemu_run.judge_boot)
    text = "\n".join(result.lines)
    check(result.verdict == qemu_run.FAILED and result.status == 1, f"{name}: {result.why}\n{text}")
    at = next((i for i, line in enumerate(result.lines) if " error panic: " in line), None)
    check(at is not None, f"{name}: no report\n{text}")
    lines = result.lines[at:]
    return lines, [m.group(1) for m in (re.match(FRAME, line) for line in lines) if m]


def check_exception(name, lines, reason):
    text = "\n".join(lines)
    check(re.search(rf"cpu0 error panic: {reason}$", lines[0]), f"{name}: {text}")
    check(sum(" panic: " in line for line in lines) == 1, f"{name}: more than one report\n{text}")
    check("cpu 0, kernel mode, thread none" in lines[1], f"{name}: {text}")
    for register in REGISTERS:
        check(re.search(rf"\b{register} +[0-9a-f]+\b", text), f"{name}: no {register}\n{text}")


@case
def crash_reports_name_exception_and_function():
    for name, reason in REASONS.items():
        lines, functions = crash(name)
        check_exception(name, lines, reason)
        check(re.match(rf"  rip [0-9a-f]{{16}} crash_{name}\+0x", lines[2]), f"{name}: {lines[2]}")
        check(functions[-3:-1] == ["kernel_test_main", "kernel_main"] or
              functions[-4:-2] == ["kernel_test_main", "kernel_main"], f"{name}: {functions}")


@case
def crash_in_data_is_reported_with_its_caller():
    lines, functions = crash("page_execute")
    check_exception("page_execute", lines, "#PF page fault: execution at 0xffffffff8[0-9a-f]{7}, "
                    "which the page's rights forbid")
    check(functions[:1] == ["crash_page_execute"], str(functions))


@case
def crash_in_nothing_is_reported_with_its_caller():
    lines, functions = crash("jump")
    check_exception("jump", lines, "#PF page fault: execution at 0x0, which is not mapped")
    check(functions[:1] == ["crash_jump"], str(functions))


@case
def crash_of_the_stack_is_reported_from_another():
    lines, functions = crash("stack")
    check_exception("stack", lines,
                    "#DF double fault; the kernel stack overflowed into its guard page")
    check(functions and all(f.startswith("overflow") for f in functions), str(functions))
    check(len(functions) <= 32, "the backtrace is not bounded")


@case
def crash_without_gs_ends_on_another_stack():
    lines, _ = crash("gs")
    check_exception("gs", lines, "#DF double fault; the kernel stack overflowed into its guard page")


@case
def crash_of_a_canary_is_reported():
    lines, functions = crash("canary")
    check("a stack canary was overwritten" in lines[0], lines[0])
    check("crash_canary" in functions, str(functions))


@case
def device_window_in_memory_is_refused():
    lines, functions = crash("device_in_memory")
    check(re.search(r"panic: can't map 4 bytes of device registers at 0x200000$", lines[0]), lines[0])
    check("arch_device_map" in functions, str(functions))


@case
def crash_inside_a_report_ends_it():
    lines, _ = crash("report")
    check(lines[0].endswith("panic: a report that faults"), lines[0])
    check(len(lines) == 3, "\n".join(lines))
    check(lines[2].endswith("while reporting that: #PF page fault: read at 0x10, "
                            "which is not mapped"), lines[2])


main()

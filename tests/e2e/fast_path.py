# SPDX-License-Identifier: MIT
"""The short way from thread to thread gives the results of the ordinary one: every
case from user mode ends alike with it and without it."""
from cases import BUILD, case, check, main
from qemu_run import CASE, machine, run

TIMEOUT = 400  # hang detector


def verdicts(option):
    """Case -> verdict, on one CPU, where nobody is ever in the way of the short way."""
    command = machine(kernel=f"{BUILD}/debug/kernel.elf", archive=f"{BUILD}/user/test.cpio",
                      smp=1, append=option)
    result = run(command, TIMEOUT)
    check(result.verdict == "passed", f"{option}: {result.verdict}: {result.why}")
    return {m.group(1): m.group(2) for m in map(CASE.match, result.lines) if m}


@case
def results_are_the_same_without_the_fast_path():
    fast, slow = verdicts(""), verdicts("test.slow=1")
    check(len(fast) >= 150, f"only {len(fast)} cases")
    differ = [name for name in fast if fast[name] != slow.get(name)]
    check(fast.keys() == slow.keys() and not differ, f"differ: {differ}")


main()

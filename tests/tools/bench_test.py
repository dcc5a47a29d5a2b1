# SPDX-License-Identifier: MIT
"""What the benchmarks read out of a node's lines: the figures, or that there are none."""
import bench_node
from cases import case, check, main

LINES = ["Hello from ThemeliOS 0.1.0 (0123456789ab)",
         "[    0.100000] cpu0 info  smp: 2 CPUs run",
         "[    0.130000] cpu0 info  boot: idle after 130000 us, 3128 KiB used of 523240",
         "[    0.200000] cpu? info  init: composition: up after 200000 us, 2040 KiB used, "
         "519108 KiB free",
         "[   70.000000] cpu? info  meter: idle for 60000 ms: 30 interrupts, 150 switches"]
TIMES = [1.0, 1.1, 1.13, 1.25, 2.0]


def has_no_figure(read, *arguments):
    try:
        check(False, f"a figure: {read(*arguments)}")
    except bench_node.Unfit:
        pass


def deaths(count):
    return [f"[    1.000000] cpu? info  meter: twin was away for {1000 * n} us"
            for n in range(count, 0, -1)]


@case
def bench_reads_how_the_composition_came_up():
    seconds, kib = bench_node.read_composition(LINES, TIMES)
    check(abs(seconds - 0.25) < 1e-9 and kib == 523240 - 519108, f"{seconds} s, {kib} KiB")
    has_no_figure(bench_node.read_composition, LINES[:3], TIMES)
    has_no_figure(bench_node.read_composition, LINES + LINES[3:4], TIMES + [3.0])
    has_no_figure(bench_node.read_composition, [LINES[0], LINES[3]], TIMES)


@case
def bench_reads_every_death():
    away = bench_node.read_deaths(["another line"] + deaths(bench_node.DEATHS), "twin")
    check(away == [float(n) for n in range(1, bench_node.DEATHS + 1)], away)
    has_no_figure(bench_node.read_deaths, deaths(bench_node.DEATHS - 1), "twin")
    has_no_figure(bench_node.read_deaths, deaths(bench_node.DEATHS), "victim")


@case
def bench_reads_what_an_idle_node_does():
    check(bench_node.read_idle(LINES) == (2.5, 0.5), bench_node.read_idle(LINES))
    has_no_figure(bench_node.read_idle, LINES[:4])


main()

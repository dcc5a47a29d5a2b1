# SPDX-License-Identifier: MIT
"""The whole node, measured from inside: what must hold on any host."""
import bench_node
from cases import case, check, main


@case
def idle_node_is_hardly_woken():
    """In virtual time, so the figure does not depend on the host."""
    with open("bench/aims.tsv", encoding="utf-8") as aims:
        aim = next(float(line.split("\t")[2]) for line in aims
                   if line.startswith("idle_wakeups_per_s\t"))
    figures = {name: value for name, value, _ in bench_node.idle_node()}
    check(0 < figures["idle_wakeups_per_s"] <= aim, figures)


@case
def services_come_back_every_time():
    lines = bench_node.meter("restart")
    for name in ("victim", "twin"):
        check(min(bench_node.read_deaths(lines, name)) > 0, name)
    faults = [line for line in lines if "init: victim: has faulted" in line]
    check(len(faults) == bench_node.DEATHS, f"{len(faults)} faults")


main()

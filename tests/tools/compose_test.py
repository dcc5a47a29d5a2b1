# SPDX-License-Identifier: MIT
"""Compositions: what the C file holds is what the text says, and what is wrong is told with its line."""
import os
import subprocess
import sys
import tempfile

from cases import case, check, main

FILES = ["bin/a", "bin/b", "image"]

GOOD = """\
# Programs stand in any order.
total 2M

program reader                      # needs what comes later
	file      bin/a
	quota     512K reserve 256K
	cpu       priority 100 weight 2048 budget 150% of 10ms on 0-2,5
	restart   always 3 within 10s
	heartbeat 250ms
	stop      1500us
	arguments verbose "two words" "a # \\ é"
	uses      log.log write read copy as out
	uses      init.supervisor status shutdown
	holds     node log irq as machine
	holds     ports 0x3f8-0x3ff read as serial
	holds     irq 9 level low
	holds     memory as all

program log
	file      bin/b
	quota     1M reserve 1M
	state     64K
	serves    log supervisor
	holds     device 0xfed00000-0xfed01fff
	holds     device all read as tables
	holds     file image
	holds     archive
	holds     cmdline
	holds     acpi
	holds     cpus
"""

# Prints what was compiled, with the types that init sees.
PRINTER = r"""
#include <services/init/composition.h>
#include <stdio.h>

#define LONG(x) (unsigned long long)(x)

static void tell_grant(const struct grant *g)
{
	printf("  %s kind %d rights %x use %u.%u.%x range %llx+%llx %s\n", g->name, g->kind, g->rights,
	       g->program, g->protocol, g->service_rights, LONG(g->from), LONG(g->count),
	       g->file ? g->file : "-");
}

static void tell(const struct program_spec *p)
{
	printf("%s %s limit %llu reservation %llu state %llu\n", p->name, p->file, LONG(p->limit),
	       LONG(p->reservation), LONG(p->state));
	printf(" priority %u weight %u budget %llu period %llu cpus %llx\n", p->priority, p->weight,
	       LONG(p->budget), LONG(p->period), LONG(p->cpus));
	printf(" restart %d %u %llu heartbeat %llu stop %llu needs %llx protocols %u\n", p->restart,
	       p->restarts, LONG(p->within), LONG(p->heartbeat), LONG(p->stop), LONG(p->needs),
	       p->protocols);
	printf(" arguments ");
	for (unsigned i = 0; i < p->arguments_size; i++)
		printf(p->arguments[i] ? "%c" : "|", p->arguments[i]);
	printf("\n");
	for (unsigned i = 0; i < p->grants; i++)
		tell_grant(&p->grant[i]);
}

int main(void)
{
	for (unsigned i = 0; i < composition.programs; i++)
		tell(&composition.program[i]);
}
"""

READ, WRITE, MAP = 4, 8, 0x20  # abi/rights.h

HELD = f"""\
log bin/b limit 1048576 reservation 1048576 state 65536
 priority 64 weight 1024 budget 0 period 0 cpus ffffffffffffffff
 restart 1 5 60000000000 heartbeat 0 stop 1000000000 needs 0 protocols 2
 arguments |
  device kind 3 rights {READ + WRITE + MAP:x} use 0.0.0 range fed00+2 -
  tables kind 3 rights {READ:x} use 0.0.0 range 0+0 -
  file kind 5 rights {READ + MAP:x} use 0.0.0 range 0+0 image
  archive kind 4 rights {READ + MAP:x} use 0.0.0 range 0+0 -
  cmdline kind 9 rights {READ + MAP:x} use 0.0.0 range 0+0 -
  acpi kind 10 rights {READ + MAP:x} use 0.0.0 range 0+0 -
  cpus kind 7 rights 3 use 0.0.0 range 0+0 -
reader bin/a limit 524288 reservation 262144 state 0
 priority 100 weight 2048 budget 15000000 period 10000000 cpus 27
 restart 0 3 10000000000 heartbeat 250000000 stop 1500000 needs 1 protocols 0
 arguments verbose|two words|a # \\ é||
  out kind 0 rights 1001 use 0.0.3 range 0+0 -
  supervisor kind 0 rights 1 use 48.0.6 range 0+0 -
  machine kind 1 rights 11 use 0.0.0 range 0+0 -
  serial kind 2 rights {READ:x} use 0.0.0 range 3f8+8 -
  irq kind 8 rights 1 use 0.0.0 range 300000009+1 -
  all kind 6 rights 5 use 0.0.0 range 0+0 -
"""


def compose(folder, text, *options, files=tuple(FILES)):
    path = os.path.join(folder, "x.composition")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return subprocess.run([sys.executable, "tools/compose.py", path, *options, "--files", *files],
                          capture_output=True, text=True, check=False)


@case
def compose_makes_what_the_file_says():
    with tempfile.TemporaryDirectory() as folder:
        made, printer, program = (os.path.join(folder, name) for name in ("c.c", "print.c", "print"))
        done = compose(folder, GOOD, "--output", made)
        check(done.returncode == 0 and not done.stderr, done.stderr)
        with open(printer, "w", encoding="utf-8") as file:
            file.write(PRINTER)
        subprocess.run(["gcc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-I.", "-o", program, made,
                        printer], check=True)
        told = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    for want, got in zip(HELD.splitlines() + ["(end)"], told.splitlines() + ["(end)"]):
        check(want == got, f"{got!r} in place of {want!r}")


@case
def compose_shows_a_table():
    with tempfile.TemporaryDirectory() as folder:
        done = compose(folder, GOOD, "--show")
    lines = done.stdout.splitlines()
    check(done.returncode == 0 and len(lines) == 1 + 2 + 7 + 6 + 1, done.stdout + done.stderr)
    check(lines[1].split()[:5] == ["0", "log", "1M", "1M", "64K"], lines[1])
    check("    out: uses log.log (write read copy)" in lines, done.stdout)
    check("    device: holds device 0xfed00000-0xfed01fff (read write map)" in lines, done.stdout)
    check(lines[-1] == "1280K of 2M are reserved", lines[-1])


@case
def compose_keeps_the_order_of_the_file_where_it_can():
    text = "total 1M\n" + "".join(
        f"program {name}\n file bin/a\n quota 4K\n serves log\n" +
        "".join(f" uses {other}.log write as {other}\n" for other in uses)
        for name, uses in (("e", "b"), ("d", ""), ("b", "ca"), ("a", ""), ("c", "")))
    with tempfile.TemporaryDirectory() as folder:
        lines = compose(folder, text, "--show").stdout.splitlines()
    order = "".join(line.split()[1] for line in lines[1:-1] if not line.startswith("    "))
    check(order == "dacbe", order)


BASE = "total 1M\nprogram a\n file bin/a\n quota 64K reserve 64K\n serves log\n"  # five lines
OTHER = "program b\n file bin/b\n quota 64K\n serves log\n"  # lines 6 to 9
LONG = "n" * 24


def refused(text, *errors, files=tuple(FILES)):
    """Each error is a line and a part of its sentence; there are no others, and nothing is made."""
    with tempfile.TemporaryDirectory() as folder:
        made = os.path.join(folder, "c.c")
        done = compose(folder, text, "--output", made, files=files)
        check(done.returncode == 1, f"exit status {done.returncode}: {done.stderr}")
        check(not os.path.exists(made), "it was written")
    told = done.stderr.splitlines()
    check(len(told) == len(errors), f"{len(errors)} errors expected:\n{done.stderr}")
    for line, (number, sentence) in zip(told, errors):
        check(f"x.composition:{number}: " in line and sentence in line,
              f"{line!r} in place of {number}: {sentence}")


@case
def compose_refuses_unknown_words():
    refused(BASE + " colour red\n", (6, "there is no key colour"))
    refused("file bin/a\n" + BASE, (1, "belongs to a program"))
    refused(BASE + " uses x.log write\n", (6, "there is no program x"))
    refused(BASE + " uses init.log write\n", (6, "init does not serve log"))
    refused(BASE + OTHER + " uses a.supervisor own\n", (10, "a does not serve supervisor"))
    refused(BASE + " uses init write\n", (6, "written as program.protocol"))
    refused(BASE + OTHER + " uses a.log paint\n", (10, "log has no right paint; there are write, read"))
    refused(BASE + OTHER + " uses a.log copy\n", (10, "a right on log is missing"))
    refused(BASE + " holds gold\n", (6, "there is no gold to be held"))
    refused(BASE + " holds node paint\n", (6, "node has no right paint"))
    refused(BASE + " holds node\n", (6, "a right on the node is missing"))
    refused(BASE + " holds ports 1-2 bind\n", (6, "ports has no right bind"))
    refused("total 1M\nprogram a\n file bin/a\n quota 64K\n serves nonsense\n",
            (5, "there is no protocol nonsense"))
    refused("total 1M\nprogram a\n file bin/a\n quota 64K\n serves program\n",
            (5, "there is no protocol program"))
    refused(BASE + " restart sometimes\n", (6, "there is no policy sometimes"))
    refused(BASE + " cpu colour 3\n", (6, "a share of the CPUs has no colour"))


@case
def compose_refuses_files_that_are_not_there():
    refused("total 1M\nprogram a\n file bin/none\n quota 64K\n", (3, "no file bin/none in the boot"))
    refused(BASE + " holds file none\n", (6, "there is no file none in the boot archive"))


@case
def compose_refuses_numbers_out_of_range():
    refused(BASE + " state 64Q\n", (6, "'Q' is no unit of a size; there are K, M, G"))
    refused(BASE + " stop 5\n", (6, "'' is no unit of a time"))
    refused(BASE + " stop soon\n", (6, "'soon' is no time"))
    refused(BASE + " state 5000\n", (6, "5000 is not a whole number of pages"))
    refused(BASE + " cpu priority 256\n", (6, "256 is not within 0 to 255"))
    refused(BASE + " cpu weight 0\n", (6, "0 is not within 1 to 65536"))
    refused(BASE + " cpu weight 65537\n", (6, "65537 is not within 1 to 65536"))
    refused(BASE + " cpu budget 10ms of 20ms\n", (6, "a budget is a share in %"))
    refused(BASE + " cpu budget 10% of 100us\n", (6, "a period is within 1ms to 10000ms"))
    refused(BASE + " cpu budget 4% of 1ms\n", (6, "a budget is 50us at least"))
    refused(BASE + " cpu budget 4%\n", (6, "'of' and a period are missing"))
    refused(BASE + " cpu on 0,64\n", (6, "64 is not within 0 to 63"))
    refused(BASE + " holds ports 0xfff0-0x10000\n", (6, "0x10000 is not within 65520 to 65535"))
    refused(BASE + " holds ports 9-8\n", (6, "8 is not within 9 to"))
    refused(BASE + " holds device 0x1000-0x2000\n", (6, "does not begin and end with pages"))
    refused(BASE + " holds device 0x1800-0x1fff\n", (6, "does not begin and end with pages"))
    refused(BASE + " restart never 0 within 5s\n", (6, "0 is not within 1 to 1000"))
    refused(BASE + " restart never 3\n", (6, "'within' and a time are missing"))


@case
def compose_refuses_lines_that_do_not_end_well():
    refused(BASE + " state\n", (6, "a size is missing"))
    refused(BASE + " state 4K 4K\n", (6, "'4K' is one word too many"))
    refused(BASE + ' arguments "x\n', (6, "a quotation mark has no partner"))
    refused(BASE + ' arguments x ""\n', (6, "an argument is empty"))
    refused(BASE + " holds irq 9 as\n", (6, "a name is missing"))


@case
def compose_refuses_what_is_there_twice():
    refused("total 1M\n" + BASE, (2, "total is given a second time"))
    refused(BASE + "program a\n file bin/a\n quota 4K\n", (6, "there are two programs a"))
    refused(BASE + "program init\n file bin/a\n quota 4K\n", (6, "there are two programs init"))
    refused(BASE + " quota 4K\n", (6, "quota is given a second time"))
    refused(BASE + " holds irq 1 as x\n holds irq 2 as x\n", (7, "two capabilities of the program have the"))
    refused("total 1M\nprogram a\n file bin/a\n quota 64K\n serves log log\n", (5, "log is served twice"))


@case
def compose_refuses_names_that_are_none():
    refused(f"total 1M\nprogram {LONG}\n file bin/a\n quota 64K\n{OTHER}",
            (2, "is too long: 24 characters, 23 at most"))
    refused(BASE + f" holds irq 1 as {LONG}\n", (6, "is too long: 24 characters, 23 at most"))
    refused("total 1M\nprogram A\n file bin/a\n quota 64K\n" + OTHER, (2, "'A' is no name for a program"))
    with tempfile.TemporaryDirectory() as folder:
        done = compose(folder, BASE + f" holds irq 1 as {LONG[1:]}\n")
    check(done.returncode == 0, done.stderr)


@case
def compose_names_a_cycle():
    text = BASE + " uses c.log write\n" + OTHER + " uses a.log write\n" + \
        "program c\n file bin/a\n quota 4K\n serves log\n uses b.log write\n" \
        "program d\n file bin/a\n quota 4K\n serves log\n uses d.log write\n uses a.log write as x\n"
    refused(text, (6, "a cycle: a needs c, which needs b, which needs a"),
            (21, "a cycle: d needs d"))


@case
def compose_refuses_more_memory_than_there_is():
    refused("total 1M\nprogram a\n file bin/a\n quota 64K reserve 128K\n", (4, "the limit is below the reserv"))
    refused(BASE + "program b\n file bin/b\n quota 1M reserve 964K\n",
            (8, "from b on the reservations are more than the total"))
    refused(BASE + "program b\n file bin/b\n quota 1M reserve 480K\n"
            "program c\n file bin/b\n quota 1M reserve 484K\n",
            (11, "from c on the reservations are more than the total"))
    refused(BASE.replace("total 1M\n", "\n"), (1, "the total of memory is missing"))
    with tempfile.TemporaryDirectory() as folder:
        done = compose(folder, BASE + "program b\n file bin/b\n quota 1M reserve 960K\n")
    check(done.returncode == 0, done.stderr)


@case
def compose_refuses_two_owners():
    for what, mine, yours in (("ports", "0x10-0x17", "0x17-0x18"), ("device", "0x1000-0x2fff", "0x2000-0x2fff"),
                              ("ports", "all", "5"), ("device", "0x1000-0x1fff", "all"), ("irq", "9", "9")):
        refused(BASE + f" holds {what} {mine}\n" + OTHER + f" holds {what} {yours}\n",
                (11, "of b is held by a too (line 6)"))
    beside = BASE + " holds ports 0x10-0x17\n holds irq 9\n holds device 0x1000-0x1fff\n" + OTHER + \
        " holds ports 0x18\n holds irq 10\n holds device 0x2000-0x2fff\n holds ports all read as look\n"
    with tempfile.TemporaryDirectory() as folder:
        done = compose(folder, beside)
    check(done.returncode == 0, done.stderr)


@case
def compose_refuses_too_many():
    grants = "".join(f" holds irq {n} as n{n}\n" for n in range(33))
    refused(BASE + grants, (2, "a has 33 capabilities, 32 at most"))
    programs = "".join(f"program p{n}\n file bin/a\n quota 4K\n" for n in range(49))
    refused("total 1M\n" + programs, (2 + 48 * 3, "there are 48 programs at most"))
    refused(BASE + f" arguments {'x' * 1023}\n", (6, "the arguments take 1025 bytes, 1024 at most"))
    refused("total 1M\n", (1, "there is no program"))


@case
def compose_refuses_a_program_that_has_not_what_it_needs():
    refused("total 1M\nprogram a\n serves log\n", (2, "a has no file"), (2, "a has no quota"))
    refused("total 1M\nprogram a\n file bin/a\n quota 64K\n" + OTHER + " uses a.log write\n",
            (9, "a serves nothing, but is used"))


@case
def compose_tells_all_that_is_wrong():
    refused("program a\n file none\n quota 1\n colour\n" + OTHER + " uses x.log write\n holds ports 1-0\n",
            (1, "the total of memory is missing"), (2, "no file none"), (3, "whole number of pages"),
            (4, "no key colour"), (9, "no program x"), (10, "0 is not within"))


main()

# SPDX-License-Identifier: MIT
"""Reads a composition file, line by line (docs/book/composition.md).

    text = Composition(path, files)
    text.errors      (line, sentence), all that is wrong with a line
    text.programs    in the order of the file

What the programs mean to each other is tools/composition_whole.py's.
"""
import re

from composition_words import (EVERY, NAME, PAGE, TIMES, Words, Wrong, defines, number,
                               protocol_rights, read, size, span, split, time, type_rights)

PORTS = 1 << 16
ADDRESSES = 1 << 52
IRQ_LEVEL, IRQ_LOW = 1 << 32, 1 << 33  # abi/device.h
INIT = "init"  # the program that is in no file

# What can be held: the kind of its grant, the type of the capability, the rights without a word.
HELD = {"node": ("GRANT_NODE", "node", ()),
        "ports": ("GRANT_PORTS", "ioport", ("read", "write")),
        "device": ("GRANT_DEVICE", "memory", ("read", "write", "map")),
        "irq": ("GRANT_IRQ", "irq", ("bind",)),
        "archive": ("GRANT_ARCHIVE", "memory", ("read", "map")),
        "file": ("GRANT_FILE", "memory", ("read", "map")),
        "memory": ("GRANT_QUOTA", "quota", ("create", "read")),
        "cpus": ("GRANT_SCHED", "sched", ("configure", "run")),
        "cmdline": ("GRANT_CMDLINE", "memory", ("read", "map")),
        "acpi": ("GRANT_ACPI", "memory", ("read", "map"))}

OWNED = {"GRANT_PORTS": "ports", "GRANT_DEVICE": "device", "GRANT_IRQ": "irq"}


class Grant:
    """What a program is given: see struct grant."""

    def __init__(self, line, kind, rights):
        self.line, self.kind, self.name, self.rights = line, kind, "", list(rights)
        self.first, self.count, self.file = 0, 0, None
        self.server, self.protocol = None, None  # names, as the file has them
        self.asked = []  # words: rights of the protocol
        self.program, self.index, self.service_rights = None, 0, {}

    def meets(self, other):
        """Whether both may change one and the same thing."""
        if self.kind != other.kind or self.kind not in OWNED:
            return False
        if self.kind != "GRANT_IRQ" and not ("write" in self.rights and "write" in other.rights):
            return False
        if not self.count or not other.count:
            return True
        return self.first < other.first + other.count and other.first < self.first + self.count

    def what(self):
        if not self.count:
            return f"all {OWNED[self.kind]}"
        if self.kind == "GRANT_IRQ":
            return f"irq {self.first & 0xffffffff}"
        base = PAGE if self.kind == "GRANT_DEVICE" else 1
        return f"{OWNED[self.kind]} {self.first * base:#x}-{(self.first + self.count) * base - 1:#x}"


class Program:
    """See struct program_spec; what the file leaves out is as it stands here."""

    def __init__(self, line, name):
        self.line, self.name, self.lines = line, name, {}
        self.number, self.needs = None, []
        self.file, self.limit, self.reservation, self.state = None, 0, 0, 0
        self.priority, self.weight = 64, 1024
        self.budget, self.period, self.cpus = 0, 0, (1 << 64) - 1
        self.restart, self.restarts, self.within = "on-failure", 5, 60 * TIMES["s"]
        self.heartbeat, self.stop = 0, TIMES["s"]
        self.serves, self.grants, self.arguments = [], [], []


class Composition:
    """A file, read and checked. `files` are those of the boot archive."""

    def __init__(self, path, files):
        self.files, self.errors, self.programs, self.total = files, [], [], None
        self.limits = {**defines("proto/program.h"), **defines("services/init/composition.h"),
                       **defines("kernel/core/sched.h")}
        self._program = None
        for line, text in enumerate(read(path).split("\n"), 1):
            self._try(line, self._line, line, text)

    def _try(self, line, function, *arguments):
        try:
            function(*arguments)
        except Wrong as what:
            self.wrong(line, str(what))

    def wrong(self, line, sentence):
        self.errors.append((line, sentence))

    def named(self, name):
        return next((p for p in self.programs if p.name == name), None)

    def _name(self, name, what):
        if not NAME.match(name):
            raise Wrong(f"'{name}' is no name for a {what}: small letters, digits, _ and -")
        most = self.limits["PROGRAM_NAME"] - 1
        if len(name) > most:
            raise Wrong(f"the name {name} is too long: {len(name)} characters, {most} at most")
        return name

    def _file(self, name):
        if name not in self.files:
            raise Wrong(f"there is no file {name} in the boot archive")
        return name

    # ---- lines ----

    def _line(self, line, text):
        words = Words(split(text))
        if not words.words:
            return
        key = words.take("a key")
        if key == "program":
            self._begin(line, words)
        elif key == "total":
            if self.total is not None:
                raise Wrong("total is given a second time")
            self.total = size(words.take("a size"))
        else:
            self._key(line, key, words)
        words.end()

    def _begin(self, line, words):
        self._program = Program(line, "")  # takes the lines that follow, whatever its name is
        name = self._name(words.take("the program's name"), "program")
        if name == INIT or self.named(name):
            raise Wrong(f"there are two programs {name}")
        self._program.name = name
        self.programs.append(self._program)

    def _key(self, line, key, words):
        reader = getattr(self, f"_read_{key}", None)
        if reader is None or not NAME.match(key):
            raise Wrong(f"there is no key {key}")
        if self._program is None:
            raise Wrong(f"{key} belongs to a program, and none has begun")
        if key in self._program.lines and key not in ("uses", "holds"):
            raise Wrong(f"{key} is given a second time")
        self._program.lines[key] = line
        reader(self._program, line, words)

    def _read_file(self, program, _, words):
        program.file = self._file(words.take("a file"))

    def _read_quota(self, program, _, words):
        program.limit = size(words.take("a size"))
        if words.follows("reserve"):
            program.reservation = size(words.take("a size"))
        if program.reservation > program.limit:
            raise Wrong("the limit is below the reservation")

    def _read_state(self, program, _, words):
        program.state = size(words.take("a size"))

    def _read_cpu(self, program, _, words):
        while words.words:
            what = words.take("a word")
            if what == "priority":
                program.priority = number(words.take("a number"), 0,
                                          self.limits["SCHED_PRIORITIES"] - 1)
            elif what == "weight":
                program.weight = number(words.take("a number"), 1, self.limits["SCHED_WEIGHT_MAX"])
            elif what == "budget":
                self._budget(program, words)
            elif what == "on":
                program.cpus = self._cpus(words.take("CPUs"))
            else:
                raise Wrong(f"a share of the CPUs has no {what}")

    def _budget(self, program, words):
        share = re.match(r"^(\d+)%$", words.take("a share"))
        if not share:
            raise Wrong("a budget is a share in % of one CPU")
        if not words.follows("of"):
            raise Wrong("'of' and a period are missing")
        period = time(words.take("a period"))
        least, most = (self.limits[f"SCHED_PERIOD_{end}_NS"] for end in ("MIN", "MAX"))
        if not least <= period <= most:
            raise Wrong(f"a period is within {least // 1000000}ms to {most // 1000000}ms")
        program.period, program.budget = period, period * int(share.group(1)) // 100
        if program.budget < self.limits["SCHED_BUDGET_MIN_NS"]:
            raise Wrong(f"a budget is {self.limits['SCHED_BUDGET_MIN_NS'] // 1000}us at least")

    @staticmethod
    def _cpus(word):
        mask = 0
        for part in word.split(","):
            first, count = span(part, 64)
            mask |= ((1 << count) - 1) << first if count else (1 << 64) - 1
        return mask

    def _read_restart(self, program, _, words):
        program.restart = words.take("a policy")
        if program.restart not in ("always", "on-failure", "never"):
            raise Wrong(f"there is no policy {program.restart}: always, on-failure or never")
        if words.words:
            program.restarts = number(words.take("a number"), 1, 1000)
            if not words.follows("within"):
                raise Wrong("'within' and a time are missing")
            program.within = time(words.take("a time"))

    def _read_heartbeat(self, program, _, words):
        program.heartbeat = time(words.take("a time"))

    def _read_stop(self, program, _, words):
        program.stop = time(words.take("a time"))

    def _read_arguments(self, program, _, words):
        program.arguments = words.rest()
        if "" in program.arguments:
            raise Wrong("an argument is empty, which would end them")
        # Each has a zero byte, and one more ends them.
        told = sum(len(argument.encode()) + 1 for argument in program.arguments) + 1
        if told > self.limits["PROGRAM_ARGUMENTS"]:
            raise Wrong(f"the arguments take {told} bytes, {self.limits['PROGRAM_ARGUMENTS']} at most")

    def _read_serves(self, program, _, words):
        for protocol in words.rest():
            if protocol_rights(protocol) is None:
                raise Wrong(f"there is no protocol {protocol} in proto/")
            if protocol in program.serves:
                raise Wrong(f"{protocol} is served twice")
            program.serves.append(protocol)

    def _read_uses(self, program, line, words):
        grant = Grant(line, "GRANT_USE", ("call",))
        target = words.take("program.protocol").split(".")
        if len(target) != 2:
            raise Wrong("what is used is written as program.protocol")
        grant.server, grant.protocol = target
        grant.asked = words.rest(until="as")
        self._finish(program, grant, grant.protocol, words)

    def _read_holds(self, program, line, words):
        what = words.take("what is held")
        if what not in HELD:
            raise Wrong(f"there is no {what} to be held; there are {', '.join(HELD)}")
        kind, of_type, rights = HELD[what]
        grant = Grant(line, kind, ())
        if what == "ports":
            grant.first, grant.count = span(words.take("a range of ports"), PORTS)
        elif what == "device":
            self._range(grant, words.take("a range of addresses"))
        elif what == "irq":
            grant.first, grant.count = number(words.take("a line"), 0, 0xffffffff), 1
            grant.first |= IRQ_LEVEL if words.follows("level") else 0
            grant.first |= IRQ_LOW if words.follows("low") else 0
        elif what == "file":
            grant.file = self._file(words.take("a file"))
        known = type_rights(of_type)
        for right in words.rest(until="as"):
            if right not in known:
                raise Wrong(f"{what} has no right {right}; there are {', '.join(known)}")
            grant.rights.append(right)
        if not set(grant.rights) - set(EVERY):
            grant.rights += rights
        if not grant.rights:
            raise Wrong(f"a right on the {what} is missing; there are {', '.join(known)}")
        self._finish(program, grant, what, words)

    @staticmethod
    def _range(grant, word):
        first, count = span(word, ADDRESSES)
        if first % PAGE or count % PAGE:
            raise Wrong(f"{word} does not begin and end with pages of {PAGE} bytes")
        grant.first, grant.count = first // PAGE, count // PAGE

    def _finish(self, program, grant, name, words):
        """The name that the program has for it, and what may be only once."""
        grant.name = self._name(words.take("a name") if words.follows("as") else name, "capability")
        if any(other.name == grant.name for other in program.grants):
            raise Wrong(f"two capabilities of the program have the name {grant.name}")
        program.grants.append(grant)

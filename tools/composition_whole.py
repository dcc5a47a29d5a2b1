# SPDX-License-Identifier: MIT
"""What the programs of a composition mean to each other: who serves whom, in which order they
start, and whether there is enough for all.

    check(composition)    puts the programs in order; adds to the errors
"""
from composition import INIT
from composition_words import EVERY, Wrong, protocol_rights


def check(composition):
    for program in composition.programs:
        for grant in program.grants:
            if grant.kind == "GRANT_USE":
                try:
                    use(composition, program, grant)
                except Wrong as what:
                    composition.wrong(grant.line, str(what))
    sort(composition)
    check_programs(composition)
    check_memory(composition)
    check_owners(composition)
    composition.errors.sort(key=lambda error: error[0])


def use(composition, program, grant):
    server = composition.named(grant.server)
    if grant.server != INIT and not server:
        raise Wrong(f"there is no program {grant.server}")
    if server and not server.serves:
        raise Wrong(f"{grant.server} serves nothing, but is used")
    serves = server.serves if server else ["supervisor"]
    if grant.protocol not in serves:
        raise Wrong(f"{grant.server} does not serve {grant.protocol}")
    grant.index = serves.index(grant.protocol)
    known = protocol_rights(grant.protocol)
    for word in grant.asked:
        if word in known:
            grant.service_rights[word] = known[word]
        elif word in EVERY:
            grant.rights.append(word)
        else:
            raise Wrong(f"{grant.protocol} has no right {word}; there are {', '.join(known)}")
    if not grant.service_rights:
        raise Wrong(f"a right on {grant.protocol} is missing; there are {', '.join(known)}")
    if server:
        grant.program = server
        program.needs.append(server)


def sort(composition):
    """Servers first; else as in the file. A cycle is told once, then taken for started."""
    waiting, order = list(composition.programs), []
    while waiting:
        free = next((p for p in waiting if not set(p.needs) & set(waiting)), None)
        if free is None:
            tell_cycle(composition, waiting)
            free = waiting[0]
            free.needs = []
        waiting.remove(free)
        order.append(free)
    composition.programs = order
    for place, program in enumerate(order):
        program.number = place


def tell_cycle(composition, waiting):
    path = [waiting[0]]
    while path[-1] not in path[:-1]:
        path.append(next(p for p in path[-1].needs if p in waiting))
    path = path[path.index(path[-1]):]
    waiting.remove(path[0])
    waiting.insert(0, path[0])  # it is cut there
    names = ", which needs ".join(p.name for p in path[1:])
    line = next(g.line for g in path[0].grants if g.program is path[1])
    composition.wrong(line, f"a cycle: {path[0].name} needs {names}")


def check_programs(composition):
    if not composition.programs:
        composition.wrong(1, "there is no program")
    for program in composition.programs:
        for key in ("file", "quota"):
            if key not in program.lines:
                composition.wrong(program.line, f"{program.name} has no {key}")
        most = composition.limits["PROGRAM_CAPS"]
        if len(program.grants) > most:
            composition.wrong(program.line, f"{program.name} has {len(program.grants)} "
                              f"capabilities, {most} at most")
    most = composition.limits["COMPOSITION_PROGRAMS"]
    for program in sorted(composition.programs, key=lambda p: p.line)[most:]:
        composition.wrong(program.line, f"there are {most} programs at most")


def check_memory(composition):
    if composition.total is None:
        composition.wrong(1, "the total of memory is missing")
        return
    taken = 0
    for program in sorted(composition.programs, key=lambda p: p.line):
        if taken <= composition.total < taken + program.reservation:
            composition.wrong(program.lines["quota"],
                              f"from {program.name} on the reservations are more than the total")
        taken += program.reservation


def check_owners(composition):
    every = [(p, g) for p in composition.programs for g in p.grants]
    every.sort(key=lambda pair: pair[1].line)
    for at, (program, grant) in enumerate(every):
        for other_program, other in every[:at]:
            if other_program is not program and grant.meets(other):
                composition.wrong(grant.line, f"{grant.what()} of {program.name} is held by "
                                  f"{other_program.name} too (line {other.line})")

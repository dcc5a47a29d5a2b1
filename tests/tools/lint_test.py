# SPDX-License-Identifier: MIT
"""The checkers of make lint, each over a small tree with one thing wrong."""
import os
import subprocess
import sys
import tempfile

from cases import case, check, main

TOOLS = os.path.abspath("tools")
LAYERS = ("abi: freestanding abi\nkernel/core: freestanding abi kernel/core kernel/arch/arch.h\n"
          "kernel/arch/arch.h: port.h\nkernel/arch/pc: kernel/core kernel/arch/pc\ntest:\n")
BASE = {
    "mk/layers.txt": LAYERS,
    "abi/status.h": "/* SPDX-License-Identifier: MIT */\n#include <stdint.h>\n",
    "test/test.h": "/* SPDX-License-Identifier: MIT */\n",
    "kernel/arch/arch.h": "/* SPDX-License-Identifier: MIT */\n#include <port.h>\n",
    "kernel/arch/pc/kernel.ld": "/* SPDX-License-Identifier: MIT */\n",
    "kernel/arch/pc/port.h": "/* SPDX-License-Identifier: MIT */\n",
    "kernel/core/a.h": "/* SPDX-License-Identifier: MIT */\n#include <abi/status.h>\n"
                       "/* Does a. */\nint a(int x);\n",
    "kernel/core/a.c": "/* SPDX-License-Identifier: MIT */\n#include <core/a.h>\n"
                       "#include <arch/arch.h>\n\nint a(int x)\n{\n\treturn x;\n}\n",
}


def run(tool, changes, *arguments):
    """Exit status and output of the tool over the base tree with `changes`."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**BASE, **changes}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run([sys.executable, os.path.join(TOOLS, tool), *arguments], cwd=root,
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


def accepts(tool, changes, *arguments):
    status, output = run(tool, changes, *arguments)
    check(status == 0, f"{tool} refused it:\n{output}")


def refuses(tool, changes, says, *arguments):
    status, output = run(tool, changes, *arguments)
    check(status == 1, f"{tool} ended with status {status}:\n{output}")
    check(says in output, f"no {says!r} in:\n{output}")


def core(body):
    """A change: core/a.c with `body` behind its first lines."""
    return {"kernel/core/a.c": "/* SPDX-License-Identifier: MIT */\n" + body}


def function(head, lines):
    return core(f"{head}\n{{\n" + "".join(f"\t{line}\n" for line in lines) + "}\n")


@case
def layers_are_checked():
    accepts("layers.py", {})
    refuses("layers.py", core('#include "../arch/pc/port.h"\n'), "may not include")
    refuses("layers.py", core("#include <stdio.h>\n"), "stdio.h")
    refuses("layers.py", {"abi/x.h": "#include <core/a.h>\n"}, "abi may not include core/a.h")
    refuses("layers.py", {"lib/x.c": "#include <core/a.h>\n"}, "no line for lib")
    accepts("layers.py", core("/*\n#include <stdio.h>\n*/\n"))


@case
def budget_of_functions_is_checked():
    accepts("budgets.py", function("int a(int x)", ["x++;"] * 40))
    refuses("budgets.py", function("int a(int x)", ["x++;"] * 80), "has 83 lines")
    refuses("budgets.py", function("int a(int x)", ["x++;"] * 50), "one function in ten")
    refuses("budgets.py", function("int a(int p, int q, int r, int s, int t, int (*u)(int, int))",
                                   []), "has 6 parameters")
    accepts("budgets.py", function("int a(int p, int q, int r, int s, int (*u)(int, int))", []))
    deep = ["\t" * n + "if (x)" for n in range(5)] + ["\t" * 5 + "x++;"]
    refuses("budgets.py", function("int a(int x)", deep), "nested 5 deep")
    accepts("budgets.py", function("int a(int x)", deep[:4] + ["\t" * 4 + "x++;"]))


@case
def budget_of_the_core_is_checked():
    refuses("budgets.py", core("int x;\n" * 700), "one file in ten")
    refuses("budgets.py", core("int x;\n" * 10001), "at most 10000")
    refuses("budgets.py", {"kernel/arch/pc/a.c": "int x;\n" * 5001}, "at most 5000")
    refuses("budgets.py", {"kernel/dev/a.c": "int x;\n" * 5001}, "at most 5000")


@case
def conditions_in_the_core_are_checked():
    accepts("budgets.py", core("#ifdef DEBUG\n#endif\n"))
    refuses("budgets.py", core("#ifdef __x86_64__\n#endif\n"), "condition on a machine")
    refuses("budgets.py", core("#ifdef DEBUG\n#endif\n" * 4), "4 conditions")
    accepts("budgets.py", {"kernel/arch/pc/a.c": "#ifdef __x86_64__\n#endif\n"})


@case
def contracts_are_checked():
    accepts("contracts.py", {})
    refuses("contracts.py", core("int b(void)\n{\n}\n"), "b is not static and declared nowhere")
    refuses("contracts.py", {**core("int b(void)\n{\n}\n"), "kernel/core/b.h": "\nint b(void);\n"},
            "b has no comment where it is declared")
    accepts("contracts.py", {**core("int b(void)\n{\n}\n"),
                             "kernel/core/b.h": "\nint b(void); /* does b */\n"})
    accepts("contracts.py", core("/* Called by trap.S. */\nint b(void);\nint b(void)\n{\n}\n"))
    refuses("contracts.py", core("\nint b(void);\nint b(void)\n{\n\tb();\n}\n"), "no comment")
    accepts("contracts.py", core("static int b(void)\n{\n}\n"))


@case
def claims_are_checked():
    path = "docs/decisions/0001-a.md"
    one = {path: "# 0001 A\n**Choice.** **Why.** **Instead of.** **Again when.**\n"}
    index = {"docs/decisions/README.md": "| [0001](0001-a.md) | A |\n"}
    true = {"README.md": "(`test: a_b`) [a](docs/a.md)\n",
            "docs/a.md": "`kernel/core/a.h` and `kernel/core/`\n"}
    accepts("claims.py", {**core("TEST(a_b)\n{\n}\n"), **true, **one, **index})
    refuses("claims.py", {"README.md": "(`test: a_c`)\n"}, "README.md:1: there is no test a_c")
    refuses("claims.py", {"README.md": "[a](docs/b.md)\n"}, "the link to docs/b.md leads nowhere")
    refuses("claims.py", {"README.md": "`kernel/core/b.h`\n"}, "there is no kernel/core/b.h")
    refuses("claims.py", {**one, "docs/decisions/README.md": "\n"}, "does not list the decisions")
    refuses("claims.py", {**index, path: "# 0001 A\n**Choice.**\n"}, "no part **Instead of.**")
    refuses("claims.py", {**one, **index, "docs/decisions/0001-b.md": one[path]},
            "another decision has this number")


@case
def marks_are_checked():
    accepts("marks.py", {}, *BASE)
    refuses("marks.py", {"kernel/core/b.c": "int b;\n"}, "SPDX", "kernel/core/b.c")
    refuses("marks.py", core("/* TO" "DO: more */\n"), "unfinished", "kernel/core/a.c")
    refuses("marks.py", {"README.md": "FIX" "ME\n"}, "unfinished", "README.md")


main()

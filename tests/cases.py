# SPDX-License-Identifier: MIT
"""Test cases in Python, with the output of test/runner.c.

    from cases import case, check, main, skip

    @case
    def boots_with_one_cpu():
        check(result.verdict == "passed", result.why)

    main()

Each case prints one line, the last line is "N passed, N failed, N skipped".
Names on the command line choose the cases to run.
"""
import os
import sys
import traceback

# Where the build of the machine under test is.
BUILD = os.environ.get("BUILD", "build/x86_64")

_cases = []


class _Skipped(Exception):
    pass


class _Failed(Exception):
    pass


def case(function):
    """Enters `function` as a test case under its own name."""
    _cases.append(function)
    return function


def check(true, what="a check does not hold"):
    """Ends the case as failed unless `true`."""
    if not true:
        raise _Failed(what)


def skip(reason):
    """Ends the case as skipped, with the reason."""
    raise _Skipped(reason)


def _place(error):
    """Where the case itself was when `error` was raised."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    return f"{os.path.relpath(frames[0].filename)}:{frames[0].lineno}" if frames else "?:0"


def _run(function):
    name = function.__name__
    try:
        function()
    except _Skipped as reason:
        print(f"test {name}: skipped: {reason}", flush=True)
        return "skipped"
    except Exception as error:
        what = error if isinstance(error, _Failed) else f"{type(error).__name__}: {error}"
        print(f"test {name}: FAIL {_place(error)} {what}", flush=True)
        return "failed"
    print(f"test {name}: ok", flush=True)
    return "passed"


def main():
    """Runs the cases and ends the program with the verdict."""
    wanted = sys.argv[1:]
    verdicts = [_run(f) for f in _cases if not wanted or f.__name__ in wanted]
    passed, failed, skipped = (verdicts.count(v) for v in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(0 if passed and not failed else 1)

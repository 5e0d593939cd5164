# SPDX-License-Identifier: BSD-2-Clause
"""Rows of the attack matrix: tests of other folders that prove them, and measurements of their own.

All the tests that the chosen rows name are run together, once for each folder; a row fails when one
of its tests failed, and cannot run when one was skipped.
"""

import concurrent.futures
import functools
from collections import defaultdict

from support import nodes
from support.matrix import CannotRun, Failed, Figure, Matrix

MATRIX = Matrix()
MEASURED = {}   # row: what it measures beside its tests, a function(extent) -> list of Figure


def row(identity, what, how, right, *names):
    """Register a row: tests (FOLDER/FILE.py::TEST, unit/PROGRAM::TEST), and a function or None."""
    def register(function):
        def figures(extent):
            measured = list(function(extent)) if function else []
            return measured + ([_proof(names)] if names else [])
        MATRIX.row(identity, what, how, right, proof=names)(figures)
        if function:
            MEASURED[identity] = function
        return function
    return register


def _proof(names):
    """How many tests with those names passed."""
    passed, found = 0, _results()
    for name in names:
        states = [state for test, state in found.items()
                  if test == name or test.startswith((f"{name}[", f"{name}::"))]
        if not states:
            raise Failed(f"no such test: {name}")
        for state in states:
            if state.startswith("skipped"):
                raise CannotRun(f"{name} {state}")
            if state != "passed":
                raise Failed(f"{name} {state}")
        passed += len(states)
    return Figure("tests passed", passed, len(names), least=True)


@functools.lru_cache(maxsize=1)
def _results():
    """{test: passed, failed or skipped} for every test that a chosen row names."""
    groups = defaultdict(list)
    for chosen in MATRIX.chosen:
        for name in chosen.proof:
            folder, _, rest = name.partition("/")
            groups[folder, rest.partition("::")[0] if folder == "unit" else ""].append(name)
    found = {}
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for results in threads.map(lambda item: _run(*item), groups.items()):
            found.update(results)
    return found


def _run(group, names):
    folder, program = group
    results = nodes.run_unit(program) if folder == "unit" else nodes.run(*sorted(set(names)))
    prefix = "unit/" if folder == "unit" else ""
    found = {prefix + name: "passed" for name in results.passed}
    found.update({prefix + name: "failed" for name in results.failed})
    for name in results.skipped:
        test, _, why = name.partition(" (")
        found[prefix + test] = f"skipped ({why}"
    return found

# SPDX-License-Identifier: BSD-2-Clause
"""The short form of the attack matrix: what its rows measure; their tests run in other suites."""

import re

import pytest
from attacks import rows_content, rows_held, rows_peers, rows_reply     # noqa: F401
from attacks.evidence import MATRIX, MEASURED
from support.matrix import CannotRun, Extent
from support.nodes import TESTS
from support.timing import timely

ROWS = {f"A{number}" for number in range(1, 36)}


def test_all_rows_are_there():
    assert {row.id for row in MATRIX.rows} == ROWS
    assert all(row.proof or row.id in MEASURED for row in MATRIX.rows)


@pytest.mark.parametrize("row", sorted(MEASURED))
def test_figures(row):
    try:
        figures = MEASURED[row](Extent(quick=True))
    except CannotRun as reason:
        pytest.skip(str(reason))
    bad = [figure for figure in figures if not figure.good]
    assert figures and all(figure.unit.startswith("ms") for figure in bad), list(map(str, bad))
    timely(not bad, *bad)


def test_the_readme_has_every_row():
    with open(f"{TESTS}/attacks/README", encoding="utf-8") as file:
        found = re.findall(r"^(A\d+) +pass ", file.read(), re.M)
    assert set(found) == ROWS and len(found) == len(ROWS)

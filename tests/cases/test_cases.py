# SPDX-License-Identifier: BSD-2-Clause
"""Runs every case of this folder through the real daemon; see README."""

import functools

import case as cases
import pytest

STYLES = ["postfix", "sendmail"]
# one wrong line for each kind of expectation, to show that each can fail
WRONG = ["answer 550 5.7.1 no", "header X-Spam-Score: 7", "field Subject: other", "log action=pass",
         "held nobody@example.com", "asked 2", "request User: nobody", "users bob@example.com", "told by elsewhere",
         "untold mail.example.org", "recipients nobody@example.com", "scored head"]


@functools.lru_cache(maxsize=2)
def run(folder):
    case = cases.Case(folder)
    return case, cases.run(case)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("folder", cases.all_cases(), ids=lambda folder: folder.name)
def test_case(folder, style):
    case, result = run(folder)
    cases.check(case, result, style)


@pytest.mark.parametrize("line", WRONG, ids=lambda line: line.split()[0])
def test_a_wrong_expectation_fails(line):
    """A case is compared with every kind of line that `expected` may have."""
    folder = next(f for f in cases.all_cases() if f.name.endswith("spam-is-tagged"))
    case, result = run(folder)
    key = line.split()[0]
    wrong = cases.Case(folder)
    wrong.expected = [row for row in case.expected if row[0] != key] + cases.rows(line)
    with pytest.raises(AssertionError):
        cases.check(wrong, result, "postfix")


def test_numbers_and_names_are_unique():
    names = [folder.name for folder in cases.all_cases()]
    assert len({name[:3] for name in names}) == len(names) >= 40
    assert len({name[4:] for name in names}) == len(names)

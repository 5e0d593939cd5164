# SPDX-License-Identifier: BSD-2-Clause
"""Tests that assert on time, left out where a tool makes the programs many times slower.

A test with the marker "timed" measures what only means something at full speed: an answer within the
deadline + 100 ms, scans side by side, memory. SPAMBRIDGE_SLOW=yes (tests/sanitize sets it) or
SPAMBRIDGE_VALGRIND=yes leaves it out; all others run, and must pass.
"""

import os

import pytest


def is_slow():
    """True if the programs run at a fraction of their speed."""
    return "yes" in (os.environ.get("SPAMBRIDGE_SLOW"), os.environ.get("SPAMBRIDGE_VALGRIND"))


def configure(config):
    """Make the marker known."""
    config.addinivalue_line("markers", "timed: asserts on time; left out when SPAMBRIDGE_SLOW=yes")


def leave_out(items):
    """Skip the timed ones of the tests that were found, if need be."""
    if not is_slow():
        return
    for item in items:
        if item.get_closest_marker("timed"):
            item.add_marker(pytest.mark.skip(reason="asserts on time"))

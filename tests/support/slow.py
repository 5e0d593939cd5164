# SPDX-License-Identifier: BSD-2-Clause
"""Tests that assert on time: what they promise, once more where it was late, left out below tools.

A test that measures time says so with what is in timing.py. Where nothing but that fails, the whole
test is run again, three times in all, and a warning tells of it: what the daemon does wrong
it does each time, what a machine does that had other work, or stood still for a second, it does not.

A test with the marker "timed" measures what only means something at full speed: an answer within the
deadline + 100 ms, scans side by side, memory. SPAMBRIDGE_SLOW=yes (tests/sanitize sets it) or
SPAMBRIDGE_VALGRIND=yes leaves it out. A test with the marker "brisk" has steps of a second or less,
which a sanitizer allows: valgrind leaves it out. All others run, and must pass.
"""

import os
import sys

import pytest
from _pytest.runner import runtestprotocol

from .timing import TooLate, is_slow

ATTEMPTS = 3


def is_below_valgrind():
    """True if the programs run at a twentieth of their speed."""
    return os.environ.get("SPAMBRIDGE_VALGRIND") == "yes"


def configure(config):
    """Make the marker known, and what is below a plugin of pytest."""
    config.addinivalue_line("markers", "timed: asserts on time; left out when SPAMBRIDGE_SLOW=yes")
    config.addinivalue_line("markers", "brisk: steps of a second or less; left out below valgrind")
    if not config.pluginmanager.is_registered(sys.modules[__name__]):
        config.pluginmanager.register(sys.modules[__name__])


def leave_out(items):
    """Skip the timed ones of the tests that were found, if need be."""
    if not is_slow():
        return
    for item in items:
        brisk = is_below_valgrind() and item.get_closest_marker("brisk")
        if brisk or item.get_closest_marker("timed"):
            item.add_marker(pytest.mark.skip(reason="asserts on time"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(call):
    """Remember of a failure whether it was one of time."""
    outcome = yield
    outcome.get_result().late = call.excinfo is not None and isinstance(call.excinfo.value, TooLate)


def pytest_runtest_protocol(item, nextitem):
    """Run a test again, its fixtures as well, where nothing is wrong but that it was late."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(1, ATTEMPTS + 1):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = [report for report in reports if report.failed]
        if attempt == ATTEMPTS or not failed or not all(report.late for report in failed):
            break
        item.warn(pytest.PytestWarning(f"once more: {failed[0].longrepr.reprcrash.message}"))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True

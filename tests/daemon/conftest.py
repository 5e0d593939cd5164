# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the daemon tests: a scorer, daemons that are stopped, one shared pair per module."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from support import slow     # noqa: E402
from support.badscorer import BadScorer, ScorerProcess     # noqa: E402
from support.daemon import Daemon, Workspace, build_directory     # noqa: E402
from support.messages import make     # noqa: E402
from support.mta import burst     # noqa: E402

ANSWER_S = 0.0001       # one of many answers, where a machine has nothing else to do


def pytest_configure(config):
    slow.configure(config)
    if build_directory() is None:
        raise pytest.UsageError("SPAMBRIDGE_BUILD must name a directory with spambridge in it")


def pytest_collection_modifyitems(items):
    slow.leave_out(items)


@pytest.fixture
def workspace():
    with Workspace() as place:
        yield place


@pytest.fixture
def scorer(workspace):
    """A scripted scorer in this process."""
    with BadScorer(workspace.path) as found:
        yield found


@pytest.fixture
def scorer_process(workspace):
    """A scripted scorer in a process of its own, for load."""
    with ScorerProcess(workspace.path) as found:
        yield found


@pytest.fixture
def start(workspace):   # pylint: disable=unused-argument # it must outlive the daemons
    """start(...) runs a Daemon; at the end of the test it must stop with exit status 0."""
    running = []

    def begin(*arguments, **options):
        daemon = Daemon(*arguments, **options)
        running.append(daemon)
        return daemon.start()
    yield begin
    try:
        for daemon in running:
            if daemon.process and daemon.alive():
                daemon.stop_cleanly()
    finally:
        for daemon in running:
            daemon.kill()


@pytest.fixture
def slower(start):
    """slower(N): how many times longer than usual N answers in one round take; 1 at the least.

    Measured where nobody waits for a scorer: what daemon and test have to do for so many at once.
    """
    def measure(count):
        daemon = start(["tcp://127.0.0.1:9"], trusted='"5.9.10.11"')    # mta.Client's address
        outcomes = burst(daemon.address, [make()] * count, freeze=daemon.pid())
        daemon.stop_cleanly()
        return max(1.0, max(outcome.seconds for outcome in outcomes) / (count * ANSWER_S))
    return measure


class Pair:
    """A daemon with one well-behaved spamd, shared by the tests of a module."""

    def __init__(self, daemon, scorer):
        self.daemon = daemon
        self.scorer = scorer
        self.address = daemon.address

    def last_request(self):
        return self.scorer.requests()[-1]


@pytest.fixture(scope="module")
def pair():
    with Workspace() as place, BadScorer(place.path) as scorer:
        server = scorer.listen("good", transport="unix")
        with Daemon([server], deadline="10s") as daemon:
            yield Pair(daemon, scorer)
            assert daemon.alive(), "the daemon died:\n" + "\n".join(daemon.lines[-60:])
            daemon.stop_cleanly()

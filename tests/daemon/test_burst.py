# SPDX-License-Identifier: BSD-2-Clause
"""Sessions that end their messages in the same instant are scanned in parallel.

Debian's libmilter assigns all sessions that become ready in one round of its poll loop to the same
idle workers; without a remedy the last of N waits for N/2 whole scans. The daemon is stopped while
the ends of message are sent, so that it finds all of them in one round.
"""

import pytest
from support import checks
from support.messages import make
from support.mta import burst
from support.timing import by_deadline, in_time

SCAN_S = 2.0


@pytest.mark.timed
@pytest.mark.parametrize("freeze", [False, True], ids=["running", "one-round"])
@pytest.mark.parametrize("count", [6, 40, 200])
def test_burst(start, scorer_process, count, freeze):
    """Nobody waits for the end of another one's scan."""
    server = scorer_process.listen("slow", seconds=SCAN_S, score="7.3")
    daemon = start([server], deadline="10s", scorer="max_connections = 500")
    outcomes = burst(daemon.address, [make()] * count, freeze=daemon.pid() if freeze else None)
    seconds = sorted(outcome.seconds for outcome in outcomes)
    in_time(seconds[-1], 2 * SCAN_S - 0.5, seconds[-8:])
    for outcome in outcomes:
        assert checks.status(outcome)["score"] == "7.3"


@pytest.mark.timed
def test_deadline_in_a_burst(start, scorer_process, slower):
    """200 messages that all run into the deadline get their answers on time."""
    server = scorer_process.listen("bad", behaviour="silent")
    daemon = start([server], deadline="1s", scorer="max_connections = 500")
    outcomes = burst(daemon.address, [make()] * 200, freeze=daemon.pid())
    assert {checks.unscanned_reason(outcome) for outcome in outcomes} == {"timeout"}
    by_deadline(max(outcome.seconds for outcome in outcomes), 1.0, slower=slower(200))


def test_each_gets_its_own_verdict(start, scorer_process):
    """F12: 100 different scores at once, none mixed up."""
    server = scorer_process.listen("good", seconds=0.2)
    daemon = start([server], deadline="10s", scorer="max_connections = 500",
                   policy="tag = 5.0\nquarantine = off\nreject = off")
    outcomes = burst(daemon.address, [make(score=f"{n}.5") for n in range(100)])
    assert [checks.status(outcome)["score"] for outcome in outcomes] == \
        [f"{n}.5" for n in range(100)]

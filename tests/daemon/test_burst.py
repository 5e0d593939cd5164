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


@pytest.mark.timed
@pytest.mark.parametrize("freeze", [False, True], ids=["running", "one-round"])
@pytest.mark.parametrize("count,limit_s", [(6, 1.2), (40, 1.2), (200, 1.5)])
def test_burst(start, scorer_process, count, limit_s, freeze):
    server = scorer_process.listen("slow", seconds=1.0, score="7.3")
    daemon = start([server], deadline="10s", scorer="max_connections = 500")
    outcomes = burst(daemon.address, [make()] * count, freeze=daemon.pid() if freeze else None)
    seconds = sorted(outcome.seconds for outcome in outcomes)
    assert seconds[-1] <= limit_s, seconds[-8:]
    for outcome in outcomes:
        assert checks.status(outcome)["score"] == "7.3"


def slowest_at_the_deadline(start, server):
    """Seconds to the last of 200 answers that a daemon of its own gives at its deadline of 1 s."""
    daemon = start([server], deadline="1s", scorer="max_connections = 500")
    outcomes = burst(daemon.address, [make()] * 200, freeze=daemon.pid())
    assert {checks.unscanned_reason(outcome) for outcome in outcomes} == {"timeout"}
    return max(outcome.seconds for outcome in outcomes)


@pytest.mark.timed
def test_deadline_in_a_burst(start, scorer_process):
    """200 messages that all run into the deadline get their answers on time.

    200 answers are work for daemon and test alike: where others want the processors at that moment,
    the crowd comes again, three times in all. What the daemon does wrong it does each time.
    """
    server = scorer_process.listen("bad", behaviour="silent")
    slowest = [slowest_at_the_deadline(start, server)]
    while slowest[-1] > 1.1 and len(slowest) < 3:
        slowest.append(slowest_at_the_deadline(start, server))
    assert slowest[-1] <= 1.1, slowest


def test_each_gets_its_own_verdict(start, scorer_process):
    """F12: 100 different scores at once, none mixed up."""
    server = scorer_process.listen("good", seconds=0.2)
    daemon = start([server], deadline="10s", scorer="max_connections = 500",
                   policy="tag = 5.0\nquarantine = off\nreject = off")
    outcomes = burst(daemon.address, [make(score=f"{n}.5") for n in range(100)])
    assert [checks.status(outcome)["score"] for outcome in outcomes] == \
        [f"{n}.5" for n in range(100)]

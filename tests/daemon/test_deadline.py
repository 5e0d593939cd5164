# SPDX-License-Identifier: BSD-2-Clause
"""The answer comes by the deadline, plus 100 ms at the very worst, alone and in crowds."""

import pytest
from support import checks, ports
from support.messages import make
from support.mta import Session, burst, send
from support.timing import by_deadline, in_time, timely


@pytest.mark.parametrize("deadline_ms", [300, 700, 1500])
@pytest.mark.parametrize("behaviour", ["silent", "deaf", "drip_header"])
def test_small_deadlines(start, scorer, deadline_ms, behaviour):
    server = scorer.listen("bad", behaviour=behaviour)
    daemon = start([server], deadline=f"{deadline_ms}ms")
    outcome = send(daemon.address, make())
    assert checks.unscanned_reason(outcome) == "timeout"
    by_deadline(outcome.seconds, deadline_ms / 1000)


def test_big_message_into_a_zero_window(start, scorer):
    """F4: a scorer that reads nothing of 10 MB."""
    server = scorer.listen("bad", behaviour="deaf")
    daemon = start([server], deadline="700ms", options="max_scan_size = 20M")
    outcome = send(daemon.address, make(body=b"0123456789abcdef" * 64 * 10240 + b"\r\n"))
    assert checks.unscanned_reason(outcome) == "timeout"
    by_deadline(outcome.seconds, 0.7)


@pytest.mark.timed
@pytest.mark.parametrize("behaviour", ["silent", "mute", "drip_body"])
def test_crowd(start, scorer_process, slower, behaviour):
    """F3: 40 at once against a stalled scorer with slots for all."""
    server = scorer_process.listen("bad", behaviour=behaviour)
    daemon = start([server], deadline="1s", scorer="max_connections = 100")
    outcomes = burst(daemon.address, [make()] * 40, freeze=daemon.pid())
    late = sorted(outcome.seconds for outcome in outcomes)
    by_deadline(late[-1], 1.0, late[-5:], slower=slower(40))
    for outcome in outcomes:
        checks.unscanned_reason(outcome)


def test_waiting_for_a_slot_counts(start, scorer_process, slower):
    """F34, trap 62: 60 messages and two slots: those that cannot be served are answered in time."""
    server = scorer_process.listen("slow", seconds=0.5, score="7.3")
    daemon = start([server], deadline="3s", scorer="max_connections = 2")
    outcomes = burst(daemon.address, [make()] * 60)
    by_deadline(max(outcome.seconds for outcome in outcomes), 3.0, slower=slower(60))
    scored = [o for o in outcomes if "score=7.3" in (o.header("X-Spam-Status") or "")]
    assert len(scored) <= 14            # 3 s of two slots, and who had one at the deadline
    timely(len(scored) >= 4, len(scored))
    for outcome in outcomes:
        if outcome not in scored:
            assert checks.unscanned_reason(outcome) in ("overloaded", "timeout")


def test_slots_protect_the_scorer(start, scorer):
    """Never more connections at a time than max_connections."""
    server = scorer.listen("slow", seconds=0.2, score="7.3")
    daemon = start([server], deadline="5s", scorer="max_connections = 3")
    outcomes = burst(daemon.address, [make()] * 15)
    assert all(checks.status(outcome)["score"] == "7.3" for outcome in outcomes)
    assert scorer.peak("slow") == 3


def test_progress(start, scorer):
    """Trap 62, facts F4: Sendmail gives up after 10 s without a word, so there is one before."""
    server = scorer.listen("slow", seconds=7.0, score="7.3")
    daemon = start([server], deadline="20s")
    outcome = send(daemon.address, make())
    assert checks.status(outcome)["score"] == "7.3"
    moments = [0.0, *outcome.verdict.progress, outcome.seconds]
    in_time(max(b - a for a, b in zip(moments, moments[1:])), 6.0, moments)


def test_client_gone_during_the_scan(start, scorer):
    """F29: the scoring call is given up, descriptors come back, others are not disturbed."""
    server = scorer.listen("x", behaviour="silent")
    daemon = start([server], deadline="2s", scorer="max_connections = 100")
    fds = daemon.fds()
    for _ in range(20):
        session = Session(daemon.address)
        session.greet()
        session.prepare(make())
        session.milter.send_eom()
        session.close()
    assert ports.wait_until(lambda: daemon.fds() <= fds + 2), daemon.fds()
    assert daemon.alive()


def test_late_answer_is_not_given_to_another(start, scorer):
    """F12: a slow reply to one message never becomes the verdict of the next."""
    server = scorer.listen("x")
    daemon = start([server], deadline="700ms")
    slow = send(daemon.address, make(score="20.0", headers=[b"X-Test-Delay: 1.0"]))
    checks.unscanned_reason(slow)
    for number in range(20):
        outcome = send(daemon.address, make(score=f"{number / 10:.1f}"))
        value = outcome.header("X-Spam-Status")
        assert "Unscanned" in value or f"score={number / 10:.1f} " in value

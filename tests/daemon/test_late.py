# SPDX-License-Identifier: BSD-2-Clause
"""Late verdicts: a scan that missed the deadline goes on, and the sender's retry is answered by it."""

import threading

import pytest
from faults.preload import CLOCKS, Preload
from support import checks, ports
from support.messages import make
from support.mta import Session, send
from support.timing import by_deadline, in_time

POLICY = "tag = 5.0\nquarantine = off\nreject = off\non_failure = tempfail"
PROTOCOLS = ["spamd", "rspamd", "json"]
DEADLINE_S = 0.7
SLOW = [b"X-Test-Gated: yes"]       # answered when the test opens the gate: after the deadline


def late(daemon):
    return daemon.status()["late"]


def answer(scorer, daemon, key, count):
    """The scorer answers all that it was asked, until so many of them were counted as late."""
    scorer.gate.set()
    assert ports.wait_until(lambda: late(daemon)[key] >= count), late(daemon)
    scorer.gate.clear()


def kept(scorer, daemon, count):
    answer(scorer, daemon, "kept", count)


def is_deferred(outcome):
    return outcome.kind == "tempfail" or (outcome.reply.code or 0) // 100 == 4


@pytest.fixture
def slow(start, scorer):
    """A daemon that defers what is not scored in time, and the scorer "a" that is slow when told."""
    scorer.gate = threading.Event()

    def begin(options="", protocol="spamd", **more):
        server = scorer.listen("a", protocol=protocol, gate=scorer.gate)
        return start([server], protocol=protocol, deadline=f"{int(DEADLINE_S * 1000)}ms", policy=POLICY,
                     options=options, **{"scorer": "max_connections = 20", **more})
    return begin


@pytest.mark.brisk
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_retry_is_answered_at_once(slow, scorer, protocol):
    """Same message and envelope, another queue id: the verdict is there, nobody is asked again."""
    daemon = slow(protocol=protocol)
    raw = make(score=7.3, headers=SLOW)
    first = send(daemon.address, raw, queue_id="4FIRST")
    assert is_deferred(first)
    by_deadline(first.seconds, DEADLINE_S)
    assert daemon.message_line("4FIRST")["reason"] == "timeout"
    kept(scorer, daemon, 1)
    retry = send(daemon.address, raw, queue_id="4RETRY")
    assert checks.status(retry)["score"] == "7.3"
    in_time(retry.seconds, 0.3)
    line = daemon.message_line("4RETRY")
    assert (line["reason"], line["score"], line["scorer"]) == ("late", "7.3", "x")
    assert len(scorer.requests()) == 1
    found = late(daemon)
    assert (found["adopted"], found["finished"], found["used"]) == (1, 1, 1)
    assert found["running"] == 0
    assert "a late verdict came" in daemon.wait_log("late verdict")


@pytest.mark.brisk
@pytest.mark.parametrize("change", ["body", "header", "sender", "recipient", "more recipients"])
def test_another_message_is_scanned_itself(slow, scorer, change):
    """What differs in a byte or in its envelope never gets a kept verdict."""
    daemon = slow()
    send(daemon.address, make(score=7.3, headers=SLOW))
    kept(scorer, daemon, 1)
    raw, envelope = make(score=7.3, headers=SLOW), {}
    if change == "body":
        raw = make(score=7.3, headers=SLOW, body=b"Shall we meet at nine?\r\n")
    elif change == "header":
        raw = make(score=7.3, headers=SLOW, subject="Lunch on Monday")
    elif change == "sender":
        envelope = {"sender": "mallory@example.org"}
    elif change == "recipient":
        envelope = {"recipients": ["carol@example.com"]}
    else:
        envelope = {"recipients": ["bob@example.com", "carol@example.com"]}
    assert is_deferred(send(daemon.address, raw, **envelope))
    assert len(scorer.requests()) == 2
    assert late(daemon)["used"] == 0


def test_retry_waits_for_a_scan_that_is_still_running(slow, scorer):
    """A retry that comes too soon waits inside its own deadline, and asks nobody."""
    daemon = slow()
    raw = make(score=7.3, headers=SLOW)
    assert is_deferred(send(daemon.address, raw))
    second = send(daemon.address, raw)
    assert is_deferred(second) and DEADLINE_S - 0.1 <= second.seconds
    by_deadline(second.seconds, DEADLINE_S)
    scorer.gate.set()
    outcome = None
    while outcome is None or is_deferred(outcome):
        outcome = send(daemon.address, raw)
        by_deadline(outcome.seconds, DEADLINE_S)
    assert checks.status(outcome)["score"] == "7.3"
    assert len(scorer.requests()) == 1


@pytest.mark.brisk
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_gets_its_own(slow, scorer, protocol):
    """Ten late scans at once, none mixed up."""
    daemon = slow(protocol=protocol)
    raws = [make(score=f"{number}.5", headers=SLOW) for number in range(10)]
    sessions = []
    for raw in raws:
        session = Session(daemon.address)
        session.greet()
        session.prepare(raw)
        session.milter.send_eom()
        sessions.append(session)
    for session in sessions:
        assert session.milter.wait_verdict().kind in ("tempfail", "replycode")
        session.close()
    kept(scorer, daemon, 10)
    scores = [checks.status(send(daemon.address, raw))["score"] for raw in raws]
    assert scores == [f"{number}.5" for number in range(10)]
    assert len(scorer.requests()) == 10


def test_limit(slow, scorer):
    """late_verdict_limit bounds what is kept: the oldest goes first."""
    daemon = slow("late_verdict_limit = 2")
    raws = [make(subject=f"number {number}", headers=SLOW) for number in range(4)]
    for number, raw in enumerate(raws):
        assert is_deferred(send(daemon.address, raw))
        answer(scorer, daemon, "finished", number + 1)
        assert late(daemon)["kept"] <= 2
    assert "score=" in send(daemon.address, raws[3]).header("X-Spam-Status")
    assert is_deferred(send(daemon.address, raws[0]))


def test_limit_while_they_run(slow):
    """More scans than the limit at the same time: what does not fit is given up."""
    daemon = slow("late_verdict_limit = 2")
    for number in range(4):
        send(daemon.address, make(subject=f"number {number}", headers=SLOW))
        found = late(daemon)
        assert found["running"] + found["kept"] <= 2
    assert late(daemon)["adopted"] == 2


@pytest.mark.brisk
@pytest.mark.parametrize("options", ["late_verdicts = off", "late_verdict_limit = 0"])
def test_switched_off(slow, scorer, options):
    daemon = slow(options)
    raw = make(score=7.3, headers=SLOW)
    assert is_deferred(send(daemon.address, raw))
    assert ports.wait_until(lambda: daemon.status()["servers"][0]["healthy"])
    assert is_deferred(send(daemon.address, raw))
    assert len(scorer.requests()) == 2 and late(daemon)["adopted"] == 0


def test_not_for_those_who_deliver_unscanned(start, scorer):
    """on_failure = accept: there is no retry to wait for."""
    daemon = start([scorer.listen("a", gate=threading.Event())], deadline="500ms")
    checks.unscanned_reason(send(daemon.address, make(headers=SLOW)))
    assert late(daemon) == {"running": 0, "kept": 0, "adopted": 0, "finished": 0, "used": 0}


def test_verdicts_grow_old(slow, scorer, workspace):
    """After late_verdicts a verdict is forgotten (the clock is made to jump)."""
    preload = Preload(workspace, CLOCKS)
    daemon = slow("late_verdicts = 10m", environment=preload.environment)
    raw = make(score=7.3, headers=SLOW)
    assert is_deferred(send(daemon.address, raw))
    kept(scorer, daemon, 1)
    preload.set(monotonic_offset_s=590)
    assert checks.status(send(daemon.address, raw))["score"] == "7.3"
    preload.set(monotonic_offset_s=601)
    assert is_deferred(send(daemon.address, raw))


@pytest.mark.brisk
def test_scan_that_fails_is_forgotten(slow, scorer):
    """A late scan without a verdict leaves nothing behind: the retry is scanned anew."""
    daemon = slow()
    raw = make(headers=[*SLOW, b"X-Test-Behaviour: garbage"])
    assert is_deferred(send(daemon.address, raw))
    scorer.gate.set()
    assert ports.wait_until(lambda: late(daemon)["running"] == 0)
    scorer.gate.clear()
    assert late(daemon)["kept"] == 0
    assert ports.wait_until(lambda: daemon.status()["servers"][0]["healthy"])
    assert is_deferred(send(daemon.address, raw))
    assert len(scorer.requests()) == 2


def test_retries_of_a_scan_that_fails(slow, scorer):
    """Many retries that wait for a scan which then fails: all are deferred, nobody dies."""
    daemon = slow()
    raw = make(headers=[*SLOW, b"X-Test-Behaviour: garbage"])
    assert is_deferred(send(daemon.address, raw))
    sessions = []
    for _ in range(20):
        session = Session(daemon.address)
        session.greet()
        session.prepare(raw)
        session.milter.send_eom()
        sessions.append(session)
    scorer.gate.set()
    for session in sessions:
        assert session.milter.wait_verdict().kind in ("tempfail", "replycode")
        session.close()
    assert daemon.alive()


def test_a_stuck_server_is_set_aside(start, scorer):
    """Scans that go on in the background leave the server silent: others are asked meanwhile."""
    servers = [scorer.listen("stuck", behaviour="silent", ping=False), scorer.listen("good")]
    daemon = start(servers, deadline="600ms", policy=POLICY,
                   scorer="max_connections = 20\n\thedge_after = off")
    while not scorer.requests("stuck"):
        send(daemon.address, make())
    assert "is set aside" in daemon.wait_log("is set aside")
    for _ in range(4):
        assert "score=" in send(daemon.address, make(subject="another")).header("X-Spam-Status")


def test_a_stuck_server_does_not_keep_its_slots_for_ever(start, scorer):
    """F12: the server comes back, although earlier scans still hang in it."""
    server = scorer.listen("a", behaviour="silent", ping=False)
    daemon = start([server], deadline="500ms", policy=POLICY, scorer="max_connections = 2")
    for number in range(4):
        assert is_deferred(send(daemon.address, make(subject=f"number {number}")))
    scorer.become("a", "correct")
    scorer.clear()      # what hung there ends
    assert ports.wait_until(
        lambda: "score=" in (send(daemon.address, make(subject="new")).header("X-Spam-Status")
                             or ""))


@pytest.mark.brisk
def test_reload_and_stop_with_scans_in_the_background(slow, scorer):
    """A reload forgets nothing, and a stop does not wait for late scans."""
    daemon = slow()
    raw = make(score=7.3, headers=SLOW)
    send(daemon.address, raw)
    daemon.reload()
    daemon.wait_log("configuration reloaded")
    kept(scorer, daemon, 1)
    assert checks.status(send(daemon.address, raw))["score"] == "7.3"
    send(daemon.address, make(headers=SLOW))
    assert late(daemon)["running"] == 1
    status, took = daemon.stop()
    assert status == 0
    in_time(took, 2)
    assert len(scorer.requests()) == 2

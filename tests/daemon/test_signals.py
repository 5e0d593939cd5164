# SPDX-License-Identifier: BSD-2-Clause
"""Reloading and stopping a daemon that is at work."""

import os
import signal

import pytest
from support import checks
from support.messages import make
from support.mta import Session, send
from support.timing import in_time


def test_reload_takes_a_new_configuration(start, scorer):
    """Trap 66: SIGUSR1 reloads, and no session is lost by it."""
    server = scorer.listen("good")
    daemon = start([server])
    with Session(daemon.address) as old:
        old.greet()
        assert checks.status(old.send_message(make(score=4.0)))["word"] == "No"
        daemon.write_config(daemon.config.replace("tag = 5.0", "tag = 3.0"))
        daemon.reload()
        daemon.wait_log("configuration reloaded")
        outcome = send(daemon.address, make(score=4.0))
        assert checks.status(outcome) == {"word": "Yes", "score": "4.0", "required": "3.0",
                                          "tests": "SCRIPTED"}
        # a session pins what it began with, or takes the new one: never anything else
        assert old.send_message(make(score=6.0)).header("X-Spam-Flag") == "YES"


@pytest.mark.parametrize("break_it", [
    lambda text: text + "\nno_such_key = 1\n", lambda text: text.replace("tag = 5.0", "tag = 99"),
    lambda text: "", lambda text: text.replace("policy {", "policy "),
    lambda text: text + "x" * 100000,
], ids=["unknown-key", "order", "empty", "syntax", "long-line"])
def test_bad_reload_keeps_the_old(start, scorer, break_it):
    """F35: a configuration with an error changes nothing, and the log says where it is."""
    server = scorer.listen("good")
    daemon = start([server])
    good = daemon.config
    daemon.write_config(break_it(good))
    daemon.reload()
    daemon.wait_log("spambridge.conf:")
    assert checks.status(send(daemon.address, make(score=6.0)))["required"] == "5.0"
    daemon.write_config(good.replace("tag = 5.0", "tag = 4.0"))
    daemon.reload()
    daemon.wait_log("configuration reloaded")
    assert checks.status(send(daemon.address, make(score=4.5)))["word"] == "Yes"


def test_reload_during_scans(start, scorer):
    """Scans under way keep what they began with and are answered."""
    server = scorer.listen("slow", seconds=0.5)
    daemon = start([server], scorer="max_connections = 50")
    sessions = held(daemon, 10)
    for _ in range(20):
        daemon.reload()
    for session in sessions:
        assert session.milter.wait_verdict().kind in ("accept", "continue")
        session.close()


def held(daemon, count, score=7.3):
    """Sessions whose end of message was sent and not answered yet."""
    sessions = []
    for _ in range(count):
        session = Session(daemon.address)
        session.greet()
        session.prepare(make(score=score))
        session.milter.send_eom()
        sessions.append(session)
    return sessions


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_answers_what_is_in_flight(start, scorer, number):
    """F35, facts E4: a stop never cuts off a message whose end was sent; exit status 0."""
    server = scorer.listen("slow", seconds=1.0)
    daemon = start([server], deadline="3s", scorer="max_connections = 50")
    sessions = held(daemon, 10)
    while len(scorer.requests()) < 10:
        assert daemon.alive()
        scorer.stopping.wait(0.01)
    daemon.signal(number)
    for session in sessions:
        verdict = session.milter.wait_verdict()
        assert verdict.kind in ("accept", "continue")
        assert [edit for edit in verdict.edits if b"X-Spam-Flag" in edit]
        session.close()
    assert daemon.process.wait(60) == 0


@pytest.mark.timed
def test_stop_is_bounded_by_the_deadline(start, scorer):
    """A stalled scorer holds up the end by the deadline and a second, no more."""
    server = scorer.listen("bad", behaviour="silent")
    daemon = start([server], deadline="2s", scorer="max_connections = 50")
    sessions = held(daemon, 5)
    status, took = daemon.stop()
    assert status == 0
    in_time(took, 3.1)
    for session in sessions:
        assert session.milter.wait_verdict().kind in ("accept", "continue")
        session.close()


def test_idle_stop_is_quick(start, scorer):
    """libmilter's listener polls for 5 s; a restart must not take as long. The socket is gone."""
    server = scorer.listen("good")
    daemon = start([server])
    idle = Session(daemon.address)
    idle.greet()
    status, took = daemon.stop()
    assert status == 0
    in_time(took, 2.0)
    assert not os.path.exists(daemon.workspace.file("milter.sock"))
    idle.close()


def test_signals_that_mean_nothing(start, scorer):
    server = scorer.listen("good")
    daemon = start([server])
    for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG):
        daemon.signal(number)
    assert checks.status(send(daemon.address, make(score=7.3)))["word"] == "Yes"

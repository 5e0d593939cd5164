# SPDX-License-Identifier: BSD-2-Clause
"""Connections that stay open: used again, and never the way of one message's answer to another."""

import threading

import pytest
from support import checks, ports
from support.messages import make
from support.mta import send

JSON = 'score = "/score"'


def scored(daemon, score):
    """One message that is to get this score of its own."""
    outcome = send(daemon.address, make(headers=[b"X-Test-Score: " + score.encode()]))
    return checks.status(outcome)["score"]


@pytest.mark.parametrize("transport", ["tcp", "unix", "tls"])
def test_a_connection_is_used_again(start, scorer, transport):
    server = scorer.listen("x", protocol="json", behaviour="keep_alive", transport=transport)
    extra = f'ca_file = "{scorer.certificate()}"' if transport == "tls" else ""
    daemon = start([server], protocol="json", scorer=f"{JSON} {extra}")
    scores = [f"{number / 10}" for number in range(10, 30)]
    assert [scored(daemon, score) for score in scores] == scores
    assert scorer.accepted("x") == 1
    assert len(scorer.requests("x")) == len(scores)
    assert not any(request.faults for request in scorer.requests("x"))


def test_not_used_again_when_the_server_says_so(start, scorer):
    server = scorer.listen("x", protocol="json")
    daemon = start([server], protocol="json", scorer=JSON)
    for score in ("1.0", "2.0", "3.0"):
        assert scored(daemon, score) == score
    assert scorer.accepted("x") == 3


def test_a_second_answer_is_never_read(start, scorer):
    """Trap 69: bytes that came on an idle connection close it."""
    server = scorer.listen("x", protocol="json", behaviour="keep_alive_more")
    daemon = start([server], protocol="json", scorer=JSON)
    for number, score in enumerate(("1.0", "2.0", "3.0", "4.0"), 1):
        assert scored(daemon, score) == score
        assert scorer.accepted("x") == number
        assert ports.wait_until(lambda: number == sum(   # pylint: disable=cell-var-from-loop
            request.verb == "sent more" for request in scorer.requests("x")))


@pytest.mark.parametrize("behaviour,transport,lines", [
    ("keep_alive_early", "tcp", 600000), ("keep_alive_early", "tls", 600000),
    ("keep_alive_unread", "tcp", 600000), ("keep_alive_unread", "tcp", 60000),
    ("keep_alive_unread", "unix", 6000), ("keep_alive_unread", "unix", 600),
    ("keep_alive_unread", "unix", 1)])
def test_an_answer_before_the_question_is_none(start, scorer, behaviour, transport, lines):
    """Trap 69: what comes on a used connection before the other side has taken in the whole
    message is another's, however small the message is."""
    server = scorer.listen("x", protocol="json", behaviour=behaviour, transport=transport)
    extra = f'ca_file = "{scorer.certificate()}"' if transport == "tls" else ""
    daemon = start([server], protocol="json", scorer=f"{JSON} {extra}", deadline="3s",
                   options="max_scan_size = 64M\nlog_level = debug")
    assert scored(daemon, "1.0") == "1.0"
    message = make(body=b"0123456789abcdef\r\n" * lines)
    assert checks.unscanned_reason(send(daemon.address, message)) == "malformed"
    daemon.wait_log("an answer before the question was asked")
    assert scorer.accepted("x") == 1


@pytest.mark.parametrize("behaviour", ["keep_alive_once", "keep_alive_drops"])
def test_a_connection_that_was_closed_costs_nothing(start, scorer, behaviour):
    """The server closes it while it is idle, or when the next request is there."""
    server = scorer.listen("x", protocol="json", behaviour=behaviour)
    daemon = start([server], protocol="json", scorer=JSON)
    for score in ("1.0", "2.0", "3.0"):
        assert scored(daemon, score) == score


def test_crowds_get_their_own_answers(start, scorer_process):
    """F12: 400 messages over 8 kept connections, each with a score of its own."""
    server = scorer_process.listen("x", protocol="json", behaviour="keep_alive")
    daemon = start([server], protocol="json", scorer=f"{JSON} max_connections = 8", deadline="20s",
                   policy="tag = off\nquarantine = off\nreject = off")
    wrong = []

    def crowd(first):
        for number in range(first, first + 25):
            score = f"{number / 10}"
            if scored(daemon, score) != score:
                wrong.append(number)
    threads = [threading.Thread(target=crowd, args=(10 + 25 * index,)) for index in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(scorer_process.requests("x")) == 400
    assert scorer_process.accepted("x") <= 16


def test_idle_connections_are_bounded(start, scorer):
    """Never more than max_connections wait, and a stop closes them."""
    server = scorer.listen("x", protocol="json", behaviour="keep_alive")
    daemon = start([server], protocol="json", scorer=f"{JSON} max_connections = 2")
    before = daemon.fds()
    threads = [threading.Thread(target=scored, args=(daemon, "1.0")) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ports.wait_until(lambda: daemon.fds() <= before + 2 * 4), (before, daemon.fds())
    assert scorer.accepted("x") <= 4
    daemon.stop_cleanly()


def test_a_reload_forgets_connections(start, scorer):
    server = scorer.listen("x", protocol="json", behaviour="keep_alive")
    daemon = start([server], protocol="json", scorer=JSON)
    assert scored(daemon, "1.0") == "1.0"
    daemon.reload()
    daemon.wait_log("reload")
    assert ports.wait_until(lambda: scored(daemon, "2.0") == "2.0" and scorer.accepted("x") == 2)

# SPDX-License-Identifier: BSD-2-Clause
"""A scorer that fails in any way leads to the configured answer with a reason, never to a score."""

import pytest
from support import checks, ports
from support.daemon import THRESHOLDS
from support.messages import make
from support.mta import send
from support.timing import by_deadline, in_time

DEADLINE_MS = 700
PLENTY_MS = 10000                   # of time, for answers that must not wait for a deadline

# behaviours that are answered as soon as they are seen
MALFORMED = [
    "status_only", "status_and_blank", "no_spam_line", "two_spam_lines", "comma_decimal",
    "score_nan", "score_inf", "score_huge", "score_exponent", "score_missing", "score_hex",
    "no_threshold", "odd_word", "length_too_big", "length_nonsense", "huge_length", "flood",
    "endless_headers", "endless_line", "garbage", "http_reply", "hang_up", "negative_version",
    "early_reply",
] + [f"error_{code}" for code in (64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79)]
# behaviours that hold out until the deadline
STALLING = ["silent", "mute", "deaf", "drip_body", "drip_header", "length_too_big_open"]
# odd but understandable: the right score or a failure, never another score
EITHER = ["length_too_small", "no_length", "extra_bytes", "another_message", "bare_lf"]
GOOD = ["correct", "two_writes", pytest.param("byte_writes", marks=pytest.mark.timed), "rst_after",
        "other_version", "extra_headers", "yes_no"]


def run(start, scorer, behaviour, on_failure="accept", transport="tcp", deadline_ms=DEADLINE_MS,
        **options):
    """One message to a daemon whose only scorer behaves so; returns (outcome, log line)."""
    server = scorer.listen("bad", behaviour=behaviour, transport=transport, score="7.3", **options)
    daemon = start([server], deadline=f"{deadline_ms}ms",
                   policy=f"{THRESHOLDS}\non_failure = {on_failure}")
    outcome = send(daemon.address, make(), queue_id="4FAILURE")
    assert daemon.alive()
    return outcome, daemon.message_line("4FAILURE")


def assert_no_score(line):
    assert line["score"] in ("", "-"), line
    assert line["reason"] not in ("", "-"), line


@pytest.mark.parametrize("behaviour", MALFORMED)
def test_malformed_is_accepted_unscanned(start, scorer, behaviour):
    """Traps 29, 30, 31, F7, F8, F10: a reply that is no verdict is a failure, at once."""
    outcome, line = run(start, scorer, behaviour, deadline_ms=PLENTY_MS)
    assert checks.unscanned_reason(outcome) == line["reason"] != "timeout"
    assert_no_score(line)
    assert outcome.seconds < PLENTY_MS / 1000


@pytest.mark.parametrize("behaviour", ["status_only", "score_nan", "error_76", "silent"])
def test_tempfail(start, scorer, behaviour):
    """on_failure = tempfail: deferred with a temporary code, nothing delivered."""
    outcome, line = run(start, scorer, behaviour, on_failure="tempfail")
    assert outcome.kind == "tempfail" or (outcome.kind == "replycode"
                                          and 400 <= outcome.reply.code < 500)
    if outcome.kind == "replycode":
        assert outcome.reply.text[4:6] == b"4."     # the classes must agree (facts E6)
    assert_no_score(line)
    assert line["action"] == "tempfail"


@pytest.mark.parametrize("behaviour", STALLING)
def test_stalling(start, scorer, behaviour):
    """Trap 60, F3, F4, F5, F6: nothing that trickles in re-arms the deadline."""
    outcome, line = run(start, scorer, behaviour)
    assert checks.unscanned_reason(outcome) == "timeout" == line["reason"]
    assert_no_score(line)
    assert DEADLINE_MS / 1000 - 0.25 < outcome.seconds
    by_deadline(outcome.seconds, DEADLINE_MS / 1000)


@pytest.mark.parametrize("behaviour", EITHER)
def test_odd_replies_are_never_misread(start, scorer, behaviour):
    """Trap 69: bytes too many or too few never make another score."""
    outcome, line = run(start, scorer, behaviour)
    if "score=" in (outcome.header("X-Spam-Status") or ""):
        assert checks.status(outcome)["score"] == "7.3" and line["score"] == "7.3"
    else:
        checks.unscanned_reason(outcome)
        assert_no_score(line)


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("behaviour", GOOD)
def test_unusual_but_right(start, scorer, behaviour, transport):
    """Traps 28, 29, 30: replies that are fine, in whatever pieces they come."""
    outcome, line = run(start, scorer, behaviour, transport=transport, deadline_ms=PLENTY_MS)
    assert checks.status(outcome)["score"] == "7.3"
    assert float(line["score"]) == 7.3


def test_refused(start):
    """F1: nobody listens: the policy at once."""
    port = ports.free_port()
    daemon = start([f"tcp://127.0.0.1:{port}"], deadline=f"{PLENTY_MS}ms")
    outcome = send(daemon.address, make(), queue_id="4REFUSED")
    assert checks.unscanned_reason(outcome) == "refused"
    assert outcome.seconds < PLENTY_MS / 1000 / 2
    assert daemon.message_line("4REFUSED")["reason"] == "refused"


def test_missing_unix_socket(start, workspace):
    daemon = start([f"unix:{workspace.file('nobody.sock')}"])
    assert checks.unscanned_reason(send(daemon.address, make())) == "refused"


@pytest.mark.parametrize("cut", ["rst_at", "eof_at"])
def test_reply_cut_short(start, scorer, cut):
    """F9, trap 31: a verdict only when the reply is whole.

    Each cut has a daemon of its own: one that has met a cut sets the server aside.
    """
    server = scorer.listen("bad", behaviour=cut, score="7.3")
    reply_size = probe_reply_size(scorer.listen("good", score="7.3"))
    scorer.clear()
    cuts = [*range(0, 120, 10), *range(120, reply_size, 60), reply_size - 2, reply_size - 1]
    for at in cuts:
        daemon = start([server], deadline="2s")
        checks.unscanned_reason(send(daemon.address, make(headers=[b"X-Test-At: %d" % at])))
        daemon.stop_cleanly()
    assert len(scorer.requests("bad")) >= len(cuts)


def probe_reply_size(address):
    """Size of the good reply to the message that the cut replies are made for, at the least."""
    host, port = address[6:].split(":")
    message = make(headers=[b"X-Test-At: 0"])
    with ports.connect(f"inet:{port}@{host}") as sock:
        sock.sendall(b"HEADERS SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(message) + message)
        size = 0
        while True:
            data = sock.recv(65536)
            if not data:
                return size
            size += len(data)


def test_recovers_when_the_scorer_returns(start, scorer):
    """F13: a server that was set aside is asked again once it answers its probe."""
    server = scorer.listen("x", score="7.3")
    port = int(server.rsplit(":", 1)[1])
    daemon = start([server], deadline="2s")
    assert checks.status(send(daemon.address, make()))["score"] == "7.3"
    scorer.refuse("x")
    assert checks.unscanned_reason(send(daemon.address, make())) == "refused"
    scorer.listen("x", port=port, score="7.3")
    assert ports.wait_until(
        lambda: "score=7.3" in (send(daemon.address, make()).header("X-Spam-Status") or ""),
        step=0.1)


def test_fails_over(start, scorer):
    """A dead and a lying server beside a good one cost no message its score."""
    servers = [f"tcp://127.0.0.1:{ports.free_port()}",
               scorer.listen("liar", behaviour="status_only"),
               scorer.listen("good", score="7.3")]
    daemon = start(servers, deadline="3s")
    for _ in range(10):
        outcome = send(daemon.address, make())
        assert checks.status(outcome)["score"] == "7.3"


def test_hedges_a_silent_server(start, scorer):
    """A silent server's message goes to a second one after hedge_after."""
    servers = [scorer.listen("mute", behaviour="silent"), scorer.listen("good", score="7.3")]
    daemon = start(servers, deadline="3s", scorer="hedge_after = 200ms")
    for _ in range(4):
        outcome = send(daemon.address, make())
        assert checks.status(outcome)["score"] == "7.3"
        in_time(outcome.seconds, 1.0)


def test_many_failures_leak_nothing(start, scorer):
    """Failing exchanges give back their descriptors."""
    server = scorer.listen("bad", behaviour="status_only")
    daemon = start([server], deadline="1s")
    for _ in range(20):
        send(daemon.address, make())
    fds = daemon.fds()
    for _ in range(200):
        send(daemon.address, make())
    assert ports.wait_until(lambda: daemon.fds() <= fds + 2), daemon.fds()


def test_oversize(start, scorer):
    """oversize: head scores the beginning, pass lets through, tempfail defers."""
    server = scorer.listen("good", score="7.3")
    big = make(body=b"0123456789abcdef\r\n" * 20000)
    for oversize, kinds in (("head", ("accept", "continue")), ("pass", ("accept", "continue")),
                            ("tempfail", ("tempfail", "replycode"))):
        daemon = start([server],
                       options=f"max_scan_size = 64K\noversize = {oversize}")
        scorer.clear()
        outcome = send(daemon.address, big)
        assert outcome.kind in kinds
        seen = scorer.requests()
        assert len(seen) == (1 if oversize == "head" else 0)
        if oversize == "head":
            assert checks.status(outcome)["score"] == "7.3"
            assert 32 * 1024 < len(seen[0].message) <= 66 * 1024
            assert not seen[0].faults
        assert send(daemon.address, make()).header("X-Spam-Flag") == "YES"

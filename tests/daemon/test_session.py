# SPDX-License-Identifier: BSD-2-Clause
"""The life of a milter session: stages left out, cut short, repeated; nothing carried over."""

import struct

import pytest
from support import checks, ports
from support.messages import Split, make, split
from support.milter import ALL_ACTIONS, ALL_STEPS, STEPS, Milter, MilterClosed, packet
from support.mta import Client, Session, send

STAGES = ["open", "negotiate", "connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body"]


def advance(milter, stage):
    """Drive a session up to and including a stage."""
    steps = {
        "negotiate": milter.negotiate,
        "connect": milter.connect,
        "helo": milter.helo,
        "mail": lambda: milter.mail("<alice@example.org>"),
        "rcpt": lambda: milter.rcpt("<bob@example.com>"),
        "data": milter.data,
        "header": lambda: milter.header("Subject", " unfinished"),
        "eoh": milter.eoh,
        "body": lambda: milter.body(b"half a bo"),
    }
    for name in STAGES[1:STAGES.index(stage) + 1]:
        steps[name]()


def assert_scores(pair):
    """The daemon still does its work."""
    outcome = send(pair.address, make(score=7.3))
    assert checks.status(outcome)["score"] == "7.3"


@pytest.mark.parametrize("stage", STAGES)
def test_client_vanishes(pair, stage):
    """Traps 46, 47: a port probe, or a server that dies, at any stage."""
    for _ in range(20):
        milter = Milter(pair.address)
        advance(milter, stage)
        milter.close()
    assert_scores(pair)


@pytest.mark.parametrize("stage", STAGES[1:])
def test_quit_at_every_stage(pair, stage):
    with Milter(pair.address) as milter:
        advance(milter, stage)
        milter.quit()
    assert_scores(pair)


@pytest.mark.parametrize("stage", STAGES[1:])
def test_abort_then_new_message(pair, stage):
    """Trap 48: ABORT, also twice, then a message that shows nothing of the aborted one."""
    session = Session(pair.address)
    session.greet()
    if stage not in ("negotiate", "connect", "helo"):
        milter = session.milter
        milter.mail("<mallory@example.net>")
        for name in STAGES[5:STAGES.index(stage) + 1]:
            {"rcpt": lambda: milter.rcpt("<victim@example.net>"), "data": milter.data,
             "header": lambda: milter.header("X-Left", " over"), "eoh": milter.eoh,
             "body": lambda: milter.body(b"left over\r\n")}[name]()
    session.milter.abort()
    session.milter.abort()
    outcome = session.send_message(make(score=7.3), queue_id="4ABORTED01")
    assert checks.status(outcome)["score"] == "7.3"
    _, received, message = checks.sent_to_scorer(pair.last_request())
    assert b"mallory" not in received and b"alice@example.org" in received
    assert message == split(make(score=7.3)).cleaned()
    assert "bob@example.com" in pair.daemon.message_line("4ABORTED01")["to"]
    session.close()


def test_many_messages_one_connection(pair):
    """Trap 48: alternating verdicts, senders and recipients on one connection stay apart."""
    with Session(pair.address) as session:
        session.greet()
        for number in range(12):
            score = [1.0, 7.0, 20.0][number % 3]
            body = f"message {number}\r\n".encode()
            outcome = session.send_message(
                make(score=score, body=body), sender=f"s{number}@example.org",
                recipients=[f"r{number}@example.com"] * (1 + number % 2),
                queue_id=f"4MANY{number:04}")
            if score == 20.0:
                assert outcome.kind == "replycode" and outcome.reply.code == 550
            else:
                assert checks.status(outcome)["word"] == ("Yes" if score == 7.0 else "No")
                assert bool(outcome.header("X-Spam-Flag")) == (score == 7.0)
            sender, received, message = checks.sent_to_scorer(pair.last_request())
            assert f"s{number}@example.org".encode() in sender
            assert f"4MANY{number:04}".encode() in received
            assert message.endswith(body)
            line = pair.daemon.message_line(f"4MANY{number:04}")
            assert f"s{number}@example.org" in line["from"]
            assert f"r{number}@example.com" in line["to"]


def test_the_answer_is_one_piece(pair):
    """The fields come with the final answer: the mail server is woken once for all of them."""
    with Session(pair.address) as session:
        session.greet()
        session.prepare(make(score=7.3))
        session.milter.send_eom()
        session.milter.feed()
        assert len(session.milter.take_verdict().edits) > 3


def test_quit_nc(pair):
    """QUIT_NC ends the session like QUIT, the connection's close comes on top."""
    for _ in range(10):
        with Session(pair.address) as session:
            session.greet()
            session.send_message(make())
            session.milter.quit_nc()
    assert_scores(pair)


def test_no_macros_at_all(pair):
    """Traps 40, 41: no queue id, no name of our own, no protocol name."""
    with Milter(pair.address) as milter:
        milter.negotiate()
        milter.connect()
        milter.helo()
        milter.mail("<alice@example.org>")
        milter.rcpt("<bob@example.com>")
        milter.data()
        milter.header("X-Test-Score", " 7.3")
        milter.eoh()
        milter.body(b"text\r\n")
        verdict = milter.eom()
    assert verdict.kind in ("accept", "continue")
    received = checks.sent_to_scorer(pair.last_request())[1]
    assert received.startswith(b"Received: from mail.example.org (mail.example.org [5.9.10.11])")


@pytest.mark.parametrize("stage", ["M", "R", "T", "N", "E"])
def test_queue_id_at_any_stage(pair, stage):
    """Trap 40: Postfix knows the queue id only after the first recipient, others earlier."""
    client = Client(macros={s: {"i": None} for s in "MRTNE"})
    client.macros[stage] = {"i": f"4AT{stage}"}
    with Session(pair.address, client) as session:
        session.greet()
        session.send_message(make())
    assert pair.daemon.message_line(f"4AT{stage}")["id"] == f"4AT{stage}"


CLIENTS = {
    "unknown": Client(host="unknown", family="U", helo="x.example.org"),
    "local": Client(host="localhost", family="L", port=0, address="/run/x", helo=None),
    "no-ptr": Client(host="unknown", address="5.9.10.11"),
    "bracket": Client(host="[5.9.10.11]", address="5.9.10.11"),
    "ipv6": Client(host="six.example.org", family="6", address="2a01:4f8::7"),
    "ipv6-prefixed": Client(host="six.example.org", family="6", address="IPv6:2a01:4f8::7"),
    "no-helo": Client(helo=None),
    "empty-helo": Client(helo=""),
    "empty-host": Client(host=""),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_client_facts(pair, name):
    """Traps 43, 45, 46: every kind of client gets its message scored, and none crashes us."""
    with Session(pair.address, CLIENTS[name]) as session:
        session.greet()
        outcome = session.send_message(make(score=7.3))
    assert outcome.kind in ("accept", "continue")
    assert outcome.header("X-Spam-Status"), "neither scored nor marked"
    message = pair.last_request().message
    if name == "no-ptr":
        assert b"(unknown [5.9.10.11])" in message
    if name.startswith("ipv6"):
        assert b"2a01:4f8::7]" in message and b"IPv6:IPv6" not in message
        assert b"IPv6:::" not in message


SHAPES = {
    "neither": Split([], b""),
    "body-only": Split([], b"no header at all\r\n"),
    "header-only": Split([(b"X-Test-Score", b" 7.3")], b""),
    "both": Split([(b"X-Test-Score", b" 7.3")], b"text\r\n"),
}


@pytest.mark.parametrize("eoh", [True, False], ids=["eoh", "no-eoh"])
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(pair, shape, eoh):
    """Trap 18: without headers or body the callbacks for them never come."""
    message = SHAPES[shape]
    with Session(pair.address) as session:
        session.greet()
        session.envelope("alice@example.org", ["bob@example.com"], "4SHAPE")
        for name, value in message.headers:
            session.milter.header(name, value)
        if eoh:
            session.milter.eoh()
        if message.body:
            session.milter.body(message.body)
        verdict = session.milter.eom()
    assert verdict.kind in ("accept", "continue")
    assert [e for e in verdict.edits if e[2 if e[0] != "addheader" else 1] == b"X-Spam-Status"]
    assert checks.sent_to_scorer(pair.last_request())[2] == message.wire()


def test_body_in_the_last_packet(pair):
    """The end of message may carry the last body chunk."""
    with Session(pair.address) as session:
        session.greet()
        session.envelope("alice@example.org", ["bob@example.com"], "4LAST")
        session.milter.header("Subject", " x")
        session.milter.eoh()
        session.milter.body(b"first\r\n")
        session.milter.eom(b"last\r\n")
    assert checks.sent_to_scorer(pair.last_request())[2].endswith(b"\r\n\r\nfirst\r\nlast\r\n")


def test_body_split_at_every_offset(pair):
    """Traps 19, 22: CR at the end of a chunk, blank lines first, lone dots."""
    body = b"\r\n\r\n.\r\none\rtwo\r\n\r\r\nend\r\n"
    message = Split([(b"Subject", b" split")], body)
    with Session(pair.address) as session:
        session.greet()
        for at in range(len(body) + 1):
            session.send_message(message, chunks=[c for c in (body[:at], body[at:]) if c])
            assert checks.sent_to_scorer(pair.last_request())[2] == message.wire(), at
        session.send_message(message, chunks=[body[n:n + 1] for n in range(len(body))])
        assert checks.sent_to_scorer(pair.last_request())[2] == message.wire()


@pytest.mark.parametrize("size", [65533, 65534, 65535, 65536, 65537, 131070, 131071])
def test_chunk_edges(pair, size):
    """Trap 20: chunks are 65535 bytes, not 65536."""
    body = (b"0123456789abcdef" * 9000)[:size - 2] + b"\r\n"
    outcome = send(pair.address, Split([(b"X-Test-Score", b" 7.3")], body))
    assert checks.status(outcome)["score"] == "7.3"
    assert checks.sent_to_scorer(pair.last_request())[2].endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("body", [b"\0", b"\0" * 70000 + b"\r\n", b"a\0b\r\n\0\0\r\n", b"\r"])
def test_nul_and_lone_cr(pair, body):
    """Trap 21: NUL in the body; trap 19: a body of one CR."""
    send(pair.address, Split([(b"Subject", b" nul")], body))
    seen = checks.sent_to_scorer(pair.last_request())[2].partition(b"\r\n\r\n")[2]
    assert seen[:len(body)] == body and seen.endswith(b"\r\n")


@pytest.mark.parametrize("steps", [0, ALL_STEPS, STEPS["hdr_leadspc"], STEPS["skip"],
                                   ALL_STEPS & ~STEPS["hdr_leadspc"], 0x7F])
@pytest.mark.parametrize("version", [2, 6])
def test_negotiated_steps(pair, version, steps):
    """F31: an older server or fewer steps: the message is scored all the same."""
    if version == 2:
        steps &= 0x7F
    outcome = send(pair.address, make(score=7.3),
                   negotiate={"version": version, "steps": steps,
                              "actions": 0x3F if version == 2 else ALL_ACTIONS})
    delivered = outcome.delivered()
    assert checks.status(outcome)["score"] == "7.3"
    assert not delivered.oddities


@pytest.mark.parametrize("actions", [0x02, 0x01, 0x10, 0x11, 0x1F, 0x3F])
def test_negotiated_actions(pair, actions):
    """F31: without the right to edit headers, a clean refusal or a clean answer, never a hang.

    (libmilter takes no actions at all, 0, for those of version 1.)
    """
    try:
        outcome = send(pair.address, make(score=7.3), negotiate={"actions": actions})
    except MilterClosed:
        assert actions & 0x11 != 0x11, "refused although headers may be added and changed"
    else:
        assert outcome.kind in ("accept", "continue", "tempfail")
        used = {edit[0] for edit in outcome.verdict.edits}
        assert "addheader" not in used and "insheader" not in used or actions & 0x01
        assert "chgheader" not in used or actions & 0x10
    assert_scores(pair)


def test_what_is_negotiated(pair):
    """Header white space must come through; bodies and recipients are never replaced or added."""
    with Milter(pair.address) as milter:
        got = milter.negotiate()
    assert got.has_step("hdr_leadspc")
    assert got.has_action("addhdrs") and got.has_action("chghdrs")
    assert not got.has_action("chgbody") and not got.has_action("addrcpt")
    assert not got.has_step("nobody") and not got.has_step("nohdrs")


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "huge-length": b"\xff\xff\xff\xff" + b"O" * 100,
    "zero-length": b"\0\0\0\0" * 8,
    "eom-first": packet(b"E"),
    "body-first": packet(b"B", b"x" * 65535),
    "unknown-command": packet(b"O", struct.pack("!III", 6, 0x1FF, 0x1FFFFF)) + packet(b"~", b"??"),
    "short-negotiation": packet(b"O", b"\0\0"),
    "old-version": packet(b"O", struct.pack("!III", 0, 0, 0)),
    "future-version": packet(b"O", struct.pack("!III", 99, 0xFFFFFFFF, 0xFFFFFFFF)),
    "cut-packet": packet(b"C", b"x" * 50)[:20],
    "big-body": packet(b"O", struct.pack("!III", 6, 0x1FF, 0x1FFFFF)) + packet(b"B", b"y" * 200000),
    "connect-odd-address": packet(b"O", struct.pack("!III", 6, 0x1FF, 0)) +
                           packet(b"C", b"x\x004\0\0not an address\0"),
    "connect-without-family": packet(b"O", struct.pack("!III", 6, 0x1FF, 0)) + packet(b"C", b"x\0"),
    "mail-without-end": packet(b"O", struct.pack("!III", 6, 0x1FF, 0)) + packet(b"M", b"<a@b>"),
    "header-without-value": packet(b"O", struct.pack("!III", 6, 0x1FF, 0)) + packet(b"L", b"a\0"),
    "empty-macro": packet(b"O", struct.pack("!III", 6, 0x1FF, 0)) + packet(b"D", b""),
    "odd-macros": packet(b"O", struct.pack("!III", 6, 0x1FF, 0)) + packet(b"D", b"Ci\0"),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_on_the_socket(pair, name):
    """F33: the connection goes, the daemon stays."""
    for _ in range(10):
        with ports.connect(pair.address) as sock:
            try:
                sock.sendall(GARBAGE[name])
                sock.shutdown(1)
            except OSError:
                pass
    assert pair.daemon.alive()
    assert_scores(pair)


def test_helo_repeated(pair):
    """STARTTLS brings a second HELO; the later one counts."""
    with Session(pair.address) as session:
        session.greet()
        session.milter.helo("second.example.org")
        session.send_message(make())
    assert checks.sent_to_scorer(pair.last_request())[1].startswith(
        b"Received: from second.example.org ")


def test_nothing_leaks(pair):
    """F29, F30: 300 messages, aborts and vanishing clients leave no descriptor and no thread."""
    def mixed(count):
        for number in range(count):
            with Session(pair.address) as session:
                session.greet()
                session.prepare(make())
                session.milter.abort()
                session.send_message(make(score=number % 20))
    mixed(60)
    pair.scorer.clear()
    fds, rss = pair.daemon.fds(), pair.daemon.rss_kib()
    mixed(300)
    assert ports.wait_until(lambda: pair.daemon.fds() <= fds + 2), pair.daemon.fds()
    assert pair.daemon.is_sanitized() or pair.daemon.rss_kib() - rss < 2048

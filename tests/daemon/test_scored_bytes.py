# SPDX-License-Identifier: BSD-2-Clause
"""The scorer sees exactly the bytes that will be delivered, below two fields of ours."""

import re

import pytest
from support import checks, messages
from support.messages import make, split
from support.milter import ALL_STEPS, STEPS
from support.mta import Client, Session, send


def test_corpus(pair):
    """Traps 9, 11, 14, 17, 21, 22: every message of the corpus, byte for byte."""
    wrong = []
    with Session(pair.address) as session:
        session.greet()
        for name, raw in messages.corpus():
            message = split(raw)
            outcome = session.send_message(message)
            assert outcome.kind in ("accept", "continue", "replycode"), (name, outcome.verdict)
            request = pair.last_request()
            seen = checks.sent_to_scorer(request)[2]
            if seen != message.cleaned() or request.faults:
                wrong.append((name, request.faults, *first_difference(seen, message.cleaned())))
    assert not wrong


def first_difference(left, right):
    """Where two byte strings part: (offset, bytes here, bytes there)."""
    at = next((n for n, (a, b) in enumerate(zip(left, right)) if a != b),
              min(len(left), len(right)))
    return at, left[at:at + 40], right[at:at + 40]


def test_corpus_without_leading_space(pair):
    """A server that eats the blank after the colon: one blank is put back, the rest is intact."""
    with Session(pair.address, steps=ALL_STEPS & ~STEPS["hdr_leadspc"]) as session:
        session.greet()
        for name, raw in messages.edge_cases():
            message = split(raw)
            normal = messages.Split(
                [(key, b" " + value[value.startswith(b" "):]) for key, value in message.headers],
                message.body)
            session.send_message(message)
            assert checks.sent_to_scorer(pair.last_request())[2] == normal.cleaned(), name


def test_removed_fields_are_the_only_difference(pair):
    """Trap 17 and trap 5: names that merely look like ours, or contain ours, stay."""
    extra = [b"X-Spam-Flag: YES", b"x-spAM: yes", b"X-Rspamd-Queue-Id: 1", b"X-Spamd-Result: x",
             b"Not-X-Spam: stays", b"X-Spa: stays", b"Precedence: list", b"X-Envelope-From: <e@x>",
             b"Return-Path: <e@x>"]
    send(pair.address, make(headers=extra))
    seen = checks.sent_to_scorer(pair.last_request())[2]
    assert b"stays" in seen and b"Precedence: list\r\n" in seen
    assert not re.search(rb"(?im)^x-(spam|rspamd)", seen)
    assert b"Not-X-Spam: stays\r\n" in seen and b"Return-Path: <e@x>\r\n" in seen


def test_envelope_comes_first(pair):
    """Trap 50: X-Envelope-From, then the Received field, then the message's own header."""
    send(pair.address, make(), sender="alice@example.org", queue_id="4FIRST")
    message = pair.last_request().message
    assert message.startswith((b"X-Envelope-From: alice@example.org\r\nReceived: from ",
                               b"X-Envelope-From: <alice@example.org>\r\nReceived: from "))
    received = checks.sent_to_scorer(pair.last_request())[1]
    assert b"id 4FIRST" in received
    assert b"envelope-from <alice@example.org>" in received
    assert received.startswith(b"Received: from mail.example.org (mail.example.org [5.9.10.11])")


def test_null_sender(pair):
    send(pair.address, make(), sender="")
    sender, received, _ = checks.sent_to_scorer(pair.last_request())
    assert sender == b"<>"
    assert b"envelope-from <>" in received or b"envelope-from" not in received


@pytest.mark.parametrize("macro,word", [({"tls_version": "TLSv1.3", "cipher": "X",
                                          "cipher_bits": "256"}, b" with ESMTPS "),
                                        ({}, b" with ESMTP ")])
def test_protocol_word(pair, macro, word):
    with Session(pair.address, Client(macros={"H": macro, "M": macro, "T": macro})) as session:
        session.greet()
        session.send_message(make())
    assert word in checks.sent_to_scorer(pair.last_request())[1].replace(b"\r\n\t", b" ")


FORGERIES = {
    "helo-envelope-from": (Client(helo="x(envelope-from=ceo@bank.example)"), "a@example.org"),
    "helo-relay": (Client(helo="foo (a [127.0.0.1]) by z"), "a@example.org"),
    "helo-auth": (Client(helo="x])", host="authenticated.evil.example"), "a@example.org"),
    "sender-auth": (Client(), '"x by z with ESMTPSA y"@evil.example'),
    "sender-cr": (Client(), '"a\rReceived: b"@example.org'),
    "sender-lf": (Client(), '"a\nX-Spam-Status: No"@example.org'),
    "helo-lf": (Client(helo="x\r\nX-Forged: yes"), "a@example.org"),
    "host-lf": (Client(host="x\r\nX-Forged: yes"), "a@example.org"),
    "helo-long": (Client(helo="h" * 2043), "a@example.org"),
    "helo-eight-bit": (Client(helo="h\u00e9\u202e"), "a@example.org"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_received_cannot_be_forged(pair, name):
    """facts B4: HELO, PTR name and sender are text of the attacker."""
    client, sender = FORGERIES[name]
    with Session(pair.address, client) as session:
        session.greet()
        session.send_message(make(), sender=sender)
    whole = pair.last_request().message
    _, received, rest = checks.sent_to_scorer(pair.last_request())
    assert rest == split(make()).cleaned()
    text = received.decode("ascii").replace("\r\n", "")
    assert text.count("[5.9.10.11]") == 1 and "[127.0.0.1]" not in text
    assert "ceo@bank" not in text and "ESMTPSA" not in text and "ESMTPA" not in text
    assert not re.search(r"[^\x20-\x7e\t]", text) and len(received) < 1500
    assert b"\nX-Forged" not in whole
    assert "(authenticated" not in text.replace("(authenticated.evil.example [", "")


def test_recipients_stay_private(pair):
    """Trap 51: no recipient in what the scorer is given or in what is delivered."""
    outcome = send(pair.address, make(), recipients=["bob@example.com", "secret.bcc@example.com"])
    assert b"secret.bcc" not in pair.last_request().message
    assert b"secret.bcc" not in outcome.delivered().wire()


def test_request_framing(pair):
    """facts A3: exact Content-length spelled as spamd wants it, a final newline, one message."""
    for body in (b"no newline at the end", b"ends\r\n", b"\r"):
        send(pair.address, make(body=body))
        request = pair.last_request()
        assert not request.faults
        assert request.get("Content-length") == str(len(request.message))
        assert request.message.endswith(b"\r\n")

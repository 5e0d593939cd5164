# SPDX-License-Identifier: BSD-2-Clause
"""What the real SpamAssassin concludes from the Received field that spambridge puts on top.

Through the real Postfix with XCLIENT, and with the macros of a Sendmail through the scripted mail
server. HELO, PTR name, sender and recipient are the attacker's: none of them may forge a relay,
trust, authentication or a sender.
"""

import re

import pytest

from support.mta import Client, Session
from support.spamassassin import RELAY_FIELDS, Spamd
from system.chain import HELO, NO_THRESHOLDS, Chain, mail, relay_chain_settings, spambridge

RELAY = re.compile(r"\[ (.*?) \]")


@pytest.fixture(scope="module")
def watched():
    settings = relay_chain_settings()
    with Chain(postfix={"tls": True}, **settings) as chain:
        yield chain
        chain.daemon.stop_cleanly()


class Seen:
    """The relay fields of a delivered message, parsed."""

    def __init__(self, values):
        self.external = relays(values("X-Spam-Relays-External"))
        self.trusted = relays(values("X-Spam-Relays-Trusted"))
        self.untrusted = relays(values("X-Spam-Relays-Untrusted"))
        # a tag that no rule has set stays as it is written
        self.sender = values("X-Spam-Seen-Sender").replace("_SBSENDER_", "")


def relays(text):
    """[{ip, rdns, helo, by, ident, envfrom, intl, id, auth, msa}] of one field."""
    return [dict(pair.partition("=")[::2] for pair in entry.split(" "))
            for entry in RELAY.findall(re.sub(r"\s+", " ", text))]


def seen(chain, **how):
    reply = chain.send(mail(), **how)
    assert reply.code == 250, reply
    delivery = chain.arrived(reply)
    return reply.queue_id, Seen(delivery.one)


def one_stranger(found, ip):
    """Exactly one relay, with the true address, neither trusted nor authenticated."""
    assert len(found.external) == len(found.untrusted) == 1
    assert found.trusted == []
    relay = found.external[0]
    assert (relay["ip"], relay["auth"], relay["intl"], relay["msa"]) == (ip, "", "0", "0")
    return relay


def test_ipv4(watched):
    queue_id, found = seen(watched)
    relay = one_stranger(found, "5.9.10.11")
    assert relay["rdns"] == "mail.example.org"
    assert relay["helo"] == HELO
    assert relay["by"] == "mx.example.com"
    assert relay["id"] == queue_id
    assert relay["envfrom"] == "alice@example.org"
    assert found.sender == "alice@example.org"


def test_ipv6(watched):
    _, found = seen(watched, xclient={"addr": "IPV6:2a01:4f8::7"})
    relay = one_stranger(found, "2a01:4f8::7")
    assert relay["rdns"] == "mail.example.org"


@pytest.mark.parametrize("reverse_name", ["[UNAVAILABLE]", "mail.bank.example", "localhost"])
def test_unknown_name(watched, reverse_name):
    """RDNS_NONE must be able to fire, also where the name is there but not verified (trap 43)."""
    _, found = seen(watched, xclient={"name": "[UNAVAILABLE]", "reverse_name": reverse_name})
    assert one_stranger(found, "5.9.10.11")["rdns"] == ""


@pytest.mark.parametrize("helo,expected", [
    ("[1.2.3.4]", "!1.2.3.4!"), ("1.2.3.4", "1.2.3.4"), ("friend", "friend"),
    ("under_score.example.org", "under_score.example.org"), ("UPPER.Example.ORG", None),
])
def test_helo_forms(watched, helo, expected):
    _, found = seen(watched, helo=helo)
    relay = one_stranger(found, "5.9.10.11")
    assert relay["helo"].lower() == (expected or helo).lower()


def test_helo_ipv6_literal(watched):
    _, found = seen(watched, helo="[IPv6:2a01:4f8::7]")
    assert "2a01:4f8::7" in one_stranger(found, "5.9.10.11")["helo"].lower()


def test_plain_helo_command(watched):
    with watched.postfix.client() as client:
        client.ehlo(HELO)
        client.xclient(addr="5.9.10.11", name="mail.example.org")
        client.command("HELO old.example.org")
        reply = client.transaction(mail(), "alice@example.org", ["bob@example.com"])
    found = Seen(watched.arrived(reply).one)
    assert one_stranger(found, "5.9.10.11")["helo"] == "old.example.org"


def test_tls(watched):
    _, found = seen(watched, starttls=True)
    relay = one_stranger(found, "5.9.10.11")
    assert (relay["helo"], relay["rdns"]) == (HELO, "mail.example.org")
    assert relay["envfrom"] == "alice@example.org"


@pytest.mark.parametrize("starttls", [False, True])
def test_authenticated(watched, starttls):
    """The one case in which a stranger's address may be trusted."""
    _, found = seen(watched, starttls=starttls, xclient={"login": "bob"})
    assert found.external == []
    assert len(found.trusted) == 1
    assert found.trusted[0]["auth"] == ("ESMTPSA" if starttls else "ESMTPA")
    assert found.trusted[0]["ip"] == "5.9.10.11"


def test_null_sender(watched):
    _, found = seen(watched, sender="")
    assert one_stranger(found, "5.9.10.11")["envfrom"] == ""
    assert found.sender == ""


@pytest.mark.parametrize("sender", ["a.b+tag=x@example.org", "o'hara@example.org",
                                    "x_y-z@sub.example.org"])
def test_ordinary_senders_are_told(watched, sender):
    _, found = seen(watched, sender=sender)
    assert found.sender == sender


def test_fields_of_the_message_do_not_win(watched):
    """A forged X-Envelope-From or Return-Path is not the sender (traps 50, 52)."""
    message = mail(headers=[b"Return-Path: <ceo@bank.example>",
                            b"X-Envelope-From: <ceo@bank.example>",
                            b"Received: from bank.example (bank.example [9.9.9.9])\r\n"
                            b"\tby relay.example (Postfix) with ESMTPSA id 1\r\n"
                            b"\t(envelope-from <ceo@bank.example>);\r\n"
                            b"\tSun, 22 Nov 2026 10:00:00 +0000",
                            b"Return-Path: <ceo@bank.example>"])
    reply = watched.send(message)
    found = Seen(watched.arrived(reply).one)
    assert found.sender == "alice@example.org"
    assert found.trusted == []
    assert [relay["ip"] for relay in found.external] == ["5.9.10.11", "9.9.9.9"]


ATTACKS = {
    "sender-in-helo": {"helo": "x(envelope-from=ceo@bank.example)"},
    "sender-in-helo-brackets": {"helo": "x(envelope-from <ceo@bank.example>)"},
    "relay-in-helo": {"helo": "foo (a [127.0.0.1]) by z"},
    "relay-in-helo-brackets": {"helo": "foo ([127.0.0.1])"},
    "helo-closes-and-name-authenticates": {
        "helo": "x])", "xclient": {"name": "authenticated.evil.example"}},
    "auth-in-sender": {"sender": '"x by z with ESMTPSA y"@evil.example'},
    "auth-in-sender-comment": {
        "sender": '"x (Authenticated sender: y) by z (P) with"@evil.example'},
    "auth-in-recipient": {"recipients": ['"a (authenticated) by b"@example.com']},
    "ip-literal-helo": {"helo": "[127.0.0.1] (localhost [127.0.0.1])"},
    "with-esmtpsa-helo": {"helo": "x with ESMTPSA id 1"},
    "cr-in-sender": {"sender": b'"a\rReceived: from x (y [127.0.0.1])"@evil.example'},
    "eight-bit-helo": {"helo": "zażółć.example ([127.0.0.1])".encode()},
    "endless-helo": {"helo": "a" * 400 + "(b [127.0.0.1])"},
    "localhost-name": {"xclient": {"name": "localhost"}},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks(watched, attack):
    """The five proven injections into a synthesised Received field, and their relatives."""
    _, found = seen(watched, **ATTACKS[attack])
    relay = one_stranger(found, "5.9.10.11")
    assert relay["by"] == "mx.example.com"
    for text in (relay["envfrom"], found.sender):
        assert "bank.example" not in text
        assert text in ("", "alice@example.org") or text.endswith("@evil.example")


@pytest.fixture(scope="module")
def sendmail():
    """The daemon and spamd alone: what a Sendmail says comes from the scripted mail server."""
    with Spamd(config=RELAY_FIELDS) as spamd, \
            spambridge([spamd.server], policy=NO_THRESHOLDS,
                       options="skip_authenticated = false") as daemon:
        yield daemon
        daemon.stop_cleanly()


def sendmail_client(host="mail.example.org", address="5.9.10.11", family="4", resolved=None,
                    helo=HELO, **mail_macros):
    """A client with the macros that Sendmail's stock configuration sends (cf/README)."""
    known = f"{host} [{address}]" if not host.startswith("[") else host
    return Client(host=host, family=family, address=address, helo=helo, macros={
        "C": {"j": "mx.example.com", "_": resolved or known, "daemon_name": "MTA", "v": None,
              "if_name": "mx.example.com", "if_addr": "192.0.2.1"},
        "H": {},
        "M": {"i": "8AMA0abc012345", "mail_mailer": "esmtp", "mail_host": "example.org.",
              **mail_macros},
        "T": {"i": "8AMA0abc012345"}, "N": {"i": "8AMA0abc012345"}, "E": {"i": "8AMA0abc012345"},
    })


def sendmail_seen(daemon, client, sender="alice@example.org"):
    with Session(daemon.address, client) as session:
        session.greet()
        outcome = session.send_message(mail(), sender=sender, queue_id="8AMA0abc012345")
    assert outcome.kind in ("accept", "continue"), outcome.verdict
    delivered = outcome.delivered("sendmail")
    return Seen(lambda name: delivered.value(name).strip())


@pytest.mark.parametrize("host,resolved,rdns", [
    ("mail.example.org", None, "mail.example.org"),
    ("[5.9.10.11]", None, ""),
    ("mail.example.org", "mail.example.org [5.9.10.11] (may be forged)", None),
    ("mail.example.org", "bob@mail.example.org [5.9.10.11]", "mail.example.org"),
])
def test_sendmail_names(sendmail, host, resolved, rdns):
    found = sendmail_seen(sendmail, sendmail_client(host, resolved=resolved))
    relay = one_stranger(found, "5.9.10.11")
    assert rdns is None or relay["rdns"] == rdns
    assert relay["by"] == "mx.example.com"
    assert relay["helo"] == HELO
    assert relay["id"] == "8AMA0abc012345"
    assert found.sender == "alice@example.org"


def test_sendmail_ipv6(sendmail):
    found = sendmail_seen(sendmail, sendmail_client(family="6", address="2a01:4f8::7"))
    one_stranger(found, "2a01:4f8::7")


def test_sendmail_authenticated(sendmail):
    found = sendmail_seen(sendmail, sendmail_client(auth_type="PLAIN", auth_authen="bob",
                                                    auth_ssf="0"))
    assert found.external == []
    assert found.trusted[0]["auth"] in ("ESMTPA", "ESMTPSA")


def test_sendmail_attacks(sendmail):
    for attack in ATTACKS.values():
        if isinstance(attack.get("sender"), bytes) or "recipients" in attack:
            continue
        client = sendmail_client(host=attack.get("xclient", {}).get("name", "mail.example.org"),
                                 helo=attack.get("helo", HELO))
        found = sendmail_seen(sendmail, client, attack.get("sender", "alice@example.org"))
        one_stranger(found, "5.9.10.11")

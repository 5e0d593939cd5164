# SPDX-License-Identifier: BSD-2-Clause
"""Whose mail is not scored, and that its forged fields go all the same."""

import pytest
from support import checks
from support.daemon import Daemon
from support.messages import make
from support.mta import Client, Session

FORGED = [b"X-Spam-Flag: YES", b"x-spam-FLAG: NO", b"X-Spam-Status: Yes, score=99"]


def deliver(daemon, client, **how):
    with Session(daemon.address, client) as session:
        session.greet()
        return session.send_message(make(score=20.0, headers=FORGED), **how)


def assert_passed_clean(outcome, scorer):
    """Let through without a verdict, stripped of what somebody else claimed."""
    assert outcome.kind in ("accept", "continue"), outcome.verdict
    for style in ("postfix", "sendmail"):
        names = [name.lower() for name, _ in outcome.delivered(style).headers]
        assert b"x-spam-flag" not in names
        assert all(b"score=99" not in value for _, value in outcome.delivered(style).headers)
    assert not scorer.requests()


@pytest.mark.parametrize("client", [
    Client(host="localhost", address="127.0.0.1"), Client(address="10.1.2.3"),
    Client(family="6", address="::1"), Client(family="6", address="IPv6:2a01:4f8::7"),
    Client(family="6", address="::ffff:10.1.2.3"),
], ids=["loopback", "ten", "loopback6", "six", "mapped"])
def test_trusted_network(start, scorer, client):
    """Trap 7: passed unscored, forged fields removed; trap 73: every form of a network."""
    server = scorer.listen("good")
    daemon = start([server],
                   trusted='"127.0.0.0/8", "::1/128", "10.0.0.0/8", "2a01:4f8::/32"')
    outcome = deliver(daemon, client, queue_id="4TRUSTED")
    assert_passed_clean(outcome, scorer)
    line = daemon.message_line("4TRUSTED")
    assert line["action"] == "pass" and line["score"] in ("-", "")
    assert line["reason"] not in ("", "-")


@pytest.mark.parametrize("address", ["5.9.10.11", "11.0.0.1", "9.255.255.255"])
def test_outside_the_networks(start, scorer, address):
    server = scorer.listen("good")
    daemon = start([server], trusted='"10.0.0.0/8"')
    assert deliver(daemon, Client(address=address)).reply.code == 550


def test_default_trusts_loopback(start, scorer, workspace):
    """Without trusted_networks 127.0.0.0/8 and ::1 are trusted and nothing else."""
    server = scorer.listen("good")
    pattern = Daemon([server], workspace=workspace)
    text = pattern.config.replace("trusted_networks = {  }\n", "")
    assert text != pattern.config
    daemon = start(config=text, workspace=workspace)
    assert_passed_clean(deliver(daemon, Client(address="127.0.0.1")), scorer)
    assert deliver(daemon, Client(address="10.1.2.3")).reply.code == 550


def test_local_submission(start, scorer):
    """No address at all (family L or U) is scored: nobody vouches for it."""
    server = scorer.listen("good")
    daemon = start([server], trusted='"127.0.0.0/8"')
    assert deliver(daemon, Client(family="U")).reply.code == 550


AUTHENTICATED = {"M": {"auth_authen": "alice", "auth_type": "PLAIN"}}


@pytest.mark.parametrize("skip", [True, False])
def test_authenticated(start, scorer, skip):
    server = scorer.listen("good")
    daemon = start([server], options=f"skip_authenticated = {str(skip).lower()}")
    outcome = deliver(daemon, Client(macros=AUTHENTICATED))
    if skip:
        assert_passed_clean(outcome, scorer)
    else:
        assert outcome.reply.code == 550


def test_authentication_does_not_stick(start, scorer):
    """Trap 48: a login belongs to its message's session, an empty macro is no login."""
    server = scorer.listen("good")
    daemon = start([server])
    assert_passed_clean(deliver(daemon, Client(macros=AUTHENTICATED)), scorer)
    assert deliver(daemon, Client(macros={"M": {"auth_authen": ""}})).reply.code == 550
    assert deliver(daemon, Client()).reply.code == 550


def test_keep_spam_headers_from(start, scorer):
    """Trap 7: a relay in front may have scored already, and its fields are kept."""
    server = scorer.listen("good")
    daemon = start([server], trusted='"10.0.0.0/8"',
                   options='keep_spam_headers_from = { "10.9.0.0/16" }')
    kept = deliver(daemon, Client(address="10.9.1.1")).delivered()
    assert len(kept.values("X-Spam-Flag")) == 2
    assert_passed_clean(deliver(daemon, Client(address="10.8.1.1")), scorer)


def test_outbound_scan(start, scorer):
    """outbound.scan: our own users' mail is judged by its own threshold."""
    server = scorer.listen("good")
    config = 'outbound {\nscan = true\nreject = 8.0\non_failure = tempfail\n}'
    daemon = start([server], options=config, trusted='"10.0.0.0/8"')
    with Session(daemon.address, Client(address="10.1.2.3")) as session:
        session.greet()
        assert session.send_message(make(score=8.0)).reply.code == 550
        assert session.send_message(make(score=7.9)).kind in ("accept", "continue")
    with Session(daemon.address) as session:
        session.greet()
        assert checks.status(session.send_message(make(score=8.0)))["word"] == "Yes"


SENDERS = """
outbound { scan = true  reject = 8.0  on_failure = tempfail }
sender "strict.example" { reject = 5.0  reject_code = "554 5.7.0" }
sender "boss@strict.example" { reject = 20.0 }
domain "example.com" { accept_senders = { "strict.example" } }
"""


@pytest.mark.parametrize("sender,login,score,refused", [
    ("x@strict.example", "alice", 5.0, True), ("x@strict.example", "alice", 4.9, False),
    ("boss@strict.example", "alice", 19.9, False), ("x@other.example", "alice", 7.9, False),
    ("x@other.example", "alice", 8.0, True), ("", "alice", 8.0, True),
    ("x@other.example", "x@strict.example", 5.0, True),
    ("boss@strict.example", "x@strict.example", 5.0, True),
])
def test_thresholds_by_sender(start, scorer, sender, login, score, refused):
    """An address that somebody logged in with counts more than the one that he writes."""
    daemon = start([scorer.listen("good")], options=SENDERS)
    client = Client(macros={"M": {"auth_authen": login, "auth_type": "PLAIN"}})
    with Session(daemon.address, client) as session:
        session.greet()
        outcome = session.send_message(make(score=score), sender=sender, queue_id="4OUT")
    assert (outcome.kind == "replycode") == refused
    assert daemon.message_line("4OUT")["reason"] == "outbound"


def test_outbound_failure(start, scorer):
    """The failure action of outbound mail is its own."""
    daemon = start([scorer.listen("bad", behaviour="garbage")], options=SENDERS, deadline="1s")
    client = Client(macros=AUTHENTICATED)
    with Session(daemon.address, client) as session:
        session.greet()
        assert session.send_message(make()).reply.code == 451
    with Session(daemon.address) as session:
        session.greet()
        assert session.send_message(make()).kind in ("accept", "continue")

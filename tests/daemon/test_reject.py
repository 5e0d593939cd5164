# SPDX-License-Identifier: BSD-2-Clause
"""What the sending server reads when a message is refused or deferred."""

import re

import pytest
from support import checks
from support.messages import make
from support.mta import Session, send

SERVERS = ["postfix", "sendmail"]


def refuse(start, scorer, text=None, score="20.0", **how):
    """A refused message; text is the reject_text of the configuration."""
    server = scorer.listen("good", score=score)
    line = f'reject_text = "{text}"' if text is not None else ""
    daemon = start([server], policy=f"tag = 5.0\nquarantine = off\nreject = 15.0\n{line}")
    outcome = send(daemon.address, make(), queue_id=how.pop("queue_id", "4REFUSE01"), **how)
    assert outcome.kind == "replycode", outcome.verdict
    return outcome


@pytest.mark.parametrize("server", SERVERS)
def test_default_text(start, scorer, server):
    """550 with the class of the enhanced code agreeing (facts E6), score and reference."""
    text = checks.smtp_text(refuse(start, scorer), server)
    assert text.startswith("550 5.7.1 ")
    assert text == "550 5.7.1 Message refused as spam (score 20.0), reference 4REFUSE01"


@pytest.mark.parametrize("server", SERVERS)
def test_percent_sign(start, scorer, server):
    """Trap 36: Sendmail throws away a text with a single %, Postfix drops the sign."""
    outcome = refuse(start, scorer, "100%% spam, %%d %%s %%n score %{score}")
    text = checks.smtp_text(outcome, server)
    assert text.startswith("550 5.7.1 100% spam, %d %s %n ")
    assert text.endswith("score 20.0")


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("queue_id", ["4" * 900, "%" * 900], ids=["long", "percent"])
def test_long_text(start, scorer, server, queue_id):
    """Trap 37: libmilter takes at most 980 bytes; a text that grows longer loses no refusal."""
    outcome = refuse(start, scorer, "x" * 700 + " %{id} %{id}", queue_id=queue_id)
    text = checks.smtp_text(outcome, server)
    assert text.startswith("550 5.7.1 ") and len(text.split()) > 2
    assert len(outcome.reply.text) <= 990


def test_hostile_queue_id(start, scorer):
    """Trap 37: no control byte, CR or LF reaches the reply, and the refusal stands."""
    outcome = refuse(start, scorer, queue_id="4X\x1b[31m%s")
    assert outcome.reply.code == 550
    assert re.fullmatch(rb"[\x20-\x7e]+", outcome.reply.text)
    checks.smtp_text(outcome, "sendmail")


def test_refused_message_gets_no_edits(start, scorer):
    assert not refuse(start, scorer).verdict.edits


def test_nothing_of_the_message_in_the_text(start, scorer):
    """Attack 29: fixed text and numbers only, however the rules are called."""
    server = scorer.listen("good", score="20.0", tests=["EVIL\r\nRULE", "SECRET"])
    daemon = start([server], policy="tag = 5.0\nquarantine = off\nreject = 15.0")
    outcome = send(daemon.address, make(subject="SECRET"), sender="secret@example.org")
    assert outcome.reply.code == 550
    assert b"SECRET" not in outcome.reply.text and b"secret" not in outcome.reply.text


@pytest.mark.parametrize("queue_id", ["", None])
def test_without_queue_id(start, scorer, queue_id):
    server = scorer.listen("good", score="20.0")
    daemon = start([server], policy="tag = 5.0\nquarantine = off\nreject = 15.0")
    outcome = send(daemon.address, make(), queue_id=queue_id)
    assert checks.smtp_text(outcome).startswith("550 5.7.1 Message refused as spam")


def test_session_goes_on_after_a_refusal(pair):
    """The next message of the same connection is judged on its own."""
    with Session(pair.address) as session:
        session.greet()
        assert session.send_message(make(score=20.0)).reply.code == 550
        assert checks.status(session.send_message(make(score=1.0)))["word"] == "No"
        assert session.send_message(make(score=20.0)).reply.code == 550


DEFERRED = [('reject = 15.0\nreject_code = "451 4.7.1"', "451 4.7.1 Message refused as spam"),
            ("defer = 12.0\nreject = off", "451 4.7.1 Put off as suspected spam (score 20.0)"),
            ("defer = 12.0\nreject = 25.0", "451 4.7.1 Put off as suspected spam")]


@pytest.mark.parametrize("policy,text", DEFERRED)
def test_put_off_by_score(start, scorer, policy, text):
    """Traps 34, 35: code and answer agree, and the log tells a deferral by score from a failure."""
    server = scorer.listen("good", score="20.0")
    daemon = start([server], policy=f"tag = 5.0\n{policy}")
    outcome = send(daemon.address, make(), queue_id="4PUTOFF")
    assert checks.smtp_text(outcome, "sendmail").startswith(text)
    line = daemon.message_line("4PUTOFF")
    assert (line["action"], line["reason"], line["score"]) == ("tempfail", "score", "20.0")


def test_reject_code(start, scorer):
    server = scorer.listen("good", score="20.0")
    daemon = start([server], policy='reject = 15.0\nreject_code = "554 5.6.0"')
    assert checks.smtp_text(send(daemon.address, make())).startswith("554 5.6.0 Message refused")


def test_discard(start, scorer):
    """Accepted and dropped only where it is asked for by name."""
    server = scorer.listen("good", score="20.0")
    daemon = start([server], policy="reject = 15.0\nreject_action = discard")
    outcome = send(daemon.address, make(), queue_id="4DROP")
    assert outcome.kind == "discard" and not outcome.verdict.edits
    assert daemon.message_line("4DROP")["action"] == "discard"

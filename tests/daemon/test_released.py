# SPDX-License-Identifier: BSD-2-Clause
"""A released message comes by again: it passes unscored, once, and nobody can pretend (trap 81)."""

import os
import re
import shutil

import pytest
from support.daemon import has_quarantine, run
from support.messages import make
from support.mta import Client, send
from support.smtp import Sink

pytestmark = pytest.mark.skipif(not has_quarantine(), reason="this build has no quarantine")

HOLDING = "tag = 5.0\nquarantine = 10.0\nreject = 15.0"
FIELD = b"X-Spambridge-Release"


@pytest.fixture
def held(start, scorer):
    """A daemon that holds what scores ten."""
    return start([scorer.listen("good")], policy=HOLDING,
                 options='keep_spam_headers_from = { "192.0.2.1" }')


def hold(daemon, recipients=("bob@example.com",), **how):
    """Send a message that is held; its id."""
    queue_id = f"4H{len(daemon.all_message_lines())}"
    outcome = send(daemon.address, make(score=11.0, **how), recipients=list(recipients),
                   queue_id=queue_id)
    assert outcome.kind == "discard"
    return daemon.message_line(queue_id)["quarantine"]


def release(daemon, item):
    """What the tool sends for the item: a message (with its mark) for each recipient."""
    with Sink() as sink:
        done = run("spambridgectl", "-c", daemon.config_path, "quarantine", "release", item,
                   "--route", f"smtp://127.0.0.1:{sink.port}")
        assert done.returncode == 0, done.stderr
        return {delivery.recipients[0]: delivery.data for delivery in sink.deliveries}


def released(daemon, recipient="bob@example.com", **how):
    return release(daemon, hold(daemon, **how))[recipient]


def come_by(daemon, message, recipients=("bob@example.com",), queue_id="4BACK", **how):
    """The message on its way through the mail server: (outcome, its log line)."""
    outcome = send(daemon.address, message, recipients=list(recipients), queue_id=queue_id, **how)
    return outcome, daemon.message_line(queue_id)


def is_scored(daemon, scorer, message, why, **how):
    """A message like any other: asked about, held again, and the log says why."""
    asked = len(scorer.requests())
    outcome, line = come_by(daemon, message, **how)
    assert (line["reason"], line["action"]) == ("score", "quarantine")
    assert len(scorer.requests()) == asked + 1
    assert FIELD.lower() not in scorer.requests()[-1].message.lower()
    assert why in daemon.wait_log(lambda text: "though marked" in text and why in text)
    return outcome.kind == "discard"


def test_it_passes_unscored(held, scorer):
    item = hold(held, headers=[b"X-Spam-Flag: NO", b"X-Spambridge-Release: v=1; forged"])
    message = release(held, item)["bob@example.com"]
    assert message.startswith(FIELD + b": v=1; id=" + item.encode())
    asked = len(scorer.requests())
    outcome, line = come_by(held, message)
    assert (line["action"], line["reason"], line["quarantine"]) == ("pass", "released", item)
    assert line["rule"] == "-"
    assert len(scorer.requests()) == asked
    delivered = outcome.delivered()
    assert not re.search(rb"(?mi)^x-spam", delivered.wire())
    assert delivered.oddities == []
    assert b"\r\n".join(line for line in message.split(b"\r\n")
                        if not line.startswith(b"X-Spam")) == delivered.wire()
    text = run("spambridgectl", "-c", held.config_path, "metrics").stdout
    assert 'spambridge_messages_total{action="pass",reason="released"} 1' in text
    assert 'spambridge_release_marks_total{result="passed"} 1' in text


def test_a_second_use_is_scored(held, scorer):
    message = released(held)
    assert come_by(held, message)[1]["reason"] == "released"
    assert is_scored(held, scorer, message, "used before", queue_id="4AGAIN")
    text = run("spambridgectl", "-c", held.config_path, "metrics").stdout
    assert 'spambridge_release_marks_total{result="refused"} 1' in text


CHANGES = {
    "body": lambda message: message.replace(b"\r\n\r\n", b"\r\n\r\nBuy this!\r\n", 1),
    "mark": lambda message: re.sub(rb"m=[0-9a-f]", b"m=g", message, count=1),
    "id": lambda message: re.sub(rb"id=\w", b"id=a" if b"id=b" in message else b"id=b", message,
                                 count=1),
    "time": lambda message: re.sub(rb"; t=1", b"; t=2", message, count=1),
    "once": lambda message: re.sub(rb"n=\w", b"n=a" if b"n=b" in message else b"n=b", message,
                                   count=1),
    "empty": lambda message: re.sub(rb"(?m)^X-Spambridge-Release:.*\r$",
                                    b"X-Spambridge-Release:\r", message, count=1),
    "cut": lambda message: re.sub(rb"(?m)(^X-Spambridge-Release:.{40}).*\r$", rb"\1\r", message,
                                  count=1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_it_is_scored(held, scorer, change):
    message = CHANGES[change](released(held))
    assert is_scored(held, scorer, message, "not for this message")


@pytest.mark.parametrize("recipients,why", [
    (["eve@example.com"], "not for this message"),
    (["bob@example.com", "eve@example.com"], "for one recipient"),
    (["bob@example.com", "bob@example.com"], "for one recipient")])
def test_another_recipient_is_scored(held, scorer, recipients, why):
    assert is_scored(held, scorer, released(held), why, recipients=recipients)


def test_each_recipients_copy_is_for_him(held, scorer):
    messages = release(held, hold(held, ["bob@example.com", "ann@example.com"]))
    assert is_scored(held, scorer, messages["ann@example.com"], "not for this message")
    for number, (recipient, message) in enumerate(messages.items()):
        line = come_by(held, message, [recipient], queue_id=f"4R{number}")[1]
        assert line["reason"] == "released"


def test_servers_may_wrap_and_respell(held):
    """White space, line wraps and the domain's case change on the way; the mark bears it."""
    message = released(held)
    message = re.sub(rb"; n=", b";\r\n\tn=", message, count=1)
    message = message.replace(FIELD, b"x-spambridge-release ", 1)
    outcome, line = come_by(held, message, ["bob@EXAMPLE.com"])
    assert line["reason"] == "released"
    assert b"spambridge" not in outcome.delivered().wire().lower()


def test_several_marks(held, scorer):
    """One good one among the first few counts; a thousand cost nothing; all go."""
    forged = [b"X-Spambridge-Release: v=1; id=%d\r\n" % n for n in range(1000)]
    outcome, line = come_by(held, b"".join(forged[:3]) + released(held, headers=[line.strip() for line in forged]))
    assert line["reason"] == "released"
    assert b"spambridge" not in outcome.delivered().wire().lower()
    assert is_scored(held, scorer, b"".join(forged) + released(held), "not for this message",
                     queue_id="4MANY")


def test_it_goes_where_other_fields_stay(held, scorer):
    """keep_spam_headers_from is no way for a mark to stay in a message."""
    relay = Client(address="192.0.2.1")
    outcome = send(held.address, make(score=0.0, headers=[
        b"X-Spam-Level: *", b"X-Spambridge-Release: v=1", b"x-SPAMBRIDGE-release : v=1"]),
                   client=relay)
    assert b"x-spam-level: *" in outcome.delivered().wire().lower()
    assert b"spambridge-release" not in outcome.delivered().wire().lower()
    assert b"spambridge-release" not in scorer.requests()[-1].message.lower()


def restarted(start, scorer, held, **options):
    """A daemon with another configuration and the same quarantine."""
    held.stop_cleanly()
    return start([scorer.listen("other")], workspace=held.workspace, **options)


@pytest.mark.parametrize("client", ["5.9.10.11", "192.0.2.9"])
def test_the_whole_body_counts_where_nobody_else_needs_it(start, scorer, held, client):
    """Bodies are skipped without a quarantine, and for clients who are not scored: not these."""
    message = released(held, body=b"x" * 70 + b"\r\n" + b"y" * 76 * 300 + b"\r\n")
    daemon = restarted(start, scorer, held, policy="tag = 5.0\nreject = 10.0",
                       options="max_scan_size = 1K", trusted='"192.0.2.9"')
    outcome, line = come_by(daemon, message, client=Client(address=client))
    assert (line["reason"], line["action"]) == ("released", "pass")
    assert outcome.kind in ("accept", "continue")
    outcome, line = come_by(daemon, message, queue_id="4TWICE", client=Client(address=client))
    assert line["reason"] == ("trusted" if client == "192.0.2.9" else "score")


def test_the_key_must_be_there_and_secret(held, scorer):
    key = os.path.join(held.workspace.file("quarantine"), "release.key")
    message = released(held)
    os.chmod(key, 0o644)
    assert is_scored(held, scorer, message, "only its owner", queue_id="4OPEN")
    os.rename(key, key + ".away")
    assert is_scored(held, scorer, message, "release key", queue_id="4GONE")
    os.rename(key + ".away", key)
    os.chmod(key, 0o600)
    assert come_by(held, message)[1]["reason"] == "released"


def test_another_quarantines_mark_is_scored(start, scorer, held):
    message = released(held)
    other = start([scorer.listen("elsewhere")], policy=HOLDING)
    released(other)
    assert is_scored(other, scorer, message, "not for this message")


def test_without_a_quarantine_it_is_scored(start, scorer, held):
    message = released(held)
    held.stop_cleanly()
    shutil.rmtree(held.workspace.file("quarantine"))
    daemon = start([scorer.listen("later")], policy="tag = 5.0\nreject = 10.0",
                   config=held.config.replace("quarantine = 10.0", "quarantine = off"),
                   workspace=held.workspace)
    outcome, line = come_by(daemon, message)
    assert (line["reason"], line["action"]) == ("score", "tag")
    assert b"spambridge-release" not in outcome.delivered().wire().lower()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_cannot_be_noted_is_put_off(held, scorer):
    """A use that nobody would remember is none: later, when the disk is well."""
    message = released(held)
    marks = os.path.join(held.workspace.file("quarantine"), "marks")
    os.chmod(marks, 0o500)
    asked = len(scorer.requests())
    outcome, line = come_by(held, message, queue_id="4LATER")
    assert outcome.reply.code == 451 and line["action"] == "tempfail"
    assert len(scorer.requests()) == asked
    os.chmod(marks, 0o700)
    assert come_by(held, message)[1]["reason"] == "released"


def test_the_tool_uses_nothing_up(held):
    """spambridgectl score changes nothing: the mark is still good afterwards."""
    message = released(held)
    path = held.workspace.file("released.eml")
    with open(path, "wb") as file:
        file.write(message)
    done = run("spambridgectl", "-c", held.config_path, "score", "--to", "bob@example.com", path)
    assert done.returncode == 0, done.stderr
    assert come_by(held, message)[1]["reason"] == "released"

# SPDX-License-Identifier: BSD-2-Clause
"""One line a message, keys in a fixed order: the interface that every verdict is explained by."""

import re

import pytest
from support import ports
from support.daemon import MESSAGE_KEYS
from support.messages import make
from support.mta import Client, Session, send
from support.timing import in_time


@pytest.mark.parametrize("score,action", [(1.0, "pass"), (7.3, "tag"), (20.0, "reject")])
def test_scored(pair, score, action):
    queue_id = f"4LOG{action.upper()}"
    outcome = send(pair.address, make(score=score, tests="B_RULE,A_RULE"), queue_id=queue_id)
    line = pair.daemon.message_line(queue_id)
    assert list(line) == MESSAGE_KEYS
    assert "alice@example.org" in line["from"] and "bob@example.com" in line["to"]
    assert "5.9.10.11" in line["client"]
    assert abs(int(line["size"]) - len(outcome.message.wire())) < 200
    assert line["scorer"] == "x" and "good.sock" in line["server"]
    # the threshold that the action is about
    assert float(line["score"]) == score
    assert float(line["required"]) == (15.0 if action == "reject" else 5.0)
    assert line["action"] == action
    assert 0 <= int(line["scan_ms"]) <= int(line["total_ms"]) < 5000
    assert line["tests"] == "B_RULE,A_RULE"


def test_exactly_one_line(pair):
    """A message leaves one line, whatever else is logged about it."""
    before = len(pair.daemon.all_message_lines())
    with Session(pair.address) as session:
        session.greet()
        for number in range(10):
            session.send_message(make(score=number), queue_id=f"4ONE{number}")
    assert len(pair.daemon.all_message_lines()) == before + 10


def test_failure(start):
    server = f"tcp://127.0.0.1:{ports.free_port()}"
    daemon = start([server])
    send(daemon.address, make(), queue_id="4LOGFAIL")
    line = daemon.message_line("4LOGFAIL")
    assert list(line) == MESSAGE_KEYS
    assert line["reason"] == "refused" and line["action"] == "pass"
    assert line["score"] in ("-", "")


def test_several_recipients(pair):
    """`to` is the count and the first."""
    send(pair.address, make(), recipients=[f"r{n}@example.com" for n in range(5)], queue_id="4LOG5")
    line = pair.daemon.message_line("4LOG5")
    assert "5" in line["to"] and "r0@example.com" in line["to"] and "r1@" not in line["to"]


HOSTILE = {
    "newline": '"a\nspambridge: id=4FORGED from=x action=pass total_ms=1"@example.org',
    "quote": '"a\\" action=pass b=\\""@example.org',
    "blank": "a action=pass@example.org",
    "escape": "\x1b[2J\x07@example.org",
    "equals": "a=b=c@example.org",
    "format": "%n%s%100000d@example.org",
    "eight-bit": "caf\u00e9\u202e@example.org",
    "long": "a" * 60000 + "@example.org",
    "empty": "",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sender(pair, name):
    """Attack 20: one record, same keys in the same order, no control byte, bounded."""
    queue_id = f"4HOSTILE{name.replace('-', '')}"
    send(pair.address, make(), sender=HOSTILE[name], queue_id=queue_id)
    line = pair.daemon.message_line(queue_id)
    assert list(line) == MESSAGE_KEYS
    assert len(line["from"]) <= 300
    raw = next(text for text in pair.daemon.lines if f"id={queue_id} " in text)
    assert re.fullmatch(r"[\x20-\x7e]+", raw) and len(raw) < 4200
    assert not [text for text in pair.daemon.lines if text.startswith("spambridge: id=4FORGED")]


def test_hostile_client_facts(pair):
    client = Client(host="evil\nid=4FORGED2 total_ms=1", helo="x\nid=4FORGED3 total_ms=1")
    with Session(pair.address, client) as session:
        session.greet()
        session.send_message(make(), queue_id="4HOSTCLIENT")
    assert list(pair.daemon.message_line("4HOSTCLIENT")) == MESSAGE_KEYS
    assert not [text for text in pair.daemon.lines
                if re.search(r"^(spambridge: )?id=4FORGED", text)]


def test_hostile_rule_names(start, scorer):
    server = scorer.listen("good", score="7.3", tests=["A=1 action=reject", "\x1b[31m", "B" * 9999])
    daemon = start([server])
    send(daemon.address, make(), queue_id="4HOSTRULE")
    line = daemon.message_line("4HOSTRULE")
    assert list(line) == MESSAGE_KEYS and line["action"] == "tag"
    assert len(line["tests"]) <= 300


def test_reader_gone(start, scorer):
    """F37: a log that nobody reads never blocks a mail."""
    server = scorer.listen("good", score="7.3")
    daemon = start([server], deadline="2s")
    with daemon._news:      # pylint: disable=protected-access # the reader thread stops here
        with Session(daemon.address) as session:
            session.greet()
            slowest = max(session.send_message(make(), sender="s" * 200 + "@example.org").seconds
                          for _ in range(1500))
    in_time(slowest, 0.5)
    assert daemon.alive()

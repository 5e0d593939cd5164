# SPDX-License-Identifier: BSD-2-Clause
"""The fields of a delivered message: forged ones gone, ours right, on Postfix and on Sendmail."""

import re

import pytest
from support import checks
from support.daemon import knows
from support.messages import make
from support.milter import ALL_STEPS, STEPS
from support.mta import send

STYLES = ["postfix", "sendmail"]
OURS = re.compile(r"(?i)^x-(spam|rspamd)")


def our_fields(outcome, style):
    """Names of the X-Spam and X-Rspamd fields of the delivered message."""
    delivered = outcome.delivered(style)
    return [name.decode() for name, _ in delivered.above + delivered.headers
            if OURS.match(name.decode())]


FORGED = {
    "two-mixed-case": [b"X-Spam-Flag: NO", b"x-sPAM-fLAG: NO"],
    "eight-of-one": [b"X-Spam-Status: No, score=-9.9 required=5.0 tests=none"] * 8,
    "same-as-ours": [b"X-Spam-Flag: YES", b"X-Spam-Level: *******"],
    "empty": [b"X-Spam-Flag:", b"X-Spam-Level: ", b"X-Spam-Status:"],
    "other-names": [b"X-Spam-Score: -5", b"X-Spam-Bar: /", b"X-Rspamd-Action: no action",
                    b"X-Spamd-Bar: -", b"X-Spam: No", b"x-spamassassin: fine"],
    "folded": [b"X-Spam-Status: No,\r\n\tscore=-5\r\n\trequired=5.0"],
    "thousand": [b"X-Spam-Flag: NO"] * 1000,
    "interleaved": [b"X-Spam-Flag: 1", b"X-Keep: 1", b"X-Spam-Flag: 2", b"X-Keep: 2",
                    b"X-SPAM-FLAG: 3", b"X-Keep: 3"],
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("score", [1.0, 7.3])
@pytest.mark.parametrize("name", FORGED)
def test_forged_fields_are_gone(pair, name, score, style):
    """Traps 1, 2, 3, 4: what remains is ours alone, whichever way the server numbers."""
    outcome = send(pair.address, make(score=score, headers=FORGED[name]))
    delivered = outcome.delivered(style)
    expected = ["X-Spam-Checker-Version", "X-Spam-Level", "X-Spam-Status"]
    if score >= 5:
        expected.append("X-Spam-Flag")
    assert sorted(our_fields(outcome, style)) == sorted(expected)
    assert not delivered.oddities
    if score >= 5:
        assert delivered.value("X-Spam-Flag") == "YES"
    assert len(delivered.values("X-Keep")) == (3 if name == "interleaved" else 0)


def test_unrelated_names_stay(pair):
    """Trap 5: a name that contains one of ours is not ours."""
    outcome = send(pair.address, make(headers=[b"Subject-X: a", b"Content-Type-X: b",
                                               b"Not-X-Spam-Flag: c", b"X-Spa: d"]))
    delivered = outcome.delivered()
    assert [delivered.value(n) for n in ("Subject-X", "Content-Type-X", "Not-X-Spam-Flag",
                                         "X-Spa")] == ["a", "b", "c", "d"]


def test_spamassassin_fields_of_spam(pair):
    outcome = send(pair.address, make(score=7.3, tests="BAYES_99,HTML_MESSAGE"))
    delivered = outcome.delivered()
    assert delivered.value("X-Spam-Flag") == "YES"
    assert delivered.value("X-Spam-Level") == "*******"
    assert delivered.value("X-Spam-Checker-Version").startswith("SpamAssassin 4.0.1 (2024-03-25)")
    status = checks.unfold(delivered.value("X-Spam-Status"))
    assert re.fullmatch(r"Yes, score=7\.3 required=5\.0 tests=BAYES_99,HTML_MESSAGE"
                        r" autolearn=no autolearn_force=no version=4\.0\.1", status), status


def test_spamassassin_fields_of_ham(pair):
    outcome = send(pair.address, make(score=-0.5, tests="ALL_TRUSTED"))
    delivered = outcome.delivered()
    assert delivered.value("X-Spam-Flag") is None
    assert delivered.value("X-Spam-Level") in ("", None)
    assert checks.status(outcome)["score"] == "-0.5"
    assert checks.status(outcome)["word"] == "No"


@pytest.mark.parametrize("score,stars", [("0.9", 0), ("1.0", 1), ("49.9", 49), ("50.0", 50),
                                         ("1001.3", 50), ("-7.0", 0)])
def test_level(start, scorer, score, stars):
    """Trap 24: a star a point, fifty at the most, none below one."""
    server = scorer.listen("good")
    daemon = start([server], policy="tag = 5.0\nquarantine = off\nreject = off")
    level = send(daemon.address, make(score=score)).header("X-Spam-Level") or ""
    assert level == "*" * stars


def test_administrators_fields(pair):
    """What add_header lines of the spamd administrator produce comes along, once."""
    outcome = send(pair.address, make(score=7.3, headers=[
        b"X-Test-Field: X-Spam-ASN: AS123 5.9.0.0/16", b"X-Spam-ASN: forged",
        b"X-Test-Field: X-Spam-Relay-Country: DE"]))
    assert outcome.header("X-Spam-ASN") == "AS123 5.9.0.0/16"
    assert outcome.header("X-Spam-Relay-Country") == "DE"


def test_rest_of_the_reply_is_not_taken(pair):
    """Only the leading X-Spam fields of a HEADERS reply count, never the message's own below."""
    outcome = send(pair.address, make(score=7.3, headers=[
        b"Subject: first", b"X-Test-Field: X-Other: not ours"]))
    assert outcome.delivered().values("X-Other") == []


HOSTILE_TESTS = {
    "cr-lf": "A\r\n\tB",
    "long-name": "A" * 5000,
    "many": ",".join(f"RULE_NUMBER_{n:05}" for n in range(2000)),
    "eight-bit": "CAF\u00c9,\x07BELL,\x1b[31m",
    "percent": "100%,%s%n",
    "equals": "A=1,B score=99 required=1",
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", HOSTILE_TESTS)
def test_hostile_rule_names(start, scorer, name, style):
    """Traps 10, 12, 13: no CR, no line over 998 bytes, ASCII only, whatever the rules' names."""
    server = scorer.listen("good", score=7.3, tests=HOSTILE_TESTS[name].split(","))
    daemon = start([server], policy="tag = 5.0\nquarantine = off\nreject = off")
    outcome = send(daemon.address, make())
    delivered = outcome.delivered(style)
    assert not delivered.oddities
    assert set(our_fields(outcome, style)) <= {"X-Spam-Checker-Version", "X-Spam-Flag",
                                               "X-Spam-Level", "X-Spam-Status"}
    total = sum(len(value) for _, value in delivered.headers if b"tests=" in value)
    assert total <= 8192 + 64


@pytest.mark.parametrize("steps", [ALL_STEPS, ALL_STEPS & ~STEPS["hdr_leadspc"]])
def test_blank_after_the_colon(pair, steps):
    """Trap 8: `Name: value` on the wire with and without SMFIP_HDR_LEADSPC."""
    outcome = send(pair.address, make(score=7.3), negotiate={"steps": steps})
    delivered = outcome.delivered()
    assert not delivered.oddities
    assert b"\r\nX-Spam-Flag: YES\r\n" in b"\r\n" + delivered.wire()


def test_header_order_and_place(pair):
    """Trap 25: ours never stand above the mail server's own Received field."""
    outcome = send(pair.address, make(score=7.3))
    assert not outcome.delivered().above


@pytest.mark.parametrize("style", STYLES)
def test_message_is_otherwise_untouched(pair, style):
    """Apart from our fields, the delivered bytes are the incoming ones."""
    headers = [b"X-Spam-Old: 1", b"X-Fold:\r\n a\r\n\tb"]
    outcome = send(pair.address, make(score=7.3, headers=headers))
    delivered = outcome.delivered(style)
    rest = [(name, value) for name, value in delivered.headers if not OURS.match(name.decode())]
    expected = [(name, value) for name, value in outcome.message.headers
                if not OURS.match(name.decode())]
    assert rest == expected and delivered.body == outcome.message.body
    assert not outcome.verdict.named("replbody")


SUBJECTS = {
    "plain": ([b"Subject: hello"], b"[SPAM] hello"),
    "none": ([], b"[SPAM]"),
    "already": ([b"Subject: [SPAM] hello"], b"[SPAM] hello"),
    "empty": ([b"Subject:"], b"[SPAM]"),
    "folded": ([b"Subject: one\r\n\ttwo"], b"[SPAM] one\n\ttwo"),
    "encoded": ([b"Subject: =?utf-8?q?caf=C3=A9?="], b"[SPAM] =?utf-8?q?caf=C3=A9?="),
    "lower-case-name": ([b"subject: hello"], b"[SPAM] hello"),
}


@pytest.mark.skipif(not knows('policy { subject_tag = "x" }'), reason="no subject_tag here")
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", SUBJECTS)
def test_subject_tag(start, scorer, name, style):
    """Traps 15, 16: one tag, also without a Subject, and RFC 2047 words stay words."""
    server = scorer.listen("good", score=7.3)
    daemon = start([server], policy='tag = 5.0\nquarantine = off\nreject = off\n'
                                    'subject_tag = "[SPAM]"')
    lines, expected = SUBJECTS[name]
    raw = b"\r\n".join([b"Subject-X: not me", b"From: a@example.org", *lines]) + b"\r\n\r\nx\r\n"
    delivered = send(daemon.address, raw).delivered(style)
    assert [value.strip() for value in delivered.values("Subject")] == [expected]
    assert delivered.value("Subject-X") == "not me"
    assert not delivered.oddities
    ham = send(daemon.address, raw.replace(b"From:", b"X-Test-Score: 1.0\r\nFrom:"))
    assert not [e for e in ham.verdict.edits if b"ubject" in e[-2]]

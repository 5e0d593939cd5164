# SPDX-License-Identifier: BSD-2-Clause
"""Scores against thresholds, to the tenth; every spelling of a score that spamd may use."""

import pytest
from support import checks
from support.messages import make
from support.mta import send


@pytest.mark.parametrize("score,word", [
    ("4.8", "No"), ("4.9", "No"), ("5.0", "Yes"), ("5.1", "Yes"), ("14.9", "Yes"),
    ("-0.5", "No"), ("-0.0", "No"), ("0.0", "No"), ("5", "Yes"), ("4", "No"), ("-100.0", "No"),
    ("4.99", "No"), ("4.999", "No"), ("5.001", "Yes"),
])
def test_tag_boundary(pair, score, word):
    """Traps 26, 28: tenths count, integers and negative zero are numbers."""
    outcome = send(pair.address, make(score=score))
    status = checks.status(outcome)
    assert status["word"] == word
    assert (outcome.header("X-Spam-Flag") == "YES") == (word == "Yes")
    # the shown score never contradicts the word (SpamAssassin's get_tag_value_for_score)
    assert (float(status["score"]) >= float(status["required"])) == (word == "Yes")


@pytest.mark.parametrize("score,refused", [("14.9", False), ("15.0", True), ("15", True),
                                           ("15.1", True), ("1001.3", True), ("14.99", False)])
def test_reject_boundary(pair, score, refused):
    """Trap 26: a threshold is reached when score >= threshold."""
    outcome = send(pair.address, make(score=score))
    assert (outcome.kind == "replycode") == refused
    if refused:
        assert outcome.reply.code == 550
    else:
        assert outcome.kind in ("accept", "continue")


@pytest.mark.parametrize("tag,score,word", [
    ("0.1", "0.0", "No"), ("0.1", "0.1", "Yes"), ("-1.0", "-1.0", "Yes"), ("-1.0", "-1.1", "No"),
    ("6.25", "6.2", "No"), ("6.25", "6.3", "Yes"), ("0.0", "-0.0", "Yes"),
])
def test_other_thresholds(start, scorer, tag, score, word):
    """Trap 32: no number is special, below zero neither."""
    server = scorer.listen("good")
    daemon = start([server], policy=f"tag = {tag}\nquarantine = off\nreject = off")
    assert checks.status(send(daemon.address, make(score=score)))["word"] == word


def test_our_threshold_counts(pair):
    """The scorer's own opinion of 5.0 or 99 does not matter: the threshold is ours."""
    outcome = send(pair.address, make(score="7.3", headers=[b"X-Test-Required: 99.0"]))
    assert checks.status(outcome) == {"word": "Yes", "score": "7.3", "required": "5.0",
                                      "tests": "SCRIPTED"}
    outcome = send(pair.address, make(score="3.0", headers=[b"X-Test-Required: 2.0"]))
    assert checks.status(outcome)["word"] == "No"


def test_tag_off(start, scorer):
    """tag = off: Status says No with the scorer's own required value, and there is no Flag."""
    server = scorer.listen("good", score="7.3", required="4.5")
    daemon = start([server], policy="tag = off\nquarantine = off\nreject = 15.0")
    outcome = send(daemon.address, make(), queue_id="4TAGOFF")
    status = checks.status(outcome)
    assert status["word"] == "No" and status["required"] == "4.5"
    assert outcome.header("X-Spam-Flag") is None
    # reject is the threshold that remains, but required= is about tagging
    assert daemon.message_line("4TAGOFF")["required"] == "off"


def test_all_off(start, scorer):
    server = scorer.listen("good", score="1001.3")
    daemon = start([server], policy="tag = off\nquarantine = off\nreject = off")
    outcome = send(daemon.address, make())
    assert outcome.kind in ("accept", "continue")
    assert checks.status(outcome)["word"] == "No"


@pytest.mark.parametrize("locale", ["de_DE.UTF-8", "C", "fr_FR"])
def test_locale(start, scorer, locale):
    """Trap 27: a locale with a decimal comma changes nothing."""
    server = scorer.listen("good", score="7.3")
    daemon = start([server], environment={"LC_ALL": locale, "LC_NUMERIC": locale})
    assert checks.status(send(daemon.address, make()))["score"] == "7.3"


def test_words_do_not_matter(start, scorer):
    """Trap 28: True and Yes are the same, and the number decides."""
    server = scorer.listen("good", behaviour="yes_no")
    daemon = start([server])
    assert checks.status(send(daemon.address, make(score="7.3")))["word"] == "Yes"
    assert checks.status(send(daemon.address, make(score="1.0")))["word"] == "No"


@pytest.mark.parametrize("transport", ["tcp", "unix", "tls"])
def test_transports(start, scorer, transport):
    server = scorer.listen("good", transport=transport, score="7.3")
    extra = f'ca_file = "{scorer.certificate()}"' if transport == "tls" else ""
    daemon = start([server], scorer=extra)
    for _ in range(3):
        assert checks.status(send(daemon.address, make()))["score"] == "7.3"
    assert not any(request.faults for request in scorer.requests())


def test_tls_certificate_is_verified(start, scorer):
    """An unknown authority is no scorer at all."""
    server = scorer.listen("good", transport="tls", score="7.3")
    daemon = start([server])
    checks.unscanned_reason(send(daemon.address, make()))
    assert not scorer.requests()


@pytest.mark.parametrize("user,expected", [("", None), ("fixed-name", "fixed-name"),
                                           ("recipient", "bob@example.com"),
                                           ("domain", "example.com")])
def test_spamd_user(start, scorer, user, expected):
    """The User field: none, fixed, or from the recipient."""
    server = scorer.listen("good")
    daemon = start([server], scorer=f'user = "{user}"')
    send(daemon.address, make())
    assert scorer.requests()[-1].get("User") == expected

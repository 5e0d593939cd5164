# SPDX-License-Identifier: BSD-2-Clause
"""shadow: a second engine is compared with the one in use, and changes nothing."""

import os

import pytest
from support import checks, ports
from support.daemon import parse_pairs, run, scorer_section, test_user as account
from support.messages import make
from support.mta import send
from support.timing import in_time

KEYS = ["id", "scorer", "score", "action", "shadow", "shadow_score", "shadow_action",
        "shadow_reason", "shadow_ms"]


def begin(start, scorer, share="100%", behaviour="correct", **options):
    """A daemon with spamd in use (score 7.3) and rspamd as its shadow (score 20)."""
    used = scorer.listen("used", score="7.3")
    shadow = scorer.listen("shadow", protocol="rspamd", behaviour=behaviour, score="20")
    return start(options=scorer_section("used", [used])
                 + scorer_section("new", [shadow], "rspamd")
                 + f'shadow = "new"\nshadow_share = {share}\n', **options)


def shadow_lines(daemon):
    return [parse_pairs(line[line.index("shadow id="):]) for line in list(daemon.lines)
            if "shadow id=" in line]


def test_both_scores_and_actions_are_told(start, scorer):
    daemon = begin(start, scorer)
    outcome = send(daemon.address, make(), queue_id="4SHADOW")
    assert checks.status(outcome)["score"] == "7.3"
    daemon.wait_log("shadow id=4SHADOW")
    line = shadow_lines(daemon)[0]
    assert list(line) == KEYS
    assert (line["scorer"], line["score"], line["action"]) == ("used", "7.3", "tag")
    assert (line["shadow"], line["shadow_score"], line["shadow_action"]) == ("new", "20.0", "reject")
    assert line["shadow_reason"] == "scored"
    by_spamd, by_rspamd = scorer.requests("used")[0], scorer.requests("shadow")[0]
    assert checks.sent_to_scorer(by_spamd)[2] == by_rspamd.message
    assert by_rspamd.get("Rcpt") == "<bob@example.com>"


def test_a_share_is_a_share(start, scorer):
    daemon = begin(start, scorer, share="25%")
    for _ in range(40):
        send(daemon.address, make())
    assert ports.wait_until(lambda: len(shadow_lines(daemon)) == 10)
    assert len(scorer.requests("shadow")) == 10


@pytest.mark.brisk
@pytest.mark.parametrize("behaviour", ["silent", "mute", "flood", "empty_object", "hang_up"])
def test_nothing_waits_for_it(start, scorer, behaviour):
    """A shadow that stalls or lies costs no message any time, and has its own line."""
    daemon = begin(start, scorer, behaviour=behaviour, deadline="1s")
    seconds = []
    for _ in range(60):
        outcome = send(daemon.address, make())
        assert checks.status(outcome)["score"] == "7.3"
        seconds.append(outcome.seconds)
    in_time(max(seconds), 0.5)
    assert len(scorer.requests("used")) == 60
    daemon.wait_log("shadow id=")
    line = shadow_lines(daemon)[0]
    assert line["shadow_score"] == "-" and line["shadow_reason"] != "scored"
    status, took = daemon.stop()
    assert status == 0
    in_time(took, 3)


def test_it_is_asked_by_nobody_else(start, scorer):
    """When the one in use is down, the shadow does not stand in for it."""
    daemon = begin(start, scorer)
    scorer.refuse("used")
    assert checks.unscanned_reason(send(daemon.address, make())) == "refused"
    assert not scorer.requests("shadow")
    assert not shadow_lines(daemon)


@pytest.mark.parametrize("text,words", [
    ('shadow = "other"', "no scorer is named 'other'"),
    ('shadow = "x"', "no scorer besides 'x'"),
    ("shadow_share = 0%", "out of range"), ("shadow_share = 101%", "out of range"),
    ("shadow_share = 10", "such as 10%")])
def test_mistakes_are_told(workspace, text, words):
    path = workspace.file("x.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(f'user = "{account()}"\n{scorer_section("x", ["tcp://127.0.0.1:1"])}{text}\n')
    os.chmod(path, 0o600)
    found = run("spambridge", "-t", "-c", path)
    assert found.returncode == 1 and words in found.stderr

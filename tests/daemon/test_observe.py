# SPDX-License-Identifier: BSD-2-Clause
"""mode = observe: everything is decided, logged and counted, nothing is done."""

import pytest
from support.daemon import MESSAGE_KEYS, run
from support.messages import make
from support.mta import send

FORGED = [b"X-Spam-Flag: NO", b"X-Spam-Status: No, score=-9"]
POLICY = "tag = 5.0\nquarantine = 10.0\nreject = 15.0"
ONE_DOMAIN = 'domain "try.example" { mode = observe  subject_tag = "[S]"  copy_to = "c@try.example" }'


def watched(daemon, score, recipients=("bob@example.com",), queue_id="4WATCH"):
    """A message with forged fields, and its log line."""
    outcome = send(daemon.address, make(score=score, headers=FORGED), recipients=list(recipients),
                   queue_id=queue_id)
    return outcome, daemon.message_line(queue_id)


@pytest.mark.parametrize("score,would,required", [
    (1.0, "pass", "5.0"), (6.0, "tag", "5.0"), (11.0, "quarantine", "10.0"),
    (20.0, "reject", "15.0"),
])
def test_nothing_is_done(start, scorer, score, would, required):
    """Only forged fields go; the log line has one more key, at its end."""
    daemon = start([scorer.listen("good")], policy=POLICY, options="mode = observe")
    outcome, line = watched(daemon, score)
    assert outcome.kind in ("accept", "continue")
    assert {edit[0] for edit in outcome.verdict.edits} == {"chgheader"}
    assert not [name for name, _ in outcome.delivered().headers if name.startswith(b"X-Spam")]
    assert list(line) == MESSAGE_KEYS + ["would"]
    assert (line["action"], line["would"], line["required"]) == ("pass", would, required)
    metrics = run("spambridgectl", "-c", daemon.config_path, "metrics").stdout
    assert f'spambridge_observed_messages_total{{action="{would}"}} 1' in metrics


def test_failure_is_observed(start, scorer):
    daemon = start([scorer.listen("bad", behaviour="garbage")], deadline="1s",
                   policy=POLICY, options="mode = observe\non_failure = tempfail")
    outcome, line = watched(daemon, 20.0)
    assert outcome.kind in ("accept", "continue")
    assert outcome.header("X-Spam-Status") is None
    assert (line["action"], line["reason"], line["would"]) == ("pass", "malformed", "tempfail")


def test_one_domain(start, scorer):
    """Who observes gets it as it came, who does not is served as ever."""
    daemon = start([scorer.listen("good")], policy=POLICY, options=ONE_DOMAIN)
    outcome, line = watched(daemon, 20.0, ["a@try.example", "b@example.com"])
    assert outcome.delivered().recipients == ["<a@try.example>"]
    assert outcome.header("X-Spam-Status") is None and outcome.header("Subject")[:3] != "[S]"
    assert line["would"] == "reject" and line["quarantine"] != "-"
    marked, line = watched(daemon, 6.0, ["a@try.example", "b@example.com"], "4BOTH")
    assert len(marked.delivered().recipients) == 2 and line["action"] == line["would"] == "tag"
    refused, line = watched(daemon, 20.0, ["b@example.com"], "4OTHER")
    assert refused.reply.code == 550 and "would" not in line

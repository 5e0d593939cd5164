# SPDX-License-Identifier: BSD-2-Clause
"""explain: log lines become stories; what the daemon writes can be read back."""

import pytest

from ctl.conftest import plain_daemon
from support.badscorer import BadScorer
from support.messages import make
from support.mta import send

LINE = ("id={id} from=ann@example.org to=3,bob@example.com client=192.0.2.10 size=2873 "
        "scorer=sa server=unix:/run/spamd.sock score=7.4 required=5.0 action={action} "
        "reason={reason} quarantine=- rule={rule} scan_ms=212 total_ms=214 "
        "tests=HTML_MESSAGE,RDNS_NONE(1.3)")
UNSCORED = ("id={id} from=<> to=1,bob@example.com client=- size=10 scorer=- server=- score=- "
            "required=- action={action} reason={reason} quarantine=- rule={rule} scan_ms=0 total_ms=1 tests=-")
PREFIX = "Nov 22 10:00:00 mx spambridge[4711]: "
REASONS = ["trusted", "authenticated", "oversize", "refused", "timeout", "malformed",
           "overloaded", "error", "edit", "quarantine"]


def line(text=LINE, queue_id="4ABC", action="tag", reason="score", rule="tag:/etc/sb.conf:12"):
    return text.format(id=queue_id, action=action, reason=reason, rule=rule)


def explain(ctl, text, *arguments, queue_id="4ABC"):
    return ctl("explain", *arguments, "--log", ctl.file("log", text), queue_id)


def test_a_story_in_sentences(ctl):
    found = explain(ctl, PREFIX + line() + "\n")
    assert found.code == 0
    assert found.out.splitlines() == [
        "logged         Nov 22 10:00:00 mx spambridge[4711]: ",
        "Message 4ABC of 2873 bytes came from ann@example.org for bob@example.com and 2 others.",
        "The client was 192.0.2.10.",
        "sa at unix:/run/spamd.sock gave it 7.4 points in 212 ms.",
        "Tests that hit: HTML_MESSAGE, RDNS_NONE 1.3.",
        "It reached tag = 5.0, set at /etc/sb.conf:12.",
        "It was delivered, marked as spam.",
        "The decision took 214 ms from the end of the message."]


@pytest.mark.parametrize("required,rule,words", [
    ("5.0", "tag:/etc/s b:c.conf:12", "It reached tag = 5.0, set at /etc/s b:c.conf:12."),
    ("7.4", "reject:default", "It reached reject = 7.4, set by default."),
    ("7.5", "tag:/t:1", "It stayed below tag = 7.5, set at /t:1."),
    ("off", "tag:/t:1", "No threshold counted: tag = off, set at /t:1."),
    ("5.0", "accept_senders:/t:1", "What decided is accept_senders, set at /t:1."),
    ("5.0", "redirect:/t:1", "The threshold that counted was 5.0."),
    ("5.0", "-", "The threshold that counted was 5.0."),
])
def test_which_rule_decided(ctl, required, rule, words):
    text = line(rule=f'"{rule}"' if " " in rule else rule)
    found = explain(ctl, text.replace("required=5.0", f"required={required}"))
    assert words in found.out.splitlines()


@pytest.mark.parametrize("action,words", [
    ("pass", "delivered, not marked"), ("tag", "delivered, marked"), ("reject", "was refused"),
    ("tempfail", "was put off"), ("quarantine", "is held"), ("conjure", '"conjure"')])
def test_actions(ctl, action, words):
    assert words in explain(ctl, line(action=action)).out


@pytest.mark.parametrize("reason", REASONS)
def test_reasons(ctl, reason):
    found = explain(ctl, line(UNSCORED, action="pass", reason=reason))
    assert found.code == 0
    lines = found.out.splitlines()
    assert "the null sender" in lines[0] and "points" not in found.out
    assert f'"{reason}"' not in found.out and lines[2].endswith(".")


def test_several_users(ctl):
    """Each user's score, or why there is none, is a sentence."""
    users = " users=ann@example.com:7.4,example.net:timeout,\"a=b@[ipv6:2001:db8::1]\":-0.1,-:2.0"
    assert explain(ctl, line() + users).out.splitlines()[3:7] == [
        "Scored for ann@example.com it has 7.4 points.",
        "Scored for example.net: There is no verdict, because no server answered by the deadline.",
        "Scored for a=b@[ipv6:2001:db8::1] it has -0.1 points.",
        "Scored for nobody in particular it has 2.0 points."]


def test_json(ctl):
    found = explain(ctl, PREFIX + line(), "--json")
    assert found.json[0]["record"]["score"] == "7.4"
    assert found.json[0]["record"]["quarantine"] is None
    assert list(found.json[0]["record"])[0] == "id" and len(found.json[0]["story"]) == 7


def test_only_the_wanted_message_and_every_time(ctl):
    text = "\n".join([line(queue_id="4ABC"), line(queue_id="4ABCD"), line(queue_id="4AB"),
                      line(queue_id="4ABC", action="reject"), "id=4ABC", "4ABC: noise", ""])
    found = explain(ctl, text, "--json")
    assert [story["record"]["action"] for story in found.json] == ["tag", "reject"]


def test_keys_of_the_future_are_kept(ctl):
    text = line().replace(" tests=", " new_key=yes tests=")
    assert explain(ctl, text, "--json").json[0]["record"]["new_key"] == "yes"


@pytest.mark.parametrize("broken", [
    line().replace("id=4ABC", 'id="4ABC'), line() + ' x="open', line() + " novalue",
    line().replace("action=tag ", ""), line().replace("from=", "from=\\x"), "4ABC",
    line() + ' y="\\q"'])
def test_lines_that_are_none(ctl, broken):
    found = explain(ctl, broken.replace("from=\\x", 'from="\\xzz"'))
    assert found.code == 1 and "no line about 4ABC" in found.err


def test_text_of_others_can_forge_nothing(ctl):
    forged = line(queue_id="4REAL").replace(
        "from=ann@example.org", 'from="x id=4ABC from=y action=pass reason=score"')
    found = explain(ctl, forged)
    assert found.code == 1
    found = explain(ctl, forged, queue_id="4REAL")
    assert "x id=4ABC from=y action=pass" in found.out and "marked as spam" in found.out


def test_nothing_hostile_reaches_the_terminal(ctl):
    hostile = line().replace("ann@example.org", r'"a\x1b[2J\x9b\" \\b"')
    found = explain(ctl, hostile)
    assert found.code == 0 and "\x1b" not in found.out
    assert 'a\\x1b[2J\\x9b" \\b' in found.out


def test_no_such_log_or_line(ctl):
    assert ctl("explain", "--log", "no-such-file", "4ABC").code == 1
    assert explain(ctl, "").code == 1
    assert ctl("explain").code == 2 and ctl("explain", "a", "b").code == 2


def test_the_journal_is_asked_without_a_shell(ctl):
    folder = ctl.path / "bin"
    folder.mkdir()
    script = folder / "journalctl"
    script.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\" > " + str(ctl.path / "arguments")
                      + "\ncat " + ctl.file("journal", line() + "\n") + "\n")
    script.chmod(0o755)
    path = f"{folder}:/usr/bin:/bin"
    found = ctl("explain", "4ABC", PATH=path)
    assert found.code == 0 and "marked as spam" in found.out
    asked = (ctl.path / "arguments").read_text().splitlines()
    assert asked[:6] == ["--no-pager", "--quiet", "-o", "short-iso", "-t", "spambridge"]
    assert asked[6:] == ["SPAMBRIDGE_ID=4ABC"]
    assert ctl("explain", "4NONE", PATH=path).code == 1
    asked = (ctl.path / "arguments").read_text().splitlines()
    assert asked[6:] == ["--grep=id=4NONE ", "--case-sensitive"]
    assert ctl("explain", "$(touch x); .*", PATH=path).code == 1
    assert "--grep" not in (ctl.path / "arguments").read_text()
    script.write_text("#!/bin/sh\necho No journal files were found >&2\nexit 1\n")
    found = ctl("explain", "4ABC", PATH=path)
    assert found.code == 1 and ("No journal files" in found.err or "/var/log" in found.err)


def test_what_the_daemon_writes_is_read_back(ctl, workspace):
    with BadScorer(workspace.path) as scorer:
        with plain_daemon([scorer.listen("good", transport="unix")]) as daemon:
            send(daemon.address, make(score=20.0, tests="A_RULE,B_RULE"), queue_id="4REJ",
                 sender='"odd \\"name"@example.org', recipients=["b b@example.com", "c@d.e"])
            daemon.message_line("4REJ")
            text = "\n".join(daemon.lines) + "\n"
            daemon.stop_cleanly()
    found = explain(ctl, text, queue_id="4REJ")
    assert found.code == 0, text
    assert 'came from "odd \\"name"@example.org for b b@example.com and one other.' in found.out
    assert "It was refused" in found.out and "A_RULE, B_RULE." in found.out

# SPDX-License-Identifier: BSD-2-Clause
"""score: the real spamd's verdict and the policy on message files. Traps 26, 31, 84."""

import os
import re
import socket
import time
from pathlib import Path

import pytest

from support.badscorer import BadScorer
from support.messages import make
from support.spamassassin import GTUBE, phrase
from support.timing import in_time

HEAD = "From: Ann <ann@example.org>\nTo: bob@example.com\nSubject: hello\n" \
       "Date: Sat, 21 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.org>\n\n"


def message(*rules):
    return HEAD.encode() + b"".join(phrase(rule) + b"\n" for rule in rules) + b"The end.\n"


@pytest.fixture
def scoring(ctl, spamd):
    return ctl.write(f'scorer "sa" {{ servers = {{ "{spamd.server}" }} }}\n'
                     'policy { tag = 5 reject = 15 }\n'
                     'address "abuse@example.com" { reject = off tag = off quarantine = off }\n'
                     'outbound { scan = false }\n')


def test_clean_mail_passes(scoring):
    found = scoring("score", "--json", scoring.file("m", message()))
    assert found.code == 0
    report = found.json[0]
    assert report["action"] == "pass" and report["reason"] == "score"
    assert report["verdict"]["status"] == "scored" and report["verdict"]["score"] < 5
    assert report["reply"] is None
    assert [field["name"] for field in report["add"]][:3] == [
        "X-Spam-Checker-Version", "X-Spam-Level", "X-Spam-Status"]


def test_spam_is_refused_with_the_words_that_the_daemon_would_use(scoring):
    found = scoring("score", "--json", "--queue-id", "4ABC", "--to", "bob@example.com",
                    scoring.file("m", message("SB_TWENTY")))
    assert found.code == 0
    report = found.json[0]
    assert report["action"] == "reject" and report["required"] == 15
    score = report["verdict"]["score"]
    assert report["reply"] == \
        f"550 5.7.1 Message refused as spam (score {score}), reference 4ABC"
    assert {"name": "SB_TWENTY", "score": None} in report["verdict"]["tests"]


def test_exit_code_option(scoring):
    spam, ham = scoring.file("s", message("SB_TWENTY")), scoring.file("h", message())
    assert scoring("score", "--exit-code", ham).code == 0
    assert scoring("score", "--exit-code", ham, spam).code == 1
    assert scoring("score", ham, spam).code == 0


def test_each_recipient_has_an_outcome_of_its_own(scoring):
    found = scoring("score", "--json", "--to", "bob@example.com", "--to", "abuse@example.com",
                    scoring.file("m", message("SB_TWENTY")))
    assert [(r["address"], r["outcome"], r["reject"]) for r in found.json[0]["recipients"]] == [
        ("bob@example.com", "reject", 15), ("abuse@example.com", "pass", None)]


def test_some_copies_would_be_held_and_nothing_is(scoring):
    folder = scoring.path / "held"
    folder.mkdir(mode=0o700)
    scoring.write(scoring.config.read_text().replace("reject = 15 }", "quarantine = 10 reject = 15 "
                                                     'subject_tag = "[spam]" }')
                  + f'quarantine {{ directory = "{folder}" }}\n')
    found = scoring("score", "--json", "--to", "bob@example.com", "--to", "abuse@example.com",
                    scoring.file("m", message("SB_NINE_NINE")))
    report = found.json[0]
    assert report["action"] == "pass" and report["held"] == ["bob@example.com"]
    assert [r["outcome"] for r in report["recipients"]] == ["quarantine", "pass"]
    found = scoring("score", "--exit-code", scoring.file("m", message("SB_NINE_NINE")))
    assert found.code == 1 and "action         quarantine" in found.out
    tagged = scoring("score", "--json", scoring.file("m", message("SB_SEVEN"))).json[0]
    assert tagged["action"] == "tag" and tagged["subject_tag"] == "[spam]"
    assert list(folder.iterdir()) == []


def test_forged_fields_would_be_removed(scoring):
    forged = b"X-Spam-Flag: NO\nx-SPAM-Status: No\n" + message()
    report = scoring("score", "--json", scoring.file("m", forged)).json[0]
    assert [field["name"] for field in report["remove"]] == ["X-Spam-Flag", "x-SPAM-Status"]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_line_ends_make_no_difference(scoring, ending):
    text = message("SB_NINE_NINE").replace(b"\n", ending)
    report = scoring("score", "--json", "-", stdin=text).json[0]
    assert report["file"] == "-" and report["action"] == "tag"
    assert "SB_NINE_NINE" in [test["name"] for test in report["verdict"]["tests"]]


def test_the_given_client_is_what_spamassassin_sees(scoring):
    found = scoring("score", "--json", "--client", "5.9.10.11", "--helo", "mail.example.org",
                    "--name", "mail.example.org", "--from", "ann@example.org", "--to",
                    "bob@example.com", scoring.file("m", message()))
    names = [test["name"] for test in found.json[0]["verdict"]["tests"]]
    assert "NO_RELAYS" not in names
    no_name = scoring("score", "--json", "--client", "5.9.10.11", "--helo", "x.example.org",
                      scoring.file("m", message()))
    assert "RDNS_NONE" in [test["name"] for test in no_name.json[0]["verdict"]["tests"]]


def test_without_client_the_stored_received_fields_count(scoring):
    stored = (b"Received: from mail.example.org (mail.example.org [5.9.10.11])\n"
              b"\tby mx.example.com (Postfix) with ESMTPS id 4A;\n"
              b"\tSat, 21 Nov 2026 10:00:00 +0000 (UTC)\n") + message()
    plain = scoring("score", "--json", scoring.file("p", message())).json[0]
    kept = scoring("score", "--json", scoring.file("s", stored)).json[0]
    assert "NO_RELAYS" in [test["name"] for test in plain["verdict"]["tests"]]
    assert "NO_RELAYS" not in [test["name"] for test in kept["verdict"]["tests"]]


def test_exempt_clients_are_not_asked_about(scoring):
    spam = scoring.file("m", message("SB_TWENTY"))
    for facts, reason in ((["--client", "127.0.0.1"], "trusted"), (["--login", "ann"],
                                                                  "authenticated")):
        found = scoring("score", "--json", *facts, spam)
        assert found.code == 0
        report = found.json[0]
        assert (report["action"], report["reason"]) == ("pass", reason)
        assert report["verdict"]["status"] not in ("scored", "refused") and report["add"] == []


def test_no_verdict_is_75(ctl):
    found = ctl("score", "--json", ctl.file("m", message()))
    assert found.code == 75
    report = found.json[0]
    assert report["action"] == "pass" and report["reason"] == "refused"
    assert [field["name"] for field in report["add"]] == ["X-Spam-Status"]


def test_the_deadline_holds(ctl):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(ctl.path / "silent.sock"))
        silent.listen(5)
        ctl.write(f'deadline = 500ms\nscorer "sa" {{ servers = {{ "unix:{ctl.path}/silent.sock" }}'
                  " }\n")
        began = time.monotonic()
        found = ctl("score", "--json", ctl.file("m", message()))
        in_time(time.monotonic() - began, 3)
    assert found.code == 75 and found.json[0]["reason"] == "timeout"


def test_servers_given_by_name_are_waited_for(ctl):
    with socket.socket() as listener:     # the port is bound, so nobody else has it
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    found = ctl.write(f'deadline = 1s\nscorer "sa" {{ servers = {{ "tcp://localhost:{port}" }} }}\n')(
        "score", "--json", ctl.file("m", message()))
    assert found.code == 75 and found.json[0]["reason"] == "refused"


def test_unreadable_files(scoring):
    found = scoring("score", "no-such-file")
    assert found.code == 1 and len(found.err.splitlines()) == 1 and "no-such-file" in found.err
    assert scoring("score", scoring.file("empty", b"")).code == 1
    both = scoring("score", "no-such-file", scoring.file("m", message()))
    assert both.code == 1 and "verdict        scored" in both.out
    assert scoring("score", str(scoring.path)).code == 1


def test_nothing_hostile_reaches_the_terminal(scoring):
    hostile = b"X-Spam-Evil: \x1b]0;owned\x07\xc2\x9b31m\xe2\x80\xae\n" + message("SB_NINE_NINE")
    found = scoring("score", "--to", "a\x1b[2J@example.com",
                    scoring.file("m\x1b[31m", hostile))
    assert found.code == 0
    for bad in ("\x1b", "\x07", "\x9b", "\u202e"):
        assert bad not in found.out
    assert "\\x1b]0;owned\\x07" in found.out


def test_gtube_and_the_whole_corpus(scoring):
    found = scoring("score", "--json", scoring.file("m", HEAD.encode() + GTUBE + b"\n"))
    assert found.json[0]["verdict"]["score"] > 900
    folder = os.environ.get("SPAMBRIDGE_CORPUS")
    if not folder:
        return
    files = sorted(Path(folder).glob("*.eml"))[:12]
    reports = scoring("score", "--json", *files, timeout=300).json
    assert [Path(report["file"]).name for report in reports] == [file.name for file in files]
    assert {report["verdict"]["status"] for report in reports} == {"scored"}


def test_text_for_a_person(scoring):
    found = scoring("score", scoring.file("m", message("SB_NINE_NINE")))
    lines = found.out.splitlines()
    assert lines[1] == "action         tag"
    assert any(line.startswith("score          9.") or line.startswith("score          1")
               for line in lines)
    assert any("anybody: tag (tag 5.0, defer off, quarantine off, reject 15.0)" in line for line in lines)


@pytest.fixture(name="scripted")
def scripted_scorer(ctl, workspace):
    """scripted(policy, options="", scorer="", **behaviour): the tool with a scripted scorer."""
    with BadScorer(workspace.path) as scorer:
        def write(policy, options="", section="", **behaviour):
            server = scorer.listen("x", transport="unix", **behaviour)
            return ctl.write(f'scorer "x" {{ servers = {{ "{server}" }} {section} }}\n'
                             f"policy {{ {policy} }}\n{options}\n")
        yield write


@pytest.mark.parametrize("policy,options,section,words,rows", [
    ('tag = 5 mode = observe', "", "", [], [r"would be +tag"]),
    ('tag = 5 subject_tag = "[spam] "', "", "", [], [r"action +tag", r"subject tag +\[spam\]"]),
    ('tag = 5 redirect = "box@example.com" redirect_score = 6', "", "", [],
     [r"would send to +box@example\.com"]),
    ('tag = 5 reject = 6', "", "", [], [r"action +reject", r"reply +550 5\.7\.1 .*\(score 7\.3\)"]),
    ('tag = 5', "max_scan_size = 1k\noversize = head", "", [],
     [r"partial +only the head of the message was scored"]),
    ('tag = 5', "", 'user = "recipient"', ["--to", "a@example.com", "--to", "b@example.com"],
     [r"recipients +a@example\.com: 7\.3, tag", r" +b@example\.com: 7\.3, tag"]),
    ('tag = 5', "", "", ["--login", "ann"], [r"action +pass", r"reason +authenticated"]),
])
def test_what_a_person_is_told(scripted, policy, options, section, words, rows):
    tool = scripted(policy, options, section, score="7.3")
    raw = make(body=b"0123456789abcdef\r\n" * 200)
    found = tool("score", *words, "-", stdin=raw)
    assert found.code == 0 and found.err == ""
    for row in rows:
        assert re.search(f"^{row}", found.out, re.M), (row, found.out)


def test_an_empty_file_and_fields_without_a_body(scripted):
    """A message that is all header is one; none at all is not."""
    tool = scripted("tag = 5", score="7.3")
    assert tool("score", "-", stdin=b"Subject: x").code == 0
    assert tool("score", "-", stdin=b"Subject: x\n folded\n").code == 0
    assert tool("score", "-", stdin=b"\nonly a body").code == 0
    assert tool("score", "-", stdin=b"no field at all\n\nbody\r").code == 0
    assert tool("score", "-").code == 1

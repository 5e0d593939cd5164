# SPDX-License-Identifier: BSD-2-Clause
"""what-if, and the transcripts of it and of show-policy in the manual."""

import re
from pathlib import Path

import pytest

from support.badscorer import BadScorer
from support.daemon import Daemon
from support.messages import make
from support.mta import Client, send

PAGE = (Path(__file__).resolve().parents[2] / "src/ctl/spambridgectl.1").read_text()
SCORER = 'scorer "sa" { servers = { "tcp://127.0.0.1:783" } }\n'
LINE = ("Nov 22 12:00:00 mx spambridge[1]: id={id} from={sender} to={to} client={client} size=9 "
        "scorer=sa server=unix:/s score={score} required=5.0 action={action} reason={reason} "
        "quarantine=- scan_ms=2 total_ms=3 tests=A{more}\n")


def line(action, score="-", **given):
    """One line as the daemon writes it."""
    facts = {"id": "4A", "sender": "a@example.org", "to": "1,b@example.com",
             "client": "192.0.2.10", "reason": "score" if score != "-" else "timeout", "more": "",
             **given}
    return LINE.format(action=action, score=score, **facts)


def changes(ctl, config, log):
    """{domain: {(from, to): messages}} of all that changes."""
    found = ctl("what-if", "--json", ctl.file("new.conf", SCORER + config), "-",
                stdin=log.encode())
    assert found.code == 0, found.err
    return {row["domain"]: {(c["from"], c["to"]): c["messages"] for c in row["changes"]}
            for row in found.json["domains"] if row["changes"]}


@pytest.mark.parametrize("logged,config,expected", [
    (line("tag", "7.5"), "", {}),
    (line("tag", "7.5"), "policy { reject = 7.5 }", {("tag", "reject"): 1}),
    (line("tag", "7.5"), "policy { reject = 7.6 }", {}),
    (line("tag", "7.5") * 3, "policy { defer = 6 }", {("tag", "tempfail"): 3}),
    (line("tag", "7.5"), "policy { quarantine = 6 }", {("tag", "quarantine"): 1}),
    (line("reject", "20"), "policy { reject_action = discard }", {("reject", "discard"): 1}),
    (line("tag", "7.5"), 'policy { redirect = "x@example.com" }', {("tag", "redirect"): 1}),
    (line("tag", "7.5"), 'policy { redirect = "b@example.com" }', {}),
    (line("tag", "7.5"), 'policy { accept_senders = { "a@example.org" } }', {("tag", "pass"): 1}),
    (line("tag", "7.5"), 'policy { accept_clients = { "192.0.2.0/24" } }', {("tag", "pass"): 1}),
    (line("tag", "7.5"), 'trusted_networks = { "192.0.2.0/24" }', {("tag", "pass"): 1}),
    (line("reject", "20"), "mode = observe", {("reject", "pass"): 1}),
    (line("pass", "20", more=" would=reject"), "", {("pass", "reject"): 1}),
    (line("pass"), "on_failure = tempfail", {("pass", "tempfail"): 1}),
    (line("tempfail"), "", {("tempfail", "pass"): 1}),
    (line("tag", "7.5", reason="late"), "policy { tag = off }", {("tag", "pass"): 1}),
])
def test_one_message(ctl, logged, config, expected):
    found = changes(ctl, config, logged)
    assert (list(found.values()) or [{}]) == [expected]


def test_outbound_is_counted_by_its_sender(ctl):
    log = line("tag", "7.5", sender="u@own.example", reason="outbound")
    config = 'outbound { scan = true }\nsender "own.example" { reject = 7 }\n'
    assert changes(ctl, config, log) == {"own.example": {("tag", "reject"): 1}}


def test_what_cannot_be_judged_is_counted(ctl):
    log = (line("tag", "7.5", to="2,b@example.com") + line("pass", reason="trusted")
           + line("tempfail", reason="error") + "some other line id=4B\n" + line("tag", "7.5"))
    found = ctl("what-if", "--json", ctl.file("new.conf", SCORER), "-", stdin=log.encode()).json
    assert (found["several_recipients"], found["no_score"]) == (1, 2)
    assert [row["messages"] for row in found["domains"]] == [1]


@pytest.mark.parametrize("users,config,expected", [
    ("b@example.com:7.5,c@example.net:3.0", "", {}),
    ("b@example.com:7.5,c@example.net:3.0", "policy { reject = 3 }", {("tag", "reject"): 1}),
    ("b@example.com:7.5,c@example.net:3.0", "policy { reject = 7 }", {("tag", "pass"): 1}),
    ("b@example.com:7.5,c@example.net:3.0", "policy { quarantine = 3 }",
     {("tag", "quarantine"): 1}),
    ("b@example.com:7.5,c@example.net:3.0", 'domain "example.com" { tag = off }',
     {("tag", "pass"): 1}),
    ("b@example.com:7.5,c@example.net:timeout", "on_failure = tempfail",
     {("tag", "tempfail"): 1}),
    # as many users as recipients, or it is not known who they are
    ("b@example.com:7.5,-:3.0", "policy { reject = 3 }", None),
    ("example.com:7.5,example.net:3.0", "policy { reject = 3 }", None),
    ("b@example.com:7.5", "policy { reject = 3 }", None),
    ("b@example.com:7.5,c@example.net", "policy { reject = 3 }", None),
    ("b@example.com:7.5,c@example.net:odd", "policy { reject = 3 }", None),
])
def test_several_recipients_with_scores_of_their_own(ctl, users, config, expected):
    log = line("tag", "7.5", to="2,b@example.com", more=f" users={users}")
    found = ctl("what-if", "--json", ctl.file("new.conf", SCORER + config), "-",
                stdin=log.encode()).json
    assert found["several_recipients"] == (expected is None)
    rows = [{(c["from"], c["to"]): c["messages"] for c in row["changes"]}
            for row in found["domains"]]
    assert rows == ([] if expected is None else [expected])


def test_hostile_log(ctl):
    log = line("tag", "7.5", to='"1,b@\\x1b[31mexample.com"')
    found = ctl("what-if", ctl.file("new.conf", SCORER + "policy { tag = off }"), "-",
                stdin=log.encode())
    assert found.code == 0 and "\x1b" not in found.out and "\\x1b[31m" in found.out


def test_errors(ctl):
    assert ctl("what-if", "new.conf").code == 2
    bad = ctl("what-if", ctl.file("new.conf", "policy { tga = 1 }"), "-")
    assert bad.code == 1 and "new.conf:1:" in bad.err
    missing = ctl("what-if", ctl.file("new.conf", SCORER), "no.log")
    assert missing.code == 1 and "no.log" in missing.err


def test_the_daemons_own_lines(ctl, workspace):
    """The configuration that a daemon runs with changes nothing, by the daemon's own log."""
    sections = ('domain "u.example" { reject = 12 }\ndomain "x.example" { defer = 4 }\ndomain "y.example" { mode = observe }\n'
                'outbound { scan = true  reject = 9 }\n')
    with BadScorer(workspace.path) as scorer:
        with Daemon([scorer.listen("good")], workspace=workspace, options=sections,
                    scorer='user = "recipient"') as daemon:
            for score in (1, 4.5, 6, 9, 20):
                for domain in ("x.example", "y.example", "z.example"):
                    for macros in ({}, {"M": {"auth_authen": "joe", "auth_type": "PLAIN"}}):
                        send(daemon.address, make(score=score), recipients=[f"u@{domain}"],
                             client=Client(macros=macros), queue_id=f"4{domain[0]}{score}")
            for score in (1, 6, 13, 20):        # one of two recipients has 6 points less
                more = f"X-Test-For: a@u.example score={score - 6}".encode()
                send(daemon.address, make(score=score, headers=[more]), queue_id=f"4two{score}",
                     recipients=["a@u.example", "b@z.example"])
            daemon.wait_log("id=4two20 ")
            log = "\n".join(daemon.lines)
            same = ctl("what-if", "--json", daemon.config_path, "-", stdin=log.encode()).json
            daemon.stop_cleanly()
    assert sum(row["messages"] for row in same["domains"]) == 34
    assert [row for row in same["domains"] if row["changed"]] == []


def literal(after):
    """The first literal block of the page behind some text, as mandoc shows it."""
    block = re.search(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", PAGE[PAGE.index(after):],
                      re.DOTALL | re.MULTILINE)
    return block.group(1).replace("\\&", "")


def test_the_transcript_of_show_policy(ctl):
    ctl.write(literal("With these lines in"))
    words = re.search(r"^\.Ql (show-policy .*)$", PAGE, re.MULTILINE).group(1).split()
    shown = ctl(*words).out.replace(str(ctl.config), "/etc/spambridge/spambridge.conf")
    pattern = "".join("(?:.*\n)*" if row == "..." else re.escape(row) + "\n"
                      for row in literal("Ql show-policy Alice").splitlines())
    assert re.fullmatch(pattern, shown), shown


def test_the_transcript_of_what_if(ctl):
    log = (line("pass", "4.5") + line("tag", "12") + line("pass", "1.0")
           + line("pass", "0.3", to="1,c@example.net") + line("tag", "7", to="2,b@example.com")
           + line("pass", reason="trusted"))
    new = ctl.file("new.conf", SCORER + 'domain "example.com" { tag = 4  reject = 10 }')
    found = ctl("what-if", new, ctl.file("mail.log", log))
    assert found.out == literal(".Dl spambridgectl what-if")

# SPDX-License-Identifier: BSD-2-Clause
"""What rspamd is told, and what its reply changes about a message."""

import json
import os
import re

import pytest
from support import checks
from support.daemon import run, scorer_section, test_user as account
from support.messages import make
from support.mta import Client, send

ACTIONS = [     # action, members of the reply, what happens, the log's action
    ("no action", {}, "accept", "pass"),
    ("accept", {}, "accept", "pass"),
    ("greylist", {}, "accept", "pass"),
    ("add header", {}, "accept", "tag"),
    ("rewrite subject", {"subject": "[SPAM] x"}, "accept", "tag"),
    ("soft reject", {}, "451 4.7.1 Try again later", "tempfail"),
    ("soft reject", {"messages": {"smtp_message": "Come back at 100%"}},
     "451 4.7.1 Come back at 100%", "tempfail"),
    ("reject", {}, "550 5.7.1 Message refused as spam", "reject"),
    ("reject", {"messages": {"smtp_message": "Gtube pattern"}}, "550 5.7.1 Gtube pattern",
     "reject"),
    ("quarantine", {}, "discard", "quarantine"),
    ("discard", {}, "discard", "quarantine"),
    ("reject", {"milter": {"reject": "quarantine"}}, "discard", "quarantine"),
    ("reject", {"milter": {"reject": "discard"}}, "discard", "quarantine"),
    ("reject", {"milter": {"no_action": True}}, "accept", "pass"),
    ("teleport", {}, "accept", "pass"),
]
OFF = "tag = off\nquarantine = off\nreject = off"


@pytest.fixture(name="ask")
def fixture_ask(start, scorer):
    """ask(members, ...) sends one message that rspamd answers so; (outcome, log line)."""
    daemons = {}

    def ask(members=None, score="1.0", action=None, trust=False, policy=None, message=None,
            extra="", **how):
        key = (trust, policy, extra)
        if key not in daemons:
            if "r" not in scorer.listeners:
                scorer.listen("r", protocol="rspamd")
            server = f"http://127.0.0.1:{scorer.listeners['r'].sock.getsockname()[1]}"
            daemons[key] = start(
                [server], protocol="rspamd", options="skip_authenticated = false",
                policy=policy or "tag = 5\nquarantine = 10\nreject = 15",
                scorer=f"trust_action = {str(trust).lower()} {extra}")
        fields = [b"X-Test-Score: " + score.encode()]
        if members:
            fields.append(b"X-Test-Members: " + json.dumps(members).encode())
        if action:
            fields.append(b"X-Test-Action: " + action.encode())
        outcome = send(daemons[key].address, message(fields) if message else make(headers=fields),
                       **how)
        return outcome, daemons[key].message_line(outcome.queue_id)
    return ask


def test_facts_as_request_headers(ask, scorer):
    client = Client(host="mail.example.org", macros={
        "H": {"tls_version": "TLSv1.3", "cipher": "AES256", "cipher_bits": "256"},
        "M": {"auth_authen": "alice", "auth_type": "PLAIN"}})
    ask(extra='settings_id = "inbound"', client=client, queue_id="4FACTS",
        recipients=["bob@example.com", "carol@example.net"])
    request = scorer.requests("r")[-1]
    assert request.verb == "POST /checkv2"
    for name, value in {"IP": "5.9.10.11", "Helo": "mail.example.org", "User": "alice",
                        "Hostname": "mail.example.org", "From": "<alice@example.org>",
                        "Queue-Id": "4FACTS", "MTA-Name": "mx.example.com", "MTA-Tag": "smtpd",
                        "TLS-Version": "TLSv1.3", "TLS-Cipher": "AES256",
                        "Settings-ID": "inbound", "Flags": "milter"}.items():
        assert request.get(name) == value, name
    assert [value for name, value in request.headers if name == "Rcpt"] == [
        "<bob@example.com>", "<carol@example.net>"]


def test_the_body_is_what_will_be_delivered(ask, scorer):
    """No field of ours before it: rspamd may sign what it is given."""
    outcome, _ = ask(message=lambda fields: make(
        headers=[*fields, b"X-Spam-Flag: NO", b"Subject:  two blanks"]))
    assert scorer.requests("r")[-1].message == outcome.message.cleaned()


@pytest.mark.parametrize("bad", ["a\r\nUser: root", "a\nRcpt: <x@y>", "a\x01b\x7f", "a\tb", " a "])
def test_facts_cannot_end_their_line(ask, scorer, bad):
    """A7: HELO, PTR, login and queue id are text of others."""
    client = Client(helo=bad, macros={"M": {"auth_authen": bad}, "C": {"daemon_name": bad}})
    ask(client=client)
    request = scorer.requests("r")[-1]
    assert not request.faults
    names = [name for name, _ in request.headers]
    assert len(names) == len(set(names)), names
    assert request.get("User") != "root"
    assert all("\r" not in value and "\n" not in value for _, value in request.headers)


def test_the_password_is_sent_and_told_to_nobody(start, scorer, workspace):
    """A32: only root and the daemon may read its file, and it is in no output."""
    path = workspace.file("password")
    with open(path, "w", encoding="ascii") as file:
        file.write("s3cret-word\n")
    os.chmod(path, 0o600)
    server = scorer.listen("r", protocol="rspamd", score="7.3")
    daemon = start([server], protocol="rspamd", scorer=f'password_file = "{path}"',
                   options="log_level = debug")
    assert checks.status(send(daemon.address, make()))["score"] == "7.3"
    assert scorer.requests("r")[-1].get("Password") == "s3cret-word"
    assert "s3cret-word" not in "\n".join(daemon.lines)
    with open(f"/proc/{daemon.pid()}/cmdline", "rb") as file:
        assert b"s3cret-word" not in file.read()


@pytest.mark.parametrize("mode,content,words", [
    (0o644, "word\n", "may be used by others"), (0o620, "word\n", "may be used by others"),
    (0o600, "two\nlines\n", "not exactly one line"), (0o600, "", "not exactly one line"),
    (0o600, "a b\n", "holds no password|holds no header line")])
@pytest.mark.parametrize("protocol,option", [("rspamd", "password_file"), ("json", "auth_file")])
def test_a_careless_file_is_refused(workspace, protocol, option, mode, content, words):
    path, config = workspace.file("secret"), workspace.file("x.conf")
    for name, text, bits in (
            (path, content, mode),
            (config, f'user = "{account()}"\n' + scorer_section(
                "r", ["http://127.0.0.1:1"], protocol, f'{option} = "{path}"'), 0o600)):
        with open(name, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(name, bits)
    found = run("spambridge", "-t", "-c", config)
    assert found.returncode == 1 and re.search(words, found.stderr)
    assert "word\n" not in found.stderr and "a b" not in found.stderr


def test_the_milter_block(ask):
    """Fields are removed and added where rspamd says, and signatures go below our Received."""
    def message(fields):
        return make(headers=[b"X-Old: 1", b"X-Old: 2", b"X-Old: 3", b"X-Gone: a", b"X-Gone: b",
                             b"X-Last: 1", b"X-Last: 2", b"X-Spam-Flag: NO", *fields])
    outcome, line = ask({
        "milter": {"add_headers": {"X-Spam-Bar": "++", "X-Virus": {"order": 1, "value": "none"},
                                   "Authentication-Results": {"order": 1, "value": "mx; spf=pass"},
                                   "X-Spam-Status": "No, score=-100", "x-spam-flag": "NO",
                                   "X-Two": ["a", {"value": "b"}]},
                   "remove_headers": {"X-Gone": 0, "X-Old": 2, "X-Last": -1, "X-Spam-Flag": 1,
                                      "X-Absent": 0}},
        "dkim-signature": "v=1; a=rsa-sha256;\n\tb=abc"}, score="2.0", message=message)
    for style in ("postfix", "sendmail"):
        found = outcome.delivered(style)
        assert not found.oddities
        assert found.values("X-Old") == [b"1", b"3"]
        assert found.values("X-Last") == [b"1"]
        assert found.values("X-Gone") == []
        assert found.values("X-Spam-Bar") == [b"++"]
        assert found.values("X-Two") == [b"a", b"b"]
        assert found.values("X-Spam-Flag") == []
        assert found.values("DKIM-Signature") == [b"v=1; a=rsa-sha256;\n\tb=abc"]
        assert found.value("X-Spam-Status").startswith("No, score=2.0 ")
    names = [name for name, _ in outcome.delivered().headers]
    assert names.index(b"X-Spam-Status") < names.index(b"DKIM-Signature") < names.index(
        b"Authentication-Results") < names.index(b"Received") < names.index(b"X-Spam-Bar")
    assert line["action"] == "pass"


def test_what_the_reply_says_stays_in_its_field(ask):
    """A3: names, values, symbols and subject cannot make a field or a line of their own."""
    evil = "x\r\nX-Forged: yes\r\n\r\nbody"
    outcome, line = ask({
        "symbols": {evil: {"name": evil, "score": 1.0}},
        "messages": {"smtp_message": evil}, "message-id": evil, "subject": evil,
        "milter": {"add_headers": {"X-Good": evil, evil: "x", "X-Bad:": "x"},
                   "remove_headers": {evil: 0}},
        "dkim-signature": evil}, action="rewrite subject", trust=True)
    found = outcome.delivered()
    assert not found.oddities
    assert found.values("X-Forged") == []
    assert len(found.values("X-Good")) == 1
    assert found.body == outcome.message.body
    assert line["action"] == "tag"


@pytest.mark.parametrize("action,members,happens,word", ACTIONS)
def test_trusted_actions(ask, action, members, happens, word):
    """Traps 33, 34: the table of spambridge.conf(5), at a score that says nothing."""
    outcome, line = ask(members, action=action, trust=True)
    assert (line["action"], line["reason"]) == (
        word, "score" if action == "teleport" else "action")
    if happens in ("accept", "discard"):
        assert outcome.kind in ((happens, "continue") if happens == "accept" else ("discard",))
    else:
        assert checks.smtp_text(outcome).startswith(happens)
    if word == "tag":
        assert outcome.header("X-Spam-Flag") == "YES"
        assert checks.status(outcome)["word"] == "Yes"
    if action == "rewrite subject":
        assert outcome.header("Subject") == "[SPAM] x"


@pytest.mark.parametrize("action,members,happens,word", ACTIONS)
def test_untrusted_actions_decide_nothing(ask, action, members, happens, word):
    """Without trust_action only the score counts."""
    outcome, line = ask(members, action=action)
    assert outcome.kind in ("accept", "continue")
    assert (line["action"], line["reason"], line["score"]) == ("pass", "score", "1.0")
    assert outcome.header("Subject") != "[SPAM] x"


@pytest.mark.parametrize("action", ["reject", "quarantine", "discard", "add header"])
def test_what_is_off_never_happens(ask, action):
    outcome, line = ask(action=action, trust=True, policy=OFF)
    assert outcome.kind in ("accept", "continue")
    assert line["action"] == "pass"


def test_nothing_is_thrown_away_without_a_quarantine(ask):
    outcome, line = ask(action="discard", trust=True, policy="tag = 5\nquarantine = off")
    assert checks.smtp_text(outcome).startswith("550 ")
    assert line["action"] == "reject"


def test_the_envelope_is_changed_where_trusted(ask):
    members = {"milter": {"change_from": "srs@relay.example", "add_rcpt": ["copy@example.com"],
                          "del_rcpt": ["Bob@example.com"]}}
    people = ["bob@example.com", "carol@example.com"]
    found = ask(members, trust=True, recipients=people)[0].delivered()
    assert found.sender == "<srs@relay.example>"
    assert found.recipients == ["<carol@example.com>", "<copy@example.com>"]
    found = ask(members, recipients=people)[0].delivered()
    assert (found.sender, found.recipients) == ("alice@example.org",
                                                [f"<{one}>" for one in people])


@pytest.mark.parametrize("milter,expected", [
    ({"add_rcpt": ["BOB@example.com", "new@example.com", "New@example.com"]},
     ["bob", "carol", "new"]),                      # each once, in any case
    ({"del_rcpt": ["nobody@example.com"]}, ["bob", "carol"]),
    ({"add_rcpt": ["new@example.com"], "del_rcpt": ["new@example.com"]}, ["bob", "carol"]),
    ({"add_rcpt": ["bob@example.com"], "del_rcpt": ["bob@example.com", "carol@example.com"]},
     ["bob", "carol"]),                             # nobody would be left
    ({"add_rcpt": ["new@example.com"], "del_rcpt": ["bob@example.com", "carol@example.com"]},
     ["new"])])
def test_recipients_are_added_once_and_removed_if_there(ask, milter, expected):
    people = ["bob@example.com", "carol@example.com"]
    outcome, line = ask({"milter": milter}, trust=True, recipients=people)
    assert outcome.delivered().recipients == [f"<{one}@example.com>" for one in expected]
    assert line["action"] == "pass"


def test_who_was_taken_off_is_not_put_back(ask):
    """The policy of bob's domain holds his copy; the scorer cannot have it delivered to him."""
    outcome, _ = ask({"milter": {"add_rcpt": ["bob@example.com"]}}, action="teleport", trust=True,
                     score="7.0", recipients=["bob@example.com", "carol@example.net"],
                     policy='tag = off\nquarantine = off\nreject = off\n}\n'
                            'domain "example.com" {\nquarantine = 6')
    assert outcome.delivered().recipients == ["<carol@example.net>"]


def test_the_last_recipient_stays(ask):
    outcome, _ = ask({"milter": {"del_rcpt": ["bob@example.com"]}}, trust=True)
    assert outcome.delivered().recipients == ["<bob@example.com>"]


def test_the_engine_is_named(ask):
    """The X-Spam set has one form; the engine is the reply's Server."""
    outcome, _ = ask({"symbols": {"A_ONE": {"name": "A_ONE", "score": 1.5},
                                  "B_TWO": {"name": "B_TWO", "score": -0.5}}}, score="5.5")
    assert outcome.header("X-Spam-Checker-Version") == "scripted on mx.example.com"
    assert outcome.header("X-Spam-Level") == "*****"
    assert checks.status(outcome) == {"word": "Yes", "score": "5.5", "required": "5.0",
                                      "tests": "A_ONE=1.5,B_TWO=-0.5"}


def test_what_a_symbol_found_is_told(start, scorer, workspace):
    """Its options: in the quarantine and in the tool's report, not in header and log."""
    found = ["example.com", "a\r\nX-Bad: \x1b[2J"]
    members = {"symbols": {"A_ONE": {"name": "A_ONE", "score": 1.5, "options": found},
                           "B_TWO": {"name": "B_TWO", "score": -0.5}}}
    message = make(headers=[b"X-Test-Score: 12", b"X-Test-Members: " + json.dumps(members).encode()])
    daemon = start([scorer.listen("r", protocol="rspamd")], protocol="rspamd",
                   policy="tag = 5\nquarantine = 10\nreject = 15")
    line = daemon.message_line(send(daemon.address, message).queue_id)
    assert (line["action"], line["tests"]) == ("quarantine", "A_ONE(1.5),B_TWO(-0.5)")

    def tool(*arguments):
        return run("spambridgectl", "-c", daemon.config_path, *arguments).stdout
    shown = tool("quarantine", "show", line["quarantine"])
    assert "1.500 A_ONE (example.com; a X-Bad: ?[2J)\n" in shown and "-0.500 B_TWO\n" in shown
    item = json.loads(tool("quarantine", "show", "--json", line["quarantine"]))
    assert item["verdict"]["tests"] == [["A_ONE", 1500, ["example.com", "a X-Bad: ?[2J"]],
                                        ["B_TWO", -500]]
    path = workspace.file("message")
    with open(path, "wb") as file:
        file.write(message)
    assert "A_ONE 1.5 (example.com; a X-Bad: ?[2J)\n" in tool("score", path)
    assert json.loads(tool("score", "--json", path))[0]["verdict"]["tests"] == [
        {"name": "A_ONE", "score": 1.5, "options": ["example.com", "a X-Bad: ?[2J"]},
        {"name": "B_TWO", "score": -0.5}]


def test_a_message_that_was_not_read_is_not_clean(start, scorer):
    """rspamd calls an empty request clean; its reply then names no message."""
    server = scorer.listen("lost", protocol="rspamd", behaviour="no_message_id")
    daemon = start([server], protocol="rspamd")
    assert checks.unscanned_reason(send(daemon.address, make())) == "malformed"

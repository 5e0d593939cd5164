# SPDX-License-Identifier: BSD-2-Clause
"""Any service with JSON replies: what it is sent, and where its answer is read."""

import base64
import json
import os
import re
from pathlib import Path

import pytest
from support import checks
from support.messages import make
from support.mta import Client, send

EXAMPLES = Path(__file__).resolve().parents[2] / "contrib" / "examples"
# Reply, settings, and (score, required, tests) or None where it is no verdict.
REPLIES = [
    ({"score": 7.25}, "", ("7.3", "5.0", "none")),
    ({"score": "-1.5"}, "", ("-1.5", "5.0", "none")),
    ({"a": {"b/c": [0, {"m~n": 3}]}}, 'score = "/a/b~1c/1/m~0n"', ("3.0", "5.0", "none")),
    ({"score": 1, "tests": ["B", "A x"]}, 'tests = "/tests"', ("1.0", "5.0", "A_x,B")),
    ({"score": 1, "tests": "B, A"}, 'tests = "/tests"', ("1.0", "5.0", "A,B")),
    ({"score": 1, "tests": {"A": 0.5, "B": {"score": "2"}}}, 'tests = "/tests"',
     ("1.0", "5.0", "A=0.5,B=2")),
    ({"score": 1, "tests": [{"rule": "A", "score": 1}]}, 'tests = "/tests" tests_name = "rule"',
     ("1.0", "5.0", "A=1")),
    ({"score": 1}, 'tests = "/tests"', ("1.0", "5.0", "none")),
    ({"score": 1, "tests": 7}, 'tests = "/tests"', None),
    ({"score": 1, "tests": [{"name": 1}]}, 'tests = "/tests"', None),
    ({"score": 1, "ok": "true"}, 'ok = "/ok"', None),
    ({"score": 1}, 'ok = "/ok"', None),
    ({"score": [1]}, "", None),
    ({"scores": 1}, "", None),
    ({"score": "1,5"}, "", None),
    ({"score": "0x10"}, "", None),
    ({"score": 1, "need": "no"}, 'required = "/need"', None),
]


def listen(scorer, reply, **options):
    return scorer.listen("service", protocol="json", behaviour="verbatim", reply=reply, **options)


@pytest.mark.parametrize("reply,settings,expected", REPLIES)
def test_where_things_are(start, scorer, reply, settings, expected):
    daemon = start([listen(scorer, reply)], protocol="json", scorer=settings)
    outcome = send(daemon.address, make())
    if expected is None:
        assert checks.unscanned_reason(outcome) == "malformed"
        return
    found = checks.status(outcome)
    assert (found["score"], found["required"], found["tests"]) == expected


def test_its_own_threshold_is_shown_where_ours_is_off(start, scorer):
    daemon = start([listen(scorer, {"score": 7, "need": 6.5})], protocol="json",
                   scorer='required = "/need"', policy="tag = off\nquarantine = off\nreject = off")
    found = checks.status(send(daemon.address, make()))
    assert (found["word"], found["required"]) == ("No", "6.5")


def test_raw(start, scorer):
    """The message as spamd gets it: our Received and what will be delivered."""
    server = scorer.listen("x", protocol="json", score="7.3")
    daemon = start([server], protocol="json",
                   scorer='path = "/check?x=%20" headers = { "X-One: 1", "Content-Type: text/plain" }')
    outcome = send(daemon.address, make())
    request = scorer.requests()[-1]
    assert request.verb == "POST /check?x=%20"
    assert (request.get("X-One"), request.get("Content-Type")) == ("1", "text/plain")
    assert checks.sent_to_scorer(request)[2] == outcome.message.cleaned()
    assert not request.faults


def test_a_path_before_the_path(start, scorer):
    server = scorer.listen("x", protocol="json", score="7.3")
    daemon = start([f"{server}/one/"], protocol="json", scorer='path = "/two"')
    send(daemon.address, make())
    assert scorer.requests()[-1].verb == "POST /one/two"


@pytest.mark.parametrize("encoding", ["text", "base64"])
def test_in_an_object(start, scorer, encoding):
    """Every byte in base64; as text, bytes that are no UTF-8 become U+FFFD."""
    server = scorer.listen("x", protocol="json", score="7.3")
    daemon = start([server], protocol="json", scorer=f"""request = json
        message_member = "mail" message_encoding = {encoding} members = {{ "a=b=c", "mail=no" }}""")
    outcome = send(daemon.address, make(body=bytes(range(1, 256)) + b"\r\n\xc3\xa9\r\n"))
    request = scorer.requests()[-1]
    members = json.loads(request.message)
    assert request.get("Content-Type") == "application/json"
    assert members["a"] == "b=c" and sorted(members) == ["a", "mail"]
    wanted = outcome.message.cleaned()
    if encoding == "base64":
        assert base64.b64decode(members["mail"]).endswith(wanted)
    else:
        assert members["mail"].endswith(wanted.decode("utf-8", "replace"))


@pytest.mark.parametrize("how", ["none", "headers", "members"])
def test_envelope(start, scorer, how):
    server = scorer.listen("x", protocol="json", score="7.3")
    daemon = start([server], protocol="json", scorer=f"request = json envelope = {how}")
    send(daemon.address, make(), client=Client(), queue_id="4ENVELOPE",
         recipients=["bob@example.com", "carol@example.com"])
    request = scorer.requests()[-1]
    members = json.loads(request.message)
    assert (request.get("IP"), request.get("Queue-Id")) == (
        ("5.9.10.11", "4ENVELOPE") if how == "headers" else (None, None))
    if how == "members":
        assert members["recipients"] == ["bob@example.com", "carol@example.com"]
        assert (members["sender"], members["client_address"], members["queue_id"]) == (
            "alice@example.org", "5.9.10.11", "4ENVELOPE")
    else:
        assert list(members) == ["email"]


def test_the_token_is_sent_and_told_to_nobody(start, scorer, workspace):
    """A32."""
    path = workspace.file("token")
    with open(path, "w", encoding="ascii") as file:
        file.write("Authorization: Bearer s3cret-token\n")
    os.chmod(path, 0o600)
    server = scorer.listen("x", protocol="json", score="7.3")
    daemon = start([server], protocol="json", scorer=f'auth_file = "{path}"',
                   options="log_level = debug")
    assert checks.status(send(daemon.address, make()))["score"] == "7.3"
    assert scorer.requests()[-1].get("Authorization") == "Bearer s3cret-token"
    assert "s3cret" not in "\n".join(daemon.lines)


def postmark(server):
    """The shipped example, with our server in the place of the real one."""
    text = (EXAMPLES / "postmark.conf").read_text(encoding="ascii")
    return re.sub(r"servers = \{.*\}", f'servers = {{ "{server}" }}', text)


def test_postmark(start, scorer):
    """The documented answers: a score that is a string, rules as objects, and a failure with 200."""
    reply = {"success": True, "score": "7.9", "report": " pts rule\n 1.2 MISSING_HEADERS\n",
             "rules": [{"score": "1.2", "description": "Missing To: header"},
                       {"score": "-0.0", "description": "No description"}]}
    server = listen(scorer, reply)
    daemon = start(options=postmark(server))
    outcome = send(daemon.address, make())
    assert scorer.requests()[-1].verb == "POST /filter"
    assert json.loads(scorer.requests()[-1].message)["options"] == "long"
    found = checks.status(outcome)
    assert (found["word"], found["score"]) == ("Yes", "7.9")
    assert "Missing_To:_header=1.2" in found["tests"]
    assert "MISSING_HEADERS" in outcome.header("X-Spam-Report")


def test_postmark_says_no(start, scorer):
    server = listen(scorer, {"success": False, "message": "The \x1b[31mmail is too\r\nlarge"})
    daemon = start(options=postmark(server) + "log_level = debug")
    assert checks.unscanned_reason(send(daemon.address, make())) == "malformed"
    line = daemon.wait_log("the service reports a failure")
    assert "mail is too" in line and "\x1b" not in line

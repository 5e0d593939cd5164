# SPDX-License-Identifier: BSD-2-Clause
"""Reading a case's files, running it through the daemon, comparing; the README has the format."""

import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path

from support import badhttp, badspamd, checks
from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace, test_user
from support.messages import REMOVED, split
from support.mta import Client, Session

FOLDER = Path(__file__).resolve().parent
QUEUE_ID = "4CASE"
BEHAVIOUR = re.compile(rb"[a-z][a-z0-9_]*\n")
LENGTH = re.compile(rb"(Content-[Ll]ength: )@\r\n(.*?\r\n\r\n)(.*)", re.S)
SESSION_KEYS = {"client", "port", "helo", "ptr", "from", "to", "queue_id"}
EXPECTED_KEYS = {"answer", "recipients", "header", "field", "log", "held", "asked", "request",
                 "users", "told", "untold", "scored"}


@badspamd.behaviour
@badhttp.behaviour
def recorded(exchange, request, opinion):
    """Answer with the bytes of the user's file or the case's, or behave as its word says."""
    reply = exchange.option("users").get(request.get("User"), exchange.option("reply"))
    if BEHAVIOUR.fullmatch(reply):
        badspamd.find(reply.decode().strip())(exchange, request, opinion)
    else:
        exchange.send(reply)


def all_cases():
    """Folders of all cases, in order."""
    return sorted(path for path in FOLDER.iterdir() if path.is_dir() and path.name[0].isdigit())


def rows(text):
    """(key, value) of each line; a line that begins with a tab goes on with the one before."""
    found = []
    for line in text.splitlines():
        if line.startswith("\t"):
            found[-1][1] += "\n" + line
        elif line and not line.startswith("#"):
            key, _, value = line.partition(" ")
            found.append([key, value])
    return [(key, value) for key, value in found]


def fill_length(reply):
    """The reply's bytes with `Content-length: @` replaced by the number of bytes in its body."""
    match = LENGTH.search(reply)
    if not match:
        return reply
    name, between, body = match.groups()
    return reply[:match.start()] + name + b"%d\r\n" % len(body) + between + body


class Case:
    """One folder's data."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.config = self._text("config")
        self.session = self._session()
        self.message = (self.folder / "message.eml").read_bytes()
        self.expected = rows(self._text("expected"))
        unknown = {key for key, _ in self.expected} - EXPECTED_KEYS
        assert not unknown, f"{self.folder.name}/expected: {unknown}"
        assert self.all("answer"), f"{self.folder.name}/expected has no answer"

    def _text(self, name):
        return (self.folder / name).read_text(encoding="utf-8")

    def _session(self):
        pairs = [line.partition("=")[::2] for line in self._text("session").splitlines()
                 if line and not line.startswith("#")]
        unknown = {key for key, _ in pairs if not key.startswith("macro.")} - SESSION_KEYS
        assert not unknown, f"{self.folder.name}/session: {unknown}"
        return pairs

    def replies(self):
        """One file for each server: reply, reply.2 and so on."""
        return [path.read_bytes() for path in sorted(self.folder.glob("reply*"))
                if "@" not in path.name]

    def users(self):
        """What the first server answers for a user of its own: reply@USER."""
        return {path.name.partition("@")[2]: fill_length(path.read_bytes())
                for path in self.folder.glob("reply@*")}

    def all(self, key):
        """Values of every line of `expected` with that key."""
        return [value for found, value in self.expected if found == key]

    def one(self, key, default=None):
        found = self.all(key)
        assert len(found) <= 1, f"{key} is there {len(found)} times"
        return found[0] if found else default

    def setting(self, key, default):
        """The last value that `session` gives a key."""
        return dict(self.session).get(key, default)

    def settings(self, key, default):
        """All values that `session` gives a key; one empty value means none at all."""
        found = [value for name, value in self.session if name == key] or default
        return [] if found == [""] else found

    def client(self):
        """The SMTP client of the session."""
        address = self.setting("client", "5.9.10.11")
        family = {"unknown": "U", "local": "L"}.get(address, "6" if ":" in address else "4")
        macros = {}
        for key, value in self.session:
            if key.startswith("macro."):
                _, stage, name = key.split(".", 2)
                macros.setdefault(stage, {})[name] = value
        return Client(host=self.setting("ptr", "mail.example.org"), family=family,
                      port=int(self.setting("port", "4711")), address=address, macros=macros,
                      helo=self.setting("helo", "mail.example.org"))


class Result:
    """What happened in one run of a case."""

    def __init__(self, outcome, log, requests, items):
        self.outcome = outcome
        self.log = log              # key=value pairs of the message's line
        self.requests = requests
        self.items = items          # bytes of the quarantine's items


def _listen(scorer, case, protocol):
    """A server for each reply of the case; returns their addresses."""
    addresses = []
    for number, reply in enumerate(case.replies()):
        name = f"server{number}"
        word = reply.decode().strip() if BEHAVIOUR.fullmatch(reply) else None
        if word in (None, "refused"):
            addresses.append(scorer.listen(name, protocol, "recorded", reply=fill_length(reply),
                                           users=case.users()))
        else:
            addresses.append(scorer.listen(name, protocol, word))
        if word == "refused":
            scorer.refuse(name)
    return addresses


def _protocol(case):
    found = re.search(r"^\s*protocol\s*=\s*(\w+)", case.config, re.M)
    return found.group(1) if found else "spamd"


def _configuration(case, place, addresses):
    """The whole file: the case's lines, and around them what every daemon needs."""
    servers = ", ".join(f'"{address}"' for address in addresses)
    rest = case.config.replace("@servers@", servers).replace("@folder@", place.path)
    head = {"listen": f'"unix:{place.file("milter.sock")}"', "user": f'"{test_user()}"',
            "control": f'"{place.file("control.sock")}"', "log": "stderr",
            "socket_group": '""' if os.geteuid() else '"nogroup"', "deadline": "5s",
            "trusted_networks": "{ }"}
    text = "".join(f"{key} = {value}\n" for key, value in head.items()
                   if not re.search(rf"^{key}\s*=", rest, re.M)) + rest
    if not re.search(r"^scorer\b", rest, re.M):
        text += f'scorer "spamassassin" {{ servers = {{ {servers} }} }}\n'
    if not re.search(r"^quarantine\s*\{", rest, re.M):
        text += f'quarantine {{ directory = "{place.file("quarantine")}" }}\n'
    return text


def _quarantined(place):
    folder = Path(place.file("quarantine"))
    return [path.read_bytes() for path in sorted(folder.glob("new/*"))]


def run(case):
    """Send the case's message through a daemon of its own; returns the Result."""
    with Workspace() as place, BadScorer(place.path) as scorer:
        addresses = _listen(scorer, case, _protocol(case))
        for extra in case.folder.glob("domains*"):
            shutil.copy(extra, place.file(extra.name))
            os.chmod(place.file(extra.name), 0o644)
        with Daemon(config=_configuration(case, place, addresses), workspace=place,
                    listen=f"unix:{place.file('milter.sock')}") as daemon:
            queue_id = case.setting("queue_id", QUEUE_ID)
            with Session(daemon.address, case.client()) as session:
                session.greet()
                outcome = session.send_message(
                    case.message, sender=case.setting("from", "alice@example.org"),
                    recipients=case.settings("to", ["bob@example.com"]), queue_id=queue_id)
            log = daemon.message_line(queue_id)
            result = Result(outcome, log, scorer.requests(), _quarantined(place))
            daemon.stop_cleanly()
            return result


def item_head(item):
    """The fields that a quarantine item begins with, as a dict."""
    head = re.split(rb"\r?\n(?![ \t])", item)
    pairs = [re.sub(rb"\r?\n[ \t]+", b" ", line).partition(b":") for line in head[:12]]
    return {name.lower().decode("latin-1"): value.strip().decode("utf-8", "replace")
            for name, _, value in reversed(pairs)}


def _item_id(result):
    return item_head(result.items[0])["x-quarantine-id"] if result.items else "<no item>"


def check_answer(case, result, style):
    """What the sending server is told."""
    wanted = case.one("answer").replace("<item>", _item_id(result))
    kind = result.outcome.kind
    if kind == "replycode":
        got = checks.smtp_text(result.outcome, style)
    elif kind in ("accept", "continue"):
        got = "hold" if result.outcome.verdict.named("quarantine") else "continue"
    else:
        got = kind
    assert got == wanted, got


def _same_value(wanted, got):
    """A wanted value with folds must be met exactly, one without them unfolded."""
    got = got.decode("ascii", "backslashreplace").strip(" ")
    return (got if "\n" in wanted else checks.unfold(got)) == wanted


def _match_fields(wanted, got):
    """wanted: "Name: value" in order; got: (name, value) as delivered."""
    shown = [f"{name.decode()}:{value.decode('latin-1')}" for name, value in got]
    names = [(line.partition(":")[0], line.partition(":")[2].strip(" ")) for line in wanted]
    assert [name for name, _ in names] == [name.decode() for name, _ in got], shown
    for (name, value), (_, is_value) in zip(names, got):
        assert _same_value(value, is_value), (name, value, shown)


def check_delivered(case, result, style):
    """Fields, recipients, and that everything else is what came in."""
    message = result.outcome.message
    delivered = result.outcome.delivered(style)
    assert delivered.oddities == [] and not result.outcome.verdict.named("replbody")
    assert not delivered.above, "a field above the mail server's own Received field"
    _match_fields(case.all("header"), [row for row in delivered.headers if REMOVED.match(row[0])])
    fields = case.all("field")
    named = {field.partition(":")[0].lower().encode() for field in fields}
    for name in named:
        _match_fields([field for field in fields if field.lower().encode().startswith(name + b":")
                       and not field.endswith(": -")],
                      [row for row in delivered.headers if row[0].lower() == name])

    def rest(headers):
        return [row for row in headers
                if not REMOVED.match(row[0]) and row[0].lower() not in named]
    assert rest(delivered.headers) == rest(message.headers)
    assert delivered.body == message.body
    wanted = case.one("recipients")
    assert [address.strip("<>") for address in delivered.recipients] == (
        case.settings("to", ["bob@example.com"]) if wanted is None else wanted.split())


def check_log(case, result):
    """The named keys of the message's log line."""
    pairs = [pair.partition("=")[::2] for value in case.all("log") for pair in value.split()]
    assert pairs, "every case says what the log has"
    for key, value in pairs:
        assert result.log[key] == value.replace("<item>", _item_id(result)), (key, result.log)


def check_quarantine(case, result):
    """The held copy: for whom, and its bytes."""
    held = case.one("held", "").split()
    assert len(result.items) == (1 if held else 0)
    for item in result.items:
        head = item_head(item)
        to = [word.strip(" <>") for word in head["x-envelope-to"].split(",")]
        assert to == held
        assert head["x-envelope-from"].strip("<>") == case.setting("from", "alice@example.org")
        assert item.endswith(result.outcome.message.wire())
    assert (result.log["quarantine"] != "-") == bool(held)


def _check_headers(wanted, headers):
    """Every `Name: value` is there as often as it is wanted; `Name: -` is not there at all."""
    absent = [line[:-3] for line in wanted if line.endswith(": -")]
    present = Counter(line for line in wanted if not line.endswith(": -"))
    assert not present - Counter(f"{name}: {value}" for name, value in headers), headers
    assert not {name for name, _ in headers}.intersection(absent), headers


def check_scorer(case, result):
    """What the scorer was asked; whenever it was, it got exactly the bytes to be delivered."""
    asked = case.one("asked")
    if asked is not None:
        assert len(result.requests) == int(asked)
    users = case.one("users")
    if users is not None:
        assert sorted(request.get("User") or "-" for request in result.requests) == sorted(
            users.split())
    for request in result.requests:
        assert request.faults == []
        _check_headers(case.all("request"), request.headers)
        _check_bytes(case, result, request)


def _told(request):
    """What a request says around the message, on one line, and the message."""
    if request.message[:1] == b"{":
        members = json.loads(request.message)
        message = members.pop("email").encode()
        return json.dumps(members), checks.PREFIX.sub(b"", message, count=1)
    if request.verb == "POST /checkv2":     # the facts are request headers
        return "", request.message
    sender, received, message = checks.sent_to_scorer(request)
    received = re.sub(r"\r\n\s+", " ", received.decode()[10:])
    return f"X-Envelope-From: {sender.decode()}\nReceived: {received}", message


def _check_bytes(case, result, request):
    told, message = _told(request)
    for text in case.all("told"):
        assert text in told, told
    for text in case.all("untold"):
        assert text not in told, told
    wire = result.outcome.message.cleaned()
    if case.one("scored") == "head":
        assert wire.startswith(message) and len(message) < len(wire)
    elif case.one("scored") == "kept":
        assert message == result.outcome.message.wire()
    else:
        assert message == wire


def check(case, result, style):
    """Compare a run with everything that the case expects, with one mail server's edits."""
    check_answer(case, result, style)
    if case.one("answer") in ("continue", "hold"):
        check_delivered(case, result, style)
    check_log(case, result)
    check_quarantine(case, result)
    check_scorer(case, result)

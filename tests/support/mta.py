# SPDX-License-Identifier: BSD-2-Clause
"""A scripted mail server above the milter protocol: whole messages, and what would be delivered.

The edits of header lists follow Postfix (cleanup_milter.c: a deleted field is gone, the ones below
it are renumbered) or Sendmail (milter.c, milter_changeheader: deleted fields stay in the count), so
a test can assert on the message that a recipient gets from either.
"""

import os
import selectors
import signal
import time
from dataclasses import dataclass, field

from .messages import Split, split
from .milter import MAX_DATA, Milter, Reply, Verdict

QUEUE_IDS = iter(range(1, 1 << 60))


@dataclass
class Client:
    """The SMTP client that the scripted server says it is talking to."""
    host: str = "mail.example.org"
    family: str = "4"
    port: int = 4711
    address: str = "5.9.10.11"
    helo: str = "mail.example.org"
    macros: dict = field(default_factory=dict)  # {"C": {...}, "H": {...}, "M": {...}, ...}


@dataclass
class Delivered:
    """A message after the filter's edits."""
    headers: list       # (name, value), the server's own Received not among them
    above: list         # fields inserted above the server's own Received
    body: bytes
    recipients: list
    sender: str
    quarantined: bool
    oddities: list      # edits that some mail server would refuse, lose or pass on as an attack

    def values(self, name):
        """Values of every field of that name, without the leading blank, top first."""
        wanted = name.lower().encode()
        return [value.lstrip(b" ") for key, value in self.above + self.headers
                if key.lower() == wanted]

    def value(self, name):
        """The value of a field that must be there exactly once, as text; None when absent."""
        found = self.values(name)
        assert len(found) <= 1, f"{name} is there {len(found)} times: {found}"
        return found[0].decode("ascii") if found else None

    def wire(self):
        """The delivered bytes below the server's own Received field."""
        return Split(self.above + self.headers, self.body).wire()


class _Header:
    """A header list that takes a milter's edits in the manner of one mail server."""

    def __init__(self, fields, style):
        self.rows = [[name, value, False] for name, value in fields]    # third: deleted
        self.above = []
        self.style = style

    def _nth(self, name, index):
        seen = 0
        for row in self.rows:
            if row[0].lower() == name.lower() and not (row[2] and self.style == "postfix"):
                seen += 1
                if seen == index:
                    return row
        return None

    def change(self, index, name, value):
        """chgheader; False when the server has no such field."""
        row = self._nth(name, index)
        if row is None:
            return False
        row[2] = not value
        if value:
            row[1] = value
        return True

    def insert(self, index, name, value):
        """insheader: index 0 is above the server's own Received field, 1 right below it."""
        if index == 0:
            self.above.insert(0, [name, value, False])
            return
        live = [n for n, row in enumerate(self.rows) if not row[2]]
        at = live[index - 1] if index - 1 < len(live) else len(self.rows)
        self.rows.insert(at, [name, value, False])

    def add(self, name, value):
        self.rows.append([name, value, False])

    @staticmethod
    def live(rows):
        return [(name, value) for name, value, gone in rows if not gone]


def _oddities(name, value, leadspc):
    """What is wrong with the text of a field that a filter adds."""
    found = []
    if b"\r" in name + value:
        found.append(f"CR in {name!r}")
    if b"\n" in name or any(line[:1] not in (b" ", b"\t") or not line.strip()
                            for line in value.split(b"\n")[1:]):
        found.append(f"line that is no fold in {name!r}")
    if any(len(line) > 998 for line in (name + b":" + value).split(b"\n")):
        found.append(f"line over 998 bytes in {name!r}")
    if any(byte > 126 or (byte < 32 and byte not in (9, 10)) for byte in value):
        found.append(f"non-ASCII or control byte in {name!r}")
    if leadspc and value and value[:1] not in (b" ", b"\t", b"\n"):
        found.append(f"no blank after the colon of {name!r}")
    if not leadspc and value[:1] == b" ":
        found.append(f"two blanks after the colon of {name!r}")
    return found


def deliver(message, verdict, style="postfix", leadspc=True, sender="", recipients=()):
    """Apply a verdict's edits to a Split message; style is "postfix" or "sendmail"."""
    header = _Header(message.headers, style)
    out = Delivered([], [], message.body, list(recipients), sender, False, [])
    for edit in verdict.edits:
        kind, rest = edit[0], edit[1:]
        if kind in ("addheader", "insheader", "chgheader"):
            _edit_header(header, out, kind, rest, leadspc)
        elif kind == "delrcpt":
            _delete_recipient(out, rest[0].decode())
        elif kind == "addrcpt":
            out.recipients.append(rest[0].decode())
        elif kind == "chgfrom":
            out.sender = rest[0].decode()
        elif kind == "quarantine":
            out.quarantined = True
        else:
            out.oddities.append(f"{kind} is not for us")
    out.headers, out.above = header.live(header.rows), header.live(header.above)
    return out


def _edit_header(header, out, kind, rest, leadspc):
    name, value = rest[-2:]
    if value:
        out.oddities += _oddities(name, value, leadspc)
    stored = value if leadspc or not value else b" " + value
    if kind == "addheader":
        header.add(name, stored)
    elif kind == "insheader":
        header.insert(rest[0], name, stored)
    elif not header.change(rest[0], name, stored):
        out.oddities.append(f"chgheader of {name!r} {rest[0]}: no such field")


def _delete_recipient(out, recipient):
    """Servers compare the string that they sent at RCPT."""
    if recipient in out.recipients:
        out.recipients.remove(recipient)
    else:
        out.oddities.append(f"delrcpt of {recipient!r}: not a recipient")


@dataclass
class Outcome:
    """What became of one message."""
    message: Split
    verdict: Verdict
    queue_id: str
    sender: str
    recipients: list
    leadspc: bool

    @property
    def kind(self):
        return self.verdict.kind

    @property
    def reply(self):
        return self.verdict.reply

    @property
    def seconds(self):
        return self.verdict.seconds

    def delivered(self, style="postfix"):
        return deliver(self.message, self.verdict, style, self.leadspc, self.sender,
                       self.recipients)

    def header(self, name):
        return self.delivered().value(name)


class Session:
    """One SMTP client's visit, as the filter sees it."""

    def __init__(self, address, client=None, actions=None, steps=None, version=6, timeout=60.0):
        self.client = client or Client()
        self.milter = Milter(address, timeout)
        options = {"version": version}
        if actions is not None:
            options["actions"] = actions
        if steps is not None:
            options["steps"] = steps
        self.negotiated = self.milter.negotiate(**options)
        self.leadspc = self.negotiated.has_step("hdr_leadspc")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.milter.close()

    def _macros(self, stage, values):
        merged = {**values, **self.client.macros.get(stage, {})}
        wanted = {name: value for name, value in merged.items() if value is not None}
        if wanted:
            self.milter.macros(stage.encode(), wanted)

    def greet(self):
        """CONNECT and HELO."""
        client = self.client
        self._macros("C", {"j": "mx.example.com", "daemon_name": "smtpd", "v": "Postfix 3.7.11",
                           "_": f"{client.host} [{client.address}]"})
        answer = self.milter.connect(client.host, client.family, client.port, client.address)
        if answer.kind == "continue" and client.helo is not None:
            self._macros("H", {})
            answer = self.milter.helo(client.helo)
        return answer

    def envelope(self, sender, recipients, queue_id):
        """MAIL, RCPT and DATA; the first answer that is not "continue" ends it."""
        self._macros("M", {"mail_addr": sender})
        answer = self.milter.mail(f"<{sender}>")
        for recipient in recipients:
            if answer.kind != "continue":
                return answer
            self._macros("R", {"rcpt_addr": recipient})
            answer = self.milter.rcpt(f"<{recipient}>")
        if answer.kind == "continue":
            self._macros("T", {"i": queue_id})
            answer = self.milter.data()
        return answer

    def content(self, message, queue_id, chunks=MAX_DATA):
        """Headers and body, up to but not including end of message.

        chunks is the size of a body chunk, or the list of chunks itself.
        """
        answer = Reply("continue")
        for name, value in message.headers:
            if not self.leadspc and value[:1] == b" ":
                value = value[1:]
            answer = self.milter.header(name, value)
            if answer.kind != "continue":
                return answer
        self._macros("N", {"i": queue_id})
        answer = self.milter.eoh()
        if isinstance(chunks, int):
            chunks = [message.body[at:at + chunks] for at in range(0, len(message.body), chunks)]
        for chunk in chunks:
            if answer.kind == "continue":
                answer = self.milter.body(chunk)
        self._macros("E", {"i": queue_id})
        return answer

    def prepare(self, raw, sender="alice@example.org", recipients=("bob@example.com",),
                queue_id=None, chunks=MAX_DATA):
        """Everything of a message before end of message; returns an Outcome to be filled."""
        message = raw if isinstance(raw, Split) else split(raw)
        if queue_id is None:
            queue_id = f"4T{next(QUEUE_IDS):09X}"
        outcome = Outcome(message, None, queue_id, sender, [f"<{r}>" for r in recipients],
                          self.leadspc)
        for step in (lambda: self.envelope(sender, recipients, queue_id),
                     lambda: self.content(message, queue_id, chunks)):
            answer = step()
            if answer.kind not in ("continue", "skip"):
                outcome.verdict = Verdict(reply=answer)
                break
        return outcome

    def send_message(self, raw, **how):
        """A whole message; returns its Outcome. See prepare() for the arguments."""
        outcome = self.prepare(raw, **how)
        if outcome.verdict is None:
            outcome.verdict = self.milter.eom()
        return outcome


def send(address, raw, client=None, negotiate=None, **how):
    """One message on a connection of its own; returns its Outcome."""
    with Session(address, client, **(negotiate or {})) as session:
        session.greet()
        outcome = session.send_message(raw, **how)
        session.milter.quit()
        return outcome


def burst(address, raws, client=None, timeout=120.0, freeze=None, **how):
    """Hold one session per message before end of message, then release them in the same instant.

    freeze is the filter's process id: it is stopped while the ends of message are sent, so that
    it finds all of them in one round of its poll loop, the worst case for libmilter's worker pool.
    Returns the outcomes; outcome.seconds is end of message to answer for each. A session whose
    connection broke has the verdict None.
    """
    sessions, outcomes = [], []
    for raw in raws:
        session = Session(address, client, timeout=timeout)
        session.greet()
        sessions.append(session)
        outcomes.append(session.prepare(raw, **how))
    if freeze:
        os.kill(freeze, signal.SIGSTOP)
    for session in sessions:
        session.milter.send_eom()
    if freeze:
        now = time.monotonic()
        for session in sessions:
            session.milter.restart_clock(now)
        os.kill(freeze, signal.SIGCONT)
    _collect(sessions, outcomes, timeout)
    for session in sessions:
        session.close()
    return outcomes


def _collect(sessions, outcomes, timeout):
    with selectors.DefaultSelector() as waiting:
        for number, session in enumerate(sessions):
            waiting.register(session.milter, selectors.EVENT_READ, number)
        deadline = time.monotonic() + timeout
        while waiting.get_map() and time.monotonic() < deadline:
            for key, _ in waiting.select(deadline - time.monotonic()):
                milter = sessions[key.data].milter
                try:
                    milter.feed()
                    verdict = milter.take_verdict()
                except ConnectionError:
                    waiting.unregister(milter)
                    continue
                if verdict:
                    outcomes[key.data].verdict = verdict
                    waiting.unregister(milter)

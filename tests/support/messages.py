# SPDX-License-Identifier: BSD-2-Clause
"""Messages to test with: split as a mail server does it, read from a corpus, or made."""

import os
import random
import re
from dataclasses import dataclass

HEADER_LIMIT = 60000    # Postfix cuts header values for a milter here (HEADER_LIMIT in cleanup)
FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:", re.S)
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
REMOVED = re.compile(rb"^(x-spam|x-rspamd)", re.I)


@dataclass
class Split:
    """A message in the shape in which a mail server hands it to a milter."""
    headers: list   # (name, value); the value begins after the colon, folds are LF + blank
    body: bytes     # CRLF line ends; empty when there is none

    def wire(self, keep=lambda name: True):
        """The message as bytes with CRLF, without the fields whose name keep() refuses."""
        return b"".join(
            name + b":" + value.replace(b"\n", b"\r\n") + b"\r\n"
            for name, value in self.headers if keep(name)) + b"\r\n" + self.body

    def cleaned(self):
        """The message as delivered before anything is added: no X-Spam or X-Rspamd field."""
        return self.wire(lambda name: not REMOVED.match(name))


def _lines(raw):
    """Text lines without their ends; a CR before the LF belongs to the end, other CRs stay."""
    lines = raw.split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    return [line[:-1] if line.endswith(b"\r") else line for line in lines]


def _header_value(parts):
    """A field's value as a C string that Postfix would pass on."""
    value = b"\n".join(parts).split(b"\0")[0]
    return value[:HEADER_LIMIT]


def split(raw):
    """Split a message file as Postfix 3.7 does for a milter.

    A "From " line at the top becomes X-Mailbox-Line, blanks before the colon are lost, the first
    line that is no header ends the header, NUL cuts a value, body line ends become CRLF.
    """
    lines = _lines(raw)
    headers = []
    at = 0
    while at < len(lines) and lines[at]:
        line = lines[at]
        if at == 0 and line.startswith((b"From ", b">From ")):
            line = b"X-Mailbox-Line: " + line
        match = FIELD.match(line)
        if match:
            headers.append((match.group(1), [line[match.end():]]))
        elif line[:1] in b" \t" and headers:
            headers[-1][1].append(line)
        else:
            break
        at += 1
    if at < len(lines) and not lines[at]:
        at += 1
    body = b"".join(line + b"\r\n" for line in lines[at:])
    return Split([(name, _header_value(parts)) for name, parts in headers], body)


def make(subject="Lunch on Tuesday", body=b"Shall we meet at noon?\r\n", headers=(), score=None,
         tests=None):
    """A plain message; headers are extra lines (bytes) put before the usual ones.

    score and tests script the fake scorers (X-Test-Score, X-Test-Tests).
    """
    lines = list(headers)
    if score is not None:
        lines.append(b"X-Test-Score: " + str(score).encode())
    if tests is not None:
        lines.append(b"X-Test-Tests: " + tests.encode())
    lines += [
        b"Received: from laptop.example.org (laptop.example.org [5.9.10.12])\r\n"
        b"\tby mail.example.org (Postfix) with ESMTPS id 4ABCDE12345\r\n"
        b"\tfor <bob@example.com>; Sat, 21 Nov 2026 10:00:00 +0000 (UTC)",
        b"From: Alice <alice@example.org>",
        b"To: Bob <bob@example.com>",
        b"Subject: " + subject.encode(),
        b"Date: Sat, 21 Nov 2026 10:00:00 +0000",
        b"Message-ID: <a1b2c3@mail.example.org>",
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=us-ascii",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _made(rng, index):
    """One pseudo-random message with the oddities that real mail has."""
    extra = []
    for _ in range(rng.randrange(3)):
        name = rng.choice([b"X-Spam-Flag", b"x-SPAM-status", b"X-Rspamd-Score", b"X-Spam",
                           b"List-Id", b"Subject-X", b"Precedence", b"X-SPAM-LEVEL"])
        value = rng.choice([b" YES", b"NO", b"", b"\t  spaced", b" folded\r\n\tover\r\n  lines"])
        extra.append(name + b":" + value)
    if rng.random() < 0.3:
        extra.append(b"References:" + b"".join(
            b"\r\n <%d.%d@example.org>" % (index, n) for n in range(rng.randrange(1, 400))))
    alphabet = rng.choice([b"abc xyz.,", bytes(range(32, 127)), bytes(range(256)), b".\r\n\0 x"])
    body = bytes(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 70, 900, 4000])))
    return make(f"Made message {index}", body, extra)


def edge_cases():
    """Shapes that mail filters have fallen over: (name, bytes)."""
    return [
        ("empty", b""),
        ("no-headers", b"\r\nonly a body\r\n"),
        ("no-body", b"From: a@example.org\r\nSubject: no body\r\n"),
        ("empty-body", b"From: a@example.org\r\n\r\n"),
        ("blank-lines-first", make(body=b"\r\n\r\nafter two blank lines\r\n")),
        ("no-final-newline", make(body=b"the last line has no end")),
        ("lone-dot", make(body=b".\r\n..\r\n.\r\nend\r\n")),
        ("nul-body", make(body=b"a\0b\0\0c\r\n\0\r\n")),
        ("bare-cr", make(body=b"one\rtwo\r\r\nthree\r\n")),
        ("long-line", make(body=b"x" * 200000 + b"\r\n")),
        ("long-header", make(headers=[b"X-Long: " + b"y" * 50000])),
        ("many-headers", make(headers=[b"X-Many-%d: v" % n for n in range(1000)])),
        ("folded", make(headers=[b"X-Fold:\r\n first\r\n\tsecond  \r\n    third"])),
        ("no-space", make(headers=[b"X-Tight:value", b"X-Wide:   value  ", b"X-Empty:",
                                   b"X-Sp: "])),
        ("eight-bit", make(headers=[b"X-Latin: caf\xe9", "X-Utf8: h\u00e9".encode()],
                           body=bytes(range(1, 256)).replace(b"\n", b"").replace(b"\r", b""))),
        ("gtube", make(body=GTUBE + b"\r\n")),
        ("mbox", b"From alice@example.org Sat Nov 21 10:00:00 2026\n" + make()),
    ]


def corpus():
    """(name, bytes) of every message of SPAMBRIDGE_CORPUS, or of a made corpus of 120."""
    folder = os.environ.get("SPAMBRIDGE_CORPUS")
    if folder:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".eml"))
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                yield name, file.read()
        return
    yield from edge_cases()
    rng = random.Random(20261121)
    for index in range(103):
        yield f"made-{index:03}", _made(rng, index)

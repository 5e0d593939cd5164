# SPDX-License-Identifier: BSD-2-Clause
"""Whatever stands in a message, what the tool prints of it cannot drive a terminal.

Rows A19 to A21, trap 84: a corpus, and messages with every control byte and escape sequence in
every place that commands show.
"""

import base64
import os
import pty
import re
import subprocess

import pytest

from quarantine import Quarantine, Tool, is_safe
from test_corpus import corpus, prepared

SEQUENCES = [bytes([c]) for c in [*range(0x01, 0x20), 0x7f, *range(0x80, 0xa0), 0xff] if c != 0x0a]
SEQUENCES += [chr(c).encode() for c in range(0x80, 0xa0)]
SEQUENCES += [b"\x1b[2J", b"\x1b[31m", b"\x1b]0;title\x07", b"\x1b]52;c;ZXZpbA==\x07",
              b"\x1b]8;;http://evil.example\x1b\\link", b"\x1bPq\x1b\\", b"\x1b(0", b"\x9b31m",
              b"\x1b[6n", b"safe\rforged", b"\x08\x08\x08gone", b"\x1bc", b"\x0e", b"\x1b[?1049h"]
SEQUENCES += [chr(c).encode() for c in [0xad, 0x61c, 0x180e, *range(0x200b, 0x2010),
                                        *range(0x2028, 0x202f), *range(0x2060, 0x2070), 0xfeff,
                                        0xfff9, 0xfffb, 0xe0001, 0xe0041, 0xfe0f]]
SEQUENCES += ["\ud800".encode("utf-8", "surrogatepass"), b"\xc0\x80", b"\xc0\x9b[31m", b"\xe0\x80",
              b"\xf4\x90\x80\x80", b"\xc2"]
CHARSETS = ["utf-8", "iso-8859-1", "windows-1252", "iso-2022-jp", "utf-7", "utf-16", "us-ascii"]


def encoded(sequence, number):
    """It as an encoded word, in changing ways, with changing lies about the character set."""
    charset = CHARSETS[number % len(CHARSETS)]
    if number % 2:
        return b"=?%s?B?%s?=" % (charset.encode(), base64.b64encode(sequence))
    return b"=?%s?q?%s?=" % (charset.encode(), b"".join(b"=%02X" % c for c in sequence))


def made(number, sequence):
    """(message, sender, recipients) with the sequence wherever a command looks."""
    plain = sequence.replace(b"\n", b"").replace(b"\0", b"")
    word = encoded(sequence, number)
    message = (b"From: " + plain + word + b" <a@example.net>\r\nSubject: " + word + plain +
               b"\r\nX-" + re.sub(rb"[^A-Za-z]", b"", plain) + b": " + plain +
               b"\r\nDate: " + plain + b"\r\nMessage-ID: <" + plain + b">\r\n\r\n" + sequence +
               b"\r\n\ttext" + sequence + b"\r\n")
    name = plain.replace(b"\r", b"")
    return (message, b"s" + name + b"@example.net",
            [b"r" + name + b"@d" + name + b".example", b"q@example.com"])


@pytest.fixture(scope="module", name="full")
def full_of_it():
    """A quarantine with all of it."""
    with Quarantine() as it:
        for number, path in enumerate(corpus(it)):
            it.put(message=prepared(it, path, number)[1])
        for number, sequence in enumerate(SEQUENCES):
            message, sender, recipients = made(number, sequence)
            it.put(message=it.write("made.eml", message), sender=sender, recipients=recipients)
        yield it


COMMANDS = [("list",), ("list", "--limit", "50"), ("search", "e"), ("search", "--body", "text"),
            ("stats",), ("verify",), ("digest",), ("digest", "--to", "q@example.com"),
            ("expire", "--older-than", "1s", "--now", "--dry-run"), ("show",)]


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("arguments", COMMANDS, ids="-".join)
def test_no_control_byte(full, arguments, json):
    if arguments == ("show",):
        arguments = ("show", "--lines", "200", *full.look())
    done = Tool(full).run(*arguments, *(["--json"] if json else []), text=False)
    is_safe(done.stdout)
    is_safe(done.stderr)
    assert len(done.stdout) > 10


def on_terminal(tool, *arguments):
    """What the command writes when standard output and error are a terminal."""
    primary, secondary = pty.openpty()
    program = os.path.join(os.environ["SPAMBRIDGE_BUILD"], "spambridgectl")
    with subprocess.Popen([program, "-c", tool.config, "quarantine", *arguments], stdout=secondary,
                          stderr=secondary, stdin=subprocess.DEVNULL) as process:
        os.close(secondary)
        output = b""
        while True:
            try:
                piece = os.read(primary, 65536)
            except OSError:     # the last writer has closed it
                break
            if not piece:
                break
            output += piece
        process.wait(60)
    os.close(primary)
    # the terminal's own line ends, and a line of progress that is wiped out
    return re.sub(rb"\r *\r", b"", output.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("arguments", [("list",), ("show",), ("search", "e"), ("stats",),
                                       ("verify",)], ids="-".join)
def test_on_a_terminal(full, arguments):
    if arguments == ("show",):
        arguments = ("show", *full.look())
    output = on_terminal(Tool(full), *arguments)
    is_safe(output)
    assert len(output) > 10


@pytest.mark.parametrize("width", [40, 57, 58, 80, 132])
def test_no_line_is_wider_than_the_terminal(full, width):
    """Characters that a terminal shows two columns wide are counted so by us: none is longer."""
    done = Tool(full).run("list", environment={"COLUMNS": str(width)})
    lines = done.stdout.splitlines()
    assert len(lines) == len(full.look())
    assert max(len(line) for line in lines) <= width

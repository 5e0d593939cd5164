# SPDX-License-Identifier: BSD-2-Clause
"""Digests through a real Postfix: delivered once, readable, and nothing of a message works in them.
"""

import email
import email.policy
import html.parser
import os
import re
import shutil
import threading

import pytest

from quarantine import Tool, is_safe
from support.postfix import Postfix
from test_hostile import SEQUENCES, made

pytestmark = pytest.mark.skipif(not shutil.which("postfix") or os.geteuid() != 0,
                                reason="needs Postfix and root")

FROM = "postmaster@example.com"
# What a subject or sender may want to become; what must be seen of it in the text part.
LIES = [
    (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
    (b"\"><img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
    (b"</td></tr></table><h1>released</h1>", "</td></tr></table><h1>"),
    (b"&lt;b&gt;&#60;i&#62;", "&lt;b&gt;&#60;i&#62;"),
    (b"<a href=\"http://evil.example\">click</a>", "http://evil.example"),
    (b"<!--", "<!--"),
    (b"=?utf-8?q?=3Cscript=3Ealert=282=29=3C/script=3E?=", "<script>alert(2)</script>"),
    (b"=?utf-8?b?PHN2Zy9vbmxvYWQ9YWxlcnQoMyk+?=", "<svg/onload=alert(3)>"),
    (b"=?utf-8?q?a=0D=0ABcc:_all@example.com?=", "\\x0d\\x0aBcc: all@example.com"),
    (b"=?utf-8?q?=E2=80=AEtxt.exe?=", "\\u{202e}txt.exe"),
    (b"=?utf-7?q?+ADw-script+AD4-?=", "script"),
    (b"=?no-such-charset?q?x=1By?=", "=?no-such-charset?q?x=1By?="),
    (b"=?utf-8?q?unfinished", "=?utf-8?q?unfinished"),
    (b"=?utf-8?q?=FF=FE?=", "=?utf-8?q?=FF=FE?="),
    (b"\xff\xfe", "\\xff\\xfe"),
    (b"\x1b[31mred\x1b]0;t\x07", "\\x1b[31mred"),
    (b"--boundary--", "--boundary--"),
    (b".", "."),
    (b"=?iso-8859-1?q?caf=E9?=", "caf\xe9"),
    (b"x" * 3000, "x" * 150),
]


class Page(html.parser.HTMLParser):
    """Tags and the text of the cells of an HTML part."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data!r}")


@pytest.fixture(scope="module", name="postfix")
def real_postfix():
    with Postfix() as it:
        yield it


def route_of(quarantine, postfix, way):
    if way == "smtp":
        return f"smtp://127.0.0.1:{postfix.release_port}"
    route = quarantine.write("sendmail", (
        f'#!/bin/sh\nexec /usr/sbin/sendmail -C {postfix.config} "$@"\n').encode())
    os.chmod(route, 0o755)
    return route


def parts_of(delivery):
    """(headers, text, page) of a digest; every part is what its header says."""
    parsed = email.message_from_bytes(delivery.data, policy=email.policy.default)
    assert parsed.get_content_type() == "multipart/alternative" and not parsed.defects
    kinds = [part.get_content_type() for part in parsed.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    for part in parsed.walk():
        assert not part.defects
    text, page = (part.get_content() for part in parsed.iter_parts())
    return parsed, text, Page(page)


@pytest.mark.parametrize("way", ["smtp", "sendmail"])
def test_delivered_once_and_harmless(quarantine, postfix, way):
    postfix.sink.clear()
    stored = {}
    for number, (lie, seen) in enumerate(LIES):
        head = b"From: " + lie + b" <a@example.net>\r\nSubject: " + lie
        path = quarantine.write("lie.eml", head + b"\r\n\r\nx\r\n")
        stored[quarantine.put(message=path, recipients=(f"user@d{number % 2}.example",)
                              ).stored[0]] = (seen, f"user@d{number % 2}.example")
    tool = Tool(quarantine, release=route_of(quarantine, postfix, way),
                extra=f'digest_from = "{FROM}"')
    runs = [threading.Thread(target=tool.run, args=("digest", "--send"), kwargs={"code": None})
            for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    tool.run("digest", "--send")
    mails = {}
    for delivery in postfix.delivered(2):
        assert len(delivery.recipients) == 1 and delivery.sender == ""
        assert delivery.recipients[0] not in mails
        mails[delivery.recipients[0]] = parts_of(delivery)
    for item, (seen, recipient) in stored.items():
        header, text, page = mails[recipient]
        assert header["To"] == recipient and header["From"] == FROM
        assert header["Auto-Submitted"] == "auto-generated" and header["Bcc"] is None
        assert re.fullmatch(r"Held mail: \d+ messages", header["Subject"])
        assert item[:10] in text and item[:10] in page.text
        assert seen in text and seen in page.text, (item, seen)
    for header, text, page in mails.values():
        is_safe(text.replace("\r\n", "\n").encode())
        is_safe(page.text.replace("\r\n", "\n").encode())
        assert not set(page.tags) & {"script", "img", "svg", "a", "h1", "b", "i"}
        assert set(page.attributes) <= {"lang", "charset", "border", "cellpadding"}
        assert FROM in text and FROM in page.text
        assert max(len(line) for line in text.splitlines()) < 998
    tool.run("digest", "--send")
    assert len(postfix.sink.deliveries) == 2
    postfix.sink.clear()


def test_every_sequence_of_the_hostile_ones(quarantine, postfix):
    """A digest of some 150 messages that want to do harm is one mail like any other."""
    postfix.sink.clear()
    for number, sequence in enumerate(SEQUENCES):
        message, sender, _ = made(number, sequence)
        quarantine.put(message=quarantine.write("made.eml", message), sender=sender,
                       recipients=("q@example.com",))
    tool = Tool(quarantine, release=f"smtp://127.0.0.1:{postfix.release_port}",
                extra=f'digest_from = "{FROM}"')
    tool.run("digest", "--send")
    [delivery] = postfix.delivered(1)
    _, text, page = parts_of(delivery)
    is_safe(text.replace("\r\n", "\n").encode())
    is_safe(page.text.replace("\r\n", "\n").encode())
    assert text.count("    Subject: ") == len(SEQUENCES) == page.tags.count("code")

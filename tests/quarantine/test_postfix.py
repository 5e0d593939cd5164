# SPDX-License-Identifier: BSD-2-Clause
"""Release through a real Postfix, by SMTP and by its sendmail: each message once, unchanged."""

import os
import re
import shutil

import pytest

from quarantine import Tool
from support.postfix import Postfix
from test_corpus import corpus, prepared

pytestmark = pytest.mark.skipif(not shutil.which("postfix") or os.geteuid() != 0,
                                reason="needs Postfix and root")
# message_drop_headers: Postfix removes them from all mail, so they are gone without us, too
DROPPED = re.compile(rb"\A(return-path|bcc|content-length|resent-bcc)[ \t]*:", re.I)
ADDED = re.compile(rb"\A(Received|X-Spambridge-Release|Return-Path|Delivered-To):", re.I)


def normal(data):
    """Line ends as released."""
    data = re.sub(rb"\r\n|\r|\n", b"\r\n", data)
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def fields(head):
    found = re.split(rb"\r\n(?![ \t])", head)
    return [re.sub(rb"[ \t]*\Z", b"", field) for field in found if field]


@pytest.fixture(scope="module")
def postfix():
    # A client on this host is taken for a mail program, whose headers Postfix completes and
    # rewrites unless this is empty; released mail comes from such a client.
    with Postfix(settings={"local_header_rewrite_clients": ""}) as it:
        yield it


@pytest.mark.parametrize("way", ["smtp", "sendmail"])
def test_corpus_arrives_once_and_unchanged(quarantine, postfix, way):
    postfix.sink.clear()
    stored = {}
    for number, path in enumerate(corpus(quarantine)):
        wire, file = prepared(quarantine, path, number)
        stored[quarantine.put(message=file).stored[0]] = (wire, path)
    if way == "smtp":
        route = f"smtp://127.0.0.1:{postfix.release_port}"
    else:
        route = quarantine.write("sendmail", (
            f'#!/bin/sh\nexec /usr/sbin/sendmail -C {postfix.config} "$@"\n').encode())
        os.chmod(route, 0o755)
    Tool(quarantine).run("release", "--yes", "--route", route, *stored)
    assert quarantine.look() == {}
    arrived = {}
    for delivery in postfix.delivered(len(stored), timeout=120):
        item = re.search(rb"^X-Spambridge-Release: .*?; id=([a-z2-7]{26});", delivery.data,
                         re.M).group(1).decode()
        assert item not in arrived and delivery.recipients == ["one@example.com"]
        assert delivery.sender == "sender@example.net"
        arrived[item] = delivery
    different = []
    for item, (wire, path) in stored.items():
        head, _, body = normal(wire).partition(b"\r\n\r\n")
        if normal(wire).startswith(b"\r\n"):
            head, body = b"", normal(wire)[2:]
        got = arrived[item]
        mine = [f for f in fields(got.header) if not f.startswith(b"X-Spambridge-Release:")]
        wanted = [f for f in fields(head) if not DROPPED.match(f)]
        if body.rstrip(b"\r\n") != got.body.rstrip(b"\r\n"):
            different.append((path, "body"))
        elif mine[len(mine) - len(wanted):] != wanted:
            different.append((path, "header"))
        elif not all(ADDED.match(f) for f in mine[:len(mine) - len(wanted)]):
            different.append((path, "added"))
    print(f"{way}: {len(stored)} released, {len(different)} different")
    assert different == []

# SPDX-License-Identifier: BSD-2-Clause
"""Release: faithful, once, to whom was named; by SMTP and by sendmail."""

import os
import re
import stat
import threading

import pytest

from quarantine import MESSAGE, Tool
from refusals import ANSWERS, Refusing
from support.smtp import DROP, Sink

MARK = re.compile(rb"\AX-Spambridge-Release: v=1; id=[a-z2-7]{26}; t=\d+; n=[a-z2-7]{26}; "
                  rb"m=[0-9a-f]{64}\r\n")


def tool_for(quarantine, sink, **options):
    return Tool(quarantine, release=f"smtp://127.0.0.1:{sink.port}", **options)


def unmarked(data):
    match = MARK.match(data)
    assert match, data[:200]
    return data[match.end():]


def test_original_bytes_sender_and_recipients(quarantine):
    """Traps 77, 78, 82: the bytes as they came, to each recipient a copy of his own."""
    recipients = ("one@example.com", "two@example.org", "three@example.com")
    item = quarantine.put(recipients=recipients).stored[0]
    with Sink() as sink:
        done = tool_for(quarantine, sink).run("release", item[:8])
        assert done.stdout.count("released") == 3
        assert sorted(d.recipients[0] for d in sink.deliveries) == sorted(recipients)
        for delivery in sink.deliveries:
            assert delivery.sender == "sender@example.net" and len(delivery.recipients) == 1
            assert unmarked(delivery.data) == MESSAGE
        assert len({d.data for d in sink.deliveries}) == 3      # a mark each
    assert quarantine.look() == {}
    assert quarantine.files("review") == []
    audit = [line for line in done.stderr.splitlines() if "action=release" in line]
    assert len(audit) == 3 and f"quarantine={item}" in audit[0]
    assert "to=one@example.com" in audit[0] and "by=" in audit[0] and "uid=" in audit[0]
    assert "result=released" in audit[0]


def test_only_the_named_recipient(quarantine):
    """Trap 78: the rest stays held; who is no recipient gets nothing."""
    item = quarantine.put(recipients=("one@example.com", "two@example.org")).stored[0]
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
        done = tool.run("release", item, "--to", "nobody@example.com", code=1)
        assert "is no recipient" in done.stderr and sink.deliveries == []
        done = tool.run("release", item, "--to", "one@example.com", "--to", "x@example.com", code=1)
        assert sink.deliveries == []
        tool.run("release", item, "--to", "two@EXAMPLE.ORG")
        assert [d.recipients for d in sink.deliveries] == [["two@example.org"]]
        shown = tool.json("show", item)
        assert [s["state"] for s in shown["states"]] == ["held", "released"]
        tool.run("release", item)
        assert [d.recipients for d in sink.deliveries] == [["two@example.org"], ["one@example.com"]]
    assert quarantine.look() == {}


def test_again_only_when_asked(quarantine):
    item = quarantine.put(recipients=("one@example.com", "two@example.org")).stored[0]
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
        tool.run("release", item, "--to", "one@example.com")
        tool.run("release", item, "--to", "one@example.com")
        assert len(sink.deliveries) == 1
        tool.run("release", item, "--to", "one@example.com", "--again")
        assert len(sink.deliveries) == 2


@pytest.mark.parametrize("stage,answer,code,state", ANSWERS)
def test_mail_server_that_says_no(quarantine, stage, answer, code, state):
    """F40: the item stays until the server has said yes, with what it said; then it goes once."""
    figures = Refusing(quarantine).run(stage, answer)
    assert (figures["code"], figures["states"], figures["kept"]) == (code, [state], True)
    if answer is not DROP and answer[0] in "45":
        assert answer in figures["said"]
    assert figures["first"] == [] and figures["then"] == 0
    assert (figures["lost"], figures["double"], figures["left"]) == (0, 0, 0)


@pytest.mark.parametrize("stage,answer,code,state", [row for row in ANSWERS if row[0] in (
    "rcpt", "data", "dot")])
def test_only_some_are_taken(quarantine, stage, answer, code, state):
    """F40: state is kept for each, and who has his copy gets no second one."""
    names = [f"{letter}@example.com" for letter in "abcde"]
    figures = Refusing(quarantine, names, refused=names[1:4:2]).run(stage, answer)
    assert figures["states"] == ["released", state, "released", state, "released"]
    assert figures["code"] == code and figures["kept"]
    assert figures["first"] == names[::2] and figures["then"] == 0
    assert (figures["lost"], figures["double"], figures["left"]) == (0, 0, 0)


def test_server_that_is_not_there(quarantine):
    item = quarantine.put().stored[0]
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
    done = tool.run("release", item, code=75)
    assert "cannot reach" in done.stdout and quarantine.look() == {item: "good"}


BODIES = [b"a\n.\nMAIL FROM:<x@y>\nRCPT TO:<z@y>\nDATA\nforged\n.\n", b"a\n.\r\nb\r\n", b"a\r.\rb",
          b"\r\n.\r\n", b".\r\n..\r\n...\r\n", b"no end", b"", b"\r\n\r\n", b"\r.\r\n.\r\n",
          b"\0nul\r\n", b"\xe4\xf6\xfc\r\n", b"x" * 70000 + b"\r\n.\r\n" + b"y" * 70000]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_one_item_one_message(quarantine, body):
    """A11: whatever the line ends, one message arrives, without a stray CR or LF."""
    message = quarantine.write("odd.eml", b"Subject: odd\r\nFrom: a@example.net\r\n\r\n" + body)
    item = quarantine.put(message=message).stored[0]
    with Sink() as sink:
        tool_for(quarantine, sink).run("release", item)
        assert len(sink.deliveries) == 1
        data = unmarked(sink.deliveries[0].data)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data)
    expected = b"Subject: odd\r\nFrom: a@example.net\r\n\r\n" + body
    expected = re.sub(rb"\r\n|\r|\n", b"\r\n", expected)
    assert data == expected if expected.endswith(b"\r\n") else data == expected + b"\r\n"


def test_extensions_are_asked_for_again(quarantine):
    """A14: SMTPUTF8 for such addresses, 8BITMIME for such content; never where not offered."""
    latin = quarantine.write("latin.eml", MESSAGE + b"\xe4\r\n")
    first = quarantine.put(message=latin).stored[0]
    second = quarantine.put(recipients=("jörg@bücher.example",)).stored[0]
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
        tool.run("release", first)
        assert sink.deliveries[0].mail_arguments == "BODY=8BITMIME"
        tool.run("release", second)
        assert sink.deliveries[1].mail_arguments == "SMTPUTF8"
        assert sink.deliveries[1].recipients == ["jörg@bücher.example"]
    third = quarantine.put(recipients=("jörg@bücher.example",)).stored[0]
    with Sink(extensions=()) as sink:
        done = tool_for(quarantine, sink).run("release", third, code=1)
        assert "SMTPUTF8" in done.stdout and sink.deliveries == []


def test_null_sender(quarantine):
    item = quarantine.put(sender="<>").stored[0]
    with Sink() as sink:
        tool_for(quarantine, sink).run("release", item)
        assert sink.deliveries[0].sender == ""


@pytest.mark.parametrize("address", ["-oQ/tmp/x@example.com", "a@b,c@d", "a b@c", "x@y>\r\nDATA",
                                     "$(id)@example.com x", "a@b\nRCPT TO:<c@d>"])
def test_hostile_recipients_are_not_sent_to(quarantine, address):
    """A1, A2: refused with a word; the item stays."""
    item = quarantine.put(recipients=(address,)).stored[0]
    with Sink() as sink:
        done = tool_for(quarantine, sink).run("release", item, code=1)
        assert "not one that can be sent to" in done.stdout
        assert sink.deliveries == []
        assert "\r" not in done.stdout and done.stdout.count("\n") == 1
    assert quarantine.look() == {item: "good"}


def test_damaged_items_are_never_sent(quarantine):
    """F41."""
    item = quarantine.put().stored[0]
    with open(quarantine.item_path(item), "r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"X")
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
        done = tool.run("release", item, code=1)
        assert "checksum" in done.stderr and sink.deliveries == []
        assert "checksum" in tool.run("show", item, code=1).stderr
        assert "checksum" in tool.run("verify", code=1).stdout
        tool.run("delete", item)
    assert quarantine.look() == {}


def fake_sendmail(quarantine, tail="exit 0"):
    path = quarantine.write("sendmail", (
        "#!/bin/sh\nfor a in \"$@\"; do printf '%s\\n' \"$a\"; done >>$0.args\n"
        f"cat >>$0.input\n{tail}\n").encode())
    os.chmod(path, 0o755)
    return path


def test_sendmail(quarantine):
    """A1: arguments behind --, no shell, LF line ends, -i; the null sender as <>."""
    first = quarantine.put(sender="o'hara@example.net", recipients=("$(id)`x`@example.com",))
    second = quarantine.put(sender="<>")
    program = fake_sendmail(quarantine)
    tool = Tool(quarantine, release="sendmail")
    tool.run("release", first.stored[0], "--route", program, "--no-mark", code=1)   # parentheses
    tool.run("release", second.stored[0], "--route", program, "--no-mark")
    with open(program + ".args") as file:
        assert file.read().split("\n")[:-1] == ["-G", "-i", "-i", "-f", "<>", "--",
                                                "one@example.com"]
    with open(program + ".input", "rb") as file:
        assert file.read() == MESSAGE.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("tail,code,state", [
    ("echo boom >&2; exit 75", 75, "deferred"), ("exit 67", 1, "refused"),
    ("kill -9 $$", 75, "unsure"), ("exit 1", 75, "deferred")])
def test_sendmail_that_fails(quarantine, tail, code, state):
    item = quarantine.put().stored[0]
    program = fake_sendmail(quarantine, tail)
    done = Tool(quarantine).run("release", item, "--route", program, code=code)
    assert state in done.stdout and quarantine.look() == {item: "good"}
    assert "boom" not in tail or "boom" in done.stdout


def test_sendmail_that_is_not_there(quarantine):
    item = quarantine.put().stored[0]
    done = Tool(quarantine).run("release", item, "--route", "/nonexistent/sendmail", code=75)
    assert "cannot start" in done.stdout


def test_large_message_by_sendmail(quarantine):
    body = MESSAGE + (b"x" * 76 + b"\r\n") * 50000
    item = quarantine.put(message=quarantine.write("large.eml", body)).stored[0]
    program = fake_sendmail(quarantine)
    Tool(quarantine).run("release", item, "--route", program, "--no-mark")
    with open(program + ".input", "rb") as file:
        assert file.read() == body.replace(b"\r\n", b"\n")


def test_key_is_private(quarantine):
    item = quarantine.put().stored[0]
    with Sink() as sink:
        tool_for(quarantine, sink).run("release", item)
    mode = os.stat(os.path.join(quarantine.path, "release.key"))
    assert stat.S_IMODE(mode.st_mode) == 0o600 and mode.st_size == 32


def test_races(quarantine):
    """F39: many tools at the same items; each copy goes out once."""
    items = quarantine.put("-n", "30").stored
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
        codes = []

        def release(order):
            for item in order:
                codes.append(tool.run("release", item, code=None).returncode)

        def others():
            for _ in range(10):
                tool.run("list", code=None)
                tool.run("expire", "--older-than", "1d", "--yes", code=None)

        threads = [threading.Thread(target=release, args=(order,))
                   for order in (items, items[::-1], items)]
        threads.append(threading.Thread(target=others))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(sink.deliveries) == 30
        assert codes.count(0) == 30
    assert quarantine.look() == {}

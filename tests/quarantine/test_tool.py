# SPDX-License-Identifier: BSD-2-Clause
"""spambridgectl quarantine: find, show, count, expire, digests; nothing hostile gets out."""

import os
import pty
import re
import subprocess
import time

import pytest

from many import fill
from quarantine import MESSAGE, STRACE, Quarantine, Tool, is_safe
from support.daemon import program
from support.smtp import Sink

HOSTILE = (b"From: \x1b]0;owned\x07 \"x\xc2\x9b31m\" <a@example.net>\r\n"
           b"Subject: =?utf-8?q?=1B[31mred=0Aline=E2=80=AE?= \x1b[2J\x08\x7f\r\n"
           b"X-Evil: \x9b0m\xff\xfe\r\n\t\x1b[H\r\n\r\n"
           b"body \x1b]8;;http://evil\x07link\rover\x00\xe2\x80\x8f\r\n")


def hostile(quarantine):
    return quarantine.put(message=quarantine.write("hostile.eml", HOSTILE),
                          sender="\x1b[31m@example.net", recipients=("r\x07\n\x1b[1m@example.com",))


@pytest.mark.parametrize("arguments", [
    ("list",), ("search", "e"), ("show",), ("verify",), ("stats",), ("digest",),
    ("digest", "--to", "r\x07\n\x1b[1m@example.com"), ("expire", "--dry-run")])
@pytest.mark.parametrize("json", [False, True])
def test_nothing_reaches_the_terminal(quarantine, arguments, json):
    """A19, A20, A21, trap 84."""
    item = hostile(quarantine).stored[0]
    tool = Tool(quarantine)
    if arguments == ("show",):
        arguments = ("show", item)
    done = tool.run(*arguments, *(["--json"] if json else []), text=False)
    is_safe(done.stdout)
    is_safe(done.stderr)


def test_errors_are_safe_too(quarantine):
    quarantine.put()
    for argument in ("\x1b[31m", "../../etc/passwd", "a\nb", "A", "", "é"):
        done = Tool(quarantine).run("show", argument, code=1, text=False)
        is_safe(done.stderr)
        assert done.stdout == b"" and done.stderr.count(b"\n") == 1
    # like an option: a usage error, and nothing else happens
    Tool(quarantine).run("show", "-rf", code=2)


def test_damaged_and_strange_files_are_named(quarantine):
    """A17, F41."""
    item, other = quarantine.put("-n", "2").stored
    with open(quarantine.item_path(item), "r+b") as file:
        file.seek(150)
        file.write(b"\x1b[31m\x00\xff")
    os.mkfifo(os.path.join(quarantine.path, "new",
                           "1700000000.M000000Q" + "a" * 26 + ".spambridge"))
    open(os.path.join(quarantine.path, "new", "\x1b[31m"), "w").close()
    tool = Tool(quarantine)
    done = tool.run("list", text=False)
    is_safe(done.stdout)
    is_safe(done.stderr)
    assert done.stdout.count(b"DAMAGED") == 2 and other[:10].encode() in done.stdout
    done = tool.run("verify", code=1)
    assert "1 good, 2 damaged" in done.stdout and "1 other file" in done.stderr
    report = tool.json("verify", code=1)
    assert {entry["id"] for entry in report["damaged"]} == {item, "a" * 26}


def test_list_shows_how_many_recipients(quarantine):
    """Trap 79."""
    recipients = tuple(f"r{i}@example.com" for i in range(5))
    item = quarantine.put(recipients=recipients).stored[0]
    tool = Tool(quarantine)
    assert "r0@example.com +4" in tool.run("list").stdout
    narrow = tool.run("list", environment={"COLUMNS": "80"}).stdout
    assert "+4" in narrow and len(narrow.rstrip("\n")) <= 80
    shown = tool.run("show", item).stdout
    assert all(recipient in shown for recipient in recipients)
    assert tool.json("list")[0]["recipients"] == list(recipients)


def test_columns_fit(quarantine):
    subject = " ".join(["=?utf-8?q?" + "=E6=97=A5" * 6 + "?="] * 7)
    quarantine.put(message=quarantine.write("wide.eml", b"Subject: " + subject.encode() +
                                            b"\r\n\r\nx\r\n"),
                   sender="a" * 60 + "@example.net", recipients=("b" * 60 + "@example.com",))
    for width in (72, 80, 120, 200):
        line = Tool(quarantine).run("list", environment={"COLUMNS": str(width)}).stdout.rstrip("\n")
        columns = sum(2 if ord(c) > 0x2e80 else 1 for c in line)
        assert width - 3 <= columns <= width, (width, columns, line)


def test_filters(quarantine):
    first = quarantine.put("-s", "4.9", recipients=("a@one.example",), sender="x@y.example")
    second = quarantine.put("-s", "20", recipients=("b@two.example", "c@mail.one.example"))
    first, second = first.stored[0], second.stored[0]
    tool = Tool(quarantine)

    def found(*arguments):
        return [item["id"] for item in tool.json(*arguments)]

    assert found("list") == [second, first]
    assert found("list", "--limit", "1") == [second]
    assert found("list", "--domain", "one.example") == [first]
    assert found("list", "--domain", ".one.example") == [second]
    assert found("list", "--to", "B@TWO") == [second]
    assert found("list", "--from", "x@y") == [first]
    assert found("list", "--score", "5") == [second]
    assert found("list", "--score", "4.9..5") == [first]
    assert found("list", "--score", "..4.8") == []
    assert found("list", "--since", "1h") == [second, first]
    assert found("list", "--before", "1h") == []
    assert found("list", "--state", "released") == []
    assert found("list", "--state", "held", "--subject", "TEST") == [second, first]
    assert found("search", "two.example") == [second]
    assert found("search", "line") == [] and len(found("search", "--body", "line")) == 2
    for wrong in (("--score", "x"), ("--since", "yesterday"), ("--state", "x"), ("--limit", "x")):
        tool.run("list", *wrong, code=2)


def test_prefixes(quarantine):
    """A18: any unique beginning, and only that."""
    items = quarantine.put("-n", "60").stored
    tool = Tool(quarantine)
    letter = next(i[0] for i in items if sum(j[0] == i[0] for j in items) > 1)
    assert "several items" in tool.run("show", letter, code=1).stderr
    assert items[7] in tool.run("show", items[7][:12]).stdout
    assert "no item" in tool.run("show", "a" * 26, code=1).stderr


def test_show_raw(quarantine):
    item = quarantine.put().stored[0]
    tool = Tool(quarantine)
    assert tool.run("show", "--raw", item, text=False).stdout == MESSAGE
    path = os.path.join(quarantine.top, "raw.eml")
    tool.run("show", "--raw", "--output", path, item)
    with open(path, "rb") as file:
        assert file.read() == MESSAGE
    tool.run("show", "--raw", "--output", path, item, code=1)      # never overwritten
    primary, secondary = pty.openpty()
    done = subprocess.run([os.path.join(os.environ["SPAMBRIDGE_BUILD"], "spambridgectl"), "-c",
                           tool.config, "quarantine", "show", "--raw", item], stdout=secondary,
                          stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(secondary)
    assert done.returncode == 1 and b"file or a pipe" in done.stderr
    os.close(primary)


def test_mass_actions_are_asked_about(quarantine):
    items = quarantine.put("-n", "12").stored
    tool = Tool(quarantine)
    assert "--yes" in tool.run("delete", *items, code=1).stderr
    assert len(quarantine.look()) == 12
    done = tool.run("delete", "--yes", *items)
    assert done.stdout.count("deleted") == 12 and quarantine.look() == {}
    assert done.stderr.count("action=delete") == 12


def test_stats(quarantine):
    quarantine.put("-n", "3", "-s", "12.5", recipients=("a@one.example", "b@one.example"))
    quarantine.put("-s", "-2", recipients=("a@two.example",))
    tool = Tool(quarantine)
    text = tool.run("stats").stdout
    assert "4 items" in text and "one.example" in text
    assert re.search(r"12 -  14 +3 #{50}", text) and re.search(r"below 0 +1 #{17}\n", text)
    report = tool.json("stats")
    assert report["domains"] == {"one.example": 3, "two.example": 1} and report["items"] == 4


def test_reader_moved_it(quarantine):
    """A mail reader takes items from new to cur and adds flags: they stay items."""
    item = quarantine.put().stored[0]
    path = quarantine.item_path(item)
    os.rename(path, path.replace("/new/", "/cur/") + ":2,RS")
    tool = Tool(quarantine)
    assert item in tool.run("show", item).stdout
    tool.run("delete", item)
    assert quarantine.look() == {}


def calls_of_a_list(quarantine, count):
    """System calls of listing so many items, all of which it lists."""
    fill(quarantine, count)
    tool = Tool(quarantine)
    trace = os.path.join(quarantine.top, "calls")
    done = subprocess.run([*STRACE, "-c", "-o", trace, program("spambridgectl"), "-c",
                           tool.config, "quarantine", "list"], capture_output=True, check=True,
                          timeout=120)
    assert done.stdout.count(b"\n") == count
    with open(trace, encoding="utf-8") as file:
        return int(file.read().rstrip().splitlines()[-1].split()[2 if "errors" else 3])


@pytest.mark.timed     # sanitizers make calls of their own
def test_what_an_item_costs():
    """A list takes five system calls for each item, and no second look at any.

    What this comes to in seconds for 100,000 stands in tests/README; tests do not assert on it.
    """
    with Quarantine() as few, Quarantine() as more:
        assert calls_of_a_list(more, 3000) - calls_of_a_list(few, 1000) < 2000 * 5.5

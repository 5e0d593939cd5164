# SPDX-License-Identifier: BSD-2-Clause
"""The quarantine's tool at a terminal: days, widths, questions, who it was, and what it cannot do."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time

import pytest

from quarantine import Tool
from support.daemon import program
from support.smtp import Sink


def day(age_s=0):
    return time.strftime("%Y-%m-%d", time.localtime(time.time() - age_s))


def test_a_day_is_a_day_here(quarantine):
    """--since and --before take days of the local calendar beside ages."""
    old = quarantine.put_old(3 * 86400)
    new = quarantine.put().stored[0]
    tool = Tool(quarantine)

    def found(*words):
        return {item["id"] for item in tool.json("list", *words)}
    assert found("--since", day(86400)) == {new} and found("--before", day(86400)) == {old}
    assert found("--since", "2001-01-31") == {old, new} and found("--before", "2001-01-31") == set()
    for wrong in ("2026-01-31x", "2026-0-1", "2026-1-0", "2026-1-32", "2026-13-1", "2026-1", "2026",
                  "1969-12-31", "-1d"):
        assert "--since wants" in tool.run("list", "--since", wrong, code=2).stderr


def at_terminal(tool, words, answer=b"", columns=None):
    """Run the tool at a terminal; its exit status and what was to be seen there."""
    primary, secondary = pty.openpty()
    if columns:
        fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    with subprocess.Popen([program("spambridgectl"), "-c", tool.config, "quarantine", *words],
                          stdin=secondary, stdout=secondary, stderr=secondary,
                          env=environment) as child:
        os.close(secondary)
        os.write(primary, answer)
        seen = b""
        try:
            while True:
                seen += os.read(primary, 65536)
        except OSError:         # how Linux tells that nobody has the other end open
            pass
        code = child.wait(60)
    os.close(primary)
    return code, seen.decode()


@pytest.mark.parametrize("answer,code,left", [(b"y\n", 0, 0), (b"Y\n", 0, 0), (b"n\n", 1, 12),
                                              (b"\n", 1, 12), (b"\x04", 1, 12)])
def test_who_is_asked_decides(quarantine, answer, code, left):
    items = quarantine.put("-n", "12").stored
    done, seen = at_terminal(Tool(quarantine), ["delete", *items], answer)
    assert "12 items? [y/N]" in seen and done == code
    assert len(quarantine.look()) == left


@pytest.mark.parametrize("answer,left", [(b"y\n", 0), (b"n\n", 1)])
def test_expiry_asks_first(quarantine, answer, left):
    quarantine.put_old(40 * 86400)
    done, seen = at_terminal(Tool(quarantine), ["expire", "--older-than", "30d", "--now"], answer)
    assert "1 items? [y/N]" in seen and len(quarantine.look()) == left
    assert done == (0 if left == 0 else 1)


@pytest.mark.parametrize("columns", [80, 120])
def test_a_list_is_as_wide_as_the_terminal(quarantine, columns):
    message = quarantine.write("long.eml", b"Subject: " + b"word " * 60 + b"\r\n\r\nx\r\n")
    quarantine.put(message=message, recipients=("e\u0301" * 40 + "@example.com",), sender="")
    _, seen = at_terminal(Tool(quarantine), ["list"], columns=columns)
    line = next(line for line in seen.splitlines() if "example" in line or "\u0301" in line)
    wide = sum(character != "\u0301" for character in line.rstrip())
    assert columns - 3 <= wide <= columns
    assert "1 item" in seen


def test_a_list_that_was_cut_says_so(quarantine):
    quarantine.put("-n", "3")
    _, seen = at_terminal(Tool(quarantine), ["list", "--limit", "2"])
    assert "2 items (--limit)" in seen


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has it from sudo")
def test_who_it_was(quarantine):
    """The account behind sudo is in the trail, and in the item's history."""
    with open("/proc/self/loginuid", encoding="ascii") as file:
        if int(file.read()) != 0xffffffff:
            pytest.skip("the kernel knows who logged in, and that counts first")
    items = quarantine.put("-n", "2").stored
    tool = Tool(quarantine)
    assert "by=ann" in tool.run("delete", items[0], environment={"SUDO_USER": "ann"}).stderr
    assert "by=root" in tool.run("delete", items[1], environment={"SUDO_USER": ""}).stderr


def test_learning_needs_somebody_who_learns(quarantine):
    item = quarantine.put().stored[0]
    refused = Tool(quarantine).run("learn", "--ham", item, code=1).stderr
    assert f"{item}: cannot connect" in refused
    quarantine.put("-k")
    service = Tool(quarantine, scorer='scorer "x" { protocol = json servers = { '
                                      '"http://127.0.0.1:9" } path = "/f" score = "/s" }')
    assert "learn" in service.run("learn", "--spam", item, code=1).stderr
    nobody = Tool(quarantine, scorer="")
    assert "scorer" in nobody.run("learn", "--ham", item, code=1).stderr


def test_an_empty_quarantine(quarantine):
    item = quarantine.put().stored[0]
    tool = Tool(quarantine)
    tool.run("delete", item)
    assert "empty" in tool.run("learn", "--ham", item, code=1).stderr
    assert tool.json("list") == [] and tool.json("stats")["items"] == 0
    assert re.search(r"\b0 items", tool.run("stats").stdout)
    assert tool.json("verify") == {"good": 0, "damaged": [], "missing": 0} or \
        tool.json("verify")["good"] == 0


def test_several_items_are_shown_one_below_the_other(quarantine):
    items = quarantine.put("-n", "2", "-s", "7.5").stored
    tool = Tool(quarantine)
    text = tool.run("show", "--lines", "1", *items).stdout
    assert all(item in text for item in items) and "\n\n" in text
    assert tool.run("show", "--lines", "0", items[0]).stdout.count("line") <= 1
    missing = tool.run("show", items[0], "a" * 26, code=1)
    assert items[0] in missing.stdout and "no item" in missing.stderr


def test_what_cannot_be_written_is_a_failure(quarantine):
    item = quarantine.put().stored[0]
    tool = Tool(quarantine)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([program("spambridgectl"), "-c", tool.config, "quarantine", "show",
                               "--raw", item], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and b"cannot write the message" in done.stderr


def test_stats_of_many_kinds(quarantine):
    """All bars, ages and domains; those that did not fit are counted."""
    for score in ("-3", "0", "4.9", "9", "25", "999"):
        quarantine.put("-s", score)
    for number in range(25):
        quarantine.put(recipients=(f"a@d{number:02}.example", f"b@d{number:02}.example", "root"))
    quarantine.put_old(3 * 86400)
    quarantine.put_old(20 * 86400)
    quarantine.put_old(400 * 86400)
    tool = Tool(quarantine)
    text = tool.run("stats").stdout
    assert "34 items" in text and "below 0" in text and "or more" in text
    assert "(no domain)" in text and re.search(r"and \d+ more", text)
    report = tool.json("stats")
    assert report["items"] == 34 and report["domains"]["d07.example"] == 1


def test_digests_need_somebody_to_answer_to(quarantine):
    quarantine.put()
    tool = Tool(quarantine)
    assert "digest_from is not set" in tool.run("digest", "--send", code=1).stderr
    # nobody takes mail there: all of it is put off, and counted
    report = tool.json("digest", "--send", "--from", "postmaster@example.com",
                       "--route", "smtp://127.0.0.1:9", code=None)
    assert report["sent"] == 0 and report["deferred"] == 1
    odd = tool.run("digest", "--send", "--from", "postmaster@example.com", "--route", "uucp", code=1)
    assert "uucp" in odd.stderr


def test_a_route_that_is_none(quarantine):
    item = quarantine.put().stored[0]
    assert "uucp" in Tool(quarantine).run("release", "--route", "uucp", item, code=1).stderr
    assert item in quarantine.look()


def test_what_cannot_be_learnt_is_released_all_the_same(quarantine):
    """Somebody waits for it; and nobody learns half a message."""
    message = quarantine.write("large.eml", b"Subject: x\r\n\r\n" + b"word word\r\n" * 5955)
    item = quarantine.put(message=message).stored[0]
    assert os.path.getsize(message) < 65536    # but not with the Received field before it
    with Sink() as sink:
        tool = Tool(quarantine, release=f"smtp://127.0.0.1:{sink.port}",
                    scorer='max_scan_size = 64K\nscorer "x" { servers = { "tcp://127.0.0.1:9" } }')
        assert "max_scan_size" in tool.run("learn", "--ham", item, code=1).stderr
        done = tool.run("release", "--learn-ham", item)
        assert "not learnt" in done.stderr and len(sink.deliveries) == 1

# SPDX-License-Identifier: BSD-2-Clause
"""Expiry: by domain, by command and by the daemon, and nothing unreviewed goes unseen."""

import os
import re
import threading
import time

import pytest

from damage import add_twin, twin
from held import Held
from quarantine import Tool
from support.badscorer import BadScorer
from support.daemon import Workspace
from support.messages import make
from support.mta import send
from support.process import wait_for
from support.smtp import Sink
from support.timing import timely

DAY = 86400


def test_named_a_day_before(quarantine):
    """The first run names what is due in the log; a day later it goes, and the log says so."""
    old, new = quarantine.put("-n", "2").stored
    quarantine.age(old, 40 * DAY)
    assert set(quarantine.look().values()) == {"good"}
    tool = Tool(quarantine)
    assert "0 items would be removed\n1 more" in tool.run("expire", "--dry-run").stdout
    assert quarantine.files("digest") == []
    done = tool.run("expire", "--yes")
    assert "0 items removed" in done.stdout
    assert f"quarantine={old} action=expires-soon" in done.stderr
    again = tool.run("expire", "--yes")     # not said twice, and not hurried
    assert "expires-soon" not in again.stderr and len(quarantine.look()) == 2
    quarantine.announce(old, DAY + 1)
    assert old in tool.run("expire", "--dry-run").stdout and len(quarantine.look()) == 2
    assert "--yes" in tool.run("expire", code=1).stderr
    done = tool.run("expire", "--yes")
    assert "1 item removed" in done.stdout and f"quarantine={old} action=expire " in done.stderr
    assert set(quarantine.look()) == {new}
    assert quarantine.files("digest") == []


def test_now_does_not_wait(quarantine):
    old, new = quarantine.put("-n", "2").stored
    quarantine.age(old, 40 * DAY)
    report = Tool(quarantine).json("expire", "--now", "--yes")
    assert report["removed"] == 1 and [item["id"] for item in report["items"]] == [old]
    assert set(quarantine.look()) == {new}
    assert Tool(quarantine).json("expire", "--older-than", "1d", "--now", "--yes")["removed"] == 0


def test_who_asks_sees_what_goes(quarantine):
    """Without --yes and without a terminal nothing goes, but what would is listed."""
    item = quarantine.put_old(40 * DAY)
    done = Tool(quarantine).run("expire", "--now", code=1)
    assert item in done.stdout and "--yes" in done.stderr and set(quarantine.look()) == {item}


def test_reviewed_items_need_no_notice(quarantine):
    """Somebody has decided on one of its copies: it was seen."""
    item = quarantine.put_old(40 * DAY, recipients=("a@example.com", "b@example.com"))
    with Sink() as sink:
        tool = Tool(quarantine, release=f"smtp://127.0.0.1:{sink.port}")
        tool.run("release", item, "--to", "a@example.com")
    done = tool.run("expire", "--yes")
    assert "expires-soon" not in done.stderr and quarantine.look() == {}
    assert quarantine.files("review") == []


POLICIES = """
domain  "short.example" { expire = 2d }
domain  "long.example" { expire = 60d }
address "keeper@short.example" { expire = 90d }
policy  { expire = 10d }
outbound { expire = 5d }
trusted_networks = { "192.0.2.0/24" }
"""


@pytest.mark.parametrize("recipients,days", [
    (("x@short.example",), 2), (("x@SHORT.example",), 2), (("x@long.example",), 60),
    (("keeper@short.example",), 90), (("x@other.example",), 10), (("no-domain",), 10),
    (("x@short.example", "y@other.example"), 10),
    (("x@short.example", "y@long.example", "z@other.example"), 60)])
def test_each_domain_has_its_own(quarantine, recipients, days):
    """Of several recipients the one who keeps it longest decides."""
    younger = quarantine.put_old(days * DAY - 60, recipients=recipients)
    older = quarantine.put_old(days * DAY + 60, recipients=recipients)
    tool = Tool(quarantine, policies=POLICIES)
    report = tool.json("expire", "--now", "--dry-run")
    assert [item["id"] for item in report["items"]] == [older]
    assert set(quarantine.look()) == {younger, older}


def test_the_section_quarantine_is_the_default(quarantine):
    item = quarantine.put_old(4 * DAY)
    assert Tool(quarantine).json("expire", "--now", "--dry-run")["items"] == []
    tool = Tool(quarantine, extra="expire = 3d")
    assert tool.json("expire", "--now", "--dry-run")["items"][0]["id"] == item
    tool = Tool(quarantine, extra="expire = 3d", policies="policy { expire = 5d }")
    assert tool.json("expire", "--now", "--dry-run")["items"] == []


def test_an_own_time_counts_unless_told_otherwise(quarantine):
    """Kept refusals carry theirs; --older-than is an order all the same."""
    item = quarantine.put_old(4 * DAY)
    path = quarantine.item_path(item)
    with open(path, "rb") as file:
        content = file.read()
    assert b'"expires"' not in content
    tool = Tool(quarantine, extra="expire = 3d")
    assert len(tool.json("expire", "--now", "--dry-run")["items"]) == 1
    report = tool.json("expire", "--older-than", "3d", "--now", "--dry-run")
    assert len(report["items"]) == 1
    assert tool.json("expire", "--older-than", "5d", "--now", "--dry-run")["items"] == []


def test_what_killed_removers_left(quarantine):
    """States and announcements without an item go, once they are old."""
    quarantine.put()
    for folder in ("review", "digest"):
        for name in ("a" * 26, "b" * 26):
            path = os.path.join(quarantine.path, folder, name)
            open(path, "w").close()
            if name[0] == "a":
                os.utime(path, (1, 1))
    Tool(quarantine).run("expire", "--yes")
    assert quarantine.files("review") == quarantine.files("digest") == ["b" * 26]


def test_many_at_once(quarantine):
    """Daemon, timer and command at the same time: each item is named once and removed once."""
    items = [quarantine.put_old(40 * DAY) for _ in range(15)]
    tool = Tool(quarantine)
    logs = []

    def expire():
        done = tool.run("expire", "--yes")
        logs.append(done.stderr)

    def at_once():
        logs.clear()
        threads = [threading.Thread(target=expire) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return "".join(logs)

    log = at_once()
    assert sorted(re.findall(r"quarantine=(\w+) action=expires-soon", log)) == sorted(items)
    for item in items:
        quarantine.announce(item, DAY + 1)
    log = at_once()
    assert sorted(re.findall(r"quarantine=(\w+) action=expire ", log)) == sorted(items)
    assert quarantine.look() == {}


def test_the_daemon_does_it():
    """At its start and after a reload; announced first, then gone, and the status tells."""
    with Held() as held:
        old, new = held.quarantine.put_old(40 * DAY), held.quarantine.put().stored[0]
        with held.daemon as daemon:
            daemon.wait_log(f"quarantine={old} action=expires-soon")
            wait_for(lambda: held.upkeep()["expiry"]["looked_at"], "a look at all items")
            assert held.upkeep()["expiry"]["announced"] == 1
            assert set(held.quarantine.look()) == {old, new}
            held.quarantine.announce(old, DAY + 1)
            daemon.reload()
            daemon.wait_log(f"quarantine={old} action=expire ")
            wait_for(lambda: held.upkeep()["expiry"]["removed"] == 1, "the count")
            assert held.metric("expired_total") == 1 and held.metric("expiry_timestamp_seconds") > 1
            assert set(held.quarantine.look()) == {new}
            daemon.stop_cleanly()


def test_a_quarantine_that_is_not_there():
    """Nothing to do is no trouble; what cannot be looked at is."""
    with Held() as held:
        held.daemon.write_config(held.daemon.config.replace("quarantine = 10", "quarantine = off"))
        os.rmdir(held.quarantine.path)
        with held.daemon as daemon:
            assert held.upkeep()["last_error"] == ""
            os.mkdir(held.quarantine.path)
            os.chmod(held.quarantine.path, 0o777)
            daemon.reload()
            wait_for(lambda: held.upkeep()["last_error"] != "", "the trouble in the status")
            daemon.wait_log("quarantine: upkeep: ")
            daemon.stop_cleanly()


def fill_with_expired(quarantine, count):
    """So many copies of an item that was to go long ago, all of them announced."""
    item = quarantine.put_old(40 * DAY)
    quarantine.announce(item, DAY + 1)
    with open(quarantine.item_path(item), "rb") as file:
        content = file.read()
    for number in range(count):
        name, copy = twin(content, item, number)
        add_twin(quarantine, name, copy)
        quarantine.announce(name, DAY + 1)


def test_waiting_scans_go_first():
    """While scans wait for a server each item takes a second; afterwards it goes fast again."""
    with Workspace() as place, BadScorer(place.path) as scorer, \
            Held([scorer.listen("a", behaviour="silent")], scorer="max_connections = 1",
                 deadline="60s") as held:
        with held.daemon as daemon:
            wait_for(lambda: held.upkeep()["expiry"]["looked_at"], "the first look")
            fill_with_expired(held.quarantine, 2000)
            assert daemon.ask("reload")["ok"]       # the scans wait in what was read now
            senders = [threading.Thread(target=send, args=(daemon.address, make()))
                       for _ in range(4)]
            for sender in senders:
                sender.start()
            wait_for(lambda: daemon.status()["servers"][0]["waiting"] >= 2, "scans that wait",
                     lambda: str(daemon.status()))
            began, before = time.monotonic(), len(held.quarantine.files("new"))
            timely(before > 100, "too few were left to see anything")
            wait_for(lambda: len(held.quarantine.files("new")) < before, "some progress all the same")
            gone, took = before - len(held.quarantine.files("new")), time.monotonic() - began
            assert gone <= took + 2
            scorer.refuse("a")      # nobody waits for a server that is set aside
            scorer.clear()          # and the scan that it has in hand ends
            for sender in senders:
                sender.join()
            # at a second each it would take half an hour
            wait_for(lambda: held.quarantine.files("new") == [], "the rest to go", timeout=300)
            daemon.stop_cleanly()


def test_an_item_in_a_domains_own_maildir(quarantine):
    """Held below domains/: it expires, is announced and leaves nothing behind all the same."""
    old = quarantine.put_old(40 * DAY, "-m")
    new = quarantine.put("-m").stored[0]
    assert "/domains/example.com/" in quarantine.item_path(old)
    tool = Tool(quarantine)
    assert f"quarantine={old} action=expires-soon" in tool.run("expire", "--yes").stderr
    quarantine.announce(old, DAY + 1)
    assert tool.json("expire", "--yes")["removed"] == 1
    assert set(quarantine.look()) == {new} and quarantine.files("digest") == []

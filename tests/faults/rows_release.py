# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F39 to F41: tools that race, mail servers that refuse, items that were damaged."""

import os
import random
import re
import sys
import threading
import time
from collections import Counter

from support import nodes
from support.matrix import CannotRun
from support.smtp import Sink

from .bench import Figure, row

# the quarantine's equipment stands beside its tests, and needs its two helpers from the build
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "quarantine"))
# pylint: disable=wrong-import-position,wrong-import-order
from quarantine import Quarantine, Tool, helper     # noqa: E402

MARKED = re.compile(rb"; id=([a-z2-7]{26});")
GONE = re.compile(r"no item|not there|somebody else is at work on it")


def _equipment():
    if not os.access(helper("put"), os.X_OK):
        raise CannotRun("tests/quarantine/put is not built (make tests/quarantine/put)")


class _Race:
    """Loops of four tools over the same items, and what each of them did."""

    def __init__(self, place, tool, seconds):
        self.place = place
        self.tool = tool
        self.until = time.monotonic() + seconds
        self.stored = []
        self.deleted = []
        self.odd = []
        self.lock = threading.Lock()

    def _loop(self, work):
        chance = random.Random(work.__name__)
        while time.monotonic() < self.until:
            work(chance)

    def store(self, _):
        new = self.place.put("-n", "5").stored
        with self.lock:
            self.stored += new

    def _some(self, chance):
        with self.lock:
            return chance.choice(self.stored[-15:]) if self.stored else None

    def release(self, chance):
        item = self._some(chance)
        if item:
            done = self.tool.run("release", item, code=None)
            if done.returncode and not GONE.search(done.stdout + done.stderr):
                self.odd.append(done.stdout + done.stderr)

    def delete(self, chance):
        item = self._some(chance)
        if item and self.tool.run("delete", item, code=None).returncode == 0:
            self.deleted.append(item)

    def look(self, _):
        self.tool.run("list", code=None)
        self.tool.run("expire", "--older-than", "1d", "--yes", code=None)

    def run(self):
        works = [self.store, self.release, self.release, self.delete, self.look]
        threads = [threading.Thread(target=self._loop, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@row("F39", "tools and writers race for the same items",
     "loops of store, release, release, delete, expire and list at once, 60 s (6 without --long)",
     "each item is released once, or deleted, or still there")
def races(extent):
    _equipment()
    seconds = extent.pick(3, 6, 60)
    with Quarantine() as place, Sink() as sink:
        race = _Race(place, Tool(place, release=f"smtp://127.0.0.1:{sink.port}"), seconds)
        race.run()
        released = Counter(MARKED.search(delivery.data).group(1).decode()
                           for delivery in sink.deliveries)
        left = place.look()
    gone = set(released) | set(race.deleted)
    lost = set(race.stored) - gone - set(left)
    return [Figure(f"double releases of {len(released)}",
                   sum(count > 1 for count in released.values()), 0),
            Figure(f"lost of {len(race.stored)}", len(lost), 0),
            Figure("released as well as deleted", len(set(released) & set(race.deleted)), 0),
            Figure("refusals without a reason", len(race.odd), 0),
            Figure("damaged", sum(state != "good" for state in left.values()), 0)]


@row("F40", "release target down, 4xx, 5xx, drops after the final dot, refuses one recipient",
     "SMTP sink with 16 bad answers at each step of the dialogue",
     "the item stays until 250 to the dot; each recipient has a state of its own; a second copy "
     "only after a drop behind the dot, and only when asked for")
def bad_targets(extent):
    found = nodes.run(*(f"quarantine/test_release.py::test_{name}" for name in (
        "mail_server_that_says_no", "server_that_is_not_there", "only_some_are_taken",
        "again_only_when_asked", "sendmail_that_fails", "sendmail_that_is_not_there")))
    return [Figure("bad targets, nothing lost, nothing twice", found.all_passed(), 20,
                   least=True)]


def _injure(content, number, chance):
    """A copy with one bit flipped, or cut."""
    if number % 4 == 3:
        return content[:chance.randrange(len(content))]
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1:]


@row("F41", "item damaged on the disk", "one bit flipped, or the file cut, anywhere",
     "found by its checksum, shown as damaged, never released")
def damaged_items(extent):
    _equipment()
    count = extent.pick(100, 300, 2000)
    chance = random.Random(41)
    with Quarantine() as place, Sink() as sink:
        tool = Tool(place, release=f"smtp://127.0.0.1:{sink.port}")
        item = place.put().stored[0]
        path = place.item_path(item)
        with open(path, "rb") as file:
            content = file.read()
        missed = released = 0
        for number in range(count):
            injured = _injure(content, number, chance)
            with open(path, "wb") as file:
                file.write(injured)
            missed += place.look().get(item) == "good"
            if number % 20 == 0:
                missed += tool.run("verify", code=None).returncode == 0
                tool.run("release", item, code=None)
                released += len(sink.deliveries)
    return [Figure(f"not detected of {count}", missed, 0), Figure("released", released, 0)]

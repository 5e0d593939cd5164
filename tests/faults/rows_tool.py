# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F17t and F18t: each command of the tool when allocations and system calls fail."""

import contextlib
import errno
import json
import os
import time

from ctl.test_transcripts import HERE, Place, names, parse
from support import ports
from support.badscorer import BadScorer
from support.daemon import Workspace
from support.matrix import CannotRun, Failed, Figure
from support.messages import make
from support.mta import send

from .bench import row
from .kinds import sample
from .preload import CALLS, MEMORY, NEVER, SYSTEM, Preload

HELD = make(score="12.3", tests="A_RULE")
# Beside those of the transcripts: what asks many functions of the tool in one go.
MORE = ["quarantine list --json", "quarantine search --body line", "quarantine show --json {ID}",
        "quarantine show --raw {ID}", "quarantine stats --json", "quarantine verify --json {ID}",
        "quarantine release --dry-run --json {ID}", "quarantine expire --now --yes --json",
        "quarantine delete --yes --json {ID}", "doctor --json", "what-if --json new.conf mail.log",
        "score --json message.eml", "show-policy --json bob@example.com a@strict.example",
        "import spamass-milter --json spamass-milter", "postfix enable --dry-run --json",
        "explain --log mail.log --json 4HOLD", "check-config --json", "metrics --json",
        "reload --json"]
SLOWEST_S = 30


class _Commands:
    """A place with a daemon, and the tool's commands there, with a library preloaded."""

    def __init__(self, place, preload):
        self.place = place
        self.preload = preload
        self.trouble = []
        self.codes = {}

    def all(self):
        """Each command line once, {ID} not filled in."""
        shown = [command for name in names() for command, _ in parse((HERE / name).read_text())]
        return list(dict.fromkeys(shown + ["spambridgectl " + words for words in MORE]))

    def _prepare(self, command):
        """As before the last command: a held item, and Postfix as it was."""
        place = self.place
        if "{ID}" in command or "expire" in command:
            place.item = self._item()
        if "postfix" in command:
            place.write_files(place.path / "postfix", place.path / "queue")
        return place.fill_in(command)

    def _item(self):
        def first():
            found = self.place.tool("quarantine", "list", "--state", "held", "--json")
            return found.json[0]["id"][:10] if found.code == 0 and found.json else None
        if first() is None:
            send(self.place.daemon.address, HELD)
            ports.wait_until(lambda: first() is not None)
        return first()

    def measure(self, command, **words):
        """How often the command does what shall fail, without letting it."""
        command = self._prepare(command)
        self.preload.arm(NEVER, **words)
        self.place.call(command)
        self.preload.set(fail_at=0)
        return self.preload.get("seen")

    def fail(self, command, at, what, **words):
        """Let the fault happen once; True if it did."""
        command = self._prepare(command)
        self.preload.arm(at, **words)
        began = time.monotonic()
        found = self.place.call(command)
        self.preload.set(fail_at=0)
        if not self.preload.get("failed"):
            return False
        self.codes[found.code] = self.codes.get(found.code, 0) + 1
        if found.code < 0:
            self.trouble.append(f"{command}, {what}: signal {-found.code}")
        elif found.code not in (0, 1, 2, 75):
            self.trouble.append(f"{command}, {what}: exit status {found.code}")
        elif "--json" in command and found.code in (0, 75) and not found.err:
            self._expect_json(command, what, found)
        if time.monotonic() - began > SLOWEST_S:
            self.trouble.append(f"{command}, {what}: {time.monotonic() - began:.0f} s")
        return True

    def _expect_json(self, command, what, found):
        """Who reads it with a program is not told half of it without a word."""
        try:
            json.loads(found.out)
        except ValueError:
            self.trouble.append(f"{command}, {what}: exit status {found.code} with {found.out!r}")

    def expect_whole(self):
        """What is held has come through everything."""
        found = self.place.call("spambridgectl quarantine verify")
        if found.code:
            self.trouble.append(f"afterwards: {found.out}{found.err}")


@contextlib.contextmanager
def _commands(kind):
    if os.geteuid() != 0:
        raise CannotRun("needs root, as doctor does")
    with Workspace() as workspace, BadScorer(workspace.path) as scorer:
        place = Place(workspace, scorer)
        try:
            preload = Preload(workspace, kind)
            place.tool.environment.update(preload.environment)
            yield _Commands(place, preload)
            place.daemon.stop_cleanly()
        finally:
            place.daemon.kill()


def _figures(commands, tried, name):
    if commands.trouble:
        raise Failed(f"{len(commands.trouble)} of {tried}: " + " | ".join(commands.trouble))
    said = ", ".join(f"{count} ended with {code}" for code, count in sorted(commands.codes.items()))
    return [Figure(name, tried, 50, least=True),
            Figure(f"signals, other exit statuses, damaged items ({said})", 0, 0)]


@row("F17t", "the n-th allocation of the tool fails, once or from then on",
     "preloaded malloc, n over all that each command takes (samples unless --long)",
     "the tool ends by itself with one of its exit statuses; what is held stays whole")
def failing_allocations(extent):
    tried = sites = 0
    with _commands(MEMORY) as commands:
        for command in commands.all():
            count = commands.measure(command, persistent=0, spare=1)
            sites += count
            for persistent, wanted in ((0, extent.pick(2, 12, None)), (1, extent.pick(1, 2, 24))):
                for at in sample(count, wanted):
                    tried += commands.fail(command, at, f"allocation {at} of {count}",
                                           persistent=persistent)
        commands.expect_whole()
    return _figures(commands, tried, f"failures tried, of {2 * sites}")


@row("F18t", "the n-th system call of the tool fails",
     "preloaded: 16 families of calls, n over all that each command makes (samples unless --long)",
     "the tool ends by itself with one of its exit statuses; what is held stays whole")
def failing_calls(extent):
    tried = sites = 0
    with _commands(SYSTEM) as commands:
        for command in commands.all():
            for call in CALLS:
                words = {"call": CALLS.index(call), "error": errno.EIO}
                count = commands.measure(command, last=0, **words)
                sites += count
                for at in sample(count, min(count, extent.pick(1, 2, count))):
                    tried += commands.fail(command, at, f"{call} {at} of {count}", last=at, **words)
        commands.expect_whole()
    return _figures(commands, tried, f"calls tried, of {sites}")

# SPDX-License-Identifier: BSD-2-Clause
"""One message of each kind, on a daemon that has been shown how each ends when nothing fails.

Rows that let the n-th allocation or system call fail send these, and ask of every answer: is it the
right one, a deferral, or (for who lets unscanned mail pass) the field that says so?
"""

import concurrent.futures
import os
from contextlib import contextmanager
from dataclasses import dataclass

from support import checks, ports
from support.badscorer import ScorerProcess
from support.daemon import Daemon, Workspace
from support.matrix import Failed
from support.messages import make
from support.mta import Session
from system.items import items, unfinished

from .death import place_of_death, told

POLICY = "tag = 5\nquarantine = 10\nreject = 15\nsubject_tag = \"[spam]\""
OPTIONS = """on_failure = tempfail
late_verdicts = off
domain "open.example" { quarantine = off  reject = off  on_failure = accept }
domain "kept.example" { keep_rejected = 1d }
"""
DEADLINE_MS = 2000
FORGED = [b"X-Spam-Flag: NO", b"X-Spam-Status: No", b"X-Spam-Status: No"]
LATE_MS = 1000      # the machine is busy with a sweep; deadlines have rows of their own
LARGE = b"0123456789abcdef" * 20000 + b"\r\n"       # more than is kept in memory


@dataclass
class Kind:
    """A message and to whom it goes."""
    name: str
    raw: bytes
    recipients: tuple = ("bob@example.com",)
    holds: int = 0      # items in the quarantine that it ends in
    unscanned: bool = False     # its recipient wants it without a verdict too


KINDS = [
    Kind("ham", make(score="1.3", headers=FORGED)),
    Kind("tagged", make(score="7.3"), ("bob@open.example",), unscanned=True),
    Kind("held", make(score="12.3"), holds=1),
    Kind("refused, kept", make(score="20.3"), ("bob@kept.example",), holds=1),
    Kind("split", make(score="12.3"), ("bob@open.example", "eve@example.com"), holds=1),
    Kind("large", make(score="1.3", body=LARGE)),
]
# Every kind with one engine; one kind reaches what the dialogue of another engine has of its own.
CASES = [("spamd", "tcp", kind) for kind in KINDS] + [
    (protocol, transport, KINDS[0]) for protocol, transport in (
        ("spamd", "tls"), ("rspamd", "tcp"), ("rspamd", "tls"), ("json", "tcp"))]


class Subject:
    """The daemon of a sweep with one kind, started again when it dies; counts what happened."""

    def __init__(self, daemon, kind, name):
        self.daemon = daemon
        self.kind = kind
        self.name = name
        self.reference = None
        self.tally = {"right": 0, "deferred": 0, "unscanned": 0}
        self.trouble = []
        self.deaths = []        # inside libraries: where

    def talk(self):
        """Send the message once; its Outcome, or the error that ended the connection."""
        try:
            with Session(self.daemon.address, timeout=DEADLINE_MS / 1000 + 8) as talk:
                talk.greet()
                return talk.send_message(self.kind.raw, recipients=self.kind.recipients)
        except OSError as error:
            return error

    def learn(self):
        """What becomes of it when nothing fails; more than once, since the first ones warm up."""
        for _ in range(3):
            outcome = self.talk()
            if isinstance(outcome, OSError):
                raise Failed(f"{self.name}: {outcome!r} without any fault")
            self.take_items()
        self.reference = self.shape(outcome)

    @staticmethod
    def shape(outcome):
        """An answer and its edits; a refusal may be in other words, or in the mail server's."""
        reply = outcome.reply
        refused = reply.kind == "reject" or (reply.code or 0) // 100 == 5
        # the host behind the version is left out when there is no memory for it
        edits = [edit[:-1] if edit[-2] == b"X-Spam-Checker-Version" else edit
                 for edit in outcome.verdict.edits]
        return "refused" if refused else reply.kind, sorted(map(repr, edits))

    def take_items(self):
        """How many items were held since the last call; Failed unless all are whole."""
        ports.wait_until(lambda: not unfinished(self.daemon), timeout=10)
        if unfinished(self.daemon):
            raise Failed("a partial file is left in the quarantine")
        found = items(self.daemon)
        for item in found:
            os.unlink(item.path)
        return len(found)

    def verdict_on(self, outcome):
        """right, deferred or unscanned; anything else is a sentence about what is wrong."""
        held = self.take_items()
        if isinstance(outcome, TimeoutError):
            return "no answer at all"
        if isinstance(outcome, OSError):
            # an answer that is lost when the item is safe leads to a second copy, no less
            return "deferred" if held <= self.kind.holds else f"{held} items held"
        if outcome.kind == "tempfail" or (outcome.reply.code or 0) // 100 == 4:
            return "deferred" if held == 0 else "deferred, but held as well"
        if outcome.seconds is not None and outcome.seconds * 1000 > DEADLINE_MS + LATE_MS:
            return f"answered after {outcome.seconds:.1f} s"
        if self.shape(outcome) == self.reference:
            return "right" if held == self.kind.holds else f"{held} items held"
        value = outcome.header("X-Spam-Status") if outcome.kind in ("accept", "continue") else ""
        if self.kind.unscanned and value and checks.UNSCANNED.match(value):
            return "unscanned" if held == 0 else "unscanned, but held"
        return f"wrong: {outcome.verdict.reply} {outcome.verdict.edits}"

    def died(self):
        return ports.wait_until(lambda: not self.daemon.alive(), timeout=0.03, step=0.01)

    def bury(self, where):
        """Note how the daemon died, and start it again."""
        lines = self.daemon.last_words()
        place = place_of_death(lines)
        if place and place.startswith("lib"):
            self.deaths.append(place)
        else:
            self.trouble.append(f"{self.name}, {where}: the daemon died with status "
                                f"{self.daemon.process.returncode}: {told(lines) or lines[-1:]}")
        self.daemon.spawn()
        self.daemon.wait_ready()

    def judge(self, outcome, where):
        """Count the outcome of a fault; trouble is remembered with the place of the fault."""
        said = self.verdict_on(outcome)
        # a process that dies closes its connections a moment before
        if isinstance(outcome, OSError) and self.died():
            self.bury(where)
        elif said in self.tally:
            self.tally[said] += 1
        else:
            self.trouble.append(f"{self.name}, {where}: {said}")

    def expect_right(self, where, patience_s=10):
        """Without a fault all is as before, at the latest when the scorer is trusted again."""
        if not ports.wait_until(lambda: self.verdict_on(self.talk()) == "right", patience_s, 0.02):
            self.trouble.append(f"{self.name}, {where}: not right again afterwards")


@contextmanager
def subject(case, environment, **options):
    """A Subject, which knows its reference, on a scripted scorer."""
    protocol, transport, kind = case
    service = 'path = "/filter"\nscore = "/score"\ntests = "/rules"' if protocol == "json" else ""
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        server = scorer.listen("x", protocol=protocol, transport=transport)
        if transport == "tls":
            service += f'\nca_file = "{scorer.certificate()}"'
        with Daemon([server], protocol=protocol, scorer=f"max_connections = 50\n{service}",
                    policy=POLICY, options=OPTIONS, deadline=f"{DEADLINE_MS}ms",
                    environment=environment, **options) as daemon:
            found = Subject(daemon, kind, f"{protocol} {transport} {kind.name}")
            found.learn()
            yield found
            if daemon.alive():
                daemon.stop_cleanly()


def sweep_all(sweep, extent, at_once=5):
    """Call sweep(case, extent) -> dict of numbers and lists for every case; the results added up."""
    total = {}
    with concurrent.futures.ThreadPoolExecutor(at_once) as threads:
        for result in threads.map(lambda case: sweep(case, extent), CASES):
            for name, value in result.items():
                total[name] = total[name] + value if name in total else value
    return total


def sample(count, wanted):
    """Numbers from 1 to count: all, or so many, evenly spread, with the first and the last."""
    if wanted is None or wanted >= count:
        return list(range(1, count + 1))
    return sorted({1 + round(n * (count - 1) / max(1, wanted - 1)) for n in range(wanted)})

# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F17s and F18s: allocations and system calls that fail while the daemon starts."""

import contextlib
import errno
import os
import subprocess

from support import checks, ports
from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace, knows
from support.matrix import Failed, Figure
from support.messages import make
from support.mta import Session

from .bench import row
from .kinds import POLICY, sample
from .preload import CALLS, MEMORY, NEVER, SYSTEM, Preload

READY_S = 20
REFUSALS = (1, 2)       # ours, and that of libConfuse's scanner without memory
STARTS = {"http": 'http_listen = "127.0.0.1:{port}"\n'}


class _Starts:
    """A daemon that is started again and again, with a library preloaded."""

    def __init__(self, place, kind, scorer):
        self.preload = Preload(place, kind)
        options = 'domain "strict.example" { reject = 6.0 }\n'
        if knows('http_listen = "127.0.0.1:9885"'):
            options += STARTS["http"].format(port=ports.free_port())
        self.daemon = Daemon([scorer.listen("good", transport="unix")], workspace=place,
                             policy=POLICY, options=options,
                             environment=self.preload.environment)
        self.trouble = []
        self.seen = 0       # what could fail until the last one was ready
        self.lasting = False    # nothing works any more: then it may end at any time, and be mute
        self.tally = {"refused": 0, "ready": 0}

    def _end(self, what):
        """One that got ready answers; all end by themselves, without a socket of theirs."""
        daemon = self.daemon
        try:
            with Session(daemon.address, timeout=READY_S) as talk:
                talk.greet()
                outcome = talk.send_message(make(score="1.3"))
            if checks.status(outcome)["score"] != "1.3":
                self.trouble.append(f"{what}: answered {outcome.verdict.edits}")
        except (OSError, AssertionError, KeyError) as error:
            if not self.lasting:
                self.trouble.append(f"{what}: ready, but {error!r}")
        daemon.process.terminate()

    def run(self, what):
        """Start, see how it ends, end it; what it did is counted."""
        daemon = self.daemon
        daemon.lines.clear()
        daemon.spawn()
        daemon.notify.settimeout(0.02)
        ready = False
        while not ready and daemon.process.poll() is None:
            with contextlib.suppress(TimeoutError):
                ready = b"READY=1" in daemon.notify.recv(4096)
            # a notification may be what fails
            ready = ready or any("listens on" in line for line in daemon.lines)
        self.seen = self.preload.get("seen")
        self.preload.set(fail_at=0)
        if ready:
            self._end(what)
        try:
            code = daemon.process.wait(READY_S)
        except subprocess.TimeoutExpired:
            daemon.process.kill()
            code = daemon.process.wait()
        daemon._finish()        # pylint: disable=protected-access
        self._judge(what, ready, code)

    def _judge(self, what, ready, code):
        self.tally["ready" if ready else "refused"] += 1
        good = REFUSALS if not ready else (0, 1) if self.lasting else (0,)
        if code not in good:
            self.trouble.append(f"{what}: {'ready' if ready else 'refused'}, exit status {code}")
        elif not ready and not self.daemon.lines and not self.lasting:
            self.trouble.append(f"{what}: refused without a reason")
        if os.path.exists(self.daemon.workspace.file("milter.sock")) and ready:
            self.trouble.append(f"{what}: left its socket behind")

    def measure(self, **words):
        """How often a start does what shall fail."""
        self.preload.arm(NEVER, **words)
        self.run("without a fault")
        return self.seen

    def fail(self, at, what, **words):
        """Let the fault happen once while it starts; True if it did."""
        self.preload.arm(at, **words)
        self.run(what)
        return self.preload.get("failed") > 0


@contextlib.contextmanager
def _starts(kind):
    with Workspace() as place, BadScorer(place.path) as scorer:
        yield _Starts(place, kind, scorer)


def _figures(starts, tried, name):
    if starts.trouble:
        raise Failed(f"{len(starts.trouble)} of {tried}: " + " | ".join(starts.trouble))
    return [Figure(name, tried, 5, least=True),
            Figure(f"crashes, hangs, refusals without a reason ({starts.tally['refused']} refused "
                   f"to start, {starts.tally['ready']} served)", 0, 0)]


@row("F17s", "the n-th allocation of a starting daemon fails, once or from then on",
     "preloaded malloc, n over all until it is ready (samples unless --long)",
     "it says why and ends, or it is ready and answers")
def failing_allocations(extent):
    tried = 0
    with _starts(MEMORY) as starts:
        count = starts.measure(persistent=0, spare=1)
        for persistent, wanted in ((0, extent.pick(6, 60, None)), (1, extent.pick(2, 10, 60))):
            starts.lasting = bool(persistent)
            for at in sample(count, wanted):
                tried += starts.fail(at, f"allocation {at} of {count}", persistent=persistent)
    return _figures(starts, tried, f"failures tried, of {2 * count}")


@row("F18s", "the n-th system call of a starting daemon fails",
     "preloaded: 16 families of calls, n over all until it is ready (samples unless --long)",
     "it says why and ends, or it is ready and answers")
def failing_calls(extent):
    tried = sites = 0
    with _starts(SYSTEM) as starts:
        for call in CALLS:
            words = {"call": CALLS.index(call), "error": errno.EIO}
            count = starts.measure(last=0, **words)
            sites += count
            for at in sample(count, min(count, extent.pick(1, 3, count))):
                tried += starts.fail(at, f"{call} {at} of {count}", last=at, **words)
    return _figures(starts, tried, f"calls tried, of {sites}")

# SPDX-License-Identifier: BSD-2-Clause
"""What fault rows share: figures with limits, the registry, a daemon with a scorer, stall runs."""

import os
import struct
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass

from support import checks, ports
from support.badscorer import ScorerProcess
from support.daemon import Daemon, Workspace, run, scorer_section
from support.messages import make
from support.mta import Session, burst
from support.namespace import Unavailable, run_isolated

OVERSHOOT_MS = 100
ROWS = []


class CannotRun(Exception):
    """The row needs something that is not here; the text says what."""


class Failed(Exception):
    """An outcome that no figure expresses."""


@dataclass
class Figure:
    """A measured number and the most that it may be."""
    name: str
    value: float
    limit: float
    unit: str = ""

    @property
    def good(self):
        return self.value <= self.limit

    def __str__(self):
        shown = f"{self.value:.1f}".rstrip("0").rstrip(".") if self.value % 1 else int(self.value)
        limit = f"{self.limit:g}"
        return f"{self.name} {shown}{self.unit and ' ' + self.unit} (<= {limit})"


@dataclass
class Row:
    """One line of the fault matrix."""
    id: str
    what: str
    how: str
    function: object
    isolated: bool      # runs in network and mount namespaces of its own (root only)

    def run(self, quick):
        """The row's figures."""
        if not self.isolated:
            return self.function(quick)
        try:
            return run_isolated(self.function, quick)
        except Unavailable as why:
            raise CannotRun(f"needs root and namespaces: {why}") from why


def row(identity, what, how, isolated=False):
    """Register a function(quick) -> list of Figure as a row."""
    def register(function):
        ROWS.append(Row(identity, what, how, function, isolated))
        return function
    return register


@contextmanager
def bench(behaviour="correct", protocol="spamd", transport="tcp", scorer_options=None, **options):
    """A scorer process with one listener "x", and a daemon that uses it: (daemon, scorer)."""
    need(protocol)
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        server = scorer.listen("x", protocol=protocol, behaviour=behaviour, transport=transport,
                               **(scorer_options or {}))
        options.setdefault("scorer", "max_connections = 1000")
        with Daemon([server], protocol=protocol, **options) as daemon:
            yield daemon, scorer
            if not daemon.alive():
                raise Failed(f"the daemon died with status {daemon.process.returncode}")


def need(protocol):
    """CannotRun unless this build knows the scorer protocol."""
    server = "tcp://127.0.0.1:9" if protocol == "spamd" else "http://127.0.0.1:9"
    with Workspace() as place:
        path = place.file("probe.conf")
        Daemon(workspace=place, config=scorer_section("x", [server], protocol) + 'user = "nobody"')
        os.rename(place.file("spambridge.conf"), path)
        answer = run("spambridge", "-t", "-c", path)
        if answer.returncode and "protocol" in answer.stderr:
            raise CannotRun(f"no {protocol} in this build")


def verdicts(outcomes):
    """Outcomes by what their header says: (scored, unscanned); Failed for anything else."""
    scored, unscanned = [], []
    for outcome in outcomes:
        if outcome.verdict is None:
            raise Failed("a connection broke")
        value = outcome.header("X-Spam-Status") if outcome.kind in ("accept", "continue") else None
        if value and checks.STATUS.match(checks.unfold(value)):
            scored.append(outcome)
        elif value and checks.UNSCANNED.match(value):
            unscanned.append(outcome)
        else:
            raise Failed(f"answer {outcome.verdict.reply} with status {value}")
    return scored, unscanned


def stall(behaviour, quick, deadline_ms=1000, protocol="spamd", raw=None, total=1000, batch=50,
          **options):
    """Messages to a scorer that stalls, a batch at a time; the worst overshoot in ms.

    Each batch has a daemon of its own: one that knows that its scorer is dead answers at once.
    """
    worst, answered, left = 0.0, 0, 0
    rounds = 2 if quick else total // batch
    for _ in range(rounds):
        with bench(behaviour, protocol, deadline=f"{deadline_ms}ms", **options) as (daemon, _):
            with Session(daemon.address) as talk:   # libmilter opens its own with the first one
                talk.greet()
            descriptors = daemon.fds()
            outcomes = burst(daemon.address, [raw or make()] * batch, freeze=daemon.pid())
            if verdicts(outcomes)[0]:
                raise Failed("a stalled scorer gave a verdict")
            worst = max(worst, *(o.seconds * 1000 - deadline_ms for o in outcomes))
            answered += len(outcomes)
            # a probe may be under way; libcurl has a wake-up pair beside the connection
            probe = 1 if protocol == "spamd" else 3
            left = max(left, growth(daemon.fds, descriptors + probe))
    return [Figure(f"overshoot of {answered}", worst, OVERSHOOT_MS, "ms"),
            Figure("descriptors left", left, 0)]


def growth(measure, before, timeout=5):
    """How much more there is of something than before, once things have settled."""
    ports.wait_until(lambda: measure() <= before, timeout=timeout)
    return max(0, measure() - before)


class Preload:
    """preload.c, compiled and switched on for a daemon through its environment."""

    def __init__(self, place):
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "preload.c")
        library = place.file("preload.so")
        compiler = os.environ.get("CC", "cc").split()
        try:
            subprocess.run([*compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"],
                           check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise CannotRun("no C compiler for the preloaded library") from error
        self.path = place.file("control")
        self.environment = {"LD_PRELOAD": library, "FAULT_CONTROL": self.path}
        self.set()
        os.chmod(self.path, 0o644)

    def set(self, clock_offset_s=0, fail_threads=0, monotonic_offset_s=0):
        """Take effect at once, in place: the daemon has the file mapped."""
        flags = os.O_RDWR | os.O_CREAT
        descriptor = os.open(self.path, flags, 0o644)
        os.write(descriptor, struct.pack("=qqq", clock_offset_s, fail_threads, monotonic_offset_s))
        os.close(descriptor)

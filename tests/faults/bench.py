# SPDX-License-Identifier: BSD-2-Clause
"""What fault rows share: the table, a daemon with a scorer, runs of many messages."""

import os
from contextlib import contextmanager

from support import checks, ports
from support.badscorer import ScorerProcess
from support.daemon import Daemon, Workspace, run, scorer_section
from support.matrix import CannotRun, Failed, Figure, Matrix
from support.messages import make
from support.mta import Session, burst

OVERSHOOT_MS = 100
SCHEMES = {"spamd": "tcp", "rspamd": "http", "json": "http"}
MATRIX = Matrix()
row = MATRIX.row


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


def stall(behaviour, extent, deadline_ms=1000, protocol="spamd", raw=None, usual=300, batch=50,
          **options):
    """Messages to a scorer that stalls, a batch at a time; the worst overshoot in ms.

    Each batch has a daemon of its own: one that knows that its scorer is dead answers at once.
    """
    worst, answered, left = 0.0, 0, 0
    rounds = extent.pick(2 * batch, usual, 1000) // batch
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
            # a probe may be under way (libcurl has a wake-up pair beside the connection), and a
            # look of the daemon's at its own socket, which has two ends there
            probe = 1 if protocol == "spamd" else 3
            left = max(left, growth(daemon.fds, descriptors + probe + 2))
    return [Figure(f"overshoot of {answered}", worst, OVERSHOOT_MS, "ms"),
            Figure("descriptors left", left, 0)]


def growth(measure, before, timeout=5):
    """How much more there is of something than before, once things have settled."""
    ports.wait_until(lambda: measure() <= before, timeout=timeout)
    return max(0, measure() - before)

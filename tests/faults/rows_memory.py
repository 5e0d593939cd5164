# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F17 and F28: allocations that fail, and a limit on memory."""

import functools
from collections import Counter

from support import ports
from support.daemon import Workspace
from support.messages import make
from support.mta import burst, send
from system.items import items

from . import bench as b
from .bench import Failed, Figure, row
from .kinds import POLICY, sample, subject, sweep_all
from .preload import MEMORY, Preload

# Blocks that a daemon may have more of after a sweep of hundreds: queues and tables of threads that
# came and went while it ran. A leak of one block at one place would show as one more for each pass.
MORE_BLOCKS = 40
TEN_MB = b"0123456789abcdef" * 640 * 1024 + b"\r\n"


def _fail(found, preload, at, persistent):
    """Let an allocation fail while one message is handled; False if there was none any more."""
    preload.arm(at, persistent=persistent)
    outcome = found.talk()
    preload.set(fail_at=0)
    if not preload.get("failed"):
        found.take_items()
        return False
    where = f"allocation {at}{' and all later ones' if persistent else ''}"
    found.judge(outcome, where)
    found.expect_right(f"after {where}")
    return True


def _settled(preload):
    """Blocks in use once nothing is under way any more."""
    lowest = preload.get("live")
    for _ in range(20):
        ports.wait_until(lambda: False, timeout=0.05)
        lowest = min(lowest, preload.get("live"))
    return lowest


def _allocations(found, preload):
    """How many one message takes."""
    preload.set(seen=0)
    found.talk()
    found.take_items()
    return preload.get("seen")


def _sweep(case, amount, spare=0):
    """So many, or all, of the allocations that one message reaches; not libcrypto's if spared."""
    once, lasting = amount
    with Workspace() as place:
        preload = Preload(place, MEMORY)
        preload.set(spare=spare)
        with subject(case, preload.environment) as found:
            count = _allocations(found, preload)
            for at in sample(count, 5):     # warms up what is only reached this way
                _fail(found, preload, at, 0)
                if lasting != 0:
                    _fail(found, preload, at, 1)
            before = _settled(preload)
            deaths = len(found.deaths)
            tried = [_fail(found, preload, at, persistent)
                     for persistent, wanted in ((0, once), (1, lasting))
                     for at in sample(count, wanted)]
            # a daemon that was started again has another number of blocks
            left = max(0, _settled(preload) - before) if len(found.deaths) == deaths else 0
    return {"sites": count, "tried": sum(tried), "blocks": [left], "trouble": found.trouble,
            "deferred": found.tally["deferred"], "deaths": found.deaths}


def _by_name(places):
    """Where daemons died, and how often."""
    return "".join(f", {count} in {place}" for place, count in sorted(Counter(places).items()))


def _figures(total):
    if total["trouble"]:
        raise Failed(f"{len(total['trouble'])} of {total['tried']}: " + " | ".join(total["trouble"]))
    return [Figure(f"failures tried, of {2 * total['sites']}", total["tried"], 50, least=True),
            Figure(f"crashes of our own, hangs, wrong outcomes ({total['deferred']} deferred)", 0, 0),
            Figure(f"crashes inside libraries{_by_name(total['deaths'])}", len(total["deaths"]), 0),
            Figure("most blocks left by a sweep", max(total["blocks"]), MORE_BLOCKS)]


@row("F17", "the n-th allocation fails, once or from then on",
     "preloaded malloc, n over all that a message of each kind takes (samples unless --long)",
     "that message is deferred or right, the next one is right, nothing leaks")
def failing_allocations(extent):
    return _figures(sweep_all(_sweep, extent.pick((8, 3), (24, 6), (None, None))))


@row("F17o", "each allocation that is not libcrypto's fails once",
     "as F17, n over all (samples with --quick)",
     "that message is deferred or right, the next one is right, nothing leaks")
def failing_own_allocations(extent):
    return _figures(sweep_all(functools.partial(_sweep, spare=1),
                              extent.pick((8, 0), (None, 0), (None, 0))))


@row("F28", "memory limit", "RLIMIT_AS 1 GiB, 100 sessions with 10 MB each at once",
     "bodies go to files, every message is answered, nothing is killed")
def little_memory(extent):
    count = extent.pick(20, 100, 100)
    held = make(score="12.3", body=TEN_MB)
    with b.bench(limits=[f"--as={1 << 30}"], deadline="60s", policy=POLICY,
                 options="on_failure = tempfail", scorer="max_connections = 100") as (daemon, _):
        send(daemon.address, make())
        outcomes = burst(daemon.address, [held] * count)
        stored = sum(outcome.kind == "discard" for outcome in outcomes)
        put_off = sum(outcome.verdict is not None and outcome.kind in ("tempfail", "replycode")
                      for outcome in outcomes)
        lost = stored - len(items(daemon))
        peak = daemon.peak_rss_kib() / 1024
        b.verdicts([send(daemon.address, make())])
    return [Figure("peak memory", peak, 128, "MiB"),
            Figure(f"neither held nor deferred of {count} ({stored} held)",
                   count - stored - put_off, 0),
            Figure("lost", lost, 0)]

# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F18, F19, F21, F38: system calls that fail, move one byte, lie or take long."""

import errno

from support import ports
from support.badscorer import ScorerProcess
from support.daemon import Daemon, Workspace
from support.messages import corpus, make
from support.mta import Session, burst, send
from system.items import items, unfinished

from . import bench as b
from .bench import Failed, Figure, row
from .kinds import POLICY, Subject, sample, subject, sweep_all
from .preload import CALLS, NEVER, SYSTEM, Preload

ERRORS = ["EIO", "ENOSPC", "EINTR", "EAGAIN", "EMFILE", "ENOMEM"]
SHORTENED = 60000       # bytes of a message that is moved byte by byte
HELD = make(score="12.3")


def _arm(preload, call, at, error="EIO", last=None):
    """Let the calls from number at to last fail, counted from now."""
    preload.arm(at, call=CALLS.index(call), error=getattr(errno, error),
                last=at if last is None else last)


def _count(found, preload, call):
    """How many calls of a family one message takes."""
    _arm(preload, call, NEVER)
    found.talk()
    found.take_items()
    preload.set(fail_at=0)
    return preload.get("seen")


def _sweep(case, extent):
    """Each family of calls, each error, samples or all of the calls that one message makes."""
    wanted = extent.pick(1, 1, None)
    pairs = sites = 0
    with Workspace() as place:
        preload = Preload(place, SYSTEM)
        with subject(case, preload.environment) as found:
            before = found.daemon.fds()
            for call in CALLS:
                count = _count(found, preload, call)
                sites += count
                for number, error in enumerate(ERRORS):
                    # another call for each error, where not all are tried
                    for at in sample(count, wanted and min(count, wanted)):
                        at = at if extent.long else 1 + (at + number) % count
                        _arm(preload, call, at, error)
                        outcome = found.talk()
                        preload.set(fail_at=0)
                        where = f"{call} {at} of {count} fails with {error}"
                        found.judge(outcome, where)
                        found.expect_right(f"after {where}")
                        pairs += preload.get("failed") > 0
            left = b.growth(found.daemon.fds, before + 2)   # a kept connection may be in hand
    return {"sites": sites, "pairs": pairs, "trouble": found.trouble, "left": [left],
            "deferred": found.tally["deferred"]}


@row("F18", "the n-th system call fails",
     "preloaded: 16 families of calls, 6 errors, n over all that a message of each kind makes "
     "(samples unless --long)",
     "that message is deferred or right, the next one is right, no descriptor is lost")
def failing_calls(extent):
    total = sweep_all(_sweep, extent)
    if total["trouble"]:
        raise Failed(f"{len(total['trouble'])} of {total['pairs']}: " +
                     " | ".join(total["trouble"]))
    return [Figure(f"pairs tried, of {total['sites'] * len(ERRORS)}", total["pairs"], 50,
                   least=True),
            Figure(f"wrong outcomes ({total['deferred']} deferred)", 0, 0),
            Figure("most descriptors left by a sweep", max(total["left"]), 0)]


def _answers(daemon, messages):
    """What the daemon says to each of them, with every edit."""
    found = []
    with Session(daemon.address, timeout=60) as talk:
        talk.greet()
        for raw in messages:
            outcome = talk.send_message(raw)
            found.append((outcome.reply, outcome.verdict.edits))
    return found


@row("F19", "reads and writes move one byte", "preloaded read, write, recv, send and their kin",
     "the same answers and edits as without, for every message of the corpus")
def short_io(extent):
    messages = [raw for _, raw in corpus() if len(raw) < SHORTENED]
    messages = messages[::10] if extent.quick else messages
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        preload = Preload(place, SYSTEM)
        server = scorer.listen("x")
        with Daemon([server], deadline="20s", environment=preload.environment) as daemon:
            whole = _answers(daemon, messages)
            preload.set(short_io=1)
            pieces = _answers(daemon, messages)
            preload.set(short_io=0)
    different = sum(one != other for one, other in zip(whole, pieces))
    return [Figure(f"different answers of {len(messages)}", different, 0)]


@row("F21", "ENOSPC only when the data are synced, closed or renamed",
     "preloaded fsync, close, renameat2 on the quarantine's way, each n",
     "deferred, nothing left, and the file is not synced again")
def late_errors(extent):
    false = again = tried = 0
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        preload = Preload(place, SYSTEM)
        with Daemon([scorer.listen("x")], policy=POLICY, deadline="3s",
                    environment=preload.environment) as daemon:
            found = Subject(daemon, None, "held")
            send(daemon.address, HELD)      # the folders are made with the first one
            found.take_items()
            for call, most in (("fsync", 2), ("rename", 1)):
                for at in range(1, most + 1):
                    for error in ("ENOSPC", "EIO", "EDQUOT"):
                        _arm(preload, call, at, error)
                        outcome = send(daemon.address, HELD)
                        again += call == "fsync" and at == 1 and preload.get("seen") > 1
                        preload.set(fail_at=0)
                        false += outcome.kind == "discard" or found.take_items() > 0
                        tried += preload.get("failed")
            false += send(daemon.address, HELD).kind != "discard"
    return [Figure("late errors", tried, 9, least=True), Figure("false successes", false, 0),
            Figure("synced again after an error", again, 0)]


@row("F38", "disk slow", "preloaded fsync that takes 5 s, deadline 1 s",
     "deferred by the deadline; what finishes later is removed; others' mail does not wait")
def slow_disk(extent):
    count = extent.pick(5, 20, 20)
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        preload = Preload(place, SYSTEM)
        with Daemon([scorer.listen("x")], policy=POLICY, deadline="1s",
                    scorer="max_connections = 100", environment=preload.environment) as daemon:
            send(daemon.address, HELD)
            before = {item.id for item in items(daemon)}
            preload.set(call=CALLS.index("fsync"), delay_ms=5000)
            outcomes = burst(daemon.address, [HELD, make()] * count)
            slow, others = outcomes[::2], outcomes[1::2]
            if any(outcome.kind not in ("replycode", "tempfail") for outcome in slow):
                raise Failed("not deferred")
            b.verdicts(others)
            over = max(outcome.seconds for outcome in slow) * 1000 - 1000
            waited = max(outcome.seconds for outcome in others) * 1000
            preload.set(delay_ms=0)
            ports.wait_until(lambda: not unfinished(daemon), timeout=30)
            ports.wait_until(lambda: {item.id for item in items(daemon)} == before, timeout=10)
            left = len({item.id for item in items(daemon)} - before) + len(unfinished(daemon))
            back = send(daemon.address, HELD).kind
    return [Figure("overshoot", over, b.OVERSHOOT_MS, "ms"), Figure("left on the disk", left, 0),
            Figure("slowest of the others", waited, 1100, "ms"),
            Figure("held again afterwards", int(back == "discard"), 1, least=True)]

# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F14 to F16, F26, F27, F32, F37: resolver, clock, descriptors, threads, log."""

import os
import socket
import threading
import time

from support import ports
from support.badscorer import ScorerProcess
from support.daemon import Daemon, Workspace
from support.messages import make
from support.mta import Session, burst, send
from support.namespace import own_resolver

from . import bench as b
from .bench import Failed, Figure, row
from .rows_scorer import seconds_to_score


def _named(server):
    """The server's address with a name in it."""
    return server.replace("127.0.0.1", "scorer.test")


@row("F14", "resolver hangs", "nameserver that never answers", isolated=True)
def resolver_hangs(quick):
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        names = own_resolver(place.path)
        server = _named(scorer.listen("x", score="7.3"))
        with Daemon([server], deadline="1s", options="resolve_every = 1s") as daemon:
            seconds_to_score(daemon, 10)
            names.mode = "hang"
            outcomes = burst(daemon.address, [make()] * 20)
            for _ in range(10 if quick else 100):
                outcomes += [send(daemon.address, make()) for _ in range(10)]
            failed = len(b.verdicts(outcomes)[1])
            slowest = max(outcome.seconds for outcome in outcomes) * 1000
        began = time.monotonic()
        with Daemon([server], deadline="1s") as daemon:
            started = time.monotonic() - began
            late = burst(daemon.address, [make()] * 20)
            b.verdicts(late)
        names.close()
    return [Figure(f"unscanned of {len(outcomes)} with a known address", failed, 0),
            Figure("slowest of them", slowest, 1000, "ms"), Figure("start", started, 3, "s"),
            Figure("overshoot", max(0, max(o.seconds for o in late) * 1000 - 1000), b.OVERSHOOT_MS,
                   "ms")]


@row("F15", "resolver says NXDOMAIN or garbage, then another address", "DNS stub", isolated=True)
def resolver_lies(quick):
    failed = sent = 0
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        names = own_resolver(place.path, options="options timeout:1 attempts:1")
        server = _named(scorer.listen("x", score="7.3"))
        with Daemon([server], deadline="1s", options="resolve_every = 1s") as daemon:
            seconds_to_score(daemon, 10)
            for names.mode in ("nxdomain", "servfail", "garbage"):
                until = time.monotonic() + (2 if quick else 20)
                while time.monotonic() < until:
                    failed += len(b.verdicts([send(daemon.address, make())])[1])
                    sent += 1
            names.mode, names.addresses = "answer", ["127.0.0.77"]
            began = time.monotonic()        # nobody listens there: adopted once mail fails
            while b.verdicts([send(daemon.address, make())])[0]:
                if time.monotonic() - began > 30:
                    break
            adopted = time.monotonic() - began
            names.addresses = ["127.0.0.1"]
            back = seconds_to_score(daemon, 30)
        names.close()
    return [Figure(f"failed mails of {sent}", failed, 0),
            Figure("to adopt another address on a timer of 1 s", max(adopted, back), 4, "s")]


@row("F16", "clock jumps by a day, both ways", "preloaded wall clock")
def clock_jump(quick):
    worst = 0.0
    with Workspace() as place:
        preload = b.Preload(place)
        with b.bench("silent", deadline="1s", environment=preload.environment) as (daemon, _):
            for offset in (86400, -86400, 0):
                with Session(daemon.address) as talk:
                    talk.greet()
                    talk.prepare(make())
                    talk.milter.send_eom()
                    preload.set(clock_offset_s=offset)
                    worst = max(worst, talk.milter.wait_verdict().seconds * 1000 - 1000)
                b.verdicts([send(daemon.address, make())])
    return [Figure("overshoot", worst, b.OVERSHOOT_MS, "ms")]


@row("F26", "descriptors exhausted", "RLIMIT_NOFILE 128, 200 clients")
def no_descriptors(quick):
    with b.bench(scorer_options={"score": "7.3"}, limits=["--nofile=128:128"],
                 options="max_sessions = 50", scorer="max_connections = 4") as (daemon, _):
        clients = []
        for _ in range(200):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            client.connect_ex(daemon.address[5:])
            clients.append(client)
        threading.Event().wait(1)
        before = daemon.cpu_seconds()
        watch_s = 3 if quick else 20
        threading.Event().wait(watch_s)
        share = (daemon.cpu_seconds() - before) / watch_s * 100
        for client in clients:
            client.close()
        recovered = seconds_to_score(daemon, 30)
    return [Figure("CPU", share, 5, "%"), Figure("recovery", recovered, 1, "s")]


@row("F27", "thread creation fails", "preloaded pthread_create with EAGAIN")
def no_threads(quick):
    with Workspace() as place:
        preload = b.Preload(place)
        with b.bench(scorer_options={"score": "7.3", "seconds": 0.2},
                     environment=preload.environment) as (daemon, _):
            seconds_to_score(daemon)
            preload.set(fail_threads=1)
            answered = 0
            for _ in range(5 if quick else 50):
                try:
                    with Session(daemon.address, timeout=10) as talk:
                        talk.greet()
                        answered += talk.send_message(make()).verdict is not None
                except OSError:
                    pass        # a server would defer: that is allowed, hanging is not
            preload.set()
            recovered = seconds_to_score(daemon, 30)
            if not daemon.alive():
                raise Failed("died without threads")
    return [Figure("recovery", recovered, 1, "s")]


@row("F37", "log blocked", "standard error that nobody reads")
def blocked_log(quick):
    reading, writing = os.pipe()
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        daemon = Daemon([scorer.listen("x", score="7.3")], deadline="2s")
        try:
            daemon.spawn(stderr=writing)
            daemon.wait_ready()
            slowest = 0.0
            with Session(daemon.address) as talk:
                talk.greet()
                for _ in range(2000 if quick else 20000):
                    outcome = talk.send_message(make(), sender="s" * 200 + "@example.org")
                    slowest = max(slowest, outcome.seconds * 1000)
        finally:
            os.close(writing)
            os.close(reading)
            daemon.kill()
    return [Figure("slowest", slowest, 500, "ms")]


@row("F32", "server stalls in mid-message for hours", "preloaded wall clock, two hours on")
def stalled_server(quick):
    """libmilter's limit is two hours without a word (smfi_settimeout), looked at now and then."""
    with Workspace() as place:
        preload = b.Preload(place)
        with b.bench(environment=preload.environment) as (daemon, _):
            b.verdicts([send(daemon.address, make())])
            fds = daemon.fds()
            talks = [Session(daemon.address) for _ in range(10)]
            for talk in talks:
                talk.greet()
                talk.prepare(make())
            began = time.monotonic()
            closed = []
            for hours in (2, 4, 6):     # it does not look at all of them at every turn
                preload.set(clock_offset_s=hours * 3650)
                ports.wait_until(lambda: daemon.fds() <= fds, timeout=5)
            closed = [talk.milter.at_eof(timeout=0.1) for talk in talks]
            took = time.monotonic() - began
            for talk in talks:
                talk.close()
            left = b.growth(daemon.fds, fds)
            b.verdicts([send(daemon.address, make())])
    return [Figure("still open of 10", closed.count(False), 0),
            Figure("to close after the limit", took, 30, "s"), Figure("descriptors left", left, 0)]


@row("F42", "one daemon, good and stalling and lying replies in turn", "badscorer, all at once")
def growth_of_one(quick):
    """Nothing grows: descriptors, threads, memory."""
    behaviours = ["silent", "garbage", "rst_at", "drip_body", "status_only", "correct", "correct"]
    raws = [make(headers=[b"X-Test-Behaviour: " + name.encode(), b"X-Test-At: 40"])
            for name in behaviours] * 7
    with b.bench(deadline="300ms") as (daemon, _):
        for _ in range(4):
            b.verdicts(burst(daemon.address, raws))
        ports.wait_until(lambda: False, timeout=2)      # spare threads come and go
        fds, threads, rss = daemon.fds(), daemon.threads(), daemon.rss_kib()
        rounds = 6 if quick else 100
        for _ in range(rounds):
            b.verdicts(burst(daemon.address, raws))
        return [Figure(f"descriptors left after {rounds * len(raws)}", b.growth(daemon.fds, fds + 1),
                       0),
                Figure("threads", b.growth(daemon.threads, threads, 30), 0),
                Figure("memory", max(0, daemon.rss_kib() - rss), 4096, "KiB")]

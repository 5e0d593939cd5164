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
from .preload import CLOCKS, Preload
from .rows_scorer import seconds_to_score
from .soak import BAD, MORE_DESCRIPTORS, MORE_MEMORY_KIB, MORE_THREADS, soak


def _named(server):
    """The server's address with a name in it."""
    return server.replace("127.0.0.1", "scorer.test")


@row("F14", "resolver hangs", "nameserver that never answers",
     "the known address is used, the start does not wait", isolated=True)
def resolver_hangs(extent, protocol="spamd"):
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        names = own_resolver(place.path)
        server = _named(scorer.listen("x", protocol=protocol, score="7.3"))
        with Daemon([server], protocol=protocol, deadline="1s",
                    options="resolve_every = 1s") as daemon:
            seconds_to_score(daemon, 10)
            names.mode = "hang"
            outcomes = burst(daemon.address, [make()] * 20)
            for _ in range(10 if extent.quick else 100):
                outcomes += [send(daemon.address, make()) for _ in range(10)]
            failed = len(b.verdicts(outcomes)[1])
            slowest = max(outcome.seconds for outcome in outcomes) * 1000
        began = time.monotonic()
        with Daemon([server], protocol=protocol, deadline="1s") as daemon:
            started = time.monotonic() - began
            late = burst(daemon.address, [make()] * 20)
            b.verdicts(late)
        names.close()
    return [Figure(f"unscanned of {len(outcomes)} with a known address", failed, 0),
            Figure("slowest of them", slowest, 1000, "ms"), Figure("start", started, 3, "s"),
            Figure("overshoot", max(0, max(o.seconds for o in late) * 1000 - 1000), b.OVERSHOOT_MS,
                   "ms")]


@row("F15", "resolver says NXDOMAIN or garbage, then another address", "DNS stub",
     "the last good address stays, a new one is adopted on the timer", isolated=True)
def resolver_lies(extent, protocol="spamd"):
    failed = sent = 0
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        names = own_resolver(place.path, options="options timeout:1 attempts:1")
        server = _named(scorer.listen("x", protocol=protocol, score="7.3"))
        with Daemon([server], protocol=protocol, deadline="1s",
                    options="resolve_every = 1s") as daemon:
            seconds_to_score(daemon, 10)
            for names.mode in ("nxdomain", "servfail", "garbage"):
                until = time.monotonic() + extent.pick(2, 6, 20)
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


@row("F16", "clock jumps by a day, both ways", "preloaded wall clock",
     "deadlines do not notice")
def clock_jump(extent, protocol="spamd"):
    worst = 0.0
    with Workspace() as place:
        preload = Preload(place, CLOCKS)
        with b.bench("silent", protocol, deadline="1s",
                     environment=preload.environment) as (daemon, _):
            for offset in (86400, -86400, 0):
                with Session(daemon.address) as talk:
                    talk.greet()
                    talk.prepare(make())
                    talk.milter.send_eom()
                    preload.set(clock_offset_s=offset)
                    worst = max(worst, talk.milter.wait_verdict().seconds * 1000 - 1000)
                b.verdicts([send(daemon.address, make())])
    return [Figure("overshoot", worst, b.OVERSHOOT_MS, "ms")]


@row("F26", "descriptors exhausted", "RLIMIT_NOFILE 128, 200 clients",
     "clients are put off or wait, no spinning, recovery alone")
def no_descriptors(extent):
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
        watch_s = extent.pick(3, 8, 20)
        threading.Event().wait(watch_s)
        share = (daemon.cpu_seconds() - before) / watch_s * 100
        for client in clients:
            client.close()
        recovered = seconds_to_score(daemon, 30)
    return [Figure("CPU", share, 5, "%"), Figure("recovery", recovered, 1, "s")]


@row("F27", "thread creation fails", "preloaded pthread_create with EAGAIN",
     "mail is put off, the daemon stays")
def no_threads(extent):
    with Workspace() as place:
        preload = Preload(place, CLOCKS)
        with b.bench(scorer_options={"score": "7.3", "seconds": 0.2},
                     environment=preload.environment) as (daemon, _):
            seconds_to_score(daemon)
            preload.set(fail_threads=1)
            answered = 0
            for _ in range(5 if extent.quick else 50):
                try:
                    with Session(daemon.address, timeout=10) as talk:
                        talk.greet()
                        answered += talk.send_message(make()).verdict is not None
                except OSError:
                    pass        # a server would defer: that is allowed, hanging is not
            preload.set(fail_threads=0)
            recovered = seconds_to_score(daemon, 30)
            if not daemon.alive():
                raise Failed("died without threads")
    return [Figure("recovery", recovered, 1, "s")]


@row("F37", "log blocked", "standard error that nobody reads",
     "no message waits for the log")
def blocked_log(extent):
    reading, writing = os.pipe()
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        daemon = Daemon([scorer.listen("x", score="7.3")], deadline="2s")
        try:
            daemon.spawn(stderr=writing)
            daemon.wait_ready()
            slowest = 0.0
            with Session(daemon.address) as talk:
                talk.greet()
                for _ in range(2000 if extent.quick else 20000):
                    outcome = talk.send_message(make(), sender="s" * 200 + "@example.org")
                    slowest = max(slowest, outcome.seconds * 1000)
        finally:
            os.close(writing)
            os.close(reading)
            daemon.kill()
    return [Figure("slowest", slowest, 500, "ms")]


@row("F32", "server stalls in mid-message for hours", "preloaded wall clock, two hours on",
     "closed at the idle limit")
def stalled_server(extent):
    """libmilter's limit is two hours without a word (smfi_settimeout), looked at now and then."""
    with Workspace() as place:
        preload = Preload(place, CLOCKS)
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


@row("F42", "one daemon, good and bad scorers and clients mixed", "the soak, shortened",
     "nothing grows, no answer is wrong (make soak sends 1,000,000)")
def short_soak(extent):
    count = extent.pick(4000, 10000, 100000)
    result = soak(count, count // 4)
    lost = sum(result.counts.get(word, 0) for word in BAD)
    return [Figure(f"wrong answers of {count}", lost, 0),
            Figure("descriptors", result.growth("descriptors"), MORE_DESCRIPTORS),
            Figure("threads", result.growth("threads"), MORE_THREADS),
            Figure("memory", result.growth("memory_kib"), MORE_MEMORY_KIB, "KiB")]

# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F29 to F36: what a mail server, or something else on the socket, can do wrong."""

import itertools
import os
import signal
import threading
import time

from support import ports
from support.badscorer import ScorerProcess
from support.daemon import Daemon, Workspace
from support.messages import make
from support.milter import ALL_STEPS, STEPS, Milter, packet
from support.mta import Session, burst, send

from . import bench as b
from .bench import Failed, Figure, row


def _growth(daemon, before, what="descriptors"):
    """How many more descriptors or threads there are, once things have settled."""
    measure = daemon.fds if what == "descriptors" else daemon.threads
    ports.wait_until(lambda: measure() <= before, timeout=5)
    return Figure(f"{what} left", max(0, measure() - before), 0)


@row("F29", "client vanishes at each stage, during scoring too", "raw client closes",
     "the scan ends, everything is freed")
def client_vanishes(extent):
    def vanish(number):
        with Milter(daemon.address) as milter:
            steps = [milter.negotiate, milter.connect, milter.helo,
                     lambda: milter.mail("<a@example.org>"), lambda: milter.rcpt("<b@example.com>"),
                     milter.data, lambda: milter.header("Subject", " x"), milter.eoh,
                     lambda: milter.body(b"x\r\n"), milter.send_eom]
            for step in steps[:number % (len(steps) + 1)]:
                step()
    with b.bench(deadline="2s", scorer_options={"seconds": 0.05}) as (daemon, _):
        for number in range(110):
            vanish(number)
        ports.wait_until(lambda: False, timeout=2.5)    # scans of vanished clients run out
        fds, rss = daemon.fds(), daemon.rss_kib()
        count = 550 if extent.quick else 10000
        for number in range(count):
            vanish(number)
        left = _growth(daemon, fds)
        grown = daemon.rss_kib() - rss
        b.verdicts([send(daemon.address, make())])
    return [left, Figure(f"memory after {count}", grown, 2048, "KiB")]


@row("F30", "many transactions, ABORT and RSET storms in one connection", "raw client",
     "the state is reset, nothing leaks")
def many_transactions(extent):
    def transactions(count):
        with Session(daemon.address) as talk:
            talk.greet()
            for number in range(count):
                talk.prepare(make())
                talk.milter.abort()
                talk.milter.abort()
                if number % 4 == 0:
                    b.verdicts([talk.send_message(make())])
    with b.bench() as (daemon, _):
        transactions(500)
        rss = daemon.rss_kib()
        count = 1000 if extent.quick else 10000
        transactions(count)
        leak = max(0, daemon.rss_kib() - rss) * 1024 / count
    return [Figure("leak per transaction", leak, 256 if extent.quick else 16, "B")]


@row("F31", "older versions, fewer actions and steps, no macros", "12 negotiations",
     "as well as the server can, and a verdict")
def negotiations(extent):
    failed = 0
    combinations = itertools.product(
        (2, 6), (0x11, 0x3F), (0, STEPS["hdr_leadspc"], ALL_STEPS))
    with b.bench(scorer_options={"score": "7.3"}) as (daemon, _):
        for version, actions, steps in combinations:
            steps &= 0x7F if version == 2 else ALL_STEPS
            outcome = send(daemon.address, make(), negotiate={
                "version": version, "actions": actions, "steps": steps})
            failed += "score=7.3" not in (outcome.header("X-Spam-Status") or "")
    return [Figure("failed of 12", failed, 0)]


@row("F33", "garbage on the milter socket", "HTTP, wrong lengths, wrong order, unknown commands",
     "the connection is dropped")
def garbage(extent):
    hello = packet(b"O", b"\0\0\0\6\0\0\1\xff\0\x1f\xff\xff")
    junk = [b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff\xff\xffO", b"\0" * 64, packet(b"E"),
            packet(b"B", b"x" * 65535), hello + packet(b"~"), packet(b"O", b"\0"),
            hello + packet(b"B", b"y" * 300000), hello + packet(b"L", b"a"),
            hello + packet(b"D", b""), os.urandom(5000), hello + os.urandom(5000)]

    def throw(count):
        for number in range(count):
            with ports.connect(daemon.address) as sock:
                try:
                    sock.sendall(junk[number % len(junk)])
                except OSError:
                    pass
    with b.bench() as (daemon, _):
        throw(240)
        rss, fds = daemon.rss_kib(), daemon.fds()
        throw(600 if extent.quick else 10000)
        b.verdicts([send(daemon.address, make())])
        return [_growth(daemon, fds), Figure("memory", daemon.rss_kib() - rss, 2048, "KiB")]


@row("F34", "500 connections at once, 16 scorer slots", "raw client",
     "the wait for a slot counts against the deadline")
def crowd(extent):
    with b.bench(deadline="3s", scorer="max_connections = 16",
                 scorer_options={"seconds": 0.5, "children": 16}) as (daemon, _):
        outcomes = burst(daemon.address, [make()] * (200 if extent.quick else 500))
        scored, _ = b.verdicts(outcomes)
        if len(scored) < 16:
            raise Failed(f"only {len(scored)} scored")
        worst = max(outcome.seconds for outcome in outcomes) * 1000 - 3000
    return [Figure("overshoot", worst, b.OVERSHOOT_MS, "ms")]


@row("F34k", "1,000 sessions at once, 5 scorer slots", "raw client",
     "the wait for a slot counts against the deadline")
def thousand(extent):
    with b.bench(deadline="3s", scorer="max_connections = 5",
                 scorer_options={"seconds": 0.1, "children": 5}) as (daemon, scorer):
        outcomes = []
        for _ in range(1 if extent.quick else 3):
            outcomes += burst(daemon.address, [make()] * 1000)
        scored, _ = b.verdicts(outcomes)
        if len(scored) < 50:
            raise Failed(f"only {len(scored)} scored")
        worst = max(outcome.seconds for outcome in outcomes) * 1000 - 3000
        peak = scorer.peak("x")
    return [Figure(f"overshoot of {len(outcomes)}", worst, b.OVERSHOOT_MS, "ms"),
            Figure("connections to the scorer", peak, 5)]


@row("F34w", "40 and 200 scans that begin in one instant", "scorer of 1 s, daemon stopped meanwhile",
     "all of them at the same time")
def worker_pool(extent):
    figures = []
    with b.bench(deadline="10s", scorer_options={"seconds": 1.0}) as (daemon, _):
        for count, limit_ms in ((40, 1200), (200, 1500)):
            slowest = []
            for _ in range(extent.pick(3, 8, 25)):
                outcomes = burst(daemon.address, [make()] * count, freeze=daemon.pid())
                if b.verdicts(outcomes)[1]:
                    raise Failed("not scored")
                slowest.append(max(outcome.seconds for outcome in outcomes) * 1000)
            figures.append(Figure(f"slowest of {count}, {len(slowest)} times", max(slowest),
                                  limit_ms, "ms"))
    return figures


@row("F35", "SIGTERM and reloads during load", "kill",
     "drained within the deadline and a second; a bad configuration keeps the former")
def signals(extent):
    failed, slowest = 0, 0.0
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        server = scorer.listen("x", seconds=0.2, score="7.3")
        for _ in range(extent.pick(2, 5, 10)):
            daemon = Daemon([server], deadline="2s", scorer="max_connections = 100").start()
            try:
                for _ in range(10):
                    daemon.reload()
                    failed += len(b.verdicts(burst(daemon.address, [make()] * 10))[1])
                good = daemon.config
                daemon.write_config("no_such_key = 1\n")
                daemon.reload()
                failed += len(b.verdicts([send(daemon.address, make())])[1])
                daemon.write_config(good)
                stopper = threading.Timer(0.1, daemon.signal, [signal.SIGTERM])
                talks = [Session(daemon.address) for _ in range(20)]
                for talk in talks:
                    talk.greet()
                    talk.prepare(make())
                    talk.milter.send_eom()
                began = time.monotonic()
                stopper.start()
                for talk in talks:
                    failed += talk.milter.wait_verdict().kind not in ("accept", "continue")
                    talk.close()
                if daemon.process.wait(30):
                    raise Failed(f"exit status {daemon.process.returncode}")
                slowest = max(slowest, time.monotonic() - began)
            finally:
                daemon.kill()
    return [Figure("failed mails", failed, 0), Figure("drained", slowest, 3, "s")]


@row("F36", "started twice, stale socket, a file in the socket's place", "scripts",
     "refuses; removes only a socket, and a dead one")
def started_twice(extent):
    wrong = []
    with Workspace() as place:
        first = Daemon(["tcp://127.0.0.1:9"], workspace=place).start()
        try:
            if not _refuses(first.config, place):
                wrong.append("second start went on")
            b.verdicts([send(first.address, make())])
            first.process.kill()        # leaves its socket behind
            first.process.wait()
            first.start()
            first.stop_cleanly()
            with open(place.file("milter.sock"), "w", encoding="ascii") as file:
                file.write("precious")
            if not _refuses(first.config, place):
                wrong.append("started over a file")
            with open(place.file("milter.sock"), encoding="ascii") as file:
                if file.read() != "precious":
                    wrong.append("overwrote a file")
        finally:
            first.kill()
    if wrong:
        raise Failed("; ".join(wrong))
    return [Figure("wrong", 0, 0)]


def _refuses(config, place):
    daemon = Daemon(config=config, workspace=place)
    daemon.spawn()
    try:
        return daemon.process.wait(10) == 1
    except Exception:       # pylint: disable=broad-except # still running: it did not refuse
        return False
    finally:
        daemon.kill()

# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F14 to F16, F26, F27, F37: resolver, clock, descriptors, threads, log."""

import os
import socket
import subprocess
import threading
import time

from support.badscorer import ScorerProcess
from support.daemon import Daemon, Workspace
from support.messages import make
from support.mta import Session, burst, send

from . import bench as b
from .bench import CannotRun, Failed, Figure, row
from .rows_scorer import seconds_to_score


class Nameserver:
    """A DNS stub on 127.0.0.1:53 of this network namespace: answer, hang, nxdomain or garbage."""

    def __init__(self):
        self.mode = "answer"
        self.queries = 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.sock.bind(("127.0.0.1", 53))
        except OSError as error:
            raise CannotRun("port 53 of the namespace is not to be had") from error
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            query, peer = self.sock.recvfrom(4096)
            self.queries += 1
            answer = self.answer(query)
            if answer:
                self.sock.sendto(answer, peer)

    def answer(self, query):
        """One reply packet (RFC 1035 section 4), or None to say nothing."""
        if self.mode == "hang":
            return None
        if self.mode == "garbage":
            return query[:2] + b"\xff" * 40
        question = query[12:query.index(b"\0", 12) + 5]
        if self.mode == "nxdomain":
            return query[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + question
        if question[-4:-2] != b"\0\1":      # only A records are there
            return query[:2] + b"\x81\x80\0\1\0\0\0\0\0\0" + question
        record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton("127.0.0.1")
        return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + record


def _own_resolver():
    """Point /etc/resolv.conf of this mount namespace at our stub."""
    with Workspace() as place:
        path = place.file("resolv.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write("nameserver 127.0.0.1\n")
        os.chmod(path, 0o644)
        if subprocess.run(["mount", "--bind", path, "/etc/resolv.conf"], check=False,
                          capture_output=True).returncode:
            raise CannotRun("may not bind-mount /etc/resolv.conf")
    return Nameserver()


def _named(server):
    """The server's address with a name in it."""
    return server.replace("127.0.0.1", "scorer.test")


@row("F14", "resolver hangs", "nameserver that never answers", isolated=True)
def resolver_hangs(quick):
    names = _own_resolver()
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        server = _named(scorer.listen("x", score="7.3"))
        with Daemon([server], deadline="1s") as daemon:
            seconds_to_score(daemon, 10)
            names.mode = "hang"
            outcomes = burst(daemon.address, [make()] * 20)
            for _ in range(1 if quick else 30):
                outcomes += [send(daemon.address, make()) for _ in range(10)]
            failed = len(b.verdicts(outcomes)[1])
        began = time.monotonic()
        with Daemon([server], deadline="1s") as daemon:
            started = time.monotonic() - began
            late = burst(daemon.address, [make()] * 20)
            b.verdicts(late)
    return [Figure("unscanned with a known address", failed, 0), Figure("start", started, 3, "s"),
            Figure("overshoot", max(o.seconds for o in late) * 1000 - 1000, b.OVERSHOOT_MS, "ms")]


@row("F15", "resolver says NXDOMAIN or garbage", "DNS stub", isolated=True)
def resolver_lies(quick):
    names = _own_resolver()
    failed = 0
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        server = _named(scorer.listen("x", score="7.3"))
        with Daemon([server], deadline="1s") as daemon:
            seconds_to_score(daemon, 10)
            for names.mode in ("nxdomain", "garbage"):
                until = time.monotonic() + (2 if quick else 60)
                while time.monotonic() < until:
                    failed += len(b.verdicts([send(daemon.address, make())])[1])
                    threading.Event().wait(0.05)
        names.mode = "nxdomain"
        with Daemon([server], deadline="1s") as daemon:
            b.verdicts([send(daemon.address, make())])
            names.mode = "answer"
            found = seconds_to_score(daemon, 120)
    return [Figure("failed mails", failed, 0), Figure("to adopt a new answer", found, 60, "s")]


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
    return [Figure("CPU", share, 5, "%"), Figure("recovery", recovered, 2, "s")]


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
    return [Figure("recovery", recovered, 2, "s")]


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

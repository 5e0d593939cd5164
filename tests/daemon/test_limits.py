# SPDX-License-Identifier: BSD-2-Clause
"""Limits and overload: sessions, descriptors, threads, crowds; reload and stop under load."""

import contextlib
import ctypes
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest
from support import checks, ports
from support.daemon import Daemon, run
from support.messages import make
from support.milter import MilterClosed
from support.mta import Session, burst, send
from support.timing import by_deadline, in_time, timely

TGKILL = 234    # x86-64; see test_signals_of_other_threads


@pytest.fixture
def many_descriptors():
    """Room for a thousand connections in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if wanted < 4096:
        pytest.skip(f"the hard limit of descriptors is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_scored(outcome):
    return "score=" in (outcome.header("X-Spam-Status") or "")


class Load:
    """Senders that never stop: messages one after the other, each in a session of its own."""

    def __init__(self, daemon, senders=8):
        self.daemon = daemon
        self.stopping = threading.Event()
        self.outcomes = []
        self.put_off = 0
        self.broken = []        # (end of message was sent, what happened)
        self.threads = [threading.Thread(target=self._send) for _ in range(senders)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        while not self.stopping.is_set():
            sent = False
            try:
                with Session(self.daemon.address, timeout=30) as session:
                    if session.greet().kind != "continue":
                        self.put_off += 1
                        self.stopping.wait(0.01)
                        continue
                    outcome = session.prepare(make())
                    session.milter.send_eom()
                    sent = True
                    outcome.verdict = session.milter.wait_verdict()
                    self.outcomes.append(outcome)
            except OSError as error:
                self.broken.append((sent, error))

    def wait(self, count, timeout=60):
        """Until that many more messages have been answered."""
        goal = len(self.outcomes) + count
        assert ports.wait_until(lambda: len(self.outcomes) >= goal, timeout), self.broken[-3:]

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)


def test_max_sessions(start, scorer):
    """A connection beyond max_sessions is put off with a temporary answer; others are served."""
    daemon = start([scorer.listen("a")], options="max_sessions = 3")
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(Session(daemon.address)) for _ in range(3)]
        for session in sessions:
            assert session.greet().kind == "continue"
        with Session(daemon.address) as extra:
            assert extra.greet().kind == "tempfail"
        assert "max_sessions = 3" in daemon.wait_log("max_sessions")
        for session in sessions:
            assert is_scored(session.send_message(make()))
        sessions[0].milter.quit()

        def taken():
            with Session(daemon.address) as late:
                return late.greet().kind == "continue"
        assert ports.wait_until(taken)


def test_too_few_descriptors_refuse_the_start(workspace):
    """The daemon does not begin what it could not go through with, and says what to do."""
    daemon = Daemon(["tcp://127.0.0.1:9"], workspace=workspace, limits=["--nofile=200:200"],
                    options="max_sessions = 1000")
    daemon.spawn()
    assert daemon.process.wait(60) == 1
    daemon.kill()
    text = "\n".join(daemon.lines)
    assert "max_sessions = 1000" in text and "200" in text and "LimitNOFILE" in text


def test_soft_limit_is_raised(start, scorer):
    daemon = start([scorer.listen("a")], limits=["--nofile=64:4096"], options="max_sessions = 500")
    with open(f"/proc/{daemon.pid()}/limits", encoding="ascii") as file:
        soft = re.search(r"Max open files\s+(\d+)", file.read()).group(1)
    assert int(soft) >= 500


def test_exhausted_descriptors(start, scorer):
    """F26: no spinning while there is none to be had, and work again at once afterwards."""
    daemon = start([scorer.listen("a")], limits=["--nofile=128:128"],
                   options="max_sessions = 50", scorer="max_connections = 4")
    clients = []
    for _ in range(200):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        client.connect_ex(daemon.address[5:])
        clients.append(client)
    assert ports.wait_until(lambda: daemon.fds() >= 126), daemon.fds()
    began, used = time.monotonic(), daemon.cpu_seconds()
    threading.Event().wait(2)
    share = (daemon.cpu_seconds() - used) / (time.monotonic() - began)
    for client in clients:
        client.close()
    began = time.monotonic()
    assert ports.wait_until(lambda: is_scored(send(daemon.address, make())))
    in_time(time.monotonic() - began, 1.0)
    timely(share <= 0.05, share)


@contextlib.contextmanager
def injected(daemon, what):
    """System calls of the daemon fail as told (strace --inject) within the block."""
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={what[0]}",
                               "-e", f"inject={what[0]}:{what[1]}", "-p", str(daemon.pid())],
                              stderr=subprocess.PIPE, text=True)

    def attached():
        if tracer.poll() is not None:
            pytest.skip(f"strace: {tracer.stderr.read().strip()}")
        with open(f"/proc/{daemon.pid()}/status", encoding="ascii") as file:
            return f"TracerPid:\t{tracer.pid}\n" in file.read()
    try:
        assert ports.wait_until(attached)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(60)
        tracer.stderr.close()


def test_no_more_threads(start, scorer_process):
    """F27: the system gives no thread; sessions are served by spare ones or wait, nobody dies."""
    daemon = start([scorer_process.listen("a", seconds=0.3)], deadline="3s",
                   scorer="max_connections = 50")
    assert is_scored(send(daemon.address, make()))
    with injected(daemon, ("clone,clone3", "error=EAGAIN")):
        outcomes = burst(daemon.address, [make()] * 8, timeout=60)
        assert all(outcome.verdict is not None for outcome in outcomes)
    assert daemon.alive()
    began = time.monotonic()
    assert ports.wait_until(lambda: is_scored(send(daemon.address, make())))
    in_time(time.monotonic() - began, 1.0)
    outcomes = burst(daemon.address, [make()] * 20)
    assert all(is_scored(outcome) for outcome in outcomes)
    in_time(max(outcome.seconds for outcome in outcomes), 1.5)


@pytest.mark.timed
def test_thousand_sessions_and_five_slots(start, scorer_process, slower, many_descriptors):
    """F34: every one of a thousand has its answer by the deadline, the five slots are used."""
    server = scorer_process.listen("a", seconds=0.1, children=5)
    daemon = start([server], deadline="3s", scorer="max_connections = 5")
    outcomes = burst(daemon.address, [make()] * 1000)
    assert all(outcome.verdict is not None for outcome in outcomes)
    slowest = sorted(outcome.seconds for outcome in outcomes)
    by_deadline(slowest[-1], 3.0, slowest[-5:], slower=slower(1000))
    scored = [outcome for outcome in outcomes if is_scored(outcome)]
    timely(len(scored) >= 40, len(scored))
    for outcome in outcomes:
        if outcome not in scored:
            assert checks.unscanned_reason(outcome) in ("overloaded", "timeout")
    assert scorer_process.peak("a") <= 5


@pytest.mark.timed
@pytest.mark.parametrize("count", [40, 200])
def test_scans_that_begin_together_run_together(start, scorer_process, count):
    """facts E3: libmilter's workers do not queue one scan behind another; three times in a row."""
    server = scorer_process.listen("slow", seconds=2.0)
    daemon = start([server], deadline="10s", scorer="max_connections = 500")
    for _ in range(3):
        outcomes = burst(daemon.address, [make()] * count, freeze=daemon.pid())
        in_time(max(outcome.seconds for outcome in outcomes), 3.5)
        assert all(is_scored(outcome) for outcome in outcomes)


def reload_by(daemon, how):
    if how == "control":
        done = run("spambridgectl", "-c", daemon.config_path, "reload")
        assert done.returncode == 0, done.stderr
    else:
        daemon.signal(how)


@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGHUP, "control"],
                         ids=["usr1", "hup", "control"])
def test_reloads_under_load(start, scorer_process, how):
    """F35: no message is lost, delayed to the deadline or unscanned for a reload."""
    server = scorer_process.listen("a", seconds=0.05)
    daemon = start([server], deadline="5s", scorer="max_connections = 50")
    load = Load(daemon)
    for _ in range(15):
        load.wait(5)
        reload_by(daemon, how)
    daemon.wait_log("configuration reloaded")
    load.wait(5)
    load.stop()
    assert not load.broken
    assert all(is_scored(outcome) for outcome in load.outcomes)
    in_time(max(outcome.seconds for outcome in load.outcomes), 3)
    assert daemon.alive()


def test_stop_under_load(start, scorer_process):
    """F35: SIGTERM answers every message whose end was sent, with its verdict, and exits 0."""
    server = scorer_process.listen("a", seconds=0.3)
    daemon = start([server], deadline="3s", scorer="max_connections = 50")
    load = Load(daemon, senders=20)
    load.wait(40)
    daemon.signal(signal.SIGTERM)
    assert daemon.process.wait(60) == 0
    load.stop()
    unanswered = [error for sent, error in load.broken if sent]
    assert not unanswered, unanswered
    assert all(is_scored(outcome) for outcome in load.outcomes)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="number of tgkill(2)")
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_signals_of_other_threads(start, scorer, number):
    """facts E4: libmilter has a thread that takes SIGHUP, SIGTERM and SIGINT as orders to stop.

    The kernel may give it a signal that was meant for the process; here it gets one for certain.
    """
    daemon = start([scorer.listen("a")])
    libc = ctypes.CDLL(None)
    for thread in os.listdir(f"/proc/{daemon.pid()}/task"):
        if int(thread) != daemon.pid():
            libc.syscall(TGKILL, daemon.pid(), int(thread), int(number))
    for _ in range(10):
        assert is_scored(send(daemon.address, make()))
    assert daemon.alive()


def test_silent_connections_hold_up_nobody(start, scorer):
    """Connections that never say a word cost no worker: mail goes through beside them."""
    daemon = start([scorer.listen("a")])
    silent = [ports.connect(daemon.address) for _ in range(20)]
    for _ in range(5):
        outcome = send(daemon.address, make())
        assert is_scored(outcome)
        in_time(outcome.seconds, 1.5)
    for sock in silent:
        sock.close()


@pytest.mark.timed
def test_half_a_packet_holds_up_nobody(start, scorer):
    """A24: peers that begin a packet and stop cost a worker each, but nobody behind them waits."""
    daemon = start([scorer.listen("a")])
    for _ in range(4):
        crowd = [ports.connect(daemon.address) for _ in range(200)]
        for number, sock in enumerate(crowd):
            sock.sendall(b"\0\0\0\rO\0\0\0"[:1 + number % 7])
        for _ in range(5):
            began = time.monotonic()
            assert is_scored(send(daemon.address, make()))
            in_time(time.monotonic() - began, 1.5)
        for sock in crowd:
            sock.close()


def test_connection_lost_in_mid_message(start, scorer):
    """F29: what a vanished server began is forgotten; its place is free again."""
    daemon = start([scorer.listen("a")], options="max_sessions = 5")
    for _ in range(30):
        with contextlib.suppress(MilterClosed), Session(daemon.address) as session:
            if session.greet().kind == "continue":
                session.prepare(make())
    assert ports.wait_until(lambda: is_scored(send(daemon.address, make())))
    assert ports.wait_until(lambda: daemon.status()["messages"] == 0)


def test_a_long_refusal_is_cut(start, scorer):
    """A reject_text that grows beyond what a reply may hold is cut, not replaced."""
    server = scorer.listen("a", score="20.0", tests=[f"A_RULE_WITH_A_LONG_NAME_{n}"
                                                     for n in range(100)])
    daemon = start([server], policy='tag = 5\nquarantine = off\nreject = 15\n'
                                    'reject_text = "Spam by these rules: %{tests} and so on"')
    outcome = send(daemon.address, make())
    assert outcome.reply.code == 550
    assert b"Spam by these rules: A_RULE_WITH_A_LONG_NAME_0,A_RULE" in outcome.reply.text
    assert 800 < len(outcome.reply.text) <= 980

# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F1 to F13: everything that a scorer can do wrong."""

import os
import signal
import time

from support import ports
from support.badscorer import ScorerProcess
from support.daemon import Daemon, Workspace
from support.messages import make
from support.mta import burst, send

from . import bench as b
from .bench import Failed, Figure, row

BIG = make(body=b"0123456789abcdef" * 64 * 10240 + b"\r\n")
# more than the two socket buffers hold (tcp_wmem: 4 MB), little enough for fifty at a time
UNREAD = make(body=b"0123456789abcdef" * 64 * 5120 + b"\r\n")


@row("F1", "scorer refused", "no listener",
     "the policy, at once")
def refused(extent, protocol="spamd"):
    server = f"{b.SCHEMES[protocol]}://127.0.0.1:{ports.free_port()}"
    with Daemon([server], protocol=protocol, deadline="5s") as daemon:
        outcomes = [send(daemon.address, make()) for _ in range(50 if extent.quick else 500)]
        if b.verdicts(outcomes)[0]:
            raise Failed("a verdict from nobody")
        worst = max(outcome.seconds for outcome in outcomes) * 1000
    return [Figure("to answer", worst, 50, "ms")]


@row("F2", "SYN black hole", "listener with a full backlog",
     "the policy at the deadline")
def black_hole(extent, protocol="spamd"):
    import socket       # pylint: disable=import-outside-toplevel
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        filler = [socket.socket() for _ in range(4)]
        for sock in filler:
            sock.setblocking(False)
            sock.connect_ex(hole.getsockname())
        worst = 0.0
        for _ in range(extent.pick(2, 8, 20)):
            server = f"{b.SCHEMES[protocol]}://127.0.0.1:{hole.getsockname()[1]}"
            with Daemon([server], protocol=protocol, deadline="1s",
                        scorer="max_connections = 100") as daemon:
                outcomes = burst(daemon.address, [make()] * 50)
                b.verdicts(outcomes)
                worst = max(worst, *(o.seconds * 1000 - 1000 for o in outcomes))
        for sock in filler:
            sock.close()
    return [Figure("overshoot", worst, b.OVERSHOOT_MS, "ms")]


@row("F3", "accepts, never answers", "badscorer silent",
     "the policy at the deadline")
def silent(extent):
    return b.stall("silent", extent, usual=1000)


@row("F4", "never reads our body", "badscorer deaf, 5 MB mail",
     "the policy at the deadline")
def zero_window(extent):
    return b.stall("deaf", extent, raw=UNREAD, options="max_scan_size = 20M",
                   batch=10 if extent.quick else 50)


@row("F5", "body drip 1 byte/100 ms", "badscorer drip_body",
     "the policy at the deadline: bytes do not extend it")
def body_drip(extent):
    return b.stall("drip_body", extent)


@row("F6", "header drip", "badscorer drip_header",
     "the policy at the deadline: bytes do not extend it")
def header_drip(extent):
    return b.stall("drip_header", extent)


def flooding(protocol, behaviours, cap):
    """The most bytes that a flooding scorer got rid of, and what it cost in memory."""
    worst, grown = 0, 0
    for behaviour in behaviours:
        with b.bench(behaviour, protocol, transport="unix", deadline="5s") as (daemon, scorer):
            before = daemon.peak_rss_kib()
            for _ in range(5):
                b.verdicts([send(daemon.address, make())])
            ports.wait_until(lambda: scorer.flood_bytes("x"))
            worst = max(worst, scorer.flood_bytes("x"))
            grown = max(grown, daemon.peak_rss_kib() - before)
    # what lies in the two socket buffers was sent, but never read
    buffers = 2 * 212992
    return [Figure("bytes taken", worst, cap + 65536 + buffers, "B"),
            Figure("memory", grown, 16384, "KiB")]


@row("F7", "flood: unlimited body or headers", "badscorer flood, endless_headers, endless_line",
     "broken off at the cap, the policy")
def flood(extent):
    return flooding("spamd", ["flood", "endless_headers", "endless_line"], 1 << 20)


def no_verdict(protocol, behaviours, deadline="1s"):
    """Behaviours that must not give a verdict: how many did, and the slowest answer."""
    wrong, slowest = 0, 0.0
    for behaviour in behaviours:
        with b.bench(behaviour, protocol, deadline=deadline) as (daemon, _):
            outcome = send(daemon.address, make(score="7.3"))
            wrong += len(b.verdicts([outcome])[0])
            slowest = max(slowest, outcome.seconds * 1000)
    return [Figure("wrong verdicts", wrong, 0), Figure("slowest", slowest, 1100, "ms")]


@row("F8", "wrong length", "badscorer length_*",
     "the policy")
def wrong_length(extent):
    return no_verdict("spamd", ["length_too_big", "length_too_big_open", "length_nonsense",
                                 "huge_length"])


def _reply_size(server, message):
    """Bytes of spamd's reply to a message, without our own fields in it."""
    host, port = server[6:].split(":")
    with ports.connect(f"inet:{port}@{host}") as sock:
        sock.sendall(b"HEADERS SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(message) + message)
        size = 0
        while data := sock.recv(65536):
            size += len(data)
    return size


def cut_at(protocol, extent):
    """A good message between the cuts keeps the scorer from being set aside."""
    wrong, cuts = 0, 0
    with b.bench("correct", protocol, deadline="2s") as (daemon, scorer):
        size = 300
        if protocol == "spamd":
            server = scorer.listen("size", score="7.3")
            size = _reply_size(server, make(headers=[b"X-Test-At: 100"], score="7.3"))
        for at in range(0, size, 15 if extent.quick else 1):
            scorer.clear()
            raw = make(headers=[b"X-Test-Behaviour: rst_at", b"X-Test-At: %d" % at], score="7.3")
            wrong += len(b.verdicts([send(daemon.address, raw)])[0])
            if not scorer.requests():
                raise Failed("the scorer was not asked")
            if not b.verdicts([send(daemon.address, make())])[0]:
                raise Failed(f"set aside after a cut at {at}")
            cuts += 1
    return [Figure(f"wrong verdicts of {cuts}", wrong, 0)]


@row("F9", "RST at byte k of the reply", "badscorer rst_at, every k",
     "the policy, or the verdict once it is whole")
def cut_reply(extent):
    return cut_at("spamd", extent)


@row("F10", "early reply before the body is sent, then close", "badscorer early_reply, 10 MB mail",
     "the verdict or the policy, never a hang")
def early_reply(extent, protocol="spamd"):
    slowest = 0.0
    for raw in [make(), BIG] * extent.pick(2, 8, 20):
        with b.bench("early_reply", protocol, deadline="5s",
                     options="max_scan_size = 20M") as (daemon, _):
            outcome = send(daemon.address, raw)
            b.verdicts([outcome])
            slowest = max(slowest, outcome.seconds * 1000)
    return [Figure("slowest", slowest, 1000, "ms")]


@row("F11", "another protocol's answer", "badscorer http_reply, garbage, error_NN",
     "the policy")
def other_protocol(extent):
    return no_verdict("spamd", ["http_reply", "garbage", "error_76", "error_69", "error_79"])


@row("F12", "scorer stopped, later continued", "SIGSTOP, SIGCONT",
     "the policy at the deadline; no verdict of one message for another")
def stopped(extent, protocol="spamd", behaviour="correct"):
    mixed, worst = 0, 0.0
    with b.bench(behaviour, protocol, deadline="1s",
                 policy="tag = 5\nquarantine = off\nreject = off") as (daemon, sc):
        for number in range(extent.pick(2, 6, 10)):
            os.kill(sc.child.pid, signal.SIGSTOP)
            during = burst(daemon.address, [make(score=f"{n}.1") for n in range(20)])
            os.kill(sc.child.pid, signal.SIGCONT)
            after = [send(daemon.address, make(score=f"{n}.2")) for n in range(20)]
            worst = max(worst, *(o.seconds * 1000 - 1000 for o in during))
            for digit, outcomes in (("1", during), ("2", after)):
                for n, outcome in enumerate(outcomes):
                    value = outcome.header("X-Spam-Status")
                    mixed += "Unscanned" not in value and f"score={n}.{digit} " not in value
    return [Figure("cross-talk", mixed, 0), Figure("overshoot", worst, b.OVERSHOOT_MS, "ms")]


@row("F13", "scorer killed and restarted in mid-load", "kill -9",
     "only policy answers in the gap, scores at once after it")
def restarted(extent, protocol="spamd"):
    worst, gap_s = 0.0, 0.0
    with Workspace() as place:
        port = ports.free_port()
        scorer = ScorerProcess(place.path)
        server = scorer.listen("x", protocol=protocol, port=port, score="7.3")
        with Daemon([server], protocol=protocol, deadline="2s") as daemon:
            for _ in range(extent.pick(2, 5, 10)):
                b.verdicts([send(daemon.address, make())])
                scorer.child.kill()
                scorer.stop()
                gap = [send(daemon.address, make()) for _ in range(20)]
                if b.verdicts(gap)[0]:
                    raise Failed("a verdict from a dead scorer")
                gap_s = max(gap_s, *(outcome.seconds for outcome in gap))
                scorer = ScorerProcess(place.path)
                scorer.listen("x", protocol=protocol, port=port, score="7.3")
                worst = max(worst, seconds_to_score(daemon))
        scorer.stop()
    return [Figure("to first score after return", worst, 1, "s"),
            Figure("slowest answer meanwhile", gap_s * 1000, 2100, "ms")]


def seconds_to_score(daemon, timeout=60):
    """Send until a message is scored again; seconds that it took."""
    began = time.monotonic()
    if not ports.wait_until(lambda: b.verdicts([send(daemon.address, make())])[0],
                            timeout=timeout, step=0.02):
        raise Failed("never scored again")
    return time.monotonic() - began

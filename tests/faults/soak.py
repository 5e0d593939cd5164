#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""One daemon, a million messages, good and bad scorers and clients mixed: does anything grow?

usage: soak.py [--count N] [--every N] [--json FILE]

Messages of the corpus (SPAMBRIDGE_CORPUS, or made ones) are scored as a field in each of them asks
for; some have a scorer that stalls, lies or breaks off, some a client that vanishes or changes its
mind. Configuration reloads and reviews of the quarantine happen meanwhile. Every answer is looked
at. Memory, descriptors and threads are printed at intervals, while nothing is under way.
"""

import argparse
import concurrent.futures
import functools
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from support import checks, ports                                   # noqa: E402
from support.badscorer import ScorerProcess                         # noqa: E402
from support.daemon import (                                        # noqa: E402
    Daemon, Workspace, build_directory, run, scorer_section)
from support.messages import Split, corpus, split                   # noqa: E402
from support.mta import Session                                     # noqa: E402

POLICY = "tag = 5\nquarantine = 10\nreject = 15"
PASS, TAG, HOLD, REFUSE = "1.3", "7.3", "12.3", "20.3"
SCORES = [PASS] * 60 + [TAG] * 25 + [HOLD] * 5 + [REFUSE] * 10
# a few in a thousand stall until the deadline, the others fail at once
BEHAVIOURS = ["garbage", "rst_at", "eof_at", "garbage", "score_nan", "length_too_big", "silent",
              "drip_body"]
# a deferral is no fault: the disk may be slower than the deadline
BAD = ("wrong", "lost connection", "upkeep failed")
LARGEST = 200000        # bytes; the rest of a message is not what grows
CHUNK = 500             # messages of one task
VISIT = 20              # messages of one connection
WORKERS = 4
DEADLINE_MS = 300
# Writers of the quarantine and workers of libmilter are started as load asks for them, and stay.
MORE_THREADS = 8
# libcurl's handles without a connection, eight at most, each with two for waking it
MORE_DESCRIPTORS = 16
# What free lists and the arenas of as many threads keep for the next message.
MORE_MEMORY_KIB = 8192


@functools.lru_cache(maxsize=None)
def _messages():
    return [split(raw) for _, raw in corpus() if len(raw) < LARGEST]


def _expected(score, outcome):
    """Is this what has to happen to a message with that score, or to one without a verdict?"""
    if outcome.kind in ("accept", "continue"):
        value = checks.unfold(outcome.header("X-Spam-Status") or "")
        if checks.UNSCANNED.match(value):
            return "unscanned"
        good = score in (PASS, TAG) and f"score={score} " in value
        return "scored" if good else "wrong"
    if score is None:
        return "wrong"
    if outcome.kind == "discard":
        return "held" if score == HOLD else "wrong"
    if outcome.reply.code == 550:
        return "refused" if score == REFUSE else "wrong"
    return "deferred"


def _scripted(chance):
    """A message and the score that it must have; None: there must be no verdict."""
    message = chance.choice(_messages())
    score = chance.choice(SCORES)
    fields = [(b"X-Test-Score", b" " + score.encode())]
    if chance.random() < 0.03:
        score = None
        fields += [(b"X-Test-Behaviour", b" " + chance.choice(BEHAVIOURS).encode()),
                   (b"X-Test-At", b" 40")]
    return Split(fields + message.headers, message.body), score


def _trouble(talk, message, chance):
    """A client that breaks something off; True if the connection is gone."""
    kind = chance.randrange(4)
    if kind == 0:
        talk.prepare(message)
        talk.milter.abort()
        return False
    if kind == 1:
        talk.prepare(message)
        talk.milter.send_eom()      # vanishes while it is scored
    elif kind == 2:
        talk.milter.send_raw(os.urandom(64))
    else:
        talk.envelope("a@example.org", ["b@example.com"], "4TROUBLE")
    talk.milter.close()
    return True


def _add(counts, word, number=1):
    counts[word] = counts.get(word, 0) + number


def _visit(address, chance, counts, messages):
    """One connection for so many messages at most; how many there were until it ended."""
    with Session(address, timeout=60) as talk:
        talk.greet()
        for number in range(1, messages + 1):
            message, score = _scripted(chance)
            if chance.random() < 0.02:
                _add(counts, "broken off")
                if _trouble(talk, message, chance):
                    return number
                continue
            outcome = talk.send_message(message, recipients=chance.choice(
                [["bob@example.com"], ["bob@example.com", "eve@example.net"]]))
            _add(counts, _expected(score, outcome))
            counts["overshoot_ms"] = max(counts.get("overshoot_ms", 0),
                                         round(outcome.seconds * 1000) - DEADLINE_MS)
    return messages


def send_chunk(address, seed):
    """CHUNK messages on connections of VISIT at most: {what became of them: count}."""
    chance, counts, sent = random.Random(seed), {}, 0
    while sent < CHUNK:
        try:
            sent += _visit(address, chance, counts, min(VISIT, CHUNK - sent))
        except OSError:
            _add(counts, "lost connection")
            sent += 1
    return counts


class Soak:
    """The daemon, its scorers, and what was measured of it so far."""

    def __init__(self, daemon, scorer):
        self.daemon = daemon
        self.scorer = scorer
        self.counts = {}
        self.chunks = 0
        self.samples = []

    def send(self, pool, chunks):
        """That many tasks; then the daemon is told to reload and the quarantine is emptied."""
        tasks = [pool.submit(send_chunk, self.daemon.address, self.chunks + n)
                 for n in range(chunks)]
        self.chunks += chunks
        for number, task in enumerate(concurrent.futures.as_completed(tasks)):
            for word, count in task.result().items():
                if word == "overshoot_ms":
                    count = max(0, count - self.counts.get(word, 0))
                _add(self.counts, word, count)
            if number % 8 == 7:
                self.upkeep()
        self.upkeep()

    def upkeep(self):
        self.scorer.clear()
        self.daemon.reload()
        self.daemon.forget_lines()
        done = run("spambridgectl", "-c", self.daemon.config_path, "quarantine", "expire",
                   "--older-than", "1s", "--yes")
        if done.returncode:
            _add(self.counts, "upkeep failed")

    def measure(self):
        """Wait until nothing is under way, and take a sample."""
        quiet = self.samples[0] if self.samples else {"descriptors": 12, "threads": 0}
        ports.wait_until(lambda: self.daemon.fds() <= quiet["descriptors"]
                         and self.daemon.threads() <= quiet["threads"], timeout=10)
        self.samples.append({
            "messages": self.chunks * CHUNK, "memory_kib": self.daemon.rss_kib(),
            "descriptors": self.daemon.fds(), "threads": self.daemon.threads()})
        return self.samples[-1]

    def growth(self, what):
        """Of the last sample over the first, which was taken when all had warmed up."""
        return max(0, self.samples[-1][what] - self.samples[0][what])


def soak(count, every, told=lambda sample: None):
    """Send count messages; returns the Soak. told() hears of every sample."""
    rspamd = "http"
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        spamd = [scorer.listen("tcp"), scorer.listen("unix", transport="unix")]
        other = scorer.listen(rspamd, protocol="rspamd")
        daemon = Daemon(spamd, deadline=f"{DEADLINE_MS}ms", policy=POLICY,
                        scorer="max_connections = 40",
                        options=scorer_section("y", [other], "rspamd"))
        with daemon, concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
            result = Soak(daemon, scorer)
            result.send(pool, max(4, min(every, count // 10) // CHUNK))      # warms up
            told(result.measure())
            while result.chunks * CHUNK < count:
                left = max(1, count // CHUNK - result.chunks)
                result.send(pool, min(max(1, every // CHUNK), left))
                told(result.measure())
            result.alive = daemon.alive()
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000000, help="messages (1,000,000)")
    parser.add_argument("--every", type=int, default=20000, help="messages between samples")
    parser.add_argument("--json", metavar="FILE", help="write the samples to FILE")
    options = parser.parse_args()
    if build_directory() is None:
        parser.error("SPAMBRIDGE_BUILD must name a directory with spambridge in it")
    began = time.monotonic()

    def tell(sample):
        print(f"{sample['messages']:9} messages {time.monotonic() - began:7.0f} s "
              f"{sample['memory_kib']:8} KiB {sample['descriptors']:4} descriptors "
              f"{sample['threads']:4} threads", flush=True)
    result = soak(options.count, options.every, tell)
    print(", ".join(f"{word} {count}" for word, count in sorted(result.counts.items())))
    grown = {what: result.growth(what) for what in ("memory_kib", "descriptors", "threads")}
    print(f"growth: memory {grown['memory_kib']} KiB, descriptors {grown['descriptors']}, "
          f"threads {grown['threads']}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"samples": result.samples, "counts": result.counts, "growth": grown}, file,
                      indent=1)
    bad = [word for word in BAD if result.counts.get(word)]
    return (bool(bad) or grown["descriptors"] > MORE_DESCRIPTORS or grown["threads"] > MORE_THREADS
            or grown["memory_kib"] > MORE_MEMORY_KIB or not result.alive)


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-2-Clause
"""F39: daemon and tools at the same items at once; what became of each is counted.

For the fault matrix as well: with this folder on sys.path, Race(held, sink).run(seconds).
"""

import random
import re
import threading
import time

from quarantine import Tool

DAY = 86400
AUDIT = re.compile(r"quarantine=(\w+) action=(\w+) .*result=(\w+)")
MARK = re.compile(rb"\AX-Spambridge-Release: v=1; id=([a-z2-7]{26});")


class Race:
    """Two tools release, one deletes, one expires, one looks; the daemon stores and expires.

    held: a Held whose daemon runs; sink: a Sink that takes everything.
    """

    def __init__(self, held, sink):
        self.daemon = held.daemon
        self.quarantine = held.quarantine
        self.sink = sink
        self.tool = Tool(held.quarantine, release=f"smtp://127.0.0.1:{sink.port}")
        self.lock = threading.Lock()
        self.items = []         # all that were ever put there
        self.said = []          # standard error of every tool
        self.wrong = []         # what no tool should ever say
        self.until = 0

    def put(self, rng):
        """Five more; every second one is past its time and was announced."""
        new = self.quarantine.put("-n", "5").stored
        for item in new[::2]:
            self.quarantine.age(item, 40 * DAY)
            self.quarantine.announce(item, DAY + 1)
        with self.lock:
            self.items += rng.sample(new, len(new))

    def some(self, rng):
        """A few of the latest, which others are at as well."""
        with self.lock:
            latest = self.items[-12:]
        return rng.sample(latest, min(len(latest), 3))

    def call(self, *arguments):
        done = self.tool.run(*arguments, code=None)
        with self.lock:
            self.said.append(done.stderr)
            if done.returncode not in (0, 1, 75) or "damaged" in done.stderr.lower():
                self.wrong.append((arguments, done.returncode, done.stderr))
        return done

    def decide(self, *words):
        def step(rng):
            items = self.some(rng)
            if items:
                self.call(*words, *items)
        return step

    def look(self, rng):
        done = self.call(rng.choice(("list", "verify", "stats")))
        if done.returncode != 0:
            with self.lock:
                self.wrong.append(("look", done.returncode, done.stdout + done.stderr))

    def loop(self, step, seed):
        rng = random.Random(seed)
        while time.monotonic() < self.until:
            step(rng)

    def run(self, seconds):
        """{figure: value}; `double` and `lost` are what must be 0."""
        steps = [self.put, self.decide("release"), self.decide("release"), self.decide("delete"),
                 lambda rng: self.call("expire", "--yes"), self.look,
                 lambda rng: self.daemon.reload()]
        self.until = time.monotonic() + seconds
        threads = [threading.Thread(target=self.loop, args=(step, seed))
                   for seed, step in enumerate(steps)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.judge()

    def judge(self):
        """What became of every item."""
        fates = {item: [] for item in self.items}
        for delivery in self.sink.deliveries:
            fates[MARK.match(delivery.data).group(1).decode()].append("delivered")
        for line in "\n".join([*self.said, *self.daemon.lines]).splitlines():
            found = AUDIT.search(line)
            if found and found.group(2) in ("delete", "expire"):
                fates[found.group(1)].append(found.group(2))
        left = self.quarantine.look()
        for item in left:
            fates[item].append("left")
        ends = [fate for fate in fates.values() if len(fate) == 1]
        return {"items": len(fates), "double": sum(len(fate) > 1 for fate in fates.values()),
                "lost": sum(not fate for fate in fates.values()),
                "torn": sum(state != "good" for state in left.values()),
                "wrong": len(self.wrong),
                **{end: ends.count([end]) for end in ("delivered", "delete", "expire", "left")}}

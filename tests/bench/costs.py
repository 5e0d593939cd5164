# SPDX-License-Identifier: BSD-2-Clause
"""Costs that must not grow: memory a connection, a million domains, the quarantine.

    SPAMBRIDGE_BUILD=build python3 tests/bench/costs.py [memory] [domains] [quarantine]
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.bench import KILO, Cell, raise_descriptors          # noqa: E402
from bench.subjects import Scorers, Spambridge, run_json, tool  # noqa: E402
from quarantine.quarantine import Quarantine                   # noqa: E402
from support import ports                                      # noqa: E402
from support.daemon import program                             # noqa: E402

MEGA = KILO * KILO


def start(place, name, cell, scorers):
    """A daemon of its own for one question, which has seen a few messages."""
    subject = Spambridge(Path(place) / name, scorers, cell)
    subject.start()
    run_json([tool("load"), "-a", subject.address, "-c", "2", "-n", "8"])
    return subject


def tell(what, figure, limit):
    """One line with a figure and what it may be."""
    print(f"  {what:<58} {figure:>12}   {limit}", flush=True)


def memory_idle(place, scorers):
    """A thousand connections that say nothing after their greeting."""
    subject = start(place, "idle", Cell(4 * KILO, 1000, 0), scorers)
    with subprocess.Popen([tool("load"), "-a", subject.address, "-c", "1000", "-i"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as load:
        load.stdout.readline()
        time.sleep(1)
        resident = subject.usage.status("VmRSS")
        load.stdin.close()
    subject.close()
    tell("1,000 idle connections, MB", f"{resident / 1024:.1f}", "< 64")


def memory_load(place, scorers, size, connections):
    """The peak under load, and what is left of it."""
    subject = start(place, f"load-{size}-{connections}", Cell(size, connections, 100), scorers)
    before = subject.usage.status("VmRSS")
    figures = subject.run(["-n", connections * 6])
    ports.wait_until(lambda: subject.usage.status("VmRSS") <= before * 1.1, timeout=5)
    after = subject.usage.status("VmRSS")
    subject.close()
    each = (figures["peak_kib"] - before - 1.1 * size * connections / KILO) / connections
    title = f"{connections} x {size // KILO} KB"
    tell(f"{title}: peak, MB", f"{figures['peak_kib'] / 1024:.1f}", "")
    tell(f"{title}: a connection beyond 1.1 x the message, KB", f"{each:.1f}", "<= 64")
    tell(f"{title}: after the load, in proportion to before", f"{after / before:.2f}", "<= 1.10")


def memory():
    """Item by item, each with a daemon of its own."""
    with tempfile.TemporaryDirectory(prefix="sb-bench-") as place:
        os.chmod(place, 0o755)
        scorers = Scorers(place, 100)
        try:
            memory_idle(place, scorers)
            for size, connections in ((4 * KILO, 256), (4 * KILO, 1000), (MEGA, 64), (MEGA, 256)):
                memory_load(place, scorers, size, connections)
        finally:
            scorers.close()


def domains():
    """A message's cost with one domain in the table, and with a million; in turns."""
    with tempfile.TemporaryDirectory(prefix="sb-bench-") as place:
        os.chmod(place, 0o755)
        scorers = Scorers(place, 0)
        subjects = []
        for count in (1, 1000000):
            table = Path(place) / f"domains-{count}"
            table.write_text("".join(f"d{number}.example.org reject=12\n"
                                     for number in range(count - 1)) + "example.net reject=12\n")
            cell = Cell(4 * KILO, 1, 0, options=f'domain_table = "{table}"\n')
            subjects.append(start(place, str(count), cell, scorers))
        runs = [[subject.run(["-n", 4000]) for subject in subjects] for _ in range(9)]
        for subject in subjects:
            subject.close()
        scorers.close()
    cpu = [sum(turn[number]["cpu_seconds"] for turn in runs) for number in (0, 1)]
    median = statistics.median(turn[1]["median_us"] / turn[0]["median_us"] for turn in runs)
    tell("1,000,000 domains to one: processor time", f"{cpu[1] / cpu[0]:.3f}", "<= 1.05")
    tell("1,000,000 domains to one: median time to answer", f"{median:.3f}", "<= 1.05")


def quarantine():
    """Writing beside a bare write; listing a hundred thousand."""
    for size in (4 * KILO, 64 * KILO, MEGA):
        with tempfile.TemporaryDirectory(prefix="sb-bench-", dir="/var/tmp") as place:
            found = run_json([tool("store_cost"), place, size, 200])
        tell(f"{size // KILO} KB held to written bare ({found['bare_us']:.0f} us)",
             f"{found['held_us'] / found['bare_us']:.2f}", "<= 1.3")
    with Quarantine() as store:
        fill(store, 100000)
        config = Path(store.path).parent / "list.conf"
        config.write_text(f'scorer "x" {{ servers = {{ "tcp://127.0.0.1:9" }} }}\n'
                          f'quarantine {{ directory = "{store.path}" }}\n')
        config.chmod(0o644)
        began, before = time.monotonic(), os.times()
        done = subprocess.run([program("spambridgectl"), "-c", config, "quarantine", "list",
                               "--limit", "0"], stdout=subprocess.PIPE, check=True)
        took, after = time.monotonic() - began, os.times()
    assert done.stdout.count(b"\n") >= 100000
    used = (after.children_user + after.children_system - before.children_user -
            before.children_system)
    tell("listing 100,000 items, seconds (of the processor)", f"{took:.2f} ({used:.2f})", "< 2")


def fill(store, count):
    """Copies of one item under names of their own."""
    item = store.put().stored[0]
    content = Path(store.item_path(item)).read_bytes()
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    for number in range(count - 1):
        name = ("".join(letters[number >> shift & 31] for shift in range(0, 25, 5)) * 6)[:26]
        path = Path(store.path) / "new" / f"{1700000000 + number}.M000000Q{name}.spambridge"
        path.write_bytes(content.replace(item.encode(), name.encode()))


def main():
    wanted = sys.argv[1:] or ["memory", "domains", "quarantine"]
    raise_descriptors()
    for name in wanted:
        print(name)
        {"memory": memory, "domains": domains, "quarantine": quarantine}[name]()


if __name__ == "__main__":
    main()

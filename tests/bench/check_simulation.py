# SPDX-License-Identifier: BSD-2-Clause
"""contrib/queue-simulation beside a measured run: the same arrivals, the same scans.

    SPAMBRIDGE_BUILD=build python3 tests/bench/check_simulation.py [SECONDS]

The stand-in takes 100 ms for each message and has five slots (max_connections), so 50 messages a
second are all there is; 20 to 45 of them come at random times.
"""

import importlib.machinery
import importlib.util
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))

from bench.subjects import Scorers                   # noqa: E402
from support.daemon import Daemon                    # noqa: E402
from support.messages import make                    # noqa: E402
from support.mta import send                         # noqa: E402

SCAN, SLOTS, DEADLINE = 0.1, 5, 2.0


def load_simulation():
    """contrib/queue-simulation as a module: its name has no ending."""
    loader = importlib.machinery.SourceFileLoader(
        "queue_simulation", str(TOP / "contrib" / "queue-simulation"))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


def measure(address, times):
    """Send a message at each of the times; the same pairs as the simulation's."""
    began, answers = time.monotonic(), [None] * len(times)

    def one(number):
        outcome = send(address, make())
        status = outcome.header("X-Spam-Status") or ""
        answers[number] = (outcome.seconds, "Unscanned" not in status)
    threads = []
    for number, when in enumerate(times):
        time.sleep(max(0.0, began + when - time.monotonic()))
        threads.append(threading.Thread(target=one, args=(number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return answers


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    simulation = load_simulation()
    with tempfile.TemporaryDirectory(prefix="sb-bench-") as place:
        os.chmod(place, 0o755)
        scorers = Scorers(place, int(SCAN * 1000))
        try:
            with Daemon([f"unix:{scorers.spamd}"], deadline=f"{DEADLINE:g}s",
                        scorer=f"max_connections = {SLOTS}") as daemon:
                send(daemon.address, make())
                for rate in (20, 35, 45):
                    times = simulation.arrivals(rate, seconds, 1, random.Random(rate))
                    load = rate * SCAN / SLOTS
                    expected = simulation.simulate(times, [SCAN] * len(times), SLOTS, DEADLINE)
                    print(f"{rate} messages a second")
                    print("  simulated  " + simulation.describe(expected, load))
                    print("  measured   " + simulation.describe(
                        measure(daemon.address, times), load), flush=True)
        finally:
            scorers.close()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-2-Clause
"""Whose a filter's processor time is: libmilter's, or the filter's own.

    SPAMBRIDGE_BUILD=build python3 tests/bench/profile.py       (as root; needs perf)

perf interrupts the processors by a clock while a filter is under load, and notes the stack. What a
call costs in the kernel or in the C library belongs to who calls. Shares of one filter in one run
add up to 1; the times of bench.py give them a size.
"""

import collections
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.bench import KILO, Cell, raise_descriptors                       # noqa: E402
from bench.subjects import LoopFilter, Scorers, SilentFilter, Spambridge    # noqa: E402

SUBJECTS = [Spambridge, SilentFilter, LoopFilter]
DAEMON = Path(__file__).resolve().parents[2] / "src/daemon"
SECONDS = 4
DEFINITION = re.compile(r"^[a-z][\w *]*?\b(\w+)\([^;]*\)\n\{", re.MULTILINE)
# the calls of libmilter that spambridge serves itself: they are the caller's all the same
WRAPPERS = {"read", "poll", "close", "accept", "pthread_create", "pthread_detach", "fill", "take",
            "read_ahead", "stream_read", "stream_poll", "stream_close", "hidden_find"}
OWNERS = ["libmilter", "its workers", "the filter", "nobody"]


def workers():
    """Functions of spambridge that are there for libmilter's pool of workers, and for it alone."""
    text = "".join((DAEMON / name).read_text() for name in ("threads.c", "gate.c"))
    return set(DEFINITION.findall(text)) - WRAPPERS


def owner(stack, ours, for_workers):
    """Whose a sample is: the first function, from the innermost, of libmilter or of the filter."""
    for symbol, place in stack:
        if "libmilter" in place:
            return "libmilter"
        if ours in place and symbol not in WRAPPERS:
            return "its workers" if symbol in for_workers else "the filter"
    return "nobody"


def stacks(text):
    """The stacks that perf script prints, innermost function first, as (symbol, object)."""
    for sample in text.split("\n\n"):
        frames, inlined = [], []
        for line in sample.splitlines()[1:]:
            words = line.split()
            if words[-1] == "(inlined)":
                inlined.append(words[1])    # the line of its caller tells the object
                continue
            place = line.rpartition("(")[2].rstrip(")")
            frames += [(symbol, place) for symbol in [*inlined, words[1].partition("+")[0]]]
            inlined = []
        if frames:
            yield frames


def sample(subject, cell, place):
    """Samples of a filter under load, and what is known of each: (owner, in the kernel)."""
    data, program = place / "perf.data", Path(f"/proc/{subject.process.pid}/exe").resolve().name
    with subprocess.Popen(["perf", "record", "-q", "-a", "-e", "cpu-clock", "-F", "299",
                           "-m", "1024", "--call-graph", "dwarf,4096", "-o", data],
                          stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as perf:
        figures = subject.run(["-t", SECONDS * 1000])
        perf.terminate()
    text = subprocess.run(["perf", "script", "-i", data, "--pid", str(subject.process.pid),
                           "-F", "comm,ip,sym,dso"], capture_output=True, text=True,
                          check=True).stdout
    for_workers = workers() if program == "spambridge" else set()
    found = [(owner(stack, program, for_workers), "kernel" in stack[0][1])
             for stack in stacks(text)]
    return found, figures


def show(name, found, figures):
    """One line: the share of each owner, and how much of it is in the kernel."""
    shares = collections.Counter(who for who, _ in found)
    kernel = collections.Counter(who for who, inside in found if inside)
    columns = [f"{shares[who] / max(len(found), 1):10.2f} "
               f"({kernel[who] / max(len(found), 1):4.2f})" for who in OWNERS]
    cost = figures["cpu_seconds"] / figures["messages"] * 1e6
    print(f"  {name:<24}{cost:7.0f} us{''.join(columns)}   {len(found):6d}", flush=True)


def main():
    raise_descriptors()
    print(f"  {'':<24}{'CPU':>10}" + "".join(f"{who:>17}" for who in OWNERS) + "  samples")
    for connections in (1, 16, 256):
        cell = Cell(4 * KILO, connections, 0)
        print(cell.title())
        with tempfile.TemporaryDirectory(prefix="sb-bench-") as place:
            os.chmod(place, 0o755)
            scorers = Scorers(place, 0)
            for number, kind in enumerate(SUBJECTS):
                subject = kind(Path(place) / str(number), scorers, cell)
                subject.start()
                show(kind.name, *sample(subject, cell, Path(place)))
                subject.close()
            scorers.close()


if __name__ == "__main__":
    main()

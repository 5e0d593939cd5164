# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F23 to F25: a daemon that is killed, and the order of what it writes."""

import os
import re
import shutil
import subprocess

from support import nodes, ports
from support.badscorer import ScorerProcess
from support.daemon import Daemon, Workspace
from support.matrix import CannotRun
from support.messages import make
from support.mta import Session

from .bench import Figure, row
from .kinds import POLICY

# data, then digest, into the file; file durable; its name durable; only then the answer
ORDER = [
    r"openat\([^\n]*/tmp>?, [^\n]*O_EXCL\|O_NOFOLLOW", r"\bwrite\(\d+<[^>]*/tmp/[^>]*>",
    r"pwrite64\(\d+<[^>]*/tmp/[^>]*>", r"fsync\(\d+<[^>]*/tmp/[^>]*>\) += 0",
    r"close\(\d+<[^>]*/tmp/[^>]*>\) += 0",
    r"renameat2\([^\n]*/tmp>[^\n]*/new>[^\n]*RENAME_NOREPLACE\) += 0",
    r"fsync\(\d+<[^>]*/new>\) += 0", r'writev?\(\d+<[^\n]*"\\0\\0\\0\\1d"']


def _killed(names, kills):
    """A kill test's own figures; it fails by itself when something is lost or torn."""
    found = nodes.run(names, environment={"SPAMBRIDGE_KILLS": str(kills)}, timeout=36000)
    found.all_passed()
    return found


@row("F23", "kill -9 at a random moment",
     "daemon behind Postfix under load of 8 senders who try again; and four writers at once",
     "whoever had 250 is delivered or held complete, all others are tried again")
def random_kills(extent):
    daemons, writers = extent.pick((5, 30), (25, 250), (1000, 10000))
    found = _killed("system/test_crash.py", daemons)
    stored = _killed("quarantine/test_crash.py::test_random_kills_under_load", writers)
    return [
        Figure(f"messages through {daemons} kills of the daemon",
               found.number(r"kills, (\d+) messages"), daemons, least=True),
        Figure("lost", found.number(r"(\d+) lost"), 0),
        Figure("torn", found.number(r"(\d+) torn"), 0),
        Figure("duplicates", found.number(r"(\d+) copies too many"),
               found.number(r"(\d+) tried again")),
        Figure(f"items told of through {writers} kills of a writer",
               stored.number(r"kills, (\d+) accepted"), writers, least=True),
        Figure("lost or torn", stored.number(r"(\d+) lost") + stored.number(r"(\d+) torn"), 0)]


@row("F24", "kill -9 before each system call of the store",
     "strace -e inject=CALL:signal=KILL:when=N, every call from the first look to the answer",
     "the item is whole or not there, and nothing was told of what is not there")
def each_call_killed(extent):
    if not shutil.which("strace"):
        raise CannotRun("needs strace")
    names = ["test_killed_before_every_system_call", "test_killed_between_link_and_unlink"]
    if extent.long:
        names.append("test_killed_while_the_directory_is_made")
    found = nodes.run(*(f"quarantine/test_crash.py::{name}" for name in names))
    found.all_passed()
    return [Figure("states enumerated", found.number(r"killed at (\d+) calls"), 40, least=True),
            Figure("lost, torn", 0, 0)]


def _traced(daemon, path):
    """strace at work on every thread of the daemon."""
    if not shutil.which("strace"):
        raise CannotRun("needs strace")
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-s", "16", "-o", path, "-e",
         "trace=openat,write,writev,pwrite64,fsync,close,renameat2", "-p", str(daemon.pid())],
        stderr=subprocess.PIPE, text=True)
    said = tracer.stderr.readline()
    if "attached" not in said:
        tracer.kill()
        raise CannotRun(f"strace may not look: {said.strip()}")
    return tracer


def _in_order(trace):
    at = 0
    for step in ORDER:
        match = re.compile(step).search(trace, at)
        if not match:
            return False
        at = match.end()
    return True


@row("F25", "power loss", "the daemon's system calls as strace saw them, for each held message",
     "write, digest, fsync of the file, close, rename, fsync of its folder, then the answer")
def order_of_calls(extent):
    count = extent.pick(5, 50, 500)
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        with Daemon([scorer.listen("x")], policy=POLICY, deadline="20s") as daemon:
            path = os.path.join(daemon.workspace.path, "trace")
            with Session(daemon.address) as talk:
                talk.greet()
                talk.send_message(make(score="12.3"))
                tracer = _traced(daemon, path)
                for _ in range(count):
                    talk.send_message(make(score="12.3"))
            ports.wait_until(lambda: _slices(path, count), timeout=10)
            tracer.terminate()
            tracer.wait(20)
            tracer.stderr.close()
            good = sum(_in_order(trace) for trace in _slices(path, count))
    return [Figure(f"orderings proved of {count}", good, count, least=True)]


def _whole_calls(lines):
    """Calls that strace shows in two pieces, since another thread came between, put together."""
    begun = {}
    for line in lines:
        thread, _, rest = line.partition(" ")
        rest = rest.lstrip()
        if rest.endswith("<unfinished ...>\n"):
            begun[thread] = rest[:-len("<unfinished ...>\n")].rstrip()
        elif rest.startswith("<... "):
            yield begun.pop(thread, "") + rest.partition("resumed>")[2]
        else:
            yield rest


def _slices(path, count):
    """The trace cut at each new item; empty until all of them are there."""
    with open(path, encoding="latin-1") as file:
        parts = re.split(r"(?=openat\([^\n]*O_EXCL)", "".join(_whole_calls(file)))[1:]
    return parts if len(parts) == count and '"\\0\\0\\0\\1d"' in parts[-1] else []

# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmark measures: filters that are started for it, and the bare dialogue."""

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

from support import ports
from support.daemon import Daemon, program
from support.process import wait_for

# More than any run has connections: a peer that knows no such limit is not held back by one.
CONNECTIONS = 2000
PROXY = """\
options {{
  pidfile = "{place}/rspamd.pid";
  tempdir = "{place}";
  hs_cache_dir = "{place}";
  control_socket = "{place}/control.sock mode=0600";
  rrd = "";
  history_file = "";
  filters = "";
  disable_hyperscan = true;
  url_tld = "{place}/tlds";
}}
logging {{ type = "console"; level = "notice"; }}
worker "rspamd_proxy" {{
  bind_socket = "{place}/milter.sock mode=0666";
  count = 1;
  milter = yes;
  timeout = 60s;
  upstream "scorer" {{ default = yes; hosts = "127.0.0.1:{port}"; }}
}}
"""


def tool(name):
    """Path of one of the benchmark's own programs."""
    return program(f"tests/bench/{name}")


def spawn(words, log):
    """A child that says what it has to say into a file."""
    with open(log, "ab") as file:
        return subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL,
                                stdout=file, stderr=file)


def end(process):
    """Stop a child of ours, by its id."""
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_json(words, timeout=180):
    """What a program of ours printed as JSON; RuntimeError with its complaint."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"status {done.returncode}")
    return json.loads(done.stdout)


class Scorers:
    """Stand-ins for spamd (on a unix socket) and rspamd (on a port), with one delay."""

    def __init__(self, place, delay_ms):
        self.spamd = Path(place) / "spamd.sock"
        self.port = ports.free_port()
        log = Path(place) / "standin.log"
        delay = ["-d", delay_ms]
        self.processes = [spawn([tool("standin"), "-l", f"unix:{self.spamd}", *delay], log),
                          spawn([tool("standin"), "-l", self.port, "-p", "http", *delay], log)]
        wait_for(lambda: ports.answers(f"unix:{self.spamd}") and
                 ports.answers(f"inet:{self.port}@127.0.0.1"), "stand-ins", log.read_text)
        os.chmod(self.spamd, 0o666)

    def close(self):
        for process in self.processes:
            end(process)


class Usage:
    """Processor time, memory and threads of a process and its children, from /proc."""

    def __init__(self, pid):
        self.pid = pid

    def tree(self):
        """The process and all its children now."""
        found, left = [], [self.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    left += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
            except OSError:
                continue
        return found

    def cpu_seconds(self):
        """User and system time, that of ended children included."""
        ticks = 0
        for pid in self.tree():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))
            except OSError:
                continue
        return ticks / os.sysconf("SC_CLK_TCK")

    def status(self, key):
        """The sum of a figure of /proc/PID/status."""
        total = 0
        for pid in self.tree():
            try:
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith(key + ":"):
                        total += int(line.split()[1])
            except OSError:
                continue
        return total

    def forget_peak(self):
        """Let the peak of memory begin anew (proc(5), clear_refs)."""
        for pid in self.tree():
            try:
                Path(f"/proc/{pid}/clear_refs").write_text("5")
            except OSError:
                continue


class Watch(threading.Thread):
    """Samples memory and threads of a filter while it works."""

    STEP_S = 0.02

    def __init__(self, usage):
        super().__init__(daemon=True)
        self.usage, self.stop = usage, threading.Event()
        self.threads = self.peak_kib = 0

    def run(self):
        while not self.stop.wait(self.STEP_S):
            self.threads = max(self.threads, self.usage.status("Threads"))
            self.peak_kib = max(self.peak_kib, self.usage.status("VmHWM"))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.join()


class Filter:
    """A mail filter at self.address (as the load generator takes it) with a process to look at."""

    name = ""
    why_not = None      # what is missing, where it cannot be started

    def __init__(self, place, scorers, cell):
        self.place, self.scorers, self.cell = Path(place), scorers, cell
        self.place.mkdir(mode=0o755)
        self.address = f"unix:{self.place}/milter.sock"
        self.log = self.place / "log"
        self.process = None

    def start(self):
        raise NotImplementedError

    def wait(self):
        wait_for(lambda: ports.answers(self.address), self.name,
                 lambda: self.log.read_text(errors="replace"))
        self.usage = Usage(self.process.pid)
        self.start_kib = self.usage.status("VmRSS")

    def run(self, limit):
        """One run of the load generator: its figures, and those of the filter."""
        self.usage.forget_peak()
        before = self.usage.cpu_seconds()
        with Watch(self.usage) as watch:
            figures = run_json([tool("load"), "-a", self.address, "-c", self.cell.connections,
                                "-m", self.cell.messages, "-s", self.cell.size, *limit])
        figures["cpu_seconds"] = self.usage.cpu_seconds() - before
        figures["peak_kib"] = max(watch.peak_kib, self.usage.status("VmHWM"))
        figures["threads"] = watch.threads
        figures["start_kib"] = self.start_kib
        figures["after_kib"] = self.usage.status("VmRSS")
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended with status {self.process.returncode}")
        return figures

    def close(self):
        end(self.process)


class Spambridge(Filter):
    name = "spambridge"
    protocol = "spamd"

    def server(self):
        return f"unix:{self.scorers.spamd}"

    def start(self):
        self.daemon = Daemon(
            [self.server()], protocol=self.protocol, deadline="20s",
            scorer=f"max_connections = {CONNECTIONS}",
            options=f"max_scan_size = 4M\nmax_sessions = {CONNECTIONS}\n{self.cell.options}")
        self.address = self.daemon.address
        with open(self.log, "wb") as log:
            self.daemon.spawn(stderr=log)
        self.daemon.wait_ready()
        self.process = self.daemon.process
        self.wait()

    def close(self):
        self.daemon.kill()


class SpambridgeHttp(Spambridge):
    name = "spambridge, HTTP"
    protocol = "rspamd"

    def server(self):
        return f"http://127.0.0.1:{self.scorers.port}"


class SpamassMilter(Filter):
    name = "spamass-milter"
    why_not = None if shutil.which("spamass-milter") and shutil.which("spamc") else "not installed"

    def start(self):
        self.process = spawn(["spamass-milter", "-p", f"{self.place}/milter.sock", "--",
                              "-U", self.scorers.spamd], self.log)
        self.wait()


class RspamdProxy(Filter):
    name = "rspamd proxy"
    why_not = None if os.access("/usr/bin/rspamd", os.X_OK) else "not installed"

    def start(self):
        (self.place / "rspamd.conf").write_text(
            PROXY.format(place=self.place, port=self.scorers.port))
        (self.place / "tlds").write_text("com\nnet\norg\nexample\n")
        words = ["/usr/bin/rspamd", "-f", "-c", self.place / "rspamd.conf"]
        if os.geteuid() == 0:
            shutil.chown(self.place, "_rspamd", "_rspamd")
            words += ["-u", "_rspamd", "-g", "_rspamd"]
        else:
            words.append("-i")
        self.process = spawn(words, self.log)
        self.wait()


class EmptyFilter(Filter):
    name = "empty, all replies"
    options = []

    def start(self):
        self.process = spawn([tool("empty_filter"), "-l", self.address, *self.options], self.log)
        self.wait()


class SilentFilter(EmptyFilter):
    name = "empty, no replies"
    options = ["-n"]


class BlockingFilter(EmptyFilter):
    """The least that a filter for spamd can do on libmilter."""
    name = "empty with dialogue"

    def start(self):
        self.options = ["-n", "-d", f"unix:{self.scorers.spamd}", "-s", self.cell.size]
        super().start()


class LoopFilter(EmptyFilter):
    """A filter for spamd without libmilter, one event loop on each processor."""
    name = "loop without libmilter"

    def start(self):
        self.process = spawn([tool("loop_filter"), "-l", self.address,
                              "-d", f"unix:{self.scorers.spamd}", "-t", os.cpu_count()], self.log)
        self.wait()


class Dialogue(Filter):
    """The bare dialogue with the stand-in for spamd, no mail filter."""
    name = "bare dialogue"

    def start(self):
        pass

    def run(self, limit):
        figures = run_json([tool("dialogue"), "-a", f"unix:{self.scorers.spamd}",
                            "-c", self.cell.connections, "-s", self.cell.size, *limit])
        return {**figures, "threads": 1, "start_kib": 0, "after_kib": 0}


SUBJECTS = [Spambridge, SpambridgeHttp, LoopFilter, SilentFilter, Dialogue, BlockingFilter,
            EmptyFilter, SpamassMilter, RspamdProxy]


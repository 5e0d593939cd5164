# SPDX-License-Identifier: BSD-2-Clause
"""The daemon under test as a child process: configure, start, wait until ready, watch, stop.

Environment: SPAMBRIDGE_BUILD is the build directory that holds the programs; SPAMBRIDGE_WRAPPER is
put in front of the daemon's command line (strace); SPAMBRIDGE_VALGRIND=yes puts valgrind's memcheck
there, whose errors and lost blocks fail the test; SPAMBRIDGE_TEST_USER is the account to
run as when the tests run as root (default nobody), reached by the daemon's own `user` option or,
with drop="setpriv", before it starts. ASAN_OPTIONS and the like pass through.
"""

import functools
import glob
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from . import ports

VALGRIND = ["valgrind", "--quiet", "--vgdb=no", "--error-exitcode=9", "--leak-check=full",
            "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
            "--suppressions=" + os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                             "valgrind.supp")]
# what sanitizers and valgrind begin a complaint with
COMPLAINT = re.compile(r"Sanitizer|runtime error:|^==\d+== \S")
PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
# a message's line begins with its id and ends with its tests, whatever the log puts in front
MESSAGE_KEYS = ["id", "from", "to", "client", "size", "scorer", "server", "score", "required",
                "action", "reason", "quarantine", "rule", "scan_ms", "total_ms", "tests"]
THRESHOLDS = "tag = 5.0\nquarantine = off\nreject = 15.0"


def build_directory():
    """The build directory, or None when no daemon is there."""
    folder = os.environ.get("SPAMBRIDGE_BUILD", "")
    return folder if os.access(os.path.join(folder, "spambridge"), os.X_OK) else None


def program(name):
    """Absolute path of a program of the build."""
    return os.path.join(os.path.abspath(os.environ["SPAMBRIDGE_BUILD"]), name)


def test_user():
    """The account that the daemon runs as: ours, or an unprivileged one when we are root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    return os.environ.get("SPAMBRIDGE_TEST_USER", "nobody")


def setpriv(user):
    """Command words that run what follows as an unprivileged user; none when we are not root."""
    if os.geteuid() != 0:
        return []
    entry = pwd.getpwnam(user)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


def parse_pairs(line):
    """key=value pairs of a log line, in order, quotes removed."""
    pairs = {}
    for key, value in PAIR.findall(line):
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        pairs[key] = value
    return pairs


class Workspace:
    """A temporary directory that the daemon's user owns."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="sb-")
        os.chmod(self.path, 0o755)
        if os.geteuid() == 0:
            entry = pwd.getpwnam(test_user())
            os.chown(self.path, entry.pw_uid, entry.pw_gid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def file(self, name):
        return os.path.join(self.path, name)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


@functools.lru_cache(maxsize=None)
def knows(text):
    """True unless this build calls something in a configuration text "not supported"."""
    with Workspace() as place:
        path = place.file("probe.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.chmod(path, 0o644)
        return "not supported" not in run("spambridge", "-t", "-c", path).stderr


def has_quarantine():
    """True if this build has a quarantine."""
    return knows("policy { quarantine = off }")


def scorer_section(name="x", servers=(), protocol="spamd", extra=""):
    """A scorer section; servers as BadScorer.listen() returned them."""
    quoted = ", ".join(f'"{server}"' for server in servers)
    return (f'scorer "{name}" {{\n\tprotocol = {protocol}\n\tservers = {{ {quoted} }}\n'
            f"\t{extra}\n}}\n")


class Daemon:
    """One run of the daemon in a workspace of its own.

    servers, scorer and protocol make the scorer section; policy is the inside of the policy
    section; options are further top-level lines; config replaces all of it.
    """

    def __init__(self, servers=(), protocol="spamd", scorer="", policy=THRESHOLDS, options="",
                 deadline="5s", trusted="", config=None, drop="config", environment=None,
                 listen=None, limits=(), workspace=None):
        self.workspace = workspace or Workspace()
        self.owns_workspace = workspace is None
        self.address = listen or f"unix:{self.workspace.file('milter.sock')}"
        self.control = self.workspace.file("control.sock")
        self.config_path = self.workspace.file("spambridge.conf")
        self.drop = drop
        self.environment = environment or {}
        self.limits = list(limits)      # words for prlimit, such as --nofile=64
        self.wrapper = []               # words put before the command line
        self.keep_notify = False        # True: leave the notify socket open and unread
        self.process = None
        self.lines = []
        self._lines_before = 0          # of an earlier process
        self._forgotten = 0             # messages' lines of this process
        self._news = threading.Condition()
        self._reader = None
        self.write_config(config or self._config(servers, protocol, scorer, policy, options,
                                                 deadline, trusted))

    def _quarantine_section(self):
        """Make the quarantine's directory and return its section."""
        folder = self.workspace.file("quarantine")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            entry = pwd.getpwnam(test_user())
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        return f'quarantine {{ directory = "{folder}" }}\n'

    def _config(self, servers, protocol, scorer, policy, options, deadline, trusted):
        store = self._quarantine_section() if has_quarantine() else ""
        if not store:
            policy = re.sub(r"\bquarantine = off\b", "", policy)
        scorers = scorer_section("x", servers, protocol, scorer) if servers else ""
        if self.drop == "setpriv" or os.geteuid() != 0:
            options = f'socket_group = ""\n{options}'  # the default is a group that we are not in
        return (f'listen = "{self.address}"\n'
                f'control = "{self.control}"\n'
                f'user = "{test_user()}"\n'
                'log = stderr\n'
                f'deadline = {deadline}\n'
                f'trusted_networks = {{ {trusted} }}\n'
                f'{options}\n{scorers}'
                f'policy {{\n{policy}\n}}\n{store}')

    def write_config(self, text):
        """Write the configuration file, not writable by others."""
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.config_path, 0o644)
        self.config = text

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def command(self):
        """The daemon's command line with wrapper and privilege drop."""
        words = []
        if self.limits:
            words += ["prlimit", *self.limits]
        if self.drop == "setpriv":
            words += setpriv(test_user())
        words += shlex.split(os.environ.get("SPAMBRIDGE_WRAPPER", ""))
        if os.environ.get("SPAMBRIDGE_VALGRIND") == "yes":
            words += VALGRIND
        return words + self.wrapper + [program("spambridge"), "-c", self.config_path]

    def spawn(self, stderr=subprocess.PIPE):
        """Start the process without waiting for readiness."""
        environment = {**os.environ, **self.environment}
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify_path = self.workspace.file("notify.sock")
        if os.path.exists(notify_path):
            os.unlink(notify_path)
        self.notify.bind(notify_path)
        os.chmod(notify_path, 0o666)
        environment["NOTIFY_SOCKET"] = notify_path
        environment.pop("JOURNAL_STREAM", None)
        self._lines_before = len(self.lines)
        self._forgotten = 0
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=stderr, env=environment)
        if self.process.stderr:
            self._reader = threading.Thread(target=self._read_log, daemon=True)
            self._reader.start()
        return self

    def start(self, timeout=60.0):
        """Start and wait until the socket answers; RuntimeError with the log if it never does."""
        self.spawn()
        self.ready = self.wait_ready(timeout)
        if not self.keep_notify:
            self.notify.close()
        return self

    def wait_ready(self, timeout=60.0):
        """Wait for READY=1, or for the socket where nobody says so for half of the time.

        Returns the way in which readiness was seen: "notify" or "connect".
        """
        deadline = time.monotonic() + timeout
        self.notify.settimeout(0.05)
        while time.monotonic() < deadline:
            try:
                if b"READY=1" in self.notify.recv(4096):
                    return "notify"
            except (TimeoutError, socket.timeout):
                pass
            if self.process.poll() is not None:
                break
            if time.monotonic() > deadline - timeout / 2 and ports.answers(self.address):
                return "connect"
        self.kill()
        raise RuntimeError("the daemon did not get ready:\n" + "\n".join(self.lines))

    def _read_log(self):
        for raw in self.process.stderr:
            with self._news:
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def wait_log(self, wanted, timeout=30.0):
        """The first log line for which wanted(line) is true, or that contains the text wanted."""
        test = wanted if callable(wanted) else lambda line: wanted in line
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                for line in self.lines:
                    if test(line):
                        return line
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"no log line with {wanted!r}:\n" + "\n".join(self.lines))
                self._news.wait(left)

    def forget_lines(self):
        """Drop the lines so far, for a daemon that runs for hours."""
        with self._news:
            mine = self.lines[self._lines_before:]
            self._forgotten += sum("total_ms=" in line for line in mine)
            del self.lines[:]
            self._lines_before = 0

    def last_words(self):
        """All lines of a process that has ended."""
        self._reader.join(30)
        return self.lines[self._lines_before:]

    def message_line(self, queue_id, timeout=30.0):
        """The log line of the message with that queue id, as ordered pairs."""
        line = self.wait_log(
            lambda text: parse_pairs(text).get("id") == queue_id and "total_ms=" in text, timeout)
        return parse_pairs(line[re.search(r"\bid=", line).start():])

    def all_message_lines(self):
        """message_lines(), once every message that this process has answered has its own."""
        def complete():
            lines = sum("total_ms=" in line for line in self.lines[self._lines_before:])
            return lines + self._forgotten >= sum(self.ask()["counters"].values())
        assert ports.wait_until(complete), "\n".join(self.lines[-40:])
        return self.message_lines()

    def message_lines(self):
        """All messages' lines so far, as ordered pairs."""
        with self._news:
            return [parse_pairs(line) for line in self.lines if "total_ms=" in line]

    def pid(self):
        """The daemon's own process id, also below a wrapper that does not exec."""
        pid = self.process.pid
        for _ in range(4):
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                if file.read().startswith("spambridge"):
                    return pid
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                children = file.read().split()
            if not children:
                break
            pid = int(children[0])
        return self.process.pid

    def signal(self, number):
        os.kill(self.pid(), number)

    def reload(self):
        self.signal(signal.SIGUSR1)

    def is_sanitized(self):
        """True if the daemon runs with a sanitizer or below valgrind: its memory says nothing."""
        with open(f"/proc/{self.pid()}/maps", encoding="ascii") as file:
            return re.search(r"lib[atu]san|vgpreload_memcheck", file.read()) is not None

    def alive(self):
        return self.process.poll() is None

    def status(self):
        """What the control socket says of the daemon: servers, late verdicts, counters."""
        found = run("spambridgectl", "-c", self.config_path, "status", "--json")
        return json.loads(found.stdout)

    def ask(self, command="status"):
        """The control socket's answer, or None when nobody gives one."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(self.control)
                client.sendall(json.dumps({"version": 1, "command": command}).encode() + b"\n")
                with client.makefile("rb") as answer:
                    return json.loads(answer.readline() or b"null")
        except OSError:
            return None

    def check_counters(self):
        """The law of conservation: every message that began is under way, abandoned or answered,
        and each that was received was answered once and left one line in the log.

        Messages may be on their way through, so it is given a moment to hold.
        """
        if not self.alive() or self._is_frozen() or not os.path.exists(self.control):
            return
        seen = []

        def holds():
            status = self.ask()
            if status is None:
                return True
            answered = sum(status["counters"].values())
            lines = self._forgotten + sum("total_ms=" in line
                                          for line in self.lines[self._lines_before:])
            seen[:] = [f"{name} = {status[name]}" for name in
                       ("begun", "received", "abandoned", "messages", "log_dropped")]
            seen.append(f"answered = {answered}, lines = {lines}, {status['counters']}")
            logged = status["log_dropped"] > 0 or not self._reader or "log_level" in self.config \
                or "log = stderr" not in self.config or lines == answered \
                or lines >= answered and status["messages"] > 0
            return (0 <= status["received"] - answered <= status["messages"] and logged
                    and status["begun"] == answered + status["abandoned"] + status["messages"])
        assert ports.wait_until(holds, step=0.05), "; ".join(seen)

    def _is_frozen(self):
        with open(f"/proc/{self.pid()}/stat", encoding="ascii") as file:
            return file.read().rpartition(") ")[2][0] in "Tt"

    def stop(self, timeout=40.0):
        """SIGTERM; returns (exit status, seconds until it was gone)."""
        self.check_counters()
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        status = self.process.wait(timeout)
        took = time.monotonic() - began
        self._finish()
        return status, took

    def stop_cleanly(self, timeout=40.0):
        """Stop and insist on exit status 0."""
        status, _ = self.stop(timeout)
        assert status == 0, f"exit status {status}:\n" + "\n".join(self.lines[-40:])
        self.check_complaints()

    def check_complaints(self):
        """Nothing that a sanitizer or valgrind said is overlooked: here, or in a file of its own."""
        for path in glob.glob(os.path.join(os.environ.get("SPAMBRIDGE_COMPLAINTS", "/nowhere"),
                                           f"*.{self.process.pid if self.process else 0}")):
            with open(path, encoding="utf-8", errors="replace") as file:
                assert not (found := file.read()), found[:6000]
        complaints = [n for n, line in enumerate(self.lines) if COMPLAINT.search(line)]
        assert not complaints, "\n".join(self.lines[complaints[0]:][:60])

    def _finish(self):
        if self._reader:
            self._reader.join(30)
        if self.process and self.process.stderr:
            self.process.stderr.close()
        self.notify.close()

    def kill(self):
        """End it whatever its state, and remove the workspace."""
        try:
            if self.process:
                self.check_counters()
        finally:
            self._kill()

    def _kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            self._finish()
        if self.owns_workspace:
            self.workspace.remove()
        self.check_complaints()

    def fds(self):
        """Number of open descriptors."""
        return len(os.listdir(f"/proc/{self.pid()}/fd"))

    def settled_fds(self):
        """Number of open descriptors, once it stays the same: clients that left are forgotten."""
        seen = [self.fds()]

        def settled():
            seen.append(self.fds())
            return len(seen) > 5 and len(set(seen[-6:])) == 1
        assert ports.wait_until(settled, step=0.1), seen
        return seen[-1]

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid()}/task"))

    def rss_kib(self):
        """Resident memory in KiB."""
        return self._status("VmRSS")

    def peak_rss_kib(self):
        """Highest resident memory so far in KiB."""
        return self._status("VmHWM")

    def _status(self, key):
        with open(f"/proc/{self.pid()}/status", encoding="ascii") as file:
            return int(re.search(rf"^{key}:\s+(\d+)", file.read(), re.M).group(1))

    def cpu_seconds(self):
        """User and system time used so far."""
        with open(f"/proc/{self.pid()}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(name, *arguments, **options):
    """Run a program of the build to its end; returns the CompletedProcess with text output."""
    return subprocess.run([program(name), *arguments], capture_output=True, text=True, timeout=60,
                          check=False, **options)

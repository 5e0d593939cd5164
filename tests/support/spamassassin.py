# SPDX-License-Identifier: BSD-2-Clause
"""A private real spamd: the installed rules, our own site configuration, an unprivileged user.

Scores are made by text in the body: PHRASES gives each phrase, its rule and its points, and any
message may carry marks ("sbmark-0042") that hit a rule of their own. Nothing asks the network.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from .ports import free_ports
from .process import group_alive, make_certificate, wait_for

SITE = Path("/etc/spamassassin")
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
PHRASES = {     # body text: (rule, points)
    b"spambridge test: three points": ("SB_THREE", 3),
    b"spambridge test: seven points": ("SB_SEVEN", 7),
    b"spambridge test: nine and nine tenths": ("SB_NINE_NINE", 9.9),
    b"spambridge test: twenty points": ("SB_TWENTY", 20),
    b"spambridge test: minus four points": ("SB_MINUS_FOUR", -4),
}
MARKS = 400

# What the relay parser made of the header, as fields of the reply; nothing else looks into it.
RELAY_FIELDS = """\
add_header all Relays-External _RELAYSEXTERNAL_
add_header all Relays-Trusted _RELAYSTRUSTED_
add_header all Relays-Untrusted _RELAYSUNTRUSTED_
add_header all Seen-Sender _SBSENDER_
header __SB_SENDER EnvelopeFrom =~ /^(?<SBSENDER>.+)$/
"""

BASE = """\
# Only local tests, no learning: a score depends on the message alone.
report_safe 0
use_bayes {bayes}
bayes_auto_learn 0
bayes_path {home}/bayes
dns_available no
skip_rbl_checks 1
use_auto_whitelist 0
required_score {required}
"""


class Spamd:
    """One spamd with its children. Usable as a context manager; start() waits for its PONG.

    listen: "unix", "tcp" or "tls"; self.server is the address as spambridge.conf writes it.
    config: further lines of the site configuration. children: --max-children.
    users: lines of preferences for each user that a client may name.
    """

    def __init__(self, listen="unix", children=5, config="", required="5.0", bayes=False,
                 allow_tell=False, arguments=(), directory=None, users=None):
        self.directory = Path(directory or tempfile.mkdtemp(prefix="sbsa-"))
        self.directory.chmod(0o755)
        self.user = "debian-spamd" if user_exists("debian-spamd") else "nobody"
        self.home = self.directory / "home"
        self.site = self.directory / "site"
        self.log_file = self.directory / "spamd.log"
        self.children = children
        self.arguments = list(arguments)
        self.process = None
        self._listen(listen)
        if allow_tell:
            self.arguments.append("--allow-tell")
        self._write_site(config, required, bayes)
        if users:
            self._write_users(users)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    def _listen(self, listen):
        self.tls = listen == "tls"
        self.socket_path = self.directory / "spamd.sock"
        self.certificate = None
        if listen == "unix":
            self.server = f"unix:{self.socket_path}"
            self.arguments += [f"--socketpath={self.socket_path}", "--socketmode=0666"]
            return
        self.port = free_ports(1)[0]
        self.server = f"{listen}://127.0.0.1:{self.port}"
        self.socket_path = None
        prefix = "ssl:" if self.tls else ""
        self.arguments += [f"--listen={prefix}127.0.0.1:{self.port}", "--allowed-ips=127.0.0.1"]
        if self.tls:
            self.certificate, key = make_certificate(self.directory, "localhost")
            self.arguments += [f"--server-cert={self.certificate}", f"--server-key={key}"]

    def _write_site(self, config, required, bayes):
        self.home.mkdir()
        self.site.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.home, self.user)
        for plugins in SITE.glob("*.pre"):
            shutil.copy(plugins, self.site)
        base = BASE.format(home=self.home, required=required, bayes=int(bayes))
        (self.site / "local.cf").write_text(base + score_rules() + config)

    def _write_users(self, users):
        """Preferences of virtual users: spamd(1), --virtual-config-dir."""
        self.arguments.append(f"--virtual-config-dir={self.directory}/users/%u")
        for user, preferences in users.items():
            folder = self.directory / "users" / user
            folder.mkdir(parents=True)
            (folder / "user_prefs").write_text(preferences)
            if os.geteuid() == 0:
                shutil.chown(folder, self.user)

    def write_rules(self, text):
        """More site configuration, read at the next start()."""
        (self.site / "more.cf").write_text(text)

    def start(self):
        command = ["/usr/sbin/spamd", "--local", "--nouser-config", "--syslog=stderr",
                   f"--siteconfigpath={self.site}", f"--helper-home-dir={self.home}",
                   f"--max-children={self.children}", f"--min-children={min(2, self.children)}"]
        if os.geteuid() == 0:
            command.append(f"--username={self.user}")
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                command + self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.directory, start_new_session=True,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})
        wait_for(self._pong, "spamd to answer PING", self.log, timeout=60)

    def _pong(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"spamd ended:\n{self.log()}")
        try:
            return b"PONG" in self.ask("PING")
        except OSError:
            return False

    def log(self):
        try:
            return self.log_file.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def freeze(self):
        """Parent and children stop where they are; the kernel goes on taking connections."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def stop(self):
        """The orderly way, then whatever is left of the group."""
        self._end(signal.SIGTERM)

    def kill(self):
        """Parent and children are gone at once, as after a crash."""
        self._end(signal.SIGKILL)

    def _end(self, number):
        if self.process is None:
            return
        group = self.process.pid
        for this in (signal.SIGCONT, number):
            try:
                os.killpg(group, this)
            except ProcessLookupError:
                pass
        self.process.wait(20)
        self.process = None
        wait_for(lambda: not group_alive(group), "spamd's children to end", self.log,
                 kill_group=group)
        if self.socket_path:
            self.socket_path.unlink(missing_ok=True)

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def connect(self, timeout):
        if self.socket_path:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(timeout)
            sock.connect(str(self.socket_path))
            return sock
        sock = socket.create_connection(("127.0.0.1", self.port), timeout)
        return ssl._create_unverified_context().wrap_socket(sock) if self.tls else sock

    def ask(self, verb, message=b"", headers=(), timeout=30):
        """One exchange as spamc would have it; the whole reply."""
        lines = [f"{verb} SPAMC/1.5".encode()] + [line.encode() for line in headers]
        if message:
            lines.append(b"Content-length: %d" % len(message))
        with self.connect(timeout) as sock:
            sock.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + message)
            if not self.tls:
                sock.shutdown(socket.SHUT_WR)
            reply = b""
            while True:
                try:
                    chunk = sock.recv(65536)
                except ConnectionResetError:
                    return reply
                if not chunk:
                    return reply
                reply += chunk

    def own_fields(self, message):
        """The X-Spam-* lines that spamd's own HEADERS reply has for these bytes, in its order.

        The message must have none itself: with report_safe spamd's own are not the first ones.
        """
        header = self.ask("HEADERS", message).partition(b"\r\n\r\n")[2]
        return b"".join(re.findall(rb"(?m)^X-Spam-[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", header))


def user_exists(name):
    try:
        pwd.getpwnam(name)
        return True
    except KeyError:
        return False


def score_rules():
    """The rules behind PHRASES and the marks."""
    lines = []
    for phrase, (rule, points) in PHRASES.items():
        lines += [f"body {rule} /{phrase.decode()}/", f"score {rule} {points}",
                  f"describe {rule} {points} points for a phrase of the tests"]
    for number in range(MARKS):
        lines += [f"body SB_MARK_{number:04d} /sbmark-{number:04d}\\b/",
                  f"score SB_MARK_{number:04d} {mark_points(number)}"]
    return "\n".join(lines) + "\n"


def mark_points(number):
    """Points of a mark: no two neighbours alike, from 0.1 to 12.0, all below a reject at 15."""
    return (number * 7 % 120 + 1) / 10


def phrase(rule):
    """The body text that hits one of the rules of PHRASES."""
    return next(text for text, (name, _) in PHRASES.items() if name == rule)

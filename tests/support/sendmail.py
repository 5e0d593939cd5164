# SPDX-License-Identifier: BSD-2-Clause
"""A private Sendmail: Debian's program and m4 files, unpacked, in a network of its own.

It cannot be installed beside Postfix, so contrib/sendmail/unpack fetches it; SPAMBRIDGE_SENDMAIL
names a directory where that was done before. Every domain is relayed to an SMTP sink of ours.
Clients choose their address by binding to it; HOSTS says which names those have.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from . import smtp
from .network import Network
from .process import group_alive, run, wait_for

UNPACK = Path(__file__).resolve().parents[2] / "contrib" / "sendmail" / "unpack"
CLIENT = "5.9.10.11"
CLIENT6 = "2a01:4f8::7"
NAMELESS = "5.9.10.12"
FORGED = "5.9.10.13"    # its name says that it has another address
ADDRESSES = [f"{address}/32" for address in (CLIENT, NAMELESS, FORGED)] + [f"{CLIENT6}/128"]
HOSTS = f"""\
127.0.0.1 localhost mx.example.com
::1 localhost
{CLIENT} mail.example.org
{CLIENT6} mail6.example.org
192.0.2.77 forged.example.org
{FORGED} forged.example.org
"""

CONFIG = """\
divert(0)dnl
define(`MAIL_SETTINGS_DIR', `{directory}/')dnl
include(`{cf}/m4/cf.m4')dnl
include(`{cf}/debian/autoconf.m4')dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
define(`confDOMAIN_NAME', `mx.example.com')dnl
define(`confTRUSTED_USER', `root')dnl
define(`confDEF_USER_ID', `nobody:nogroup')dnl
define(`QUEUE_DIR', `{directory}/mqueue')dnl
define(`STATUS_FILE', `{directory}/statistics')dnl
define(`HELP_FILE', `{directory}/help')dnl
define(`confHOST_STATUS_DIRECTORY', `')dnl
define(`confPID_FILE', `{directory}/sendmail.pid')dnl
define(`confCONTROL_SOCKET_NAME', `')dnl
define(`confSERVICE_SWITCH_FILE', `{directory}/switch')dnl
define(`confTO_IDENT', `0')dnl
define(`confMAX_MIME_HEADER_LENGTH', `0')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confDELAY_LA', `0')dnl
define(`confLOG_LEVEL', `14')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {sink}')dnl
define(`RELAY_MAILER_LL', `0')dnl
define(`confMAX_HEADERS_LENGTH', `0')dnl
define(`confALLOW_BOGUS_HELO', `True')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
FEATURE(`nocanonify')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA-v4, Port=25, Addr=127.0.0.1')dnl
DAEMON_OPTIONS(`Family=inet6, Name=MTA-v6, Port=25, Addr=::1')dnl
{settings}
MAILER(`smtp')dnl
"""


class Sendmail:
    """One Sendmail. filters: lines for sendmail.mc, as INPUT_MAIL_FILTER writes them."""

    def __init__(self, filters="", settings=""):
        self.directory = Path(tempfile.mkdtemp(prefix="sbsm-"))
        self.directory.chmod(0o755)
        self.tree = find_tree()
        self.program = self.tree / "usr/libexec/sendmail/sendmail"
        self.network = Network(ADDRESSES, HOSTS)
        self.sink = self.network.run(smtp.Sink)
        self.syslog = Syslog(self.network.directory / "dev" / "log")
        self.process = None
        self._write(f"{settings}\n{filters}")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def _write(self, settings):
        (self.directory / "mqueue").mkdir(mode=0o700)
        (self.directory / "switch").write_text("hosts files\naliases files\n")
        cf = self.tree / "usr/share/sendmail/cf"
        text = CONFIG.format(directory=self.directory, cf=cf, sink=self.sink.port,
                             settings=settings)
        (self.directory / "sendmail.mc").write_text(text)
        made = run(["m4", f"-D_CF_DIR_={cf}/", self.directory / "sendmail.mc"], lambda: "")
        (self.directory / "sendmail.cf").write_bytes(made)

    def command(self, *options):
        """Command words for sendmail(8) with this configuration, in this network."""
        libraries = ":".join(str(path) for path in sorted(self.tree.glob("usr/lib/*-linux-*")))
        return self.network.command(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                     f"LD_LIBRARY_PATH={libraries}", self.program,
                                     f"-C{self.directory}/sendmail.cf", *options])

    def start(self):
        with open(self.directory / "stderr", "wb") as errors:
            self.process = subprocess.Popen(
                self.command("-bD", "-q1s"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=errors, start_new_session=True)
        try:
            wait_for(self._greets, "Sendmail to greet", self.log)
        except BaseException:
            self.close()
            raise
        return self

    def _greets(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"Sendmail ended:\n{self.log()}")
        try:
            with self.client() as client:
                return client.greeting.code == 220
        except (OSError, smtp.SmtpError):
            return False

    def close(self):
        if self.process:
            group = self.process.pid
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(group, number)
                except ProcessLookupError:
                    break
            self.process.wait(20)
            wait_for(lambda: not group_alive(group), "Sendmail to stop", self.log)
        self.sink.stop()
        self.syslog.close()
        self.network.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self):
        """What it sent to syslog, and what it said while starting."""
        errors = self.directory / "stderr"
        said = errors.read_text(errors="replace") if errors.exists() else ""
        return said + "\n".join(self.syslog.lines)

    def wait_log(self, pattern, timeout=60):
        return wait_for(lambda: re.search(pattern, "\n".join(self.syslog.lines)),
                        f"log line {pattern}", self.log, timeout)

    def client(self, source=None, timeout=60):
        """An SMTP client with that address of ADDRESSES."""
        server = "::1" if source and ":" in source else "127.0.0.1"
        bound = (source, 0) if source else None
        return self.network.run(lambda: smtp.Client((server, 25), timeout, bound))

    def send(self, message, sender="alice@example.org", recipients=("bob@example.com",),
             helo="mail.example.org", source=CLIENT, arguments="", timeout=60):
        """The reply to one message."""
        with self.client(source, timeout) as client:
            reply = client.ehlo(helo)
            if reply.code != 250:
                return reply
            return client.transaction(message, sender, recipients, arguments)

    def submit(self, message, sender="root@example.com", recipients=("bob@example.com",)):
        """As a program on the server does it (-bs): a client without an address."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(self.command("-bs", "-odb"), stdin=theirs, stdout=theirs,
                                       stderr=subprocess.DEVNULL)
        ours.settimeout(60)
        with smtp.Client(ours) as client:
            smtp.expect(client.ehlo("localhost"), 250, "EHLO")
            reply = client.transaction(message, sender, recipients)
        process.wait(20)
        return reply

    def delivered(self, wanted=1, timeout=60):
        return self.sink.wait(wanted, timeout)

    def empty(self):
        return not any((self.directory / "mqueue").iterdir())


class Syslog:
    """A /dev/log that keeps what is written to it."""

    def __init__(self, path):
        self.lines = []
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        path.chmod(0o666)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            try:
                line = self.sock.recv(65536)
            except OSError:
                return
            if not line:
                return
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n\0"))

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(5)
        self.sock.close()


def find_tree():
    """The unpacked Sendmail; fetched once for all tests of a run."""
    given = os.environ.get("SPAMBRIDGE_SENDMAIL")
    if given:
        return Path(given).resolve()
    if not FETCHED:
        FETCHED.append(tempfile.TemporaryDirectory(prefix="sbsendmail-"))
        Path(FETCHED[0].name).chmod(0o755)
        run([UNPACK, FETCHED[0].name], lambda: "")
    return Path(FETCHED[0].name)


FETCHED = []

# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of real mail have in common: Debian's spamd, an account, and one set of messages.

Services are started by systemd where that runs, else directly (in a chroot).
"""

import email.utils
import mailbox
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
RULES = """\
dns_available no
use_bayes 0
use_auto_whitelist 0
body SB_SEVEN /marker worth seven points/
score SB_SEVEN 7
body SB_TWELVE /marker worth twelve points/
score SB_TWELVE 12
"""
QUARANTINE = pathlib.Path("/var/lib/spambridge/quarantine/new")
SPOOL = pathlib.Path("/var/mail/sb-ann")
SPAMD_PID = pathlib.Path("/run/spamd-test.pid")
SPAMD_DROP_IN = pathlib.Path("/run/systemd/system/spamd.service.d/spambridge-test.conf")
SYSTEMD = os.path.isdir("/run/systemd/system")
LIMIT = 60      # seconds that anything may take


def run(*words, check=True):
    """Run a command and return its output, which is printed too."""
    print("+", *words, flush=True)
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    print(done.stdout, end="", flush=True)
    if check and done.returncode != 0:
        sys.exit(f"failed with {done.returncode}: {' '.join(words)}")
    return done.stdout


def wait(what, ready):
    """Wait until ready() is true."""
    end = time.monotonic() + LIMIT
    while not ready():
        if time.monotonic() > end:
            sys.exit(f"waited in vain: {what}")
        time.sleep(0.05)


def expect(true, what):
    print("ok" if true else "NOT OK", "-", what, flush=True)
    if not true:
        sys.exit(1)


def answers(port):
    """True if something listens on the port of the loopback address."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def daemon_answers():
    return subprocess.run(["spambridgectl", "status"], capture_output=True,
                          check=False).returncode == 0


def wait_for_services():
    wait("spamd", lambda: answers(783))
    wait("the mail server", lambda: answers(25))
    wait("spambridge", daemon_answers)


def configure_scorer():
    """An account, rules without network."""
    if "sb-ann" not in pathlib.Path("/etc/passwd").read_text(encoding="utf-8"):
        run("useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", "sb-ann")
    pathlib.Path("/etc/spamassassin/local.cf").write_text(RULES, encoding="ascii")


def start_spamd():
    if SYSTEMD:
        run("systemctl", "restart", "spamd")
    else:
        run("/usr/sbin/spamd", "-d", "--create-prefs", "--max-children", "5",
            f"--pidfile={SPAMD_PID}")


def start_daemon():
    if SYSTEMD:
        run("systemctl", "restart", "spambridge")
        return
    run("systemd-tmpfiles", "--create", "spambridge.conf")
    with open("/var/log/spambridge.log", "ab") as log:
        subprocess.Popen(["/usr/sbin/spambridge"], stderr=log)


def kill_spamd():
    """The scorer is killed, and nobody starts it again."""
    if SYSTEMD:
        SPAMD_DROP_IN.parent.mkdir(exist_ok=True)
        SPAMD_DROP_IN.write_text("[Service]\nRestart=no\n", encoding="ascii")
        run("systemctl", "daemon-reload")
        run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "spamd")
    else:
        os.kill(int(SPAMD_PID.read_text(encoding="ascii")), signal.SIGTERM)
    wait("the end of spamd", lambda: not answers(783))


def revive_spamd():
    if SYSTEMD:
        SPAMD_DROP_IN.unlink()
        run("systemctl", "daemon-reload")
        run("systemctl", "reset-failed", "spamd")
        run("systemctl", "start", "spamd")


class Site:
    """A mail server for sb-ann@example.com.

    connect: returns a greeted smtplib.SMTP; the server takes its end for a stranger's.
    asks_again: it hands released mail to its filters, too, so that forged fields are removed.
    """

    def __init__(self, connect, asks_again):
        self.connect = connect
        self.asks_again = asks_again

    def send(self, subject, text):
        """The reply to the end of a message from outside, as "code text"."""
        with self.connect() as smtp:
            for step in (smtp.mail("bob@example.net"), smtp.rcpt("sb-ann@example.com")):
                expect(step[0] == 250, f"{step}")
            code, reply = smtp.data(
                f"From: Bob <bob@example.net>\r\nTo: ann <sb-ann@example.com>\r\n"
                f"Subject: {subject}\r\nDate: {email.utils.formatdate()}\r\n"
                f"Message-ID: <{subject}.{time.time()}@example.net>\r\nX-Spam-Flag: forged\r\n"
                f"\r\n{text}\r\n")
        print(f"{subject}: {code} {reply.decode()}", flush=True)
        return f"{code} {reply.decode()}"

    def expect_delivery(self, subject, text):
        """Send and return what arrives."""
        expect(self.send(subject, text).startswith("250 "), f"{subject} is accepted")
        wait(f"delivery of {subject}", lambda: delivered(subject) is not None)
        message = delivered(subject)
        expect("forged" not in message.get_all("X-Spam-Flag", []),
               f"{subject} has no forged field")
        return message

    def try_quarantine(self):
        before = set(QUARANTINE.glob("*")) if QUARANTINE.is_dir() else set()
        expect(self.send("held", "A marker worth twelve points.").startswith("250 "),
               "held is accepted")
        held = set(QUARANTINE.glob("*")) - before
        expect(len(held) == 1, "held is in the quarantine")
        expect(delivered("held") is None, "held is not delivered")
        text = held.pop().read_text(encoding="latin-1")
        item = [line.split(":", 1)[1].strip() for line in text.splitlines()
                if line.lower().startswith("x-quarantine-id:")][0]
        run("spambridgectl", "quarantine", "release", item)
        wait("delivery of held", lambda: delivered("held") is not None)
        expect(delivered("held")["X-Spam-Flag"] == (None if self.asks_again else "forged") and
               delivered("held")["X-Spam-Status"] is None, "held is released as it came")

    def try_all(self):
        """Passed, tagged, refused, large, held and released, then without a scorer."""
        SPOOL.unlink(missing_ok=True)
        ham = self.expect_delivery("ham", "Shall we have lunch on Tuesday?")
        expect(ham["X-Spam-Status"].startswith("No, score="), "ham is scored")
        spam = self.expect_delivery("tagged", "A marker worth seven points.")
        expect(spam["X-Spam-Flag"] == "YES", "tagged has the flag")
        expect("SB_SEVEN" in spam["X-Spam-Status"], "tagged names its test")
        reply = self.send("gtube", GTUBE)
        expect(reply.startswith("550 5.7.1"), "GTUBE is refused")
        large = self.expect_delivery("large", "Not much in many lines.\r\n" * 120_000)
        expect(large["X-Spam-Status"].startswith("No, score="), "the head of large is scored")
        expect(large.get_payload().count("\n") >= 120_000, "large has arrived whole")
        self.try_quarantine()

        kill_spamd()
        late = self.expect_delivery("unscanned", "Shall we have dinner on Friday?")
        expect(late["X-Spam-Status"].startswith("Unscanned"), "without a scorer mail says so")
        revive_spamd()
        if SYSTEMD:
            run("systemctl", "reload", "spambridge")
            run("systemctl", "is-active", "spambridge")


def delivered(subject):
    """The delivered message with this subject, or None."""
    if not SPOOL.exists():
        return None
    for message in mailbox.mbox(SPOOL, create=False):
        if message["Subject"] == subject:
            return message
    return None

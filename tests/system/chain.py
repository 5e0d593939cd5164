# SPDX-License-Identifier: BSD-2-Clause
"""The whole chain as a site runs it: SMTP client, Postfix, spambridge, spamd, delivery."""

import os
import re
import signal
from email.utils import formatdate, make_msgid
from pathlib import Path

from support.daemon import Daemon
from support.postfix import Postfix
from support.sendmail import Sendmail
from support.spamassassin import RELAY_FIELDS, Spamd

# a mail server with a real name and a real address: documentation ranges score by themselves
CLIENT = {"addr": "5.9.10.11", "name": "mail.example.org"}
HELO = "mail.example.org"
CONTRIB = Path(__file__).resolve().parents[2] / "contrib"
RECIPE_SOCKET = "unix:/run/spambridge/milter.sock"


class MailChain:
    """A mail server, the daemon behind it and spamds behind that; close() ends all of them.

    mta: a support.postfix.Postfix or support.sendmail.Sendmail.
    """

    def __init__(self, mta, daemon, spamds):
        self.mta = mta
        self.daemon = daemon
        self.spamds = spamds
        self.spamd = spamds[0] if spamds else None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def start(self):
        try:
            for one in [*self.spamds, self.daemon, self.mta]:
                one.start()
        except BaseException:
            self.close()
            raise
        return self

    def close(self):
        self.mta.close()
        self.daemon.kill()
        for one in self.spamds:
            one.close()

    def send(self, message, **how):
        """The SMTP reply to one message from CLIENT."""
        return self.mta.send(message, **how)

    def session(self, timeout=60):
        """An SMTP client that is CLIENT to the mail server and has said its HELO."""
        raise NotImplementedError

    def deliver(self, message, **how):
        """Sends a message that must be accepted; returns what was delivered."""
        reply = self.send(message, **how)
        assert reply.code == 250, reply
        return self.arrived(reply)

    def arrived(self, reply):
        """The delivery that belongs to a 250 reply; its queue id is in the server's Received."""
        found = self.mta.delivered(
            lambda delivery: any(reply.queue_id in value for value in delivery.all("Received")))
        assert len(found) == 1
        return found[0]

    def log_of(self, delivery):
        """The daemon's log line of a delivered message, as ordered pairs."""
        match = re.search(r"\bid (\w+)", delivery.all("Received")[0])
        return self.daemon.message_line(match.group(1))

    def last_log(self):
        """The daemon's line of the last message sent: the log may come after the SMTP reply."""
        return self.daemon.all_message_lines()[-1]


class Chain(MailChain):
    """Postfix, the daemon and one or more spamd.

    policy (see thresholds()), options, deadline, trusted: as support.daemon.Daemon has them.
    spamds: how many; spamd: settings of each; postfix: settings of the Postfix instance.
    servers: addresses of scripted scorers, besides the spamds.
    """

    def __init__(self, policy=None, options="", deadline="10s", trusted="", scorer="",
                 spamds=1, spamd=None, postfix=None, servers=()):
        made = [Spamd(**(spamd or {})) for _ in range(spamds)]
        addresses = [one.server for one in made] + list(servers)
        daemon = spambridge(addresses, policy=policy or thresholds(),
                            options='socket_group = "postfix"\n' + options,
                            deadline=deadline, trusted=trusted, scorer=scorer)
        self.postfix = Postfix([daemon.address], **(postfix or {}))
        super().__init__(self.postfix, daemon, made)

    def send(self, message, sender="alice@example.org", recipients=("bob@example.com",),
             helo=HELO, xclient=None, **more):
        return super().send(message, sender=sender, recipients=recipients, helo=helo,
                            xclient={**CLIENT, **(xclient or {})}, **more)

    def session(self, timeout=60):
        client = self.postfix.client(timeout)
        client.ehlo(HELO)
        client.xclient(**CLIENT)
        client.ehlo(HELO)
        return client


class SendmailChain(MailChain):
    """Sendmail, the daemon and one or more spamd.

    recipe: the line for sendmail.mc, {socket} for the address; settings: more lines before it. All
    else is as in Chain.
    """

    def __init__(self, policy=None, options="", deadline="20s", trusted="", scorer="",
                 spamds=1, spamd=None, servers=(), recipe=None, settings=""):
        made = [Spamd(**(spamd or {})) for _ in range(spamds)]
        addresses = [one.server for one in made] + list(servers)
        daemon = spambridge(addresses, policy=policy or thresholds(), options=options,
                            deadline=deadline, trusted=trusted, scorer=scorer)
        lines = (recipe or sendmail_recipe()).replace("{socket}", daemon.address)
        self.sendmail = Sendmail(lines, settings)
        super().__init__(self.sendmail, daemon, made)

    def session(self, timeout=60):
        client = self.sendmail.client(CLIENT["addr"], timeout)
        client.ehlo(HELO)
        return client


def sendmail_recipe():
    """The lines that users are told to put into sendmail.mc, with a socket of ours."""
    text = (CONTRIB / "sendmail" / "spambridge.m4").read_text()
    assert text.count(RECIPE_SOCKET) == 1
    return text.replace(RECIPE_SOCKET, "{socket}")


def spambridge(servers, deadline="10s", **settings):
    """The daemon in front of some scorers, with a quarantine of its own (see items.py)."""
    return Daemon(servers, deadline=deadline, **settings)


def crash(daemon):
    """kill -9 and start again, with the same files."""
    daemon.signal(signal.SIGKILL)
    daemon.process.wait(20)
    daemon.start()


def thresholds(tag="5.0", reject="15.0", quarantine="off", more=""):
    """The inside of a policy section."""
    return f"tag = {tag}\nquarantine = {quarantine}\nreject = {reject}\n{more}"


NO_THRESHOLDS = thresholds("off", "off")


def relay_chain_settings():
    """Settings of a chain that passes everything and shows what SpamAssassin's parser saw."""
    return {"policy": NO_THRESHOLDS, "options": "skip_authenticated = false",
            "spamd": {"config": RELAY_FIELDS}}


def mail(*body, headers=(), subject="Lunch on Tuesday"):
    """A plain message that hits no rule worth points; body and headers are lines (bytes)."""
    lines = [*headers,
             b"From: Alice Example <alice@example.org>",
             b"To: Bob Example <bob@example.com>",
             b"Subject: " + (subject if isinstance(subject, bytes) else subject.encode()),
             b"Date: " + formatdate().encode(),
             b"Message-ID: " + make_msgid(domain="mail.example.org").encode(),
             b"MIME-Version: 1.0",
             b"Content-Type: text/plain; charset=us-ascii",
             b"",
             b"Shall we meet at noon, at the usual place near the river?",
             *body]
    return b"\r\n".join(lines) + b"\r\n"


def real_messages():
    """(name, bytes) of every message in SPAMBRIDGE_CORPUS, CRLF line ends; empty without it."""
    folder = os.environ.get("SPAMBRIDGE_CORPUS")
    found = []
    for name in sorted(os.listdir(folder)) if folder else ():
        if name.endswith(".eml"):
            with open(os.path.join(folder, name), "rb") as file:
                found.append((name, re.sub(rb"\r?\n", b"\r\n", file.read())))
    return found


def status_of(delivery):
    """(word, score, required, set of tests) of the X-Spam-Status of a scanned message."""
    value = re.sub(r",\s+", ",", delivery.one("X-Spam-Status"))
    match = re.match(r"(Yes|No),score=(-?[\d.]+) required=(-?[\d.]+) tests=(\S*)", value)
    assert match, value
    tests = set() if match.group(4) == "none" else set(match.group(4).split(","))
    return match.group(1), float(match.group(2)), float(match.group(3)), tests

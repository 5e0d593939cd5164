# SPDX-License-Identifier: BSD-2-Clause
"""Every message of a corpus in and out again, and what real mail readers make of the store."""

import glob
import grp
import hashlib
import mailbox
import os
import pty
import pwd
import re
import select
import shutil
import subprocess
import time

import pytest

from quarantine import Tool
from support import messages
from support.smtp import Sink


def corpus(quarantine):
    """Files of the corpus, or made messages."""
    folder = os.environ.get("SPAMBRIDGE_CORPUS")
    if folder:
        return sorted(glob.glob(folder + "/*.eml"))
    return [quarantine.write(f"{n}.eml", raw) for n, raw in enumerate((
        b"Subject: a\n\nb\n", b"Subject: no body\n", b"\nonly a body\n",
        b"Subject: \xe4\n\n" + b"\xff" * 100 + b"\n", b"X: y\n\n.\n..\n"))]


def prepared(quarantine, path, number):
    """The message as a mail server hands it over, in a file."""
    with open(path, "rb") as file:
        wire = messages.split(file.read()).wire()
    return wire, quarantine.write(f"wire-{number}.eml", wire)


def test_in_and_out(quarantine):
    """Trap 77: bytes in the store and at the sink, for every message; each arrives once."""
    stored = {}
    for number, path in enumerate(corpus(quarantine)):
        wire, file = prepared(quarantine, path, number)
        item = quarantine.put(message=file).stored[0]
        assert quarantine.original(item) == wire, path
        stored[item] = wire
    with Sink() as sink:
        tool = Tool(quarantine, release=f"smtp://127.0.0.1:{sink.port}")
        tool.run("release", "--yes", *stored)
        arrived = {}
        for delivery in sink.deliveries:
            mark, _, rest = delivery.data.partition(b"\r\n")
            item = re.search(rb"; id=([a-z2-7]{26});", mark).group(1).decode()
            assert item not in arrived
            arrived[item] = rest
    for item, wire in stored.items():
        # the one documented change: stray CR and LF become line ends, and the last line has one
        expected = re.sub(rb"\r\n|\r|\n", b"\r\n", wire)
        expected += b"" if expected.endswith(b"\r\n") else b"\r\n"
        assert hashlib.sha256(arrived[item]).digest() == hashlib.sha256(expected).digest(), item
    assert quarantine.look() == {}
    print(f"{len(stored)} messages held and released")


def test_python_reads_it(quarantine):
    """Its Maildir class: another program's idea of the format."""
    item = quarantine.put().stored[0]
    box = mailbox.Maildir(quarantine.path, create=False)
    message = next(iter(box))
    assert message["X-Quarantine-ID"] == item
    assert message["X-Envelope-From"] == "<sender@example.net>"
    assert message["X-Envelope-To"] == "<one@example.com>"
    assert message["Subject"] == "test" and message.get_payload().startswith("line")


FOLDERS = pytest.mark.parametrize("options,folder", [
    ([], ""), (["-m"], "domains/example.com")], ids=["common", "domain"])


@FOLDERS
@pytest.mark.skipif(not shutil.which("mutt"), reason="needs mutt")
def test_mutt_reads_it(quarantine, options, folder):
    """Its index shows the messages: number, sender, subject."""
    quarantine.put("-n", "3", *options)
    primary, secondary = pty.openpty()
    reader = subprocess.Popen(
        ["mutt", "-n", "-F", "/dev/null", "-R", "-f",
         os.path.join(quarantine.path, folder),
         "-e", f"set folder={quarantine.top}"],
        env={**os.environ, "TERM": "vt100", "HOME": quarantine.top}, stdin=secondary,
        stdout=secondary, stderr=secondary, start_new_session=True)
    os.close(secondary)
    screen, end = b"", time.monotonic() + 60
    try:
        while b"Msgs:3" not in screen and time.monotonic() < end:
            if select.select([primary], [], [], 1)[0]:
                screen += os.read(primary, 65536)
    finally:
        reader.kill()
        reader.wait(10)
        os.close(primary)
    assert b"Msgs:3" in screen and screen.count(b"a@example.net") >= 3, screen
    assert set(quarantine.look().values()) == {"good"}


DOVECOT = """
log_path = {top}/dovecot.log
mail_location = maildir:{path}:INDEX={top}/index:CONTROL={top}/control
ssl = no
auth_mechanisms =
protocols = imap
base_dir = {top}/run
state_dir = {top}/state
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 0
first_valid_gid = 0
default_internal_user = {user}
default_login_user = {user}
"""


IMAP = shutil.which("imap", path="/usr/lib/dovecot:/usr/libexec/dovecot")


@FOLDERS
@pytest.mark.skipif(not IMAP, reason="needs Dovecot")
def test_dovecot_reads_it(quarantine, options, folder):
    """The real one: all messages, their subjects, and still items for us afterwards."""
    items = quarantine.put("-n", "3", *options).stored
    # Dovecot reads no mail as root
    owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    config = quarantine.write("dovecot.conf", DOVECOT.format(
        top=quarantine.top, path=os.path.join(quarantine.path, folder), user=owner.pw_name,
        group=grp.getgrgid(owner.pw_gid).gr_name).encode())
    subprocess.run(["chown", "-R", f"{owner.pw_uid}:{owner.pw_gid}", quarantine.top], check=True)
    talk = ("a SELECT INBOX\r\nb FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT X-QUARANTINE-ID)])\r\n"
            "c STORE 1 +FLAGS (\\Seen)\r\nd LOGOUT\r\n")
    done = subprocess.run([IMAP, "-c", config], input=talk.encode(), capture_output=True,
                          timeout=60, check=False, user=owner.pw_uid, group=owner.pw_gid,
                          extra_groups=[],
                          env={**os.environ, "HOME": quarantine.top, "USER": owner.pw_name})
    said = done.stdout.decode()
    log = open(quarantine.top + "/dovecot.log").read() if os.path.exists(
        quarantine.top + "/dovecot.log") else ""
    assert "3 EXISTS" in said, said + done.stderr.decode() + log
    assert said.count("Subject: test") == 3
    assert all(item in said for item in items)
    assert "b OK" in said and "c OK" in said, said
    assert quarantine.look() == {item: "good" for item in items}
    Tool(quarantine).run("delete", items[0])

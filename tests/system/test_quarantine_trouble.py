# SPDX-License-Identifier: BSD-2-Clause
"""A quarantine that cannot be written, is full, or whose daemon is killed: nothing lost or torn."""

import os
import subprocess

import pytest

from support.spamassassin import phrase
from system.chain import mail, thresholds
from system.items import folder_of, items, only_item, unfinished

HOLDING = thresholds("off", "off", quarantine="8")


def deferred_and_nothing_left(chain, message):
    """451, no delivery, no file that a reader could see, no litter."""
    before = [item.id for item in items(chain.daemon)]
    reply = chain.send(message, recipients=["dora@held.example"])
    assert reply.code == 451, reply
    assert reply.text.startswith("4.7.1 ")
    assert [item.id for item in items(chain.daemon)] == before
    assert not unfinished(chain.daemon)
    assert chain.mta.empty()
    assert chain.last_log()["action"] == "tempfail"
    assert chain.last_log()["quarantine"] in ("", "-")
    return True


def held(chain, message):
    reply = chain.send(message, recipients=["dora@held.example"])
    assert reply.code == 250, reply
    line = chain.daemon.message_line(reply.queue_id)
    return next(item for item in items(chain.daemon) if item.id == line["quarantine"])


@pytest.mark.parametrize("where", ["tmp", "new"])
def test_unwritable_quarantine(either, where):
    """Deferred while it lasts, held again without a restart (fault F22, trap 85)."""
    chain = either(policy=HOLDING)
    message = mail(phrase("SB_NINE_NINE"))
    assert held(chain, message).message == message
    folder = os.path.join(folder_of(chain.daemon), where)
    owner = os.stat(folder)
    os.chown(folder, 0, 0)
    for _ in range(3):
        assert deferred_and_nothing_left(chain, message)
    # others' mail does not suffer
    assert chain.send(mail()).code == 250
    os.chown(folder, owner.st_uid, owner.st_gid)
    assert held(chain, message).message == message
    chain.daemon.stop_cleanly()


class SmallDisk:
    """A file system of its own for a daemon's quarantine, mounted while the daemon is down."""

    def __init__(self, daemon, options):
        self.path = folder_of(daemon)
        owner = os.stat(self.path)
        options = f"{options},mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "sbsmall", self.path], check=True)

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)

    def unmount(self):
        subprocess.run(["umount", "-l", self.path], check=True)


@pytest.fixture
def small_disk():
    made = []

    def mount(daemon, options):
        made.append(SmallDisk(daemon, options))
        return made[-1]
    yield mount
    for disk in made:
        disk.unmount()


def on_small_disk(either, small_disk, options):
    chain = either(policy=HOLDING)
    chain.daemon.signal(15)
    chain.daemon.process.wait(20)
    disk = small_disk(chain.daemon, options)
    chain.daemon.start()
    return chain, disk


@pytest.mark.parametrize("options,room", [
    ("size=65m", "size=70m"), ("size=80m,nr_inodes=14", "nr_inodes=200")])
def test_full_quarantine(either, small_disk, options, room):
    """Bytes or inodes: what fits is held whole, what does not is deferred (fault F20).

    64 MiB of the file system are left to others, so 65 is a small one.
    """
    chain, disk = on_small_disk(either, small_disk, options)
    message = mail(phrase("SB_NINE_NINE"), *[b"%060d" % n for n in range(2500)])
    replies = [chain.send(message, recipients=["dora@held.example"]) for _ in range(12)]
    codes = [reply.code for reply in replies]
    accepted = codes.count(250)
    assert 1 <= accepted < 12 and set(codes) == {250, 451}
    assert [item.message for item in items(chain.daemon)] == [message] * accepted
    assert deferred_and_nothing_left(chain, message)
    disk.remount(room)
    assert held(chain, message).message == message
    chain.daemon.stop_cleanly()


def test_read_only_quarantine(either, small_disk):
    chain, disk = on_small_disk(either, small_disk, "size=80m")
    message = mail(phrase("SB_NINE_NINE"))
    assert held(chain, message).message == message
    disk.remount("ro")
    assert deferred_and_nothing_left(chain, message)
    disk.remount("rw")
    assert held(chain, message).message == message
    chain.daemon.stop_cleanly()


def test_deferred_for_all_when_one_copy_cannot_be_held(either):
    """Half a split would lose the held half: the whole message is deferred."""
    chain = either(options='domain "held.example" { quarantine = 8 }')
    folder = os.path.join(folder_of(chain.daemon), "tmp")
    owner = os.stat(folder)
    os.chown(folder, 0, 0)
    recipients = ["bob@example.com", "dora@held.example"]
    assert chain.send(mail(phrase("SB_NINE_NINE")), recipients=recipients).code == 451
    assert chain.mta.empty() and not chain.mta.sink.deliveries
    os.chown(folder, owner.st_uid, owner.st_gid)
    delivery = chain.deliver(mail(phrase("SB_NINE_NINE")), recipients=recipients)
    assert delivery.recipients == ["bob@example.com"]
    assert only_item(chain.daemon).recipients == ["dora@held.example"]

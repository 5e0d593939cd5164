# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F20 and F22: a quarantine that is full, or not what it was."""

import os
import pwd
import subprocess
from contextlib import contextmanager

from support import ports
from support.badscorer import ScorerProcess
from support.daemon import Daemon, Workspace, test_user
from support.matrix import CannotRun, Failed
from support.messages import make
from support.mta import send
from system.items import folder_of, items, unfinished

from .bench import Figure, row
from .kinds import POLICY

HELD = make(score="12.3", body=b"0123456789abcdef" * 8192 + b"\r\n")


def _mount(path, options):
    owner = pwd.getpwnam(test_user())
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"{options},mode=0700,uid={owner.pw_uid},gid={owner.pw_gid}",
         "sbsmall", path], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRun(f"needs to mount a tmpfs: {done.stderr.strip()}")


@contextmanager
def _holding():
    """A daemon, not started yet, that holds every message of score 12.3."""
    with Workspace() as place, ScorerProcess(place.path) as scorer:
        daemon = Daemon([scorer.listen("x")], policy=POLICY, deadline="3s")
        try:
            yield daemon
        finally:
            daemon.kill()


def _deferred(daemon, count=3):
    """Messages that must be put off, with nothing partial left; how many were not."""
    before = {item.id for item in items(daemon)}
    wrong = 0
    for _ in range(count):
        outcome = send(daemon.address, HELD)
        wrong += outcome.kind == "discard" or (outcome.reply.code or 451) // 100 != 4
    return wrong + len({item.id for item in items(daemon)} ^ before)


@row("F20", "quarantine full: bytes, inodes", "tmpfs of 66 MiB (64 are kept free), of 20 inodes",
     "deferred, the temporary file removed, nothing partial; recovers by itself", isolated=True)
def full_disk(extent):
    partial = wrong = 0
    for options, room in (("size=66m", "size=70m"), ("size=80m,nr_inodes=20", "nr_inodes=200")):
        with _holding() as daemon:
            folder = folder_of(daemon)
            _mount(folder, options)
            try:
                daemon.start()
                kinds = [send(daemon.address, HELD).kind for _ in range(30)]
                fitted = kinds.count("discard")
                if not 1 <= fitted < 30:
                    raise Failed(f"{fitted} of 30 fitted on {options}")
                partial += len(unfinished(daemon))
                wrong += abs(len(items(daemon)) - fitted) + _deferred(daemon)
                subprocess.run(["mount", "-o", f"remount,{room}", folder], check=True)
                wrong += send(daemon.address, HELD).kind != "discard"
                partial += len(unfinished(daemon))
            finally:
                subprocess.run(["umount", "-l", folder], check=True)
    return [Figure("partial files", partial, 0), Figure("lost, or not deferred", wrong, 0)]


def _read_only(folder):
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    return lambda: subprocess.run(["mount", "-o", "remount,rw", folder], check=True)


def _gone(folder):
    os.rename(os.path.join(folder, "new"), os.path.join(folder, "elsewhere"))
    return lambda: os.rename(os.path.join(folder, "elsewhere"), os.path.join(folder, "new"))


def _symlink(folder):
    _gone(folder)
    other = os.path.join(os.path.dirname(folder), "other")
    os.makedirs(other, exist_ok=True)
    os.chmod(other, 0o777)
    os.symlink(other, os.path.join(folder, "new"))

    def back():
        os.unlink(os.path.join(folder, "new"))
        os.rename(os.path.join(folder, "elsewhere"), os.path.join(folder, "new"))
    return back


def _others(folder):
    """Another user owns the folder, and everybody may write to it."""
    place = os.path.join(folder, "tmp")
    owner = os.stat(place)
    os.chown(place, 12345, 12345)
    os.chmod(place, 0o777)

    def back():
        os.chown(place, owner.st_uid, owner.st_gid)
        os.chmod(place, 0o700)
    return back


@row("F22", "quarantine read-only, removed, replaced by a link, somebody else's, while it is used",
     "remount, rename, symlink, chown", "deferred with an error in the log; nothing written "
     "elsewhere; held again once it is as before", isolated=True)
def injured_quarantine(extent):
    stray = wrong = silent = 0
    for injure in (_read_only, _gone, _symlink, _others):
        with _holding() as daemon:
            folder = folder_of(daemon)
            _mount(folder, "size=80m")
            try:
                daemon.start()
                wrong += send(daemon.address, HELD).kind != "discard"
                back = injure(folder)
                outcomes = [send(daemon.address, HELD) for _ in range(3)]
                wrong += sum((outcome.reply.code or 451) // 100 != 4 or outcome.kind == "discard"
                             for outcome in outcomes)
                silent += not ports.wait_until(lambda: any(     # the log is written beside
                    "quarantine" in line and "error" in line for line in daemon.lines), 5)
                stray += _strays(daemon)
                back()
                wrong += send(daemon.address, HELD).kind != "discard"
                wrong += len(items(daemon)) != 2
            finally:
                subprocess.run(["umount", "-l", folder], check=True)
    return [Figure("stray files", stray, 0), Figure("not deferred, or not held again", wrong, 0),
            Figure("injuries without an error in the log", silent, 0)]


def _strays(daemon):
    """Files where none belong."""
    other = os.path.join(os.path.dirname(folder_of(daemon)), "other")
    return len(os.listdir(other) if os.path.isdir(other) else []) + len(unfinished(daemon))

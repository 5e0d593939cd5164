# SPDX-License-Identifier: BSD-2-Clause
"""Disks that fail, fill up, vanish or sleep: F18, F20, F21, F22, F38, trap 85."""

import os
import subprocess
import time

import pytest

from quarantine import MESSAGE, STRACE, Quarantine, inject

# errors that a call of the store's path can meet; EINTR only where the kernel says so
ERRORS = {
    "openat": ("EIO", "EMFILE", "ENOSPC", "EROFS", "EACCES"),
    "write": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "writev": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "sync_file_range": ("EIO", "ENOSPC", "EPERM"),
    "pwrite64": ("EIO", "ENOSPC", "EINTR"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "close": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "renameat2": ("EIO", "ENOSPC", "EROFS", "EEXIST"),
    "fchmod": ("EIO", "EROFS"),
    "fchown": ("EPERM", "EDQUOT"),
    "fstatfs": ("EIO",),
    "getdents64": ("EIO",),
    "getrandom": ("EAGAIN", "ENOSYS"),
    "mkdirat": ("EROFS", "ENOSPC"),
}


def test_every_call_fails_once(quarantine):
    """Stored and whole, or deferred with a reason and nothing left: never anything else."""
    quarantine.put()
    tried = 0
    calls = quarantine.store_calls()
    for name, when in calls:
        for error in ERRORS.get(name, ()):
            before = set(quarantine.look())
            outcome = quarantine.put(before=inject(name, when, f"error={error}"), check=False)
            new = set(quarantine.look()) - before
            tried += 1
            where = (name, when, error, outcome.errors)
            if (name, when) == calls[-1] and error != "EINTR":
                # the answer got lost, as on a broken connection: the sender tries again
                assert not outcome.stored and len(new) == 1, where
            elif outcome.stored:
                assert outcome.code == 0 and new == set(outcome.stored), where
            else:
                assert outcome.failed or outcome.errors, where
                assert outcome.code != 0 and not new, where
            assert quarantine.files("tmp") == [], where
            assert all(state == "good" for state in quarantine.look().values()), where
    print(f"{tried} injected errors")
    assert tried > 100


@pytest.mark.parametrize("name", ["fsync", "close", "renameat2", "pwrite64"])
def test_no_false_success(quarantine, name):
    """F21: the error that comes late counts, and the sync is not tried again on that file."""
    quarantine.put()
    calls = quarantine.store_calls()
    names = [call for call, _ in calls]
    # the file's close is the one between its fsync and the rename
    if name == "close":
        when = [w for (c, w), at in zip(calls, range(len(calls)))
                if c == "close" and names[at - 1] == "fsync" and names[at + 1] == "renameat2"][0]
    else:
        when = [w for c, w in calls if c == name][0]
    trace = os.path.join(quarantine.top, "trace")
    before = set(quarantine.look())
    outcome = quarantine.put(check=False, before=(
        *STRACE, "-y", "-o", trace, "-e", f"inject={name}:error=ENOSPC:when={when}"))
    assert outcome.code == 75 and "No space left" in outcome.failed[0]
    assert set(quarantine.look()) == before and quarantine.files("tmp") == []
    with open(trace) as file:
        synced = [line for line in file if "fsync(" in line and "/tmp/" in line]
    assert len(synced) <= 1


@pytest.fixture
def small_disk():
    """A file system of 1 MiB with few inodes."""
    with Quarantine() as it:
        disk = os.path.join(it.top, "disk")
        os.mkdir(disk, 0o755)
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=64,mode=755",
                               "tmpfs", disk], capture_output=True, check=False)
        if made.returncode != 0:
            pytest.skip("needs to mount a tmpfs")
        it.path = os.path.join(disk, "quarantine")
        it.disk = disk
        try:
            yield it
        finally:
            subprocess.run(["umount", disk], check=True)


def test_full_disk_and_back(small_disk):
    """F20: deferred, nothing partial, and on again as soon as there is room."""
    large = small_disk.write("large.eml", MESSAGE + b"x" * 76 * 2000 + b"\r\n")
    outcome = small_disk.put("-n", "20", message=large, check=False)
    assert 0 < len(outcome.stored) < 20 and outcome.code == 75
    assert all("full" in reason or "No space" in reason for reason in outcome.failed)
    assert small_disk.files("tmp") == []
    assert small_disk.look() == {item: "good" for item in outcome.stored}
    os.unlink(small_disk.item_path(outcome.stored[0]))
    assert len(small_disk.put(message=large).stored) == 1
    # a body larger than what is left fails in the middle of its file
    subprocess.run(["fallocate", "-l", "100K", small_disk.disk + "/filler"], check=False)
    outcome = small_disk.put("-n", "3", message=large, check=False)
    assert outcome.failed and small_disk.files("tmp") == []
    assert set(small_disk.look().values()) == {"good"}


def test_no_inodes_left(small_disk):
    outcome = small_disk.put("-n", "100", check=False)
    assert 20 < len(outcome.stored) < 64
    assert "No space left" in outcome.failed[-1] and small_disk.files("tmp") == []
    assert small_disk.look() == {item: "good" for item in outcome.stored}


def test_reserve_is_kept(small_disk):
    outcome = small_disk.put("-f", "1048000", check=False)
    assert "full" in outcome.failed[0]


def test_read_only_and_back(small_disk):
    """F22."""
    small_disk.put()
    subprocess.run(["mount", "-o", "remount,ro", small_disk.disk], check=True)
    outcome = small_disk.put(check=False)
    assert outcome.code != 0 and "Read-only" in outcome.errors + "".join(outcome.failed)
    subprocess.run(["mount", "-o", "remount,rw", small_disk.disk], check=True)
    assert len(small_disk.put().stored) == 1


def test_unmounted_while_running(small_disk):
    """F22: the empty directory below the mount point is not taken for the quarantine."""
    writer = subprocess.Popen(
        small_disk.command("-n", "100000000", "-t", "1", "-i", "3"), stdout=subprocess.PIPE,
        text=True)
    try:
        assert writer.stdout.readline().startswith("stored ")
        subprocess.run(["umount", "-l", small_disk.disk], check=True)
        os.makedirs(small_disk.path, 0o750)
        for line in writer.stdout:
            if "mounted" in line:
                break
        assert os.listdir(small_disk.path) == []
    finally:
        writer.kill()
        writer.wait()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", small_disk.disk], check=True)


@pytest.mark.parametrize("call", ["fsync:delay_enter=1500000", "renameat2:delay_exit=1500000"])
def test_slow_disk(quarantine, call):
    """F38: an answer by the deadline; what finishes later is removed again."""
    quarantine.put()
    before = quarantine.look()
    name, what = call.split(":")
    when = [w for c, w in quarantine.store_calls() if c == name][0]
    before = quarantine.look()
    writer = subprocess.Popen(
        [*inject(name, when, what), *quarantine.command("-d", "300", "-k")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = writer.stdout.readline()
    end = time.monotonic() + 60
    while (quarantine.files("tmp") or quarantine.look() != before) and time.monotonic() < end:
        time.sleep(0.05)
    left = quarantine.files("tmp"), set(quarantine.look()) - set(before)
    writer.communicate("", timeout=30)
    assert "too slow" in line
    assert left == ([], set())


def test_limits(quarantine):
    """A23: by number and by size."""
    outcome = quarantine.put("-n", "5", "-i", "3", check=False)
    assert len(outcome.stored) == 3 and "max_items" in outcome.failed[0]
    size = os.path.getsize(quarantine.item_path(outcome.stored[0]))
    outcome = quarantine.put("-n", "3", "-b", str(5 * size), check=False)
    assert len(outcome.stored) == 2 and "max_size" in outcome.failed[0]

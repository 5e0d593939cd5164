# SPDX-License-Identifier: BSD-2-Clause
"""A network of its own: loopback with whatever addresses and names a test wants. Needs root.

A mail server in it sees clients with public addresses, where XCLIENT is not to be had. Unix
sockets reach across its border, and so do sockets that were made inside.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
# What a process needs of /dev; a private one has room for a log socket of our own.
DEVICES = ("null", "zero", "full", "random", "urandom")

SETUP = """\
set -eu
ip link set lo up
for address in {addresses}; do ip address add "$address" dev lo nodad; done
for file in hosts host.conf resolv.conf nsswitch.conf; do
    if [ -e "/etc/$file" ]; then mount --bind "{directory}/$file" "/etc/$file"; fi
done
for device in {devices}; do mount --bind "/dev/$device" "{directory}/dev/$device"; done
mount --bind {directory}/dev /dev
echo ready
exec cat
"""


class Network:
    """addresses: for loopback, such as "192.0.2.1/32"; hosts: lines of its /etc/hosts.

    Nothing else resolves: there is no name server. Usable as a context manager.
    """

    def __init__(self, addresses=(), hosts=""):
        self.directory = Path(tempfile.mkdtemp(prefix="sbnet-"))
        self.directory.chmod(0o755)
        self._write_files(hosts)
        setup = SETUP.format(addresses=" ".join(addresses), directory=self.directory,
                             devices=" ".join(DEVICES))
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", setup],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"no network of its own: {self.holder.stderr.read().decode()}")

    def _write_files(self, hosts):
        (self.directory / "hosts").write_text(hosts)
        (self.directory / "host.conf").write_text("multi off\n")
        (self.directory / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1\n")
        (self.directory / "nsswitch.conf").write_text(
            "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n")
        (self.directory / "dev").mkdir()
        for device in DEVICES:
            (self.directory / "dev" / device).touch()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """It is gone when the last process and socket in it are."""
        self.holder.communicate(timeout=10)
        shutil.rmtree(self.directory, ignore_errors=True)

    def command(self, words):
        """These command words, run inside."""
        pid = self.holder.pid
        return ["nsenter", f"--net=/proc/{pid}/ns/net", f"--mount=/proc/{pid}/ns/mnt",
                *(str(word) for word in words)]

    def run(self, function):
        """Call a function in a thread that is inside; the sockets that it makes belong there."""
        outcome = []

        def inside():
            try:
                self._enter()
                outcome.append((function(), None))
            except BaseException as error:      # noqa: BLE001: it is raised again below
                outcome.append((None, error))
        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        value, error = outcome[0]
        if error is not None:
            raise error
        return value

    def _enter(self):
        descriptor = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        try:
            if LIBC.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)

# SPDX-License-Identifier: BSD-2-Clause
"""systemd's own journald, started in a mount namespace that has been left (support/namespace.py).

Everybody in the namespace writes to it and reads from it; nothing reaches the machine's journal.
"""

import json
import os
import shutil
import signal
import subprocess

from . import ports
from .namespace import Unavailable, mount_over

PROGRAM = "/lib/systemd/systemd-journald"


def available():
    """True where a journal can be had: root, journald, journalctl."""
    return os.geteuid() == 0 and os.path.exists(PROGRAM) and shutil.which("journalctl") is not None


class Journal:
    """A running journald; /run is empty but for what it makes there."""

    def __init__(self, folder):
        for place in ("/run", "/var/log"):
            done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=False,
                                  capture_output=True, text=True)
            if done.returncode:
                raise Unavailable(done.stderr.strip())
        mount_over("/etc/machine-id", "00000000000000000000000000005a5a\n", folder)
        os.makedirs("/run/systemd/journal")
        os.makedirs("/run/log/journal")
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert ports.wait_until(lambda: os.path.exists("/run/systemd/journal/socket"))

    def records(self, *words):
        """What journalctl finds, as dictionaries of fields."""
        done = subprocess.run(["journalctl", "--no-pager", "--quiet", "-o", "json", *words],
                              capture_output=True, text=True, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def wait(self, *words, timeout=30):
        """The records, as soon as there is one."""
        found = []

        def look():
            found[:] = self.records(*words)
            return found
        assert ports.wait_until(look, timeout=timeout, step=0.1), words
        return found

    def freeze(self):
        """From now on nobody reads its sockets."""
        self.process.send_signal(signal.SIGSTOP)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        self.process.wait(60)

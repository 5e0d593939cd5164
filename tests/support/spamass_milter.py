# SPDX-License-Identifier: BSD-2-Clause
"""A private spamass-milter, as Debian has it: what those who come from it are used to."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from . import ports
from .daemon import setpriv, test_user
from .process import wait_for

PROGRAM = "/usr/sbin/spamass-milter"
# Debian's README asks for these: it writes "8.13.0" and the like where a macro is missing
POSTFIX = {"milter_connect_macros": "i j {daemon_name} v {if_name} _"}


class SpamassMilter:
    """options: words of its command line but -p. self.address is for smtpd_milters."""

    def __init__(self, options):
        self.directory = Path(tempfile.mkdtemp(prefix="sbsa-"))
        self.directory.chmod(0o755)
        shutil.chown(self.directory, test_user())
        self.socket = self.directory / "socket"
        self.address = f"unix:{self.socket}"
        self.options = [str(word) for word in options]
        self.process = None

    def start(self):
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                [*setpriv(test_user()), PROGRAM, "-p", self.socket, *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self._answers, "spamass-milter to listen", self.log)
        self.socket.chmod(0o666)
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"spamass-milter ended:\n{self.log()}")
        return ports.answers(self.address)

    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def close(self):
        if self.process:
            self.process.kill()     # libmilter takes 5 s to stop when asked
            self.process.wait(20)
        shutil.rmtree(self.directory, ignore_errors=True)

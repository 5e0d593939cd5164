# SPDX-License-Identifier: BSD-2-Clause
"""A private Redis in memory, in which rspamd keeps what it has learnt."""

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from .ports import free_port
from .process import wait_for

# rspamd's statistics in it: hits from the first message on, however short that is.
CLASSIFIER = """
classifier "bayes" {{
  tokenizer {{ name = "osb"; }}
  backend = "redis";
  servers = "127.0.0.1:{port}";
  min_tokens = 1;
  min_learns = 1;
  statfile {{ symbol = "BAYES_HAM"; spam = false; }}
  statfile {{ symbol = "BAYES_SPAM"; spam = true; }}
}}
"""


def installed():
    return shutil.which("redis-server") is not None


class Redis:
    """One Redis on loopback. self.classifier is the section for rspamd's configuration."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="sbrd-"))
        self.port = free_port()
        self.classifier = CLASSIFIER.format(port=self.port)
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
             "--appendonly", "no", "--dir", self.directory, "--logfile", self.directory / "log"],
            stdin=subprocess.DEVNULL)
        wait_for(self._pong, "Redis to answer PING", (self.directory / "log").read_text)

    def _pong(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

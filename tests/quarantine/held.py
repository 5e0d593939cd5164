# SPDX-License-Identifier: BSD-2-Clause
"""A daemon whose quarantine the tests write to, and what it says of it."""

import re
import subprocess

from quarantine import Quarantine
from support.daemon import Daemon, program


class Held:
    """Not started yet: `with held.daemon:` does that. section: inside of quarantine { }."""

    def __init__(self, servers=("tcp://127.0.0.1:9",), section="", **options):
        self.daemon = Daemon(servers, policy="tag = 5\nquarantine = 10\nreject = 15", **options)
        self.daemon.write_config(self.daemon.config.replace("quarantine {",
                                                            "quarantine { " + section))
        self.quarantine = Quarantine(parent=self.daemon.workspace.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.daemon.kill()
        self.quarantine.__exit__()

    def run(self, *words):
        """spambridgectl with the daemon's configuration; its standard output."""
        return subprocess.run([program("spambridgectl"), "-c", self.daemon.config_path, *words],
                              capture_output=True, text=True, check=False, timeout=60).stdout

    def upkeep(self):
        """The part of the status that is about expiry and digests."""
        return self.daemon.status()["upkeep"]

    def metric(self, name):
        return float(re.search(rf"^spambridge_{name} (\S+)$", self.run("metrics"), re.M).group(1))

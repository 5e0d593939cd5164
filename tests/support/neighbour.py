# SPDX-License-Identifier: BSD-2-Clause
"""A small filter written with pymilter: writes down what it sees, and refuses on demand.

As a program: neighbour.py ADDRESS NAME LOG. It adds "X-Seen-By-NAME: <fields that it was shown>",
refuses at the end of a message whose Subject has "refused by NAME" and at RCPT the recipient NAME@,
and appends "end", "abort" and "refused" to LOG as they happen.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

if __name__ != "__main__":
    from . import ports
    from .process import wait_for


class Neighbour:
    """That program as a child. self.address is for smtpd_milters."""

    def __init__(self, name):
        self.name = name
        self.directory = Path(tempfile.mkdtemp(prefix="sbpm-"))
        self.directory.chmod(0o755)
        self.address = f"unix:{self.directory}/socket"
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-BP", __file__, self.address, self.name, self.directory / "log"],
            stdin=subprocess.DEVNULL)
        wait_for(self._answers, "the neighbour to listen")
        (self.directory / "socket").chmod(0o666)
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("the neighbour ended")
        return ports.answers(self.address)

    def events(self, wanted=0):
        """What happened so far, once it is so much."""
        log = self.directory / "log"

        def lines():
            return log.read_text().split() if log.exists() else []
        wait_for(lambda: len(lines()) >= wanted, f"{wanted} events", lambda: str(lines()))
        return lines()

    def close(self):
        if self.process:
            self.process.kill()     # libmilter takes 5 s to stop when asked
            self.process.wait(20)
        shutil.rmtree(self.directory, ignore_errors=True)


def main(address, name, log):
    """Serve until the end of days."""
    import Milter       # Debian's python3-milter; -P hides the milter.py of this folder

    def tell(event):
        with open(log, "a", encoding="ascii") as file:
            file.write(event + "\n")

    class Filter(Milter.Base):
        """One SMTP session."""

        def envfrom(self, *_):
            self.fields = []
            return Milter.CONTINUE

        def envrcpt(self, recipient, *_):
            if recipient.startswith(f"<{name}@"):
                self.setreply("550", "5.1.1", f"{name} takes no mail")
                return Milter.REJECT
            return Milter.CONTINUE

        def header(self, field, value):
            self.fields.append((field, value))
            return Milter.CONTINUE

        def eom(self):
            if any(f"refused by {name}" in value for field, value in self.fields
                   if field == "Subject"):
                self.setreply("554", "5.7.9", f"Refused by {name}")
                tell("refused")
                return Milter.REJECT
            self.addheader(f"X-Seen-By-{name}", ",".join(
                field for field, _ in self.fields if field.lower().startswith("x-")) or "nothing")
            tell("end")
            return Milter.CONTINUE

        def abort(self):
            tell("abort")
            return Milter.CONTINUE

    Milter.factory = Filter
    Milter.set_flags(Milter.ADDHDRS)
    Milter.runmilter(name, address, 240)


if __name__ == "__main__":
    main(*sys.argv[1:])

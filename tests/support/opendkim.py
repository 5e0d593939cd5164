# SPDX-License-Identifier: BSD-2-Clause
"""A private OpenDKIM: a milter that is the daemon's neighbour, and judges what became of a mail."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from . import ports
from .process import run, wait_for

DOMAIN = "example.org"
SELECTOR = "tests"
EVERYBODY = "0.0.0.0/0"     # whose mail is signed
NOBODY = "192.0.2.254"
# signed fields: what is usual, and some that are easily changed by a filter in between
FIELDS = "From,To,Subject,Date,Message-ID,Reply-To,X-Fold,X-Tight,X-Wide"

CONFIG = """\
Syslog no
Background no
Mode {mode}
Socket {socket}
Domain {domain}
Selector {selector}
KeyFile {keys}/{selector}.private
TestPublicKeys {keys}/public
Canonicalization {canonicalization}
InternalHosts {internal}
ExternalIgnoreList 0.0.0.0/0
AuthservID {name}
SignHeaders {fields}
AlwaysAddARHeader yes
RequireSafeKeys no
UserID {user}
UMask 0000
"""


class Keys:
    """A key pair for DOMAIN, and its DNS record as a file."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="sbdk-"))
        self.directory.chmod(0o755)
        private = self.directory / f"{SELECTOR}.private"
        run(["openssl", "genrsa", "-traditional", "-out", private, "2048"], lambda: "")
        public = run(["openssl", "rsa", "-in", private, "-pubout"], lambda: "").decode()
        base64 = "".join(line for line in public.splitlines() if not line.startswith("-"))
        (self.directory / "public").write_text(
            f"{SELECTOR}._domainkey.{DOMAIN} v=DKIM1; k=rsa; p={base64}\n")
        for path in (private, self.directory):
            shutil.chown(path, "opendkim", "opendkim")
        private.chmod(0o600)

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class OpenDkim:
    """mode: "s" signs everything, "v" verifies everything and says so as `name`.

    self.address is for smtpd_milters.
    """

    def __init__(self, keys, mode, name="mx.example.com", canonicalization="simple/simple"):
        self.directory = Path(tempfile.mkdtemp(prefix="sbdk-"))
        self.directory.chmod(0o755)
        self.log_file = self.directory / "log"
        shutil.chown(self.directory, "opendkim", "opendkim")
        self.address = f"unix:{self.directory}/socket"
        text = CONFIG.format(mode=mode, socket=self.address, domain=DOMAIN, selector=SELECTOR,
                             keys=keys.directory, canonicalization=canonicalization,
                             user="opendkim", name=name, fields=FIELDS,
                             internal=EVERYBODY if mode == "s" else NOBODY)
        (self.directory / "conf").write_text(text)
        self.process = None

    def start(self):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                ["/usr/sbin/opendkim", "-f", "-x", self.directory / "conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self._answers, "OpenDKIM to listen", self.log)
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"OpenDKIM ended:\n{self.log()}")
        return ports.answers(self.address)

    def log(self):
        return self.log_file.read_text(errors="replace")

    def close(self):
        if self.process:
            self.process.kill()     # libmilter takes 5 s to stop when asked
            self.process.wait(20)
        shutil.rmtree(self.directory, ignore_errors=True)

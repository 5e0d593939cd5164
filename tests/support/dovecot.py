# SPDX-License-Identifier: BSD-2-Clause
"""A private Dovecot that takes mail by LMTP, for one user whatever the recipient, with Sieve."""

import grp
import mailbox
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import ports
from .process import run, wait_for

USER = "nobody"
CONFIG = """\
protocols = lmtp
base_dir = {top}/run
state_dir = {top}/state
log_path = {top}/log
ssl = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:{top}/mail
mail_home = {top}/home
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
submission_host = 127.0.0.1:1
userdb {{
  driver = static
  args = uid={user} gid={group} home={top}/home allow_all_users=yes
}}
passdb {{
  driver = static
  args = nopassword=y
}}
service lmtp {{
  chroot =
  unix_listener {top}/lmtp {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
protocol lmtp {{
  mail_plugins = sieve
}}
{settings}
"""


class Dovecot:
    """settings: more lines of its configuration; {top} there is a directory of its own.

    self.lmtp is an address for Postfix.
    """

    def __init__(self, settings=""):
        self.top = Path(tempfile.mkdtemp(prefix="sbdc-"))
        self.top.chmod(0o755)
        self.lmtp = f"lmtp:unix:{self.top}/lmtp"
        entry = pwd.getpwnam(USER)
        for name in ("mail", "home"):
            (self.top / name).mkdir()
            os.chown(self.top / name, entry.pw_uid, entry.pw_gid)
        (self.top / "conf").write_text(CONFIG.format(
            top=self.top, user=USER, group=grp.getgrgid(entry.pw_gid).gr_name,
            settings=settings.replace("{top}", str(self.top))))
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", self.top / "conf"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._answers, "Dovecot to listen", self.log)
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"Dovecot ended:\n{self.log()}")
        return ports.answers(f"unix:{self.top}/lmtp")

    def log(self):
        file = self.top / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def sieve(self, name, text):
        """Write a script and compile it; its errors would otherwise appear only in a log."""
        (self.top / name).write_text(text)
        run(["/usr/bin/sievec", "-c", self.top / "conf", self.top / name], self.log)

    def folders(self):
        """{folder: [subject, ...]} of what was delivered; "" is the inbox."""
        box = mailbox.Maildir(self.top / "mail", create=False)
        places = {"": box, **{name: box.get_folder(name) for name in box.list_folders()}} \
            if (self.top / "mail" / "cur").exists() else {}
        return {name: sorted(message["Subject"] for message in place)
                for name, place in places.items()}

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
        shutil.rmtree(self.top, ignore_errors=True)

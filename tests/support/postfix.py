# SPDX-License-Identifier: BSD-2-Clause
"""A private Postfix: own configuration, queue, log and ports, beside whatever is installed.

It listens on loopback only, delivers every domain to an SMTP sink of ours, so that no test mail
can leave the machine, and lets the test choose the client by XCLIENT. Master needs root;
everything else of it runs as the postfix user.
"""

import os
import pwd
import re
import shutil
import signal
import tempfile
from pathlib import Path

from . import smtp
from .ports import free_ports
from .process import group_alive, make_certificate, run, wait_for

DAEMONS = Path("/usr/lib/postfix/sbin")

MASTER_CF = """\
postlog   unix-dgram n - n - 1 postlogd
{listen}  inet n - n - - smtpd
{release} inet n - n - - smtpd
  -o smtpd_milters=
  -o receive_override_options=no_milters,no_unknown_recipient_checks,no_header_body_checks
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
lmtp      unix - - n - - lmtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
"""


class Postfix:
    """One Postfix instance. Usable as a context manager; start() waits until it greets.

    milters, non_smtpd_milters: Postfix milter addresses (str). settings: more main.cf lines as a
    mapping; they win over those here. What it delivers arrives at self.sink. self.release_port is
    a second way in, without any milter.
    """

    def __init__(self, milters=(), non_smtpd_milters=(), settings=None, content_timeout=None,
                 default_action="tempfail", tls=False, directory=None):
        self.directory = Path(directory or tempfile.mkdtemp(prefix="sbpf-"))
        self.directory.chmod(0o755)     # the postfix user walks through
        self.config = self.directory / "etc"
        self.queue = self.directory / "queue"
        self.log_file = self.directory / "maillog"
        self.port, self.release_port = free_ports(2)
        self.address = ("127.0.0.1", self.port)
        self.sink = smtp.Sink()
        self.pid = None
        self.settings = self._base_settings()
        self.settings["smtpd_milters"] = " ".join(milters)
        self.settings["non_smtpd_milters"] = " ".join(non_smtpd_milters)
        self.settings["milter_default_action"] = default_action
        if content_timeout:
            self.settings["milter_content_timeout"] = str(content_timeout)
        if tls:
            self._add_tls()
        self.settings.update(settings or {})
        self._write()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    def _base_settings(self):
        transport = f"smtp:[127.0.0.1]:{self.sink.port}"
        return {
            "compatibility_level": "3.6",
            "queue_directory": self.queue,
            "data_directory": self.directory / "data",
            "maillog_file": self.log_file,
            "maillog_file_prefixes": self.directory,
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "all",
            "myhostname": "mx.example.com",
            "myorigin": "example.com",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "alias_database": "",
            # Every domain is ours: nothing can leave this machine.
            "virtual_mailbox_domains": "static:all",
            "virtual_mailbox_maps": "static:all",
            "virtual_transport": transport,
            "default_transport": transport,
            "relay_transport": transport,
            "smtp_dns_support_level": "disabled",
            "smtp_line_length_limit": "0",
            "smtp_tls_security_level": "none",
            "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
            "smtpd_recipient_restrictions": "",
            "smtpd_tls_security_level": "none",
            "message_size_limit": "0",
            "hopcount_limit": "1000",   # messages with long journeys behind them
            "in_flow_delay": "0",
            "smtpd_error_sleep_time": "0",
            "smtpd_hard_error_limit": "1000",
            "smtpd_soft_error_limit": "1000",
            "smtpd_client_connection_count_limit": "0",
            "default_process_limit": "250",
            "queue_run_delay": "5s",
            "minimal_backoff_time": "2s",
            "maximal_backoff_time": "5s",
            "soft_bounce": "no",
            "biff": "no",
            "milter_connect_timeout": "5s",
        }

    def _add_tls(self):
        certificate, key = make_certificate(self.directory, "mx.example.com")
        self.settings.update({
            "smtpd_tls_security_level": "may",
            "smtpd_tls_cert_file": certificate,
            "smtpd_tls_key_file": key,
            "smtpd_tls_received_header": "yes",
        })

    def _write(self):
        self.config.mkdir(exist_ok=True)
        self.queue.mkdir(exist_ok=True)
        owner = pwd.getpwnam("postfix")
        data = Path(self.settings["data_directory"])
        data.mkdir(exist_ok=True)
        os.chown(data, owner.pw_uid, owner.pw_gid)
        (self.config / "master.cf").write_text(MASTER_CF.format(
            listen=f"127.0.0.1:{self.port}", release=f"127.0.0.1:{self.release_port}"))
        self.write_main()

    def write_main(self):
        """Writes main.cf from self.settings; reload() makes a running instance read it."""
        text = "".join(f"{name} = {value}\n" for name, value in self.settings.items())
        (self.config / "main.cf").write_text(text)

    def start(self):
        self._command("start")
        self.pid = int((self.queue / "pid" / "master.pid").read_text())
        wait_for(self._greets, "Postfix to greet", self.log)

    def _greets(self):
        try:
            with smtp.Client(self.address, timeout=5) as client:
                return client.greeting.code == 220
        except (OSError, smtp.SmtpError):
            return False

    def reload(self, **changes):
        """Takes over changed settings (None removes one) and waits for the new processes."""
        for name, value in changes.items():
            self.settings[name] = value
            if value is None:
                del self.settings[name]
        self.write_main()
        before = len(re.findall(r"postfix/master\[\d+\]: reload", self.log()))
        self._command("reload")
        wait_for(lambda: len(re.findall(r"postfix/master\[\d+\]: reload", self.log())) > before,
                 "Postfix to reload", self.log)

    def _command(self, *words):
        run(["/usr/sbin/postfix", "-c", self.config, *words], lambda: self.log()[-4000:])

    def stop(self):
        """Ends master, and with it every process of this instance (they share its group)."""
        if self.pid is None:
            return
        try:
            os.kill(self.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        pid = self.pid
        self.pid = None
        wait_for(lambda: not group_alive(pid), "Postfix to stop", self.log, kill_group=pid)

    def close(self):
        self.stop()
        self.sink.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self):
        try:
            return self.log_file.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, timeout=60):
        """The first match of a regular expression in the mail log, waiting for it."""
        found = []

        def look():
            match = re.search(pattern, self.log())
            if match:
                found.append(match)
            return match
        wait_for(look, f"log line {pattern}", self.log, timeout=timeout)
        return found[0]

    def send(self, message, sender="sender@example.net", recipients=("user@example.com",), **more):
        """smtp.send() to this instance."""
        return smtp.send(self.address, message, sender, recipients, **more)

    def submit(self, message, sender="local@example.com", recipients=("user@example.com",)):
        """Local submission through sendmail(1): the way of non_smtpd_milters."""
        run(["/usr/sbin/sendmail", "-C", self.config, "-i", "-f", sender, "--", *recipients],
            self.log, data=message.replace(b"\r\n", b"\n"))

    def client(self, timeout=60):
        return smtp.Client(self.address, timeout)

    def delivered(self, wanted=1, timeout=60):
        """Deliveries at the sink: so many, or those that fit a predicate; waits for them."""
        return self.sink.wait(wanted, timeout)

    def queued(self, name):
        """Queue ids in one queue: hold, deferred, active, incoming."""
        return sorted(path.name for path in (self.queue / name).rglob("*") if path.is_file())

    def empty(self):
        return not any(self.queued(name)
                       for name in ("maildrop", "incoming", "active", "deferred", "hold"))

    def held(self, timeout=60):
        """Queue ids on hold, waiting until there is one."""
        wait_for(lambda: self.queued("hold"), "held mail", self.log, timeout=timeout)
        return self.queued("hold")

    def postcat(self, queue_id):
        """The stored message of one queue file, headers and body."""
        return run(["/usr/sbin/postcat", "-c", self.config, "-hbq", queue_id], self.log)

    def flush(self):
        run(["/usr/sbin/postqueue", "-c", self.config, "-f"], self.log)

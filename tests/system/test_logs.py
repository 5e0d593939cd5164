# SPDX-License-Identifier: BSD-2-Clause
"""Who reads the daemon's log: rsyslog, logrotate and fail2ban with the files of contrib/neighbours.

The daemon writes to syslog in a network of its own whose /dev/log is that of a private rsyslog.
"""

import re
import shutil
import signal
import subprocess

import pytest

from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace
from support.messages import make
from support.mta import Client, Session
from support.network import Network
from support.process import run, wait_for
from system.chain import CONTRIB

NEIGHBOURS = CONTRIB / "neighbours"
LOG, REFUSED = "/var/log/spambridge.log", "/var/log/spambridge-refused.log"
RSYSLOG = """\
module(load="imuxsock" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0")
global(workDirectory="{top}")
{ours}
*.* {top}/other.log
"""


class Rsyslog:
    """A private rsyslogd with our lines; paths below /var/log are below self.top."""

    def __init__(self, network, top):
        self.top = top
        ours = (NEIGHBOURS / "rsyslog.conf").read_text()
        assert ours.count(f'"{LOG}"') == ours.count(f'"{REFUSED}"') == 1
        (top / "rsyslog.conf").write_text(RSYSLOG.format(
            top=top, ours=ours.replace("/var/log/", f"{top}/")))
        run(["rsyslogd", "-N1", "-f", top / "rsyslog.conf"], lambda: "")
        self.process = subprocess.Popen(
            network.command(["rsyslogd", "-n", "-f", top / "rsyslog.conf", "-i", top / "pid"]),
            stdin=subprocess.DEVNULL)
        wait_for((network.directory / "dev" / "log").exists, "rsyslog's socket")

    def lines(self, path, wanted=0):
        """The lines of one of its files, once there are so many."""
        file = self.top / path.removeprefix("/var/log/")

        def read():
            return file.read_text().splitlines() if file.exists() else []
        wait_for(lambda: len(read()) >= wanted, f"{wanted} lines in {path}", lambda: str(read()))
        return read()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


class Inside(Daemon):
    """A daemon in a network, that logs to the syslog there."""

    def __init__(self, network, *arguments, **options):
        self.network = network
        super().__init__(*arguments, **options)
        self.write_config(self.config.replace("log = stderr", "log = syslog"))

    def command(self):
        return self.network.command(super().command())


@pytest.fixture
def site(tmp_path):
    """(rsyslog, daemon): what the daemon logs is in the files of that rsyslog."""
    with Network() as network, Workspace() as place, BadScorer(place.path) as scorer:
        rsyslog = Rsyslog(network, tmp_path)
        try:
            with Inside(network, [scorer.listen("good", transport="unix")],
                        options='domain "held.example" { quarantine = 8 }') as daemon:
                yield rsyslog, daemon
                daemon.stop_cleanly()
        finally:
            rsyslog.close()


def send(daemon, score, number, address="5.9.10.11", sender="a@example.org", domain="example.com"):
    family = "6" if ":" in address else "4"
    with Session(daemon.address, Client(address=address, family=family)) as session:
        session.greet()
        session.send_message(make(score=score), queue_id=f"4LOG{number}", sender=sender,
                             recipients=[f"bob@{domain}"])


def ids(lines):
    return [re.search(r" id=(\S+) ", line).group(1) for line in lines if " id=" in line]


def test_rsyslog_and_logrotate(site):
    rsyslog, daemon = site
    for number, score in enumerate((1.0, 7.0, 20.0)):
        send(daemon, score, number)
    send(daemon, 9.0, 3, domain="held.example")
    send(daemon, 1.0, 4, sender='"x action=reject reason=score y"@example.org')
    everything = ["4LOG0", "4LOG1", "4LOG2", "4LOG3", "4LOG4"]
    wait_for(lambda: ids(rsyslog.lines(LOG)) == everything, "all lines",
             lambda: str(rsyslog.lines(LOG)))
    assert ids(rsyslog.lines(REFUSED)) == ["4LOG2", "4LOG3"]
    assert not [line for line in rsyslog.lines("other.log") if "spambridge" in line]
    assert re.match(r"\d{4}-\d\d-\d\dT\S+ \S+ spambridge\[\d+\]: ", rsyslog.lines(LOG)[-1])

    rotate(rsyslog)
    assert ids(rsyslog.lines(LOG + ".1")) == everything
    send(daemon, 20.0, 5)
    wait_for(lambda: ids(rsyslog.lines(LOG)) == ["4LOG5"], "the next line in a new file")
    assert ids(rsyslog.lines(REFUSED, 1)) == ["4LOG5"]


def rotate(rsyslog):
    """logrotate with our file, but its own paths and the private rsyslog."""
    text = (NEIGHBOURS / "logrotate").read_text()
    command = "/usr/lib/rsyslog/rsyslog-rotate"
    assert command in text and LOG in text and REFUSED in text
    text = text.replace("/var/log/", f"{rsyslog.top}/").replace(
        command, f"kill -HUP {(rsyslog.top / 'pid').read_text()}")
    (rsyslog.top / "logrotate.conf").write_text(text)
    (rsyslog.top / "logrotate.conf").chmod(0o644)
    run(["logrotate", "--force", "--state", rsyslog.top / "state", rsyslog.top / "logrotate.conf"],
        lambda: "")


HOSTILE = ['x" client=6.6.6.6 size=1 scorer=x server=x score=99 required=5 action=reject '
           'reason=score @example.org', "a client=6.6.6.6@example.org", "\n\\\"@example.org"]


def test_fail2ban_finds_who_was_refused_and_nobody_else(site, tmp_path):
    rsyslog, daemon = site
    send(daemon, 20.0, 0, "5.9.10.11")
    send(daemon, 20.0, 1, "2a01:4f8::7")
    send(daemon, 7.0, 2, "5.9.10.12")
    send(daemon, 9.0, 3, "5.9.10.13", domain="held.example")
    for number, sender in enumerate(HOSTILE):
        send(daemon, 20.0, 4 + number, "5.9.10.14", sender)
        send(daemon, 1.0, 7 + number, "5.9.10.15", sender)
    wait_for(lambda: len(ids(rsyslog.lines(LOG))) == 4 + 2 * len(HOSTILE), "all lines")
    filters = tmp_path / "filter.d"
    filters.mkdir()
    shutil.copy(NEIGHBOURS / "fail2ban-filter.conf", filters / "spambridge.conf")
    (filters / "common.conf").symlink_to("/etc/fail2ban/filter.d/common.conf")
    found = run(["fail2ban-regex", "--out", "ip", tmp_path / "spambridge.log",
                 filters / "spambridge.conf"], lambda: "").decode().split()
    assert sorted(found) == sorted(["5.9.10.11", "2a01:4f8::7", *["5.9.10.14"] * len(HOSTILE)])


def test_fail2ban_takes_the_jail(tmp_path):
    """The whole configuration with ours in it, as fail2ban-server would be told it."""
    folder = tmp_path / "fail2ban"
    shutil.copytree("/etc/fail2ban", folder)
    shutil.copy(NEIGHBOURS / "fail2ban-filter.conf", folder / "filter.d/spambridge.conf")
    shutil.copy(NEIGHBOURS / "fail2ban-jail.conf", folder / "jail.d/spambridge.conf")
    told = run(["fail2ban-client", "-c", folder, "-d"], lambda: "").decode()
    assert "['add', 'spambridge', 'systemd']" in told
    assert "['set', 'spambridge', 'maxretry', 5]" in told
    assert "'_SYSTEMD_UNIT=spambridge.service'" in told
    assert re.search(r"'set', 'spambridge', 'addfailregex'|'addfailregex'.*id=", told)

# SPDX-License-Identifier: BSD-2-Clause
"""doctor: finds nothing in a good set-up, the fault in each broken one, and its mend mends.

Traps 61, 63, 65, 71.
"""

import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from ctl.conftest import plain_daemon
from support import ports
from support.badscorer import BadScorer
from support.daemon import program, setpriv
from support.daemon import test_user as daemon_user
from support.messages import make
from support.mta import send

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be several users"),
    pytest.mark.skipif(not shutil.which("postconf", path="/usr/sbin:/usr/bin"),
                       reason="no Postfix here"),
]
MASTER = "smtp inet n - {chroot} - - smtpd\nsubmission inet n - n - - smtpd\n" \
         "pickup unix n - n 60 1 pickup\n"


class Setup:
    """A daemon, a scorer, and a Postfix configuration around them: good until it is broken."""

    def __init__(self, tool, workspace, scorer):
        self.tool = tool
        self.workspace = Path(workspace.path)
        self.scorer = scorer
        self.queue = self.workspace / "queue"
        self.postfix = self.workspace / "postfix"
        self.sockets = self.queue / "sb"
        for folder in (self.queue, self.postfix, self.sockets):
            folder.mkdir()
            folder.chmod(0o755)
        owner = pwd.getpwnam(daemon_user())
        os.chown(self.sockets, owner.pw_uid, owner.pw_gid)
        self.listen = self.sockets / "milter.sock"
        self.master()
        self.main()
        self.daemon = plain_daemon([scorer.listen("good", transport="unix")],
                                   listen=f"unix:{self.listen}").start()
        tool.config = self.daemon.config_path
        self.controlled()

    def controlled(self):
        assert Path(self.daemon.control).exists()

    def master(self, chroot="y"):
        (self.postfix / "master.cf").write_text(MASTER.format(chroot=chroot))

    def main(self, milters="unix:sb/milter.sock", **settings):
        settings = {"compatibility_level": "3.6", "queue_directory": self.queue,
                    "mail_owner": "postfix", "milter_default_action": "tempfail",
                    "smtpd_milters": milters, **settings}
        path = self.postfix / "main.cf"
        path.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        self.age()

    def age(self):
        """Postfix's programs wait for a moment while main.cf is younger than a second."""
        os.utime(self.postfix / "main.cf", (1e9, 1e9))

    def write_unread(self, text):
        """Write a configuration that the daemon does not read, and that does not look newer."""
        self.daemon.write_config(text)
        os.utime(self.daemon.config_path, (1e9, 1e9))

    def doctor(self, *arguments):
        return self.tool("doctor", "--config-dir", self.postfix, *arguments)

    def findings(self, *arguments):
        found = self.doctor("--json", *arguments)
        bad = [item for item in found.json["report"] if item["diagnosis"] == "finding"]
        assert found.code == (1 if bad else 0) and found.json["findings"] == len(bad)
        return bad

    def mend(self, finding):
        """Run the command that was named, but for the reload of a Postfix that does not run."""
        command = re.sub(r" && postfix [^&]*reload$", "", finding["mend"])
        done = subprocess.run(["/bin/sh", "-e", "-c", command], capture_output=True, check=False,
                              env={"PATH": os.path.dirname(program("spambridgectl"))
                                   + ":/usr/sbin:/usr/bin:/sbin:/bin"})
        assert done.returncode == 0, (command, done.stderr)
        self.age()


@pytest.fixture(name="setup")
def good_setup(ctl, workspace):
    with BadScorer(workspace.path) as scorer:
        place = Setup(ctl, workspace, scorer)
        try:
            yield place
        finally:
            place.daemon.kill()


def one(findings, words):
    assert len(findings) == 1, findings
    assert re.search(words, findings[0]["text"]), findings
    return findings[0]


def test_nothing_is_found_in_a_good_setup(setup):
    found = setup.doctor()
    assert found.code == 0, found.out
    assert found.out.endswith("no findings\n")
    for words in ("the configuration", "answers", "can connect to", "in its chroot, looks for",
                  "service submission/inet looks for", "is longer than the deadline"):
        assert words in found.out
    assert setup.findings() == []


def reconfigure(setup, before, after):
    """Change the daemon's configuration and have it read."""
    assert before in setup.daemon.config
    setup.daemon.write_config(setup.daemon.config.replace(before, after))
    assert setup.tool("reload").code == 0


def hold_mail(setup):
    """Mail is held from now on; returns the quarantine."""
    reconfigure(setup, "quarantine = off", "quarantine = 10.0")
    return Path(setup.daemon.workspace.file("quarantine"))


def break_directory(setup):
    setup.sockets.chmod(0o700)


def break_parent(setup):
    setup.queue.chmod(0o700)


def break_mode(setup):
    setup.listen.chmod(0o600)


def break_group(setup):
    os.chown(setup.listen, -1, 0)
    setup.listen.chmod(0o660)


def break_list(setup):
    setup.main(milters="inet:127.0.0.1:1")


def break_twice(setup):
    setup.main(milters="unix:sb/milter.sock unix:x { unix:/sb/milter.sock }")


def break_absolute(setup):
    setup.main(milters=f"unix:{setup.listen}")


def break_relative_to_root(setup):
    setup.master(chroot="n")
    setup.main(milters="unix:/sb/milter.sock")


def break_timeout(setup):
    setup.main(milter_content_timeout="5")


def break_timeout_of_the_entry(setup):
    setup.main(milters="unix:x, { unix:sb/milter.sock, content_timeout = 5s }")


def break_protocol(setup):
    setup.main(milter_protocol="2")


def break_protocol_of_the_entry(setup):
    setup.main(milters="{ unix:sb/milter.sock, protocol=4 }")


def accept_by_default(setup):
    setup.main(milter_default_action="accept")


def reject_by_default(setup):
    setup.main(milter_default_action="reject")


def accept_by_default_of_the_entry(setup):
    setup.main(milters="{ unix:sb/milter.sock, default_action=accept }")


def lock_the_store(setup):
    store = hold_mail(setup)
    os.chown(store, 0, 0)
    store.chmod(0o700)


def lose_the_store(setup):
    shutil.rmtree(hold_mail(setup))


def lose_the_temporary_directory(setup):
    reconfigure(setup, "log = stderr",
                f'log = stderr\ntemp_directory = "{setup.workspace}/missing"')


ENABLE = "spambridgectl .*postfix enable"


def close_the_configuration(setup):
    os.chown(setup.daemon.config_path, 0, 0)
    os.chmod(setup.daemon.config_path, 0o640)


def close_the_way_to_the_temporary_directory(setup):
    folder = setup.workspace / "closed"
    (folder / "tmp").mkdir(parents=True)
    (folder / "tmp").chmod(0o1777)
    folder.chmod(0o700)
    reconfigure(setup, "log = stderr", f'log = stderr\ntemp_directory = "{folder}/tmp"')


@pytest.mark.parametrize("fault,words,remedy", [
    (close_the_configuration, "a reload cannot read the configuration: .*spambridge.conf is closed",
     "chgrp [0-9]+ .* chmod g[+]r"),
    (close_the_way_to_the_temporary_directory, "temp_directory: .*/closed is closed to user",
     "chmod o[+]x"),
    (break_directory, "user postfix cannot connect: .*/sb is closed", "chgrp .* chmod g[+]x"),
    (break_parent, "user postfix cannot connect: .*/queue is closed", "chgrp .* chmod g[+]x"),
    (break_mode, "user postfix cannot connect: .*milter.sock is closed", "chgrp .* chmod 0660"),
    (break_group, "user postfix cannot connect: .*milter.sock is closed", "chgrp .* chmod 0660"),
    (break_list, "does not name", ENABLE),
    (break_twice, "names .* 2 times", "postfix disable.*" + ENABLE),
    (break_timeout, "milter_content_timeout = 5s? is not longer than the deadline",
     "postconf .*milter_content_timeout = 300s"),
    (break_timeout_of_the_entry, "milter_content_timeout = 5s .in our entry", ENABLE),
    (break_protocol, "milter_protocol = 2", "postconf .*milter_protocol = 6"),
    (break_protocol_of_the_entry, "milter_protocol = 4 .in our entry", ENABLE),
    (accept_by_default, "milter_default_action = accept: mail is let through unchecked",
     "postconf .*milter_default_action = tempfail"),
    (reject_by_default, "milter_default_action = reject: all mail is refused",
     "postconf .*milter_default_action = tempfail"),
    (accept_by_default_of_the_entry, "milter_default_action = accept .in our entry", ENABLE),
    (lock_the_store, "quarantine: .*quarantine is closed to user", "install -d -o"),
    (lose_the_store, "quarantine: .*quarantine does not exist", "install -d -o"),
    (lose_the_temporary_directory, "temp_directory: .*missing does not exist", "install -d -m"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_a_fault_is_found_and_mended(setup, fault, words, remedy):
    fault(setup)
    finding = one(setup.findings(), words)
    assert re.search(remedy, finding["mend"]), finding
    setup.mend(finding)
    assert setup.findings() == []


def test_a_clock_that_is_wrong(setup):
    future = time.time() + 7200
    os.utime(setup.daemon.config_path, (future, future))
    found = [item for item in setup.findings() if "clock" in item["text"]]
    assert one(found, "the clock is wrong")["mend"] == "timedatectl set-ntp true"


def test_a_mail_server_without_macros(setup):
    """Postfix's own lists do not matter (tests/system/test_macros.py): what came does."""
    send(setup.daemon.address, make(), queue_id="4GOOD")
    setup.daemon.message_line("4GOOD")
    assert setup.findings() == []
    assert "sends the macros" in setup.doctor().out
    send(setup.daemon.address, make(), queue_id="")
    assert ports.wait_until(lambda: setup.daemon.ask()["received"] == 2)
    finding = one(setup.findings(), "1 of 2 messages came without a queue id")
    assert finding["mend"].startswith("postconf -X milter_data_macros")


def test_a_quarantine_that_only_the_daemon_cannot_write(ctl, workspace, monkeypatch):
    """As a service that may not write there sees it: permissions tell nothing."""
    monkeypatch.setenv("SPAMBRIDGE_WRAPPER", "unshare --mount")
    with BadScorer(workspace.path) as scorer:
        place = Setup(ctl, workspace, scorer)
        try:
            store = hold_mail(place)
            assert place.findings() == []
            inside = ["nsenter", "--target", str(place.daemon.pid()), "--mount", "mount"]
            for words in (["--bind", store, store], ["-o", "remount,bind,ro", store]):
                subprocess.run([*inside, *words], check=True)
            finding = one(place.findings(), "is read-only for the daemon")
            assert "ReadWritePaths=" in finding["mend"]
        finally:
            place.daemon.kill()


@pytest.mark.parametrize("fault,count", [(break_absolute, 1), (break_relative_to_root, 2)])
def test_a_path_that_only_some_services_can_follow(setup, fault, count):
    fault(setup)
    found = setup.findings()
    assert len(found) == count
    assert all("looks for the socket at" in finding["text"] for finding in found)
    setup.mend(found[0])
    assert setup.findings() == []


def test_a_socket_outside_the_chroot(setup):
    outside = setup.workspace / "other"
    setup.main(milters=f"unix:{setup.listen}", queue_directory=outside)
    outside.mkdir()
    found = setup.findings()
    text = one(found, "smtp/inet runs in a chroot .* cannot see")
    assert f"install -d -o '{daemon_user()}'" in text["mend"]


def test_a_bad_configuration_is_all_that_is_said(setup):
    setup.write_unread("deadlin = 3s\n" + setup.daemon.config)
    found = setup.findings()
    assert "deadlin" in found[-1]["text"] and found[-1]["mend"].startswith("editor ")
    assert all("spambridge.conf:" in finding["text"] for finding in found)


def test_the_daemon_is_away(setup):
    setup.daemon.stop_cleanly()
    assert one(setup.findings(), "does not listen")["mend"] == "systemctl start spambridge"


def test_a_scorer_is_away_and_another_cannot_be_found(setup):
    servers = re.search(r"servers = \{(.*)\}", setup.daemon.config).group(1)
    setup.daemon.write_config(setup.daemon.config.replace(
        servers, f' "unix:{setup.workspace}/gone.sock", "tcp://no-such-host.invalid", {servers}'))
    assert setup.tool("reload").code == 0
    found = setup.findings()
    assert len(found) == 2
    assert "gone.sock does not answer" in found[0]["text"]
    assert found[0]["mend"] == "systemctl restart spamd"
    assert "cannot be looked up" in found[1]["text"]


def test_a_silent_scorer_does_not_hold_it_up(setup):
    path = setup.workspace / "silent.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen(5)
        path.chmod(0o666)
        setup.daemon.write_config(re.sub(r"servers = \{.*\}", f'servers = {{ "unix:{path}" }}',
                                         setup.daemon.config))
        assert setup.tool("reload").code == 0
        one(setup.findings(), "does not answer: it is silent")


def test_a_scorers_socket_that_only_root_reaches(setup):
    path = re.search(r'servers = \{ "unix:(.*)" \}', setup.daemon.config).group(1)
    os.chown(path, 0, 0)
    os.chmod(path, 0o600)
    finding = one(setup.findings(), "the scorer's socket: .* is closed to user")
    assert finding["mend"] == f"setfacl -m u:{daemon_user()}:rw '{path}'"


@pytest.mark.parametrize("protocol,mend", [("rspamd", "systemctl restart rspamd"), ("json", None)])
def test_what_mends_a_scorer_depends_on_what_it_is(setup, protocol, mend):
    """A service of one's own is not known to anybody here."""
    port = ports.free_port()
    setup.daemon.write_config(re.sub(
        r'scorer "x" \{[^}]*\}[^}]*\}', f'scorer "x" {{ protocol = {protocol} servers = '
        f'{{ "http://127.0.0.1:{port}", "http://[::1]:{port}" }} '
        + ('path = "/filter" score = "/score" }' if protocol == "json" else "}"),
        setup.daemon.config))
    assert setup.tool("reload").code == 0
    found = setup.findings()
    assert len(found) == 2 and all("does not answer" in item["text"] for item in found)
    assert [item["mend"] for item in found] == [mend, mend]


@pytest.mark.parametrize("host,shown", [("127.0.0.1", "127.0.0.1"), ("[::1]", "[::1]"),
                                        ("no-such-host.invalid", None)])
def test_a_daemon_that_is_to_listen_on_tcp(setup, host, shown):
    """It is found where it listens, and not where it does not."""
    family = "inet6" if ":" in host else "inet"
    setup.daemon.stop_cleanly()
    listen = f"{family}:{ports.free_port()}@{host}"
    setup.daemon.write_config(re.sub(r'listen = ".*"', f'listen = "{listen}"',
                                     setup.daemon.config))
    before = [item["text"] for item in setup.findings()]
    assert any(f"does not listen on {listen}" in text for text in before)
    if shown:
        setup.daemon.address = listen
        setup.daemon.start()
        assert f"the daemon listens on {listen}" in setup.doctor().out


def test_an_ordinary_user_is_told_what_needs_root(setup):
    """What cannot be looked at is no finding."""
    os.chown(setup.sockets, 0, 0)
    os.chmod(setup.sockets, 0o700)
    closed = setup.workspace / "closed"
    (closed / "tmp").mkdir(parents=True)
    closed.chmod(0o700)
    os.chown(closed, pwd.getpwnam("daemon").pw_uid, -1)
    setup.write_unread(setup.daemon.config.replace(
        f'user = "{daemon_user()}"', f'user = "daemon"\ntemp_directory = "{closed}/tmp"'))
    done = subprocess.run([*setpriv(daemon_user()), program("spambridgectl"), "-c",
                           setup.daemon.config_path, "doctor", "--config-dir",
                           str(setup.postfix)], capture_output=True, text=True, check=False,
                          env=dict(os.environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin"))
    assert "milter.sock cannot be reached by you; run this as root" in done.stdout
    assert f"{closed}/tmp cannot be examined by you; run this as root" in done.stdout
    assert "does not exist" not in done.stdout


def test_a_full_disk_below_the_temporary_directory(setup):
    setup.daemon.write_config(setup.daemon.config.replace(
        "log = stderr", 'log = stderr\ntemp_directory = "/proc"'))
    assert setup.tool("reload").code == 0
    assert any("has room for fewer than 20 large messages" in item["text"]
               for item in setup.findings())


def test_the_daemon_runs_with_an_older_configuration(setup):
    future = os.stat(setup.daemon.config_path).st_mtime + 60
    os.utime(setup.daemon.config_path, (future, future))
    assert one(setup.findings(), "changed after")["mend"] == "spambridgectl reload"


def test_a_limit_of_open_files_that_is_too_low(setup):
    setup.write_unread("max_sessions = 100000\n" + setup.daemon.config)
    found = setup.findings()
    if not found:
        pytest.skip("this machine gives every process more than 100000 open files")
    assert "LimitNOFILE=" in one(found, "max_sessions = 100000 needs 10.... open files")["mend"]


def test_a_user_that_does_not_exist(setup):
    setup.daemon.write_config(setup.daemon.config.replace(f'user = "{daemon_user()}"',
                                                          'user = "sb-nobody"'))
    assert setup.tool("reload").code == 0
    found = one(setup.findings(), "no user sb-nobody")
    assert found["mend"].startswith("adduser --system")
    one([f for f in setup.findings("--mta-user", "sb-other") if "mail server" in f["text"]],
        "no user sb-other")


def test_remarks_do_not_count(setup):
    with open(setup.postfix / "master.cf", "a", encoding="ascii") as file:
        file.write("smtps inet n - n - - smtpd\n  -o smtpd_milters=inet:h:1\n")
    found = setup.doctor()
    assert found.code == 0
    assert "filters of its own for a service: smtps/inet/smtpd_milters" in found.out


def test_without_postfix(setup):
    found = setup.tool("doctor", PATH="/nonexistent", MAIL_CONFIG="/nonexistent")
    assert found.code == 0 and "note           Postfix was not examined" in found.out
    found = setup.tool("doctor", "--config-dir", "/nonexistent")
    assert found.code == 1

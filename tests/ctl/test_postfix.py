# SPDX-License-Identifier: BSD-2-Clause
"""postfix enable and disable: with the real postconf, and once with a real Postfix."""

import os
import shutil
import subprocess

import pytest

from ctl.conftest import plain_daemon
from support.badscorer import BadScorer
from support.messages import make
from support.postfix import Postfix

pytestmark = pytest.mark.skipif(not shutil.which("postconf", path="/usr/sbin:/usr/bin"),
                                reason="no Postfix here")
OURS = "unix:spambridge/milter.sock"


def postconf(directory, *words):
    return subprocess.run(["/usr/sbin/postconf", "-c", str(directory), *words], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True).stdout.rstrip("\n")


class Place:
    """A Postfix configuration directory of our own and the tool that edits it."""

    def __init__(self, tool):
        self.tool = tool
        self.directory = tool.path / "postfix"
        self.directory.mkdir()
        self.main("compatibility_level = 3.6\n")
        (self.directory / "master.cf").write_text("smtp inet n - y - - smtpd\n")

    def main(self, text):
        (self.directory / "main.cf").write_text(text)
        self.age()

    def age(self):
        """Postfix's programs wait for a moment while main.cf is younger than a second."""
        if self.directory.exists():
            os.utime(self.directory / "main.cf", (1e9, 1e9))

    def text(self):
        return (self.directory / "main.cf").read_text()

    def milters(self):
        return postconf(self.directory, "-h", "smtpd_milters")

    def __call__(self, *arguments, **environment):
        found = self.tool("postfix", *arguments, "--config-dir", self.directory, **environment)
        self.age()
        return found


@pytest.fixture
def place(ctl):
    ctl.write('listen = "unix:/var/spool/postfix/spambridge/milter.sock"\n'
              + ctl.config.read_text())
    return Place(ctl)


@pytest.mark.parametrize("before", [
    "", "inet:127.0.0.1:8891", "unix:opendkim/opendkim.sock, inet:localhost:11332",
    "{ inet:127.0.0.1:8891, default_action=accept }", "$others", "unix:it's"])
def test_enable_then_disable_restores_the_list(place, before):
    place.main(f"smtpd_milters = {before}\nothers = inet:h:1\n")
    found = place("enable")
    assert found.code == 0 and place.milters() == f"{before} {OURS}".strip()
    again = place("enable")
    assert again.code == 0 and "nothing to do" in again.out
    assert place.milters() == f"{before} {OURS}".strip()
    assert place("disable").code == 0
    assert place.milters() == before
    assert "nothing to do" in place("disable").out


def test_only_smtpd_milters_is_changed(place):
    def values():
        return {line for line in postconf(place.directory).splitlines()
                if not line.startswith("process_id")}
    before = values()
    place("enable")
    assert sorted(line.strip() for line in before ^ values()) == [
        "smtpd_milters =", f"smtpd_milters = {OURS}"]


def test_dry_run_changes_nothing(place):
    before = place.text()
    for what in ("enable", "disable"):
        found = place(what, "--dry-run")
        assert found.code == 0
        assert place.text() == before
    assert f"to           {OURS}" in place("enable", "--dry-run").out


@pytest.mark.parametrize("first", ["", "smtpd_milters = inet:h:1 { unix:it's, protocol=6 }\n"])
def test_the_undo_command_undoes(place, first):
    place.main("compatibility_level = 3.6\n" + first)
    before = postconf(place.directory, "-n")
    undo = place("enable", "--json").json["undo"]
    assert postconf(place.directory, "-n") != before
    subprocess.run(["/bin/sh", "-c", undo], check=True,
                   env=dict(os.environ, PATH="/usr/sbin:/usr/bin:/bin"))
    assert postconf(place.directory, "-n") == before


def test_mail_config_is_honoured(place):
    found = place.tool("postfix", "enable", MAIL_CONFIG=str(place.directory))
    assert found.code == 0 and place.milters() == OURS
    assert "-c" not in found.out


def test_named_through_another_parameter(place):
    place.main(f"mine = {OURS}\nsmtpd_milters = $mine\n")
    assert "nothing to do" in place("enable").out
    found = place("disable")
    assert found.code == 1 and "$mine" in found.err
    assert place.milters() == "$mine"


def test_advice_on_the_default_action(place):
    place.main("milter_default_action = accept\n")
    found = place("enable")
    assert found.code == 0 and "milter_default_action = tempfail" in found.out
    assert postconf(place.directory, "-h", "milter_default_action") == "accept"
    place.main("milter_default_action = tempfail\n")
    assert "note" not in place("enable").out


def test_services_with_filters_of_their_own_are_named(place):
    (place.directory / "master.cf").write_text(
        "submission inet n - y - - smtpd\n  -o smtpd_milters=inet:h:1\n")
    assert "submission/inet/smtpd_milters = inet:h:1" in place("enable").out


def test_failures_are_one_line(place):
    shutil.rmtree(place.directory)
    found = place("enable")
    assert found.code == 1 and len(found.err.splitlines()) == 1 and "postconf failed" in found.err


@pytest.mark.parametrize("arguments", [[], ["enabel"], ["enable", "disable"]])
def test_usage(place, arguments):
    assert place.tool("postfix", *arguments).code == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="Postfix's master starts only as root")
def test_mail_is_filtered_after_enable_and_not_after_disable(ctl, workspace):
    with BadScorer(workspace.path) as scorer, Postfix() as postfix:
        server = scorer.listen("good", transport="unix")
        with plain_daemon([server], trusted="10.0.0.0/8") as daemon:
            ctl.config = daemon.config_path
            wire = make(score=7.0)
            for word, marked in (("enable", True), ("disable", False)):
                assert ctl("postfix", word, "--config-dir", postfix.config).code == 0
                postfix.settings["smtpd_milters"] = \
                    postconf(postfix.config, "-h", "smtpd_milters")
                postfix.reload()
                before = len(postfix.delivered(0))
                postfix.send(wire)
                mail = postfix.delivered(before + 1)[-1]
                assert (b"X-Spam-Flag: YES" in mail.data) is marked

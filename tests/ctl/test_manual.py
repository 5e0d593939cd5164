# SPDX-License-Identifier: BSD-2-Clause
"""The manual pages: mandoc finds no fault, every example works, and what they list is complete.

Trap 73.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from ctl.conftest import plain_daemon
from support.badscorer import BadScorer
from support.daemon import MESSAGE_KEYS, build_directory, program
from support.smtp import Sink

TOP = Path(__file__).resolve().parents[2]
PAGES = [TOP / "src/ctl/spambridgectl.1", TOP / "src/daemon/spambridge.8",
         TOP / "src/config/spambridge.conf.5"]
TOOL_PAGE, DAEMON_PAGE, _ = (page.read_text() for page in PAGES)
EXAMPLES = re.findall(r"^\.Dl (spambridgectl .*)$", TOOL_PAGE, re.MULTILINE)
# Messages of mandoc about the machine, not about the page.
IGNORED = ("referenced manual not found", "outdated mandoc.db", "more than 3 levels")
LOG = ("id=4ABCDE12345 from=a@example.org to=1,b@example.com client=192.0.2.10 size=1 scorer=sa "
       "server=unix:/s score=7.4 required=5.0 action=tag reason=score quarantine=- scan_ms=2 "
       "total_ms=3 tests=A\n")


@pytest.mark.skipif(not shutil.which("mandoc"), reason="no mandoc here")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_finds_no_fault(page):
    done = subprocess.run(["mandoc", "-Tlint", str(page)], capture_output=True, text=True,
                          check=False)
    faults = [line for line in (done.stdout + done.stderr).splitlines()
              if not any(words in line for words in IGNORED)]
    assert faults == []


def commands(ctl):
    """(name, example) of every command in --help, and in that of quarantine."""
    found = []
    for group in ((), ("quarantine",)):
        found += [(" ".join([*group, name]), example) for name, example in re.findall(
            r"^  ([a-z][a-z-]*) .*\n(?:.*\n)*?      example: (.*)$", ctl(*group, "--help").out,
            re.MULTILINE)]
    return found


def test_every_command_has_a_section_with_its_example(ctl):
    found = commands(ctl)
    assert len(found) >= 20
    for name, example in found:
        assert re.search(rf"^\.Ss {re.escape(name)}\b", TOOL_PAGE, re.MULTILINE), name
        assert example in EXAMPLES


def test_every_option_is_described(ctl):
    for name, _ in commands(ctl):
        usage = ctl(*name.split(), "--help").out.partition("\n\n")[0]
        for option in re.findall(r"--([a-z-]+)", usage):
            assert f"Fl -{option}" in TOOL_PAGE, (name, option)


@pytest.fixture(name="place")
def place_for_examples(ctl, workspace):
    """Everything that the examples name: a message, a log, a daemon, a Postfix configuration."""
    postfix = ctl.path / "postfix"
    postfix.mkdir()
    (postfix / "main.cf").write_text("compatibility_level = 3.6\n")
    (postfix / "master.cf").write_text("smtp inet n - n - - smtpd\n")
    ctl.environment["MAIL_CONFIG"] = str(postfix)
    ctl.file("message.eml", "Subject: hello\n\nhello\n")
    ctl.file("mail.log", LOG)
    ctl.file("new.conf", 'scorer "x" { servers = { "unix:/s" } }\n')
    ctl.file("spamass-milter", 'OPTIONS="-u spamass-milter -i 127.0.0.1"\n')
    with BadScorer(workspace.path) as scorer, Sink() as sink:
        daemon = plain_daemon([scorer.listen("good", transport="unix")])
        daemon.write_config(daemon.config.replace(
            "quarantine {", f'quarantine {{ release = "smtp://127.0.0.1:{sink.port}" '))
        with daemon:
            ctl.config = Path(daemon.config_path)
            ctl.quarantine = Path(daemon.workspace.file("quarantine"))
            yield ctl
            daemon.stop_cleanly()


def hold_the_examples_item(place):
    """What the examples of quarantine name, unless one of them has just removed it."""
    if not list(place.quarantine.glob("*/*Qmfzwi3d6mu*")):
        message = place.file("held.eml", "Subject: your invoice\r\n\r\nPay.\r\n")
        subprocess.run([build_directory() + "/tests/quarantine/put", "-I",
                        "mfzwi3d6mu".ljust(26, "a"), place.quarantine, message, "a@example.net",
                        "alice@example.com"], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.skipif(not shutil.which("postconf", path="/usr/sbin:/usr/bin"), reason="no Postfix")
def test_every_example_works(place):
    """Absolute paths of the examples stand for files of the same name."""
    for example in EXAMPLES:
        words = shlex.split(example)[1:]
        words = [Path(word).name if word.startswith(("/etc/default/", "/var/log/")) else word
                 for word in words]
        if words[0] == "quarantine":
            hold_the_examples_item(place)
        found = place(*words)
        # An example's Postfix does not name our socket, so doctor has something to find.
        assert found.code in ((1,) if words[0] == "doctor" else (0,)), (example, found.err)
        assert found.out != ""


def test_the_pipe_of_the_examples_section(place):
    shown = re.search(r"^(spambridgectl score --json .*\*\.eml) \|", TOOL_PAGE, re.MULTILINE)
    words = shlex.split(shown.group(1))[1:-1] + ["message.eml"]
    report = place(*words).json[0]
    assert report["verdict"]["score"] is not None and report["action"] and report["file"]


def test_the_log_keys_are_those_of_the_daemon():
    section = DAEMON_PAGE.partition("Programs may rely on this:")[2].partition(".Sh WHAT HAPP")[0]
    outer = re.sub(r"\.Bl [^\n]*-compact.*?\.El", "", section, flags=re.DOTALL)
    assert re.findall(r"^\.It Li (\w+)$", outer, re.MULTILINE) == MESSAGE_KEYS + ["users", "would"]


def test_the_example_line_is_one():
    example = re.search(r"^id=4ABC.*?(?=\n\.Ed)", DAEMON_PAGE, re.DOTALL | re.MULTILINE)
    keys = re.findall(r"(\w+)=", example.group(0).replace("\n", " "))
    assert keys == MESSAGE_KEYS


def test_the_daemons_options_are_described():
    usage = subprocess.run([program("spambridge"), "-?"], capture_output=True, text=True,
                           check=False).stderr
    for letter in re.findall(r"^  -(\w)", usage, re.MULTILINE):
        assert re.search(rf"^\.It Fl {letter}\b", DAEMON_PAGE, re.MULTILINE), letter


def test_the_reasons_are_those_that_the_tool_explains():
    listed = re.search(r"^Why:\n(.*?)^\.El", DAEMON_PAGE, re.DOTALL | re.MULTILINE).group(1)
    explained = re.findall(r'^\t\{ "(\w+)",\s+(?:"|NULL)',
                           (TOP / "src/ctl/story.c").read_text().partition("actions[]")[0],
                           re.MULTILINE)
    assert sorted(re.findall(r"^\.It Li (\w+)", listed, re.MULTILINE)) == sorted(explained)

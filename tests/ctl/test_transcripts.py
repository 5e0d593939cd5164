# SPDX-License-Identifier: BSD-2-Clause
"""A terminal session with each command, as an administrator sees it: tests/ctl/transcripts.

A line that begins with "$ " is a command; what follows must be its output, standard error behind
standard output, and "[exit N]" when it does not end with 0. {DIR} is the directory of the place and
{ID} the short id of the item in its quarantine; in output, {N} stands for a number, {*} for any
text, and a line "..." for any number of lines.

The place: a daemon with a scripted scorer and a quarantine, which has seen four messages with the
queue ids 4PASS, 4TAG, 4HOLD and 4REJECT; its log in mail.log; a configuration of Postfix.
"""

import os
import pwd
import re
import shlex
import shutil
from pathlib import Path

import pytest

from ctl.conftest import Tool
from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace, test_user as daemon_user
from support.messages import make
from support.mta import send

HERE = Path(__file__).parent / "transcripts"
MAIL = {"4PASS": 1.0, "4TAG": 7.0, "4HOLD": 12.0, "4REJECT": 20.0}
PLACEHOLDERS = {"{N}": r"-?[0-9]+(?:\.[0-9]+)?", "{*}": r".*"}

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as doctor does"),
    pytest.mark.skipif(not shutil.which("postconf", path="/usr/sbin:/usr/bin"),
                       reason="no Postfix here"),
]


def parse(text):
    """[(command, [lines])] of a transcript; what stands before the first command is a remark."""
    steps = []
    for line in text.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif steps:
            steps[-1][1].append(line)
    for _, lines in steps:
        while lines and lines[-1] == "":
            lines.pop()
    return steps


def pattern(lines):
    """A regular expression for an output."""
    parts = []
    for line in lines:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
            continue
        text = re.escape(line)
        for name, meaning in PLACEHOLDERS.items():
            text = text.replace(re.escape(name), meaning)
        parts.append(text + r"\n")
    return "".join(parts)


class Place:
    """Where the sessions take place."""

    def __init__(self, workspace, scorer):
        self.path = Path(workspace.path)
        self.tool = Tool(self.path)
        queue, sockets, postfix = (self.path / name for name in ("queue", "queue/sb", "postfix"))
        for folder in (queue, sockets, postfix):
            folder.mkdir()
            folder.chmod(0o755)
        owner = pwd.getpwnam(daemon_user())
        os.chown(sockets, owner.pw_uid, owner.pw_gid)
        self.daemon = Daemon([scorer.listen("good", transport="unix", tests=["A_RULE"])],
                             workspace=workspace, listen=f"unix:{sockets}/milter.sock",
                             scorer="max_connections = 2",
                             options='domain "strict.example" { reject = 6.0 }',
                             policy="tag = 5.0\nquarantine = 10.0\nreject = 15.0").start()
        self.tool.config = Path(self.daemon.config_path)
        self.tool.environment["MAIL_CONFIG"] = str(postfix)
        for queue_id, score in MAIL.items():
            send(self.daemon.address, make(score=score, tests="A_RULE,B_RULE"), queue_id=queue_id)
            self.daemon.message_line(queue_id)
        self.write_files(postfix, queue)
        self.item = self.tool("quarantine", "list", "--json").json[0]["id"][:10]

    def fill_in(self, text):
        return text.replace("{DIR}", str(self.path)).replace("{ID}", self.item)

    def write_files(self, postfix, queue):
        (postfix / "master.cf").write_text("smtp inet n - y - - smtpd\n")
        (postfix / "main.cf").write_text(
            f"compatibility_level = 3.6\nqueue_directory = {queue}\nmail_owner = postfix\n"
            "smtpd_milters = inet:127.0.0.1:8891\n")
        os.utime(postfix / "main.cf", (1e9, 1e9))
        self.tool.file("mail.log", "\n".join(self.daemon.lines) + "\n")
        self.tool.file("message.eml", make(score=7.0, tests="A_RULE"))
        self.tool.file("new.conf", self.daemon.config.replace("tag = 5.0", "tag = 8.0"))
        self.tool.file("broken.conf", "deadlin = 3s\n" + self.daemon.config)
        self.tool.file("spamass-milter", 'OPTIONS="-u nobody -i 127.0.0.1 -r 8 -x"\n')
        Path(self.tool.file("sendmail", "#!/bin/sh\nexec cat >/dev/null\n")).chmod(0o755)
        for name in ("new.conf", "broken.conf"):
            (self.path / name).chmod(0o644)

    def call(self, command):
        """The Result of a command."""
        words = shlex.split(command)
        assert words[0] == "spambridgectl"
        if "-c" in words[:2]:
            words[2] = str(self.path / words[2])
        return self.tool(*words[1:])

    def run(self, command):
        """What a command writes: text, with its exit code where that is not 0."""
        result = self.call(command)
        code = f"[exit {result.code}]\n" if result.code else ""
        return result.out + result.err + code


@pytest.fixture(name="place")
def place_for_sessions():
    with Workspace() as workspace, BadScorer(workspace.path) as scorer:
        place = Place(workspace, scorer)
        try:
            yield place
            place.daemon.stop_cleanly()
        finally:
            place.daemon.kill()


def names():
    return sorted(path.name for path in HERE.iterdir())


@pytest.mark.parametrize("name", names())
def test_session(place, name):
    steps = parse(place.fill_in((HERE / name).read_text()))
    assert steps
    for command, lines in steps:
        found = place.run(command)
        assert re.fullmatch(pattern(lines), found), f"$ {command}\n{found}"


def test_every_command_has_one(place):
    def listed(*words):
        return re.findall(r"^  ([a-z][a-z-]*)(?: |$)", place.tool(*words, "--help").out, re.M)
    wanted = {(name,) for name in listed() if name not in ("quarantine", "example")}
    wanted |= {("quarantine", name) for name in listed("quarantine")}
    shown = set()
    for name in names():
        for command, _ in parse((HERE / name).read_text()):
            words = [word for word in shlex.split(command)[1:] if not word.startswith("-")]
            if words and words[0].endswith(".conf"):
                words.pop(0)
            shown |= {tuple(words[:1]), tuple(words[:2])}
    assert len(wanted) > 20 and wanted - shown == set()

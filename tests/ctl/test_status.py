# SPDX-License-Identifier: BSD-2-Clause
"""status, metrics and reload: against the real daemon, and against sockets that misbehave."""

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from ctl.conftest import plain_daemon
from support.badscorer import BadScorer
from support.daemon import program
from support.messages import make
from support.mta import send

BAD_ANSWERS = [b"", b"\n", b"{}\n", b"[]\n", b"not json\n", b'{"version":1}\n',
               b'{"version":2,"ok":true}\n', b'{"version":1,"ok":"yes"}\n',
               b'{"version":1,"ok":true', b'{"version":1,"version":1,"ok":true}\n',
               b'\xff\xfe\n', b"x" * (5 << 20)]


class Running:
    """A daemon with two servers, one of which nobody serves, and the tool for it."""

    def __init__(self, daemon, scorer):
        self.daemon = daemon
        self.scorer = scorer


@pytest.fixture(name="running")
def running_daemon(ctl, workspace):
    with BadScorer(workspace.path) as scorer:
        server = scorer.listen("good", transport="unix")
        with plain_daemon([server]) as daemon:
            ctl.config = Path(daemon.config_path)
            yield Running(daemon, scorer)
            daemon.stop_cleanly()


def test_status_says_first_how_it_is(ctl, running):
    send(running.daemon.address, make(score=7.0), queue_id="4A")
    running.daemon.message_line("4A")
    found = ctl("status")
    assert found.code == 0 and found.err == ""
    lines = found.out.splitlines()
    assert lines[0].startswith("healthy") and "1 of 1 servers answer" in lines[0]
    assert "1 answered, 0 refused" in found.out
    assert f"process {running.daemon.pid()}" in found.out
    assert " 1  tag_score" in found.out


def test_status_as_json(ctl, running):
    found = ctl("status", "--json")
    assert found.code == 0
    assert found.json["health"] == "healthy" and found.json["pid"] == running.daemon.pid()
    assert found.json["servers"][0]["healthy"] is True


def test_without_a_scorer_it_is_down(ctl, workspace):
    with plain_daemon([f"unix:{workspace.path}/nobody.sock"]) as daemon:
        ctl.config = Path(daemon.config_path)
        send(daemon.address, make(), queue_id="4A")
        daemon.message_line("4A")
        found = ctl("status")
        assert found.code == 1 and found.out.startswith("down")
        assert "SET ASIDE" in found.out and "last error" in found.out
        daemon.stop_cleanly()


def test_one_of_two_is_degraded(ctl, workspace):
    with BadScorer(workspace.path) as scorer:
        good = scorer.listen("good", transport="unix")
        with plain_daemon([f"unix:{workspace.path}/nobody.sock", good]) as daemon:
            ctl.config = Path(daemon.config_path)
            for number in range(4):
                send(daemon.address, make(), queue_id=f"4A{number}")
            daemon.message_line("4A3")
            found = ctl("status")
            assert found.code == 0 and found.out.startswith("degraded")
            assert "1 of 2 servers answer" in found.out
            daemon.stop_cleanly()


def test_no_daemon_is_75(ctl):
    ctl.write(ctl.config.read_text() + f'control = "{ctl.path}/control.sock"\n')
    for command in ("status", "metrics", "reload"):
        found = ctl(command)
        assert found.code == 75 and len(found.err.splitlines()) == 1
        assert "control.sock" in found.err
    assert ctl("status").out.startswith("down")


def test_a_switched_off_control_socket_is_said(ctl):
    ctl.write(ctl.config.read_text() + 'control = ""\n')
    found = ctl("status")
    assert found.code == 1 and "switched off" in found.err


def test_metrics(ctl, running):
    send(running.daemon.address, make(score=20.0), queue_id="4A")
    running.daemon.message_line("4A")
    found = ctl("metrics")
    assert found.code == 0
    assert 'spambridge_messages_total{action="reject",reason="score"} 1\n' in found.out
    for line in found.out.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ", "spambridge_"))
    assert "spambridge_messages_total" in ctl("metrics", "--json").json["metrics"]


def test_reload(ctl, running):
    running.daemon.write_config(running.daemon.config.replace("tag = 5.0", "tag = 2.0"))
    found = ctl("reload")
    assert found.code == 0 and "read again" in found.out
    send(running.daemon.address, make(score=3.0), queue_id="4NEW")
    assert running.daemon.message_line("4NEW")["action"] == "tag"


def test_a_bad_configuration_is_refused_with_the_daemons_words(ctl, running):
    control = running.daemon.control
    running.daemon.write_config(running.daemon.config + "nonsense = 1\n")
    found = ctl("reload", "--socket", control)
    assert found.code == 1 and found.out == ""
    assert "spambridge.conf:" in found.err and "nonsense" in found.err
    assert ctl("status", "--socket", control).code == 0
    without = ctl("status")
    assert without.code == 75 and "/run/spambridge/control.sock" in without.err


class BadDaemon:
    """Answers whatever comes with the given bytes and closes, or never answers."""

    def __init__(self, path, answer):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(1)
        self.answer = answer
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        try:
            client, _ = self.sock.accept()
            client.recv(4096)
            client.sendall(self.answer)
            client.close()
        except OSError:
            pass


@pytest.mark.parametrize("number", range(len(BAD_ANSWERS)))
def test_answers_that_are_none(ctl, number):
    path = str(ctl.path / "control.sock")
    daemon = BadDaemon(path, BAD_ANSWERS[number])
    found = ctl("status", "--socket", path)
    daemon.thread.join(10)
    assert found.code == 75 and len(found.err.splitlines()) == 1


def test_odd_members_do_no_harm(ctl):
    path = str(ctl.path / "control.sock")
    BadDaemon(path, b'{"version":1,"ok":true,"servers":[3,{"healthy":1,"server":["x"],'
                    b'"last_error":"\\u001b[2J","last_error_at":5}],"counters":[],"late":7,'
                    b'"pid":"x","program_version":null}\n')
    found = ctl("status", "--socket", path)
    assert found.code == 1 and found.out.startswith("down")
    assert "\x1b" not in found.out and "\\x1b[2J" in found.out


def test_watch_goes_on_until_it_is_stopped(ctl, running):
    assert running.daemon.alive()
    with subprocess.Popen([program("spambridgectl"), "-c", str(ctl.config), "status", "--watch"],
                          stdout=subprocess.PIPE) as watching:
        seen = b""
        while seen.count(b"healthy ") < 2:
            piece = os.read(watching.stdout.fileno(), 65536)
            assert piece, "it ended by itself"
            seen += piece
        watching.terminate()
        assert watching.wait(10) != 0

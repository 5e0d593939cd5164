# SPDX-License-Identifier: BSD-2-Clause
"""The control socket: what it answers, and clients who mean no good or do not care."""

import json
import os
import socket
import stat

import pytest
from support import ports
from support.daemon import run
from support.messages import make
from support.mta import send
from support.timing import in_time

REQUEST_MAX = 4096      # bytes of a request (base/limits.h: LIMIT_CONTROL_REQUEST)


class Client:
    """A connection to the control socket of a daemon."""

    def __init__(self, daemon):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(daemon.control)
        self.lines = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def ask(self, request):
        """The answer to bytes, or None when the connection was closed instead."""
        self.socket.sendall(request)
        line = self.lines.readline()
        return json.loads(line) if line else None


def request(command="status"):
    return json.dumps({"version": 1, "command": command}).encode() + b"\n"


def is_served(daemon):
    """Somebody else is answered."""
    with Client(daemon) as other:
        return other.ask(request())["ok"] is True


@pytest.mark.parametrize("line", [
    b"\n", b"status\n", b"[]\n", b"{}\n", b'{"version":1}\n', b'{"version":2,"command":"status"}\n',
    b'{"version":1,"command":"stop"}\n', b'{"version":1,"command":7}\n', b"\xff\xfe\n", b"\0\n",
])
def test_what_is_no_request_is_refused_with_a_reason(pair, line):
    """And the next one on the same connection is answered."""
    with Client(pair.daemon) as client:
        refused = client.ask(line)
        assert refused["version"] == 1 and refused["ok"] is False and len(refused["errors"]) == 1
        assert client.ask(request())["ok"] is True


def test_requests_may_come_in_pieces_and_together(pair):
    with Client(pair.daemon) as client:
        whole = request() + request("metrics")
        for at in range(len(whole)):
            client.socket.sendall(whole[at:at + 1])
        assert "pid" in json.loads(client.lines.readline())
        assert "metrics" in json.loads(client.lines.readline())


@pytest.mark.parametrize("end", ["half a line", "a line without end", "nothing"])
def test_who_breaks_off_is_no_trouble(pair, end):
    sent = {"half a line": b'{"version"', "a line without end": b"x" * (REQUEST_MAX + 1),
            "nothing": b""}[end]
    with Client(pair.daemon) as client:
        client.socket.sendall(sent)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.lines.read() == b""
    assert is_served(pair.daemon)


def test_who_goes_without_the_answer_is_no_trouble(pair):
    for _ in range(5):
        with Client(pair.daemon) as client:
            client.socket.sendall(request("metrics") * 20)
    assert is_served(pair.daemon)


def test_who_says_nothing_waits_only_for_so_long(pair):
    """One client is served at a time, five seconds long; mail does not notice."""
    with Client(pair.daemon) as silent:
        in_time(send(pair.address, make()).seconds, 2)
        assert is_served(pair.daemon)
        assert silent.lines.read() == b""


def test_nobody_but_the_group_may_connect(pair):
    assert stat.S_IMODE(os.stat(pair.daemon.control).st_mode) == 0o660


def test_it_may_be_switched_off(start, scorer):
    daemon = start([scorer.listen("good")])
    daemon.stop_cleanly()
    assert not os.path.exists(daemon.control)
    daemon.write_config(daemon.config.replace(f'"{daemon.control}"', '""'))
    daemon.start()
    assert send(daemon.address, make()).kind in ("accept", "continue")
    assert not os.path.exists(daemon.control)


@pytest.mark.parametrize("before,after,word", [
    ('listen = "unix:', 'listen = "unix:/tmp', "listen stays unix:"),
    ("log = stderr", "log = syslog", "records go where they went"),
    ('user = "', 'user = "x', "user stays"),
    ('control = "', 'control = "/tmp', "control stays /"),
    ('quarantine { directory = "', 'quarantine { directory = "/tmp', "directory stays /"),
])
def test_a_reload_says_what_needs_a_restart(start, scorer, before, after, word):
    """The daemon goes on with what it has, and says so."""
    daemon = start([scorer.listen("good")], policy="tag = 5\nquarantine = 10")
    assert before in daemon.config
    good = daemon.config
    daemon.write_config(good.replace(before, after, 1))
    answer = daemon.ask("reload")
    assert answer["ok"] is True
    assert "restart" in daemon.wait_log(word)
    daemon.write_config(good)
    assert daemon.ask("reload")["ok"] is True and daemon.status()["health"] == "healthy"


def test_a_reload_that_needs_more_than_there_is(start, scorer):
    """What a start would refuse, a reload refuses: the tool shows why, nothing changes."""
    daemon = start([scorer.listen("good")], limits=["--nofile=600:600"],
                   options="max_sessions = 50")
    daemon.write_config(daemon.config.replace("max_sessions = 50", "max_sessions = 5000")
                        .replace("tag = 5.0", "tag = 2.0"))
    found = run("spambridgectl", "-c", daemon.config_path, "reload")
    assert found.returncode == 1 and "max_sessions = 5000 needs" in found.stderr
    assert send(daemon.address, make(score=3.0)).header("X-Spam-Flag") is None
    assert ports.wait_until(lambda: daemon.status()["health"] == "degraded")

# SPDX-License-Identifier: BSD-2-Clause
"""http_listen: /metrics and /health, and clients who mean no good. A24."""

import http.client
import shutil
import socket
import subprocess
import time

import pytest
from support import ports
from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace, knows, run
from support.messages import make
from support.mta import send
from support.timing import in_time

pytestmark = pytest.mark.skipif(not knows('http_listen = "127.0.0.1:9885"'),
                                reason="a build without libmicrohttpd")
CONNECTIONS = 16    # answered at a time
LIFETIME = 5.0      # of a connection, seconds


class Served:
    """A daemon that serves HTTP at a port of its own."""

    def __init__(self, daemon, port):
        self.daemon = daemon
        self.port = port

    def get(self, path, method="GET", body=None, source=None):
        """(status, headers, body) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10,
                                                source_address=source)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


def serving(servers, workspace=None, more="", **options):
    port = ports.free_port()
    return Served(Daemon(servers, workspace=workspace,
                         options=f'http_listen = "127.0.0.1:{port}"\n{more}', **options), port)


@pytest.fixture(name="served", scope="module")
def served_daemon():
    with Workspace() as place, BadScorer(place.path) as scorer:
        served = serving([scorer.listen("good", transport="unix")], place)
        with served.daemon:
            yield served
            served.daemon.stop_cleanly()


@pytest.fixture(name="begin")
def begin_serving(scorer):
    made = []

    def begin(servers=None, **options):
        made.append(serving(servers or [scorer.listen("good")], **options))
        made[-1].daemon.start()
        return made[-1]
    yield begin
    for served in made:
        served.daemon.kill()


def test_metrics(served):
    send(served.daemon.address, make(score=20.0))
    status, headers, body = served.get("/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["Connection"] == "close" and headers["Cache-Control"] == "no-store"
    assert 'spambridge_messages_total{action="reject",reason="score"} 1\n' in body
    by_socket = run("spambridgectl", "-c", served.daemon.config_path, "metrics").stdout
    names = [line for line in body.splitlines() if line.startswith("#")]
    assert names == [line for line in by_socket.splitlines() if line.startswith("#")]


def test_head_has_no_body(served):
    status, headers, body = served.get("/metrics", "HEAD")
    assert status == 200 and body == "" and int(headers["Content-Length"]) > 1000


def test_nothing_else(served):
    assert served.get("/")[0] == served.get("/metrics/")[0] == served.get("/../etc")[0] == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "SPAM"):
        status, headers, _ = served.get("/metrics", method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD"), method


def test_health(begin, scorer, workspace):
    served = begin([scorer.listen("good"), f"unix:{workspace.path}/no.sock"])
    for _ in range(4):
        send(served.daemon.address, make())
    status, _, body = served.get("/health")
    assert status == 200 and body.splitlines()[0] == "degraded"
    assert "no.sock does not answer: " in body
    scorer.refuse("good")
    send(served.daemon.address, make())
    assert ports.wait_until(lambda: served.get("/health")[0] == 503)
    assert served.get("/health")[2].splitlines()[0] == "down"
    assert served.get("/health", "HEAD")[0] == 503


def test_healthy(served):
    assert served.get("/health")[0::2] == (200, "healthy\n")


def test_a_failed_reload_is_a_reason(begin):
    served = begin()
    good = served.daemon.config
    served.daemon.write_config(good + "nonsense = 1\n")
    served.daemon.reload()
    served.daemon.wait_log("reload failed")
    assert "degraded\nthe last reload failed" in served.get("/health")[2]
    assert "spambridge_config_last_reload_successful 0\n" in served.get("/metrics")[2]
    served.daemon.write_config(good)
    served.daemon.reload()
    served.daemon.wait_log("configuration reloaded")
    assert served.get("/health")[2] == "healthy\n"


def test_the_address_is_checked():
    def errors(address, more=""):
        with Workspace() as place:
            daemon = Daemon(["tcp://127.0.0.1:9"], workspace=place,
                            options=f'http_listen = "{address}"\n{more}')
            return run("spambridge", "-t", "-c", daemon.config_path).stderr
    assert "has no port" in errors("127.0.0.1")
    assert "holds no address" in errors("localhost:9885")
    assert "http_allow names none" in errors("0.0.0.0:9885")
    assert "http_allow names none" in errors("[::]:9885", 'http_allow = { "127.0.0.1" }')
    assert errors("0.0.0.0:9885", 'http_allow = { "192.0.2.7" }') == ""
    assert errors("[::1]:9885") == ""


def test_a_port_that_is_taken(workspace):
    """It refuses to start, says why, and leaves no socket behind; a reload changes nothing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        daemon = Daemon(["tcp://127.0.0.1:9"], workspace=workspace,
                        options=f'http_listen = "127.0.0.1:{port}"')
        daemon.spawn()
        assert daemon.process.wait(60) == 1
        line = daemon.wait_log("http_listen: cannot listen on")
        assert f"127.0.0.1:{port}" in line and "in use" in line
        assert not ports.answers(daemon.address)


def test_it_may_listen_on_ipv6(scorer):
    """And on nothing else: the same port of IPv4 stays free."""
    port = ports.free_port("::1")
    with Daemon([scorer.listen("good")], options=f'http_listen = "[::1]:{port}"') as daemon:
        connection = http.client.HTTPConnection("::1", port, timeout=10)
        connection.request("GET", "/health")
        assert connection.getresponse().read() == b"healthy\n"
        connection.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        daemon.stop_cleanly()


def test_a_reload_keeps_the_port(begin):
    served = begin()
    daemon = served.daemon
    daemon.write_config(daemon.config.replace(f":{served.port}", f":{ports.free_port()}"))
    daemon.reload()
    daemon.wait_log("http_listen stays")
    assert served.get("/health")[0] == 200


def test_only_those_who_are_allowed(begin):
    served = begin(more='http_allow = { "127.0.0.2" }')
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        served.get("/metrics")
    assert served.get("/metrics", source=("127.0.0.2", 0))[0] == 200


def test_who_says_nothing_or_drips_is_closed(served):
    """Slow loris: a connection ends after its time, whatever it sends meanwhile."""
    began = time.monotonic()
    with served.connect() as silent, served.connect() as dripping:
        dripping.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        dripping.settimeout(0.2)
        try:
            while time.monotonic() - began < LIFETIME + 5:
                dripping.sendall(b"X-Drip: 1\r\n")
                try:
                    if not dripping.recv(1):
                        break
                except TimeoutError:
                    pass
        except ConnectionError:
            pass
        took = time.monotonic() - began
        assert took > LIFETIME - 0.5
        in_time(took, LIFETIME + 1.5)
        silent.settimeout(30)
        assert silent.recv(1) == b""
    assert served.get("/health")[0] == 200


@pytest.mark.brisk
def test_a_crowd_waits_its_turn(served):
    """More connections than are answered: the rest wait, and mail does not."""
    before = served.daemon.settled_fds()
    crowd = [served.connect() for _ in range(CONNECTIONS + 8)]
    assert ports.wait_until(lambda: served.daemon.fds() >= before + CONNECTIONS)
    assert served.daemon.fds() <= before + CONNECTIONS + 1
    in_time(send(served.daemon.address, make()).seconds, 1.0)
    for connection in crowd:
        connection.close()
    assert ports.wait_until(lambda: served.get("/health")[0] == 200)
    assert ports.wait_until(lambda: served.daemon.fds() <= before)


@pytest.mark.parametrize("garbage", [
    b"GET /metrics HTTP/1.1\r\n" + b"X: " + b"y" * 100000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
    b"\0" * 50000, b"HELO x\r\n", b"GET /metrics\r\n\r\n", b"GET  HTTP/9.9\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n" + b"x" * 70000,
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
], ids=range(9))
def test_garbage(served, garbage):
    with served.connect() as connection:
        try:
            connection.sendall(garbage)
            while connection.recv(65536):
                pass
        except OSError:
            pass
    assert served.get("/health")[0] == 200
    assert served.daemon.rss_kib() < 200 * 1024


def test_who_reads_nothing_is_closed(served):
    before = served.daemon.settled_fds()
    with served.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        assert ports.wait_until(lambda: served.daemon.fds() > before)
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ports.wait_until(lambda: served.daemon.fds() <= before)


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool here")
def test_promtool_is_content(served):
    for score in (1.0, 7.0, 20.0):
        send(served.daemon.address, make(score=score))
    body = served.get("/metrics")[2]
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")

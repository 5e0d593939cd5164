# SPDX-License-Identifier: BSD-2-Clause
"""TLS to spamd: a verified peer or no request at all, against scripted servers and the real one."""

import os
import re
import shutil
import ssl
import subprocess
import tempfile

import pytest
from support import checks, ports
from support.messages import make
from support.mta import burst, send
from support.spamassassin import GTUBE, Spamd
from support.timing import by_deadline


def is_scored(outcome):
    return "score=" in (outcome.header("X-Spam-Status") or "")


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Authority:
    """A certificate authority of the test, and what it signs."""

    def __init__(self, folder, name="authority"):
        self.folder = folder
        self.name = name
        self.certificate, self.key = self._path("pem"), self._path("key")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                "-subj", f"/CN=Test {name}", "-keyout", self.key, "-out", self.certificate)
        os.chmod(self.certificate, 0o644)

    def _path(self, suffix, name=None):
        return os.path.join(self.folder, f"{name or self.name}.{suffix}")

    def sign(self, name, alternative, days=2):
        """(certificate, key) for a name; alternative as in DNS:localhost,IP:127.0.0.1."""
        request, certificate, key, extra = (self._path(s, name) for s in ("csr", "pem", "key",
                                                                          "ext"))
        openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                "-keyout", key, "-out", request)
        with open(extra, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={alternative}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
                "-CAcreateserial", "-days", str(days), "-extfile", extra, "-out", certificate)
        os.chmod(certificate, 0o644)
        os.chmod(key, 0o644)        # the daemon under test runs as somebody else
        return certificate, key


@pytest.fixture(scope="module")
def authority():
    # Not pytest's own folder: each new run of pytest closes its parent to other users again.
    folder = tempfile.mkdtemp(prefix="sb-tls-")
    os.chmod(folder, 0o755)
    yield Authority(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def good(authority):
    return authority.sign("good", "DNS:localhost,IP:127.0.0.1")


def tls_listener(scorer, certificate, **options):
    """A TLS listener "a" that shows this (certificate, key)."""
    shutil.copy(certificate[0], os.path.join(scorer.directory, "scorer-cert.pem"))
    shutil.copy(certificate[1], os.path.join(scorer.directory, "scorer-key.pem"))
    return scorer.listen("a", transport="tls", **options)


def fails_clearly(daemon, scorer, *words):
    """Nothing is scored, nothing was asked, and the log says why."""
    assert checks.unscanned_reason(send(daemon.address, make())) == "refused"
    line = daemon.wait_log("is set aside")
    assert "TLS" in line or "SSL" in line
    for word in words:
        assert re.search(word, line, re.I), line
    assert not scorer.requests(pings=True)


def test_verified(start, scorer, authority, good):
    server = tls_listener(scorer, good, score="7.3")
    daemon = start([server], scorer=f'ca_file = "{authority.certificate}"')
    for _ in range(5):
        assert checks.status(send(daemon.address, make()))["score"] == "7.3"
    assert all(not request.faults for request in scorer.requests())


@pytest.mark.parametrize("protocol", ["spamd", "rspamd"])
def test_verified_by_name(start, scorer, authority, protocol):
    """The name of the configuration is what the certificate must have, not the address."""
    certificate = authority.sign("named", "DNS:localhost")
    server = tls_listener(scorer, certificate, protocol=protocol)
    ca_file = f'ca_file = "{authority.certificate}"'
    daemon = start([server.replace("127.0.0.1", "localhost")], protocol=protocol, scorer=ca_file)
    assert ports.wait_until(lambda: is_scored(send(daemon.address, make())))
    by_address = start([server], protocol=protocol, scorer=ca_file)
    scorer.clear()
    fails_clearly(by_address, scorer, "127.0.0.1")


def test_wrong_name(start, scorer, authority):
    server = tls_listener(scorer, authority.sign("other", "DNS:scorer.example.net"))
    daemon = start([server], scorer=f'ca_file = "{authority.certificate}"')
    fails_clearly(daemon, scorer, "127.0.0.1", "subject name|certificate")


def test_unknown_authority(start, scorer, good):
    """Without ca_file the system's authorities count, and ours is none of them."""
    daemon = start([tls_listener(scorer, good)])
    fails_clearly(daemon, scorer, "certificate|issuer")


def test_another_authority(start, scorer, authority, good, workspace):
    other = Authority(workspace.path, "other-authority")
    daemon = start([tls_listener(scorer, good)], scorer=f'ca_file = "{other.certificate}"')
    fails_clearly(daemon, scorer, "certificate")


def test_plain_server_on_the_port(start, scorer, authority):
    """A server that speaks no TLS gets no message in the clear."""
    server = scorer.listen("a").replace("tcp:", "tls:")
    daemon = start([server], scorer=f'ca_file = "{authority.certificate}"', deadline="2s")
    outcome = send(daemon.address, make())
    assert checks.unscanned_reason(outcome) in ("refused", "timeout")
    by_deadline(outcome.seconds, 2)
    assert not scorer.requests(pings=True)


@pytest.mark.parametrize("behaviour", ["mute", "hang_up"])
def test_server_that_breaks_off_the_handshake(start, scorer, authority, behaviour):
    """A TCP server that says nothing, or hangs up: the policy, in time."""
    server = scorer.listen("a", behaviour=behaviour).replace("tcp:", "tls:")
    daemon = start([server], scorer=f'ca_file = "{authority.certificate}"', deadline="1s")
    outcome = send(daemon.address, make())
    checks.unscanned_reason(outcome)
    by_deadline(outcome.seconds, 1)


def test_missing_ca_file(start, scorer, good, workspace):
    """A ca_file that cannot be read is no reason to go without a check."""
    server = tls_listener(scorer, good)
    path = workspace.file("gone.pem")
    shutil.copy(good[0], path)
    os.chmod(path, 0o644)
    daemon = start([server], scorer=f'ca_file = "{path}"')
    os.unlink(path)
    fails_clearly(daemon, scorer)


@pytest.mark.parametrize("protocol", ["spamd", "rspamd", "json"])
def test_client_certificate(start, scorer, authority, good, protocol):
    """cert_file and key_file are shown to a server that asks; without them it hangs up."""
    server = tls_listener(scorer, good, protocol=protocol)
    context = scorer.listeners["a"].tls
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    ca_file = f'ca_file = "{authority.certificate}"'
    without = start([server], protocol=protocol, scorer=ca_file, deadline="2s")
    checks.unscanned_reason(send(without.address, make()))
    assert not scorer.requests(pings=True)
    certificate, key = authority.sign("client", "DNS:mx.example.com")
    daemon = start([server], protocol=protocol,
                   scorer=f'{ca_file}\n\tcert_file = "{certificate}"\n\tkey_file = "{key}"')
    assert is_scored(send(daemon.address, make()))


@pytest.mark.parametrize("behaviour", ["silent", "drip_body", "length_too_big_open"])
def test_stalls_inside_tls(start, scorer, authority, good, behaviour):
    """F3, F5: the deadline holds for encrypted streams as well."""
    server = tls_listener(scorer, good, behaviour=behaviour)
    daemon = start([server], scorer=f'ca_file = "{authority.certificate}"', deadline="1s")
    outcome = send(daemon.address, make())
    assert checks.unscanned_reason(outcome) == "timeout"
    by_deadline(outcome.seconds, 1)


def test_a_slow_handshake_does_not_keep_a_server_away(start, scorer, authority, good):
    """A server at the other end of the world is set aside once, and comes back."""
    server = tls_listener(scorer, good, handshake_seconds=0.6)
    daemon = start([server], scorer=f'ca_file = "{authority.certificate}"', deadline="3s")
    assert is_scored(send(daemon.address, make()))
    scorer.become("a", "hang_up", handshake_seconds=0.6)
    while not [line for line in daemon.lines if "is set aside" in line]:
        checks.unscanned_reason(send(daemon.address, make()))
    scorer.become("a", "correct", handshake_seconds=0.6)
    assert ports.wait_until(lambda: is_scored(send(daemon.address, make())))


def test_large_message(start, scorer, authority, good):
    """Several megabytes through TLS, every byte."""
    body = b"0123456789abcdef0123456789abcdef\r\n" * 100000
    server = tls_listener(scorer, good)
    daemon = start([server], scorer=f'ca_file = "{authority.certificate}"',
                   options="max_scan_size = 8M", deadline="20s")
    assert is_scored(send(daemon.address, make(body=body)))
    assert scorer.requests()[0].message.endswith(b"\r\n\r\n" + body)


def test_many_at_once(start, scorer_process, workspace, authority, good):
    shutil.copy(good[0], workspace.file("scorer-cert.pem"))
    shutil.copy(good[1], workspace.file("scorer-key.pem"))
    server = scorer_process.listen("a", transport="tls", seconds=0.2)
    daemon = start([server], deadline="20s",
                   scorer=f'max_connections = 20\n\tca_file = "{authority.certificate}"')
    outcomes = burst(daemon.address, [make(score=f"{n / 10:.1f}") for n in range(40)])
    assert [checks.status(o)["score"] for o in outcomes] == [f"{n / 10:.1f}" for n in range(40)]


@pytest.fixture(scope="module")
def real_spamd():
    if not shutil.which("spamd") and not os.path.exists("/usr/sbin/spamd"):
        pytest.skip("no spamd here")
    with Spamd(listen="tls") as found:
        yield found


@pytest.mark.timed
def test_the_real_spamd(start, real_spamd):
    """spamd --ssl: verdicts, probes and a return after an outage."""
    daemon = start([real_spamd.server], deadline="20s", policy="tag = 5\nquarantine = off\n"
                   "reject = off", scorer=f'ca_file = "{real_spamd.certificate}"')
    for _ in range(3):
        assert checks.status(send(daemon.address, make()))["word"] == "No"
    spam = send(daemon.address, make(body=GTUBE + b"\r\n"))
    assert checks.status(spam)["word"] == "Yes"
    outcomes = burst(daemon.address, [make()] * 10)
    assert all(is_scored(outcome) for outcome in outcomes)
    real_spamd.kill()
    checks.unscanned_reason(send(daemon.address, make()))
    real_spamd.start()
    # how soon is what test_pool asks, of a scorer that takes no time itself
    assert ports.wait_until(lambda: is_scored(send(daemon.address, make())))


def test_the_real_spamd_is_not_trusted_unasked(start, real_spamd):
    daemon = start([real_spamd.server], deadline="20s")
    assert checks.unscanned_reason(send(daemon.address, make())) == "refused"
    assert "certificate" in daemon.wait_log("is set aside")

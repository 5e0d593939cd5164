# SPDX-License-Identifier: BSD-2-Clause
"""rspamd and JSON services that fail in any way: the policy with a reason, never another score."""

import os

import pytest
from support import badhttp, checks, ports
from support.daemon import THRESHOLDS
from support.messages import make
from support.mta import send
from support.timing import by_deadline, in_time

DEADLINE_MS = 700
PLENTY_MS = 10000                   # of time, for answers that must not wait for a deadline
CAP = 1024 * 1024                   # of a reply's body
SLACK = 8 * 1024 * 1024             # what the kernels between the two hold besides
RULES = {"rspamd": "", "json": 'tests = "/rules" ok = "/success" error = "/message"'}
PROTOCOLS = list(RULES)

# behaviours that are answered as soon as they are seen, and the reason
MALFORMED = [
    "status_201", "status_204", "status_301", "status_404", "status_500", "status_401", "redirect",
    "http_09", "http2_preface", "tls_alert", "garbage", "two_replies", "two_chunked_replies",
    "flood", "endless_headers", "endless_line", "endless_1xx", "chunked_no_end",
    "chunked_endless", "gzip_bomb", "te_gzip_bomb", "length_too_big", "length_too_small",
    "empty_body", "empty_object", "json_array", "json_cut", "json_trailing", "json_utf16",
    "json_bad_utf8", "json_deep", "duplicate_keys", "no_score", "score_null", "score_text",
    "score_object", "score_true", "score_nan", "score_huge", "score_big_integer"]
ONLY = {"rspamd": ["no_action", "action_number", "symbols_list"], "json": ["not_ok"]}
REFUSED = ["hang_up", "early_reply", "status_503", "status_502", "status_429"]
STALLING = ["silent", "mute", "drip_body", "drip_header", "slow_1xx"]
GOOD = ["correct", "byte_writes", "chunked", "http_10", "other_type", "keep_alive",
        "keep_alive_once"]


def cases(*lists):
    return [(protocol, name) for protocol in PROTOCOLS for names in lists
            for name in (names[protocol] if isinstance(names, dict) else names)]


def run(start, scorer, protocol, behaviour, message=None, on_failure="accept", deadline=DEADLINE_MS,
        transport="tcp", extra="", **options):
    """One message to a daemon whose only scorer behaves so; returns (outcome, log line, daemon)."""
    server = scorer.listen("bad", protocol=protocol, behaviour=behaviour, transport=transport,
                           score="7.3", **options)
    badhttp.bomb()      # made once, which takes a second
    daemon = start([server], protocol=protocol, scorer=f"{RULES[protocol]} {extra}",
                   deadline=f"{deadline}ms", policy=f"{THRESHOLDS}\non_failure = {on_failure}")
    outcome = send(daemon.address, message or make(), queue_id="4FAILURE")
    assert daemon.alive()
    return outcome, daemon.message_line("4FAILURE"), daemon


def assert_no_score(line):
    assert line["score"] in ("", "-"), line
    assert line["reason"] not in ("", "-"), line


@pytest.mark.parametrize("protocol,behaviour", cases(MALFORMED, ONLY))
def test_malformed_is_accepted_unscanned(start, scorer, protocol, behaviour):
    """F6, F7, F8, F11, A5, trap 31: what is no verdict is a failure, at once and with a reason."""
    outcome, line, daemon = run(start, scorer, protocol, behaviour, deadline=PLENTY_MS)
    assert checks.unscanned_reason(outcome) == "malformed" == line["reason"]
    assert_no_score(line)
    assert outcome.seconds < PLENTY_MS / 1000
    daemon.wait_log("no score: ")


@pytest.mark.parametrize("protocol,behaviour", cases(REFUSED))
def test_who_is_not_there_refuses(start, scorer, protocol, behaviour):
    """F10 and servers that say themselves that they cannot."""
    outcome, line, _ = run(start, scorer, protocol, behaviour, deadline=PLENTY_MS)
    assert checks.unscanned_reason(outcome) in ("refused", "malformed")
    assert_no_score(line)
    assert outcome.seconds < PLENTY_MS / 1000


@pytest.mark.parametrize("protocol,behaviour", cases(STALLING))
def test_stalling(start, scorer, protocol, behaviour):
    """F3, F5, F6: nothing that trickles in re-arms the deadline."""
    outcome, line, _ = run(start, scorer, protocol, behaviour)
    assert checks.unscanned_reason(outcome) == "timeout" == line["reason"]
    assert_no_score(line)
    assert DEADLINE_MS / 1000 - 0.25 < outcome.seconds
    by_deadline(outcome.seconds, DEADLINE_MS / 1000)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_body_that_nobody_reads(start, scorer, protocol):
    """F4: 10 MB to a server whose window is closed."""
    outcome, line, _ = run(start, scorer, protocol, "deaf",
                           message=make(body=b"0123456789abcdef\r\n" * 600000), deadline=1500)
    assert checks.unscanned_reason(outcome) == "timeout" == line["reason"]
    by_deadline(outcome.seconds, 1.5)


@pytest.mark.parametrize("protocol,behaviour", cases(GOOD))
@pytest.mark.parametrize("transport", ["tcp", "unix", "tls"])
def test_unusual_but_right(start, scorer, protocol, behaviour, transport):
    """Trap 29: replies that are fine, in whatever pieces they come."""
    extra = f'ca_file = "{scorer.certificate()}"' if transport == "tls" else ""
    outcome, line, _ = run(start, scorer, protocol, behaviour, transport=transport, extra=extra,
                           deadline=PLENTY_MS)
    assert checks.status(outcome)["score"] == "7.3"
    assert line["score"] == "7.3"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tempfail(start, scorer, protocol):
    outcome, line, _ = run(start, scorer, protocol, "empty_object", on_failure="tempfail")
    assert outcome.kind == "replycode" and outcome.reply.text.startswith(b"451 4.")
    assert line["action"] == "tempfail"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_refused(start, protocol):
    """F1: nobody listens: the policy at once."""
    daemon = start([f"http://127.0.0.1:{ports.free_port()}"], protocol=protocol,
                   deadline=f"{PLENTY_MS}ms")
    outcome = send(daemon.address, make(), queue_id="4REFUSED")
    assert checks.unscanned_reason(outcome) == "refused"
    assert outcome.seconds < PLENTY_MS / 1000 / 2


@pytest.mark.parametrize("behaviour", ["flood", "chunked_endless", "endless_headers",
                                       "endless_line", "endless_1xx"])
def test_floods_are_cut_off(start, scorer, behaviour):
    """F7, A4: the read stops at the cap, and memory does not grow with it."""
    _, _, daemon = run(start, scorer, "json", behaviour, deadline=5000)
    assert ports.wait_until(lambda: scorer.flood_bytes("bad") > 0)
    assert scorer.flood_bytes("bad") < CAP + SLACK
    assert daemon.is_sanitized() or daemon.peak_rss_kib() < 64 * 1024


@pytest.mark.parametrize("behaviour", ["gzip_bomb", "te_gzip_bomb"])
def test_bombs_do_not_go_off(start, scorer, behaviour):
    """F8: 64 MB in 64 KB: nothing is unpacked, or no further than to the cap."""
    _, line, daemon = run(start, scorer, "json", behaviour, deadline=5000)
    assert line["reason"] == "malformed"
    in_time(int(line["total_ms"]) / 1000, 1.5)
    assert daemon.is_sanitized() or daemon.peak_rss_kib() < 32 * 1024


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("cut", ["rst_at", "eof_at"])
def test_reply_cut_short(start, scorer, protocol, cut):
    """F9: a verdict only when the reply is whole."""
    server = scorer.listen("bad", protocol=protocol, behaviour=cut, score="7.3")
    good = scorer.listen("good", protocol=protocol, score="7.3")
    size = reply_size(good)
    cuts = [0, 1, 14, 40, *range(60, size, 35), size - 2, size - 1]
    for at in cuts:
        daemon = start([server], protocol=protocol, scorer=RULES[protocol], deadline="2s")
        message = make(headers=[b"X-Test-At: %d" % at])
        assert checks.unscanned_reason(send(daemon.address, message)) in ("malformed", "refused")
        daemon.stop_cleanly()
    # libcurl may ask once more where not a byte of an answer came
    assert len(scorer.requests("bad")) >= len(cuts)


def reply_size(address):
    host, port = address[7:].split(":")
    message = make(headers=[b"X-Test-At: 0"])
    with ports.connect(f"inet:{port}@{host}") as sock:
        sock.sendall(b"POST /checkv2 HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(message)
                     + message)
        size = 0
        while data := sock.recv(65536):
            size += len(data)
        return size


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_redirects_are_never_followed(start, scorer, protocol):
    """F11, A31: nobody but the configured server is asked."""
    other = scorer.listen("other", protocol=protocol, score="1.0")
    run(start, scorer, protocol, "redirect", target=f"{other}/elsewhere")
    assert scorer.accepted("other") == 0


def test_the_environment_changes_nothing(start, scorer, workspace):
    """A31: no proxy, no .netrc, no cookies."""
    other = scorer.listen("proxy", protocol="rspamd", score="1.0")
    home = workspace.file("home")
    os.makedirs(home, exist_ok=True)
    with open(os.path.join(home, ".netrc"), "w", encoding="ascii") as file:
        file.write("machine 127.0.0.1 login a password b\n")
    os.chmod(os.path.join(home, ".netrc"), 0o644)
    server = scorer.listen("good", protocol="rspamd", score="7.3")
    daemon = start([server], protocol="rspamd", environment={
        "http_proxy": other, "HTTP_PROXY": other, "all_proxy": other, "HOME": home})
    for _ in range(2):
        assert checks.status(send(daemon.address, make()))["score"] == "7.3"
    assert scorer.accepted("proxy") == 0
    names = {name.lower() for request in scorer.requests("good") for name, _ in request.headers}
    assert not names & {"authorization", "cookie", "expect", "accept-encoding", "referer"}


def test_tls_is_verified(start, scorer):
    """A certificate of nobody we know, and one for another name, are refused."""
    server = scorer.listen("good", protocol="json", transport="tls", score="7.3")
    daemon = start([server], protocol="json", options="log_level = debug")
    assert checks.unscanned_reason(send(daemon.address, make())) == "refused"
    assert not scorer.requests()
    daemon.wait_log("certificate")
    # Linux connects to the same listener under an address that its certificate does not name
    other = start([server.replace("127.0.0.1", "0.0.0.0")], protocol="json",
                  scorer=f'ca_file = "{scorer.certificate()}"', options="log_level = debug")
    assert checks.unscanned_reason(send(other.address, make())) == "refused"
    assert not scorer.requests()
    other.wait_log("subject name")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_recovers_when_the_scorer_returns(start, scorer, protocol):
    """F13: asked again once it answers its probe (/ping, or a connection)."""
    server = scorer.listen("x", protocol=protocol, score="7.3")
    port = int(server.rsplit(":", 1)[1])
    daemon = start([server], protocol=protocol, scorer=RULES[protocol], deadline="2s")
    assert checks.status(send(daemon.address, make()))["score"] == "7.3"
    scorer.refuse("x")
    assert checks.unscanned_reason(send(daemon.address, make())) == "refused"
    scorer.listen("x", protocol=protocol, port=port, score="7.3")
    daemon.wait_log(lambda line: line.endswith(" answers"))
    assert checks.status(send(daemon.address, make()))["score"] == "7.3"


def test_health_path(start, scorer):
    """A service that takes connections but is not well stays aside until it says 200."""
    server = scorer.listen("x", protocol="json", behaviour="hang_up")
    daemon = start([server], protocol="json", scorer='health_path = "/well"')
    # one broken connection is an odd message; several are a server that is not well
    assert ports.wait_until(lambda: send(daemon.address, make()) and any(
        "is set aside" in line for line in daemon.lines))
    scorer.clear()
    scorer.become("x", "correct", score="7.3", ping=False)
    assert ports.wait_until(lambda: scorer.requests("x"))
    assert scorer.requests("x")[0].verb == "GET /well"
    # the scripted service answers the probe with 200 as it answers everything
    daemon.wait_log(lambda line: line.endswith(" answers"))
    assert checks.status(send(daemon.address, make()))["score"] == "7.3"


def test_fails_over_between_protocols(start, scorer, workspace):
    """Scorers are asked in their order: rspamd, then a JSON service, then spamd."""
    dead = f"http://127.0.0.1:{ports.free_port()}"
    liar = scorer.listen("liar", protocol="json", behaviour="not_ok")
    good = scorer.listen("good", score="7.3")
    sections = "".join(
        f'scorer "{name}" {{ protocol = {name} servers = {{ "{server}" }} {RULES.get(name, "")} }}\n'
        for name, server in (("rspamd", dead), ("json", liar), ("spamd", good)))
    daemon = start(options=sections, deadline="3s")
    for number in range(6):
        outcome = send(daemon.address, make(), queue_id=f"4OVER{number}")
        assert checks.status(outcome)["score"] == "7.3"
        assert daemon.message_line(f"4OVER{number}")["scorer"] == "spamd"


def test_hedges_a_silent_server(start, scorer):
    servers = [scorer.listen("mute", protocol="rspamd", behaviour="silent"),
               scorer.listen("good", protocol="rspamd", score="7.3")]
    daemon = start(servers, protocol="rspamd", deadline="3s", scorer="hedge_after = 200ms")
    for _ in range(4):
        outcome = send(daemon.address, make())
        assert checks.status(outcome)["score"] == "7.3"
        in_time(outcome.seconds, 1.0)


def test_late_verdict(start, scorer):
    """The sender's retry gets the verdict that came too late for the first attempt."""
    server = scorer.listen("slow", protocol="rspamd", score="7.3", seconds=1.0)
    daemon = start([server], protocol="rspamd", deadline="300ms",
                   policy=f"{THRESHOLDS}\non_failure = tempfail")
    message = make()
    first = send(daemon.address, message)
    assert first.kind == "replycode"
    by_deadline(first.seconds, 0.3)
    daemon.wait_log("a late verdict came")
    again = send(daemon.address, message, queue_id="4AGAIN")
    assert checks.status(again)["score"] == "7.3"
    assert daemon.message_line("4AGAIN")["reason"] == "late"
    assert len(scorer.requests("slow")) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_many_failures_leak_nothing(start, scorer, protocol):
    server = scorer.listen("bad", protocol=protocol, behaviour="empty_object")
    daemon = start([server], protocol=protocol, deadline="1s")
    for _ in range(20):
        send(daemon.address, make())
    fds = daemon.fds()
    for _ in range(200):
        send(daemon.address, make())
    assert ports.wait_until(lambda: daemon.fds() <= fds + 2), daemon.fds()

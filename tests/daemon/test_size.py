# SPDX-License-Identifier: BSD-2-Clause
"""Size: what is scored of a large message, what it costs in memory, and where the rest lies."""

import os
import re
import subprocess
import threading

import pytest
from support import checks, ports
from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace, has_quarantine, knows, test_user as account
from support.messages import make
from support.milter import MAX_DATA
from support.mta import Session, burst, send
from support.namespace import Unavailable, run_isolated

LINE = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n"     # 64 bytes
KIB = 1024
GATED = [b"X-Test-Gated: yes"]      # no answer before the listener's gate is opened


def body(size):
    return LINE * (size // len(LINE))


def is_deferred(outcome):
    return outcome.kind == "tempfail" or (outcome.reply.code or 0) // 100 == 4


def partial(outcome):
    """(scanned, size) of X-Spam-Partial, None without it; size 0 when it is not known."""
    value = outcome.header("X-Spam-Partial")
    if value is None:
        return None
    match = re.fullmatch(r"yes, scanned=(\d+)(?: size=(\d+))?", value)
    assert match, value
    return int(match.group(1)), int(match.group(2) or 0)


def test_head_is_cut_at_a_line_end(start, scorer):
    """oversize = head: whole lines up to max_scan_size, and a field that says so."""
    daemon = start([scorer.listen("a", score="7.3")], options="max_scan_size = 64K")
    big = make(body=body(300 * KIB))
    outcome = send(daemon.address, big)
    assert checks.status(outcome)["score"] == "7.3"
    seen = scorer.requests()[0]
    assert seen.message.endswith(LINE) and not seen.faults
    assert 64 * KIB - len(LINE) - 100 <= len(seen.message) <= 64 * KIB
    assert partial(outcome)[0] <= 64 * KIB
    assert outcome.delivered().body == body(300 * KIB)


WHOLE_BODY = {"steps": 0x1FFFFF & ~0x400}      # everything but SMFIP_SKIP


def test_size_of_the_whole_is_told_where_it_is_known(start, scorer):
    """A server that was told to keep the rest of a body told us nothing about its size."""
    daemon = start([scorer.listen("a")], options="max_scan_size = 64K")
    big = make(body=body(300 * KIB))
    assert partial(send(daemon.address, big))[1] == 0
    size = partial(send(daemon.address, big, negotiate=WHOLE_BODY))[1]
    assert abs(size - len(big)) < 200


@pytest.mark.parametrize("size", [-200, -2, -1, 0, 1, 2, 200])
def test_around_the_limit(start, scorer, size):
    """A message is partial only when something of it was left out."""
    daemon = start([scorer.listen("a")], options="max_scan_size = 64K")
    whole = make(body=b"")
    raw = make(body=(LINE * 1024)[:64 * KIB + size - len(whole)])
    outcome = send(daemon.address, raw)
    seen = scorer.requests()[0]
    assert not seen.faults and len(seen.message) <= 64 * KIB
    complete = seen.message.partition(b"\r\n\r\n")[2].startswith(outcome.message.body)
    assert (partial(outcome) is None) == complete


def test_endless_line(start, scorer):
    """No line end in reach: cut where the limit is, with a line end of our own."""
    daemon = start([scorer.listen("a")], options="max_scan_size = 64K")
    outcome = send(daemon.address, make(body=b"x" * (200 * KIB)))
    assert partial(outcome)
    seen = scorer.requests()[0]
    assert seen.message.endswith(b"x\r\n") and not seen.faults


def test_header_larger_than_the_limit(start, scorer):
    """A header is never cut: spamd gets it whole, and nothing of the body."""
    daemon = start([scorer.listen("a")], options="max_scan_size = 4K")
    raw = make(headers=[b"X-Big-%d: %s" % (n, b"y" * 500) for n in range(20)], body=body(20 * KIB))
    assert partial(send(daemon.address, raw))
    head, _, rest = scorer.requests()[0].message.partition(b"\r\n\r\n")
    assert head.count(b"X-Big-") == 20 and not rest


def test_pass(start, scorer):
    """oversize = pass: delivered unscored, forged fields gone all the same, and said in the log."""
    daemon = start([scorer.listen("a")], options="max_scan_size = 64K\noversize = pass")
    outcome = send(daemon.address, make(headers=[b"X-Spam-Flag: NO"], body=body(100 * KIB)),
                   queue_id="4PASS")
    assert outcome.kind in ("accept", "continue") and outcome.header("X-Spam-Flag") is None
    line = daemon.message_line("4PASS")
    assert (line["action"], line["reason"]) == ("pass", "oversize")
    assert not scorer.requests()


def test_tempfail(start, scorer):
    daemon = start([scorer.listen("a")], options="max_scan_size = 64K\noversize = tempfail")
    assert is_deferred(send(daemon.address, make(body=body(100 * KIB)), queue_id="4TEMP"))
    line = daemon.message_line("4TEMP")
    assert (line["action"], line["reason"]) == ("tempfail", "oversize")
    assert not scorer.requests()


@pytest.mark.skipif(not has_quarantine() or not knows("oversize = quarantine"),
                    reason="this build has no quarantine for large mail")
def test_quarantine(start, scorer):
    """oversize = quarantine: held whole, whatever max_scan_size is."""
    daemon = start([scorer.listen("a")], options="max_scan_size = 64K\noversize = quarantine",
                   policy="tag = 5\nquarantine = 10\nreject = 15")
    big = make(body=body(300 * KIB))
    outcome = send(daemon.address, big, queue_id="4HOLD")
    assert outcome.kind == "discard"
    line = daemon.message_line("4HOLD")
    assert (line["action"], line["reason"]) == ("quarantine", "oversize")
    folder = os.path.join(daemon.workspace.file("quarantine"), "new")
    items = os.listdir(folder)
    assert len(items) == 1
    with open(os.path.join(folder, items[0]), "rb") as file:
        assert outcome.message.body in file.read()


def test_body_beyond_need_is_not_even_sent(start, scorer):
    """A server that offers to skip the rest of the body is taken at its word."""
    daemon = start([scorer.listen("a")], options="max_scan_size = 64K",
                   policy="tag = 5\nquarantine = off\nreject = 15")
    with Session(daemon.address) as session:
        session.greet()
        session.envelope("alice@example.org", ["bob@example.com"], "4SKIP")
        session.milter.header("Subject", " x")
        session.milter.eoh()
        chunks = 0
        while not session.milter.skipping and chunks < 50:
            session.milter.body(body(MAX_DATA))
            chunks += 1
        assert session.milter.skipping and chunks <= 3
        session.milter.eom()
    assert len(scorer.requests()) == 1


def test_without_skip_the_rest_is_thrown_away(start, scorer):
    """A server that cannot skip sends all of it; no more of it is kept than is needed."""
    daemon = start([scorer.listen("a", transport="unix")], options="max_scan_size = 64K")
    send(daemon.address, make(body=body(200 * KIB)))
    rss = daemon.peak_rss_kib()
    outcome = send(daemon.address, make(body=body(64 * KIB * KIB)), negotiate=WHOLE_BODY)
    assert partial(outcome)[1] > 60 * KIB * KIB
    if not daemon.is_sanitized():
        assert daemon.peak_rss_kib() - rss < 8 * KIB


def spill_options(place, **more):
    folder = place.file("spill")
    os.makedirs(folder, exist_ok=True)
    if os.geteuid() == 0:
        subprocess.run(["chown", account(), folder], check=True)
    values = {"max_scan_size": "64M", "message_memory": "64K", **more}
    lines = [f"{key} = {value}" for key, value in values.items()]
    return folder, "\n".join([*lines, f'temp_directory = "{folder}"'])


def open_files(daemon, folder):
    """Descriptors of the daemon that are files of that folder, named or not."""
    found = []
    base = f"/proc/{daemon.pid()}/fd"
    for name in os.listdir(base):
        try:
            target = os.readlink(os.path.join(base, name))
        except OSError:
            continue
        if target.startswith(folder):
            found.append(target)
    return found


def test_large_bodies_lie_in_files_without_names(start, scorer, workspace):
    """Beyond message_memory a body goes to a file that nobody sees; every byte is scored."""
    folder, options = spill_options(workspace)
    gate = threading.Event()
    daemon = start([scorer.listen("a", gate=gate)], options=options,
                   deadline="60s")
    with Session(daemon.address) as session:
        session.greet()
        session.prepare(make(headers=GATED, body=body(2 * KIB * KIB)))
        session.milter.send_eom()
        assert ports.wait_until(scorer.requests)
        assert len(open_files(daemon, folder)) == 1
        assert os.listdir(folder) == []
        gate.set()
        assert session.milter.wait_verdict().kind in ("accept", "continue")
        assert scorer.requests()[0].message.endswith(b"\r\n\r\n" + body(2 * KIB * KIB))
    assert ports.wait_until(lambda: not open_files(daemon, folder))
    assert os.listdir(folder) == []


def test_small_bodies_make_no_file(start, scorer, workspace):
    folder, options = spill_options(workspace)
    gate = threading.Event()
    daemon = start([scorer.listen("a", gate=gate)], options=options,
                   deadline="60s")
    with Session(daemon.address) as session:
        session.greet()
        session.prepare(make(headers=GATED, body=body(60 * KIB)))
        session.milter.send_eom()
        assert ports.wait_until(scorer.requests)
        assert not open_files(daemon, folder)
        gate.set()
        session.milter.wait_verdict()


def test_memory_is_bounded(start, scorer_process, workspace):
    """F28: twenty messages of 16 MB at a time cost what message_memory allows, not 320 MB."""
    _, options = spill_options(workspace)
    daemon = start([scorer_process.listen("a", seconds=0.5)], options=options, deadline="60s",
                   scorer="max_connections = 20")
    send(daemon.address, make(body=body(KIB * KIB)))
    rss = daemon.peak_rss_kib()
    outcomes = burst(daemon.address, [make(body=body(16 * KIB * KIB))] * 20)
    assert all("score=" in outcome.header("X-Spam-Status") for outcome in outcomes)
    if not daemon.is_sanitized():
        assert daemon.peak_rss_kib() - rss < 32 * KIB


def test_temporary_directory_that_is_not_there(start, scorer, workspace):
    """What cannot be kept is deferred, never lost, never cut; small mail goes on."""
    folder, options = spill_options(workspace)
    daemon = start([scorer.listen("a")], options=options)
    os.rmdir(folder)
    assert is_deferred(send(daemon.address, make(body=body(KIB * KIB)), queue_id="4GONE"))
    assert folder in daemon.wait_log(folder)
    assert "score=" in send(daemon.address, make()).header("X-Spam-Status")


def _full_directory():
    with Workspace() as place, BadScorer(place.path) as scorer:
        folder, options = spill_options(place)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M,mode=1777", "spill", folder],
                              check=False, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(done.stderr.strip())
        with Daemon([scorer.listen("a", transport="unix")], options=options) as daemon:
            for size in (2, 4, 8):
                assert is_deferred(send(daemon.address, make(body=body(size * KIB * KIB))))
            assert "score=" in send(daemon.address, make()).header("X-Spam-Status")
            # with room again it is scored
            assert "score=" in send(daemon.address,
                                    make(body=body(512 * KIB))).header("X-Spam-Status")
            assert os.listdir(folder) == []
            daemon.stop_cleanly()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a small file system")
def test_full_temporary_directory():
    """F20: no space left is a temporary failure, and over when there is room."""
    try:
        run_isolated(_full_directory)
    except Unavailable as why:
        pytest.skip(str(why))

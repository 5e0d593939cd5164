# SPDX-License-Identifier: BSD-2-Clause
"""Attack rows A2, A20, A24, A25, A29, A33 and A35: who is at the sockets, files and logs."""

import struct

from support import ports
from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace
from support.messages import make
from support.milter import packet
from support.mta import Session, send

from .evidence import Figure, row

row("A2", "CR, LF, NUL, ESC, 8-bit in envelope, HELO and client name", "milter arguments",
    "refused, or escaped in the log, the metadata and the header",
    "daemon/test_log.py::test_hostile_sender", "daemon/test_log.py::test_hostile_client_facts",
    "daemon/test_scored_bytes.py::test_received_cannot_be_forged",
    "daemon/test_reject.py::test_hostile_queue_id",
    "unit/test_quarantine_item::hostile_text_makes_the_round_trip")(None)
row("A20", "newline and a forged record, %n, a field of 64 KB, ANSI sequences", "log",
    "one record an event, values quoted, 256 bytes of each, constant formats",
    "daemon/test_log.py", "unit/test_base::long_log_values_are_cut",
    "ctl/test_explain.py::test_text_of_others_can_forge_nothing")(None)


@row("A24", "connections that say nothing, or a byte now and then", "200 of them at the socket",
     "a unix socket by default, TCP only with an address; caps; nobody waits for them",
     "daemon/test_limits.py::test_max_sessions",
     "daemon/test_limits.py::test_silent_connections_hold_up_nobody",
     "daemon/test_limits.py::test_half_a_packet_holds_up_nobody",
     "unit/test_values::listen_addresses")
def slow_loris(extent):
    slowest = 0.0
    with Workspace() as place, BadScorer(place.path) as scorer:
        with Daemon([scorer.listen("x")]) as daemon:
            send(daemon.address, make())
            fds = daemon.fds()
            crowd = [ports.connect(daemon.address) for _ in range(200)]
            for number, sock in enumerate(crowd):
                sock.sendall(packet(b"O", struct.pack("!III", 6, 0x1FF, 0))[:number % 8])
            for _ in range(5 if extent.quick else 20):
                slowest = max(slowest, send(daemon.address, make()).seconds * 1000)
            for sock in crowd:
                sock.close()
            ports.wait_until(lambda: daemon.fds() <= fds)
            left = max(0, daemon.fds() - fds)
    return [Figure("slowest message beside them", slowest, 1500, "ms"),
            Figure("descriptors left", left, 0)]


row("A25", "a local user at the milter socket", "socket and folder of the daemon",
    "mode 0660, a group of its own, a folder that others cannot enter",
    "daemon/test_start.py::test_socket_mode", "daemon/test_start.py::test_socket_group",
    "daemon/test_start.py::test_runs_unprivileged",
    "daemon/test_start.py::test_refuses_to_run_as_root")(None)
row("A29", "attacker's text in the SMTP reply: several lines, %, more than 512 bytes",
    "reject_text with every field, hostile names and addresses",
    "one line, percent signs doubled, cut; the mail server's own words if it is refused",
    "daemon/test_reject.py", "unit/test_reply_text::expansion", "unit/test_reply_text::reply_length",
    "daemon/test_limits.py::test_a_long_refusal_is_cut")(None)
row("A33", "configuration that others may write, a line of 10 MB, duplicate keys",
    "files with such content and modes", "an error with file and line; -t checks without starting",
    "unit/test_settings::unsafe_files_are_refused_with_the_remedy",
    "unit/test_settings::an_unsafe_table_is_refused",
    "unit/test_settings::all_errors_are_told_with_their_lines",
    "unit/test_settings::long_texts_take_no_time", "unit/test_settings::huge_files_are_refused",
    "daemon/test_start.py::test_configuration_writable_by_others",
    "daemon/test_start.py::test_check_only")(None)


@row("A35", "oversized length, cut packets, wrong order, a body chunk of 64 MB",
     "raw packets at the milter socket", "dropped, memory bounded",
     "daemon/test_session.py::test_garbage_on_the_socket")
def hostile_server(extent):
    with Workspace() as place, BadScorer(place.path) as scorer:
        with Daemon([scorer.listen("x")]) as daemon:
            send(daemon.address, make())
            before = daemon.peak_rss_kib()
            accepted = 0
            for size in [64 << 20] * (1 if extent.quick else 3) + [0x7FFFFFFF, 0xFFFFFFFF]:
                with Session(daemon.address) as talk:
                    talk.greet()
                    talk.envelope("a@example.org", ["b@example.com"], "4HUGE")
                    accepted += _oversized(talk, size)
            grown = daemon.peak_rss_kib() - before
            scored = send(daemon.address, make()).header("X-Spam-Status") is not None
    return [Figure("oversized packets taken", accepted, 0),
            Figure("memory", grown, 4096, "KiB"),
            Figure("scored afterwards", int(scored), 1, least=True)]


def _oversized(talk, size):
    """Announce a body chunk of that size and begin it; 1 if the connection stays open."""
    try:
        talk.milter.send_raw(struct.pack("!I", size) + b"B" + b"x" * 65536)
        return int(not talk.milter.at_eof(timeout=5))
    except OSError:
        return 0

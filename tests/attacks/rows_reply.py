# SPDX-License-Identifier: BSD-2-Clause
"""Attack rows A3 to A7, A31 and A32: what a scorer says, and what it is told."""

import json
import os

from support.badscorer import BadScorer
from support.daemon import THRESHOLDS, Daemon, Workspace
from support.messages import make
from support.mta import send

from .evidence import Figure, row
from .rows_content import case

MOST_HEADER = 8192      # bytes of a field that we add, folds included
MOST_LINE = 998
MOST_SHOWN = 64         # names in tests=
OURS = 5                # Checker-Version, Flag, Level, Status, and the test name's own field


@row("A3", "CRLF and a header field in symbol names, options, action, report, message id, "
     "milter block, subject", "replies of spamd and rspamd",
     "only harmless characters reach a field; exactly the expected number of fields",
     "daemon/test_headers.py::test_hostile_rule_names",
     "daemon/test_headers.py::test_rest_of_the_reply_is_not_taken",
     "daemon/test_rspamd.py::test_what_the_reply_says_stays_in_its_field",
     "unit/test_spamd_protocol::hostile_headers",
     *case("373-rspamd-hostile-symbol-names"), *case("378-rspamd-field-that-forges-others"))
def hostile_symbols(_):
    evil = ["A\r\nX-Evil: 1", "B\nBcc: x@example.org", "C\x00D", "E\x1b[31m", "F: G", "H\r\n\r\nI"]
    odd = added = 0
    with Workspace() as place, BadScorer(place.path) as scorer:
        for protocol in ("spamd", "rspamd"):
            server = scorer.listen(protocol, protocol=protocol, score="7.3", tests=evil)
            with Daemon([server], protocol=protocol) as daemon:
                outcome = send(daemon.address, make())
                edits = outcome.verdict.edits
                delivered = outcome.delivered()
                odd += len(delivered.oddities) + any(
                    name.lower() in (b"x-evil", b"bcc") for name, _ in delivered.headers)
                added = max(added, sum(edit[0] in ("insheader", "addheader") for edit in edits))
    return [Figure("fields added", added, OURS), Figure("odd edits", odd, 0)]


def _size_of(field):
    name, value = field
    return len(name) + len(value) + 3


@row("A4", "report of 10 MB, 100,000 symbols, a symbol name of 2 MB", "replies of rspamd",
     "broken off at the cap of 1 MiB; 64 names shown; lines within 998, a field within 8 KiB",
     "unit/test_xspam::many_tests", "unit/test_rspamd_protocol::too_much",
     "unit/test_spamd_protocol::limits")
def huge_replies(_):
    replies = [["N" * (2 << 20)], [f"SYMBOL_{n}" for n in range(100000)],
               [f"S{n}_" + "L" * 100 for n in range(1000)]]
    field = line = shown = grown = 0
    with Workspace() as place, BadScorer(place.path) as scorer:
        for number, tests in enumerate(replies):
            server = scorer.listen(str(number), protocol="rspamd", score="7.3", tests=tests)
            with Daemon([server], protocol="rspamd") as daemon:
                send(daemon.address, make(tests="ONE"))
                before = daemon.peak_rss_kib()
                outcome = send(daemon.address, make())
                fields = [edit[-2:] for edit in outcome.verdict.edits if edit[0] == "insheader"]
                field = max([field, *map(_size_of, fields)])
                line = max([line, *(len(part) for _, value in fields
                                    for part in value.split(b"\n"))])
                status = dict(fields).get(b"X-Spam-Status", b"")
                shown = max(shown, status.partition(b"tests=")[2].count(b",") + 1)
                grown = max(grown, daemon.peak_rss_kib() - before)
    return [Figure("largest field", field, MOST_HEADER, "B"),
            Figure("longest line", line, MOST_LINE, "B"),
            Figure("names shown", shown, MOST_SHOWN), Figure("memory", grown, 16384, "KiB")]


row("A5", "score NaN, Inf, 1e999, text, missing, duplicate members, deep nesting, UTF-16, bad UTF-8",
    "replies of rspamd and of a JSON service", "a failure of the scorer: the policy",
    "daemon/test_http_failures.py::test_malformed_is_accepted_unscanned",
    "unit/test_json_verdict::bad_replies", "unit/test_rspamd_protocol::refused",
    "unit/test_rspamd_protocol::odd_bytes")(None)
row("A6", "wrong length, two Spam lines, decimal comma, negative version, a report behind the end",
    "replies of spamd", "a failure of the scorer: the policy",
    "daemon/test_failures.py::test_malformed_is_accepted_unscanned",
    "daemon/test_failures.py::test_odd_replies_are_never_misread",
    "unit/test_spamd_protocol::bad_replies", "unit/test_spamd_protocol::every_cut")(None)
row("A7", "a reply for another message; CRLF in the facts that go along as request fields",
    "addresses, HELO and names of clients; a scorer that says more than it was asked",
    "encoded or left out; one connection, one message, unless it is silent behind the reply",
    "daemon/test_rspamd.py::test_facts_cannot_end_their_line",
    "unit/test_rspamd_protocol::request_headers", "unit/test_spamd_protocol::requests",
    "daemon/test_http_connections.py",
    "daemon/test_deadline.py::test_late_answer_is_not_given_to_another")(None)
row("A31", "redirections, proxies in the environment, cookies, .netrc, unknown certificates",
    "a scorer that is not what it should be", "nothing is followed, sent or believed",
    "daemon/test_http_failures.py::test_redirects_are_never_followed",
    "daemon/test_http_failures.py::test_the_environment_changes_nothing",
    "daemon/test_http_failures.py::test_tls_is_verified")(None)


@row("A32", "credentials of a scorer in logs, in a core dump, in the process list",
     "a password and an Authorization line at log_level debug, with a scorer that fails",
     "in none of them; files that others may read are refused",
     "daemon/test_rspamd.py::test_the_password_is_sent_and_told_to_nobody",
     "daemon/test_rspamd.py::test_a_careless_password_file_is_refused",
     "daemon/test_json_service.py::test_the_token_is_sent_and_told_to_nobody")
def credentials(_):
    secret = "s3cr3t-of-the-scorer"
    with Workspace() as place, BadScorer(place.path) as scorer:
        path = place.file("password")
        with open(path, "w", encoding="ascii") as file:
            file.write(secret + "\n")
        owner = os.stat(place.path)
        os.chmod(path, 0o400)
        os.chown(path, owner.st_uid, owner.st_gid)
        server = scorer.listen("x", protocol="rspamd", behaviour="status_500")
        with Daemon([server], protocol="rspamd", scorer=f'password_file = "{path}"',
                    options="log_level = debug", policy=THRESHOLDS) as daemon:
            send(daemon.address, make())
            with open(f"/proc/{daemon.pid()}/cmdline", "rb") as file:
                told = secret.encode() in file.read()
            told += any(secret in line for line in daemon.lines)
            told += secret in json.dumps(daemon.status())
            # what cannot be dumped belongs to root in /proc, not to its own user (proc(5))
            readable = os.stat(f"/proc/{daemon.pid()}/mem").st_uid != 0
    return [Figure("places that tell", told, 0), Figure("dumps a core", int(readable), 0)]

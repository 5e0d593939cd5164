# SPDX-License-Identifier: BSD-2-Clause
"""Attack rows A8 to A14 and A30: what stands in the message itself."""

from support import checks
from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace
from support.messages import make
from support.mta import send

from .evidence import Figure, row

MIB = 1 << 20
CASES = "cases/test_cases.py::test_case"


def case(name):
    """Both mail servers' variants of a case."""
    return [f"{CASES}[{name}-{style}]" for style in ("postfix", "sendmail")]


@row("A8", "forged X-Spam fields: 1,000 copies, odd case and spacing; forged release marks",
     "header fields of the message", "all removed, from the last to the first; a mark counts only "
     "with the key of this quarantine, for one copy, once",
     "daemon/test_headers.py::test_forged_fields_are_gone",
     "unit/test_mail::reserved_names_are_known_in_any_spelling",
     "unit/test_quarantine_release::every_changed_byte_of_a_mark_is_noticed",
     "unit/test_quarantine_release::a_mark_is_good_for_one_copy",
     *case("305-eight-copies-removed-from-the-last"))
def forged_fields(_):
    names = [b"X-Spam-Status", b"x-SPAM-flag", b"X-SPAM-LEVEL", b"x-rspamd-score", b"X-Spam"]
    headers = [names[n % len(names)] + b": forged %d" % n for n in range(1000)]
    left = odd = 0
    with Workspace() as place, BadScorer(place.path) as scorer:
        with Daemon([scorer.listen("x", score="7.3")]) as daemon:
            outcome = send(daemon.address, make(headers=headers))
            for style in ("postfix", "sendmail"):
                delivered = outcome.delivered(style)
                left += sum(b"forged" in value for _, value in delivered.above + delivered.headers)
                odd += len(delivered.oddities)
    return [Figure("forged fields left of 1,000", left, 0), Figure("edits out of order", odd, 0)]


row("A9", "no From, several, no header at all, no body, a blank line, nothing",
    "messages of every shape", "scored like any other",
    "daemon/test_session.py::test_shapes",
    *case("020-message-of-nothing-but-a-body"), *case("021-message-without-a-body"))(None)
row("A10", "NUL in header and body", "raw milter packets, corpus",
    "the scorer gets the bytes that the recipient gets (libmilter hands a header over up to its NUL)",
    "daemon/test_session.py::test_nul_and_lone_cr", "daemon/test_scored_bytes.py::test_corpus",
    *case("806-held-message-with-eight-bit-and-nul"))(None)
row("A11", "bare CR and LF, <LF>.<LF>, a lone dot: one message smuggled in another",
    "bodies that are held and released to an SMTP sink",
    "one message arrives, unchanged but for line ends",
    "quarantine/test_release.py::test_one_item_one_message",
    "unit/test_quarantine_release::one_message_stays_one")(None)


def _cpu_ms(raw, times, size, **how):
    """Processor time of the daemon for one message, divided by a size."""
    with Workspace() as place, BadScorer(place.path) as scorer:
        with Daemon([scorer.listen("x")], deadline="20s", options="max_scan_size = 20M") as daemon:
            send(daemon.address, make())
            before = daemon.cpu_seconds()
            outcomes = [send(daemon.address, raw, **how) for _ in range(times)]
            used = daemon.cpu_seconds() - before
            alive = daemon.alive() and all(outcome.verdict is not None for outcome in outcomes)
    return used * 1000 / times / size if alive else float("inf")


@row("A12", "200 KB header, 10,000 fields, a line of 2 MB, 10,000 recipients",
     "messages of a few megabytes in all", "linear time, caps",
     "unit/test_mail::headers_have_a_maximum", "daemon/test_size.py::test_endless_line",
     "daemon/test_size.py::test_header_larger_than_the_limit",
     "unit/test_policy_lookup::long_addresses_are_harmless")
def much_of_everything(extent):
    times = 3 if extent.quick else 10
    long_field = make(headers=[b"X-Long: " + b"y" * 200000])
    fields = make(headers=[b"X-F%d: %s" % (n, b"v" * 200) for n in range(10000)])
    line = make(body=b"x" * (2 * MIB) + b"\r\n")
    crowd = [f"user{n}.with.a.long.name@department{n % 100}.example.com" for n in range(10000)]
    figures = [Figure(f"processor, {what}", _cpu_ms(raw, count, len(raw) / MIB), 50, "ms/MB")
               for what, raw, count in (("field of 200 KB", long_field, times * 5),
                                        ("10,000 fields", fields, times),
                                        ("line of 2 MB", line, times))]
    return figures + [Figure("10,000 recipients", _cpu_ms(make(), times, 10, recipients=crowd), 20,
                             "ms/1,000")]


row("A13", "leading blanks, folds, lines of nothing but blanks", "corpus, with and without the "
    "mail server's leading-blank option", "scored and delivered bytes are the mail server's",
    "daemon/test_scored_bytes.py::test_corpus",
    "daemon/test_scored_bytes.py::test_corpus_without_leading_space",
    "daemon/test_headers.py::test_blank_after_the_colon")(None)
row("A14", "SMTPUTF8 addresses, UTF-8 header fields, bad UTF-8, bidi and zero-width characters",
    "envelope and header, held, shown, released",
    "stored as they came, shown escaped, SMTPUTF8 asked for again",
    "quarantine/test_release.py::test_extensions_are_asked_for_again",
    "quarantine/test_tool.py::test_nothing_reaches_the_terminal",
    "unit/test_base::untrusted_text_is_encoded", "unit/test_received::utf8_and_length",
    *case("118-international-domain"))(None)

PARTS = b"Content-Type: multipart/mixed; boundary=a; boundary=\"b\"\r\n"
AMBIGUOUS = [
    make(headers=[PARTS.strip()], body=b"--a\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--a--\r\n--b--\r\n"),
    make(headers=[b"Content-Transfer-Encoding: base64"], body=b"U3Bh=bQ==\r\n====\r\n"),
    make(headers=[b"Content-Transfer-Encoding: gzip, x-uuencode", b"Content-Encoding: gzip"],
         body=b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\0" * 500 + b"\r\n"),
    make(headers=[b"Content-Type: message/partial; id=x; number=1; total=999"]),
    make(headers=[b"Content-Type: multipart/mixed; boundary=" + b"b" * 5000],
         body=b"--" + b"b" * 5000 + b"\r\n" * 300),
]


@row("A30", "two boundaries, broken base64, nested archives", "messages whose parts are ambiguous",
     "no MIME is parsed: the scorer gets the raw bytes")
def ambiguous_parts(_):
    different = 0
    with Workspace() as place, BadScorer(place.path) as scorer:
        with Daemon([scorer.listen("x")]) as daemon:
            for raw in AMBIGUOUS:
                outcome = send(daemon.address, raw)
                sent = checks.sent_to_scorer(scorer.requests()[-1])[2]
                different += sent != outcome.message.cleaned()
    return [Figure(f"messages of {len(AMBIGUOUS)} that were changed", different, 0)]

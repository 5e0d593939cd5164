# SPDX-License-Identifier: BSD-2-Clause
"""Attack rows A1, A15 to A19, A21 to A23, A26 to A28, A34: the quarantine and its tools."""

import os
import re
import sys
from contextlib import contextmanager

from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace, run
from support.matrix import CannotRun
from support.messages import make
from support.mta import send
from support.smtp import Sink
from system.items import folder_of, items

from .evidence import Figure, row

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "quarantine"))
# pylint: disable=wrong-import-position,wrong-import-order
from quarantine import Quarantine, Tool, helper     # noqa: E402

HOLD = "tag = 5\nquarantine = 10\nreject = off"
HELD = make(score="12.3")
NAME = re.compile(r"\d+\.M\d+Q[a-z2-7]{26}(?:\.[\w.-]+|,S=\d+)*(?::2,\w*)?")
FOLDERS = {"tmp", "new", "cur", "review", "marks", "digest", "domains"}


@contextmanager
def _holding():
    """A daemon that holds messages of score 12.3."""
    with Workspace() as place, BadScorer(place.path) as scorer:
        with Daemon([scorer.listen("x")], policy=HOLD) as daemon:
            yield daemon


@contextmanager
def _quarantine():
    if not os.access(helper("put"), os.X_OK):
        raise CannotRun("tests/quarantine/put is not built (make check)")
    with Quarantine() as place:
        yield place


row("A1", "shell characters, -oQ, a leading - in addresses", "envelope of held mail, released",
    "no shell, arguments behind --; addresses that cannot be sent to are refused",
    "quarantine/test_release.py::test_hostile_recipients_are_not_sent_to",
    "quarantine/test_release.py::test_sendmail", "lint/test_symbols.py",
    "unit/test_quarantine_item::only_single_mailboxes_are_safe")(None)

DOMAINS = ["../../etc", "..", ".", "", "a/b", "a\\b", "x" * 300 + ".example", "CON", "%2e%2e",
           "example.com/../..", "EXAMPLE.com", "xn--bcher-kva.example", "b\u00fccher.example",
           "~root", "$(id)", "a b", "-rf", "*"]


@row("A15", "recipient domains that are paths, dots, empty, 300 bytes, device names",
     "recipients of held mail", "never part of a path: names are random")
def domains_as_paths(_):
    with _holding() as daemon:
        above = set(os.listdir(daemon.workspace.path))
        for domain in DOMAINS:
            send(daemon.address, HELD, recipients=[f"user@{domain}"])
        held = items(daemon)
        stray = set(os.listdir(daemon.workspace.path)) - above
        stray |= {entry for entry in os.listdir(folder_of(daemon))
                  if os.path.isdir(os.path.join(folder_of(daemon), entry))} - FOLDERS
        odd = [item.path for item in held if not NAME.fullmatch(os.path.basename(item.path))]
        kept = {recipient.partition("@")[2] for item in held for recipient in item.recipients}
    return [Figure("files or folders elsewhere", len(stray), 0),
            Figure("names with anything of the message", len(odd), 0),
            Figure("domains held", len(kept & set(DOMAINS)), len(DOMAINS), least=True)]


row("A16", "symlinks and hardlinks planted in the quarantine, folders that others may write",
    "a quarantine that another user has prepared",
    "O_EXCL, O_NOFOLLOW, by folder descriptor; files with two names, links and strange owners are "
    "not items", "unit/test_quarantine_store::unsafe_directories_are_refused",
    "unit/test_quarantine_store::strange_files_are_skipped",
    "unit/test_quarantine_store::items_with_two_names_are_strange",
    "unit/test_quarantine_release::the_key_is_the_owners_alone",
    "quarantine/test_crash.py::test_order_of_system_calls")(None)
row("A17", "fifo, device, folder, sparse file of 1 TB in the quarantine", "strange files in new/",
    "skipped with a warning, nothing hangs",
    "unit/test_quarantine_store::strange_files_are_skipped",
    "quarantine/test_tool.py::test_damaged_and_strange_files_are_named")(None)

IDS = ["../x", "../../etc/passwd", "/etc/passwd", "-x", "--all", "a\nb", "", ".", "..", "A" * 26,
       "a" * 27, "a" * 300, "aaaa1", "\u00e9", "a b", "*", "%n", "a\x1b[31m"]


@row("A18", "guessed ids, ../x, options, newlines as an id", "arguments of the tool",
     "strict syntax, looked up in the list of what is there; ids of 130 random bits",
     "unit/test_quarantine_item::only_ids_pass_for_ids", "quarantine/test_tool.py::test_prefixes")
def odd_ids(_):
    taken = 0
    with _quarantine() as place:
        place.put()
        tool = Tool(place)
        for command in ("show", "release", "delete"):
            for identity in IDS:
                taken += tool.run(command, identity, code=None).returncode not in (1, 2)
        left = place.look()
    return [Figure(f"odd ids taken of {3 * len(IDS)}", taken, 0),
            Figure("items lost", 1 - len(left), 0)]


row("A19", "ESC, CSI, OSC, C1, backspace, CR, bidi characters", "what the tool shows of held mail",
    "only what shows; everything else is escaped",
    "quarantine/test_tool.py::test_nothing_reaches_the_terminal",
    "quarantine/test_tool.py::test_errors_are_safe_too",
    "ctl/test_explain.py::test_nothing_hostile_reaches_the_terminal",
    "unit/test_base::untrusted_text_is_encoded")(None)

TEXTS = ['"', "\\", '","released":true,"x":"', "</script><script>", "=cmd|' /C calc'!A0", "a\\tb",
         "{\"a\":1}", "\u2028\u2029", "\U0001f600", "'; DROP TABLE mail; --"]


@row("A21", "JSON, HTML and spreadsheet code in subject and sender", "list and show --json",
     "the text comes back as it was: escaped, never markup")
def exports(_):
    different = 0
    with _quarantine() as place:
        tool = Tool(place)
        for text in TEXTS:
            message = place.write("text.eml", b"Subject: " + text.encode() + b"\r\n\r\nbody\r\n")
            item = place.put(message=message, sender=f"{text}@example.net").stored[0]
            shown = tool.json("show", item)
            listed = [line for line in tool.json("list") if line["id"] == item][0]
            different += shown["sender"] != f"{text}@example.net"
            different += shown["subject"] != text or listed["subject"] != text
    return [Figure(f"texts of {3 * len(TEXTS)} that came back changed", different, 0)]


@row("A22", "a released message that is held again, and again", "release marks",
     "a mark lets its own copy pass once; it cannot be copied, changed or used twice",
     "daemon/test_released.py::test_it_passes_unscored",
     "daemon/test_released.py::test_a_second_use_is_scored",
     "daemon/test_released.py::test_any_change_of_it_is_scored",
     "daemon/test_released.py::test_another_recipient_is_scored",
     "unit/test_quarantine_release::a_mark_is_used_once",
     "unit/test_quarantine_release::every_changed_byte_of_a_mark_is_noticed")
def released_again(_):
    """Held, released by the tool, back at the daemon with its mark: five times round."""
    tried = passed = 0
    with _holding() as daemon, Sink() as sink:
        message = HELD
        for turn in range(5):
            send(daemon.address, message, queue_id=f"4HELD{turn}")
            item = daemon.message_line(f"4HELD{turn}")["quarantine"]
            run("spambridgectl", "-c", daemon.config_path, "quarantine", "release", item,
                "--route", f"smtp://127.0.0.1:{sink.port}")
            message = sink.deliveries[-1].data
            for copy in range(4):
                send(daemon.address, message, queue_id=f"4BACK{turn}-{copy}")
                passed += daemon.message_line(f"4BACK{turn}-{copy}")["reason"] == "released"
                tried += 1
        left = len(items(daemon))
    return [Figure(f"copies of {tried} that passed", passed, 5),
            Figure("first copies that passed", passed, 5, least=True),
            Figure("later copies that are not held", tried - passed - left, 0)]


row("A23", "a quarantine that is filled by one sender", "writes beyond max_items, max_size and the "
    "space that is left free", "deferred beyond the limits; nothing is thrown out",
    "quarantine/test_disk.py::test_limits", "quarantine/test_disk.py::test_reserve_is_kept")(None)


@row("A26", "newlines and quotes in the sender, to change who gets a released message",
     "envelopes of held mail", "metadata is JSON with length and checksum: sender and recipients "
     "come back as they were", "unit/test_quarantine_item::hostile_text_makes_the_round_trip",
     "unit/test_quarantine_item::wrong_metadata_is_damage")
def metadata(_):
    senders = ['a","recipients":["evil@example.org"],"x":"@example.net', "a\r\nX-Envelope-To: evil",
               "a\\\"b@example.net", "\u00e4@example.net", "a\nBcc: evil@example.org\n\n"]
    changed = 0
    with _holding() as daemon:
        for sender in senders:
            send(daemon.address, HELD, sender=sender)
        held = items(daemon)
        changed += sum(item.recipients != ["bob@example.com"] for item in held)
        changed += sum(b"\nX-Envelope-To: evil" in item.block or b"\nBcc:" in item.block
                       for item in held)
        changed += len(set(senders) ^ {item.sender for item in held})
    return [Figure(f"envelopes of {len(senders)} that changed", changed, 0)]


row("A27", "a stored message that is edited on the disk", "every bit of an item flipped",
    "out of scope as an attack (whoever can write there is the daemon); an accident is noticed",
    "unit/test_quarantine_store::every_flipped_bit_is_noticed",
    "quarantine/test_release.py::test_damaged_items_are_never_sent")(None)
row("A28", "release to others than the recipients", "release --to somebody else",
    "the original envelope only, in the audit log with reviewer",
    "quarantine/test_release.py::test_only_the_named_recipient",
    "quarantine/test_release.py::test_original_bytes_sender_and_recipients")(None)


@row("A34", "many messages with one queue id and one Message-ID", "100 held with the same ids",
     "each has an item and an id of its own",
     "unit/test_quarantine_store::a_thousand_at_once")
def same_ids(_):
    with _holding() as daemon:
        for _ in range(100):
            send(daemon.address, HELD, queue_id="4SAME")
        ids = {item.id for item in items(daemon)}
        found = run("spambridgectl", "-c", daemon.config_path, "quarantine", "stats", "--json")
    return [Figure("items of 100 that share an id or are missing", 100 - len(ids), 0),
            Figure("refusals of the tool", found.returncode, 0)]

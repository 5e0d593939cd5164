# SPDX-License-Identifier: BSD-2-Clause
"""Digests: who is told what, once in a period, and an alarm when nobody is told."""

import email
import email.policy
import os
import threading

import pytest

from held import Held
from quarantine import Tool, plain_text
from support.badscorer import BadScorer
from support.daemon import Workspace
from support.process import wait_for
from support.smtp import Sink

DAY = 86400
FROM = 'digest_from = "postmaster@example.com"'


def tool_for(quarantine, sink, extra="", **options):
    return Tool(quarantine, release=f"smtp://127.0.0.1:{sink.port}", extra=f"{FROM}\n{extra}",
                **options)


def told(sink):
    """{addressee: text of the last mail}; each got one mail at most. The sink is then empty."""
    mails = {}
    for delivery in sink.deliveries:
        [addressee] = delivery.recipients
        assert addressee not in mails, f"{addressee} got two"
        mails[addressee] = plain_text(delivery.data)
    sink.clear()
    return mails


def test_each_his_own(quarantine):
    """Text and HTML say the same, nothing is active, nothing is forged."""
    message = quarantine.write("s.eml", b"From: <b>x</b> <a@example.net>\r\nSubject: =?utf-8?q?"
                               b"<script>alert(1)</script>=0A=1B[31m_caf=C3=A9?=\r\n\r\nx\r\n")
    item = quarantine.put(message=message, recipients=("one@example.com", "two@example.org"))
    item = item.stored[0]
    quarantine.put(recipients=("one@example.com",))
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
        assert "1  two@example.org" in tool.run("digest").stdout
        shown = tool.run("digest", "--to", "two@example.org", text=False).stdout
        assert item[:10].encode() in shown and b"\r" not in shown
        assert "2 sent" in tool.run("digest", "--send").stdout
        assert "0 sent" in tool.run("digest", "--send").stdout     # a new process: once a day
        mails = {d.recipients[0]: d for d in sink.deliveries}
        assert set(mails) == {"one@example.com", "two@example.org"} and len(sink.deliveries) == 2
        assert mails["two@example.org"].sender == ""
        parsed = email.message_from_bytes(mails["two@example.org"].data,
                                          policy=email.policy.default)
        assert parsed["To"] == "two@example.org" and parsed["Auto-Submitted"] == "auto-generated"
        text, html = (parsed.get_body((kind,)).get_content() for kind in ("plain", "html"))
        assert item[:10] in text and item[:10] in html and "postmaster@example.com" in text
        assert "café" in text and "\x1b" not in text + html
        assert "<script>" not in html and "<b>" not in html and "href" not in html
        assert "http" not in text
        tool.run("release", "--to", "one@example.com", item, "--no-mark")
        sink.clear()
        assert "0 sent" in tool.run("digest", "--send", "--again").stdout      # nothing is new


POLICIES = """
domain  "contact.example" { digest_to = "desk@contact.example" }
domain  "other.example"   { digest_to = "desk@contact.example" }
domain  "silent.example"  { digest_to = nobody }
address "own@silent.example" { digest_to = recipient }
sender  "ours.example"    { digest_to = "security@ours.example" }
"""


def test_who_is_told(quarantine):
    """digest_to: one mail for all that a contact answers for; nobody is nobody."""
    shared = quarantine.put(recipients=("a@contact.example", "b@Contact.example",
                                        "c@other.example", "d@plain.example")).stored[0]
    quarantine.put(recipients=("x@silent.example",))
    quarantine.put(recipients=("own@silent.example",))
    quarantine.put(recipients=("not an address", "evil@x\r\nBcc: all@example.com",
                               b"latin\xe9@plain.example"))
    with Sink() as sink:
        tool = tool_for(quarantine, sink, policies=POLICIES)
        assert "3 sent" in tool.run("digest", "--send").stdout
        mails = told(sink)
        assert set(mails) == {"desk@contact.example", "d@plain.example", "own@silent.example"}
        desk = mails["desk@contact.example"]
        assert desk.count(shared[:10]) == 1 and "1 message was" in desk
        assert "To:      a@contact.example and 3 others" in desk


def test_the_default_of_all(quarantine):
    quarantine.put(recipients=("a@one.example", "b@two.example"))
    with Sink() as sink:
        tool = tool_for(quarantine, sink, extra='digest_to = "all@example.com"')
        tool.run("digest", "--send")
        assert set(told(sink)) == {"all@example.com"}


def test_deferred_addressees_miss_nothing(quarantine):
    """Who could not be told is told everything later, also in another period; others only news."""
    first = quarantine.put(recipients=("one@example.com", "two@example.org")).stored[0]
    down = [True]

    def script(step, path):
        return "450 later" if step == "rcpt" and path.startswith("two") and down[0] else None

    with Sink(script) as sink:
        tool = tool_for(quarantine, sink)
        assert "1 sent, 0 refused, 1 deferred" in tool.run("digest", "--send", code=75).stdout
        assert "0 sent, 0 refused, 1 deferred" in tool.run("digest", "--send", code=75).stdout
        assert set(told(sink)) == {"one@example.com"}
        quarantine.let_time_pass()
        second = quarantine.put(recipients=("one@example.com", "two@example.org")).stored[0]
        tool.run("digest", "--send", code=75)
        mails = told(sink)
        assert set(mails) == {"one@example.com"}
        assert second[:10] in mails["one@example.com"] and first[:10] not in mails["one@example.com"]
        down[0] = False
        quarantine.let_time_pass()
        assert "1 sent" in tool.run("digest", "--send").stdout
        mails = told(sink)
        assert set(mails) == {"two@example.org"}
        assert first[:10] in mails["two@example.org"] and second[:10] in mails["two@example.org"]
        quarantine.let_time_pass()
        assert "0 sent" in tool.run("digest", "--send").stdout
        assert len([name for name in quarantine.files("digest") if "sent" in name]) == 1


def test_a_mail_server_that_is_away_for_a_day(quarantine):
    first = quarantine.put().stored[0]
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
    tool.run("digest", "--send", code=75)
    quarantine.let_time_pass()
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
        tool.run("digest", "--send")
        assert first[:10] in told(sink)["one@example.com"]


def test_given_up_after_a_week(quarantine):
    """An addressee that is never reached does not hold the records up for ever."""
    quarantine.put(recipients=("two@example.org",))
    with Sink(lambda step, path: "450 later" if step == "rcpt" else None) as sink:
        tool = tool_for(quarantine, sink)
        tool.run("digest", "--send", code=75)
        quarantine.let_time_pass(9 * DAY)
        assert "0 deferred" in tool.run("digest", "--send").stdout


@pytest.mark.parametrize("answer", ["550 5.1.1 unknown", "450 later"])
def test_refused_addressees_are_told_nothing(quarantine, answer):
    """A refusal is an answer: he is not asked again in this period."""
    quarantine.put()
    calls = []

    def script(step, path):
        calls.append(step)
        return answer if step == "rcpt" else None

    with Sink(script) as sink:
        tool = tool_for(quarantine, sink)
        tool.run("digest", "--send", code=75 if answer[0] == "4" else 0)
        calls.clear()
        tool.run("digest", "--send", code=None)
        assert ("rcpt" in calls) == (answer[0] == "4")


def test_timer_and_command_race(quarantine):
    """Many senders at the same moment: each addressee gets one mail."""
    recipients = tuple(f"r{i}@example.com" for i in range(20))
    quarantine.put(recipients=recipients)
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
        done = []
        threads = [threading.Thread(target=lambda: done.append(tool.run("digest", "--send",
                                                                        code=None)))
                   for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {run.returncode for run in done} <= {0, 75} and 0 in {d.returncode for d in done}
        assert all("being sent already" in run.stderr for run in done if run.returncode == 75)
        assert set(told(sink)) == set(recipients)


def test_killed_half_way(quarantine):
    """The next run goes on with those who have none; a torn line is nobody's."""
    recipients = tuple(f"r{i}@example.com" for i in range(6))
    quarantine.put(recipients=recipients)
    tool = None

    def script(step, path):
        return "450 later" if step == "rcpt" and path[1] in "345" else None

    with Sink(script) as sink:
        tool = tool_for(quarantine, sink)
        tool.run("digest", "--send", code=75)
        first = set(told(sink))
    [record] = [name for name in quarantine.files("digest") if name.startswith("sent.")]
    with open(os.path.join(quarantine.path, "digest", record), "ab") as file:
        file.write(b"r3@exam")
    with Sink() as sink:
        tool_for(quarantine, sink).run("digest", "--send")
        second = set(told(sink))
    assert first | second == set(recipients) and not first & second


def test_again_sends_what_came_since(quarantine):
    first = quarantine.put().stored[0]
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
        tool.run("digest", "--send")
        assert first[:10] in told(sink)["one@example.com"]
        second = quarantine.put().stored[0]
        quarantine.age(second, -2)      # not in the same second as the first run
        assert "0 sent" in tool.run("digest", "--send").stdout
        wait_for(lambda: "1 sent" in tool.run("digest", "--send", "--again").stdout, "its time")
        text = told(sink)["one@example.com"]
        assert second[:10] in text and first[:10] not in text
        assert "0 sent" in tool.run("digest", "--send", "--again").stdout


def test_what_goes_soon_is_named_again(quarantine):
    """Each item once more, a day or two before it goes, however late digests are sent."""
    item = quarantine.put().stored[0]
    named = []
    with Sink() as sink:
        tool = tool_for(quarantine, sink, extra="expire = 10d")
        for day in range(12):
            if day not in (3, 4):      # nobody ran it
                tool.run("digest", "--send")
                if item[:10] in told(sink).get("one@example.com", ""):
                    named.append(day)
            quarantine.let_time_pass()
    assert named == [0, 8]


def test_a_clock_that_was_wrong(quarantine):
    """Records from the future do not silence digests until then."""
    quarantine.put()
    with Sink() as sink:
        tool = tool_for(quarantine, sink)
        tool.run("digest", "--send")
        sink.clear()
        quarantine.let_time_pass(-300 * DAY)
        for item in quarantine.look():
            quarantine.age(item, 300 * DAY)
        assert "1 sent" in tool.run("digest", "--send").stdout


def test_alarm():
    """Nobody was told for more than a day: status, metric and log say so until somebody is."""
    with Workspace() as place, BadScorer(place.path) as scorer, Sink() as sink, \
            Held([scorer.listen("a")],
                 section=f'{FROM} release = "smtp://127.0.0.1:{sink.port}"') as held:
        held.quarantine.put_old(25 * 3600)
        with held.daemon as daemon:
            wait_for(lambda: held.upkeep()["digest"]["wanted"], "a first look")
            assert not held.upkeep()["digest"]["overdue"]
            assert held.metric("digest_overdue") == 0
            held.quarantine.put_old(27 * 3600)
            wait_for(lambda: held.upkeep()["digest"]["overdue"], "the alarm")
            line = daemon.wait_log("the digest is overdue: last sent never")
            assert "27 hours" in line and "spambridge-digest.timer" in line
            said = held.run("status")
            assert "OVERDUE: last sent never; mail has been held for 1d 3h" in said
            assert said.startswith("degraded")
            assert held.metric("digest_overdue") == 1
            assert "1 sent" in held.run("quarantine", "digest", "--send")
            wait_for(lambda: not held.upkeep()["digest"]["overdue"], "the end of it")
            assert held.upkeep()["digest"]["last_at"] > 0
            assert held.run("status").startswith("healthy")
            assert held.metric("digest_timestamp_seconds") > 1
            assert len([line for line in daemon.lines if "digest is overdue" in line]) == 1
            daemon.stop_cleanly()


def test_no_alarm_without_digests():
    with Held() as held:
        held.quarantine.put_old(27 * 3600)
        with held.daemon as daemon:
            wait_for(lambda: held.upkeep()["digest"]["waiting_since"], "a look")
            assert not held.upkeep()["digest"]["overdue"]
            assert "digests" not in held.run("status")
            daemon.stop_cleanly()

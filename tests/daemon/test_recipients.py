# SPDX-License-Identifier: BSD-2-Clause
"""One message for several domains: each decides, and what one wants never befalls the other."""

import os

import pytest
from support import checks
from support.daemon import has_quarantine
from support.messages import make
from support.mta import Client, Session, send
from support.process import wait_for

pytestmark = pytest.mark.skipif(not has_quarantine(), reason="this build has no quarantine")

SECTIONS = """
domain "strict.example" { reject = 12.0  quarantine = 8.0 }
domain ".sub.example" { tag = off }
address "lover@strict.example" { tag = off  quarantine = off  reject = off }
"""
POLICY = "tag = 5.0\nquarantine = 10.0\nreject = 15.0"


@pytest.fixture
def daemon(start, scorer):
    return start([scorer.listen("good")], policy=POLICY, options=SECTIONS)


def quarantined(daemon):
    """Contents of the quarantine's finished items."""
    folder = daemon.workspace.file("quarantine/new")
    if not os.path.isdir(folder):
        return []
    items = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            items.append(file.read())
    return items


def recipients_after(outcome):
    return [recipient.strip("<>") for recipient in outcome.delivered().recipients]


@pytest.mark.parametrize("recipients", [["a@strict.example"], ["A@STRICT.EXAMPLE"],
                                        ["a@strict.example", "b@strict.example"]])
def test_all_reject(daemon, recipients):
    outcome = send(daemon.address, make(score=12.0), recipients=recipients)
    assert outcome.reply.code == 550 and not quarantined(daemon)


def test_all_quarantine(daemon):
    """Stored first, then accepted and dropped by the server; the bytes are the incoming ones."""
    outcome = send(daemon.address, make(score=11.0, headers=[b"X-Spam-Old: kept in the store"]),
                   recipients=["a@example.com", "b@example.com"], queue_id="4HELD")
    assert outcome.kind == "discard"
    items = quarantined(daemon)
    assert len(items) == 1 and items[0].endswith(outcome.message.wire())
    line = daemon.message_line("4HELD")
    assert line["action"] == "quarantine" and line["quarantine"] not in ("", "-")


def test_mixed(daemon):
    """Those who quarantine or reject leave the envelope; the rest gets the message."""
    outcome = send(daemon.address, make(score=9.0),
                   recipients=["a@strict.example", "b@example.com", "c@strict.example"])
    assert outcome.kind in ("accept", "continue")
    assert recipients_after(outcome) == ["b@example.com"]
    assert not outcome.delivered().oddities     # trap 53: delrcpt with the exact string given
    assert checks.status(outcome)["word"] == "Yes"
    items = quarantined(daemon)
    assert len(items) == 1
    head = items[0].split(outcome.message.wire())[0]
    assert b"a@strict.example" in head and b"c@strict.example" in head
    assert b"b@example.com" not in head


def test_reject_beside_delivery(daemon):
    """A recipient who rejects keeps a copy in the quarantine when another gets the message."""
    outcome = send(daemon.address, make(score=13.0),
                   recipients=["a@strict.example", "lover@strict.example"])
    assert outcome.kind in ("accept", "continue")
    assert recipients_after(outcome) == ["lover@strict.example"]
    assert len(quarantined(daemon)) == 1


@pytest.mark.parametrize("place", [0, 1, 2])
def test_spam_lover_exempts_nobody_else(daemon, place):
    """Trap 49: one exempt recipient, first, middle or last."""
    recipients = ["a@example.com", "b@example.com"]
    recipients.insert(place, "lover@strict.example")
    outcome = send(daemon.address, make(score=20.0), recipients=recipients)
    assert recipients_after(outcome) == ["lover@strict.example"]
    assert len(quarantined(daemon)) == 1
    assert checks.status(outcome)["word"] == "No"
    assert outcome.header("X-Spam-Flag") is None


DROPS = 'domain "drop.example" { reject = 8.0  reject_action = discard }\n'


@pytest.mark.parametrize("keep", [False, True])
def test_discard_beside_delivery(start, scorer, keep):
    """Who discards gets nothing and stores nothing, unless keep_rejected asks for a copy."""
    options = DROPS.replace(" }", "  keep_rejected = 14d }") if keep else DROPS
    daemon = start([scorer.listen("good")], policy=POLICY, options=options)
    outcome = send(daemon.address, make(score=9.0), recipients=["a@drop.example", "b@example.com"])
    assert recipients_after(outcome) == ["b@example.com"]
    assert len(quarantined(daemon)) == keep


def test_put_off_beside_delivery(start, scorer):
    """A deferral of one never delays the other's copy; it is held instead."""
    daemon = start([scorer.listen("good")], policy=POLICY,
                   options='domain "later.example" { defer = 6.0 }\n')
    outcome = send(daemon.address, make(score=7.0), recipients=["a@later.example", "b@example.com"])
    assert recipients_after(outcome) == ["b@example.com"] and len(quarantined(daemon)) == 1
    alone = send(daemon.address, make(score=7.0), recipients=["a@later.example"])
    assert alone.reply.code == 451 and len(quarantined(daemon)) == 1


def test_gone_before_the_answer(start, scorer):
    """Who does not take the edits will come again: nothing is held for him now."""
    daemon = start([scorer.listen("slow", seconds=0.5)], policy=POLICY, options=SECTIONS)
    with Session(daemon.address) as session:
        session.greet()
        session.prepare(make(score=9.0), recipients=["a@strict.example", "b@example.com"],
                        queue_id="4GONE")
        session.milter.send_eom()
        wait_for(scorer.requests, "the request")
        session.milter.close()
    assert daemon.message_line("4GONE")["action"] == "tempfail"
    assert not quarantined(daemon)


REDIRECT = ('domain "trap.example" { redirect = "spam@trap.example" }\n'
            'domain "watch.example" { copy_to = "watch@watch.example"  copy_score = 4.0 }\n'
            'domain "strict.example" { reject = 6.0 }\n')


@pytest.fixture
def redirecting(start, scorer):
    return start([scorer.listen("good")], policy=POLICY, options=REDIRECT)


def test_redirect(redirecting):
    """As spamass-milter's -b: another address gets it, and reads whom it was for."""
    people = ["a@trap.example", "b@Trap.example"]
    outcome = send(redirecting.address, make(score=6.0), recipients=people, queue_id="4REDIR")
    assert recipients_after(outcome) == ["spam@trap.example"]
    assert [value.decode() for value in outcome.delivered().values("X-Spam-Orig-To")] == people
    assert checks.status(outcome)["word"] == "Yes" and not outcome.delivered().oddities
    assert redirecting.message_line("4REDIR")["action"] == "redirect"
    mild = send(redirecting.address, make(score=4.0), recipients=people)
    assert recipients_after(mild) == people and mild.header("X-Spam-Orig-To") is None


def test_redirect_to_oneself(redirecting):
    """Trap 54: the trap's own mail is delivered, not dropped."""
    outcome = send(redirecting.address, make(score=6.0), recipients=["SPAM@trap.example"])
    assert recipients_after(outcome) == ["SPAM@trap.example"]
    assert not outcome.verdict.named("delrcpt") and not outcome.verdict.named("addrcpt")


@pytest.mark.parametrize("other", ["b@example.com", "c@watch.example"])
def test_redirect_beside_delivery(redirecting, other):
    """Trap 51: a recipient never reads of another one."""
    outcome = send(redirecting.address, make(score=6.0), recipients=["a@trap.example", other])
    assert other in recipients_after(outcome) and "a@trap.example" not in recipients_after(outcome)
    assert b"a@trap.example" not in outcome.delivered().wire()


def test_redirect_beside_refusal(redirecting):
    outcome = send(redirecting.address, make(score=6.0),
                   recipients=["a@trap.example", "b@strict.example"])
    assert recipients_after(outcome) == ["spam@trap.example"]
    assert outcome.header("X-Spam-Orig-To") == "a@trap.example"
    assert len(quarantined(redirecting)) == 1


def test_redirect_of_many(redirecting):
    outcome = send(redirecting.address, make(score=6.0),
                   recipients=[f"u{n}@trap.example" for n in range(150)])
    assert recipients_after(outcome) == ["spam@trap.example"]
    assert len(outcome.delivered().values("X-Spam-Orig-To")) == 100


def test_copy(redirecting):
    """As -B: the recipient keeps it, the copy's address is added once."""
    people = ["a@watch.example", "b@watch.example"]
    outcome = send(redirecting.address, make(score=4.5), recipients=people)
    assert recipients_after(outcome) == people + ["watch@watch.example"]
    assert checks.status(outcome)["word"] == "No"
    assert outcome.header("X-Spam-Orig-To") is None
    assert recipients_after(send(redirecting.address, make(score=3.9), recipients=people)) == people


def test_server_that_lets_no_recipient_be_added(redirecting):
    """Redirected mail is deferred rather than delivered to whom it is not for, or dropped."""
    outcome = send(redirecting.address, make(score=6.0), recipients=["a@trap.example"],
                   negotiate={"actions": 0x1FF & ~0x04})
    assert outcome.reply.code == 451


ACCEPT = ('domain "friend.example" {\n'
          'accept_senders = { "news@list.example", ".partner.example" }\n'
          'accept_clients = { "5.9.10.0/24" }\naccept_recipients = { "abuse@" }\n}\n')


@pytest.mark.parametrize("how,accepted", [
    ({"sender": "News@list.example"}, True), ({"sender": "x@a.partner.example"}, True),
    ({"sender": "x@partner.example"}, False), ({"sender": ""}, False),
    ({"client": Client(address="5.9.10.77")}, True),
])
def test_exceptions(start, scorer, how, accepted):
    """Lists of one domain: its recipient gets the message, the one beside it decides as ever."""
    daemon = start([scorer.listen("good")], policy=POLICY, options=ACCEPT)
    how.setdefault("client", Client(address="192.0.2.9"))
    both = send(daemon.address, make(score=30.0), **how,
                recipients=["b@example.com", "a@friend.example"], queue_id="4BOTH")
    if not accepted:
        assert both.reply.code == 550
        return
    assert recipients_after(both) == ["a@friend.example"] and len(quarantined(daemon)) == 1
    assert checks.status(both)["word"] == "No" and both.header("X-Spam-Flag") is None
    assert daemon.message_line("4BOTH")["reason"] == "score"
    alone = send(daemon.address, make(score=30.0), **how, recipients=["a@friend.example"],
                 queue_id="4ALONE")
    assert recipients_after(alone) == ["a@friend.example"]
    assert daemon.message_line("4ALONE")["reason"] == "accepted"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_accepted_recipient(start, scorer, place):
    """Trap 49 again, by a list: first, middle or last."""
    daemon = start([scorer.listen("good")], policy=POLICY, options=ACCEPT)
    people = ["a@friend.example", "b@friend.example"]
    people.insert(place, "abuse+x@friend.example")
    outcome = send(daemon.address, make(score=30.0), recipients=people,
                   client=Client(address="192.0.2.9"))
    assert recipients_after(outcome) == ["abuse+x@friend.example"]


def test_aliases_and_their_reload(start, scorer, workspace):
    """The mailbox's policy counts; a bad table at a reload leaves the old one in use."""
    table = workspace.file("aliases")

    def write(text):
        with open(table + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(table + ".new", table)
    write("sales@alias.example a@strict.example\n")
    daemon = start([scorer.listen("good")], policy=POLICY,
                   options=SECTIONS + f'alias_table = "{table}"\n')

    def answer(recipient):
        return send(daemon.address, make(score=12.5), recipients=[recipient]).kind
    assert answer("sales+x@alias.example") == "replycode"
    assert answer("other@alias.example") == "discard"
    write("sales@alias.example\n")
    daemon.reload()
    daemon.wait_log("aliases:1: write an alias")
    assert answer("sales@alias.example") == "replycode"
    write("other@alias.example lover@strict.example\n")
    daemon.reload()
    daemon.wait_log("reloaded")
    assert answer("sales@alias.example") == "discard"
    assert answer("other@alias.example") in ("accept", "continue")


def test_strictest_remaining_threshold(start, scorer):
    daemon = start([scorer.listen("good")],
                   policy="tag = 5.0\nquarantine = off\nreject = off",
                   options='domain "low.example" { tag = 3.0 }')
    outcome = send(daemon.address, make(score=4.0),
                   recipients=["a@example.com", "b@low.example"])
    assert checks.status(outcome)["required"] == "3.0"
    assert outcome.header("X-Spam-Flag") == "YES"
    assert checks.status(send(daemon.address, make(score=4.0)))["word"] == "No"


@pytest.mark.parametrize("recipient,score,kind", [
    ("x@deep.sub.example", 6.0, "No"), ("x@sub.example", 6.0, "Yes"),
    ("lover@STRICT.example", 30.0, "No"), ("Lover@strict.example", 30.0, "No"),
])
def test_which_section_wins(daemon, recipient, score, kind):
    outcome = send(daemon.address, make(score=score), recipients=[recipient])
    assert checks.status(outcome)["word"] == kind


def test_store_that_cannot_be_written(daemon):
    """F22: a message that cannot be held is deferred, never lost and never let through."""
    folder = daemon.workspace.file("quarantine")
    os.rename(folder, folder + ".away")
    with open(folder, "w", encoding="ascii"):
        pass
    outcome = send(daemon.address, make(score=11.0))
    assert outcome.kind == "tempfail" or outcome.reply.code // 100 == 4

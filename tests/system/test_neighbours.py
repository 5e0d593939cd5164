# SPDX-License-Identifier: BSD-2-Clause
"""Another milter in the same Postfix, before and behind us: OpenDKIM, and one made with pymilter."""

import os
import re

import pytest

from support import ports
from support.neighbour import Neighbour
from support.opendkim import Keys, OpenDkim
from support.postfix import Postfix
from support.spamassassin import GTUBE, phrase
from system.chain import Chain, mail, status_of, thresholds
from system.items import items, only_item

HELD = 'domain "held.example" { quarantine = 6 }'
FORGED = [b"X-Spam-Status: No, score=-99", b"x-spam-flag: NO", b"X-Rspamd-Score: -1"]
# What a filter that rebuilds header fields would change (traps 8, 9, 11).
ODD = [b"X-Fold:\r\n first\r\n\tsecond", b"X-Tight:value", b"X-Wide:   value  ",
       b"Reply-To:\r\n Alice <alice@example.org>"]


@pytest.fixture(scope="module")
def keys():
    found = Keys()
    yield found
    found.close()


class Neighbours(Chain):
    """A Chain with other milters before and behind the daemon."""

    def __init__(self, before=(), behind=(), **settings):
        super().__init__(**settings)
        self.others = [*before, *behind]
        milters = [*before, self.daemon, *behind]
        self.postfix.settings["smtpd_milters"] = " ".join(one.address for one in milters)
        self.postfix.write_main()

    def start(self):
        for one in self.others:
            one.start()
        return super().start()

    def close(self):
        super().close()
        for one in self.others:
            one.close()


@pytest.fixture
def neighbours(keys):
    """A chain with OpenDKIM before and behind the daemon: "v" verifies, "s" signs, "" is none."""
    made = []

    def begin(before="", behind="", canonicalization="simple/simple", **settings):
        made.append(Neighbours(
            [OpenDkim(keys, before, "before")] if before else [],
            [OpenDkim(keys, behind, "behind", canonicalization)] if behind else [], **settings))
        return made[-1].start()
    yield begin
    for one in made:
        one.close()


class Judge:
    """A Postfix with nothing but OpenDKIM: what it makes of a message as it is."""

    def __init__(self, keys, mode):
        self.dkim = OpenDkim(keys, mode)
        self.postfix = Postfix([self.dkim.address])

    def __enter__(self):
        try:
            self.dkim.start()
            self.postfix.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.postfix.close()
        self.dkim.close()

    def pass_on(self, message):
        """The message as it comes out, without the Received field of this Postfix."""
        reply = self.postfix.send(message, "alice@example.org", ["bob@example.com"],
                                  xclient={"addr": "5.9.10.11", "name": "mail.example.org"},
                                  arguments="BODY=8BITMIME")
        assert reply.code == 250, reply
        delivery = self.postfix.delivered(
            lambda found: any(reply.queue_id in value for value in found.all("Received")))[0]
        return delivery

    def verdict(self, message):
        return dkim_of(self.pass_on(message))


@pytest.fixture(scope="module")
def signer(keys):
    """signer(message) is the message with a signature of example.org on top."""
    with Judge(keys, "s") as judge:
        def sign(message):
            return judge.pass_on(message).raw("DKIM-Signature") + message
        yield sign


@pytest.fixture(scope="module")
def verifier(keys):
    with Judge(keys, "v") as judge:
        yield judge


def dkim_of(delivery, name="mx.example.com"):
    """The word after dkim= in the Authentication-Results field of that verifier."""
    results = [value for value in delivery.all("Authentication-Results")
               if value.startswith(f"{name};")]
    assert len(results) == 1, delivery.header
    return re.search(r"dkim=(\w+)", results[0]).group(1)


def signed_mail(signer, *body, headers=()):
    return signer(mail(*body, headers=[*headers, *ODD]))


def test_the_judge_can_tell(signer, verifier):
    signed = signed_mail(signer)
    assert signed.startswith(b"DKIM-Signature:")
    assert verifier.verdict(signed) == "pass"
    assert verifier.verdict(signed.replace(b"noon", b"ten")) == "fail"
    assert verifier.verdict(signed.replace(b"Subject: L", b"Subject:  L")) == "fail"
    assert verifier.verdict(mail()) == "none"


def test_a_signature_survives(neighbours, signer, verifier):
    """Simple canonicalisation counts every blank: we add and remove only fields of our own."""
    chain = neighbours(before="v", behind="v")
    for body, word in (((), "No"), ((phrase("SB_SEVEN"),), "Yes")):
        delivery = chain.deliver(signed_mail(signer, *body, headers=FORGED),
                                 arguments="BODY=8BITMIME")
        assert dkim_of(delivery, "before") == dkim_of(delivery, "behind") == "pass"
        assert status_of(delivery)[0] == word
        assert b"-99" not in delivery.header
        assert verifier.verdict(delivery.data) == "pass"


def test_a_changed_subject_is_changed(neighbours, signer, verifier):
    """subject_tag breaks the signature, which is why verifiers belong before us."""
    chain = neighbours(before="v", policy=thresholds(more='subject_tag = "[SPAM]"'))
    delivery = chain.deliver(signed_mail(signer, phrase("SB_SEVEN")))
    assert delivery.one("Subject").startswith("[SPAM] ")
    assert dkim_of(delivery, "before") == "pass"
    assert verifier.verdict(delivery.data) == "fail"
    assert dkim_of(chain.deliver(signed_mail(signer)), "before") == "pass"


@pytest.mark.parametrize("canonicalization", ["simple/simple", "relaxed/relaxed"])
def test_signing_behind_us(neighbours, verifier, canonicalization):
    """The signer sees what we made of the mail, so the signature is right when it arrives."""
    chain = neighbours(behind="s", canonicalization=canonicalization,
                       policy=thresholds(more='subject_tag = "[SPAM]"'))
    for body, subject in (((), "Lunch"), ((phrase("SB_SEVEN"),), "[SPAM] Lunch")):
        delivery = chain.deliver(mail(*body, headers=FORGED + ODD))
        assert len(delivery.all("DKIM-Signature")) == 1
        assert delivery.one("Subject").startswith(subject)
        assert len(delivery.all("X-Spam-Status")) == 1
        assert verifier.verdict(delivery.data) == "pass"


def test_refusing_and_holding_with_neighbours(neighbours, signer, verifier):
    """What we refuse, hold or split is done with for those behind us; the next message is not."""
    chain = neighbours(before="v", behind="s", options=HELD)
    signed = signed_mail(signer, phrase("SB_SEVEN"), headers=FORGED)
    assert chain.send(signed_mail(signer, GTUBE)).code == 550
    reply = chain.send(signed, recipients=["dora@held.example"], arguments="BODY=8BITMIME")
    assert reply.code == 250
    item = only_item(chain.daemon)
    assert verifier.verdict(item.message) == "pass"
    assert signed in item.message
    os.unlink(item.path)
    delivery = chain.deliver(signed, recipients=["dora@held.example", "bob@example.com"],
                             arguments="BODY=8BITMIME")
    assert delivery.recipients == ["bob@example.com"]
    assert len(items(chain.daemon)) == 1
    assert verifier.verdict(delivery.data) == "pass"
    with chain.postfix.client() as client:
        client.ehlo("mail.example.org")
        client.xclient(addr="5.9.10.11", name="mail.example.org")
        client.ehlo("mail.example.org")
        codes = [client.transaction(message, "alice@example.org", ["bob@example.com"]).code
                 for message in (signed, signed_mail(signer, GTUBE), mail(), signed)]
    assert codes == [250, 550, 250, 250]


@pytest.fixture(scope="module")
def written():
    """Filters written with pymilter before and behind the daemon; the scorer sees what they add."""
    rule = "header SB_EARLIER X-Seen-By-early =~ /./\nscore SB_EARLIER 1\n"
    with Neighbours([Neighbour("early")], [Neighbour("late")], options=HELD,
                    spamd={"config": rule}) as chain:
        yield chain
        chain.daemon.stop_cleanly()


def test_each_sees_what_those_before_it_made(written):
    delivery = written.deliver(mail(phrase("SB_SEVEN"), headers=FORGED))
    shown = [delivery.one(f"X-Seen-By-{name}").lower().split(",") for name in ("early", "late")]
    assert shown[0] == ["x-spam-status", "x-spam-flag", "x-rspamd-score"]
    own = [name.decode().lower() for name, _ in delivery.fields if name.startswith(b"X-Spam")]
    assert sorted(shown[1]) == sorted([*own, "x-seen-by-early"])
    assert status_of(delivery)[:2] == ("Yes", 8.0)
    assert "SB_EARLIER" in status_of(delivery)[3]
    assert b"-99" not in delivery.header


def test_what_an_earlier_one_refuses_is_not_scored(written):
    before = len(written.daemon.all_message_lines())
    reply = written.send(mail(GTUBE, subject="refused by early"))
    assert str(reply) == "554 5.7.9 Refused by early"
    reply = written.send(mail(), recipients=["early@example.com"])
    assert str(reply) == "550 5.1.1 early takes no mail"
    assert status_of(written.deliver(mail()))[0] == "No"
    assert len(written.daemon.all_message_lines()) == before + 1


def test_what_we_refuse_ends_for_those_behind(written):
    late = written.others[1]
    before = len(late.events())
    assert written.send(mail(GTUBE)).code == 550
    # that of an earlier test may come only now
    assert set(late.events(before + 1)[before:]) == {"abort"}
    assert written.send(mail(phrase("SB_SEVEN")), recipients=["dora@held.example"]).code == 250
    assert set(late.events(before + 2)[before:]) == {"abort"}
    os.unlink(only_item(written.daemon).path)
    written.deliver(mail())
    assert ports.wait_until(lambda: late.events()[-1] == "end", timeout=10)
    assert set(late.events()[before:-1]) == {"abort"}


def test_what_a_later_one_refuses_is_refused(written):
    """The message was scored before; what was held of it by then stays held."""
    reply = written.send(mail(phrase("SB_SEVEN"), subject="refused by late"),
                         recipients=["dora@held.example", "bob@example.com"])
    assert str(reply) == "554 5.7.9 Refused by late"
    assert written.last_log()["action"] == "tag"
    assert only_item(written.daemon).recipients == ["dora@held.example"]
    os.unlink(only_item(written.daemon).path)
    assert written.postfix.empty()


def test_messages_of_one_session_stay_apart(written):
    with written.postfix.client() as client:
        client.ehlo("mail.example.org")
        client.xclient(addr="5.9.10.11", name="mail.example.org")
        client.ehlo("mail.example.org")
        replies = [client.transaction(message, "alice@example.org", ["bob@example.com"])
                   for message in (mail(GTUBE), mail(subject="refused by early"), mail(),
                                   mail(subject="refused by late"), mail(phrase("SB_SEVEN")))]
    assert [reply.code for reply in replies] == [550, 554, 250, 554, 250]
    words = [status_of(written.arrived(reply))[0] for reply in replies if reply.code == 250]
    assert words == ["No", "Yes"]

# SPDX-License-Identifier: BSD-2-Clause
"""Another milter in the same Postfix: OpenDKIM before and behind us, and what signatures say."""

import os
import re

import pytest

from support.opendkim import Keys, OpenDkim
from support.postfix import Postfix
from support.spamassassin import GTUBE, phrase
from system.chain import Chain, mail, queued_as, status_of, thresholds
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
    """A Chain with OpenDKIM before and behind the daemon: "v" verifies, "s" signs, "" is none."""

    def __init__(self, keys, before="", behind="", canonicalization="simple/simple", **settings):
        super().__init__(**settings)
        self.before = [OpenDkim(keys, before, "before")] if before else []
        self.behind = [OpenDkim(keys, behind, "behind", canonicalization)] if behind else []
        milters = [*self.before, self.daemon, *self.behind]
        self.postfix.settings["smtpd_milters"] = " ".join(one.address for one in milters)
        self.postfix.write_main()

    def start(self):
        for one in self.before + self.behind:
            one.start()
        return super().start()

    def close(self):
        super().close()
        for one in self.before + self.behind:
            one.close()


@pytest.fixture
def neighbours(keys):
    made = []

    def begin(**settings):
        made.append(Neighbours(keys, **settings))
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
            lambda found: any(queued_as(reply) in value for value in found.all("Received")))[0]
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

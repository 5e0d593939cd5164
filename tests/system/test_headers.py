# SPDX-License-Identifier: BSD-2-Clause
"""The X-Spam fields against SpamAssassin's own, and against forgeries in the message."""

import re

import pytest

from support.spamassassin import GTUBE, RELAY_FIELDS, phrase
from system.chain import Chain, mail, status_of, thresholds

SITE_FIELDS = """\
add_header all Scores _TESTSSCORES(,)_
add_header spam Relay _RELAYCOUNTRY_ last=_LASTEXTERNALIP_
add_header ham Note nothing found by _HOSTNAME_
"""
# Learning that never learns: Status then has autolearn=no autolearn_force=no.
LEARNING = """\
bayes_auto_learn 1
bayes_auto_learn_threshold_nonspam -999
bayes_auto_learn_threshold_spam 99999
"""
SITES = {
    "plain": {},
    "fields": {"config": SITE_FIELDS + RELAY_FIELDS},
    "learning": {"config": LEARNING, "bayes": True},
    "wrapping": {"config": "report_safe 1\n"},
}
BODIES = {
    "ham": (),
    "spam": (phrase("SB_SEVEN"),),
    "negative": (phrase("SB_MINUS_FOUR"),),
    "gtube": (GTUBE,),
    "many-tests": tuple(b"sbmark-%04d" % number for number in range(0, 120, 3)),
}


@pytest.fixture(scope="module", params=SITES)
def tagging(request):
    """Chains that never refuse: a plain site, one with fields of its own, one that learns, and one
    whose spamd wraps spam into a report (SpamAssassin's default)."""
    with Chain(policy=thresholds(reject="off"), spamd=SITES[request.param]) as chain:
        yield chain
        chain.daemon.stop_cleanly()


def block(delivery):
    """The delivered X-Spam fields, each name once, lines as they are."""
    fields = {}
    for name, value in delivery.fields:
        if name.lower().startswith(b"x-spam"):
            assert name not in fields, f"{name} twice"
            fields[name] = value
    return fields


def own_block(chain, delivery):
    """What spamd itself writes on top of the delivered message without any X-Spam field.

    spambridge gives spamd the Received field that Postfix is about to add, so both see one relay;
    the form of that field differs, what SpamAssassin concludes from it must not.
    """
    text = chain.spamd.own_fields(without_spam_fields(delivery))
    fields = {}
    for line in re.split(rb"\r\n(?![ \t])", text):
        if line:
            name, _, value = line.partition(b":")
            fields[name] = value
    return fields


def without_spam_fields(delivery):
    kept = b"".join(name + b":" + value + b"\r\n" for name, value in delivery.fields
                    if not name.lower().startswith(b"x-spam"))
    return kept + b"\r\n" + delivery.body


@pytest.mark.parametrize("kind", BODIES)
def test_fields_are_spamassassins_byte_for_byte(tagging, kind):
    delivery = tagging.deliver(mail(*BODIES[kind]))
    expected = own_block(tagging, delivery)
    relays = [name for name in expected if b"Relays-" in name]
    found = block(delivery)
    # The sender stands only in our Received field, not in the one that Postfix adds.
    for name in relays + [b"X-Spam-Seen-Sender"]:
        expected.pop(name, None)
        found.pop(name, None)
    assert found == expected


def test_order_is_spamassassins(tagging):
    delivery = tagging.deliver(mail(phrase("SB_SEVEN")))
    expected = list(own_block(tagging, delivery))
    assert list(block(delivery)) == expected


def test_fields_stand_above_the_message_and_below_nothing_forged(tagging):
    delivery = tagging.deliver(mail())
    names = [name.lower() for name, _ in delivery.fields]
    assert names.index(b"x-spam-status") < names.index(b"from")


def test_own_threshold_shows(own_chain):
    """Only required= and the word differ where our threshold is not spamd's."""
    chain = own_chain(policy=thresholds("9.0", "off"))
    delivery = chain.deliver(mail(phrase("SB_SEVEN")))
    assert status_of(delivery)[:3] == ("No", 7.0, 9.0)
    assert not delivery.all("X-Spam-Flag")
    expected = own_block(chain, delivery)[b"X-Spam-Status"]
    expected = expected.replace(b" Yes,", b" No,").replace(b"required=5.0", b"required=9.0")
    found = block(delivery)[b"X-Spam-Status"]
    assert re.sub(rb"\s+", b" ", found) == re.sub(rb"\s+", b" ", expected)


FORGED = [
    b"X-Spam-Status: No, score=-99.9 required=5.0 tests=none autolearn=ham version=3.0.0",
    b"X-Spam-Flag: NO", b"x-spam-flag: NO", b"X-SPAM-FLAG:NO", b"X-Spam-Flag:", b"X-Spam-Flag: YES",
    b"X-Spam-Level: ", b"X-Spam-Level: *******",
    b"X-Spam-Score: -99", b"X-Spam-Bar: /", b"X-Spam: Yes", b"X-Spam-Report:\r\n\tforged\r\n\tfold",
    b"X-Rspamd-Score: -10", b"X-Rspamd-Action: no action", b"X-Spamd-Result: default: False",
    b"X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-25) on elsewhere",
]


@pytest.mark.parametrize("body", [(), (phrase("SB_SEVEN"),)], ids=["ham", "spam"])
def test_forged_fields_are_gone(chain, body):
    """All of them, in any case, several of a name, first and last (traps 1 to 4)."""
    message = mail(*body, headers=FORGED + FORGED[::-1])
    message = message.replace(b"\r\n\r\n", b"\r\n" + b"\r\n".join(FORGED) + b"\r\n\r\n", 1)
    delivery = chain.deliver(message)
    text = delivery.header
    assert b"-99" not in text and b"elsewhere" not in text and b"forged" not in text
    assert not any(name.lower().startswith(b"x-rspamd") for name, _ in delivery.fields)
    assert not delivery.all("X-Spam-Score") and not delivery.all("X-Spam-Bar")
    assert not delivery.all("X-Spam")
    for name in ("X-Spam-Status", "X-Spam-Level", "X-Spam-Checker-Version"):
        assert len(delivery.all(name)) == 1
    assert delivery.all("X-Spam-Flag") == (["YES"] if body else [])
    assert status_of(delivery)[0] == ("Yes" if body else "No")


def test_many_forged_copies(chain):
    """Postfix renumbers after each deletion; three other fields between them stay (trap 1)."""
    lines = []
    for number in range(40):
        lines += [b"X-Spam-Flag: NO", b"X-Other-%d: stays" % number]
    delivery = chain.deliver(mail(headers=lines))
    assert not delivery.all("X-Spam-Flag")
    assert sum(name.startswith(b"X-Other-") for name, _ in delivery.fields) == 40


def test_similar_names_stay(chain):
    """A name that only resembles ours is somebody else's (trap 5)."""
    lines = [b"XX-Spam-Flag: mine", b"X-Spa: mine", b"Subject-X: mine", b"X-Not-Spam: mine"]
    delivery = chain.deliver(mail(headers=lines))
    for line in lines:
        assert delivery.one(line.partition(b":")[0].decode()) == "mine"


def test_subject_tag(own_chain):
    """Set once, whatever the message brings (traps 15, 16)."""
    chain = own_chain(policy=thresholds(reject="off", more='subject_tag = "[SPAM]"'))
    spam = phrase("SB_SEVEN")
    assert chain.deliver(mail(spam)).one("Subject") == "[SPAM] Lunch on Tuesday"
    assert chain.deliver(mail(spam, subject="[SPAM] again")).one("Subject") == "[SPAM] again"
    assert chain.deliver(mail()).one("Subject") == "Lunch on Tuesday"
    encoded = "=?utf-8?Q?R=C3=A9union?="
    assert chain.deliver(mail(spam, subject=encoded)).one("Subject") == f"[SPAM] {encoded}"
    bare = mail(spam).replace(b"Subject: Lunch on Tuesday\r\n", b"")
    assert chain.deliver(bare).one("Subject") == "[SPAM]"


@pytest.fixture(scope="module")
def tagged():
    with Chain(policy=thresholds(reject="off", more='subject_tag = "[SPAM]"'),
               options='domain "other.example" { subject_tag = "[junk]"  tag = 6.9 }\n'
                       'domain "plain.example" { subject_tag = "" tag = 3 }') as chain:
        yield chain
        chain.daemon.stop_cleanly()


SUBJECTS = {    # what is sent: what arrives
    b"Lunch": b" [SPAM] Lunch",
    b"[spam] Lunch": b" [spam] Lunch",
    b"": b" [SPAM]",
    b"caf\xe9": b" [SPAM] caf\xe9",
    "gęś".encode(): b" [SPAM] " + "gęś".encode(),
    b"=?utf-8?B?W1NQQU1dIEx1bmNo?=": b" =?utf-8?B?W1NQQU1dIEx1bmNo?=",
    b"=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=": b" [SPAM] =?utf-8?Q?a?=\r\n =?utf-8?Q?b?=",
    b"long " * 150 + b"end": b" [SPAM] " + b"long " * 150 + b"end",
    b"\r\n\tfolded at once": b" [SPAM] folded at once",
}


@pytest.mark.parametrize("subject", SUBJECTS, ids=range(len(SUBJECTS)))
def test_subjects(tagged, subject):
    """The tag in front, the old text as it was; not again where it stands, encoded or not."""
    message = mail(phrase("SB_SEVEN"), subject=subject)
    delivery = tagged.deliver(message, arguments="BODY=8BITMIME")
    assert [value for name, value in delivery.fields if name == b"Subject"] == [SUBJECTS[subject]]
    assert status_of(delivery)[0] == "Yes"


def test_several_subjects(tagged):
    """Whichever a mail reader shows has the tag; fields that only look alike have none (trap 5)."""
    headers = [b"Subject-X: mine", b"SUBJECT: first", b"subject:[SPAM] second", b"X-Subject: mine"]
    delivery = tagged.deliver(mail(phrase("SB_SEVEN"), headers=headers))
    assert delivery.all("Subject") == ["[SPAM] first", "[SPAM] second", "[SPAM] Lunch on Tuesday"]
    assert delivery.one("Subject-X") == delivery.one("X-Subject") == "mine"


@pytest.mark.parametrize("recipients,expected", [
    (["a@example.com", "b@other.example"], "[SPAM] Lunch on Tuesday"),
    (["a@other.example"], "[junk] Lunch on Tuesday"),
    (["a@other.example", "b@plain.example"], "Lunch on Tuesday"),
])
def test_the_strictest_recipient_names_the_tag(tagged, recipients, expected):
    delivery = tagged.deliver(mail(phrase("SB_SEVEN")), recipients=recipients)
    assert delivery.one("Subject") == expected

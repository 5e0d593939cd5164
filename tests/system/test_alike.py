# SPDX-License-Identifier: BSD-2-Clause
"""One set of messages through Postfix and through Sendmail: replies, mail, quarantine, log alike.

What each outcome should be, the other tests say; here a difference between the two is the fault.
"""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.process import wait_for
from support.spamassassin import GTUBE, phrase
from system.chain import Chain, SendmailChain, mail, thresholds
from system.items import items
from system.test_actions import DOMAINS as ACTIONS
from system.test_headers import FORGED, SUBJECTS
from system.test_quarantine import DOMAINS, FORGED as ODD_FIELDS, fresh_items
from system.test_verdicts import shapes

POLICY = thresholds(more='subject_tag = "[SPAM]"\nkeep_rejected = 14d\n'
                         'reject_text = "100%% spam (%{score}), %%s and %%d, reference %{id}"')
PLAIN = 'domain "plain.example" { subject_tag = "" }\n'
LOGGED = ("from", "to", "client", "score", "required", "action", "reason", "tests")
# what each mail server adds itself, in its own words
OWN_FIELDS = (b"received", b"date", b"message-id", b"from", b"to")
SERVERS = OWN_FIELDS + (b"return-path",)
VERDICT = (b"x-spam-checker-version", b"x-spam-status", b"x-spam-flag", b"x-spam-level")
SEVEN, HOLD = phrase("SB_SEVEN"), phrase("SB_NINE_NINE")


@pytest.fixture(scope="module")
def pair():
    settings = {"policy": POLICY, "options": PLAIN + DOMAINS + ACTIONS, "deadline": "20s"}
    with Chain(**settings) as postfix, SendmailChain(**settings) as sendmail:
        yield postfix, sendmail
        for chain in (postfix, sendmail):
            chain.daemon.stop_cleanly()


def outcome(chain, message, recipients):
    """What became of a message, without what must differ: ids, and the server's own words."""
    fresh_items(chain.daemon)
    chain.mta.sink.clear()
    reply = chain.send(message, recipients=recipients, arguments="BODY=8BITMIME", timeout=120)
    line = chain.last_log()
    held = items(chain.daemon)
    wait_for(chain.mta.empty, "an empty queue", chain.mta.log)
    delivered = chain.mta.sink.take()
    known = "|".join([line["id"], *(item.id for item in held)])
    return {
        "reply": reply.code if reply.code == 250 else re.sub(known, "ID", str(reply)),
        "log": {key: line[key] for key in LOGGED},
        "held": [(item.sender, item.recipients, item.message, item.metadata["action"])
                 for item in held],
        "recipients": sorted(one for delivery in delivered for one in delivery.recipients),
        "sender": {delivery.sender for delivery in delivered},
        "mail": {content(delivery) for delivery in delivered},
    }


def content(delivery):
    """(fields, body), in order; of the servers' own fields only where they stand."""
    return tuple((name.lower(), b"" if name.lower() in OWN_FIELDS else value)
                 for name, value in delivery.fields), delivery.body


def both(chains, message, recipients):
    """The two outcomes."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda chain: outcome(chain, message, recipients), chains))


def shown(found):
    """Two outcomes, key by key, so that a failure shows what differs."""
    return {key: [one[key] for one in found] for key in found[0]
            if any(one[key] != found[0][key] for one in found)}


CASES = {   # message, recipients: the action that the log names
    "ham": (mail(), ["bob@example.com"], "pass"),
    "spam": (mail(SEVEN), ["bob@example.com"], "tag"),
    "negative": (mail(phrase("SB_MINUS_FOUR")), ["bob@example.com"], "pass"),
    "gtube": (mail(GTUBE), ["bob@example.com"], "reject"),
    "many-tests": (mail(*(b"sbmark-%04d" % n for n in range(0, 120, 3))), ["bob@example.com"],
                   None),
    "forged-ham": (mail(headers=FORGED + FORGED[::-1]), ["bob@example.com"], "pass"),
    "forged-spam": (mail(SEVEN, headers=ODD_FIELDS + FORGED), ["bob@example.com"], "tag"),
    "forged-between": (mail(headers=[line for n in range(40) for line in (
        b"X-Spam-Flag: NO", b"X-Other-%d: stays" % n, b"x-spam-score: -9")]),
        ["bob@example.com"], "pass"),
    "older-received": (mail(headers=[b"Received: from a.example (a.example [9.9.9.9])\r\n\tby "
                                     b"b.example with SMTP id x;\r\n\tSat, 21 Nov 2026 10:00:00 "
                                     b"+0000", b"X-First: 1"]), ["bob@example.com"], "pass"),
    "held": (mail(HOLD, headers=ODD_FIELDS), ["dora@held.example"], "quarantine"),
    "all-held": (mail(HOLD), ["dora@held.example", "emil@strict.example"], "quarantine"),
    "seven-recipients": (mail(HOLD, b".", b"..two", headers=ODD_FIELDS), [
        "anna@mild.example", "dora@held.example", "bob@example.com", "Emil@STRICT.example",
        "carl@low.example", "Frieda@Held.Example", "lover@strict.example"], "tag"),
    "twice-and-odd": (mail(HOLD), ["DORA@held.example", "bob@example.com", "DORA@held.example",
                                   '"d\\"ora>"@held.example', "dora+x@held.example"], "tag"),
    "kept-refusal": (mail(HOLD), ["emil@strict.example"], "reject"),
    "mixed-refusal": (mail(GTUBE), ["bob@example.com", "emil@strict.example"], "reject"),
    "redirected": (mail(SEVEN), ["a@redirected.example", '"a b"@redirected.example'], "redirect"),
    "redirected-for-some": (mail(SEVEN), ["a@redirected.example", "b@open.example"], None),
    "copied": (mail(SEVEN), ["a@copied.example"], "tag"),
    "deferred": (mail(SEVEN), ["a@deferred.example"], "tempfail"),
    "other-code": (mail(SEVEN), ["a@coded.example"], "reject"),
    "code-that-defers": (mail(SEVEN), ["a@later.example"], None),
    "dropped": (mail(SEVEN), ["a@dropped.example"], "discard"),
    "every-action": (mail(SEVEN), [f"a@{name}.example" for name in (
        "redirected", "copied", "deferred", "coded", "dropped", "open", "plain")], None),
}
# This Sendmail refuses a bare CR itself; without a header it makes one that SpamAssassin dislikes.
SHAPES = [(name, message) for name, message in shapes()
          if name not in ("bare-cr", "no-header", "nothing")]


@pytest.mark.parametrize("name", CASES)
def test_the_same_outcome(pair, name):
    message, recipients, action = CASES[name]
    found = both(pair, message, recipients)
    assert shown(found) == {}
    assert action in (None, found[0]["log"]["action"])


@pytest.mark.parametrize("name,message", SHAPES, ids=[name for name, _ in SHAPES])
def test_the_same_for_odd_shapes(pair, name, message):
    found = both(pair, message, ["bob@example.com"])
    assert shown(found) == {}


@pytest.mark.parametrize("subject", SUBJECTS, ids=range(len(SUBJECTS)))
def test_the_same_subject(pair, subject):
    found = both(pair, mail(SEVEN, subject=subject), ["bob@example.com"])
    assert shown(found) == {}


def delivered_as_sent(name, message, one):
    """(its fields, verdict) of a message that must have come through whole, with one verdict."""
    body = re.sub(rb"\r(?!\n)", b" ", message).partition(b"\r\n\r\n")[2]
    body += b"" if body.endswith(b"\r\n") or not body else b"\r\n"
    (fields, delivered), = one["mail"]
    assert one["reply"] == 250 and not one["held"] and delivered.endswith(body), name
    verdict = [value for field, value in fields if field in VERDICT]
    assert len(verdict) == (4 if one["log"]["action"] == "tag" else 3), name
    return sorted(pair for pair in fields if pair[0] not in SERVERS and
                  not pair[0].startswith(b"x-spam")), verdict


def test_the_same_for_a_real_corpus(corpus):
    """The same verdict, unless the mail servers themselves make different headers of a message."""
    settings = {"policy": thresholds(reject="off"), "deadline": "30s"}
    # Sendmail shows a filter neither fields that it adds nor changes them before
    plain = {"settings": {"local_header_rewrite_clients": "", "message_drop_headers": ""}}
    compared = 0
    with Chain(postfix=plain, **settings) as postfix, SendmailChain(**settings) as sendmail:
        for name, message in corpus:
            # Sendmail refuses a stray CR and a NUL itself; Postfix makes a field of an mbox line
            chains = [postfix] if re.search(rb"\r(?!\n)|\0", message) else [postfix, sendmail]
            message = re.sub(rb"\AFrom [^\n]*\n", b"", message)
            found = both(chains, message, ["bob@example.com"])
            headers = [delivered_as_sent(name, message, one) for one in found]
            if len(chains) == 2 and headers[0][0] == headers[1][0]:
                assert headers[0] == headers[1] and found[0]["log"] == found[1]["log"], name
                compared += 1
    print(f"{compared} of {len(corpus)} compared")
    assert compared > 0.8 * len(corpus)

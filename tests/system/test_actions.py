# SPDX-License-Identifier: BSD-2-Clause
"""What else a policy can ask for, by Postfix and by Sendmail: both must do the edits alike."""

import pytest

from support.process import wait_for
from support.spamassassin import phrase
from system.chain import Chain, SendmailChain, mail, status_of, thresholds
from system.items import only_item

SPAM = phrase("SB_SEVEN")
TRAP = "spam@trap.example"
DOMAINS = f"""
domain "redirected.example" {{ redirect = "{TRAP}" }}
domain "copied.example"     {{ copy_to = "{TRAP}" }}
domain "deferred.example"   {{ defer = 6 }}
domain "coded.example"      {{ reject = 6  reject_code = "554 5.6.0" }}
domain "later.example"      {{ reject = 6  reject_code = "450 4.7.0" }}
domain "dropped.example"    {{ reject = 6  reject_action = discard  keep_rejected = 7d }}
domain "open.example"       {{ tag = off  reject = off }}
"""


@pytest.fixture(scope="module", params=[Chain, SendmailChain], ids=["postfix", "sendmail"])
def server(request):
    with request.param(policy=thresholds(), options=DOMAINS) as chain:
        yield chain
        chain.daemon.stop_cleanly()


def got(chain, recipients, body=SPAM):
    """The one delivery of a message, and the recipients of it."""
    delivery = chain.deliver(mail(body), recipients=recipients)
    assert len(delivery.recipients) == len(set(delivery.recipients)), "somebody gets it twice"
    return delivery, sorted(delivery.recipients)


@pytest.mark.parametrize("given", [["a@redirected.example"], ["A+x@Redirected.Example"],
                                   ["a@redirected.example", "b@redirected.example"],
                                   ['"a b"@redirected.example', "a@redirected.example"]])
def test_redirected(server, given):
    delivery, recipients = got(server, given)
    assert recipients == [TRAP]
    assert status_of(delivery)[0] == "Yes"
    named = " ".join(delivery.all("X-Spam-Orig-To"))
    assert all(recipient in named for recipient in given)


def test_redirected_for_some(server):
    """Who gets the message does not learn whom else it was for."""
    delivery, recipients = got(server, ["a@redirected.example", "b@open.example"])
    assert recipients == ["b@open.example", TRAP]
    assert not delivery.all("X-Spam-Orig-To")
    assert b"redirected.example" not in delivery.header.replace(b"for <", b"")


@pytest.mark.parametrize("given", [[TRAP], [TRAP, "a@redirected.example"],
                                   ["a@redirected.example", TRAP]])
def test_redirected_to_somebody_who_gets_it_anyway(server, given):
    """Not twice, and the last recipient is never taken away (trap 54)."""
    assert got(server, given)[1] == [TRAP]


def test_ham_is_not_redirected(server):
    recipients = ["a@redirected.example", "b@copied.example"]
    assert got(server, recipients, b"ham")[1] == recipients


def test_copied(server):
    delivery, recipients = got(server, ["a@copied.example"])
    assert recipients == ["a@copied.example", TRAP]
    assert status_of(delivery)[0] == "Yes"


def test_deferred(server):
    reply = server.send(mail(SPAM), recipients=["a@deferred.example"])
    assert reply.code == 451
    assert reply.text.startswith("4.7.1 ")
    assert got(server, ["a@deferred.example"], b"ham")[1] == ["a@deferred.example"]


@pytest.mark.parametrize("domain,start", [("coded.example", "554 5.6.0 "),
                                          ("later.example", "450 4.7.0 ")])
def test_reply_codes(server, domain, start):
    reply = server.send(mail(SPAM), recipients=[f"a@{domain}"])
    assert str(reply).startswith(start + "Message refused as spam (score 7.0), reference ")


def test_dropped_but_kept(server):
    message = mail(SPAM)
    reply = server.send(message, recipients=["a@dropped.example"])
    assert reply.code == 250
    wait_for(server.mta.empty, "an empty queue")
    dropped = "a@dropped.example"
    assert not any(dropped in found.recipients for found in server.mta.sink.deliveries)
    assert only_item(server.daemon).message == message

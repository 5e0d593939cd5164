# SPDX-License-Identifier: BSD-2-Clause
"""One message, one answer, everybody's own outcome: who got what, through the real mail servers."""

import pytest

from support.process import wait_for
from support.spamassassin import phrase
from system.chain import Chain, SendmailChain, mail, thresholds
from system.items import items

DOMAINS = """
domain "trap.example"   { redirect = "spam@trap.example" }
domain "watch.example"  { copy_to = "watch@watch.example" }
domain "later.example"  { defer = 6 }
domain "hold.example"   { quarantine = 6 }
domain "friend.example" { reject = 6  accept_clients = { "5.9.10.0/24" } }
address "d@watch.example" { reject = 6  reject_action = discard }
address "f@hold.example"  { mode = observe }
"""
EVERYBODY = ["a@trap.example", "b@watch.example", "c@later.example", "d@watch.example",
             "e@hold.example", "f@hold.example", "g@friend.example"]


@pytest.fixture(scope="module", params=[Chain, SendmailChain], ids=["postfix", "sendmail"])
def site(request):
    with request.param(policy=thresholds(), options=DOMAINS) as chain:
        yield chain
        chain.daemon.stop_cleanly()


def test_seven_recipients_in_five_domains(site):
    """Redirected, copied, put off, dropped, held, observed and accepted, in one transaction."""
    reply = site.send(mail(phrase("SB_SEVEN")), recipients=EVERYBODY)
    assert reply.code == 250
    delivery = site.arrived(reply)
    assert sorted(delivery.recipients) == [
        "b@watch.example", "f@hold.example", "g@friend.example", "spam@trap.example",
        "watch@watch.example"]
    assert delivery.one("X-Spam-Flag") == "YES" and not delivery.all("X-Spam-Orig-To")
    held, = items(site.daemon)
    assert held.recipients == ["c@later.example", "e@hold.example"]
    line = site.log_of(delivery)
    assert (line["action"], line["would"], line["quarantine"]) == ("tag", "tag", held.id)
    wait_for(site.mta.empty, "an empty queue", site.mta.log)


@pytest.mark.parametrize("recipient,code,got", [
    ("a@trap.example", 250, ["spam@trap.example"]),
    ("spam@trap.example", 250, ["spam@trap.example"]),
    ("b@watch.example", 250, ["b@watch.example", "watch@watch.example"]),
    ("c@later.example", 451, None), ("d@watch.example", 250, None), ("e@hold.example", 250, None),
    ("f@hold.example", 250, ["f@hold.example"]), ("g@friend.example", 250, ["g@friend.example"]),
])
def test_each_alone(site, recipient, code, got):
    site.mta.sink.clear()
    reply = site.send(mail(phrase("SB_SEVEN")), recipients=[recipient])
    assert reply.code == code
    if got:
        delivery = site.arrived(reply)
        assert sorted(delivery.recipients) == got
        assert delivery.all("X-Spam-Orig-To") == ([recipient] if recipient[0] == "a" else [])
    wait_for(site.mta.empty, "an empty queue", site.mta.log)

# SPDX-License-Identifier: BSD-2-Clause
"""Trusted networks, authenticated senders, local submission: not scored, or by rules of their own."""

import pytest

from support.spamassassin import GTUBE, phrase
from system.chain import Chain, mail, status_of

FORGED = [b"X-Spam-Status: No, score=-99", b"X-Spam-Flag: NO", b"X-Rspamd-Score: -1"]


@pytest.fixture(scope="module")
def trusting():
    with Chain(trusted='"10.1.0.0/16", "2001:db8:1::/48"',
               options="skip_authenticated = true") as chain:
        chain.postfix.reload(non_smtpd_milters=chain.daemon.address)
        yield chain
        chain.daemon.stop_cleanly()


def passed_unscored(chain, delivery):
    """No verdict, no forgery (trap 7)."""
    assert b"-99" not in delivery.header
    assert not delivery.all("X-Spam-Flag") and not delivery.all("X-Rspamd-Score")
    assert not any(value.startswith(("Yes", "No")) for value in delivery.all("X-Spam-Status"))
    line = chain.log_of(delivery)
    assert line["score"] == "-"
    return line


@pytest.mark.parametrize("addr", ["10.1.2.3", "IPV6:2001:db8:1::25"])
def test_trusted_network(trusting, addr):
    delivery = trusting.deliver(mail(GTUBE, headers=FORGED), xclient={"addr": addr})
    assert passed_unscored(trusting, delivery)


@pytest.mark.parametrize("addr", ["10.2.2.3", "IPV6:2001:db8:2::25", "127.0.0.1"])
def test_other_networks_are_scored(trusting, addr):
    assert trusting.send(mail(GTUBE), xclient={"addr": addr}).code == 550


def test_helo_and_name_give_no_trust(trusting):
    """Only the address counts, not what the client calls itself."""
    reply = trusting.send(mail(GTUBE), helo="[10.1.2.3]", xclient={"name": "10.1.2.3.example.org"})
    assert reply.code == 550


def test_authenticated_sender(trusting):
    delivery = trusting.deliver(mail(GTUBE, headers=FORGED), xclient={"login": "bob"})
    assert passed_unscored(trusting, delivery)


def test_authenticated_sender_is_scored_when_told(own_chain):
    chain = own_chain(options="skip_authenticated = false")
    assert chain.send(mail(GTUBE), xclient={"login": "bob"}).code == 550


def test_trust_ends_with_the_session(trusting):
    """The next client of the same smtpd process is a stranger again (trap 48)."""
    for _ in range(3):
        trusting.deliver(mail(GTUBE), xclient={"addr": "10.1.2.3"})
        assert trusting.send(mail(GTUBE)).code == 550


def test_local_submission(trusting):
    """sendmail(1) on the server itself: Postfix calls it localhost, 127.0.0.1 (trap 46)."""
    trusting.postfix.submit(mail(headers=FORGED))
    delivery = trusting.postfix.delivered(
        lambda found: any("from userid" in value for value in found.all("Received")))[-1]
    assert b"-99" not in delivery.header
    assert status_of(delivery)[0] == "No"


OUTBOUND = """
skip_authenticated = true
outbound { scan = true  reject = 15  on_failure = tempfail }
sender "careful.example" { reject = 6  reject_text = "Account of %{sender} is locked (%{score})" }
"""


@pytest.fixture(scope="module")
def scanning():
    """Mail of our own senders is scored, each by the thresholds of his own domain."""
    with Chain(trusted='"10.1.0.0/16"', options=OUTBOUND, deadline="3s") as chain:
        yield chain
        chain.daemon.stop_cleanly()


@pytest.mark.parametrize("who", [{"login": "joe@careful.example"}, {"login": "joe"},
                                 {"addr": "10.1.2.3"}])
def test_broken_into_account(scanning, who):
    """Refused by its own domain's threshold, and the log says that it is one of ours."""
    reply = scanning.send(mail(phrase("SB_SEVEN")), sender="joe@careful.example", xclient=who)
    assert reply.code == 550 and "Account of joe@careful.example is locked (7." in reply.text
    line = scanning.last_log()
    assert (line["reason"], line["action"], line["required"]) == ("outbound", "reject", "6.0")
    delivery = scanning.deliver(mail(phrase("SB_SEVEN")), sender="joe@other.example", xclient={
        **who, **({"login": "joe@other.example"} if "login" in who else {})})
    assert scanning.log_of(delivery)["reason"] == "outbound"


def test_a_login_cannot_borrow_a_milder_sender(scanning):
    """Anybody can write any sender: the login's domain counts."""
    reply = scanning.send(mail(phrase("SB_SEVEN")), sender="joe@other.example",
                          xclient={"login": "joe@careful.example"})
    assert reply.code == 550


def test_failure_of_outbound_mail(scanning):
    """on_failure of its own: deferred, while strangers' mail is delivered unscored."""
    scanning.spamd.freeze()
    try:
        reply = scanning.send(mail(), sender="joe@careful.example", xclient={"addr": "10.1.2.3"})
        assert reply.code == 451
        assert scanning.deliver(mail()).one("X-Spam-Status").startswith("Unscanned")
    finally:
        scanning.spamd.thaw()

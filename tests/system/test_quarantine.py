# SPDX-License-Identifier: BSD-2-Clause
"""Held mail, from the SMTP client to the file: who got what, and that the file is the message."""

import os
import re

import pytest

from support.process import wait_for
from support.spamassassin import GTUBE, phrase
from system.chain import Chain, mail, status_of, thresholds
from system.items import folder_of, items, only_item

DOMAINS = """
domain  "mild.example"        { tag = 12 }
domain  "low.example"         { tag = 3 }
domain  "held.example"        { quarantine = 8 }
domain  "strict.example"      { reject = 9.5 }
address "lover@strict.example" { tag = off  quarantine = off  reject = off }
"""
FORGED = [b"X-Spam-Status: No, score=-99", b"x-spam-flag: NO", b"X-Quarantine-ID: forged",
          b"X-Envelope-To: <victim@example.com>", b"X-Fold:\r\n first\r\n\tsecond  ",
          b"X-Tight:value", b"X-Latin: caf\xe9"]


@pytest.fixture(scope="module")
def deciding():
    """A site whose domains want different things."""
    with Chain(policy=thresholds(reject="15.0"), options=DOMAINS) as chain:
        yield chain
        chain.daemon.stop_cleanly()


def fresh_items(daemon):
    """Empties the quarantine behind the daemon's back."""
    for item in items(daemon):
        os.unlink(item.path)


def fresh(chain):
    """The chain with an empty quarantine and an empty sink."""
    fresh_items(chain.daemon)
    chain.postfix.sink.clear()
    return chain


def is_original(item, message, sender="alice@example.org"):
    """Byte for byte what the client sent, CRLF and forged fields included; envelope right."""
    assert item.message == message
    assert item.sender == sender
    assert item.field("X-Envelope-From") == f"<{sender}>"
    return True


def test_seven_recipients_in_five_domains(deciding):
    """Each gets what the own domain decides, the headers follow the strictest who is left."""
    chain = fresh(deciding)
    message = mail(phrase("SB_NINE_NINE"), b".", b"..two dots", headers=FORGED)
    reply = chain.send(message, arguments="BODY=8BITMIME", recipients=[
        "anna@mild.example", "dora@held.example", "bob@example.com", "Emil@STRICT.example",
        "carl@low.example", "Frieda@Held.Example", "lover@strict.example"])
    assert reply.code == 250
    delivery = chain.arrived(reply)
    assert sorted(delivery.recipients) == ["anna@mild.example", "bob@example.com",
                                           "carl@low.example", "lover@strict.example"]
    assert delivery.sender == "alice@example.org"
    assert status_of(delivery)[:3] == ("Yes", 9.9, 3.0)
    assert delivery.one("X-Spam-Flag") == "YES"
    item = only_item(chain.daemon)
    assert is_original(item, message)
    assert item.recipients == ["dora@held.example", "Emil@STRICT.example", "Frieda@Held.Example"]
    assert item.metadata["verdict"]["score"] == 9900
    assert item.metadata["client"]["address"] == "5.9.10.11"
    line = chain.log_of(delivery)
    assert (line["action"], line["required"], line["quarantine"]) == ("tag", "3.0", item.id)
    assert line["to"].startswith("7")
    assert item.metadata["queue_id"] == line["id"]
    wait_for(chain.postfix.empty, "an empty queue", chain.postfix.log)
    assert len(chain.postfix.sink.deliveries) == 1


@pytest.mark.parametrize("rest,word", [("anna@mild.example", "No"), ("lover@strict.example", "No"),
                                       ("bob@example.com", "Yes")])
def test_the_rest_has_its_own_threshold(deciding, rest, word):
    chain = fresh(deciding)
    delivery = chain.deliver(mail(phrase("SB_NINE_NINE")),
                             recipients=["dora@held.example", rest])
    assert delivery.recipients == [rest]
    assert status_of(delivery)[0] == word
    assert only_item(chain.daemon).recipients == ["dora@held.example"]


ODD = ["dora+list@held.example", '"dora d"@held.example', "dora@held.example.",
       "DORA@held.example", "dora@held.example", "dora@held.example", '"d\\"ora>"@held.example']


@pytest.mark.parametrize("odd", ODD)
def test_odd_recipients_leave_the_envelope(deciding, odd):
    """Taken off exactly as they were given (trap 53), also when they came twice."""
    chain = fresh(deciding)
    reply = chain.send(mail(phrase("SB_NINE_NINE")),
                       recipients=[odd, "bob@example.com", odd])
    assert reply.code == 250
    assert chain.arrived(reply).recipients == ["bob@example.com"]
    assert set(only_item(chain.daemon).recipients) == {odd}


def test_dsn_options_do_not_keep_a_recipient(deciding):
    chain = fresh(deciding)
    with chain.postfix.client() as client:
        client.ehlo("mail.example.org")
        client.mail("alice@example.org", "RET=HDRS ENVID=x1")
        client.rcpt("dora@held.example", "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;other@held.example")
        client.rcpt("bob@example.com", "NOTIFY=NEVER")
        reply = client.data(mail(phrase("SB_NINE_NINE")))
    assert chain.arrived(reply).recipients == ["bob@example.com"]
    assert only_item(chain.daemon).recipients == ["dora@held.example"]


@pytest.mark.parametrize("recipients", [
    ["dora@held.example"], ["dora@held.example", "emil@strict.example"],
    ["emil@strict.example", "dora@held.example", "frieda@held.example"]])
def test_all_held_is_accepted_and_dropped(deciding, recipients):
    chain = fresh(deciding)
    message = mail(phrase("SB_NINE_NINE"), headers=FORGED)
    reply = chain.send(message, arguments="BODY=8BITMIME", recipients=recipients)
    assert reply.code == 250
    item = only_item(chain.daemon)
    assert is_original(item, message)
    assert item.recipients == recipients
    line = chain.daemon.message_line(reply.queue_id)
    assert (line["action"], line["quarantine"]) == ("quarantine", item.id)
    chain.postfix.wait_log(rf"{reply.queue_id}: milter-discard")
    assert chain.postfix.empty()
    assert not chain.postfix.sink.deliveries


def test_all_refuse(deciding):
    """Where nobody asked for a copy, nothing is kept."""
    chain = fresh(deciding)
    reply = chain.send(mail(GTUBE), recipients=["emil@strict.example", "bob@example.com"])
    assert reply.code == 550
    assert not items(chain.daemon)


def test_null_sender(deciding):
    chain = fresh(deciding)
    message = mail(phrase("SB_NINE_NINE"))
    assert chain.send(message, sender="", recipients=["dora@held.example"]).code == 250
    assert is_original(only_item(chain.daemon), message, sender="")


def shapes():
    plain = mail(phrase("SB_NINE_NINE"))
    header = plain.partition(b"\r\n\r\n")[0] + b"\r\n"
    marked = header.replace(b"Subject: Lunch", b"Subject: " + phrase("SB_NINE_NINE"))
    return {
        "eight-bit": mail(phrase("SB_NINE_NINE"), bytes(range(0x80, 0x100))),
        "long-lines": mail(phrase("SB_NINE_NINE"), b"x" * 900, b"word " * 2000),
        "big": mail(phrase("SB_NINE_NINE"), *[b"%060d" % n for n in range(60000)]),
        "empty-body": marked + b"\r\n",
        "blank-lines": mail(b"", b"", phrase("SB_NINE_NINE"), b"", b"", b""),
        "mbox": mail(b"From here on", b">From", phrase("SB_NINE_NINE")),
        "own-block": mail(phrase("SB_NINE_NINE"), headers=[
            b"X-Quarantine-Item: 1 json=0000000002 block=0000000200 length=000000000000 sha256="
            + b"0" * 64, b"X-Envelope-From: <>"]),
    }


@pytest.mark.parametrize("name", shapes())
def test_every_shape_is_kept_as_it_came(deciding, name):
    """Trap 77: what will be released is what was sent."""
    chain = fresh(deciding)
    message = shapes()[name]
    reply = chain.send(message, arguments="BODY=8BITMIME", recipients=["dora@held.example"],
                       timeout=120)
    assert reply.code == 250
    assert only_item(chain.daemon).message == message


def as_postfix_has_it(message):
    """Postfix makes a space of a stray CR, takes those before a colon, ends the header its way."""
    sent = re.sub(rb"\r(?!\n)", b" ", message)
    sent = re.sub(rb"\AFrom ", b"X-Mailbox-Line: From ", sent)
    sent += b"" if sent.endswith(b"\r\n") else b"\r\n"
    header = re.match(rb"(?:[!-9;-~]+[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*)*", sent).group(0)
    body = sent[len(header):].removeprefix(b"\r\n")
    header = re.sub(rb"(?m)^([!-9;-~]+)[ \t]+:", rb"\1:", header)
    return header + b"\r\n" + body


def test_a_real_corpus_is_kept_as_it_came(own_chain, corpus):
    chain = own_chain(policy=thresholds("off", "off", quarantine="-1000"), deadline="30s",
                      postfix={"settings": {"message_drop_headers": "",
                                            "local_header_rewrite_clients": ""}})
    for name, message in corpus:
        reply = chain.send(message, arguments="BODY=8BITMIME", timeout=120)
        assert reply.code == 250, (name, reply)
        line = chain.daemon.message_line(reply.queue_id)
        path = [item for item in os.listdir(os.path.join(folder_of(chain.daemon), "new"))
                if line["quarantine"] in item]
        assert len(path) == 1, name
    found = {item.metadata["queue_id"]: item for item in items(chain.daemon)}
    assert len(found) == len(corpus)
    for (name, message), item in zip(corpus, items(chain.daemon)):
        # a message that is one endless header line, Postfix cuts and trims
        assert b"\n" not in message or item.message == as_postfix_has_it(message), name


def test_a_kept_refusal_names_its_copy(own_chain):
    chain = own_chain(policy=thresholds(more="keep_rejected = 14d"),
                      options='domain "held.example" { quarantine = 8 }')
    message = mail(phrase("SB_TWENTY"), headers=FORGED)
    reply = chain.send(message, arguments="BODY=8BITMIME",
                       recipients=["bob@example.com", "dora@held.example"])
    assert reply.code == 550
    item = only_item(chain.daemon)
    assert reply.lines == [f"5.7.1 Message refused as spam (score 20.0), reference {item.id}"]
    assert is_original(item, message)
    assert item.recipients == ["bob@example.com", "dora@held.example"]
    assert item.metadata["action"] == "reject"
    written = os.stat(item.path).st_mtime
    assert abs(item.metadata["expires"] - written - 14 * 86400) < 60
    assert chain.last_log()["quarantine"] == item.id
    assert chain.postfix.empty()


def test_unscanned_mail_is_held_when_told(own_chain):
    """on_failure = quarantine: complete in the quarantine, with the reason; scored again later."""
    chain = own_chain(options="on_failure = quarantine\n"
                              'domain "open.example" { on_failure = accept }')
    chain.spamd.stop()
    message = mail(phrase("SB_TWENTY"))
    reply = chain.send(message, recipients=["bob@example.com", "anna@open.example"])
    delivery = chain.arrived(reply)
    assert delivery.recipients == ["anna@open.example"]
    assert delivery.one("X-Spam-Status").startswith("Unscanned, reason=refused")
    item = only_item(chain.daemon)
    assert is_original(item, message)
    assert item.recipients == ["bob@example.com"]
    assert item.metadata["reason"] == "refused"
    assert "score" not in item.metadata["verdict"]
    os.unlink(item.path)
    assert chain.send(message).code == 250
    assert chain.last_log()["action"] == "quarantine"
    assert is_original(only_item(chain.daemon), message)
    chain.spamd.start()
    wait_for(lambda: chain.send(message).code == 550, "spamd to be used again")

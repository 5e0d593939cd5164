# SPDX-License-Identifier: BSD-2-Clause
"""What senders and recipients see: refused, tagged or passed, as the score says."""

import re

import pytest

from support.spamassassin import GTUBE, phrase
from system.chain import HELO, mail, status_of, thresholds


def test_gtube_is_refused(chain):
    reply = chain.send(mail(GTUBE))
    assert reply.code == 550
    assert reply.text.startswith("5.7.1 ")
    line = chain.last_log()
    assert line["action"] == "reject"
    assert float(line["score"]) >= 1000
    assert "GTUBE" in line["tests"].split(",")
    assert line["id"] in reply.text
    assert chain.postfix.empty()


def test_refusal_names_score_and_reference(chain):
    reply = chain.send(mail(phrase("SB_TWENTY")))
    line = chain.last_log()
    assert reply.lines == [f"5.7.1 Message refused as spam (score {line['score']}), "
                           f"reference {line['id']}"]


def test_spam_below_reject_is_tagged(chain):
    delivery = chain.deliver(mail(phrase("SB_SEVEN")))
    word, score, required, tests = status_of(delivery)
    assert (word, score, required) == ("Yes", 7.0, 5.0)
    assert "SB_SEVEN" in tests
    assert delivery.one("X-Spam-Flag") == "YES"
    assert delivery.one("X-Spam-Level") == "*******"
    assert delivery.one("X-Spam-Checker-Version").startswith("SpamAssassin ")
    line = chain.log_of(delivery)
    assert (line["action"], line["score"], line["required"]) == ("tag", "7.0", "5.0")
    assert line["from"] == "alice@example.org"
    assert line["client"].startswith("5.9.10.11")
    assert line["scorer"] == "x"


def test_ham_is_passed(chain):
    delivery = chain.deliver(mail())
    word, score, required, _ = status_of(delivery)
    assert (word, required) == ("No", 5.0)
    assert score < 5.0
    assert not delivery.all("X-Spam-Flag")
    assert chain.log_of(delivery)["action"] == "pass"


def test_a_negative_score_passes(chain):
    delivery = chain.deliver(mail(phrase("SB_MINUS_FOUR")))
    assert status_of(delivery)[1] == -4.0
    assert delivery.one("X-Spam-Level") == ""


def test_tenths_count(own_chain):
    """9.9 is below 10 and above 9.8 (trap 26)."""
    chain = own_chain(policy=thresholds("9.8", "10.0"))
    delivery = chain.deliver(mail(phrase("SB_NINE_NINE")))
    assert status_of(delivery)[:3] == ("Yes", 9.9, 9.8)
    reply = chain.send(mail(phrase("SB_NINE_NINE"), phrase("SB_THREE")))
    assert reply.code == 550


def test_reject_off_never_refuses(own_chain):
    chain = own_chain(policy=thresholds(reject="off"))
    assert status_of(chain.deliver(mail(GTUBE)))[0] == "Yes"


def test_percent_in_the_reject_text(own_chain):
    """Postfix drops single percent signs of a milter's reply (trap 36)."""
    text = "100%% spam, %%d and %%s, score %{score}"
    chain = own_chain(policy=thresholds(more=f'reject_text = "{text}"'))
    reply = chain.send(mail(phrase("SB_TWENTY")))
    assert reply.code == 550
    assert re.fullmatch(r"5\.7\.1 100% spam, %d and %s, score 2[0-9.]+", reply.text)


@pytest.mark.parametrize("body", [(), (phrase("SB_SEVEN"),)])
def test_several_recipients_get_the_same(chain, body):
    recipients = [f"user{number}@example.{domain}" for number, domain in
                  enumerate(("com", "org", "net", "com", "com"))]
    delivery = chain.deliver(mail(*body), recipients=recipients)
    assert sorted(delivery.recipients) == sorted(recipients)
    assert status_of(delivery)[0] == ("Yes" if body else "No")
    assert chain.log_of(delivery)["to"].startswith("5")


def test_several_messages_in_one_session(chain):
    """Nothing of one message is left in the next, also after RSET (traps 48, 69)."""
    kinds = [((), 250), ((phrase("SB_TWENTY"),), 550), ((phrase("SB_SEVEN"),), 250),
             ((GTUBE,), 550), ((), 250)]
    with chain.postfix.client() as client:
        client.ehlo(HELO)
        client.xclient(addr="5.9.10.11", name="mail.example.org")
        client.ehlo(HELO)
        replies = []
        for body, _ in kinds:
            client.mail("reset@example.org")
            client.rcpt("reset@example.com")
            client.command("RSET")
            replies.append(client.transaction(mail(*body), "alice@example.org",
                                              ["bob@example.com"]))
    assert [reply.code for reply in replies] == [code for _, code in kinds]
    words = [status_of(chain.arrived(reply))[0] for reply in replies if reply.code == 250]
    assert words == ["No", "Yes", "No"]


def shapes():
    """(name, message) of messages that mail filters stumbled over (traps 18, 21, 22)."""
    plain = mail()
    header = plain.partition(b"\r\n\r\n")[0] + b"\r\n"
    return [
        ("eight-bit", mail(bytes(range(0x80, 0x100)), "zażółć".encode(),
                           headers=[b"X-Latin: caf\xe9", "X-Utf8: gęś".encode()])),
        ("long-lines", mail(b"x" * 900, b"word " * 2000, b"y" * 70000)),
        ("empty-body", header + b"\r\n"),
        ("no-empty-line", header),
        ("blank-lines-first", header + b"\r\n\r\n\r\nbody\r\n\r\n\r\n"),
        ("dots", mail(b".", b"..", b".x", b"...")),
        ("no-header", b"\r\njust a body\r\n"),
        ("nothing", b""),
        ("bare-cr", mail(b"a\rb\rc")),
        ("odd-folds", mail(headers=[b"X-Fold:\r\n first\r\n\tsecond  \r\n    third",
                                    b"X-Tight:value", b"X-Empty:"])),
        ("big-header", mail(headers=[b"References: " + b"\r\n ".join(
            b"<%040d@example.org>" % n for n in range(900))])),
    ]


@pytest.mark.parametrize("name,message", shapes(), ids=[name for name, _ in shapes()])
def test_every_shape_is_scored_and_unchanged(chain, name, message):
    delivery = chain.deliver(message, arguments="BODY=8BITMIME")
    assert status_of(delivery)[0] == "No"
    expected = message if message.endswith(b"\r\n") or not message else message + b"\r\n"
    # Postfix itself makes a space of a stray CR (cleanup_replace_stray_cr_lf).
    expected = re.sub(rb"\r(?!\n)", b" ", expected)
    header, _, body = expected.partition(b"\r\n\r\n")
    if name in ("no-header", "nothing"):
        assert delivery.body == expected.removeprefix(b"\r\n")
        return
    assert delivery.body == body
    added = {b"x-spam-status", b"x-spam-level", b"x-spam-checker-version", b"received"}
    kept = [(key, value) for key, value in delivery.fields if key.lower() not in added]
    sent = [line for line in re.split(rb"\r\n(?![ \t])", header)]
    assert [key + b":" + value for key, value in kept] == [line.removesuffix(b"\r\n")
                                                           for line in sent if line]

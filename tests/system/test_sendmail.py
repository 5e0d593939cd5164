# SPDX-License-Identifier: BSD-2-Clause
"""The same mail through a real Sendmail, configured with the lines that users are told to use."""

import re
import time

import pytest

from support.daemon import program
from support.process import run, wait_for
from support.sendmail import CLIENT, CLIENT6, FORGED as FORGED_NAME, NAMELESS
from support.smtp import Reply
from support.spamassassin import GTUBE, RELAY_FIELDS, phrase
from support.timing import in_time
from system.chain import CONTRIB, RECIPE_SOCKET, SendmailChain, mail, status_of, thresholds
from system.items import items, only_item
from system.test_headers import FORGED, SUBJECTS, block
from system.test_quarantine import DOMAINS, FORGED as ODD_FIELDS, fresh_items, is_original
from system.test_relays import ATTACKS, Seen, one_stranger
from system.test_verdicts import shapes

FIELDS = ["X-Spam-Checker-Version", "X-Spam-Flag", "X-Spam-Level", "X-Spam-Status",
          "X-Spam-Report"]


@pytest.fixture(scope="module")
def chain():
    with SendmailChain(policy=thresholds(more='subject_tag = "[SPAM]"'), options=DOMAINS) as found:
        yield found
        found.daemon.stop_cleanly()


@pytest.fixture
def own_sendmail():
    """own_sendmail(...) makes a SendmailChain with other settings for one test."""
    made = []

    def begin(**settings):
        made.append(SendmailChain(**settings))
        return made[-1].start()
    yield begin
    for found in made:
        found.close()


@pytest.mark.parametrize("name", ["README", "src/daemon/spambridge.8"])
def test_the_documents_have_this_recipe(name):
    recipe = (CONTRIB / "sendmail" / "spambridge.m4").read_text()
    line, = (line for line in recipe.splitlines() if line.startswith("INPUT_MAIL_FILTER"))
    assert RECIPE_SOCKET in line
    text = (CONTRIB.parent / name).read_text()
    assert re.sub(r"\s+", "", line) in re.sub(r"\s+", "", text)


def test_gtube_is_refused(chain):
    reply = chain.send(mail(GTUBE))
    assert reply.code == 550
    found = re.fullmatch(r"5\.7\.1 Message refused as spam \(score (\S+)\), reference (\w+)",
                         reply.text)
    line = chain.daemon.message_line(found.group(2))
    assert (line["action"], line["score"]) == ("reject", found.group(1))
    assert line["client"] == CLIENT
    assert chain.sendmail.empty()


def test_spam_is_tagged_and_ham_is_not(chain):
    """Our fields come in SpamAssassin's order right below Sendmail's own Received."""
    reply = chain.send(mail(phrase("SB_SEVEN")))
    delivery = chain.arrived(reply)
    assert status_of(delivery)[:3] == ("Yes", 7.0, 5.0)
    names = [name.decode() for name, _ in delivery.fields]
    assert names[:2] == ["Received", "X-Spam-Checker-Version"]
    assert reply.queue_id in delivery.all("Received")[0]
    assert [name for name in names if name.startswith("X-Spam")] == FIELDS
    assert names[names.index("X-Spam-Report") + 1] == "From"
    assert delivery.one("Subject") == "[SPAM] Lunch on Tuesday"
    delivery = chain.deliver(mail())
    assert status_of(delivery)[0] == "No"
    assert not delivery.all("X-Spam-Flag")
    assert delivery.one("Subject") == "Lunch on Tuesday"


def test_position_below_own_received_above_older_ones(chain):
    older = [b"Received: from a.example (a.example [9.9.9.9])\r\n\tby b.example with SMTP id x;"
             b"\r\n\tSat, 21 Nov 2026 10:00:00 +0000", b"X-First: 1"]
    delivery = chain.deliver(mail(headers=older))
    names = [name for name, _ in delivery.fields]
    assert names[0] == b"Received" and names[1].startswith(b"X-Spam")
    assert names.count(b"Received") == 2
    assert names.index(b"X-Spam-Status") < names.index(b"Received", 1) < names.index(b"X-First")


@pytest.mark.parametrize("body", [(), (phrase("SB_SEVEN"),)], ids=["ham", "spam"])
def test_forged_fields_are_gone(chain, body):
    """Sendmail keeps deleted fields in its count, Postfix does not: both must work (trap 1)."""
    message = mail(*body, headers=FORGED + FORGED[::-1])
    message = message.replace(b"\r\n\r\n", b"\r\n" + b"\r\n".join(FORGED) + b"\r\n\r\n", 1)
    delivery = chain.deliver(message)
    assert not re.search(rb"-99|elsewhere|forged|(?i:x-rspamd)", delivery.header)
    expected = [name for name in FIELDS if body or name not in ("X-Spam-Flag", "X-Spam-Report")]
    assert [name.decode() for name in block(delivery)] == expected
    assert status_of(delivery)[0] == ("Yes" if body else "No")


def test_eight_copies_between_others(chain):
    lines = []
    for number in range(8):
        lines += [b"X-Spam-Flag: NO", b"X-Other-%d: stays" % number, b"x-spam-score: -9"]
    delivery = chain.deliver(mail(headers=lines))
    assert not delivery.all("X-Spam-Flag") and not delivery.all("X-Spam-Score")
    kept = [name for name, _ in delivery.fields if name.startswith(b"X-Other-")]
    assert kept == [b"X-Other-%d" % number for number in range(8)]


def test_percent_in_the_reject_text(own_sendmail):
    """Sendmail throws a reply with a single percent sign away (trap 36)."""
    text = "100%% spam, %%d and %%s, score %{score}"
    chain = own_sendmail(policy=thresholds(more=f'reject_text = "{text}"'))
    reply = chain.send(mail(phrase("SB_TWENTY")))
    assert reply.code == 550
    assert re.fullmatch(r"5\.7\.1 100% spam, %d and %s, score 2[0-9.]+", reply.text)


@pytest.mark.parametrize("subject", SUBJECTS, ids=range(len(SUBJECTS)))
def test_subjects(chain, subject):
    delivery = chain.deliver(mail(phrase("SB_SEVEN"), subject=subject), arguments="BODY=8BITMIME")
    assert [value for name, value in delivery.fields if name == b"Subject"] == [SUBJECTS[subject]]


def test_no_subject_and_several(chain):
    """A field that is to be changed but is not there is added (trap 15), each of many is tagged."""
    bare = mail(phrase("SB_SEVEN")).replace(b"Subject: Lunch on Tuesday\r\n", b"")
    assert chain.deliver(bare).one("Subject") == "[SPAM]"
    headers = [b"Subject-X: mine", b"SUBJECT: first", b"subject:[SPAM] second"]
    delivery = chain.deliver(mail(phrase("SB_SEVEN"), headers=headers))
    assert delivery.all("Subject") == ["[SPAM] first", "[SPAM] second", "[SPAM] Lunch on Tuesday"]
    assert delivery.one("Subject-X") == "mine"


@pytest.fixture(scope="module")
def watched():
    with SendmailChain(policy=thresholds("off", "off"), options="skip_authenticated = false",
                       spamd={"config": RELAY_FIELDS}) as found:
        yield found
        found.daemon.stop_cleanly()


def relay_of(chain, source, **how):
    reply = chain.send(mail(), source=source, **how)
    found = Seen(chain.arrived(reply).one)
    relay = one_stranger(found, source)
    assert (relay["by"], relay["id"]) == ("mx.example.com", reply.queue_id)
    return found, relay


@pytest.mark.parametrize("source,name", [
    (CLIENT, "mail.example.org"), (CLIENT6, "mail6.example.org"), (NAMELESS, ""),
    (FORGED_NAME, "")])
def test_relay(watched, source, name):
    """What Sendmail's own macros make of the client, in SpamAssassin's parser (trap 43)."""
    found, relay = relay_of(watched, source)
    assert (relay["rdns"], relay["helo"]) == (name, "mail.example.org")
    assert found.sender == relay["envfrom"] == "alice@example.org"


def test_older_received_fields_are_not_the_client(watched):
    older = [b"Received: from x (trusted.example [127.0.0.1]) by y with ESMTPA id 1;\r\n"
             b"\tSat, 21 Nov 2026 10:00:00 +0000"]
    reply = watched.send(mail(headers=older))
    found = Seen(watched.arrived(reply).one)
    assert found.external[0]["ip"] == CLIENT


def test_several_helos_and_messages_in_one_session(watched):
    with watched.sendmail.client(CLIENT) as client:
        for helo in ("one.example.org", "two.example.org"):
            client.ehlo(helo)
            for sender in ("a@example.org", "b@example.org", ""):
                reply = client.transaction(mail(), sender, ["bob@example.com"])
                found = Seen(watched.arrived(reply).one)
                relay = one_stranger(found, CLIENT)
                assert (relay["helo"], relay["envfrom"]) == (helo, sender)


@pytest.mark.parametrize("attack", [name for name in ATTACKS if "xclient" not in ATTACKS[name]])
def test_attacks(watched, attack):
    """Injections that Sendmail lets through must not reach a conclusion of SpamAssassin."""
    reply = watched.send(mail(), source=CLIENT, **ATTACKS[attack])
    if reply.code != 250:
        return      # Sendmail itself refuses it: nothing comes to us
    found = Seen(watched.arrived(reply).one)
    relay = one_stranger(found, CLIENT)
    assert relay["by"] == "mx.example.com"
    for text in (relay["envfrom"], found.sender):
        assert "bank.example" not in text
        assert text in ("", "alice@example.org") or text.endswith("@evil.example")


def test_submission_without_a_client(chain):
    """Mail from a program on the server: no address at all (trap 46)."""
    delivery = chain.arrived(chain.sendmail.submit(mail(phrase("SB_SEVEN"), headers=FORGED)))
    assert b"-99" not in delivery.header
    assert status_of(delivery)[0] == "Yes"


def test_seven_recipients_in_five_domains(chain):
    fresh_items(chain.daemon)
    chain.sendmail.sink.take()
    message = mail(phrase("SB_NINE_NINE"), b".", b"..two dots", headers=ODD_FIELDS)
    reply = chain.send(message, arguments="BODY=8BITMIME", recipients=[
        "anna@mild.example", "dora@held.example", "bob@example.com", "Emil@STRICT.example",
        "carl@low.example", "Frieda@Held.Example", "lover@strict.example"])
    got = []
    wait_for(lambda: got.extend(chain.sendmail.sink.take()) or
             len([r for delivery in got for r in delivery.recipients]) >= 4, "the deliveries")
    assert sorted(recipient for delivery in got for recipient in delivery.recipients) == [
        "anna@mild.example", "bob@example.com", "carl@low.example", "lover@strict.example"]
    for delivery in got:
        assert status_of(delivery)[:3] == ("Yes", 9.9, 3.0)
    item = only_item(chain.daemon)
    assert is_original(item, message)
    assert item.recipients == ["dora@held.example", "Emil@STRICT.example", "Frieda@Held.Example"]
    line = chain.log_of(got[0])
    assert (line["action"], line["required"], line["quarantine"]) == ("tag", "3.0", item.id)
    wait_for(chain.sendmail.empty, "an empty queue", chain.sendmail.log)
    assert not chain.sendmail.sink.take()


@pytest.mark.parametrize("odd", ["dora+list@held.example", '"dora d"@held.example',
                                 "DORA@held.example", "dora@held.example",
                                 '"d\\"ora>"@held.example'])
def test_odd_recipients_leave_the_envelope(chain, odd):
    """smfi_delrcpt finds them as they were given, also twice (trap 53)."""
    fresh_items(chain.daemon)
    reply = chain.send(mail(phrase("SB_NINE_NINE")), recipients=[odd, "bob@example.com", odd])
    assert reply.code == 250
    assert chain.arrived(reply).recipients == ["bob@example.com"]
    assert set(only_item(chain.daemon).recipients) == {odd}
    wait_for(chain.sendmail.empty, "an empty queue", chain.sendmail.log)


def test_dsn_options_do_not_keep_a_recipient(chain):
    fresh_items(chain.daemon)
    with chain.sendmail.client(CLIENT) as client:
        client.ehlo("mail.example.org")
        client.mail("alice@example.org", "RET=HDRS ENVID=x1")
        client.rcpt("dora@held.example", "NOTIFY=FAILURE ORCPT=rfc822;other@held.example")
        client.rcpt("bob@example.com", "NOTIFY=NEVER")
        reply = client.data(mail(phrase("SB_NINE_NINE")))
    assert chain.arrived(reply).recipients == ["bob@example.com"]
    assert only_item(chain.daemon).recipients == ["dora@held.example"]


def test_all_held_is_accepted_and_dropped(chain):
    fresh_items(chain.daemon)
    chain.sendmail.sink.take()
    message = mail(phrase("SB_NINE_NINE"), headers=ODD_FIELDS)
    reply = chain.send(message, arguments="BODY=8BITMIME",
                       recipients=["dora@held.example", "emil@strict.example"])
    assert reply.code == 250
    item = only_item(chain.daemon)
    assert is_original(item, message)
    assert item.metadata["queue_id"] == reply.queue_id
    chain.sendmail.wait_log(rf"{reply.queue_id}: Milter: data, discard")
    wait_for(chain.sendmail.empty, "an empty queue", chain.sendmail.log)
    assert not chain.sendmail.sink.take()


# This Sendmail refuses bare CR before a milter sees it.
SHAPES = [shape for shape in shapes() if shape[0] != "bare-cr"]


@pytest.mark.parametrize("name,message", SHAPES, ids=[name for name, _ in SHAPES])
def test_every_shape_is_scored_and_its_body_unchanged(chain, name, message):
    delivery = chain.deliver(message, arguments="BODY=8BITMIME")
    # Sendmail adds the fields that are missing only on delivery: SpamAssassin minds
    assert name in ("no-header", "nothing") or status_of(delivery)[0] == "No"
    assert len(delivery.all("X-Spam-Status")) == 1
    body = message.partition(b"\r\n\r\n")[2]
    assert name in ("no-header", "nothing") or delivery.body == body


def test_a_kept_refusal_names_its_copy(own_sendmail):
    chain = own_sendmail(policy=thresholds(more="keep_rejected = 14d"))
    message = mail(phrase("SB_TWENTY"))
    reply = chain.send(message)
    item = only_item(chain.daemon)
    assert str(reply) == f"550 5.7.1 Message refused as spam (score 20.0), reference {item.id}"
    assert is_original(item, message)


def test_released_mail_is_not_judged_again(own_sendmail):
    """Held by Sendmail's word, released into Sendmail, which asks about it once more."""
    chain = own_sendmail(policy=thresholds(quarantine="8"))
    message = mail(phrase("SB_NINE_NINE"), b".", b"..dots")
    assert chain.send(message).code == 250
    item = only_item(chain.daemon)
    run(chain.sendmail.network.command([
        program("spambridgectl"), "-c", chain.daemon.config_path, "quarantine", "release", item.id,
        "--route", "smtp://127.0.0.1:25"]), chain.sendmail.log)
    delivery, = chain.sendmail.delivered()
    assert delivery.body == message.partition(b"\r\n\r\n")[2]
    assert delivery.recipients == ["bob@example.com"] and b"X-Spam" not in delivery.header
    line = chain.last_log()
    assert (line["reason"], line["quarantine"]) == ("released", item.id)
    assert not items(chain.daemon)


def test_held_in_sendmails_own_queue(own_sendmail):
    """quarantine_to = hold: marked, waiting with a reason, and delivered as it is when let go."""
    chain = own_sendmail(policy=thresholds(quarantine="8", more="quarantine_to = hold"))
    reply = chain.send(mail(phrase("SB_NINE_NINE")))
    queue_id = reply.queue_id
    queue = chain.sendmail.directory / "mqueue"
    wait_for(lambda: (queue / f"hf{queue_id}").exists(), "a quarantined message",
             chain.sendmail.log)
    assert "held as suspected spam, score 9.9" in (queue / f"hf{queue_id}").read_text("latin-1")
    assert chain.daemon.message_line(queue_id)["action"] == "hold"
    assert not items(chain.daemon) and not chain.sendmail.sink.deliveries
    run(chain.sendmail.command("-qQ", "-Q", f"-qI{queue_id}"), chain.sendmail.log)
    delivery = chain.arrived(reply)
    assert status_of(delivery)[:3] == ("Yes", 9.9, 5.0)
    assert len(chain.daemon.all_message_lines()) == 1


def test_no_verdict_defers_with_our_words(own_sendmail):
    chain = own_sendmail(options="on_failure = tempfail")
    chain.spamd.stop()
    reply = chain.send(mail())
    assert str(reply) == "451 4.7.1 Cannot be checked for spam now (refused), try again later"
    assert chain.sendmail.empty()
    chain.spamd.start()
    wait_for(lambda: chain.send(mail()).code == 250, "spamd to be used again")


FROZEN_S = 12


def test_a_long_scan_is_kept_alive(own_sendmail):
    """Sendmail gives a filter 10 s for each sign of life; the recipe without T shows them."""
    chain = own_sendmail(recipe="INPUT_MAIL_FILTER(`spambridge', `S={socket}, F=T')dnl",
                         deadline="30s")
    chain.spamd.freeze()
    began = time.monotonic()
    with chain.sendmail.client(CLIENT, 60) as client:
        client.ehlo("mail.example.org")
        client.mail("alice@example.org")
        client.rcpt("bob@example.com")
        client.command("DATA")
        client.sock.sendall(mail(phrase("SB_SEVEN")) + b".\r\n")
        client.sock.settimeout(FROZEN_S)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        chain.spamd.thaw()
        client.sock.settimeout(60)
        reply = smtp_reply(client.sock)
    assert time.monotonic() - began > FROZEN_S
    assert status_of(chain.arrived(reply))[:2] == ("Yes", 7.0)


def smtp_reply(sock):
    """A one-line reply read from the socket itself: the client's own reader gave up."""
    line = b""
    while not line.endswith(b"\n"):
        line += sock.recv(1)
    return Reply([line.rstrip(b"\r\n")])


def test_an_answer_at_a_deadline_beyond_ten_seconds(own_sendmail):
    chain = own_sendmail(recipe="INPUT_MAIL_FILTER(`spambridge', `S={socket}, F=T')dnl",
                         deadline="13s")
    chain.spamd.freeze()
    began = time.monotonic()
    delivery = chain.deliver(mail(), timeout=60)
    took = time.monotonic() - began
    assert took > 12.9
    in_time(took, 15)
    assert delivery.one("X-Spam-Status").startswith("Unscanned, reason=timeout")


def test_daemon_down_defers(own_sendmail):
    """F=T: nothing passes unscanned; all is well when it is back, without a word to Sendmail."""
    chain = own_sendmail()
    chain.daemon.signal(15)
    chain.daemon.process.wait(20)
    reply = chain.send(mail(GTUBE))
    assert reply.code == 451
    assert chain.sendmail.empty()
    chain.daemon.start()
    assert chain.send(mail(GTUBE)).code == 550

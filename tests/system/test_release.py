# SPDX-License-Identifier: BSD-2-Clause
"""Held mail goes out again by the mail server that asks us: not judged again, and as it came."""

import os
import re

import dkim
import pytest

from support.daemon import run
from support.opendkim import DOMAIN, SELECTOR, Keys
from support.process import run as run_tool
from support.process import wait_for
from support.smtp import Sink
from support.spamassassin import phrase
from system.chain import Chain, crash, mail, status_of, thresholds
from system.items import items, only_item

HOLDING = thresholds("5.0", "15.0", quarantine="8", more="keep_rejected = 14d")
# Fields that may be new on released mail: the mail servers' own.
ADDED = {"received", "return-path", "delivered-to"}


class Site(Chain):
    """A Chain whose Postfix asks the daemon about local submission, too; and a reviewer."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.postfix.settings["non_smtpd_milters"] = self.daemon.address
        # a client on this host is taken for a mail program, whose headers would be completed
        self.postfix.settings["local_header_rewrite_clients"] = ""
        self.postfix.write_main()
        self.sendmail = self.daemon.workspace.file("sendmail")
        with open(self.sendmail, "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\nexec /usr/sbin/sendmail -C {self.postfix.config} "$@"\n')
        os.chmod(self.sendmail, 0o755)

    def route(self, way):
        return {"smtp": f"smtp://127.0.0.1:{self.postfix.port}", "sendmail": self.sendmail}[way]

    def review(self, *words):
        """spambridgectl quarantine ...; must succeed."""
        done = run("spambridgectl", "-c", self.daemon.config_path, "quarantine", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fresh(self):
        for item in items(self.daemon):
            os.unlink(item.path)
        self.postfix.sink.clear()
        return self

    def come_back(self, wanted=1):
        """What was delivered, once so much has arrived and nothing more is on its way."""
        self.postfix.delivered(wanted)
        wait_for(self.postfix.empty, "an empty queue", self.postfix.log)
        return self.postfix.sink.take()


@pytest.fixture(scope="module")
def site():
    with Site(policy=HOLDING, options='domain "queue.example" { quarantine_to = hold }\n'
              'domain "open.example" { quarantine = off  reject = off }') as chain:
        yield chain
        chain.daemon.stop_cleanly()


def fields(header):
    return [field for field in re.split(rb"\r\n(?![ \t])", header) if field]


def is_as_it_came(delivery, message):
    """The body to the byte, the header fields in their order; new ones only on top, documented."""
    head, _, body = message.partition(b"\r\n\r\n")
    mine, wanted = fields(delivery.header), fields(head)
    assert delivery.body == body
    assert mine[-len(wanted):] == wanted
    added = [field.partition(b":")[0].decode().lower() for field in mine[:-len(wanted)]]
    assert set(added) <= ADDED, added
    return True


@pytest.mark.parametrize("way", ["smtp", "sendmail"])
def test_released_mail_is_not_judged_again(site, way):
    """Trap 81: the filter stands on this way, and the score has not changed."""
    site.fresh()
    message = mail(phrase("SB_NINE_NINE"), b".", b"..dots", b"caf\xe9")
    assert site.send(message, arguments="BODY=8BITMIME",
                     recipients=["bob@example.com", "dora@example.com"]).code == 250
    item = only_item(site.daemon)
    before = len(site.daemon.all_message_lines())
    site.review("release", item.id, "--route", site.route(way))
    arrived = site.come_back(2)
    assert sorted(one.recipients for one in arrived) == [["bob@example.com"], ["dora@example.com"]]
    for delivery in arrived:
        assert delivery.sender == "alice@example.org"
        assert is_as_it_came(delivery, message)
    assert not items(site.daemon)
    wait_for(lambda: len(site.daemon.message_lines()) == before + 2, "a log line for each copy")
    lines = site.daemon.message_lines()[before:]
    assert [(line["action"], line["reason"], line["quarantine"]) for line in lines] == [
        ("pass", "released", item.id)] * 2


def marked_copy(site, item):
    """What the tool sends: a message with its mark."""
    with Sink() as sink:
        site.review("release", item.id, "--route", f"smtp://127.0.0.1:{sink.port}")
        assert len(sink.deliveries) == 1
        return sink.deliveries[0].data


def test_a_copied_mark_buys_nothing(site):
    """Whoever sees a released message cannot send it, or another one, a second time."""
    site.fresh()
    assert site.send(mail(phrase("SB_NINE_NINE"))).code == 250
    message = marked_copy(site, only_item(site.daemon))
    delivery = site.deliver(message)
    assert site.log_of(delivery)["reason"] == "released"
    assert b"X-Spam" not in delivery.header
    mark = message.partition(b"\r\n")[0]
    for again in (message, mark + b"\r\n" + mail(phrase("SB_NINE_NINE")),
                  message.replace(b"near the river", b"near the bank")):
        reply = site.send(again)
        assert reply.code == 250
        line = site.daemon.message_line(reply.queue_id)
        assert (line["action"], line["reason"]) == ("quarantine", "score")
    assert len(items(site.daemon)) == 3


def test_a_mark_survives_a_restart_and_is_used_once_for_all(own_site):
    site = own_site(policy=HOLDING)
    assert site.send(mail(phrase("SB_NINE_NINE"))).code == 250
    message = marked_copy(site, only_item(site.daemon))
    crash(site.daemon)
    assert site.log_of(site.deliver(message))["reason"] == "released"
    crash(site.daemon)
    assert site.send(message).code == 250
    assert site.last_log()["action"] == "quarantine"


@pytest.fixture
def own_site():
    made = []

    def begin(**settings):
        made.append(Site(**settings))
        return made[-1].start()
    yield begin
    for site in made:
        site.close()


@pytest.mark.parametrize("way", ["smtp", "sendmail"])
def test_a_phone_call_with_the_reference(site, way):
    """Refused in SMTP, and a copy kept under the reference that the sender reads out."""
    site.fresh()
    message = mail(phrase("SB_TWENTY"))
    reply = site.send(message, recipients=["bob@example.com", "dora@example.com"])
    assert reply.code == 550
    reference = re.fullmatch(r"5\.7\.1 Message refused .*, reference (\w+)", reply.text).group(1)
    assert site.postfix.empty()
    assert "reject" in site.review("show", reference)
    site.review("release", reference, "--route", site.route(way), "--to", "dora@example.com")
    delivery, = site.come_back()
    assert delivery.recipients == ["dora@example.com"]
    assert is_as_it_came(delivery, message)
    assert only_item(site.daemon).id == reference       # the other one's copy is still there
    site.review("release", reference[:8], "--route", site.route(way))
    delivery, = site.come_back()
    assert delivery.recipients == ["bob@example.com"]
    assert not items(site.daemon)


@pytest.fixture(scope="module")
def keys():
    found = Keys()
    yield found
    found.close()


def verifies(keys, message):
    """Does a message's signature verify, by python3-dkim, from the keys' public record?"""
    record = (keys.directory / "public").read_text().partition(" ")[2].strip().encode()
    name = f"{SELECTOR}._domainkey.{DOMAIN}.".encode()
    try:
        return dkim.DKIM(message).verify(
            dnsfunc=lambda asked, **_: record if asked == name else None)
    except dkim.DKIMException:
        return False


SIGNED = [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"MIME-Version", b"X-Odd"]


@pytest.mark.parametrize("way", ["smtp", "sendmail"])
@pytest.mark.parametrize("form", ["simple/simple", "relaxed/relaxed"])
def test_signatures_still_verify(site, keys, form, way):
    """Trap 77: folds, tabs, trailing blanks, dots and eight-bit bytes, by another's verifier."""
    site.fresh()
    message = mail(phrase("SB_NINE_NINE"), b"", b".", b"..", b"caf\xe9  ", b"\ttab\t", b"x" * 900,
                   b"From here", b"", b"",
                   headers=[b"X-Odd:\r\n  first\r\n\tsecond  third", b"X-Spam-Flag: NO"])
    header, body = (part.encode() for part in form.split("/"))
    private = (keys.directory / f"{SELECTOR}.private").read_bytes()
    message = dkim.sign(message, SELECTOR.encode(), DOMAIN.encode(), private,
                        canonicalize=(header, body), include_headers=SIGNED) + message
    assert verifies(keys, message) and not verifies(keys, message.replace(b"noon", b"none"))
    assert site.send(message, arguments="BODY=8BITMIME").code == 250
    site.review("release", only_item(site.daemon).id, "--route", site.route(way))
    delivery, = site.come_back()
    assert verifies(keys, delivery.data)
    assert b"X-Spam" not in delivery.header     # removed, as from any message


REMOVED = re.compile(rb"\A[ \t]*x-(spam|rspamd)", re.I)


def without_ours(header):
    """Fields as released mail is delivered: what is removed from any message is gone."""
    return [re.sub(rb"[ \t]+\Z", b"", field) for field in fields(header)
            if not REMOVED.match(field)]


def differences(message, delivery):
    """What of a held message is not as it was."""
    head, _, body = message.partition(b"\r\n\r\n")
    if message.startswith(b"\r\n"):
        head, body = b"", message[2:]
    mine, wanted = without_ours(delivery.header), without_ours(head)
    new = len(mine) - len(wanted)
    added = {field.partition(b":")[0].decode().lower() for field in mine[:new]}
    found = sorted(added - ADDED)
    if delivery.body.rstrip(b"\r\n") != body.rstrip(b"\r\n"):
        found.append("body")
    if mine[new:] != wanted:
        found.append("header")
    return found


@pytest.mark.parametrize("way", ["smtp", "sendmail"])
def test_a_corpus_held_and_released(own_site, corpus, way):
    """In by SMTP, held, out again past the same filter: each once, and as it came.

    That the held message is what was sent, test_quarantine asserts.
    """
    site = own_site(policy=thresholds("off", "off", quarantine="-1000"), deadline="30s",
                    postfix={"settings": {"message_drop_headers": ""}})
    for name, message in corpus:
        reply = site.send(message, arguments="BODY=8BITMIME", timeout=120)
        assert reply.code == 250, (name, reply)
    held = {item.id: item.message for item in items(site.daemon)}
    assert len(held) == len(corpus) and not site.postfix.sink.deliveries
    site.review("release", "--yes", "--route", site.route(way), *held)
    arrived = {re.search(r"\bid (\w+)", delivery.all("Received")[0]).group(1): delivery
               for delivery in site.come_back(len(held))}
    wait_for(lambda: len(site.daemon.message_lines()) == 2 * len(held), "a line for each release")
    lines = site.daemon.message_lines()[len(held):]
    assert {line["reason"] for line in lines} == {"released"}
    # what arrives has no mark any more; the log tells which item it was
    wrong = {line["quarantine"]: differences(held[line["quarantine"]], arrived[line["id"]])
             for line in lines}
    assert set(wrong) == set(held) and len(arrived) == len(held) and not items(site.daemon)
    wrong = {item: found for item, found in wrong.items() if found}
    print(f"{way}: {len(held)} held and released, {len(wrong)} different")
    assert wrong == {}


def test_held_in_the_mail_servers_queue(site):
    """All of it waits there, marked; let go, it is delivered as it is, and nobody asks again."""
    site.fresh()
    reply = site.send(mail(phrase("SB_NINE_NINE")),
                      recipients=["ann@queue.example", "bob@queue.example"])
    assert reply.code == 250
    queue_id = reply.queue_id
    assert site.postfix.held() == [queue_id]
    assert b"X-Spam-Flag: YES" in site.postfix.postcat(queue_id)
    line = site.daemon.message_line(queue_id)
    assert (line["action"], line["quarantine"]) == ("hold", "-")
    site.postfix.wait_log(rf"{queue_id}: milter-hold: ")
    assert not items(site.daemon) and not site.postfix.sink.deliveries
    before = len(site.daemon.all_message_lines())
    run_tool(["/usr/sbin/postsuper", "-c", site.postfix.config, "-H", queue_id], site.postfix.log)
    site.postfix.flush()
    delivery, = site.come_back()
    assert delivery.recipients == ["ann@queue.example", "bob@queue.example"]
    assert status_of(delivery)[:3] == ("Yes", 9.9, 5.0)
    assert len(site.daemon.all_message_lines()) == before


def test_nobody_waits_for_anothers_sake(site):
    """One gets it at once, so the queue cannot hold it for the other: the directory does."""
    site.fresh()
    delivery = site.deliver(mail(phrase("SB_NINE_NINE")),
                            recipients=["ann@queue.example", "eve@open.example"])
    assert delivery.recipients == ["eve@open.example"]
    assert only_item(site.daemon).recipients == ["ann@queue.example"]
    assert not site.postfix.queued("hold")


def test_queue_and_directory(site):
    """Two who hold it, each where he says."""
    site.fresh()
    message = mail(phrase("SB_NINE_NINE"))
    reply = site.send(message, recipients=["ann@queue.example", "bob@example.com"])
    assert reply.code == 250
    queue_id = reply.queue_id
    assert site.postfix.held() == [queue_id]
    item = only_item(site.daemon)
    assert item.recipients == ["bob@example.com"] and item.message == message
    assert site.daemon.message_line(queue_id)["quarantine"] == item.id
    run_tool(["/usr/sbin/postsuper", "-c", site.postfix.config, "-H", queue_id], site.postfix.log)
    site.postfix.flush()
    delivery, = site.come_back()
    assert delivery.recipients == ["ann@queue.example"]

# SPDX-License-Identifier: BSD-2-Clause
"""The real rspamd behind the daemon: verdicts, its milter block, signatures, and moving to it."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import dkim
import pytest

from support.daemon import Daemon, Workspace, scorer_section
from support.ports import free_port
from support.postfix import Postfix
from support.process import wait_for
from support.rspamd import Rspamd
from support.spamassassin import GTUBE, Spamd, phrase
from system.chain import Chain, MailChain, mail, status_of, thresholds
from system.test_failures import Load, judge

TOP = Path(__file__).resolve().parents[2]

# Lua of rspamd: fields to add and remove, and signatures for mail of authenticated users.
MILTER_RULES = """
rspamd_config:register_symbol({
  name = 'SB_EDITS', type = 'postfilter', priority = 10,
  callback = function(task)
    if not task:get_header('X-Edit-Me') then return end
    task:set_milter_reply({
      add_headers = {['X-Checked-By'] = 'rspamd', ['X-Top'] = {order = 1, value = 'first'},
                     ['X-Spam-Status'] = 'No, says rspamd'},
      remove_headers = {['X-Edit-Me'] = 0, ['X-Three'] = 2},
    })
  end
})
rspamd_config:register_symbol({
  name = 'SB_ACTION', type = 'prefilter',
  callback = function(task)
    local wanted = task:get_header('X-Want')
    if wanted then task:set_pre_result(wanted, 'as the message wants', 'sb') end
  end
})
"""
SIGNING = """
modules { path = "/usr/share/rspamd/plugins/dkim_signing.lua"; }
dkim { }
dkim_signing {
  sign_inbound = true; sign_local = true; allow_hdrfrom_mismatch = true;
  allow_envfrom_empty = true; allow_username_mismatch = true; use_esld = false;
  domain { "example.org" { path = "@directory@/key.pem"; selector = "sel"; } }
}
"""

SEALING = """
modules { path = "/usr/share/rspamd/plugins/arc.lua"; }
dkim { }
arc {
  sign_inbound = true; sign_local = true; allow_hdrfrom_mismatch = true;
  allow_envfrom_empty = true; allow_username_mismatch = true; use_esld = false;
  use_domain = "header";
  domain { "example.org" { path = "@directory@/key.pem"; selector = "sel"; } }
}
"""


class RspamdChain(Chain):
    """A chain whose scorer is rspamd."""

    def __init__(self, rspamd=None, scorer="", policy=None, options="", sections=None, spamds=0):
        self.rspamd = Rspamd(**{"rules": MILTER_RULES, **(rspamd or {})})
        self.spamds = [Spamd() for _ in range(spamds)]
        sections = sections or (lambda chain: scorer_section(
            "rspamd", [chain.rspamd.server], "rspamd", scorer))
        daemon = Daemon(options='socket_group = "postfix"\n' + sections(self) + options,
                        policy=policy or thresholds(), deadline="10s")
        self.postfix = Postfix([daemon.address])
        MailChain.__init__(self, self.postfix, daemon, self.spamds)

    def start(self):
        try:
            self.rspamd.start()
            return super().start()
        except BaseException:
            self.close()
            raise

    def close(self):
        super().close()
        self.rspamd.close()


@pytest.fixture(name="rspamd_chain", scope="module")
def fixture_rspamd_chain():
    with RspamdChain() as found:
        yield found
        found.daemon.stop_cleanly()


@pytest.fixture(name="own")
def fixture_own():
    made = []

    def begin(**settings):
        made.append(RspamdChain(**settings))
        return made[-1].start()
    yield begin
    for found in made:
        found.close()


def test_gtube_is_refused(rspamd_chain):
    reply = rspamd_chain.send(mail(GTUBE))
    assert reply.code == 550 and reply.text.startswith("5.7.1 Message refused as spam")
    line = rspamd_chain.last_log()
    assert (line["action"], line["scorer"]) == ("reject", "rspamd")
    assert re.search(r"\bGTUBE\b", line["tests"])
    assert rspamd_chain.postfix.empty()


def test_spam_is_tagged_and_ham_is_not(rspamd_chain):
    delivery = rspamd_chain.deliver(mail(phrase("SB_SEVEN")))
    word, score, required, tests = status_of(delivery)
    assert (word, score, required) == ("Yes", 7.0, 5.0)
    assert "SB_SEVEN=7" in tests
    assert delivery.one("X-Spam-Flag") == "YES"
    assert delivery.one("X-Spam-Level") == "*******"
    assert re.fullmatch(r"rspamd \d[\d.]* on \S+", delivery.one("X-Spam-Checker-Version"))
    assert "autolearn=" in delivery.one("X-Spam-Status")
    delivery = rspamd_chain.deliver(mail())
    assert status_of(delivery)[:2] == ("No", 0.0)
    assert not delivery.all("X-Spam-Flag")


def test_its_milter_block_is_carried_out(rspamd_chain):
    delivery = rspamd_chain.deliver(mail(headers=[
        b"X-Edit-Me: a", b"X-Three: 1", b"X-Edit-Me: b", b"X-Three: 2", b"X-Three: 3",
        b"X-Spam-Status: No, forged", b"X-Top: last"]))
    assert delivery.one("X-Checked-By") == "rspamd"
    assert delivery.all("X-Top") == ["first", "last"]
    assert delivery.all("X-Edit-Me") == []
    assert delivery.all("X-Three") == ["1", "3"]
    assert status_of(delivery)[0] == "No"    # and there is only one


def test_messages_without_anything_are_scored(rspamd_chain):
    """No header, no body, no Message-ID: rspamd has read them all the same."""
    plain = mail()
    for message in (b"", b"\r\n", b"\r\njust a body\r\n", plain.partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
                    re.sub(rb"Message-ID: .*\r\n", b"", plain)):
        delivery = rspamd_chain.deliver(message)
        assert status_of(delivery)[0] == "No"


def test_a_crowd_of_long_recipients(rspamd_chain):
    """More than the header of a request may hold: not all are named, and the mail is scored."""
    crowd = [f"bob+{number:03}{'x' * 57}@example.com" for number in range(990)]
    reply = rspamd_chain.send(mail(phrase("SB_SEVEN")), recipients=crowd)
    assert reply.code == 250
    line = rspamd_chain.last_log()
    assert (line["score"], line["to"].partition(",")[0]) == ("7.0", "990")
    rspamd_chain.arrived(reply)


@pytest.mark.parametrize("action,code,text", [
    ("soft reject", 451, "4.7.1 as the message wants"), ("reject", 550, "5.7.1 as the message wants"),
    ("add header", 250, ""), ("no action", 250, ""), ("greylist", 250, "")])
def test_a_trusted_action(own, action, code, text):
    chain = own(scorer="trust_action = true")
    reply = chain.send(mail(headers=[b"X-Want: " + action.encode()]))
    assert reply.code == code and reply.text.startswith(text or "2.0.0")
    assert chain.last_log()["reason"] == "action"
    if code == 250:
        assert bool(chain.arrived(reply).all("X-Spam-Flag")) == (action == "add header")


def make_key():
    """(private key in PEM, DNS record) of a new DKIM key."""
    with Workspace() as place:
        return _make_key(place.file("key.pem"))


def _make_key(path):
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", path, "2048"], check=True,
                   capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", path, "-pubout"], check=True,
                            capture_output=True, text=True).stdout
    record = "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1])
    return Path(path).read_text(encoding="ascii"), record.encode()


@pytest.mark.parametrize("transport", ["http", "unix"])
def test_dkim_signatures_hold(own, transport):
    """The signature that rspamd makes verifies on the message as it is delivered."""
    key, record = make_key()
    signer = {"filters": "dkim", "config": SIGNING, "files": {"key.pem": key}}
    chain = own(rspamd=signer, sections=lambda chain: scorer_section("rspamd", [
        chain.rspamd.unix_server if transport == "unix" else chain.rspamd.server], "rspamd"))
    for body in (b"plain", b"", b"caf\xc3\xa9", b".\r\n..\r\n", b"trailing blanks   \r\n\r\n\r\n"):
        delivery = chain.deliver(mail(body, headers=[
            b"X-Spam-Flag: NO", b"X-Odd:  two  blanks\r\n\tand a fold"]))
        assert len(delivery.all("DKIM-Signature")) == 1
        assert dkim.verify(delivery.data, dnsfunc=lambda name, timeout=5: record)
        forged = delivery.data.replace(b"Lunch", b"Lynch")
        assert not dkim.verify(forged, dnsfunc=lambda name, timeout=5: record)


@pytest.mark.parametrize("transport", ["http", "unix"])
def test_arc_seals_hold(own, transport):
    """The ARC set that rspamd makes for forwarders verifies on the message as it is delivered."""
    key, record = make_key()
    sealer = {"filters": "dkim", "config": SEALING, "files": {"key.pem": key}}
    chain = own(rspamd=sealer, sections=lambda chain: scorer_section("rspamd", [
        chain.rspamd.unix_server if transport == "unix" else chain.rspamd.server], "rspamd"))

    def verdict(message):
        return dkim.arc_verify(message, dnsfunc=lambda name, timeout=5: record)[0]
    for body in (b"plain", b"", b"caf\xc3\xa9", b".\r\n..\r\n", b"trailing blanks   \r\n\r\n\r\n"):
        delivery = chain.deliver(mail(body, headers=[
            b"X-Spam-Flag: NO", b"X-Odd:  two  blanks\r\n\tand a fold"]))
        for name in ("ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"):
            assert len(delivery.all(name)) == 1, (name, chain.rspamd.log())
        assert verdict(delivery.data) == dkim.CV_Pass
        assert verdict(delivery.data.replace(b"Lunch", b"Lynch")) == dkim.CV_Fail


def both_sections(chain):
    """rspamd first, spamd where rspamd is down."""
    return (scorer_section("rspamd", [chain.rspamd.server], "rspamd")
            + scorer_section("spamassassin", [one.server for one in chain.spamds], "spamd"))


def test_both_engines_write_the_same_set(own):
    """The same message scored by both: the same fields in the same form."""
    chain = own(spamds=1, sections=both_sections)
    by_rspamd = chain.deliver(mail(phrase("SB_SEVEN")))
    chain.rspamd.kill()
    chain.send(mail())      # finds that it is gone
    by_spamd = chain.deliver(mail(phrase("SB_SEVEN")))
    assert [chain.log_of(one)["scorer"] for one in (by_rspamd, by_spamd)] == [
        "rspamd", "spamassassin"]
    # SpamAssassin's administrator may add more, Debian's adds a report
    ours = [[name for name, _ in one.fields if name.startswith(b"X-Spam") and
             name != b"X-Spam-Report"] for one in (by_rspamd, by_spamd)]
    assert ours[0] == ours[1] == [b"X-Spam-Checker-Version", b"X-Spam-Flag", b"X-Spam-Level",
                                  b"X-Spam-Status"]
    shape = re.compile(r"Yes, score=7\.0 required=5\.0 tests=.*SB_SEVEN.* "
                       r"autolearn=\S+ (autolearn_force=\S+ )?version=\d[\d.]*")
    for one in (by_rspamd, by_spamd):
        assert shape.fullmatch(one.one("X-Spam-Status")), one.one(
            "X-Spam-Status")
        assert one.one("X-Spam-Level") == "*******"


def test_from_one_engine_to_the_other_and_back_under_load(own):
    """rspamd is killed and started again while mail flows, each with a rule of its own: nothing is
    lost, every message has its own verdict, and each engine gave some."""
    chain = own(spamds=1, sections=both_sections)
    load = Load(chain, most=20000, senders=4)
    load.start()

    def scored_by(name, since):
        lines = chain.daemon.message_lines()[since:]
        assert not load.errors, load.errors
        return sum(line["scorer"] == name for line in lines) >= 15
    try:
        for change, name in ((lambda: None, "rspamd"), (chain.rspamd.kill, "spamassassin"),
                             (chain.rspamd.start, "rspamd"), (chain.rspamd.kill, "spamassassin"),
                             (chain.rspamd.start, "rspamd")):
            change()
            since = len(chain.daemon.message_lines())
            wait_for(lambda: scored_by(name, since), f"scores by {name}")  # pylint: disable=W0640
    finally:
        replies = load.stop()
    assert len(replies) >= 75 and {reply.code for reply in replies.values()} == {250}
    assert judge(chain, replies) == (len(replies), 0)
    assert len(chain.daemon.all_message_lines()) == len(replies)


def test_a_frozen_rspamd(own):
    """F12: the deadline holds, and what comes after it is given to no other message."""
    chain = own(policy=thresholds("off", "off"))
    chain.daemon.write_config(chain.daemon.config.replace("deadline = 10s", "deadline = 1s"))
    chain.daemon.reload()
    chain.daemon.wait_log("reload")
    chain.rspamd.freeze()
    delivery = chain.deliver(mail(phrase("SB_SEVEN")))
    assert delivery.one("X-Spam-Status") == "Unscanned, reason=timeout"
    assert int(chain.log_of(delivery)["total_ms"]) < 1100
    chain.rspamd.thaw()
    chain.daemon.wait_log(lambda line: line.endswith(" answers"))
    scores = {"SB_THREE": 3.0, "SB_MINUS_FOUR": -4.0, "SB_SEVEN": 7.0}
    for _ in range(5):
        for name, score in scores.items():
            assert status_of(chain.deliver(mail(phrase(name))))[1] == score


SPAMMY = ("lottery winner pills casino discount refinance mortgage jackpot prize billion "
          "inheritance diploma replica enlargement guaranteed unsubscribe")
HAMMY = ("agenda minutes quarterly committee schedule colleague draft chapter library "
         "compiler release patch review branch attached regards")


class Bogofilter:
    """contrib/bogofilter-service with a word list that knows what spam is."""

    def __init__(self):
        self.place = Workspace()
        for flag, words in (("-s", SPAMMY), ("-n", HAMMY)):
            for number in range(20):
                text = f"Subject: {words}\n\n{words} number {number} {words}\n"
                subprocess.run(["bogofilter", flag, "-d", self.place.path], input=text.encode(),
                               check=True)
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, str(TOP / "contrib" / "bogofilter-service"), "--listen",
             f"127.0.0.1:{self.port}", "--directory", self.place.path],
            stdout=subprocess.PIPE, text=True)
        assert "listening" in self.process.stdout.readline()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.process.stdout.close()
        self.place.remove()


@pytest.mark.skipif(shutil.which("bogofilter") is None, reason="bogofilter is not installed")
def test_bogofilter(own_chain):
    """The shipped service and the shipped configuration, with the real bogofilter."""
    service = Bogofilter()
    try:
        example = (TOP / "contrib" / "examples" / "bogofilter.conf").read_text(encoding="ascii")
        chain = own_chain(spamds=1)
        chain.daemon.write_config(re.sub(
            r'(?s)scorer "x" \{.*?\n\}\n', example.replace("8026", str(service.port)),
            chain.daemon.config))
        chain.daemon.reload()
        chain.daemon.wait_log("reload")
        delivery = chain.deliver(mail(SPAMMY.encode()))
        word, score, _, tests = status_of(delivery)
        assert (word, tests) == ("Yes", {"BOGOFILTER_SPAM"}) and score > 9
        assert re.fullmatch(r"bogofilter 1\.\S+ on \S+", delivery.one("X-Spam-Checker-Version"))
        assert chain.log_of(delivery)["scorer"] == "bogofilter"
        word, score, _, tests = status_of(chain.deliver(mail(HAMMY.encode())))
        assert (word, tests) == ("No", {"BOGOFILTER_HAM"}) and score < 1
    finally:
        service.close()

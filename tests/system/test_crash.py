# SPDX-License-Identifier: BSD-2-Clause
"""kill -9 of the daemon under load (fault F23): what was answered is delivered or held, complete.

The senders try again until their message is accepted or refused, as mail servers do, and write
down every answer. Afterwards each message is looked for in the sink and in the quarantine. The
scorer is a scripted one: with a real spamd nearly every kill would hit a scan, and hardly any the
store. SPAMBRIDGE_KILLS sets how often the daemon is killed.
"""

import collections
import os
import random
import threading

import pytest

from support.badscorer import ScorerProcess
from support.process import wait_until
from support.smtp import SmtpError
from system.chain import crash, mail, thresholds
from system.items import items, unfinished

pytestmark = pytest.mark.outages

KILLS = int(os.environ.get("SPAMBRIDGE_KILLS", "200"))
SENDERS = 8
# How long a daemon lives: this many final answers and a moment more, which ends within a scan, a
# write or an answer, whichever it hits; or so long if nothing gets through.
MOST_ANSWERS = 6
LONGEST_MOMENT_S = 0.02
LONGEST_LIFE_S = 1.0
RETRY_S = 0.02
POLICY = thresholds(quarantine="8", more="keep_rejected = 1d")
OPTIONS = """
on_failure = tempfail
late_verdicts = off
domain "open.example" { tag = off  quarantine = off  reject = off }
"""
KINDS = [      # score, domains, code, who is delivered to, who is held
    (1.0, ["example.com"], 250, ["example.com"], []),
    (9.9, ["example.com"], 250, [], ["example.com"]),
    (9.9, ["example.com", "open.example"], 250, ["open.example"],
     ["example.com"]),
    (20.0, ["example.com"], 550, [], ["example.com"]),
]


class Sent:
    """One message and the answers that it got until one was final."""

    def __init__(self, number):
        self.number = number
        self.kind = KINDS[number % len(KINDS)]
        self.message = mail(*[b"x" * 70] * (number % 7 * 200), subject=f"number {number}",
                            headers=[b"X-Test-Score: %.1f" % self.kind[0]])
        self.recipients = self.addresses(self.kind[1])
        self.answers = []

    def addresses(self, domains):
        return [f"user{self.number}@{domain}" for domain in domains]


class Senders:
    """Threads that send new messages until stop(), each until its final answer."""

    def __init__(self, chain):
        self.chain = chain
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.never = threading.Event()
        self.sent = []
        self.final = 0
        self.errors = []
        self.threads = [threading.Thread(target=self._run) for _ in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)
        assert not self.errors, self.errors
        return self.sent

    def _run(self):
        try:
            while not self.stopping.is_set():
                with self.lock:
                    one = Sent(len(self.sent))
                    self.sent.append(one)
                while not self._try(one):
                    self.never.wait(RETRY_S)
                with self.lock:
                    self.final += 1
        except Exception as error:      # noqa: BLE001: a thread's failure must reach the test
            self.errors.append(error)

    def _try(self, one):
        try:
            with self.chain.session(60) as client:
                reply = client.transaction(one.message, "alice@example.org", one.recipients)
        except (OSError, SmtpError) as error:
            one.answers.append(error)
            return False
        one.answers.append(reply)
        return reply.code in (250, 550)


def kill_again_and_again(chain, senders):
    life = random.Random(1)
    for _ in range(KILLS):
        enough = senders.final + life.randint(0, MOST_ANSWERS)
        wait_until(lambda: senders.final >= enough, LONGEST_LIFE_S)     # noqa: B023
        senders.never.wait(life.uniform(0, LONGEST_MOMENT_S))
        crash(chain.daemon)
        assert not senders.errors, senders.errors


def look_for(one, delivered, held):
    """Every recipient has what the last answer promised; returns how many copies are too many."""
    reply = one.answers[-1]
    _, _, code, open_domains, held_domains = one.kind
    assert reply.code == code, f"{one.number}: {one.answers}"
    places = one.addresses(open_domains)
    assert {recipient: len(delivered[recipient]) >= 1 for recipient in places} == dict.fromkeys(
        places, True), f"{one.number} is lost: {one.answers}"
    for recipient in one.addresses(held_domains):
        assert recipient not in delivered, f"{one.number} reached who did not want it"
        assert held[recipient], f"{one.number} is lost: {one.answers}"
        assert all(item.message == one.message for item in held[recipient])
    if code == 550:
        reference = reply.text.rpartition(" ")[2]
        assert any(item.id == reference for item in held[one.recipients[0]]), reply
    copies = sum(len(delivered[recipient]) for recipient in places) + sum(
        len(held[recipient]) for recipient in one.addresses(held_domains))
    extra = copies - len(places) - len(held_domains)
    assert extra < len(one.answers), f"{one.number}: {copies} copies of {one.answers}"
    return extra


def copies_by_recipient(chain, sent):
    """{recipient: deliveries} and {recipient: items}, when all that is promised has arrived."""
    delivered, held = collections.defaultdict(list), collections.defaultdict(list)
    expected = {recipient for one in sent for recipient in one.addresses(one.kind[3])}
    sink = chain.mta.sink
    wait_until(lambda: expected <= {recipient for delivery in sink.deliveries[:]
                                    for recipient in delivery.recipients}, 60)
    for delivery in sink.deliveries:
        for recipient in delivery.recipients:
            delivered[recipient].append(delivery)
    for item in items(chain.daemon):        # each is whole, or this fails
        for recipient in item.recipients:
            held[recipient].append(item)
    return delivered, held


@pytest.fixture
def scorer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scorer")
    with ScorerProcess(folder) as found:
        yield found


def test_killed_under_load(either, scorer):
    chain = either(policy=POLICY, options=OPTIONS, spamds=0, servers=[scorer.listen("good")])
    senders = Senders(chain)
    kill_again_and_again(chain, senders)
    sent = senders.stop()
    delivered, held = copies_by_recipient(chain, sent)
    extra = sum(look_for(one, delivered, held) for one in sent)
    retried = sum(len(one.answers) > 1 for one in sent)
    assert retried >= KILLS / 4, "the kills hit nobody"
    print(f"{KILLS} kills, {len(sent)} messages, {retried} tried again, 0 lost, 0 torn, "
          f"{extra} copies too many, {len(unfinished(chain.daemon))} unfinished files")
    chain.daemon.stop_cleanly()

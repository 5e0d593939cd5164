# SPDX-License-Identifier: BSD-2-Clause
"""Outages under load through real mail servers: nothing is lost, no verdict goes to another mail."""

import threading
import time

import pytest

from support.spamassassin import phrase
from support.timing import by_deadline
from system.chain import mail, status_of
from system.test_failures import Load, judge, own_mark, scored_lines, wait_scored_lines

pytestmark = pytest.mark.outages

DEADLINE_MS = 2000


def slowest_ms(chain):
    return max(int(line["total_ms"]) for line in chain.daemon.message_lines())


def unscored_lines(chain):
    return sum(line["score"] == "-" for line in chain.daemon.message_lines())


def wait_unscored_lines(load, count, timeout=60):
    end = time.monotonic() + timeout
    while unscored_lines(load.chain) < count:
        assert not load.errors, load.errors
        assert time.monotonic() < end, "\n".join(load.chain.daemon.lines[-20:])
        time.sleep(0.01)


@pytest.mark.parametrize("on_failure", ["accept", "tempfail"])
def test_spamd_frozen_and_thawed_under_load(either, on_failure):
    """F12: SIGSTOP and SIGCONT, three times: answers in time, no verdict mixed up, none lost."""
    chain = either(deadline=f"{DEADLINE_MS}ms", options=f"on_failure = {on_failure}",
                      spamd={"children": 3}, scorer="max_connections = 3")
    load = Load(chain, most=20000)
    load.start()
    for _ in range(3):
        wait_scored_lines(load, scored_lines(chain) + 10)
        chain.spamd.freeze()
        wait_unscored_lines(load, unscored_lines(chain) + 8)
        chain.spamd.thaw()
    wait_scored_lines(load, scored_lines(chain) + 10)
    replies = load.stop()
    allowed = {250} if on_failure == "accept" else {250, 451}
    assert {reply.code for reply in replies.values()} <= allowed
    scored, unscanned = judge(chain, replies)
    assert scored >= 40
    assert on_failure == "accept" or unscanned == 0
    by_deadline(slowest_ms(chain) / 1000, DEADLINE_MS / 1000)
    chain.daemon.stop_cleanly()


@pytest.mark.parametrize("how", ["freeze", "kill"])
def test_one_of_two_fails_under_load(either, how):
    """With a second spamd no mail goes unscanned: fail-over and hedging."""
    chain = either(deadline="15s", spamds=2, spamd={"children": 3},
                      scorer="max_connections = 3\n\thedge_after = 500ms")
    load = Load(chain, most=20000, senders=3)
    load.start()
    for one in chain.spamds:
        wait_scored_lines(load, scored_lines(chain) + 10)
        getattr(one, how)()
        wait_scored_lines(load, scored_lines(chain) + 20)
        if how == "freeze":
            one.thaw()
        else:
            one.start()
    wait_scored_lines(load, scored_lines(chain) + 10)
    replies = load.stop()
    assert {reply.code for reply in replies.values()} == {250}
    assert judge(chain, replies) == (len(replies), 0)
    chain.daemon.stop_cleanly()


def test_retry_gets_the_late_verdict(either):
    """The sender tries again after a 451, and the verdict that came meanwhile answers it."""
    chain = either(deadline="1s", options="on_failure = tempfail")
    chain.spamd.freeze()
    message = mail(phrase("SB_SEVEN"))
    reply = chain.send(message)
    assert reply.code == 451
    chain.spamd.thaw()
    assert "score 7000/1000" in chain.daemon.wait_log("a late verdict came")
    chain.spamd.freeze()        # nobody can be asked now
    delivery = chain.deliver(message)
    assert status_of(delivery)[:2] == ("Yes", 7.0)
    assert chain.log_of(delivery)["reason"] == "late"
    chain.spamd.thaw()


def test_progress_keeps_postfix_waiting(own_chain):
    """A scan of twice milter_content_timeout: Postfix hears that we are still there."""
    chain = own_chain(deadline="20s", postfix={"content_timeout": "3s"})
    chain.spamd.freeze()
    thaw = threading.Timer(6, chain.spamd.thaw)
    thaw.start()
    began = time.monotonic()
    delivery = chain.deliver(mail(b"sbmark-0042"))
    assert time.monotonic() - began > 5
    assert own_mark(delivery, 42)
    thaw.join()


def test_extra_sessions_are_put_off(either):
    """max_sessions: the mail server answers its client with 451, and the client may come again."""
    chain = either(options="max_sessions = 1")
    with chain.session(30) as first:
        reply = first.transaction(mail(), "alice@example.org", ["bob@example.com"])
        assert reply.code == 250
        second = chain.send(mail())
        assert second.code == 451, second
    chain.daemon.wait_log("max_sessions")
    end = time.monotonic() + 60
    while chain.send(mail()).code != 250:
        assert time.monotonic() < end


def test_daemon_restarted_under_load(either):
    """F35: a restart at full load loses no mail; what is not answered is tried again."""
    chain = either(deadline="5s", spamd={"children": 3}, scorer="max_connections = 3")
    load = Load(chain, most=20000)
    load.start()
    scored = 0
    for _ in range(3):
        wait_scored_lines(load, scored_lines(chain) + 10)
        chain.daemon.stop_cleanly()
        scored += len(chain.daemon.message_lines())
        chain.daemon.start()
    wait_scored_lines(load, scored_lines(chain) + 10)
    replies = load.stop()
    assert {reply.code for reply in replies.values()} <= {250, 451}
    assert judge(chain, replies)[0] >= 40
    assert scored
    chain.daemon.stop_cleanly()


def test_reloads_under_load(either):
    """F35: reloads lose and mix nothing."""
    chain = either(deadline="15s", spamd={"children": 3}, scorer="max_connections = 3")
    load = Load(chain, most=20000)
    load.start()
    for _ in range(10):
        wait_scored_lines(load, scored_lines(chain) + 5)
        chain.daemon.reload()
    replies = load.stop()
    assert {reply.code for reply in replies.values()} == {250}
    assert judge(chain, replies) == (len(replies), 0)
    chain.daemon.stop_cleanly()

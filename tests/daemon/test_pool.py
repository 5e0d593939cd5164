# SPDX-License-Identifier: BSD-2-Clause
"""The scorer pool: who is asked, who waits, who is set aside, and how soon it is back."""

import re
import threading
import time

import pytest
from support import checks, ports
from support.daemon import scorer_section
from support.messages import make
from support.mta import Session, burst, send
from support.timing import by_deadline, in_time, timely

POLICY = "tag = 5.0\nquarantine = off\nreject = off"
PROTOCOLS = ["spamd", "rspamd", "json"]


def score_of(outcome):
    """The score in the header, None for a message that was not scanned."""
    value = outcome.header("X-Spam-Status") or ""
    return None if "Unscanned" in value else checks.status(outcome)["score"]


def held(daemon, *messages):
    """Sessions whose ends of message were sent, in this order."""
    sessions = []
    for raw in messages:
        session = Session(daemon.address)
        session.greet()
        session.prepare(raw)
        session.milter.send_eom()
        sessions.append(session)
    return sessions


def finish(sessions):
    for session in sessions:
        session.milter.wait_verdict()
        session.close()


def server_state(daemon, number=0):
    return daemon.status()["servers"][number]


def set_aside_lines(daemon):
    return [line for line in daemon.lines if "is set aside" in line]


def test_least_busy_first(start, scorer):
    """While one server has a message in hand, the others go to the idle one."""
    gate = threading.Event()
    servers = [scorer.listen(name, gate=gate) for name in "ab"]
    daemon = start(servers, deadline="60s")
    slow = held(daemon, make(headers=[b"X-Test-Gated: yes"]))
    assert ports.wait_until(lambda: len(scorer.requests()) == 1)
    busy = scorer.requests()[0].listener
    for _ in range(6):
        send(daemon.address, make())
    idle = {"a": "b", "b": "a"}[busy]
    assert [request.listener for request in scorer.requests()[1:]] == [idle] * 6
    gate.set()
    finish(slow)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_load_is_shared(start, scorer, protocol):
    servers = [scorer.listen(name, protocol=protocol, seconds=1.0) for name in "abc"]
    daemon = start(servers, protocol=protocol, deadline="20s", scorer="max_connections = 5")
    outcomes = burst(daemon.address, [make()] * 15, freeze=daemon.pid())
    assert {score_of(outcome) for outcome in outcomes} == {"1.3"}
    assert [len(scorer.requests(name)) for name in "abc"] == [5, 5, 5]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("slots", [1, 4])
def test_slots_of_each_server(start, scorer, slots, protocol):
    """Trap 63: never more connections to a server than its max_connections, counted there."""
    servers = [scorer.listen(name, protocol=protocol, seconds=0.2) for name in "ab"]
    daemon = start(servers, protocol=protocol, deadline="30s", scorer=f"max_connections = {slots}")
    outcomes = burst(daemon.address, [make()] * 30, freeze=daemon.pid())
    assert {score_of(outcome) for outcome in outcomes} == {"1.3"}
    assert [scorer.peak(name) for name in "ab"] == [slots, slots]


@pytest.mark.brisk
def test_queue_is_first_come_first_served(start, scorer):
    """One slot: the scorer sees the messages in the order in which their ends came."""
    gate = threading.Event()
    server = scorer.listen("a", gate=gate)
    daemon = start([server], deadline="60s", scorer="max_connections = 1")
    first = held(daemon, make(headers=[b"X-Test-Gated: yes"]))
    assert ports.wait_until(lambda: len(scorer.requests()) == 1)
    sessions = []
    for number in range(8):
        sessions += held(daemon, make(subject=f"number {number}"))
        assert ports.wait_until(lambda n=number: server_state(daemon)["waiting"] == n + 1)
    gate.set()
    finish(first + sessions)
    subjects = [request.message.partition(b"Subject: ")[2].partition(b"\r\n")[0]
                for request in scorer.requests()[1:]]
    assert subjects == [b"number %d" % number for number in range(8)]


def test_queue_that_cannot_be_served_is_answered_at_once(start, scorer):
    """Five seconds are two scans of two seconds: the third in the queue is told so at once."""
    server = scorer.listen("a", seconds=2.0)
    daemon = start([server], deadline="5s", scorer="max_connections = 1")
    assert score_of(send(daemon.address, make())) == "1.3"      # now it knows how long a scan takes
    outcomes = burst(daemon.address, [make()] * 20)
    reasons = [None if score_of(outcome) else checks.unscanned_reason(outcome)
               for outcome in outcomes]
    at_once = [outcome for outcome in outcomes if outcome.seconds < 1.0]
    timely(len(at_once) >= 17, len(at_once))
    assert {checks.unscanned_reason(outcome) for outcome in at_once} == {"overloaded"}
    timely(reasons.count(None) == 2, reasons)
    by_deadline(max(outcome.seconds for outcome in outcomes), 5.0)


@pytest.mark.timed
def test_a_crowd_that_came_before_anybody_knew(start, scorer_process):
    """The first answer tells how long a scan takes: who has no chance is told so then."""
    server = scorer_process.listen("a", seconds=0.4)
    daemon = start([server], deadline="3s", scorer="max_connections = 2")
    outcomes = burst(daemon.address, [make()] * 100)
    at_once = [outcome for outcome in outcomes if outcome.seconds < 1.5 and not score_of(outcome)]
    timely(len(at_once) >= 60, len(at_once))
    assert {checks.unscanned_reason(outcome) for outcome in at_once} == {"overloaded"}
    scored = len([outcome for outcome in outcomes if score_of(outcome)])
    timely(scored >= 12, scored)
    by_deadline(max(outcome.seconds for outcome in outcomes), 3.0)


def test_nobody_waits_behind_a_crowd_for_nothing(start, scorer):
    """Once the crowd is gone, the next message is scored as ever."""
    server = scorer.listen("a", seconds=0.5)
    daemon = start([server], deadline="1s", scorer="max_connections = 1")
    send(daemon.address, make())
    burst(daemon.address, [make()] * 10)
    assert ports.wait_until(lambda: score_of(send(daemon.address, make())) == "1.3")


@pytest.mark.brisk
@pytest.mark.parametrize("how", ["refused", "reset", "nonsense", "error", "hangs up"])
def test_fails_over_while_time_is_left(start, scorer, how):
    """A server that fails costs no message its score."""
    behaviours = {"reset": "rst_at", "nonsense": "garbage", "error": "error_76",
                  "hangs up": "hang_up"}
    servers = [f"tcp://127.0.0.1:{ports.free_port()}" if how == "refused" else
               scorer.listen("bad", behaviour=behaviours[how]), scorer.listen("good")]
    daemon = start(servers, deadline="5s", scorer="hedge_after = off")
    for _ in range(6):
        outcome = send(daemon.address, make(headers=[b"X-Test-At: 10"]))
        assert score_of(outcome) == "1.3"
        in_time(outcome.seconds, 1)


def test_hedge_takes_the_first_good_answer(start, scorer):
    """The hedge is slower than the first server after all: the first one's answer counts."""
    servers = [scorer.listen("a", seconds=0.8, score="2.0"),
               scorer.listen("b", seconds=3.0, score="3.0")]
    daemon = start(servers, deadline="10s", scorer="hedge_after = 200ms", policy=POLICY)
    outcome = send(daemon.address, make())
    timely(len(scorer.requests()) == 2, "not hedged")
    assert score_of(outcome) == "2.0" and outcome.seconds > 0.7
    in_time(outcome.seconds, 2)


def test_hedge_of_a_silent_server_sets_it_aside(start, scorer):
    """A server that was silent while another one answered is not asked again until it answers."""
    servers = [scorer.listen("mute", behaviour="silent", ping=False), scorer.listen("good")]
    daemon = start(servers, deadline="5s", scorer="hedge_after = 300ms")
    outcomes = [send(daemon.address, make()) for _ in range(8)]
    assert {score_of(outcome) for outcome in outcomes} == {"1.3"}
    assert len(scorer.requests("mute")) == 1
    daemon.wait_log("is set aside")
    assert len(set_aside_lines(daemon)) == 1


def test_pauses_between_probes_grow(start, scorer):
    """A dead server is asked again and again, but ever less often: at most five times in 2 s."""
    server = scorer.listen("a", behaviour="hang_up")
    daemon = start([server], deadline="1s")
    while not set_aside_lines(daemon):
        assert score_of(send(daemon.address, make())) is None
    probes = len(scorer.times("a"))
    assert ports.wait_until(lambda: len(scorer.times("a")) >= probes + 9, timeout=60)
    times = scorer.times("a")[probes - 1:]
    gaps = [later - sooner for sooner, later in zip(times[1:], times[2:])]
    in_time(gaps[0], 0.2, gaps)
    timely(min(gaps[-3:]) >= 0.39, gaps)
    assert not scorer.requests()


def test_messages_do_not_hammer_a_dead_server(start, scorer):
    """While it is set aside, no message goes there: only probes do."""
    server = scorer.listen("a", behaviour="hang_up")
    daemon = start([server], deadline="1s")
    while not set_aside_lines(daemon):
        send(daemon.address, make())
    before, began = scorer.accepted("a"), time.monotonic()
    for _ in range(300):
        send(daemon.address, make())
    probes = scorer.accepted("a") - before
    assert probes <= 8 + (time.monotonic() - began) / 0.35


def test_ping_without_work_does_not_hammer(start, scorer):
    """A server that answers every probe and no message is tried with growing pauses as well."""
    server = scorer.listen("a", behaviour="rst_at")
    daemon = start([server], deadline="1s")
    began = time.monotonic()
    while time.monotonic() - began < 3:
        send(daemon.address, make(headers=[b"X-Test-At: 0"]))
    asked = len(scorer.requests("a"))
    assert asked <= 3 * 25, asked


@pytest.mark.parametrize("how", ["refused", "hangs up", "silent"])
def test_quick_return(start, scorer, how):
    """F13: at most one second from the server's return to the first scored message."""
    server = scorer.listen("a", score="7.3")
    port = int(server.rsplit(":", 1)[1])
    daemon = start([server], deadline="500ms")
    timely(score_of(send(daemon.address, make())) == "7.3")
    if how == "refused":
        scorer.refuse("a")
    else:
        scorer.become("a", "hang_up" if how == "hangs up" else "mute")
    while not set_aside_lines(daemon):
        assert score_of(send(daemon.address, make())) is None
    until = time.monotonic() + 1.5      # by then the pauses are as long as they get
    while time.monotonic() < until:
        assert score_of(send(daemon.address, make())) is None
    if how == "refused":
        scorer.listen("a", port=port, score="7.3")
    else:
        scorer.become("a", "correct", score="7.3")
        scorer.clear()
    began = time.monotonic()
    assert ports.wait_until(lambda: score_of(send(daemon.address, make())), step=0.02)
    in_time(time.monotonic() - began, 1.0)


@pytest.mark.parametrize("behaviour", ["garbage", "status_only", "rst_at", "error_76"])
def test_one_odd_message_sets_nobody_aside(start, scorer, behaviour):
    """A message that a scorer chokes on is that message's trouble; others go on being scored."""
    servers = [scorer.listen("a"), scorer.listen("b")]
    daemon = start(servers, deadline="3s")
    odd = make(headers=[b"X-Test-Behaviour: " + behaviour.encode(), b"X-Test-At: 0"])
    for _ in range(4):
        assert score_of(send(daemon.address, odd)) is None
        for _ in range(4):
            assert score_of(send(daemon.address, make())) == "1.3"
    assert not set_aside_lines(daemon)


def test_failures_are_said_once_and_counted(start, scorer):
    """The first failure is loud, those that follow are counted, and the count is said."""
    server = scorer.listen("a")
    daemon = start([server], deadline="3s")
    odd = make(headers=[b"X-Test-Behaviour: garbage"])
    for _ in range(20):
        send(daemon.address, odd)
        assert score_of(send(daemon.address, make())) == "1.3"
    daemon.stop_cleanly()
    said = [line for line in daemon.lines if f"scorer x: server {server} failed: " in line]
    assert len(said) == 1
    counted = daemon.wait_log("the failure was repeated")
    assert re.search(r"was repeated 19 times in \d+ s, now it is asked: ", counted), counted


def test_that_nobody_is_left_is_an_error(start, scorer):
    """What the administrator must know at once: from now on on_failure decides."""
    servers = [scorer.listen("a"), scorer.listen("b")]
    daemon = start(servers, deadline="1s")
    scorer.refuse("a")
    for _ in range(2):
        send(daemon.address, make())
    daemon.wait_log("is set aside")
    assert not [line for line in daemon.lines if "no server of any scorer" in line]
    scorer.refuse("b")
    send(daemon.address, make())
    assert "error: no server of any scorer answers" in daemon.wait_log("no server of any scorer")


@pytest.mark.brisk
def test_one_slow_message_sets_nobody_aside(start, scorer):
    """A server that answers others meanwhile is not silent."""
    server = scorer.listen("a")
    daemon = start([server], deadline="600ms")
    slow = held(daemon, make(headers=[b"X-Test-Behaviour: silent"]))
    assert ports.wait_until(lambda: len(scorer.requests()) == 1)
    timely(score_of(send(daemon.address, make())) == "1.3")
    finish(slow)
    timely(score_of(send(daemon.address, make())) == "1.3")
    assert not set_aside_lines(daemon)


def test_scorer_sections_are_asked_in_order(start, scorer):
    """The next scorer is asked when the first has no healthy server, and only then."""
    first = scorer.listen("first", score="1.0")
    second = scorer.listen("second", score="2.0")
    port = int(first.rsplit(":", 1)[1])
    daemon = start([first], deadline="3s")
    daemon.write_config(daemon.config.replace(
        'scorer "x"', scorer_section("w", [first]) + 'scorer "y"').replace(
            f'protocol = spamd\n\tservers = {{ "{first}" }}\n\t\n}}\npolicy',
            f'protocol = spamd\n\tservers = {{ "{second}" }}\n\t\n}}\npolicy'))
    daemon.reload()
    daemon.wait_log("configuration reloaded")
    assert score_of(send(daemon.address, make())) == "1.0"
    assert not scorer.requests("second")
    scorer.refuse("first")
    for _ in range(4):
        assert score_of(send(daemon.address, make(), queue_id="4SECOND")) == "2.0"
    assert daemon.message_line("4SECOND")["scorer"] == "y"
    scorer.listen("first", port=port, score="1.0")
    assert ports.wait_until(lambda: score_of(send(daemon.address, make())) == "1.0")


def test_second_scorer_when_the_first_turns_out_bad(start, scorer):
    """The message that finds out goes on to the next scorer itself."""
    bad = scorer.listen("bad", behaviour="garbage")
    good = scorer.listen("good", score="2.0")
    daemon = start([bad], deadline="3s")
    daemon.write_config(daemon.config.replace(
        "policy {", scorer_section("y", [good]) + "policy {", 1))
    daemon.reload()
    daemon.wait_log("configuration reloaded")
    assert score_of(send(daemon.address, make())) == "2.0"

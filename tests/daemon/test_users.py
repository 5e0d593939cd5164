# SPDX-License-Identifier: BSD-2-Clause
"""Each recipient by its own score: one scan for each user of spamd, side by side (traps 49, 55)."""

import os
import threading

import pytest
from support import badspamd, checks, ports
from support.messages import make
from support.mta import burst, send
from support.timing import by_deadline, in_time, timely

BY_RECIPIENT = 'user = "recipient"'
POLICY = "tag = 5.0\nquarantine = 10.0\nreject = 15.0"
FOUR = [f"{name}@example.com" for name in ("ann", "bob", "eve", "kim")]
# what their preferences make of the message: passed, marked, held, refused
SCORES = dict(zip(FOUR, ["1.5", "5.5", "10.5", "15.5"]))


@badspamd.behaviour
def together(exchange, request, opinion):
    """Answer only when as many requests are here as the barrier waits for."""
    try:
        exchange.option("barrier").wait(20)
    except threading.BrokenBarrierError:
        exchange.hold()
    exchange.send(badspamd.compose(request, opinion))


def message(scores=None, **for_user):
    """A message with a score for each user, and more that holds for a user: ann="delay=1"."""
    rows = [f"{user} score={score}"
            for user, score in (SCORES if scores is None else scores).items()]
    rows += [f"{name}@example.com {words}" for name, words in for_user.items()]
    return make(headers=[f"X-Test-For: {row}".encode() for row in rows])


def users_of(scorer, name=None):
    return sorted(request.get("User") or "-" for request in scorer.requests(name))


def logged(scores):
    return ",".join(f"{user}:{score}" for user, score in scores.items())


def left(outcome):
    return [recipient.strip("<>") for recipient in outcome.delivered().recipients]


def test_side_by_side(start, scorer):
    """The scorer answers nobody before all four have asked; each gets what is his."""
    server = scorer.listen("a", behaviour="together", barrier=threading.Barrier(4))
    daemon = start([server], scorer=BY_RECIPIENT, policy=POLICY, deadline="20s")
    outcome = send(daemon.address, message(), recipients=FOUR, queue_id="4FOUR")
    assert left(outcome) == FOUR[:2] and checks.status(outcome)["score"] == "5.5"
    line = daemon.message_line("4FOUR")
    assert line["users"] == logged(SCORES) and list(line)[-2:] == ["tests", "users"]
    assert (line["score"], line["required"], line["action"]) == ("5.5", "5.0", "tag")
    assert users_of(scorer) == FOUR
    in_time(outcome.seconds, 10)


def test_all_are_sent_the_same_bytes(start, scorer):
    """One message, of which each request holds all: in memory and in a file."""
    server = scorer.listen("a")
    daemon = start([server], scorer=BY_RECIPIENT, policy=POLICY,
                   options="message_memory = 64K\nmax_scan_size = 10M")
    for body in (b"short\r\n", b"x" * 70 + b"\r\n"):
        raw = make(body=body * (1 if len(body) < 10 else 20000))
        send(daemon.address, raw, recipients=FOUR)
        requests = scorer.requests()
        assert len(requests) == 4 and not any(request.faults for request in requests)
        assert len({request.message for request in requests}) == 1
        assert requests[0].message.endswith(raw.partition(b"\r\n\r\n")[2])
        scorer.clear()


@pytest.mark.parametrize("count", [4, 5])
def test_four_users_are_enough(start, scorer, count):
    """The default: with a fifth one the message is scored once, for nobody."""
    server = scorer.listen("a", score="7.3")
    daemon = start([server], scorer=BY_RECIPIENT)
    recipients = [f"user{number}@example.com" for number in range(count)]
    outcome = send(daemon.address, make(), recipients=recipients, queue_id="4COUNT")
    assert checks.status(outcome)["score"] == "7.3"
    assert users_of(scorer) == (recipients if count == 4 else ["-"])
    assert ("users" in daemon.message_line("4COUNT")) == (count == 4)


def test_deadline(start, scorer):
    """Four scans that never end take no longer than one."""
    server = scorer.listen("a", behaviour="silent")
    daemon = start([server], scorer=BY_RECIPIENT, deadline="700ms")
    outcome = send(daemon.address, message(), recipients=FOUR, queue_id="4LATE")
    assert checks.unscanned_reason(outcome) == "timeout"
    by_deadline(outcome.seconds, 0.7)
    assert daemon.message_line("4LATE")["users"] == logged(dict.fromkeys(FOUR, "timeout"))


def test_fewer_slots_than_users(start, scorer):
    """One connection for four users: they take turns."""
    server = scorer.listen("a", seconds=0.1)
    daemon = start([server], scorer=f"{BY_RECIPIENT}\n\tmax_connections = 1", policy=POLICY)
    outcome = send(daemon.address, message(), recipients=FOUR, queue_id="4TURNS")
    assert daemon.message_line("4TURNS")["users"] == logged(SCORES)
    assert scorer.peak("a") == 1 and outcome.seconds >= 0.4
    in_time(outcome.seconds, 3)


def test_no_slot_in_time(start, scorer):
    """Who does not get a turn by the deadline has no verdict, and the answer is there."""
    server = scorer.listen("a", seconds=0.8)
    daemon = start([server], scorer=f"{BY_RECIPIENT}\n\tmax_connections = 1", deadline="1500ms")
    outcome = send(daemon.address, message({}), recipients=FOUR, queue_id="4SLOT")
    by_deadline(outcome.seconds, 1.5)
    results = [row.rpartition(":")[2] for row in
               daemon.message_line("4SLOT")["users"].split(",")]
    timely(results[0] == "1.3", results)
    assert set(results[1:]) <= {"timeout", "overloaded"}
    assert checks.status(outcome)["score"] == "1.3"


def test_messages_do_not_lock_each_other(start, scorer_process):
    """Twenty messages to four users each and three slots: every scan has its turn."""
    server = scorer_process.listen("a", seconds=0.02)
    daemon = start([server], scorer=f"{BY_RECIPIENT}\n\tmax_connections = 3", deadline="20s",
                   policy=POLICY)
    outcomes = burst(daemon.address, [message()] * 20, recipients=FOUR)
    assert [checks.status(outcome)["score"] for outcome in outcomes] == ["5.5"] * 20
    assert all(left(outcome) == FOUR[:2] for outcome in outcomes)
    assert len(scorer_process.requests()) == 80 and scorer_process.peak("a") <= 3
    lines = daemon.all_message_lines()
    assert len(lines) == 20 and all(line["users"] == logged(SCORES) for line in lines)


def test_fail_over(start, scorer):
    """A server that refuses is left by all of them."""
    refusing, good = scorer.listen("refusing"), scorer.listen("good")
    scorer.refuse("refusing")
    daemon = start([refusing, good], scorer=BY_RECIPIENT, policy=POLICY)
    send(daemon.address, message(), recipients=FOUR, queue_id="4OVER")
    assert daemon.message_line("4OVER")["users"] == logged(SCORES)
    assert users_of(scorer, "good") == FOUR


def test_hedge(start, scorer):
    """A second server is asked for the user whose scan is silent, for nobody else."""
    servers = [scorer.listen("a"), scorer.listen("b", score="9.9")]
    daemon = start(servers, scorer=f"{BY_RECIPIENT}\n\thedge_after = 1s", deadline="10s")
    raw = make(headers=[b"X-Test-For: bob@example.com delay=2.5"])
    outcome = send(daemon.address, raw, recipients=["ann@example.com", "bob@example.com"])
    assert outcome.seconds >= 2.4     # both servers are as slow for him
    users = users_of(scorer)
    timely(users == ["ann@example.com", "bob@example.com", "bob@example.com"], users)


def test_slot_of_a_loser_is_free_at_once(start, scorer):
    """The silent half of a hedge gives its slot back while another user still waits for one."""
    servers = [scorer.listen("stuck", behaviour="silent"), scorer.listen("good", seconds=0.2)]
    daemon = start(servers, scorer=f"{BY_RECIPIENT}\n\tmax_connections = 1\n\thedge_after = 100ms",
                   deadline="5s")
    outcome = send(daemon.address, message(), recipients=FOUR, queue_id="4LOSER")
    assert daemon.message_line("4LOSER")["users"] == logged(SCORES)
    in_time(outcome.seconds, 4)


@pytest.mark.brisk
def test_late_verdict_belongs_to_its_user(start, scorer):
    """The retry is answered for him whose scan was late, and asked anew for the other."""
    server = scorer.listen("a")
    daemon = start([server], scorer=BY_RECIPIENT, deadline="700ms",
                   policy="tag = 5.0\nquarantine = off\nreject = off\non_failure = tempfail")
    raw = message({"ann@example.com": "6.5", "bob@example.com": "8.5"}, bob="delay=1.2")
    both = ["ann@example.com", "bob@example.com"]
    first = send(daemon.address, raw, recipients=both, queue_id="4FIRST")
    assert first.reply.code == 451
    by_deadline(first.seconds, 0.7)
    line = daemon.message_line("4FIRST")
    assert line["reason"] == "timeout"
    timely(line["users"] == "ann@example.com:6.5,bob@example.com:timeout", line["users"])
    assert ports.wait_until(lambda: daemon.status()["late"]["kept"] == 1)
    retry = send(daemon.address, raw, recipients=both, queue_id="4RETRY")
    assert checks.status(retry)["score"] == "8.5"
    in_time(retry.seconds, 0.6)
    assert daemon.message_line("4RETRY")["users"] == "ann@example.com:6.5,bob@example.com:8.5"
    assert users_of(scorer) == ["ann@example.com", "ann@example.com", "bob@example.com"]
    assert daemon.status()["late"]["used"] == 1


@pytest.mark.brisk
def test_retry_while_one_scan_goes_on(start, scorer):
    """A retry that comes too soon asks for the others at once, and waits for that scan alone."""
    server = scorer.listen("a")
    daemon = start([server], scorer=BY_RECIPIENT, deadline="1s",
                   policy="tag = 5.0\nquarantine = off\nreject = off\non_failure = tempfail")
    raw = message({"ann@example.com": "6.5", "bob@example.com": "8.5"}, bob="delay=1.5")
    both = ["ann@example.com", "bob@example.com"]
    assert send(daemon.address, raw, recipients=both).reply.code == 451
    retry = send(daemon.address, raw, recipients=both)
    assert checks.status(retry)["score"] == "8.5"
    by_deadline(retry.seconds, 1.0)
    assert users_of(scorer) == ["ann@example.com", "ann@example.com", "bob@example.com"]


def test_observed(start, scorer):
    """mode = observe: everybody gets it, the log has every score and what would be."""
    server = scorer.listen("a")
    daemon = start([server], scorer=BY_RECIPIENT, policy=POLICY + "\nmode = observe")
    outcome = send(daemon.address, message(), recipients=FOUR[2:], queue_id="4SEE")
    assert left(outcome) == FOUR[2:] and outcome.header("X-Spam-Status") is None
    line = daemon.message_line("4SEE")
    assert line["users"] == logged({user: SCORES[user] for user in FOUR[2:]})
    assert line["would"] == "quarantine" and list(line)[-2:] == ["users", "would"]


def test_rspamd_is_asked_once(start, scorer):
    """It knows all recipients; spamd that only stands in for it is asked once as well."""
    section = ('scorer "r" {{ protocol = rspamd servers = {{ "{}" }} }}\n'
               'scorer "s" {{ servers = {{ "{}" }} user = "recipient" }}\n')
    rspamd = scorer.listen("r", "rspamd", score="6.6")
    spamd = scorer.listen("s", score="7.7")
    daemon = start(options=section.format(rspamd, spamd))
    both = ["ann@example.com", "bob@example.com"]
    assert checks.status(send(daemon.address, make(), recipients=both))["score"] == "6.6"
    assert len(scorer.requests("r")) == 1 and not scorer.requests("s")
    scorer.refuse("r")
    assert checks.status(send(daemon.address, make(), recipients=both))["score"] == "7.7"
    assert users_of(scorer, "s") == ["-"]
    send(daemon.address, make(), recipients=["ann+x@example.com", "Ann@example.com"])
    assert users_of(scorer, "s") == ["-", "ann@example.com"]


def test_rspamd_stands_in(start, scorer):
    """Where spamd is gone, its stand-in is asked for each user; it needs no user for that."""
    section = ('scorer "s" {{ servers = {{ "{}" }} user = "recipient" }}\n'
               'scorer "r" {{ protocol = rspamd servers = {{ "{}" }} }}\n')
    spamd, rspamd = scorer.listen("s"), scorer.listen("r", "rspamd", score="6.6")
    scorer.refuse("s")
    daemon = start(options=section.format(spamd, rspamd))
    outcome = send(daemon.address, make(), queue_id="4STAND",
                   recipients=["ann@example.com", "bob@example.com"])
    assert checks.status(outcome)["score"] == "6.6"
    assert daemon.message_line("4STAND")["users"] == "ann@example.com:6.6,bob@example.com:6.6"


def test_descriptors_come_back(start, scorer):
    """Answered, late and refused scans of several users leave nothing open."""
    servers = [scorer.listen("a")]
    daemon = start(servers, scorer=f"{BY_RECIPIENT}\n\tmax_connections = 2", deadline="400ms")
    send(daemon.address, message(), recipients=FOUR)
    before = daemon.fds()
    for _ in range(10):
        send(daemon.address, message(), recipients=FOUR)
        send(daemon.address, message(bob="delay=0.5", eve="behaviour=garbage"), recipients=FOUR)
    assert ports.wait_until(lambda: daemon.fds() <= before + 1), daemon.fds()


def test_a_held_copy_is_whole(start, scorer):
    """One policy for all, and yet one refuses what another gets: the rest of the body is needed."""
    server = scorer.listen("a")
    daemon = start([server], scorer=BY_RECIPIENT, policy="tag = 5.0\nquarantine = off\nreject = 15",
                   options="max_scan_size = 64K")
    raw = message() + b"x" * 70 * 4000 + b"\r\n"
    outcome = send(daemon.address, raw, recipients=[FOUR[0], FOUR[3]])
    assert left(outcome) == FOUR[:1]
    folder = daemon.workspace.file("quarantine/new")
    name, = os.listdir(folder)
    with open(os.path.join(folder, name), "rb") as file:
        assert file.read().endswith(outcome.message.wire())

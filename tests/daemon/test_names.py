# SPDX-License-Identifier: BSD-2-Clause
"""Host names of scorers: looked up beside the mail, whatever the resolver does.

Each test has namespaces of its own with a name server that answers, hangs or lies.
"""

import functools
import os
import socket
import time

import pytest
from support import checks, ports
from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace
from support.messages import make
from support.mta import burst, send
from support.namespace import Unavailable, own_resolver, run_isolated
from support.timing import in_time

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
QUICK = "options timeout:1 attempts:1"


class Place:
    """What a test of names works with: a name server, scorers, daemons."""

    def __init__(self, folder, scorer, names):
        self.folder = folder
        self.scorer = scorer
        self.names = names
        self.daemons = []

    def named(self, server):
        """The server's address with a name in it."""
        return server.replace("127.0.0.1", "scorer.test")

    def listen_at(self, address, name, port, **options):
        """A listener at another loopback address."""
        self.scorer.listen(f"{name}-model")
        model = self.scorer.listeners[f"{name}-model"]
        sock = socket.create_server((address, port), backlog=100)
        self.scorer.listeners[name] = type(model)(
            self.scorer, name, model.protocol, "correct", sock, None, 0,
            {"protocol": "spamd", **options})

    def start(self, *arguments, **options):
        daemon = Daemon(*arguments, **options)
        self.daemons.append(daemon)
        return daemon.start()


def _inside(function, names_options):
    with Workspace() as folder, BadScorer(folder.path) as scorer:
        place = Place(folder, scorer, own_resolver(folder.path, **names_options))
        try:
            function(place)
            for daemon in place.daemons:
                if daemon.alive():
                    daemon.stop_cleanly()
        finally:
            place.names.close()
            for daemon in place.daemons:
                daemon.kill()


def with_names(**names_options):
    """A test function(place) in namespaces of its own."""
    def decorate(function):
        @functools.wraps(function)
        def test():
            try:
                run_isolated(_inside, function, names_options)
            except Unavailable as why:
                pytest.skip(str(why))
        del test.__wrapped__        # pytest must not see the parameter
        return test
    return decorate


def is_scored(outcome):
    return "score=" in (outcome.header("X-Spam-Status") or "")


def wait_scored(daemon, timeout=30):
    began = time.monotonic()
    assert ports.wait_until(lambda: is_scored(send(daemon.address, make())), timeout, step=0.02), \
        "\n".join(daemon.lines)
    return time.monotonic() - began


@with_names()
def test_a_name_is_looked_up_at_the_start(place):
    daemon = place.start([place.named(place.scorer.listen("a"))])
    wait_scored(daemon)
    outcomes = [send(daemon.address, make()) for _ in range(20)]
    assert all(is_scored(outcome) for outcome in outcomes)
    queries = place.names.queries
    for _ in range(20):
        send(daemon.address, make())
    assert place.names.queries == queries       # mail asks nobody


@pytest.mark.timed
@with_names(mode="hang")
def test_start_while_the_resolver_hangs(place):
    """F14: the start does not wait, mail does not wait, and the stop does not wait."""
    began = time.monotonic()
    daemon = place.start([place.named(place.scorer.listen("a"))], deadline="5s")
    in_time(time.monotonic() - began, 2.0)
    outcomes = burst(daemon.address, [make()] * 10)
    assert {checks.unscanned_reason(outcome) for outcome in outcomes} == {"refused"}
    in_time(max(outcome.seconds for outcome in outcomes), 0.5)
    status, took = daemon.stop()
    assert status == 0
    in_time(took, 2.0)


@with_names(mode="hang")
def test_other_servers_are_asked_while_the_resolver_hangs(place):
    """A server with a literal address is used from the first message on."""
    server = place.scorer.listen("a")
    daemon = place.start([place.named(server), server])
    assert all(is_scored(send(daemon.address, make())) for _ in range(10))


@with_names(mode="hang", options=QUICK)
def test_a_resolver_that_comes_to_life(place):
    """What could not be looked up at the start is used soon after it can be."""
    daemon = place.start([place.named(place.scorer.listen("a"))])
    assert "scorer.test" in daemon.wait_log("cannot look up scorer host")
    place.names.mode = "answer"
    in_time(wait_scored(daemon), 8)


@with_names(options=QUICK)
def test_last_good_address_stays(place):
    """F14, F15: hanging, NXDOMAIN, SERVFAIL and garbage change nothing for mail."""
    daemon = place.start([place.named(place.scorer.listen("a"))], deadline="2s",
                         options="resolve_every = 1s")
    wait_scored(daemon)
    for mode in ("nxdomain", "servfail", "garbage", "hang"):
        place.names.mode = mode
        queries = place.names.queries
        while place.names.queries < queries + 2:
            outcome = send(daemon.address, make())
            assert is_scored(outcome), mode
            in_time(outcome.seconds, 0.5, mode)
    complaints = [line for line in daemon.lines if "cannot look up" in line]
    assert complaints and "last address stays in use" in complaints[0]
    assert len(complaints) <= 2         # said once, not at every turn


@with_names()
def test_a_changed_address_is_adopted(place):
    """F15: on the timer, and without a message that fails where the old address still serves."""
    server = place.scorer.listen("old", score="1.0")
    port = int(server.rsplit(":", 1)[1])
    daemon = place.start([place.named(server)], options="resolve_every = 1s")
    wait_scored(daemon)
    place.listen_at("127.0.0.7", "new", port, score="2.0")
    scores = [checks.status(send(daemon.address, make()))["score"]]
    place.names.addresses = ["127.0.0.7"]

    def moved_over():
        outcome = send(daemon.address, make())
        scores.append(checks.status(outcome)["score"])
        return scores[-1] == "2.0"
    assert ports.wait_until(moved_over, step=0.02)
    assert set(scores) == {"1.0", "2.0"}


@with_names(addresses=["127.0.0.1", "127.0.0.2", "127.0.0.9"])
def test_a_host_with_several_addresses(place):
    """Where nobody answers at one address, the same message goes to the next one."""
    port = ports.free_port()
    place.listen_at("127.0.0.9", "a", port)
    daemon = place.start([f"tcp://scorer.test:{port}"])
    assert ports.wait_until(lambda: daemon.status()["servers"][0]["healthy"])
    for address in ("127.0.0.1", "127.0.0.2", "127.0.0.9"):
        assert all(is_scored(send(daemon.address, make())) for _ in range(5))
        place.scorer.refuse("a")
        place.listen_at(address, "a", port)
    assert all(is_scored(send(daemon.address, make())) for _ in range(5))
    assert not [line for line in daemon.lines if "set aside" in line]


@with_names()
def test_reload_keeps_the_known_address(place):
    """A reload while the resolver hangs does not leave the daemon without its scorer."""
    daemon = place.start([place.named(place.scorer.listen("a"))])
    wait_scored(daemon)
    place.names.mode = "hang"
    for number in range(3):
        daemon.reload()
        assert ports.wait_until(
            lambda n=number: sum("configuration reloaded" in line
                                 for line in daemon.lines) == n + 1)
        assert is_scored(send(daemon.address, make()))


@with_names(mode="nxdomain", options=QUICK)
def test_many_names(place):
    """Names that are not known are no error, and one of them is enough."""
    servers = [f"tcp://scorer{number}.test:{ports.free_port()}" for number in range(10)]
    daemon = place.start([*servers, place.scorer.listen("a")])
    assert all(is_scored(send(daemon.address, make())) for _ in range(10))

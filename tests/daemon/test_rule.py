# SPDX-License-Identifier: BSD-2-Clause
"""The log's rule=: which option at which line of which file decided."""

import pytest
from support import ports
from support.daemon import Daemon, Workspace
from support.badscorer import BadScorer
from support.messages import make
from support.mta import Client, send

OPTIONS = """
trusted_networks = { "192.0.2.0/24" }
max_scan_size = 20K
oversize = pass
domain_table = "TABLE"
domain "strict.example" { reject = 6.0 }
address "calm@strict.example" { reject = off }
address "off@strict.example" { tag = off  reject = off }
domain "held.example" { quarantine = 4.0 }
domain "later.example" { defer = 4.0 }
domain "other.example" { redirect = "spam@collect.example" }
domain "watch.example" { mode = observe }
domain "friend.example" { accept_senders = { "alice@example.org" } }
domain "open.example" { accept_recipients = { "open.example" } }
"""


@pytest.fixture(name="place", scope="module")
def place_with_many_sections():
    with Workspace() as workspace, BadScorer(workspace.path) as scorer:
        table = workspace.file("domains")
        with open(table, "w", encoding="ascii") as file:
            file.write("# domains\n\ntable.example reject=5.5\n")
        with Daemon([scorer.listen("good", transport="unix")], workspace=workspace,
                    trusted="", options="") as daemon:
            daemon.stop_cleanly()
            text = daemon.config.replace("trusted_networks = {  }\n", "")
            daemon.write_config(OPTIONS.replace("TABLE", table) + text.replace("tag = 5.0\n", ""))
            daemon.start()
            yield daemon
            daemon.stop_cleanly()


def place_of(daemon, text):
    """FILE:LINE of the line of the configuration that begins so."""
    lines = daemon.config.splitlines()
    return f"{daemon.config_path}:{[line.startswith(text) for line in lines].index(True) + 1}"


NUMBER = iter(range(1000))


def rule(daemon, to="bob@example.com", score=7.0, **more):
    queue_id = f"4RULE{next(NUMBER)}"
    message = more.pop("message", None) or make(score=score)
    send(daemon.address, message, recipients=to.split(), queue_id=queue_id, **more)
    return daemon.message_line(queue_id)["rule"]


@pytest.mark.parametrize("to,score,option,begins", [
    ("bob@example.com", 7.0, "tag", None),
    ("bob@example.com", 1.0, "tag", None),
    ("bob@example.com", 20.0, "reject", "reject = 15.0"),
    ("a@strict.example", 7.0, "reject", 'domain "strict.example"'),
    ("a@strict.example", 5.0, "tag", None),
    ("calm@strict.example", 20.0, "tag", None),
    ("off@strict.example", 20.0, "tag", 'address "off@strict.example"'),
    ("a@held.example", 7.0, "quarantine", 'domain "held.example"'),
    ("a@later.example", 7.0, "defer", 'domain "later.example"'),
    ("a@other.example", 7.0, "redirect", 'domain "other.example"'),
    ("a@watch.example", 20.0, "mode", 'domain "watch.example"'),
    ("a@friend.example", 20.0, "accept_senders", 'domain "friend.example"'),
    ("a@open.example", 20.0, "accept_recipients", 'domain "open.example"'),
    ("a@strict.example bob@example.com", 20.0, "reject", "reject = 15.0"),
])
def test_of_a_score(place, to, score, option, begins):
    expected = "default" if begins is None else place_of(place, begins)
    assert rule(place, to, score) == f"{option}:{expected}"


def test_of_a_domain_table(place):
    assert rule(place, "a@table.example") == f"reject:{place.workspace.file('domains')}:3"


def test_of_who_is_not_asked_about(place):
    client = Client(address="192.0.2.9")
    assert rule(place, client=client) == f"trusted_networks:{place_of(place, 'trusted_netw')}"
    ann = Client(macros={"M": {"auth_authen": "ann", "auth_type": "PLAIN"}})
    assert rule(place, client=ann) == "skip_authenticated:default"
    large = make(score=1.0, body=b"x" * 70 + b"\r\n" * 20000)
    assert rule(place, message=large) == f"oversize:{place_of(place, 'oversize')}"


def test_of_a_failure(start):
    daemon = start([f"tcp://127.0.0.1:{ports.free_port()}"], options="on_failure = tempfail")
    assert rule(daemon) == f"on_failure:{place_of(daemon, 'on_failure')}"


def test_of_nobody(start, scorer):
    """A failure of our own is nobody's rule."""
    daemon = start([scorer.listen("good")], options="temp_directory = /nonexistent\n"
                   "message_memory = 4K")
    assert rule(daemon, message=make(score=1.0, body=b"x\r\n" * 20000)) == "-"

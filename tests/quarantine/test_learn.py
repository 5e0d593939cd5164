# SPDX-License-Identifier: BSD-2-Clause
"""Learning: TELL to a real spamd, and what must not be taken for it."""

import os
import shutil

import pytest

from quarantine import MESSAGE, Tool
from support.badscorer import BadScorer
from support.smtp import Sink
from support.spamassassin import Spamd

pytestmark = pytest.mark.skipif(not os.path.exists("/usr/sbin/spamd") or not shutil.which("spamc"),
                                reason="needs spamd")


def section(spamd):
    return f'scorer "x" {{ servers = {{ "{spamd.server}" }} }}\nmax_scan_size = 64K'


@pytest.fixture(scope="module")
def spamd():
    with Spamd(bayes=True, allow_tell=True) as it:
        yield it


def test_learn(quarantine, spamd):
    item = quarantine.put().stored[0]
    tool = Tool(quarantine, scorer=section(spamd))
    assert "learnt as spam" in tool.run("learn", "--spam", item).stdout
    assert "Tell: Setting local" in spamd.log()
    assert "learnt as ham" in tool.run("learn", "--ham", item).stdout
    assert tool.json("learn", "--ham", item)[0]["learnt"] is True
    tool.run("learn", item, code=2)


def test_learn_and_decide(quarantine, spamd):
    first, second = quarantine.put("-n", "2").stored
    with Sink() as sink:
        tool = Tool(quarantine, release=f"smtp://127.0.0.1:{sink.port}", scorer=section(spamd))
        done = tool.run("release", "--learn-ham", first)
        assert "action=learn-ham" in done.stderr and len(sink.deliveries) == 1
    done = tool.run("delete", "--learn-spam", second)
    assert "action=learn-spam" in done.stderr and quarantine.look() == {}


@pytest.mark.parametrize("user,recipients,told", [
    ("recipient", ["Ann+x@Example.com", "bob@example.com"], ["ann@example.com", "bob@example.com"]),
    ("domain", ["ann@example.com", "bob@example.com"], ["example.com"]),
    ("recipient", [f"u{n}@example.com" for n in range(5)], [None]),
    ("fixed", ["ann@example.com", "bob@example.com"], ["fixed"])])
def test_who_is_scored_learns(quarantine, user, recipients, told):
    """The same users as those that the message would be scored for."""
    item = quarantine.put(recipients=recipients).stored[0]
    with BadScorer(quarantine.top) as scorer:
        section = f'scorer "x" {{ servers = {{ "{scorer.listen("x")}" }} user = "{user}" }}'
        assert "learnt" in Tool(quarantine, scorer=section).run("learn", "--spam", item).stdout
        requests = scorer.requests()
    assert sorted(str(request.get("User")) for request in requests) == sorted(map(str, told))
    assert {request.verb for request in requests} == {"TELL"}


def test_one_user_who_does_not_learn_is_a_failure(quarantine):
    message = quarantine.write(
        "m.eml", b"X-Test-For: bob@example.com behaviour=garbage\r\n" + MESSAGE)
    both = ["ann@example.com", "bob@example.com"]
    item = quarantine.put(message=message, recipients=both).stored[0]
    with BadScorer(quarantine.top) as scorer:
        section = f'scorer "x" {{ servers = {{ "{scorer.listen("x")}" }} user = "recipient" }}'
        done = Tool(quarantine, scorer=section).run("learn", "--spam", item, code=1)
    assert item in done.stderr and "learnt" not in done.stdout


def test_size_limit(quarantine, spamd):
    large = quarantine.write("large.eml", MESSAGE + b"x" * 70000)
    item = quarantine.put(message=large).stored[0]
    tool = Tool(quarantine, scorer=section(spamd))
    assert "max_scan_size" in tool.run("learn", "--spam", item, code=1).stderr
    tool.run("delete", "--learn-spam", item, code=1)
    assert quarantine.look() == {item: "good"}      # not learnt: not deleted either


def test_spamd_that_does_not_learn(quarantine):
    item = quarantine.put().stored[0]
    with Spamd() as spamd:
        tool = Tool(quarantine, scorer=section(spamd))
        done = tool.run("learn", "--spam", item, code=1)
        assert done.stdout == "" and item in done.stderr


def test_no_spamd(quarantine):
    item = quarantine.put().stored[0]
    done = Tool(quarantine).run("learn", "--spam", item, code=1)
    assert item in done.stderr

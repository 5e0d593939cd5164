# SPDX-License-Identifier: BSD-2-Clause
"""Learning: a real rspamd and its Redis, and what must not be taken for a yes."""

import os

import pytest

from quarantine import MESSAGE, Tool
from support.badscorer import BadScorer
from support.ports import free_port
from support.process import wait_for
from support.redis import Redis, installed
from support.rspamd import PASSWORD, Rspamd

real = pytest.mark.skipif(not os.path.exists("/usr/bin/rspamd") or not installed(),
                          reason="needs rspamd and redis-server")


def message(word, number):
    text = " ".join(f"{word}{n} {word} offer" for n in range(50))
    return (f"From: {word}@example.net\r\nSubject: {word}\r\nMessage-ID: <{word}{number}@x.example>"
            f"\r\nX-Spam-Flag: NO\r\n\r\n{text}\r\n").encode()


@pytest.fixture(name="redis", scope="module")
def fixture_redis():
    with Redis() as found:
        yield found


@pytest.fixture(name="rspamd", scope="module")
def fixture_rspamd(redis):
    with Rspamd(config=redis.classifier) as found:
        yield found


def section(learn, password=None, protocol="rspamd"):
    servers = ", ".join(f'"{one}"' for one in learn)
    lines = [f"protocol = {protocol}", 'servers = { "http://127.0.0.1:9" }']
    if learn:
        lines.append(f"learn_servers = {{ {servers} }}")
    if password:
        lines.append(f'password_file = "{password}"')
    return 'scorer "r" {\n' + "\n".join(lines) + "\n}\nmax_scan_size = 64K"


@pytest.fixture(name="tool")
def fixture_tool(quarantine):
    """tool(learn servers, password) is the tool with such a configuration."""
    def make(learn, password=PASSWORD, **more):
        path = quarantine.write("password", f"{password}\n".encode())
        os.chmod(path, 0o600)
        return Tool(quarantine, scorer=section(learn, path if password else None), **more)
    return make


def put(quarantine, word, number=0):
    path = quarantine.write(f"{word}{number}.eml", message(word, number))
    return quarantine.put(message=path).stored[0]


def bayes(rspamd, word):
    """What rspamd's statistics say of another message with these words."""
    return {"BAYES_SPAM", "BAYES_HAM"} & set(rspamd.check(message(word, 99))["symbols"])


def wait_learnt(rspamd, word):
    """Until rspamd's log, which it writes when it finds the time, says that it has learnt it."""
    wait_for(lambda: f"learned message as spam: {word}0@x.example" in rspamd.log(),
             f"{word} to be learnt", rspamd.log)


@real
def test_learn(quarantine, rspamd, tool):
    """What was learnt is known of the next message; learnt again, it is still known."""
    spam, ham = put(quarantine, "casino"), put(quarantine, "minutes")
    teach = tool([rspamd.controller])
    assert bayes(rspamd, "casino") == set()
    assert "learnt as spam" in teach.run("learn", "--spam", spam).stdout
    assert "learnt as ham" in teach.run("learn", "--ham", ham).stdout
    assert bayes(rspamd, "casino") == {"BAYES_SPAM"}
    assert bayes(rspamd, "minutes") == {"BAYES_HAM"}
    assert teach.json("learn", "--spam", spam)[0]["learnt"] is True
    assert PASSWORD not in teach.run("learn", "--ham", ham).stdout


@real
def test_learn_by_deciding(quarantine, rspamd, tool):
    item = put(quarantine, "lottery")
    assert "action=learn-spam" in tool([rspamd.controller]).run(
        "delete", "--learn-spam", item).stderr
    assert quarantine.look() == {}
    wait_learnt(rspamd, "lottery")


@real
@pytest.mark.parametrize("password", ["wrong", None])
def test_a_controller_that_refuses(quarantine, rspamd, tool, password):
    word = f"refused{password}"
    item = put(quarantine, word)
    teach = tool([rspamd.controller], password)
    done = teach.run("learn", "--spam", item, code=1)
    assert "Unauthorized" in done.stderr and done.stdout == ""
    teach.run("delete", "--learn-spam", item, code=1)
    assert quarantine.look() == {item: "good"}      # not learnt: not deleted either
    status, _ = rspamd.request("POST", "/learnspam", message(word, 0), {"Password": PASSWORD},
                               rspamd.controller_port)
    assert status == 200    # 208 if it had been learnt before


@real
def test_the_scanner_is_no_controller(quarantine, rspamd, tool):
    item = put(quarantine, "wrongport")
    assert "invalid command" in tool([rspamd.server]).run("learn", "--spam", item, code=1).stderr


@real
def test_the_next_controller_stands_in(quarantine, rspamd, tool):
    item = put(quarantine, "standin")
    dead = f"http://127.0.0.1:{free_port()}"
    tool([dead, rspamd.controller]).run("learn", "--spam", item)
    wait_learnt(rspamd, "standin")


@real
def test_without_its_redis_nothing_is_learnt(quarantine, tool):
    item = put(quarantine, "nowhere")
    with Redis() as redis, Rspamd(config=redis.classifier) as rspamd:
        redis.stop()
        done = tool([rspamd.controller]).run("learn", "--spam", item, code=1)
        assert item in done.stderr and done.stdout == ""


def test_size_limit(quarantine, tool):
    large = quarantine.write("large.eml", MESSAGE + b"x" * 70000)
    item = quarantine.put(message=large).stored[0]
    assert "max_scan_size" in tool(["http://127.0.0.1:9"]).run(
        "learn", "--spam", item, code=1).stderr


def test_nobody_to_learn(quarantine, tool):
    item = put(quarantine, "nobody")
    assert 'scorer "r" has no learn_servers' in tool([]).run("learn", "--ham", item, code=1).stderr
    done = Tool(quarantine, scorer='scorer "j" { protocol = json\n'
                'servers = { "http://127.0.0.1:9" } }').run("learn", "--ham", item, code=1)
    assert "cannot learn" in done.stderr


def test_only_the_first_scorer_learns(quarantine):
    """Another engine's idea of the message is not corrected because this one is down."""
    item = put(quarantine, "first")
    with BadScorer(quarantine.top) as scorer:
        second = scorer.listen("second", protocol="spamd")
        both = section(["http://127.0.0.1:9"]) + (
            f'\nscorer "second" {{ servers = {{ "{second}" }} }}')
        Tool(quarantine, scorer=both).run("learn", "--spam", item, code=1)
        assert not scorer.requests("second")


@pytest.mark.parametrize("how,path", [("--spam", "/learnspam"), ("--ham", "/learnham")])
def test_what_is_sent(quarantine, tool, how, path):
    item = put(quarantine, "sent")
    with BadScorer(quarantine.top) as scorer:
        server = scorer.listen("x", protocol="rspamd", behaviour="verbatim",
                               reply={"success": True})
        tool([server]).run("learn", how, item)
        request = scorer.requests("x")[-1]
    assert request.verb == f"POST {path}" and request.get("Password") == PASSWORD
    assert request.message == message("sent", 0).replace(b"X-Spam-Flag: NO\r\n", b"")


def test_learnt_before(quarantine, tool):
    """Status 208: rspamd knows the message, which is what was wanted."""
    item = put(quarantine, "again")
    with BadScorer(quarantine.top) as scorer:
        server = scorer.listen("x", protocol="rspamd", behaviour="status_208")
        assert "learnt as spam" in tool([server]).run("learn", "--spam", item).stdout


@pytest.mark.parametrize("behaviour,reply", [
    ("verbatim", {}), ("verbatim", {"success": False}), ("verbatim", {"success": "true"}),
    ("verbatim", {"success": 1}), ("verbatim", []), ("correct", None), ("empty_body", None),
    ("status_204", None), ("status_302", None), ("status_500", None), ("json_cut", None)])
def test_what_is_no_yes(quarantine, tool, behaviour, reply):
    item = put(quarantine, "nay")
    with BadScorer(quarantine.top) as scorer:
        server = scorer.listen("x", protocol="rspamd", behaviour=behaviour, reply=reply)
        done = tool([server]).run("learn", "--spam", item, code=1)
    assert item in done.stderr and done.stdout == ""

# SPDX-License-Identifier: BSD-2-Clause
"""Everybody's own preferences: the real spamd with virtual users, through the real mail servers."""

import json
import subprocess

import pytest

from support.daemon import program
from support.process import wait_for
from support.spamassassin import phrase
from system.chain import Chain, SendmailChain, mail
from system.items import items

# what a phrase is worth to each; bob has no preferences of his own
PREFERENCES = {"ann@example.com": "score SB_SEVEN 1.5\n",
               "eve@example.com": "score SB_SEVEN 11\nrequired_score 99\n",
               "kim@example.com": "score SB_SEVEN 16\n"}
POLICY = "tag = 5.0\nquarantine = 10.0\nreject = 15.0"
PEOPLE = ["ann@example.com", "bob@example.com", "eve@example.com", "kim@example.com"]
ALIASES = "news@example.com eve@example.com\n"


@pytest.fixture(scope="module", params=[Chain, SendmailChain], ids=["postfix", "sendmail"])
def site(request, tmp_path_factory):
    table = tmp_path_factory.mktemp("aliases") / "aliases"
    table.parent.chmod(0o755)
    table.parent.parent.chmod(0o755)
    table.write_text(ALIASES)
    with request.param(policy=POLICY, scorer='user = "recipient"', spamd={"users": PREFERENCES},
                       options=f'alias_table = "{table}"\n', deadline="20s") as chain:
        yield chain
        chain.daemon.stop_cleanly()


def tenths(line):
    """{user: tenths of points} of a log line."""
    rows = [row.rpartition(":") for row in line["users"].split(",")]
    return {user: round(float(score) * 10) for user, _, score in rows}


def test_each_by_his_own_preferences(site):
    """Passed, marked, held and refused for one message; its fields are of who is strictest."""
    reply = site.send(mail(phrase("SB_SEVEN")), recipients=PEOPLE)
    delivery = site.arrived(reply)
    assert sorted(delivery.recipients) == PEOPLE[:2]
    line = site.log_of(delivery)
    scores = tenths(line)
    others = scores["bob@example.com"] - 70     # what all other rules make of it, for everybody
    assert scores == dict(zip(PEOPLE, [others + 15, others + 70, others + 110, others + 160]))
    assert delivery.one("X-Spam-Status").startswith(f"Yes, score={line['score']} required=5.0")
    assert line["score"] == f"{scores['bob@example.com'] / 10:.1f}"
    held, = items(site.daemon)
    assert held.recipients == PEOPLE[2:] and held.id == line["quarantine"]
    assert held.metadata["verdict"]["score"] == scores["kim@example.com"] * 100
    wait_for(site.mta.empty, "an empty queue", site.mta.log)


@pytest.mark.parametrize("recipient,code,flag", [
    ("ann@example.com", 250, None), ("bob@example.com", 250, "YES"),
    ("eve@example.com", 250, "held"), ("kim@example.com", 550, None),
    ("Ann+list@Example.com", 250, None), ("kim+x@example.com", 550, None),
    ("news@example.com", 250, "held"), ("unknown@example.com", 250, "YES")])
def test_each_alone(site, recipient, code, flag):
    """Sub-address and alias are scored as the mailbox."""
    before = len(items(site.daemon))
    reply = site.send(mail(phrase("SB_SEVEN")), recipients=[recipient])
    assert reply.code == code
    assert len(items(site.daemon)) == before + (flag == "held")
    if code == 250 and flag != "held":
        assert site.arrived(reply).all("X-Spam-Flag") == ([flag] if flag else [])


def test_addresses_of_one_user_are_one_scan(site):
    """An alias, a sub-address and the mailbox itself: one score, no `users` in the log."""
    reply = site.send(mail(phrase("SB_SEVEN")),
                      recipients=["eve@example.com", "eve+x@example.com", "news@example.com"])
    assert reply.code == 250
    line = site.last_log()
    assert line["action"] == "quarantine" and "users" not in line and float(line["score"]) > 10


def test_the_tool_says_the_same(site, tmp_path):
    """score asks as the daemon does."""
    message = tmp_path / "message.eml"
    message.write_bytes(mail(phrase("SB_SEVEN")))
    to = [word for person in PEOPLE for word in ("--to", person)]
    done = subprocess.run([program("spambridgectl"), "-c", site.daemon.config_path, "score",
                           "--json", *to, str(message)], capture_output=True, check=True)
    rows = json.loads(done.stdout)[0]["recipients"]
    assert [row["outcome"] for row in rows] == ["pass", "tag", "quarantine", "reject"]
    assert [row["user"] for row in rows] == PEOPLE
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores) and len(set(scores)) == 4

# SPDX-License-Identifier: BSD-2-Clause
"""domain_table and alias_table: what they say counts, a broken one never does, a million lines."""

import os

import pytest
from support import checks
from support.daemon import program, run
from support.messages import make
from support.mta import send

DOMAINS = """\
# name                options
example.com           tag=4 reject=8
.example.com          tag=3
abuse@example.com     tag=off reject=off   # wants to see it all
bücher.example        tag=2
xn--strae-oqa.example tag=1
[192.0.2.1]           tag=7
"""
ALIASES = "sales@alias.example  abuse@example.com\nother.example  example.com\n"


@pytest.fixture
def tables(workspace):
    """Writes both tables; returns the configuration's lines."""
    def write(domains=DOMAINS, aliases=ALIASES):
        for name, text in (("domains", domains), ("aliases", aliases)):
            with open(workspace.file(name), "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(workspace.file(name), 0o644)
        return (f'domain_table = "{workspace.file("domains")}"\n'
                f'alias_table = "{workspace.file("aliases")}"')
    return write


@pytest.fixture
def daemon(start, scorer, workspace, tables):
    return start([scorer.listen("good")], options=tables(), workspace=workspace)


@pytest.mark.parametrize("recipient,required", [
    ("bob@example.com", "4.0"), ("BOB+x@EXAMPLE.COM.", "4.0"), ("bob@a.b.example.com", "3.0"),
    ("bob@BÜCHER.example", "2.0"), ("bob@xn--bcher-kva.example", "2.0"),
    ("bob@straße.example", "1.0"), ("bob@[192.0.2.1]", "7.0"), ("bob@example.net", "5.0"),
    ('"bob"@example.com', "4.0"), ('"odd one"@example.com', "4.0"),
    ("bob@other.example", "4.0"), ("bob@notexample.com", "5.0")])
def test_every_spelling_finds_its_line(daemon, recipient, required):
    outcome = send(daemon.address, make(score=0.5), recipients=[recipient])
    assert checks.status(outcome)["required"] == required


@pytest.mark.parametrize("recipient", ["abuse@example.com", "Abuse+x@Example.com",
                                       "sales@alias.example", "SALES+x@alias.example",
                                       "abuse@other.example", '"abuse"@example.com'])
def test_address_and_alias(daemon, recipient):
    """Who has everything off gets what the others of the domain refuse."""
    outcome = send(daemon.address, make(score=20), recipients=[recipient], queue_id="4ABUSE")
    assert outcome.kind in ("accept", "continue")
    assert daemon.message_line("4ABUSE")["required"] == "off"


BROKEN = [
    ("domains", DOMAINS + "example.org tga=4\n", "domains:8: "),
    ("domains", DOMAINS + "example.org tag=four\n", "domains:8: "),
    ("domains", DOMAINS + "EXAMPLE.com. tag=1\n", "domains:8: "),
    ("domains", DOMAINS + "example..org tag=1\n", "domains:8: "),
    ("domains", "example.org tag=9 reject=3\n", "domains:1: "),
    ("domains", DOMAINS + "example.org tag = 4\n", "domains:8: "),
    ("domains", None, "domains: "),
    ("aliases", ALIASES + "a@example.org example.com\n", "aliases:3: "),
    ("aliases", ALIASES + "sales@ALIAS.example x@example.com\n", "aliases:3: "),
    ("aliases", None, "aliases: "),
]


@pytest.mark.parametrize("name,text,complaint", BROKEN,
                         ids=[f"{row[0]}-{number}" for number, row in enumerate(BROKEN)])
def test_a_broken_table_keeps_the_old(daemon, tables, workspace, name, text, complaint):
    """Not one line of it is taken, good ones beside the bad included; the log says where."""
    def required(recipient):
        return checks.status(send(daemon.address, make(score=0.5),
                                  recipients=[recipient]))["required"]
    new = DOMAINS.replace("tag=4", "tag=4.5")
    tables(domains=new if name != "domains" else (text or "").replace("tag=4 ", "tag=4.5 "),
           aliases=text or "" if name == "aliases" else "")
    if text is None:
        os.unlink(workspace.file(name))
    daemon.reload()
    daemon.wait_log(complaint)
    assert required("bob@example.com") == "4.0" and required("bob@other.example") == "4.0"
    tables(domains=new)
    daemon.reload()
    daemon.wait_log("configuration reloaded")
    assert required("bob@example.com") == "4.5"


def test_a_table_that_others_may_write(daemon, workspace):
    os.chmod(workspace.file("domains"), 0o666)
    daemon.reload()
    daemon.wait_log(lambda line: "domains: may be written by" in line)
    assert checks.status(send(daemon.address, make(score=4.5)))["required"] == "4.0"


LINES = 1_000_000


def cpu_seconds(config):
    """Of a check of this configuration."""
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execv(program("spambridge"), ["spambridge", "-t", "-c", config])
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.timed
@pytest.mark.skipif("SPAMBRIDGE_WRAPPER" in os.environ, reason="it would be the wrapper's figures")
@pytest.mark.parametrize("name,line,seconds,size", [
    ("domains", "d{:07d}.example.com tag=4 quarantine=8 reject=off\n", 3.0, 100),
    ("aliases", "alias{:07d}@example.net user{:07d}@example.com\n", 5.0, 150)])
def test_a_million_lines(start, scorer, workspace, tables, name, line, seconds, size):
    """Loaded within seconds of CPU (the machine's other work aside), in so many bytes a line."""
    server, memory = scorer.listen("good"), {}
    for count in (1, LINES):
        options = tables(**{name: "".join(line.format(n, n) for n in range(count))})
        daemon = start([server], options=options, workspace=workspace)
        memory[count] = daemon.rss_kib() * 1024
        sanitized = daemon.is_sanitized()
        daemon.stop_cleanly()
    taken, each = cpu_seconds(daemon.config_path), (memory[LINES] - memory[1]) / LINES
    print(f"{name}: {LINES} lines in {taken:.2f} s, {each:.0f} bytes a line")
    last = line.format(LINES - 1, LINES - 1).split()[0]
    shown = run("spambridgectl", "-c", daemon.config_path, "show-policy",
                f"x@{last}" if name == "domains" else last).stdout
    assert f"{workspace.file(name)}:{LINES}" in shown
    assert sanitized or (taken < seconds and each < size)

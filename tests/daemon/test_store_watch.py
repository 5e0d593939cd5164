# SPDX-License-Identifier: BSD-2-Clause
"""A quarantine that is full, away or slow: mail is put off, everybody hears of it, then it goes on."""

import os
import shutil

import pytest
from support.daemon import has_quarantine, run
from support.messages import make
from support.mta import send
from support.process import wait_until
from support.timing import by_deadline, in_time

pytestmark = pytest.mark.skipif(not has_quarantine(), reason="this build has no quarantine")

HOLDING = "tag = 5.0\nquarantine = 10.0\nreject = 15.0"


def configured(daemon, limits):
    """The daemon's configuration with such limits of its quarantine."""
    return daemon.config.replace('quarantine"', f'quarantine"  {limits} ', 1)


@pytest.fixture
def limited(start, scorer):
    def begin(limits="", **options):
        daemon = start([scorer.listen("good")], policy=HOLDING, **options)
        if limits:
            daemon.write_config(configured(daemon, limits))
            daemon.reload()
            daemon.wait_log("configuration reloaded")
        return daemon
    return begin


def hold(daemon, name, body=b"x\r\n"):
    return send(daemon.address, make(score=11.0, body=body), queue_id=name)


def put_off(daemon, name, **how):
    outcome = hold(daemon, name, **how)
    line = daemon.message_line(name)
    assert outcome.reply.text.startswith(b"451 4.7.1 ")
    assert (line["action"], line["reason"], line["quarantine"]) == ("tempfail", "quarantine", "-")
    return True


def metrics(daemon):
    """{name: value} of the quarantine's metrics."""
    text = run("spambridgectl", "-c", daemon.config_path, "metrics").stdout
    rows = [line.split() for line in text.splitlines() if line.startswith("spambridge_quarantine_")]
    return {name.removeprefix("spambridge_quarantine_"): int(value) for name, value in rows}


def alarm_is_everywhere(daemon, word):
    """Log, status for people and programs, metrics."""
    daemon.wait_log(lambda text: "ALARM" in text and word in text)
    status = daemon.status()
    assert word in status["quarantine"]["trouble"]
    assert wait_until(lambda: daemon.status()["health"] == "degraded")
    text = run("spambridgectl", "-c", daemon.config_path, "status").stdout
    assert "ALARM" in text and word in text and text.startswith("degraded")
    assert metrics(daemon)["alarm"] == 1
    return True


def is_well(daemon):
    daemon.wait_log("the quarantine is well again")
    assert daemon.status()["quarantine"]["trouble"] == "" and metrics(daemon)["alarm"] == 0
    return True


def items(daemon):
    return os.listdir(daemon.workspace.file("quarantine/new"))


def test_as_many_as_allowed(limited):
    """max_items: the next is put off; what a reviewer deletes makes room without a restart."""
    daemon = limited("max_items = 2")
    assert hold(daemon, "4A").kind == hold(daemon, "4B").kind == "discard"
    assert put_off(daemon, "4C") and alarm_is_everywhere(daemon, "max_items")
    assert len(items(daemon)) == 2
    item = daemon.message_line("4A")["quarantine"]
    run("spambridgectl", "-c", daemon.config_path, "quarantine", "delete", "--yes", item)
    assert is_well(daemon)
    assert hold(daemon, "4D").kind == "discard"
    figures = metrics(daemon)
    assert (figures["items"], figures["max_items"]) == (2, 2)
    assert (figures["stored_total"], figures["failed_total"]) == (3, 1)


def test_as_large_as_allowed(limited):
    """max_size: counted by the files; a small one still fits."""
    daemon = limited("max_size = 1M")
    large = b"x" * 76 * 8000
    assert hold(daemon, "4A", body=large).kind == "discard"
    assert put_off(daemon, "4B", body=large) and alarm_is_everywhere(daemon, "max_size")
    assert hold(daemon, "4C").kind == "discard"
    assert is_well(daemon)


def test_a_reload_gives_more_room(limited):
    daemon = limited("max_items = 1")
    assert hold(daemon, "4A").kind == "discard"
    assert put_off(daemon, "4B")
    daemon.write_config(daemon.config.replace("max_items = 1", "max_items = 5"))
    daemon.reload()
    assert is_well(daemon)
    assert hold(daemon, "4C").kind == "discard"


def test_it_says_so_before_it_is_full(limited):
    daemon = limited("max_items = 5")
    for name in "ABCDE":
        assert hold(daemon, f"4{name}").kind == "discard"
    daemon.wait_log("nearly full")
    assert daemon.status()["quarantine"]["filling"] is True
    assert "NEARLY FULL" in run("spambridgectl", "-c", daemon.config_path, "status").stdout


def test_a_full_one_does_not_keep_the_daemon_from_starting(start, scorer, limited):
    daemon = limited()
    assert hold(daemon, "4A").kind == "discard"
    text = configured(daemon, "max_items = 1")
    daemon.stop_cleanly()
    again = start(config=text, workspace=daemon.workspace, listen=daemon.address)
    assert alarm_is_everywhere(again, "max_items")


def test_the_reserve_is_left_free(limited):
    """More than any disk has: nothing is written, and nothing half written is to be seen."""
    daemon = limited("reserve = 1048576G")
    assert put_off(daemon, "4A") and alarm_is_everywhere(daemon, "reserve")
    assert items(daemon) == os.listdir(daemon.workspace.file("quarantine/tmp")) == []


def away(folder):
    os.rename(folder, folder + ".away")


def linked(folder):
    away(folder)
    os.symlink(folder + ".away", folder)


def emptied(folder, mode=0o750):
    away(folder)
    os.mkdir(folder)
    os.chmod(folder, mode)
    owner = os.stat(folder + ".away")
    if owner.st_uid != os.geteuid():    # the filter of the unit knows no chown at all
        os.chown(folder, owner.st_uid, owner.st_gid)


def opened(folder):
    emptied(folder, 0o777)


@pytest.mark.parametrize("change,word", [(away, "No such file"), (linked, "symbolic link"),
                                         (emptied, "mounted"), (opened, "chmod")])
def test_a_directory_that_is_not_ours_any_more(limited, change, word):
    """F22: put off, nothing is written anywhere, and it is used again as soon as it is back."""
    daemon = limited()
    folder = daemon.workspace.file("quarantine")
    assert hold(daemon, "4A").kind == "discard"
    change(folder)
    before = sorted(path for path, _, _ in os.walk(daemon.workspace.path))
    assert put_off(daemon, "4B") and alarm_is_everywhere(daemon, word)
    assert sorted(path for path, _, _ in os.walk(daemon.workspace.path)) == before
    assert os.listdir(folder + ".away/tmp") == []
    assert len(os.listdir(folder + ".away/new")) == 1
    if os.path.islink(folder):
        os.unlink(folder)
    elif os.path.isdir(folder):
        shutil.rmtree(folder)
    os.rename(folder + ".away", folder)
    assert hold(daemon, "4C").kind == "discard" and is_well(daemon)
    assert len(items(daemon)) == 2


def test_domains_have_folders_of_their_own(limited):
    """domain_folders: held under the recipients' domain, in the common one when they have two."""
    daemon = limited("domain_folders = true")
    for name, recipients in (("4A", ["a@Example.com", "b@example.com"]),
                             ("4B", ["a@example.com", "b@example.org"])):
        outcome = send(daemon.address, make(score=11.0), queue_id=name, recipients=recipients)
        assert outcome.kind == "discard"
    folder = daemon.workspace.file("quarantine/domains")
    assert os.listdir(folder) == ["example.com"]
    own, = os.listdir(folder + "/example.com/new")
    assert daemon.message_line("4A")["quarantine"] in own
    common, = items(daemon)
    assert daemon.message_line("4B")["quarantine"] in common
    assert metrics(daemon)["items"] == 2


def test_it_is_noticed_without_any_mail(limited):
    daemon = limited()
    folder = daemon.workspace.file("quarantine")
    os.rename(folder, folder + ".away")
    daemon.wait_log("ALARM", timeout=30)
    os.rename(folder + ".away", folder)
    assert is_well(daemon)


# LeakSanitizer cannot work below strace
SLOW = (f"strace -E ASAN_OPTIONS={os.environ.get('ASAN_OPTIONS', '')}:detect_leaks=0 -f -qq "
        "-o /dev/null -e trace=renameat2 -e inject=renameat2:delay_enter={us}")


@pytest.fixture
def slow(start, scorer, monkeypatch):
    """A daemon whose disk takes so many microseconds to give a file its name."""
    if not shutil.which("strace"):
        pytest.skip("needs strace")

    def begin(us, deadline):
        first = start([scorer.listen("good")], policy=HOLDING, deadline=deadline)
        first.stop_cleanly()
        monkeypatch.setenv("SPAMBRIDGE_WRAPPER", SLOW.replace("{us}", str(us)))
        return start(config=first.config, workspace=first.workspace, listen=first.address)
    return begin


def test_signs_of_life_while_the_disk_is_slow(slow):
    """Sendmail gives a filter ten seconds for each: one comes every two."""
    daemon = slow(5_000_000, "20s")
    outcome = hold(daemon, "4SLOW")
    assert outcome.kind == "discard" and outcome.seconds > 4.9
    moments = [0.0, *outcome.verdict.progress, outcome.seconds]
    assert len(moments) >= 4
    in_time(max(b - a for a, b in zip(moments, moments[1:])), 3.5, moments)


def test_never_beyond_the_deadline(slow):
    """F38: put off in time, no sign of life after that, and what finishes later is taken back."""
    daemon = slow(6_000_000, "3s")
    outcome = hold(daemon, "4LATE")
    assert outcome.reply.code == 451
    assert outcome.seconds >= 3.0
    by_deadline(outcome.seconds, 3.0 + 0.4)     # strace stops the daemon at each call
    status = daemon.status()["quarantine"]
    assert "too slow" in status["trouble"] and status["too_slow"] == 1
    assert wait_until(lambda: not items(daemon) and not os.listdir(
        daemon.workspace.file("quarantine/tmp")))

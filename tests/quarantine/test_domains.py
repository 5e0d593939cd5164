# SPDX-License-Identifier: BSD-2-Clause
"""A Maildir for each recipient domain: what goes there, who finds it, and that it is as safe."""

import mailbox
import os
import shutil

import pytest

from quarantine import Quarantine, Tool, inject

ODD = ["one@example.com/../../etc", "one@..", "one@.", "one@", "one", "", "one@a/b",
       "one@" + "a" * 300 + ".example", "one@[192.0.2.1]", "one@-x.example", "one@.example",
       "one@exa mple.com", "one@\u00e9\u0000".replace("\u0000", "\u0301") + "_.example_"]


NOBODY, GROUP = 65534, 65533
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def domains(quarantine):
    return sorted(os.listdir(os.path.join(quarantine.path, "domains")))


def where(quarantine, item):
    """The Maildir of an item, below the quarantine."""
    folder = os.path.dirname(os.path.dirname(quarantine.item_path(item)))
    return os.path.relpath(folder, quarantine.path)


@pytest.mark.parametrize("recipients,folder", [
    (["one@example.com"], "domains/example.com"),
    (["one@Example.COM", "two@example.com."], "domains/example.com"),
    (["one@b\u00fccher.example"], "domains/xn--bcher-kva.example"),
    (["one@example.com", "two@example.org"], "."),
    (["one@example.com", "two"], ".")])
def test_one_domain_one_maildir(quarantine, recipients, folder):
    """Who may read one domain's mail does not learn of another's recipients."""
    item = quarantine.put("-m", recipients=recipients).stored[0]
    assert where(quarantine, item) == folder
    assert quarantine.look() == {item: "good"}


@pytest.mark.parametrize("recipient", ODD)
def test_no_name_leads_out_of_it(quarantine, recipient):
    """Attack A15: what is no plain host name never becomes a part of a path."""
    quarantine.put()
    before = sorted(place for place, _, _ in os.walk(quarantine.top))
    outcome = quarantine.put("-m", recipients=[recipient], check=False)
    assert all(where(quarantine, item) == "." for item in outcome.stored)
    assert sorted(place for place, _, _ in os.walk(quarantine.top)) == before


def test_the_tool_finds_all(quarantine):
    """Whatever the option says now."""
    stored = {quarantine.put(*options, recipients=[recipient]).stored[0]: recipient
              for options, recipient in ((["-m"], "one@example.com"), (["-m"], "one@example.org"),
                                         ([], "two@example.com"))}
    tool = Tool(quarantine)
    assert {item["id"] for item in tool.json("list")} == set(stored)
    tool.run("verify")
    first, second, third = stored
    assert "one@example.com" in tool.run("show", first[:10]).stdout
    tool.run("delete", "--yes", first, third)
    assert set(quarantine.look()) == {second}
    shutil.move(quarantine.item_path(second),
                quarantine.item_path(second).replace("/new/", "/cur/") + ":2,S")
    assert set(quarantine.look()) == {second}
    tool.run("delete", "--yes", second)
    assert quarantine.look() == {}
    assert domains(quarantine) == ["example.com", "example.org"]


def test_limits_are_those_of_all(quarantine):
    quarantine.put("-m", recipients=["one@example.com"])
    quarantine.put("-m", recipients=["one@example.org"])
    quarantine.put()
    outcome = quarantine.put("-m", "-i", "3", check=False)
    assert not outcome.stored and "max_items" in outcome.failed[0]


def test_a_mail_reader_reads_one_domain(quarantine):
    items = quarantine.put("-m", "-n", "2", recipients=["one@example.com"]).stored
    quarantine.put("-m", recipients=["one@example.org"])
    box = mailbox.Maildir(os.path.join(quarantine.path, "domains/example.com"), create=False)
    assert sorted(message["X-Quarantine-ID"] for message in box) == sorted(items)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_domains_own_group(quarantine):
    """The group of a domain's folders gets its items to read, and no others."""
    os.chown(quarantine.top, NOBODY, NOBODY)
    stored = [quarantine.put("-m", before=AS_NOBODY).stored[0]]
    for name in ("tmp", "new", "cur"):
        place = os.path.join(quarantine.path, "domains/example.com", name)
        os.chown(place, -1, GROUP)
        os.chmod(place, 0o2750)
    for recipient in ("one@example.com", "one@example.org"):
        stored += quarantine.put("-m", recipients=[recipient], before=AS_NOBODY).stored
    found = [os.stat(quarantine.item_path(item)) for item in stored]
    assert [one.st_gid for one in found] == [NOBODY, GROUP, NOBODY]
    assert {one.st_mode & 0o7777 for one in found} == {0o640}


def put_in(quarantine, *options, **names):
    return quarantine.put("-m", *options, check=False, **names)


@pytest.mark.parametrize("known", [False, True], ids=["first", "later"])
def test_killed_before_every_system_call(known):
    """F24, also while the domain's Maildir is made."""
    with Quarantine() as pattern:
        pattern.put("-m", recipients=["one@example.com" if known else "one@example.org"])
        calls = pattern.store_calls("-m")
    assert len(calls) > 40
    with Quarantine() as quarantine:
        quarantine.put("-m", recipients=["one@example.com" if known else "one@example.org"])
        for name, when in calls:
            outcome = put_in(quarantine, before=inject(name, when, "signal=KILL"))
            assert outcome.code != 0 or name == "futex", (name, when)
            seen = quarantine.look()
            assert set(seen.values()) == {"good"} and set(outcome.stored) <= set(seen)
            if not known:
                assert len(quarantine.put("-m").stored) == 1, (name, when)
                shutil.rmtree(os.path.join(quarantine.path, "domains/example.com"))


ERRORS = {"mkdirat": "ENOSPC", "openat": "EMFILE", "fsync": "EIO", "renameat2": "ENOSPC",
          "write": "ENOSPC", "fchmod": "EROFS", "close": "EIO"}


@pytest.mark.parametrize("known", [False, True], ids=["first", "later"])
def test_every_call_fails_once(known):
    """F18: stored and whole, or deferred and nothing to be seen."""
    with Quarantine() as pattern:
        pattern.put("-m", recipients=["one@example.com" if known else "one@example.org"])
        calls = pattern.store_calls("-m")
    with Quarantine() as quarantine:
        quarantine.put("-m", recipients=["one@example.com" if known else "one@example.org"])
        for name, when in calls[:-1]:
            if name not in ERRORS:
                continue
            if not known:
                shutil.rmtree(os.path.join(quarantine.path, "domains/example.com"), True)
            before = set(quarantine.look())
            outcome = put_in(quarantine, before=inject(name, when, f"error={ERRORS[name]}"))
            new = set(quarantine.look()) - before
            assert new == set(outcome.stored), (name, when, outcome.errors)
            assert outcome.stored or outcome.code != 0, (name, when)
            assert quarantine.unfinished() == [], (name, when)
            assert set(quarantine.look().values()) == {"good"}


def linked(folder, elsewhere):
    shutil.rmtree(folder)
    os.symlink(elsewhere, folder)


def linked_new(folder, elsewhere):
    shutil.rmtree(folder + "/new")
    os.symlink(elsewhere, folder + "/new")


def opened(folder, _):
    os.chmod(folder + "/new", 0o777)


def a_file(folder, _):
    shutil.rmtree(folder)
    with open(folder, "w", encoding="ascii"):
        pass


@pytest.mark.parametrize("change", [linked, linked_new, opened, a_file])
def test_a_folder_that_is_not_ours(quarantine, change):
    """Attack A16: nothing is written through a link or beside the quarantine; others go on."""
    elsewhere = os.path.join(quarantine.top, "elsewhere")
    for name in ("", "/tmp", "/new", "/cur"):
        os.mkdir(elsewhere + name)
    quarantine.put("-m")
    change(os.path.join(quarantine.path, "domains/example.com"), elsewhere)
    outcome = put_in(quarantine)
    assert not outcome.stored and outcome.code != 0
    assert [names for _, _, names in os.walk(elsewhere) if names] == []

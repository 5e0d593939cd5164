# SPDX-License-Identifier: BSD-2-Clause
"""The rooms include only downwards, and only some of them see certain libraries."""

import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
ROOMS = ["daemon", "ctl", "judge", "quarantine", "scorer", "policy", "protocol", "mail", "config",
         "base"]     # from top to bottom
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)
ONLY_IN = {     # start of a header's name: files or rooms that may include it
    "libmilter/": ["daemon/milter.", "daemon/apply.", "daemon/gate."],
    "curl/": ["scorer/", "quarantine/courier_smtp.", "daemon/main.", "ctl/"],
    "confuse.h": ["config/"],
    "microhttpd.h": ["daemon/http."],
    "spawn.h": ["ctl/", "quarantine/courier_sendmail."],
}


def sources():
    """(room, path inside its room's parent, includes) of every source file."""
    for folder in ("src", "include"):
        for path in sorted((TOP / folder).rglob("*.[ch]")):
            name = path.relative_to(TOP / folder).as_posix()
            yield name.split("/")[0], name, INCLUDE.findall(path.read_text())


def upward(room, names):
    """The includes that a file of this room must not have."""
    return [name for name in names if name.split("/")[0] in ROOMS
            and ROOMS.index(name.split("/")[0]) < ROOMS.index(room)]


def test_there_is_something_to_look_at():
    rooms = {room for room, _, _ in sources()}
    assert rooms <= set(ROOMS), "a room that has no place in the order"
    assert {"daemon", "ctl", "judge", "scorer", "config", "base"} <= rooms


def test_includes_point_downwards():
    wrong = [(name, bad) for room, name, names in sources() if (bad := upward(room, names))]
    assert wrong == []


def test_the_daemon_does_not_use_the_tool():
    wrong = [name for room, name, names in sources()
             if room == "daemon" and any(n.startswith("ctl/") for n in names)]
    assert wrong == []


def test_the_check_finds_an_upward_include():
    assert upward("scorer", ["policy/decide.h", "judge/judge.h", "base/buf.h"]) == ["judge/judge.h"]


def test_libraries_stay_in_their_rooms():
    wrong = [(name, header) for _, name, names in sources() for header in names
             for start, allowed in ONLY_IN.items()
             if header.startswith(start) and not name.startswith(tuple(allowed))]
    assert wrong == []


def test_every_header_is_listed_for_distribution():
    listed = "".join(path.read_text() for path in (TOP / "src").rglob("sources.am"))
    missing = [path.relative_to(TOP).as_posix() for folder in ("src", "include")
               for path in (TOP / folder).rglob("*.[ch]")
               if path.relative_to(TOP).as_posix() not in listed]
    assert missing == []

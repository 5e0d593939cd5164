# SPDX-License-Identifier: BSD-2-Clause
"""src/README speaks of what there is: its rooms, its files, its threads."""

import re
from pathlib import Path

from test_layers import ROOMS

TOP = Path(__file__).resolve().parents[2]
TEXT = (TOP / "src" / "README").read_text()
NAMED = re.compile(r"\b((?:%s|tests)/[\w/]*\w(?:\.[a-z\d]+)+)" % "|".join(ROOMS))
STARTS = re.compile(r"\b(?:thread_start|pthread_create)\(")
STARTERS = {"base/thread.c"}     # starts what the others hand it


def part(title):
    """The text between a headline and the next one."""
    return TEXT.split(f"\n{title}\n---", 1)[1].split("\n---", 1)[0]


def test_rooms_in_their_order():
    assert re.findall(r"^  (\w+) +\S", TEXT.split("\nEverything but")[0], re.MULTILINE) == ROOMS


def test_files_that_are_named_exist():
    names = set(NAMED.findall(TEXT))
    assert len(names) > 30
    missing = [name for name in names if not any(
        (TOP / folder / name).exists() for folder in ("src", "include", "."))]
    assert missing == []


def test_every_thread_is_told():
    starters = {path.relative_to(TOP / "src").as_posix() for path in (TOP / "src").rglob("*.c")
                if STARTS.search(path.read_text())} - STARTERS
    told = set(re.findall(r"^  (\w+/\w+\.c) ", part("Threads"), re.MULTILINE))
    assert told == starters | {"daemon/main.c"}

# SPDX-License-Identifier: BSD-2-Clause
"""Functions that are not used, and what every source file begins with."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BANNED = ("atoi atol atof strtod sscanf sprintf vsprintf strcpy strcat strncpy strncat strtok gets "
          "alloca localtime gmtime ctime asctime strerror system popen fork vfork execl execlp "
          "execle execv execvp execve mktemp tmpnam").split()
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))
NOISE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\])*"', re.DOTALL)


def blank(match):
    """A comment or string without its text, line ends kept."""
    return re.sub(r"[^\n]", " ", match.group(0))


def calls(text):
    """(line, name) of each banned call outside comments and strings."""
    bare = NOISE.sub(blank, text)
    return [(bare.count("\n", 0, m.start()) + 1, m.group(1)) for m in CALL.finditer(bare)]


def c_files():
    return sorted(path for folder in ("src", "include") for path in (TOP / folder).rglob("*.[ch]"))


def test_the_check_finds_calls_and_nothing_else():
    text = ('x = atoi(y); /* sprintf( */ puts("strcpy(");\nsnprintf(a); my_gets(); p->system();\n'
            'system ("x");')
    assert calls(text) == [(1, "atoi"), (3, "system")]


@pytest.mark.parametrize("path", c_files(), ids=lambda path: path.relative_to(TOP).as_posix())
def test_source_file(path):
    text = path.read_text()
    lines = text.split("\n")
    assert calls(text) == []
    assert lines[0] == "/* SPDX-License-Identifier: BSD-2-Clause */"
    assert lines[1].startswith("/*"), "the second line says what the file is for"
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert [n for n, line in enumerate(lines, 1) if line != line.rstrip()] == []

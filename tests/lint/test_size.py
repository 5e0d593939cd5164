# SPDX-License-Identifier: BSD-2-Clause
"""Nothing grows too large to be read at once, and headers say what their functions do."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
FILE_LINES = 500        # at this size look for the second idea
HEADER_LINES = 250
FUNCTION_LINES = 60
NOISE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
NAME = re.compile(r"(\w+)\s*\([^;]*$", re.DOTALL)
# what these do is the same everywhere, and said once in src/README
CONVENTION = re.compile(r"\w+_(?:init|free|ref)")
# a declaration that ends in `)` or attributes, outside of any brace
PROTOTYPE = re.compile(r"^(?!static\b|typedef\b|#|\s|\})[\w][^;{}#=]*?\b(\w+)\s*\([^;{}]*;",
                       re.MULTILINE)


def blank(match):
    """A comment, string or character without its text, line ends kept."""
    return re.sub(r"[^\n]", " ", match.group(0))


def functions(text):
    """(name, first line, number of lines) of each function of a file in our format."""
    lines = NOISE.sub(blank, text).split("\n")
    found, begin = [], None
    for number, line in enumerate(lines):
        if line == "{":
            begin = number
        elif line == "}" and begin is not None:
            head = begin - 1
            while head > 0 and lines[head - 1].strip() and lines[head - 1][:1] not in "}#":
                head -= 1
            match = NAME.search("\n".join(lines[head:begin]).split("(")[0] + "(")
            found.append((match.group(1) if match else "?", head + 1, number - head + 1))
            begin = None
    return found


def uncommented(text):
    """Names of the functions that a header declares without a comment of theirs or their group's.

    A comment belongs to the declarations that follow it without an empty line.
    """
    # an empty line inside a comment does not end it
    text = COMMENT.sub(lambda match: match.group(0).replace("\n\n", "\n*\n"), text)
    bare = NOISE.sub(blank, text)
    missing = []
    for match in PROTOTYPE.finditer(bare):
        block = text[:match.start()].rpartition("\n\n")[2]
        name = match.group(1)
        if not COMMENT.search(block) and not CONVENTION.fullmatch(name):
            missing.append(name)
    return missing


def c_files(*folders):
    return sorted(path for folder in folders for path in (TOP / folder).rglob("*.[ch]"))


def name_of(path):
    return path.relative_to(TOP).as_posix()


def test_the_checks_find_what_they_look_for():
    text = "/* f */\nint a(void)\n{\n\tx = '{';\n}\n\nstatic int b(int c,\n\tint d)\n{\n}\n"
    assert functions(text) == [("a", 2, 4), ("b", 7, 4)]
    header = "/* It does. */\nint a(void);\nint b(char *c,\n\tint d);\n\nvoid e(void);\n"
    assert uncommented(header + "\nvoid x_free(struct x **x);\n") == ["e"]


@pytest.mark.parametrize("path", c_files("src", "include"), ids=name_of)
def test_size_of_source(path):
    text = path.read_text()
    limit = HEADER_LINES if path.suffix == ".h" else FILE_LINES
    assert text.count("\n") < limit
    assert [row for row in functions(text) if row[2] > FUNCTION_LINES] == []


def test_every_declared_function_is_described():
    found = {name: name_of(path) for path in c_files("include")
             for name in uncommented(path.read_text())}
    assert found == {}

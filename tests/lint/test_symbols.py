# SPDX-License-Identifier: BSD-2-Clause
"""What the built daemon asks of libc: it must not be able to start another program."""

import os
import re
import subprocess

import pytest

STARTERS = re.compile(r"^(exec\w+|fexecve|system|popen|v?fork|posix_spawnp?|wordexp)(@.*)?$")


def imported(program):
    """Names of the undefined dynamic symbols."""
    listing = subprocess.run(["nm", "-D", "--undefined-only", program], stdout=subprocess.PIPE,
                             text=True, check=True).stdout
    return [line.split()[-1] for line in listing.splitlines()]


@pytest.fixture(name="build")
def build_folder():
    folder = os.environ.get("SPAMBRIDGE_BUILD")
    if not folder:
        pytest.skip("SPAMBRIDGE_BUILD is not set")
    return folder


def test_the_daemon_starts_no_program(build):
    names = imported(os.path.join(build, "spambridge"))
    assert any(name.startswith("smfi_main") for name in names), "this is not the daemon"
    assert [name for name in names if STARTERS.match(name)] == []


def test_the_tool_starts_programs_without_a_shell(build):
    names = [name.split("@")[0] for name in imported(os.path.join(build, "spambridgectl"))]
    found = {name for name in names if STARTERS.match(name)}
    assert found <= {"posix_spawn", "posix_spawnp"}

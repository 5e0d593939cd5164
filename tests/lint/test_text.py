# SPDX-License-Identifier: BSD-2-Clause
"""Shell scripts and manual pages are sound; nothing names the place where it was written."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
SKIPPED = {".git", ".cache", ".pytest_cache", "autom4te.cache", "__pycache__"}
GENERATED = {"Makefile.in", "aclocal.m4", "ar-lib", "compile", "config.h.in", "configure",
             "depcomp", "install-sh", "missing", "test-driver"}
# a checkout, an account's directory, a build: paths of one machine
PLACES = re.compile(r"(?<![\w.@%*-])/(?:work|home|mnt|build|builds|workspace)/")
# hosts that a reader may be sent to, or that are reserved for examples (RFC 2606, RFC 5737)
HOSTS = re.compile(r"(?:[\w-]+\.)*(?:example(?:\.(?:com|org|net))?|localhost|ietf\.org"
                   r"|rfc-editor\.org|debian\.org|gnu\.org|kernel\.org|freedesktop\.org|systemd\.io|apache\.org"
                   r"|rspamd\.com|postfix\.org|postmarkapp\.com)|(?:127|192\.0\.2|198\.51\.100"
                   r"|203\.0\.113)\.[\d.]*\d|\[?::1\]?|%s.*|host|evil|[a-z]")
URL = re.compile(r"\b(?:https?|ftp|git|ssh)://([\w%-]+(?:\.[\w%-]+)*|\[[\d:]+\])")


def text_files():
    """(path, text) of every file of the tree that holds text."""
    for folder, folders, names in os.walk(TOP):
        folders[:] = sorted(name for name in folders
                            if name not in SKIPPED and not name.startswith("build"))
        for name in sorted(set(names) - GENERATED):
            if name.endswith("~"):
                continue
            path = Path(folder) / name
            data = path.read_bytes()
            if b"\0" not in data:
                yield path.relative_to(TOP).as_posix(), data.decode("utf-8", "replace")


def scripts():
    """Every shell script: a first line that names a shell."""
    return [name for name, text in text_files() if re.match(r"#!.*\b(ba|da)?sh\b", text)]


def tool(name):
    """The path of a program; the test is skipped where it is missing."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def run(*words):
    """What a program has to say when it runs at the top of the tree."""
    result = subprocess.run(words, cwd=TOP, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False)
    return result.returncode, result.stdout


def test_shell_scripts():
    names = scripts()
    assert "tests/run" in names and "contrib/install-packages" in names
    assert run(tool("shellcheck"), "--severity=style", "--exclude=SC1091", *names) == (0, "")


def test_manual_pages():
    pages = sorted(path.relative_to(TOP).as_posix() for path in (TOP / "src").rglob("*.[1-8]"))
    assert len(pages) >= 3
    assert run(tool("mandoc"), "-Tlint", "-Wwarning", *pages) == (0, "")


def test_no_place_is_named():
    wrong = [(name, match.group(0)) for name, text in text_files()
             if not name.startswith("tests/lint/") for match in PLACES.finditer(text)]
    assert wrong == []


def test_only_known_hosts_are_named():
    wrong = [(name, match.group(1)) for name, text in text_files()
             if not name.startswith("tests/lint/")
             for match in URL.finditer(text) if not HOSTS.fullmatch(match.group(1))]
    assert wrong == []


def test_the_checks_find_what_they_look_for():
    assert PLACES.search('open("/home/ann/x")') and PLACES.search("cd /build/x")
    assert not PLACES.search("src/build/x") and not PLACES.search("/var/spool/postfix/")
    found = URL.findall("see https://packages.internal:8080/x, http://192.0.2.1/ or "
                        "https://a.example.org.")
    assert [host for host in found if not HOSTS.fullmatch(host)] == ["packages.internal"]

# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the package tests: what is built, and the clean tree; each made once."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

# pylint: disable=wrong-import-position
from build import TOP, Builder     # noqa: E402
from tree import NoTree, Tree     # noqa: E402

SKIPPED = []


def pytest_terminal_summary(terminalreporter):
    for reason in SKIPPED:
        terminalreporter.write_line(f"SKIP package: {reason}")


@pytest.fixture(scope="session")
def builder():
    done = subprocess.run([TOP / "contrib/install-packages", "build", "test", "package"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        SKIPPED.append(f"packages for building are missing: {done.stderr.strip()}")
        pytest.skip(SKIPPED[-1])
    path = tempfile.mkdtemp(prefix="sb-package-")
    yield Builder(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def tarball(builder):
    return builder.tarball()


@pytest.fixture(scope="session")
def built(builder, tarball):
    """The folder with packages and .changes."""
    return builder.package(tarball, "first")


@pytest.fixture(scope="session")
def package(built):
    return next(built.glob("spambridge_*.deb"))


@pytest.fixture(scope="session")
def tree(package):
    """A clean tree with everything downloaded, nothing of ours installed, booted if possible."""
    try:
        found = Tree(["systemd", "systemd-sysv", "dbus", "iproute2", "python3", "procps"])
    except NoTree as reason:
        SKIPPED.append(str(reason))
        pytest.skip(SKIPPED[-1])
    try:
        found.copy(package, "/root/spambridge.deb")
        found.source(TOP, "contrib", "debian", "src", "tests")
        found.download("/root/spambridge.deb", "postfix", "spamd", "openssl", "python3-pytest",
                       "autopkgtest", "dpkg-dev", "dpkg-repack", "strace")
        found.download("sendmail", "make")
        found.boot()
        yield found
    finally:
        found.remove()

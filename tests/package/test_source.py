# SPDX-License-Identifier: BSD-2-Clause
"""The tarball in a clean Debian tree: built and installed to /usr/local as README says, and at work.

Neither git nor autoconf is in that tree. What runs there in the end is the same test of real mail
as for the package.
"""

import re

import pytest

from build import TOP
from conftest import SKIPPED
from tree import NoTree, Tree

SOURCE = "/root/source"


def steps():
    """The command lines of README's section for the tarball; the first one installs packages."""
    readme = (TOP / "README").read_text(encoding="utf-8")
    block = re.search(r"A release's tarball[^\n]*\n((?:    .*\n)+)", readme).group(1)
    found = block.replace("\\\n", " ").splitlines()
    assert found[0].split()[:2] == ["apt-get", "install"] and "./configure" in found[1]
    return found[0].split()[2:], [line.strip() for line in found[1:]]


@pytest.fixture(scope="module")
def bare(tarball):
    """A clean tree with the unpacked tarball and what README asks for, nothing else, booted."""
    packages, _ = steps()
    try:
        found = Tree(["systemd", "systemd-sysv", "dbus", "iproute2", "python3", "procps",
                      "xz-utils"])
    except NoTree as reason:
        SKIPPED.append(str(reason))
        pytest.skip(SKIPPED[-1])
    try:
        found.copy(tarball, "/root/source.tar.xz")
        found.source(TOP, "debian")
        found.download(*packages, "postfix", "spamd")
        if not found.boot():
            pytest.skip("systemd does not run in the tree")
        found.run("apt-get", "-q", "-y", "install", *packages, "postfix", "spamd")
        found.run("mkdir", SOURCE)
        found.run("tar", "-C", SOURCE, "--strip-components=1", "-xf", "/root/source.tar.xz")
        yield found
    finally:
        found.remove()


def test_readme_installs_to_usr_local(bare):
    for tool in ("git", "autoconf", "automake", "aclocal"):
        assert bare.run("sh", "-c", f"command -v {tool}", check=False).returncode != 0
    for step in steps()[1]:
        bare.run("sh", "-c", f"cd {SOURCE} && {step}")
    assert bare.run("systemctl", "is-active", "spambridge").stdout.strip() == "active"
    pid = bare.run("systemctl", "show", "-P", "MainPID", "spambridge").stdout.strip()
    assert bare.run("readlink", f"/proc/{pid}/exe").stdout.strip() == "/usr/local/sbin/spambridge"
    assert bare.run("sh", "-c", "command -v spambridgectl").stdout.strip() == \
        "/usr/local/bin/spambridgectl"


def test_mail_from_usr_local(bare):
    """As Debian's package has it, mail between 10 and 15 points is held."""
    bare.run("sed", "-i", r"s/^#\tquarantine = off$/\tquarantine = 10.0/",
             "/etc/spambridge/spambridge.conf")
    done = bare.run("sh", "-c", "/usr/src/spambridge/debian/tests/mail 2>&1", check=False)
    assert done.returncode == 0, done.stdout[-8000:]


def test_uninstall_leaves_nothing_of_the_program(bare):
    bare.run("systemctl", "disable", "--now", "spambridge")
    bare.run("make", "-C", SOURCE, "uninstall")
    left = bare.run("find", "/usr/local", "-name", "*spambridge*", "-not", "-type", "d").stdout
    assert left == ""

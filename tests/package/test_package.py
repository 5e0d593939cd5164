# SPDX-License-Identifier: BSD-2-Clause
"""The tarball and the Debian package: complete, clean, reproducible, and at work in a clean tree.

The tests of the tree tell one story, in this order: installation before and after Postfix, mail,
upgrade, removal and purge. What runs in the tree is debian/tests, as autopkgtest would run it.
"""

import hashlib
import os
import re
import tarfile
import time

import pytest

import apparmor
from build import source_files

STATE = "/var/lib/spambridge/quarantine/new"
SOCKET = "/var/spool/postfix/spambridge/milter.sock"
# settings of the unit that concern starting and stopping, not what the process may do; the last
# hides the daemon from the tests that look at its threads and files
LIFE = {"Type", "Restart", "RestartSec", "WatchdogSec", "TimeoutStopSec", "RuntimeDirectory",
        "RuntimeDirectoryMode", "StateDirectory", "StateDirectoryMode", "ReadWritePaths",
        "ProtectProc"}

TRACED = f"""\
[Service]
Type=notify
NotifyAccess=all
ExecStart=/usr/bin/{' '.join(apparmor.TRACE).replace('%', '%%')} -o /root/trace /usr/sbin/spambridge
ExecReload=/usr/bin/spambridgectl reload
"""

TIMED = ["burst", "deadline", "http_failures", "late", "limits", "pool"]


def test_the_tarball_is_complete(tarball):
    with tarfile.open(tarball) as archive:
        held = {member.name.split("/", 1)[1] for member in archive.getmembers() if member.isfile()}
    missing = {name for name in source_files() - held
               if not name.startswith("debian/") and not name.endswith("~")}
    assert not missing, f"not in EXTRA_DIST: {sorted(missing)}"
    assert "configure" in held and "Makefile.in" in held
    assert not [name for name in held if "__pycache__" in name]


def test_the_tarball_builds_without_autotools(builder, tarball):
    """To /usr/local below another root, in a tree that has neither git nor autoconf in reach."""
    folder = builder.folder("local")
    builder.run("tar", "-xf", str(tarball), "--strip-components=1", cwd=folder)
    for tool in ("autoconf", "automake", "aclocal", "autoheader", "git"):
        (folder / tool).symlink_to("/bin/false")
    path = f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin"
    builder.run("./configure", "-q", "--disable-dependency-tracking", cwd=folder, PATH=path)
    builder.run("make", "-s", "-j2", cwd=folder, PATH=path)
    builder.run("make", "-s", "install", f"DESTDIR={folder}/root", cwd=folder, PATH=path)
    root = folder / "root/usr/local"
    assert builder.run(str(root / "sbin/spambridge"), "-V").startswith("spambridge ")
    unit = (root / "lib/systemd/system/spambridge.service").read_text(encoding="utf-8")
    assert "\nExecStart=/usr/local/sbin/spambridge\n" in unit and "@" not in re.sub(
        "[a-z]+@-|@[a-z]+-|@resources|@privileged", "", unit)
    assert (root / "lib/sysusers.d/spambridge.conf").exists()
    assert (root / "share/man/man8/spambridge.8").exists()


def test_a_second_build_is_the_same(builder, tarball, built):
    """Another directory, umask, time zone, language and host's user name."""
    again = builder.package(tarball, "the-second-time", "-b", LC_ALL="C", LANG="de_DE",
                            TZ="Pacific/Auckland", USER="somebody")
    first = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
             for path in built.glob("*.deb")}
    second = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
              for path in again.glob("*.deb")}
    assert len(first) == 2 and first == second


def test_lintian_is_content(builder, built):
    changes = next(built.glob("*.changes"))
    found = builder.run("lintian", "--pedantic", "--display-info", "--display-experimental",
                        "--show-overrides",
                        "--fail-on=none", "--tag-display-limit", "0", str(changes))
    assert [line for line in found.splitlines() if not line.startswith(("O: ", "N: "))] == []


@pytest.mark.parametrize("unit,limit", [("spambridge.service", 1.1), ("unix", 0.5)])
def test_the_sandbox_is_tight(builder, package, unit, limit):
    folder = builder.folder(f"unit-{unit}")
    builder.run("dpkg-deb", "-x", str(package), str(folder))
    path = folder / "lib/systemd/system/spambridge.service"
    if unit == "unix":
        drop_in = folder / "usr/share/doc/spambridge/examples/unix-sockets-only.conf"
        with open(path, "a", encoding="utf-8") as file:
            file.write(drop_in.read_text(encoding="utf-8"))
    found = builder.run("systemd-analyze", "security", "--offline=true", "--no-pager", str(path))
    exposure = float(re.search(r"Overall exposure level .*: ([0-9.]+) ", found).group(1))
    print(f"{unit}: {exposure}")
    assert exposure <= limit, found


def test_the_apparmor_profile_compiles(builder, package):
    """It is not loaded: that needs a kernel with AppArmor, and would hold for the whole machine."""
    folder = builder.folder("profile")
    builder.run("dpkg-deb", "-x", str(package), str(folder))
    builder.run("apparmor_parser", "--skip-kernel-load", "--skip-cache",
                str(folder / "etc/apparmor.d/usr.sbin.spambridge"))


def state(tree):
    return tree.run("systemctl", "is-active", "spambridge", check=False).stdout.strip()


def main_pid(tree):
    return tree.run("systemctl", "show", "-P", "MainPID", "spambridge").stdout.strip()


def becomes_active(tree):
    """True once the service runs; a start that failed before is tried again within seconds."""
    end = time.monotonic() + 30
    while state(tree) != "active":
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def install(tree, *packages):
    return tree.run("apt-get", "-q", "-y", "-o", "Dpkg::Options::=--force-confold",
                    "install", *packages).stdout


def own_test(tree, name):
    """Run one of debian/tests in the tree."""
    done = tree.run("sh", "-c", f"cd /usr/src/spambridge && debian/tests/{name} 2>&1", check=False)
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def test_installation_before_postfix(tree):
    """The daemon waits for a mail server, and the package is installed nevertheless."""
    install(tree, "/root/spambridge.deb")
    assert tree.run("id", "-un", "spambridge").stdout.strip() == "spambridge"
    own_test(tree, "config")
    if tree.booted:
        assert state(tree) != "active"
        log = tree.run("journalctl", "--no-pager", "-u", "spambridge").stdout
        assert 'there is no such group' in log


def test_postfix_brings_the_daemon_along(tree):
    install(tree, "postfix", "spamd", "openssl", "python3-pytest")
    if not tree.booted:
        tree.run("systemd-tmpfiles", "--create", "spambridge.conf")
        assert tree.run("stat", "-c", "%U %G %a", "/var/spool/postfix/spambridge").stdout.strip() \
            == "spambridge postfix 2750"
        return
    assert becomes_active(tree)
    assert tree.run("stat", "-c", "%U %G %a", SOCKET).stdout.strip() == "spambridge postfix 660"
    before = main_pid(tree)
    tree.run("systemctl", "reload", "spambridge")
    assert state(tree) == "active" and main_pid(tree) == before
    timers = tree.run("systemctl", "list-unit-files", "--no-legend", "spambridge-*.timer").stdout
    assert [line.split()[:2] for line in timers.splitlines()] == [
        ["spambridge-digest.timer", "disabled"]]


def test_mail(tree):
    print(own_test(tree, "mail"))
    if tree.booted:     # as contrib/neighbours/README looks for it
        log = tree.run("journalctl", "-u", "spambridge", "--output", "cat", "--grep",
                       "action=(reject|quarantine)").stdout.splitlines()
        assert len([line for line in log if " action=reject " in line]) == 1
        assert len([line for line in log if " action=quarantine " in line]) == 1
        assert all(line.startswith("id=") for line in log)


def started(tree, unit):
    """When it was up, in microseconds after the boot."""
    return int(tree.run("systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", unit).stdout)


def test_it_survives_a_reboot(tree):
    """Everything comes up by itself, the daemon before the mail server that needs its socket."""
    if not tree.booted:
        pytest.skip("systemd does not run in the tree")
    tree.reboot()
    print(own_test(tree, "mail --running"))
    assert 0 < started(tree, "spambridge") <= started(tree, "postfix@-")
    stopped = tree.run("journalctl", "--boot=-1", "-u", "spambridge", "--output", "cat").stdout
    assert "Stopped spambridge.service" in stopped


@pytest.mark.parametrize("signal,result", [("KILL", "status=9/KILL"),
                                           ("STOP", "Watchdog timeout")])
def test_a_daemon_that_dies_or_hangs_is_replaced(tree, signal, result):
    """Restart= and, for the half minute that the unit allows, WatchdogSec=."""
    if not tree.booted:
        pytest.skip("systemd does not run in the tree")
    assert becomes_active(tree)
    before = main_pid(tree)
    tree.run("kill", f"-{signal}", before)
    end = time.monotonic() + 60
    while main_pid(tree) in (before, "0"):
        assert time.monotonic() < end, f"still {before}"
        time.sleep(0.2)
    assert becomes_active(tree)
    assert result in tree.run("journalctl", "--no-pager", "-u", "spambridge").stdout
    tree.run("spambridgectl", "doctor")


def sandbox(tree):
    """What the installed unit forbids, as words for systemd-run."""
    unit = tree.run("cat", "/lib/systemd/system/spambridge.service").stdout
    service = unit.split("[Service]\n")[1].split("\n[")[0]
    pairs = [line for line in service.splitlines() if re.match(r"[A-Z]\w*=", line)]
    return [word for line in pairs
            if line.split("=")[0] not in LIFE and not line.startswith("Exec")
            for word in ("-p", line)]


def test_the_daemon_suite_under_the_seccomp_filter(tree):
    """tests/daemon with the unit's user, filter and name spaces around test and daemon.

    Files that mostly measure time are left out, unless SPAMBRIDGE_WHOLE is set: minutes.
    """
    if not tree.booted:
        pytest.skip("systemd does not run in the tree")
    chosen = [] if os.environ.get("SPAMBRIDGE_WHOLE") else [
        *(f"--ignore=daemon/test_{name}.py" for name in TIMED), "-k", "not byte_writes"]
    done = tree.run("systemd-run", "--quiet", "--pipe", "--wait", *sandbox(tree), "--",
                    "/usr/src/spambridge/debian/tests/daemon", *chosen, check=False)
    print(done.stdout[-3000:])
    assert done.returncode == 0, done.stdout[-8000:]


def test_the_apparmor_profile_allows_what_the_daemon_does(tree):
    """Every file that it touches from its start on, while all kinds of mail pass, fits a rule.

    strace goes again: tests/daemon would want to use it, which the unit's filter does not allow.
    """
    if not tree.booted:
        pytest.skip("systemd does not run in the tree")
    install(tree, "strace")
    tree.write("/etc/systemd/system/spambridge.service", TRACED)
    try:
        tree.run("systemctl", "daemon-reload")
        tree.run("systemctl", "stop", "spambridge")
        tree.run("rm", "-r", STATE.removesuffix("/new"))
        tree.run("systemctl", "start", "spambridge")
        print(own_test(tree, "mail --running"))
        tree.run("systemctl", "stop", "spambridge")
    finally:
        (tree.path / "etc/systemd/system/spambridge.service").unlink()
        tree.run("systemctl", "daemon-reload")
        tree.run("systemctl", "start", "spambridge")
        tree.run("dpkg", "--purge", "strace")
    used = apparmor.used((tree.path / "root/trace").read_text(encoding="utf-8"),
                         "/usr/sbin/spambridge")
    for place in ("/etc/spambridge/spambridge.conf", "/run/spambridge/control.sock", SOCKET):
        assert place in [path for path, _ in used]
    assert any(path.startswith(STATE) for path, _ in used)
    profile = apparmor.Profile(tree.path / "etc/apparmor.d/usr.sbin.spambridge")
    assert [one for one in sorted(used) if not profile.allows(*one)] == []
    assert not profile.allows("/etc/shadow", "r") and not profile.allows("/root/x", "r")


def test_an_upgrade_keeps_configuration_and_mail(tree):
    install(tree, "dpkg-repack")
    print(own_test(tree, "upgrade"))


def test_removal_and_purge(tree):
    print(own_test(tree, "purge"))
    if tree.booted:
        assert tree.run("systemctl", "list-unit-files", "--no-legend", "spambridge.service",
                        check=False).stdout.strip() == ""
    left = tree.run("find", "/etc", "/var", "/run", "-xdev", "-name", "*spambridge*",
                    "-not", "-path", "/var/log/*", "-not", "-path", "/var/cache/apt/*",
                    check=False).stdout.split()
    assert [name for name in left if "milter_" not in name] == []


def test_installation_after_postfix(tree):
    install(tree, "/root/spambridge.deb")
    assert tree.run("stat", "-c", "%U %G %a", "/var/spool/postfix/spambridge").stdout.strip() \
        == "spambridge postfix 2750"
    if tree.booted:
        assert becomes_active(tree)
        assert tree.run("stat", "-c", "%U %G %a", SOCKET).stdout.strip() \
            == "spambridge postfix 660"
        tree.run("dpkg", "--purge", "spambridge")
        assert tree.run("find", "/var/lib/spambridge", "/var/spool/postfix/spambridge",
                        check=False).stdout.count("No such file") == 2


def test_autopkgtest(tree):
    """All of debian/tests by Debian's own runner, in the tree, as the archive would run them.

    The tree is the container that they want: the purge comes after what it would break, and
    Sendmail, which takes Postfix's place, last.
    """
    if not tree.booted:
        pytest.skip("systemd does not run in the tree")
    install(tree, "autopkgtest")
    done = tree.run("autopkgtest", "--ignore-restrictions=isolation-container,breaks-testbed",
                    "--no-built-binaries", "/root/spambridge.deb", "/usr/src/spambridge", "--",
                    "null", check=False)
    found = dict(re.findall(r"(?m)^(\w+) +(PASS|FAIL|SKIP)\b", done.stdout))
    print(found)
    assert set(found) == {"config", "daemon", "mail", "upgrade", "purge", "sendmail"}, \
        done.stdout[-6000:]
    assert set(found.values()) == {"PASS"}, done.stdout[-8000:]

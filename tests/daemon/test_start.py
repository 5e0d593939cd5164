# SPDX-License-Identifier: BSD-2-Clause
"""Starting: readiness, the socket, who we are, and refusals that say what to do."""

import contextlib
import grp
import os
import pwd
import re
import socket
import stat

import pytest
from support import checks, ports
from support.daemon import Daemon, run, test_user as account
from support.messages import make
from support.mta import send
from support.timing import in_time


def ends_with_failure(daemon, timeout=60):
    """Start a daemon that must refuse; returns its log."""
    daemon.spawn()
    status = daemon.process.wait(timeout)
    daemon._finish()    # pylint: disable=protected-access
    text = "\n".join(daemon.lines)
    assert status == 1, f"exit status {status}\n{text}"
    assert text, "nothing on stderr"
    return text


@pytest.fixture
def made(workspace):
    """made(...) configures a daemon without starting it."""
    begun = []

    def make_daemon(**options):
        daemon = Daemon(["tcp://127.0.0.1:9"], workspace=workspace, **options)
        begun.append(daemon)
        return daemon
    yield make_daemon
    for daemon in begun:
        if daemon.process and daemon.alive():
            daemon.kill()


def test_readiness_is_announced(start, scorer):
    """sd_notify says READY=1 once the socket answers."""
    daemon = start([scorer.listen("good")])
    assert daemon.ready == "notify"
    assert ports.answers(daemon.address)


def test_notify_socket_that_nobody_reads(made):
    """A service manager that hangs holds up neither mail nor signals."""
    daemon = made()
    daemon.keep_notify = True
    daemon.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                sender.sendto(b"X=1", daemon.workspace.file("notify.sock"))
    assert send(daemon.address, make()).kind in ("accept", "continue")
    # long enough for a loop that speaks once a second to have spoken
    ports.wait_until(lambda: False, timeout=2.5)
    status, took = daemon.stop()
    assert status == 0
    in_time(took, 2.0)


@pytest.mark.parametrize("mode", ["0660", "0600", "0666"])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_socket_mode(start, scorer, mode, umask):
    """Traps 70, 71: the mode is the configured one whatever the umask."""
    server = scorer.listen("good")
    before = os.umask(umask)
    try:
        daemon = start([server], options=f'socket_mode = "{mode}"')
    finally:
        os.umask(before)
    found = stat.S_IMODE(os.stat(daemon.workspace.file("milter.sock")).st_mode)
    assert oct(found) == oct(int(mode, 8))


def test_socket_group(start, scorer):
    """The group of the socket is the configured one, where we may set it."""
    if os.geteuid() != 0:
        pytest.skip("only root may give a file to another group")
    group = next(entry for entry in grp.getgrall() if entry.gr_name in ("mail", "daemon"))
    daemon = start([scorer.listen("good")],
                   options=f'socket_group = "{group.gr_name}"')
    assert os.stat(daemon.workspace.file("milter.sock")).st_gid == group.gr_gid


@pytest.mark.parametrize("drop", ["config", "setpriv"])
def test_runs_unprivileged(start, scorer, drop):
    """Started as root it becomes `user`, groups included; started as that user it stays so."""
    if os.geteuid() != 0:
        pytest.skip("needs root to begin with")
    daemon = start([scorer.listen("good", score="7.3")], drop=drop)
    with open(f"/proc/{daemon.pid()}/status", encoding="ascii") as file:
        rows = dict(line.rstrip("\n").split(":", 1) for line in file)
    wanted = pwd.getpwnam(account())
    assert set(rows["Uid"].split()) == {str(wanted.pw_uid)}
    assert set(rows["Gid"].split()) == {str(wanted.pw_gid)}
    assert "0" not in rows["Groups"].split()
    assert int(rows["CapEff"], 16) == 0
    assert checks.status(send(daemon.address, make()))["score"] == "7.3"


def test_refuses_to_run_as_root(made):
    if os.geteuid() != 0:
        pytest.skip("needs root to try")
    daemon = made()
    daemon.write_config(daemon.config.replace(f'user = "{account()}"', 'user = "root"'))
    assert "root" in ends_with_failure(daemon)


def test_second_start_refuses(start, scorer, workspace):
    """Trap 71, F36: a live socket is left alone, and its owner goes on working."""
    server = scorer.listen("good", score="7.3")
    first = start([server], workspace=workspace)
    second = Daemon(config=first.config, workspace=workspace)
    assert "milter.sock" in ends_with_failure(second)
    assert checks.status(send(first.address, make()))["score"] == "7.3"


def test_second_start_refuses_on_tcp(start, scorer, workspace):
    server = scorer.listen("good", score="7.3")
    listen = f"inet:{ports.free_port()}@127.0.0.1"
    first = start([server], workspace=workspace, listen=listen)
    second = Daemon(config=first.config, workspace=workspace, listen=listen)
    ends_with_failure(second)
    assert checks.status(send(first.address, make()))["score"] == "7.3"


def test_stale_socket_is_replaced(made):
    """F36: a socket that nobody listens on any more."""
    daemon = made()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(daemon.workspace.file("milter.sock"))
    daemon.start()
    assert ports.answers(daemon.address)
    daemon.stop_cleanly()


def test_stale_socket_after_kill(made):
    daemon = made()
    daemon.start()
    daemon.process.kill()
    daemon.process.wait()
    daemon._finish()    # pylint: disable=protected-access
    again = made().start()
    assert ports.answers(again.address)
    again.stop_cleanly()


@pytest.mark.parametrize("kind", ["file", "directory", "symlink", "fifo"])
def test_what_is_no_socket_is_refused(made, kind):
    """F36: never unlink what is not a dead socket."""
    daemon = made()
    path = daemon.workspace.file("milter.sock")
    target = daemon.workspace.file("precious")
    with open(target, "w", encoding="ascii") as file:
        file.write("keep me")
    {"file": lambda: os.rename(target, path), "directory": lambda: os.mkdir(path),
     "symlink": lambda: os.symlink(target, path), "fifo": lambda: os.mkfifo(path)}[kind]()
    assert "milter.sock" in ends_with_failure(daemon)
    assert os.path.lexists(path)
    if kind in ("file", "symlink"):
        with open(path, encoding="ascii") as file:
            assert file.read() == "keep me"


def test_missing_directory(made):
    daemon = made(listen="unix:/nonexistent/directory/milter.sock")
    assert "/nonexistent/directory" in ends_with_failure(daemon)


@pytest.mark.parametrize("line,word", [
    ("no_such_key = 1", "no_such_key"), ("deadline = fast", "deadline"),
    ('listen = "inet:99999@127.0.0.1"', "listen"), ("deadline = 0s", "deadline"),
    ('scorer "y" { protocol = spamd servers = { "ftp://x" } }', "ftp"),
    ("policy { tag = 9\nreject = 3 }", "policy"),
])
def test_bad_configuration(made, line, word):
    """file:line of what is wrong, from the daemon and from -t alike."""
    daemon = made()
    daemon.write_config(daemon.config + line + "\n")
    assert word in ends_with_failure(daemon)
    checked = run("spambridge", "-t", "-c", daemon.config_path)
    assert checked.returncode == 1
    assert f"{daemon.config_path}:" in checked.stderr and word in checked.stderr


def test_configuration_writable_by_others(made):
    """Attack 33: a file that others may write is refused."""
    daemon = made()
    os.chmod(daemon.config_path, 0o666)
    assert "spambridge.conf" in ends_with_failure(daemon)


def test_check_only(made):
    daemon = made()
    assert run("spambridge", "-t", "-c", daemon.config_path).returncode == 0
    assert not ports.answers(daemon.address)


def test_version_and_usage():
    assert run("spambridge", "-V").stdout.startswith("spambridge ")
    assert run("spambridge", "--no-such-option").returncode == 2
    missing = run("spambridge", "-c", "/nonexistent.conf")
    assert missing.returncode == 1 and "/nonexistent.conf" in missing.stderr


@pytest.mark.parametrize("family", ["inet", "inet6"])
def test_tcp_listeners(start, scorer, family):
    host = "127.0.0.1" if family == "inet" else "::1"
    listen = f"{family}:{ports.free_port(host)}@" + (host if family == "inet" else f"[{host}]")
    daemon = start([scorer.listen("good", score="7.3")], listen=listen)
    assert checks.status(send(daemon.address, make()))["score"] == "7.3"


def test_start_with_the_scorer_down(start):
    """The mail server comes up before the scorer: start all the same."""
    daemon = start([f"tcp://127.0.0.1:{ports.free_port()}"])
    assert checks.unscanned_reason(send(daemon.address, make())) == "refused"


def test_unexpected_argument():
    found = run("spambridge", "-t", "start")
    assert found.returncode == 2 and 'unexpected argument "start"' in found.stderr
    assert "usage: spambridge" in found.stderr


@pytest.mark.parametrize("option,value,word", [
    ("user", "sb-nobody-at-all", "adduser --system"), ("user", "root", "does not run as root"),
    ("socket_group", "sb-no-such-group", "there is no such group"),
    ("control", "/nonexistent/control.sock", "cannot listen on /nonexistent/control.sock"),
    ("listen", "unix:/dev/null/milter.sock", "cannot examine /dev/null/milter.sock"),
])
def test_what_it_cannot_run_with(made, option, value, word):
    """Refused in one line that says what to do."""
    if os.geteuid() != 0:
        pytest.skip("an ordinary user is not asked for most of it")
    daemon = made(options=f'socket_group = "{grp.getgrgid(0).gr_name}"')
    daemon.write_config(re.sub(rf'^{option} = ".*"', f'{option} = "{value}"', daemon.config,
                               flags=re.M))
    assert word in ends_with_failure(daemon)


def test_directory_that_its_user_cannot_pass(made):
    """Found at the start, not by the first session that waits for a worker."""
    if os.geteuid() != 0:
        pytest.skip("root makes the socket, the user then cannot reach it")
    closed = made().workspace.file("closed")
    os.mkdir(closed, 0o700)
    daemon = made(listen=f"unix:{closed}/milter.sock")
    assert "cannot reach its own socket" in ends_with_failure(daemon)


@pytest.mark.parametrize("inherits", [False, True], ids=["plain", "set-group-id"])
def test_group_of_a_user_who_may_change_none(made, inherits):
    """As under systemd: the directory's set-group-ID bit is the only way to another group."""
    if os.geteuid() != 0:
        pytest.skip("only root can prepare such a directory")
    group = next(entry for entry in grp.getgrall() if entry.gr_name in ("mail", "daemon"))
    folder = made().workspace.file("sockets")
    os.mkdir(folder)
    os.chown(folder, pwd.getpwnam(account()).pw_uid, group.gr_gid)
    os.chmod(folder, 0o2755 if inherits else 0o755)
    daemon = made(drop="setpriv", listen=f"unix:{folder}/milter.sock")
    daemon.write_config(daemon.config.replace('socket_group = ""',
                                              f'socket_group = "{group.gr_name}"'))
    if not inherits:
        assert "make the user a member" in ends_with_failure(daemon)
        return
    daemon.start()
    assert os.stat(f"{folder}/milter.sock").st_gid == group.gr_gid
    daemon.stop_cleanly()


@pytest.mark.parametrize("mode,word", [(0o600, "cannot remove the stale socket"),
                                       (0o000, "cannot tell whether")])
def test_stale_socket_of_somebody_else(made, mode, word):
    """It is neither removed nor taken for one that is in use."""
    if os.geteuid() != 0:
        pytest.skip("needs two users")
    folder = made().workspace.file("theirs")
    os.mkdir(folder, 0o755)
    path = f"{folder}/milter.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    os.chmod(path, mode)
    if mode:
        os.chown(path, pwd.getpwnam(account()).pw_uid, 0)
    assert word in ends_with_failure(made(drop="setpriv", listen=f"unix:{path}"))
    assert os.path.exists(path)


@pytest.mark.parametrize("period,asked", [("200000", True), ("4000000", True), ("10s", False),
                                          ("", False)])
def test_watchdog(made, period, asked):
    """WATCHDOG_USEC as sd_watchdog_enabled(3) tells; what is no number asks for nothing."""
    daemon = made(environment={"WATCHDOG_USEC": period})
    daemon.keep_notify = True
    daemon.start()
    heard = b""
    daemon.notify.settimeout(30 if asked else 1.5)
    with contextlib.suppress(TimeoutError):
        while b"WATCHDOG=1" not in heard:
            heard += daemon.notify.recv(4096)
    assert (b"WATCHDOG=1" in heard) == asked
    daemon.stop_cleanly()


@pytest.mark.parametrize("path", ["@abstract", "relative", "/" + "x" * 200, "/", ""])
def test_notify_socket_addresses(made, path):
    """Abstract ones are spoken to, others than those of sd_notify(3) are left alone."""
    daemon = made()
    name = f"@spambridge-test-{os.getpid()}" if path == "@abstract" else path
    daemon.wrapper = ["env", f"NOTIFY_SOCKET={name}"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        if path == "@abstract":
            listener.bind("\0" + name[1:])
            listener.settimeout(60)
        daemon.spawn()
        daemon.wait_log("listens on")
        if path == "@abstract":
            assert b"READY=1" in listener.recv(4096)
    assert send(daemon.address, make()).kind in ("accept", "continue")
    daemon.stop_cleanly()

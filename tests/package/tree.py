# SPDX-License-Identifier: BSD-2-Clause
"""A Debian tree made by debootstrap, with the machine's own archive, booted where that works.

systemd-nspawn boots it with a network of its own (loopback only), so that units, sandbox and the
order of installation are the real ones. Where it does not boot, commands run in a chroot with the
same kind of network, and whoever needs a daemon starts it by hand.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

BOOT_LIMIT = 60     # seconds until the tree has booted
PROGRAMS = ["debootstrap", "unshare", "nsenter"]


class NoTree(Exception):
    """No tree can be made here; says why."""


def archive():
    """[(address, suite)] of the Debian archive and its updates, as apt knows them."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(ORIGIN)",
         "Created-By: Packages", "Component: main"],
        capture_output=True, text=True, check=False).stdout
    found = {tuple(line.split()[:2]) for line in targets.splitlines()
             if line.endswith(" Debian")}
    return sorted(found)


def release():
    """Code name of the machine's Debian."""
    text = pathlib.Path("/etc/os-release").read_text(encoding="utf-8")
    name = re.search(r"^VERSION_CODENAME=(\w+)$", text, re.M)
    return name.group(1) if name and "\nID=debian\n" in text else None


class Tree:
    """The tree in a temporary directory of its own; packages: what debootstrap adds."""

    def __init__(self, packages):
        if os.geteuid() != 0:
            raise NoTree("only root can make a Debian tree")
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        sources = [pair for pair in archive() if release() and pair[1].startswith(release())]
        if missing or not sources:
            raise NoTree(f"missing here: {' '.join(missing) or 'Debian and its archive'}")
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="sb-tree-"))
        self.machine = None
        self.leader = None
        try:
            self._make(packages, sources)
        except BaseException:
            self.remove()
            raise

    def _make(self, packages, sources):
        main = next(address for address, suite in sources if suite == release())
        log = self.path.with_suffix(".log")
        with open(log, "wb") as file:
            done = subprocess.run(
                ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", release(),
                 str(self.path), main], stdout=file, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, check=False)
        text = log.read_text(encoding="utf-8", errors="replace")
        log.unlink()
        if done.returncode != 0:
            raise NoTree(f"debootstrap cannot make a tree: {text[-600:]}")
        os.chmod(self.path, 0o755)
        self.write("/etc/apt/sources.list", "".join(
            f"deb {address} {suite} main\n" for address, suite in sources))
        options = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
        self.write("/etc/apt/apt.conf.d/90test", "".join(
            line + "\n" for line in options.stdout.splitlines()
            if re.match(r"Acquire::(https?|Check-|ForceIP|Retries)", line)) +
            'Acquire::Languages "none";\nAPT::Install-Recommends "false";\n')
        shutil.copy("/etc/resolv.conf", self.path / "etc/resolv.conf")
        self.write("/etc/hosts", "127.0.0.1 localhost mail.example.com mail\n")
        self.write("/etc/hostname", "mail\n")

    def write(self, name, text):
        (self.path / name.lstrip("/")).write_text(text, encoding="utf-8")

    def copy(self, source, name):
        shutil.copy(source, self.path / name.lstrip("/"))

    def source(self, top, *folders):
        """Copy folders of the source tree to /usr/src/spambridge, readable by everybody."""
        for name in folders:
            shutil.copytree(top / name, self.path / "usr/src/spambridge" / name, symlinks=True)
        subprocess.run(["chmod", "-R", "a+rX,go-w", str(self.path / "usr/src/spambridge")],
                       check=True)

    def download(self, *packages):
        """Fetch packages and what they need, as long as the network is there."""
        self._chroot(["apt-get", "-q", "update"], network=True)
        self._chroot(["apt-get", "-q", "-y", "--download-only", "install", *packages],
                     network=True)

    def _chroot(self, words, network=False, check=True):
        spaces = ["--mount", "--pid", "--fork", f"--mount-proc={self.path}/proc", "--kill-child"]
        if not network:
            spaces.append("--net")
        up = "" if network else "ip link set lo up; "
        script = f'{up}mount --bind /dev "$1/dev"; exec chroot "$@"'
        return self._done(["unshare", *spaces, "sh", "-ec", script, "sh", str(self.path), *words],
                          check)

    def _done(self, words, check):
        done = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            text=True, errors="replace", check=False,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                 "LC_ALL": "C.UTF-8", "HOME": "/root",
                 "DEBIAN_FRONTEND": "noninteractive", "TERM": "dumb"})
        if check and done.returncode != 0:
            raise AssertionError(f"{words} ended with {done.returncode}:\n{done.stdout[-6000:]}")
        return done

    @property
    def booted(self):
        return self.leader is not None

    def run(self, *words, check=True):
        """Run a command in the tree without network; the finished process with its output."""
        if not self.booted:
            return self._chroot(words, check=check)
        return self._done(["nsenter", "--target", str(self.leader), "--all", "--", *words], check)

    def boot(self):
        """True if the tree runs systemd from now on."""
        if shutil.which("systemd-nspawn") is None:
            return False
        # pylint: disable=consider-using-with # stopped by halt()
        self.machine = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "systemd-nspawn", "--quiet", "--boot",
             "--directory", str(self.path), "--private-network", "--register=no", "--keep-unit",
             "--console=pipe", "--link-journal=no", "--resolv-conf=off"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + BOOT_LIMIT
        while time.monotonic() < end and self.machine.poll() is None:
            leader = self._find_leader()
            if leader and self._is_up(leader):
                self.leader = leader
                return True
            time.sleep(0.1)
        self.halt()
        return False

    def reboot(self):
        """Stop in good order and boot again: what is on disk stays, and nothing else."""
        self.halt()
        if not self.boot():
            raise AssertionError("the tree does not boot a second time")

    def _find_leader(self):
        """The first process in the tree: the one child that has a PID space of its own."""
        parent = f"\nPPid:\t{self.machine.pid}\n"
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                if parent in status.read_text(encoding="utf-8", errors="replace") and \
                        os.readlink(status.parent / "ns/pid") != os.readlink("/proc/self/ns/pid"):
                    return int(status.parent.name)
            except OSError:
                pass    # it has ended meanwhile
        return None

    def _is_up(self, leader):
        state = self._done(["nsenter", "--target", str(leader), "--all", "--", "systemctl",
                            "is-system-running"], check=False).stdout.strip()
        return state in ("running", "degraded")

    def halt(self):
        """Stop the booted tree."""
        if self.machine is not None:
            self.machine.terminate()
            try:
                self.machine.wait(30)
            except subprocess.TimeoutExpired:
                self.machine.kill()
                self.machine.wait()
        self.machine = self.leader = None

    def remove(self):
        self.halt()
        shutil.rmtree(self.path, ignore_errors=True)

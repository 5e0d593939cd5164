# SPDX-License-Identifier: BSD-2-Clause
"""Builds tarball and Debian package as an unprivileged user, and changes a package's version."""

import os
import pathlib
import pwd
import re
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
# of autoreconf and of runs in the tree: a tarball has the former anyway
GENERATED = re.compile(r"(^|/)(\.git|autom4te\.cache|__pycache__|\.pytest_cache|build[^/]*)(/|$)")


def source_files():
    """All files of the tree that somebody wrote or autoreconf made."""
    found = set()
    for folder, folders, names in os.walk(TOP):
        relative = os.path.relpath(folder, TOP)
        folders[:] = [name for name in folders
                      if not GENERATED.search(os.path.normpath(os.path.join(relative, name)))]
        found |= {os.path.normpath(os.path.join(relative, name)) for name in names}
    return found - {".git"}


class Builder:
    """Builds in a directory; as user nobody when we are root."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.words = []
        if os.geteuid() == 0:
            entry = pwd.getpwnam("nobody")
            os.chown(self.path, entry.pw_uid, entry.pw_gid)
            self.words = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}",
                          "--clear-groups"]

    def run(self, *words, cwd=None, **environment):
        """Run a command; the text that it printed."""
        clean = {key: value for key, value in os.environ.items()
                 if key in ("PATH", "LC_ALL", "TMPDIR")}
        done = subprocess.run(
            [*self.words, *words], cwd=cwd or self.path, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            env={**clean, "HOME": str(self.path), **environment}, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{words} ended with {done.returncode}:\n{done.stdout[-6000:]}")
        return done.stdout

    def folder(self, name):
        self.run("mkdir", "-p", name)
        return self.path / name

    def tarball(self):
        """make dist; the tarball's path."""
        copy = self.folder("copy")
        for name in sorted(source_files()):
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, target)
        if self.words:
            subprocess.run(["chown", "-R", "nobody", str(copy)], check=True)
        self.run("autoreconf", "-fi", cwd=copy)
        build = self.folder("dist")
        self.run("../copy/configure", "-q", cwd=build)
        self.run("make", "-s", "dist", cwd=build)
        return next(build.glob("spambridge-*.tar.xz"))

    def package(self, tarball, name, *options, **environment):
        """dpkg-buildpackage in a folder of this name; the folder."""
        folder = self.folder(name)
        version = re.search(r"spambridge-(.*)\.tar\.xz$", tarball.name).group(1)
        self.run("cp", str(tarball), f"{name}/spambridge_{version}.orig.tar.xz")
        self.run("tar", "-xf", str(tarball), cwd=folder)
        self.run("cp", "-r", str(self.path / "copy/debian"), f"spambridge-{version}", cwd=folder)
        self.run("dpkg-buildpackage", "-us", "-uc", *options,
                 cwd=folder / f"spambridge-{version}",
                 DEB_BUILD_OPTIONS=f"nocheck parallel={os.cpu_count()}", **environment)
        return folder

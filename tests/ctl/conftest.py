# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the tool's tests: the built spambridgectl, a configuration, a real spamd."""

import json
import os
import re
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from support import slow     # noqa: E402
from support.daemon import Daemon, Workspace, build_directory     # noqa: E402
from support.daemon import program, run     # noqa: E402
from support.spamassassin import Spamd     # noqa: E402


def pytest_configure(config):
    slow.configure(config)
    if build_directory() is None:
        raise pytest.UsageError("SPAMBRIDGE_BUILD must name a directory with spambridge in it")


class Result:
    """What one run of the tool left: code, out, err."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "surrogateescape")
        self.err = done.stderr.decode("utf-8", "surrogateescape")

    @property
    def json(self):
        return json.loads(self.out)


class Tool:
    """spambridgectl with a configuration in a directory of its own."""

    def __init__(self, path):
        self.path = path
        self.config = path / "spambridge.conf"
        self.environment = dict(os.environ, LC_ALL="C.UTF-8")
        self.environment.pop("MAIL_CONFIG", None)

    def write(self, text):
        self.config.write_text(text)
        self.config.chmod(0o644)
        return self

    def file(self, name, content):
        path = self.path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def __call__(self, *arguments, stdin=b"", timeout=60, **environment):
        return Result(subprocess.run(
            [program("spambridgectl"), "-c", str(self.config), *map(str, arguments)],
            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.path,
            env=dict(self.environment, **environment), timeout=timeout, check=False))


@pytest.fixture
def ctl(tmp_path):
    """The tool with a good configuration whose scorer nobody is."""
    os.chmod(tmp_path, 0o755)
    tool = Tool(tmp_path)
    return tool.write('scorer "sa" { servers = { "unix:%s/no.sock" } }\n' % tmp_path)


@pytest.fixture(scope="session")
def spamd():
    with Spamd() as found:
        yield found


def plain_daemon(servers, **more):
    """The daemon for these servers, with no option that this build does not know."""
    daemon = Daemon(servers, **more)
    checked = run("spambridge", "-t", "-c", daemon.config_path)
    if "quarantine is not supported" in checked.stderr:
        daemon.write_config(re.sub(r"^quarantine .*\n", "", daemon.config, flags=re.MULTILINE))
    return daemon


@pytest.fixture
def workspace():
    """A directory that the daemon's user can reach."""
    with Workspace() as place:
        yield place

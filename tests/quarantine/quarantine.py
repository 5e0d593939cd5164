# SPDX-License-Identifier: BSD-2-Clause
"""A quarantine in a temporary directory, the helpers put and look, and strace around them."""

import json
import os
import re
import shutil
import subprocess
import tempfile

MESSAGE = (b"Received: from a (b [192.0.2.1]) by c;\n\tMon, 1 Jan 2024 00:00:00 +0000\n"
           b"From: a@example.net\nSubject: test\n\nline\n.\n..\nend\n").replace(b"\n", b"\r\n")
# What a killed, starved or injured writer may meet between its first look at the quarantine and
# its answer; strace's names.
PATH_CALLS = re.compile(r"^(?:\d+ +)?(\w+)\(")


def helper(name):
    return os.path.join(os.path.abspath(os.environ.get("SPAMBRIDGE_BUILD", "build")),
                        "tests/quarantine", name)


class Quarantine:
    """A directory for a quarantine, not made yet, and messages to put into it."""

    def __init__(self, parent=None):
        self.top = tempfile.mkdtemp(prefix="sb-quarantine-")
        os.chmod(self.top, 0o755)
        self.path = os.path.join(parent or self.top, "quarantine")
        self.message = self.write("message.eml", MESSAGE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.top, ignore_errors=True)

    def write(self, name, content):
        path = os.path.join(self.top, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def command(self, *options, message=None, sender="sender@example.net",
                recipients=("one@example.com",)):
        return [helper("put"), *options, self.path, message or self.message, sender, *recipients]

    def put(self, *options, before=(), check=True, **names):
        """Runs put; the ids that it said were stored."""
        done = subprocess.run([*before, *self.command(*options, **names)], capture_output=True,
                              text=True, timeout=120)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return Outcome(done.returncode, done.stdout, done.stderr)

    def look(self):
        """{id: what look says of it}."""
        done = subprocess.run([helper("look"), self.path], capture_output=True, text=True,
                              timeout=120)
        assert done.returncode == 0, done.stderr
        return {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}

    def original(self, item):
        done = subprocess.run([helper("look"), self.path, item], capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def files(self, folder):
        return sorted(os.listdir(os.path.join(self.path, folder)))

    def item_path(self, item):
        for folder in ("new", "cur"):
            for name in self.files(folder):
                if "Q" + item in name:
                    return os.path.join(self.path, folder, name)
        raise FileNotFoundError(item)

    def store_calls(self):
        """The system calls of one write, in order: [(name, how often it was called until then)].

        Counted from the start of the program, as strace counts; listed from the first look at the
        quarantine on. The answer, a write, is the last.
        """
        trace = os.path.join(self.top, "trace")
        self.put(before=("strace", "-f", "-o", trace))
        calls, seen, inside = [], {}, False
        with open(trace) as file:
            for line in file:
                match = PATH_CALLS.match(line)
                if not match:
                    continue
                name = match.group(1)
                seen[name] = seen.get(name, 0) + 1
                inside = inside or "quarantine" in line and "execve" not in line
                if inside:
                    calls.append((name, seen[name]))
                if inside and '"stored ' in line:
                    break
        return calls


class Outcome:
    """What put said."""

    def __init__(self, code, output, errors):
        self.code = code
        self.errors = errors
        lines = output.splitlines()
        self.stored = [line[7:] for line in lines if line.startswith("stored ")]
        self.failed = [line[7:] for line in lines if line.startswith("failed ")]


def inject(call, when, what):
    return ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:{what}:when={when}")


class Tool:
    """spambridgectl quarantine with a configuration of its own."""

    def __init__(self, quarantine, release="sendmail", extra="",
                 scorer='scorer "x" { servers = { "tcp://127.0.0.1:9" } }'):
        self.quarantine = quarantine
        self.config = quarantine.write("spambridge.conf", (
            f'log = stderr\n{scorer}\n'
            f'quarantine {{\n\tdirectory = "{quarantine.path}"\n\trelease = "{release}"\n'
            f"\t{extra}\n}}\n").encode())
        os.chmod(self.config, 0o600)

    def run(self, *arguments, code=0, environment=None, text=True, **options):
        program = os.path.join(os.path.abspath(os.environ["SPAMBRIDGE_BUILD"]), "spambridgectl")
        done = subprocess.run([program, "-c", self.config, "quarantine", *arguments],
                              capture_output=True, text=text, timeout=120,
                              stdin=subprocess.DEVNULL,
                              env={**os.environ, **(environment or {})}, **options)
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments, code=0, **options):
        return json.loads(self.run(*arguments, "--json", code=code, **options).stdout)

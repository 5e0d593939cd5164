# SPDX-License-Identifier: BSD-2-Clause
"""A quarantine in a temporary directory, the helpers put and look, and strace around them."""

import email
import email.policy
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

MESSAGE = (b"Received: from a (b [192.0.2.1]) by c;\n\tMon, 1 Jan 2024 00:00:00 +0000\n"
           b"From: a@example.net\nSubject: test\n\nline\n.\n..\nend\n").replace(b"\n", b"\r\n")
# What a killed, starved or injured writer may meet between its first look at the quarantine and
# its answer; strace's names.
PATH_CALLS = re.compile(r"^(?:\d+ +)?(\w+)\(")

# Below strace LeakSanitizer cannot work.
STRACE = ("strace", "-E", f"ASAN_OPTIONS={os.environ.get('ASAN_OPTIONS', '')}:detect_leaks=0", "-f")

# All that is neither printable ASCII nor a line end nor well-formed UTF-8 that shows.
CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
HIDDEN = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def is_safe(output):
    """Nothing in it can drive a terminal, or stands there without being seen."""
    text = output.decode("utf-8")       # raises when it is no UTF-8
    found = CONTROL.search(output)
    assert not found, output[max(0, found.start() - 60):found.end() + 60]
    found = HIDDEN.search(text)
    assert not found, ascii(text[max(0, found.start() - 60):found.end() + 60])


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
        for place, _, names in os.walk(self.path):
            for name in names:
                if "Q" + item in name and os.path.basename(place) in ("new", "cur"):
                    return os.path.join(place, name)
        raise FileNotFoundError(item)

    def age(self, item, seconds):
        """Make an item older: by its name, by the time in its metadata, with its checksum."""
        path = self.item_path(item)
        owner = os.stat(path)
        folder, name = os.path.split(path)
        then = str(int(name[:10]) - seconds)
        with open(path, "rb") as file:
            content = file.read()
        changed = content.replace(f'"time":{name[:10]}'.encode(), f'"time":{then}'.encode())
        assert changed != content
        digest = hashlib.sha256(changed[:126] + changed[190:]).hexdigest().encode()
        fresh = os.path.join(self.path, "tmp", name)
        with open(fresh, "wb") as file:
            file.write(changed[:126] + digest + changed[190:])
        os.chown(fresh, owner.st_uid, owner.st_gid)
        os.chmod(fresh, 0o640)
        os.rename(fresh, path)      # whole at any moment: others may look
        os.rename(path, os.path.join(folder, then + name[10:]))

    def put_old(self, seconds, *options, **names):
        """One item that came so long ago; its id."""
        item = self.put(*options, **names).stored[0]
        self.age(item, seconds)
        return item

    def announce(self, item, seconds):
        """Somebody announced, so long ago, that this item will go."""
        path = os.path.join(self.path, "digest", item)
        owner = os.stat(self.path)
        with open(path, "ab"):
            pass
        os.chown(path, owner.st_uid, owner.st_gid)
        os.utime(path, (time.time() - seconds,) * 2)

    def let_time_pass(self, seconds=86400):
        """All that is known of items and digests is older, by whole days."""
        for item in self.look():
            self.age(item, seconds)
        for name in sorted(self.files("digest")):
            path = os.path.join(self.path, "digest", name)
            owner = os.stat(path)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if name == "last" or name.startswith("sent."):
                text = re.sub(r"^(until )?(\d{10})$",
                              lambda m: (m.group(1) or "") + str(int(m.group(2)) - seconds),
                              text, count=1, flags=re.M)
            if name.startswith("sent."):
                os.unlink(path)
                path = path.replace(name, f"sent.{int(name[5:]) - seconds // 86400}")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chown(path, owner.st_uid, owner.st_gid)
            os.utime(path, (owner.st_mtime - seconds,) * 2)

    def unfinished(self):
        """Files in the tmp of any Maildir."""
        return [name for place, _, names in os.walk(self.path) for name in names
                if os.path.basename(place) == "tmp"]

    def store_calls(self, *options):
        """The system calls of one write, in order: [(name, how often it was called until then)].

        Counted from the start of the program, as strace counts; listed from the first look at the
        quarantine on. The answer, a write, is the last.
        """
        trace = os.path.join(self.top, "trace")
        self.put(*options, before=(*STRACE, "-o", trace))
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


def plain_text(mail):
    """The text part of a mail."""
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    return parsed.get_body(("plain",)).get_content()


def inject(call, when, what):
    return (*STRACE, "-qq", "-o", "/dev/null", "-e", f"inject={call}:{what}:when={when}")


class Tool:
    """spambridgectl quarantine with a configuration of its own."""

    def __init__(self, quarantine, release="sendmail", extra="", policies="",
                 scorer='scorer "x" { servers = { "tcp://127.0.0.1:9" } }'):
        self.quarantine = quarantine
        self.config = quarantine.write("spambridge.conf", (
            f'log = stderr\n{scorer}\n{policies}\n'
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

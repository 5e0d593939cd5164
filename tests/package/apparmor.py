# SPDX-License-Identifier: BSD-2-Clause
"""What an AppArmor profile allows, and what a traced program did: no kernel with AppArmor needed.

Only rules for files are read. See apparmor.d(5) for their patterns, strace(1) for the trace; its
options must be those of TRACE.
"""

import os
import re
import subprocess

TRACE = ["strace", "-f", "-qq", "-y", "-s", "4096", "-e",
         "trace=%file,flock,bind,connect,sendto,sendmsg"]
RULE = re.compile(r'^\s*(?:owner\s+)?"?((?:/|@\{)[^\s"]*)"?\s+([a-zA-Z]+)\s*,')
VARIABLE = re.compile(r"^\s*@\{(\w+)\}\s*\+?=\s*(.+)")
PATTERN = re.compile(r"/\*\*|/\*|\*\*|\*|\?|\[[^]]*\]|[{},]|\\.|[^*?\[{},\\/]+|/")
CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)(?:<(/[^>]*)>)?")
NAMED = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
DESCRIPTOR = re.compile(r"^\d+<(/[^>]*)>")
SOCKET = re.compile(r'sun_path="([^"]+)"')
WRITING = {"unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod", "fchmodat", "chown",
           "fchownat", "rename", "renameat", "renameat2", "truncate", "utimensat", "bind"}


class Profile:
    """A profile with all that it includes, as apparmor_parser reads it."""

    def __init__(self, path):
        text = subprocess.run(
            ["apparmor_parser", "--preprocess", "--skip-cache", "--skip-kernel-load", path],
            capture_output=True, text=True, check=True).stdout
        self.variables = {}
        self.rules = []
        for line in text.splitlines():
            if found := VARIABLE.match(line):
                self.variables.setdefault(found.group(1), []).extend(found.group(2).split())
            elif found := RULE.match(line):
                self.rules.append((re.compile(self._expression(found.group(1))), found.group(2)))
        assert len(self.rules) > 20, "the rules were not understood"

    def _expand(self, pattern):
        """Variables become alternatives."""
        while found := re.search(r"@\{(\w+)\}", pattern):
            values = self.variables[found.group(1)]
            if pattern[found.end():].startswith("/"):
                values = [value.rstrip("/") for value in values]
            pattern = pattern.replace(found.group(0), "{" + ",".join(values) + "}", 1)
        return pattern

    def _expression(self, pattern):
        words = {"/**": "/.+", "/*": "/[^/]+", "**": ".*", "*": "[^/]*", "?": "[^/]",
                 "{": "(?:", "}": ")"}
        depth, found = 0, ""
        for word in PATTERN.findall(self._expand(pattern)):
            depth += {"{": 1, "}": -1}.get(word, 0)
            if word == "," and depth:
                found += "|"
            elif word[0] == "[":
                found += word
            else:
                found += words.get(word) or re.escape(word.removeprefix("\\"))
        return found + r"\Z"

    def allows(self, path, wanted):
        """True if every letter of wanted is allowed for the path."""
        given = "".join(letters for rule, letters in self.rules if rule.match(path))
        return set(wanted) <= set(given)


def opened(arguments, path):
    """(path, letters) of an open(): the path is the descriptor's, so that no link hides it."""
    flags = re.search(r"O_[A-Z_|]+", arguments).group(0).split("|")
    letters = {"O_RDONLY": "r", "O_WRONLY": "w", "O_RDWR": "rw"}[flags[0]]
    if "O_DIRECTORY" in flags and "O_TMPFILE" not in flags:
        path = path.rstrip("/") + "/"
    return path, letters + ("w" if "O_CREAT" in flags else "")


def used(trace, program):
    """{(path, letters)} of all calls that succeeded, from the program's execve on.

    What /proc has of processes is left out.
    """
    found, running = set(), False
    for line in trace.splitlines():
        call = CALL.match(line)
        if not call:
            continue
        name, arguments, result, path = call.groups()
        running = running or name == "execve" and arguments.startswith(f'"{program}"')
        if running and int(result) >= 0:
            found |= {one for one in uses(name, arguments, path)
                      if one[0].startswith("/") and not re.match(r"/(proc/(\d|self)|memfd:)", one[0])}
    assert running, f"{program} was not started"
    return found


def uses(name, arguments, result):
    """(path, letters) of one call; result: the path of the descriptor that it returned, or None."""
    paths = [os.path.join(base, path) for base, path in NAMED.findall(arguments)]
    if name in ("open", "openat"):
        yield opened(arguments, result)
    elif name in ("connect", "bind", "sendto", "sendmsg"):
        for path in SOCKET.findall(arguments):
            yield path, "w"
    elif name in ("link", "linkat"):
        yield paths[-1], "l"
    elif name in WRITING:
        for path in paths:
            yield path + ("/" if name in ("mkdir", "mkdirat", "rmdir") else ""), "w"
    elif name == "flock":
        path = DESCRIPTOR.match(arguments)
        if path:
            yield path.group(1), "k"

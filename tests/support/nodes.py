# SPDX-License-Identifier: BSD-2-Clause
"""Tests of other folders as evidence: run by name, with what they print; skipped is not passed."""

import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree
from dataclasses import dataclass, field

from .matrix import CannotRun, Failed

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNIT_LINE = re.compile(r"^\[\s+(OK|FAILED|SKIPPED)\s+\] (\w+)", re.M)


@dataclass
class Results:
    """Names of tests by their outcome, and all that they printed."""
    passed: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    output: str = ""

    def number(self, pattern):
        """The number that a test printed where pattern's group is; Failed if it printed none."""
        match = re.search(pattern, self.output)
        if not match:
            raise Failed(f"no test printed {pattern}")
        return int(match.group(1))

    def all_passed(self):
        """How many passed; Failed or CannotRun if it was not all of them, and one at least."""
        if self.failed:
            raise Failed(f"failed: {', '.join(self.failed[:5])}")
        if self.skipped:
            raise CannotRun(f"skipped: {', '.join(self.skipped[:5])}")
        if not self.passed:
            raise Failed("no such test")
        return len(self.passed)


def run(*names, environment=None, timeout=900):
    """Run pytest with these names below tests/ (FOLDER/FILE::TEST), all of one folder."""
    program = shutil.which("pytest-3") or shutil.which("pytest")
    if not program:
        raise CannotRun("needs pytest")
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.xml")
        done = subprocess.run(
            [program, "-q", "-p", "no:cacheprovider",
             "-o", "junit_logging=system-out", f"--junitxml={report}", *names],
            cwd=TESTS, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode == 4:        # a name that is none: nothing was run
            raise Failed(f"pytest: {done.stderr[-300:]}")
        try:
            cases = xml.etree.ElementTree.parse(report).getroot().iter("testcase")
        except (OSError, xml.etree.ElementTree.ParseError) as error:
            raise Failed(f"pytest: {(done.stdout + done.stderr)[-300:]}") from error
        return _read(cases)


def _read(cases):
    found = Results()
    for case in cases:
        if not case.get("classname"):       # a file that cannot be loaded: nothing was run
            raise Failed(f"pytest cannot load {case.get('name')}")
        file = case.get("classname", "").replace(".", "/") + ".py"
        name = f"{file}::{case.get('name')}"
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            found.failed.append(name)
        elif "skipped" in kinds:
            why = case.find("skipped").get("message", "")
            found.skipped.append(f"{name} ({why})")
        else:
            found.passed.append(name)
        found.output += "".join(child.text or "" for child in case if child.tag == "system-out")
    return found


def run_unit(name):
    """Run a whole cmocka program of the build, tests/unit/NAME; its tests are named NAME::TEST."""
    program = os.path.join(os.path.abspath(os.environ["SPAMBRIDGE_BUILD"]), "tests/unit", name)
    if not os.access(program, os.X_OK):
        raise CannotRun(f"tests/unit/{name} is not built (make check; needs cmocka)")
    environment = {**os.environ, "top_srcdir": os.path.dirname(TESTS)}
    done = subprocess.run([program], capture_output=True, text=True, timeout=300, check=False,
                          env=environment)
    found = Results(output=done.stdout)
    for word, test in UNIT_LINE.findall(done.stdout + done.stderr):
        {"OK": found.passed, "FAILED": found.failed,
         "SKIPPED": found.skipped}[word].append(f"{name}::{test}")
    if done.returncode and not found.failed:
        found.failed.append(f"{name} (exit status {done.returncode})")
    return found

# SPDX-License-Identifier: BSD-2-Clause
"""Programs that a test runs, process groups that it ends, and what it waits for."""

import os
import select
import signal
import subprocess
import time
from pathlib import Path


def run(command, explain, data=None):
    """Runs a program to its end and returns its output; a failure tells everything it knows."""
    done = subprocess.run([str(word) for word in command], input=data, capture_output=True,
                          timeout=60, check=False,
                          stdin=None if data is not None else subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{command} gave {done.returncode}:\n"
                           f"{done.stdout.decode(errors='replace')}"
                           f"{done.stderr.decode(errors='replace')}\n{explain()}")
    return done.stdout


def wait_until(condition, timeout=30.0, step=0.005):
    """Poll condition() until it is true; return its value, or the last false one at the timeout.

    For state that offers no descriptor to wait on (a process list, a counter in /proc).
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() >= deadline:
            return value
        select.select([], [], [], step)


def wait_for(ready, what, explain=lambda: "", timeout=60, kill_group=None):
    """wait_until() that raises: says what it waited for, and explain(), if it never came.

    kill_group: a process group that is killed first then.
    """
    value = wait_until(ready, timeout, step=0.02)
    if not value:
        if kill_group:
            os.killpg(kill_group, signal.SIGKILL)
        raise TimeoutError(f"no {what} after {timeout} s\n{explain()[-8000:]}")
    return value


def group_alive(pid):
    """Is any process of this process group left that is not just a zombie?"""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == pid and fields[0] != "Z":
            return True
    return False


def make_certificate(directory, name, days=2):
    """A self-signed certificate and its key, as two PEM files."""
    certificate, key = Path(directory) / f"{name}.crt", Path(directory) / f"{name}.key"
    run(["/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days), "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", certificate], lambda: "")
    return certificate, key

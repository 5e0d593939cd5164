# SPDX-License-Identifier: BSD-2-Clause
"""Addresses for test sockets, and waiting for them to answer."""

import os
import select
import socket
import time


def free_port(host="127.0.0.1"):
    """Return a TCP port that nothing listens on at this moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def parse(address):
    """Split a milter address (unix:PATH, local:PATH, PATH, inet:PORT@HOST, inet6:PORT@HOST)."""
    kind, _, rest = address.partition(":")
    if kind in ("inet", "inet6"):
        port, _, host = rest.partition("@")
        family = socket.AF_INET6 if kind == "inet6" else socket.AF_INET
        return family, (host.strip("[]") or "127.0.0.1", int(port))
    if kind in ("unix", "local"):
        return socket.AF_UNIX, rest
    return socket.AF_UNIX, address


def connect(address, timeout=10.0):
    """Connect to a milter address and return the stream socket."""
    family, where = parse(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    try:
        sock.connect(where)
    except OSError:
        sock.close()
        raise
    return sock


def answers(address):
    """True if something accepts connections at the milter address."""
    try:
        connect(address, timeout=1.0).close()
        return True
    except OSError:
        return False


def wait_until(condition, timeout=10.0, step=0.005):
    """Poll condition() until it is true; return its value, or the last false one at the timeout.

    For state that offers no descriptor to wait on (a process list, a counter in /proc).
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() >= deadline:
            return value
        select.select([], [], [], step)


def path_is_short(path):
    """True if a unix socket can have this path (107 bytes on Linux)."""
    return len(os.fsencode(path)) <= 107

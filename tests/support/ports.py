# SPDX-License-Identifier: BSD-2-Clause
"""Addresses for test sockets."""

import os
import socket

from .process import wait_until  # noqa: F401: who waits for a socket looks here


def free_port(host="127.0.0.1"):
    """Return a TCP port that nothing listens on at this moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def free_ports(count):
    """Loopback ports that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


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


def path_is_short(path):
    """True if a unix socket can have this path (107 bytes on Linux)."""
    return len(os.fsencode(path)) <= 107

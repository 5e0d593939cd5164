# SPDX-License-Identifier: BSD-2-Clause
"""Addresses for test sockets."""

import contextlib
import os
import random
import socket

from .process import wait_until  # noqa: F401: who waits for a socket looks here


def _below_clients():
    """The first port that the kernel gives to clients (ip(7), ip_local_port_range)."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            return max(int(file.read().split()[0]), 20000)
    except OSError:
        return 32768


def bind_free(sock, host="127.0.0.1"):
    """Bind a TCP socket to a port that is free, and stays so while the socket is closed.

    Not one of those that the kernel gives to clients: anybody's connection could have it meanwhile,
    and who connects to such a port again and again connects to himself at last.
    """
    for _ in range(1000):
        with contextlib.suppress(OSError):
            sock.bind((host, random.randrange(10000, _below_clients())))
            return sock.getsockname()[1]
    raise OSError("no free port")


def free_ports(count, host="127.0.0.1"):
    """TCP ports that nothing listens on, all different."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket(family)) for _ in range(count)]
        return [bind_free(probe, host) for probe in probes]


def free_port(host="127.0.0.1"):
    """A TCP port that nothing listens on."""
    return free_ports(1, host)[0]


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

# SPDX-License-Identifier: BSD-2-Clause
"""Network and mount namespaces of one's own, and a name server in them (root only).

A thread that has left the common namespaces keeps its own for all threads and processes that it
starts (unshare(2), namespaces(7)), so a test can run a daemon and scorers in there unchanged.
"""

import concurrent.futures
import ctypes
import functools
import os
import socket
import subprocess
import threading

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000


class Unavailable(Exception):
    """There can be no namespace here; the text says why."""


def _leave():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise Unavailable(f"unshare: {os.strerror(ctypes.get_errno())}")
    for command in (["mount", "--make-rprivate", "/"], ["ip", "link", "set", "lo", "up"]):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")


def run_isolated(function, *arguments, **options):
    """Call a function in namespaces of its own, on a thread of its own; its result."""
    def inside():
        _leave()
        return function(*arguments, **options)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(inside).result()


def isolated(function):
    """A test that runs in namespaces of its own; what it starts, it must start itself."""
    @functools.wraps(function)
    def wrapper(*arguments, **options):
        return run_isolated(function, *arguments, **options)
    return wrapper


def mount_over(path, text, folder):
    """Let a file have this content for everybody in the namespace; folder holds the new one."""
    replacement = os.path.join(folder, os.path.basename(path))
    with open(replacement, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(replacement, 0o644)
    done = subprocess.run(["mount", "--bind", replacement, path], check=False,
                          capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(done.stderr.strip())


class Nameserver:
    """A DNS stub on 127.0.0.1:53 of this namespace.

    mode: answer, hang, nxdomain, garbage, servfail. addresses: what every name has (A records).
    """

    def __init__(self, addresses=("127.0.0.1",), mode="answer"):
        self.mode = mode
        self.addresses = list(addresses)
        self.queries = 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.sock.close()

    def _serve(self):
        while True:
            try:
                query, peer = self.sock.recvfrom(4096)
            except OSError:
                return
            self.queries += 1
            answer = self.answer(query)
            if answer:
                self.sock.sendto(answer, peer)

    def answer(self, query):
        """One reply packet (RFC 1035 section 4), or None to say nothing."""
        if self.mode == "hang":
            return None
        if self.mode == "garbage":
            return query[:2] + b"\xff" * 40
        question = query[12:query.index(b"\0", 12) + 5]
        if self.mode in ("nxdomain", "servfail"):
            flags = b"\x81\x83" if self.mode == "nxdomain" else b"\x81\x82"
            return query[:2] + flags + b"\0\1\0\0\0\0\0\0" + question
        if question[-4:-2] != b"\0\1":      # only A records are there
            return query[:2] + b"\x81\x80\0\1\0\0\0\0\0\0" + question
        records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(address)
                           for address in self.addresses)
        count = len(self.addresses).to_bytes(2, "big")
        return query[:2] + b"\x81\x80\0\1" + count + b"\0\0\0\0" + question + records


def own_resolver(folder, addresses=("127.0.0.1",), mode="answer", options=""):
    """Make a Nameserver the only source of names in this namespace."""
    mount_over("/etc/resolv.conf", f"nameserver 127.0.0.1\n{options}\n", folder)
    mount_over("/etc/nsswitch.conf", "hosts: dns\npasswd: files\ngroup: files\n", folder)
    return Nameserver(addresses, mode)

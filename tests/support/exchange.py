# SPDX-License-Identifier: BSD-2-Clause
"""One connection in the hands of a scripted scorer: reading, sending, and ways to end it."""

import socket
import ssl
import struct
import time
from dataclasses import dataclass, field


@dataclass
class Request:
    """One request as it was read."""
    listener: str
    verb: str
    headers: list                                   # (name, value) as text, in order
    message: bytes
    faults: list = field(default_factory=list)      # framing that a real server would dislike
    at: float = field(default_factory=time.monotonic)

    def get(self, name):
        """The value of a request header, compared as the protocol does by case; None if absent."""
        return next((value for key, value in self.headers if key == name), None)


class Hold(Exception):
    """Leave the connection open and never say another word."""


class Exchange:
    """One accepted connection in the hands of a behaviour."""

    def __init__(self, listener, sock):
        self.listener = listener
        self.sock = sock
        self.buffer = b""
        self.sent = 0
        self.answered = False

    @property
    def stopping(self):
        return self.listener.scorer.stopping

    def option(self, name, default=None):
        return self.listener.options.get(name, default)

    def read(self):
        """More bytes into the buffer; False at end of file."""
        data = self.sock.recv(262144)
        self.buffer += data
        return bool(data)

    def read_until(self, mark):
        """Everything up to and including mark; None if the peer ends first."""
        while mark not in self.buffer:
            if not self.read():
                return None
        head, _, self.buffer = self.buffer.partition(mark)
        return head + mark

    def read_exactly(self, count):
        """count bytes, or as many as there are before the peer ends."""
        parts = [self.buffer]
        have = len(self.buffer)
        while have < count:
            data = self.sock.recv(262144)
            if not data:
                break
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self.buffer = whole[count:]
        return whole[:count]

    def read_all(self):
        """Everything until the peer ends."""
        while self.read():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def record(self, verb, headers, message, faults=()):
        request = Request(self.listener.name, verb, headers, message, list(faults))
        self.listener.scorer.note(request)
        return request

    def send(self, data):
        if not self.answered:
            self.answered = True
            self.listener.count(-1)
        self.sock.sendall(data)
        self.sent += len(data)

    def drip(self, data, interval):
        """One byte per write with a pause (seconds) before each but the first."""
        for at in range(len(data)):
            if at and self.stopping.wait(interval):
                return
            self.send(data[at:at + 1])

    def flood(self, block):
        """Send the block again and again until the peer has had enough."""
        try:
            while not self.stopping.is_set():
                self.send(block)
        finally:
            self.listener.scorer.flooded(self.listener.name, self.sent)

    def wait(self, seconds):
        self.stopping.wait(seconds)

    def wait_for_gate(self):
        """Until the listener's option `gate`, a threading.Event, is set."""
        while not self.stopping.is_set() and not self.option("gate").wait(0.05):
            pass

    def reset(self):
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def hold(self):
        raise Hold

    def finish(self):
        """Say goodbye as a server that has sent all of its reply."""
        if isinstance(self.sock, ssl.SSLSocket):
            try:
                self.sock.settimeout(1.0)
                self.sock = self.sock.unwrap()
            except (OSError, ValueError):
                pass
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.sock.close()

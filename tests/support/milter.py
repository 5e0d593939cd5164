# SPDX-License-Identifier: BSD-2-Clause
"""The mail server's side of the milter protocol, one packet at a time.

A packet is a 32 bit big-endian length, a command byte and the command's data; the length counts
the command byte (libmilter/mfdef.h of Sendmail). Version 6 of the protocol, which has been
current since Sendmail 8.14. Nothing here knows what a message is: see mta.py for that.
"""

import socket
import struct
import time
from dataclasses import dataclass, field

from . import ports

ACTIONS = {
    "addhdrs": 0x01, "chgbody": 0x02, "addrcpt": 0x04, "delrcpt": 0x08, "chghdrs": 0x10,
    "quarantine": 0x20, "chgfrom": 0x40, "addrcpt_par": 0x80, "setsymlist": 0x100,
}
ALL_ACTIONS = 0x1FF

STEPS = {
    "noconnect": 0x1, "nohelo": 0x2, "nomail": 0x4, "norcpt": 0x8, "nobody": 0x10,
    "nohdrs": 0x20, "noeoh": 0x40, "nr_hdr": 0x80, "nounknown": 0x100, "nodata": 0x200,
    "skip": 0x400, "rcpt_rej": 0x800, "nr_conn": 0x1000, "nr_helo": 0x2000, "nr_mail": 0x4000,
    "nr_rcpt": 0x8000, "nr_data": 0x10000, "nr_unkn": 0x20000, "nr_eoh": 0x40000,
    "nr_body": 0x80000, "hdr_leadspc": 0x100000,
}
ALL_STEPS = 0x1FFFFF

# command: (skip the stage when this step bit is set, expect no reply when this one is)
STAGES = {
    b"C": ("noconnect", "nr_conn"), b"H": ("nohelo", "nr_helo"), b"M": ("nomail", "nr_mail"),
    b"R": ("norcpt", "nr_rcpt"), b"T": ("nodata", "nr_data"), b"L": ("nohdrs", "nr_hdr"),
    b"N": ("noeoh", "nr_eoh"), b"B": ("nobody", "nr_body"), b"U": ("nounknown", "nr_unkn"),
}

# SMFIM_*: which list of macros an entry of SMFIR_SETSYMLIST belongs to (libmilter/mfapi.h)
SYMLISTS = {0: "connect", 1: "helo", 2: "mail", 3: "rcpt", 4: "data", 5: "eom", 6: "eoh"}

MAX_DATA = 65535

FINAL = {
    b"a": "accept", b"c": "continue", b"d": "discard", b"r": "reject", b"t": "tempfail",
    b"y": "replycode", b"s": "skip", b"4": "shutdown", b"f": "conn_fail",
}


class MilterClosed(ConnectionError):
    """The filter closed the connection (or reset it) where a packet was expected."""


@dataclass
class Reply:
    """The filter's final answer to one command."""
    kind: str
    text: bytes = b""
    expected: bool = True   # False: the negotiated step bits say that no reply comes

    @property
    def code(self):
        """The SMTP code of a "replycode" answer, else None."""
        return int(self.text[:3]) if self.kind == "replycode" else None


@dataclass
class Verdict:
    """What came back for one end of message, in the order in which it came."""
    reply: Reply = None
    edits: list = field(default_factory=list)       # (name, argument, ...)
    progress: list = field(default_factory=list)    # seconds after the end of message was sent
    seconds: float = 0.0                            # from end of message to the final answer

    @property
    def kind(self):
        return self.reply.kind

    def named(self, name):
        """The edits of one kind."""
        return [edit for edit in self.edits if edit[0] == name]


@dataclass
class Negotiated:
    """What the filter asked for."""
    version: int
    actions: int
    steps: int
    symlists: dict

    def has_action(self, name):
        return bool(self.actions & ACTIONS[name])

    def has_step(self, name):
        return bool(self.steps & STEPS[name])


def packet(command, data=b""):
    """One packet as it goes over the wire."""
    return struct.pack("!I", len(data) + 1) + command + data


def _strings(data):
    """NUL-terminated strings as a list."""
    return data[:-1].split(b"\0") if data.endswith(b"\0") else data.split(b"\0")


def _octets(value):
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


def decode_edit(command, data):
    """A modification action as a tuple that begins with its name; None for a final answer."""
    if command == b"h":
        return ("addheader", *(_strings(data) + [b""])[:2])
    if command in (b"i", b"m"):
        kind = "insheader" if command == b"i" else "chgheader"
        return (kind, struct.unpack("!I", data[:4])[0], *(_strings(data[4:]) + [b""])[:2])
    simple = {b"+": "addrcpt", b"2": "addrcpt", b"-": "delrcpt", b"e": "chgfrom",
              b"q": "quarantine"}
    if command in simple:
        return (simple[command], *_strings(data))
    if command == b"b":
        return ("replbody", data)
    return None


class Milter:
    """One connection from a mail server to a filter."""

    def __init__(self, address, timeout=60.0):
        self.sock = ports.connect(address, timeout)
        if self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.negotiated = None
        self.skipping = False
        self.verdict = None
        self._buffer = bytearray()
        self._began = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def fileno(self):
        return self.sock.fileno()

    def close(self):
        """Drop the connection without a word, as a server that died would."""
        self.sock.close()

    def send_raw(self, data):
        """Send bytes that need not be a packet."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise MilterClosed("while sending") from error

    def send(self, command, data=b""):
        self.send_raw(packet(command, data))

    def feed(self):
        """Read once from the socket into the packet buffer."""
        try:
            data = self.sock.recv(262144)
        except ConnectionResetError as error:
            raise MilterClosed("connection reset") from error
        if not data:
            raise MilterClosed("end of file")
        self._buffer += data

    def buffered(self):
        """The next whole packet in the buffer as (command, data), or None."""
        if len(self._buffer) < 5:
            return None
        length = struct.unpack("!I", self._buffer[:4])[0]
        if len(self._buffer) < 4 + length:
            return None
        command, data = bytes(self._buffer[4:5]), bytes(self._buffer[5:4 + length])
        del self._buffer[:4 + length]
        return command, data

    def receive(self):
        """The next packet as (command, data); waits for it."""
        while True:
            found = self.buffered()
            if found:
                return found
            self.feed()

    def at_eof(self, timeout=30.0):
        """True if the filter closes the connection within the time given."""
        self.sock.settimeout(timeout)
        try:
            while self.sock.recv(4096):
                pass
            return True
        except ConnectionResetError:
            return True
        except (TimeoutError, socket.timeout):
            return False

    def negotiate(self, version=6, actions=ALL_ACTIONS, steps=ALL_STEPS):
        """Offer a version, actions and steps; return and remember what the filter took."""
        self.send(b"O", struct.pack("!III", version, actions, steps))
        command, data = self.receive()
        if command != b"O":
            raise MilterClosed(f"negotiation answered with {command!r}")
        got = struct.unpack("!III", data[:12])
        self.negotiated = Negotiated(*got, self._symlists(data[12:]))
        return self.negotiated

    @staticmethod
    def _symlists(data):
        lists = {}
        while len(data) > 4:
            stage = struct.unpack("!I", data[:4])[0]
            names, _, data = data[4:].partition(b"\0")
            lists[SYMLISTS.get(stage, stage)] = names.decode().split()
        return lists

    def macros(self, command, values):
        """Define macros for the stage of that command; names as in sendmail.cf, without braces."""
        data = command
        for name, value in values.items():
            long_name = name if len(name) == 1 or name.startswith("{") else "{%s}" % name
            data += _octets(long_name) + b"\0" + _octets(value) + b"\0"
        self.send(b"D", data)

    def command(self, command, data=b""):
        """Send one stage and return its Reply, honouring the negotiated step bits."""
        skip_bit, quiet_bit = STAGES[command]
        if self.negotiated and self.negotiated.has_step(skip_bit):
            return Reply("continue", expected=False)
        self.send(command, data)
        if self.negotiated and self.negotiated.has_step(quiet_bit):
            return Reply("continue", expected=False)
        return self.reply()

    def reply(self):
        """Wait for the answer to a stage before end of message."""
        while True:
            command, data = self.receive()
            if command in FINAL:
                return Reply(FINAL[command], data.rstrip(b"\0"))
            if command != b"p":
                raise MilterClosed(f"unexpected packet {command!r}")

    def connect(self, host="mail.example.org", family="4", port=4711, address="5.9.10.11"):
        """Connection facts; family is 4, 6, L (unix) or U (unknown: no address follows)."""
        data = _octets(host) + b"\0" + family.encode()
        if family != "U":
            data += struct.pack("!H", port) + _octets(address) + b"\0"
        return self.command(b"C", data)

    def helo(self, name="mail.example.org"):
        return self.command(b"H", _octets(name) + b"\0")

    def mail(self, *arguments):
        return self.command(b"M", b"".join(_octets(a) + b"\0" for a in arguments))

    def rcpt(self, *arguments):
        return self.command(b"R", b"".join(_octets(a) + b"\0" for a in arguments))

    def data(self):
        return self.command(b"T")

    def header(self, name, value):
        return self.command(b"L", _octets(name) + b"\0" + _octets(value) + b"\0")

    def eoh(self):
        return self.command(b"N")

    def body(self, chunk):
        """One body chunk; after the filter said SKIP, nothing is sent any more."""
        if self.skipping:
            return Reply("continue", expected=False)
        answer = self.command(b"B", chunk)
        self.skipping = answer.kind == "skip"
        return answer

    def unknown(self, line):
        return self.command(b"U", _octets(line) + b"\0")

    def send_eom(self, chunk=b""):
        """Send end of message and start the clock, without waiting."""
        self.verdict = Verdict()
        self.skipping = False
        self._began = time.monotonic()
        self.send(b"E", chunk)

    def restart_clock(self, now):
        """Count the answer's time from now (time.monotonic) instead of from send_eom()."""
        self._began = now

    def take_verdict(self):
        """Take buffered packets; the Verdict once the final answer is among them, else None."""
        while True:
            found = self.buffered()
            if not found:
                return None
            command, data = found
            now = time.monotonic() - self._began
            if command in FINAL:
                self.verdict.reply = Reply(FINAL[command], data.rstrip(b"\0"))
                self.verdict.seconds = now
                return self.verdict
            edit = decode_edit(command, data)
            if edit:
                self.verdict.edits.append(edit)
            elif command == b"p":
                self.verdict.progress.append(now)
            else:
                raise MilterClosed(f"unexpected packet {command!r}")

    def wait_verdict(self):
        """Wait for the final answer to the end of message that was sent."""
        while True:
            verdict = self.take_verdict()
            if verdict:
                return verdict
            self.feed()

    def eom(self, chunk=b""):
        """Send end of message, wait, and return the Verdict."""
        self.send_eom(chunk)
        return self.wait_verdict()

    def abort(self):
        """Forget the message; the filter does not answer."""
        self.skipping = False
        self.send(b"A")

    def quit(self):
        """End the session in order."""
        self.send(b"Q")
        self.close()

    def quit_nc(self):
        """End the SMTP session but keep the connection for the next one."""
        self.send(b"K")

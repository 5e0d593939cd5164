# SPDX-License-Identifier: BSD-2-Clause
"""Both ends of SMTP for tests: a client that sends exact bytes, a sink that records them."""

import re
import socket
import ssl
import threading
import time

DROP = object()     # returned by a sink's script: close the connection without a word


# how Postfix and Sendmail answer a message that they have taken
QUEUED = re.compile(r"queued as (\w+)|^2\.0\.0 (\w+) Message accepted")


class Reply:
    """One SMTP reply: the code, and the text of all its lines without the codes."""

    def __init__(self, lines):
        self.code = int(lines[0][:3])
        self.lines = [line[4:].decode("utf-8", "replace") for line in lines]
        self.text = "\n".join(self.lines)

    @property
    def queue_id(self):
        """The queue id of the message that this reply has accepted."""
        match = QUEUED.search(self.text)
        assert self.code == 250 and match, f"not accepted: {self}"
        return match.group(1) or match.group(2)

    def __repr__(self):
        return f"<{self.code} {self.text}>"

    def __str__(self):
        return f"{self.code} {self.text}"


class SmtpError(Exception):
    """The server closed the connection, or a step on the way was refused."""

    def __init__(self, step, reply=None):
        super().__init__(f"{step}: {reply}")
        self.step = step
        self.reply = reply


def dot_stuff(message):
    """Doubles leading dots and adds the final CRLF; no other byte of the message changes."""
    stuffed = re.sub(rb"(\A|\r\n)\.", rb"\1..", message)
    if stuffed and not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    return stuffed


def xtext(value):
    """RFC 1891 xtext, as XCLIENT wants it."""
    raw = value if isinstance(value, bytes) else value.encode()
    return b"".join(bytes([c]) if 33 <= c <= 126 and c not in b"+=" else b"+%02X" % c for c in raw)


class Client:
    """A line by line SMTP client. Every method returns the Reply and judges nothing.

    address: (host, port), or a socket that is connected. source: the (address, port) to bind to.
    """

    def __init__(self, address, timeout=60, source=None):
        self.sock = address
        if isinstance(address, tuple):
            self.sock = socket.create_connection(address, timeout, source)
        self.file = self.sock.makefile("rb")
        self.greeting = self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def reply(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n"):
                raise SmtpError("connection closed by the server")
            lines.append(line.rstrip(b"\r\n"))
            if lines[-1][3:4] != b"-":
                return Reply(lines)

    def command(self, line):
        """Sends one line, str or bytes, as it is; CRLF is added."""
        raw = line if isinstance(line, bytes) else line.encode()
        self.sock.sendall(raw + b"\r\n")
        return self.reply()

    def ehlo(self, name="client.example.net"):
        raw = name if isinstance(name, bytes) else name.encode()
        return self.command(b"EHLO " + raw)

    def starttls(self):
        reply = self.command("STARTTLS")
        if reply.code == 220:
            context = ssl._create_unverified_context()
            self.sock = context.wrap_socket(self.sock)
            self.file = self.sock.makefile("rb")
        return reply

    def xclient(self, **attributes):
        """XCLIENT with NAME, ADDR, HELO, LOGIN, PROTO ...; the server greets again."""
        pairs = [key.upper().encode() + b"=" + xtext(value) for key, value in attributes.items()]
        return self.command(b"XCLIENT " + b" ".join(pairs))

    def mail(self, sender, arguments=""):
        return self.command(path_command(b"MAIL FROM:", sender, arguments))

    def rcpt(self, recipient, arguments=""):
        return self.command(path_command(b"RCPT TO:", recipient, arguments))

    def data(self, message):
        """DATA, the message dot-stuffed, and the reply to the final dot."""
        reply = self.command("DATA")
        if reply.code != 354:
            return reply
        self.sock.sendall(dot_stuff(message) + b".\r\n")
        return self.reply()

    def transaction(self, message, sender, recipients, arguments=""):
        """MAIL, RCPT for each, DATA: the reply that ended the transaction."""
        reply = self.mail(sender, arguments)
        if reply.code != 250:
            return reply
        replies = [self.rcpt(recipient) for recipient in recipients]
        if not any(reply.code == 250 for reply in replies):
            self.command("RSET")
            return replies[-1]
        return self.data(message)

    def close(self):
        try:
            self.command("QUIT")
        except (OSError, SmtpError):
            pass
        finally:
            self.file.close()
            self.sock.close()


def path_command(verb, address, arguments):
    raw = address if isinstance(address, bytes) else address.encode()
    tail = arguments if isinstance(arguments, bytes) else arguments.encode()
    return verb + b"<" + raw + b">" + (b" " + tail if tail else b"")


def send(address, message, sender="sender@example.net", recipients=("user@example.com",),
         helo="client.example.net", xclient=None, starttls=False, arguments="", timeout=60):
    """One message in one session; returns the Reply that the message got."""
    if isinstance(recipients, (str, bytes)):
        recipients = (recipients,)
    with Client(address, timeout) as client:
        if starttls:
            client.ehlo(helo)
            expect(client.starttls(), 220, "STARTTLS")
        if xclient:
            expect(client.ehlo(helo), 250, "EHLO")
            expect(client.xclient(**xclient), 220, "XCLIENT")
        reply = client.ehlo(helo)
        if reply.code != 250:
            return reply
        return client.transaction(message, sender, recipients, arguments)


def expect(reply, code, step):
    if reply.code != code:
        raise SmtpError(step, reply)
    return reply


class Delivery:
    """One message as it arrived at the sink: envelope, ESMTP arguments, bytes with CRLF."""

    def __init__(self, sender, mail_arguments):
        self.sender = sender
        self.mail_arguments = mail_arguments
        self.recipients = []
        self.data = b""

    @property
    def header(self):
        return self.data.partition(b"\r\n\r\n")[0] + b"\r\n"

    @property
    def body(self):
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def fields(self):
        """(name, value) of every header field, in order; folds kept, bytes."""
        found = []
        for line in self.header.split(b"\r\n"):
            if line[:1] in (b" ", b"\t") and found:
                found[-1] = (found[-1][0], found[-1][1] + b"\r\n" + line)
            elif b":" in line:
                name, _, value = line.partition(b":")
                found.append((name, value))
        return found

    def all(self, name):
        """Values of all fields of this name, unfolded to one line each, as text."""
        wanted = name.lower().encode()
        return [re.sub(rb"\r\n[ \t]+", b" ", value).strip().decode("utf-8", "surrogateescape")
                for field, value in self.fields if field.lower() == wanted]

    def one(self, name):
        values = self.all(name)
        assert len(values) == 1, f"{name}: {values} in\n{self.header.decode(errors='replace')}"
        return values[0]

    def raw(self, prefix):
        """The lines of every field whose name begins so, exactly as delivered."""
        start = prefix.lower().encode()
        return b"".join(name + b":" + value + b"\r\n" for name, value in self.fields
                        if name.lower().startswith(start))


class Sink:
    """An SMTP server on a free loopback port that accepts and records everything.

    script(stage, argument) may change its answers; stages are connect, ehlo, mail, rcpt, data,
    dot. It returns None for the usual answer, a reply line (str), or DROP to close.
    """

    def __init__(self, script=None, extensions=("8BITMIME", "SMTPUTF8", "PIPELINING")):
        self.script = script or (lambda stage, argument: None)
        self.extensions = extensions
        self.deliveries = []
        self.changed = threading.Condition()
        self.connections = set()
        self.stopping = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(5)
        with self.changed:
            for sock in self.connections:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def wait(self, wanted, timeout=60):
        """Deliveries that fit, once there are any (predicate) or so many (number)."""
        fits = wanted if callable(wanted) else lambda delivery: True
        count = 1 if callable(wanted) else wanted
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                found = [delivery for delivery in self.deliveries if fits(delivery)]
                left = end - time.monotonic()
                if len(found) >= count:
                    return found
                if left <= 0:
                    raise TimeoutError(f"{len(found)} of {count} deliveries after {timeout} s")
                self.changed.wait(left)

    def clear(self):
        self.take()

    def take(self):
        """The deliveries so far, which are forgotten then."""
        with self.changed:
            taken = self.deliveries[:]
            self.deliveries.clear()
        return taken

    def _accept(self):
        while not self.stopping:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            SinkSession(self, sock).run()
        except (OSError, ValueError):
            pass
        finally:
            with self.changed:
                self.connections.discard(sock)
            sock.close()

    def _record(self, delivery):
        with self.changed:
            self.deliveries.append(delivery)
            self.changed.notify_all()


class SinkSession:
    """One connection to a Sink."""

    def __init__(self, sink, sock):
        self.sink = sink
        self.sock = sock
        self.file = sock.makefile("rb")
        self.delivery = None

    def run(self):
        if not self.answer("connect", "", "220 sink.example.com ESMTP"):
            return
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n"):
                return
            verb, _, argument = line.rstrip(b"\r\n").partition(b" ")
            if not self.step(verb.upper(), argument.decode("utf-8", "surrogateescape")):
                return

    def answer(self, stage, argument, usual):
        """Sends the script's answer or the usual one; False when the session is to end."""
        text = self.sink.script(stage, argument)
        if text is DROP:
            return False
        text = usual if text is None else text
        self.sock.sendall(text.encode() + b"\r\n")
        return not text.startswith("421")

    def step(self, verb, argument):
        if verb in (b"EHLO", b"LHLO", b"HELO"):
            lines = ["sink.example.com"] + list(self.sink.extensions)
            usual = "\r\n".join("250" + ("-" if i < len(lines) - 1 else " ") + lines[i]
                                for i in range(len(lines)))
            return self.answer("ehlo", argument, usual)
        if verb == b"MAIL":
            path, arguments = split_path(argument)
            self.delivery = Delivery(path, arguments)
            return self.answer("mail", path, "250 2.1.0 Ok")
        if verb == b"RCPT":
            return self.rcpt(split_path(argument)[0])
        if verb == b"DATA":
            return self.data()
        if verb == b"QUIT":
            self.sock.sendall(b"221 2.0.0 Bye\r\n")
            return False
        if verb in (b"RSET", b"NOOP"):
            self.sock.sendall(b"250 2.0.0 Ok\r\n")
            return True
        self.sock.sendall(b"502 5.5.1 Not here\r\n")
        return True

    def rcpt(self, path):
        text = self.sink.script("rcpt", path)
        if text is DROP:
            return False
        if text is None:
            self.delivery.recipients.append(path)
        self.sock.sendall((text or "250 2.1.5 Ok").encode() + b"\r\n")
        return True

    def data(self):
        text = self.sink.script("data", "")
        if text is DROP:
            return False
        self.sock.sendall((text or "354 Go on").encode() + b"\r\n")
        if text is not None:
            return True
        chunks = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n"):
                return False
            if line == b".\r\n":
                break
            chunks.append(line[1:] if line.startswith(b".") else line)
        self.delivery.data = b"".join(chunks)
        # Recorded before the answer only when the answer is the usual one: what the client is
        # told was refused or never answered is no delivery.
        text = self.sink.script("dot", self.delivery)
        if text is DROP:
            return False
        if text is None:
            self.sink._record(self.delivery)
        self.sock.sendall((text or "250 2.0.0 Ok: recorded").encode() + b"\r\n")
        return True


def split_path(argument):
    """`FROM:<a@b> SIZE=1` gives ("a@b", "SIZE=1"); quotes may hold `>`."""
    text = argument.partition(":")[2].strip()
    match = re.match(r'<((?:"(?:\\.|[^"\\])*"|[^">])*)>\s*(.*)\Z', text, re.S)
    return (match.group(1), match.group(2)) if match else (text, "")

# SPDX-License-Identifier: BSD-2-Clause
"""Scorers that behave as told: listeners, request records, and a process to run them in.

A BadScorer has any number of listeners, each with a protocol ("spamd", "rspamd", "json"), a
transport (tcp, unix, tls) and a behaviour by name (badspamd.py, badhttp.py). A message can name its
own behaviour in a field X-Test-Behaviour, and script its score with X-Test-Score and X-Test-Tests.
Every request is recorded with the exact message bytes. ScorerProcess offers the same calls with the
listeners in a child process, for load tests.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import asdict

if __name__ == "__main__":      # run as a file: put the folder above ours on the path
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from support import badhttp, badspamd, ports            # noqa: E402
from support.exchange import Exchange, Hold, Request    # noqa: E402

HELD_MAX = 4000     # connections kept open without an answer; the oldest go first


class Listener:
    """One address with one behaviour."""

    def __init__(self, scorer, name, protocol, behaviour, sock, tls=None, children=0, options=None):
        self.scorer = scorer
        self.name = name
        self.protocol = protocol
        self.behaviour = behaviour
        self.options = options or {}
        self.sock = sock
        self.tls = tls
        self.accepted = 0
        self.times = deque(maxlen=HELD_MAX)     # time.monotonic() of the newest connections
        self.serving = 0
        self.peak = 0
        self.lock = threading.Lock()
        self.slots = threading.Semaphore(children) if children else None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            if self.slots:
                self.slots.acquire()    # like spamd: the kernel accepts, nobody reads
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            self.accepted += 1
            self.times.append(time.monotonic())
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def count(self, change):
        """Connections in hand: taken, and no byte of an answer sent yet."""
        with self.lock:
            self.serving += change
            self.peak = max(self.peak, self.serving)

    def _serve(self, sock):
        self.count(1)
        exchange = None
        try:
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                self.scorer.stopping.wait(self.options.get("handshake_seconds", 0))
                sock.settimeout(30)
                sock = self.tls.wrap_socket(sock, server_side=True)
                sock.settimeout(None)
            exchange = Exchange(self, sock)
            self.protocol.serve(exchange, self.behaviour)
            exchange.finish()
        except Hold:
            self.scorer.keep(sock)
        except OSError:
            sock.close()
        finally:
            if exchange is None or not exchange.answered:
                self.count(-1)
            if self.slots:
                self.slots.release()

    def close(self):
        # shutdown wakes a blocked accept(); close alone would not
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class BadScorer:
    """All listeners of one test; directory is for unix sockets and the certificate."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.stopping = threading.Event()
        self.listeners = {}
        self._requests = []
        self._floods = {}
        self._held = deque()
        self._lock = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def listen(self, name, protocol="spamd", behaviour="correct", transport="tcp", children=0,
               port=0, backlog=1024, **options):
        """Open an address; returns it in the form that the daemon's configuration takes."""
        module = badspamd if protocol == "spamd" else badhttp
        module.find(behaviour)
        if transport == "unix":
            path = os.path.join(self.directory, f"{name}.sock")
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.bind(path)
            os.chmod(path, 0o666)
            address = f"unix:{path}"
        else:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if behaviour == "deaf":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            if port:
                sock.bind(("127.0.0.1", port))
            else:
                ports.bind_free(sock)       # tests close it and open it again
            clear, secret = ("tcp", "tls") if protocol == "spamd" else ("http", "https")
            scheme = secret if transport == "tls" else clear
            address = f"{scheme}://127.0.0.1:{sock.getsockname()[1]}"
        sock.listen(backlog)
        tls = self._tls() if transport == "tls" else None
        self.listeners[name] = Listener(self, name, module, behaviour, sock, tls, children,
                                        {**options, "protocol": protocol})
        return address

    def certificate(self):
        """Path of the certificate that tls listeners show (for 127.0.0.1), made on first use."""
        cert = os.path.join(self.directory, "scorer-cert.pem")
        if not os.path.exists(cert):
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                 "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                 "-keyout", os.path.join(self.directory, "scorer-key.pem"), "-out", cert],
                check=True, capture_output=True)
        return cert

    def _tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate(), os.path.join(self.directory, "scorer-key.pem"))
        return context

    def become(self, name, behaviour, **options):
        """Change the behaviour of an open listener for the connections to come."""
        listener = self.listeners[name]
        listener.protocol.find(behaviour)
        listener.behaviour = behaviour
        listener.options = {"protocol": listener.options["protocol"], **options}

    def refuse(self, name):
        """Close a listener, so that its address refuses connections."""
        self.listeners.pop(name).close()

    def note(self, request):
        with self._lock:
            self._requests.append(request)

    def keep(self, sock):
        with self._lock:
            self._held.append(sock)
            if len(self._held) > HELD_MAX:
                self._held.popleft().close()

    def flooded(self, name, count):
        with self._lock:
            self._floods[name] = max(count, self._floods.get(name, 0))

    def requests(self, name=None, pings=False):
        """Requests read so far, those of one listener if named; PINGs only when asked for."""
        with self._lock:
            return [request for request in self._requests
                    if (name is None or request.listener == name)
                    and (pings or request.verb not in ("PING", "GET /ping"))]

    def flood_bytes(self, name):
        """The most bytes that one connection of a flooding listener could get rid of."""
        with self._lock:
            return self._floods.get(name, 0)

    def accepted(self, name):
        """Connections that a listener has taken."""
        return self.listeners[name].accepted

    def peak(self, name):
        """The most connections that a listener had in hand, unanswered, at the same time."""
        return self.listeners[name].peak

    def times(self, name):
        """When a listener's connections were taken (time.monotonic), oldest first."""
        return list(self.listeners[name].times)

    def clear(self):
        """Forget requests and drop connections that are held open."""
        with self._lock:
            self._requests.clear()
            self._floods.clear()
            while self._held:
                self._held.popleft().close()

    def stop(self):
        self.stopping.set()
        for listener in self.listeners.values():
            listener.close()
        self.clear()


class ScorerProcess:
    """A BadScorer in a process of its own: the same calls, over a pipe."""

    def __init__(self, directory):
        self.child = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), str(directory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="latin-1")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _call(self, method, *arguments, **options):
        self.child.stdin.write(json.dumps([method, arguments, options]) + "\n")
        self.child.stdin.flush()
        ok, value = json.loads(self.child.stdout.readline())
        if not ok:
            raise RuntimeError(value)
        return value

    def __getattr__(self, method):
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *arguments, **options: self._call(method, *arguments, **options)

    def requests(self, name=None, pings=False):
        found = self._call("requests", name, pings)
        for row in found:
            row["message"] = row["message"].encode("latin-1")
            row["headers"] = [tuple(pair) for pair in row["headers"]]
        return [Request(**row) for row in found]

    def stop(self):
        """End the child by closing its input."""
        self.child.stdin.close()
        self.child.wait(10)
        self.child.stdout.close()


def _plain(value):
    """A result in JSON's terms; bytes become Latin-1 text."""
    if isinstance(value, Request):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.decode("latin-1") if isinstance(value, bytes) else value


def main():
    """Serve calls from standard input until it ends."""
    with BadScorer(sys.argv[1]) as scorer:
        for line in sys.stdin:
            method, arguments, options = json.loads(line)
            try:
                answer = [True, _plain(getattr(scorer, method)(*arguments, **options))]
            except Exception as error:      # the caller has to hear of anything at all
                answer = [False, repr(error)]
            print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()

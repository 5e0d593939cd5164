# SPDX-License-Identifier: BSD-2-Clause
"""The spamd side of the SPAMC protocol, spoken correctly and in every wrong way we know.

Framing follows spamd 4.0.1: names of request headers are compared by case, a body whose last byte
is not LF is only complete at end of file, protocol lines end in CRLF.
"""

import re

from . import script
from .exchange import Exchange

BEHAVIOURS = {}


def behaviour(function):
    """Register a behaviour under its function's name."""
    BEHAVIOURS[function.__name__] = function
    return function


def find(name):
    """The behaviour of that name; KeyError if there is none. error_NN is a one-line error."""
    if re.fullmatch(r"error_\d+", name):
        return lambda exchange, request, opinion: exchange.send(error_line(int(name[6:])))
    return EARLY.get(name) or BEHAVIOURS[name]


def error_line(code):
    """spamd's one-line answer to trouble: no headers, no empty line."""
    texts = {69: "Service Unavailable: TELL commands are not enabled",
             76: "Bad header line: (header not in 'Name: value' format)",
             79: "Timeout: (20 second timeout while trying to CHECK)"}
    return f"SPAMD/1.0 {code} {texts.get(code, 'Something went wrong')}\r\n".encode()


def read_request(exchange):
    """Read one request as spamd does; None if the peer leaves before it is complete."""
    head = exchange.read_until(b"\r\n\r\n")
    if head is None:
        return None
    lines = head.decode("latin-1").split("\r\n")
    verb = lines[0].split(" ")[0]
    headers = [tuple(line.split(": ", 1)) for line in lines[1:] if ": " in line]
    length = dict(headers).get("Content-length")
    faults = [] if re.fullmatch(r"[A-Z_]+ SPAMC/1\.\d+", lines[0]) else [f"line {lines[0]!r}"]
    if verb in ("PING", "SKIP"):
        message = b""
    elif length is None:
        faults.append("no Content-length")
        message = exchange.read_all()
    else:
        message = exchange.read_exactly(int(length))
        if len(message) != int(length):
            faults.append(f"Content-length {length}, got {len(message)}")
        elif not message.endswith(b"\n"):
            faults.append("no final newline")
            message += exchange.read_all()
    return exchange.record(verb, headers, message, faults)


def spam_line(opinion, words=("True", "False")):
    word = words[0] if opinion.spam else words[1]
    return f"Spam: {word} ; {opinion.score} / {opinion.required}\r\n".encode()


def _header_block(request, opinion):
    """The rewritten header of a HEADERS reply: the X-Spam fields on top, then the original."""
    tests = ",".join(opinion.tests) or "none"
    number = float(opinion.score) if re.fullmatch(r"[-+]?[\d.]+", opinion.score) else 0
    rows = ["X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-25) on scorer.example.net"]
    if opinion.spam:
        rows.append("X-Spam-Flag: YES")
    rows.append("X-Spam-Level: " + "*" * max(0, min(50, int(number))))
    rows.append(f"X-Spam-Status: {'Yes' if opinion.spam else 'No'}, score={opinion.score} "
                f"required={opinion.required} tests={tests}\r\n"
                "\tautolearn=no autolearn_force=no version=4.0.1")
    rows += opinion.fields
    original = re.split(rb"\r\n\r\n", request.message, maxsplit=1)[0]
    kept = [row for row in re.split(rb"\r\n(?![ \t])", original)
            if not row.lower().startswith(b"x-spam")]
    return "\r\n".join(rows).encode("latin-1") + b"\r\n" + b"\r\n".join(kept) + b"\r\n\r\n"


def reply_body(request, opinion):
    """The part of the reply below the empty line."""
    if request.verb == "HEADERS":
        return _header_block(request, opinion)
    if request.verb == "SYMBOLS":
        return ",".join(opinion.tests).encode()
    if request.verb == "PROCESS":
        return _header_block(request, opinion) + request.message.partition(b"\r\n\r\n")[2]
    if request.verb.startswith("REPORT"):
        return b"Content analysis details: scripted\n"
    return b""


def compose(request, opinion, line=None, version="1.1", length=True, words=("True", "False")):
    """A reply from its parts; line replaces the Spam: line, length may be a number or False."""
    if request.verb == "TELL":
        kind = "DidRemove" if request.get("Remove") else "DidSet"
        return f"SPAMD/{version} 0 EX_OK\r\n{kind}: local\r\nContent-length: 2\r\n\r\n\r\n".encode()
    body = reply_body(request, opinion)
    head = f"SPAMD/{version} 0 EX_OK\r\n".encode()
    if length is not False and request.verb != "CHECK":
        head += b"Content-length: %d\r\n" % (len(body) if length is True else length)
    return head + (spam_line(opinion, words) if line is None else line) + b"\r\n" + body


def serve(exchange, name):
    """Run one connection with the behaviour named, or the one that the message names."""
    if name in EARLY:
        return EARLY[name](exchange)
    request = read_request(exchange)
    if request is None:
        return
    if request.verb == "PING" and exchange.option("ping", True) and name != "no_ping":
        return exchange.send(b"SPAMD/1.5 0 PONG\r\n")
    if request.verb == "SKIP":
        return
    opinion = script.read(request.message, exchange.listener.options,
                          request.get("User"))
    if exchange.option("seconds"):
        exchange.wait(exchange.option("seconds"))
    if opinion.seconds:
        exchange.wait(opinion.seconds)
    if opinion.gated:
        exchange.wait_for_gate()
    find(opinion.behaviour or name)(exchange, request, opinion)


def early_reply(exchange):
    """Answer when the head of the request is there, and close with the message unread."""
    head = exchange.read_until(b"\r\n\r\n")
    if head and head.startswith(b"PING"):
        return exchange.send(b"SPAMD/1.5 0 PONG\r\n")
    if head:
        exchange.record("early", [], b"")
        exchange.send(b"SPAMD/1.0 76 Bad header line: (early)\r\n")
    exchange.sock.close()


# these do not wait for a request; deaf listeners have small receive buffers besides
EARLY = {"deaf": Exchange.hold, "mute": Exchange.hold, "hang_up": Exchange.finish,
         "early_reply": early_reply}


@behaviour
def correct(exchange, request, opinion):
    exchange.send(compose(request, opinion))


@behaviour
def two_writes(exchange, request, opinion):
    status, _, rest = compose(request, opinion).partition(b"\r\n")
    exchange.send(status + b"\r\n")
    exchange.wait(0.05)
    exchange.send(rest)


@behaviour
def byte_writes(exchange, request, opinion):
    exchange.drip(compose(request, opinion), 0.0005)


@behaviour
def silent(exchange, request, opinion):
    exchange.hold()


@behaviour
def no_ping(exchange, request, opinion):
    if request.verb == "PING":
        exchange.hold()
    exchange.send(compose(request, opinion))


@behaviour
def ping_only(exchange, request, opinion):
    exchange.hold()


@behaviour
def drip_body(exchange, request, opinion):
    head, mark, body = compose(request, opinion).partition(b"\r\n\r\n")
    exchange.send(head + mark)
    exchange.drip(body, exchange.option("interval", 0.1))
    exchange.hold()


@behaviour
def drip_header(exchange, request, opinion):
    exchange.drip(compose(request, opinion), exchange.option("interval", 0.1))


@behaviour
def endless_headers(exchange, request, opinion):
    exchange.send(b"SPAMD/1.1 0 EX_OK\r\n")
    exchange.flood(b"X-More: and more\r\n" * 1000)


@behaviour
def endless_line(exchange, request, opinion):
    exchange.flood(b"SPAMD" * 4000)


@behaviour
def flood(exchange, request, opinion):
    exchange.send(b"SPAMD/1.1 0 EX_OK\r\n" + spam_line(opinion) + b"\r\n")
    exchange.flood(b"X-Spam-Report: and more\r\n" * 1000)


@behaviour
def huge_length(exchange, request, opinion):
    exchange.send(compose(request, opinion, length=99999999999))
    exchange.hold()


@behaviour
def length_too_big(exchange, request, opinion):
    exchange.send(compose(request, opinion, length=len(reply_body(request, opinion)) + 10))


@behaviour
def length_too_big_open(exchange, request, opinion):
    length_too_big(exchange, request, opinion)
    exchange.hold()


@behaviour
def length_too_small(exchange, request, opinion):
    exchange.send(compose(request, opinion, length=len(reply_body(request, opinion)) - 10))


@behaviour
def length_nonsense(exchange, request, opinion):
    exchange.send(compose(request, opinion).replace(b"Content-length: ", b"Content-length: -1x"))


@behaviour
def no_length(exchange, request, opinion):
    exchange.send(compose(request, opinion, length=False))


@behaviour
def rst_at(exchange, request, opinion):
    exchange.send(compose(request, opinion)[:opinion.at])
    exchange.reset()


@behaviour
def eof_at(exchange, request, opinion):
    exchange.send(compose(request, opinion)[:opinion.at])


@behaviour
def rst_after(exchange, request, opinion):
    """The whole reply, then RST: the reply counts."""
    exchange.send(compose(request, opinion))
    exchange.reset()


@behaviour
def status_only(exchange, request, opinion):
    exchange.send(b"SPAMD/1.1 0 EX_OK\r\n")


@behaviour
def status_and_blank(exchange, request, opinion):
    exchange.send(b"SPAMD/1.1 0 EX_OK\r\n\r\n")


@behaviour
def no_spam_line(exchange, request, opinion):
    exchange.send(compose(request, opinion, line=b""))


@behaviour
def two_spam_lines(exchange, request, opinion):
    exchange.send(compose(request, opinion,
                          line=b"Spam: False ; 0.1 / 5.0\r\nSpam: True ; 99.0 / 5.0\r\n"))


def _bad_score(name, text):
    def bad(exchange, request, opinion):
        exchange.send(compose(request, opinion, line=b"Spam: " + text + b"\r\n"))
    BEHAVIOURS[name] = bad


_bad_score("comma_decimal", b"True ; 7,3 / 5,0")
_bad_score("score_nan", b"True ; nan / 5.0")
_bad_score("score_inf", b"True ; inf / 5.0")
_bad_score("score_huge", b"True ; 1" + b"0" * 400 + b" / 5.0")
_bad_score("score_exponent", b"True ; 1e999 / 5.0")
_bad_score("score_missing", b"True ;  / 5.0")
_bad_score("score_hex", b"True ; 0x7 / 5.0")
_bad_score("no_threshold", b"True ; 7.3")
_bad_score("odd_word", b"Maybe ; 7.3 / 5.0")


@behaviour
def other_version(exchange, request, opinion):
    exchange.send(compose(request, opinion, version="1.9"))


@behaviour
def negative_version(exchange, request, opinion):
    exchange.send(compose(request, opinion, version="-1.1"))


@behaviour
def extra_headers(exchange, request, opinion):
    line = b"X-New: thing\r\n" + spam_line(opinion) + b"X-Newer: thing; more\r\n"
    exchange.send(compose(request, opinion, line=line))


@behaviour
def extra_bytes(exchange, request, opinion):
    exchange.send(compose(request, opinion) + b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 99 / 5\r\n\r\n")


@behaviour
def yes_no(exchange, request, opinion):
    exchange.send(compose(request, opinion, words=("Yes", "No")))


@behaviour
def bare_lf(exchange, request, opinion):
    exchange.send(compose(request, opinion).replace(b"\r\n", b"\n"))


@behaviour
def garbage(exchange, request, opinion):
    exchange.send(bytes(range(256)) * 16)


@behaviour
def http_reply(exchange, request, opinion):
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@behaviour
def another_message(exchange, request, opinion):
    """A reply twice over, as from a connection that serves somebody else next."""
    exchange.send(compose(request, opinion) * 2)

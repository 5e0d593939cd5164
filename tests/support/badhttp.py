# SPDX-License-Identifier: BSD-2-Clause
"""Scorers that speak JSON over HTTP (rspamd, or a free-form service), right and wrong."""

import functools
import gzip
import json
import re
import socket

from . import script
from .exchange import Exchange

BEHAVIOURS = {}


@functools.lru_cache(maxsize=None)
def bomb():
    """64 MiB in 64 KiB."""
    return gzip.compress(b" " * (64 << 20), 9)


def behaviour(function):
    """Register a behaviour under its function's name."""
    BEHAVIOURS[function.__name__] = function
    return function


def find(name):
    """The behaviour of that name; KeyError if there is none. status_NNN answers with that code."""
    match = re.fullmatch(r"status_(\d\d\d)", name)
    if match:
        return lambda exchange, request, opinion: exchange.send(
            http(b'{"error":"scripted"}', f"{match.group(1)} Scripted"))
    return EARLY.get(name) or BEHAVIOURS[name]


def http(body, status="200 OK", kind="application/json", extra=(), length=True):
    """One HTTP/1.1 reply."""
    rows = [f"HTTP/1.1 {status}", "Connection: close", "Server: scripted", f"Content-Type: {kind}",
            "Set-Cookie: session=1; Path=/", 'Alt-Svc: h2="127.0.0.1:9"; ma=86400',
            "Strict-Transport-Security: max-age=86400"]     # all of it to be ignored
    if length is not False:
        rows.append(f"Content-Length: {len(body) if length is True else length}")
    return "\r\n".join([*rows, *extra]).encode() + b"\r\n\r\n" + body


def _read_chunked(exchange):
    parts = []
    while True:
        line = exchange.read_until(b"\r\n")
        if not line:
            return b"".join(parts)
        size = int(line.split(b";")[0], 16)
        parts.append(exchange.read_exactly(size))
        exchange.read_exactly(2)
        if size == 0:
            return b"".join(parts)


def read_request(exchange):
    """Read one HTTP request; None if the peer leaves before its head is complete."""
    head = exchange.read_until(b"\r\n\r\n")
    if head is None:
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = (lines[0].split(" ") + ["", ""])[:3]
    headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]
    known = {name.lower(): value for name, value in headers}
    faults = ["Expect"] if "expect" in known else []
    if known.get("transfer-encoding", "").lower() == "chunked":
        body = _read_chunked(exchange)
    else:
        wanted = int(known.get("content-length", 0))
        body = exchange.read_exactly(wanted)
        if len(body) != wanted:
            faults.append(f"Content-Length {wanted}, got {len(body)}")
    return exchange.record(f"{method} {path}", headers, body, faults)


def message_of(request):
    """The mail message in a request's body: raw, or a member of a JSON object."""
    if request.message[:1] != b"{":
        return request.message
    try:
        members = json.loads(request.message)
    except ValueError:
        return request.message
    texts = [value for value in members.values() if isinstance(value, str)]
    return max(texts, key=len, default="").encode("utf-8", "replace")


def rspamd_reply(opinion):
    """The members of a /checkv2 reply."""
    score = float(opinion.score)
    action = opinion.action or ("reject" if score >= 15 else "add header" if score >= 6 else
                                "no action")
    symbols = {name: {"name": name, "score": 1.0, "metric_score": 1.0} for name in opinion.tests}
    return {"is_skipped": False, "score": score, "required_score": 15.0, "action": action,
            "symbols": symbols, "messages": {}, "message-id": "scripted@example.org",
            "time_real": 0.001, **opinion.members}


def service_reply(opinion):
    """A free-form service's reply: the score is a string, the rules are objects."""
    return {"success": True, "score": opinion.score,
            "rules": [{"name": name, "score": "0.1"} for name in opinion.tests], **opinion.members}


def good(exchange, opinion):
    """The JSON body of a correct reply."""
    build = rspamd_reply if exchange.option("protocol") == "rspamd" else service_reply
    return json.dumps(build(opinion)).encode()


def serve(exchange, name):
    """Run one connection with the behaviour named, or the one that the message names."""
    if name in EARLY:
        return EARLY[name](exchange)
    request = read_request(exchange)
    if request is None:
        return
    if request.verb.startswith("GET ") and exchange.option("ping", True) and name != "no_ping":
        return exchange.send(http(b"pong\r\n", kind="text/plain"))
    opinion = script.read(message_of(request), exchange.listener.options)
    seconds = exchange.option("seconds") or opinion.seconds
    if seconds:
        exchange.wait(seconds)
    if opinion.gated:
        exchange.wait_for_gate()
    find(opinion.behaviour or name)(exchange, request, opinion)


def early_reply(exchange):
    """Answer when the head of the request is there, and close with the message unread."""
    exchange.read_until(b"\r\n\r\n")
    exchange.record("early", [], b"")
    exchange.send(http(b"{}", "503 Service Unavailable"))
    exchange.sock.close()


EARLY = {"deaf": Exchange.hold, "mute": Exchange.hold, "hang_up": Exchange.finish,
         "early_reply": early_reply}


@behaviour
def correct(exchange, request, opinion):
    exchange.send(http(good(exchange, opinion)))


@behaviour
def verbatim(exchange, request, opinion):
    """The listener's option `reply` as JSON, whatever the message."""
    exchange.send(http(json.dumps(exchange.option("reply")).encode()))


@behaviour
def byte_writes(exchange, request, opinion):
    exchange.drip(http(good(exchange, opinion)), 0.0005)


@behaviour
def silent(exchange, request, opinion):
    exchange.hold()


@behaviour
def ping_only(exchange, request, opinion):
    exchange.hold()


@behaviour
def no_ping(exchange, request, opinion):
    if request.verb.startswith("GET "):
        exchange.hold()
    correct(exchange, request, opinion)


@behaviour
def drip_body(exchange, request, opinion):
    body = good(exchange, opinion)
    exchange.send(http(body)[:-len(body)])
    exchange.drip(body, exchange.option("interval", 0.1))


@behaviour
def drip_header(exchange, request, opinion):
    exchange.drip(http(good(exchange, opinion)), exchange.option("interval", 0.1))


@behaviour
def endless_headers(exchange, request, opinion):
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    exchange.flood(b"X-More: and more\r\n" * 1000)


@behaviour
def endless_1xx(exchange, request, opinion):
    exchange.flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@behaviour
def slow_1xx(exchange, request, opinion):
    while not exchange.stopping.wait(exchange.option("interval", 0.1)):
        exchange.send(b"HTTP/1.1 102 Processing\r\n\r\n")


@behaviour
def flood(exchange, request, opinion):
    exchange.send(http(b"", length=False))
    exchange.flood(b'{"score": ' + b" " * 16000)


def _in_chunks(body):
    head = http(b"", extra=["Transfer-Encoding: chunked"], length=False)
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@behaviour
def chunked(exchange, request, opinion):
    exchange.send(_in_chunks(good(exchange, opinion)))


@behaviour
def chunked_no_end(exchange, request, opinion):
    body = good(exchange, opinion)
    head = http(b"", extra=["Transfer-Encoding: chunked"], length=False)
    exchange.send(head + b"%x\r\n%s\r\n" % (len(body), body))


@behaviour
def chunked_endless(exchange, request, opinion):
    exchange.send(http(b"", extra=["Transfer-Encoding: chunked"], length=False))
    exchange.flood(b"4000\r\n" + b" " * 0x4000 + b"\r\n")


@behaviour
def gzip_bomb(exchange, request, opinion):
    body = bomb()
    exchange.send(http(body, extra=["Content-Encoding: gzip"]))


@behaviour
def length_too_big(exchange, request, opinion):
    body = good(exchange, opinion)
    exchange.send(http(body, length=len(body) + 10))


@behaviour
def length_too_small(exchange, request, opinion):
    body = good(exchange, opinion)
    exchange.send(http(body, length=len(body) - 10))


@behaviour
def rst_at(exchange, request, opinion):
    exchange.send(http(good(exchange, opinion))[:opinion.at])
    exchange.reset()


@behaviour
def eof_at(exchange, request, opinion):
    exchange.send(http(good(exchange, opinion))[:opinion.at])


@behaviour
def redirect(exchange, request, opinion):
    target = exchange.option("target", "http://127.0.0.1:9/elsewhere")
    exchange.send(http(b"", "307 Temporary Redirect", extra=[f"Location: {target}"]))


@behaviour
def http_09(exchange, request, opinion):
    exchange.send(good(exchange, opinion))


@behaviour
def http_10(exchange, request, opinion):
    exchange.send(http(good(exchange, opinion), length=False).replace(b"HTTP/1.1", b"HTTP/1.0"))


@behaviour
def http2_preface(exchange, request, opinion):
    exchange.send(b"\0\0\0\x04\0\0\0\0\0" + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


@behaviour
def tls_alert(exchange, request, opinion):
    exchange.send(b"\x15\x03\x01\x00\x02\x02\x28")


@behaviour
def garbage(exchange, request, opinion):
    exchange.send(bytes(range(256)) * 16)


@behaviour
def two_replies(exchange, request, opinion):
    exchange.send(http(good(exchange, opinion)) + http(b'{"score": 99, "action": "reject"}'))


@behaviour
def two_chunked_replies(exchange, request, opinion):
    exchange.send(_in_chunks(good(exchange, opinion)) * 2)


@behaviour
def te_gzip_bomb(exchange, request, opinion):
    body = bomb()
    head = http(b"", extra=["Transfer-Encoding: gzip, chunked"], length=False)
    exchange.send(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))


@behaviour
def endless_line(exchange, request, opinion):
    exchange.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    exchange.flood(b"x" * 16000)


@behaviour
def other_type(exchange, request, opinion):
    exchange.send(http(good(exchange, opinion), kind="text/plain; charset=latin-1"))


def _next_request(exchange):
    """The next request on a connection that stays open, and what its message scripts."""
    request = read_request(exchange)
    if request is None:
        return None, None
    return request, script.read(message_of(request), exchange.listener.options)


def _kept(body):
    """A reply behind which the connection stays open."""
    return http(body).replace(b"Connection: close\r\n", b"")


@behaviour
def keep_alive(exchange, request, opinion):
    while request:
        exchange.send(_kept(good(exchange, opinion)))
        request, opinion = _next_request(exchange)


@behaviour
def keep_alive_once(exchange, request, opinion):
    exchange.send(_kept(good(exchange, opinion)))


@behaviour
def keep_alive_more(exchange, request, opinion):
    """A second reply, with another score, as soon as the connection is idle."""
    while request:
        exchange.send(_kept(good(exchange, opinion)))
        exchange.wait(0.3)
        exchange.send(_kept(json.dumps({"success": True, "score": "99"}).encode()))
        exchange.record("sent more", [], b"")
        request, opinion = _next_request(exchange)


@behaviour
def keep_alive_early(exchange, request, opinion):
    """From the second message on, an answer before the message was read."""
    exchange.send(_kept(good(exchange, opinion)))
    if exchange.read_until(b"\r\n\r\n"):
        exchange.send(_kept(json.dumps({"success": True, "score": "99"}).encode()))
        exchange.wait(0.5)


@behaviour
def keep_alive_unread(exchange, request, opinion):
    """The same when the second message begins to come, with nothing of it read."""
    exchange.send(_kept(good(exchange, opinion)))
    if exchange.sock.recv(1, socket.MSG_PEEK):
        exchange.send(_kept(json.dumps({"success": True, "score": "99"}).encode()))
        exchange.wait(0.5)


@behaviour
def keep_alive_drops(exchange, request, opinion):
    """The second message's connection breaks without an answer."""
    exchange.send(_kept(good(exchange, opinion)))
    read_request(exchange)


def _bad_json(name, make):
    def bad(exchange, request, opinion):
        body = make(json.loads(good(exchange, opinion)), good(exchange, opinion))
        exchange.send(http(body if isinstance(body, bytes) else json.dumps(body).encode()))
    BEHAVIOURS[name] = bad


def _with_score(text):
    return lambda _, body: re.sub(rb'"score": "?[^,}"]*"?', b'"score": ' + text, body, count=1)


_bad_json("empty_body", lambda members, body: b"")
_bad_json("empty_object", lambda members, body: {})
_bad_json("json_array", lambda members, body: [1, 2])
_bad_json("json_cut", lambda members, body: body[:-5])
_bad_json("json_trailing", lambda members, body: body + b"x")
_bad_json("json_utf16", lambda members, body: body.decode().encode("utf-16"))
_bad_json("json_bad_utf8", lambda members, body: body.replace(b'"score"', b'"x\xff": 1, "score"'))
_bad_json("json_deep", lambda members, body: b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"," + body[1:])
_bad_json("duplicate_keys", lambda members, body: body[:-1] + b', "score": 99}')
_bad_json("no_score", lambda m, body: {key: v for key, v in m.items() if key != "score"})
_bad_json("no_message_id", lambda m, body: {key: v for key, v in m.items() if key != "message-id"})
_bad_json("no_action", lambda m, body: {key: v for key, v in m.items() if key != "action"})
_bad_json("unknown_action", lambda members, body: {**members, "action": "teleport"})
_bad_json("action_number", lambda members, body: {**members, "action": 7})
_bad_json("symbols_list", lambda members, body: {**members, "symbols": [1, {"a": None}]})
_bad_json("not_ok", lambda members, body: {"success": False, "message": "scripted"})
_bad_json("score_null", _with_score(b"null"))
_bad_json("score_text", _with_score(b'"fifteen"'))
_bad_json("score_object", _with_score(b"{}"))
_bad_json("score_true", _with_score(b"true"))
_bad_json("score_nan", _with_score(b"nan"))
_bad_json("score_huge", _with_score(b"1e999"))
_bad_json("score_big_integer", _with_score(b"1" + b"0" * 30))

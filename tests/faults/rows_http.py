# SPDX-License-Identifier: BSD-2-Clause
"""Fault rows F1h to F16h: the same faults in scorers that speak HTTP, and those that only HTTP has.
"""

from . import bench as b
from . import rows_scorer, rows_system
from .bench import row

AT_DEADLINE = "the policy at the deadline: bytes do not extend it"


@row("F1h", "scorer refused, HTTP", "no listener",
     "the policy, at once")
def refused(extent):
    return rows_scorer.refused(extent, "rspamd")


@row("F2h", "SYN black hole, HTTP", "listener with a full backlog",
     "the policy at the deadline")
def black_hole(extent):
    return rows_scorer.black_hole(extent, "rspamd")


@row("F3h", "accepts, never answers, HTTP", "badscorer silent",
     "the policy at the deadline")
def silent(extent):
    return b.stall("silent", extent, protocol="rspamd")


@row("F4h", "never reads our body, HTTP", "badscorer deaf, 5 MB mail",
     "the policy at the deadline")
def zero_window(extent):
    return b.stall("deaf", extent, protocol="rspamd", raw=rows_scorer.UNREAD,
                   options="max_scan_size = 20M", batch=10 if extent.quick else 50)


@row("F5h", "body drip 1 byte/100 ms, HTTP", "badscorer drip_body", AT_DEADLINE)
def body_drip(extent):
    return b.stall("drip_body", extent, protocol="rspamd")


@row("F6h", "endless 1xx", "badscorer slow_1xx", AT_DEADLINE)
def endless_1xx(extent):
    return b.stall("slow_1xx", extent, protocol="rspamd")


@row("F7h", "flood over HTTP", "badscorer flood, endless_headers, chunked_endless",
     "broken off at the cap, the policy")
def flood(extent):
    return rows_scorer.flooding(
        "rspamd", ["flood", "endless_headers", "chunked_endless", "endless_1xx"], 1 << 20)


@row("F8h", "gzip bomb, chunked without end, wrong length", "badscorer over HTTP",
     "the policy")
def wrong_length(extent):
    return rows_scorer.no_verdict("rspamd", ["gzip_bomb", "chunked_no_end", "length_too_big",
                                             "length_too_small"])


@row("F9h", "RST at byte k over HTTP", "badscorer rst_at, every k",
     "the policy, or the verdict once it is whole")
def cut_reply(extent):
    return rows_scorer.cut_at("rspamd", extent)


@row("F10h", "early reply before the body is sent, HTTP", "badscorer early_reply, 10 MB mail",
     "the verdict or the policy, never a hang")
def early_reply(extent):
    return rows_scorer.early_reply(extent, "rspamd")


@row("F11h", "3xx, 4xx, 5xx, HTTP/0.9, HTTP/2, TLS on a clear port", "badscorer over HTTP",
     "the policy; a redirection is never followed")
def other_protocol(extent):
    return rows_scorer.no_verdict(
        "rspamd", ["redirect", "status_302", "status_404", "status_500", "status_503", "http_09",
                   "http2_preface", "tls_alert", "garbage", "empty_body", "empty_object"])


@row("F12h", "scorer stopped, later continued, HTTP", "SIGSTOP, SIGCONT, connections kept open",
     "the policy at the deadline; no verdict of one message for another")
def stopped(extent):
    return rows_scorer.stopped(extent, "json", "keep_alive")


@row("F13h", "scorer killed and restarted in mid-load, HTTP", "kill -9",
     "only policy answers in the gap, scores at once after it")
def restarted(extent):
    return rows_scorer.restarted(extent, "rspamd")


@row("F14h", "resolver hangs, HTTP", "nameserver that never answers",
     "the known address is used, the start does not wait", isolated=True)
def resolver_hangs(extent):
    return rows_system.resolver_hangs(extent, "rspamd")


@row("F15h", "resolver lies, then another address, HTTP", "DNS stub",
     "the last good address stays, a new one is adopted on the timer", isolated=True)
def resolver_lies(extent):
    return rows_system.resolver_lies(extent, "rspamd")


@row("F16h", "clock jumps by a day, both ways, HTTP", "preloaded wall clock",
     "deadlines do not notice")
def clock_jump(extent):
    return rows_system.clock_jump(extent, "rspamd")

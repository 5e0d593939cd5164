# SPDX-License-Identifier: BSD-2-Clause
"""Reading the daemon's results: the X-Spam-Status field, what the scorer was sent, SMTP replies."""

import re

from .timing import timely

STATUS = re.compile(r"(?P<word>Yes|No), score=(?P<score>-?\d+(?:\.\d+)?) "
                    r"required=(?P<required>-?\d+(?:\.\d+)?) tests=(?P<tests>\S*)")
UNSCANNED = re.compile(r"Unscanned, reason=(\S+)")
# the two fields that are put before the message for the scorer
PREFIX = re.compile(
    rb"(?:X-Envelope-From: (?P<sender>[^\r\n]*)\r\n)(?P<received>Received: [^\r\n]*\r\n"
    rb"(?:[ \t][^\r\n]*\r\n)*)")


def unfold(value):
    """A field's value on one line, as a reader sees it; tests= lists lose their fold blanks."""
    return re.sub(r",\n[ \t]+", ",", value).replace("\n\t", " ").replace("\n ", " ")


def status(outcome, style="postfix"):
    """X-Spam-Status of the delivered message as a dict with word, score, required, tests."""
    value = outcome.delivered(style).value("X-Spam-Status")
    assert value is not None, f"no X-Spam-Status; edits: {outcome.verdict.edits}"
    timely(not value.startswith("Unscanned, reason=timeout"), "no score by the deadline")
    match = STATUS.match(unfold(value))
    assert match, f"X-Spam-Status: {value!r}"
    return match.groupdict()


def unscanned_reason(outcome):
    """The reason of an unscanned message that was let pass; fails if there is any verdict."""
    assert outcome.kind in ("accept", "continue"), outcome.verdict
    value = outcome.header("X-Spam-Status")
    assert value is not None, f"no X-Spam-Status; edits: {outcome.verdict.edits}"
    match = UNSCANNED.match(unfold(value))
    assert match, f"X-Spam-Status: {value!r}"
    assert outcome.header("X-Spam-Flag") is None
    assert outcome.header("X-Spam-Level") is None
    return match.group(1)


def sent_to_scorer(request):
    """Split what a spamd request carried: (envelope sender, synthesised Received, the message)."""
    match = PREFIX.match(request.message)
    assert match, f"the scorer got {request.message[:300]!r}"
    return match.group("sender"), match.group("received"), request.message[match.end():]


def smtp_text(outcome, server="postfix"):
    """The reply text as an SMTP client would see it, % treated as that server does."""
    text = outcome.reply.text.decode("ascii")
    if server == "sendmail":
        assert "%" not in text.replace("%%", ""), f"Sendmail drops the reply {text!r}"
    return re.sub(r"%(%?)", r"\1", text)

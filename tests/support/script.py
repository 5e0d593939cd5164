# SPDX-License-Identifier: BSD-2-Clause
"""What a scripted scorer thinks of a message: read from the message's own X-Test fields.

A field `X-Test-For: USER name=value ...` holds what differs for a user of spamd ("-": for none).
"""

import json
import re
from dataclasses import dataclass, field


@dataclass
class Opinion:
    """A scorer's result, as text where the wire format is text."""
    score: str = "1.3"
    required: str = "5.0"
    tests: list = field(default_factory=lambda: ["SCRIPTED"])
    fields: list = field(default_factory=list)  # extra X-Spam fields of the administrator
    behaviour: str = None
    at: int = None                              # byte at which rst_at and eof_at act
    seconds: float = None                       # delay
    gated: bool = False                         # wait until the test opens the listener's gate
    action: str = None                          # rspamd
    members: dict = field(default_factory=dict)  # extra members of a JSON reply

    @property
    def spam(self):
        try:
            return float(self.score) >= float(self.required)
        except ValueError:
            return True


def _fields(message):
    head = re.split(rb"\r?\n\r?\n", message, maxsplit=1)[0]
    unfolded = re.sub(rb"\r?\n(?=[ \t])", b"", head)
    for line in re.split(rb"\r?\n", unfolded):
        name, colon, value = line.partition(b":")
        if colon and name.lower().startswith(b"x-test-"):
            yield name[7:].lower().decode(), value.strip().decode("latin-1")


def _fields_for(message, user):
    """The fields that hold for everybody, then those for this user."""
    own = []
    for name, value in _fields(message):
        if name != "for":
            yield name, value
            continue
        words = value.split()
        if words[0] == (user or "-"):
            own += [word.split("=", 1) for word in words[1:]]
    yield from own


def read(message, options, user=None):
    """The opinion that a message's fields and the listener's options ask for."""
    opinion = Opinion()
    for name in ("score", "required", "action"):
        if name in options:
            setattr(opinion, name, str(options[name]))
    if "tests" in options:
        opinion.tests = list(options["tests"])
    for name, value in _fields_for(message, user):
        if name in ("score", "required", "behaviour", "action"):
            setattr(opinion, name, value)
        elif name == "tests":
            opinion.tests = [test for test in value.split(",") if test]
        elif name == "field":
            opinion.fields.append(value)
        elif name == "at":
            opinion.at = int(value)
        elif name == "delay":
            opinion.seconds = float(value)
        elif name == "gated":
            opinion.gated = True
        elif name == "members":
            opinion.members = json.loads(value)
    return opinion

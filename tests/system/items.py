# SPDX-License-Identifier: BSD-2-Clause
"""Items of a quarantine, read without any code of the daemon: what a stranger finds there."""

import hashlib
import json
import os
import re

HEAD = re.compile(
    rb"X-Quarantine-ID: ([a-z0-9]{26})\r\n"
    rb"X-Quarantine-Item: 1 json=(\d{10}) block=(\d{10}) length=(\d{12}) sha256=([0-9a-f]{64})\r\n")


class Item:
    """One file: id, metadata (a dict), envelope, and the message as it came."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.raw = file.read()
        head = HEAD.match(self.raw)
        assert head, f"{path} begins with {self.raw[:200]!r}"
        self.id = head.group(1).decode()
        json_bytes, block, length = (int(head.group(n)) for n in (2, 3, 4))
        assert len(self.raw) == block + length, f"{path} is not whole"
        digest = hashlib.sha256(self.raw[:head.start(5)] + self.raw[head.end(5):])
        assert digest.hexdigest() == head.group(5).decode(), f"{path}: wrong digest"
        self.block = self.raw[:block]
        self.message = self.raw[block:]
        folds = -(-json_bytes // 76)
        text = self.raw[head.end():head.end() + json_bytes + 3 * folds].replace(b"\r\n ", b"")
        self.metadata = json.loads(text)
        assert self.metadata["id"] == self.id
        assert self.id in os.path.basename(path)
        self.sender = self.metadata["sender"]
        self.recipients = self.metadata["recipients"]

    def field(self, name):
        """A field of our block in front of the message, unfolded."""
        match = re.search(rb"^%s: ?((?:.|\r\n[ \t])*)\r\n" % name.encode(), self.block, re.M)
        return re.sub(rb"\r\n[ \t]", b" ", match.group(1)).decode() if match else None


def folder_of(daemon):
    return daemon.workspace.file("quarantine")


def items(daemon):
    """Every published item, checked, oldest first (the names begin with the time)."""
    found = []
    for folder in ("new", "cur"):
        place = os.path.join(folder_of(daemon), folder)
        if os.path.isdir(place):
            found += [os.path.join(place, name) for name in os.listdir(place)]
    return [Item(path) for path in sorted(found, key=os.path.basename)]


def unfinished(daemon):
    """Files in tmp: nobody reads those."""
    place = os.path.join(folder_of(daemon), "tmp")
    return sorted(os.listdir(place)) if os.path.isdir(place) else []


def only_item(daemon):
    found = items(daemon)
    assert len(found) == 1, [item.path for item in found]
    return found[0]

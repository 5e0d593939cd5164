# SPDX-License-Identifier: BSD-2-Clause
"""F41: items injured in every way that a disk, a file system or a hand injures files.

For the fault matrix as well: with this folder on sys.path, injure(quarantine, tool, sink, flips).
"""

import hashlib
import os
import random

DIGEST = slice(126, 190)        # where the block's checksum stands
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def sealed(content):
    """An item's bytes with the checksum that they should have."""
    digest = hashlib.sha256(content[:DIGEST.start] + content[DIGEST.stop:]).hexdigest()
    return content[:DIGEST.start] + digest.encode() + content[DIGEST.stop:]


def twin(content, item, number):
    """(id, bytes) of a sound copy of an item under an id of its own."""
    name = "".join(LETTERS[number >> shift & 31] for shift in range(0, 25, 5)) * 6
    name = name[:len(item)]
    return name, sealed(content.replace(item.encode(), name.encode()))


def add_twin(quarantine, name, content, then=1700000000):
    """Puts the bytes there as an item that was held at that time; the file's path."""
    owner = os.stat(quarantine.path)
    path = os.path.join(quarantine.path, "new", f"{then}.M000000Q{name}.spambridge")
    with open(path, "wb") as file:
        file.write(content)
    os.chown(path, owner.st_uid, owner.st_gid)
    os.chmod(path, 0o640)
    return path


def flip(bit):
    def injury(content):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)
    return injury


def cut(length):
    return lambda content: content[:length]


def zeros(start, length=512):
    return lambda content: (content[:start] + b"\0" * len(content[start:start + length]) +
                            content[start + length:])


def block_of(content):
    """Bytes of our own header block."""
    return content.index(b"\r\n", content.index(b"\nX-Envelope-To:")) + 2


def injuries(content, flips, seed=41):
    """[(what, function)]: so many single bits (all, if there are fewer), and all other ways."""
    bits = range(8 * len(content))
    if flips < len(bits):
        bits = sorted(random.Random(seed).sample(bits, flips))
    found = [(f"bit {bit}", flip(bit)) for bit in bits]
    block = block_of(content)
    found += [(f"cut at {length}", cut(length)) for length in sorted({
        0, 1, 125, 126, 189, 190, block - 1, block, len(content) // 2, len(content) - 1})]
    found += [(f"zeros at {start}", zeros(start)) for start in range(0, len(content), 512)]
    found += [
        ("grown", lambda content: content + b"x"),
        ("a line end more", lambda content: content + b"\r\n"),
        ("no metadata", lambda content: content[block_of(content):]),
        ("metadata twice", lambda content: content[:block_of(content)] + content),
        ("line ends changed", lambda content: content.replace(b"\r\n", b"\n")),
        ("only zeros", lambda content: b"\0" * len(content)),
        ("no checksum", lambda content: content[:DIGEST.start] + b"0" * 64 +
         content[DIGEST.stop:])]
    return found


def injure(quarantine, tool, sink, flips):
    """What was injured and not found out: {"injured", "missed", "sent", "gone", "good"}.

    `missed`: verify called it good. `sent`: release let it go. `gone`: the release of it removed
    it. `good`: of one sound item besides, whether it stayed so.
    """
    item = quarantine.put().stored[0]
    with open(quarantine.item_path(item), "rb") as file:
        sound = file.read()
    ways = {}
    for number, (what, injury) in enumerate(injuries(sound, flips)):
        name, content = twin(sound, item, number)
        injured = injury(content)
        assert injured != content, what
        add_twin(quarantine, name, injured)
        ways[name] = what
    found = {entry["id"] for entry in tool.json("verify", code=1)["damaged"]}
    tool.run("list")
    for start in range(0, len(ways), 500):
        tool.run("release", "--yes", *list(ways)[start:start + 500], code=1)
    left = quarantine.files("new")
    return {"injured": len(ways), "missed": [ways[name] for name in ways if name not in found],
            "sent": len(sink.deliveries),
            "gone": [ways[name] for name in ways if not any(name in file for file in left)],
            "good": item not in found}

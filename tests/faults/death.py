# SPDX-License-Identifier: BSD-2-Clause
"""Where a daemon died: what preload_death.c said of it on standard error, read."""

import os
import re

FRAME = re.compile(r"death: (/\S+)\((\w*)\+0x([0-9a-f]+)\)")
# whom others call: a death there is the caller's
CALLED = re.compile(r"(libc|libpthread|ld-linux.*|libgcc_s|preload_\w+)\.so")


def place_of_death(lines):
    """Program or library (with its version) and function of the innermost frame that is not libc's;
    None when the log says nothing of a death."""
    for line in lines:
        frame = FRAME.search(line)
        if frame is None:
            continue
        path, function, offset = frame.groups()
        name = os.path.basename(os.path.realpath(path))
        if not CALLED.match(name):
            return f"{name} {function}+0x{offset}"
    return None


def told(lines):
    """All frames of a death, for who has to find it."""
    found = [f"{os.path.basename(path)}({function}+0x{offset})"
             for path, function, offset in FRAME.findall("\n".join(lines))]
    return " < ".join(found)

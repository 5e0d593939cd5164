# SPDX-License-Identifier: BSD-2-Clause
"""The preloaded libraries: compiled, put before a daemon, and told what to do while it runs."""

import mmap
import os
import struct
import subprocess

from support.matrix import CannotRun

# library, and the 64-bit words of its control file
CLOCKS = "clocks", ("clock_offset_s", "fail_threads", "monotonic_offset_s")
MEMORY = "memory", ("fail_at", "persistent", "seen", "failed", "live", "spare")
SYSTEM = "calls", ("call", "fail_at", "error", "last", "seen", "failed", "short_io", "delay_ms")
# families of system calls, in the order of preload_calls.c
CALLS = ["read", "write", "openat", "fsync", "fdatasync", "rename", "link", "unlink", "ftruncate",
         "close", "accept", "poll", "socket", "connect", "getrandom", "clone"]


def _compile(place, name):
    """The library preload_NAME.c in a workspace."""
    folder = os.path.dirname(os.path.abspath(__file__))
    library = place.file(f"preload_{name}.so")
    compiler = os.environ.get("CC", "cc").split()
    try:
        subprocess.run([*compiler, "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", library,
                        os.path.join(folder, f"preload_{name}.c"), "-ldl"],
                       check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotRun("no C compiler for the preloaded library") from error
    return library


NEVER = 1 << 40         # as a number of the call that fails: all are counted, none fails


class Preload:
    """A library for a daemon's environment; all its words are 0 at first.

    Beside it goes the one that tells where the daemon died, if it should (death.py).
    """

    def __init__(self, place, kind):
        name, self.words = kind
        libraries = [_compile(place, name), _compile(place, "death")]
        path = place.file("control")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.fchmod(descriptor, 0o666)        # the daemon has another user
        os.ftruncate(descriptor, 8 * len(self.words))
        self.memory = mmap.mmap(descriptor, 8 * len(self.words))
        os.close(descriptor)
        self.environment = {"LD_PRELOAD": ":".join(libraries), "FAULT_CONTROL": path}

    def set(self, **values):
        """Change words; they take effect at once, in the order in which they are given."""
        for name, value in values.items():
            struct.pack_into("=q", self.memory, 8 * self.words.index(name), value)

    def arm(self, at, **words):
        """Let the fault be number at, counted from now, with the other words set before."""
        self.set(fail_at=0, failed=0, **words)
        self.set(seen=0, fail_at=at)

    def get(self, name):
        return struct.unpack_from("=q", self.memory, 8 * self.words.index(name))[0]

# SPDX-License-Identifier: BSD-2-Clause
"""How long something may take: the promise of the deadline, and failures that are told from others.

A test that fails with TooLate is run again (support/slow.py).
"""

import os


def is_slow():
    """True if a tool makes the programs run at a fraction of their speed."""
    return "yes" in (os.environ.get("SPAMBRIDGE_SLOW"), os.environ.get("SPAMBRIDGE_VALGRIND"))


# the promise: an answer at most so long after the deadline; slow programs have to come by it, too
GRACE_S = 4.0 if is_slow() else 0.1


class TooLate(AssertionError):
    """Something took longer than it may."""


def in_time(seconds, limit_s, *what):
    """Fails where something took longer than it may; what: shown then."""
    timely(seconds <= limit_s, f"{seconds:.3f} s, not within {limit_s:.3f} s", *what)


def by_deadline(seconds, deadline_s, *what, slower=1.0):
    """Fails where an answer took longer than the deadline and what is promised beyond it.

    slower: how many times slower than usual this machine is at the moment.
    """
    in_time(seconds, deadline_s + GRACE_S * slower, *what)


def timely(condition, *what):
    """Fails where a condition does not hold that a late moment can spoil."""
    if not condition:
        raise TooLate(" ".join(str(word) for word in what) or "too late")

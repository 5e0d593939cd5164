# SPDX-License-Identifier: BSD-2-Clause
"""How long something may take: the promise of the deadline, and failures that are told from others.

A test that fails with TooLate is run again (support/slow.py).
"""

GRACE_S = 0.1       # the promise: an answer at most so long after the deadline


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

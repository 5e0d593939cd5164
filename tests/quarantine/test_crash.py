# SPDX-License-Identifier: BSD-2-Clause
"""Writers that are killed: at every system call, and anywhere under load (F23, F24, F25, trap 76).

What a sender was told is in the quarantine is there and whole; nothing is ever half there.
"""

import os
import random
import re
import signal
import subprocess

from quarantine import MESSAGE, STRACE, Quarantine, inject

KILLS = int(os.environ.get("SPAMBRIDGE_KILLS", "1000"))


def check(quarantine, stored):
    """All stored items are good; whatever else is visible is good as well."""
    seen = quarantine.look()
    assert all(state == "good" for state in seen.values()), seen
    assert set(stored) <= set(seen), set(stored) - set(seen)
    return seen


def test_killed_while_the_directory_is_made():
    with Quarantine() as pattern:
        calls = pattern.store_calls()
    made = [at for at, (name, _) in enumerate(calls) if name == "mkdirat"]
    for name, when in calls[:made[-1] + 8]:
        with Quarantine() as quarantine:
            outcome = quarantine.put(before=inject(name, when, "signal=KILL"), check=False)
            assert outcome.code != 0, (name, when)
            stored = quarantine.put().stored
            check(quarantine, stored)


def test_killed_before_every_system_call(quarantine):
    quarantine.put()
    calls = quarantine.store_calls()
    names = [name for name, _ in calls]
    assert len(calls) > 40 and names.count("fsync") >= 2 and "renameat2" in names
    acknowledged = 0
    for name, when in calls:
        outcome = quarantine.put(before=inject(name, when, "signal=KILL"), check=False)
        assert outcome.code != 0 or name == "futex", (name, when)
        acknowledged += len(outcome.stored)
        check(quarantine, outcome.stored)
    # only the answer itself is behind the last of them
    assert acknowledged <= names.count("futex"), acknowledged
    print(f"killed at {len(calls)} calls")


def test_killed_between_link_and_unlink(quarantine):
    """Without RENAME_NOREPLACE: nothing lost, and whole again when the leftover is swept."""
    quarantine.put()
    trace = inject("renameat2", 1, "error=EINVAL")
    assert len(quarantine.put(before=trace).stored) == 1
    assert quarantine.files("tmp") == []
    # a fresh directory is made without unlinkat, so its first call is the one behind linkat
    outcome = quarantine.put(before=trace + ("-e", "inject=unlinkat:signal=KILL:when=1"),
                             check=False)
    assert outcome.stored == [] and len(quarantine.files("tmp")) == 1
    leftover = os.path.join(quarantine.path, "tmp", quarantine.files("tmp")[0])
    os.utime(leftover, (1, 1))
    quarantine.put()
    assert quarantine.files("tmp") == []
    assert list(quarantine.look().values()) == ["good"] * 4


def test_order_of_system_calls(quarantine):
    """F25: data and digest, fsync of the file, close, rename, fsync of new, then the answer."""
    trace = os.path.join(quarantine.top, "trace")
    quarantine.put(before=(*STRACE, "-y", "-o", trace))
    with open(trace) as file:
        text = file.read()
    text = text[text.index("O_EXCL"):]
    steps = [r"O_EXCL\|O_NOFOLLOW", r"writev\(\d+<[^>]*/tmp/", r"pwrite64\(\d+<[^>]*/tmp/",
             r"fsync\(\d+<[^>]*/tmp/[^>]*>\) += 0", r"close\(\d+<[^>]*/tmp/[^>]*>\) += 0",
             r"renameat2\([^)]*/tmp>[^)]*/new>[^)]*RENAME_NOREPLACE\) += 0",
             r"fsync\(\d+<[^>]*/new>\) += 0", r'write\(1<.*"stored ']
    at = 0
    for step in steps:
        match = re.compile(step).search(text, at)
        assert match, step
        at = match.end()


def test_random_kills_under_load():
    """Thousands of writes by four threads, killed at moments of chance."""
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    done = told = 0
    while done < KILLS:
        with Quarantine() as quarantine:
            stored = []
            for _ in range(min(50, KILLS - done)):
                writer = subprocess.Popen(
                    quarantine.command("-n", "1000000", "-t", "4", "-d", "60000"),
                    stdout=subprocess.PIPE, text=True)
                wanted = chance.randrange(0, 12)
                lines = [writer.stdout.readline() for _ in range(wanted)]
                # a moment of chance between two answers, not at one of them
                for _ in range(chance.randrange(0, 20000)):
                    pass
                writer.send_signal(signal.SIGKILL)
                lines += writer.stdout.read().splitlines()
                writer.wait(30)
                stored += [line.split()[1] for line in lines if line.startswith("stored ")]
                done += 1
            told += len(stored)
            seen = check(quarantine, stored)
            some = chance.choice(sorted(seen))
            assert quarantine.original(some) == MESSAGE
    print(f"{done} kills, {told} accepted, 0 lost, 0 torn (seed {seed})")
    assert told > done

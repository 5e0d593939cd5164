# SPDX-License-Identifier: BSD-2-Clause
"""With the real Postfix and the real spamd (two children): what spambridge adds to a message.

    SPAMBRIDGE_BUILD=build python3 tests/bench/real.py [MESSAGES [TURNS]]      (root)

Three ways in turns: Postfix without a filter, Postfix with spambridge, and spamc called for each
message without any mail server. Times are from the first byte of a session to its last answer.
"""

import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.messages import make                    # noqa: E402
from support.postfix import Postfix                  # noqa: E402
from support.smtp import Client, expect              # noqa: E402
from system.chain import CLIENT, HELO, Chain         # noqa: E402

CHILDREN = 2
MESSAGE = make(body=b"".join(b"Line %d of an ordinary message that asks for nothing.\r\n" % line
                             for line in range(60)))


def by_smtp(address):
    """One message through a mail server."""
    with Client(address) as client:
        client.ehlo(HELO)
        expect(client.xclient(**CLIENT), 220, "XCLIENT")
        client.ehlo(HELO)
        expect(client.transaction(MESSAGE, "alice@example.org", ["bob@example.com"], ""), 250,
               "message")


def by_spamc(path):
    """One message through spamc, which ends with 0 unless something is wrong."""
    subprocess.run(["spamc", "-x", "-U", path], input=MESSAGE, stdout=subprocess.DEVNULL,
                   check=True)


def run(send, where, count, senders):
    """Messages a second, and the time of each."""
    times = []

    def one(_):
        began = time.monotonic()
        send(where)
        times.append((time.monotonic() - began) * 1000)
    began = time.monotonic()
    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(one, range(count)))
    return count / (time.monotonic() - began), statistics.median(times)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    postfix = {"settings": {"virtual_transport": "discard:"}}
    with Chain(spamd={"children": CHILDREN}, scorer=f"max_connections = {CHILDREN}",
               postfix=postfix) as chain, Postfix(**postfix) as plain:
        ways = {"no filter": (by_smtp, plain.address),
                "spambridge": (by_smtp, chain.postfix.address),
                "spamc": (by_spamc, chain.spamd.socket_path)}
        for senders in (1, 2, 8):
            found = {name: [] for name in ways}
            for _ in range(turns):
                for name, (send, where) in ways.items():
                    found[name].append(run(send, where, count, senders))
            print(f"{len(MESSAGE) / 1024:.1f} KB, {senders} at a time, spamd with {CHILDREN} "
                  f"children, {turns} turns of {count}")
            for name, runs in found.items():
                print(f"  {name:<12} {statistics.median(r[0] for r in runs):8.1f} messages/s, "
                      f"median {statistics.median(r[1] for r in runs):7.1f} ms", flush=True)


if __name__ == "__main__":
    main()

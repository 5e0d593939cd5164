# SPDX-License-Identifier: BSD-2-Clause
"""The demonstration behind quickstart: three messages through Postfix, spambridge and spamd."""

import argparse
import os
import shutil
import signal
import sys
import textwrap
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests"))

# pylint: disable=wrong-import-position
from support.spamassassin import GTUBE, phrase      # noqa: E402
from system.chain import CLIENT, Chain, mail     # noqa: E402

MESSAGES = [
    ("a friendly message", mail()),
    ("spam below the reject threshold", mail(phrase("SB_SEVEN"), subject="You have won")),
    ("GTUBE, SpamAssassin's test for certain spam", mail(GTUBE, subject="Test")),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.keep:
        sys.exit(in_background(options.scratch))
    with Chain() as chain:
        show(chain)
    return 0


def in_background(scratch):
    """A child runs everything and stays; the parent leaves when the child has shown it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return 0 if os.read(reader, 1) else os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or 1
    os.close(reader)
    os.setsid()
    try:
        with Chain() as chain:
            inbox = os.path.join(scratch, "delivered")
            os.mkdir(inbox)
            chain.postfix.sink.script = lambda stage, found: save(inbox, stage, found)
            show(chain)
            explain(chain, scratch, inbox)
            leave_terminal(scratch)
            os.write(writer, b"k")
            os.close(writer)
            copy_log(chain.daemon, os.path.join(scratch, "spambridge.log"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


def save(inbox, stage, delivery):
    """Keeps a copy of what Postfix delivers; the usual answer stands."""
    if stage == "dot":
        number = len(os.listdir(inbox)) + 1
        with open(os.path.join(inbox, f"{number:04d}.eml"), "wb") as file:
            file.write(delivery.data)


def copy_log(daemon, path):
    """Writes the daemon's log lines to a file until the daemon ends."""
    done = 0
    with open(path, "w", encoding="utf-8") as file:
        while daemon.alive():
            lines = daemon.lines[done:]
            file.writelines(line + "\n" for line in lines)
            file.flush()
            done += len(lines)
            time.sleep(0.3)


def leave_terminal(scratch):
    sys.stdout.flush()
    log = os.open(os.path.join(scratch, "quickstart.log"), os.O_WRONLY | os.O_CREAT, 0o644)
    for number in (1, 2):
        os.dup2(log, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def show(chain):
    print(f"running: Postfix on 127.0.0.1 port {chain.postfix.port}, spambridge on its milter "
          f"socket, spamd behind it\nthe client says it is {CLIENT['name']} [{CLIENT['addr']}]")
    for number, (what, message) in enumerate(MESSAGES, 1):
        print(f"\n{number}. {what}")
        reply = chain.send(message)
        field("SMTP answer", str(reply))
        if reply.code == 250:
            queue_id = reply.queue_id
            field("headers added", chain.arrived(reply).raw("X-Spam").decode().rstrip())
        else:
            queue_id = chain.last_log()["id"]
            field("delivered", "nothing")
        line = chain.daemon.wait_log(lambda text: f"id={queue_id}" in text)
        field("log line", textwrap.fill(line, 96, break_long_words=False,
                                        break_on_hyphens=False))
    print()
    sys.stdout.flush()


def field(name, text):
    lines = text.splitlines()
    print(f"   {name}:")
    for line in lines:
        print("      " + line.expandtabs(8))


def explain(chain, scratch, inbox):
    config = chain.daemon.config_path
    print(textwrap.dedent(f"""\
        It goes on running. Send it a message of yours, from you@example.net to anybody:
            curl smtp://127.0.0.1:{chain.postfix.port} --mail-from you@example.net \\
                 --mail-rcpt you@example.com -T message.eml
        ask the daemon    {os.environ["SPAMBRIDGE_BUILD"]}/spambridgectl -c {config} status
        configuration     {config}
        new settings      edit it, then: kill -USR1 {chain.daemon.pid()}
        delivered mail    {inbox}/
        mail log          {chain.postfix.log_file}
        spambridge's log  {scratch}/spambridge.log
        spamd's log       {chain.spamd.log_file}
        stop and remove   kill {os.getpid()}
        """))


if __name__ == "__main__":
    sys.exit(main())

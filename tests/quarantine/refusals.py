# SPDX-License-Identifier: BSD-2-Clause
"""F40: mail servers that say no, later, or nothing, and what a release makes of it.

For the fault matrix as well: with this folder on sys.path, Refusing(quarantine).run() for each.
"""

from quarantine import Tool
from support.smtp import DROP, Sink

# (stage, what the server says there, exit code of the release, state of the copy)
ANSWERS = [
    ("mail", "451 4.3.0 later", 75, "deferred"), ("rcpt", "450 4.2.1 later", 75, "deferred"),
    ("data", "452 4.3.1 full", 75, "deferred"), ("dot", "451 4.3.0 later", 75, "deferred"),
    ("mail", "550 5.7.1 no", 1, "refused"), ("rcpt", "550 5.1.1 unknown", 1, "refused"),
    ("dot", "554 5.6.0 no", 1, "refused"), ("connect", "554 5.3.2 closed", 75, "deferred"),
    ("connect", "421 4.3.2 busy", 75, "deferred"), ("connect", DROP, 75, "deferred"),
    ("ehlo", DROP, 75, "deferred"), ("mail", DROP, 75, "deferred"), ("rcpt", DROP, 75, "deferred"),
    ("data", DROP, 75, "deferred"), ("dot", DROP, 75, "unsure"),
    ("ehlo", "nonsense", 75, "deferred"), ("dot", "999 what", 75, "unsure"),
]


class Refusing:
    """A release of one item to several recipients, while the server answers so to some of them.

    refused: whose copies meet that answer; None: everybody's. DROP ends the connection, so the
    copies behind it come by another one.
    """

    def __init__(self, quarantine, recipients=("one@example.com",), refused=None):
        self.quarantine = quarantine
        self.recipients = recipients
        self.refused = recipients if refused is None else refused

    def run(self, stage, answer):
        """{figure: value}, and in the end everything has arrived."""
        item = self.quarantine.put(recipients=self.recipients).stored[0]
        broken, present = [True], [None]

        def script(step, argument):
            if step == "rcpt":
                present[0] = argument
            hit = stage in ("connect", "ehlo", "mail") or present[0] in self.refused
            return answer if broken[0] and step == stage and hit else None

        with Sink(script) as sink:
            tool = Tool(self.quarantine, release=f"smtp://127.0.0.1:{sink.port}")
            done = tool.run("release", item, code=None)
            first = [delivery.recipients[0] for delivery in sink.deliveries]
            kept = self.quarantine.look() == {item: "good"}
            states = [state["state"] for state in tool.json("show", item)["states"]]
            broken[0] = False
            again = tool.run("release", item, code=None)
            arrived = [delivery.recipients[0] for delivery in sink.deliveries]
        return {"code": done.returncode, "said": done.stdout, "first": first, "kept": kept,
                "states": states, "then": again.returncode,
                "lost": len(set(self.recipients) - set(arrived)),
                "double": len(arrived) - len(set(arrived)),
                "left": len(self.quarantine.look())}

# SPDX-License-Identifier: BSD-2-Clause
"""F41: every injury is found by its checksum, and nothing injured is ever released.

SPAMBRIDGE_FLIPS: single bits that are flipped (default 600; a large number means all of them).
"""

import os

from damage import injure
from quarantine import Tool
from support.smtp import Sink


def test_every_injury_is_found(quarantine):
    flips = int(os.environ.get("SPAMBRIDGE_FLIPS", "600"))
    with Sink() as sink:
        tool = Tool(quarantine, release=f"smtp://127.0.0.1:{sink.port}")
        figures = injure(quarantine, tool, sink, flips)
        print({**figures, "missed": len(figures["missed"]), "gone": len(figures["gone"])})
        assert figures["missed"] == [] and figures["gone"] == []
        assert figures["sent"] == 0 and figures["good"]
        assert figures["injured"] > 600

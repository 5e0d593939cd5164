# SPDX-License-Identifier: BSD-2-Clause
"""F39: each item is released, deleted or expired exactly once, or is still there.

SPAMBRIDGE_RACE_SECONDS makes it longer (default 10; the fault matrix takes 60).
"""

import os

from held import Held
from races import Race
from support.smtp import Sink


def test_everybody_at_once():
    seconds = float(os.environ.get("SPAMBRIDGE_RACE_SECONDS", "10"))
    with Held() as held, Sink() as sink, held.daemon as daemon:
        race = Race(held, sink)
        figures = race.run(seconds)
        print(figures)
        assert race.wrong == []
        assert (figures["double"], figures["lost"], figures["torn"]) == (0, 0, 0)
        # each of them had its part, else this shows nothing
        assert all(figures[end] > 0 for end in ("delivered", "delete", "expire"))
        daemon.stop_cleanly()

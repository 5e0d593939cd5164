#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the fault matrix: a table of what was injected, what is right and the figures.

usage: faults.py [--quick] [--json FILE] [ROW...]

Needs SPAMBRIDGE_BUILD with the programs and with tests/quarantine/put and look. Exit status 1 when
a row failed; a row that cannot run here says why.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from faults import (                                                # noqa: E402,F401
    rows_calls, rows_disk, rows_http, rows_kill, rows_memory, rows_release, rows_scorer,
    rows_session, rows_start, rows_system, rows_tool)
from faults.bench import MATRIX                                     # noqa: E402

if __name__ == "__main__":
    sys.exit(MATRIX.main(__doc__.splitlines()[0]))

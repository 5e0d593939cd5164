#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the attack matrix: a table of hostile input, what is right and the figures.

usage: attacks.py [--quick] [--json FILE] [ROW...]

Needs SPAMBRIDGE_BUILD with the programs, the unit tests and tests/quarantine/put and look (make
check builds them). Exit status 1 when a row failed; a row that cannot run here says why.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from attacks import rows_content, rows_held, rows_peers, rows_reply     # noqa: E402,F401
from attacks.evidence import MATRIX                                     # noqa: E402

if __name__ == "__main__":
    sys.exit(MATRIX.main(__doc__.splitlines()[0]))

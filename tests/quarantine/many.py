#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A quarantine with many items, for measuring: many.py DIRECTORY COUNT.

Needs SPAMBRIDGE_BUILD. DIRECTORY is made; its parent must be one that nobody else may write to.
"""

import os
import sys

from damage import add_twin, twin


def fill(quarantine, count):
    """So many items in all, a second apart."""
    item = quarantine.put().stored[0]
    with open(quarantine.item_path(item), "rb") as file:
        content = file.read()
    for number in range(1, count):
        name, twin_content = twin(content, item, number)
        add_twin(quarantine, name, twin_content, 1700000000 + number)


def main():
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from quarantine import Quarantine   # pylint: disable=import-outside-toplevel
    with Quarantine() as quarantine:
        quarantine.path = os.path.abspath(sys.argv[1])
        fill(quarantine, int(sys.argv[2]))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    main()

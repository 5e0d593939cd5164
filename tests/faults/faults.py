#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the fault matrix: one line per fault with figure and limit; --json FILE for machines.

usage: faults.py [--quick] [--json FILE] [ROW...]

Needs SPAMBRIDGE_BUILD. Exit status 1 when a row failed; a row that cannot run here says why.
"""

import argparse
import json
import os
import re
import resource
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from faults import rows_scorer, rows_session, rows_system   # noqa: E402,F401
from faults.bench import ROWS, CannotRun, Failed            # noqa: E402
from support.daemon import build_directory                  # noqa: E402


def measure(row, quick):
    """Run one row; its result as a dict."""
    began = time.monotonic()
    result = {"id": row.id, "what": row.what, "how": row.how, "figures": [], "note": ""}
    try:
        figures = row.run(quick)
        result["figures"] = [vars(figure) for figure in figures]
        result["note"] = "; ".join(str(figure) for figure in figures)
        result["status"] = "pass" if all(figure.good for figure in figures) else "FAIL"
    except CannotRun as reason:
        result.update(status="cannot run", note=str(reason))
    except (Failed, AssertionError) as reason:
        result.update(status="FAIL", note=(str(reason) or repr(reason)).splitlines()[0][:200])
    except OSError as error:        # connections that broke or were never answered
        result.update(status="FAIL", note=repr(error))
    except Exception as error:      # pylint: disable=broad-except # a row must not end the run
        traceback.print_exc()
        result.update(status="FAIL", note=repr(error)[:200])
    result["seconds"] = round(time.monotonic() - began, 1)
    return result


def make_room():
    """As many descriptors as there may be: rows hold a thousand connections."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def surroundings():
    """What the figures depend on besides the daemon."""
    return (f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} processors, "
            f"load average {os.getloadavg()[0]:.1f}")


def show(result):
    """One line of the table."""
    print(f"{result['id']:5} {result['status']:10} {result['what'][:44]:44} "
          f"{result['note']}  [{result['how']}; {result['seconds']} s]", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer messages")
    parser.add_argument("--json", metavar="FILE", help="write the results to FILE")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="only these (F3 F12 ...)")
    options = parser.parse_args()
    if build_directory() is None:
        parser.error("SPAMBRIDGE_BUILD must name a directory with spambridge in it")
    make_room()
    print(surroundings(), flush=True)
    results = []
    for row in sorted(ROWS, key=lambda row: (int(re.sub(r"\D", "", row.id)), row.id)):
        if options.rows and row.id not in options.rows:
            continue
        results.append(measure(row, options.quick))
        show(results[-1])
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    counts = [sum(result["status"] == word for result in results)
              for word in ("pass", "FAIL", "cannot run")]
    print(surroundings())
    print("{} passed, {} failed, {} cannot run".format(*counts))
    return any(result["status"] == "FAIL" for result in results)


if __name__ == "__main__":
    sys.exit(main())

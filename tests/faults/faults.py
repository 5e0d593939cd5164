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
import subprocess
import sys
import tempfile
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
        figures = row.function(quick)
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


def measure_isolated(row, quick):
    """Run one row in network and mount namespaces of its own."""
    blank = {"id": row.id, "what": row.what, "how": row.how, "figures": [], "seconds": 0}
    probe = ["unshare", "-n", "-m", "sh", "-c", "ip link set lo up"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        return {**blank, "status": "cannot run", "note": "needs root and namespaces"}
    with tempfile.NamedTemporaryFile() as out:
        words = [sys.executable, os.path.abspath(__file__), "--inside", "--json", out.name, row.id]
        script = 'ip link set lo up && exec "$@"'
        subprocess.run(["unshare", "-n", "-m", "sh", "-c", script, "sh", *words,
                        *(["--quick"] if quick else [])], check=False, stdout=subprocess.DEVNULL)
        text = out.read()
    return json.loads(text)[0] if text else {**blank, "status": "FAIL", "note": "no result"}


def show(result):
    """One line of the table."""
    print(f"{result['id']:5} {result['status']:10} {result['what'][:44]:44} "
          f"{result['note']}  [{result['how']}; {result['seconds']} s]", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer messages")
    parser.add_argument("--json", metavar="FILE", help="write the results to FILE")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="only these (F3 F12 ...)")
    options = parser.parse_args()
    if build_directory() is None:
        parser.error("SPAMBRIDGE_BUILD must name a directory with spambridge in it")
    results = []
    for row in sorted(ROWS, key=lambda row: (int(re.sub(r"\D", "", row.id)), row.id)):
        if options.rows and row.id not in options.rows:
            continue
        isolated = row.isolated and not options.inside
        results.append((measure_isolated if isolated else measure)(row, options.quick))
        show(results[-1])
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    return any(result["status"] == "FAIL" for result in results)


if __name__ == "__main__":
    sys.exit(main())

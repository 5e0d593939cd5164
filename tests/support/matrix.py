# SPDX-License-Identifier: BSD-2-Clause
"""Tables of rows that are run: what is injected, what is right, the figure, pass or fail.

A row is a function(extent) that returns Figures. It raises CannotRun when something is missing here
(root, namespaces, a program), which is no pass. Matrix.main() is the program that runs the rows.
"""

import argparse
import json
import os
import re
import resource
import sys
import textwrap
import time
import traceback
from dataclasses import dataclass

from .daemon import build_directory
from .namespace import Unavailable, run_isolated


class CannotRun(Exception):
    """The row needs something that is not here; the text says what."""


class Failed(Exception):
    """An outcome that no figure expresses."""


@dataclass
class Figure:
    """A measured number and the most, or with least=True the least, that it may be."""
    name: str
    value: float
    limit: float
    unit: str = ""
    least: bool = False

    @property
    def good(self):
        return self.value >= self.limit if self.least else self.value <= self.limit

    def __str__(self):
        shown = f"{self.value:.1f}".rstrip("0").rstrip(".") if self.value % 1 else int(self.value)
        sign = ">=" if self.least else "<="
        return f"{self.name} {shown}{self.unit and ' ' + self.unit} ({sign} {self.limit:.10g})"


@dataclass(frozen=True)
class Extent:
    """How much a row does: a little, the usual, or everything."""
    quick: bool = False
    long: bool = False

    def pick(self, quick, usual, everything):
        """The one of three numbers that fits."""
        return quick if self.quick else everything if self.long else usual


@dataclass
class Row:
    """One line of a table."""
    id: str
    what: str
    how: str
    right: str
    function: object
    isolated: bool = False      # runs in network and mount namespaces of its own (root only)
    proof: tuple = ()           # tests of other folders that it runs

    def run(self, extent):
        """The row's figures."""
        if not self.isolated:
            return self.function(extent)
        try:
            return run_isolated(self.function, extent)
        except Unavailable as why:
            raise CannotRun(f"needs root and namespaces: {why}") from why

    def order(self):
        return int(re.sub(r"\D", "", self.id)), self.id


class Matrix:
    """Rows, and the program that runs them."""

    def __init__(self):
        self.rows = []
        self.chosen = []        # those that the command line names: all, usually

    def row(self, identity, what, how, right, **more):
        """Register a function(extent) -> list of Figure as a row."""
        def register(function):
            self.rows.append(Row(identity, what, how, right, function, **more))
            return function
        return register

    def main(self, description):
        """Run the rows that the command line names; exit status 1 when one failed."""
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--quick", action="store_true", help="less of it")
        parser.add_argument("--long", action="store_true", help="everything, however long it takes")
        parser.add_argument("--json", metavar="FILE", help="write the results to FILE")
        parser.add_argument("rows", nargs="*", metavar="ROW", help="only these")
        options = parser.parse_args()
        if build_directory() is None:
            parser.error("SPAMBRIDGE_BUILD must name a directory with spambridge in it")
        unknown = set(options.rows) - {row.id for row in self.rows}
        if unknown:
            parser.error(f"no such row: {' '.join(sorted(unknown))}")
        make_room()
        extent = Extent(options.quick, options.long)
        began = time.monotonic()
        print(surroundings(), flush=True)
        self.chosen = [row for row in sorted(self.rows, key=Row.order)
                       if not options.rows or row.id in options.rows]
        results = []
        for row in self.chosen:
            results.append(measure(row, extent))
            show(results[-1])
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump(results, file, indent=1)
        print(f"{surroundings()}, {time.monotonic() - began:.0f} s")
        print(", ".join(f"{sum(result['status'] == word for result in results)} {name}"
                        for word, name in (("pass", "passed"), ("FAIL", "failed"),
                                           ("cannot run", "cannot run"))))
        return any(result["status"] == "FAIL" for result in results)


def measure(row, extent):
    """Run one row; its result as a dict."""
    began = time.monotonic()
    result = {"id": row.id, "what": row.what, "how": row.how, "right": row.right,
              "proof": list(row.proof), "figures": [], "note": ""}
    try:
        figures = row.run(extent)
        result["figures"] = [{**vars(figure), "good": figure.good} for figure in figures]
        result["note"] = [str(figure) for figure in figures]
        good = figures and all(figure.good for figure in figures)
        result["status"] = "pass" if good else "FAIL"
    except CannotRun as reason:
        result.update(status="cannot run", note=[str(reason)])
    except (Failed, AssertionError) as reason:
        result.update(status="FAIL", note=[(str(reason) or repr(reason)).splitlines()[0][:2000]])
    except OSError as error:        # connections that broke or were never answered
        result.update(status="FAIL", note=[repr(error)])
    except Exception as error:      # pylint: disable=broad-except # a row must not end the run
        traceback.print_exc()
        result.update(status="FAIL", note=[repr(error)[:200]])
    result["seconds"] = round(time.monotonic() - began, 1)
    return result


def show(result):
    """A row of the table: a line and its fields below."""
    fields = [("injected", result["how"]), ("right", result["right"]),
              ("tests", ", ".join(result["proof"]))]
    fields += [("figure", line) for line in result["note"]]
    print(f"{result['id']:5} {result['status']:10} {result['what']} ({result['seconds']} s)")
    for name, text in fields:
        if text:
            print(textwrap.fill(text, 98, initial_indent=f"      {name:10} ",
                                subsequent_indent=" " * 17, break_on_hyphens=False))
    sys.stdout.flush()


def make_room():
    """As many descriptors as there may be: rows hold a thousand connections."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def surroundings():
    """What the figures depend on besides the daemon."""
    return (f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} processors, "
            f"load average {os.getloadavg()[0]:.1f}")

# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark: spambridge beside what it costs at least and beside what it replaces.

Every subject of a cell is started, then they take turns, A B C A B C, so that a machine that is
faster one minute than the next favours nobody. See README here for what the figures are.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import table                                        # noqa: E402
from bench.subjects import SUBJECTS, Scorers                   # noqa: E402

KILO = 1024


@dataclass(frozen=True)
class Cell:
    """One set of conditions. total: messages to send; 0: as many as fit into the time."""
    size: int
    connections: int
    delay_ms: int
    messages: int = 1       # on one connection
    total: int = 0
    options: str = ""       # further lines of spambridge's configuration

    def title(self):
        size = f"{self.size // KILO} KB" if self.size < KILO * KILO else f"{self.size >> 20} MB"
        each = f", {self.messages} messages each" if self.messages > 1 else ""
        scorer = f"after {self.delay_ms} ms" if self.delay_ms else "at once"
        plural = "s" if self.connections > 1 else ""
        return f"{size}, {self.connections} connection{plural}{each}, scorer answers {scorer}"


QUICK = [Cell(4 * KILO, connections, 0) for connections in (1, 16, 256)]
FULL = ([Cell(size, connections, delay_ms) for delay_ms in (0, 100)
         for size in (4 * KILO, 64 * KILO, 1024 * KILO) for connections in (1, 16, 64, 256)] +
        [Cell(4 * KILO, 16, 0, messages=20), Cell(4 * KILO, 1000, 100, total=2000)])


def summary(runs):
    """One figure for each key of several runs of one subject."""
    messages = sum(run["messages"] for run in runs)
    median = {key: statistics.median(run[key] for run in runs)
              for key in ("per_second", "median_us", "p99_us")}
    return {**median, "messages": messages,
            "cpu_per_1000": sum(run["cpu_seconds"] for run in runs) / max(messages, 1) * 1000,
            "peak_kib": max(run["peak_kib"] for run in runs),
            "threads": max(run["threads"] for run in runs),
            "start_kib": runs[0]["start_kib"], "after_kib": runs[-1]["after_kib"],
            "failed": sum(run["broken"] + run.get("stuck", 0) + run.get("not_accepted", 0)
                          for run in runs),
            "rounds": [run["per_second"] for run in runs]}


def floor_of(subjects):
    """An empty filter without replies and the bare dialogue, one after the other."""
    empty, dialogue = subjects.get("empty, no replies"), subjects.get("bare dialogue")
    if not empty or not dialogue or "why" in empty or "why" in dialogue:
        return None
    together = {key: empty[key] + dialogue[key] for key in ("median_us", "cpu_per_1000")}
    return {"per_second": 1 / (1 / empty["per_second"] + 1 / dialogue["per_second"]), **together}


def ratios_of(subjects):
    """spambridge's figures divided by those of each other subject, and of the floor."""
    ours = subjects.get("spambridge")
    if not ours or "why" in ours:
        return {}
    others = {name: figures for name, figures in subjects.items()
              if name != "spambridge" and "why" not in figures}
    floor = floor_of(subjects)
    if floor:
        others = {"floor": floor, **others}
    return {name: {key: ours[key] / figures[key] if figures.get(key) else None
                   for key in ("per_second", "median_us", "cpu_per_1000")}
            for name, figures in others.items()}


def start_all(cell, place, scorers, classes):
    """Subjects that run, and for each one that does not the reason why."""
    running, missing = [], {}
    for number, kind in enumerate(classes):
        if kind.why_not:
            missing[kind.name] = {"why": kind.why_not}
            continue
        subject = kind(Path(place) / str(number), scorers, cell)
        try:
            subject.start()
            running.append(subject)
        except (OSError, RuntimeError, TimeoutError) as why:
            missing[kind.name] = {"why": str(why).splitlines()[0]}
            subject.close()
    return running, missing


def measure(cell, classes, rounds, seconds):
    """The figures of all subjects under one set of conditions."""
    place = tempfile.mkdtemp(prefix="sb-bench-")
    os.chmod(place, 0o755)
    limit = ["-n", cell.total] if cell.total else ["-t", int(seconds * 1000)]
    runs, scorers, running = {}, Scorers(place, cell.delay_ms), []
    try:
        running, subjects = start_all(cell, place, scorers, classes)
        for subject in running * rounds:
            if subject.name in subjects:
                continue
            try:
                runs.setdefault(subject.name, []).append(subject.run(limit))
            except (RuntimeError, OSError) as why:
                subjects[subject.name] = {"why": str(why).splitlines()[0]}
    finally:
        for subject in running:
            subject.close()
        scorers.close()
        shutil.rmtree(place, ignore_errors=True)
    for name, list_of_runs in runs.items():
        subjects.setdefault(name, summary(list_of_runs))
    subjects = {kind.name: subjects[kind.name] for kind in classes if kind.name in subjects}
    return {"title": cell.title(), "size": cell.size, "connections": cell.connections,
            "delay_ms": cell.delay_ms, "messages_each": cell.messages, "subjects": subjects,
            "floor": floor_of(subjects), "ratios": ratios_of(subjects)}


def machine():
    """What the figures depend on."""
    model = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.machine())
    return {"processors": os.cpu_count(), "model": model, "kernel": platform.release(),
            "load_before": os.getloadavg()[0]}


def raise_descriptors():
    """A thousand connections need as many descriptors."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def choose(arguments):
    """The cells and subjects that were asked for."""
    cells = QUICK if arguments.quick else FULL
    if arguments.cell:
        cells = [Cell(*map(int, text.split(","))) for text in arguments.cell]
    classes = [kind for kind in SUBJECTS
               if not arguments.only or kind.name in arguments.only]
    return cells, classes


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three cells, less than a minute")
    parser.add_argument("--rounds", type=int, help="turns of each subject (3; quick: 2)")
    parser.add_argument("--seconds", type=float, help="length of a run (1.0; quick: 0.5)")
    parser.add_argument("--cell", action="append", metavar="BYTES,CONNECTIONS,DELAY_MS[,EACH]",
                        help="these conditions instead (may be repeated)")
    parser.add_argument("--only", action="append", metavar="NAME",
                        choices=[kind.name for kind in SUBJECTS],
                        help="this subject (may be repeated): %(choices)s")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    raise_descriptors()
    rounds = arguments.rounds or (2 if arguments.quick else 3)
    seconds = arguments.seconds or (0.5 if arguments.quick else 1.0)
    cells, classes = choose(arguments)
    result = {"date": time.strftime("%Y-%m-%d %H:%M"), "machine": machine(), "rounds": rounds,
              "seconds": seconds, "cells": []}
    print(table.heading(result), flush=True)
    for cell in cells:
        result["cells"].append(measure(cell, classes, rounds, seconds))
        print(table.cell(result["cells"][-1]), flush=True)
    result["machine"]["load_after"] = os.getloadavg()[0]
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-2-Clause
"""Draws the benchmark's figures: plot.py FIGURES.json PICTURE.svg, by gnuplot."""

import json
import subprocess
import sys

PANELS = [("per_second", 1, "messages a second"),
          ("median_us", 1000, "end of message to answer, median, ms"),
          ("cpu_per_1000", 0.001, "processor time a message, microseconds")]
HEAD = """\
set terminal svg size 1100,420 font "sans,11" background "white"
set output "{picture}"
set multiplot layout 1,3 title "{title}"
set logscale xy
set xlabel "connections"
set key below maxcols 3 samplen 2 font ",8"
set grid
set xtics (1, 16, 64, 256)
"""


def series(cells, key, unit):
    """For each subject its points (connections, figure)."""
    found = {}
    for cell in cells:
        for name, figures in cell["subjects"].items():
            if figures.get(key):
                found.setdefault(name, []).append((cell["connections"], figures[key] / unit))
        if cell["floor"] and cell["floor"].get(key):
            found.setdefault("floor", []).append((cell["connections"], cell["floor"][key] / unit))
    return found


def script(result, picture):
    """What gnuplot is told. Only the smallest messages, a scorer that answers at once."""
    smallest = min(cell["size"] for cell in result["cells"])
    cells = sorted((cell for cell in result["cells"] if cell["size"] == smallest and
                    not cell["delay_ms"] and cell["messages_each"] == 1),
                   key=lambda cell: cell["connections"])
    lines = [HEAD.format(picture=picture, title=f"{smallest // 1024} KB, scorer answers at once, "
                         f"{result['date']}")]
    for key, unit, label in PANELS:
        found = series(cells, key, unit)
        lines.append(f'set ylabel "{label}"')
        lines.append("plot " + ", ".join(
            f"'-' with linespoints linewidth {3 if name == 'spambridge' else 1} title \"{name}\""
            for name in found))
        for points in found.values():
            lines += [f"{x} {y}" for x, y in points] + ["e"]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py FIGURES.json PICTURE.svg")
    with open(sys.argv[1], encoding="utf-8") as file:
        result = json.load(file)
    subprocess.run(["gnuplot"], input=script(result, sys.argv[2]), text=True, check=True)


if __name__ == "__main__":
    main()

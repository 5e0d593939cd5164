# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark works: one message through each of its subjects. No test looks at a figure of it."""

import json
import subprocess
import sys
from pathlib import Path

from support.daemon import program

BENCH = Path(__file__).resolve().parents[1] / "bench"


def test_one_message_through_each(tmp_path):
    assert Path(program("tests/bench/load")).exists(), "make check builds it"
    figures = tmp_path / "figures.json"
    subprocess.run([sys.executable, "-B", BENCH / "bench.py", "--cell", "4096,2,0,1,2",
                    "--rounds", "1", "--json", figures], check=True, timeout=120,
                   stdout=subprocess.DEVNULL)
    subjects = json.loads(figures.read_text())["cells"][0]["subjects"]
    missing = {name: one["why"] for name, one in subjects.items() if "why" in one}
    assert set(missing.values()) <= {"not installed"}
    answered = {name: (one["messages"], one["failed"]) for name, one in subjects.items()
                if name not in missing}
    assert len(answered) >= 7
    assert set(answered.values()) == {(2, 0)}

# SPDX-License-Identifier: BSD-2-Clause
"""The demonstration that the README promises, without the build before it."""

import re
import subprocess
from pathlib import Path

from support.daemon import Workspace

DEMO = Path(__file__).parents[2] / "contrib/demo.py"


def test_three_messages():
    with Workspace() as workspace:
        done = subprocess.run(["/usr/bin/python3", "-B", DEMO, "--scratch", workspace.path],
                              capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"SMTP answer:\n +(\d{3})", done.stdout) == ["250", "250", "550"]
    assert re.findall(r"action=(\w+)", done.stdout) == ["pass", "tag", "reject"]
    assert "X-Spam-Flag: YES" in done.stdout

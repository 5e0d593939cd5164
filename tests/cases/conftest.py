# SPDX-License-Identifier: BSD-2-Clause
"""Puts the test equipment on the path and insists on a build."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]

from support.daemon import build_directory      # noqa: E402 pylint: disable=wrong-import-position


def pytest_configure():
    if build_directory() is None:
        raise pytest.UsageError("SPAMBRIDGE_BUILD must name a directory with spambridge in it")

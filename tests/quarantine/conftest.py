# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the quarantine need."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(__file__)))

from quarantine import Quarantine, helper  # noqa: E402
from support import slow  # noqa: E402


def pytest_configure(config):
    slow.configure(config)
    if not os.access(helper("put"), os.X_OK):
        raise pytest.UsageError("build tests/quarantine/put and look first (make check)")


def pytest_collection_modifyitems(items):
    slow.leave_out(items)


@pytest.fixture
def quarantine():
    with Quarantine() as it:
        yield it

# SPDX-License-Identifier: BSD-2-Clause
"""The attack matrix as tests: a row whose times alone are beyond their limits runs once more."""

from support import slow


def pytest_configure(config):
    slow.configure(config)

# SPDX-License-Identifier: BSD-2-Clause
"""pytest plugin for runs without root and compiler: what needs them is skipped.

The daemon makes itself undumpable, so that the kernel shows its descriptors and memory to root
only. strace could not trace it under the unit's filter either.
"""

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Such a failure becomes a skip."""
    found = call.excinfo.value if call.excinfo else None
    hidden = isinstance(found, PermissionError) and str(found.filename).startswith("/proc/")
    hidden = hidden or isinstance(found, FileNotFoundError) and found.filename == "strace"
    if hidden or type(found).__name__ == "CannotRun":
        skipped = pytest.skip.Exception(str(found))
        call.excinfo = pytest.ExceptionInfo.from_exc_info(
            (type(skipped), skipped, found.__traceback__))
    yield

# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the system tests: a real mail server and spamd with the daemon between them."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position
from support import slow     # noqa: E402
from support.daemon import build_directory     # noqa: E402
from system.chain import Chain, SendmailChain, real_messages     # noqa: E402


def pytest_configure(config):
    slow.configure(config)
    config.addinivalue_line("markers", "outages: servers end, hang and start again, under load")
    config.addinivalue_line("markers", "sendmail: behind Sendmail")
    if build_directory() is None:
        raise pytest.UsageError("SPAMBRIDGE_BUILD must name a directory with spambridge in it")
    if os.geteuid() != 0:
        raise pytest.UsageError("system tests need root: Postfix's master starts only as root")


@pytest.fixture(scope="module")
def chain():
    """Postfix, spamd and the daemon with plain settings, shared by the tests of a module."""
    with Chain() as found:
        yield found
        found.daemon.stop_cleanly()


@pytest.fixture
def own_chain():
    """own_chain(...) makes a Chain with other settings for one test."""
    made = []

    def begin(**settings):
        found = Chain(**settings)
        made.append(found)
        return found.start()
    yield begin
    for found in made:
        found.close()


@pytest.fixture(params=[Chain, pytest.param(SendmailChain, marks=pytest.mark.sendmail)],
                ids=["postfix", "sendmail"])
def either(request):
    """As own_chain, and everything once more with a SendmailChain."""
    made = []

    def begin(**settings):
        found = request.param(**settings)
        made.append(found)
        return found.start()
    yield begin
    for found in made:
        found.close()


@pytest.fixture(scope="session")
def corpus():
    """(name, bytes) of the messages of SPAMBRIDGE_CORPUS; skips where there is none."""
    found = real_messages()
    if not found:
        pytest.skip("SPAMBRIDGE_CORPUS names no folder of .eml files")
    return found

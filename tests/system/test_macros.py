# SPDX-License-Identifier: BSD-2-Clause
"""The macros that we need come whatever Postfix's lists of macros and its protocol say. Trap 41."""

import pytest
from support.badscorer import BadScorer
from support.daemon import Workspace
from support.messages import make
from system.chain import Chain

STAGES = ("connect", "helo", "mail", "rcpt", "data", "end_of_header", "end_of_data", "unknown")
NONE = {f"milter_{stage}_macros": "" for stage in STAGES}


@pytest.mark.parametrize("protocol", ["2", "4", "6"])
@pytest.mark.parametrize("lists", [{}, NONE], ids=["default", "empty"])
def test_lists_and_protocols(protocol, lists):
    with Workspace() as workspace, BadScorer(workspace.path) as scorer:
        server = scorer.listen("good")
        settings = {"milter_protocol": protocol, **lists}
        with Chain(spamds=0, servers=[server], postfix={"settings": settings}) as chain:
            assert chain.send(make(score=7.0)).code == 250
            assert chain.last_log()["id"] in chain.postfix.log_file.read_text()
            assert chain.daemon.ask()["without_id"] == 0
            # who has logged in is not scored: auth_authen came
            reply = chain.send(make(score=20.0), xclient={"login": "ann"})
            assert reply.code == 250 and chain.last_log()["reason"] == "authenticated"
            request = scorer.requests()[0].message
            assert b"Received: from mail.example.org (mail.example.org [5.9.10.11])" in request
            assert b"by mx.example.com " in request
            chain.daemon.stop_cleanly()

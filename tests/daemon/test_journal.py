# SPDX-License-Identifier: BSD-2-Clause
"""The journal: every key of the log line is a field there, and explain finds a message by it.

F37: a journal that is frozen or gone holds up no mail.
"""

import contextlib
import subprocess

import pytest
from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace, run
from support.journal import Journal, available
from support.messages import make
from support.mta import Session, send
from support.namespace import Unavailable, isolated
from support.timing import in_time

pytestmark = pytest.mark.skipif(not available(), reason="needs root and systemd-journald")


class Place:
    """A journald, a scorer and a daemon that logs to the journal; the server answers 7.3."""

    def __init__(self):
        self.all = contextlib.ExitStack()
        self.workspace = self.all.enter_context(Workspace())
        try:
            self.journal = Journal(self.workspace.path)
        except Unavailable as why:
            self.all.close()
            pytest.skip(str(why))
        self.all.callback(self.journal.stop)
        self.scorer = self.all.enter_context(BadScorer(self.workspace.path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.all.close()

    def daemon(self, **options):
        server = self.scorer.listen("good", score="7.3", tests=["A_RULE", "B_RULE"])
        daemon = Daemon([server], workspace=self.workspace, deadline="2s", **options)
        daemon.write_config(daemon.config.replace("log = stderr", "log = journal"))
        return daemon.start()


@isolated
def test_fields():
    with Place() as place:
        daemon = place.daemon()
        send(daemon.address, make(), queue_id="4JOURNAL", sender='"odd name"@example.org')
        record = place.journal.wait("SPAMBRIDGE_ID=4JOURNAL")[0]
        daemon.stop_cleanly()
        assert record["SYSLOG_IDENTIFIER"] == "spambridge"
        assert record["SYSLOG_FACILITY"] == "2" and record["PRIORITY"] == "6"
        assert record["MESSAGE"].startswith("id=4JOURNAL from=")
        assert record["SPAMBRIDGE_FROM"] == r'"\"odd name\"@example.org"'
        assert record["SPAMBRIDGE_TO"] == "1,bob@example.com"
        assert record["SPAMBRIDGE_SCORE"] == "7.3" and record["SPAMBRIDGE_REQUIRED"] == "5.0"
        assert record["SPAMBRIDGE_ACTION"] == "tag" and record["SPAMBRIDGE_REASON"] == "score"
        assert record["SPAMBRIDGE_TESTS"] == "A_RULE,B_RULE"
        assert int(record["SPAMBRIDGE_TOTAL_MS"]) < 2000
        assert "SPAMBRIDGE_QUARANTINE" not in record    # "-" in the line
        assert place.journal.records("SPAMBRIDGE_ACTION=reject") == []


@isolated
def test_what_is_about_a_message_has_its_id():
    with Place() as place:
        daemon = place.daemon(options="log_level = debug")
        place.scorer.refuse("good")
        send(daemon.address, make(), queue_id="4WHY")
        place.journal.wait("SPAMBRIDGE_ID=4WHY", "PRIORITY=7")
        place.journal.wait("SPAMBRIDGE_ID=4WHY", "PRIORITY=6")
        texts = [record["MESSAGE"] for record in place.journal.records("SPAMBRIDGE_ID=4WHY")]
        assert texts[0].startswith("id=4WHY ") and texts[1].startswith("4WHY: no score: ")
        place.journal.wait("PRIORITY=4", "--grep=is set aside")
        daemon.stop_cleanly()


@isolated
def test_explain_finds_it_there():
    with Place() as place:
        daemon = place.daemon()
        send(daemon.address, make(), queue_id="4STORY")
        place.journal.wait("SPAMBRIDGE_ID=4STORY")
        found = run("spambridgectl", "-c", daemon.config_path, "explain", "4STORY")
        assert found.returncode == 0, found.stderr
        assert "7.3 points" in found.stdout and "marked as spam" in found.stdout
        assert "spambridge[" in found.stdout.splitlines()[0]    # when and by whom it was logged
        daemon.stop_cleanly()


@isolated
def test_explain_finds_what_came_by_syslog():
    """journald takes syslog in as well: without fields."""
    line = ("id=4SYSLOG from=a@example.org to=1,b@example.com client=- size=1 scorer=- server=- "
            "score=- required=- action=pass reason=trusted quarantine=- scan_ms=0 total_ms=0 "
            "tests=-")
    with Place() as place:
        daemon = place.daemon()
        subprocess.run(["logger", "-u", "/run/systemd/journal/dev-log", "-p", "mail.info",
                        "-t", "spambridge", line], check=True)
        place.journal.wait("-t", "spambridge", "--grep=4SYSLOG")
        found = run("spambridgectl", "-c", daemon.config_path, "explain", "4SYSLOG")
        assert found.returncode == 0 and "trusted_networks" in found.stdout
        daemon.stop_cleanly()


@isolated
def test_a_frozen_journal_holds_up_no_mail():
    with Place() as place:
        daemon = place.daemon()
        send(daemon.address, make(), queue_id="4BEFORE")
        place.journal.wait("SPAMBRIDGE_ID=4BEFORE")
        place.journal.freeze()
        with Session(daemon.address) as session:
            session.greet()
            slowest = max(session.send_message(make()).seconds for _ in range(1500))
        in_time(slowest, 0.5)
        assert daemon.status()["log_dropped"] > 0
        status, took = daemon.stop()
        assert status == 0
        in_time(took, 3)


@isolated
def test_without_a_journal_records_go_to_standard_error():
    with Place() as place:
        place.journal.stop()
        daemon = place.daemon()
        send(daemon.address, make(), queue_id="4LOST")
        assert daemon.message_line("4LOST")["action"] == "tag"
        daemon.stop_cleanly()

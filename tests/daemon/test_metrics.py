# SPDX-License-Identifier: BSD-2-Clause
"""Counters: complete, described, and understood by the real Prometheus, with what contrib/ has."""

import contextlib
import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from support import ports
from support.badscorer import BadScorer
from support.daemon import Daemon, Workspace, knows
from support.messages import make
from support.mta import Session, send
from support.timing import in_time

TOP = Path(__file__).resolve().parents[2]
MONITORING = TOP / "contrib/monitoring"
SERVES_HTTP = knows('http_listen = "127.0.0.1:9885"')
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


class Watched:
    """A daemon that has seen most of what can happen to mail, and its samples."""

    def __init__(self, daemon, port, scorer):
        self.daemon = daemon
        self.port = port
        self.scorer = scorer

    def text(self):
        return self.daemon.ask("metrics")["metrics"]

    def samples(self):
        """{(name, labels as text): value}"""
        found = {}
        for line in self.text().splitlines():
            if not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                found[name, labels or ""] = float(value)
        return found

    def names(self):
        """Metrics, histograms by their own name."""
        return set(re.findall(r"^# TYPE (\w+) ", self.text(), re.MULTILINE))


@pytest.fixture(name="watched", scope="module")
def watched_daemon():
    with Workspace() as place, BadScorer(place.path) as scorer:
        port = ports.free_port()
        servers = [scorer.listen("good", transport="unix"), f"unix:{place.path}/no.sock"]
        with Daemon(servers, workspace=place, deadline="2s",
                    options=(f'http_listen = "127.0.0.1:{port}"\n' if SERVES_HTTP else "")
                    + 'domain "watch.example" { mode = observe }',
                    policy="tag = 5.0\nquarantine = 10.0\nreject = 15.0") as daemon:
            watched = Watched(daemon, port, scorer)
            for score in (1.0, 7.0, 12.0, 20.0):
                send(daemon.address, make(score=score))
            send(daemon.address, make(score=20.0), recipients=["a@watch.example"])
            send(daemon.address, make(headers=[b"X-Test-Behaviour: garbage"]))
            with Session(daemon.address) as session:
                session.greet()
                session.prepare(make())     # and never its end
                assert ports.wait_until(lambda: daemon.ask()["messages"] == 1)
            assert ports.wait_until(lambda: daemon.ask()["messages"] == 0)
            yield watched
            daemon.stop_cleanly()


def test_what_happened_was_counted(watched):
    samples = watched.samples()
    actions = {labels: value for (name, labels), value in samples.items()
               if name == "spambridge_messages_total"}
    assert actions == {
        'action="pass",reason="score"': 2, 'action="tag",reason="score"': 1,
        'action="quarantine",reason="score"': 1, 'action="reject",reason="score"': 1,
        'action="pass",reason="malformed"': 1}
    assert samples["spambridge_observed_messages_total", 'action="reject"'] == 1
    assert samples["spambridge_messages_received_total", ""] == 6 == sum(actions.values())
    assert samples["spambridge_messages_begun_total", ""] == 7
    assert samples["spambridge_messages_abandoned_total", ""] == 1
    assert samples["spambridge_messages_under_way", ""] == 0
    scans = {re.search(r'result="(\w+)"', labels).group(1): value
             for (name, labels), value in samples.items()
             if name == "spambridge_scans_total" and "no.sock" not in labels}
    assert scans == {"answered": 5, "refused": 0, "malformed": 1, "timeout": 0, "given_up": 0}
    assert samples["spambridge_quarantine_items", ""] == 1
    assert samples["spambridge_quarantine_bytes", ""] > 500
    assert samples["spambridge_scan_duration_seconds_count", ""] == 6
    assert samples["spambridge_queue_wait_seconds_count", ""] == 6
    assert samples["spambridge_message_duration_seconds_count", ""] == 6


def test_histograms_grow(watched):
    samples = watched.samples()
    for name in ("scan_duration", "queue_wait", "message_duration"):
        buckets = [value for (sample, _), value in samples.items()
                   if sample == f"spambridge_{name}_seconds_bucket"]
        assert buckets == sorted(buckets) and len(buckets) == 14
        assert buckets[-1] == samples[f"spambridge_{name}_seconds_count", ""]


@pytest.mark.timed
def test_waiting_for_a_slot_is_measured(start, scorer):
    daemon = start([scorer.listen("good")], scorer="max_connections = 1")
    sessions = []
    for _ in range(2):
        session = Session(daemon.address)
        session.greet()
        session.prepare(make(headers=[b"X-Test-Delay: 1.0"]))
        sessions.append(session)
    for session in sessions:
        session.milter.send_eom()
    for session in sessions:
        session.milter.wait_verdict()
        session.close()
    assert ports.wait_until(lambda: daemon.ask()["received"] == 2)
    text = daemon.ask("metrics")["metrics"]
    waited = float(re.search(r"^spambridge_queue_wait_seconds_sum (\S+)$", text, re.M).group(1))
    assert waited > 0.3
    in_time(waited, 1.5)


def test_a_reload_forgets_nothing(start, scorer):
    server = scorer.listen("good")
    daemon = start([server])
    send(daemon.address, make())
    before = daemon.ask()["servers"][0]
    daemon.write_config(daemon.config.replace("tag = 5.0", "tag = 6.0"))
    daemon.reload()
    daemon.wait_log("configuration reloaded")
    assert daemon.ask()["servers"][0]["answered"] == before["answered"] == 1
    send(daemon.address, make())
    assert daemon.ask()["servers"][0]["answered"] == 2
    text = daemon.ask("metrics")["metrics"]
    took = re.search(r"^spambridge_config_last_reload_duration_seconds (\S+)$", text, re.M)
    assert 0 < float(took.group(1)) < 5


def test_the_manual_lists_them(watched):
    page = (TOP / "src/daemon/spambridge.8").read_text()
    section = page.partition(".Sh METRICS")[2].partition(".Sh ")[0]
    listed = {f"spambridge_{name}": set(re.findall(r"\w+", labels)) for name, labels
              in re.findall(r"^\.It Li (\w+)(.*)$", section, re.MULTILINE)}
    assert set(listed) == watched.names()
    for (name, labels), _ in watched.samples().items():
        if name in listed:
            assert set(re.findall(r"(\w+)=", labels)) == listed[name], name


def expressions():
    """(title, expression) of every panel of the dashboard."""
    dashboard = json.loads((MONITORING / "grafana.json").read_text())
    return [(panel["title"], target["expr"]) for panel in dashboard["panels"]
            for target in panel["targets"]]


def test_the_dashboard_asks_for_what_is_there(watched):
    known = {name for name, _ in watched.samples()}
    asked = expressions()
    assert len(asked) > 20
    for title, expression in asked + [("alarms", (MONITORING / "alerts.yml").read_text())]:
        for name in re.findall(r"\bspambridge_\w+", expression):
            assert name in known, (title, name)


def test_the_dashboard_shows_everything(watched):
    """What nobody looks at need not be counted: those few are named here."""
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for _, expression in expressions()
             for name in re.findall(r"\bspambridge_\w+", expression)}
    shown |= set(re.findall(r"\bspambridge_\w+", (MONITORING / "alerts.yml").read_text()))
    assert watched.names() - shown <= {f"spambridge_{name}" for name in (
        "messages_begun_total", "messages_abandoned_total", "messages_under_way",
        "messages_without_id_total",
        "observed_messages_total", "late_scans_total", "late_verdicts_total",
        "quarantine_stored_total", "quarantine_alarm", "quarantine_max_items",
        "quarantine_free_bytes", "quarantine_reserve_bytes", "quarantine_too_slow_total",
        "release_marks_total", "expired_total", "expiry_announced_total",
        "expiry_failed_total", "expiry_timestamp_seconds", "digest_timestamp_seconds",
        "build_info", "start_time_seconds", "log_dropped_total",
        "config_last_reload_duration_seconds", "sessions_without_thread")}


class Prometheus:
    """The real one, scraping one target every second."""

    def __init__(self, folder, target):
        self.port = ports.free_port()
        config = (MONITORING / "prometheus.yml").read_text().replace("127.0.0.1:9885", target)
        config = config.replace("alerts.yml", str(MONITORING / "alerts.yml"))
        path = Path(folder, "prometheus.yml")
        path.write_text("global: { scrape_interval: 1s, evaluation_interval: 1s }\n" + config)
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, path, **arguments):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?" + urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def rules(self):
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def has_judged(self):
        """Every alarm was looked at; what is degraded is seen, and nothing is down."""
        states = {rule["name"]: rule["state"] for rule in self.rules()}
        return len(states) == 7 and {rule["health"] for rule in self.rules()} == {"ok"} \
            and states["SpambridgeDegraded"] == "pending" \
            and states["SpambridgeDown"] == "inactive"

    def has_scraped(self):
        with contextlib.suppress(OSError):
            return len(self.query("spambridge_health[20s]")[0]["values"]) > 2
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.mark.skipif(not (shutil.which("prometheus") and SERVES_HTTP),
                    reason="no Prometheus here, or a build without libmicrohttpd")
def test_prometheus_understands_it_all(watched, tmp_path):
    server = Prometheus(tmp_path, f"127.0.0.1:{watched.port}")
    try:
        def ready():
            try:
                return server.has_scraped()
            except IndexError:
                return False
        assert ports.wait_until(ready, timeout=60, step=0.3)
        targets = server.ask("targets")["activeTargets"]
        assert [(target["health"], target["lastError"]) for target in targets] == [("up", "")]
        for title, expression in expressions():
            expression = expression.replace("$__rate_interval", "10s").replace("$instance", ".*")
            assert server.query(expression) != [], (title, expression)
        assert server.query("spambridge_health")[0]["value"][1] == "1"      # one of two servers
        assert server.query('spambridge_messages_total{action="reject"}')[0]["value"][1] == "1"
        assert ports.wait_until(server.has_judged, timeout=60, step=0.3), server.rules()
    finally:
        server.stop()


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool here")
def test_promtool_is_content(watched):
    for words in (["rules", str(MONITORING / "alerts.yml")],
                  ["config", str(MONITORING / "prometheus.yml")]):
        done = subprocess.run(["promtool", "check", *words], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(["promtool", "check", "metrics"], input=watched.text(),
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")

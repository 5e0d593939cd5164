# SPDX-License-Identifier: BSD-2-Clause
"""check-config, show-policy, and what all commands share: help, usage errors, exit codes."""

import subprocess

import pytest

from support.daemon import program

COMMANDS = ["check-config", "show-policy", "score", "status", "metrics", "reload", "doctor",
            "explain", "what-if", "postfix", "import"]
TWO_ERRORS = 'deadlin = 3s\nscorer "x" { servers = { "ftp://x" } }\n'


def test_check_config_prints_what_is_in_effect_and_that_loads_again(ctl):
    first = ctl("check-config")
    assert first.code == 0
    assert "deadline = 20s" in first.out and 'scorer "sa" {' in first.out
    second = ctl.write(first.out)("check-config")
    assert second.code == 0
    assert second.out == first.out


def test_check_config_says_what_the_daemon_says(ctl):
    ctl.write(TWO_ERRORS)
    daemon = subprocess.run([program("spambridge"), "-t", "-c", str(ctl.config)],
                            stderr=subprocess.PIPE, check=False)
    found = ctl("check-config")
    assert found.code == 1 and daemon.returncode == 1
    assert found.err == daemon.stderr.decode()
    assert len(found.err.splitlines()) == 2
    assert f"{ctl.config}:1: " in found.err


def test_check_config_as_json(ctl):
    good = ctl("check-config", "--json")
    assert good.code == 0 and good.json["good"] is True
    assert "deadline = 20s" in good.json["effective"]
    bad = ctl.write(TWO_ERRORS)("--json", "check-config")
    assert bad.code == 1 and bad.json["good"] is False and len(bad.json["errors"]) == 2


def test_a_missing_configuration_is_one_line(ctl):
    ctl.config.unlink()
    for command in (["check-config"], ["show-policy", "a@example.com"], ["score", "-"]):
        found = ctl(*command)
        assert found.code == 1
        assert len(found.err.splitlines()) == 1 and "spambridge.conf" in found.err


def test_show_policy_says_which_section_wins(ctl):
    ctl.write('scorer "sa" { servers = { "unix:/x.sock" } }\npolicy { reject = 15 }\n'
              'domain "example.com" { reject = 12 }\naddress "abuse@example.com" { reject = off }\n')
    found = ctl("show-policy", "abuse@Example.COM", "bob@example.com", "x@example.org")
    assert found.code == 0
    parts = found.out.split("\n\n")
    assert len(parts) == 3
    assert 'reject         off' in parts[0] and 'address "abuse@example.com" at' in parts[0]
    assert 'reject         12.0' in parts[1] and 'domain "example.com" at' in parts[1]
    assert 'reject         15.0' in parts[2] and "spambridge.conf:2" in parts[2]
    listed = ctl("show-policy", "--json", "bob@example.com").json
    assert listed[0]["policy"]["reject"]["value"] == "12.0"
    assert listed[0]["policy"]["tag"]["from"] == "default"


@pytest.mark.parametrize("user,address,shown", [
    ("recipient", "Sales+x@Example.com",
     "scored for     ann@example.com by scorer sa, user = recipient"),
    ("domain", "bob@example.com", "scored for     example.com by scorer sa, user = domain"),
    ("recipient", '"odd one"@example.com',
     "scored for     nobody in particular by scorer sa, user = recipient"),
    ("fixed", "bob@example.com", None)])
def test_show_policy_says_for_whom_spamd_scores(ctl, user, address, shown):
    table = ctl.file("aliases", "sales@example.com ann@example.com\n")
    ctl.write(f'alias_table = "{table}"\n'
              f'scorer "sa" {{ servers = {{ "tcp://127.0.0.1:783" }} user = "{user}" }}\n')
    rows = ctl("show-policy", address).out.splitlines()
    assert [row for row in rows if row.startswith("scored for")] == ([shown] if shown else [])
    name = ctl("show-policy", "--json", address).json[0]["user"]
    assert name == (None if not shown or "nobody" in shown else shown.split()[2])


def test_show_policy_of_outbound_mail(ctl):
    """It follows the sender, and has sections of its own."""
    ctl.write('scorer "sa" { servers = { "unix:/x.sock" } }\npolicy { reject = 15 }\n'
              'outbound { scan = true reject = 20 }\n')
    inbound = ctl("show-policy", "ann@example.com")
    outbound = ctl("show-policy", "--outbound", "ann@example.com")
    assert "reject         15.0" in inbound.out and "reject         20.0" in outbound.out
    listed = ctl("show-policy", "--outbound", "--json", "ann@example.com").json[0]
    assert listed["policy"]["reject"]["value"] == "20.0"


def test_show_policy_encodes_for_the_terminal(ctl):
    found = ctl("show-policy", "a\x1b[31m@example.com")
    assert found.code == 0 and "\x1b" not in found.out and "\\x1b[31m" in found.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(ctl, command):
    listing = ctl("--help")
    assert listing.code == 0 and f"\n  {command} " in listing.out
    own = ctl(command, "--help")
    assert own.code == 0 and own.err == ""
    assert f"usage: spambridgectl [-c FILE] {command}" in own.out
    assert f"example:\n  spambridgectl {command}" in own.out


@pytest.mark.parametrize("arguments", [
    [], ["nonsense"], ["--nonsense"], ["check-config", "x"], ["check-config", "--nonsense"],
    ["show-policy"], ["score"], ["score", "--client", "host.example.com", "x"],
    ["score", "--from", "a", "--from", "b", "x"], ["score", "x", "--to"], ["doctor", "x"],
    ["status", "x"], ["metrics", "x"], ["reload", "x"], ["-c"], ["explain"], ["explain", ""],
    ["quarantine"], ["quarantine", "nonsense"], ["quarantine", "list", "x"],
    ["quarantine", "list", "--before", "2026-13-01"], ["quarantine", "list", "--since", "1969-1-1"],
    ["quarantine", "list", "--score", ".."], ["quarantine", "search"], ["quarantine", "search", ""],
    ["quarantine", "show"], ["quarantine", "show", "--raw", "a", "b"],
    ["quarantine", "show", "--lines", "x", "a"], ["quarantine", "release"],
    ["quarantine", "delete"], ["quarantine", "learn", "a"], ["quarantine", "learn", "--ham"],
    ["quarantine", "learn", "--ham", "--spam", "a"], ["quarantine", "expire", "x"],
    ["quarantine", "expire", "--older-than", "0s"], ["quarantine", "digest", "x"],
    ["quarantine", "digest", "--send", "--to", "a@example.com"], ["quarantine", "stats", "x"]])
def test_usage_errors(ctl, arguments):
    found = ctl(*arguments)
    assert found.code == 2 and found.out == ""
    assert found.err.startswith("spambridgectl: ")
    assert "usage: " in found.err or "see spambridgectl quarantine --help" in found.err.lower()


def test_the_configuration_may_be_named_before_and_behind_the_command(ctl):
    other = ctl.path / "other.conf"
    other.write_text(ctl.config.read_text() + "deadline = 7s\n")
    other.chmod(0o644)
    for words in (["check-config", "-c", other], ["--config", other, "check-config"],
                  ["check-config", "--config", other]):
        found = ctl(*words)
        assert found.code == 0 and "deadline = 7s" in found.out


def test_output_that_cannot_be_written_is_a_failure(ctl):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([program("spambridgectl"), "--help"], stdout=full,
                              stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and b"cannot write" in done.stderr


def test_version(ctl):
    found = ctl("-V")
    assert found.code == 0 and found.out.startswith("spambridgectl ")

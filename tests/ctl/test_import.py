# SPDX-License-Identifier: BSD-2-Clause
"""import spamass-milter: every option of Debian's 0.4.0 and of the fork, and spamc's behind --.

Traps 26, 32, 36, 55, 61, 73. Each result is loaded again by check-config.
"""

import re
import shutil
import subprocess

import pytest

# (options, settings that check-config must print of the result, words of a note or None)
TABLE = [
    ("-p /run/sm.sock", ['listen = "unix:/run/sm.sock"'], None),
    ("-p unix:/run/sm.sock", ['listen = "unix:/run/sm.sock"'], None),
    ("-p local:/run/sm.sock", ['listen = "local:/run/sm.sock"'], None),
    ("-p inet:8890@127.0.0.1", ['listen = "inet:8890@127.0.0.1"'], None),
    ("-p inet:8890", ['listen = "inet:8890@127.0.0.1"'], None),
    ("-p inet6:8890", ['listen = "inet6:8890@::1"'], None),
    ("-P /run/sm.pid", [], None),
    ("-f", [], None),
    ("-g mail", ['socket_group = "mail"'], None),
    ("-u spamass-milter", ['user = "spamass-milter"'], "-u spamass-milter"),
    ("-u nobody -e example.com", ['user = "recipient"'], "max_users_per_message"),
    ("-e example.com", [], "without -u"),
    ("-x", [], "-x: aliases"),
    ("-S /usr/sbin/sendmail", [], "-S: no sendmail"),
    ("-a", ["skip_authenticated = true"], None),
    ("-I", ["skip_authenticated = true"], None),
    ("-m", ["skip_authenticated = false", "trusted_networks = { }"], None),
    ("-i 127.0.0.1", ['trusted_networks = { "127.0.0.1/32" }'], None),
    ("-i 127.0.0.1,10.0.0.0/8 -i 192.0.2.0/24",
     ['trusted_networks = { "127.0.0.1/32", "10.0.0.0/8", "192.0.2.0/24" }'], None),
    ("-i 172.16.0.0/255.255.0.0", ['trusted_networks = { "172.16.0.0/16" }'], None),
    ("-i ::1,2001:db8::/32", ['trusted_networks = { "::1/128", "2001:db8::/32" }'], None),
    ("-i 10.0.0.1/8,127.0.0.1", ['trusted_networks = { "127.0.0.1/32" }'], "-i 10.0.0.1/8"),
    ("-T a@example.com,b@example.com",
     ['address "a@example.com" {\n\ttag = off', 'address "b@example.com" {\n\ttag = off'], None),
    ("-T postmaster", [], "-T postmaster: not an address"),
    ("-A -a", ["scan = true", "skip_authenticated = true"], None),
    ("-A -T a@example.com", ['address "a@example.com" {\n\treject = off'], None),
    ("-r 15", ["reject = 15.0", "tag = 5.0"], None),
    ("-r15", ["reject = 15.0"], None),
    ("-r 4", ["reject = 4.0", "tag = 4.0"], None),
    ("-r -1", ["reject = 5.0"], "-r -1"),
    ("-r x", ["reject = off"], "-r x: not a score"),
    ("-l 4", [], "-l: mail is not deferred"),
    ("-r 10 -c 550", [], None),
    ("-r 10 -c 451", ['reject_code = "451 4.7.1"'], None),
    ("-r 10 -c 554 -C 5.6.0", ['reject_code = "554 5.6.0"'], None),
    ("-r 10 -c 451 -C 5.7.1", [], "-c and -C"),
    ("-r 10 -c 421", [], "-c and -C"),
    ("-r 10 -C 5.7.1", [], None),
    ("-r 10 -C 5.7.0", ['reject_code = "550 5.7.0"'], None),
    ("-R Go.away", ['reject_text = "Go.away"'], None),
    ("-R '100% spam \"x\"'", [r'reject_text = "100%% spam \"x\""'], None),
    ("", ['reject_text = "Blocked by SpamAssassin"', "reject = off"], None),
    ("-b spam@example.com", ['redirect = "spam@example.com"'], None),
    ("-B spam@example.com", ['copy_to = "spam@example.com"'], None),
    ("-b spam", [], "-b spam"),
    ("-A -b spam@example.com", ["redirect_score = off"], None),
    ("-M", [], "-M: X-Spam fields"),
    ("-D sa.example.net", ['servers = { "tcp://sa.example.net:783" }'], None),
    ("-d func,misc", ["log_level = debug"], None),
    ("-- -d sa.example.net", ['servers = { "tcp://sa.example.net:783" }'], None),
    ("-- -d a.example.net,b.example.net -H -p 7830",
     ['servers = { "tcp://a.example.net:7830", "tcp://b.example.net:7830" }'], None),
    ("-- --dest=192.0.2.1 --port=7830 --randomize",
     ['servers = { "tcp://192.0.2.1:7830" }'], None),
    ("-- -d ::1", ['servers = { "tcp://[::1]:783" }'], None),
    ("-- -U /run/spamd.sock", ['servers = { "unix:/run/spamd.sock" }'], None),
    ("-- --socket /run/spamd.sock -d x.example.net", ['servers = { "unix:/run/spamd.sock" }'],
     None),
    ("-- -S -d sa.example.net", ['servers = { "tls://sa.example.net:783" }'], None),
    ("-- --ssl", ['servers = { "tls://127.0.0.1:783" }'], None),
    ("-- -s 307200", ["max_scan_size = 300K", "oversize = pass"], None),
    ("-- -s 12", ["max_scan_size = 500K"], "spamc -s 12"),
    ("-- --max-size=1048576", ["max_scan_size = 1M"], None),
    ("-- -t 30", ["deadline = 30s"], None),
    ("-- -t 600", ["deadline = 1m"], "spamc -t 600"),
    ("-- --timeout=0", ["deadline = 1m"], "spamc -t 0"),
    ("-- -n 5 --connect-retries=1 --retry-sleep=1 --filter-retries 1", [], None),
    ("-- -x", ["on_failure = tempfail"], "passes it all the same"),
    ("-- -x -X", ["on_failure = tempfail"], "passes it all the same"),
    ("-- --unavailable-tempfail", ["on_failure = tempfail"], "passes it all the same"),
    ("-- -u filter", ['user = "filter"'], None),
    ("-u a -- -u b", ['user = "a"'], "-u a"),
    ("-- -F /etc/spamc.conf", [], "spamc -F"),
    ("-- -z", [], "spamc -z"),
    ("-- -l", [], None),
    ("-- --log-to-stderr", [], None),
    ("-- -4", [], "spamc -4"),
    ("-- -E", [], "changes what spamc prints"),
    ("-- -L spam", [], "changes what spamc prints"),
    ("-- --headers", [], "changes what spamc prints"),
    ("-- --ssl --ssl-ca-file=/etc/ssl/certs/ca-certificates.crt",
     ['servers = { "tls://127.0.0.1:783" }', 'ca_file = "/etc/ssl/certs/ca-certificates.crt"'],
     None),
    ("-- --ssl-ca-path /etc/ssl/certs", [], "spamc --ssl-ca-path"),
]
# Every option of spamc 4.0 that takes part in a scan, in its long form; its help lists them.
SPAMC_ONLY_ALONE = {"help", "version"}
MILTER_LETTERS = "afdmMpPruDiIbBexSRCgTAlc"      # Q stands in a test of its own
DEFAULTS = """\
# spamass-milt startup defaults

# OPTIONS are passed directly to spamass-milter.
OPTIONS="-u spamass-milter -i 127.0.0.1"

# Reject emails with spamassassin scores > 15.
#OPTIONS="${OPTIONS} -r 99"
OPTIONS="${OPTIONS} -r 15"   # ours
OPTIONS="$OPTIONS -m -R \\"No thanks\\""
SOCKET="/var/spool/postfix/spamass/spamass.sock"
SOCKETOWNER="postfix:mail"
SOCKETMODE="0600"
"""


def effective(ctl, text):
    ctl.write(text)
    found = ctl("check-config")
    assert found.code == 0, found.err
    return found.out


@pytest.mark.parametrize("options,expected,note", TABLE)
def test_option(ctl, options, expected, note):
    found = ctl("import", "spamass-milter", options if options else "--")
    assert found.code == 0, found.err
    printed = effective(ctl, found.out)
    for line in expected:
        assert re.search(rf"^\t?{re.escape(line)}$", printed, re.MULTILINE) or line in printed, \
            printed
    notes = [line for line in found.err.splitlines() if ": note: " in line]
    if note is None:
        assert notes == []
    else:
        assert len(notes) == 1 and note in notes[0]
        assert notes[0].partition(": note: ")[2] in found.out


def test_the_table_names_every_option():
    text = " ".join(options.partition("--")[0] for options, _, _ in TABLE)
    assert [letter for letter in MILTER_LETTERS if not re.search(rf"(^| )-{letter}", text)] == []


@pytest.mark.skipif(not shutil.which("spamc"), reason="no spamc here")
def test_every_option_of_spamc_is_known(ctl):
    """As the installed spamc lists them, with a value where it wants one."""
    usage = subprocess.run(["spamc", "-h"], capture_output=True, text=True, check=False).stdout
    found = re.findall(r"^  (?:(-\w) ?, )?(?:--([a-z-]+))?(?: ([a-z]+))?", usage, re.MULTILINE)
    found += [(letter, "", "") for letter in re.findall(r"^  (-\w) ", usage, re.MULTILINE)]
    options = [(form, value) for short, long, value in found
               for form in (short, f"--{long}" if long else "") if form]
    assert len(options) > 50
    for option, value in options:
        if option.lstrip("-") in SPAMC_ONLY_ALONE or option in ("-h", "-V"):
            continue
        words = [option] + (["1"] if value else [])
        found = ctl("import", "spamass-milter", "-r", "15", "--", *words)
        assert "not known" not in found.err and "value is missing" not in found.err, words


# What a defaults file may hold besides plain lines: text, what of it ends up in the result.
FILES = {
    "continued": ('OPTIONS="-i 127.0.0.1 \\\n  -r 7"\n', "reject = 7.0"),
    "single quotes": ("OPTIONS='-r 7 -R \"it costs $5\"'\n", 'reject_text = "it costs $5"'),
    "escaped": ('OPTIONS="-r 7 -R \\"a \\$b\\""\n', 'reject_text = "a $b"'),
    "no quotes": ("OPTIONS=-r7\n", "reject = 7.0"),
    "another variable": ('HOST=192.0.2.7\nOPTIONS="-- -d $HOST"\n', "tcp://192.0.2.7:783"),
    "unset variable": ('OPTIONS="-r 7 $NOTHING"\n', "reject = 7.0"),
    "appended": ('OPTIONS="-m"\nOPTIONS+=" -r 7"\n', "reject = 7.0"),
    "one line": ('OPTIONS="-r 7"; SOCKET="/run/sm.sock" # ours\n', "unix:/run/sm.sock"),
    "exported": ('export OPTIONS="-r 7"\n', "reject = 7.0"),
    "last one": ('OPTIONS="-r 3"\n#OPTIONS="-r 4"; OPTIONS="-r 5"\nOPTIONS="-r 7"\n',
                 "reject = 7.0"),
    "condition": ('if true; then\n\tOPTIONS="-r 7"\nfi\n', "reject = 7.0"),
    "other names": ('OPTIONS="-r 7"\nMY_OPTIONS="-r 3"\nOPTIONS_2="-r 3"\n', "reject = 7.0"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_defaults_file(ctl, name):
    text, expected = FILES[name]
    found = ctl("import", "spamass-milter", ctl.file("defaults", text))
    assert found.code == 0, found.err
    assert expected in effective(ctl, found.out)


@pytest.mark.parametrize("value", ["$(echo -r 7)", "`echo -r 7`", "${X:-7}"])
def test_what_needs_a_shell_is_said(ctl, value):
    found = ctl("import", "spamass-milter", ctl.file("defaults", f'OPTIONS="-r {value}"\n'))
    assert found.code == 1 and found.out == ""
    assert "needs a shell" in found.err and len(found.err.splitlines()) == 1


def test_quarantine_option(ctl):
    found = ctl("import", "spamass-milter", "-Q 8 -r 15")
    assert found.code == 0
    printed = effective(ctl, found.out)
    assert "reject = 15.0" in printed
    assert "quarantine = 8.0" in printed or "-Q 8: no quarantine" in found.err
    assert ("quarantine_to = hold" in printed) == ("quarantine = 8.0" in printed)
    wrong = ctl("import", "spamass-milter", "-Q 20 -r 15")
    assert wrong.code == 0 and "-Q 20" in wrong.err and "quarantine = 20" not in wrong.out


def test_the_sentinel_of_r_and_a_threshold_of_q(ctl):
    found = ctl("import", "spamass-milter", "-Q -1 -r 3")
    assert found.code == 0
    effective(ctl, found.out)


def test_debians_file(ctl):
    for arguments in ([ctl.file("defaults", DEFAULTS)],):
        found = ctl("import", "spamass-milter", *arguments)
        assert found.code == 0
        printed = effective(ctl, found.out)
        for line in ('listen = "unix:/var/spool/postfix/spamass/spamass.sock"',
                     'socket_group = "mail"', 'socket_mode = "0600"', "reject = 15.0",
                     'trusted_networks = { "127.0.0.1/32" }', 'reject_text = "No thanks"',
                     "skip_authenticated = false", 'user = "spamass-milter"'):
            assert line in printed


def test_words_may_come_as_one_or_many(ctl):
    one = ctl("import", "spamass-milter", "-r 15 -i 127.0.0.1 -- -t 30")
    many = ctl("import", "spamass-milter", "-r", "15", "-i", "127.0.0.1", "--", "-t", "30")
    assert one.code == 0 and one.out == many.out


def test_json(ctl):
    for arguments in (["import", "spamass-milter", "--json", "-x"],
                      ["import", "--json", "spamass-milter", "-x"],
                      ["--json", "import", "spamass-milter", "-x"]):
        found = ctl(*arguments)
        assert found.code == 0 and found.err == ""
        assert found.json["without_equivalent"][0].startswith("-x: ")
        effective(ctl, found.json["configuration"])


@pytest.mark.parametrize("options", [
    "-y", "-r", "-- -r5", "-- --nonsense", "-r 15 operand", "-R 'open", "-- -d", "-p relative/path",
    "-g 'no group'"])
def test_what_cannot_be_read_is_refused_in_one_line(ctl, options):
    found = ctl("import", "spamass-milter", options)
    assert found.code == 1
    assert [line for line in found.err.splitlines() if ": note: " not in line] != []


def test_nothing_breaks_out_of_a_comment_or_string(ctl):
    for hostile in ("-R", "-u", "-p", "-g", "-T", "-i", "-D", "-r", "-e"):
        found = ctl("import", "spamass-milter", hostile, 'x"\n}\nuser = "root\x1b[2J')
        assert found.code == 1 and found.out == ""
        quoted = ctl("import", "spamass-milter", hostile, 'x"} user = "root')
        assert not re.search(r'^\s*user = "root', quoted.out, re.MULTILINE)
        assert '} user = "root"' not in quoted.out.replace('\\"', "")


@pytest.mark.parametrize("arguments", [[], ["milter-regex"], ["--nonsense", "spamass-milter"]])
def test_usage(ctl, arguments):
    assert ctl("import", *arguments).code == 2


def test_a_file_that_is_none(ctl):
    assert ctl("import", "spamass-milter", "no-such-file").code == 1
    found = ctl("import", "spamass-milter", ctl.file("empty", "# nothing\n"))
    assert found.code == 1 and "no OPTIONS line" in found.err

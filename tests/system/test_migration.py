# SPDX-License-Identifier: BSD-2-Clause
"""From another filter to spambridge: both run for the same mail, and the outcomes are compared.

spamass-milter 0.4.0 with some options, and spambridge with what `spambridgectl import` makes of
them; rspamd's own milter, and spambridge with the configuration of contrib/migration.
"""

import re

import pytest

from support.daemon import Daemon, run, test_user as daemon_user
from support.ports import answers, free_ports
from support.postfix import Postfix
from support.process import wait_for
from support.rspamd import Rspamd
from support.spamass_milter import POSTFIX, SpamassMilter
from support.spamassassin import Spamd, phrase
from system.chain import CLIENT, CONTRIB, HELO, mail
from system.items import folder_of, items

SET = {     # body lines, recipients
    "ham": ((), ["bob@example.com"]),
    "tagged": ((phrase("SB_SEVEN"),), ["bob@example.com"]),
    "nine-point-nine": ((phrase("SB_NINE_NINE"),), ["bob@example.com"]),
    "ten": ((phrase("SB_SEVEN"), phrase("SB_THREE")), ["bob@example.com", "ann@example.org"]),
    "twenty": ((phrase("SB_TWENTY"),), ["bob@example.com"]),
}
# Option lines of spamass-milter; -- and the spamd's socket are added.
LINES = [
    "-u nobody -m -r 10 -i 10.0.0.0/8 -R Begone", "-u nobody -m -r 15 -i 5.9.10.0/24 -I",
    "-u nobody -m -b spam@trap.example", "-u nobody -m -B spam@trap.example -r 15 -C 5.7.9",
]
SHOWN = ("X-Spam", "X-Spam-Flag", "X-Spam-Level", "X-Spam-Status", "X-Spam-Checker-Version",
         "Subject")


def outcome(postfix, message, recipients):
    """The reply, and who got what; without ids."""
    postfix.sink.clear()
    reply = postfix.send(message, "alice@example.org", recipients, helo=HELO, xclient=CLIENT)
    wait_for(postfix.empty, "an empty queue", postfix.log)
    got = postfix.sink.take()
    fields = [[(name, re.sub(r"\s+", " ", value)) for name in SHOWN for value in delivery.all(name)]
              for delivery in got]
    return {"reply": reply.code if reply.code == 250 else str(reply),
            "recipients": sorted(one for delivery in got for one in delivery.recipients),
            "fields": fields, "body": {delivery.body for delivery in got},
            # spamass-milter writes the angle brackets, too
            "original": [[value.strip("<>") for value in delivery.all("X-Spam-Orig-To")]
                         for delivery in got]}


@pytest.fixture(scope="module")
def spamd():
    with Spamd() as found:
        yield found


class Imported(Daemon):
    """A daemon that ends as the others here do."""

    def close(self):
        self.kill()


def imported(options, spamd_socket):
    """A daemon with the configuration that import prints."""
    daemon = Imported()
    words = ["-p", daemon.address.removeprefix("unix:"), *options, "--", "-U", spamd_socket]
    done = run("spambridgectl", "import", "spamass-milter", *words)
    assert done.returncode == 0, done.stderr
    daemon.write_config(f'{done.stdout}\nuser = "{daemon_user()}"\nsocket_group = "postfix"\n'
                        f'control = "{daemon.control}"\nlog = stderr\n'
                        f'quarantine {{ directory = "{folder_of(daemon)}" }}\n')
    return daemon


@pytest.fixture(scope="module")
def servers():
    """Two mail servers: one for the filter that was, one for ours."""
    with Postfix(settings=POSTFIX) as before, Postfix() as after:
        yield before, after


@pytest.fixture
def both(servers):
    """both(old, new) starts two filters; what it returns, gives one message's outcomes by each."""
    running = []

    def begin(old, new):
        for postfix, one in zip(servers, (old, new)):
            running.append(one)
            one.start()
            postfix.reload(smtpd_milters=one.address)
        return lambda *what: [outcome(postfix, *what) for postfix in servers]
    yield begin
    for one in running:
        one.close()


@pytest.mark.parametrize("line", LINES)
def test_the_same_as_spamass_milter(both, spamd, line):
    path = spamd.server.removeprefix("unix:")
    outcomes = both(SpamassMilter([*line.split(), "--", "-U", path]), imported(line.split(), path))
    for name, (body, recipients) in SET.items():
        before, after = outcomes(mail(*body), recipients)
        for fields in after["fields"]:      # it adds no field without a value
            fields[:] = [pair for pair in fields if pair != ("X-Spam-Level", "")]
        assert before == after, (line, name)


def test_without_an_answer_spamass_milter_passes_mail(both):
    """Also with spamc -x; the imported configuration then does what -x asks for, and says so."""
    options = ["-u", "nobody", "-m", "-r", "15"]
    outcomes = both(SpamassMilter([*options, "--", "-U", "/nowhere"]),
                    imported(options, "/nowhere"))
    assert [found["reply"] for found in outcomes(mail(), ["bob@example.com"])] == [250, 250]


PROXY = """
worker "rspamd_proxy" {{ bind_socket = "127.0.0.1:{port}"; milter = yes; timeout = 5s; count = 1;
  max_retries = 1; upstream "local" {{ default = yes; hosts = "127.0.0.1:{scanner}"; }}
  reject_message = "Spam message rejected"; }}
"""
RULES = """
for _, action in ipairs({'soft reject', 'rewrite subject', 'add header', 'reject'}) do
  rspamd_config:register_symbol({name = 'ASK_' .. action:gsub(' ', '_'), type = 'prefilter',
    callback = function(task)
      if task:get_header('X-Ask') == action then
        if action == 'rewrite subject' then task:set_metric_subject('changed') end
        task:set_pre_result(action, 'asked for')
      end
    end})
end
"""


class Proxy:
    """rspamd's own milter at an address, for the length of a test."""

    def __init__(self, port):
        self.address = f"inet:127.0.0.1:{port}"
        self.port = port

    def start(self):
        wait_for(lambda: answers(f"inet:{self.port}@127.0.0.1"), "rspamd's milter")

    def close(self):
        """It ends with its rspamd."""


def migrated(url):
    """A daemon with the configuration of contrib/migration, for the scanner at that address."""
    text = (CONTRIB / "migration" / "rspamd-proxy.conf").read_text()
    assert text.count('"http://127.0.0.1:11333"') == 1
    daemon = Imported()
    daemon.write_config(text.replace("http://127.0.0.1:11333", url) + (
        f'listen = "{daemon.address}"\nuser = "{daemon_user()}"\nlog = stderr\n'
        f'control = "{daemon.control}"\nquarantine {{ directory = "{folder_of(daemon)}" }}\n'))
    return daemon


def test_the_same_as_rspamds_milter(both):
    alive, dead, nobody = free_ports(3)
    proxies = PROXY.format(port=alive, scanner="@port@") + PROXY.format(port=dead, scanner=nobody)
    asked = [(mail(headers=[b"X-Ask: " + action]), ["bob@example.com"]) for action in (
        b"soft reject", b"rewrite subject", b"add header", b"reject")]
    with Rspamd(config=proxies, rules=RULES) as rspamd:
        outcomes = both(Proxy(alive), migrated(rspamd.server))
        for message, recipients in [(mail(*body), to) for body, to in SET.values()] + asked:
            before, after = (told(found) for found in outcomes(message, recipients))
            if "changed" in before["subject"]:
                before["marked"] = True     # a new subject is all that its milter gives
            assert before == after
        other = migrated(rspamd.server)
        other.write_config(other.config.replace("reject = 15\n", "reject = off  quarantine = 15\n"))
        outcomes = both(Proxy(alive), other)
        found = outcomes(asked[3][0], ["bob@example.com"])[1]
        assert (found["reply"], found["recipients"]) == (250, [])
        assert [item.recipients for item in items(other)] == [["bob@example.com"]]
        outcomes = both(Proxy(dead), migrated(f"http://127.0.0.1:{nobody}"))
        replies = [found["reply"][:9] for found in outcomes(mail(), ["bob@example.com"])]
        assert replies == ["451 4.7.1", "451 4.7.1"]


def told(found):
    """An outcome whose fields are one word: rspamd's milter has other names for its own."""
    fields = {pair for delivery in found.pop("fields") for pair in delivery}
    names = {name for name, _ in fields}
    return {**found, "subject": {value for name, value in fields if name == "Subject"},
            "marked": "X-Spam" in names or "X-Spam-Flag" in names}

# SPDX-License-Identifier: BSD-2-Clause
"""Who files marked mail away: Dovecot's Sieve and procmail, with the files of contrib/neighbours."""

import mailbox
import os
import pwd
import subprocess

import pytest

from support.dovecot import USER, Dovecot
from support.process import wait_for
from support.spamassassin import phrase
from system.chain import CONTRIB, Chain, mail, thresholds

NEIGHBOURS = CONTRIB / "neighbours"
PLACE = "/etc/dovecot/sieve/junk.sieve"
DOMAINS = 'domain "hard.example" { tag = 3 }\ndomain "soft.example" { tag = 9 }\n' \
    'domain "off.example" { tag = off }\n'
FORGED = [b"X-Spam-Status: Yes, score=99.0 required=5.0", b"X-Spam-Flag: YES",
          b"X-Spam-Level: *************"]


@pytest.fixture(scope="module")
def dovecot():
    """Dovecot with our settings and our script."""
    settings = (NEIGHBOURS / "dovecot-sieve.conf").read_text()
    assert PLACE in settings
    found = Dovecot(settings.replace(PLACE, "{top}/junk.sieve"))
    found.sieve("junk.sieve", (NEIGHBOURS / "junk.sieve").read_text())
    try:
        yield found.start()
    finally:
        found.close()


@pytest.fixture(scope="module")
def site(dovecot):
    with Chain(policy=thresholds(reject="off"), options=DOMAINS,
               postfix={"settings": {"virtual_transport": dovecot.lmtp}}) as chain:
        yield chain
        chain.daemon.stop_cleanly()


@pytest.mark.parametrize("body,domain,folder", [
    ((), "example.com", ""),
    ((phrase("SB_SEVEN"),), "example.com", "Junk"),
    ((phrase("SB_MINUS_FOUR"),), "example.com", ""),
    ((phrase("SB_THREE"), b"(3.0 and perhaps more)"), "hard.example", "Junk"),
    ((phrase("SB_SEVEN"),), "soft.example", ""),
    ((phrase("SB_NINE_NINE"),), "soft.example", "Junk"),
    ((phrase("SB_SEVEN"),), "off.example", ""),
], ids=["ham", "spam", "negative", "at-an-own-threshold", "below-an-own-threshold",
        "above-an-own-threshold", "no-threshold"])
def test_sieve_files_into_junk(site, dovecot, body, domain, folder, request):
    subject = request.node.name
    assert site.send(mail(*body, subject=subject, headers=FORGED),
                     recipients=[f"bob@{domain}"]).code == 250
    assert subject in arrived(site, dovecot, subject)[folder]


def arrived(site, dovecot, subject):
    """The folders, once the message is in one of them."""
    wait_for(lambda: any(subject in subjects for subjects in dovecot.folders().values()),
             "the delivery", lambda: dovecot.log() + site.postfix.log())
    return dovecot.folders()


def test_unscanned_mail_stays_in_the_inbox(site, dovecot):
    site.spamd.stop()
    try:
        assert site.send(mail(phrase("SB_SEVEN"), subject="unscanned", headers=FORGED)).code == 250
        assert "unscanned" in arrived(site, dovecot, "unscanned")[""]
    finally:
        site.spamd.start()


@pytest.fixture
def home(tmp_path):
    owner = pwd.getpwnam(USER)
    for path in (tmp_path.parent.parent, tmp_path.parent, tmp_path):
        path.chmod(0o755)
    os.chown(tmp_path, owner.pw_uid, owner.pw_gid)
    return tmp_path


def procmail(home, message):
    """The folders after procmail has delivered one message with our recipe."""
    owner = pwd.getpwnam(USER)
    (home / "Maildir").mkdir(exist_ok=True)
    os.chown(home / "Maildir", owner.pw_uid, owner.pw_gid)
    recipe = home / "rc"
    recipe.write_text((NEIGHBOURS / "procmailrc").read_text())
    done = subprocess.run(["procmail", f"HOME={home}", recipe], input=message,
                          capture_output=True, check=False, timeout=60, cwd=home,
                          user=owner.pw_uid, group=owner.pw_gid, extra_groups=[])
    assert done.returncode == 0, done.stderr
    box = mailbox.Maildir(home / "Maildir", create=False)
    found = {name: len(box.get_folder(name)) for name in box.list_folders()}
    return {**found, "": len(box) if (home / "Maildir" / "new").exists() else 0}


def test_procmail_files_by_flag_and_level(chain, home):
    """Messages as they come out of the chain, each to its folder."""
    def filed(*body):
        delivery = chain.deliver(mail(*body, headers=FORGED))
        return procmail(home, delivery.data.replace(b"\r\n", b"\n"))
    assert filed() == {"": 1}
    assert filed(phrase("SB_SEVEN")) == {"": 1, "Junk": 1}
    assert filed(phrase("SB_NINE_NINE"), phrase("SB_THREE")) == {
        "": 1, "Junk": 1, "Junk.certain": 1}

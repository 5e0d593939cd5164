# SPDX-License-Identifier: BSD-2-Clause
"""Completion of bash and zsh: exactly the commands and options that the tool's own help lists.

Both shells complete for real; for zsh a terminal is needed, so it gets a pseudo-terminal.
"""

import os
import pty
import re
import select
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from support.process import wait_for

COMPLETION = Path(__file__).resolve().parents[2] / "contrib" / "completion"
EVERYWHERE = {"--json", "--help"}


def help_of(ctl, *words):
    found = ctl(*words, "--help")
    assert found.code == 0, found.err
    return found.out


def commands_of(text):
    return re.findall(r"^  ([a-z-]+)(?: |$)", text.partition("commands:")[2], re.MULTILINE)


def options_of(text):
    """Those of the usage, without what the usage of the whole tool says."""
    return set(re.findall(r"--[a-z-]+", text.partition("\n\n")[0]))


@pytest.fixture
def table(ctl):
    """{command words: options that complete behind them}, as the help of each lists them."""
    found = {}
    for command in commands_of(help_of(ctl)):
        if command == "quarantine":
            continue
        found[(command,)] = options_of(help_of(ctl, command)) | EVERYWHERE
    for command in commands_of(help_of(ctl, "quarantine")):
        options = options_of(help_of(ctl, "quarantine", command)) | EVERYWHERE | {"--directory"}
        found[("quarantine", command)] = options
    found[("quarantine", "search")] |= found[("quarantine", "list")]
    assert len(found) > 20
    return found


def bash(words):
    """What bash offers for the last word."""
    quoted = " ".join(f"'{word}'" for word in words)
    script = (f"source '{COMPLETION}/spambridgectl'; COMP_WORDS=({quoted}); "
              f"COMP_CWORD={len(words) - 1}; _spambridgectl; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True,
                          check=False, cwd="/usr/share/empty" if os.path.isdir("/usr/share/empty")
                          else "/")
    assert done.returncode == 0 and done.stderr == ""
    return {word for word in done.stdout.split("\n") if word}


def test_bash_offers_every_command(ctl):
    known = set(commands_of(help_of(ctl)))
    assert {word for word in bash(["spambridgectl", ""]) if word[0] != "-"} == known
    held = set(commands_of(help_of(ctl, "quarantine")))
    assert bash(["spambridgectl", "quarantine", ""]) - EVERYWHERE == held
    assert bash(["spambridgectl", "-c", "/x", "--json", "postfix", ""]) - EVERYWHERE == {
        "enable", "disable"}
    assert bash(["spambridgectl", "quar"]) == {"quarantine"}


def test_bash_offers_every_option(table):
    for words, options in table.items():
        operand = ["enable"] if words == ("postfix",) else []
        assert bash(["spambridgectl", *words, *operand, "--"]) == options, words


ZSH_SETUP = """\
unsetopt zle_bracketed_paste; PS1='' PS2='' RPS1=''
fpath=({completion} $fpath); autoload -Uz compinit; compinit -u -D
zstyle ':completion:*' completer _complete
compadd() {{
  if [[ ${{@[1,(i)(-|--)]}} == *-[a-zA-Z]#[ODA]' '* || ${{@[1,(i)(-|--)]}} == *-[ODA]' '* ]]; then
    builtin compadd "$@"; return $?
  fi
  local -a matches
  builtin compadd -A matches "$@"
  (( $#matches )) && print -rl -- $matches >>{out}
  builtin compadd "$@"
}}
zle-line-init() {{ print -n . >>{out}.prompts }}
zle -N zle-line-init
"""


class Zsh:
    """An interactive zsh with nothing but our completion; what it offers is written to a file."""

    def __init__(self, path):
        self.out = path / "offered"
        self.prompts = path / "offered.prompts"     # a dot for each time that it wants a line
        self.primary, secondary = pty.openpty()
        self.process = subprocess.Popen(
            ["zsh", "-f", "-i"], stdin=secondary, stdout=secondary, stderr=secondary,
            start_new_session=True, cwd=path,
            env={"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": str(path), "LC_ALL": "C.UTF-8"})
        os.close(secondary)
        self.screen = b""
        threading.Thread(target=self._read, daemon=True).start()
        setup = path / "setup"
        setup.write_text(ZSH_SETUP.format(completion=COMPLETION, out=self.out))
        self._type(f"source {setup}\n")

    def _type(self, text):
        """What is typed before zsh wants it would be edited by the terminal: wait for that."""
        before = len(self.prompts.read_text()) if self.prompts.exists() else 0
        os.write(self.primary, text.encode())
        wait_for(lambda: self.prompts.exists() and len(self.prompts.read_text()) > before,
                 f"zsh's prompt after {text!r}", lambda: self.screen.decode("utf-8", "replace"))

    def _read(self):
        while True:
            try:
                if select.select([self.primary], [], [], 30)[0]:
                    self.screen += os.read(self.primary, 65536)
            except (OSError, ValueError):
                return

    def offers(self, line):
        """What Tab offers at the end of the line."""
        self.out.write_text("")
        self._type(line + "\t\x15\n")
        return set(self.out.read_text().split("\n")) - {""}

    def close(self):
        self.process.kill()
        self.process.wait(20)
        os.close(self.primary)


@pytest.fixture
def zsh(tmp_path):
    if not shutil.which("zsh"):
        pytest.skip("no zsh here")
    place = tmp_path / "zsh"
    place.mkdir()
    found = Zsh(place)
    yield found
    found.close()


def test_zsh_offers_every_command(ctl, zsh):
    assert zsh.offers("spambridgectl ") == set(commands_of(help_of(ctl)))
    assert zsh.offers("spambridgectl quarantine ") == set(commands_of(help_of(ctl, "quarantine")))
    assert zsh.offers("spambridgectl -c /x --json postfix ") == {"enable", "disable"}
    assert zsh.offers("spambridgectl quarantine list --state ") == {
        "held", "released", "unsure", "refused", "deferred"}


def test_zsh_offers_every_option(table, zsh):
    for words, options in table.items():
        assert zsh.offers(f"spambridgectl {' '.join(words)} --") == options, words

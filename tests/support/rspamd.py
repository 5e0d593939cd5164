# SPDX-License-Identifier: BSD-2-Clause
"""A private real rspamd: a normal worker and a controller on loopback, a few rules of our own.

No redis, no resolver, no stock rules: a score depends on phrases in the message alone, the same
phrases as in spamassassin.py where the points are the same.
"""

import grp
import http.client
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from .ports import free_ports
from .process import wait_for
from .spamassassin import MARKS, PHRASES, mark_points, user_exists

PASSWORD = "controller"

CONFIG = """\
options {{
  pidfile = "{directory}/run/rspamd.pid";
  tempdir = "{directory}/run";
  hs_cache_dir = "{directory}/run";
  control_socket = "{directory}/run/control.sock mode=0600";
  rrd = "";
  history_file = "";
  filters = "{filters}";
  explicit_modules = [];
  gtube_patterns = "all";
  disable_hyperscan = true;
  url_tld = "{directory}/tlds";
  dns {{ nameserver = ["127.0.0.1:{dns}"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "console"; level = "info"; }}
worker "normal" {{ bind_socket = ["127.0.0.1:{port}", "{directory}/run/worker.sock mode=0666"];
  count = {workers}; task_timeout = 8s; }}
worker "controller" {{ bind_socket = "127.0.0.1:{controller}"; count = 1;
  password = "{password}"; secure_ip = []; }}
metric {{ name = "default"; actions {{ reject = {reject}; "add header" = {add_header};
  greylist = {greylist}; }} unknown_weight = 1.0; }}
lua = "{directory}/rules.lua";
{config}
"""

RULES = """\
local points = {{
{table}
}}
for phrase, rule in pairs(points) do
  rspamd_config:register_symbol({{
    name = rule[1], score = rule[2], type = 'normal', group = 'spambridge',
    callback = function(task)
      if tostring(task:get_content()):find(phrase, 1, true) then return true, 1.0 end
      return false
    end
  }})
end
{more}
"""


class Rspamd:
    """One rspamd with its workers. start() waits until both answer /ping.

    self.server is the scanner's URL, self.controller the controller's, self.unix_server the
    scanner's unix socket; thresholds are the engine's own. config: further lines of its
    configuration, with @directory@ and @port@ for its directory and the scanner's port; files: more files in there; filters: its
    own modules written in C; rules: further Lua.
    """

    def __init__(self, workers=2, reject=15, add_header=6, greylist=4, config="", rules="",
                 filters="", files=None, directory=None):
        self.directory = Path(directory or tempfile.mkdtemp(prefix="sbrs-"))
        self.directory.chmod(0o755)
        self.log_file = self.directory / "rspamd.log"
        self.port, self.controller_port, unused = free_ports(3)
        self.server = f"http://127.0.0.1:{self.port}"
        self.controller = f"http://127.0.0.1:{self.controller_port}"
        self.unix_server = f"unix:{self.directory}/run/worker.sock"
        self.user = "_rspamd" if user_exists("_rspamd") else "nobody"
        self.process = None
        run = self.directory / "run"
        run.mkdir()
        if os.geteuid() == 0:
            shutil.chown(run, self.user)
        (self.directory / "rspamd.conf").write_text(CONFIG.format(
            directory=self.directory, port=self.port, controller=self.controller_port, dns=unused,
            workers=workers, password=PASSWORD, reject=reject, add_header=add_header,
            greylist=greylist, filters=filters,
            config=config.replace("@directory@", str(self.directory)).replace(
                "@port@", str(self.port))))
        for name, text in (files or {}).items():
            (self.directory / name).write_text(text)
        # rspamd compiles its own list of 9,600 suffixes for 8 seconds at each start.
        (self.directory / "tlds").write_text("com\nnet\norg\nexample\n")
        (self.directory / "rules.lua").write_text(RULES.format(table=lua_table(), more=rules))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        command = ["/usr/bin/rspamd", "-f", "-c", str(self.directory / "rspamd.conf")]
        if os.geteuid() == 0:
            group = pwd.getpwnam(self.user).pw_gid
            command += ["-u", self.user, "-g", str(group_name(group))]
        else:
            command.append("-i")
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.directory,
                                            start_new_session=True)
        wait_for(self._pong, "rspamd to answer /ping", self.log, timeout=60)

    def _pong(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"rspamd ended:\n{self.log()}")
        try:
            return all(self.request("GET", "/ping", port=port)[0] == 200
                       for port in (self.port, self.controller_port))
        except (OSError, http.client.HTTPException):
            return False

    def request(self, method, path, body=b"", headers=None, port=None):
        """(status, body) of one HTTP request to the scanner, or to the given port."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def check(self, message, headers=None):
        """rspamd's own verdict on these bytes, as the decoded reply of /checkv2."""
        status, body = self.request("POST", "/checkv2", message, headers)
        if status != 200:
            raise RuntimeError(f"{status}: {body!r}\n{self.log()}")
        return json.loads(body)

    def log(self):
        try:
            return self.log_file.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def freeze(self):
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self._processes():
            os.kill(pid, signal.SIGCONT)

    def _processes(self):
        """The main process and its workers (rspamd gives each worker a group of its own)."""
        main = self.process.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main] + [int(pid) for pid in children]

    def stop(self):
        self._end(signal.SIGTERM)

    def kill(self):
        self._end(signal.SIGKILL)

    def _end(self, number):
        if self.process is None:
            return
        everyone = self._processes() if self.process.poll() is None else []
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
        for pid in everyone if number == signal.SIGKILL else everyone[:1]:
            os.kill(pid, number)
        self.process.wait(20)
        wait_for(lambda: not any(alive(pid) for pid in everyone), "rspamd's workers to end",
                 self.log)
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def group_name(gid):
    return grp.getgrgid(gid).gr_name


def lua_table():
    rows = [(text.decode(), rule, points) for text, (rule, points) in PHRASES.items()]
    rows += [(f"sbmark-{number:04d}", f"SB_MARK_{number:04d}", mark_points(number))
             for number in range(MARKS)]
    return "\n".join(f"  ['{text}'] = {{'{rule}', {points}}}," for text, rule, points in rows)

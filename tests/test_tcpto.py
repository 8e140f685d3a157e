"""qmail-tcpto and qmail-tcpok: servers that do not answer."""
import os
import re
import socket
import subprocess
import time

import pytest

from quilltest import program
from quilltest.rspawn import Rspawn
from test_rspawn import NO_CONNECTION as REFUSED

NO_CONNECTION = (REFUSED[0], REFUSED[1].replace("connection refused", "timed out"))
LEFT_OUT = (REFUSED[0], REFUSED[1].replace("connection refused", "it did not answer lately, and is left out for some minutes"))


class Silent:
    """A listener that never accepts and has no room for further connections: they time out."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self.listener.getsockname()[1]
        self.clients = []
        while self.connects(0.3):
            assert len(self.clients) < 50

    def connects(self, seconds):
        s = socket.socket()
        s.settimeout(seconds)
        self.clients.append(s)
        try:
            s.connect(("127.0.0.1", self.port))
            return True
        except OSError:
            return False

    def close(self):
        for s in [self.listener, *self.clients]:
            s.close()


@pytest.fixture(name="silent")
def _silent():
    s = Silent()
    yield s
    s.close()


def run(name, home):
    done = subprocess.run([program(name)], capture_output=True, text=True, timeout=30, check=False,
                          env={**os.environ, "QMAILHOME": home})
    return done.returncode, done.stdout, done.stderr


def test_dead_hosts(silent):
    with Rspawn(smtproutes=f":127.0.0.1:{silent.port}") as r:
        r.control(timeoutconnect="1")
        assert run("qmail-tcpto", r.home) == (0, "", "")
        for timeouts in (1, 2):
            assert r.deliver() == [NO_CONNECTION]
            code, out, _ = run("qmail-tcpto", r.home)
            assert code == 0
            assert re.fullmatch(rf"127\.0\.0\.1 timed out [0-9] seconds ago; # recent timeouts: {timeouts}\n", out), out
        start = time.monotonic()
        assert r.deliver() == [LEFT_OUT]
        assert time.monotonic() - start < 0.9, "it was passed over"
        assert run("qmail-tcpok", r.home) == (0, "", "")
        assert run("qmail-tcpto", r.home) == (0, "", "")
        start = time.monotonic()
        assert r.deliver() == [NO_CONNECTION]
        assert time.monotonic() - start >= 0.9, "it was tried"


def test_a_refusal_ends_it(silent):
    with Rspawn(smtproutes=f":127.0.0.1:{silent.port}") as r:
        r.control(timeoutconnect="1")
        assert r.deliver() == [NO_CONNECTION]
        silent.close()
        assert r.deliver() == [REFUSED]
        assert run("qmail-tcpto", r.home) == (0, "", "")


def test_nobody_to_ask(tmp_path):
    for name in ("run", "control"):
        (tmp_path / name).mkdir()
    code, out, err = run("qmail-tcpto", str(tmp_path))
    assert code == 111 and out.startswith("fatal: ") and out.count("\n") == 1 and err == ""
    code, out, err = run("qmail-tcpok", str(tmp_path))
    assert code == 111 and err.startswith("qmail-tcpok: fatal: ") and out == ""

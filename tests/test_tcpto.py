"""qmail-tcpto and qmail-tcpok: servers that do not answer."""
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from quilltest import Sink, program, wait_until
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


AFRESH = 8  # DELIVERY_AFRESH in wire/delivery.h


def test_a_delivery_may_ask_afresh(silent):
    with Rspawn(smtproutes=f":127.0.0.1:{silent.port}") as r:
        r.control(timeoutconnect="1")
        for _ in range(2):
            assert r.deliver() == [NO_CONNECTION]
        assert r.deliver() == [LEFT_OUT]
        assert r.deliver(flags=AFRESH) == [NO_CONNECTION]
        assert "# recent timeouts: 3\n" in run("qmail-tcpto", r.home)[1]
        assert r.deliver() == [LEFT_OUT], "it counts as dead to all others"
        silent.close()
        with Sink(port=silent.port):
            assert r.deliver() == [LEFT_OUT]
            assert r.deliver(flags=AFRESH)[0][0] == "K"
            assert run("qmail-tcpto", r.home) == (0, "", "")
            assert r.deliver()[0][0] == "K"


def test_connecting_to_a_dead_one_is_short(silent):
    with Rspawn(smtproutes=f":127.0.0.1:{silent.port}") as r:
        r.control(timeoutconnect="1")
        for _ in range(2):
            assert r.deliver() == [NO_CONNECTION]
        r.control(timeoutconnect="60")
        start = time.monotonic()
        assert r.deliver(flags=AFRESH) == [NO_CONNECTION]
        assert time.monotonic() - start < 40


@pytest.mark.parametrize("by", ["retry", "requeue", "ALRM", "probe"])
def test_what_an_operator_mended_is_tried(silent, make_instance, by):
    """Neither his orders nor the probes of a destination that is down are answered from memory."""
    i = make_instance(control={"smtproutes": f":127.0.0.1:{silent.port}", "timeoutconnect": "1"})
    i.queue(b"Subject: x\n\nbody\n", "s@a.test", "first@far.test")
    for n in range(3 if by != "probe" else 7):
        i.queue(b"Subject: x\n\nbody\n", "s@a.test", f"r{n}@far.test")
        if n:
            i.wait_log(f"^delivery {n + 1}: deferral", 60)
    i.wait_log("deferral: .*left_out_for_some_minutes")
    silent.close()
    with Sink(port=silent.port) as sink:
        number = re.findall(r"^new msg (\d+)", i.log(), re.M)[-1]
        if by in ("retry", "requeue"):
            i.run(program("quill"), "queue", by, number)
        elif by == "ALRM":
            i.signal("qmail-send", signal.SIGALRM)
        else:
            # New mail asks for attempts; the intervals between probes are short at first.
            def another():
                i.queue(b"Subject: x\n\nbody\n", "s@a.test", "new@far.test")
                time.sleep(0.5)
                return sink.messages
            wait_until(another, 60, "a probe")
        wait_until(lambda: sink.messages, 30, "a delivery")
        i.signal("qmail-send", signal.SIGALRM)
        i.wait_empty()


def test_nobody_to_ask(tmp_path):
    for name in ("run", "control"):
        (tmp_path / name).mkdir()
    code, out, err = run("qmail-tcpto", str(tmp_path))
    assert code == 111 and out.startswith("fatal: ") and out.count("\n") == 1 and err == ""
    code, out, err = run("qmail-tcpok", str(tmp_path))
    assert code == 111 and err.startswith("qmail-tcpok: fatal: ") and out == ""

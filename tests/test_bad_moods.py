"""Remote delivery to servers that stall, reset, drip, never end, or do not keep what they offer."""
import socket
import struct
import threading
import time

import pytest

from quilltest.net import free_port
from quilltest.rspawn import Rspawn
from quilltest.sink import DROP, Sink, Stall
from test_rspawn import ACCEPTED, died, fake_resolver

CONFUSED = "Connected to 127.0.0.1 but its replies make no sense. (#4.5.0)\n"


class Server:
    """Serves each connection with a function of its own."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections, self.serve = 0, serve
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                self.serve(connection)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def reset(_, session):
    session.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return DROP


def drip(_, session):
    for _ in range(100):
        session.connection.send(b"2")
        time.sleep(0.3)


def endless(_, session):
    while True:
        session.connection.send(b"250-x\r\n" * 1000)


@pytest.mark.parametrize("stage, mood, time_is_up", [
    *[(stage, Stall(20), True) for stage in ("connect", "mail", "data")],
    *[(stage, reset, False) for stage in ("connect", "helo", "rcpt", "data")],
    ("connect", drip, True), ("helo", drip, True), ("helo", endless, False), ("rcpt", endless, False),
    ("rcpt", "421 bye", False), ("data", "421 bye", False), ("mail", "250", False),
], ids=lambda v: v.__name__ if callable(v) else None)
def test_the_next_exchanger_takes_it(stage, mood, time_is_up):
    """In the same attempt, and the report of a later failure has the story of the first one."""
    port = free_port()
    with Sink(host="127.0.0.2", port=port) as bad, Sink(host="127.0.0.3", port=port) as good:
        if mood == "250":
            # Two answers to one command.
            bad.on("mail", "250 ok\n250 ok\n250 ok\n250 ok")
        else:
            bad.on(stage, mood)
        with Rspawn(smtproutes=f":relay:{port}") as r:
            r.control(timeoutremote="1")
            listener = fake_resolver(r.home, [(10, "127.0.0.3"), (5, "127.0.0.2")])
            start = time.monotonic()
            assert r.deliver()[0][0] == "K"
            listener.close()
            assert (time.monotonic() - start >= 0.9) >= time_is_up
        assert len(good.messages) == 1 and not bad.messages and bad.connections


def test_the_report_has_the_stage_of_each():
    port = free_port()
    with Sink(host="127.0.0.2", port=port) as one, Sink(host="127.0.0.3", port=port) as two:
        one.on("rcpt", DROP)
        two.on("helo", Stall(20))
        with Rspawn(smtproutes=f":relay:{port}") as r:
            r.control(timeoutremote="1")
            listener = fake_resolver(r.home, [(10, "127.0.0.3"), (5, "127.0.0.2")])
            results = r.deliver()
            listener.close()
    assert results == [("Z", "Connected to 127.0.0.3 but connection died. (#4.4.2)\nThe server is x.\n"
                        "Time was up before its answer to EHLO.\nTried x (127.0.0.2): Connected to 127.0.0.2 but connection "
                        "died. (#4.4.2) It hung up before its answer to RCPT.\n")]


def test_a_server_that_is_only_just_in_time_does_not_hold_us():
    """Each answer comes in time, but all together take longer than a transaction may."""
    with Sink(extensions=()) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        sink.on("rcpt", Stall(0.5))
        r.control(timeoutremote="1")
        start = time.monotonic()
        results = r.deliver(*[f"r{i}@h.test" for i in range(60)])
        assert time.monotonic() - start < 20
        assert set(results) == {died("its answer to RCPT", "Time was up")}


# ---- lies ---------------------------------------------------------------------------------------


def loses_what_is_behind_the_first(connection):
    """It offers PIPELINING, reads whatever is there, and answers the first line of it."""
    def say(text):
        connection.send(text.encode() + b"\r\n")
    say("220 hi")
    while data := connection.recv(100000):
        verb = data[:4].upper()
        if verb == b"EHLO":
            say("250-me\r\n250 PIPELINING")
        elif verb == b"DATA":
            say("354 go")
            content = b""
            while not content.endswith(b"\r\n.\r\n"):
                content += connection.recv(100000)
            say("250 2.0.0 kept")
        else:
            say("250 ok")


def closes_when_commands_come_together(connection):
    connection.send(b"220 hi\r\n")
    connection.recv(100000)
    connection.send(b"250-me\r\n250 PIPELINING\r\n")
    while (data := connection.recv(100000)).count(b"\n") == 1:
        connection.send(b"354 go\r\n" if data[:4] == b"DATA" else b"250 2.0.0 kept\r\n")
        if data[:4] == b"DATA":
            while not data.endswith(b"\r\n.\r\n"):
                data += connection.recv(100000)
            connection.send(b"250 2.0.0 kept\r\n")
    connection.send(b"250 ok\r\n")


@pytest.mark.parametrize("serve", [loses_what_is_behind_the_first, closes_when_commands_come_together])
def test_pipelining_that_does_not_work(serve):
    """Then commands go one by one: at once where the server says that something is wrong, else with the next attempt."""
    with Server(serve) as server, Rspawn(smtproutes=f":127.0.0.1:{server.port}") as r:
        r.control(timeoutremote="2")
        if serve is loses_what_is_behind_the_first:
            assert r.deliver("a@h.test", "b@h.test") == [died("its answer to RCPT", "Time was up")] * 2
        assert r.deliver("a@h.test", "b@h.test") == [ACCEPTED] * 2
        before = server.connections
        assert before == 2
        start = time.monotonic()
        assert r.deliver("a@h.test", "b@h.test") == [ACCEPTED] * 2
        assert time.monotonic() - start < 1.5
        assert server.connections <= before + 1


@pytest.mark.parametrize("code", ["555 5.5.4", "504 5.5.4"])
@pytest.mark.parametrize("extensions", [("SIZE 100000",), ("PIPELINING", "SIZE", "8BITMIME", "CHUNKING")],
                         ids=["lockstep", "together"])
def test_parameters_that_are_not_understood(code, extensions):
    with Sink(extensions=extensions) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        sink.on("mail", lambda a, s: f"{code} what?" if b"=" in a else None)
        for _ in range(3):
            assert r.deliver(content=b"Subject: \xe4\n\nx\n", flags=1) == [ACCEPTED]
        assert sink.connections == 2 and len(sink.messages) == 3


def test_a_refusal_that_has_no_lie_before_it_stands():
    with Sink(extensions=()) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        sink.on("mail", "555 5.5.4 no")
        assert r.deliver() == [("D", "Connected to 127.0.0.1 but sender was rejected.\nRemote host said: 555 5.5.4 no\n")]


@pytest.mark.parametrize("extensions", [
    ("SIZE", "SIZE 0", "SIZE -1", "SIZE x", "SIZE 99999999999999999999999"), ("LIMITS RCPTMAX=0 MAILMAX=-1 RCPTDOMAINMAX="),
    ("LIMITS RCPTMAX=99999999999999999999 MAILMAX=0",), ("AUTH", "AUTH=", "PIPELINING " + "x" * 1000, "STARTTLSX"),
    tuple(f"X{i}" for i in range(3000)), ("", " ", "pipelining", "8BITMIME="),
], ids=range(6))
def test_odd_offers(extensions):
    if isinstance(extensions, str):
        extensions = (extensions,)
    with Sink(extensions=extensions) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        for _ in range(2):
            assert r.deliver("a@h.test", "b@h.test") == [ACCEPTED] * 2
        assert all(m.recipients == ["a@h.test", "b@h.test"] for m in sink.messages) and len(sink.messages) == 2

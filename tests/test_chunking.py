"""Content by BDAT: where it is offered, and what happens where it does not work."""
import os

import pytest

from quilltest.certificate import Authority
from quilltest.rspawn import Rspawn
from quilltest.sink import DROP, Sink, Stall
from test_tls import ACCEPTED, by_rspawn
from test_remote import MESSAGE, control, remote, _home  # noqa: F401  pylint: disable=unused-import

OFFERS = ("PIPELINING", "8BITMIME", "SIZE", "CHUNKING")


@pytest.fixture(name="sink")
def _sink():
    with Sink(extensions=OFFERS) as s:
        yield s


def words(sink):
    return [line.split(b" ")[0] for _, line in sink.commands]


@pytest.mark.parametrize("content, wire", [
    (b".\n..\n.x\n", b".\r\n..\r\n.x\r\n"), (b"x\r.\r\nRSET\r\n", b"x .\r\nRSET\r\n"), (b"\r\r\n.\r\n", b"\r\n.\r\n"),
    (b"a\0\xff\n", b"a\0\xff\r\n"), (b"." * 70000 + b"\n" + b".\n" * 70000, b"." * 70000 + b"\r\n" + b".\r\n" * 70000),
], ids=range(5))
def test_content_and_size(sink, content, wire):
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        numbers = [r.request(["r@h.test"], content=content) for _ in range(10)]
        assert all(r.wait(n) == [("K", ACCEPTED)] for n in numbers)
    assert [m.data for m in sink.messages] == [wire] * 10
    assert {line for _, line in sink.commands if line.startswith(b"BDAT")} == {b"BDAT %d LAST" % len(wire)}
    assert {line for _, line in sink.commands if line.startswith(b"MAIL")} == {b"MAIL FROM:<s@a.test> SIZE=%d" % len(wire)}


@pytest.mark.parametrize("settings", [{"smtproutes": ":smtp://127.0.0.1:{port}?chunking=no"},
                                      {"smtproutes": ":127.0.0.1:{port}", "chunkingremote": "0"}])
def test_switched_off(sink, settings):
    with Rspawn(**{name: text.format(port=sink.port) for name, text in settings.items()}) as r:
        assert r.deliver() == [("K", ACCEPTED)]
    assert b"BDAT" not in words(sink) and b"DATA" in words(sink)


@pytest.mark.parametrize("content", [b"Subject: x\n\nhello\n", b"MAIL FROM:<evil@a.test>\nquit\n", b"x" * 200000 + b"\n"],
                         ids=range(3))
def test_a_server_that_does_not_know_what_it_offers(sink, content):
    sink.knows_bdat = False
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        assert r.deliver(content=content) == [("K", ACCEPTED)]
        assert r.deliver(content=content) == [("K", ACCEPTED)]
        assert words(sink).count(b"BDAT") == 1 and sink.connections == 2
    assert [m.data for m in sink.messages] == [content.replace(b"\n", b"\r\n")] * 2


@pytest.mark.parametrize("mood, again", [("502 5.5.1 what?", True), ("503 5.5.1 no", True), (DROP, False),
                                         (Stall(8), False)], ids=range(4))
def test_a_server_that_fails_on_it_gets_data(sink, mood, again):
    """At once when it can be known that it has not taken the message, else with the next attempt."""
    sink.on("bdat", mood)
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        r.control(timeoutremote="2")
        letter, text = r.deliver()[0]
        assert letter == ("K" if again else "Z") and ("Possible duplicate" in text) != again
        assert r.deliver() == [("K", ACCEPTED)]
    assert words(sink).count(b"BDAT") == 1


@pytest.mark.parametrize("reply, letter", [("554 5.7.1 spam", "D"), ("452 full", "Z"), ("552 too big", "D")])
def test_verdicts_are_verdicts(sink, reply, letter):
    sink.on("dot", reply)
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        numbers = [r.request([f"r{i}@h.test"]) for i in range(30)]
        assert {r.wait(n)[0] for n in numbers} == {
            (letter, f"127.0.0.1 failed after I sent the message.\nRemote host said: {reply}\n")}
        sink.on("dot", None)
        assert r.deliver() == [("K", ACCEPTED)]
    assert sink.connections <= 5 and b"DATA" not in words(sink)


def test_refused_recipients_beside_others(sink):
    """Envelopes that fail do not touch the ones before and behind them."""
    sink.on("rcpt", lambda a, s: "550 no" if b"none" in a else None)
    sink.on("mail", lambda a, s: "450 no" if b"nobody" in a else None)
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}", concurrencyperhost="1") as r:
        numbers = []
        for i in range(60):
            name = "none" if i % 3 == 1 else f"r{i}"
            numbers.append(r.request([f"{name}@h.test"], content=b"%d\n" % i, sender="nobody@a.test" if i % 5 == 1 else "s@a.test"))
        letters = [r.wait(n)[0][0] for n in numbers]
    assert letters == ["Z" if i % 5 == 1 else "D" if i % 3 == 1 else "K" for i in range(60)]
    assert sorted(int(m.data) for m in sink.messages) == [i for i, letter in enumerate(letters) if letter == "K"]
    assert all(m.recipients == [f"r{int(m.data)}@h.test"] for m in sink.messages) and sink.connections == 1


def test_through_tls_and_lmtp():
    ca = Authority()
    with Sink(extensions=OFFERS, tls=ca.context("x.test")) as sink:
        assert by_rspawn(f":127.0.0.1:{sink.port}", count=5) == ("K", ACCEPTED)
        assert all(m.tls for m in sink.messages) and b"DATA" not in words(sink)
    ca.close()
    with Sink(extensions=OFFERS, lmtp=True) as sink, Rspawn(smtproutes=f":lmtp://127.0.0.1:{sink.port}") as r:
        sink.on("dot", lambda a, s: "552 full" if a == b"full@h.test" else None)
        sink.on("rcpt", lambda a, s: "550 nobody" if b"none@" in a else None)
        for _ in range(2):
            results = r.deliver("a@h.test", "none@h.test", "full@h.test", "b@h.test")
            assert [letter for letter, _ in results] == ["K", "D", "D", "K"]
            assert r.deliver("none@h.test")[0][0] == "D"
        assert b"BDAT" in words(sink) and sink.connections == 1


def test_command(home, sink):
    """qmail-remote: a file's size is known, a pipe's is not."""
    control(home, smtproutes=f":127.0.0.1:{sink.port}")
    assert b"kept" in remote(home, "h.test", "s@a.test", "r@h.test")
    assert b"BDAT" not in words(sink)
    path = f"{home}/message"
    with open(path, "wb") as f:
        f.write(b"skipped" + MESSAGE)
    for knows in (True, False):
        sink.knows_bdat = knows
        with open(path, "rb") as f:
            os.lseek(f.fileno(), 7, os.SEEK_SET)
            assert b"kept" in remote(home, "h.test", "s@a.test", "r@h.test", message=None, stdin=f)
        assert words(sink).count(b"BDAT") == (1 if knows else 2)
    assert [m.data for m in sink.messages] == [MESSAGE.replace(b"\n", b"\r\n")] * 3

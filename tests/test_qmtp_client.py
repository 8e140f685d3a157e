"""Remote delivery by QMTP: to our own server, and to servers that misbehave."""
import socket
import subprocess

import pytest

from quilltest import program
from quilltest.certificate import Authority
from quilltest.net import free_port, wait_until
from quilltest.qmtpsink import QmtpSink
from quilltest.rspawn import Rspawn
from quilltest.sink import Sink
from quilltest.smtpd import Smtpd
from test_remote import MESSAGE, _home, control, remote  # noqa: F401  pylint: disable=unused-import
from test_rspawn import NO_CONNECTION

DIED = "Connected to 127.0.0.1 but connection died. (#4.4.2)\n"
DUPLICATE = "Connected to 127.0.0.1 but connection died. Possible duplicate! (#4.4.2)\n"
CONFUSED = "Connected to 127.0.0.1 but its replies make no sense. (#4.5.0)\n"


def qmtp_server(home):
    """qmail-qmtpd behind a listener; returns its port and the process."""
    port = free_port()
    process = home.spawn(program("tcpserver"), "-RHl0", "127.0.0.1", str(port), program("qmail-qmtpd"), stderr=subprocess.DEVNULL)

    def listens():
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False
    wait_until(listens, what="tcpserver")
    return port, process


def test_our_own_server():
    content = b"Subject: x\n\n.\n..x\ncr\rcr\r\nend\n\0\xff\n"
    with Smtpd() as home:
        port, process = qmtp_server(home)
        try:
            with Rspawn(smtproutes=f":qmtp://127.0.0.1:{port}") as r:
                for i in range(3):
                    results = r.deliver("r@ok.test", "r@other.test", "s@ok.test", content=content, sender="" if i else "s@a.test")
                    assert [letter for letter, _ in results] == ["K", "D", "K"]
                    assert results[0][1].startswith("127.0.0.1 accepted message.\nRemote host said: ok ")
                    assert results[1][1] == ("127.0.0.1 failed after I sent the message.\nRemote host said: "
                                             "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\n")
                assert r.deliver("r@other.test")[0][0] == "D"
        finally:
            process.terminate()
            process.wait()
        recorded = home.recorded()
        assert [m.recipients for m in recorded] == [[b"r@ok.test", b"s@ok.test"]] * 3
        assert {m.content for m in recorded} == {content.replace(b"\rcr\r\n", b" cr\n")}
        assert sorted(m.sender for m in recorded) == [b"", b"", b"s@a.test"]


def test_many_messages_in_a_session():
    """The next one goes out before the replies to the one before."""
    with QmtpSink() as sink, Rspawn(smtproutes=f":qmtp://127.0.0.1:{sink.port}", concurrencyperhost="1") as r:
        numbers = [r.request([f"r{i}@h.test"], content=b"%d\n" % i * (1 + i * 997 % 40000)) for i in range(60)]
        assert all(r.wait(n) == [("K", "127.0.0.1 accepted message.\nRemote host said: kept\n")] for n in numbers)
        assert r.deliver(content=b"")[0][0] == "K"
        assert sink.connections == 1
    for i, (message, sender, recipients) in enumerate(sink.messages[:60]):
        assert (message, sender, recipients) == (b"\r" + b"%d\r\n" % i * (1 + i * 997 % 40000), b"s@a.test", [b"r%d@h.test" % i])
    assert sink.messages[60][0] == b"\r"


@pytest.mark.parametrize("reply, result", [
    (b"5:Dno\x1b\n,", ("D", "127.0.0.1 failed after I sent the message.\nRemote host said: no?\n")),
    (b"1:Z,", ("Z", "127.0.0.1 failed after I sent the message.\nRemote host said: \n")),
    (None, ("Z", DUPLICATE)), (b"220 hi\r\n", ("Z", CONFUSED)), (b"2:Xa,", ("Z", CONFUSED)), (b"70000:K", ("Z", CONFUSED)),
    (b"2:Ka,2:Ka,", ("K", "127.0.0.1 accepted message.\nRemote host said: a\n")),
], ids=range(7))
def test_replies(reply, result):
    with QmtpSink(lambda r: reply) as sink, Rspawn(smtproutes=f":qmtp://127.0.0.1:{sink.port}") as r:
        letter, text = r.deliver()[0]
        assert (letter, text[:len(result[1])]) == result
        assert r.deliver()[0][0] == result[0]


def test_an_smtp_server_is_no_qmtp_server():
    with Sink() as sink, Rspawn(smtproutes=f":qmtp://127.0.0.1:{sink.port}") as r:
        letter, text = r.deliver()[0]
        assert letter == "Z" and text.startswith(CONFUSED) and not sink.messages


def test_what_cannot_be_sent():
    with QmtpSink() as sink, Rspawn(smtproutes=f":qmtp://127.0.0.1:{sink.port}") as r:
        assert r.deliver(content=b"x\npartial") == [
            ("D", "SMTP cannot transfer messages with partial final lines. (#5.6.2)\n")]
        assert r.deliver(content=b"x\n", size=100) == [("Z", "Unable to read message. (#4.3.0)\n")]
        results = r.deliver("a\n@h.test", "good@h.test", "b\0@h.test", host="h.test")
        assert [letter for letter, _ in results] == ["D", "K", "D"]
        assert r.deliver("jörg@bücher.test")[0][0] == "K"
    assert [m[2] for m in sink.messages] == [[b"good@h.test"], ["jörg@xn--bcher-kva.test".encode()]]


def test_routes():
    ca = Authority()
    with QmtpSink(tls=ca.context("x.test")) as sink, QmtpSink() as plain:
        with Rspawn(smtproutes=f":qmtps://127.0.0.1:{sink.port}") as r:
            assert r.deliver()[0][0] == "K"
            r.control(smtproutes=f":qmtps://127.0.0.1:{sink.port}?tls=verify")
            letter, text = r.deliver()[0]
            assert letter == "Z" and "TLS failed" in text
            r.control(smtproutes=f":qmtp://127.0.0.1:{free_port()}")
            assert r.deliver() == [NO_CONNECTION]
            r.control(smtproutes=f":127.0.0.1:{free_port()} qmtp://127.0.0.1:{plain.port}")
            assert r.deliver()[0][0] == "K" and len(plain.messages) == 1
            for wrong in ("qmtp://a:b@127.0.0.1", "qmtp://127.0.0.1?tls=must", "qmtps://127.0.0.1?tls=no"):
                r.control(smtproutes=":" + wrong)
                assert "makes no sense" in r.deliver()[0][1]
    ca.close()


def test_command(home):
    with QmtpSink(lambda r: b"4:Dnot," if r.startswith(b"no@") else b"2:Ka,") as sink:
        control(home, smtproutes=f":qmtp://127.0.0.1:{sink.port}")
        assert remote(home, "h.test", "s@a.test", "r@h.test", "no@h.test") == (
            b"r\0h127.0.0.1 failed after I sent the message.\nRemote host said: not\n\0"
            b"K127.0.0.1 accepted message.\nRemote host said: a\n\0")
        with open(f"{home}/message", "w+b") as f:
            f.write(MESSAGE)
            f.seek(0)
            assert b"\0K127" in remote(home, "h.test", "s@a.test", "r@h.test", message=None, stdin=f)
        assert [m[0] for m in sink.messages] == [b"\r" + MESSAGE.replace(b"\n", b"\r\n")] * 2

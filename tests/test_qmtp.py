"""QMTP and QMQP: servers, the QMQP client, machines without a queue."""
import os
import re
import socket
import subprocess
import threading

import pytest

from quilltest import free_port, program, wait_until
from quilltest.smtpd import Smtpd

CLIENT = {"TCPREMOTEIP": "192.0.2.1", "TCPREMOTEHOST": "c.test", "TCPLOCALHOST": "mx.test", "TCPREMOTEINFO": "who"}


def ns(data):
    data = data.encode() if isinstance(data, str) else data
    return b"%d:%b," % (len(data), data)


def qmtp(message, sender, *recipients):
    return ns(message) + ns(sender) + ns(b"".join(ns(r) for r in recipients))


def qmqp(message, sender, *recipients):
    return ns(ns(message) + ns(sender) + b"".join(ns(r) for r in recipients))


def split(replies):
    found = []
    while replies:
        n, _, rest = replies.partition(b":")
        assert rest[int(n):int(n) + 1] == b","
        found.append(rest[:int(n)].decode())
        replies = rest[int(n) + 1:]
    return found


def ok(reply):
    return re.fullmatch(r"Kok \d+ qp \d+", reply)


@pytest.fixture(name="home")
def home_fixture():
    with Smtpd() as s:
        yield s


def talk_qmtp(home, data, environment=None):
    replies, code = home.session(data, {**CLIENT, **(environment or {})}, server="qmail-qmtpd")
    return split(replies), code


def talk_qmqp(home, data, environment=None):
    replies, code = home.session(data, {**CLIENT, **(environment or {})}, server="qmail-qmqpd")
    return split(replies), code


# ---- qmail-qmtpd -----------------------------------------------------------------

def test_qmtp_messages(home):
    replies, code = talk_qmtp(home, qmtp(b"\nSubject: a\n\nx\r\n\0\xff", "s@c.test", "r@ok.test", "t@ok.test") +
                              qmtp(b"\rSubject: b\r\n\r\ny\rz\n", "", "r@ok.test"))
    assert code == 0 and len(replies) == 3 and all(ok(r) for r in replies) and replies[0] == replies[1] != replies[2]
    first, second = sorted(home.recorded(), key=lambda r: r.content)
    assert (first.sender, first.recipients) == (b"s@c.test", [b"r@ok.test", b"t@ok.test"])
    assert first.content == b"Subject: a\n\nx\r\n\0\xff"
    assert re.match(rb"Received: from c\.test \(who@192\.0\.2\.1\)\n  by mx\.test with QMTP; \d+ \w+ \d{4} "
                    rb"\d\d:\d\d:\d\d -0000\nSubject", first.message)
    assert (second.sender, second.recipients, second.content) == (b"", [b"r@ok.test"], b"Subject: b\n\ny\rz\n")


def test_qmtp_recipients(home):
    replies, code = talk_qmtp(home, qmtp("\nx", "s@c.test", "r@ok.test", "r@other.test", b"a\0b@ok.test", "x" * 1000,
                                         "nobody", "y" * 991 + "@ok.test"))
    assert code == 0
    assert ok(replies[0]) and ok(replies[4]) and ok(replies[5])
    assert replies[1] == "Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
    assert replies[2] == replies[3] == "Dsorry, I can't handle that recipient (#5.1.3)"
    assert home.recorded()[0].recipients == [b"r@ok.test", b"nobody", b"y" * 991 + b"@ok.test"]
    # Nobody is left: nothing is queued.
    replies, code = talk_qmtp(home, qmtp("\nx", "s@c.test", "r@other.test") + qmtp("\nx", "s@c.test"))
    assert replies == ["Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"] and code == 0
    assert len(home.recorded()) == 1


def test_qmtp_relaying(home):
    replies, _ = talk_qmtp(home, qmtp("\nx", "s@c.test", "r@other.test", "r"), {"RELAYCLIENT": "@relay.test"})
    assert all(ok(r) for r in replies)
    assert home.recorded()[0].recipients == [b"r@other.test@relay.test", b"r@relay.test"]
    replies, _ = talk_qmtp(home, qmtp("\nx", "s@c.test", "r" * 990), {"RELAYCLIENT": "@relay.test"})
    assert replies == ["Dsorry, I can't handle that recipient (#5.1.3)"]


def test_qmtp_senders_and_sizes(home):
    replies, _ = talk_qmtp(home, qmtp("\nx", "s" * 1000, "r@ok.test", "r@no.test") + qmtp("\nx", b"\0", "r@ok.test") +
                           qmtp("\nx", "s" * 999, "r@ok.test"))
    assert replies[0] == replies[2] == "Dunacceptable sender (#5.1.7)" and ok(replies[3])
    assert replies[1].startswith("Dsorry, that domain")
    home.control(databytes="100")
    big = "Dsorry, that message size exceeds my databytes limit (#5.3.4)"
    replies, _ = talk_qmtp(home, qmtp("\n" + "x" * 100, "s", "r@ok.test") + qmtp("\n" + "x" * 101, "s", "r@ok.test") +
                           qmtp("\r" + "\r\n" * 100, "s", "r@ok.test") + qmtp("\n" + "x" * 300, "s" * 2000, "r@ok.test"))
    assert ok(replies[0]) and ok(replies[2]) and replies[1] == replies[3] == big
    replies, _ = talk_qmtp(home, qmtp("\n" + "x" * 101, "s", "r@ok.test"), {"DATABYTES": "0"})
    assert ok(replies[0])
    assert len(home.recorded()) == 4


def test_qmtp_loops_end(home):
    def hops(n):
        return qmtp("\n" + "Received: x\n" * n + "\n", "s", "r@ok.test")
    replies, _ = talk_qmtp(home, hops(99) + hops(100))
    assert ok(replies[0]) and replies[1] == "Dtoo many hops, this message is looping (#5.4.6)"


def test_qmtp_queue_trouble(home):
    home.exit_with(71)
    assert talk_qmtp(home, qmtp("\nx", "s", "r@ok.test"))[0] == [
        "Zmail server temporarily rejected message (#4.3.0)"]
    home.exit_with(31)
    assert talk_qmtp(home, qmtp("\nx", "s", "r@ok.test"))[0] == [
        "Dmail server permanently rejected message (#5.3.0)"]


@pytest.mark.parametrize("data,code", [
    (b"", 0), (b"0:,", 100), (b"1:x,", 100), (b"x", 100), (b"2000000001:", 111), (b"1:\n,1:s,3:1:r,,", 100),
    (b"1:\n,1:s,13:9:r@ok.test", 0)])
def test_qmtp_protocol_errors(home, data, code):
    assert talk_qmtp(home, data) == ([], code)
    assert home.recorded() == []


def test_qmtp_answers_before_the_next_message(home):
    p = home.spawn(program("qmail-qmtpd"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for _ in range(2):
        p.stdin.write(qmtp("\nx", "s", "r@ok.test"))
        p.stdin.flush()
        assert p.stdout.read(6)[2:] == b":Kok"
        while p.stdout.read(1) != b",":
            pass
    p.stdin.close()
    assert p.wait(30) == 0
    p.stdout.close()


def test_qmtp_without_configuration(home):
    os.unlink(home.home + "/control/me")
    assert talk_qmtp(home, qmtp("\nx", "s", "r")) == ([], 111)


def test_qmtp_a_large_message(home):
    body = os.urandom(3 << 20)
    replies, _ = talk_qmtp(home, qmtp(b"\n" + body, "s", "r@ok.test"))
    assert ok(replies[0]) and home.recorded()[0].content == body


# ---- qmail-qmqpd -----------------------------------------------------------------

def test_qmqp_messages(home):
    replies, code = talk_qmqp(home, qmqp(b"Subject: a\n\nx\r\n", "s@c.test", "r@any.test", "t"))
    assert code == 0 and len(replies) == 1 and ok(replies[0])
    [m] = home.recorded()
    assert (m.sender, m.recipients, m.content) == (b"s@c.test", [b"r@any.test", b"t"], b"Subject: a\n\nx\r\n")
    assert m.message.startswith(b"Received: from c.test (who@192.0.2.1)\n  by mx.test with QMQP; ")
    # One message a connection.
    assert len(talk_qmqp(home, qmqp("x", "s", "r") * 2)[0]) == 1


def test_qmqp_refusals(home):
    unacceptable = ["Dsorry, I can't accept addresses like that (#5.1.3)"]
    assert talk_qmqp(home, qmqp("x", "s" * 1000, "r")) == (unacceptable, 0)
    assert talk_qmqp(home, qmqp("x", "s", "r", b"\0")) == (unacceptable, 0)
    assert talk_qmqp(home, b"") == ([], 0)
    assert talk_qmqp(home, qmqp("x", "s", "r")[:-1]) == ([], 0)
    assert talk_qmqp(home, b"11:1:x,1:s,1:r,,") == ([], 100)
    assert home.recorded() == []
    home.exit_with(71)
    assert talk_qmqp(home, qmqp("x", "s", "r")) == (["Zmail server temporarily rejected message (#4.3.0)"], 0)


# ---- qmail-qmqpc -----------------------------------------------------------------

class Server:
    """Takes QMQP connections: answers with `reply`, or hangs up after reading `limit` bytes."""

    def __init__(self, reply=b"K", limit=None):
        self.reply, self.limit, self.got = reply, limit, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c = self.socket.accept()[0]
            except OSError:
                return
            data = b""
            while self.limit is None or len(data) < self.limit:
                data += c.recv(65536)
                m = re.match(rb"(\d+):", data)
                if m and len(data) >= m.end() + int(m.group(1)) + 1:
                    break
            self.got.append(data)
            if self.limit is None and self.reply:
                c.sendall(ns(self.reply))
            c.close()

    def close(self):
        self.socket.close()


def send(home, message=b"Subject: x\n\nbody\n", envelope=b"Fs@x\0Tr@y\0Tt@z\0\0", servers=None, close=True):
    if servers is not None:
        home.control(qmqpservers="\n".join(servers))
    read_m, write_m = os.pipe()
    read_e, write_e = os.pipe()
    p = home.spawn(program("qmail-qmqpc"), stdin=read_m, stdout=read_e)
    for fd in (read_m, read_e):
        os.close(fd)
    try:
        for fd, data in ((write_m, message), (write_e, envelope)):
            while data:
                data = data[os.write(fd, data):]
            if fd == write_m or close:
                os.close(fd)
    except BrokenPipeError:
        pass
    code = p.wait(90)
    if not close:
        os.close(write_e)
    return code


def closed_port():
    """Nothing listens there."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s, "127.0.0.1:%d" % s.getsockname()[1]


def test_qmqpc_answers(home):
    for reply, code in ((b"Kok 1 qp 2", 0), (b"Zlater", 71), (b"Dnever", 31), (b"xK", 0), (b"", 74), (b"5", 74)):
        server = Server(reply)
        assert send(home, servers=[server.address]) == code, reply
        assert server.got == [qmqp("Subject: x\n\nbody\n", "s@x", "r@y", "t@z")]
        server.close()


def test_qmqpc_falls_over(home):
    good, dead = Server(), Server(limit=10)
    held, deaf = closed_port()
    big = os.urandom(10 << 20)
    assert send(home, big, servers=["# first", deaf, "no.such.name.invalid:x", dead.address, good.address]) == 0
    assert good.got == [qmqp(big, "s@x", "r@y", "t@z")]
    # The first that took it decides.
    later = Server(b"Z")
    assert send(home, servers=[deaf, later.address, good.address]) == 71
    assert len(good.got) == 1
    assert send(home, servers=[later.address[:-1] + "x", deaf]) == 73
    held.close()
    for s in (good, dead, later):
        s.close()


def test_qmqpc_failures(home):
    assert send(home) == 55
    assert send(home, servers=["# none"]) == 55
    server = Server()
    home.control(qmqpservers=server.address)
    assert send(home, envelope=b"Fs\0Fr\0\0") == 91
    assert send(home, envelope=b"Fs\0Tr\0") == 54
    assert send(home, envelope=b"") == 54
    assert server.got == []
    # The writer need not close the envelope.
    assert send(home, close=False) == 0
    server.close()


def test_a_machine_without_a_queue(make_instance, home):
    """qmail-inject, qmail-qmqpc, tcpserver, qmail-qmqpd, and a whole mail system."""
    i = make_instance("joe")
    port = free_port()
    log = open(home.dir + "/tcpserver.log", "wb")
    server = i.spawn(program("tcpserver"), "-RHl0", "127.0.0.1", str(port), program("qmail-qmqpd"), stderr=log)
    try:
        wait_until(lambda: not closed(port), what="tcpserver")
        home.control(qmqpservers=f"127.0.0.1:{port}")
        p = home.spawn("sh", "-c", f"QMAILQUEUE={program('qmail-qmqpc')} exec {program('qmail-inject')} -fs@null.test "
                                   "joe@a.test", stdin=subprocess.PIPE)
        p.communicate(b"Subject: from a null client\n\nhello\n", timeout=60)
        assert p.returncode == 0
        [m] = i.wait_delivered("joe")
        assert b"Subject: from a null client\n" in m and b" with QMQP; " in m and m.startswith(b"Return-Path: <s@null.test>")
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def closed(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return False
    except OSError:
        return True

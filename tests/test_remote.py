"""qmail-remote: arguments, report bytes (contract §11, D.5) and behaviour with servers in bad moods."""
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from quilltest import program
from quilltest.net import free_port
from quilltest.sink import DROP, Sink, Stall

MESSAGE = b"Subject: x\n\nhello\n"


@pytest.fixture(name="home")
def _home():
    path = tempfile.mkdtemp(prefix="remote.", dir="/tmp")
    for name in ("control", "run"):
        os.mkdir(f"{path}/{name}")
    control(path, me="me.test", timeoutremote="5", timeoutconnect="3")
    yield path
    shutil.rmtree(path)


def control(home, **files):
    for name, text in files.items():
        with open(f"{home}/control/{name}", "w", encoding="utf-8") as f:
            f.write(text + "\n")


def route(home, port, address="127.0.0.1"):
    control(home, smtproutes=f":{address}:{port}")


def remote(home, *arguments, message=MESSAGE, **options):
    done = subprocess.run([program("qmail-remote"), *arguments], input=message, stdout=subprocess.PIPE, timeout=60,
                          env={**os.environ, "QMAILHOME": home}, check=True, **options)
    return done.stdout


def send(home, *recipients, message=MESSAGE, sender="s@a.test"):
    return remote(home, "h.test", sender, *(recipients or ["r@h.test"]), message=message)


class Script:
    """Replies line by line from a list, whatever is asked; None closes. Ignores content."""

    def __init__(self, *replies):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.replies, self.received = list(replies), b""
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self._serve()
        except OSError:
            pass  # the client has seen enough

    def _serve(self):
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rwb") as stream:
            content = False
            for reply in self.replies:
                if reply is None:
                    return
                stream.write(reply if isinstance(reply, bytes) else reply.replace("\n", "\r\n").encode() + b"\r\n")
                try:
                    stream.flush()
                except OSError:
                    return
                content = isinstance(reply, str) and reply.startswith("354")
                while True:
                    line = stream.readline()
                    self.received += line
                    if not line or not content or line == b".\r\n":
                        break
            while stream.read(1):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


@pytest.mark.parametrize("replies, report", [
    (["220 hi", "250 me", "250 ok", "250 ok", "354 go", "250 done"],
     b"r\0K127.0.0.1 accepted message.\nRemote host said: 250 done\n\0"),
    (["554 no"], b"ZConnected to 127.0.0.1 but greeting failed.\nRemote host said: 554 no\n\0"),
    (["220 hi", "500 what", "500 no"],
     b"ZConnected to 127.0.0.1 but my name was rejected.\nRemote host said: 500 no\n\0"),
    (["220 hi", "500 what", "250 fine", "250 ok", "250 ok", "354 go", "250 done"],
     b"r\0K127.0.0.1 accepted message.\nRemote host said: 250 done\n\0"),
    (["220 hi", "250 me", "450 later"],
     b"ZConnected to 127.0.0.1 but sender was rejected.\nRemote host said: 450 later\n\0"),
    (["220 hi", "250 me", "550 never"],
     b"DConnected to 127.0.0.1 but sender was rejected.\nRemote host said: 550 never\n\0"),
    (["220 hi", "250 me", "250 ok", "250 ok", "452 no data"],
     b"r\0Z127.0.0.1 failed on DATA command.\nRemote host said: 452 no data\n\0"),
    (["220 hi", "250 me", "250 ok", "250 ok", "354 go", "554 spam"],
     b"r\0D127.0.0.1 failed after I sent the message.\nRemote host said: 554 spam\n\0"),
    (["220 hi", None], b"ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n\0"),
    (["220 hi", "250 me", "250 ok", "250 ok", "354 go", None],
     b"r\0ZConnected to 127.0.0.1 but connection died. Possible duplicate! (#4.4.2)\n\0"),
    (["220 hi", "250 me", "250 ok", "550-no\n550 5.1.1 such user"],
     b"h127.0.0.1 does not like recipient.\nRemote host said: 550-no\n550 5.1.1 such user\n\0DGiving up on 127.0.0.1.\n\0"),
])
def test_report_bytes(home, replies, report):
    with Script(*replies) as server:
        route(home, server.port)
        assert send(home) == report


def test_mixed_recipients(home):
    with Script("220 hi", "250 me", "250 ok", "250 ok", "550 x", "450 y", "354 go", "250-a\n250 b") as server:
        route(home, server.port)
        assert send(home, "a@h.test", "b@h.test", "c@h.test") == (
            b"r\0h127.0.0.1 does not like recipient.\nRemote host said: 550 x\n\0"
            b"s127.0.0.1 does not like recipient.\nRemote host said: 450 y\n\0"
            b"K127.0.0.1 accepted message.\nRemote host said: 250-a\n250 b\n\0")


def test_mixed_recipients_pipelined(home):
    with Sink() as sink:
        sink.on("rcpt", lambda a, s: "550 x" if b"b@" in a else "450 y" if b"c@" in a else None)
        route(home, sink.port)
        assert send(home, "a@h.test", "b@h.test", "c@h.test") == (
            b"r\0h127.0.0.1 does not like recipient.\nRemote host said: 550 x\n\0"
            b"s127.0.0.1 does not like recipient.\nRemote host said: 450 y\n\0"
            b"K127.0.0.1 accepted message.\nRemote host said: 250 2.0.0 kept\n\0")
        assert sink.messages[0].recipients == ["a@h.test"]


@pytest.mark.parametrize("stage, verdict", [("mail", b"DConnected"), ("rcpt", b"h127"), ("dot", b"r\0D127")])
def test_refusals_pipelined(home, stage, verdict):
    with Sink() as sink:
        sink.on(stage, "550 no")
        route(home, sink.port)
        assert send(home).startswith(verdict)


def test_partial_last_line(home):
    for extensions in ((), ("PIPELINING",)):
        with Sink(extensions=extensions) as sink:
            route(home, sink.port)
            assert send(home, message=b"x\n\npartial") == (
                b"r\0DSMTP cannot transfer messages with partial final lines. (#5.6.2)\n\0")
            assert sink.messages == []


def test_improper_calls_and_no_connection(home):
    assert remote(home, "h.test", "s@a.test") == b"DI (qmail-remote) was invoked improperly. (#5.3.5)\n\0"
    route(home, free_port())
    assert send(home) == b"ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n\0"
    os.unlink(f"{home}/control/me")
    assert send(home) == b"ZUnable to read control files. (#4.3.0)\n\0"
    assert remote(home + "/none", "h", "s", "r") == b"ZUnable to switch to home directory. (#4.3.0)\n\0"


def test_no_resolver_is_temporary(home):
    assert send(home) == b"ZSorry, I couldn't find any host by that name. (#4.1.2)\n\0"


@pytest.mark.parametrize("host", ["127.0.0.1", "[127.0.0.1]", "0.0.0.0", "[IPv6:::1]"])
def test_only_myself(home, host):
    assert remote(home, host, "s@a.test", "r@h") == (
        b"DSorry. Although I'm listed as a best-preference MX or A for that host,\n"
        b"it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n\0")


@pytest.mark.parametrize("routes, reached", [
    ("h.test:127.0.0.1:{port}", True), ("H.Test:127.0.0.1:{port}", True), (".test:127.0.0.1:{port}", True),
    (":127.0.0.1:{port}", True), ("h.test:127.0.0.1:{none}\n.test:127.0.0.1:{port}", False),
    ("h.test:[127.0.0.1]:{port}", True), ("other.test:127.0.0.1:{port}", False), ("h.test:127.0.0.1:x", False),
])
def test_routes(home, routes, reached):
    with Sink() as sink:
        control(home, smtproutes=routes.format(port=sink.port, none=free_port()))
        assert (b"accepted message" in send(home)) == reached


def test_route_to_ipv6(home):
    with Sink(host="::1") as sink:
        control(home, smtproutes=f":[::1]:{sink.port}")
        assert send(home).startswith(b"r\0K::1 accepted message.\n")


@pytest.mark.parametrize("address, wire", [
    ('"q q"@h.test', '"\\"q q\\""@h.test'), ("a b@h.test", '"a b"@h.test'), (".c@h.test", '".c"@h.test'), ("", ""),
])
def test_addresses_on_the_wire(home, address, wire):
    with Sink() as sink:
        route(home, sink.port)
        send(home, *([address] if address else ["x@h.test"]), sender=address)
        assert sink.messages[0].sender == wire
        assert sink.messages[0].recipients == [wire or "x@h.test"]


@pytest.mark.parametrize("address", ["a\r\nRCPT TO:<evil@h.test>@h.test", "a@h\r\nDATA", "a\n@h.test", "x@h.test> X",
                                     "\x7f@h.test", "a" * 1100 + "@h.test"])
def test_no_address_becomes_a_command(home, address):
    with Sink() as sink:
        route(home, sink.port)
        assert b"cannot be sent" in send(home, address)
        assert b"cannot be sent" in send(home, sender=address)
        report = send(home, address, "good@h.test")
        assert report.startswith(b"h") and report.endswith(b"kept\n\0")
        assert [m.recipients for m in sink.messages] == [["good@h.test"]]
        assert not any(b"evil" in line for _, line in sink.commands)


@pytest.mark.parametrize("content, received", [
    (b".\n..\n.x\nx.\n", b".\r\n..\r\n.x\r\nx.\r\n"), (b"", b""), (b"\n", b"\r\n"),
    (b"a\r\nb\r\n", b"a\r\nb\r\n"), (b"x\r.\r\nMAIL FROM:<a@corp>\r\n", b"x .\r\nMAIL FROM:<a@corp>\r\n"),
    (b"x\r.\rMAIL FROM:<>\r\n", b"x . MAIL FROM:<>\r\n"), (b"\r\r\n.\r\n", b"\r\n.\r\n"), (b"a\0b\xff\n", b"a\0b\xff\r\n"),
    (b"y" * 100000 + b"\n", b"y" * 100000 + b"\r\n"), (b"." * 70000 + b"\n" + b".\n" * 70000,
                                                      b"." * 70000 + b"\r\n" + b".\r\n" * 70000),
], ids=range(10))
def test_content_on_the_wire(home, content, received):
    for extensions in ((), ("PIPELINING",)):
        with Sink(extensions=extensions) as sink:
            route(home, sink.port)
            assert b"kept" in send(home, message=content)
            assert len(sink.messages) == 1 and sink.messages[0].data == received


def test_server_that_drips_does_not_hold_us(home):
    listener = socket.create_server(("127.0.0.1", 0))

    def drip():
        connection, _ = listener.accept()
        try:
            while True:
                connection.send(b"2")
                time.sleep(1)
        except OSError:
            pass
    threading.Thread(target=drip, daemon=True).start()
    control(home, timeoutremote="3")
    route(home, listener.getsockname()[1])
    start = time.monotonic()
    assert send(home).startswith(b"ZConnected to 127.0.0.1 but ")
    assert time.monotonic() - start < 6
    listener.close()


@pytest.mark.parametrize("greeting", [b"220-x\r\n" * 100000, b"220 hi\r\n250 early\r\n", b"HTTP/1.1 400 no\r\n", b"99 x\r\n",
                                      b"600 x\r\n", b"25\r\n", b"\0\0\0\n", b"220-a\r\n250 b\r\n", b"220" + b"x" * 70000],
                         ids=range(9))
def test_nonsense_is_temporary(home, greeting):
    with Script(greeting, None) as server:
        route(home, server.port)
        assert send(home).startswith(b"ZConnected to 127.0.0.1 but its replies make no sense. (#4.5.0)\n")


@pytest.mark.parametrize("replies", [
    ["220 x", "250 x", "250 x", "354 x"], ["220 x", "250 x", "250 x", "250 x", "250 x"], ["220 x", "250 x", "354 x"],
    ["220 x", "250 x", "250 x", "250 x", "354 x", "354 x"],
])
def test_replies_out_of_step_are_temporary(home, replies):
    with Script(*replies) as server:
        route(home, server.port)
        assert b"ZConnected to 127.0.0.1 but its replies make no sense. (#4.5.0)\n" in send(home)


def test_control_bytes_of_a_reply_are_cleaned(home):
    with Script("220 hi", "250 x", "550 \x1b[2J\0\x07evil\x7f") as server:
        route(home, server.port)
        assert send(home) == b"DConnected to 127.0.0.1 but sender was rejected.\nRemote host said: 550 ?[2J??evil?\n\0"


def test_silence_times_out(home):
    control(home, timeoutremote="1")
    with Sink() as sink:
        sink.on("mail", Stall(8))
        route(home, sink.port)
        start = time.monotonic()
        assert send(home) == b"ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n\0"
        assert time.monotonic() - start < 4


def test_drop_at_each_stage(home):
    for stage in ("connect", "helo", "mail", "rcpt", "data"):
        with Sink() as sink:
            sink.on(stage, DROP)
            route(home, sink.port)
            assert send(home).endswith(b"ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n\0"), stage

"""TLS towards servers, by qmail-rspawn and qmail-remote: where it is offered, where it must be, and what goes wrong."""
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

import pytest

from quilltest import program
from quilltest.certificate import Authority
from quilltest.net import free_port, wait_until
from quilltest.rspawn import Rspawn
from quilltest.sink import DROP, Sink, Stall

MESSAGE = b"Subject: x\n\nhello\n"
ACCEPTED = "127.0.0.1 accepted message.\nRemote host said: 250 2.0.0 kept\n"


@pytest.fixture(scope="module", name="ca")
def _ca():
    authority = Authority()
    yield authority
    authority.close()


def by_rspawn(route, files=None, count=1):
    with Rspawn(smtproutes=route, files=files) as r:
        results = [r.deliver()[0] for _ in range(count)]
    assert all(result == results[0] for result in results)
    return results[0]


def by_remote(route, files=None, count=1):
    home = tempfile.mkdtemp(prefix="remote.", dir="/tmp")
    try:
        for name, text in {"me": "me.test", "timeoutremote": "5", "timeoutconnect": "3", "smtproutes": route,
                           **(files or {})}.items():
            os.makedirs(os.path.dirname(f"{home}/control/{name}"), exist_ok=True)
            with open(f"{home}/control/{name}", "w", encoding="ascii") as f:
                f.write(text + "\n")
        for _ in range(count):
            out = subprocess.run([program("qmail-remote"), "h.test", "s@a.test", "r@h.test"], input=MESSAGE, timeout=60,
                                 stdout=subprocess.PIPE, check=True, env={**os.environ, "QMAILHOME": home}).stdout
        records = out.decode().split("\0")[:-1]
        return records[-1][0], records[-1][1:]
    finally:
        shutil.rmtree(home)


@pytest.fixture(name="send", params=[by_rspawn, by_remote], ids=["rspawn", "remote"])
def _send(request):
    return request.param


def test_tls_where_it_is_offered(ca, send):
    """Also with a certificate that nobody vouches for; what was offered in clear text does not count."""
    context = ca.context("elsewhere.test", self_signed=True)
    with Sink(tls=context, extensions=["SIZE"], hello=["PIPELINING", "8BITMIME", "SIZE"]) as sink:
        assert send(f":127.0.0.1:{sink.port}") == ("K", ACCEPTED)
        assert [m.tls for m in sink.messages] == ["TLSv1.3"]
        words = [line.split(b" ")[0] for _, line in sink.commands]
    assert words[:3] == [b"EHLO", b"STARTTLS", b"EHLO"]
    assert sink.messages[0].data == MESSAGE.replace(b"\n", b"\r\n") or send is by_rspawn


def test_a_large_message(ca):
    content = b"x" * 70 + b"\n"
    with Sink(tls=ca.context("x.test")) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        numbers = [r.request(["r@h.test"], content=content * 50000) for _ in range(3)]
        assert all(r.wait(n) == [("K", ACCEPTED)] for n in numbers)
    assert [m.data for m in sink.messages] == [content.replace(b"\n", b"\r\n") * 50000] * 3


def test_many_messages_in_one_session_and_resumption(ca):
    with Sink(tls=ca.context("x.test")) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        for _ in range(20):
            assert r.deliver() == [("K", ACCEPTED)]
        assert sink.connections == 1 and sink.resumed == 0
        wait_until(lambda: sink.open == 0, 10)
        assert r.deliver() == [("K", ACCEPTED)]
        assert sink.connections == 2 and sink.resumed == 1


@pytest.mark.parametrize("reply", ["454 4.7.0 not now", "501 what", "500 no"])
def test_starttls_refused_goes_on_in_the_session(ca, send, reply):
    with Sink(tls=ca.context("x.test")) as sink:
        sink.on("starttls", reply)
        assert send(f":127.0.0.1:{sink.port}") == ("K", ACCEPTED)
        assert sink.connections == 1 and sink.messages[0].tls is None


class Broken:
    """Says hello, offers STARTTLS, answers 220 to it and then misbehaves; without STARTTLS it takes the message."""

    def __init__(self, mood, go=b"220 go\r\n"):
        self.mood, self.go, self.begun, self.sent, self.content = mood, go, 0, 0, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rwb") as stream:
            def say(text):
                stream.write(text)
                stream.flush()
            try:
                say(b"220 hi\r\n")
                for line in iter(stream.readline, b""):
                    if line.startswith(b"EHLO"):
                        say(b"250-hi\r\n250 STARTTLS\r\n")
                    elif line.startswith(b"STARTTLS"):
                        self.begun += 1
                        say(self.go)
                        self.mood(connection)
                        return
                    elif line.startswith(b"DATA"):
                        say(b"354 go\r\n")
                        self.content = b"".join(iter(stream.readline, b".\r\n"))
                        self.sent += 1
                        say(b"250 2.0.0 kept\r\n")
                    else:
                        say(b"250 ok\r\n")
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def garbage(connection):
    connection.recv(10000)
    connection.sendall(b"500 what is this?\r\n")
    time.sleep(1)


def alert(connection):
    connection.recv(10000)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
    time.sleep(1)


def reset(connection):
    connection.recv(10000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def stall(connection):
    time.sleep(12)


def hang_up(connection):
    connection.recv(10000)


MOODS = [garbage, alert, reset, hang_up, stall]


@pytest.mark.parametrize("mood", MOODS)
def test_broken_handshake_falls_back_to_clear_text(send, mood):
    start = time.monotonic()
    with Broken(mood) as server:
        assert send(f":127.0.0.1:{server.port}") == ("K", ACCEPTED)
        assert server.begun == 1 and server.sent == 1
    assert time.monotonic() - start < 9


def test_broken_tls_is_remembered():
    with Broken(garbage) as server:
        assert by_rspawn(f":127.0.0.1:{server.port}", count=5) == ("K", ACCEPTED)
        assert server.begun == 1 and server.sent == 5


@pytest.mark.parametrize("mood", MOODS)
def test_broken_handshake_defers_where_tls_must_be(send, mood):
    with Broken(mood) as server:
        letter, text = send(f":smtp://127.0.0.1:{server.port}?tls=must")
        assert letter == "Z" and re.fullmatch(r"Connected to 127.0.0.1 but TLS failed: .+ \(#4.7.5\)\n", text)
        assert server.sent == 0


def test_clear_text_after_the_220_is_no_part_of_the_session(send):
    """ST-04, CVE-2021-38371: somebody on the way adds replies before the handshake."""
    with Broken(stall, b"220 go\r\n250-evil\r\n250 PIPELINING\r\n") as server:
        letter, text = send(f":127.0.0.1:{server.port}")
        assert letter == "Z" and text.startswith("Connected to 127.0.0.1 but its replies make no sense. (#4.5.0)\n")
        assert server.sent == 0


@pytest.mark.parametrize("names, options, why", [
    (["127.0.0.1.test", "IP:127.0.0.1"], {}, None),
    (["IP:127.0.0.2"], {}, "IP address mismatch"),
    (["IP:127.0.0.1"], {"expired": True}, "certificate has expired"),
    (["IP:127.0.0.1"], {"self_signed": True}, "self-signed certificate"),
])
def test_certificates_for_named_servers(ca, send, names, options, why):
    """control/tlshosts/NAME.pem names who must vouch for it."""
    with Sink(tls=ca.context(*names, **options)) as sink:
        letter, text = send(f":127.0.0.1:{sink.port}", {"tlshosts/127.0.0.1.pem": ca.pem})
        if why is None:
            assert (letter, text) == ("K", ACCEPTED) and sink.messages[0].tls
        else:
            assert (letter, text) == ("Z", f"Connected to 127.0.0.1 but TLS failed: {why}. (#4.7.5)\n")
            assert not sink.messages


def test_named_server_without_starttls(ca, send):
    with Sink() as sink:
        assert send(f":127.0.0.1:{sink.port}", {"tlshosts/127.0.0.1.pem": ca.pem}) == (
            "Z", "Connected to 127.0.0.1 but TLS is required and it does not offer it. (#4.7.10)\n")
        assert not sink.messages


def test_a_named_server_whose_file_is_broken(ca, send):
    with Sink(tls=ca.context("IP:127.0.0.1")) as sink:
        letter, text = send(f":127.0.0.1:{sink.port}", {"tlshosts/127.0.0.1.pem": "garbage"})
        assert letter == "Z" and "control/tlshosts has no certificate" in text and not sink.messages


@pytest.mark.parametrize("files", [{"notlshosts/127.0.0.1": ""}, {"tlshosts/exhaustivelist": ""}])
def test_servers_without_tls(ca, send, files):
    with Sink(tls=ca.context("x.test")) as sink:
        assert send(f":127.0.0.1:{sink.port}", files)[0] == "K"
        assert sink.messages[0].tls is None


def test_our_certificate_and_ciphers(ca, send):
    context = ca.context("x.test")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca.pem)
    with open(ca.issue("me.test"), encoding="ascii") as f:
        own = f.read()
    seen = []
    with Sink(tls=context) as sink:
        sink.on("mail", lambda a, s: seen.append((s.connection.getpeercert(), s.connection.cipher()[0])))
        files = {"clientcert.pem": own, "tlsclientciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"}
        assert send(f":127.0.0.1:{sink.port}", files) == ("K", ACCEPTED)
        assert seen[0][0]["subjectAltName"] == (("DNS", "me.test"),)
        assert seen[0][1] == "ECDHE-ECDSA-AES128-GCM-SHA256"


def test_old_certificate_stays_in_use_until_the_new_one_is_good(ca):
    with Sink(tls=ca.context("x.test")) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        assert r.deliver() == [("K", ACCEPTED)]
        r.write("clientcert.pem", "garbage")
        wait_until(lambda: "control files" in r.log_text(), 5)
        assert r.deliver() == [("K", ACCEPTED)]
        assert "unable to use the new control files: control/clientcert.pem" in r.log_text()


def test_sessions_are_not_shared_across_policies(ca):
    """A session that was begun without demands does not serve where there are some, also not by resumption."""
    with Sink(tls=ca.context("x.test")) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        assert r.deliver("a@one.test")[0][0] == "K"
        r.control(smtproutes=f"two.test:smtp://127.0.0.1:{sink.port}?tls=must\n"
                             f"three.test:smtp://127.0.0.1:{sink.port}?tls=no\n"
                             f"four.test:smtp://127.0.0.1:{sink.port}?tls=verify\n:127.0.0.1:{sink.port}")
        for domain in ("one", "two", "three", "one", "two", "three"):
            assert r.deliver(f"a@{domain}.test")[0][0] == "K"
        assert r.deliver("a@four.test")[0][0] == "Z"
        assert sink.connections == 5
    assert [m.tls for m in sink.messages] == ["TLSv1.3"] * 3 + [None] + ["TLSv1.3"] * 2 + [None]


def test_tls_from_the_first_byte(ca, send):
    with Sink(tls=ca.context("x.test"), wrapped=True) as sink:
        assert send(f":smtps://127.0.0.1:{sink.port}") == ("K", ACCEPTED)
        assert sink.messages[0].tls and b"STARTTLS" not in [line for _, line in sink.commands]
    with Sink() as sink:
        letter, text = send(f":smtps://127.0.0.1:{sink.port}")
        assert letter == "Z" and "TLS failed" in text


@pytest.mark.parametrize("stage, mood", [("mail", DROP), ("dot", DROP), ("rcpt", "450 later"), ("mail", Stall(20))])
def test_failures_inside_tls(ca, send, stage, mood):
    with Sink(tls=ca.context("x.test")) as sink:
        sink.on(stage, mood)
        letter, text = send(f":127.0.0.1:{sink.port}")
        assert letter in "ZD" and ("Possible duplicate" in text) == (stage == "dot")
        assert sink.connections == 1


def listens(port):
    """Without connecting: it would be the one connection that the server thinks of."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        return any(line.split()[1:4:2] == [f"0100007F:{port:04X}", "0A"] for line in f)


def test_openssl_server(ca, send):
    """Another implementation's idea of TLS 1.2 with an RSA key, and a garbled session."""
    port = free_port()
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet", "-tls1_2",
                               "-cert", ca.issue("x.test")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        wait_until(lambda: listens(port), what="openssl s_server")
        server.stdin.write(b"220 hi\r\n")
        server.stdin.flush()
        threading.Thread(target=lambda: (time.sleep(1), server.stdin.write(b"554 go away\r\n"), server.stdin.flush()),
                         daemon=True).start()
        letter, text = send(f":smtps://127.0.0.1:{port}")
        assert letter == "Z" and "my name was rejected" in text or "554 go away" in text
    finally:
        server.kill()
        server.wait()

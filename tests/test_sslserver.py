"""sslserver and sslclient: TLS around programs that know nothing of it."""
import os
import re
import socket
import ssl
import subprocess

import pytest

from quilltest import program, wait_until
from quilltest.certificate import Authority
from quilltest.smtpd import Smtpd

SHOW = ["sh", "-c", "env; echo; exec cat"]


@pytest.fixture(name="authority", scope="module")
def authority_fixture():
    a = Authority()
    yield a
    a.close()


class Server:
    def __init__(self, path, authority, *arguments, certificate=None, **environment):
        self.log_path = f"{path}/log"
        self.log = open(self.log_path, "wb")
        self.certificate = certificate or authority.issue("mx.test", "IP:127.0.0.1")
        kept = {k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_", "GCOV_"))}
        self.process = subprocess.Popen(
            [program("sslserver"), "-1vRHl0", *arguments[:-1], "127.0.0.1", "0", *arguments[-1]],
            stdout=subprocess.PIPE, stderr=self.log,
            env={"PATH": "/usr/bin:/bin", "CERTFILE": self.certificate, **kept, **environment})
        line = self.process.stdout.readline()
        self.port = int(line) if line else 0
        self.context = ssl.create_default_context(cadata=authority.pem)

    def connect(self, source="127.0.0.1"):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(source, 0))
        return self.context.wrap_socket(s, server_hostname="mx.test")

    def text(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def close(self):
        self.process.terminate()
        code = self.process.wait(30)
        self.process.stdout.close()
        self.log.close()
        return code


@pytest.fixture(name="server")
def server_fixture(tmp_path, authority):
    made = []

    def make(*arguments, **options):
        made.append(Server(tmp_path, authority, *arguments, **options))
        return made[-1]
    yield make
    for s in made:
        s.close()


def read_all(s):
    data = b""
    while more := s.recv(65536):
        data += more
    return data


def until_empty_line(s):
    data = b""
    while b"\n\n" not in data and (more := s.recv(65536)):
        data += more
    head, _, rest = data.partition(b"\n\n")
    return dict(line.split("=", 1) for line in head.decode().splitlines() if "=" in line), rest


def test_environment_and_content(server):
    s = server(SHOW)
    big = os.urandom(1 << 20)
    with s.connect("127.0.0.5") as c:
        e, rest = until_empty_line(c)
        assert e["PROTO"] == "SSL" and e["SSLREMOTEIP"] == e["TCPREMOTEIP"] == "127.0.0.5"
        assert e["SSLLOCALPORT"] == str(s.port) and e["SSL_PROTOCOL"] == "TLSv1.3" and e["SSL_CIPHER"].startswith("TLS_")
        for at in range(0, len(big), 65536):
            c.sendall(big[at:at + 65536])
            while len(rest) < min(at + 65536, len(big)) and (more := c.recv(65536)):
                rest += more
        assert rest == big
    wait_until(lambda: "sslserver: end " in s.text(), what="the end")
    assert re.search(r"sslserver: ok \d+ 0:127\.0\.0\.1:\d+ :127\.0\.0\.5::\d+\n", s.text())
    assert re.search(r"sslserver: ssl \d+ accept TLSv1\.3 TLS_\S+\n", s.text())
    assert re.search(r"sslserver: end \d+ status 0\n", s.text())


def test_without_tcp_variables(server):
    s = server("-E", SHOW, TCPREMOTEIP="old")
    with s.connect() as c:
        e, _ = until_empty_line(c)
    assert "SSLREMOTEIP" in e and not [n for n in e if n.startswith("TCP")]


def test_the_program_ends_first(server):
    s = server(["sh", "-c", "head -c 3000000 /dev/zero; exit 3"])
    with s.connect() as c:
        assert len(read_all(c)) == 3000000
    wait_until(lambda: "status 768" in s.text(), what="the end")
    assert s.close() == 0


def test_the_client_ends_first(server, tmp_path):
    s = server(["sh", "-c", f"cat >{tmp_path}/got; echo over; sleep 0.1; echo >{tmp_path}/done"])
    with s.connect() as c:
        c.sendall(b"x" * 100000)
        try:
            c.unwrap()
        except ssl.SSLError:
            pass  # the program had more to say
    wait_until(lambda: os.path.exists(f"{tmp_path}/done"), what="the program's end")
    assert os.path.getsize(f"{tmp_path}/got") == 100000


def test_whoever_speaks_no_tls(server, tmp_path):
    s = server("-T1", ["sh", "-c", f"echo >{tmp_path}/started"])
    with socket.create_connection(("127.0.0.1", s.port), timeout=30) as c:
        c.sendall(b"EHLO me.example.org\r\n" * 10)
        try:
            read_all(c)
        except ConnectionResetError:
            pass
    wait_until(lambda: "unable to speak TLS" in s.text(), what="the refusal")
    with socket.create_connection(("127.0.0.1", s.port), timeout=30) as c:
        assert c.recv(100) == b""
    wait_until(lambda: "unable to speak TLS: timed out" in s.text(), what="the timeout")
    assert not os.path.exists(f"{tmp_path}/started")
    wait_until(lambda: s.text().count("status: 0/40") == 3, what="the ends")


def test_certificates(tmp_path, authority):
    def fails(**environment):
        p = subprocess.run([program("sslserver"), "127.0.0.1", "0", "true"], capture_output=True, timeout=30,
                           check=False, env={"PATH": "/bin", **environment})
        assert p.returncode == 111 and p.stderr.count(b"\n") == 1
        return p.stderr.decode()
    assert fails(CERTFILE="/no/file") == "sslserver: fatal: unable to read /no/file: file does not exist\n"
    assert "sslserver: fatal: unable to use the certificate" in fails(CERTFILE="/etc/passwd")
    assert "no certificate" in fails(QMAILHOME="/no/home") or "servercert.pem" in fails(QMAILHOME="/no/home")
    pem = open(authority.issue("mx.test"), encoding="ascii").read()
    key, _, chain = pem.partition("-----BEGIN CERTIFICATE")
    (tmp_path / "key").write_text(key, encoding="ascii")
    (tmp_path / "chain").write_text("-----BEGIN CERTIFICATE" + chain, encoding="ascii")
    s = Server(tmp_path, authority, SHOW, certificate=f"{tmp_path}/chain", KEYFILE=f"{tmp_path}/key",
               CIPHERS="ECDHE-ECDSA-AES128-GCM-SHA256")
    s.context.maximum_version = ssl.TLSVersion.TLSv1_2
    with s.connect() as c:
        assert until_empty_line(c)[0]["SSL_CIPHER"] == "ECDHE-ECDSA-AES128-GCM-SHA256"
    s.close()


def test_qmtps(server):
    """QMTP inside TLS: the QMTP server knows nothing of it."""
    with Smtpd() as home:
        os.chmod(home.record, 0o777)
        s = server([program("qmail-qmtpd")], **{k: v for k, v in home.environment.items() if k != "PATH"})
        with s.connect() as c:
            c.sendall(b"2:\nx,1:s,12:9:r@ok.test,,")
            reply = b""
            while not reply.endswith(b",") and (more := c.recv(100)):
                reply += more
        assert re.fullmatch(rb"\d+:Kok \d+ qp \d+,", reply)
        assert home.recorded()[0].recipients == [b"r@ok.test"]

"""sslserver and sslclient: TLS around programs that know nothing of it."""
import os
import re
import socket
import ssl
import subprocess
import sys
import threading

import pytest

from quilltest import program, wait_until
from quilltest.certificate import Authority, openssl
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
    wait_until(lambda: s.text().count("sslserver: end ") == 2, what="the ends")


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


# ---- sslclient -------------------------------------------------------------------

def call(authority, port, *program_and_arguments, host="127.0.0.1", options=("-RHl0",), stdin=b"", wrap=(),
         **environment):
    kept = {k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_", "GCOV_"))}
    p = subprocess.run([*wrap, program("sslclient"), *options, host, str(port), *program_and_arguments], input=stdin,
                       capture_output=True, timeout=60, check=False,
                       env={"PATH": f"{os.path.dirname(program('sslclient'))}:/usr/bin:/bin", **kept,
                            "CAFILE": f"{authority.dir}/ca.pem", **environment})
    return p.returncode, p.stdout, p.stderr.decode()


def test_client(server, authority):
    s = server(["sh", "-c", "echo hello; read x; echo got $x; cat"])
    script = "read x <&6; echo $x $PROTO $SSLREMOTEIP $TCPREMOTEPORT $SSL_PROTOCOL; echo mine >&7; read x <&6; echo $x; exit 9"
    assert call(authority, s.port, "sh", "-c", script) == (
        9, f"hello SSL 127.0.0.1 {s.port} TLSv1.3\ngot mine\n".encode(), "")
    # Much, in both directions.
    big = os.urandom(300000)
    code, out, err = call(authority, s.port, "sh", "-c", "exec 3<&0; (echo x; cat <&3) >&7 & head -c 300012 <&6", stdin=big)
    assert (code, out, err) == (0, b"hello\ngot x\n" + big, "")


def test_client_trusts_only_whom_it_should(server, authority):
    s = server(["sh", "-c", "echo hello"])
    show = ("sh", "-c", "cat <&6")
    assert call(authority, s.port, *show, CERTNAME="mx.test")[:2] == (0, b"hello\n")
    code, out, err = call(authority, s.port, *show, CERTNAME="other.test")
    assert (code, out) == (111, b"") and err.startswith(f"sslclient: fatal: unable to speak TLS with 127.0.0.1 port {s.port}: ")
    other = Authority()
    try:
        assert call(other, s.port, *show)[0] == 111
        assert call(other, s.port, *show, VERIFY="0")[:2] == (0, b"hello\n")
    finally:
        other.close()
    assert call(authority, s.port, *show, CAFILE="/no/file")[2] == (
        "sslclient: fatal: unable to read /no/file: file does not exist\n")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def serve():
            c = listening.accept()[0]
            c.sendall(b"220 not TLS\r\n")
            c.close()
        threading.Thread(target=serve, daemon=True).start()
        assert call(authority, listening.getsockname()[1], *show)[0] == 111


def test_a_maildir_by_qmtps(server, authority, tmp_path):
    with Smtpd() as home:
        os.chmod(home.record, 0o777)
        s = server([program("qmail-qmtpd")], **{k: v for k, v in home.environment.items() if k != "PATH"})
        for d in ("new", "cur", "tmp"):
            os.mkdir(f"{tmp_path}/{d}")
        for i in range(3):
            path = f"{tmp_path}/new/{i}"
            with open(path, "w", encoding="ascii") as f:
                f.write(f"Return-Path: <s@c.test>\nDelivered-To: p-r{i}@ok.test\n\nbody\n")
            os.utime(path, (1000000 + i, 1000000 + i))
        p = subprocess.run([program("maildirserial"), str(tmp_path), "p-", program("sslclient"), "-RHl0", "127.0.0.1",
                            str(s.port), program("serialqmtp"), "p-"], capture_output=True, timeout=60, check=False,
                           env={**home.environment, "CAFILE": f"{authority.dir}/ca.pem"})
        assert p.returncode == 0 and not os.listdir(f"{tmp_path}/new"), p.stderr
        assert sorted(r.recipients[0] for r in home.recorded()) == [b"r0@ok.test", b"r1@ok.test", b"r2@ok.test"]


# ---- certificates of clients, passwords, later TLS -------------------------------

def certify(context, path):
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("variables", [{"CAFILE": "ca.pem"}, {"CCAFILE": "ca.pem"}, {"CADIR": "cas", "CCAFILE": "ca.pem"}])
def test_clients_must_have_certificates(server, authority, variables):
    os.makedirs(f"{authority.dir}/cas", exist_ok=True)
    with open(f"{authority.dir}/cas/one", "w", encoding="ascii") as f:
        f.write(authority.pem)
    s = server("-i", SHOW, **{k: f"{authority.dir}/{v}" for k, v in variables.items()})
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with s.connect() as c:
            assert c.recv(1)  # with TLS 1.3 a client hears of it only now
            raise AssertionError("let in without a certificate")
    wait_until(lambda: "unable to speak TLS: " in s.text(), what="the refusal")
    other = Authority()
    try:
        certify(s.context, other.issue("client.test"))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with s.connect() as c:
                assert c.recv(1)
                raise AssertionError("let in with somebody's certificate")
    finally:
        other.close()
    certify(s.context, authority.issue("client.test"))
    with s.connect() as c:
        assert "SSL_CLIENT_S_DN" not in until_empty_line(c)[0]


def test_variables_of_certificates(server, authority):
    s = server("-si", SHOW, CAFILE=f"{authority.dir}/ca.pem")
    certify(s.context, authority.issue("client.test"))
    with s.connect() as c:
        e, _ = until_empty_line(c)
    assert e["SSL_CLIENT_VERIFY"] == "SUCCESS" and e["SSL_CLIENT_S_DN"] == "/O=test" and e["SSL_CLIENT_S_DN_O"] == "test"
    assert e["SSL_CLIENT_I_DN_O"] == "test authority" and e["SSL_SERVER_S_DN"] == "/O=test"
    assert e["SSL_CLIENT_M_VERSION"] == "3" and int(e["SSL_CLIENT_M_SERIAL"], 16) > 0
    assert e["SSL_CLIENT_V_END"].endswith("GMT") and e["SSL_CLIENT_CERT"] == "-----BEGIN CERTIFICATE-----"
    assert e["SSL_CLIENT_A_KEY"] == "id-ecPublicKey" and e["SSL_CLIENT_A_SIG"] == "ecdsa-with-SHA256"
    assert re.fullmatch("[0-9A-F]*", e["SSL_SESSION_ID"]) and e["SSL_CIPHER_USEKEYSIZE"] == e["SSL_CIPHER_ALGKEYSIZE"] == "256"
    assert (e["SSL_CIPHER_EXPORT"], e["SSL_VERSION_INTERFACE"]) == ("false", "ucspi-ssl")
    assert e["SSL_VERSION_LIBRARY"].startswith("OpenSSL ")


def test_the_names_of_clients(server, authority, tmp_path):
    """-z: the certificate must be for the name that the client's address has."""
    rules = f"{tmp_path}/cdb"
    subprocess.run([program("tcprules"), rules, rules + ".tmp"], check=True, timeout=30,
                   input=b"127.0.0.1:allow,TCPREMOTEHOST=\"localhost\"\n")
    s = server("-z", "-x", rules, SHOW, CAFILE=f"{authority.dir}/ca.pem")
    certify(s.context, authority.issue("elsewhere.test"))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with s.connect() as c:
            assert c.recv(1)
            raise AssertionError("let in under another name")
    certify(s.context, authority.issue("localhost"))
    with s.connect() as c:
        assert until_empty_line(c)[0]["TCPREMOTEHOST"] == "localhost"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with s.connect("127.0.0.2") as c:
            assert c.recv(1)
            raise AssertionError("let in without a name")
    assert "the client has no name to ask for in its certificate" in s.text()


def test_authorities_that_are_not_there(tmp_path, authority):
    def fails(**environment):
        p = subprocess.run([program("sslserver"), "-i", "127.0.0.1", "0", "true"], capture_output=True, timeout=30,
                           check=False, env={"PATH": "/bin", "CERTFILE": authority.issue("mx.test"), **environment})
        assert p.returncode == 111
        return p.stderr.decode()
    assert fails() == "sslserver: fatal: no authorities to ask clients for: set CAFILE, CADIR or CCAFILE\n"
    assert fails(CAFILE="/no/file") == "sslserver: fatal: unable to read /no/file: file does not exist\n"
    assert fails(CADIR="/no/dir") == "sslserver: fatal: unable to read /no/dir: file does not exist\n"
    assert "unable to use the certificates of authorities" in fails(CAFILE="/etc/passwd")


def locked(authority, path, old_form):
    """The PEM file with its key under the password "secret", in today's form or in OpenSSL's own old one."""
    plain = authority.issue("mx.test")
    form = ("ec", "-aes256") if old_form else ("pkcs8", "-topk8")
    openssl(*form, "-in", plain, "-out", f"{path}.key", "-passout", "pass:secret")
    with open(plain, encoding="ascii") as f:
        chain = "-----BEGIN CERTIFICATE" + f.read().partition("-----BEGIN CERTIFICATE")[2]
    with open(f"{path}.key", encoding="ascii") as f, open(path, "w", encoding="ascii") as out:
        out.write(f.read() + chain)
    return path


@pytest.mark.parametrize("old_form", [False, True])
def test_a_key_with_a_password(tmp_path, authority, old_form):
    path = locked(authority, f"{tmp_path}/pem", old_form)

    def start(password):
        read, write = os.pipe()
        os.write(write, password)
        os.close(write)
        on_3 = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])"
        p = subprocess.Popen([sys.executable, "-c", on_3, str(read), program("sslserver"), "-13RHl0", "127.0.0.1", "0",
                              "echo", "hello"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[read],
                             env={"PATH": "/usr/bin:/bin", "CERTFILE": path}, text=True)
        os.close(read)
        return p
    p = start(b"wrong\0")
    out, err = p.communicate(timeout=30)
    assert (p.returncode, out) == (111, "")
    assert err.startswith("sslserver: fatal: unable to open the key with its password: ")
    p = start(b"secret\0and more")
    port = int(p.stdout.readline())
    try:
        assert call(authority, port, "sh", "-c", "cat <&6", CERTNAME="mx.test")[1] == b"hello\n"
    finally:
        p.terminate()
        p.communicate(timeout=30)


def test_later_tls(server, authority):
    """The program begins in the clear, and asks for TLS on the descriptors that it is told of."""
    script = """
        import os
        os.write(1, b"220 clear " + os.environ["PROTO"].encode() + b"\\n")
        assert os.read(0, 100) == b"STARTTLS\\n"
        os.write(1, b"go\\n")
        control, r, w = (int(os.environ["SSL" + n + "FD"]) for n in ("CTL", "READ", "WRITE"))
        os.write(control, b"Y")
        told = b""
        while not told.endswith(b"\\0\\0"):
            more = os.read(control, 10000)
            assert more
            told += more
        assert b"SSL_PROTOCOL=TLSv1.3\\0" in told
        os.dup2(r, 0)
        os.dup2(w, 1)
        os.write(1, b"secret " + os.read(0, 100))
    """
    s = server("-n", ["python3", "-c", "\n".join(line[8:] for line in script.splitlines())])
    with socket.create_connection(("127.0.0.1", s.port), timeout=30) as c:
        assert c.recv(100) == b"220 clear TCP\n"
        c.sendall(b"STARTTLS\n")
        assert c.recv(3) == b"go\n"
        with s.context.wrap_socket(c, server_hostname="mx.test") as t:
            t.sendall(b"word")
            assert read_all(t) == b"secret word"
    with socket.create_connection(("127.0.0.1", s.port), timeout=30) as c:
        assert c.recv(100) == b"220 clear TCP\n"
    wait_until(lambda: s.text().count("sslserver: end ") == 2, what="the ends")


def test_certificate_of_sslclient(server, authority, tmp_path):
    s = server("-si", ["sh", "-c", "echo $SSL_CLIENT_S_DN_O; sleep 0.1"], CAFILE=f"{authority.dir}/ca.pem")
    show = ("sh", "-c", "cat <&6; echo $SSL_SERVER_I_DN_O $TCPREMOTEIP")
    mine = authority.issue("client.test")
    assert call(authority, s.port, *show, options=("-RHl0", "-c", mine))[:2] == (0, b"test\n127.0.0.1\n")
    assert call(authority, s.port, *show, options=("-sERHl0", "-c", mine, "-V5"))[:2] == (0, b"test\ntest authority\n")
    assert b"test\n" not in call(authority, s.port, *show)[1]
    path = locked(authority, f"{tmp_path}/pem", False)
    options = ("-3RHl0", "-c", path, "-k", path + ".key")
    assert call(authority, s.port, "sh", "-c", "cat <&6", options=options, wrap=("sh", "-c", 'printf "secret\\0" | exec "$@" 3<&0',
                                                                               "sh"))[:2] == (0, b"test\n")


def test_whom_sslclient_trusts_by_options(server, authority):
    s = server(["sh", "-c", "echo hello"])
    show = ("sh", "-c", "cat <&6")
    other = Authority()
    try:
        assert call(other, s.port, *show, options=("-RHl0", "-a", f"{authority.dir}/ca.pem"))[0] == 0
        assert call(other, s.port, *show, options=("-XRHl0",))[:2] == (0, b"hello\n")
        assert call(other, s.port, *show, options=("-RHl0", "-A", "/no/dir"))[2] == (
            "sslclient: fatal: unable to read /no/dir: file does not exist\n")
    finally:
        other.close()
    assert call(authority, s.port, *show, CERTNAME="other.test")[0] == 111
    assert call(authority, s.port, *show, options=("-NRHl0",), CERTNAME="other.test")[0] == 0

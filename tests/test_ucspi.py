"""TCP tools: tcpserver and its family. What can be compared is given to Debian's ucspi-tcp as well."""
import os
import re
import select
import socket
import subprocess
import sys
import threading

import pytest

from quilltest import program, wait_until
from quilltest.authority import Authority, nsd_program

# Ours, and the original.
WHOSE = ["ours", "theirs"]
KEPT = {k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_", "GCOV_"))}


def tool(whose, name):
    path = program(name) if whose == "ours" else f"/usr/bin/{name}"
    if not os.path.exists(path):
        pytest.skip(f"{path} is not installed")
    return path


def run(command, stdin=b"", timeout=60, check=None, **environment):
    """(exit code, stdout, stderr)."""
    p = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False,
                       env={"PATH": f"{os.path.dirname(program('tcpserver'))}:/usr/bin:/bin", **KEPT, **environment})
    assert check is None or p.returncode == check, p.stderr
    return p.returncode, p.stdout, p.stderr


# ---- filters ---------------------------------------------------------------------

@pytest.mark.parametrize("whose", WHOSE)
def test_line_ends(whose):
    assert run([tool(whose, "delcr")], b"a\r\r\nb\r") == (0, b"a\r\nb\r", b"")
    assert run([tool(whose, "addcr")], b"\n\r\n") == (0, b"\r\n\r\r\n", b"")
    code, out, _ = run([tool(whose, "fixcrio"), "cat"], b"a\nb\r\n")
    assert (code, out) == (0, b"a\r\nb\r\n")


@pytest.mark.parametrize("whose", WHOSE)
def test_filters_carry_much(whose):
    data = os.urandom(100000) + b"\n\r\n" * 50000
    assert run([tool(whose, "addcr")], data)[1] == data.replace(b"\n", b"\r\n")
    assert run([tool(whose, "delcr")], data)[1] == data.replace(b"\r\n", b"\n")
    # A program that answers more than it was asked, and faster than it is read.
    echo = ["sh", "-c", "tee /dev/null | cat - /dev/null"]
    assert run([tool(whose, "recordio"), *echo], data)[1] == data


def test_recordio_keeps_no_descriptor_of_the_program():
    """Whoever waits for the end of a pipe that the program was given sees it, wherever the descriptor stood."""
    for number in range(3, 8):
        reader, writer = os.pipe()
        script = f'exec {number}>&{writer}; [ {writer} = {number} ] || exec {writer}>&-; exec "$@"'
        p = subprocess.Popen(["bash", "-c", script, "-", program("recordio"), "sh", "-c", f"exec {number}>&-; echo; cat"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             pass_fds=(writer,))
        os.close(writer)
        p.stdout.readline()
        with open(reader, "rb") as f:
            assert select.select([f], [], [], 20)[0] and f.read() == b"", number
        p.communicate()


@pytest.mark.parametrize("whose", WHOSE)
def test_recordio(whose):
    code, out, err = run([tool(whose, "recordio"), "sh", "-c", "echo $$; exec cat"], b"ab\ncd")
    pid = out.split(b"\n")[0].decode()
    shown = sorted(err.decode().splitlines(), key=lambda line: line.split()[1])
    assert shown == [f"{pid} < ab ", f"{pid} < cd+", f"{pid} < [EOF]",
                     f"{pid} > {pid} ", f"{pid} > ab ", f"{pid} > cd+", f"{pid} > [EOF]"]
    assert (code, out) == (0, f"{pid}\nab\ncd".encode())
    assert run([tool(whose, "recordio"), "sh", "-c", "exit 7"])[0] == 7
    long = run([tool(whose, "recordio"), "sh", "-c", "cat >/dev/null"], b"x" * 600 + b"\n")[2].decode()
    assert re.sub(r"\d+ ", "", long).splitlines()[:3] == ["< " + "x" * 256 + "+", "< " + "x" * 256 + "+",
                                                          "< " + "x" * 88 + " "]


@pytest.mark.parametrize("whose", WHOSE)
def test_argv0(whose):
    assert run([tool(whose, "argv0"), "sh", "-name", "-c", "echo $0"], check=0)[1] == b"-name\n"
    assert run([tool(whose, "argv0"), "no-such", "x"]) == (
        111, b"", b"argv0: fatal: unable to run no-such: file does not exist\n")
    assert run([tool(whose, "argv0"), "/etc/passwd", "x"]) == (
        111, b"", b"argv0: fatal: unable to run /etc/passwd: access denied\n")


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("name,usage", [
    ("argv0", "realname program [ arg ... ]"), ("recordio", "program [ arg ... ]"), ("fixcrio", "program [ arg ... ]")])
def test_usage(whose, name, usage):
    assert run([tool(whose, name)]) == (100, b"", f"{name}: usage: {name} {usage}\n".encode())


@pytest.mark.parametrize("line", [
    "tcpserver", "tcpserver 0", "tcpserver 0 no-such-port", "tcpserver 0 0", "tcpserver -q", "tcpserver -q 0 no-such-port",
    "tcpserver -q -z", "tcpserver -c", "tcpserver -v 0 0", "tcpclient", "tcpclient 0 no-such-port", "tcpclient 0 1",
    "tcpclient -q 0 1", "tcpclient -q -z", "tcpclient -i x 0 1 true", "rblsmtpd", "rblsmtpd -z", "rblsmtpd -r",
    "rblsmtpd -R true"])
def test_wrong_calls(line):
    name, *arguments = line.split()
    ours, theirs = (run([tool(whose, name), *arguments]) for whose in WHOSE)
    assert ours == theirs


# ---- rules -----------------------------------------------------------------------

RULES = b"""# a comment
127.0.0.5:deny
127.0.0.6:allow,RELAYCLIENT="",TCPREMOTEHOST=/renamed/,EMPTY=xx
no colon here
10.254-300:deny
10.5-3:deny
10.-.1:deny
u-1@1.2-3:deny
=h-1-2:deny
10.1:deny,A=/x/,B=,y,
10.1-2.3-4:deny
127.:allow,WHERE="loop"
@127.0.0.7:deny
joe@127.0.0.8:deny
:allow,WHERE="elsewhere"
:deny
"""


@pytest.mark.parametrize("text", [b"", b":deny\n", b":deny", RULES], ids=["none", "one", "cut", "many"])
def test_tcprules_writes_the_same_bytes(tmp_path, text):
    for whose in WHOSE:
        assert run([tool(whose, "tcprules"), f"{tmp_path}/{whose}", f"{tmp_path}/tmp"], text)[:2] == (0, b"")
    ours, theirs = ((tmp_path / w).read_bytes() for w in WHOSE)
    assert ours == theirs
    if text == b":deny":
        assert len(ours) == 2074 and ours[2048:2058] == b"\0\0\0\0\2\0\0\0D\0"
    assert not (tmp_path / "tmp").exists()


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("mask,mode", [("0", 0o644), ("027", 0o640)])
def test_mode_of_rules(whose, mask, mode, tmp_path):
    run(["sh", "-c", f"umask {mask}; exec {tool(whose, 'tcprules')} {tmp_path}/cdb {tmp_path}/tmp"], b":deny\n", check=0)
    assert (tmp_path / "cdb").stat().st_mode & 0o777 == mode


def test_tcprules_writes_the_same_bytes_of_many_rules(tmp_path):
    text = b"".join(b'%d.%d.%d:%s\n' % (i % 251, i % 241, i % 239, [b"deny", b"allow", b'allow,A="x"'][i % 3])
                    for i in range(20000))
    for whose in WHOSE:
        run([tool(whose, "tcprules"), f"{tmp_path}/{whose}", f"{tmp_path}/tmp"], text, check=0)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("line", ["10.1:allow,A=", "10.1: deny", "10.1:deny # c", '10.1:allow,"x"', "1.x-2:deny"])
def test_tcprules_refuses(whose, line, tmp_path):
    (tmp_path / "cdb").write_bytes(b"as before")
    assert run([tool(whose, "tcprules"), f"{tmp_path}/cdb", f"{tmp_path}/tmp"], f":deny\n{line}\n:deny\n".encode()) == (
        100, b"", f"tcprules: fatal: unable to parse this line: {line}\n".encode())
    assert (tmp_path / "cdb").read_bytes() == b"as before"


def test_tcprules_trouble(tmp_path):
    assert run([program("tcprules"), "/no/cdb", "/no/tmp"]) == (
        111, b"", b"tcprules: fatal: unable to create /no/tmp: file does not exist\n")
    code, _, err = run([program("tcprules"), f"{tmp_path}/cdb", f"{tmp_path}/tmp"], b"1.2.3.4\n :x:deny\n")
    assert code == 100 and err.startswith(b"tcprules: warning: line 1 has no colon and does nothing: 1.2.3.4\n")
    assert run([program("tcprules"), "x"])[0] == 100


CHECKS = [{}, {"TCPREMOTEIP": "127.0.0.5"}, {"TCPREMOTEIP": "127.0.0.6"}, {"TCPREMOTEIP": "127.9.9.9"},
          {"TCPREMOTEIP": "10.255"}, {"TCPREMOTEIP": "10.1", "TCPREMOTEHOST": "h-1-2"},
          {"TCPREMOTEIP": "9.9.9.9", "TCPREMOTEHOST": "h-1-2"}, {"TCPREMOTEIP": "127.0.0.7", "TCPREMOTEINFO": ""},
          {"TCPREMOTEIP": "127.0.0.8", "TCPREMOTEINFO": "joe"}, {"TCPREMOTEIP": "127.0.0.8"}, {"TCPREMOTEIP": ""}]


@pytest.mark.parametrize("rules", [RULES, RULES.replace(b":allow,WHERE=\"elsewhere\"\n:deny\n", b"")])
def test_tcprulescheck_reads_what_either_tcprules_wrote(tmp_path, rules):
    for whose in WHOSE:
        run([tool(whose, "tcprules"), f"{tmp_path}/{whose}", f"{tmp_path}/tmp"], rules, check=0)
    for variables in CHECKS:
        said = [run([tool(w, "tcprulescheck"), f"{tmp_path}/{o}"], **variables) for w in WHOSE for o in WHOSE]
        assert said[0][0] == 0 and all(s == said[0] for s in said), said
    assert [run([tool(w, "tcprulescheck"), "/no/cdb"]) for w in WHOSE] == [
        (111, b"", b"tcprulescheck: fatal: unable to read /no/cdb: file does not exist\n")] * 2


def test_rules_for_address_blocks(tmp_path):
    run([program("tcprules"), f"{tmp_path}/cdb", f"{tmp_path}/tmp"], b"""10.0.0.0/8:allow,A="8"
10.64.0.0/10:allow,A="10"
10.64.1.:allow,A="dots"
2001:DB8::/32:allow,A="v6"
2001:db8:0:0::5:deny
2001:db9::allow,A="groups"
:deny
""", check=0)
    for ip, rule in [("10.1.1.1", "10.0.0.0/8"), ("10.65.1.1", "10.64.0.0/10"), ("10.64.1.1", "10.64.1."),
                     ("2001:db8::1", "2001:db8::/32"), ("2001:db8::5", "2001:db8::5"), ("2001:db9:1::", "2001:db9::/32"),
                     ("11.1.1.1", ""), ("2001:dba::", "")]:
        out = run([program("tcprulescheck"), f"{tmp_path}/cdb"], check=0, TCPREMOTEIP=ip)[1].decode()
        assert out.startswith(f"rule {rule}:\n"), (ip, out)


# ---- tcpserver and tcpclient -----------------------------------------------------

class Server:
    """tcpserver on a port of the kernel's choice; its log without process ids and ports."""

    def __init__(self, whose, path, *arguments, host="127.0.0.1", port="0", **environment):
        self.log_path = f"{path}/{whose}.log"
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen([tool(whose, "tcpserver"), "-1", *arguments[:-1], host, port, *arguments[-1]],
                                        stdout=subprocess.PIPE, stderr=self.log,
                                        env={"PATH": "/usr/bin:/bin", **KEPT, **environment})
        line = self.process.stdout.readline()
        self.port = int(line) if line else 0
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET

    def connect(self, source="127.0.0.1", to="127.0.0.1"):
        s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET)
        s.settimeout(30)
        s.bind((source, 0))
        s.connect((to, self.port))
        return s

    def ask(self, source="127.0.0.1", data=b"", to="127.0.0.1"):
        """Everything that comes after data was sent."""
        with self.connect(source, to) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            return read_all(s)

    def lines(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read().splitlines()

    def plain(self):
        """The log with numbers that differ from run to run replaced."""
        pids = {}
        out = []
        for line in self.lines():
            for m in re.finditer(r"(?:pid|ok|deny|end) (\d+)", line):
                pids.setdefault(m.group(1), f"PID{len(pids)}")
            line = re.sub(r"\b(pid|ok|deny|end) (\d+)", lambda m: f"{m.group(1)} {pids[m.group(2)]}", line)
            out.append(re.sub(r":\d{4,5}\b", ":PORT", line))
        return out

    def wait_log(self, pattern, count=1):
        return wait_until(lambda: (m := [x for x in self.lines() if re.search(pattern, x)]) if
                          len([x for x in self.lines() if re.search(pattern, x)]) >= count else None, what=pattern)

    def close(self):
        self.process.terminate()
        code = self.process.wait(30)
        self.process.stdout.close()
        self.log.close()
        return code


def read_all(s):
    data = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


@pytest.fixture(name="server")
def server_fixture(tmp_path):
    made = []

    def make(whose, *arguments, **options):
        made.append(Server(whose, tmp_path, *arguments, **options))
        return made[-1]
    yield make
    for s in made:
        if s.process.poll() is None:
            s.close()


def compile_rules(path, text, whose="ours"):
    run([tool(whose, "tcprules"), f"{path}/rules.cdb", f"{path}/rules.tmp"], text, check=0)
    return f"{path}/rules.cdb"


def environment_of(out):
    return dict(line.split("=", 1) for line in out.decode().splitlines() if line.startswith(("TCP", "PROTO", "X")))


SHOW = ["sh", "-c", "env"]


@pytest.mark.parametrize("whose", WHOSE)
def test_environment(whose, server, tmp_path):
    inherited = {"TCPREMOTEINFO": "old", "TCPREMOTEHOST": "old", "TCP6REMOTEIP": "old", "TCPLOCALHOST": "old"}
    s = server(whose, "-RHl", "name", SHOW, **inherited)
    with s.connect("127.0.0.9") as c:
        port = c.getsockname()[1]
        e = environment_of(read_all(c))
    if whose == "theirs":
        del e["TCP6REMOTEIP"]  # not known there
    assert e == {"PROTO": "TCP", "TCPLOCALIP": "127.0.0.1", "TCPLOCALPORT": str(s.port), "TCPLOCALHOST": "name",
                 "TCPREMOTEIP": "127.0.0.9", "TCPREMOTEPORT": str(port)}
    code, out, _ = run([tool(whose, "tcpclient"), "-RHl", "me", "127.0.0.1", str(s.port), *SHOW], **inherited)
    e = environment_of(out)
    assert (code, e["PROTO"], e["TCPLOCALHOST"], e["TCPREMOTEPORT"]) == (0, "TCP", "me", str(s.port))
    assert "TCPREMOTEHOST" not in e and "TCPREMOTEINFO" not in e
    assert s.close() == 0


def test_logs_are_the_same(server, tmp_path):
    rules = compile_rules(tmp_path, b"127.0.0.5:deny\n")
    logs = []
    for whose in WHOSE:
        s = server(whose, "-v", "-RHl", "a b%", "-c5", "-x", rules, ["sh", "-c", "read x; eval $x"])
        for i, data in enumerate((b"exit 3\n", b"kill -9 $$\n", b"\n", None)):
            s.ask("127.0.0.1" if data else "127.0.0.5", data or b"")
            s.wait_log("status: 0/5", i + 2)
        logs.append(s.plain())
    assert logs[0] == logs[1]
    assert "tcpserver: ok PID0 a?b?:127.0.0.1:PORT :127.0.0.1::PORT" in logs[0]
    assert [x for x in logs[0] if " end " in x] == [f"tcpserver: end PID{i} status {w}"
                                                    for i, w in enumerate((768, 9, 0, 25600))]


@pytest.mark.parametrize("whose", WHOSE)
def test_rules_of_a_server(whose, server, tmp_path):
    for other in WHOSE:
        rules = compile_rules(tmp_path, RULES, other)
        s = server(whose, "-RHl0", "-Bhello\n", "-x", rules, SHOW)
        # The banner is sent to everybody.
        assert s.ask("127.0.0.5") == b"hello\n"
        out = s.ask("127.0.0.6")
        assert out.startswith(b"hello\n") and b"\nRELAYCLIENT=\n" in out and b"TCPREMOTEHOST=renamed\n" in out
        assert b"WHERE=" not in out
        assert b"WHERE=loop\n" in s.ask("127.0.0.10")
        # A new file counts for the next connection.
        compile_rules(tmp_path, b"127.0.0.10:deny\n", other)
        assert s.ask("127.0.0.10") == b"hello\n"
        assert b"PROTO=TCP" in s.ask("127.0.0.5")
        s.close()


@pytest.mark.parametrize("whose", WHOSE)
def test_rules_that_cannot_be_read(whose, server, tmp_path):
    missing = f"{tmp_path}/missing"
    s = server(whose, "-vRHl0", "-x", missing, SHOW)
    assert s.ask() == b""
    s.wait_log("end .* 28416")
    assert f"tcpserver: warning: dropping connection, unable to read {missing}: file does not exist" in s.lines()
    s.close()
    s = server(whose, "-vRHl0", "-X", "-x", missing, SHOW)
    assert b"PROTO=TCP" in s.ask()
    os.mkdir(missing)
    assert s.ask() == b""
    s.close()
    s = server(whose, "-RHl0", "-x", "/etc/passwd", SHOW)
    assert s.ask() == b""
    s.wait_log("tcpserver: warning: dropping connection, unable to read /etc/passwd: protocol error")
    s.close()


@pytest.mark.parametrize("whose", WHOSE)
def test_limit(whose, server):
    s = server(whose, "-vRHc1", "-l0", ["sh", "-c", "echo $$; read x"])
    with s.connect() as first, s.connect() as second:
        assert first.recv(100)
        second.settimeout(0.3)
        with pytest.raises(TimeoutError):
            second.recv(100)
        first.sendall(b"\n")
        second.settimeout(30)
        assert second.recv(100)
        # TERM ends the server at once, and leaves its children alone.
        assert s.close() == 0
        second.sendall(b"\n")
        assert second.recv(100) == b""


def test_limit_of_a_client(server, tmp_path):
    rules = compile_rules(tmp_path, b"127.0.0.8:allow,MAXCONNIP=\"1\"\n127.0.0.9:allow,MAXCONNIP=\"0\"\n")
    s = server("ours", "-vRHC2", "-l0", "-x", rules, ["sh", "-c", "echo $$; read x"])
    for source, most in (("127.0.0.7", 2), ("127.0.0.8", 1), ("127.0.0.9", 4)):
        held = [s.connect(source) for _ in range(most)]
        assert all(c.recv(100) for c in held)
        if most < 4:
            assert s.ask(source) == b""
            s.wait_log(rf" deny .*:{source}:")
        # Another has left: there is room again.
        held.pop().close()
        s.wait_log("end .*", 1)
        wait_until(lambda source=source: s.ask(source), what="room")
        for c in held:
            c.close()


def test_limit_of_a_network(server, tmp_path):
    rules = compile_rules(tmp_path, b"127.0.1.:allow,MAXCONNC=\"2\"\n127.0.2.:allow,MAXPERIP=\"1\"\n")
    s = server("ours", "-vRH", "-l0", "-x", rules, ["sh", "-c", "echo $$; read x"])
    held = [s.connect(source) for source in ("127.0.1.7", "127.0.1.8", "127.0.2.7", "127.0.2.8", "127.0.0.9")]
    assert all(c.recv(100) for c in held)
    for source in ("127.0.1.9", "127.0.2.7"):
        assert s.ask(source) == b""
        s.wait_log(rf" deny .*:{source}:")
    held.pop(0).close()
    wait_until(lambda: s.ask("127.0.1.9"), what="room")
    for c in held:
        c.close()


@pytest.mark.parametrize("whose", WHOSE)
def test_a_program_that_cannot_be_run(whose, server):
    s = server(whose, "-vRHl0", ["/no/program"])
    assert s.ask() == b""
    s.wait_log("end .* 28416")
    assert "tcpserver: warning: dropping connection, unable to run /no/program: file does not exist" in s.lines()


@pytest.mark.parametrize("whose", WHOSE)
def test_failing_to_start(whose, server):
    taken = server(whose, "-RHl0", ["true"])
    prog = tool(whose, "tcpserver")
    assert run([prog, "-RH", "127.0.0.1", str(taken.port), "true"]) == (
        111, b"", b"tcpserver: fatal: unable to bind: address already used\n")
    assert run([prog, "127.0.0.1", "no-such-port", "true"]) == (
        111, b"", b"tcpserver: fatal: unable to figure out port number for no-such-port\n")
    assert run([prog, "192.0.2.1", "0", "true"]) == (
        111, b"", b"tcpserver: fatal: unable to bind: address not available\n")
    assert run([prog, "-q", "192.0.2.1", "0", "true"]) == (111, b"", b"")
    code, out, err = run([prog, "-Y", "0", "0", "true"])
    assert (code, out) == (100, b"") and err.startswith(
        b"tcpserver: illegal option -- Y\ntcpserver: usage: tcpserver [ -1UXpPhHrRoOdDqQv")
    code, _, err = run([prog, "-c"])
    assert code == 100 and err.startswith(b"tcpserver: option requires an argument -- c\n")
    assert run([prog, "0", "0"])[0] == 100
    assert run([prog, "-q", "0", "0"]) == (100, b"", b"")


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_becoming_somebody(whose, server):
    ids = ["sh", "-c", "id -u; id -g; id -G"]
    s = server(whose, "-RHl0", "-u", "4711", "-g4712", ids)
    assert s.ask() == b"4711\n4712\n4712\n"
    s.close()
    s = server(whose, "-RHUl0", ids, UID="4713", GID="4714")
    assert s.ask() == b"4713\n4714\n4714\n"


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.skipif(os.getuid() != 0, reason="needs port 113")
def test_ident(whose, server, tmp_path):
    said = []

    def serve(listening, replies):
        for reply in replies:
            c = listening.accept()[0]
            said.append(c.recv(100))
            c.sendall(reply)
            c.close()
    rules = compile_rules(tmp_path, b"@127.0.0.33:allow,WHO=\"nobody\"\njoe@127.0.0.33:allow,WHO=\"joe\"\n")
    s = server(whose, "-vHl0", "-x", rules, SHOW)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.33", 113))
        listening.listen(5)
        replies = [b"%d , %d : USERID : UNIX : j o\te\r\nrest", b"1 , 2 : ERROR : NO-USER\r\n", b"1,2:USERID:UNIX:cut"]
        thread = threading.Thread(target=serve, args=(listening, replies), daemon=True)
        thread.start()
        out = s.ask("127.0.0.33")
        assert b"TCPREMOTEINFO=joe\n" in out and b"WHO=joe\n" in out
        assert re.fullmatch(rb"\d+ , %d\r\n" % s.port, said[0])
        out = s.ask("127.0.0.33")
        assert b"TCPREMOTEINFO=\n" in out and b"WHO=nobody\n" in out
        out = s.ask("127.0.0.33")
        assert b"TCPREMOTEINFO=" not in out and b"WHO=" not in out
        thread.join(30)
    assert b"TCPREMOTEINFO=" not in s.ask("127.0.0.33")
    assert [x.split(":")[-2] for x in s.lines() if " ok " in x] == ["joe", "", "", ""]


@pytest.mark.parametrize("whose", WHOSE)
def test_tcpclient(whose, server, tmp_path):
    client = tool(whose, "tcpclient")
    s = server(whose, "-RHl0", ["cat"])
    port = str(s.port)
    command = ["sh", "-c", "echo hello >&7; read x <&6; echo got $x; exit 9"]
    assert run([client, "-RHl0", "", port, *command]) == (9, b"got hello\n", b"")
    assert run([client, "-vRHl0", "-i", "127.0.0.77", "0", port, "sh", "-c", "echo $TCPLOCALIP"]) == (
        0, b"127.0.0.77\n", f"tcpclient: connected to 127.0.0.1 port {port}\n".encode())
    assert run([client, "-RHl0", "[127.0.0.1]", port, "/no/program"]) == (
        111, b"", b"tcpclient: fatal: unable to run /no/program: file does not exist\n")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        closed = str(deaf.getsockname()[1])
        refused = f"tcpclient: unable to connect to 127.0.0.1 port {closed}: connection refused\n".encode()
        assert run([client, "-RHl0", "0", closed, "true"]) == (111, b"", refused)
        assert run([client, "-qRHl0", "0", closed, "true"]) == (111, b"", b"")
    assert run([client, "-RHl0", "0", "no-such-port", "true"]) == (
        111, b"", b"tcpclient: fatal: unable to figure out port number for no-such-port\n")
    assert run([client, "-i", "1.2.3", "0", port, "true"])[0] == 100
    assert run([client, "-i", "192.0.2.1", "0", port, "true"]) == (
        111, b"", b"tcpclient: fatal: unable to bind socket: address not available\n")


def test_tcpclient_gives_up_in_time():
    """A listener whose queue is full lets connections hang."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        fill = [socket.socket() for _ in range(4)]
        for f in fill:
            f.setblocking(False)
            f.connect_ex(("127.0.0.1", port))
        try:
            assert run([program("tcpclient"), "-RHT0+1", "-l0", "0", str(port), "true"]) == (
                111, b"", f"tcpclient: unable to connect to 127.0.0.1 port {port}: timed out\n".encode())
        finally:
            for f in fill:
                f.close()


def test_ipv6(server, tmp_path):
    rules = compile_rules(tmp_path, b"::1:allow,WHERE=\"six\"\n127.0.0.0/8:allow,WHERE=\"four\"\n:deny\n")
    s = server("ours", "-vRHl0", "-x", rules, SHOW, host="::1")
    e = environment_of(s.ask("::1", to="::1"))
    assert (e["PROTO"], e["TCPREMOTEIP"], e["TCP6REMOTEIP"], e["TCP6LOCALPORT"]) == ("TCP6", "::1", "::1", str(s.port))
    out = run([program("tcpclient"), "-RHl0", "[::1]", str(s.port), "sh", "-c", "cat <&6; echo $TCPREMOTEIP"], check=0)[1]
    assert b"WHERE=six\n" in out and out.endswith(b"\n::1\n")
    assert run([program("tcpclient"), "-6RHl0", "0", str(s.port), "sh", "-c", "cat <&6"], check=0)[1]
    assert "tcpserver: ok" in s.wait_log(" ok ")[0] and ":::1::" in s.wait_log(" ok ")[0]
    s.close()
    # One socket for both.
    s = server("ours", "-vRHl0", "-x", rules, SHOW, host=":0")
    e = environment_of(s.ask())
    assert (e["PROTO"], e["TCPREMOTEIP"]) == ("TCP", "127.0.0.1") and "TCP6REMOTEIP" not in e
    assert environment_of(s.ask("::1", to="::1"))["PROTO"] == "TCP6"


def test_connections_through_a_proxy(server, tmp_path):
    rules = compile_rules(tmp_path, b"192.0.2.1:deny\n192.0.2.2:allow,WHO=\"two\"\n2001:db8::/32:allow,WHO=\"six\"\n"
                                    b"127.:allow,WHO=\"direct\"\n")
    s = server("ours", "-vRHl0", "-B", "hi\n", "-Z", "127.0.0.9,127.1.0.0/16", "-x", rules,
               ["sh", "-c", "env; echo; exec cat"])

    def through(header, source="127.0.0.9"):
        return s.ask(source, header + b"more")
    out = through(b"PROXY TCP4 192.0.2.2 192.0.2.9 1234 25\r\n", "127.1.2.3")
    assert out.startswith(b"hi\n") and out.endswith(b"\n\nmore")
    e = environment_of(out)
    assert (e["TCPREMOTEIP"], e["TCPREMOTEPORT"], e["TCPLOCALIP"], e["TCPLOCALPORT"]) == (
        "192.0.2.2", "1234", "192.0.2.9", "25")
    assert b"WHO=two\n" in out
    assert through(b"PROXY TCP4 192.0.2.1 192.0.2.9 1234 25\r\n") == b"hi\n"
    out = through(b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" + socket.inet_pton(socket.AF_INET6, "2001:db8::7") +
                  socket.inet_pton(socket.AF_INET6, "::1") + b"\0\1\0\2")
    assert b"WHO=six\n" in out and environment_of(out)["TCP6REMOTEIP"] == "2001:db8::7" and out.endswith(b"\n\nmore")
    # The proxy itself, and whoever is none.
    assert b"WHO=direct\n" in through(b"PROXY UNKNOWN\r\n")
    out = through(b"PROXY TCP4 192.0.2.2 192.0.2.9 1234 25\r\n", "127.0.0.10")
    assert b"WHO=direct\n" in out and b"\n\nPROXY TCP4 192.0.2.2" in out
    assert through(b"EHLO client.example\r\n") == b""
    s.wait_log("tcpserver: warning: dropping connection, no PROXY header from 127.0.0.9")
    assert any(re.search(r"pid \d+ from 192.0.2.2$", line) for line in s.lines())
    assert run([program("tcpserver"), "-Z", "10.0.0.0/8,x", "0", "0", "true"]) == (
        111, b"", b"tcpserver: fatal: option -Z: x is neither an IP address nor a block such as 10.0.0.0/8\n")


# ---- names -----------------------------------------------------------------------

ZONES = {
    "names.test": """one A 127.0.0.1
two A 127.0.0.1
two A 127.0.0.2
six AAAA ::1
both AAAA ::1
both A 127.0.0.1
honest A 127.0.0.41
other A 127.0.0.99
""",
    "in-addr.arpa": """1.0.0.127 PTR me.names.test.
41.0.0.127 PTR honest.names.test.
42.0.0.127 PTR liar.names.test.
""",
    "ip6.arpa": "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR six.names.test.\n",
    "list.test": """2.0.0.127 TXT "listed: " "see http://list.test/"
2.0.0.127 A 127.0.0.2
3.0.0.127 A 127.0.0.2
9.0.0.127 TXT "Error: you may not ask"
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 TXT "six"
""",
    "more.test": '2.0.0.127 TXT "also here"\n4.0.0.127 TXT "only here"\n',
}


@pytest.fixture(name="dns", scope="module")
def dns_fixture():
    if nsd_program() is None:
        pytest.skip("NSD is not installed")
    authority = Authority(ZONES)
    yield f"127.0.0.1@{authority.port}"
    authority.close()


def test_names_of_connections(dns, server, tmp_path):
    rules = compile_rules(tmp_path, b"=honest.names.test:allow,WHO=\"honest\"\n=.names.test:allow,WHO=\"some\"\n"
                                    b"=:allow,WHO=\"named\"\n:allow,WHO=\"unnamed\"\n")
    s = server("ours", "-vR", "-x", rules, SHOW, DNSCACHEIP=dns)
    e = s.ask("127.0.0.41")
    assert b"TCPREMOTEHOST=honest.names.test\n" in e and b"WHO=honest\n" in e
    assert b"TCPLOCALHOST=me.names.test\n" in e
    e = s.ask("127.0.0.42")
    assert b"TCPREMOTEHOST=liar.names.test\n" in e and b"WHO=some\n" in e
    e = s.ask("127.0.0.43")
    assert b"TCPREMOTEHOST=" not in e and b"WHO=unnamed\n" in e
    assert [re.sub(r".* (\S+:)127[^ ]* (\S*):127.*", r"\1\2", x) for x in s.wait_log(" ok ", 3)] == [
        "me.names.test:honest.names.test", "me.names.test:liar.names.test", "me.names.test:"]
    s.close()
    s = server("ours", "-Rp", "-x", rules, SHOW, DNSCACHEIP=dns)
    assert b"WHO=honest\n" in s.ask("127.0.0.41")
    e = s.ask("127.0.0.42")
    assert b"TCPREMOTEHOST=" not in e and b"WHO=unnamed\n" in e
    s.close()
    # Nobody answers: names are unknown, and that is all.
    s = server("ours", "-RH", "-l0", SHOW, host="localhost")
    out = run([program("tcpclient"), "-R", "-l0", "127.0.0.1", str(s.port), "sh", "-c", "echo $TCPREMOTEHOST"],
              check=0, DNSCACHEIP=dns)[1]
    assert out == b"me.names.test\n"


def test_names_of_servers(dns, server, tmp_path):
    s = server("ours", "-RH", "-l0", SHOW, host="one.names.test", DNSCACHEIP=dns)
    client = [program("tcpclient"), "-RH", "-l0"]
    reached = [str(s.port), "sh", "-c", "echo $TCPREMOTEIP"]
    assert run([*client, "one.names.test", *reached], DNSCACHEIP=dns) == (0, b"127.0.0.1\n", b"")
    assert run([*client, "both.names.test.", *reached], DNSCACHEIP=dns) == (0, b"127.0.0.1\n", b"")
    assert run([*client, "one", *reached], DNSCACHEIP=dns, LOCALDOMAIN="no.test names.test")[0] == 111
    assert run([*client, "one", *reached], DNSCACHEIP=dns, LOCALDOMAIN="list.test names.test") == (
        0, b"127.0.0.1\n", b"")
    (tmp_path / "rewrite").write_text("=nick:one.names.test\n*.old:.test\n-.gone:two.names.test\n", encoding="ascii")
    for name in ("nick", "one.names.old", "any.thing.gone"):
        out = run([*client, name, *reached], DNSCACHEIP=dns, DNSREWRITEFILE=f"{tmp_path}/rewrite")
        assert out[1] == b"127.0.0.1\n", out
        refused = b"tcpclient: unable to connect to 127.0.0.2 port %d: connection refused\n" % s.port
        assert out[2] == b"" or (name == "any.thing.gone" and out[2] == refused)
    assert run([*client, "-6", "one.names.test", *reached], DNSCACHEIP=dns) == (
        111, b"", b"tcpclient: fatal: no IP address for one.names.test\n")
    assert run([*client, "six.names.test", *reached], DNSCACHEIP=dns)[2] == (
        b"tcpclient: unable to connect to ::1 port %d: connection refused\n" % s.port)
    assert run([*client, "none.names.test", *reached], DNSCACHEIP=dns) == (
        111, b"", b"tcpclient: fatal: no IP address for none.names.test\n")
    assert run([*client, "x.elsewhere.test", *reached], DNSCACHEIP=dns) == (
        111, b"", b"tcpclient: fatal: temporarily unable to figure out IP address for x.elsewhere.test: "
                  b"temporary failure\n")


# ---- rblsmtpd --------------------------------------------------------------------

SESSION = b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<x>\nNOOP\r\nDATA\r\nrset\r\nQUIT now\r\nNOOP\r\n"


def talk(reply):
    ok = b"250 rblsmtpd.local\r\n"
    return (b"220 rblsmtpd.local\r\n" + ok + ok + reply + b"\r\n" + ok + reply + b"\r\n" + ok +
            b"221 rblsmtpd.local\r\n")


def rbl(whose, *arguments, stdin=SESSION, **environment):
    code, out, err = run([tool(whose, "rblsmtpd"), *arguments, "echo", "accepted"], stdin,
                         **{"TCPREMOTEIP": "127.0.0.2", **environment})
    return code, out, re.sub(rb"pid \d+", b"pid N", err)


@pytest.mark.parametrize("whose", WHOSE)
def test_rblsmtpd_by_environment(whose):
    assert rbl(whose, RBLSMTPD="") == (0, b"accepted\n", b"")
    assert rbl(whose, RBLSMTPD="go away") == (0, talk(b"451 go away"), b"rblsmtpd: 127.0.0.2 pid N: 451 go away\n")
    assert rbl(whose, "-b", RBLSMTPD="go") == (0, talk(b"451 go"), b"rblsmtpd: 127.0.0.2 pid N: 451 go\n")
    assert rbl(whose, RBLSMTPD="-no") == (0, talk(b"553 no"), b"rblsmtpd: 127.0.0.2 pid N: 553 no\n")
    long = "é" + "x" * 300
    assert rbl(whose, "-t0", RBLSMTPD=long)[1] == b"451 ??" + b"x" * 198 + b"\r\n"
    assert rbl(whose, "-t1", RBLSMTPD="x", stdin=b"")[:2] == (0, b"220 rblsmtpd.local\r\n")
    code, out, err = run([tool(whose, "rblsmtpd"), "-R", "x"])
    assert (code, out) == (100, b"") and err.startswith(b"rblsmtpd: illegal option -- R\nrblsmtpd: usage: rblsmtpd [ -b")
    assert run([tool(whose, "rblsmtpd"), "/no/program"], RBLSMTPD="") == (
        111, b"", b"rblsmtpd: fatal: unable to run /no/program: file does not exist\n")


def test_rblsmtpd_ends_in_time():
    """A client that says nothing."""
    p = subprocess.Popen([program("rblsmtpd"), "-t1", "true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, env={**KEPT, "RBLSMTPD": "x", "PATH": "/bin"})
    assert p.wait(30) == 0
    assert p.stdout.read() == b"220 rblsmtpd.local\r\n"
    p.stdin.close()
    p.stdout.close()


def test_rblsmtpd_asks_lists(dns):
    listed = b"listed: see http://list.test/"
    rejected = [(b"451 ", ("-r", "list.test")), (b"553 ", ("-b", "-r", "list.test")),
                (b"451 ", ("-r", "list.test", "-b")), (b"553 ", ("-br", "list.test", "-a", "list.test")),
                (b"451 ", ("-b", "-r", "gone.elsewhere", "-r", "list.test"))]
    for code, arguments in rejected:
        assert rbl("ours", *arguments, DNSCACHEIP=dns)[1] == talk(code + listed), arguments
    accepted = [("-r", "more2.test", "-C"), ("-a", "list.test", "-r", "list.test"), ("-r", "gone.elsewhere"),
                ("-a", "gone.elsewhere", "-r", "list.test"), ()]
    for arguments in accepted:
        assert rbl("ours", *arguments, DNSCACHEIP=dns) == (0, b"accepted\n", b""), arguments
    closed = talk(b"451 temporary RBL lookup error")
    assert rbl("ours", "-bcr", "gone.elsewhere", DNSCACHEIP=dns)[1] == closed
    # Only an address: not listed as far as -r is concerned.
    assert rbl("ours", "-r", "list.test", DNSCACHEIP=dns, TCPREMOTEIP="127.0.0.3")[1] == b"accepted\n"
    assert rbl("ours", "-r", "list.test", DNSCACHEIP=dns, TCPREMOTEIP="")[1] == b"accepted\n"
    assert rbl("ours", "-br", "list.test", DNSCACHEIP=dns, TCPREMOTEIP="::1")[1] == talk(b"553 six")
    # IPv4 as others may say it.
    assert rbl("ours", "-r", "list.test", DNSCACHEIP=dns, TCPREMOTEIP="::ffff:127.0.0.2")[1] == talk(b"451 " + listed)
    # What the list says about whoever asks is not said about the client.
    assert rbl("ours", "-r", "list.test", DNSCACHEIP=dns, TCPREMOTEIP="127.0.0.9")[1] == b"accepted\n"
    assert rbl("ours", "-cr", "list.test", DNSCACHEIP=dns, TCPREMOTEIP="127.0.0.9")[1] == closed


def test_rblsmtpd_weighs_lists(dns):
    both = b"451 listed: see http://list.test/; also here"
    weighed = ["-s5", "-r", "list.test=3", "-r", "more.test=2"]
    assert rbl("ours", *weighed, DNSCACHEIP=dns)[1] == talk(both)
    assert rbl("ours", *weighed, DNSCACHEIP=dns, TCPREMOTEIP="127.0.0.4")[1] == b"accepted\n"
    weighed[0] = "-s6"
    assert rbl("ours", *weighed, DNSCACHEIP=dns)[1] == b"accepted\n"
    assert rbl("ours", "-s2", "-r", "list.test", "-r", "more.test", DNSCACHEIP=dns)[1] == talk(both)


@pytest.mark.skipif(os.getuid() != 0, reason="needs port 53")
def test_dns_as_the_originals(tmp_path):
    """Ours and the originals with a name server on port 53, in a network of their own."""
    if nsd_program() is None:
        pytest.skip("NSD is not installed")
    authority = Authority(ZONES)
    try:
        authority.stop()
        with open(f"{authority.dir}/nsd.conf", encoding="ascii") as f:
            conf = f.read().replace(f"@{authority.port}", "@53")
        with open(f"{authority.dir}/nsd.conf", "w", encoding="ascii") as f:
            f.write(conf)
        script = f"""ip link set lo up
{nsd_program()} -d -c {authority.dir}/nsd.conf &
nsd=$!
export DNSCACHEIP=127.0.0.1 DNSREWRITEFILE={tmp_path}/rewrite TCPREMOTEIP=127.0.0.2
until /usr/bin/tcpclient -RHl0 127.0.0.1 53 true 2>/dev/null; do sleep 0.05; done
ask() {{ "$@" </dev/null 2>&1 | sed 's/pid [0-9]*/pid N/; s/^[^ ]*\\(tcp\\|rbl\\)/\\1/'; echo "= $?"; }}
for dir in {os.path.dirname(program('tcpcat'))} /usr/bin; do
  echo "== $dir"
  for host in one.names.test nick none.names.test 127.0.0.1 '[127.0.0.1]' any.old ''; do
    LOCALDOMAIN=names.test ask $dir/tcpclient -R -l0 "$host" 53 sh -c 'echo $TCPREMOTEIP $TCPREMOTEHOST'
  done
  DNSREWRITEFILE=/no ask env LOCALDOMAIN='list.test names.test' $dir/tcpclient -RH one 53 sh -c 'echo $TCPLOCALHOST'
  ask $dir/tcpclient -RHl0 one.names.test 54 true
  ask $dir/tcpserver -R none.names.test 0 true
  ask $dir/rblsmtpd -t0 -r list.test echo yes
  ask $dir/rblsmtpd -t0 -b -r list.test echo yes
  ask $dir/rblsmtpd -t0 -r list.test -b -r more.test echo yes
  ask $dir/rblsmtpd -t0 -a list.test -r list.test echo yes
  TCPREMOTEIP=127.0.0.4 ask $dir/rblsmtpd -t0 -r list.test -br more.test -C echo yes
done
kill $nsd
"""
        (tmp_path / "rewrite").write_text("=nick:one.names.test\n*.old:.names.test\n=any.names.test:one.names.test\n",
                                          encoding="ascii")
        p = subprocess.run(["unshare", "-n", "sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=120, check=False, env={**KEPT, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        parts = re.split(rb"== .*\n", p.stdout)
        assert len(parts) == 3 and parts[1] == parts[2], (p.stdout.decode(), p.stderr.decode())
        assert parts[1].count(b"127.0.0.1 me.names.test\n") == 6 and parts[1].count(b"451 listed: see") == 4
    finally:
        authority.close()


# ---- scripts ---------------------------------------------------------------------

SCRIPTED = """import socket, threading
for port, reply in ((11, b"joe tty1\\r\\n\\x01\\r\\n"), (13, b"noon\\r\\n"), (17, b"a quote\\r\\n"), (25, b"220 hi\\r\\n"),
                    (79, None), (80, None), (8080, None)):
    l = socket.socket()
    l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    l.bind(("127.0.0.1", port))
    l.listen(5)
    def serve(l=l, reply=reply, port=port):
        while True:
            c = l.accept()[0]
            if reply is None:
                asked = b""
                while not asked.endswith(b"\\r\\n\\r\\n" if port in (80, 8080) else b"\\r\\n"):
                    asked += c.recv(1000)
                reply2 = b"HTTP/1.0 200 ok\\r\\nX: y\\r\\n\\r\\n" + repr(asked).encode() + b"\\r\\nmore\\r\\n"
                c.sendall(reply2 if port in (80, 8080) else repr(asked).encode() + b"\\r\\n")
            else:
                c.sendall(reply)
                if port == 25:
                    c.sendall(c.recv(1000))
            c.close()
    threading.Thread(target=serve, daemon=True).start()
print("ready", flush=True)
threading.Event().wait(60)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs a network of its own")
def test_scripts(tmp_path):
    """The small network scripts, ours and the originals, in a network where the low ports are free."""
    script = f"""ip link set lo up
{sys.executable} -c "$SCRIPTED" >{tmp_path}/ready &
until grep -q ready {tmp_path}/ready; do sleep 0.05; done
for dir in {os.path.dirname(program('tcpcat'))} /usr/bin; do
  echo "== $dir"
  $dir/who@; $dir/date@; $dir/finger@ 127.0.0.1 joe; $dir/finger@ ; $dir/http@ 127.0.0.1 a/b; $dir/http@ 0 '' 8080
  $dir/tcpcat 0; $dir/tcpcat 127.0.0.1 13; echo 'HELO x' | $dir/mconnect 0
done
kill $!
"""
    p = subprocess.run(["unshare", "-n", "sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                       check=False, env={**KEPT, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SCRIPTED": SCRIPTED})
    parts = re.split(rb"== .*\n", p.stdout)
    assert len(parts) == 3, p
    ours, theirs = parts[1:]
    assert ours == theirs, p.stderr
    assert ours == (b"joe tty1\n^A\nnoon\nb'joe\\r\\n'\nb'\\r\\n'\nb'GET /a/b HTTP/1.0\\r\\nHost: 127.0.0.1:80\\r\\n\\r\\n'\n"
                    b"more\nb'GET / HTTP/1.0\\r\\nHost: 0:8080\\r\\n\\r\\n'\nmore\na quote\r\nnoon\r\n220 hi\r\nHELO x\r\n")

"""qmail-smtpd: under tcpserver, on its own sockets, on pipes."""
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import time

import pytest

from quilltest import children_of, free_port, program, wait_until
from quilltest.smtpd import Smtpd

ENVELOPE = b"MAIL FROM:<s@c.test>\r\nRCPT TO:<r@ok.test>\r\n"
MESSAGE = ENVELOPE + b"DATA\r\n"
LF = b"451 See http://pobox.com/~djb/docs/smtplf.html.\r\n"


@pytest.fixture
def smtpd():
    with Smtpd() as s:
        yield s


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- one session on descriptors 0 and 1 --------------------------------------------

def test_a_session_on_pipes(smtpd):
    replies, code = smtpd.session(b"EHLO me.test\r\n" + MESSAGE + b"Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
                                  {"TCPREMOTEIP": "192.0.2.1", "TCPREMOTEHOST": "c.test", "TCPLOCALHOST": "mx.test",
                                   "TCPREMOTEINFO": "ident"})
    lines = replies.decode().split("\r\n")
    assert lines[0] == "220 mx.test ESMTP"
    assert set(lines[1:5]) == {"250-mx.test", "250-PIPELINING", "250-SIZE 0", "250 8BITMIME"}
    assert lines[5:8] == ["250 ok", "250 ok", "354 go ahead"]
    word, ok, when, qp, pid = lines[8].split()
    assert (word, ok, qp) == ("250", "ok", "qp") and abs(int(when) - time.time()) < 60 and int(pid) > 1
    assert lines[9:] == ["221 mx.test", ""]
    assert code == 0
    [m] = smtpd.recorded()
    assert (m.sender, m.recipients, m.content) == (b"s@c.test", [b"r@ok.test"], b"Subject: x\n\n.dot\n")
    assert m.message.startswith(b"Received: from c.test (HELO me.test) (ident@192.0.2.1)\n  by mx.test with SMTP; ")


def test_under_a_tls_server(smtpd):
    """sslserver of ucspi-ssl sets only variables of its own."""
    smtpd.session(MESSAGE + b"x\r\n.\r\nQUIT\r\n", {"SSLREMOTEIP": "192.0.2.1", "SSLREMOTEHOST": "c.test",
                                                   "SSLLOCALHOST": "mx.test", "SSLREMOTEINFO": "ident"})
    [m] = smtpd.recorded()
    assert m.message.startswith(b"Received: from c.test (ident@192.0.2.1)\n  by mx.test with SMTP; ")


def test_no_quit_is_exit_1_and_leaves_nothing(smtpd):
    whole = MESSAGE + b"body\r\n.\r\n"
    for n in range(0, len(whole), 7):
        replies, code = smtpd.session(whole[:n])
        assert code == 1 and replies.startswith(b"220 ")
    assert smtpd.recorded() == []


def test_content_is_kept_byte_for_byte(smtpd):
    body = bytes(range(256)).replace(b"\n", b"") * 3 + b"\r\r\r\n" + b"x" * 100000 + b"\r\n" + b"\xff\0\r.\r\n"
    replies, code = smtpd.session(MESSAGE + body + b".\r\nQUIT\r\n")
    assert code == 0, replies
    [m] = smtpd.recorded()
    assert m.content == body.replace(b"\r\n", b"\n")


def test_a_bare_lf_ends_the_session(smtpd):
    for bad in (b"a\nb\r\n.\r\n", b"a\r\n.\nMAIL FROM:<evil@x>\r\n", b"\n.\r\n"):
        replies, code = smtpd.session(MESSAGE + bad + b"NOOP\r\n")
        assert replies.endswith(b"354 go ahead\r\n" + LF) and code == 1
    replies, code = smtpd.session(b"NOOP\nNOOP\r\n")
    assert replies == b"220 mx.test ESMTP\r\n" + LF and code == 1
    assert smtpd.recorded() == []


@pytest.mark.parametrize("code, reply", [
    (0, b"250 ok "), (31, b"554 mail server permanently rejected message (#5.3.0)"),
    (71, b"451 mail server temporarily rejected message (#4.3.0)"), (54, b"451 qq read error (#4.3.0)"),
    (35, b"554 qq permanent problem (#5.3.0)"), (99, b"451 qq temporary problem (#4.3.0)")])
def test_exit_codes_of_the_queue(smtpd, code, reply):
    smtpd.exit_with(code)
    replies, _ = smtpd.session(MESSAGE + b"x\r\n.\r\nQUIT\r\n")
    assert replies.split(b"\r\n")[-3].startswith(reply)


def test_no_queue_at_all(smtpd):
    del smtpd.environment["QMAILQUEUE"]
    replies, code = smtpd.session(MESSAGE + b"QUIT\r\n")
    assert replies.endswith(b"451 qqt failure (#4.3.0)\r\n221 mx.test\r\n") and code == 0


def test_relayclient_and_databytes_come_from_the_environment(smtpd):
    far = b"MAIL FROM:<>\r\nRCPT TO:<a@far.test>\r\nDATA\r\n12345\r\n.\r\nQUIT\r\n"
    assert b"\r\n553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\r\n" in smtpd.session(far)[0]
    assert b"\r\n552 sorry" in smtpd.session(far, {"RELAYCLIENT": "", "DATABYTES": "5"})[0]
    assert b"\r\n250 ok 1" in smtpd.session(far, {"RELAYCLIENT": "@fix", "DATABYTES": "6"})[0]
    [m] = smtpd.recorded()
    assert m.recipients == [b"a@far.test@fix"]


def test_unreadable_settings(smtpd):
    os.unlink(smtpd.home + "/control/me")
    assert smtpd.session(b"QUIT\r\n") == (b"421 unable to read controls (#4.3.0)\r\n", 1)
    smtpd.control(me="mx.test")
    os.mkdir(smtpd.home + "/control/badmailfrom")
    assert smtpd.session(b"QUIT\r\n") == (b"421 unable to read controls (#4.3.0)\r\n", 1)


def test_a_damaged_morercpthosts_is_no_answer(smtpd):
    smtpd.control(**{"morercpthosts.cdb": b"x" * 3000})
    replies, code = smtpd.session(b"MAIL FROM:<>\r\nRCPT TO:<a@ok.test>\r\nRCPT TO:<a@more.test>\r\nNOOP\r\n")
    assert replies.endswith(b"250 ok\r\n250 ok\r\n421 unable to read controls (#4.3.0)\r\n") and code == 1


def test_newmrh_and_morercpthosts(smtpd):
    smtpd.control(morercpthosts="More.Test\n# no\n.sub.test")
    subprocess.run([program("qmail-newmrh")], env=smtpd.environment, check=True)
    replies, _ = smtpd.session(b"MAIL FROM:<>\r\nRCPT TO:<a@MORE.test>\r\nRCPT TO:<a@x.sub.test>\r\nRCPT TO:<a@no>\r\n")
    assert [r[:3] for r in replies.split(b"\r\n")[1:-1]] == [b"250", b"250", b"250", b"553"]
    os.unlink(smtpd.home + "/control/morercpthosts")
    result = subprocess.run([program("qmail-newmrh")], env=smtpd.environment, capture_output=True, check=False)
    assert result.returncode == 111 and result.stderr.startswith(b"qmail-newmrh: fatal: ")


# ---- under tcpserver ---------------------------------------------------------------

@pytest.fixture
def tcpserver(smtpd):
    port = free_port()
    p = smtpd.spawn("tcpserver", "-v", "-R", "-l", "mx.test", "127.0.0.1", str(port), program("qmail-smtpd"),
                    stderr=subprocess.PIPE)
    assert b"status" in p.stderr.readline()
    smtpd.ports = [port]
    yield smtpd
    p.kill()
    p.wait()
    p.stderr.close()


def test_smtplib_through_tcpserver(tcpserver):
    with tcpserver.smtp() as s:
        assert s.ehlo("me.test")[0] == 250
        assert s.has_extn("pipelining") and s.has_extn("8bitmime") and s.has_extn("size")
        refused = s.sendmail("s@c.test", ["r@ok.test", "x@far.test"], "Subject: x\n\n.\nbody\n", ["BODY=8BITMIME"])
        assert refused == {"x@far.test": (553, b"sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)")}
        assert s.sendmail("", ["r@ok.test"], "second\n") == {}
    first, second = tcpserver.recorded()
    assert first.content == b"Subject: x\n\n.\nbody\n" and first.recipients == [b"r@ok.test"]
    assert b"(HELO me.test) (127.0.0.1)\n  by mx.test with SMTP; " in first.message
    assert "TCPREMOTEIP=127.0.0.1" in first.variables
    assert second.sender == b"" and second.content == b"second\n"


def test_swaks_through_tcpserver(tcpserver):
    for option in ((), ("--pipeline",)):
        subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(tcpserver.ports[0]), "--from", "s@c.test",
                        "--to", "r@ok.test", "--ehlo", "me.test", "--body", "hello", *option],
                       check=True, stdout=subprocess.DEVNULL)
    assert len(tcpserver.recorded()) == 2


def test_timeout_through_tcpserver(tcpserver):
    tcpserver.control(timeoutsmtpd="1")
    with tcpserver.connect() as c:
        assert c.line() == b"220 mx.test ESMTP\r\n"
        assert c.rest() == b"451 timeout (#4.4.2)\r\n"


# ---- its own listener --------------------------------------------------------------

def test_ipv4_and_ipv6(smtpd):
    smtpd.listen("127.0.0.1:0", "[::1]:0")
    for host, port, ip in (("127.0.0.1", smtpd.ports[0], b"127.0.0.1"), ("::1", smtpd.ports[1], b"::1")):
        with smtpd.smtp(host, port) as s:
            s.ehlo("me.test")
            assert s.sendmail("s@c.test", ["r@ok.test"], b"to " + ip) == {}
        m = smtpd.recorded()[-1]
        assert m.message.startswith(b"Received: from localhost (HELO me.test) (" + ip + b")\n  by mx.test with SMTP; ")
        assert m.content == b"to " + ip + b"\n"
        assert f"TCPREMOTEIP={ip.decode()}\n" in m.variables
    wait_until(lambda: smtpd.log().count(" end (quit) messages 1 recipients 1 ") == 2, what="log lines")
    assert smtpd.log().count(" accepted ") == 2


def test_listening_addresses_from_the_control_file(smtpd):
    smtpd.control(smtplisten="# two\n127.0.0.1:0\n127.0.0.1:0")
    smtpd.listen()
    wait_until(lambda: smtpd.log().count("listening on 127.0.0.1:") == 2, what="second address")
    for port in map(int, [line.rpartition(":")[2] for line in smtpd.log().split("\n") if "listening" in line]):
        with smtpd.connect(port=port) as c:
            assert c.line() == b"220 mx.test ESMTP\r\n"


def test_a_pipelined_session_in_one_segment(smtpd):
    smtpd.listen("127.0.0.1:0")
    with smtpd.connect() as c:
        c.send(b"EHLO x\r\n" + (MESSAGE + b"one\r\n.\r\n") * 3 + b"RSET\r\nQUIT\r\n")
        replies = c.rest().split(b"\r\n")
    assert sum(r.startswith(b"250 ok ") for r in replies) == 3 and replies[-3:] == [b"250 flushed", b"221 mx.test", b""]
    assert len(smtpd.recorded()) == 3


def test_a_half_closed_connection_gets_its_reply(smtpd):
    smtpd.listen("127.0.0.1:0")
    with smtpd.connect() as c:
        c.send(MESSAGE + b"x\r\n.\r\n")
        c.socket.shutdown(socket.SHUT_WR)
        assert b"\r\n250 ok 1" in c.rest()
    assert len(smtpd.recorded()) == 1


def test_a_large_message(smtpd):
    smtpd.listen("127.0.0.1:0")
    body = (b"x" * 70 + b"\r\n") * 300000
    with smtpd.connect() as c:
        c.send(MESSAGE)
        c.send(body + b".\r\nQUIT\r\n")
        assert b"\r\n250 ok 1" in c.rest()
    [m] = smtpd.recorded()
    assert m.content == body.replace(b"\r\n", b"\n")


def test_one_byte_a_segment(smtpd):
    smtpd.listen("127.0.0.1:0")
    with smtpd.connect() as c:
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in MESSAGE + b"..\r\n\r.\r\r\n.\r\nQUIT\r\n":
            c.send(bytes([byte]))
        assert b"\r\n250 ok 1" in c.rest()
    assert smtpd.recorded()[0].content == b".\n\r.\r\n"


def test_total_limit(smtpd):
    smtpd.control(concurrencyincoming="3")
    smtpd.listen("127.0.0.1:0")
    open_sessions = [smtpd.connect() for _ in range(3)]
    assert all(c.line().startswith(b"220 ") for c in open_sessions)
    with smtpd.connect() as c:
        assert c.line() == b"421 too many connections, try again later (#4.3.2)\r\n"
        assert c.rest() in (b"", b"reset")
    open_sessions.pop().close()

    def served():
        with smtpd.connect() as c:
            return c.line().startswith(b"220 ")
    wait_until(served, what="a free place")
    for c in open_sessions:
        assert c.ask(b"NOOP") == b"250 ok\r\n"
        c.close()


PER_CLIENT = """
import os, socket, subprocess, sys
for command in ("link set lo up", "addr add 192.0.2.1/32 dev lo", "addr add 192.0.2.2/32 dev lo",
                "-6 addr add 2001:db8:0:1::1/128 dev lo nodad", "-6 addr add 2001:db8:0:1::2/128 dev lo nodad",
                "-6 addr add 2001:db8:0:2::1/128 dev lo nodad"):
    subprocess.run(["ip", *command.split()], check=True)
server = subprocess.Popen([sys.argv[1], "-l", "192.0.2.1:2525", "-l", "[2001:db8:0:1::1]:2525"], stderr=subprocess.PIPE,
                          user=int(sys.argv[2]), group=int(sys.argv[2]), extra_groups=[])
server.stderr.readline(), server.stderr.readline()
held, seen = [], []
for source, host in (("192.0.2.1",) * 2, ("192.0.2.1",) * 2, ("192.0.2.1",) * 2, ("192.0.2.2", "192.0.2.1"),
                     ("2001:db8:0:1::1",) * 2, ("2001:db8:0:1::2", "2001:db8:0:1::1"),
                     ("2001:db8:0:1::2", "2001:db8:0:1::1"), ("2001:db8:0:2::1", "2001:db8:0:1::1")):
    c = socket.create_connection((host, 2525), 10, (source, 0))
    seen.append(c.recv(1000)[:3].decode())
    held.append(c)
server.terminate()
[c.close() for c in held]
server.wait()
print(" ".join(seen))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs a network namespace")
def test_limit_for_one_client(smtpd):
    smtpd.control(concurrencyperclient="2")
    result = subprocess.run(["unshare", "-n", sys.executable, "-c", PER_CLIENT, program("qmail-smtpd"), "20001"],
                            env={**smtpd.environment, "PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}, capture_output=True,
                            timeout=60, check=False)
    assert result.stdout.decode().split() == ["220", "220", "421", "220", "220", "220", "421", "220"], result.stderr


def test_idle_and_slow_clients(smtpd):
    smtpd.control(timeoutsmtpd="1")
    smtpd.listen("127.0.0.1:0")
    for begin, drip in ((b"", b""), (b"", b"N"), (MESSAGE, b"x"), (MESSAGE, b"x\r\n")):
        started = time.monotonic()
        with smtpd.connect() as c:
            c.send(begin)
            c.socket.settimeout(0.2)
            replies = b""
            while time.monotonic() - started < 10:
                try:
                    data = c.socket.recv(1000)
                    if not data:
                        break
                    replies += data
                except TimeoutError:
                    c.send(drip)
                except ConnectionResetError:
                    break
        assert replies.endswith(b"451 timeout (#4.4.2)\r\n"), (begin, drip)
        assert 0.9 < time.monotonic() - started < 5
    assert smtpd.recorded() == []


def test_a_session_without_mail_ends(smtpd):
    smtpd.control(smtpsessiontimeout="1")
    smtpd.listen("127.0.0.1:0")
    with smtpd.connect() as c:
        c.line()
        started = time.monotonic()
        while c.ask(b"NOOP") == b"250 ok\r\n" and time.monotonic() - started < 10:
            time.sleep(0.1)
        assert 0.9 < time.monotonic() - started < 5


def test_a_client_that_reads_nothing(smtpd):
    smtpd.control(timeoutsmtpd="1", maxsmtpidle="100000000")
    smtpd.listen("127.0.0.1:0")
    with smtpd.connect() as c:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.socket.settimeout(1)
        started = time.monotonic()
        try:
            while time.monotonic() - started < 20:
                c.send(b"EHLO x\r\n" * 1000)
        except (TimeoutError, ConnectionError):
            pass
        wait_until(lambda: " end (" in smtpd.log(), timeout=20, what="the end of the session")


def test_too_many_errors(smtpd):
    smtpd.control(maxsmtperrors="3", maxsmtpidle="3")
    smtpd.listen("127.0.0.1:0")
    with smtpd.connect() as c:
        c.send(b"X\r\n" * 9)
        assert c.rest().endswith(b"502 unimplemented (#5.5.1)\r\n421 too many errors (#4.7.0)\r\n")
    with smtpd.connect() as c:
        c.send(b"VRFY x\r\n" * 9)
        assert c.rest().endswith(b"421 too many commands without mail (#4.7.0)\r\n")


def test_settings_are_read_again(smtpd):
    smtpd.listen("127.0.0.1:0")
    probe = b"MAIL FROM:<>\r\nRCPT TO:<a@new.test>\r\nQUIT\r\n"

    def replies():
        with smtpd.connect() as c:
            c.send(probe)
            return c.rest()
    assert b"\r\n553 " in replies()
    smtpd.control(rcpthosts="ok.test\nnew.test")
    smtpd.process.send_signal(signal.SIGHUP)
    wait_until(lambda: b"\r\n553 " not in replies(), what="new settings")
    # Without a signal as well, within about a second.
    smtpd.control(rcpthosts="ok.test")
    wait_until(lambda: b"\r\n553 " in replies(), what="new settings")
    # What cannot be read leaves everything as it was.
    os.unlink(smtpd.home + "/control/rcpthosts")
    os.mkdir(smtpd.home + "/control/rcpthosts")
    smtpd.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "keeping the settings of before: unable to read control/rcpthosts" in smtpd.log(), what="log")
    assert b"\r\n553 " in replies()


def server_pids(smtpd):
    """The processes that served the sessions that have ended, in that order."""
    return re.findall(r"pid (\d+) end \(", smtpd.log())


def one_session(smtpd, source="127.0.0.1", data=b"QUIT\r\n"):
    before = len(server_pids(smtpd))
    with socket.create_connection(("127.0.0.1", smtpd.ports[0]), 30, source_address=(source, 0)) as c:
        c.sendall(data)
        while c.recv(4096):
            pass
    return wait_until(lambda: server_pids(smtpd)[before:], what="the session's end in the log")[0]


def test_a_process_serves_one_client_only(smtpd):
    smtpd.listen("127.0.0.1:0")
    first = one_session(smtpd)
    # The same client gets the same process within a moment, if only not every time on a slow machine.
    again = [one_session(smtpd, data=MESSAGE + b"x\r\n.\r\nQUIT\r\n") for _ in range(5)]
    assert len(set([first, *again])) < 6
    # Another client never does.
    assert one_session(smtpd, "127.0.0.2") not in [first, *again]
    assert len(smtpd.recorded()) == 5
    # What did not end well is not gone on with.
    broken = one_session(smtpd, data=b"NOOP\nNOOP\r\n")
    assert broken not in [one_session(smtpd), one_session(smtpd)]
    # All end by themselves.
    wait_until(lambda: children_of(smtpd.process.pid) == [], what="the end of idle processes")


def test_idle_processes_have_no_old_settings(smtpd):
    smtpd.listen("127.0.0.1:0")
    first = one_session(smtpd)
    smtpd.control(rcpthosts="new.test")
    smtpd.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "settings read again" in smtpd.log(), what="new settings")
    assert one_session(smtpd) != first
    smtpd.control(rcpthosts="ok.test")
    smtpd.process.send_signal(signal.SIGTERM)
    assert smtpd.process.wait(10) == 0
    smtpd.process = None


def test_term_lets_sessions_finish(smtpd):
    port = smtpd.listen("127.0.0.1:0")
    c = smtpd.connect()
    c.line()
    smtpd.process.send_signal(signal.SIGTERM)

    def refused():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except (ConnectionRefusedError, ConnectionResetError):  # the second: it closed between two steps of the handshake
            return True
        return False
    wait_until(refused, what="the listener's end")
    c.send(MESSAGE + b"x\r\n.\r\nQUIT\r\n")
    assert b"\r\n250 ok 1" in c.rest()
    c.close()
    assert smtpd.process.wait(10) == 0
    smtpd.process = None


def test_a_shortage_of_descriptors_does_not_spin(smtpd):
    # The standard ones, the home and the listening socket: nothing is left for connections.
    smtpd.listen("127.0.0.1:0", wrap=("prlimit", "--nofile=5:5"))
    with smtpd.connect():
        wait_until(lambda: "too few descriptors" in smtpd.log(), what="log")
        before = cpu_seconds(smtpd.process.pid)
        time.sleep(1.5)
        assert cpu_seconds(smtpd.process.pid) - before < 0.2
        assert smtpd.log().count("too few descriptors") < 5


def test_it_says_why_it_cannot_start(smtpd):
    holder = socket.create_server(("127.0.0.1", 0))
    port = holder.getsockname()[1]

    def fails(*options):
        p = smtpd.spawn(program("qmail-smtpd"), *options, stderr=subprocess.PIPE)
        try:
            text = p.communicate(timeout=20)[1].decode()
        finally:
            p.kill()
        assert text.count("\n") == 1
        return p.returncode, text
    assert fails("-l", f"127.0.0.1:{port}") == \
        (111, f"qmail-smtpd: fatal: unable to listen on 127.0.0.1:{port}: address already used\n")
    code, text = fails("-l", "host.test:25")
    assert code == 100 and "host.test is not an IP address" in text
    code, text = fails("surplus")
    assert code == 100 and "usage" in text
    smtpd.control(smtplisten="")
    code, text = fails("-d")
    assert code == 100 and "control/smtplisten names no address" in text
    os.unlink(smtpd.home + "/control/me")
    code, text = fails("-l", "127.0.0.1:0")
    assert code == 100 and "control/me" in text
    holder.close()


def test_log_lines_are_clean(smtpd):
    smtpd.listen("127.0.0.1:0")
    with smtpd.connect() as c:
        c.line()
        c.ask(b"HELO \x1b[31m" + b"%n%s" + b"h" * 2000)
        c.ask(b"MAIL FROM:<" + b"\xff" * 800 + b"@c.test>")
        c.ask(b"RCPT TO:<x@far.test>")
        c.ask(b"QUIT")
    wait_until(lambda: " end (quit) " in smtpd.log(), what="log")
    refused, end = smtpd.log().split("\n")[1:3]
    assert "refused to <x@far.test> from <" in refused and "helo ?[31m%n%sh" in refused
    assert len(refused) < 1500 and "refusals 1" in end


def test_many_clients_at_once(smtpd):
    smtpd.control(concurrencyincoming="50")
    smtpd.listen("127.0.0.1:0")
    clients = [smtpd.smtp() for _ in range(30)]
    for n, s in enumerate(clients):
        s.sendmail("s@c.test", [f"r{n}@ok.test"], f"number {n}\n")
    for s in clients:
        s.quit()
    found = {m.recipients[0].decode(): m.content.decode() for m in smtpd.recorded()}
    assert found == {f"r{n}@ok.test": f"number {n}\n" for n in range(30)}


def test_smtplib_sees_a_size_refusal(smtpd):
    smtpd.control(databytes="100")
    smtpd.listen("127.0.0.1:0")
    with smtpd.smtp() as s:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            s.sendmail("s@c.test", ["r@ok.test"], "x" * 200)
        assert refused.value.smtp_code == 552
        assert s.sendmail("s@c.test", ["r@ok.test"], "x" * 80) == {}

"""The rules of tcprules in servers with sockets of their own: whom they let in, and what he may."""
import os
import smtplib
import socket
import subprocess

import pytest

from quilltest import Instance, program
from quilltest.pop import Listener
from quilltest.smtpd import Smtpd

RULES = b"""127.0.0.5:deny
127.0.0.6:allow,RELAYCLIENT="@fix",DATABYTES="10"
127.0.0.7:allow,MAXCONNIP="1"
127.0.0.8:allow,TCPREMOTEHOST="named.test",TCPREMOTEINFO="joe",MARK="8"
127.0.0.9:allow,QMAILQUEUE="/no/such/program"
:allow
"""


def write_rules(path, rules=RULES):
    subprocess.run([program("tcprules"), path, path + ".tmp"], input=rules, check=True, timeout=30)


def lines(server, data, source="127.0.0.1"):
    """Everything that the server says to a client with that address."""
    with socket.create_connection(("127.0.0.1", server), timeout=30, source_address=(source, 0)) as s:
        s.sendall(data)
        with s.makefile("rb") as f:
            return f.read()


@pytest.fixture(name="smtpd")
def server():
    with Smtpd() as s:
        os.mkdir(s.home + "/rules")
        write_rules(s.home + "/rules/smtp.cdb")
        s.control(smtprules="rules/smtp.cdb")
        s.listen("127.0.0.1:0")
        yield s


FAR = b"MAIL FROM:<s@c.test>\r\nRCPT TO:<a@far.test>\r\nDATA\r\n"
NEAR = FAR.replace(b"a@far", b"r@ok")
SHORT, LONG = b"1234\r\n.\r\nQUIT\r\n", b"1234567890\r\n.\r\nQUIT\r\n"


def test_rules_decide(smtpd):
    port = smtpd.ports[0]
    assert lines(port, b"", "127.0.0.5") == b"554 your address is not let in here (#5.7.1)\r\n"
    assert "denied by the rules: [127.0.0.5]" in smtpd.log()
    assert b"\r\n553 sorry, that domain" in lines(port, FAR + b"QUIT\r\n")
    assert b"\r\n250 ok 1" in lines(port, NEAR + LONG)
    assert b"\r\n250 ok 1" in lines(port, FAR + SHORT, "127.0.0.6")
    assert b"\r\n552 sorry" in lines(port, FAR + LONG, "127.0.0.6")
    assert smtpd.recorded()[-1].recipients == [b"a@far.test@fix"]
    assert b"\r\n250 ok 1" in lines(port, NEAR + SHORT, "127.0.0.8")
    last = smtpd.recorded()[-1]
    assert last.message.startswith(b"Received: from named.test (joe@127.0.0.8)\n")
    variables = last.variables.splitlines()
    assert {"TCPREMOTEIP=127.0.0.8", "TCPREMOTEHOST=named.test", "MARK=8", "PROTO=TCP"} <= set(variables)
    assert b"\r\n451 unable to exec qq" in lines(port, NEAR + SHORT, "127.0.0.9")


def test_a_variable_of_one_client_is_not_for_the_next(smtpd):
    """A process may serve a client twice; rules that have changed count for the second time."""
    port, rules = smtpd.ports[0], smtpd.home + "/rules/smtp.cdb"
    assert b"\r\n250 ok 1" in lines(port, FAR + SHORT, "127.0.0.6")
    write_rules(rules, b'127.0.0.6:allow,MARK="new"\n')
    assert b"\r\n553 sorry" in lines(port, FAR + b"QUIT\r\n", "127.0.0.6")
    assert b"\r\n250 ok 1" in lines(port, NEAR + LONG, "127.0.0.6")
    assert "MARK=new" in smtpd.recorded()[-1].variables
    write_rules(rules, b"127.0.0.6:deny\n")
    assert lines(port, b"", "127.0.0.6").startswith(b"554 ")
    assert lines(port, b"QUIT\r\n").startswith(b"220 ")


def test_connections_of_one_client(smtpd):
    port = smtpd.ports[0]
    with socket.create_connection(("127.0.0.1", port), timeout=30, source_address=("127.0.0.7", 0)) as s:
        assert s.recv(4) == b"220 "
        assert lines(port, b"", "127.0.0.7") == b"421 too many connections from your address (#4.7.0)\r\n"
        assert lines(port, b"QUIT\r\n").startswith(b"220 ")


def test_rules_that_cannot_be_read(smtpd):
    port, rules = smtpd.ports[0], smtpd.home + "/rules/smtp.cdb"
    os.rename(rules, rules + ".away")
    assert lines(port, b"") == b"421 unable to read the rules of this server (#4.3.0)\r\n"
    assert f"unable to read the rules in {rules}: " in smtpd.log()
    os.rename(rules + ".away", rules)
    assert lines(port, b"QUIT\r\n").startswith(b"220 ")
    smtpd.stop()
    smtpd.control(smtprules="nothing/there")
    p = smtpd.spawn(program("qmail-smtpd"), "-l", "127.0.0.1:0", stderr=subprocess.PIPE)
    _, err = p.communicate(timeout=30)
    assert p.returncode == 100
    assert f"fatal: unable to read the rules in {smtpd.home}/nothing/there: ".encode() in err


def test_the_option_comes_first(smtpd):
    smtpd.stop()
    write_rules(smtpd.home + "/other.cdb", b":deny\n")
    p = smtpd.spawn(program("qmail-smtpd"), "-x", "other.cdb", "-l", "127.0.0.1:0", stderr=subprocess.PIPE,
                    cwd=smtpd.home, text=True)
    try:
        port = int(p.stderr.readline().rpartition(":")[2])
        assert lines(port, b"").startswith(b"554 ")
    finally:
        p.terminate()
        p.communicate(timeout=30)
    assert p.returncode == 0
    assert subprocess.run([program("qmail-smtpd"), "-x", "rules"], capture_output=True, check=False).returncode == 100


def test_a_whole_mail_system():
    """In the sandbox, with the queue: a program named in rules works, and one that came later is told of."""
    with Instance(control={"smtprules": "control/smtp.cdb", "rcpthosts": "a.test"}) as i:
        path = i.home + "/control/smtp.cdb"
        write_rules(path, b'127.0.0.6:allow,RELAYCLIENT=""\n')
        i.add_user("joe")
        i.start()
        with smtplib.SMTP("127.0.0.1", i.port, timeout=30, source_address=("127.0.0.6", 0)) as c:
            assert c.mail("x@y.test")[0] == 250 and c.rcpt("a@elsewhere.test")[0] == 250
        i.send("x@y.test", ["joe@a.test"], b"Subject: hi\n\nbody\n")
        i.wait_delivered("joe", 1)
        write_rules(path, b'127.0.0.6:allow,QMAILQUEUE="%s"\n' % program("qmail-queue").encode())
        assert lines(i.port, b"", "127.0.0.6") == b"421 unable to run a program (#4.3.0)\r\n"
        i.wait_log("the rules name a QMAILQUEUE since this server has started; restart it: .127.0.0.6.")
        i.signal("qmail-smtpd", 15)
        i.wait_log("listening on 127.0.0.1", count=2)
        with smtplib.SMTP("127.0.0.1", i.port, timeout=30, source_address=("127.0.0.6", 0)) as c:
            c.sendmail("x@y.test", ["joe@a.test"], b"Subject: two\r\n\r\nbody\r\n")
        i.wait_delivered("joe", 2)


def test_pop3():
    with Instance(control={"pop3rules": "control/pop3.cdb"}) as i:
        path = i.home + "/control/pop3.cdb"
        write_rules(path, b"127.0.0.5:deny\n127.0.0.6:allow,MAXCONNIP=\"0\"\n")
        with Listener(i) as pop:
            assert lines(pop.port, b"", "127.0.0.5") == b"-ERR your address is not let in here\r\n"
            assert lines(pop.port, b"QUIT\r\n", "127.0.0.6").startswith(b"+OK ")
            write_rules(path, b":deny\n")
            assert lines(pop.port, b"", "127.0.0.6").startswith(b"-ERR your")
            os.unlink(path)
            assert lines(pop.port, b"", "127.0.0.6") == b"-ERR unable to read the rules of this server\r\n"

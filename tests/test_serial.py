"""Sending what is in a Maildir over one connection: maildirserial and its clients."""
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from quilltest import DROP, Sink, free_port, program, wait_until
from quilltest.smtpd import Smtpd

TWO_WEEKS = 1209600


class Depot:
    """A Maildir as qmail-local fills it, with a recording queue for bounces."""

    def __init__(self, home):
        self.home = home
        self.dir = home.dir + "/maildir"
        for d in ("", "/new", "/cur", "/tmp"):
            os.mkdir(self.dir + d)
            if os.getuid() == 0:
                os.chown(self.dir + d, 20001, 20001)
        self.count = 0

    def put(self, text="Subject: x\n\nbody\n", sender="s@c.test", recipient="alias-ppp-r@ok.test", age=100, head=None,
            folder="new"):
        self.count += 1
        name = f"{folder}/{1000000 + self.count}.1.here"
        if head is None:
            head = f"Return-Path: <{sender}>\nDelivered-To: {recipient}\n"
        text = text if isinstance(text, bytes) else text.encode()
        with open(f"{self.dir}/{name}", "wb") as f:
            f.write(head.encode() + text)
        when = time.time() - age + self.count / 1000
        os.utime(f"{self.dir}/{name}", (when, when))
        return name

    def left(self):
        return sorted(f"{d}/{n}" for d in ("new", "cur") for n in os.listdir(f"{self.dir}/{d}"))

    def run(self, *command, **environment):
        """(exit code, lines on stderr)."""
        p = subprocess.run(command, env={**self.home.environment, "PATH": f"{os.path.dirname(program('tcpclient'))}:/bin:"
                                         "/usr/bin", **environment}, cwd=self.dir, capture_output=True, timeout=90,
                           check=False, **self.home._as_user())
        return p.returncode, p.stderr.decode().splitlines()

    def serial(self, *options, prefix="alias-ppp-", client=()):
        return self.run(program("maildirserial"), *options, self.dir, prefix, *client)

    def smtp(self, sink, *options, prefix="alias-ppp-"):
        return self.serial(*options, prefix=prefix, client=(
            "tcpclient", "-RHl0", "--", sink.host, str(sink.port), "serialsmtp", prefix, "me.test"))


@pytest.fixture(name="depot")
def depot_fixture():
    with Smtpd() as home:
        yield Depot(home)


def info(*lines):
    return [f"maildirserial: info: {line}" for line in lines]


# ---- maildirserial ---------------------------------------------------------------

def client(script):
    return ("python3", "-c", "import sys, os\nnames = sys.stdin.buffer.read().split(b'\\0')[:-1]\n"
            "def say(name, text): os.write(1, name + b'\\0' + text + b'\\n')\n" + script)


def test_nothing_to_do(depot):
    assert depot.serial(client=("/no/program",)) == (0, [])
    depot.put(recipient="other@ok.test")
    depot.put(head="Subject: no head\n")
    depot.put(age=-100)
    assert depot.serial(client=("/no/program",)) == (0, [])
    assert len(depot.left()) == 3


def test_every_outcome(depot):
    names = [depot.put(folder=f) for f in ("new", "cur", "new")]
    code, said = depot.serial(client=client("for n, t in zip(names, (b'Kfine', b'Dno', b'Zlater')): say(n, t)"))
    assert (code, said) == (111, info(f"{names[0]} succeeded: fine", f"{names[1]} failed: no",
                                      f"{names[2]} failed temporarily: later"))
    assert depot.left() == sorted(names[1:])


def test_oldest_first_and_by_name(depot):
    for age in (300, 100, 200):
        depot.put(age=age)
    depot.serial(client=client("open('order', 'wb').write(b' '.join(names))\nfor n in names: say(n, b'K')"))
    with open(depot.dir + "/order", encoding="ascii") as f:
        assert [n[4:11] for n in f.read().split()] == ["1000001", "1000003", "1000002"]
    assert depot.left() == []


def test_rounds_end(depot):
    depot.put()
    depot.put()
    # One message a round.
    assert depot.serial(client=client("say(names[0], b'K')"))[0] == 0
    depot.put()
    started = depot.dir + "/started"
    code, said = depot.serial(client=("sh", "-c", f"echo >>{started}; exit 7"))
    assert (code, said) == (111, ["maildirserial: fatal: making no progress, giving up"])
    with open(started, encoding="ascii") as f:
        assert len(f.readlines()) == 3
    assert depot.serial(client=("sh", "-c", "exit 100"))[0] == 100
    assert depot.serial(client=("/no/program",))[0] == 111
    # A client may only speak of what it was given.
    code, said = depot.serial(client=client("say(b'../../etc/passwd', b'K')"))
    assert code == 111 and "was not given" in said[0]
    assert depot.serial(client=client("say(names[0], b'?what')"))[0] == 111
    assert len(depot.left()) == 1


def test_usage(depot):
    usage = "maildirserial: usage: maildirserial [ -b ] [ -t seconds ] dir prefix client [ arg ... ]"
    assert depot.run(program("maildirserial"), "x", "y") == (100, [usage])
    assert depot.run(program("maildirserial"), "-b", "/no/dir", "", "true") == (
        111, ["maildirserial: fatal: unable to chdir to /no/dir: file does not exist"])
    assert depot.run(program("maildirsmtp"), "x", "y", "z")[0] == 100
    assert depot.run(program("maildirqmtp"), "x", "y")[0] == 100


def test_bounces(depot):
    depot.home.control(bouncehost="b.test", doublebounceto="dbl", doublebouncehost="d.test")
    normal = depot.put("Subject: x\n\nbody\n", sender='"a b"@c.test')
    double = depot.put("Subject: y\n\nbody\n", sender="")
    triple = depot.put(sender="#@[]")
    code, said = depot.serial("-b", client=client("for n in names: say(n, b'Dhost said: no')"))
    assert code == 0 and depot.left() == []
    said = [re.sub(r"qp \d+", "qp N", line) for line in said]
    assert said == info(f"{normal} bounced: host said: no", f"returned {normal}: qp N",
                        f"{double} bounced: host said: no", f"returned {double}: qp N",
                        f"{triple} bounced: host said: no", f"discarding {triple}: triple bounce")
    one, two = sorted(depot.home.recorded(), key=lambda r: r.sender)
    assert (one.sender, one.recipients) == (b"", [b"a b@c.test"])
    assert (two.sender, two.recipients) == (b"#@[]", [b"dbl@d.test"])
    text = one.message.decode()
    assert re.fullmatch(r'Date: .*\nFrom: MAILER-DAEMON@b\.test\nTo: "a b"@c\.test\nSubject: failure notice\n\n'
                        r"Hi\. This is the maildirbounce program at b\.test\.\n(.+\n)+\n<r@ok\.test>:\nhost said: no\n\n"
                        r'--- Below this line is a copy of the message\.\n\nReturn-Path: <"a b"@c\.test>\n'
                        r"Subject: x\n\nbody\n", text), text
    assert "--- Below this line is the original bounce.\n\nReturn-Path: <>\nSubject: y\n" in two.message.decode()


def test_old_messages(depot):
    old, young = depot.put(age=1000), depot.put(age=100)
    refuse = client("for n in names: say(n, b'Zlater')")
    code, said = depot.serial("-bt", "500", client=refuse)
    assert code == 111 and depot.left() == [young]
    assert said[0] == info(f"{old} bounced: later")[0] and said[2] == info(f"{young} failed temporarily: later")[0]
    [m] = depot.home.recorded()
    assert "\n<r@ok.test>:\nlater\nThis message is too old. Giving up.\n\n" in m.message.decode()
    # Without -b nothing is thrown away.
    code, said = depot.serial("-t50", client=refuse)
    assert (code, said) == (111, info(f"{young} failed: later")) and depot.left() == [young]


def test_a_bounce_that_cannot_be_queued(depot):
    depot.home.exit_with(53)
    name = depot.put()
    code, said = depot.serial("-b", client=client("for n in names: say(n, b'Dno')"))
    assert code == 111 and depot.left() == [name]
    assert said[1] == f"maildirserial: warning: unable to bounce {name}: qq write error or disk full (#4.3.0)"


# ---- serialsmtp ------------------------------------------------------------------

@pytest.mark.parametrize("extensions", [("PIPELINING",), ("8BITMIME",)])
def test_smtp(depot, extensions):
    with Sink(extensions=extensions) as sink:
        depot.put(b"Subject: a\n\n.dot\n..\nx\xff\0\n")
        depot.put("", sender="", recipient="alias-ppp-a b@ok.test")
        depot.put("Subject: " + "x" * 300000 + "\n")
        depot.put(recipient="alias-ppp-three@ok.test")
        code, said = depot.smtp(sink)
        assert code == 0 and depot.left() == [], said
        assert all(re.fullmatch(r"maildirserial: info: new/\S+ succeeded: 127\.0\.0\.1 said: 250 .*", x) for x in said)
        assert sink.connections == 1
        wait_until(lambda: (1, b"QUIT") in sink.commands, what="QUIT")
        assert [(m.sender, m.recipients, m.helo) for m in sink.messages][:2] == [
            ("s@c.test", ["r@ok.test"], b"me.test"), ("", ['"a b"@ok.test'], b"me.test")]
        assert sink.messages[0].data.replace(b"\r\n", b"\n") == b"Subject: a\n\n.dot\n..\nx\xff\0\n"
        assert len(sink.messages) == 4 and sink.commands.count((1, b"RSET")) == 3


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
def test_smtp_refusals(depot, extensions):
    with Sink(extensions=extensions) as sink:
        sink.on("mail", lambda arg, session: "550 not you" if b"bad@" in arg else None)
        sink.on("rcpt", lambda arg, session: "450-not\n450 now" if b"busy@" in arg else None)
        sink.on("dot", lambda arg, session: "554 spam" if "spam" in (session.sender or "") else None)
        names = [depot.put(sender="bad@c.test"), depot.put(recipient="alias-ppp-busy@ok.test"),
                 depot.put(sender="spam@c.test"), depot.put("no line end"), depot.put()]
        code, said = depot.smtp(sink)
        assert code == 111 and depot.left() == names[:4]
        assert said[:4] == info(f"{names[0]} failed: 127.0.0.1 said: 550 not you",
                                f"{names[1]} failed temporarily: 127.0.0.1 said: 450 now",
                                f"{names[2]} failed: 127.0.0.1 said: 554 spam",
                                f"{names[3]} failed: SMTP cannot transfer messages with partial final lines. (#5.6.2)")
        assert len(said) == 5 and [m.sender for m in sink.messages] == ["s@c.test"]


def test_smtp_with_old_servers(depot):
    with Sink() as sink:
        sink.on("helo", lambda arg, session: "502 what" if sink.commands[-1][1].startswith(b"EHLO") else None)
        depot.put()
        assert depot.smtp(sink)[0] == 0
        assert [c for _, c in sink.commands][:2] == [b"EHLO me.test", b"HELO me.test"]


def test_smtp_that_does_not_work(depot):
    depot.put()
    with Sink() as sink:
        sink.on("connect", "554 go away")
        code, said = depot.smtp(sink)
        assert code == 111 and said[-1] == "maildirserial: fatal: making no progress, giving up" and "go away" in said[0]
        sink.on("connect", "SSH-2.0")
        assert depot.smtp(sink)[0] == 111
        sink.on("connect", None)
        sink.on("dot", DROP)
        assert depot.smtp(sink)[0] == 111
    assert len(depot.left()) == 1


def test_maildirsmtp(depot):
    """The recipe for a machine that pulls its mail, with the script itself."""
    with Sink() as sink:
        depot.put(recipient="autoturn-1.2.3.4-joe@virt.test")
        name = depot.put(recipient="autoturn-1.2.3.4-no@virt.test")
        sink.on("rcpt", lambda arg, session: "550 unknown" if b"no@" in arg else None)
        # A fifth argument is the port, for which the old script had no use.
        code, said = depot.run("setlock", "-nx", depot.dir + "/lock", "maildirsmtp", depot.dir, "autoturn-1.2.3.4-",
                               sink.host, "AutoTURN", str(sink.port))
        assert code == 0 and depot.left() == [], said
        assert [m.recipients for m in sink.messages] == [["joe@virt.test"]] and sink.messages[0].helo == b"AutoTURN"
        [m] = depot.home.recorded()
        assert b"\n<no@virt.test>:\n127.0.0.1 said: 550 unknown\n" in m.message
        assert any(line.startswith(f"maildirserial: info: returned {name}: qp ") for line in said)


# ---- serialqmtp ------------------------------------------------------------------

class Qmtpd:
    """qmail-qmtpd under tcpserver."""

    def __init__(self, home):
        self.port = free_port()
        self.log = open(home.dir + "/qmtpd.log", "wb")
        home.environment["PATH"] = f"{os.path.dirname(program('tcpserver'))}:/usr/bin:/bin"
        self.process = home.spawn(program("tcpserver"), "-RHl0", "127.0.0.1", str(self.port), program("qmail-qmtpd"),
                                  stderr=self.log)
        wait_until(self.listens, what="tcpserver")

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


def test_qmtp(depot):
    server = Qmtpd(depot.home)
    try:
        big = os.urandom(300000)
        depot.put(big, sender='"a b"@c.test')
        depot.put("no line end")
        name = depot.put(recipient="alias-ppp-r@other.test")
        depot.put("", sender="")
        code, said = depot.run("maildirqmtp", depot.dir, "alias-ppp-", "127.0.0.1", str(server.port))
        assert code == 0 and depot.left() == [], said
        assert sum(" succeeded: ok " in line for line in said) == 3
        assert info(f"{name} bounced: sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)")[0] in said
        got = {r.content: r for r in depot.home.recorded() if b"QMTP" in r.message}
        assert set(got) == {big, b"no line end", b""}
        assert (got[big].sender, got[big].recipients) == (b"a b@c.test", [b"r@ok.test"])
    finally:
        server.close()


def test_qmtp_many(depot):
    """More messages than fit into pipes and socket buffers, answered one by one."""
    server = Qmtpd(depot.home)
    try:
        for _ in range(60):
            depot.put(b"x" * 20000)
        code, said = depot.run("maildirqmtp", depot.dir, "alias-ppp-", "127.0.0.1", str(server.port))
        assert code == 0 and depot.left() == [] and len(said) == 60
    finally:
        server.close()


@pytest.mark.parametrize("answer", [b"3:Xab,", b"3:Kab;", b"0:,", b"x", b"99999999999:", b"2:Ka,2:Kb,", b""])
def test_qmtp_servers_that_make_no_sense(depot, answer):
    name = depot.put()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def serve():
            while True:
                try:
                    c = listening.accept()[0]
                except OSError:
                    return
                c.recv(1000)
                c.sendall(answer)
                c.close()
        threading.Thread(target=serve, daemon=True).start()
        code, said = depot.run("maildirqmtp", depot.dir, "alias-ppp-", "127.0.0.1", str(listening.getsockname()[1]))
        if answer.startswith(b"2:"):
            assert info(f"{name} succeeded: a")[0] in said
        else:
            assert code == 111 and depot.left() == [name]
            assert said[-1] == "maildirserial: fatal: making no progress, giving up"

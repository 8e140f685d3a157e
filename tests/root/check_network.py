"""Checks of tcpserver and its family around the installed programs, on the real ports (see labrun.py)."""
import contextlib
import os
import re
import smtplib
import socket
import subprocess
import time

from labrun import HOME, equal, lab, processes, wait

CHECKS = []
BIN = HOME + "/bin/"
QMAILD, NOFILES = 7791, 2108
ENVIRONMENT = {**lab.CLEAN, "PATH": f"{HOME}/bin:/usr/bin:/bin"}


def check(f):
    CHECKS.append(f)
    return f


@contextlib.contextmanager
def service(m, port, *command, options=(), server="tcpserver", environment=None):
    """A program under our tcpserver, as qmaild, on a port of 127.0.0.1; yields the path of the log."""
    path = f"{m.dir}/{server}.{port}"
    with open(path, "wb") as log:
        p = subprocess.Popen([BIN + server, "-vRHl0", "-u", str(QMAILD), "-g", str(NOFILES), *options, "127.0.0.1",
                              port, *command], stderr=log, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             env=environment or ENVIRONMENT, cwd="/")
    try:
        assert wait(lambda: "status: 0/" in read(path)), read(path)
        yield path
    finally:
        p.terminate()
        equal(p.wait(20), 0)


def read(path):
    with open(path, encoding="utf-8", newline="") as f:
        return f.read()


def rules(m, text):
    path = f"{m.dir}/rules.cdb"
    subprocess.run([BIN + "tcprules", path, path + ".tmp"], input=text.encode(), check=True, env=ENVIRONMENT)
    return path


def smtp(source="127.0.0.1"):
    return smtplib.SMTP("127.0.0.1", 25, timeout=30, source_address=(source, 0))


def ns(data):
    data = data.encode() if isinstance(data, str) else data
    return b"%d:%b," % (len(data), data)


def exchange(port, data, ends=b","):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(data)
        got = b""
        while not got.endswith(ends) and (more := s.recv(1000)):
            got += more
    return got


@check
def smtp_as_the_old_guide_has_it(m):
    """tcpserver -x /etc/tcp.smtp.cdb -u … -g … 0 smtp qmail-smtpd; who may relay is said by the rules."""
    table = rules(m, '127.0.0.2:allow,RELAYCLIENT=""\n127.0.0.3:deny\n127.:allow\n')
    with service(m, "smtp", "qmail-smtpd", options=("-x", table)) as log:
        with smtp() as s:
            s.sendmail("x@client.test", ["ann@lab.test"], "Subject: by the guide\n\n1\n")
            equal(s.docmd("MAIL FROM:<x@client.test>")[0], 250)
            equal(s.docmd("RCPT TO:<y@elsewhere.test>")[0], 553)
            assert [(uid, gid) for _, _, uid, gid, _ in processes("qmail-smtpd")] == [(QMAILD, NOFILES)]
        assert {(uid, gid, tuple(groups)) for _, _, uid, gid, groups in processes("tcpserver")} == {
            (QMAILD, NOFILES, (NOFILES,))}
        assert b"  by 0 with SMTP; " in m.find_mail("ann", b"by the guide")
        with smtp("127.0.0.2") as s:
            equal(s.docmd("HELO x")[0], 250)
            equal(s.docmd("MAIL FROM:<x@client.test>")[0], 250)
            equal(s.docmd("RCPT TO:<y@elsewhere.test>")[0], 250)
        with socket.create_connection(("127.0.0.1", 25), timeout=30, source_address=("127.0.0.3", 0)) as s:
            equal(s.recv(100), b"")
        assert re.search(r"deny \d+ 0:127\.0\.0\.1:25 :127\.0\.0\.3::\d+", read(log))
        # New rules count at once; RBLSMTPD is said by a rule, too.
        rules(m, '127.0.0.3:allow,RBLSMTPD="-not you"\n127.0.0.2:deny\n')
        with socket.create_connection(("127.0.0.1", 25), timeout=30, source_address=("127.0.0.2", 0)) as s:
            equal(s.recv(100), b"")
    with service(m, "smtp", "rblsmtpd", "qmail-smtpd", options=("-x", table)):
        with smtp("127.0.0.3") as s:
            equal(s.docmd("MAIL FROM:<x@client.test>")[0], 250)
            equal(s.docmd("RCPT TO:<ann@lab.test>"), (553, b"not you"))
        with smtp() as s:
            s.sendmail("x@client.test", ["bob@lab.test"], "Subject: past the list\n\n1\n")
    m.find_mail("bob", b"past the list")


@check
def recordio_between(m):
    with service(m, "25", "recordio", "qmail-smtpd") as log:
        with smtp() as s:
            s.noop()
        assert wait(lambda: "> [EOF]" in read(log))
    text = read(log)
    pid = re.search(r"^(\d+) > 220 ", text, re.M).group(1)
    assert f"tcpserver: pid {pid} from" in text and f"\n{pid} < QUIT\r \n" in text


@check
def qmtp_and_qmqp(m):
    with service(m, "209", "qmail-qmtpd"):
        got = exchange(209, ns(b"\nSubject: by qmtp\n\n1\n") + ns("x@client.test") + ns(ns("ann@lab.test")))
        assert re.fullmatch(rb"\d+:Kok \d+ qp \d+,", got), got
        equal(exchange(209, ns(b"\nx") + ns("x@client.test") + ns(ns("y@elsewhere.test"))),
              ns("Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"))
    assert b" with QMTP; " in m.find_mail("ann", b"by qmtp")
    # A machine without a queue: its qmail-queue is qmail-qmqpc.
    m.control("qmqpservers", "127.0.0.1\n")
    with service(m, "628", "qmail-qmqpd", options=("-x", rules(m, "127.:allow\n:deny\n"))):
        p = subprocess.run([BIN + "qmail-inject", "-fx@null.test", "cyd@lab.test"], input=b"Subject: by qmqp\n\n1\n",
                           env={**ENVIRONMENT, "QMAILQUEUE": BIN + "qmail-qmqpc"}, user=2001, group=2001, extra_groups=[],
                           cwd="/", check=False, capture_output=True)
        equal((p.returncode, p.stderr), (0, b""))
    assert b" with QMQP; " in m.find_mail("cyd", b"by qmqp")
    m.control("qmqpservers", None)


@check
def a_key_that_only_root_can_read(m):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=lab.test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", m.dir + "/key.pem",
                    "-out", m.dir + "/cert.pem"], check=True, capture_output=True)
    os.chmod(m.dir + "/key.pem", 0o600)
    with open(m.dir + "/key.pem", "rb") as key, open(m.dir + "/cert.pem", "rb") as cert:
        m.put(HOME + "/control/servercert.pem", key.read() + cert.read(), 0o600)
    with service(m, "6209", "qmail-qmtpd", server="sslserver") as log:
        p = subprocess.run([BIN + "sslclient", "-RHl0", "127.0.0.1", "6209", "sh", "-c", "cat >&7; head -c 10 <&6"],
                           input=ns(b"\nSubject: by qmtps\n\n1\n") + ns("x@client.test") + ns(ns("ann@lab.test")),
                           env={**ENVIRONMENT, "CAFILE": m.dir + "/cert.pem"}, capture_output=True, check=False)
        assert p.returncode == 0 and b":Kok " in p.stdout, (p, read(log))
    m.find_mail("ann", b"by qmtps")
    os.unlink(HOME + "/control/servercert.pem")


@check
def mail_that_is_fetched(m):
    """The recipe of AutoTURN: mail for a domain waits in a Maildir until its host calls."""
    m.control("virtualdomains", "virt.test:autoturn-127.0.0.1\n")
    turn = m.dir + "/autoturn"
    for path in ("", "/127.0.0.1", "/127.0.0.1/tmp", "/127.0.0.1/new", "/127.0.0.1/cur"):
        os.mkdir(turn + path)
        os.chown(turn + path, QMAILD, NOFILES)
    m.put(f"{HOME}/users/assign", f"+autoturn-:qmaild:{QMAILD}:{NOFILES}:{turn}:-::\n.\n")
    subprocess.run([BIN + "qmail-newu"], check=True, env=ENVIRONMENT)
    m.put(turn + "/.qmail-127:0:0:1-default", "./127.0.0.1/\n")
    m.signal(1)
    m.send_mail("someone@virt.test", b"Subject: wait\n\nuntil called\n").expect("success", "did_1+0+0/")
    equal(len(os.listdir(turn + "/127.0.0.1/new")), 1)
    time.sleep(1.1)  # what came in this second is left for the next run
    m.control("rcpthosts", "lab.test\nvirt.test\n")
    got = socket.create_server(("127.0.0.1", 2526))
    p = subprocess.Popen([BIN + "setlock", "-nx", turn + "/127.0.0.1/seriallock", BIN + "maildirsmtp", turn + "/127.0.0.1",
                          "autoturn-127.0.0.1-", "127.0.0.1", "AutoTURN", "2526"], env=ENVIRONMENT, user=QMAILD,
                         group=NOFILES, extra_groups=[], cwd="/", stderr=subprocess.PIPE)
    with got, got.accept()[0] as c, c.makefile("rwb") as f:
        said = []
        f.write(b"220 hi\r\n")
        f.flush()
        for reply in (b"250 hi", b"250 ok", b"250 ok", b"354 go"):
            said.append(f.readline())
            f.write(reply + b"\r\n")
            f.flush()
        while (line := f.readline()) != b".\r\n":
            said.append(line)
        f.write(b"250 kept\r\n")
        f.flush()
        equal(f.readline(), b"QUIT\r\n")
    equal(said[:4], [b"EHLO AutoTURN\r\n", b"MAIL FROM:<s@client.test>\r\n", b"RCPT TO:<someone@virt.test>\r\n", b"DATA\r\n"])
    assert b"until called\r\n" in said and not [x for x in said if x.startswith((b"Return-Path", b"Delivered-To"))]
    assert b"succeeded: 127.0.0.1 said: 250 kept\n" in p.communicate(timeout=30)[1]
    equal((p.returncode, os.listdir(turn + "/127.0.0.1/new")), (0, []))
    m.control("rcpthosts", "lab.test\n")
    m.control("virtualdomains", None)
    for name in ("assign", "cdb"):
        os.unlink(f"{HOME}/users/{name}")
    m.signal(1)

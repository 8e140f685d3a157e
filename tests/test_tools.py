"""The small programs of .qmail lines and scripts: forward, condredirect, preline, maildir2mbox and so on."""
import os
import re
import socket
import subprocess
import threading
import tempfile
import time

import pytest

from quilltest import Instance, maildir, program
from quilltest.authority import Authority, Resolver, nsd_program

MESSAGE = b"Subject: hi\n\nbody\n"
DELIVERY = {"SENDER": "s@x.test", "NEWSENDER": "new@x.test", "DTLINE": "Delivered-To: joe@h.test\n",
            "RPLINE": "Return-Path: <s@x.test>\n", "UFLINE": "From s@x.test Sat Nov 21 10:06:03 2026\n",
            "RECIPIENT": "joe@h.test", "LOCAL": "joe", "HOST": "h.test", "USER": "joe"}

# Stands in for the queue: keeps what it is given.
QUEUE = """#!/bin/sh
cat >"$QMAILHOME/message"
cat <&1 >"$QMAILHOME/envelope"
exit $(cat "$QMAILHOME/status" 2>/dev/null || echo 0)
"""


class Desk:
    """A directory to run one program in, with a stand-in for the queue."""

    def __init__(self, path):
        self.path = str(path)
        os.mkdir(self.path + "/control")
        self.write("queue", QUEUE, 0o755)
        self.write("control/me", "me.test\n")
        self.environment = {"PATH": f"{os.path.dirname(program('forward'))}:/usr/bin:/bin", "QMAILHOME": self.path,
                            "QMAILQUEUE": self.path + "/queue", "HOME": self.path, **DELIVERY}
        for name in os.environ:
            if name.startswith(("ASAN_", "UBSAN_", "LSAN_", "GCOV_")):
                self.environment[name] = os.environ[name]

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.path, name)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path

    def read(self, name):
        with open(os.path.join(self.path, name), "rb") as f:
            return f.read()

    def exists(self, name):
        return os.path.exists(os.path.join(self.path, name))

    def run(self, name, *arguments, message=MESSAGE, without=(), **variables):
        """(exit code, stdout, stderr); the message is a seekable file on descriptor 0."""
        environment = {k: v for k, v in {**self.environment, **variables}.items() if k not in without}
        with tempfile.TemporaryFile() as f:
            f.write(message)
            f.seek(0)
            p = subprocess.run([program(name), *arguments], stdin=f, capture_output=True, env=environment, timeout=60,
                               cwd=self.path)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def queued(self):
        """(message, envelope) that the queue took last."""
        return self.read("message"), self.read("envelope")


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


# ---- forward --------------------------------------------------------------------

def test_forward(desk):
    code, out, err = desk.run("forward", "a@b", "c d@e")
    assert (code, out) == (0, "")
    assert re.fullmatch(r"forward: qp \d+\n", err)
    assert desk.queued() == (b"Delivered-To: joe@h.test\n" + MESSAGE, b"Fnew@x.test\0Ta@b\0Tc d@e\0\0")


def test_forward_reads_from_where_the_message_stands(desk):
    with tempfile.TemporaryFile() as f:
        f.write(MESSAGE)
        f.seek(9)
        subprocess.run([program("forward"), "a@b"], stdin=f, env=desk.environment, check=True, capture_output=True)
    assert desk.queued()[0] == b"Delivered-To: joe@h.test\nhi\n\nbody\n"


@pytest.mark.parametrize("status, code, text", [
    ("31", 100, "mail server permanently rejected message (#5.3.0)"), ("53", 111, "qq write error or disk full (#4.3.0)"),
])
def test_forward_says_why_the_queue_refused(desk, status, code, text):
    desk.write("status", status)
    assert desk.run("forward", "a@b") == (code, "", f"forward: fatal: {text}\n")


def test_forward_when_nothing_runs(desk):
    code, _, err = desk.run("forward", "a@b", without=["QMAILQUEUE"])
    assert code == 111 and "does not run" in err


@pytest.mark.parametrize("missing", ["NEWSENDER", "DTLINE"])
def test_forward_needs_its_variables(desk, missing):
    assert desk.run("forward", "a@b", without=[missing]) == (100, "", f"forward: fatal: {missing} not set\n")


def test_forward_refuses_addresses_with_line_ends(desk):
    code, _, err = desk.run("forward", "a@b\nT")
    assert code == 100 and "envelope address" in err


# ---- condredirect, bouncesaying, except -----------------------------------------

VERDICTS = [(["true"], 0), (["false"], 1), (["sh", "-c", "exit 100"], 100), (["sh", "-c", "exit 99"], 99),
            (["sh", "-c", "exit 111"], 111), (["sh", "-c", "kill -9 $$"], None), (["/no/such/program"], 100)]


@pytest.mark.parametrize("command, verdict", VERDICTS)
def test_verdicts(desk, command, verdict):
    trouble = verdict in (111, None)
    assert desk.run("except", *command)[0] == (111 if trouble else 100 if verdict == 0 else 0)
    code, out, err = desk.run("bouncesaying", "No such list.", *command)
    assert (code, out) == (111 if trouble else 100 if verdict == 0 else 0, "")
    assert ("No such list.\n" == err) == (verdict == 0)
    assert desk.run("condredirect", "a@b", *command)[0] == (111 if trouble else 99 if verdict == 0 else 0)
    assert desk.exists("message") == (verdict == 0)


def test_condredirect_keeps_the_sender_and_rewinds(desk):
    code, _, err = desk.run("condredirect", "a@b", "grep", "-q", "body")
    assert code == 99 and re.fullmatch(r"condredirect: qp \d+\n", err)
    assert desk.queued() == (b"Delivered-To: joe@h.test\n" + MESSAGE, b"Fs@x.test\0Ta@b\0\0")


def test_bouncesaying_without_a_program(desk):
    assert desk.run("bouncesaying", "Gone.") == (100, "", "Gone.\n")


@pytest.mark.parametrize("name, arguments, usage", [
    ("forward", [], "newaddress ..."), ("condredirect", ["a@b"], "newaddress program [ arg ... ]"),
    ("bouncesaying", [], "error [ program [ arg ... ] ]"), ("except", [], "program [ arg ... ]"),
    ("preline", [], "cmd [ arg ... ]"), ("predate", [], "child"), ("maildirmake", [], "name"),
])
def test_usage(desk, name, arguments, usage):
    assert desk.run(name, *arguments) == (100, "", f"{name}: usage: {name} {usage}\n")


# ---- preline, predate, datemail, mailsubj ---------------------------------------

@pytest.mark.parametrize("options, lines", [
    ([], "URD"), (["-f"], "RD"), (["-r"], "UD"), (["-d"], "UR"), (["-frd"], ""), (["-frdFD"], "UD"), (["-fR"], "RD"),
])
def test_preline(desk, options, lines):
    variables = {"U": "UFLINE", "R": "RPLINE", "D": "DTLINE"}
    head = "".join(DELIVERY[variables[line]] for line in lines)
    assert desk.run("preline", *options, "cat") == (0, head + MESSAGE.decode(), "")


def test_preline_passes_exit_codes_on(desk):
    assert desk.run("preline", "sh", "-c", "exit 77")[0] == 77
    assert desk.run("preline", "sh", "-c", "kill -9 $$") == (111, "", "preline: fatal: child crashed\n")
    assert desk.run("preline", "/no/such") == (100, "", "preline: fatal: unable to run /no/such: file does not exist\n")
    assert desk.run("preline", "cat", without=["RPLINE"])[0] == 100


def test_preline_survives_a_program_that_reads_nothing(desk):
    assert desk.run("preline", "true", message=b"x" * 1000000)[0] == 0


def test_preline_kills_a_program_that_would_get_a_part(desk):
    directory = os.open(desk.path, os.O_RDONLY)
    try:
        p = subprocess.run([program("preline"), "sh", "-c", "cat >/dev/null; echo whole"], stdin=directory,
                           capture_output=True, env=desk.environment, check=False)
    finally:
        os.close(directory)
    assert (p.returncode, p.stdout) == (111, b"")
    assert b"unable to read message: is a directory" in p.stderr


def test_predate(desk):
    code, out, _ = desk.run("predate", "cat", TZ="ABC-2")
    field, rest = out.split("\n", 1)
    assert code == 0 and rest.encode() == MESSAGE
    assert re.fullmatch(r"Date: [1-9]\d? \w{3} \d{4} \d\d:\d\d:\d\d \+0200", field)
    assert desk.run("predate", "sh", "-c", "exit 3")[0] == 3


def test_datemail(desk):
    assert desk.run("datemail", "-fs@x.test", "a@b.test", TZ="ABC3")[0] == 0
    message, envelope = desk.queued()
    assert envelope == b"Fs@x.test\0Ta@b.test\0\0"
    assert re.search(rb"^Date: .* -0300$", message, re.M)
    assert len(re.findall(rb"^Date:", message, re.M)) == 1


def test_mailsubj(desk):
    code, _, err = desk.run("mailsubj", "two words\nBcc: x@y.test", "a@b.test", "c@d.test", message=b"text\n")
    assert (code, err) == (0, "")
    message, envelope = desk.queued()
    assert sorted(envelope.split(b"\0")[1:3]) == [b"Ta@b.test", b"Tc@d.test"]
    assert b"Subject: two words Bcc: x@y.test\n" in message
    assert b"To: a@b.test, c@d.test\n" in message
    assert message.endswith(b"\n\ntext\n")


# ---- Maildirs ---------------------------------------------------------------------

def test_maildirmake(desk):
    assert desk.run("maildirmake", "M") == (0, "", "")
    for d in ("M", "M/tmp", "M/new", "M/cur"):
        assert os.stat(f"{desk.path}/{d}").st_mode & 0o7777 == 0o700
    assert desk.run("maildirmake", "M") == (111, "", "maildirmake: fatal: unable to mkdir M: file already exists\n")
    code, _, err = desk.run("maildirmake", "no/such/place")
    assert (code, err) == (111, "maildirmake: fatal: unable to mkdir no/such/place: file does not exist\n")


MAIL = {"MAIL": "../mbox", "MAILTMP": "../mbox.tmp", "MAILDIR": "M"}


def put(desk, name, text, age):
    desk.write("M/" + name, text)
    when = time.time() - age
    os.utime(f"{desk.path}/M/{name}", (when, when))
    return time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(when)).encode()


def test_maildir2mbox(desk):
    desk.run("maildirmake", "M")
    desk.write("mbox", b"From old\nold\n\n", 0o640)
    second = put(desk, "new/1", b"Return-Path: <a b@c>\n\nFrom x\n>From y\n", 50)
    first = put(desk, "cur/2:2,S", b"Return-Path: <>\nlast line", 100)
    third = put(desk, "new/3", b"Subject: none\n", 20)
    fourth = put(desk, "new/4", b"", 10)
    put(desk, "new/5", b"not yet\n", -100)
    put(desk, "tmp/old", b"", 40 * 3600)
    put(desk, "tmp/young", b"", 30 * 3600)
    assert desk.run("maildir2mbox", **MAIL) == (0, "", "")
    unknown = b"XX" b"X"
    assert desk.read("mbox") == (
        b"From old\nold\n\n"
        b"From MAILER-DAEMON " + first + b"\nReturn-Path: <>\nlast line\n\n"
        b"From a-b@c " + second + b"\nReturn-Path: <a b@c>\n\n>From x\n>>From y\n\n"
        b"From " + unknown + b" " + third + b"\nSubject: none\n\n"
        b"From " + unknown + b" " + fourth + b"\n\n")
    assert os.stat(desk.path + "/mbox").st_mode & 0o777 == 0o640
    assert os.listdir(desk.path + "/M/new") == ["5"] and os.listdir(desk.path + "/M/cur") == []
    assert os.listdir(desk.path + "/M/tmp") == ["young"]
    assert not desk.exists("mbox.tmp")


def test_maildir2mbox_keeps_an_unterminated_last_line(desk):
    """qmail drops it and then removes the message."""
    desk.run("maildirmake", "M")
    put(desk, "new/1", b"Subject: x\n\nimportant", 5)
    assert desk.run("maildir2mbox", **MAIL)[0] == 0
    assert b"\nimportant\n\n" in desk.read("mbox")


def test_maildir2mbox_with_nothing_to_do_touches_nothing(desk):
    desk.run("maildirmake", "M")
    assert desk.run("maildir2mbox", **MAIL) == (0, "", "")
    assert not desk.exists("mbox")


def test_maildir2mbox_keeps_messages_when_it_cannot_write(desk):
    desk.run("maildirmake", "M")
    put(desk, "new/1", b"x\n", 5)
    code, _, err = desk.run("maildir2mbox", **{**MAIL, "MAILTMP": "../no/such"})
    assert (code, err) == (111, "maildir2mbox: fatal: unable to create ../no/such: file does not exist\n")
    assert os.listdir(desk.path + "/M/new") == ["1"]


@pytest.mark.parametrize("missing", list(MAIL))
def test_maildir2mbox_needs_its_variables(desk, missing):
    assert desk.run("maildir2mbox", without=[missing], **MAIL) == (111, "", f"maildir2mbox: fatal: {missing} not set\n")


# ---- receipts, notices, mail programs ---------------------------------------------

REQUEST = b"From: s@x.test\nnotice-requested-upon-delivery-to: Joe <joe@h.test>,\n  ann@h.test\nMessage-ID: <1@x>\n\nx\n"


def test_qreceipt(desk):
    assert desk.run("qreceipt", "ann@h.test", message=REQUEST, SENDER="a b@x.test") == (0, "", "")
    message, envelope = desk.queued()
    assert envelope == b"F\0Ta b@x.test\0\0"
    assert message.startswith(b'From: DELIVERY NOTICE SYSTEM <"a b"@x.test>\nTo: <"a b"@x.test>\n'
                              b"Subject: success notice\n")
    assert b"\n  ann@h.test\n" in message and b"Message-ID: <1@x>\n" in message.split(b"\n\n", 1)[1]


@pytest.mark.parametrize("address, sender, message", [
    ("other@h.test", "s@x.test", REQUEST), ("Ann@h.test", "s@x.test", REQUEST), ("ann@h.test", "", REQUEST),
    ("ann@h.test", "#@[]", REQUEST), ("ann@h.test", "s@x.test", b"Subject: x\n\n" + REQUEST),
    ("ann@h.test", "s@x.test", b""),
])
def test_qreceipt_without_a_request(desk, address, sender, message):
    assert desk.run("qreceipt", address, message=message, SENDER=sender) == (0, "", "")
    assert not desk.exists("message")


def test_qreceipt_trouble(desk):
    desk.write("status", "31")
    assert desk.run("qreceipt", "ann@h.test", message=REQUEST)[0] == 100
    desk.write("status", "53")
    assert desk.run("qreceipt", "ann@h.test", message=REQUEST)[0] == 111
    assert desk.run("qreceipt", "ann@h.test", without=["SENDER"])[0] == 100


def test_qbiff_never_fails(desk):
    assert desk.run("qbiff", USER="no-such-user") == (0, "", "")
    assert desk.run("qbiff", without=["USER", "SENDER", "LOCAL"]) == (0, "", "")


def test_maildirwatch(desk):
    desk.run("maildirmake", "M")
    put(desk, "new/1", b"Return-Path: <s@x>\nDelivered-To: joe@h\nSubject: \033[31mhi\n\nbody text\n", 10)
    p = subprocess.Popen([program("maildirwatch")], stdout=subprocess.PIPE,
                         env={**desk.environment, "MAILDIR": desk.path + "/M"})
    try:
        out = os.read(p.stdout.fileno(), 4096)
    finally:
        p.kill()
        p.communicate()
    assert out == b"\033[H\033[JTO joe@h FROM <s@x>\n?[31mhi body text\n\n"
    assert desk.run("maildirwatch", without=["MAILDIR"]) == (111, "", "maildirwatch: fatal: MAILDIR not set\n")


@pytest.mark.parametrize("name, reader", [("qail", "Mail"), ("elq", "elm"), ("pinq", "pine")])
def test_mail_programs_find_their_mbox(desk, name, reader):
    desk.run("maildirmake", "M")
    put(desk, "new/1", b"Return-Path: <s@x>\n\nhello\n", 10)
    os.mkdir(desk.path + "/bin")
    desk.write(f"bin/{reader}", "#!/bin/sh\necho $0 \"$@\"; grep -c hello mbox\nexit 3\n", 0o755)
    path = f"{desk.path}/bin:/usr/bin:/bin"
    assert desk.run(name, "-x", "a b", PATH=path, **MAIL) == (3, f"{desk.path}/bin/{reader} -x a b\n1\n", "")
    assert desk.run(name, PATH=path) == (111, "", "maildir2mbox: fatal: MAIL not set\n")


# ---- users, connections, names ------------------------------------------------------

def test_qmail_pw2u(desk):
    home = desk.path + "/home"
    os.mkdir(home)
    uid = os.getuid() or 12345
    os.chown(home, uid, -1)
    os.mkdir(desk.path + "/users")
    desk.write("users/append", "=extra:joe:1:2:/x:::\n")
    passwd = f"root:x:0:0::/root:\nalias:x:{uid}:5::{home}:\njoe:x:{uid}:6:Joe:{home}:/bin/sh\n".encode()
    whose = f"{uid}:6:{home}"
    assert desk.run("qmail-pw2u", message=passwd) == (0, (
        f"+:alias:{uid}:5:{home}:-::\n=alias:alias:{uid}:5:{home}:::\n+alias-:alias:{uid}:5:{home}:-::\n"
        f"=joe:joe:{whose}:::\n+joe-:joe:{whose}:-::\n=extra:joe:1:2:/x:::\n.\n"), "")
    assert f"+joe+:joe:{whose}:-/::\n" in desk.run("qmail-pw2u", "-/c+", message=passwd)[1]
    assert "+joe" not in desk.run("qmail-pw2u", "-C", message=passwd)[1]
    assert desk.run("qmail-pw2u", message=b"") == (111, "", "qmail-pw2u: fatal: unable to find alias user\n")
    assert desk.run("qmail-pw2u", "-Z")[0] == 100


@pytest.mark.parametrize("family, address", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_tcp_env(desk, family, address):
    with socket.socket(family) as listener:
        try:
            listener.bind((address, 0))
        except OSError:
            pytest.skip(f"no {address} here")
        listener.listen()
        with socket.create_connection(listener.getsockname()[:2]) as client:
            server, _ = listener.accept()
            with server:
                p = subprocess.run([program("tcp-env"), "-R", "env"], stdin=server, capture_output=True, check=True,
                                   env={**desk.environment, "TCPREMOTEINFO": "liar", "PROTO": "X"})
                names = dict(line.split("=", 1) for line in p.stdout.decode().splitlines() if "=" in line)
            assert {k: v for k, v in names.items() if k.startswith("TCP") or k == "PROTO"} == {
                "PROTO": "TCP", "TCPLOCALIP": address, "TCPREMOTEIP": address,
                "TCPLOCALPORT": str(listener.getsockname()[1]), "TCPREMOTEPORT": str(client.getsockname()[1]),
                "TCPLOCALHOST": "softdnserror", "TCPREMOTEHOST": "softdnserror"}


@pytest.mark.skipif(os.getuid() != 0, reason="the port of ident is for root")
def test_tcp_env_asks_who_it_is(desk):
    asked = []

    def answer(listening):
        for _ in range(2):
            with listening.accept()[0] as c:
                asked.append(c.recv(100))
                c.sendall(b"1 , 2 : USERID : UNIX : joe\r\n")

    with socket.create_server(("127.0.0.34", 113)) as ident, socket.create_server(("127.0.0.34", 0)) as listener:
        threading.Thread(target=answer, args=(ident,), daemon=True).start()
        with socket.create_connection(listener.getsockname(), source_address=("127.0.0.34", 0)) as client:
            server, _ = listener.accept()
            with server:
                def info(*options):
                    return subprocess.run([program("tcp-env"), *options, "sh", "-c", "echo ${TCPREMOTEINFO-none}"], stdin=server,
                                          capture_output=True, check=True, env=desk.environment).stdout
                assert [info(), info("-R"), info("-Rr", "-t5")] == [b"joe\n", b"none\n", b"joe\n"]
                assert asked == [b"%d , %d\r\n" % (client.getsockname()[1], listener.getsockname()[1])] * 2


def test_tcp_env_keeps_what_is_known(desk):
    assert desk.run("tcp-env", "-t", "5", "sh", "-c", "echo $TCPREMOTEIP", PROTO="TCP", TCPREMOTEIP="x")[1] == "x\n"
    assert desk.run("tcp-env", "env")[0] == 111
    assert desk.run("tcp-env", "/no/such", PROTO="TCP")[0] == 111
    assert desk.run("tcp-env")[0] == 100


ZONE = """@ A 192.0.2.1
@ MX 10 mx
@ MX 5 mx6
mx A 192.0.2.2
mx6 AAAA 2001:db8::2
www CNAME Mx
null MX 0 .
"""
REVERSE = "2 PTR mx.a.test.\n"


@pytest.mark.skipif(nsd_program() is None, reason="no name server here")
def test_dns_programs(desk):
    authority = Authority({"a.test": ZONE, "2.0.192.in-addr.arpa": REVERSE})
    try:
        resolver = Resolver([f"127.0.0.1@{authority.port}"])
        try:
            def ask(*command):
                return desk.run(*command, QMAILHOME=resolver.home)
            assert ask("dnsip", "a.test") == (0, "192.0.2.1\n", "")
            assert ask("dnsmxip", "a.test") == (0, "2001:db8::2 5\n192.0.2.2 10\n", "")
            assert ask("dnsptr", "192.0.2.2") == (0, "mx.a.test\n", "")
            assert ask("dnsip", "none.a.test") == (100, "", "dnsip: fatal: hard error\n")
            assert ask("dnsmxip", "null.a.test")[0] == 100
            assert ask("dnsptr", "192.0.2.9")[0] == 100
            assert ask("dnsptr", "mx.a.test") == (100, "", "dnsptr: usage: dnsptr ip\n")
        finally:
            resolver.close()
        assert ask("dnsip", "a.test")[0] == 111
    finally:
        authority.close()


def test_dnsfq(desk):
    assert desk.run("dnsfq", "LOCALHOST") == (0, "localhost\n", "")
    assert desk.run("dnsfq", "a b")[0] in (100, 111)
    assert desk.run("dnsfq")[0] == 100


def test_ipmeprint(desk):
    code, out, _ = desk.run("ipmeprint")
    assert code == 0 and "127.0.0.1" in out.split("\n")


def test_config_fast(desk):
    desk.write("control/locals", "old.test")
    code, out, _ = desk.run("config-fast", "mail.dept.example.test")
    assert code == 0 and out.startswith("Your fully qualified host name is mail.dept.example.test.\n")
    assert desk.read("control/me") == b"mail.dept.example.test\n"
    assert desk.read("control/defaultdomain") == b"dept.example.test\n"
    assert desk.read("control/plusdomain") == b"example.test\n"
    assert desk.read("control/locals") == b"old.test\nmail.dept.example.test\n"
    assert desk.read("control/rcpthosts") == b"mail.dept.example.test\n"
    for name in ("me", "defaultdomain", "plusdomain", "locals", "rcpthosts"):
        assert os.stat(f"{desk.path}/control/{name}").st_mode & 0o777 == 0o644
    assert desk.run("config-fast", "mail.dept.example.test")[0] == 0
    assert desk.read("control/rcpthosts") == b"mail.dept.example.test\n"
    assert desk.run("config-fast")[0] == 100
    assert desk.run("config-fast", "a\nb")[0] == 100


def test_config(desk):
    """What it finds depends on the machine; it must be consistent, or say what to do instead."""
    code, out, err = desk.run("config")
    if code == 0:
        me = desk.read("control/me").decode().strip()
        assert f"fully qualified name is {me}.\n" in out and "." in me
        assert me in desk.read("control/locals").decode().split()
        assert desk.read("control/locals") == desk.read("control/rcpthosts")
    else:
        assert code in (100, 111) and "config-fast" in err


# ---- within deliveries --------------------------------------------------------------

def test_helpers_in_qmail_files():
    with Instance() as i:
        i.add_user("keep")
        i.add_user("joe", qmail="|forward keep@a.test\n",
                   spam='|condredirect keep@a.test grep -q viagra\n./Maildir/\n',
                   closed='|bouncesaying "This address is closed."\n',
                   open='|except grep -q open\n|echo never\n',
                   pre='|preline cat >$HOME/pre\n')
        i.start()
        i.send("s@x.test", ["joe@a.test"], b"Subject: one\n\n1\n")
        i.wait_delivered("keep", 1)
        i.send("s@x.test", ["joe-spam@a.test"], b"Subject: two\n\nviagra\n")
        i.wait_delivered("keep", 2)
        i.send("s@x.test", ["joe-spam@a.test"], b"Subject: three\n\nharmless\n")
        i.wait_delivered("joe", 1)
        i.send("keep@a.test", ["joe-closed@a.test"], b"Subject: four\n\n4\n")
        i.wait_delivered("keep", 3)
        i.send("keep@a.test", ["joe-pre@a.test"], b"Subject: five\n\n5\n")
        i.send("keep@a.test", ["joe-open@a.test"], b"Subject: six\n\nopen\n")
        i.wait_delivered("keep", 4)
        mail = maildir(i.dir + "/keep/Maildir")
        [one] = [m for m in mail if b"Subject: one" in m]
        assert b"Delivered-To: keep@a.test\n" in one and b"Delivered-To: joe@a.test\n" in one
        assert one.startswith(b"Return-Path: <s@x.test>\n")
        [two] = [m for m in mail if b"Subject: two" in m]
        assert b"Delivered-To: joe-spam@a.test\n" in two and two.startswith(b"Return-Path: <s@x.test>\n")
        assert any(b"This address is closed." in m for m in mail)
        with open(i.dir + "/joe/pre", "rb") as f:
            assert f.read().startswith(b"From keep@a.test ")

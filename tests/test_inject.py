"""qmail-inject, sendmail, qmail-showctl and splogger, with a recording program in place of the queue."""
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time

import pytest

from quilltest import program

RECORDER = """#!/bin/sh
cat >"$RECORD/message"
cat <&1 >"$RECORD/envelope"
test -z "$SAY" || printf %s "$SAY" >&6
exit ${ANSWER:-0}
"""
DATE = r"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d -0000"
FULL = b"Date: d\nMessage-ID: <i>\nFrom: f@g.h\n"


class Home:
    """A home with control files, and a queue that records."""

    def __init__(self, directory):
        self.dir = str(directory)
        os.makedirs(self.dir + "/home/control", exist_ok=True)
        os.makedirs(self.dir + "/record", exist_ok=True)
        for name, text in {"me": "a.test\n", "defaultdomain": "test\n", "plusdomain": "plus.test\n"}.items():
            self.control(name, text)
        self.recorder = self.dir + "/recorder"
        with open(self.recorder, "w") as f:
            f.write(RECORDER)
        os.chmod(self.recorder, 0o755)
        self.environment = {
            "PATH": "/usr/bin:/bin", "QMAILHOME": self.dir + "/home", "QMAILQUEUE": self.recorder,
            "RECORD": self.dir + "/record", "USER": "joe",
        }

    def control(self, name, text):
        with open(f"{self.dir}/home/control/{name}", "w") as f:
            f.write(text)

    def run(self, *argv, message=b"", command="qmail-inject", path=None, **environment):
        """Runs it; the result has message and envelope when something was queued."""
        for name in os.listdir(self.dir + "/record"):
            os.unlink(f"{self.dir}/record/{name}")
        env = {k: v for k, v in {**self.environment, **environment}.items() if v is not None}
        result = subprocess.run([command, *argv], executable=path or program(command), input=message, env=env,
                                capture_output=True, timeout=60)
        result.message, result.sender, result.recipients = None, None, None
        if os.path.exists(self.dir + "/record/envelope"):
            with open(self.dir + "/record/message", "rb") as f:
                result.message = f.read()
            with open(self.dir + "/record/envelope", "rb") as f:
                envelope = f.read()
            if envelope:
                assert envelope[:1] == b"F" and envelope.endswith(b"\0\0"), envelope
                parts = envelope[:-2].split(b"\0")
                assert all(p[:1] == b"T" for p in parts[1:])
                result.sender, result.recipients = parts[0][1:].decode(), [p[1:].decode() for p in parts[1:]]
        return result

    def queued(self, *argv, **rest):
        result = self.run(*argv, **rest)
        assert (result.returncode, result.stderr, result.stdout) == (0, b"", b"")
        return result


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


# qmail-inject

def test_missing_fields_are_generated(home):
    r = home.queued("joe", message=b"Subject: 1\n\nHi\n")
    assert re.fullmatch(rf"Date: {DATE}\nMessage-ID: <\d{{14}}\.\d+\.qmail@a\.test>\nFrom: joe@a\.test\n"
                        r"Cc: recipient list not shown: ;\nSubject: 1\n\nHi\n", r.message.decode())
    assert (r.sender, r.recipients) == ("joe@a.test", ["joe@a.test"])


def test_example_of_the_contract(home):
    r = home.queued(message=FULL + b"To: a, b@c, \"J. Doe\" <d@e+>, grp: x, y;, <@r1,@r2:z@h.com>, (c) k@l.m.\n")
    assert r.message == FULL + (b"To: a@a.test, b@c.test, \"J. Doe\" <d@e.plus.test>, grp: x@a.test, y@a.test;,\n"
                                b"  <z@h.com>, k@l.m (c)\n")
    assert r.recipients == ["k@l.m", "z@h.com", "y@a.test", "x@a.test", "d@e.plus.test", "b@c.test", "a@a.test"]


@pytest.mark.parametrize("options, expected", [
    (["-a"], []), (["-a", "x"], ["x@a.test"]), (["x", "y"], ["x@a.test", "y@a.test"]), ([], ["h@a.test"]),
    (["-h", "x"], ["h@a.test"]), (["-H", "x", "x"], ["x@a.test", "x@a.test", "h@a.test"]), (["-hA", "x"], ["x@a.test"]),
    (["-nNax"[:4], "x"], ["x@a.test"]), (["--", "-x"], ["-x@a.test"]), (["x", "-n"], ["x@a.test", "-n@a.test"]),
])
def test_where_recipients_come_from(home, options, expected):
    assert home.queued(*options, message=FULL + b"To: h\n").recipients == expected


@pytest.mark.parametrize("argument, expected", [
    ("a b@c", "a b@c.test"), ("a,b@c.d", "a,b@c.d"), ("x@h+", "x@h.plus.test"), ("x@h.", "x@h.test"), ("#@[]", "#@[]"),
    ("\"q\"@h.i", "\"q\"@h.i"), ("ä@b.c", "ä@b.c"), ("@r:a@b.c", "@r:a@b.c"),
])
def test_arguments_are_single_addresses(home, argument, expected):
    assert home.queued(argument, message=FULL).recipients == [expected]


@pytest.mark.parametrize("options, header, environment, expected", [
    ([], b"", {}, "joe@a.test"),
    ([], b"", {"QMAILSUSER": "s", "QMAILSHOST": "t"}, "s@t.test"),
    ([], b"", {"QMAILUSER": "q", "MAILHOST": "m"}, "q@m.test"),
    ([], b"", {"USER": None}, "anonymous@a.test"),
    (["-f", ""], b"Return-Path: <x@y.z>\n", {}, ""),
    (["-fbob"], b"Return-Path: <x@y.z>\n", {"QMAILINJECT": "rm"}, "bob@a.test"),
    (["-f", "l-@h-@[]"], b"", {}, "l-@h-@[]"),
    ([], b"Return-Path: <x@y.z>\nReturn-Path: other\n", {}, "x@y.z"),
    ([], b"Return-Path: <>\n", {"QMAILINJECT": "r"}, ""),
    ([], b"Return-Path: <x@y.z>\n", {"QMAILINJECT": "s"}, "joe@a.test"),
    ([], b"Return-Path: <x@y.z>\n", {"QMAILINJECT": "rXYZ"}, "x@y.z-@[]"),
    ([], b"", {"QMAILINJECT": "r"}, "joe-@a.test-@[]"),
    ([], b"", {"QMAILSUSER": ""}, ""),
])
def test_envelope_sender(home, options, header, environment, expected):
    r = home.queued(*options, message=FULL + header + b"To: a@b.c\n", **environment)
    assert r.sender == expected
    assert b"eturn-" not in r.message


def test_sender_per_message(home):
    assert re.fullmatch(r"joe-\d+\.\d+@a\.test", home.queued(message=FULL, QMAILINJECT="m").sender)
    assert re.fullmatch(r"joe-\d+\.\d+-@a\.test-@\[\]", home.queued(message=FULL, QMAILINJECT="mr").sender)


def test_from_is_made_of_the_environment(home):
    name = {"QMAILNAME": 'J. "Q" \\Doe', "QMAILUSER": "j d", "QMAILHOST": "h.i"}
    assert b'\nFrom: "J. \\"Q\\" \\\\Doe" <"j d"@h.i>\n' in home.queued(**name).message
    assert b'\nFrom: "j d"@h.i (J. "Q" \\\\Doe)\n' in home.queued(QMAILINJECT="c", **name).message
    r = home.queued(message=b"From: x@y.z\nMessage-ID: <old>\n", QMAILINJECT="fi")
    assert b"From: joe@a.test\n" in r.message and b"x@y.z" not in r.message and b"<old>" not in r.message


def test_settings_of_the_environment_come_first(home):
    r = home.queued("u", "u@h", "u@h+", QMAILDEFAULTHOST="dh", QMAILDEFAULTDOMAIN="dd.x", QMAILPLUSDOMAIN="pd.x",
                    QMAILIDHOST="id.x")
    assert r.recipients == ["u@dh.dd.x", "u@h.dd.x", "u@h.pd.x"]
    assert b".qmail@id.x>\n" in r.message


def test_resent_messages(home):
    r = home.queued(message=FULL + b"To: old@x.y\nResent-To: new\nResent-Bcc: secret\n\nb\n")
    assert r.recipients == ["new@a.test", "secret@a.test"]
    assert re.fullmatch(rf"Resent-Date: {DATE}\nResent-Message-ID: <[^>]*>\nResent-From: joe@a\.test\n"
                        + FULL.decode() + r"To: old@x\.y\nResent-To: new@a\.test\n\nb\n", r.message.decode())


def test_deleted_fields(home):
    r = home.queued(message=FULL + b"Bcc: b\nContent-Length: 3\nX: y\nCc: c\n")
    assert r.message == FULL + b"X: y\nCc: c@a.test\n"
    assert r.recipients == ["b@a.test", "c@a.test"]


@pytest.mark.parametrize("message, expected", [
    (b"", b""), (b"\n", b"\n"), (b"X: y", b"X: y\n"), (b"X: y\n\n", b"X: y\n\n"), (b"X: y\n\nb", b"X: y\n\nb\n"),
    (b"X: y\nbody\nZ: z\n", b"X: y\n\nbody\nZ: z\n"), (b"body", b"\nbody\n"),
    (b"X : y\n c\n\tFrom a\n\n\n\0\xff\r\n.\n", b"X : y\n c\n\tFrom a\n\n\n\0\xff\r\n.\n"),
    (b"X: y\nFrom a Thu\n b\nZ: z\n", b"X: y\nMBOX-Line: From a Thu\n b\nZ: z\n"),
])
def test_header_and_body(home, message, expected):
    head = b"To: a@b.c\nDate: d\nMessage-ID: i\nFrom: f@g.h\n"
    assert home.queued("-a", message=head + message).message == head + expected


def test_malformed_fields(home):
    r = home.run("x@y.z", message=FULL + b"To: a@b.c, (oops\nCc: d: e\nBcc: )\n\nb\n")
    assert (r.returncode, r.stderr) == (0, b"")
    assert r.message == FULL + b"To: a@b.c, (oops\nCc: d: e\n\nb\n"
    r = home.run("-H", "x@y.z", message=FULL + b"To: a@b.c, (oops\nCc: good\n")
    assert (r.returncode, r.recipients) == (0, ["x@y.z", "good@a.test"])
    assert r.stderr == b"qmail-inject: warning: 1 recipient field(s) could not be parsed\n"
    r = home.run(message=b"Reply-To: a (b\n  c\nTo: x\n")
    assert (r.returncode, r.stderr) == (
        100, b"qmail-inject: fatal: unable to parse this line:\nReply-To: a (b\n  c\n")
    assert r.message is None
    for bad in ("a@b(c", ""):
        r = home.run(bad)
        assert (r.returncode, r.stderr) == (
            100, b"qmail-inject: fatal: unable to parse address: " + bad.encode() + b"\n")


def test_option_errors(home):
    r = home.run("-ax")
    assert (r.returncode, r.stderr) == (100, b"qmail-inject: illegal option -- x\n")
    r = home.run("-f")
    assert (r.returncode, r.stderr) == (100, b"qmail-inject: option requires an argument -- f\n")


def test_print(home):
    r = home.run("-n", "-f", "a b@c", message=FULL + b"To: x\n\nbody")
    assert (r.returncode, r.stderr) == (0, b"")
    assert r.stdout == b"Return-Path: <\"a b\"@c.test>\n" + FULL + b"To: x@a.test\n\nbody\n"
    assert r.message is None
    with open("/dev/full", "wb") as full:
        r = subprocess.run([program("qmail-inject"), "-n"], input=FULL, env=home.environment, stdout=full,
                           stderr=subprocess.PIPE)
    assert (r.returncode, r.stderr) == (111, b"qmail-inject: fatal: write error: out of disk space\n")


def test_mail_followup_to(home):
    with open(home.dir + "/lists", "w") as f:
        f.write("# mine\nLIST@x.test\n")
    message = FULL + b"To: a, \"b c\" <d@e>\nCc: f, list@X\n"
    r = home.queued(message=message, QMAILMFTFILE=home.dir + "/lists")
    assert b"Mail-Followup-To: f@a.test,\n  list@X.test,\n  a@a.test,\n  d@e.test\n" in r.message
    for unchanged in (FULL + b"To: a\n", message + b"Mail-Followup-To: me\n", message + b"Resent-To: list@x\n"):
        assert b"d@e.test\n  " not in home.queued(message=unchanged, QMAILMFTFILE=home.dir + "/lists").message
    assert b"Followup" not in home.queued(message=message, QMAILMFTFILE=home.dir + "/missing").message
    r = home.run(message=message, QMAILMFTFILE=home.dir)
    assert r.returncode == 111 and r.stderr.startswith(b"qmail-inject: fatal: read error: ")


@pytest.mark.parametrize("answer, code, text", [
    (11, 100, "envelope address too long for qq (#5.1.3)"), (31, 100, "mail server permanently rejected message (#5.3.0)"),
    (33, 100, "qq permanent problem (#5.3.0)"), (51, 111, "qq out of memory (#4.3.0)"), (52, 111, "qq timeout (#4.3.0)"),
    (53, 111, "qq write error or disk full (#4.3.0)"), (54, 111, "qq read error (#4.3.0)"),
    (61, 111, "qq trouble in home directory (#4.3.0)"), (64, 111, "qq trouble creating files in queue (#4.3.0)"),
    (71, 111, "mail server temporarily rejected message (#4.3.0)"), (81, 111, "qq internal bug (#4.3.0)"),
    (111, 111, "qq temporary problem (#4.3.0)"),
])
def test_refusals_of_the_queue(home, answer, code, text):
    r = home.run("x", message=FULL, ANSWER=str(answer))
    assert (r.returncode, r.stderr.decode()) == (code, f"qmail-inject: fatal: {text}\n")


def test_other_troubles_with_the_queue(home):
    r = home.run("x", message=FULL, ANSWER="82", SAY="Dno, thanks (#5.7.1)")
    assert (r.returncode, r.stderr) == (100, b"qmail-inject: fatal: no, thanks (#5.7.1)\n")
    r = home.run("x", message=FULL, QMAILQUEUE="/nowhere")
    assert (r.returncode, r.stderr) == (111, b"qmail-inject: fatal: unable to exec qq (#4.3.0)\n")
    r = home.run("x", message=FULL, QMAILQUEUE=None)
    assert r.returncode == 111 and b"the mail system does not run in " in r.stderr
    r = home.run("x" * 2000, message=FULL)
    assert (r.returncode, r.stderr) == (100, b"qmail-inject: fatal: envelope address too long for qq (#5.1.3)\n")
    r = home.run("x", QMAILHOME="/nowhere")
    assert (r.returncode, r.stderr) == (
        111, b"qmail-inject: fatal: unable to open the home directory /nowhere: file does not exist\n")


def test_unreadable_settings_and_input(home):
    os.mkdir(home.dir + "/home/control/idhost")
    r = home.run("x")
    assert (r.returncode, r.stderr) == (
        111, b"qmail-inject: fatal: read error: unable to read control/idhost: it is a directory\n")
    r = subprocess.run(["sh", "-c", f"exec {program('qmail-inject')} x <&-"], env={**home.environment, "QMAILIDHOST": "x"},
                       capture_output=True)
    assert r.returncode == 111 and r.stderr.startswith(b"qmail-inject: fatal: read error")


def test_many_recipients_and_large_headers(home):
    many = 100000
    start = time.monotonic()
    r = home.queued(message=FULL + b"To: " + b", ".join(b"u%d@x" % i for i in range(many)) + b"\n")
    assert len(r.recipients) == many and r.recipients[-1] == "u0@x.test"
    assert max(map(len, r.message.split(b"\n"))) <= 80
    r = home.queued("x", message=FULL + b"X-Big: " + b"y" * 10_000_000 + b"\n" + b"".join(
        b" line %d\n" % i for i in range(1_000_000)))
    assert len(r.message) > 20_000_000
    assert time.monotonic() - start < 20
    r = home.run("x", message=b"X-Big: " + b"y" * (65 << 20) + b"\n\n")
    assert (r.returncode, r.stderr) == (100, b"qmail-inject: fatal: the header is larger than 67108864 bytes\n")
    r = home.run("x", message=(b"X: " + b"y" * 60 + b"\n") * (1 << 20) + b"Y: " + b"z" * 100000 + b"\n\n")
    assert (r.returncode, r.stderr) == (100, b"qmail-inject: fatal: the header is larger than 67108864 bytes\n")


def test_body_needs_no_memory(home):
    body = b"x" * 999 + b"\n"
    script = f"""
import resource, subprocess, sys
p = subprocess.Popen([{program('qmail-inject')!r}, "x"], stdin=subprocess.PIPE)
p.stdin.write(b"X: y\\n\\n")
for _ in range(100000):
    p.stdin.write({body!r})
p.stdin.close()
assert p.wait() == 0
# The recorder counts as well: cat and sh are smaller.
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
    r = subprocess.run([sys.executable, "-c", script], env=home.environment, capture_output=True, check=True)
    if not any(name in os.environ for name in ("ASAN_OPTIONS", "LSAN_OPTIONS")):
        assert int(r.stdout) < 30000
    assert os.path.getsize(home.dir + "/record/message") > 100_000_000


# sendmail

def sendmail(home, *argv, command="sendmail", **rest):
    return home.run(*argv, command=command, path=program("sendmail"), **rest)


@pytest.mark.parametrize("argv, recipients", [
    (["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"], ["root@a.test"]),         # cron
    (["-t", "-i"], ["h@a.test"]),                                                    # PHP
    (["-t", "-i", "-fweb@x.y"], ["h@a.test"]),
    (["-oem", "-oi", "-f", "joe@x.y", "-N", "failure", "-R", "hdrs", "--", "a@b.c"], ["a@b.c"]),  # mutt
    (["-i", "-v", "-f", "joe@x.y", "a@b.c", "d@e.f"], ["a@b.c", "d@e.f"]),           # git, mailx
    (["-ti", "extra"], ["extra@a.test", "h@a.test"]),
    (["-oi", "-om", "-odb", "-oQ/tmp", "-em", "-p", "SMTP:h", "-x", "-m", "a"], ["a@a.test"]),
    (["-O", "DeliveryMode=b", "-V", "envid", "-h", "5", "-X", "/tmp/log", "-L", "tag", "-G", "-U", "-n", "a"], ["a@a.test"]),
    (["-Ac", "-C/etc/x", "-d0.1", "-EX", "-Jx", "-bm", "a"], ["a@a.test"]),
    (["-odq", "-q", "a"], ["a@a.test"]),
    (["-i", "<a@b.c>"], ["a@b.c"]),
    (["-i"], []),
])
def test_sendmail_takes_what_programs_give(home, argv, recipients):
    r = sendmail(home, *argv, message=FULL + b"To: h\n\n.\nb\n")
    assert (r.returncode, r.stderr, r.stdout) == (0, b"", b"")
    assert r.recipients == recipients
    assert r.message == FULL + b"To: h@a.test\n\n.\nb\n"


@pytest.mark.parametrize("argv, environment, sender, field", [
    (["-fx@y.z", "-FJ Doe"], {}, "x@y.z", '"J Doe" <x@y.z>'),
    (["-FJ Doe", "-rx@y.z"], {}, "x@y.z", '"J Doe" <x@y.z>'),
    (["-fx@y.z"], {"QMAILNAME": "N", "MAILHOST": "h"}, "x@y.z", "x@y.z"),
    (["-fx"], {"QMAILHOST": "h"}, "x@a.test", "x@a.test"),
    (["-FJ"], {}, "joe@a.test", '"J" <joe@a.test>'),
    (["-FJ"], {"QMAILNAME": "N"}, "joe@a.test", '"N" <joe@a.test>'),
    (["-f", ""], {}, "", "joe@a.test"),
    (["-f", "<>"], {}, "", "joe@a.test"),
    (["-f<x@y.z>"], {}, "x@y.z", "x@y.z"),
])
def test_sendmail_sender_and_name(home, argv, environment, sender, field):
    r = sendmail(home, *argv, "a@b.c", **environment)
    assert (r.returncode, r.stderr) == (0, b"")
    assert r.sender == sender
    assert f"\nFrom: {field}\n" in r.message.decode()


def test_sendmail_refusals(home):
    usage = b"sendmail: usage: sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]\n"
    for bad, why in (("-Z", b"sendmail: illegal option -- Z\n"), ("-f", b"sendmail: option requires an argument -- f\n"),
                     ("-bz", b"")):
        r = sendmail(home, bad)
        assert (r.returncode, r.stderr) == (100, why + usage)
    aliases = b"sendmail: fatal: please use fastforward/newaliases instead\n"
    for argv, command in (([], "newaliases"), (["-bi"], "sendmail"), (["-I"], "/usr/sbin/sendmail")):
        r = sendmail(home, *argv, command=command)
        assert (r.returncode, r.stderr, r.message) == (100, aliases, None)
    for mode, text in (("-bd", b"no daemon"), ("-bt", b"no address test mode")):
        r = sendmail(home, mode, "-q30m")
        assert r.returncode == 100 and r.stderr.startswith(b"sendmail: fatal: " + mode.encode()) and text in r.stderr
    r = sendmail(home, "-q")
    assert (r.returncode, r.stderr, r.message) == (0, b"", None)
    r = sendmail(home, "a", QMAILHOME="/nowhere")
    assert (r.returncode, r.stderr) == (
        111, b"sendmail: fatal: unable to open the home directory /nowhere: file does not exist\n")
    r = sendmail(home, "a", ANSWER="31")
    assert (r.returncode, r.stderr) == (
        100, b"qmail-inject: fatal: mail server permanently rejected message (#5.3.0)\n")


def test_sendmail_becomes_other_programs(home):
    bin_dir = home.dir + "/bin"
    os.mkdir(bin_dir)
    path = shutil.copy(program("sendmail"), bin_dir)
    r = home.run("-bp", command="sendmail", path=path)
    assert (r.returncode, r.stderr) == (111, b"sendmail: fatal: unable to run qmail-qread\n")
    for name in ("qmail-smtpd", "qmail-qread"):
        with open(f"{bin_dir}/{name}", "w") as f:
            f.write(f"#!/bin/sh\necho {name} $#\npwd\nenv | sort\n")
        os.chmod(f"{bin_dir}/{name}", 0o755)
    for argv, command in ((["-bp"], "sendmail"), ([], "mailq"), (["-v"], "/usr/bin/mailq")):
        r = home.run(*argv, command=command, path=path)
        assert r.stdout.decode().splitlines()[:2] == ["qmail-qread 0", home.dir + "/home"]
    session = ["DATABYTES=0", "PROTO=TCP", "RELAYCLIENT=", "TCPLOCALHOST=localhost", "TCPLOCALIP=127.0.0.1",
               "TCPREMOTEHOST=localhost", "TCPREMOTEINFO=sendmail-bs", "TCPREMOTEIP=127.0.0.1"]
    lines = home.run("-bs", command="sendmail", path=path).stdout.decode().splitlines()
    assert lines[0] == "qmail-smtpd 0" and set(session) <= set(lines)
    lines = home.run("-bs", command="sendmail", path=path, PROTO="X").stdout.decode().splitlines()
    assert lines[0] == "qmail-smtpd 0" and not set(session) & set(lines)


# qmail-showctl

def showctl(home):
    r = home.run(command="qmail-showctl")
    return r.returncode, r.stdout.decode()


def test_showctl_defaults(home):
    code, text = showctl(home)
    assert code == 0
    assert text.startswith(f"qmail home directory: {home.dir}/home.\nuser-ext delimiter: -.\n"
                           "paternalism (in decimal): 2.\nsilent concurrency limit: 120.\nsubdirectory split: 23.\n"
                           "user ids: ")
    assert text.split("\n\n", 1)[1] == textwrap.dedent("""\
        badmailfrom: (Default.) Any MAIL FROM is allowed.

        bouncefrom: (Default.) Bounce user name is MAILER-DAEMON.

        bouncehost: (Default.) Bounce host name is a.test.

        concurrencylocal: (Default.) Local concurrency is 10.

        concurrencyremote: (Default.) Remote concurrency is 20.

        databytes: (Default.) SMTP DATA limit is 0 bytes.

        defaultdomain: Default domain name is test.

        defaulthost: (Default.) Default host name is a.test.

        doublebouncehost: (Default.) 2B recipient host: a.test.

        doublebounceto: (Default.) 2B recipient user: postmaster.

        envnoathost: (Default.) Presumed domain name is a.test.

        helohost: (Default.) SMTP client HELO host name is a.test.

        idhost: (Default.) Message-ID host name is a.test.

        localiphost: (Default.) Local IP address becomes a.test.

        locals: (Default.) Messages for me are delivered locally.

        me: My name is a.test.

        percenthack: (Default.) The percent hack is not allowed.

        plusdomain: Plus domain name is plus.test.

        qmqpservers: (Default.) No QMQP servers.

        queuelifetime: (Default.) Message lifetime in the queue is 604800 seconds.

        rcpthosts: (Default.) SMTP clients may send messages to any recipient.
        (Any recipient in locals or virtualdomains: mail for others is not relayed.)

        morercpthosts: (Default.) No rcpthosts; morercpthosts is irrelevant.

        morercpthosts.cdb: (Default.) No effect.

        smtpgreeting: (Default.) SMTP greeting: 220 a.test.

        smtproutes: (Default.) No artificial SMTP routes.

        timeoutconnect: (Default.) SMTP client connection timeout is 60 seconds.

        timeoutremote: (Default.) SMTP client data timeout is 1200 seconds.

        timeoutsmtpd: (Default.) SMTP server data timeout is 1200 seconds.

        virtualdomains: (Default.) No virtual domains.
        """)


def test_showctl_values(home):
    home.control("badmailfrom", "# no\n@spam.test\nb\x01\n")
    home.control("locals", "")
    home.control("concurrencyremote", "50x\n")
    home.control("queuelifetime", "none\n")
    home.control("smtproutes", ":relay:26\n")
    home.control("bouncehost", "")
    home.control("morercpthosts", "m.test\n")
    home.control("zzz", "")
    home.control("aaa", "")
    code, text = showctl(home)
    assert code == 0
    for part in (
        "\nbadmailfrom: \n@spam.test not accepted in MAIL FROM.\nb? not accepted in MAIL FROM.\n\n", "\nlocals: \n\nme: ",
        "\nconcurrencyremote: Remote concurrency is 50.\n", "\nsmtproutes: \nSMTP route: :relay:26\n",
        "\nqueuelifetime: (Default.) Message lifetime in the queue is 604800 seconds.\n",
        "\nbouncehost: Bounce host name is .\n",
        "\nmorercpthosts: \nNo rcpthosts; doesn't matter that morercpthosts has m.test.\n",
        "\nmorercpthosts.cdb: Oops! morercpthosts exists but morercpthosts.cdb doesn't.\n",
    ):
        assert part in text
    assert text.endswith("\n\naaa: I have no idea what this file does.\n\nzzz: I have no idea what this file does.\n")
    home.control("rcpthosts", "a.test\n")
    home.control("morercpthosts.cdb", "")
    control = home.dir + "/home/control/"
    os.utime(control + "morercpthosts", (100, 100))
    assert ("\nmorercpthosts: \nSMTP clients may send messages to recipients at m.test.\n\n"
            "morercpthosts.cdb: Modified recently enough; hopefully up to date.\n") in showctl(home)[1]
    os.utime(control + "morercpthosts.cdb", (99, 99))
    assert "Oops! morercpthosts.cdb is older than morercpthosts.\n" in showctl(home)[1]
    os.unlink(control + "morercpthosts")
    assert "Oops! morercpthosts.cdb exists but morercpthosts doesn't.\n" in showctl(home)[1]


def test_showctl_trouble(home):
    os.mkdir(home.dir + "/home/control/idhost")
    code, text = showctl(home)
    assert code == 111 and text.endswith("Oops! unable to read control/idhost: it is a directory.\n")
    shutil.rmtree(home.dir + "/home")
    code, text = showctl(home)
    assert code == 111 and text.startswith("Oops! ")


# splogger

SPLOGGER_TEST = """
import os, socket, subprocess, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
p = subprocess.run(sys.argv[1:], input=sys.stdin.buffer.read(), timeout=20)
log.setblocking(False)
while True:
    try:
        sys.stdout.buffer.write(log.recv(10000) + b"\\n")
    except BlockingIOError:
        break
sys.exit(p.returncode)
"""


def splogger(*argv, data):
    """Runs splogger with a /dev/log of its own; what came there, without dates."""
    shell = "mount -t tmpfs none /mnt && cp -a /dev/null /dev/urandom /mnt && mount --bind /mnt /dev && exec \"$@\""
    r = subprocess.run(["unshare", "-m", "sh", "-c", shell, "sh", sys.executable, "-c", SPLOGGER_TEST,
                        program("splogger"), *argv], input=data, capture_output=True, timeout=60)
    assert r.returncode == 0, r.stderr
    line = re.compile(r"(<\d+>)[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ([^:]*): \d+\.\d{6}(.*)")
    return ["".join(line.fullmatch(text).groups()) for text in r.stdout.decode().splitlines()]


def private_mounts():
    return os.getuid() == 0 and subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"],
                                               capture_output=True).returncode == 0


@pytest.mark.skipif(not private_mounts(), reason="needs a private /dev")
def test_splogger_writes_to_syslog():
    assert splogger(data=b"one\n\nwarning: two\nalert: three\nt\tw\xff") == [
        "<22>splogger one", "<20>splogger warning: two", "<17>splogger alert: three", "<22>splogger t?w?"]
    assert splogger("qmail", "3", data=b"x" * 799 + b"\n") == ["<30>qmail " + "x" * 799]
    assert splogger("qmail", data=b"warning: " + b"x" * 1590 + b"\n") == [
        "<20>qmail warning: " + "x" * 790, "<20>qmail+" + "x" * 799, "<20>qmail+x"]


@pytest.mark.skipif(not private_mounts(), reason="needs a private /dev")
def test_splogger_is_not_held_up_by_a_full_syslog():
    # Nobody reads the socket until splogger is done: it holds few messages.
    start = time.monotonic()
    assert 1 <= len(splogger(data=b"line\n" * 100000)) < 100000
    assert time.monotonic() - start < 10


def test_splogger_works_without_syslog():
    if os.path.exists("/dev/log"):
        pytest.skip("there is a syslog")
    start = time.monotonic()
    r = subprocess.run([program("splogger"), "qmail"], input=b"line\n" * 100000, capture_output=True, timeout=30)
    assert (r.returncode, r.stdout, r.stderr) == (0, b"", b"")
    assert time.monotonic() - start < 10

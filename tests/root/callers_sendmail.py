"""sendmail under all its names, called as other programs call it (contract §14.1, Appendix B)."""
import os
import re

import lab
from callers import ANN, BIN, HOME, Catcher, cases, control, directory, is_, put, run

USAGE = "sendmail: usage: sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]\n"
SITE = {"me": "a.test\n", "defaultdomain": "test\n"}


def sendmail(*arguments, data="Subject: x\n\nb\n", env=None, program=BIN + "/sendmail"):
    with control(**SITE):
        return run(program, *arguments, data=data, env=env)


def sent(*arguments, **more):
    catcher = Catcher()
    r = sendmail(*arguments, **{**more, "env": {**catcher.env, **more.get("env", {})}})
    is_((r.code, r.out, r.err), (0, b"", b""))
    return catcher


HEADER = "To: t@x.test\nCc: c@x.test\nBcc: b@x.test\nSubject: x\n\nb\n"


@cases([
    ("arguments", ["z@x.test", "y"], ["z@x.test", "y@a.test"]), ("none", [], []),
    ("-t", ["-t"], ["t@x.test", "c@x.test", "b@x.test"]),
    ("-t-arguments", ["-t", "z@x.test"], ["z@x.test", "t@x.test", "c@x.test", "b@x.test"]),
    ("-ti", ["-ti"], ["t@x.test", "c@x.test", "b@x.test"]), ("-i", ["-i", "z@x.test"], ["z@x.test"]),
    ("-oi", ["-oi", "-oem", "-odb", "z@x.test"], ["z@x.test"]), ("-B", ["-B8BITMIME", "-B", "7BIT", "z@x.test"], ["z@x.test"]),
    ("ignored", ["-v", "-x", "-m", "-em", "-e", "p", "-p", "SMTP:h", "-o", "x", "-bm", "-Esomething", "-Jx", "z@x.test"],
     ["z@x.test"]),
    ("end", ["-i", "--", "z@x.test"], ["z@x.test"]), ("end-dash", ["--", "-z@x.test"], ["-z@x.test"]),
    ("option-after", ["z@x.test", "-t"], ["z@x.test", "-t@a.test"]),
    ("one-address-each", ["a@x.test,b@x.test"], None),
    ("mutt", ["-oem", "-oi", "-fann@x.test", "--", "z@x.test"], ["z@x.test"]),
    ("cron", ["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"], ["root@a.test"]),
    ("php", ["-t", "-i", "-fann@x.test"], ["t@x.test", "c@x.test", "b@x.test"]),
    ("bsd-mailx", ["-i", "-t", "-f", "ann@x.test"], ["t@x.test", "c@x.test", "b@x.test"]),
    ("s-nail", ["-i", "-f", "ann@x.test", "--", "z@x.test"], ["z@x.test"]),
    ("git", ["-i", "z@x.test", "y@x.test"], ["z@x.test", "y@x.test"]),
    ("many-flags", ["-N", "never", "-O", "x=y", "-R", "hdrs", "-V", "id", "-h", "3", "z@x.test"], ["z@x.test"]),
])
def check_recipients(name, arguments, wanted):
    catcher = sent(*arguments, data=HEADER)
    if wanted is not None:
        is_([r.decode() for r in catcher.recipients], wanted)
    else:
        is_(len(catcher.recipients), 1)
    assert b"\nBcc" not in catcher.message


@cases([
    ("none", [], {}, "anonymous@a.test", "anonymous@a.test"),
    ("user", [], {"USER": "u", "NAME": "N"}, "u@a.test", '"N" <u@a.test>'),
    ("-f", ["-fs@x.test"], {"USER": "u", "NAME": "N", "MAILNAME": "M", "QMAILNAME": "Q"}, "s@x.test", "s@x.test"),
    ("-f-apart", ["-f", "s@x.test"], {}, "s@x.test", "s@x.test"),
    ("-f-host", ["-fs@x.test"], {"QMAILHOST": "no.test", "MAILHOST": "no.test"}, "s@x.test", "s@x.test"),
    ("-f-local", ["-fs"], {"USER": "u"}, "s@a.test", "s@a.test"),
    ("-f-empty", ["-f", ""], {"USER": "u"}, "", None),
    ("-f-brackets", ["-f", "<>"], {"USER": "u"}, "", None),
    ("-F", ["-FAnn B"], {"USER": "u"}, "u@a.test", '"Ann B" <u@a.test>'),
    ("-F-apart", ["-F", "Ann B"], {"USER": "u"}, "u@a.test", '"Ann B" <u@a.test>'),
    ("-F-after-qmailname", ["-FAnn"], {"USER": "u", "QMAILNAME": "Q"}, "u@a.test", '"Q" <u@a.test>'),
    ("both", ["-fs@x.test", "-FAnn"], {"USER": "u"}, "s@x.test", '"Ann" <s@x.test>'),
    ("qmailuser", [], {"QMAILUSER": "q", "QMAILHOST": "h.test", "QMAILNAME": "N"}, "q@h.test", '"N" <q@h.test>'),
])
def check_sender(name, arguments, env, sender, author):
    catcher = sent(*arguments, "z@x.test", env=env)
    is_(catcher.sender.decode(), sender)
    if author:
        is_(re.search(r"^From: (.*)$", catcher.message.decode(), re.M).group(1), author)


@cases([
    ("-k", ["-k"], "sendmail: illegal option -- k\n" + USAGE), ("-bx", ["-bx"], USAGE),
    ("-f", ["-f"], "sendmail: option requires an argument -- f\n" + USAGE),
    ("-F", ["-F"], "sendmail: option requires an argument -- F\n" + USAGE),
    ("-Z", ["-iZ", "z@x.test"], "sendmail: illegal option -- Z\n" + USAGE),
])
def check_usage(name, arguments, text):
    r = sendmail(*arguments)
    is_((r.code, r.out, r.err.decode()), (100, b"", text))


@cases([("-bd", "-bd"), ("-bt", "-bt")])
def check_no_such_mode(name, option):
    r = sendmail(option)
    is_(r.code, 100)
    assert r.err.decode().endswith(USAGE), r


def link(name):
    path = f"{directory()}/{name}"
    os.symlink(BIN + "/sendmail", path)
    return path


def check_newaliases():
    r = run(link("newaliases"))
    is_((r.code, r.err), (100, b"sendmail: fatal: please use fastforward/newaliases instead\n"))


def check_mailq():
    by_qread = run("qmail-qread", who=(0, 0))
    is_(by_qread.code, 0)
    for r in (run(link("mailq"), who=(0, 0)), run("sendmail", "-bp", who=(0, 0)), run(link("mailq"), "-v", who=(0, 0))):
        is_((r.code, r.out, r.err), (0, by_qread.out, b""))


def check_linked():
    """As /usr/sbin/sendmail, /usr/lib/sendmail."""
    is_([r.decode() for r in sent("z@x.test", program=link("sendmail")).recipients], ["z@x.test"])


def check_bs():
    catcher = Catcher()
    r = run("sendmail", "-bs", data=b"EHLO x\r\nMAIL FROM:<ann@x.test>\r\nRCPT TO:<z@far.test>\r\nDATA\r\nSubject: x\r\n"
            b".\r\nQUIT\r\n", env={**catcher.env, "DATABYTES": "3"})
    is_((r.code, r.err), (0, b""))
    assert re.search(rb"\r\n354 go ahead\r\n250 ok \d+ qp \d+\r\n221 mail.lab.test\r\n$", r.out), r
    assert re.fullmatch(rb"Received: from localhost \(HELO x\) \(sendmail-bs@127\.0\.0\.1\)\n  by localhost with SMTP; "
                        rb"[^\n]*\nSubject: x\n", catcher.message), catcher.message
    is_(catcher.recipients, [b"z@far.test"])


def check_bs_below_tcpserver():
    """PROTO is set: the session's variables are those of the client."""
    r = run("sendmail", "-bs", data=b"MAIL FROM:<>\r\nRCPT TO:<z@far.test>\r\nQUIT\r\n",
            env={"PROTO": "TCP", "TCPREMOTEIP": "192.0.2.1"})
    assert b"\r\n553 sorry, that domain" in r.out, r


@cases([
    ("php", b"To: t@x.test,\r\n c@x.test\r\nSubject: x\r\nX-A: b\r\n\r\none\r\ntwo\nthree\rfour\r\n",
     b"Subject: x\nX-A: b\n\none\ntwo\nthree\rfour\n"),
    ("first-line-decides", b"To: t@x.test,c@x.test\nSubject: x\n\none\r\ntwo\r\n", b"Subject: x\n\none\r\ntwo\r\n"),
    ("end", b"To: t@x.test, c@x.test\r\n\r\none\r", b"\none\r\n"),
])
def check_line_ends(name, data, wanted):
    catcher = sent("-t", data=data)
    is_(catcher.message.split(b"To: t@x.test, c@x.test\n")[1], wanted)
    is_(catcher.recipients, [b"c@x.test", b"t@x.test"])
    # qmail-inject leaves them alone.
    catcher = Catcher()
    with control(**SITE):
        run("qmail-inject", data=data, env=catcher.env)
    assert b"one\r" in catcher.message


def check_line_ends_in_pieces():
    catcher = Catcher()
    script = "printf 'To: t@x.test\\r'; sleep 0.2; printf '\\nSubject: x\\r'; sleep 0.2; printf '\\n\\r\\nb\\r\\n'"
    with control(**SITE):
        is_(run("/bin/sh", "-c", f"({script}) | {BIN}/sendmail -t", env=catcher.env).code, 0)
    is_(catcher.message.split(b"To: t@x.test\n")[1], b"Subject: x\n\nb\n")


def check_delivered():
    for who, name in ((ANN, "by uid 2001"), ((33, 33), "by uid 33")):
        r = run("sendmail", "-t", "-i", data=f"To: ann@lab.test\nSubject: cgi {who[0]}\n\nx\n.\ny\n", who=who)
        is_((r.code, r.out, r.err), (0, b"", b""))
        _, content = lab.delivered("ann", f"cgi {who[0]}")
        assert f"invoked {name});" in content and content.endswith("\nx\n.\ny\n"), content


def check_no_environment():
    """As from a daemon that has cleared it, in a directory that is not ours to read."""
    secret = directory()
    os.chmod(secret, 0o700)
    script = put(directory() + "/call", f"#!/bin/sh\necho To: ann@lab.test | exec env -i {BIN}/sendmail -t\n", 0o755)
    r = run(script, cwd=secret, who=(0, 0))
    is_((r.code, r.err), (0, b""))


def check_closed_descriptors():
    r = run("/bin/sh", "-c", f"echo To: ann@lab.test | {BIN}/sendmail -t >&- 2>&-")
    is_(r.code, 0)


def check_programs_are_missing():
    os.rename(BIN + "/qmail-qread", BIN + "/qmail-qread.away")
    try:
        r = run("sendmail", "-bp")
    finally:
        os.rename(BIN + "/qmail-qread.away", BIN + "/qmail-qread")
    is_((r.code, r.err), (111, b"sendmail: fatal: unable to run qmail-qread\n"))


def check_permanent_error():
    r = sendmail("-t", data="From: (\nTo: z@x.test\n")
    is_((r.code, r.err), (100, b"qmail-inject: fatal: unable to parse this line:\nFrom: (\n"))


def check_home_is_not_needed():
    assert os.path.isdir(HOME)
    r = run("qmail-inject", "-n", cwd="/tmp", env={"HOME": "/nonexistent"})
    is_(r.code, 0)

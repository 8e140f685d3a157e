"""qmail-smtpd: replies byte for byte, parsing, policy, content (contract §12, D.6)."""
import os
import re
import smtplib
import socket
import subprocess
import time

from callers import ANN, BIN, Catcher, cases, control, is_, run, smtp

BANNER = "220 mail.lab.test ESMTP"
BYE = "221 mail.lab.test"
NOT_MINE = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
BAD_SENDER = "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)"
OK_QP = re.compile(r"250 ok (\d{10}) qp (\d+)$")


# ---- commands ------------------------------------------------------------------------

@cases([
    ("helo", "HELO c.test", ["250 mail.lab.test"]),
    ("helo-empty", "HELO", ["250 mail.lab.test"]),
    ("ehlo", "EHLO c.test", ["250-mail.lab.test", "250-PIPELINING", "250-SIZE 0", "250-DSN", "250 8BITMIME"]),
    ("ehlo-lower-case", "ehlo c", ["250-mail.lab.test", "250-PIPELINING", "250-SIZE 0", "250-DSN", "250 8BITMIME"]),
    ("mail", "MAIL FROM:<a@b.test>", ["250 ok"]),
    ("mail-null", "MAIL FROM:<>", ["250 ok"]),
    ("mail-without-argument", "MAIL", ["250 ok"]),
    ("mail-size", "MAIL FROM:<a@b.test> SIZE=1000 BODY=8BITMIME", ["250 ok"]),
    ("mail-lower-case", "mail from:<a@b.test>", ["250 ok"]),
    ("mail-space", "MAIL FROM: <a@b.test>", ["250 ok"]),
    ("mail-twice", "MAIL FROM:<a@b.test>\nMAIL FROM:<c@d.test>", ["250 ok", "250 ok"]),
    ("rcpt-early", "RCPT TO:<ann@lab.test>", ["503 MAIL first (#5.5.1)"]),
    ("data-early", "DATA", ["503 MAIL first (#5.5.1)"]),
    ("data-no-rcpt", "MAIL FROM:<>\nDATA", ["250 ok", "503 RCPT first (#5.5.1)"]),
    ("data-refused-rcpt", "MAIL FROM:<>\nRCPT TO:<a@far.test>\nDATA",
     ["250 ok", NOT_MINE, "503 RCPT first (#5.5.1)"]),
    ("rset", "MAIL FROM:<>\nRSET\nRCPT TO:<ann@lab.test>", ["250 ok", "250 flushed", "503 MAIL first (#5.5.1)"]),
    ("helo-resets", "MAIL FROM:<>\nHELO x\nRCPT TO:<ann@lab.test>",
     ["250 ok", "250 mail.lab.test", "503 MAIL first (#5.5.1)"]),
    ("mail-resets-rcpt", "MAIL FROM:<>\nRCPT TO:<ann@lab.test>\nMAIL FROM:<>\nDATA",
     ["250 ok", "250 ok", "250 ok", "503 RCPT first (#5.5.1)"]),
    ("noop", "NOOP", ["250 ok"]),
    ("noop-argument", "NOOP x y", ["250 ok"]),
    ("vrfy", "VRFY ann", ["252 send some mail, i'll try my best"]),
    ("unknown", "EXPN ann", ["502 unimplemented (#5.5.1)"]),
    ("empty", "", ["502 unimplemented (#5.5.1)"]),
    ("tab-is-no-space", "NOOP\tx", ["502 unimplemented (#5.5.1)"]),
    ("verb-is-whole-word", "NOOPS", ["502 unimplemented (#5.5.1)"]),
    ("extra-spaces", "RCPT    TO:<ann@lab.test>", ["503 MAIL first (#5.5.1)"]),
    ("trailing-space", "RSET ", ["250 flushed"]),
])
def check_command(name, commands, replies):
    r = smtp(commands + "\nQUIT\n")
    is_(r.lines, [BANNER] + replies + [BYE])
    is_(r.code, 0)


def check_help():
    r = smtp("HELP\nQUIT\n")
    assert re.match(r"214 \S", r.lines[1]), r
    is_(len(r.lines), 3)


@cases([
    ("end-of-file", "", 1), ("end-of-file-later", "HELO x\n", 1), ("in-data", "MAIL FROM:<>\nRCPT TO:<noat>\nDATA\nx\n", 1),
    ("quit", "QUIT\n", 0), ("quit-lower-case", "quit\n", 0), ("quit-argument", "QUIT now\n", 0),
    ("after-quit", "QUIT\nNOOP\nNOOP\n", 0),
])
def check_exit(name, data, code):
    r = smtp(data)
    is_(r.code, code)
    assert code or r.lines[-1] == BYE


@cases([
    ("greeting", {"smtpgreeting": "hello there\n"}, "220 hello there ESMTP"),
    ("greeting-two-lines", {"smtpgreeting": "one\ntwo\n"}, "220 one ESMTP"),
    ("greeting-trailing-blanks", {"smtpgreeting": "one \t \n"}, "220 one ESMTP"),
    ("greeting-leading-blank", {"smtpgreeting": " one\n"}, "220  one ESMTP"),
    ("greeting-no-newline", {"smtpgreeting": "one"}, "220 one ESMTP"),
    ("greeting-dos", {"smtpgreeting": "one\r\n"}, "220 one ESMTP"),
    ("greeting-empty", {"smtpgreeting": ""}, "220  ESMTP"),
    ("me-only", {"smtpgreeting": None, "me": "only.test\n"}, "220 only.test ESMTP"),
    ("no-me", {"me": None, "smtpgreeting": "x"}, "220 x ESMTP"),
])
def check_greeting(name, files, banner):
    with control(**files):
        r = smtp("QUIT\n")
    is_(r.lines[0], banner)
    is_(r.code, 0)


def check_no_greeting():
    with control(me=None):
        r = smtp("QUIT\n")
    is_(r.lines, ["421 unable to read controls (#4.3.0)"])
    is_(r.code, 1)


def check_unreadable_control():
    with control(databytes="5"):
        os.chmod("/var/qmail/control/databytes", 0)
        r = smtp("QUIT\n")
    is_(r.lines, ["421 unable to read controls (#4.3.0)"])
    is_(r.code, 1)


@cases([("not-a-number", "x"), ("negative", "-1"), ("leading-blank", " 1")])
def check_odd_integer(name, text):
    with control(databytes=text + "\n", timeoutsmtpd=text + "\n"):
        is_(smtp("EHLO x\nQUIT\n").lines[3], "250-SIZE 0")


@cases([("5", "5"), ("5 bytes", "5"), ("007", "7")])
def check_integer(text, size):
    with control(databytes=text + "\n"):
        is_(smtp("EHLO x\nQUIT\n").lines[3], "250-SIZE " + size)


def check_bare_lf_in_command():
    r = smtp(b"NOOP\nNOOP\r\n")
    is_(r.lines, [BANNER, "451 See http://pobox.com/~djb/docs/smtplf.html."])
    is_(r.code, 1)


@cases([("0", 1), ("1", 1)])
def check_timeout(text, seconds):
    with control(timeoutsmtpd=text + "\n"), \
            subprocess.Popen([BIN + "/qmail-smtpd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}) as p:
        started = time.monotonic()
        out = p.stdout.read()
        took = time.monotonic() - started
        is_(out.decode(), f"{BANNER}\r\n451 timeout (#4.4.2)\r\n")
        is_(p.wait(), 1)
        assert seconds - 0.1 < took < seconds + 2, took


# ---- addresses -------------------------------------------------------------------------

def take(commands, env=None, data="x\n", **files):
    """Sends a message; the session's result and what the queue program was given."""
    catcher = Catcher()
    with control(**{"rcpthosts": "ok.test\n.dom.test\n", **files}):
        r = smtp(commands + f"\nDATA\n{data}.\nQUIT\n", env={**catcher.env, **(env or {})})
    return r, catcher


def envelope(argument, env=None, **files):
    r, catcher = take(f"MAIL FROM:<s@x.test>\nRCPT {argument}", env, **files)
    is_(r.lines[2], "250 ok")
    return [a.decode("latin-1") for a in catcher.recipients]


@cases([
    ("TO:<a@OK.test>", "a@OK.test"),
    ("TO:<a@x.dom.test>", "a@x.dom.test"),
    ("TO:<a@x.y.DOM.test>", "a@x.y.DOM.test"),
    ("TO:<noat>", "noat"),
    ("TO: joe@ok.test SIZE=3", "joe@ok.test"),
    ("TO:joe@ok.test", "joe@ok.test"),
    ('TO:<@r1:"a b"@ok.test>', "a b@ok.test"),
    ("TO:<@r1,@r2:a@ok.test>", "a@ok.test"),
    ("<x@ok.test", "x@ok.test"),
    ("TO:<x@ok.test", "x@ok.test"),
    ("FROM:<x@ok.test>", "x@ok.test"),
    ("<x@ok.test>", "x@ok.test"),
    ("to : <x@ok.test>", "x@ok.test"),
    ("TO:<X.y@ok.test>", "X.y@ok.test"),
    (r'TO:<"a\"b"@ok.test>', 'a"b@ok.test'),
    (r"TO:<a\>b@ok.test>", "a>b@ok.test"),
    ('TO:<"a>b"@ok.test>', "a>b@ok.test"),
    ("TO:<a@[127.0.0.1]>", "a@ok.test"),
    ("TO:<\xe4@ok.test>", "\xe4@ok.test"),
    ("TO:<a+b/c=d%e!f@ok.test>", "a+b/c=d%e!f@ok.test"),
    ("TO:Ann <a@ok.test>", "a@ok.test"),
    ("TO:<" + 891 * "a" + "@ok.test>", 891 * "a" + "@ok.test"),
])
def check_address(argument, stored):
    is_(envelope(argument, localiphost="ok.test"), [stored])


@cases([
    ("TO:<a@dom.test>", NOT_MINE),
    ("TO:<a@far.test>", NOT_MINE),
    ("TO:<a@xok.test>", NOT_MINE),
    ("TO:<a@ok.test.far.test>", NOT_MINE),
    ("TO:<a%far.test@far2.test>", NOT_MINE),
    ("TO:<a@[10.9.8.7]>", NOT_MINE),
    ("TO:<" + 892 * "a" + "@ok.test>", "555 syntax error (#5.5.4)"),
    ("TO:<" + 5000 * "a" + "@ok.test>", "555 syntax error (#5.5.4)"),
])
def check_refused(argument, reply):
    with control(rcpthosts="ok.test\n.dom.test\n", localiphost="far.test"):
        r = smtp(f"MAIL FROM:<s@x.test>\nRCPT {argument}\nQUIT\n")
    is_(r.lines[1:], ["250 ok", reply, BYE])


@cases([
    ("FROM:<s@x.test>", "s@x.test"), ("FROM:<>", ""), ("", ""), ("FROM:s@x.test", "s@x.test"), ("FROM:", ""),
    ("FROM: s@x.test SIZE=10", "s@x.test"), ("FROM:<l-@h.test-@[]>", None), ("FROM:<#@[]>", "#@[]"),
    ("FROM:<S@X.TEST>", "S@X.TEST"), ("FROM:<nohost>", "nohost"),
])
def check_sender(argument, stored):
    r, catcher = take(f"MAIL {argument}\nRCPT TO:<a@ok.test>")
    if stored is not None:
        is_(r.lines[1], "250 ok")
        is_(catcher.sender.decode(), stored)


@cases([
    ("empty", "", [("a@far.test", ["a@far.test"])]),
    ("suffix", "@fix", [("a@far.test", ["a@far.test@fix"]), ("a@ok.test", ["a@ok.test@fix"])]),
])
def check_relayclient(name, value, addresses):
    for address, stored in addresses:
        is_(envelope(f"TO:<{address}>", env={"RELAYCLIENT": value}), stored)


def check_several_recipients_keep_their_order():
    r, catcher = take("MAIL FROM:<s@x.test>\nRCPT TO:<b@ok.test>\nRCPT TO:<z@far.test>\nRCPT TO:<a@ok.test>\n"
                      "RCPT TO:<b@ok.test>")
    is_(r.lines[3], NOT_MINE)
    is_(catcher.envelope, b"Fs@x.test\0Tb@ok.test\0Ta@ok.test\0Tb@ok.test\0\0")


# ---- policy -----------------------------------------------------------------------------

@cases([
    ("address", "bad@x.test", "bad@x.test", True), ("other-case", "Bad@X.test", "bad@x.TEST", True),
    ("host", "@x.test", "any@X.test", True), ("other-host", "@x.test", "any@y.x.test", False),
    ("comment", "#\n#@x.test", "any@x.test", False), ("null", "@x.test", "", False),
    ("trailing-blank", "bad@x.test \t", "bad@x.test", True), ("empty-file", "", "bad@x.test", False),
])
def check_badmailfrom(name, listed, sender, refused):
    commands = f"MAIL FROM:<{sender}>\nRCPT TO:<ann@lab.test>\nRCPT TO:<bob@lab.test>\nQUIT\n"
    with control(badmailfrom=listed + "\n"):
        for env in (None, {"RELAYCLIENT": ""}):
            is_(smtp(commands, env).lines[1:-1], ["250 ok"] + 2 * [BAD_SENDER if refused else "250 ok"])


@cases([
    ("empty-list", "", "a@lab.test", False), ("comment", "#\n# x\nlab.test", "a@lab.test", True),
    ("last-line-open", "far.test\nlab.test", "a@lab.test", True), ("dos", "lab.test\r\n", "a@lab.test", True),
    ("blank-lines", "\n\nlab.test\n\n", "a@lab.test", True), ("upper-case", "LAB.Test\n", "a@lab.test", True),
])
def check_rcpthosts(name, text, address, allowed):
    with control(rcpthosts=text):
        is_(smtp(f"MAIL FROM:<>\nRCPT TO:<{address}>\nQUIT\n").lines[2], "250 ok" if allowed else NOT_MINE)


def check_morercpthosts():
    with control(morercpthosts="More.test\n.sub.test\n", morercpthosts__cdb=None):
        is_(run("qmail-newmrh", who=(0, 0)).code, 0)
        r = smtp("MAIL FROM:<>\nRCPT TO:<a@more.TEST>\nRCPT TO:<a@x.sub.test>\nRCPT TO:<a@sub.test>\n"
                 "RCPT TO:<a@lab.test>\nQUIT\n")
    is_(r.lines[1:-1], ["250 ok", "250 ok", "250 ok", NOT_MINE, "250 ok"])


def check_damaged_morercpthosts():
    with control(morercpthosts__cdb="damaged"):
        r = smtp("MAIL FROM:<>\nRCPT TO:<a@more.test>\nNOOP\n")
    is_(r.lines[2:], ["421 unable to read controls (#4.3.0)"])
    is_(r.code, 1)


# ---- content ----------------------------------------------------------------------------

RECIPIENT = b"MAIL FROM:<s@x.test>\r\nRCPT TO:<ann@lab.test>\r\nDATA\r\n"


def send(content, env=None, tail=b"QUIT\r\n", code=0):
    catcher = Catcher(code)
    r = smtp(RECIPIENT + content + tail, env={**catcher.env, **(env or {})})
    is_(r.lines[3], "354 go ahead")
    return r, catcher


def body(catcher):
    """What the client sent, without our Received field."""
    return re.sub(rb"^Received: .*\n  by .*\n", b"", catcher.message)


@cases([
    ("one-line", b"a\r\n.\r\n", b"a\n"),
    ("nothing", b".\r\n", b""),
    ("dots", b"..\r\n.a\r\n...\r\n.\r\n", b".\na\n..\n"),
    ("empty-lines", b"\r\n\r\n.\r\n", b"\n\n"),
    ("nul-and-8bit", b"a\0\xff\x80\r\n.\r\n", b"a\0\xff\x80\n"),
    ("bare-cr", b"a\rb\r\n.\r\n", b"a\rb\n"),
    ("cr-cr-lf", b"a\r\r\n.\r\n", b"a\r\n"),
    ("dot-cr", b"a\r\n.\rb\r\n.\r\n", b"a\n\rb\n"),
    ("cr-dot", b"a\r.\r\n.\r\n", b"a\r.\n"),
    ("dot-space", b". \r\n.\r\n", b" \n"),
    ("tab-dot", b"\t.\r\n.\r\n", b"\t.\n"),
    ("long-line", 100000 * b"x" + b"\r\n.\r\n", 100000 * b"x" + b"\n"),
])
def check_content(name, sent, stored):
    r, catcher = send(sent)
    assert OK_QP.match(r.lines[4]), r.lines
    is_(r.lines[5:], [BYE])
    is_(body(catcher), stored)


@cases([("text", b"a\nb\r\n.\r\n"), ("end", b"a\r\n.\n"), ("before-dot", b"a\n.\r\n"), ("first", b"\n")])
def check_bare_lf(name, sent):
    r, catcher = send(sent + b"NOOP\r\n")
    is_(r.lines[4:], ["451 See http://pobox.com/~djb/docs/smtplf.html."])
    is_(r.code, 1)
    is_(catcher.envelope, b"")


def check_qp_is_the_program():
    catcher = Catcher(words="echo $$ >pid")
    r = smtp(RECIPIENT + b"x\r\n.\r\nQUIT\r\n", env=catcher.env)
    is_(OK_QP.match(r.lines[4]).group(2), catcher.read("pid").decode().strip())
    assert abs(int(OK_QP.match(r.lines[4]).group(1)) - time.time()) < 5


def check_transaction_ends_with_data():
    r, _ = send(b"x\r\n.\r\n", tail=b"RCPT TO:<ann@lab.test>\r\nDATA\r\nQUIT\r\n")
    is_(r.lines[5:], 2 * ["503 MAIL first (#5.5.1)"] + [BYE])
    r, _ = send(b"x\r\n.\r\n", tail=b"RCPT TO:<ann@lab.test>\r\nQUIT\r\n", code=31)
    is_(r.lines[4:], ["554 mail server permanently rejected message (#5.3.0)", "503 MAIL first (#5.5.1)", BYE])


def check_two_messages_in_one_session():
    r, catcher = send(b"one\r\n.\r\n", tail=RECIPIENT + b"two\r\n.\r\nQUIT\r\n")
    assert OK_QP.match(r.lines[4]) and OK_QP.match(r.lines[8]), r
    is_(body(catcher), b"two\n")


@cases([
    ("control-fits", "5", None, b"abcd\r\n", True), ("control-exceeds", "5", None, b"abcde\r\n", False),
    ("env-fits", "1", "5", b"abcd\r\n", True), ("env-exceeds", None, "5", b"abcde\r\n", False),
    ("env-unlimited", "1", "0", b"abcdefgh\r\n", True), ("zero", "0", None, b"abcdefgh\r\n", True),
    ("dot-not-counted", "5", None, b"..bcd\r\n", True), ("not-a-number", None, "x", b"abcdefgh\r\n", True),
    ("largest", None, "4294967295", b"abc\r\n", True), ("rest-is-read", "5", None, 50000 * b"x\r\n", False),
])
def check_databytes(name, limit, variable, content, fits):
    with control(databytes=limit):
        r, catcher = send(content + b".\r\n", env={"DATABYTES": variable} if variable else {})
    if fits:
        assert OK_QP.match(r.lines[4]), r
    else:
        is_(r.lines[4], "552 sorry, that message size exceeds my databytes limit (#5.3.4)")
        is_(catcher.envelope, b"")
    is_(r.lines[5:], [BYE])


@cases([
    ("99", b"Received: x\r\n", 99, True), ("100", b"Received: x\r\n", 100, False),
    ("delivered", b"Delivered-To: x\r\n", 100, False), ("any-case", b"rEcEiVeD: x\r\n", 100, False),
    ("prefix", b"Received-SPF: x\r\n", 100, False), ("other", b"Receive: x\r\n", 100, True),
    ("not-at-start", b" Received: x\r\n", 100, True), ("body", b"\r\nReceived: x\r\n", 200, True),
])
def check_hops(name, line, count, fits):
    r, catcher = send(count * line + b"\r\nx\r\n.\r\n")
    if fits:
        assert OK_QP.match(r.lines[4]), r
    else:
        is_(r.lines[4], "554 too many hops, this message is looping (#5.4.6)")
        is_(catcher.envelope, b"")


def check_hops_before_size():
    r, _ = send(100 * b"Received: x\r\n" + b".\r\n", env={"DATABYTES": "5"})
    is_(r.lines[4], "554 too many hops, this message is looping (#5.4.6)")


# ---- the Received field --------------------------------------------------------------------

TCP = {"TCPREMOTEIP": "192.0.2.7", "TCPREMOTEHOST": "c.test", "TCPLOCALHOST": "m.test", "TCPLOCALIP": "192.0.2.1"}


@cases([
    ("plain", TCP, "", "from c.test (192.0.2.7)\n  by m.test with SMTP"),
    ("helo-same", TCP, "HELO C.TEST\n", "from c.test (192.0.2.7)\n  by m.test with SMTP"),
    ("helo", TCP, "HELO x.test\n", "from c.test (HELO x.test) (192.0.2.7)\n  by m.test with SMTP"),
    ("ehlo", TCP, "EHLO x.test\n", "from c.test (HELO x.test) (192.0.2.7)\n  by m.test with SMTP"),
    ("helo-empty", TCP, "HELO\n", "from c.test (HELO ) (192.0.2.7)\n  by m.test with SMTP"),
    ("helo-odd", TCP, "HELO a (b) <c>_d\n", "from c.test (HELO a??b???c??d) (192.0.2.7)\n  by m.test with SMTP"),
    ("info", {**TCP, "TCPREMOTEINFO": "joe"}, "", "from c.test (joe@192.0.2.7)\n  by m.test with SMTP"),
    ("info-odd", {**TCP, "TCPREMOTEINFO": "j (x)"}, "", "from c.test (j??x?@192.0.2.7)\n  by m.test with SMTP"),
    ("info-empty", {**TCP, "TCPREMOTEINFO": ""}, "", "from c.test (@192.0.2.7)\n  by m.test with SMTP"),
    ("no-host", {**TCP, "TCPREMOTEHOST": None}, "", "from unknown (192.0.2.7)\n  by m.test with SMTP"),
    ("no-local-host", {**TCP, "TCPLOCALHOST": None}, "", "from c.test (192.0.2.7)\n  by 192.0.2.1 with SMTP"),
    ("nothing", {}, "", "from unknown (unknown)\n  by unknown with SMTP"),
])
def check_received(name, env, helo, field):
    catcher = Catcher()
    r = smtp(helo.encode().replace(b"\n", b"\r\n") + RECIPIENT + b"Subject: x\r\n.\r\nQUIT\r\n",
             env={**{k: v for k, v in env.items() if v is not None}, **catcher.env})
    is_(r.code, 0)
    match = re.fullmatch(r"Received: (.*\n.*); (\d+ \w+ \d{4} \d\d:\d\d:\d\d -0000)\nSubject: x\n",
                         catcher.message.decode())
    assert match, catcher.message
    is_(match.group(1), field)
    assert not match.group(2).startswith("0")


# ---- over TCP ---------------------------------------------------------------------------------

def connect():
    return socket.create_connection(("127.0.0.1", 2525), 10)


def check_replies_come_at_once():
    """Each reply is there before the next command; and commands that come together are answered together."""
    with connect() as s, s.makefile("rb") as f:
        is_(f.readline(), b"220 mail.lab.test ESMTP\r\n")
        for command, reply in ((b"HELO x", b"250 mail.lab.test"), (b"MAIL FROM:<>", b"250 ok"),
                               (b"RCPT TO:<ann@lab.test>", b"250 ok"), (b"RSET", b"250 flushed")):
            s.sendall(command + b"\r\n")
            is_(f.readline(), reply + b"\r\n")
        s.sendall(b"NO")
        time.sleep(0.05)
        s.sendall(b"OP\r")
        time.sleep(0.05)
        s.sendall(b"\nQUIT\r\n")
        is_(f.read(), b"250 ok\r\n221 mail.lab.test\r\n")


def check_smtplib():
    with smtplib.SMTP("127.0.0.1", 2525, local_hostname="c.test", timeout=10) as c:
        c.ehlo()
        is_(sorted(c.esmtp_features), ["8bitmime", "dsn", "pipelining", "size"])
        is_(c.verify("x")[0], 252)
        is_(c.sendmail("s@c.test", ["ann@lab.test", "z@far.test"], "Subject: x\r\n\r\n.\r\n..\r\nx"),
            {"z@far.test": (553, NOT_MINE[4:].encode())})


def check_swaks():
    r = run("/usr/bin/swaks", "--server", "127.0.0.1:2525", "--to", "ann@lab.test,bob@lab.test", "--from", "s@c.test",
            "--helo", "c.test", "--pipeline", who=ANN)
    is_(r.code, 0)


def check_tcpserver_names_the_client():
    """With tcpserver's own variables, as it finds them."""
    catcher = Catcher()
    command = [BIN + "/tcpserver", "-vHR", "-l", "m.test", "-u", "7791", "-g", "2108", "127.0.0.1", "2599", "/usr/bin/env",
               f"QMAILQUEUE={catcher.path}", BIN + "/qmail-smtpd"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as server:
        try:
            server.stderr.readline()
            with smtplib.SMTP("127.0.0.1", 2599, local_hostname="c.test", timeout=10) as c:
                c.sendmail("s@c.test", ["ann@lab.test"], "Subject: x\r\n\r\nx\r\n")
        finally:
            server.terminate()
    assert catcher.message.startswith(b"Received: from unknown (HELO c.test) (127.0.0.1)\n  by m.test with SMTP; "), \
        catcher.message
    assert b"TCPREMOTEIP=127.0.0.1\n" in catcher.read("environment")

"""Mail from acceptance to its end: Maildir, mbox, program, forward, remote, bounce, retry."""
import os
import re
import signal
import smtplib
import subprocess
import time

import pytest

from quilltest import DROP, Sink, free_port, maildir, program, wait_until

HELLO = b"From: <s@client.test>\nSubject: hello\n\nfirst line\n.dot\n..two\nlast\n"


# ---- accepting ---------------------------------------------------------------------

def test_smtp_to_maildir(make_instance):
    i = make_instance("joe")
    i.send("s@client.test", ["joe@a.test"], HELLO)
    [message] = i.wait_delivered("joe")
    assert message.startswith(b"Return-Path: <s@client.test>\nDelivered-To: joe@a.test\nReceived: ")
    assert message.endswith(HELLO)
    header = message[:-len(HELLO)].decode()
    assert re.fullmatch(
        r"Return-Path: <s@client\.test>\n"
        r"Delivered-To: joe@a\.test\n"
        r"Received: \(qmail \d+ invoked [^\n]*\); \d\d? \w{3} \d{4} \d\d:\d\d:\d\d -0000\n"
        r"Received: from [^\n]*\n  by [^\n]* with E?SMTP; \d\d? \w{3} \d{4} \d\d:\d\d:\d\d -0000\n", header), header
    assert not os.listdir(i.users["joe"] + "/Maildir/tmp")
    i.wait_empty()


def test_log_lines(make_instance):
    i = make_instance("joe")
    i.send("s@client.test", ["joe@a.test"], HELLO)
    i.wait_delivered("joe")
    i.wait_empty()
    log = i.log()
    [n] = re.findall(r"^new msg (\d+)$", log, re.M)
    assert re.search(rf"^info msg {n}: bytes \d+ from <s@client\.test> qp \d+ uid {i.uid}$", log, re.M)
    assert re.search(rf"^starting delivery 1: msg {n} to local joe@a\.test$", log, re.M)
    assert re.search(r"^status: local 1/10 remote 0/20$", log, re.M)
    assert re.search(r"^delivery 1: success: did_1\+0\+0/$", log, re.M)
    assert re.search(r"^status: local 0/10 remote 0/20$", log, re.M)
    assert re.search(rf"^end msg {n}$", log, re.M)
    size = int(re.search(r"^info msg \d+: bytes (\d+)", log, re.M).group(1))
    message = i.maildir("joe")[0]
    assert size == len(message) - message.index(b"Received:")
    i.stop()
    assert re.search(r"^status: exiting$", i.log(), re.M)


def test_swaks(make_instance):
    i = make_instance("joe")
    i.run("swaks", "--server", "127.0.0.1", "--port", str(i.port), "--from", "s@client.test", "--to", "joe@a.test",
          "--body", "by swaks", "--pipeline")
    assert b"by swaks" in i.wait_delivered("joe")[0]


def test_many_messages_in_one_session(make_instance):
    i = make_instance("joe")
    with i.smtp() as client:
        for n in range(50):
            client.sendmail("s@client.test", ["joe@a.test"], f"Subject: {n}\r\n\r\nx\r\n")
    messages = i.wait_delivered("joe", 50)
    assert {re.search(rb"Subject: (\d+)", m).group(1) for m in messages} == {b"%d" % n for n in range(50)}


def test_foreign_recipients_are_refused(make_instance):
    i = make_instance("joe", control={"rcpthosts": "a.test"})
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        i.send("s@client.test", ["x@elsewhere.test"], HELLO)
    assert list(refused.value.recipients.values()) == [
        (553, b"sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)")]


def test_bare_line_feed_ends_the_connection(make_instance):
    i = make_instance("joe")
    with i.smtp() as client:
        client.ehlo()
        client.mail("s@client.test")
        client.rcpt("joe@a.test")
        client.putcmd("data")
        client.getreply()
        client.sock.sendall(b"Subject: x\r\n\r\nbare\n.\r\n.\r\n")
        code, _ = client.getreply()
        assert code == 451
        with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
            client.noop()
    time.sleep(0.3)
    assert i.maildir("joe") == []


@pytest.mark.parametrize("body", [b"a\0b\r\n", bytes(range(128, 256)) + b"\r\n", b"x" * 5000 + b"\r\n"],
                         ids=["nul", "8bit", "long"])
def test_content_survives(make_instance, sink, body):
    """What is not a line end stays content, to a Maildir and to the next server."""
    i = make_instance("joe", sink=sink, control={"rcpthosts": "a.test\nfar.test"})
    with i.smtp() as client:
        client.ehlo()
        client.mail("s@client.test")
        client.rcpt("joe@a.test")
        client.rcpt("x@far.test")
        client.putcmd("data")
        client.getreply()
        client.sock.sendall(b"Subject: x\r\n\r\n" + body + b".\r\n")
        assert client.getreply()[0] == 250
    assert i.wait_delivered("joe")[0].endswith(b"\n\n" + body.replace(b"\r\n", b"\n"))
    wait_until(lambda: sink.messages, what="relayed message")
    assert sink.messages[0].data.endswith(b"\r\n\r\n" + body)


def test_bare_carriage_return_is_content_and_never_a_line_end(make_instance, sink):
    """It reaches a Maildir as it is; on the wire no CR stands without its LF, so that nobody takes it for a line end."""
    i = make_instance("joe", sink=sink, control={"rcpthosts": "a.test\nfar.test"})
    with i.smtp() as client:
        client.ehlo()
        client.mail("s@client.test")
        client.rcpt("joe@a.test")
        client.rcpt("x@far.test")
        client.putcmd("data")
        client.getreply()
        client.sock.sendall(b"Subject: x\r\n\r\none\r.\rMAIL FROM:<evil@a.test>\r\n.\r\n")
        assert client.getreply()[0] == 250
    assert i.wait_delivered("joe")[0].endswith(b"\n\none\r.\rMAIL FROM:<evil@a.test>\n")
    wait_until(lambda: sink.messages, what="relayed message")
    assert b"\r" not in sink.messages[0].data.replace(b"\r\n", b"")
    assert b"MAIL FROM:<evil@a.test>" in sink.messages[0].data


def test_message_of_25_mib(make_instance, sink):
    i = make_instance("joe", sink=sink, control={"rcpthosts": "a.test\nfar.test"})
    line = b"y" * 76 + b"\n"
    body = line * (25 * 1024 * 1024 // len(line))
    i.send("s@client.test", ["joe@a.test", "x@far.test"], b"Subject: big\n\n" + body)
    assert i.wait_delivered("joe", timeout=60)[0].endswith(b"\n\n" + body)
    wait_until(lambda: sink.messages, 60, "relayed message")
    assert sink.messages[0].data.endswith(b"\r\n\r\n" + body.replace(b"\n", b"\r\n"))


def test_databytes(make_instance):
    i = make_instance("joe", control={"databytes": "1000"})
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        i.send("s@client.test", ["joe@a.test"], b"Subject: x\n\n" + b"z" * 2000 + b"\n")
    assert refused.value.smtp_code == 552


# ---- injecting -----------------------------------------------------------------------

def test_qmail_inject(make_instance):
    i = make_instance("joe")
    i.inject(message=b"To: joe\nSubject: local\n\nbody\n", environment={"QMAILUSER": "ann", "QMAILNAME": "Ann"})
    [message] = i.wait_delivered("joe")
    assert b"\nTo: joe@a.test\n" in message
    assert b'\nFrom: "Ann" <ann@a.test>\n' in message
    assert re.search(rb"\nMessage-ID: <\d{14}\.\d+\.qmail@a\.test>\n", message)


def test_sendmail_t(make_instance):
    i = make_instance("joe", "ann")
    i.inject("-t", "-fboss@a.test", name="sendmail",
             message=b"To: joe@a.test\nBcc: ann@a.test\nSubject: both\n\nbody\n")
    [joe], [ann] = i.wait_delivered("joe"), i.wait_delivered("ann")
    assert b"Bcc" not in joe + ann
    assert joe.startswith(b"Return-Path: <boss@a.test>\n")


def test_sendmail_bs(make_instance):
    i = make_instance("joe")
    commands = (b"EHLO x\r\nMAIL FROM:<s@a.test>\r\nRCPT TO:<joe@a.test>\r\nDATA\r\n"
                b"Subject: bs\r\n\r\nbody\r\n.\r\nQUIT\r\n")
    out = i.inject("-bs", name="sendmail", message=commands, check=False).stdout
    assert b"\r\n250 ok " in out, out
    assert b"Subject: bs" in i.wait_delivered("joe")[0]


@pytest.mark.parametrize("raw, code", [
    (b"Fs@a.test\0Tjoe@a.test\0\0", 0),
    (b"Fs@a.test\0\0", 0),
    (b"F\0Tjoe@a.test\0\0", 0),
    (b"F" + b"x" * 1003 + b"\0Tjoe@a.test\0\0", 11),
    (b"Fs@a.test\0T" + b"x" * 1003 + b"\0\0", 11),
    (b"Fs@a.test\0Tjoe@a.test\0", 54),
    (b"Fs@a.test", 54),
    (b"", 54),
    (b"Xs@a.test\0\0", 91),
    (b"Fs@a.test\0Xjoe@a.test\0\0", 91),
], ids=["good", "nobody", "empty-sender", "long-sender", "long-recipient", "cut-after-recipient", "cut-in-sender",
        "no-envelope", "bad-first", "bad-later"])
def test_qmail_queue_exit_codes(make_instance, raw, code):
    i = make_instance("joe")
    assert i.queue(HELLO, "", check=False, raw=raw) == code
    if code == 0 and b"Tjoe" in raw:
        assert i.wait_delivered("joe")[0].endswith(HELLO)
    else:
        time.sleep(0.2)
        assert i.maildir("joe") == []


def test_qmail_queue_without_the_service(make_instance):
    """Nothing listens: a temporary code, so that callers keep the message."""
    i = make_instance("joe", start=False)
    code = i.queue(HELLO, "s@a.test", "joe@a.test", check=False)
    assert code in range(51, 75), code


# ---- local delivery --------------------------------------------------------------------

def test_mbox(make_instance):
    i = make_instance("joe")
    i.add_user("joe", qmail="./Mailbox\n")
    i.send("s@client.test", ["joe@a.test"], b"Subject: x\n\nFrom here\n>From there\nlast")
    i.wait_log("^delivery 1: success: did_1")
    [message] = i.mbox("joe")
    assert re.match(rb"From s@client\.test \w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}\n"
                    rb"Return-Path: <s@client\.test>\nDelivered-To: joe@a\.test\n", message)
    assert message.endswith(b"\n>From here\n>>From there\nlast\n\n")


def test_program(make_instance):
    i = make_instance("joe")
    home = i.add_user("joe", qmail='|cat >got; echo "$SENDER $RECIPIENT $EXT" >env; echo spoken\n')
    i.send("s@client.test", ["joe@a.test"], HELLO)
    i.wait_log(r"^delivery 1: success: spoken/did_0\+0\+1/$")
    with open(home + "/got", "rb") as f:
        got = f.read()
    assert got.startswith(b"Received: ") and got.endswith(HELLO)
    with open(home + "/env", encoding="ascii") as f:
        assert f.read() == "s@client.test joe@a.test \n"


@pytest.mark.parametrize("status, line", [(100, "failure: "), (111, "deferral: "), (99, r"success: did_0\+0\+1/")])
def test_program_exit_codes(make_instance, status, line):
    i = make_instance("joe")
    i.add_user("joe", qmail=f"|exit {status}\n./Maildir/\n")
    i.send("s@client.test", ["joe@a.test"], HELLO)
    i.wait_log(rf"^delivery 1: {line}")
    assert i.maildir("joe") == []


def test_forward_and_extension(make_instance, sink):
    i = make_instance("joe", "ann", sink=sink)
    i.add_user("joe", qmail=None, list="&ann@a.test\nfar@remote.test\n", default="./Maildir/\n")
    i.send("s@client.test", ["joe-list@a.test", "joe-Any.Thing@a.test"], HELLO)
    assert b"\nDelivered-To: joe-list@a.test\n" in i.wait_delivered("ann")[0]
    assert b"Delivered-To: joe-Any.Thing@a.test\n" in i.wait_delivered("joe")[0]
    wait_until(lambda: sink.messages, what="forwarded message")
    assert sink.messages[0].recipients == ["far@remote.test"]
    assert sink.messages[0].sender == "s@client.test"
    i.wait_log(r"success: did_0\+2\+0/qp_\d+/$")


def test_list_owner_and_verp(make_instance, sink):
    i = make_instance("joe", sink=sink)
    i.add_user("joe", list="far@remote.test\n", list_owner="./Maildir/\n", list_owner_default="./Maildir/\n")
    i.send("s@client.test", ["joe-list@a.test"], HELLO)
    wait_until(lambda: sink.messages, what="message from the list")
    assert sink.messages[0].sender == "joe-list-owner-far=remote.test@a.test"


def test_loop_is_noticed(make_instance):
    i = make_instance("joe")
    i.add_user("joe", loop="&joe-loop@a.test\n")
    i.send("joe@a.test", ["joe-loop@a.test"], HELLO)
    [bounce] = i.wait_delivered("joe")
    assert b"already has my Delivered-To line" in bounce


def test_alias_and_nobody(make_instance):
    i = make_instance("joe")
    i.write("alias/.qmail-webmaster", "&joe@a.test\n", 0o600)
    i.send("joe@a.test", ["webmaster@a.test", "nobody-here@a.test"], HELLO)
    messages = i.wait_delivered("joe", 2)
    assert any(b"\nDelivered-To: webmaster@a.test\n" in m for m in messages)
    assert any(b"<nobody-here@a.test>:\nSorry, no mailbox here by that name. (#5.1.1)\n" in m for m in messages)


# ---- routing ---------------------------------------------------------------------------

@pytest.mark.parametrize("recipient, tail", [
    ("virt@v.test", r"local games-virt@v\.test"),
    ("u@w.test", r"local special-u@w\.test"),
    ("x@w.test", r"remote x@w\.test"),
    ("a@b.sub.test", r"local subby-a@b\.sub\.test"),
    ("me@sub.test", r"remote me@sub\.test"),
    ("x@exc.sub.test", r"remote x@exc\.sub\.test"),
    ("joe%far.test@pct.test", r"remote joe@far\.test"),
    ("joe%a.test@pct.test", r"local joe@a\.test"),
    ("joe@A.TEST", r"local joe@A\.TEST"),
    ("joe", r"local joe@env\.test"),
])
def test_routing(make_instance, sink, recipient, tail):
    i = make_instance("joe", sink=sink, control={
        "locals": "a.test\nenv.test", "percenthack": "pct.test", "envnoathost": "env.test",
        "virtualdomains": "v.test:games\nu@w.test:special\n.sub.test:subby\nexc.sub.test:"})
    i.queue(HELLO, "s@client.test", recipient)
    i.wait_log(rf"^starting delivery 1: msg \d+ to {tail}$")


def test_hup_rereads_virtualdomains(make_instance, sink):
    i = make_instance("joe", sink=sink)
    i.control(virtualdomains="new.test:joe")
    i.signal("qmail-send", signal.SIGHUP)
    time.sleep(0.3)
    i.queue(HELLO, "s@client.test", "x@new.test")
    i.wait_log(r"to local joe-x@new\.test$")


# ---- remote ------------------------------------------------------------------------------

def test_remote(make_instance, sink):
    i = make_instance(sink=sink)
    i.queue(HELLO, "s@a.test", "x@far.test")
    wait_until(lambda: sink.messages, what="message")
    [message] = sink.messages
    assert (message.sender, message.recipients) == ("s@a.test", ["x@far.test"])
    assert message.data.endswith(HELLO.replace(b"\n", b"\r\n"))
    assert message.data.startswith(b"Received: (qmail ")
    i.wait_log(r"^delivery 1: success: 127\.0\.0\.1_accepted_message\./Remote_host_said:_250_2\.0\.0_kept/$")
    i.wait_empty()


def test_thousand_recipients(make_instance, sink):
    i = make_instance(sink=sink, control={"rcpthosts": "\n".join(f"d{n}.far.test" for n in range(10))})
    everybody = [f"u{n}@d{n % 10}.far.test" for n in range(1000)]
    i.send("s@client.test", everybody, HELLO)
    wait_until(lambda: sum(len(m.recipients) for m in list(sink.messages)) >= 1000, 60, "all recipients")
    assert sorted(r for m in sink.messages for r in m.recipients) == sorted(everybody)
    assert len(sink.messages) < 200, "recipients of a domain should share transactions"
    i.wait_empty()


def test_sessions_are_reused(make_instance, sink):
    i = make_instance(sink=sink, control={"rcpthosts": "far.test"})
    with i.smtp() as client:
        for n in range(100):
            client.sendmail("s@client.test", ["x@far.test"], f"Subject: {n}\r\n\r\nx\r\n")
    wait_until(lambda: len(sink.messages) >= 100, 30, "100 messages")
    assert len({m.data[m.data.index(b"Subject:"):] for m in sink.messages}) == 100
    assert sink.connections < 50


# ---- bounces and retries -------------------------------------------------------------------

def test_bounce(make_instance, sink):
    """The plain form; tests/test_bounces.py has the other one."""
    sink.on("rcpt", lambda a, s: "550-no\n550 5.1.1 such user" if b"perm@" in a else None)
    i = make_instance("joe", sink=sink, control={"bounceformat": "qsbmf"})
    i.queue(HELLO, "joe@a.test", "perm@far.test", "good@other.test")
    [bounce] = i.wait_delivered("joe")
    text = bounce.decode()
    original = re.search(r"\n(Received: \(qmail \d+ invoked by uid \d+\)[^\n]*\n)From: <s@client", text).group(1)
    body = text[text.index("Date: "):]
    assert re.fullmatch(
        r"Date: \d\d? \w{3} \d{4} \d\d:\d\d:\d\d -0000\n"
        r"From: MAILER-DAEMON@a\.test\nTo: joe@a\.test\nSubject: failure notice\n\n"
        r"Hi\. This is the qmail-send program at a\.test\.\n"
        r"I'm afraid I wasn't able to deliver your message to the following addresses\.\n"
        r"This is a permanent error; I've given up\. Sorry it didn't work out\.\n\n"
        r"<perm@far\.test>:\n127\.0\.0\.1 does not like recipient\.\n"
        r"Remote host said: 550-no\n550 5\.1\.1 such user\nGiving up on 127\.0\.0\.1\.\n\n"
        r"--- Below this line is a copy of the message\.\n\n"
        r"Return-Path: <joe@a\.test>\n" + re.escape(original + HELLO.decode()), body), text
    assert bounce.startswith(b"Return-Path: <>\n")
    assert [m.recipients for m in sink.messages] == [["good@other.test"]]
    i.wait_log(r"^bounce msg \d+ qp \d+$")


def test_double_and_triple_bounce(make_instance):
    i = make_instance("joe", control={"bounceformat": "qsbmf"})
    i.write("alias/.qmail-postmaster", "&joe@a.test\n", 0o600)
    i.queue(HELLO, "", "nobody-here@a.test")
    [double] = i.wait_delivered("joe")
    assert b"I tried to deliver a bounce message to this address, but the bounce bounced!" in double
    assert b"--- Below this line is the original bounce.\n\nReturn-Path: <>\n" in double
    i.write("alias/.qmail-postmaster", None)
    i.queue(HELLO, "", "nobody-here@a.test")
    i.wait_log(r"^triple bounce: discarding bounce/\d+$")
    i.wait_empty()


def test_alrm_retries(make_instance, sink):
    """A deferred recipient waits, and goes out at once on SIGALRM; the delivered one is not sent again."""
    sink.on("rcpt", lambda a, s: "450 4.2.1 later" if b"later@" in a else None)
    i = make_instance(sink=sink)
    i.queue(HELLO, "s@a.test", "later@far.test", "now@far.test")
    i.wait_log(r"deferral: 127\.0\.0\.1_does_not_like_recipient\./Remote_host_said:_450_4\.2\.1_later/")
    wait_until(lambda: sink.messages, what="the good recipient")
    sink.on("rcpt", None)
    i.signal("qmail-send", signal.SIGALRM)
    wait_until(lambda: len(sink.messages) == 2, what="retry")
    assert sorted(m.recipients for m in sink.messages) == [["later@far.test"], ["now@far.test"]]
    i.wait_empty()


def test_expiry(make_instance, sink):
    sink.on("rcpt", "450 4.2.1 later")
    i = make_instance("joe", sink=sink, control={"queuelifetime": "1"})
    i.queue(HELLO, "joe@a.test", "x@far.test")
    i.wait_log("^delivery 1: deferral")
    time.sleep(2.1)
    i.signal("qmail-send", signal.SIGALRM)
    [bounce] = i.wait_delivered("joe")
    assert b"I'm not going to try again; this message has been in the queue too long.\n" in bounce
    i.wait_empty()


@pytest.mark.parametrize("stage, mood, line", [
    ("connect", "554 go away", r"deferral: Connected_to_127\.0\.0\.1_but_greeting_failed\."),
    ("mail", "550 not you", r"failure: Connected_to_127\.0\.0\.1_but_sender_was_rejected\."),
    ("mail", "450 not now", r"deferral: Connected_to_127\.0\.0\.1_but_sender_was_rejected\."),
    ("data", "452 full", r"deferral: 127\.0\.0\.1_failed_on_DATA_command\."),
    ("dot", "554 spam", r"failure: 127\.0\.0\.1_failed_after_I_sent_the_message\."),
    ("dot", "451 hm", r"deferral: 127\.0\.0\.1_failed_after_I_sent_the_message\."),
    ("rcpt", DROP, r"deferral: Connected_to_127\.0\.0\.1_but_connection_died\._\(#4\.4\.2\)"),
    ("dot", DROP, r"deferral: Connected_to_127\.0\.0\.1_but_connection_died\._Possible_duplicate!_\(#4\.4\.2\)"),
], ids=["greeting", "mail5", "mail4", "data4", "dot5", "dot4", "drop", "drop-after-dot"])
def test_remote_refusals(make_instance, sink, stage, mood, line):
    sink.on(stage, mood)
    i = make_instance("joe", sink=sink)
    i.queue(HELLO, "joe@a.test", "x@far.test")
    i.wait_log(rf"^delivery 1: {line}")


def test_nothing_listens(make_instance):
    i = make_instance("joe", control={"smtproutes": f":127.0.0.1:{free_port()}"})
    i.queue(HELLO, "joe@a.test", "x@far.test")
    i.wait_log(r"^delivery 1: deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection\._\(#4\.4\.1\)/"
               r"Tried_127\.0\.0\.1:_connection_refused\./$")


# ---- restarts --------------------------------------------------------------------------------

def test_queue_survives_a_restart(make_instance):
    with Sink() as blocked:
        blocked.on("connect", "421 not now")
        i = make_instance(sink=blocked)
        i.queue(HELLO, "s@a.test", "x@far.test", "y@far.test")
        i.wait_log("^delivery 1: deferral")
        i.stop()
        with Sink() as sink:
            i.control(smtproutes=f":{sink.host}:{sink.port}")
            i.start()
            i.signal("qmail-send", signal.SIGALRM)
            wait_until(lambda: sum(len(m.recipients) for m in sink.messages) == 2, 30, "both recipients")
            assert sink.messages[0].data.endswith(HELLO.replace(b"\n", b"\r\n"))
            i.wait_empty()


@pytest.mark.parametrize("name", ["qmail-send", "qmail-journal", "qmail-lspawn", "qmail-rspawn", "qmail-resolve",
                                  "qmail-smtpd"])
def test_killed_process_comes_back(make_instance, sink, name):
    i = make_instance("joe", sink=sink)
    i.send("s@client.test", ["joe@a.test"], HELLO)
    i.wait_delivered("joe")
    i.signal(name, signal.SIGKILL)
    # Whether one process returns or all do: within seconds mail flows both ways again.

    def accepted():
        try:
            i.send("s@client.test", ["joe@a.test"], HELLO)
            return True
        except (OSError, smtplib.SMTPException):
            if i.process.poll() is not None:
                i.process = None
                i.start()
            return False
    wait_until(accepted, 30, "mail to be accepted again")
    i.wait_delivered("joe", 2)


def test_second_instance_on_one_home(make_instance):
    i = make_instance("joe")
    second = i.run(program("quill"), "up", i.home, check=False, timeout=20)
    assert second.returncode != 0
    text = (second.stdout + second.stderr).decode()
    assert "running" in text, text
    i.send("s@client.test", ["joe@a.test"], HELLO)
    i.wait_delivered("joe")


def test_port_in_use(make_instance):
    with Sink() as holder:
        i = make_instance(start=False)
        i.control(smtplisten=f"127.0.0.1:{holder.port}")
        result = i.run(program("quill"), "up", i.home, check=False, timeout=20)
        assert result.returncode != 0
        assert str(holder.port) in (result.stdout + result.stderr).decode()
        assert not i.leftovers()


def test_unreadable_control_file(make_instance):
    """A directory where a control file belongs: one line that names it, and nothing half started."""
    i = make_instance(start=False)
    os.mkdir(f"{i.home}/control/locals") if not os.path.exists(f"{i.home}/control/locals") else (
        os.unlink(f"{i.home}/control/locals"), os.mkdir(f"{i.home}/control/locals"))
    result = i.run(program("quill"), "up", i.home, check=False, timeout=20)
    assert result.returncode != 0
    assert "locals" in (result.stdout + result.stderr).decode()
    wait_until(lambda: not i.leftovers(), 5, "processes to end")


def test_tcpserver_session(make_instance):
    """One session on descriptors 0 and 1, as under tcpserver."""
    i = make_instance("joe", control={"rcpthosts": "a.test"})
    port = free_port()
    server = i.spawn("tcpserver", "-RHl", "a.test", "127.0.0.1", str(port), program("qmail-smtpd"),
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def sent():
            try:
                with smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", timeout=20) as client:
                    client.sendmail("s@client.test", ["joe@a.test"], HELLO.replace(b"\n", b"\r\n"))
                return True
            except (ConnectionRefusedError, ConnectionResetError):
                return False
        wait_until(sent, 10, "tcpserver to listen")
    finally:
        server.terminate()
        server.wait()
    [message] = i.wait_delivered("joe")
    assert b"(HELO client.test) (127.0.0.1)\n  by a.test with " in message


def test_default_delivery_to_mbox(make_instance):
    i = make_instance("joe", default_delivery="./Mailbox")
    i.send("s@client.test", ["joe@a.test"], HELLO)
    i.wait_log("^delivery 1: success")
    assert len(i.mbox("joe")) == 1 and maildir(i.users["joe"] + "/Maildir") == []


def test_check_finds_a_damaged_body(make_instance):
    i = make_instance("joe", control={"concurrencylocal": "0"})
    i.send("s@client.test", ["joe@a.test"], b"Subject: large\n\n" + b"0123456789abcde\n" * 200000)
    i.stop()
    check = i.run(program("qmail-journal"), "--check")
    assert b"1 messages" in check.stdout and b"0 damaged places" in check.stdout
    [name] = os.listdir(i.home + "/queue/body")
    with open(f"{i.home}/queue/body/{name}", "r+b") as f:
        f.seek(1000000)
        f.write(b"X")
    check = i.run(program("qmail-journal"), "--check", check=False)
    assert check.returncode == 1 and f"queue/body/{name} is not what was accepted".encode() in check.stdout


def test_the_owner_can_queue_mail_while_the_system_is_down(make_instance):
    i = make_instance("joe")
    i.stop()
    for command in (["sendmail", "joe@a.test"], ["qmail-inject", "joe@a.test"]):
        i.run(program(command[0]), *command[1:], input=HELLO)
    if i.as_root:  # a stranger has to come again later
        os.chmod(i.dir, 0o755)
        result = subprocess.run([program("sendmail"), "joe@a.test"], input=HELLO, env=i.environment, user=i.uid + 1,
                                group=i.gid + 1, extra_groups=[], capture_output=True, check=False)
        assert result.returncode == 111 and b"does not run" in result.stderr
    i.start()
    i.wait_delivered("joe", 2)
    assert all(f"invoked by uid {i.uid})".encode() in m for m in i.maildir("joe"))

"""Checks of remote delivery, through the queue and with qmail-remote by hand (see labrun.py)."""
import re
import signal
import socket
import subprocess
import threading
import time

from labrun import HOME, equal, lab, wait

CHECKS = []


def check(f):
    CHECKS.append(f)
    return f


class Script:
    """An SMTP server that says what the table says; None: it hangs up."""

    def __init__(self, ehlo=False, **replies):
        self.replies = {"greeting": "220 hi ESMTP", "EHLO": "250 me" if ehlo else "502 what", "HELO": "250 me",
                        "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", "dot": "250 done", "QUIT": "221 bye",
                        "RSET": "250 ok", **replies}
        self.lines, self.bodies = [], []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.session, args=(connection,), daemon=True).start()

    def say(self, f, what):
        reply = self.replies[what]
        if callable(reply):
            reply = reply(self.lines[-1])
        if reply is None:
            return False
        f.write(reply.replace("\n", "\r\n").encode() + b"\r\n")
        f.flush()
        return True

    def session(self, connection):
        with connection, connection.makefile("rwb") as f:
            if not self.say(f, "greeting"):
                return
            for line in f:
                text = line.decode("latin-1").rstrip("\r\n")
                self.lines.append(text)
                verb = text[:4].upper()
                if not self.say(f, verb):
                    return
                if verb == "QUIT":
                    return
                if verb == "DATA" and str(self.replies["DATA"]).startswith("354"):
                    body = []
                    for data in f:
                        if data == b".\r\n":
                            break
                        body.append(data)
                    else:
                        return
                    self.bodies.append(b"".join(body))
                    if not self.say(f, "dot"):
                        return

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


MESSAGE = b"Subject: r\n\n.dot\nx\n"


def remote(*arguments, message=MESSAGE):
    r = subprocess.run([HOME + "/bin/qmail-remote", *arguments], input=message, capture_output=True, user=7795,
                       group=2107, extra_groups=[], env=lab.CLEAN, cwd="/", timeout=60, check=False)
    equal(r.returncode, 0)
    return r.stdout


def route(m, port):
    m.control("smtproutes", f":127.0.0.1:{port}\n")


@check
def golden_reports(m):
    """Appendix D.5."""
    cases = (
        ({}, b"r\0K127.0.0.1 accepted message.\nRemote host said: 250 done\n\0"),
        ({"MAIL": "450 later"}, b"ZConnected to 127.0.0.1 but sender was rejected.\nRemote host said: 450 later\n\0"),
        ({"MAIL": "550 no"}, b"DConnected to 127.0.0.1 but sender was rejected.\nRemote host said: 550 no\n\0"),
        ({"greeting": "421 busy"}, b"ZConnected to 127.0.0.1 but greeting failed.\nRemote host said: 421 busy\n\0"),
        ({"HELO": "450 no", "EHLO": "450 no"},
         b"ZConnected to 127.0.0.1 but my name was rejected.\nRemote host said: 450 no\n\0"),
        ({"DATA": "452 no data"}, b"r\0Z127.0.0.1 failed on DATA command.\nRemote host said: 452 no data\n\0"),
        ({"DATA": "554 no data"}, b"r\0D127.0.0.1 failed on DATA command.\nRemote host said: 554 no data\n\0"),
        ({"dot": "554 spam"}, b"r\0D127.0.0.1 failed after I sent the message.\nRemote host said: 554 spam\n\0"),
        ({"dot": "451 a"}, b"r\0Z127.0.0.1 failed after I sent the message.\nRemote host said: 451 a\n\0"),
        ({"MAIL": None}, b"ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n\0"),
        ({"greeting": None}, b"ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n\0"),
        ({"dot": None}, b"r\0ZConnected to 127.0.0.1 but connection died. Possible duplicate! (#4.4.2)\n\0"),
        ({"RCPT": "550 x"}, b"h127.0.0.1 does not like recipient.\nRemote host said: 550 x\n\0"
                            b"DGiving up on 127.0.0.1.\n\0"),
        ({"RCPT": "450-x\n450 y"}, b"s127.0.0.1 does not like recipient.\nRemote host said: 450-x\n450 y\n\0"
                                   b"DGiving up on 127.0.0.1.\n\0"),
        ({"dot": "250-a\n250-b\n250 c"}, b"r\0K127.0.0.1 accepted message.\nRemote host said: 250-a\n250-b\n250 c\n\0"),
    )
    for replies, expected in cases:
        with Script(**replies) as server:
            route(m, server.port)
            equal(remote("h.test", "s@x", "r@h.test"), expected)


@check
def several_recipients(m):
    with Script(RCPT=lambda line: {"a": "250 ok", "b": "550 x", "c": "450 y"}[line[9]], dot="250-a\n250 b") as server:
        route(m, server.port)
        equal(remote("h.test", "s@x", "a@h.test", "b@h.test", "c@h.test"),
              b"r\0h127.0.0.1 does not like recipient.\nRemote host said: 550 x\n\0"
              b"s127.0.0.1 does not like recipient.\nRemote host said: 450 y\n\0"
              b"K127.0.0.1 accepted message.\nRemote host said: 250-a\n250 b\n\0")


@check
def refused_port(m):
    route(m, 1)
    equal(remote("h.test", "s@x", "r@h.test"), b"ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n\0")


@check
def invoked_improperly(m):
    for arguments in ((), ("h",), ("h", "s")):
        equal(remote(*arguments), b"DI (qmail-remote) was invoked improperly. (#5.3.5)\n\0")


@check
def partial_last_line(m):
    with Script() as server:
        route(m, server.port)
        equal(remote("h.test", "s@x", "r@h.test", message=b"a\n\nb"),
              b"r\0DSMTP cannot transfer messages with partial final lines. (#5.6.2)\n\0")
        equal(server.bodies, [])


@check
def closed_input(m):
    """No message is not an empty message."""
    with Script() as server:
        route(m, server.port)
        r = subprocess.run(["/bin/sh", "-c", f"exec {HOME}/bin/qmail-remote h.test s@x r@h.test <&-"], capture_output=True,
                           user=7795, group=2107, extra_groups=[], env=lab.CLEAN, cwd="/", timeout=60, check=False)
        assert r.stdout.endswith(b"ZUnable to read message. (#4.3.0)\n\0"), r
        equal(server.bodies, [])


@check
def dialogue(m):
    with Script() as server:
        route(m, server.port)
        remote("h.test", "s@x", "r@h.test")
        wait(lambda: "QUIT" in server.lines)  # it does not wait for the answer
        equal([line for line in server.lines if not line.startswith("EHLO")],
              ["HELO mail.lab.test", "MAIL FROM:<s@x>", "RCPT TO:<r@h.test>", "DATA", "QUIT"])
        equal(server.bodies, [b"Subject: r\r\n\r\n..dot\r\nx\r\n"])


@check
def quoting_on_the_wire(m):
    with Script() as server:
        route(m, server.port)
        remote("h.test", "", '"q q"@h.test', "a b@h.test", ".c@h.test", "d..e@h.test", "f\xe4@h.test", "plain+x=y@h.test")
        equal([line for line in server.lines if line[:4] in ("MAIL", "RCPT")],
              ["MAIL FROM:<>", 'RCPT TO:<"\\"q q\\""@h.test>', 'RCPT TO:<"a b"@h.test>', 'RCPT TO:<".c"@h.test>',
               'RCPT TO:<"d..e"@h.test>', 'RCPT TO:<"f\xc3\xa4"@h.test>', "RCPT TO:<plain+x=y@h.test>"])


@check
def helohost(m):
    m.control("helohost", "other.name.test\n")
    with Script() as server:
        route(m, server.port)
        remote("h.test", "s@x", "r@h.test")
        assert "HELO other.name.test" in server.lines
    m.control("helohost", None)


@check
def name_and_address_by_sender(m):
    m.control("outgoingips", "own.test:127.0.0.9 helo.own.test\n")
    with Script() as server:
        route(m, server.port)
        assert m.send_mail("r@far.test", sender=b"s@own.test").only[2] == "success"
        assert "HELO helo.own.test" in server.lines, server.lines
    m.control("outgoingips", None)


@check
def who_may_ask_about_dead_servers(m):
    for user, code in ((0, 0), (7796, 0), (2001, 111)):
        r = subprocess.run([HOME + "/bin/qmail-tcpto"], capture_output=True, text=True, user=user, group=2107, cwd="/",
                           extra_groups=[], env=lab.CLEAN, timeout=30, check=False)
        assert r.returncode == code and r.stderr == "" and r.stdout.startswith("fatal: " if code else ""), (user, r)
    subprocess.run([HOME + "/bin/qmail-tcpok"], check=True, env=lab.CLEAN, cwd="/", timeout=30)


@check
def route_forms(m):
    """Whole name, suffixes, the empty key; ports; relays as addresses."""
    with Script() as one, Script() as two, Script() as three:
        m.control("smtproutes", f"# c\nhost.test:127.0.0.1:{one.port}\n.dom.test:127.0.0.1:{two.port} \t\n"
                  f":127.0.0.1:{three.port}\nHOST2.test:[127.0.0.1]:{one.port}\nlast.test:127.0.0.1:1\n"
                  f"last.test:127.0.0.1:{two.port}\n.deep.dom.test:127.0.0.1:{one.port}\n")
        for host, server in (("host.test", one), ("HOST.Test", one), ("x.dom.test", two), ("a.b.dom.test", two),
                             ("dom.test", three), ("other.test", three), ("host2.test", one), ("last.test", two),
                             ("x.deep.dom.test", one)):
            before = len(server.bodies)
            got = remote(host, "s@x", f"r@{host}")
            assert got.startswith(b"r\0K127.0.0.1 accepted message.\n"), (host, got)
            equal(len(server.bodies), before + 1)


@check
def literal_host(m):
    m.control("smtproutes", None)
    for host in ("127.0.0.1", "[127.0.0.1]"):
        got = remote(host, "s@x", f"r@{host}")
        assert got.startswith((b"DSorry. Although I'm listed as a best-preference MX or A for that host,\nit isn't in my "
                               b"control/locals file, so I don't treat it as local. (#5.4.6)\n",)), got


@check
def no_name_server(m):
    m.control("smtproutes", None)
    got = remote("x.invalid", "s@x", "r@x.invalid")
    assert got in (b"ZSorry, I couldn't find any host by that name. (#4.1.2)\n\0",
                   b"DSorry, I couldn't find any host named x.invalid. (#5.1.2)\n\0") or got.startswith(
                       b"ZSorry, I couldn't find any host by that name. (#4.1.2)"), got


@check
def me_missing(m):
    import os
    os.rename(HOME + "/control/me", HOME + "/control/me.away")
    route(m, 1)
    equal(remote("h.test", "s@x", "r@h.test"), b"ZUnable to read control files. (#4.3.0)\n\0")
    os.rename(HOME + "/control/me.away", HOME + "/control/me")


# ---- through the queue -------------------------------------------------------------------------

@check
def reports_in_the_log(m):
    cases = (
        ({}, "success", "127.0.0.1_accepted_message./Remote_host_said:_250_done/"),
        ({"dot": "250 2.0.0 okay fine"}, "success", "127.0.0.1_accepted_message./Remote_host_said:_250_2.0.0_okay_fine/"),
        ({"RCPT": "550-no\n550 5.1.1 such user"}, "failure",
         "127.0.0.1_does_not_like_recipient./Remote_host_said:_550-no/550_5.1.1_such_user/Giving_up_on_127.0.0.1./"),
        ({"RCPT": "450 4.2.1 later"}, "deferral",
         "127.0.0.1_does_not_like_recipient./Remote_host_said:_450_4.2.1_later/Giving_up_on_127.0.0.1./"),
        ({"MAIL": "550 no"}, "failure", "Connected_to_127.0.0.1_but_sender_was_rejected./Remote_host_said:_550_no/"),
        ({"DATA": "452 x"}, "deferral", "127.0.0.1_failed_on_DATA_command./Remote_host_said:_452_x/"),
        ({"dot": "554 spam"}, "failure", "127.0.0.1_failed_after_I_sent_the_message./Remote_host_said:_554_spam/"),
        ({"greeting": "421 busy"}, "deferral", "Connected_to_127.0.0.1_but_greeting_failed./Remote_host_said:_421_busy/"),
        ({"greeting": None}, "deferral", "Connected_to_127.0.0.1_but_connection_died._(#4.4.2)/It_hung_up_before_its_greeting./"),
        ({"dot": None}, "deferral", "Connected_to_127.0.0.1_but_connection_died._Possible_duplicate!_(#4.4.2)/"
         "It_hung_up_before_its_answer_to_the_message./"),
    )
    for i, (replies, result, text) in enumerate(cases):
        with Script(**replies) as server:
            route(m, server.port)
            time.sleep(0.05)
            m.try_mail(f"r@q{i}.test", sender=b"#@[]").expect(result, text)


@check
def partial_last_line_bounces(m):
    with Script() as server:
        route(m, server.port)
        m.clear_inbox("bob")
        s = m.send_mail("r@far.test", b"Subject: p\n\nno end", sender=b"bob@lab.test")
        s.expect("failure", "SMTP_cannot_transfer_messages_with_partial_final_lines._(#5.6.2)/")
        m.bounce_story(s)
        equal(server.bodies, [])


@check
def recipients_of_one_domain(m):
    with Script(RCPT=lambda line: "550 x" if "bad" in line else "250 ok") as server:
        route(m, server.port)
        m.clear_inbox("bob")
        s = m.send_mail(["a@far.test", "bad@far.test", "c@FAR.test", "ann@lab.test"], sender=b"bob@lab.test")
        r = s.results()
        equal({k: v[0] for k, v in r.items()},
              {"a@far.test": "success", "bad@far.test": "failure", "c@FAR.test": "success", "ann@lab.test": "success"})
        equal(r["bad@far.test"][1][:70], "127.0.0.1_does_not_like_recipient./Remote_host_said:_550_x/"[:70])
        m.bounce_story(s)
        mail = m.inbox("bob")[0]
        assert b"\n\n<bad@far.test>:\n127.0.0.1 does not like recipient.\nRemote host said: 550 x\n" in mail, mail
        assert b"<a@far.test>:" not in mail


@check
def bounce_text_that_parsers_know(m):
    with Script(RCPT="550 5.1.1 unknown") as server:
        route(m, server.port)
        m.clear_inbox("bob")
        m.bounce_story(m.send_mail("u@far.test", sender=b"bob@lab.test"))
        assert (b"\n\n<u@far.test>:\n127.0.0.1 does not like recipient.\nRemote host said: 550 5.1.1 unknown\n"
                b"Giving up on 127.0.0.1.\n\n--- Below this line is a copy of the message.\n\nReturn-Path: "
                b"<bob@lab.test>\n") in m.inbox("bob")[0], m.inbox("bob")[0]


@check
def routes_are_read_for_each_delivery(m):
    with Script() as one:
        route(m, one.port)
        m.send_mail("a@far1.test")
    with Script() as two:
        route(m, two.port)
        time.sleep(0.05)
        m.send_mail("a@far2.test").expect("success", "127.0.0.1_accepted_message./Remote_host_said:_250_done/")
        equal(len(two.bodies), 1)


@check
def message_bytes_on_the_wire(m):
    with Script() as server:
        route(m, server.port)
        m.send_mail("a@far.test", b"Subject: w\n\n.\n..\n\x00\xff 8bit\nlast\n")
        assert server.bodies[0].endswith(b"Subject: w\r\n\r\n..\r\n...\r\n\x00\xff 8bit\r\nlast\r\n"), server.bodies
        assert server.bodies[0].startswith(b"Received: (qmail "), server.bodies


@check
def no_host_for_recipient(m):
    m.control("smtproutes", None)
    s = m.try_mail("x@", sender=b"#@[]")
    assert s.only[2] in ("failure", "deferral"), s.only


@check
def term_during_remote_delivery(m):
    hold = threading.Event()
    with Script(MAIL=lambda line: hold.wait(10) and "250 ok") as server:
        route(m, server.port)
        mark = m.mark()
        qp = m.queue(["a@far.test"])
        m.wait_log("^starting delivery", mark)
        m.wait_log("^status: local 0/10 remote 1/20$", mark)
        m.signal(signal.SIGTERM)
        time.sleep(0.3)
        hold.set()
        equal(m.send.wait(10), 0)
        m.story(qp, mark)
        assert m.log(mark).endswith("status: exiting\n"), m.log(mark)
    m.start()
    m.control("smtproutes", None)


@check
def concurrencyremote_zero(m):
    m.control("concurrencyremote", "0\n")
    m.restart()
    mark = m.mark()
    m.queue(["a@far.test"])
    m.send_mail("ann@lab.test")
    assert "to remote" not in m.log(mark)
    m.control("concurrencyremote", None)
    m.restart()


@check
def timeouts(m):
    m.control("timeoutremote", "1\n")
    with Script(MAIL=lambda line: time.sleep(4)) as server:
        route(m, server.port)
        started = time.monotonic()
        equal(remote("h.test", "s@x", "r@h.test"), b"ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n\0")
        assert 0.8 < time.monotonic() - started < 3
    m.control("timeoutremote", None)
    m.control("smtproutes", None)


@check
def odd_reply_lines(m):
    for reply, shown in (("250", b"250"), ("250 a\tb \xe4", b"250 a\tb \xc3\xa4"), ("299 odd", b"299 odd")):
        with Script(dot=reply) as server:
            route(m, server.port)
            equal(remote("h.test", "s@x", "r@h.test"),
                  b"r\0K127.0.0.1 accepted message.\nRemote host said: " + shown + b"\n\0")
    m.control("smtproutes", None)


@check
def long_reply(m):
    """At most 5000 bytes of it are reported; the log stays one line, the bounce one paragraph."""
    with Script(RCPT="\n".join(["550-" + "x" * 70] * 200) + "\n550 end") as server:
        route(m, server.port)
        got = remote("h.test", "s@x", "r@h.test")
        assert got.startswith(b"h127.0.0.1 does not like recipient.\nRemote host said: 550-xxx"), got[:100]
        assert 4000 < len(got.split(b"\0")[0]) < 5200, len(got)
        m.clear_inbox("bob")
        s = m.send_mail("u@long.test", sender=b"bob@lab.test")
        assert s.only[2] == "failure" and 4000 < len(s.only[3]) < 5200, len(s.only[3])
        m.bounce_story(s)
        assert b"550-xxx" in m.inbox("bob")[0]
    m.control("smtproutes", None)


@check
def slow_and_dead_destinations_do_not_hold_others(m):
    hold = threading.Event()
    with Script(MAIL=lambda line: hold.wait(10) and "250 ok") as slow, Script() as fast:
        m.control("smtproutes", f"slow.test:127.0.0.1:{slow.port}\nfast.test:127.0.0.1:{fast.port}\n")
        mark = m.mark()
        qps = [m.queue(["a@slow.test"]) for _ in range(5)]
        m.send_mail("a@fast.test")
        assert "success" in m.log(mark)
        hold.set()
        for qp in qps:
            m.story(qp, mark)
    m.control("smtproutes", None)


@check
def name_in_report(m):
    """Bytes that are not visible ASCII become ? in the report of an unknown host."""
    got = remote("no host\x01.invalid", "s@x", "r@x")
    assert not re.search(rb"[\x01 ]\.invalid|host\x01", got), got

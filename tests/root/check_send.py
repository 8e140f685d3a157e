"""Checks of qmail-send: routing, bounces, the log, signals (see labrun.py)."""
import email
import json
import os
import re
import signal
import subprocess
import time
from datetime import datetime

from labrun import HOME, equal, processes, wait
from quilltest import Sink

CHECKS = []
DATE = rb"\d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d -0000"
NO_MAILBOX = "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/"


def check(f):
    CHECKS.append(f)
    return f


# ---- the log ---------------------------------------------------------------------------------

@check
def log_of_a_success(m):
    mark = m.mark()
    s = m.send_mail("ann@lab.test", b"Subject: x\n\nbody\n", sender=b"s@client.test")
    size = 17 + len(re.search(rb"Received: .*\n", m.inbox("ann")[-1]).group(0))
    n = s.number
    # The delivery's number depends on what ran before.
    log = re.sub(r"(?m)^(starting )?delivery \d+:", r"\1delivery D:", m.log(mark))
    assert re.fullmatch(
        rf"new msg {n}\ninfo msg {n}: bytes {size} from <s@client\.test> qp \d+ uid 2001\n"
        rf"starting delivery D: msg {n} to local ann@lab\.test\nstatus: local 1/10 remote 0/20\n"
        rf"delivery D: success: did_1\+0\+0/\nstatus: local 0/10 remote 0/20\nend msg {n}\n", log), log


@check
def log_of_bounce_and_double_bounce(m):
    mark = m.mark()
    s = m.send_mail("no-such@lab.test", sender=b"no-sender@lab.test")
    b = m.bounce_story(s, mark)
    d = m.bounce_story(b, mark)
    log = re.sub(r"(?m)^(starting )?delivery \d+:", r"\1delivery D:", m.log(mark))
    status = ["status: local 1/10 remote 0/20\n", "status: local 0/10 remote 0/20\n"]

    def failing(n, recipient):
        return (f"starting delivery D: msg {n} to local {recipient}\n{status[0]}delivery D: failure: {NO_MAILBOX}\n"
                f"{status[1]}")
    sizes = re.findall(r"bytes (\d+) ", log)
    equal(log, f"new msg {s.number}\ninfo msg {s.number}: bytes {sizes[0]} from <no-sender@lab.test> qp "
          f"{re.search(r' qp ([0-9]+) uid 2001', log).group(1)} uid 2001\n" + failing(s.number, "no-such@lab.test") +
          f"bounce msg {s.number} qp {s.bounce_qp}\nend msg {s.number}\n"
          f"new msg {b.number}\ninfo msg {b.number}: bytes {sizes[1]} from <> qp {s.bounce_qp} uid 7796\n" +
          failing(b.number, "no-sender@lab.test") +
          f"bounce msg {b.number} qp {b.bounce_qp}\nend msg {b.number}\n"
          f"new msg {d.number}\ninfo msg {d.number}: bytes {sizes[2]} from <#@[]> qp {b.bounce_qp} uid 7796\n" +
          failing(d.number, "postmaster@mail.lab.test") +
          f"triple bounce: discarding bounce/{d.number}\nend msg {d.number}\n")


LINES = [re.compile(p) for p in (
    r"new msg \d+", r"info msg \d+: bytes \d+ from <\S*> qp \d+ uid \d+",
    r"starting delivery \d+: msg \d+ to (local|remote) \S+", r"delivery \d+: (success|failure|deferral): \S*",
    r"status: local \d+/\d+ remote \d+/\d+( exitasap)?", r"bounce msg \d+ qp \d+", r"end msg \d+",
    r"triple bounce: discarding bounce/\d+", r"status: exiting", r"(warning|alert): .*")]


@check
def log_sanitises(m):
    mark = m.mark()
    s = m.send_mail(b"ann-o%d d\xff@lab.test", sender=b"")
    equal(s.only[1], "ann-o_d_d_@lab.test")
    s = m.send_mail("ann@lab.test", sender=b"a b%c\xe4@x")
    assert " from <a_b_c_@x> qp " in s.lines[1], s.lines[1]
    for line in m.log(mark).splitlines():
        assert any(p.fullmatch(line) for p in LINES), line


@check
def status_counts_each_start_and_end(m):
    m.dot("ann", "-slow", "|sleep 0.3\n")
    m.dot("bob", "-slow", "|sleep 0.3\n")
    m.quiet()
    mark = m.mark()
    qps = [m.queue(["ann-slow@lab.test", "bob-slow@lab.test"]) for _ in range(3)]
    for qp in qps:
        m.story(qp, mark)
    running, log = 0, m.log(mark).splitlines()
    for i, line in enumerate(log):
        if line.startswith("starting delivery "):
            running += 1
        elif line.startswith("delivery "):
            running -= 1
        else:
            continue
        equal(log[i + 1], f"status: local {running}/10 remote 0/20")


@check
def starts_follow_the_envelope(m):
    """Recipients at one remote domain start together, with the first of them."""
    m.control("smtproutes", ":127.0.0.1:1\n")
    for given, started in (
            (["joe@lab.test", "ann@lab.test", "nobody@lab.test", "bob@lab.test"],) * 2,
            (["x@z.test", "y@a.test", "z@m.test", "v@a.test", "w@z.test"],
             ["x@z.test", "w@z.test", "y@a.test", "v@a.test", "z@m.test"])):
        s = m.try_mail(given, sender=b"#@[]")
        equal([d[1] for d in s.deliveries], started)
    m.control("smtproutes", None)


@check
def concurrency_is_kept(m):
    m.control("concurrencylocal", "3\n")
    m.dot("ann", "-slow", "|sleep 0.2\n")
    m.restart()
    try:
        mark = m.mark()
        for qp in [m.queue(["ann-slow@lab.test"]) for _ in range(8)]:
            m.story(qp, mark)
        equal(max(int(n) for n in re.findall(r"status: local (\d+)/3 ", m.log(mark))), 3)
    finally:
        m.control("concurrencylocal", None)
        m.restart()


@check
def concurrency_zero_holds(m):
    m.control("concurrencylocal", "0\n")
    m.restart()
    mark = m.mark()
    qp = m.queue(["ann@lab.test"])
    m.wait_log("^info msg ", mark)
    time.sleep(0.3)
    assert "starting" not in m.log(mark)
    m.control("concurrencylocal", None)
    m.stop()
    mark2 = m.start()
    m.wait_log(r"^delivery \d+: success: did_1\+0\+0/$", mark2)
    assert m.story_so_far(qp, mark)


# ---- routing -----------------------------------------------------------------------------------

ROUTES = """# comment
v.test:games-virt
u@w.test:special
.sub.test:subby
exc.sub.test:
UPPER.test:Big
dup.test:first
dup.test:second
colon.test:a:b
space.test:sp \t
nocolon.test
.deep.sub.test:deeper
"""


@check
def routing(m):
    m.control("virtualdomains", ROUTES)
    m.control("percenthack", "hack.test\nlab.test\n")
    m.control("locals", "lab.test\nMail.lab.test\n#x.test\n\n  \nhash.test \t\n")
    m.restart()
    m.control("smtproutes", ":127.0.0.1:1\n")
    try:
        for address, channel, shown in (
                ("games-foo-Bar.baz@LAB.test", "local", "games-foo-Bar.baz@LAB.test"),
                ("plain", "local", "plain@mail.lab.test"),
                ("virt@v.test", "local", "games-virt-virt@v.test"),
                ("Virt@V.Test", "local", "games-virt-Virt@V.Test"),
                ("u@w.test", "local", "special-u@w.test"), ("U@W.test", "local", "special-U@W.test"),
                ("x@w.test", "remote", "x@w.test"),
                ("a@b.sub.test", "local", "subby-a@b.sub.test"), ("a@c.b.sub.test", "local", "subby-a@c.b.sub.test"),
                ("a@x.deep.sub.test", "local", "deeper-a@x.deep.sub.test"),
                ("a@deep.sub.test", "local", "subby-a@deep.sub.test"),
                ("me@sub.test", "remote", "me@sub.test"), ("x@exc.sub.test", "remote", "x@exc.sub.test"),
                ("x@upper.test", "local", "Big-x@upper.test"), ("x@dup.test", "local", "second-x@dup.test"),
                ("x@colon.test", "local", "a:b-x@colon.test"), ("x@space.test", "local", "sp-x@space.test"),
                ("x@nocolon.test", "remote", "x@nocolon.test"),
                ("a%b.test@hack.test", "remote", "a@b.test"), ("a%b%c@hack.test", "remote", "a%b@c"),
                ("a%b%hack.test@hack.test", "remote", "a@b"), ("ann%lab.test@hack.test", "local", "ann@lab.test"),
                ("x%v.test@HACK.test", "local", "games-virt-x@v.test"), ("a%b@nohack.test", "remote", "a%b@nohack.test"),
                ("a@b@v.test", "local", "games-virt-a@b@v.test"), ("x@hash.test", "local", "x@hash.test"),
                ("x@#x.test", "remote", "x@#x.test"), ("@lab.test", "local", "@lab.test"),
                ("percent@hack.test", "remote", "percent@hack.test"), ("x@", "remote", "x@")):
            s = m.try_mail(address, sender=b"#@[]")
            equal(s.only[:2], (channel, shown.replace("%", "_")))
    finally:
        for name in ("virtualdomains", "percenthack", "smtproutes"):
            m.control(name, None)
        m.control("locals", "lab.test\nmail.lab.test\n")
        m.restart()


@check
def catch_all_route(m):
    m.control("virtualdomains", "known.test:\n:all\nx.test:ann\n")
    m.control("smtproutes", ":127.0.0.1:1\n")
    m.restart()
    try:
        equal(m.try_mail("a@what.test", sender=b"#@[]").only[:2], ("local", "all-a@what.test"))
        equal(m.try_mail("a@known.test", sender=b"#@[]").only[:2], ("remote", "a@known.test"))
        m.dot("ann", "-default", "|echo $EXT $LOCAL $HOST $RECIPIENT\n")
        m.send_mail("b@x.test").expect("success", "b_ann-b_x.test_ann-b@x.test/did_0+0+1/")
        os.unlink(m.home("ann") + "/.qmail-default")
    finally:
        m.control("virtualdomains", None)
        m.control("smtproutes", None)
        m.restart()


@check
def locals_missing_and_empty(m):
    m.control("locals", None)
    m.control("smtproutes", ":127.0.0.1:1\n")
    m.restart()
    equal(m.try_mail("ann@mail.lab.test").only[0], "local")
    equal(m.try_mail("ann@lab.test").only[0], "remote")
    m.control("locals", "")
    m.restart()
    equal(m.try_mail("ann@mail.lab.test").only[0], "remote")
    m.control("locals", "lab.test\nmail.lab.test\n")
    m.control("smtproutes", None)
    m.restart()


@check
def empty_local_part_is_swallowed(m):
    m.send_mail("@lab.test").expect("success", "")


@check
def no_recipients(m):
    s = m.send_mail([])
    equal([line.split(" ")[0] for line in s.lines], ["new", "info", "end"])


# ---- signals -------------------------------------------------------------------------------------

@check
def hup_rereads(m):
    m.control("smtproutes", ":127.0.0.1:1\n")
    equal(m.try_mail("x@hup.test").only[0], "remote")
    m.control("locals", "lab.test\nmail.lab.test\nhup.test\n")
    m.control("virtualdomains", "huv.test:ann\n")
    equal(m.try_mail("y@hup.test").only[0], "remote")
    m.signal(signal.SIGHUP)
    time.sleep(0.2)
    equal(m.try_mail("nobody@hup.test", sender=b"#@[]").only[0], "local")
    equal(m.try_mail("nobody@huv.test", sender=b"#@[]").only[:2], ("local", "ann-nobody@huv.test"))
    m.control("locals", "lab.test\nmail.lab.test\n")
    m.control("virtualdomains", None)
    m.signal(signal.SIGHUP)
    time.sleep(0.2)
    equal(m.try_mail("nobody@huv.test").only[0], "remote")
    m.control("smtproutes", None)


@check
def hup_leaves_routed_mail_alone(m):
    m.control("smtproutes", ":127.0.0.1:1\n")
    m.control("virtualdomains", "hup3.test:ann-hup3\n")
    m.signal(signal.SIGHUP)
    time.sleep(0.2)
    m.dot("ann", "-hup3-default", "|exit 111\n")
    mark = m.mark()
    m.try_mail("x@hup2.test")
    m.try_mail("y@hup3.test")
    m.control("locals", "lab.test\nmail.lab.test\nhup2.test\n")
    m.control("virtualdomains", None)
    m.signal(signal.SIGHUP)
    time.sleep(0.2)
    m.signal(signal.SIGALRM)
    m.wait_log(r"(?s)hup2\.test\n.*x@hup2\.test\n", mark)
    m.wait_log(r"(?s)hup3\.test\n.*y@hup3\.test\n", mark)
    m.quiet()
    equal(set(re.findall(r"to (\S+ \S+@hup[23]\.test)\n", m.log(mark))),
          {"remote x@hup2.test", "local ann-hup3-y@hup3.test"})
    m.dot("ann", "-hup3-default", "#\n")
    m.control("locals", "lab.test\nmail.lab.test\n")
    m.control("smtproutes", None)
    m.signal(signal.SIGHUP)


@check
def hup_with_unreadable_file(m):
    os.chmod(HOME + "/control/locals", 0)
    mark = m.mark()
    m.signal(signal.SIGHUP)
    m.wait_log("^alert: unable to reread control/locals", mark)
    os.chmod(HOME + "/control/locals", 0o644)
    m.control("virtualdomains", "a.test:b\n")
    os.chmod(HOME + "/control/virtualdomains", 0)
    mark = m.mark()
    m.signal(signal.SIGHUP)
    m.wait_log("^alert: unable to reread control/virtualdomains", mark)
    m.control("virtualdomains", None)
    m.signal(signal.SIGHUP)
    m.send_mail("ann@lab.test").expect("success", "did_1+0+0/")


@check
def alarm_makes_everything_due(m):
    m.dot("ann", "-later", "|test -f go || exit 111\n")
    mark = m.mark()
    qp = m.queue(["ann-later@lab.test"])
    m.wait_log(r"^delivery \d+: deferral: $", mark)
    m.put(m.home("ann") + "/go", "")
    time.sleep(0.3)
    assert "success" not in m.log(mark)
    m.signal(signal.SIGALRM)
    m.story(qp, mark)


@check
def term_waits_for_deliveries(m):
    m.dot("ann", "-s1", "|sleep 3; echo slept\n")
    m.quiet()
    mark = m.mark()
    qp = m.queue(["ann-s1@lab.test"])
    m.wait_log("^starting delivery", mark)
    m.wait_log(r"^status: local 1/10 remote 0/20$", mark)
    m.signal(signal.SIGTERM)
    time.sleep(1)
    qp2 = m.queue(["bob@lab.test"])
    equal(m.send.wait(10), 0)
    # Behind the last start and its status.
    tail = re.sub(r"\d+", "N", m.log(mark).rpartition("starting delivery ")[2].split("\n", 2)[2])
    equal(tail, "delivery N: success: slept/did_N+N+N/\nstatus: local N/N remote N/N exitasap\n"
          "end msg N\nstatus: exiting\n")
    assert m.story(qp, mark)
    mark2 = m.start()
    m.wait_log(r"^delivery 1: success: did_1\+0\+0/$", mark2)
    assert qp2


@check
def idle_term(m):
    m.quiet()
    mark = m.mark()
    equal(m.stop(), 0)
    equal(m.log(mark), "status: exiting\n")
    assert wait(lambda: not processes("qmail-journal"))
    m.start()


@check
def deferred_mail_survives_restart(m):
    m.dot("ann", "-rs", "|test -f rsgo || exit 111\n")
    m.try_mail("ann-rs@lab.test")
    m.restart()
    mark = m.mark()
    time.sleep(0.5)
    assert "starting" not in m.log(mark), m.log(mark)
    m.put(m.home("ann") + "/rsgo", "")
    m.signal(signal.SIGALRM)
    m.wait_log(r"^end msg ", mark)


@check
def times_survive_restart_whichever_recipient_ends_last(m):
    """A message some of whose recipients are done has its time too, and is not new again."""
    m.control("smtproutes", ":127.0.0.1:1\n")
    m.dot("ann", "-last", "|sleep 1; exit 0\n")
    s = m.try_mail(["x@far.test", "ann-last@lab.test"])
    equal([d[2] for d in sorted(s.deliveries)], ["success", "deferral"])
    m.control("concurrencylocal", "0\n")
    mark = m.restart()
    qp = m.queue(["bob@lab.test"])
    m.wait_log(rf"^info msg \d+: .* qp {qp} ", mark)
    m.control("concurrencylocal", None)
    m.control("smtproutes", None)
    # What was not tried at all is tried now, and has been in the log before.
    mark = m.restart()
    m.wait_log(r"^end msg ", mark)
    assert "new msg" not in m.log(mark) and "far.test" not in m.log(mark), m.log(mark)


@check
def lifetime_zero(m):
    m.control("queuelifetime", "0\n")
    m.restart()
    try:
        m.dot("ann", "-old", "|echo why; exit 111\n")
        # At the very second of birth it is not older than its lifetime.
        mark = m.mark()
        qp = m.queue(["ann-old@lab.test"], sender=b"bob@lab.test")
        m.wait_log(r"^delivery \d+: (deferral|failure): why/", mark)
        deadline = time.monotonic() + 10
        while not (m.story_so_far(qp, mark) or m).lines[-1].startswith("end ") and time.monotonic() < deadline:
            time.sleep(1.1)
            m.signal(signal.SIGALRM)
        s = m.story(qp, mark)
        equal(s.deliveries[-1][2:], ("failure", "why/I'm_not_going_to_try_again;_this_message_has_been_in_the_queue_too"
                                     "_long./"))
        mail = m.find_mail("bob", b"<ann-old@lab.test>:\n")
        assert (b"\n\n<ann-old@lab.test>:\nwhy\nI'm not going to try again; this message has been in the queue too long."
                b"\n\n--- Below") in mail, mail
    finally:
        m.control("queuelifetime", None)
        m.restart()


@check
def schedule(m):
    """By what the queue says: first retries are 100 and 400 seconds after birth, however long the attempt took."""
    m.control("smtproutes", ":127.0.0.1:1\n")
    m.dot("ann", "-sch", "|sleep 2; exit 111\n")
    numbers = [m.try_mail(to).number for to in ("ann-sch@lab.test", "x@far.test")]
    r = subprocess.run([HOME + "/bin/quill", "queue", "list", "--json"], capture_output=True, text=True, check=True)
    waiting = {w["id"]: datetime.fromisoformat(w["next"]) - datetime.fromisoformat(w["accepted"])
               for w in map(json.loads, r.stdout.splitlines()) if w["id"] in numbers}
    equal([waiting[n].total_seconds() for n in numbers], [100, 400])
    m.control("smtproutes", None)


# ---- bounces ------------------------------------------------------------------------------------

HEAD = (rb"Return-Path: <%s>\nDelivered-To: (\S+)\nReceived: \(qmail (\d+) invoked for bounce\); " + DATE +
        rb"\nDate: " + DATE + rb"\nFrom: MAILER-DAEMON@mail\.lab\.test\nTo: (.*)\nSubject: failure notice\n\n"
        rb"Hi\. This is the qmail-send program at mail\.lab\.test\.\n")
SINGLE = (rb"I'm afraid I wasn't able to deliver your message to the following addresses\.\n"
          rb"This is a permanent error; I've given up\. Sorry it didn't work out\.\n\n")
DOUBLE = rb"I tried to deliver a bounce message to this address, but the bounce bounced!\n\n"


@check
def bounce_bytes(m):
    m.clear_inbox("bob")
    m.dot("ann", "-no1", "|echo line1; echo; echo; echo; echo line5; exit 100\n")
    m.dot("ann", "-no2", "|exit 100\n")
    m.dot("ann", "-no3", "|printf unterminated; exit 100\n")
    body = b"Subject: original\n\n8bit \xe4 \r\n\nno end"
    s = m.send_mail(["ann-no1@lab.test", "ann@lab.test", "Ann-NO2@lab.test", "ann-no3@lab.test"], body,
                    sender=b"bob@lab.test")
    m.bounce_story(s)
    mail = m.inbox("bob")[0]
    head = re.match(HEAD % b"" + SINGLE, mail)
    assert head, mail
    equal(head.group(1, 2, 3), (b"bob@lab.test", str(s.bounce_qp).encode(), b"bob@lab.test"))
    rest, original = mail[head.end():].split(b"--- Below this line is a copy of the message.\n\n")
    equal(sorted(rest.split(b"\n\n")), sorted([b"<ann-no1@lab.test>:\nline1\n///line5", b"<Ann-NO2@lab.test>:",
                                              b"<ann-no3@lab.test>:\nunterminated", b""]))
    assert re.fullmatch(rb"Return-Path: <bob@lab\.test>\nReceived: \(qmail \d+ invoked by uid 2001\); " + DATE +
                        b"\n" + re.escape(body), original), original


@check
def bounce_is_a_status_notification_by_default(m):
    m.control("bounceformat", None)
    m.restart()
    try:
        m.clear_inbox("bob")
        m.bounce_story(m.send_mail("nobody@lab.test", sender=b"bob@lab.test"))
        mail = m.inbox("bob")[0]
    finally:
        m.control("bounceformat", "qsbmf\n")
        m.restart()
    assert re.search(rb"\nDate: .*\nFrom: .*\nTo: bob@lab\.test\nSubject: failure notice\n\nHi\. This is the qmail-send "
                     rb"program at mail\.lab\.test\.\n", mail), mail
    notice = email.message_from_bytes(mail)
    equal([p.get_content_type() for p in notice.get_payload()], ["text/plain", "message/delivery-status", "message/rfc822"])
    equal(notice.get_payload(1).get_payload()[1]["Final-Recipient"], "rfc822;nobody@lab.test")


@check
def bounce_to_a_mark_without_host(m):
    """What looks like VERP loses the mark in any case; nothing left means that nobody can be told."""
    m.clear_inbox("bob")
    m.bounce_story(m.send_mail("nobody@lab.test", sender=b"bob-@[]")).expect("success", "did_1+0+0/")
    assert b"\nTo: bob\n" in m.inbox("bob")[0] and b"\nReturn-Path: <bob>\n" in m.inbox("bob")[0]
    s = m.bounce_story(m.send_mail("nobody@lab.test", sender=b"-@[]"))
    assert " from <#@[]> " in s.lines[1] and s.only[1] == "postmaster@mail.lab.test", s.lines


@check
def bounce_to_odd_sender(m):
    m.dot("bob", "-o d", "./Maildir/\n")
    m.clear_inbox("bob")
    s = m.send_mail("nobody@lab.test", sender=b"bob-o d@lab.test")
    m.bounce_story(s).expect("success", "did_1+0+0/")
    mail = m.inbox("bob")[0]
    assert b'\nTo: "bob-o d"@lab.test\n' in mail, mail
    assert b'\n\nReturn-Path: <"bob-o d"@lab.test>\n' in mail, mail


@check
def bounce_recipient_with_odd_bytes(m):
    m.clear_inbox("bob")
    s = m.send_mail(b"no\xe4 body\"<@lab.test", sender=b"bob@lab.test")
    m.bounce_story(s)
    assert b"\n\n<no\xe4 body\"<@lab.test>:\nSorry" in m.inbox("bob")[0], m.inbox("bob")[0]


@check
def double_bounce_bytes(m):
    m.dot("alias", "-postmaster", "./double\n")
    s = m.send_mail("nobody4@lab.test", b"Subject: o\n\n", sender=b"nosender@lab.test")
    b = m.bounce_story(s)
    d = m.bounce_story(b)
    equal(d.only[1], "postmaster@mail.lab.test")
    os.unlink(m.home("alias") + "/.qmail-postmaster")
    mail = m.read("alias", "double").split(b"\n", 1)[1]
    head = re.match(HEAD % rb"#@\[\]" + DOUBLE, mail)
    assert head, mail
    equal(head.group(1, 3), (b"postmaster@mail.lab.test", b"postmaster@mail.lab.test"))
    assert re.match(rb"<nosender@lab\.test>:\nSorry, no mailbox here by that name\. \(#5\.1\.1\)\n\n"
                    rb"--- Below this line is the original bounce\.\n\nReturn-Path: <>\nReceived: \(qmail \d+ invoked "
                    rb"for bounce\); ", mail[head.end():]), mail[head.end():]


@check
def bounce_controls(m):
    m.control("bouncefrom", "bounce man\n")
    m.control("bouncehost", "bounce.test\n")
    m.control("doublebounceto", "ann-dbl\n")
    m.control("doublebouncehost", "lab.test\n")
    m.dot("ann", "-dbl", "|cat >doubled\n")
    m.restart()
    try:
        s = m.send_mail("nobody5@lab.test", b"", sender=b"")
        m.bounce_story(s).expect("success", "did_0+0+1/")
        mail = m.read("ann", "doubled")
        assert b'\nFrom: "bounce man"@bounce.test\nTo: ann-dbl@lab.test\n' in mail, mail
        assert b"\n\nHi. This is the qmail-send program at bounce.test.\n" in mail, mail
        m.control("doublebounceto", "")
        m.restart()
        b = m.bounce_story(m.send_mail("nobody5@lab.test", b"", sender=b""))
        equal(b.only[1:], ("@lab.test", "success", ""))
    finally:
        for name in ("bouncefrom", "bouncehost", "doublebounceto", "doublebouncehost"):
            m.control(name, None)
        m.restart()


@check
def bounce_shows_address_without_prefix(m):
    m.control("virtualdomains", "v.test:ann-virt\nu@w.test:ann-spec\n")
    m.signal(signal.SIGHUP)
    time.sleep(0.2)
    m.clear_inbox("bob")
    s = m.send_mail(["x@v.test", "u@w.test"], sender=b"bob@lab.test")
    m.bounce_story(s)
    mail = m.inbox("bob")[0]
    assert b"<x@v.test>:\n" in mail and b"<u@w.test>:\n" in mail, mail
    m.control("virtualdomains", None)
    m.signal(signal.SIGHUP)


@check
def bounce_waits_for_the_last_recipient(m):
    m.dot("ann", "-wait", "|test -f waitgo || exit 111\n")
    mark = m.mark()
    qp = m.queue(["ann-wait@lab.test", "nobody6@lab.test"], sender=b"bob@lab.test")
    m.wait_log(r"failure: Sorry", mark)
    m.wait_log(r"deferral: ", mark)
    time.sleep(0.3)
    assert "bounce msg" not in m.log(mark)
    m.put(m.home("ann") + "/waitgo", "")
    m.signal(signal.SIGALRM)
    assert m.story(qp, mark).bounce_qp


@check
def bounces_go_through_qmailqueue(m):
    m.put(m.dir + "/scanner", f"#!/bin/sh\necho \"$$ `id -u` `pwd`\" >>{m.dir}/scanned\nexec {HOME}/bin/qmail-queue\n", 0o755)
    m.put(m.dir + "/scanned", "", 0o666)
    m.restart(environment={**m.start_environment, "QMAILQUEUE": m.dir + "/scanner"})
    try:
        s = m.send_mail("nobody7@lab.test", sender=b"bob@lab.test")
        m.bounce_story(s)
        with open(m.dir + "/scanned") as f:
            equal(f.read(), f"{s.bounce_qp} 7796 {HOME}\n")
    finally:
        m.restart()


@check
def bounce_of_a_large_message(m):
    m.clear_inbox("bob")
    body = b"Subject: large\n\n" + bytes(range(256)) * 12000
    s = m.send_mail("nobody10@lab.test", body, sender=b"bob@lab.test")
    m.bounce_story(s)
    assert m.inbox("bob")[0].endswith(b" -0000\n" + body)


@check
def bounce_of_many_recipients(m):
    m.clear_inbox("bob")
    recipients = [f"nobody-{i}@lab.test" for i in range(500)]
    s = m.send_mail(recipients, sender=b"bob@lab.test", seconds=60)
    m.bounce_story(s)
    equal(sorted(re.findall(rb"^<(.*)>:\nSorry, no mailbox here by that name\. \(#5\.1\.1\)\n\n", m.inbox("bob")[0], re.M)),
          sorted(r.encode() for r in recipients))


@check
def bounce_to_a_sender_without_host(m):
    m.clear_inbox("bob")
    b = m.bounce_story(m.send_mail("nobody11@lab.test", sender=b"bob"))
    equal(b.only[1], "bob@mail.lab.test")
    assert b"\nTo: bob\nSubject:" in m.inbox("bob")[0], m.inbox("bob")[0]


@check
def bounce_that_cannot_be_queued(m):
    m.put(m.dir + "/refuse", "#!/bin/sh\nexit 53\n", 0o755)
    m.restart(environment={**m.start_environment, "QMAILQUEUE": m.dir + "/refuse"})
    mark = m.mark()
    m.queue(["nobody8@lab.test"], sender=b"bob@lab.test")
    m.wait_log("^warning: trouble injecting bounce message, will try later$", mark)
    m.stop()
    mark = m.start()
    m.signal(signal.SIGALRM)
    m.wait_log(r"^bounce msg \d+ qp \d+$", mark)


# ---- VERP ---------------------------------------------------------------------------------------

@check
def verp(m):
    m.dot("ann", "-v", "|echo $SENDER $RPLINE\n")
    m.control("virtualdomains", "v.test:ann\n")
    m.signal(signal.SIGHUP)
    time.sleep(0.2)
    for sender, recipient, seen in (
            (b"l-@h-@[]", "ann-v@lab.test", "l-ann-v=lab.test@h"), (b"l-@h.x-@[]", "v@v.test", "l-ann-v=v.test@h.x"),
            (b"l-@[]", "ann-v@lab.test", "l-@[]"), (b"a@b@h-@[]", "ann-v@lab.test", "a@bann-v=lab.test@h"),
            (b"#@[]", "ann-v@lab.test", "#@[]"), (b"x@h-@[]y", "ann-v@lab.test", "x@h-@[]y")):
        s = m.send_mail(recipient, sender=sender)
        equal(s.only[3].split("_")[0], seen)
        assert f" from <{sender.decode()}> qp " in s.lines[1], s.lines[1]
    m.control("virtualdomains", None)
    m.signal(signal.SIGHUP)


@check
def verp_remote(m):
    with Sink() as sink:
        m.control("smtproutes", f":127.0.0.1:{sink.port}\n")
        m.send_mail(["a@verp.test", "b@verp.test"], sender=b"l-@h.test-@[]")
        # What other checks left in the queue may come too.
        senders = sorted(sent.sender for sent in sink.messages if sent.sender.startswith("l-"))
        equal(senders, ["l-a=verp.test@h.test", "l-b=verp.test@h.test"])
    m.control("smtproutes", None)


# ---- reading the queue -----------------------------------------------------------------------

def queue_tool(name):
    r = subprocess.run([HOME + "/bin/" + name], capture_output=True, text=True, timeout=20, check=False)
    equal(r.returncode, 0)
    return r.stdout


@check
def qread_and_qstat(m):
    m.dot("ann", "-q1", "|test -f qgo || exit 111\n")
    before = int(re.match(r"messages in queue: (\d+)\nmessages in queue but not yet preprocessed: 0\n$",
                          queue_tool("qmail-qstat")).group(1))
    s = m.try_mail(["ann-q1@lab.test", "nobody9@lab.test", "ann@lab.test"], sender=b"b b@lab.test")
    size = re.search(r"bytes (\d+)", s.lines[1]).group(1)
    text = queue_tool("qmail-qread")
    mine = re.search(rf"^(\d+ \w+ \d+ \d\d:\d\d:\d\d GMT)  #{s.number}  {size}  <b_b@lab\.test>  bouncing\n"
                     r"((?:.*\t.*\n)+)", text, re.M)
    assert mine, text
    equal(sorted(mine.group(2).splitlines()), sorted(["\tlocal\tann-q1@lab.test", "  done\tlocal\tnobody9@lab.test",
                                                      "  done\tlocal\tann@lab.test"]))
    assert re.search(r"(?m)^.*> $", text) or "bouncing" in text
    equal(queue_tool("qmail-qstat"), f"messages in queue: {before + 1}\nmessages in queue but not yet preprocessed: 0\n")
    m.put(m.home("ann") + "/qgo", "")
    m.signal(signal.SIGALRM)
    m.wait_log(f"^end msg {s.number}$")
    s = m.try_mail("ann-sch@lab.test")
    assert re.search(rf"(?m)^\d+ \w+ \d+ \d\d:\d\d:\d\d GMT  #{s.number}  \d+  <s@client\.test> $\n\tlocal\tann-sch@lab\.test$",
                     queue_tool("qmail-qread")), queue_tool("qmail-qread")


# ---- scripts that read logs -----------------------------------------------------------------

@check
def log_analysers(m):
    """Every line between two starts has a shape that qmailanalog and its relatives know."""
    strange = [line for line in m.log().splitlines() if not any(p.fullmatch(line) for p in LINES)]
    strange = [line for line in strange if not re.match(r"(qmail-\w+|resolve): ", line)]
    equal(strange, [])
    open_messages = set()
    for line in m.log().splitlines():
        word = line.split(" ")
        if line.startswith("new msg "):
            assert word[2] not in open_messages, f"{line} twice"
            open_messages.add(word[2])
        elif line.startswith("end msg "):
            open_messages.discard(word[2])
        elif line == "status: exiting":
            open_messages.clear()


@check
def mass_mail_is_complete(m):
    m.clear_inbox("ann")
    mark = m.mark()
    recipients = ["ann@lab.test"] * 300
    s = m.story(m.queue(recipients), mark, 60)
    equal(len(s.deliveries), 300)
    assert wait(lambda: len(m.inbox("ann")) == 300)

"""What senders are told: bounces in both forms, as programs read them."""
import email
import email.policy
import os
import re
import signal
import time

import pytest

from quilltest import Sink, program, wait_until

HELLO = b"From: <s@client.test>\nSubject: hello\n\nfirst line\nlast\n"
DATE = r"\d\d? \w{3} \d{4} \d\d:\d\d:\d\d -0000"


def parse(message):
    """A notice without the fields that delivery added; nothing about it may surprise a parser."""
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    for part in parsed.walk():
        assert not part.defects, part.defects
    return parsed


def parts(notice):
    assert notice.get_content_type() == "multipart/report"
    assert notice.get_param("report-type") == "delivery-status"
    text, status, original = notice.get_payload()
    return text, status, original


def status_of(notice):
    """(fields of the message, [fields of each recipient])"""
    groups = [{k: v for k, v in group.items()} for group in parts(notice)[1].get_payload()]
    return groups[0], groups[1:]


def bounce_of(instance, user="joe"):
    [message] = instance.wait_delivered(user)
    return message


def test_bounce_is_a_delivery_status_notification(make_instance, sink):
    sink.on("rcpt", lambda a, s: "550-no\n550 5.1.1 such user" if b"perm@" in a else None)
    i = make_instance("joe", sink=sink)
    i.queue(HELLO, "joe@a.test", "perm@far.test", "good@other.test", "nobody@a.test")
    raw = bounce_of(i)
    notice = parse(raw)
    assert notice["Subject"] == "failure notice" and notice["To"] == "joe@a.test"
    assert notice["From"] == "MAILER-DAEMON@a.test" and notice["Auto-Submitted"] == "auto-replied"
    assert re.fullmatch(r"<\d{14}\.\d+\.qmail@a\.test>", notice["Message-ID"])
    text, _, original = parts(notice)
    paragraphs = text.get_content().split("\n\n")
    assert paragraphs[0] == (
        "Hi. This is the qmail-send program at a.test.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.")
    assert sorted(paragraphs[1:3]) == [
        "<nobody@a.test>:\nSorry, no mailbox here by that name. (#5.1.1)",
        "<perm@far.test>:\n127.0.0.1 does not like recipient.\nRemote host said: 550-no\n550 5.1.1 such user\n"
        "Giving up on 127.0.0.1."]
    assert paragraphs[3] == "--- Below this line is a copy of the message.\n"
    message, recipients = status_of(notice)
    assert message["Reporting-MTA"] == "dns; a.test"
    assert re.fullmatch(DATE, message["Arrival-Date"])
    by_address = {r["Final-Recipient"]: r for r in recipients}
    assert by_address["rfc822;perm@far.test"] == {
        "Final-Recipient": "rfc822;perm@far.test", "Action": "failed", "Status": "5.1.1",
        "Remote-MTA": "dns; [127.0.0.1]", "Diagnostic-Code": "smtp; 550-no 550 5.1.1 such user"}
    assert by_address["rfc822;nobody@a.test"] == {
        "Final-Recipient": "rfc822;nobody@a.test", "Action": "failed", "Status": "5.1.1",
        "Diagnostic-Code": "x-qmail; Sorry, no mailbox here by that name. (#5.1.1)"}
    assert len(recipients) == 2
    assert original.get_content_type() == "message/rfc822"
    content = original.get_payload(0)
    assert content["Return-Path"] == "<joe@a.test>" and content.get_content() == "first line\nlast\n"


def qsbmf_recipients(message):
    """As programs have read bounces since QSBMF: None when it is none."""
    paragraphs = re.split(rb"\n\n+", message.decode("latin-1").encode("latin-1"))
    if not paragraphs[1].startswith(b"Hi. This is the"):
        return None
    found = []
    for p in paragraphs[2:]:
        if p.startswith(b"-"):
            return found
        if p.startswith(b"<"):
            found.append(p.split(b"\n")[0][1:-2].decode())
    return None


@pytest.mark.parametrize("form", ["mime", "qsbmf"])
def test_readers_of_qsbmf_understand_both_forms(make_instance, form):
    i = make_instance("joe", control={"bounceformat": form})
    i.queue(HELLO, "joe@a.test", "one@a.test", "two@a.test")
    raw = bounce_of(i)
    assert sorted(qsbmf_recipients(raw)) == ["one@a.test", "two@a.test"]
    assert raw[raw.index(b"\nDate: "):].split(b"\n\n")[0].count(b"\n") == 4


def test_plain_form(make_instance):
    """Byte for byte as it ever was."""
    i = make_instance("joe", control={"bounceformat": "qsbmf"})
    i.queue(HELLO, "joe@a.test", "nobody@a.test")
    raw = bounce_of(i).decode()
    original = re.search(r"\n(Received: \(qmail \d+ invoked by uid \d+\)[^\n]*\n)From: <s@client", raw).group(1)
    assert re.fullmatch(
        rf"Return-Path: <>\nDelivered-To: joe@a\.test\nReceived: [^\n]* invoked for bounce\); {DATE}\n"
        rf"Date: {DATE}\nFrom: MAILER-DAEMON@a\.test\nTo: joe@a\.test\nSubject: failure notice\n\n"
        r"Hi\. This is the qmail-send program at a\.test\.\n"
        r"I'm afraid I wasn't able to deliver your message to the following addresses\.\n"
        r"This is a permanent error; I've given up\. Sorry it didn't work out\.\n\n"
        r"<nobody@a\.test>:\nSorry, no mailbox here by that name\. \(#5\.1\.1\)\n\n"
        r"--- Below this line is a copy of the message\.\n\n"
        r"Return-Path: <joe@a\.test>\n" + re.escape(original + HELLO.decode()), raw), raw


@pytest.mark.parametrize("form", ["mime", "qsbmf"])
def test_large_originals_come_back_as_their_header(make_instance, form):
    i = make_instance("joe", control={"bouncemaxbytes": "5000", "bounceformat": form})
    i.queue(HELLO + b"x" * 70 + b"\n" + (b"y" * 70 + b"\n") * 100, "joe@a.test", "nobody@a.test")
    raw = bounce_of(i)
    assert b"--- Below this line is a copy of the mail header.\n\n" in raw and b"Subject: hello\n" in raw
    assert b"first line" not in raw
    if form == "mime":
        original = parts(parse(raw))[2]
        assert original.get_content_type() == "text/rfc822-headers"
        assert original.get_content().endswith("\nFrom: <s@client.test>\nSubject: hello\n")


def test_original_with_odd_bytes(make_instance):
    """8-bit text, a missing line end, something like a boundary: the original comes back as it was."""
    i = make_instance("joe")
    body = b"Subject: odd\n\n\xe4\n--=_\n--- Below this line is a copy of the message.\n\nno end"
    i.queue(body, "joe@a.test", "nobody@a.test")
    raw = bounce_of(i)
    original = parts(parse(raw))[2]
    assert original["Content-Transfer-Encoding"] == "8bit"
    assert body + b"\n--=_" in raw


def test_expired_message_says_so(make_instance, sink):
    sink.on("rcpt", "450 4.2.1 later")
    i = make_instance("joe", sink=sink, control={"queuelifetime": "1"})
    i.queue(HELLO, "joe@a.test", "x@far.test")
    i.wait_log("^delivery 1: deferral")

    def bounced():
        i.signal("qmail-send", signal.SIGALRM)
        return i.maildir("joe")

    wait_until(bounced, what="bounce")
    _, [recipient] = status_of(parse(bounce_of(i)))
    assert recipient["Action"] == "failed" and recipient["Status"] == "4.4.7"
    assert recipient["Diagnostic-Code"] == "smtp; 450 4.2.1 later"


def test_double_bounce(make_instance):
    i = make_instance("joe")
    i.write("alias/.qmail-postmaster", "&joe@a.test\n", 0o600)
    i.queue(HELLO, "", "nobody@a.test")
    raw = bounce_of(i)
    notice = parse(raw)
    assert "I tried to deliver a bounce message to this address, but the bounce bounced!" in parts(notice)[0].get_content()
    assert parts(notice)[2].get_payload(0)["Return-Path"] == "<>"
    assert raw.startswith(b"Return-Path: <#@[]>\n")


def test_unknown_form_is_refused(make_instance):
    i = make_instance("joe", start=False, control={"bounceformat": "html"})
    result = i.run(program("quill"), "up", i.home, check=False)
    assert b"control/bounceformat says neither mime nor qsbmf" in result.stdout + result.stderr


# ---- what senders ask for (RFC 3461) ---------------------------------------------------------

def send(instance, sender, recipients, options=(), message=HELLO):
    """recipients: {address: [options]}"""
    with instance.smtp() as client:
        client.ehlo()
        assert client.has_extn("dsn")
        code, text = client.mail(sender, list(options))
        assert code == 250, text
        for address, wishes in recipients.items():
            code, text = client.rcpt(address, wishes)
            assert code == 250, text
        code, text = client.data(message.replace(b"\n", b"\r\n"))
        assert code == 250, text


def test_bounce_has_what_was_given_with_the_message(make_instance):
    i = make_instance("joe")
    send(i, "joe@a.test", {"no@a.test": ["NOTIFY=FAILURE", "ORCPT=rfc822;first+2Bone@b.test"], "nay@a.test": []},
         ["RET=HDRS", "ENVID=QQ+2B314"])
    notice = parse(bounce_of(i))
    message, recipients = status_of(notice)
    assert message["Original-Envelope-Id"] == "QQ+314"
    by_address = {r["Final-Recipient"]: r.get("Original-Recipient") for r in recipients}
    assert by_address == {"rfc822;no@a.test": "rfc822;first+one@b.test", "rfc822;nay@a.test": None}
    original = parts(notice)[2]
    assert original.get_content_type() == "text/rfc822-headers" and "Subject: hello" in original.get_content()


def test_who_wants_no_bounce_gets_none(make_instance):
    i = make_instance("joe", "ann")
    send(i, "joe@a.test", {"no@a.test": ["NOTIFY=NEVER"], "nay@a.test": ["NOTIFY=SUCCESS,DELAY"]})
    i.wait_empty()
    assert "bounce msg" not in i.log() and i.maildir("joe") == []
    send(i, "joe@a.test", {"no@a.test": ["NOTIFY=NEVER"], "nay@a.test": ["NOTIFY=FAILURE"]})
    _, [recipient] = status_of(parse(bounce_of(i)))
    assert recipient["Final-Recipient"] == "rfc822;nay@a.test"


def test_a_failing_bounce_reaches_the_postmaster_whatever_was_asked_for(make_instance):
    i = make_instance("joe")
    i.write("alias/.qmail-postmaster", "&joe@a.test\n", 0o600)
    send(i, "", {"no@a.test": ["NOTIFY=NEVER"]})
    assert b"the bounce bounced!" in bounce_of(i)


def success_notice(instance, user, action, recipient):
    raw = [m for m in instance.maildir(user) if b"\nSubject: success notice\n" in m]
    if not raw:
        return None
    notice = parse(raw[0])
    message, [fields] = status_of(notice)
    assert fields["Action"] == action and fields["Final-Recipient"] == f"rfc822;{recipient}"
    assert fields["Status"].startswith("2.")
    assert parts(notice)[2].get_content_type() == "text/rfc822-headers"
    assert qsbmf_recipients(raw[0]) is None
    return message, fields


def test_success_is_reported_when_asked_for(make_instance):
    i = make_instance("joe", "ann")
    send(i, "joe@a.test", {"ann@a.test": ["NOTIFY=SUCCESS", "ORCPT=rfc822;ann@b.test"]}, ["RET=FULL", "ENVID=id"])
    i.wait_delivered("ann")
    i.wait_log(r"^success notice msg \d+ qp \d+$")
    i.wait_delivered("joe")
    message, fields = success_notice(i, "joe", "delivered", "ann@a.test")
    assert message["Original-Envelope-Id"] == "id" and fields["Original-Recipient"] == "rfc822;ann@b.test"
    i.wait_empty()


def test_success_and_failure_in_one_message(make_instance):
    i = make_instance("joe", "ann")
    send(i, "joe@a.test", {"ann@a.test": ["NOTIFY=SUCCESS,FAILURE"], "no@a.test": ["NOTIFY=SUCCESS,FAILURE"]})
    i.wait_delivered("joe", 2)
    assert success_notice(i, "joe", "delivered", "ann@a.test")
    i.wait_empty()
    assert len(re.findall(r"^bounce msg", i.log(), re.M)) == 1


def test_server_without_dsn_is_reported_as_relay(make_instance, sink):
    i = make_instance("joe", sink=sink, control={"rcpthosts": "far.test"})
    send(i, "joe@a.test", {"x@far.test": ["NOTIFY=SUCCESS"]})
    i.wait_delivered("joe")
    _, fields = success_notice(i, "joe", "relayed", "x@far.test")
    assert fields["Remote-MTA"] == "dns; [127.0.0.1]"
    assert not any(b"NOTIFY" in line for _, line in sink.commands)


def test_wishes_are_passed_on_to_servers_with_dsn(make_instance):
    with Sink(extensions=["PIPELINING", "8BITMIME", "DSN"]) as sink:
        i = make_instance("joe", sink=sink, control={"rcpthosts": "far.test"})
        send(i, "joe@a.test", {"x@far.test": ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;y+2Bz@b.test"], "w@far.test": []},
             ["RET=HDRS", "ENVID=a+20b"])
        wait_until(lambda: sink.messages, what="message")
        i.wait_empty()
        assert i.maildir("joe") == []
        commands = [line for _, line in sink.commands]
    assert b"MAIL FROM:<joe@a.test> RET=HDRS ENVID=a+20b" in commands
    assert b"RCPT TO:<x@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;y+2Bz@b.test" in commands
    assert b"RCPT TO:<w@far.test>" in commands


@pytest.mark.parametrize("line", [
    b"MAIL FROM:<s@c.test> RET=SOME", b"MAIL FROM:<s@c.test> ENVID=a=b", b"MAIL FROM:<s@c.test> ENVID=a+0A"])
def test_bad_values_are_refused(make_instance, line):
    i = make_instance("joe")
    with i.smtp() as client:
        client.ehlo()
        assert client.docmd(line.decode())[0] == 501
        assert client.docmd("MAIL FROM:<s@c.test>")[0] == 250
        assert client.docmd("RCPT TO:<joe@a.test> NOTIFY=NEVER,DELAY")[0] == 501
        assert client.docmd("RCPT TO:<joe@a.test> ORCPT=nothing")[0] == 501
        assert client.docmd("RCPT TO:<joe@a.test> RET=FULL")[0] == 555


def test_who_may_ask_is_configured(make_instance):
    i = make_instance("joe", control={"smtpdsn": "1"})
    with i.smtp() as client:
        client.ehlo()
        assert not client.has_extn("dsn")
        assert client.docmd("MAIL FROM:<s@c.test> RET=FULL")[0] == 555


def test_sendmail_options(make_instance):
    i = make_instance("joe", "ann")
    i.inject("-f", "joe@a.test", "-N", "success", "-V", "id one", "ann@a.test", name="sendmail")
    i.wait_delivered("joe")
    message, _ = success_notice(i, "joe", "delivered", "ann@a.test")
    assert message["Original-Envelope-Id"] == "id one"
    i.inject("-f", "joe@a.test", "-N", "never", "-R", "hdrs", "no@a.test", name="sendmail")
    i.wait_empty()
    assert len(i.maildir("joe")) == 1
    for option in (["-N", "maybe"], ["-R", "all"], ["-V", ""], ["-V", "x" * 101]):
        result = i.inject(*option, "ann@a.test", name="sendmail", check=False)
        assert result.returncode == 100 and option[0].encode() in result.stderr


# ---- delay ------------------------------------------------------------------------------------

def late(instance):
    """Until a second attempt, a second later at least, has failed too."""
    instance.wait_log(r"^delivery \d+: deferral")
    time.sleep(1.2)
    instance.signal("qmail-send", signal.SIGALRM)
    instance.wait_log(r"^delivery \d+: deferral", count=2)


def let_go(instance, sink):
    sink.on("rcpt", None)

    def delivered():
        instance.signal("qmail-send", signal.SIGALRM)
        time.sleep(0.2)
        return sink.messages
    wait_until(delivered, what="delivery")


def deferring(make_instance, sink, **control):
    sink.on("rcpt", lambda a, s: "450 4.2.1 later" if b"later@" in a else None)
    return make_instance("joe", "ann", sink=sink, control={"delaynotice": "1", "rcpthosts": "a.test\nfar.test", **control})


def test_a_destination_has_a_time_of_its_own(make_instance, sink):
    i = deferring(make_instance, sink, delaynotice="86400", destinations="far.test:notice=1s")
    i.queue(HELLO, "joe@a.test", "later@far.test")
    late(i)
    i.wait_log(r"^delay notice msg \d+ qp \d+$")
    let_go(i, sink)


def test_own_senders_hear_of_delay_once(make_instance, sink):
    i = deferring(make_instance, sink)
    i.queue(HELLO, "joe@a.test", "later@far.test")
    late(i)
    raw = bounce_of(i)
    i.wait_log(r"^delay notice msg \d+ qp \d+$")
    assert qsbmf_recipients(raw) is None
    notice = parse(raw)
    assert notice["Subject"] == "deferral notice"
    _, [fields] = status_of(notice)
    assert fields["Action"] == "delayed" and fields["Status"] == "4.2.1"
    assert fields["Diagnostic-Code"] == "smtp; 450 4.2.1 later" and re.fullmatch(DATE, fields["Will-Retry-Until"])
    assert parts(notice)[2].get_content_type() == "text/rfc822-headers"
    i.signal("qmail-send", signal.SIGALRM)
    i.wait_log(r"^delivery \d+: deferral", count=3)
    # Also a new qmail-send knows.
    i.stop()
    i.start()
    i.signal("qmail-send", signal.SIGALRM)
    wait_until(lambda: len(re.findall("deferral:", i.log())) >= 4, what="an attempt after the restart")
    let_go(i, sink)
    i.wait_empty()
    assert len(i.maildir("joe")) == 1


@pytest.mark.parametrize("header", [b"Precedence: bulk\n", b"List-Id: <l.a.test>\n", b"Auto-Submitted: auto-generated\n"])
def test_no_notice_of_delay_for_bulk(make_instance, sink, header):
    i = deferring(make_instance, sink)
    i.queue(header + HELLO, "joe@a.test", "later@far.test")
    late(i)
    let_go(i, sink)
    i.wait_empty()
    assert i.maildir("joe") == [] and "delay notice" not in i.log()


@pytest.mark.parametrize("sender, wishes, told", [
    ("joe@a.test", [], False), ("joe@a.test", ["NOTIFY=DELAY"], True), ("", ["NOTIFY=DELAY"], False)])
def test_outsiders_hear_of_delay_only_when_they_ask(make_instance, sink, sender, wishes, told):
    i = deferring(make_instance, sink)
    send(i, sender, {"later@far.test": wishes})
    late(i)
    if told:
        assert b"Action: delayed\n" in bounce_of(i)
    let_go(i, sink)
    i.wait_empty()
    assert len(i.maildir("joe")) == told


def test_a_late_recipient_does_not_hold_up_the_bounce_of_another(make_instance, sink):
    i = deferring(make_instance, sink, delaynotice="4")
    send(i, "joe@a.test", {"later@far.test": ["NOTIFY=NEVER"], "no@a.test": [], "ann@a.test": ["NOTIFY=SUCCESS"]})
    # Success is told at once, failure when the message is late.
    i.wait_delivered("joe")
    assert success_notice(i, "joe", "delivered", "ann@a.test")
    assert "bounce msg" not in i.log()
    time.sleep(4.2)
    i.signal("qmail-send", signal.SIGALRM)
    i.wait_log(r"^bounce msg \d+ qp \d+$")
    i.wait_delivered("joe", 2)
    # It is told once, also by those who come later.
    i.kill_all()
    i.start()
    let_go(i, sink)
    wait_until(lambda: re.search(r"^end msg 1$", i.log(), re.M), what="end")
    time.sleep(0.3)
    assert len(i.maildir("joe")) == 2


# ---- sent on by .qmail ---------------------------------------------------------------------------

def test_forwarding_reports_success_and_passes_the_rest_on(make_instance):
    with Sink(extensions=["DSN"]) as sink:
        i = make_instance("joe", sink=sink)
        i.add_user("joe", one="&x@far.test\n", two="&x@far.test\n&y@far.test\n")
        send(i, "joe@a.test", {"joe-one@a.test": ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;o@b.test"]}, ["ENVID=id"])
        i.wait_delivered("joe")
        assert success_notice(i, "joe", "relayed", "joe-one@a.test")
        wait_until(lambda: sink.messages, what="forwarded message")
        commands = [line for _, line in sink.commands]
        assert b"MAIL FROM:<joe@a.test> ENVID=id" in commands
        assert b"RCPT TO:<x@far.test> NOTIFY=FAILURE ORCPT=rfc822;o@b.test" in commands
        for message in os.listdir(i.users["joe"] + "/Maildir/new"):
            os.unlink(i.users["joe"] + "/Maildir/new/" + message)
        send(i, "joe@a.test", {"joe-two@a.test": ["NOTIFY=SUCCESS"]})
        i.wait_delivered("joe")
        assert success_notice(i, "joe", "expanded", "joe-two@a.test")
        wait_until(lambda: len(sink.messages) == 2, what="second message")
        assert b"RCPT TO:<y@far.test> NOTIFY=NEVER" in [line for _, line in sink.commands]


def test_never_means_never_behind_a_forward(make_instance):
    i = make_instance("joe")
    i.add_user("joe", on="&nobody@a.test\n")
    send(i, "joe@a.test", {"joe-on@a.test": ["NOTIFY=NEVER"]})
    i.wait_log("failure: Sorry,_no_mailbox")
    i.wait_empty()
    assert i.maildir("joe") == [] and "bounce msg" not in i.log()


def test_list_owner_gets_bounces_whatever_the_sender_asked_for(make_instance):
    i = make_instance("joe", "ann")
    i.add_user("joe", list="&nobody@a.test\n", list_owner="&ann@a.test\n")
    send(i, "joe@a.test", {"joe-list@a.test": ["NOTIFY=NEVER"]})
    assert qsbmf_recipients(i.wait_delivered("ann")[0]) == ["nobody@a.test"]

"""What senders are told: bounces in both forms, as programs read them."""
import email
import email.policy
import re
import signal

import pytest

from quilltest import program, wait_until

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

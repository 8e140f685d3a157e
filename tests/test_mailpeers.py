"""Deliveries to other mail systems as Debian has them: Postfix, Exim, OpenSMTPD and Dovecot, and smtp-sink in its bad moods."""
import pytest

from quilltest import mailpeers
from quilltest.certificate import Authority
from quilltest.mailpeers import SIZE_MAX, Dovecot, Exim, OpenSmtpd, Postfix, SmtpSink
from quilltest.net import wait_until
from quilltest.rspawn import Rspawn

pytestmark = pytest.mark.skipif(not mailpeers.available(),
                                reason="needs root, private namespaces and what mk/mailpeers.sh unpacks")

LINES = b".\n..\n.x\ntwo  spaces \n\n" + b"y" * 900 + b"\n\xe4\xf6\xfc\n"


@pytest.fixture(scope="module", name="certificate")
def _certificate():
    authority = Authority()
    yield authority.issue("mx.test", rsa=True)
    authority.close()


@pytest.fixture(scope="module", name="peer", params=[Postfix, Exim, OpenSmtpd], ids=lambda c: c.name)
def _peer(request, certificate):
    with request.param(certificate=certificate, recipients=60 if request.param is Postfix else 1000) as p:
        yield p


def arrived(peer, *contents):
    """These came, and nothing else since the last call. Postfix adds fields at the end of the header."""
    def bodies(message):
        return message.split(b"\n")[0], message.partition(b"\n\n")[2]

    want = sorted(bodies(c) for c in contents)

    def all_there():
        messages = peer.messages()
        return len(messages) >= len(want) and messages
    got = sorted(bodies(m) for m in wait_until(all_there, what=f"{len(want)} messages at {peer.name}"))
    peer.forget()
    assert got == want


@pytest.mark.parametrize("chunking", ["0", "1"])
@pytest.mark.parametrize("tls", ["no", "may", "must"])
def test_content(peer, tls, chunking):
    if tls == "must" and not peer.tls_works:
        return
    content = b"Subject: %s %s\n\n" % (tls.encode(), chunking.encode()) + LINES
    with Rspawn(smtproutes=f":smtp://127.0.0.1:{peer.port}?tls={tls}", chunkingremote=chunking) as r:
        for _ in range(2):
            letter, text = r.deliver("all@h.test", content=content)[0]
            assert letter == "K", text
    arrived(peer, content, content)
    if chunking == "0":
        assert not peer.saw_chunks()
    elif peer.name != "opensmtpd":
        wait_until(peer.saw_chunks, what="BDAT in the log")


def test_many_recipients_of_all_kinds(peer):
    recipients = [f"r{i}@h.test" for i in range(98)]
    recipients[7:7] = ["no@h.test", "later@h.test"]
    with Rspawn(smtproutes=f":127.0.0.1:{peer.port}") as r:
        results = [letter for letter, _ in r.deliver(*recipients, content=b"Subject: all\n\nx\n")]
        assert results.pop(8) == ("K" if peer.name == "opensmtpd" else "Z") and results.pop(7) == "D"
        assert results == ["K"] * 98
        assert r.deliver("no@h.test")[0][0] == "D"
        if peer.name != "opensmtpd":
            assert r.deliver("later@h.test")[0][0] == "Z"
    if peer.name == "opensmtpd":
        # To it they are all one user.
        wait_until(peer.messages, what="the message")
        peer.forget()
    else:
        arrived(peer, *[b"Subject: all\n\nx\n"] * 98)


def test_many_messages_and_refusals_in_a_session(peer):
    """Also with a refusal between two messages whose contents went ahead of the replies."""
    if peer.name == "opensmtpd":
        return  # it has no rules for this
    kinds = [("all", "x", "K"), ("no", "x", "D"), ("all", "refused", "D"), ("later", "x", "Z"), ("all", "x", "K")]
    with Rspawn(smtproutes=f":127.0.0.1:{peer.port}", concurrencyperhost="1") as r:
        asked = []
        for i in range(40):
            name, subject, letter = kinds[i % len(kinds)]
            content = f"Subject: {subject}\n\n{i}\n".encode() * (1 if i % 3 else 3000)
            asked.append((r.request([f"{name}@h.test"], content=content), letter, content))
        for number, letter, _ in asked:
            result, text = r.wait(number)[0]
            assert result == letter, text
    arrived(peer, *(content for _, letter, content in asked if letter == "K"))


def test_the_size_that_is_announced_is_the_one_on_the_wire(peer):
    """A message that is only too large with its CRs is refused before it is sent."""
    head = b"Subject: fits\n\n"
    if peer.name == "opensmtpd":
        return  # it counts without CRs, and only at the end
    lines = (SIZE_MAX - len(head) - 3) // 3
    with Rspawn(smtproutes=f":127.0.0.1:{peer.port}") as r:
        letter, text = r.deliver("all@h.test", content=head + b"x\n" * (lines + 3))[0]
        assert letter == "D" and "sender was rejected" in text, text
        if peer.name == "exim":
            letter, text = r.deliver("all@h.test", content=head + b"x\n" * (lines - 100))[0]
            assert letter == "K", text
            arrived(peer, head + b"x\n" * (lines - 100))


@pytest.fixture(scope="module", name="guarded")
def _guarded(certificate):
    with Exim(certificate=certificate, authenticated=True) as p:
        yield p


@pytest.mark.parametrize("tls", ["no", "must"])
@pytest.mark.parametrize("mechanism", ["plain", "login", "cram-md5"])
def test_authentication(guarded, tls, mechanism):
    content = f"Subject: {mechanism} {tls}\n\nx\n".encode()
    route = f":smtp://{{}}127.0.0.1:{guarded.port}?tls={tls}"
    with Rspawn(smtproutes=route.format("joe:s3%20cret@") + f"&auth={mechanism}") as r:
        for _ in range(2):
            assert r.deliver("all@h.test", content=content)[0][0] == "K"
        r.control(smtproutes=route.format("joe:wrong@") + f"&auth={mechanism}")
        letter, text = r.deliver("all@h.test", content=content)[0]
        assert letter == "Z" and "authentication failed" in text and "535" in text, text
        r.control(smtproutes=route.format(""))
        assert r.deliver("all@h.test", content=content)[0][0] == "D"
    arrived(guarded, content, content)


def test_lmtp():
    """To Dovecot: each recipient has a verdict of its own, at RCPT or at the end; many messages in a session."""
    with Dovecot() as peer, Rspawn(smtproutes=f":lmtp://127.0.0.1:{peer.port}") as r:
        results = r.deliver("all@h.test", "nobody@h.test", "full@h.test", "other@h.test", content=b"Subject: four\n\n.\n.x\n")
        assert [letter for letter, _ in results] == ["K", "D", "Z", "K"], results
        assert "550 5.1.1" in results[1][1] and "451 4." in results[2][1], results
        asked = [(r.request(["all@h.test"], content=f"Subject: {i}\n\n{i}\n".encode())) for i in range(30)]
        assert {r.wait(n)[0][0] for n in asked} == {"K"}
        arrived(peer, b"Subject: four\n\n.\n.x\n", b"Subject: four\n\n.\n.x\n",
                *(f"Subject: {i}\n\n{i}\n".encode() for i in range(30)))


@pytest.mark.parametrize("moods, letter", [
    ("-f mail", "D"), ("-r mail", "Z"), ("-f rcpt", "D"), ("-r rcpt", "Z"), ("-f data", "D"), ("-r data", "Z"),
    ("-f .", "D"), ("-r .", "Z"), ("-q mail", "Z"), ("-q rcpt", "Z"), ("-q data", "Z"), ("-q .", "Z"), ("-Q rcpt", "Z"),
    ("-Q .", "Z"), ("-f ehlo", "K"), ("-p -f ehlo", "K"), ("-e", "K"), ("-Q ehlo", "Z"), ("-f ehlo,helo", "Z"),
    ("-W .:1", "K"), ("-T 10", "K"),
])
def test_smtp_sink(moods, letter):
    with SmtpSink(moods=moods) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        numbers = [r.request([f"r{i}@h.test"]) for i in range(3)]
        assert [r.wait(n)[0][0] for n in numbers] == [letter] * 3

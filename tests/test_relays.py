"""control/smtproutes beyond one relay: several in order, users and passwords, LMTP."""
import pytest

from quilltest.certificate import Authority
from quilltest.net import free_port
from quilltest.rspawn import Rspawn
from quilltest.sink import DROP, Sink
from test_tls import ACCEPTED, by_remote, by_rspawn

USERS = {"me@a.test": "se cret:@"}
LOGIN = "me%40a.test:se%20cret%3a%40"


@pytest.fixture(scope="module", name="ca")
def _ca():
    authority = Authority()
    yield authority
    authority.close()


@pytest.fixture(name="send", params=[by_rspawn, by_remote], ids=["rspawn", "remote"])
def _send(request):
    return request.param


@pytest.mark.parametrize("mood", [None, ("connect", "421 busy"), ("connect", "554 no"), ("helo", "421 no"), ("helo", DROP),
                                  ("connect", DROP), ("mail", "421 full"), ("rcpt", DROP), ("data", DROP)])
def test_the_second_relay_when_the_first_fails(send, mood):
    with Sink() as first, Sink() as second:
        if mood:
            first.on(*mood)
        route = f":127.0.0.1:{first.port if mood else free_port()} 127.0.0.1:{second.port}"
        assert send(route) == ("K", ACCEPTED)
        assert len(second.messages) == 1 and not first.messages


def test_the_report_tells_what_became_of_each():
    with Sink() as first, Sink() as last, Rspawn() as r:
        first.on("connect", "421 4.3.2 busy")
        last.on("rcpt", "550 nobody")
        r.control(smtproutes=f"one.test:127.0.0.1:{free_port()} 127.0.0.1:{first.port} 127.0.0.1:{last.port}\n"
                             f"two.test:127.0.0.1:{first.port} 127.0.0.1:{free_port()}\n")
        tried = ("Tried 127.0.0.1: connection refused.\nTried 127.0.0.1: Connected to 127.0.0.1 but greeting failed. "
                 "Remote host said: 421 4.3.2 busy.\n")
        assert r.deliver("x@one.test") == [("D", "127.0.0.1 does not like recipient.\nRemote host said: 550 nobody\n"
                                            "Giving up on 127.0.0.1.\n" + tried)]
        assert r.deliver("x@two.test") == [("Z", "Connected to 127.0.0.1 but greeting failed.\nRemote host said: 421 4.3.2 busy\n"
                                            "Tried 127.0.0.1: connection refused.\n")]
        last.on("rcpt", None)
        assert r.deliver("x@one.test") == [("K", ACCEPTED)]


def test_a_verdict_of_the_first_relay_stands(send):
    with Sink() as first, Sink() as second:
        first.on("rcpt", "550 no such user")
        assert send(f":127.0.0.1:{first.port} 127.0.0.1:{second.port}")[0] == "D"
        assert second.connections == 0


def test_the_last_words_when_all_fail(send):
    with Sink() as first:
        first.on("connect", "554 first")
        letter, text = send(f":127.0.0.1:{first.port} 127.0.0.1:{free_port()}")
        assert letter == "Z" and "554 first" in text


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "CRAM-MD5", "GSSAPI CRAM-MD5 LOGIN PLAIN"])
def test_user_and_password_over_tls(ca, send, mechanisms):
    with Sink(tls=ca.context("x.test"), users=USERS, mechanisms=mechanisms) as sink:
        assert send(f":smtp://{LOGIN}@127.0.0.1:{sink.port}?tls=must") == ("K", ACCEPTED)
        assert sink.messages[0].tls


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_clear_text_only_when_told(send, mechanisms):
    with Sink(users=USERS, mechanisms=mechanisms) as sink:
        for demand in ("", "?tls=may", "?tls=must", "?tls=verify"):
            letter, _ = send(f":smtp://{LOGIN}@127.0.0.1:{sink.port}{demand}")
            assert letter == "Z"
        assert not any(line.startswith(b"AUTH") for _, line in sink.commands)
        assert send(f":smtp://{LOGIN}@127.0.0.1:{sink.port}?tls=no") == ("K", ACCEPTED)


def test_a_password_is_not_sent_after_a_broken_handshake(ca, send):
    """Whoever breaks TLS must not get the password."""
    with Sink(tls=ca.context("x.test"), users=USERS) as sink:
        sink.on("starttls", "454 not now")
        for demand in ("may", "must"):
            assert send(f":smtp://{LOGIN}@127.0.0.1:{sink.port}?tls={demand}")[0] == "Z"
        assert not any(line.startswith(b"AUTH") for _, line in sink.commands)


def test_a_user_demands_a_verified_server(ca, send):
    with Sink(tls=ca.context("IP:127.0.0.1"), users=USERS) as sink:
        letter, text = send(f":smtp://{LOGIN}@127.0.0.1:{sink.port}")
        assert letter == "Z" and "TLS failed" in text
        assert send(f":smtp://{LOGIN}@127.0.0.1:{sink.port}", {"tlshosts/127.0.0.1.pem": ca.pem}) == ("K", ACCEPTED)


@pytest.mark.parametrize("route", ["smtp://me:wrong@127.0.0.1:{port}?tls=no",
                                   f"smtp://{LOGIN}@127.0.0.1:{{port}}?tls=no&auth=cram-md5"])
def test_authentication_that_fails_defers(send, route):
    with Sink(users=USERS, mechanisms="PLAIN") as sink:
        letter, text = send(":" + route.format(port=sink.port))
        assert letter == "Z" and "authenticat" in text and "cret" not in text


def test_users_do_not_share_sessions(ca):
    users = {"one": "1", "two": "2"}
    with Sink(tls=ca.context("x.test"), users=users) as sink:
        routes = "\n".join(f"{u}.test:smtp://{u}:{p}@127.0.0.1:{sink.port}?tls=must" for u, p in users.items())
        seen = []
        sink.on("mail", lambda a, s: seen.append(s.user[0]))
        with Rspawn(smtproutes=routes) as r:
            for domain in ("one", "two", "one", "two"):
                assert r.deliver(f"x@{domain}.test") == [("K", ACCEPTED)]
        assert seen == ["one", "two", "one", "two"] and sink.connections == 2


def test_lmtp_has_a_verdict_for_each_recipient():
    with Sink(lmtp=True) as sink, Rspawn(smtproutes=f":lmtp://127.0.0.1:{sink.port}") as r:
        sink.on("rcpt", lambda a, s: "550 nobody" if b"none@" in a else None)
        sink.on("dot", lambda a, s: "552 full" if a == b"full@h.test" else "451 busy" if a == b"busy@h.test" else None)
        for _ in range(2):
            results = r.deliver("a@h.test", "none@h.test", "full@h.test", "busy@h.test", "b@h.test")
            assert [letter for letter, _ in results] == ["K", "D", "D", "Z", "K"]
            assert results[2][1] == "127.0.0.1 failed after I sent the message.\nRemote host said: 552 full\n"
        assert [letter for letter, _ in r.deliver("full@h.test", "busy@h.test")] == ["D", "Z"]
        assert sink.commands[0][1] == b"LHLO me.test" and sink.connections == 1


def test_a_route_that_makes_no_sense_defers(send):
    letter, text = send("h.test:smtp://me:secret@relay:port")
    assert letter == "Z" and "control files" in text and "secret" not in text

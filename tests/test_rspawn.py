"""qmail-rspawn: results for each recipient, sessions kept and shared, exchangers tried in turn."""
import collections
import os
import signal
import socket
import struct
import threading
import time

import pytest

from quilltest import authority as dns
from quilltest.authority import Authority, Resolver
from quilltest.net import free_port, wait_until
from quilltest.rspawn import Rspawn
from quilltest.sink import DROP, Sink, Stall

ACCEPTED = ("K", "127.0.0.1 accepted message.\nRemote host said: 250 2.0.0 kept\n")
NO_CONNECTION = ("Z", "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"
                 "Tried 127.0.0.1: connection refused.\n")


def died(before, how="It hung up", duplicate=""):
    return "Z", f"Connected to 127.0.0.1 but connection died. {duplicate}(#4.4.2)\n{how} before {before}.\n"


@pytest.fixture(name="sink", params=[("PIPELINING", "SIZE 1000000"), (), ("PIPELINING", "SIZE", "CHUNKING"), ("CHUNKING",)],
                ids=["pipelining", "lockstep", "chunks ahead", "chunks"])
def _sink(request):
    with Sink(extensions=request.param) as s:
        yield s


@pytest.fixture(name="rspawn")
def _rspawn(sink):
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        yield r


def test_one_message(sink, rspawn):
    assert rspawn.deliver("r@h.test", content=b"Subject: x\n\n.dot\n") == [ACCEPTED]
    message = sink.messages[0]
    assert (message.sender, message.recipients, message.helo) == ("s@a.test", ["r@h.test"], b"me.test")
    assert message.data == b"Subject: x\r\n\r\n.dot\r\n"


def test_a_session_serves_many_messages(sink, rspawn):
    for _ in range(20):
        assert rspawn.deliver() == [ACCEPTED]
    assert sink.connections == 1 and len(sink.messages) == 20


def test_domains_share_sessions(sink, rspawn):
    for i in range(5):
        assert rspawn.deliver(f"r@h{i}.test") == [ACCEPTED]
    assert sink.connections == 1


def test_a_hundred_recipients_in_one_transaction(sink, rspawn):
    recipients = [f"r{i}@h.test" for i in range(100)]
    sink.on("rcpt", lambda a, s: "550 no" if b"r7@" in a else "450 later" if b"r8@" in a else None)
    results = rspawn.deliver(*recipients)
    assert results.pop(8) == ("Z", "127.0.0.1 does not like recipient.\nRemote host said: 450 later\n")
    assert results.pop(7) == ("D", "127.0.0.1 does not like recipient.\nRemote host said: 550 no\n")
    assert results == [ACCEPTED] * 98
    assert len(sink.messages) == 1 and len(sink.messages[0].recipients) == 98


@pytest.mark.parametrize("limit", [1, 7, 99, 100])
def test_too_many_recipients_are_sent_in_turn(sink, rspawn, limit):
    """A server that takes so many recipients at a time and answers 452 to more."""
    sink.on("rcpt", lambda a, s: "550 no" if b"r5@" in a else "452 too many" if len(s.recipients) == limit else None)
    recipients = [f"r{i}@h.test" for i in range(100)]
    for _ in range(2):
        results = rspawn.deliver(*recipients)
        assert results.pop(5)[0] == "D"
        assert results == [ACCEPTED] * 99
    assert sink.connections == 1 and max(len(m.recipients) for m in sink.messages) == min(limit, 99)
    assert sorted(r for m in sink.messages for r in m.recipients) == sorted((recipients[:5] + recipients[6:]) * 2)


@pytest.mark.parametrize("keyword, most", [("LIMITS RCPTMAX=10", 10), ("LIMITS MAILMAX=5 rcptmax=30 X=1", 30),
                                           ("LIMITS RCPTMAX=x", 40)])
def test_announced_limit_is_obeyed(keyword, most):
    with Sink(extensions=("PIPELINING", keyword)) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        assert r.deliver(*[f"r{i}@h.test" for i in range(40)]) == [ACCEPTED] * 40
        assert max(len(m.recipients) for m in sink.messages) == most
        assert sum(line.startswith(b"RCPT") for _, line in sink.commands) == 40


@pytest.mark.parametrize("offers", [("PIPELINING", "CHUNKING"), ("PIPELINING",), ()])
def test_announced_limits_of_a_session_are_obeyed(offers):
    counts = collections.Counter()
    with Sink(extensions=(*offers, "LIMITS RCPTMAX=100 MAILMAX=7")) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        sink.on("mail", lambda a, s: counts.update([s.number]))
        numbers = [r.request([f"r{i}@h.test"]) for i in range(60)]
        assert all(r.wait(n) == [ACCEPTED] for n in numbers)
        assert [r.deliver() for _ in range(10)] == [[ACCEPTED]] * 10
        assert max(counts.values()) == 7 and sum(counts.values()) == 70
    seen = collections.defaultdict(set)
    with Sink(extensions=(*offers, "LIMITS RCPTDOMAINMAX=2")) as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        sink.on("rcpt", lambda a, s: seen[s.number].add(a.rpartition(b"@")[2].lower()) and None)
        for names in (("a", "b", "A", "c", "b", "c", "c", "d"), ("e",) * 10):
            numbers = [r.request([f"x@{name}.test"]) for name in names]
            assert all(r.wait(n) == [ACCEPTED] for n in numbers)
        for name in "aabbcc":
            assert r.deliver(f"x@{name}.test") == [ACCEPTED]
        assert max(len(domains) for domains in seen.values()) == 2 and len(sink.messages) == 24


def test_452_to_the_first_recipient_defers(sink, rspawn):
    sink.on("rcpt", "452 no space")
    assert [letter for letter, _ in rspawn.deliver("a@h.test", "b@h.test")] == ["Z", "Z"]


@pytest.mark.parametrize("reply, letter", [("550-no\n550 5.1.1 such user", "D"), ("450 4.2.1 later", "Z")])
def test_single_recipient_refused(sink, rspawn, reply, letter):
    sink.on("rcpt", reply)
    for _ in range(3):
        assert rspawn.deliver() == [(letter, "127.0.0.1 does not like recipient.\nRemote host said: " + reply +
                                     "\nGiving up on 127.0.0.1.\n")]
    sink.on("rcpt", None)
    assert rspawn.deliver() == [ACCEPTED]
    assert sink.connections == 1


@pytest.mark.parametrize("stage, reply, result", [
    ("mail", "550 no", ("D", "Connected to 127.0.0.1 but sender was rejected.\nRemote host said: 550 no\n")),
    ("mail", "450 no", ("Z", "Connected to 127.0.0.1 but sender was rejected.\nRemote host said: 450 no\n")),
    ("data", "452 no", ("Z", "127.0.0.1 failed on DATA command.\nRemote host said: 452 no\n")),
    ("dot", "554 no", ("D", "127.0.0.1 failed after I sent the message.\nRemote host said: 554 no\n")),
    ("dot", "421 no", ("Z", "127.0.0.1 failed after I sent the message.\nRemote host said: 421 no\n")),
    ("helo", "550 no", ("Z", "Connected to 127.0.0.1 but my name was rejected.\nRemote host said: 550 no\n")),
    ("connect", "554 no", ("Z", "Connected to 127.0.0.1 but greeting failed.\nRemote host said: 554 no\n")),
    ("connect", DROP, died("its greeting")), ("helo", DROP, died("its answer to EHLO")),
    ("mail", DROP, died("its answer to MAIL")), ("rcpt", DROP, died("its answer to RCPT")),
    ("data", DROP, died("its answer to DATA")),
    ("dot", DROP, died("its answer to the message", duplicate="Possible duplicate! ")),
])
def test_failures_and_the_next_message(sink, rspawn, stage, reply, result):
    if stage == "data" and "CHUNKING" in sink.extensions:
        return
    sink.on(stage, reply)
    assert rspawn.deliver() == [result]
    assert rspawn.deliver() == [result]
    sink.on(stage, None)
    assert rspawn.deliver() == [ACCEPTED]
    assert len(sink.messages) == 1


def test_reused_session_that_died_costs_nothing(sink, rspawn):
    """The server drops kept sessions at the next MAIL, as one with a short idle time does."""
    for _ in range(3):
        assert rspawn.deliver() == [ACCEPTED]
        seen = sink.connections
        sink.on("mail", lambda a, s, seen=seen: DROP if s.number <= seen else None)
    assert sink.connections == 3 and len(sink.messages) == 3


@pytest.mark.parametrize("reply", ["421 too many messages", DROP])
def test_server_that_ends_the_session_after_each_message(sink, rspawn, reply):
    counts = {}

    def mail(_, session):
        counts[session.number] = counts.get(session.number, 0) + 1
        return reply if counts[session.number] > 2 else None
    sink.on("mail", mail)
    numbers = [rspawn.request([f"r{i}@h.test"]) for i in range(30)]
    assert [rspawn.wait(n) for n in numbers] == [[ACCEPTED]] * 30
    assert len(sink.messages) == 30


def test_idle_sessions_are_ended_with_quit(sink, rspawn):
    assert rspawn.deliver() == [ACCEPTED]
    wait_until(lambda: sink.open == 0, 10, "end of the idle session")
    assert sink.commands[-1][1] == b"QUIT"
    assert rspawn.deliver() == [ACCEPTED]


def test_sessions_with_one_server_are_limited(sink):
    sink.on("dot", Stall(0.02))
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}", concurrencyperhost="3") as r:
        numbers = [r.request([f"r{i}@h.test"]) for i in range(60)]
        assert all(r.wait(n) == [ACCEPTED] for n in numbers)
    assert sink.most_open == 3 and len(sink.messages) == 60
    assert sorted(m.recipients[0] for m in sink.messages) == sorted(f"r{i}@h.test" for i in range(60))


def test_sessions_grow_with_success(sink):
    sink.on("dot", Stall(0.05))
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}", concurrencyperhost="15") as r:
        numbers = [r.request([f"r{i}@h.test"]) for i in range(5)]
        assert all(r.wait(n) == [ACCEPTED] for n in numbers) and sink.most_open <= 5
        numbers = [r.request([f"r{i}@h.test"]) for i in range(200)]
        assert all(r.wait(n) == [ACCEPTED] for n in numbers)
    assert sink.most_open == 15


@pytest.mark.parametrize("reply", ["421 4.7.0 too many connections", "450 busy"])
def test_no_place_for_more_sessions_is_no_failure(sink, reply):
    """A server with two places: messages wait for those instead of being deferred."""
    taken, lock = [], threading.Lock()

    def take_place(_, session):
        with lock:
            taken[:] = [s for s in taken if s.connection.fileno() != -1]
            if len(taken) == 2:
                return reply
            taken.append(session)
            return None
    sink.on("connect", take_place)
    sink.on("dot", Stall(0.02))
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        numbers = [r.request([f"r{i}@h.test"]) for i in range(100)]
        assert all(r.wait(n) == [ACCEPTED] for n in numbers)
    assert len(sink.messages) == 100 and sink.connections < 40


def test_address_that_connections_come_from(sink):
    seen = []
    sink.on("mail", lambda a, s: seen.append(s.connection.getpeername()[0]))
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}", outgoingip="127.0.0.77\n::1") as r:
        assert r.deliver() == [ACCEPTED]
        r.control(outgoingip="192.0.2.77")
        assert r.deliver() == [("Z", "I cannot send from the address 192.0.2.77 that control/outgoingip or outgoingips names: "
                                "address not available. (#4.3.5)\n")]
        r.control(outgoingip="127.0.0.78\nnonsense")
        assert r.deliver()[0][0] == "Z"
        wait_until(lambda: r.deliver() and "control/outgoingip: entry 2 is no IP address" in r.log_text(), what="log")
    assert seen == ["127.0.0.77"]


def test_sender_domains_have_addresses_and_names(sink):
    """Each in sessions of its own."""
    seen = []
    sink.on("mail", lambda a, s: seen.append((s.connection.getpeername()[0], s.helo.decode())))
    lines = ("one.test:127.0.0.71 mx.one.test\n.sub.test:127.0.0.72\nname.test:mx.name.test\n"
             "bad.test:192.0.2.1\nv6.test:::1\nempty.test:")
    wanted = {"one.test": ("127.0.0.71", "mx.one.test"), "ONE.test": ("127.0.0.71", "mx.one.test"),
              "a.b.sub.test": ("127.0.0.72", "mx72.test"), "name.test": ("127.0.0.70", "mx.name.test"),
              "other.test": ("127.0.0.70", "mx70.test"), "v6.test": ("127.0.0.70", "mx70.test"),
              "empty.test": ("127.0.0.70", "mx70.test"), "": ("127.0.0.70", "mx70.test")}
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}", outgoingips=lines,
                outgoingip="127.0.0.70 mx70.test\n127.0.0.72 mx72.test\n::1 mx6.test") as r:
        for domain in list(wanted) * 2:
            assert r.deliver(sender=f"s@{domain}" if domain else "") == [ACCEPTED]
        letter, text = r.deliver(sender="s@bad.test")[0]
        assert letter == "Z" and "192.0.2.1" in text
        assert seen == list(wanted.values()) * 2
        with Sink(host="::1") as six:
            six.on("mail", lambda a, s: seen.append(s.helo))
            r.control(smtproutes=f":[::1]:{six.port}")
            assert r.deliver()[0][0] == "K" and seen[-1] == b"mx6.test"
            r.control(outgoingips="one.test:127.0.0.300")
            assert r.deliver()[0][0] == "K"
        assert "control/outgoingips: entry 1 is not domain:address" in r.log_text()


def test_order_of_results_does_not_mix_contents(sink):
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}", concurrencyperhost="2") as r:
        numbers = [r.request([f"r{i}@h.test"], content=b"%d\n" % i * (1 + i * 997 % 40000)) for i in range(80)]
        assert all(r.wait(n) == [ACCEPTED] for n in numbers)
    for m in sink.messages:
        i = int(m.recipients[0][1:].partition("@")[0])
        assert m.data == b"%d\r\n" % i * (1 + i * 997 % 40000)


def test_large_message(sink, rspawn):
    content = os.urandom(3_000_000).replace(b"\r", b"x") + b"\n"
    assert rspawn.deliver(content=content, sender="") == [ACCEPTED]
    assert sink.messages[0].data == content.replace(b"\n", b"\r\n")


def test_partial_line_and_short_file(sink, rspawn):
    assert rspawn.deliver(content=b"x") == [
        ("D", "SMTP cannot transfer messages with partial final lines. (#5.6.2)\n")]
    assert rspawn.deliver(content=b"x\n", size=100) == [("Z", "Unable to read message. (#4.3.0)\n")]
    assert rspawn.deliver() == [ACCEPTED]
    assert len(sink.messages) == 1


def test_shared_file_offset_is_left_alone(sink, rspawn):
    numbers = [rspawn.request(["r@h.test"], content=b"a\n" * 40000) for _ in range(10)]
    assert all(rspawn.wait(n) == [ACCEPTED] for n in numbers)
    assert {m.data for m in sink.messages} == {b"a\r\n" * 40000}


def test_bad_address_is_not_sent(sink, rspawn):
    results = rspawn.deliver("x\r\nDATA@h.test", "good@h.test", host="h.test")
    assert results[0] == ("D", "This address cannot be sent by SMTP. (#5.1.3)\n") and results[1] == ACCEPTED


def test_refused_and_silent_servers():
    with Rspawn(smtproutes=f":127.0.0.1:{free_port()}") as r:
        assert r.deliver() == [NO_CONNECTION]
    with Sink() as sink, Rspawn(smtproutes=f":127.0.0.1:{sink.port}", ) as r:
        sink.on("mail", Stall(30))
        start = time.monotonic()
        assert r.deliver() == [died("its answer to MAIL", "Time was up")]
        assert time.monotonic() - start < 8


def test_hup_reads_routes_again(sink, rspawn):
    with Sink() as other:
        rspawn.control(smtproutes=f":127.0.0.1:{other.port}")
        rspawn.process.send_signal(signal.SIGHUP)
        wait_until(lambda: rspawn.deliver() and other.messages)


def test_malformed_request_ends_the_connection(rspawn):
    rspawn.socket.send(b"\1garbage")
    assert rspawn.socket.recv(10) == b""
    rspawn.reconnect()
    assert rspawn.deliver() == [ACCEPTED]


def test_nobody_waits_nothing_is_sent(sink, rspawn):
    """When qmail-send is gone it will ask again: content that did not go out yet stays here."""
    stage = "helo" if {"PIPELINING", "CHUNKING"} <= set(sink.extensions) else "rcpt"
    sink.on(stage, Stall(0.5))
    rspawn.request(["r@h.test"])
    time.sleep(0.2)
    rspawn.reconnect()
    sink.on(stage, None)
    time.sleep(1)
    assert rspawn.deliver("other@h.test") == [ACCEPTED]
    assert [m.recipients for m in sink.messages] == [["other@h.test"]]


def test_term_waits_for_deliveries(sink):
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        sink.on("dot", Stall(1))
        number = r.request(["r@h.test"])
        wait_until(lambda: any(line == b"DATA" or line.startswith(b"BDAT") for _, line in sink.commands))
        r.process.terminate()
        assert r.wait(number) == [ACCEPTED]
        assert r.process.wait(5) == 0


needs_nsd = pytest.mark.skipif(dns.nsd_program() is None, reason="needs NSD (Debian package nsd)")


@pytest.fixture(scope="module", name="nsd")
def _nsd():
    server = Authority({"d.test": """
self MX 10 own
own A 127.0.0.1
null MX 0 .
dead MX 10 nowhere
relay A 127.0.0.1
relay AAAA ::1
""", "broken.test": "x A 192.0.2.1\n"})
    yield server
    server.close()


@needs_nsd
def test_words_for_dns_failures(nsd):
    with Rspawn() as r:
        assert r.process.poll() is None
        resolver = Resolver([f"127.0.0.1@{nsd.port}"], home=r.home)
        try:
            assert r.deliver("x@none.d.test") == [("D", "Sorry, I couldn't find any host named none.d.test. (#5.1.2)\n")]
            assert r.deliver("x@null.d.test") == [
                ("D", "Sorry, null.d.test does not accept mail: it has a null MX. (#5.1.10)\n")]
            assert r.deliver("x@dead.d.test") == [
                ("D", "Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n"
                      "DNS: of the mail exchangers of dead.d.test none has an address.\n")]
            assert r.deliver("x@self.d.test")[0][1].endswith("I don't treat it as local. (#5.4.6)\n")
            assert r.deliver("x@refused.zone") == [(
                "Z", "Sorry, I couldn't find any host by that name. (#4.1.2)\n"
                     "DNS: the name servers of refused.zone did not give an answer.\n")]
        finally:
            resolver.close()


@needs_nsd
def test_relay_by_name_with_two_addresses_and_resolver_restart(nsd):
    with Sink() as sink, Rspawn(smtproutes=f":relay.d.test:{sink.port}") as r:
        number = r.request(["x@h.test"])
        time.sleep(0.3)
        resolver = Resolver([f"127.0.0.1@{nsd.port}"], home=r.home)
        try:
            assert r.wait(number) == [ACCEPTED], "asked before qmail-resolve ran"
            resolver.stop()
            number = r.request(["y@h.test"])
            time.sleep(0.2)
            resolver.start()
            assert r.wait(number) == [ACCEPTED]
        finally:
            resolver.close()


def fake_resolver(home, records, questions=None):
    """Answers every question with these (preference, IPv4 address)."""
    questions = [] if questions is None else questions
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{home}/run/resolve")
    listener.listen(10)

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while True:
                    question = connection.recv(5000)
                    if not question:
                        break
                    questions.append(question)
                    body = b"".join(struct.pack("<BBBII", dns.A, 0, 0, preference, 1) + b"x" + struct.pack("<I", 4) +
                                    socket.inet_aton(address) for preference, address in records)
                    connection.send(struct.pack("<BIBBBIIII", 2, struct.unpack_from("<I", question, 1)[0], 0, 0, 0, 60, 0,
                                                0, len(records)) + body)
    threading.Thread(target=serve, daemon=True).start()
    return listener


@pytest.mark.parametrize("stage, mood", [
    (None, None), ("connect", "554 go away"), ("connect", "421 busy"), ("connect", DROP), ("helo", "550 no"), ("helo", DROP),
    ("mail", DROP), ("mail", "421 bye"), ("rcpt", DROP), ("data", DROP),
])
def test_a_broken_exchanger_leads_to_the_next(stage, mood):
    """Two addresses of one relay: the first one is broken."""
    port = free_port()
    with Sink(host="127.0.0.3", port=port) as good:
        broken = Sink(host="127.0.0.2", port=port) if stage else None
        if broken:
            broken.on(stage, mood)
        with Rspawn(smtproutes=f":relay:{port}") as r:
            listener = fake_resolver(r.home, [(10, "127.0.0.3"), (5, "127.0.0.2")])
            for _ in range(2):
                assert r.deliver()[0][0] == "K"
            listener.close()
        assert len(good.messages) == 2
        if broken:
            assert broken.connections >= 1
            broken.stop()


def test_reports_name_the_server():
    with Sink() as sink, Rspawn(smtproutes=f":relay:{sink.port}") as r:
        sink.on("rcpt", lambda a, s: "550 nobody" if b"none" in a else None)
        listener = fake_resolver(r.home, [(5, "127.0.0.2"), (10, "127.0.0.1")])
        results = r.deliver("r@h.test", "none@h.test")
        listener.close()
    assert results == [ACCEPTED, ("D", "127.0.0.1 does not like recipient.\nRemote host said: 550 nobody\n"
                                  "The server is x.\nTried x (127.0.0.2): connection refused.\n")]


@pytest.mark.parametrize("packet", [b"", b"\2", b"\2" * 60, b"\xff" * 100000],
                         ids=range(4))
def test_resolver_that_lies(packet):
    with Sink() as sink, Rspawn(smtproutes=f"h.test:127.0.0.1:{sink.port}") as r:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(f"{r.home}/run/resolve")
        listener.listen(10)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    if connection.recv(5000) and packet:
                        connection.send(packet)
        threading.Thread(target=serve, daemon=True).start()
        r.request(["x@elsewhere.test"])
        assert r.deliver("x@h.test") == [ACCEPTED]
        # The first SIGTERM waits for the delivery that has no answer, the second does not.
        r.process.terminate()
        time.sleep(0.3)
        assert r.process.poll() is None
        listener.close()

"""qmail-resolve against a real authoritative server, and against lies."""
import os
import signal
import socket
import struct
import time

import pytest

from quilltest import authority as dns
from quilltest.authority import Authority, Liar, Resolver
from quilltest.net import free_port, wait_until

pytestmark = pytest.mark.skipif(dns.nsd_program() is None, reason="needs NSD (Debian package nsd)")


def big_mx(label, count, length):
    """MX records whose uncompressed names are about `length` bytes long; all in one foreign zone."""
    return "".join(f"{label} MX {i} h{i:05d}{'x' * (length - 20)}.other.test.\n" for i in range(count))


ZONES = {
    "a.test": """
mail A 127.0.0.2
mail AAAA ::2
@ MX 10 mail
@ MX 5 better
better A 127.0.0.3
plain A 127.0.0.4
plain TXT "one " "two"
plain TXT "three"
null MX 0 .
literal MX 10 1.2.3.4.
half MX 10 1.2.3.4.
half MX 20 mail
dead MX 10 nowhere
dead MX 20 nodata
nodata TXT "only this"
alias CNAME alias2
alias2 CNAME alias3
alias3 CNAME a.test.
loop CNAME loop2
loop2 CNAME loop
mxalias MX 10 alias4
alias4 CNAME mail
4.3.2.1.in-addr PTR odd\\010name\\032x\\)%s
""" + big_mx("mx600", 10, 40) + big_mx("mx1500", 25, 50) + big_mx("mx5000", 80, 50)
      + big_mx("mx65000", 1150, 44)
      + "".join(f"many A 10.1.{i // 250}.{i % 250}\n" for i in range(1000))
      + "".join(f"chain{i} CNAME chain{i + 1}\n" for i in range(9)) + "chain9 A 127.0.0.9\n"
      + "".join(f"long TXT \"{'t' * 250}\" \"{'u' * 250}{i}\"\n" for i in range(90)),
    "other.test": "* A 127.0.0.5\n",
}


@pytest.fixture(scope="module", name="nsd")
def _nsd():
    server = Authority(ZONES)
    yield server
    server.close()


@pytest.fixture(scope="module", name="resolver")
def _resolver(nsd):
    r = Resolver([f"127.0.0.1@{nsd.port}"])
    yield r
    r.close()


def exchangers(answer):
    return [(r.preference, r.name) for r in answer.records if r.type == dns.MX]


def addresses(answer):
    return [(r.preference, r.data) for r in answer.records if r.type in (dns.A, dns.AAAA)]


def test_mail_by_preference_with_both_families(resolver):
    a = resolver.ask(dns.MAIL, "a.test")
    assert a.outcome == dns.FOUND and a.ttl == 300 and not a.cut
    assert exchangers(a) == [(5, "better.a.test"), (10, "mail.a.test")]
    assert addresses(a) == [(5, "127.0.0.3"), (10, "127.0.0.2"), (10, "::2")]


def test_mail_without_mx_goes_to_the_host_itself(resolver):
    a = resolver.ask(dns.MAIL, "plain.a.test")
    assert a.outcome == dns.FOUND
    assert exchangers(a) == [(0, "plain.a.test")] and addresses(a) == [(0, "127.0.0.4")]


def test_names_are_compared_without_case_and_with_final_dot(resolver):
    assert addresses(resolver.ask(dns.MAIL, "PLAIN.a.Test.")) == [(0, "127.0.0.4")]


def test_no_name_and_no_data_are_kept_apart(resolver):
    assert resolver.ask(dns.A, "nowhere.a.test").outcome == dns.NO_NAME
    assert resolver.ask(dns.A, "nodata.a.test").outcome == dns.NO_DATA
    assert resolver.ask(dns.MAIL, "nowhere.a.test").outcome == dns.NO_NAME
    assert resolver.ask(dns.MAIL, "nodata.a.test").outcome == dns.NO_DATA


@pytest.mark.parametrize("name", ["a..test", "x" * 64 + ".test", ".", ".a.test", "a." * 130, "", "\\300.test"])
def test_what_is_no_domain_name_does_not_exist(resolver, name):
    assert resolver.ask(dns.MAIL, name).outcome == dns.NO_NAME


def test_null_mx(resolver):
    assert resolver.ask(dns.MAIL, "null.a.test").outcome == dns.NULL_MX
    assert resolver.ask(dns.MX, "null.a.test").outcome == dns.NULL_MX


def test_exchanger_that_is_an_ip_address(resolver):
    a = resolver.ask(dns.MAIL, "literal.a.test")
    assert a.outcome == dns.BAD_MX and "IP addresses" in a.why
    a = resolver.ask(dns.MAIL, "half.a.test")
    assert a.outcome == dns.FOUND and [r.outcome for r in a.records if r.type == dns.MX] == [dns.BAD_MX, dns.FOUND]


def test_exchangers_without_addresses(resolver):
    a = resolver.ask(dns.MAIL, "dead.a.test")
    assert a.outcome == dns.DEAD_MX
    assert [r.outcome for r in a.records] == [dns.NO_NAME, dns.NO_DATA]


def test_alias_chain_is_followed(resolver):
    assert exchangers(resolver.ask(dns.MAIL, "alias.a.test")) == [(5, "better.a.test"), (10, "mail.a.test")]
    assert addresses(resolver.ask(dns.A, "chain0.a.test")) == [(0, "127.0.0.9")]
    a = resolver.ask(dns.MAIL, "mxalias.a.test")
    assert a.outcome == dns.FOUND and (10, "127.0.0.2") in addresses(a)


def test_alias_loop_ends_and_is_temporary(resolver):
    start = time.monotonic()
    assert resolver.ask(dns.MAIL, "loop.a.test").outcome == dns.TEMPORARY
    assert time.monotonic() - start < 10


def test_text_and_host_and_ptr(resolver):
    a = resolver.ask(dns.TXT, "plain.a.test")
    assert sorted(r.data for r in a.records) == [b"one two", b"three"]
    assert [r.data for r in resolver.ask(dns.HOST, "mail.a.test").records] == ["127.0.0.2", "::2"]
    a = resolver.ask(dns.PTR, "4.3.2.1.in-addr.a.test")
    assert a.outcome == dns.FOUND and [r.name for r in a.records] == ["odd\\010name\\032x)%s.a.test"]


@pytest.mark.parametrize("name, count", [("mx600", 10), ("mx1500", 25), ("mx5000", 80), ("mx65000", 100)])
def test_size_of_the_mx_answer_does_not_matter(resolver, name, count):
    a = resolver.ask(dns.MX, f"{name}.a.test")
    assert a.outcome == dns.FOUND, a.why
    assert [r.preference for r in a.records] == list(range(count))
    assert a.cut == (name == "mx65000")
    mail = resolver.ask(dns.MAIL, f"{name}.a.test")
    assert mail.outcome == dns.FOUND and len(addresses(mail)) == count and addresses(mail)[0] == (0, "127.0.0.5")


def test_large_text_sets(resolver):
    a = resolver.ask(dns.TXT, "long.a.test")
    assert a.outcome == dns.FOUND and len(a.records) == 90 and all(len(r.data) > 500 for r in a.records)


def test_a_thousand_addresses_are_cut_in_order_and_logged(resolver):
    a = resolver.ask(dns.HOST, "many.a.test")
    assert a.cut and [r.data for r in a.records] == [f"10.1.0.{i}" for i in range(100)]
    assert "many.a.test has 1000 records of one type; the first 100 are used" in resolver.log_text()


def test_server_down_is_temporary_and_recovers(nsd):
    r = Resolver([f"127.0.0.1@{nsd.port}"])
    try:
        assert r.ask(dns.MAIL, "a.test").outcome == dns.FOUND
        nsd.stop()
        start = time.monotonic()
        a = r.ask(dns.MAIL, "plain.a.test")
        assert a.outcome == dns.TEMPORARY and "plain.a.test" in a.why
        assert time.monotonic() - start < 32
        nsd.start()
        wait_until(lambda: r.ask(dns.MAIL, "plain.a.test").outcome == dns.FOUND, 40, "recovery")
    finally:
        if nsd.process is None:
            nsd.start()
        r.close()


def test_one_server_that_is_silent_costs_seconds_once(nsd):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        r = Resolver([f"127.0.0.1@{silent.getsockname()[1]}", f"127.0.0.1@{nsd.port}"])
        try:
            took = []
            for i in range(30):
                start = time.monotonic()
                assert r.ask(dns.A, f"h{i}.other.test").outcome == dns.FOUND
                took.append(time.monotonic() - start)
            assert sum(t > 1 for t in took) <= 3 and max(took) < 15, took
        finally:
            r.close()


def test_hup_changes_servers(nsd):
    r = Resolver([f"127.0.0.1@{free_port()}"])
    try:
        r.configure([f"[127.0.0.1]:{nsd.port}"])
        r.process.send_signal(signal.SIGHUP)
        wait_until(lambda: f"asking 127.0.0.1@{nsd.port}" in r.log_text())
        assert r.ask(dns.MAIL, "a.test").outcome == dns.FOUND
        r.configure(["not-an-address"])
        r.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "not-an-address is not the IP address of a name server" in r.log_text())
        assert r.ask(dns.MAIL, "plain.a.test").outcome == dns.FOUND
    finally:
        r.close()


def header(query, end, rcode=0, answers=0):
    return query[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, answers, 0, 0) + query[12:end]


def record(kind, data, ttl=60):
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def ask_liar(reply, kind, name="x.lie"):
    liar = Liar(reply)
    r = Resolver([f"127.0.0.1@{liar.port}"])
    try:
        return r.ask(kind, name), liar.queries
    finally:
        r.close()
        liar.close()


@pytest.mark.parametrize("rcode", [1, 2, 4, 5, 9])
def test_error_codes_are_temporary(rcode):
    answer, queries = ask_liar(lambda q, end: header(q, end, rcode), dns.MAIL)
    assert answer.outcome == dns.TEMPORARY and "x.lie" in answer.why
    assert {kind for _, kind in queries} <= {15}


def test_only_needed_types_are_asked():
    def reply(query, end):
        kind = struct.unpack("!H", query[end - 4:end - 2])[0]
        if kind == 15:
            return header(query, end, 0, 1) + record(15, b"\0\5\4mail\xc0\x0c")
        return header(query, end, 0, 1) + record(kind, bytes(3) + b"\1" if kind == 1 else bytes(15) + b"\2")
    answer, queries = ask_liar(reply, dns.MAIL)
    assert answer.outcome == dns.FOUND and len(addresses(answer)) == 2
    assert {kind for _, kind in queries} <= {1, 15, 28}


def test_a_server_that_drops_some_questions_costs_seconds():
    """For AAAA, and for one of the exchangers: what is known of the others does not wait for that."""
    def reply(query, end):
        kind, name = struct.unpack("!H", query[end - 4:end - 2])[0], query[12:end - 4]
        if kind == 15:
            return header(query, end, 0, 2) + record(15, b"\0\5\4slow\xc0\x0c") + record(15, b"\0\x0a\4mail\xc0\x0c")
        if kind == 28 or b"slow" in name:
            return None
        return header(query, end, 0, 1) + record(1, b"\x7f\0\0\1")
    start = time.monotonic()
    answer, _ = ask_liar(reply, dns.MAIL)
    assert answer.outcome == dns.FOUND and addresses(answer) == [(10, "127.0.0.1")]
    assert [(r.name, r.outcome) for r in answer.records if r.type == dns.MX] == [("slow.x.lie", dns.TEMPORARY),
                                                                               ("mail.x.lie", dns.FOUND)]
    assert 4 < time.monotonic() - start < 12


@pytest.mark.parametrize("rdata", [b"", b"\0", b"\0\1", b"\0\1\3ab", b"\0\1\3abc", b"\0\1\3abc\0x", b"\0\1\xc0\xff",
                                   b"\0\1\x40" + b"a" * 64 + b"\0", b"\0\1" + b"\x3f" + b"b" * 63])
def test_malformed_mx_records_are_temporary(rdata):
    answer, _ = ask_liar(lambda q, end: header(q, end, 0, 1) + record(15, rdata), dns.MAIL)
    assert answer.outcome == dns.TEMPORARY


@pytest.mark.parametrize("length", [0, 1, 3, 5])
def test_malformed_addresses_are_temporary(length):
    answer, _ = ask_liar(lambda q, end: header(q, end, 0, 1) + record(1, b"\1" * length), dns.A)
    assert answer.outcome == dns.TEMPORARY


@pytest.mark.parametrize("packet", [b"", b"\1", b"\2" + bytes(40), dns.question(1, 0, "a"), dns.question(1, 99, "a"),
                                    dns.question(1, 1, "a") + b"x", dns.question(1, 1, "a" * 1005)])
def test_malformed_question_ends_only_its_connection(resolver, packet):
    with resolver.connect() as other, resolver.connect() as s:
        if packet:
            s.send(packet)
            assert s.recv(10) == b""
        else:
            s.close()
        other.send(dns.question(3, dns.A, "plain.a.test"))
        assert dns.parse_answer(other.recv(200000))[1].outcome == dns.FOUND


def test_many_questions_on_one_connection(resolver):
    with resolver.connect() as s:
        for i in range(300):
            s.send(dns.question(i, dns.MAIL, f"h{i:05d}.other.test"))
        seen = {dns.parse_answer(s.recv(200000)) [0] for _ in range(300)}
    assert seen == set(range(300))


def test_asker_that_leaves_costs_nothing():
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    r = Resolver([f"127.0.0.1@{silent.getsockname()[1]}"], control={"timeoutdns": "2\n"})
    try:
        for i in range(20):
            with r.connect() as s:
                s.send(dns.question(i, dns.MAIL, f"x{i}.test"))
        wait_until(lambda: len(os.listdir(f"/proc/{r.process.pid}/fd")) < 60)
        start = time.monotonic()
        a = r.ask(dns.A, "y.test")
        assert a.outcome == dns.TEMPORARY and time.monotonic() - start < 30
        assert a.why == "the name servers of y.test did not answer in time (2 s)"
    finally:
        r.close()
        silent.close()

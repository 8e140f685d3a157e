"""Mail and DNS in a private instance, as an ordinary user, with a signed zone on a name server of Debian's."""
import shutil
import signal
import tempfile

import pytest

from quilltest import authority as dns
from quilltest import program
from quilltest.nameservers import Nsd, Zone
from quilltest.net import free_port, wait_until

pytestmark = [
    pytest.mark.skipif(dns.nsd_program() is None, reason="needs NSD (Debian package nsd)"),
    pytest.mark.skipif(not shutil.which("ldns-signzone"), reason="needs ldns-signzone (Debian package ldnsutils)"),
]

ZONE = """
relay CNAME relay2
relay2 CNAME relay3
relay3 A 127.0.0.1
forged A 127.0.0.1
null MX 0 .
dead MX 10 nowhere
text TXT "a \\"quoted\\" \\001 text"
_25._tcp.relay TLSA 2 0 1 0123456789abcdef
big TXT """ + " ".join(f'"{"x" * 250}"' for _ in range(40)) + "\n"


@pytest.fixture(scope="module", name="server")
def _server():
    directory = tempfile.mkdtemp(prefix="dnsmail.", dir="/tmp")
    zone = Zone("signed.test", "127.0.0.1", ZONE)
    zone.sign(directory)
    zone.break_signature("forged.signed.test.", "A")
    server = Nsd(f"127.0.0.1@{free_port()}", [zone], directory)
    server.anchor = zone.ds + "\n"
    yield server
    server.close()
    shutil.rmtree(directory)


@pytest.fixture(name="instance")
def _instance(make_instance, server, sink):
    i = make_instance("joe", control={
        "dnsservers": f"127.0.0.1@{server.port}", "dnsanchor": server.anchor, "timeoutdns": "5",
        "smtproutes": f"null.signed.test:\ndead.signed.test:\nforged.test:forged.signed.test:{sink.port}\n"
                      f":relay.signed.test:{sink.port}"})
    i.wait_log("^resolve: checking signatures, from the trust anchor in control/dnsanchor$")
    return i


def quill_dns(i, *arguments):
    r = i.run(program("quill"), "dns", "-C", i.home, *arguments, check=False)
    return r.returncode, r.stdout.decode() + r.stderr.decode()


def test_chain_of_aliases_to_a_relay(instance, sink):
    instance.inject("joe@far.test", message=b"Subject: one\n\nx\n")
    wait_until(lambda: sink.messages)
    assert sink.messages[0].recipients == ["joe@far.test"]


def test_bogus_is_put_off_and_says_why(instance, sink):
    instance.inject("joe@forged.test")
    instance.wait_log(r"^delivery 1: deferral: Sorry,_I_couldn't_find_any_host_by_that_name._\(#4.1.2\)/"
                      r"DNS:_the_signatures_of_forged.signed.test_are_wrong_\(.*\)./$")
    # Where signatures are not wanted there, it goes at once.
    instance.control(dnsinsecure="forged.signed.test")
    instance.wait_log("^resolve: checking signatures", count=2)
    instance.signal("qmail-send", signal.SIGALRM)
    wait_until(lambda: sink.messages)


def test_domains_that_take_no_mail(instance):
    instance.inject("-f", "joe@a.test", "x@null.signed.test", "y@dead.signed.test")
    bounces = instance.wait_delivered("joe")[0]
    assert b"<x@null.signed.test>:\nSorry, null.signed.test does not accept mail: it has a null MX. (#5.1.10)\n" in bounces
    assert (b"<y@dead.signed.test>:\nSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n"
            b"DNS: of the mail exchangers of dead.signed.test none has an address.\n") in bounces


def test_quill_dns(instance, server):
    source = f"127.0.0.1@{server.port}"
    assert quill_dns(instance, "relay.signed.test", "host") == (0, f"""relay.signed.test: found, secure
  A 127.0.0.1, secure
may be kept for 300 seconds
from {source}
""")
    assert quill_dns(instance, "RELAY.signed.test.", "A")[1].endswith("\nfrom the cache\n")
    assert quill_dns(instance, "_25._tcp.relay.signed.test", "tlsa")[1].startswith(
        "_25._tcp.relay.signed.test: found, secure\n  TLSA 2 0 1 0123456789abcdef, secure\n")
    code, text = quill_dns(instance, "text.signed.test", "txt")
    assert code == 0 and '\n  TXT "a \\"quoted\\" \\001 text", secure\n' in text
    assert len(quill_dns(instance, "big.signed.test", "txt")[1]) > 10000
    assert quill_dns(instance, "null.signed.test") == (100, "null.signed.test: takes no mail (null MX), secure\n"
                                                       f"from {source}\n")
    assert quill_dns(instance, "nowhere.signed.test", "a") == (
        100, f"nowhere.signed.test: there is no such name, secure\nfrom {source}\n")
    assert quill_dns(instance, "relay.signed.test", "aaaa")[1].startswith(
        "relay.signed.test: the name has no such records, secure\n")
    code, text = quill_dns(instance, "dead.signed.test")
    assert code == 100 and text.startswith(
        "dead.signed.test: no mail exchanger has an address, secure: of the mail exchangers of dead.signed.test none "
        "has an address\n  MX 10 nowhere.signed.test, secure: there is no such name\n"), text
    code, text = quill_dns(instance, "forged.signed.test", "a")
    assert code == 111 and text.startswith("forged.signed.test: not known now, bogus: the signatures of "), text
    assert quill_dns(instance, "a..b") == (100, "a..b: there is no such name, insecure\n")
    assert quill_dns(instance, "b\u00fccher.invalid", "a")[1].startswith("xn--bcher-kva.invalid: ")
    assert quill_dns(instance, "127.0.0.1", "ptr")[1].startswith("1.0.0.127.in-addr.arpa: ")


def test_quill_dns_says_what_is_wrong_with_its_arguments(instance):
    assert quill_dns(instance, "a.test", "any") == (100, "quill: fatal: the mail system does not ask for any: choose mail, "
                                                         "mx, host, a, aaaa, txt, ptr or tlsa\n")
    assert quill_dns(instance)[0] == 100 and quill_dns(instance, "a", "a", "a")[0] == 100
    instance.stop()
    code, text = quill_dns(instance, "a.test")
    assert code == 111 and text == "a.test: not known now, insecure: qmail-resolve is not running\n"


def test_names_from_a_file_and_a_reload_by_signal(instance, sink):
    instance.control(hosts="127.0.0.1 by.file.test", smtproutes=f":by.file.test:{sink.port}")
    instance.signal("qmail-resolve", signal.SIGHUP)
    wait_until(lambda: quill_dns(instance, "by.file.test", "a")[1].endswith("\nfrom control/hosts\n"))
    instance.inject("joe@far.test")
    wait_until(lambda: sink.messages)


def test_resolver_that_dies_costs_only_time(instance, sink):
    before = instance.pid_of("qmail-resolve")
    instance.signal("qmail-resolve", signal.SIGKILL)
    instance.inject("joe@far.test")
    instance.wait_log("qmail-resolve was ended by signal 9; starting it again")
    wait_until(lambda: "qmail-resolve" in instance.leftovers().values() and instance.pid_of("qmail-resolve") != before)

    def delivered():
        instance.signal("qmail-send", signal.SIGALRM)
        return sink.messages
    wait_until(delivered)
    assert ": failure: " not in instance.log()

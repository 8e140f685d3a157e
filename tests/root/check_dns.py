"""
Checks of mail that depends on DNS: a root, zones and recursors of the test's own, mail to port 25 (see labrun.py).

192.0.2.0/24 and 2001:db8::/32 lead to this machine without being its addresses, so that servers can listen there and
are still other hosts to the mail system.
"""
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

from labrun import HOME, equal, lab, processes, wait
from quilltest import Sink
from quilltest.nameservers import ANY, Bind, Dnsmasq, Knot, Named, Nsd, Unbound, Zone, query
from quilltest.qmtpsink import QmtpSink

CHECKS = []
MAIL = "192.0.2.25"


def check(f):
    CHECKS.append(f)
    return f


class Filter:
    """
    A name server that passes questions on to another one, but for what its settings say; they may be changed at any time:

    any        "drop" or "refuse" for questions of type ANY
    old        it does not know EDNS, so that there are no signatures
    truncated  answers by UDP are never whole
    wrong_id   answers do not fit the questions
    delay      seconds before an answer
    rcode      in place of answers
    """

    def __init__(self, address, server, tcp=True, **settings):
        self.server, self.any_seen = server, 0
        self.any = self.rcode = None
        self.old = self.truncated = self.wrong_id = False
        self.delay = 0
        self.__dict__.update(settings)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 53))
        threading.Thread(target=self.serve_udp, daemon=True).start()
        if tcp:
            self.tcp = socket.create_server((address, 53))
            threading.Thread(target=self.serve_tcp, daemon=True).start()

    def answer(self, packet, tcp):
        at = 12
        while packet[at]:
            at += packet[at] + 1
        time.sleep(self.delay)
        head = packet[:2] + b"\x81" + packet[3:10] + b"\0\0" + packet[12:at + 5]
        if struct.unpack_from("!H", packet, at + 1)[0] == ANY:
            self.any_seen += 1
            return None if self.any == "drop" else head[:3] + b"\5" + head[4:]
        if self.rcode:
            return head[:3] + bytes([0x80 | self.rcode]) + head[4:]
        if self.truncated and not tcp:
            return head[:2] + b"\x83\x80" + head[4:]
        if self.old:
            packet = packet[:10] + b"\0\0" + packet[12:at + 5]
        reply = self.pass_on(packet, tcp)
        return bytes([reply[0] ^ 255]) + reply[1:] if self.wrong_id else reply

    def pass_on(self, packet, tcp):
        if not tcp:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(5)
                s.connect((self.server, 53))
                s.send(packet)
                return s.recv(65535)
        with socket.create_connection((self.server, 53)) as s, s.makefile("rb") as f:
            s.sendall(struct.pack("!H", len(packet)) + packet)
            return f.read(struct.unpack("!H", f.read(2))[0])

    def serve_udp(self):
        while True:
            packet, peer = self.udp.recvfrom(65535)
            threading.Thread(target=self.udp_question, args=(packet, peer), daemon=True).start()

    def udp_question(self, packet, peer):
        reply = self.answer(packet, False)
        if reply:
            self.udp.sendto(reply, peer)

    def serve_tcp(self):
        while True:
            connection, _ = self.tcp.accept()
            threading.Thread(target=self.tcp_session, args=(connection,), daemon=True).start()

    def tcp_session(self, connection):
        with connection, connection.makefile("rb") as f:
            while len(head := f.read(2)) == 2:
                reply = self.answer(f.read(struct.unpack("!H", head)[0]), True)
                if reply is None:
                    return
                connection.sendall(struct.pack("!H", len(reply)) + reply)


class Blackhole:
    """Port 25 where connecting takes forever: the place for connections that wait is taken."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.socket.bind((address, 25))
        self.socket.listen(0)
        self.waiting = []
        for _ in range(3):
            s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            s.setblocking(False)
            s.connect_ex((address, 25))
            self.waiting.append(s)


def text_records(count):
    return "".join(f'@ TXT "{"v=" + "x" * 50} {i}"\n' for i in range(count))


def many_mx(count, length):
    """Names long enough that compression does not make the answer small; the addresses are all the same."""
    return "".join(f"@ MX {10 + i} m{i}{'x' * (length - 5)}\nm{i}{'x' * (length - 5)} A {MAIL}\n" for i in range(count))


ALIASES = f"""
first CNAME second
second CNAME third
third CNAME fourth.big.test.
byaddress CNAME host
host A {MAIL}
exchanger MX 10 hop1
hop1 CNAME hop2
hop2 CNAME host
quick MX 12801 host
loop CNAME pool
pool CNAME loop
"""


# The mail system is mail.lab.test; nobody takes mail at 192.0.2.99.
ODD = f"""
mail A {MAIL}
dual A {MAIL}
dual AAAA 2001:db8::25
six MX 10 m6
m6 AAAA 2001:db8::25
both MX 10 broken6
broken6 A {MAIL}
broken6 AAAA 2001:db8::dead
null MX 0 .
literal MX 10 {MAIL}.
half MX 10 {MAIL}.
half MX 20 mail
dead MX 10 nowhere
dead MX 20 text
text TXT "only this"
self MX 10 mail.lab.test.
self MX 20 mail
better MX 5 mail
better MX 10 mail.lab.test.
worse MX 5 refusing
worse MX 10 mail.lab.test.
worse MX 20 mail
refusing A 192.0.2.99
loop MX 10 lo
lo A 127.0.0.1
zero MX 10 any
any A 0.0.0.0
zero6 MX 10 any6
any6 AAAA ::
next MX 10 refusing
next MX 20 mail
"""


class Net:
    """Everything that is there to be asked; made once."""

    only = None

    @classmethod
    def get(cls):
        if cls.only is None:
            cls.only = Net()
        return cls.only

    def __init__(self):
        subprocess.run("ip address add 127.0.0.2/8 dev lo; ip address add 127.0.0.3/8 dev lo; "
                       "ip route replace local 192.0.2.0/24 dev lo; ip -6 route replace local 2001:db8::/32 dev lo; "
                       "echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind", shell=True, check=True)
        self.dir = lab.LAB + "/dns"
        os.mkdir(self.dir)
        big = Zone("big.test", "127.0.0.2", f"@ MX 10 mail\nfourth MX 10 mail\nmail A {MAIL}\n" + text_records(12))
        plain = [Zone("alias.test", "192.0.2.2", ALIASES), Zone("odd.test", "192.0.2.2", ODD),
                 Zone("huge.test", "192.0.2.2", "".join(f"@ MX {i} h{i:05d}{'x' * 33}.u.\n" for i in range(1143)))]
        # A long chain between two zones.
        for name, other in (("ping", "pong"), ("pong", "ping")):
            plain.append(Zone(f"{name}.test", "192.0.2.2", "c0 MX 10 mail.odd.test.\n" + "".join(
                f"c{i} CNAME c{i - 1}.{other}.test.\n" for i in range(1, 18))))
        # So short that it saves next to nothing to compress it: recursors do not do that for all of a thousand names.
        short = Zone("u", "192.0.2.2", f"* A {MAIL}\n")
        refusing = [Zone("refuse.test", "192.0.2.4", f"@ MX 10 mail\nmail A {MAIL}\n" + text_records(12))]
        dropping = [Zone(f"{name}.test", address, f"@ MX 10 mail\nmail A {MAIL}\n")
                    for name, address in (("drop", "192.0.2.5"), ("refused", "192.0.2.6"))]
        signed = [Zone(f"signed{size}.test", "192.0.2.3", many_mx(count, length))
                  for size, count, length in ((512, 2, 20), (1232, 15, 40), (4096, 60, 60))]
        for zone in signed:
            zone.sign(self.dir, ("RSASHA256", "RSASHA256", "ECDSAP256SHA256"))
        # A change behind the signature's back; a signature that nobody renewed; one zone that is as it should be.
        good, broken, expired = (Zone(f"{name}.test", "192.0.2.2", f"@ MX 10 mail\nmail A {MAIL}\n@ TXT \"v=1\"\n"
                                      f"_25._tcp.mail TLSA 3 1 1 {'ab' * 32}\n")
                                 for name in ("good", "broken", "expired"))
        good.sign(self.dir)
        broken.sign(self.dir)
        broken.break_signature("broken.test.", "MX")
        expired.sign(self.dir, options=("-i", "20200101", "-e", "20200201"))
        checked = [good, broken, expired]
        knot = Knot("192.0.2.3", signed, self.dir)
        test = Zone("test", "192.0.2.1", "", [big, *plain, *refusing, *dropping, *signed, *checked])
        test.sign(self.dir)
        root = Zone(".", "192.0.2.1", "", [test, short])
        root.sign(self.dir)
        self.anchor = root.ds
        self.servers = [Bind("127.0.0.2", [big], self.dir), Nsd("192.0.2.1", [root, test], self.dir), Nsd("192.0.2.2", [short] + plain + dropping + checked, self.dir),
                        knot.start(), Nsd("192.0.2.4", refusing, self.dir, refuse_any=True)]
        self.dropper = Filter("192.0.2.5", "192.0.2.2", any="drop")
        self.refuser = Filter("192.0.2.6", "192.0.2.2", any="refuse")
        self.stripper = Filter("192.0.2.7", "192.0.2.55", old=True)
        self.unbound = Unbound("192.0.2.53", self.dir, "192.0.2.1", self.anchor)
        # Does not check: what is bogus passes it.
        self.plain = Unbound("192.0.2.55", self.dir, "192.0.2.1")
        self.bind = Named("127.0.0.1", self.dir, "192.0.2.1", self.anchor)
        self.filter = Filter("192.0.2.8", "192.0.2.55")
        self.no_tcp = Filter("192.0.2.9", "192.0.2.55", tcp=False, truncated=True)
        self.sink = Sink(MAIL, 25)
        self.sink6 = Sink("2001:db8::25", 25)
        self.blackhole = Blackhole("2001:db8::dead")
        self.dnsmasq = Dnsmasq("127.0.0.3", self.dir, "192.0.2.53")
        self.recursors = (("192.0.2.53", self.unbound), ("127.0.0.1", self.bind))


def use(m, servers, anchor="", seconds=15, **files):
    """Changes control/ files and waits until they count; without an anchor nothing is checked."""
    mark = m.mark()
    for name, text in {"hosts": None, "dnsroots": None, "timeoutdns": None, **files}.items():
        m.control(name, text)
    m.control("dnsanchor", anchor)
    m.control("dnsservers", servers and servers + "\n")
    os.kill(processes("qmail-resolve")[0][0], signal.SIGHUP)
    m.wait_log("^resolve: asking ", mark)
    if anchor:
        m.wait_log("^resolve: checking signatures|^resolve: warning: working without", mark, seconds)
    return mark


def quill_dns(*arguments):
    r = subprocess.run([HOME + "/bin/quill", "dns", *arguments], capture_output=True, text=True, user=2001, group=2001,
                       extra_groups=[], env=lab.CLEAN, cwd="/", timeout=60, check=False)
    return r.returncode, r.stdout + r.stderr


def delivered(m, net, recipient, sink=None):
    sink = sink or net.sink
    before = len(sink.messages)
    story = m.send_mail(recipient, sender=b"#@[]", seconds=40)
    assert story.only[2] == "success", story.lines
    assert len(sink.messages) == before + 1, sink.messages
    message = sink.messages[-1]
    assert message.recipients == [recipient], message.recipients


def each_recursor(m, net, recipients):
    """Delivers through each of them; none may have been asked for ANY, nor for an alias as such."""
    for address, server in (*net.recursors, ("127.0.0.3", net.dnsmasq)):
        use(m, address)
        for recipient in recipients:
            delivered(m, net, recipient)
        kinds = {kind for _, kind in server.asked()}
        assert "MX" in kinds and not kinds & {"ANY", "CNAME", "TYPE255"}, kinds


@check
def complaint_any_answer_of_543_bytes_and_more(m):
    """The answer to ANY does not fit into 512 bytes: nobody asks for it."""
    net = Net.get()
    answer = query("127.0.0.2", "big.test", "ANY")
    assert len(answer) >= 543, answer
    each_recursor(m, net, ["x@big.test"])


@check
def complaint_signed_mx_answer_over_512_1232_and_4096_bytes(m):
    net = Net.get()
    for size in (512, 1232, 4096):
        zone = f"signed{size}.test"
        answer = query("192.0.2.3", zone, "MX", dnssec=True)
        assert len(answer) > size, (zone, len(answer))
        assert len(query("192.0.2.3", zone, "DNSKEY", dnssec=True)) > 512
    each_recursor(m, net, [f"x@signed{size}.test" for size in (512, 1232, 4096)])


@check
def complaint_server_that_refuses_or_drops_any(m):
    net = Net.get()
    # What NSD says instead has nothing in it.
    assert query("192.0.2.4", "refuse.test", "ANY", tcp=False)[6:8] == b"\0\0"
    each_recursor(m, net, ["x@refuse.test", "x@refused.test", "x@drop.test"])
    assert net.dropper.any_seen == net.refuser.any_seen == 0


@check
def complaint_chain_of_aliases(m):
    """Also to the exchanger; the recipient's domain stays as it was written."""
    net = Net.get()
    each_recursor(m, net, ["x@first.alias.test", "x@byaddress.alias.test", "x@exchanger.alias.test"])
    deferred(m, "x@loop.alias.test", "DNS:_", "loop.alias.test")
    # With nothing in the cache, and a server to be asked for every link.
    use(m, "recursive", dnsroots="192.0.2.1\n")
    delivered(m, net, "x@c16.ping.test")
    deferred(m, "x@c17.ping.test", "DNS:_c17.ping.test:_its_aliases_form_a_loop_or_too_long_a_chain./")


@check
def preference_that_says_qmtp(m):
    """When chosen; by SMTP where that is not listened to, and not where it fails."""
    net = Net.get()
    use(m, "192.0.2.55")
    delivered(m, net, "x@quick.alias.test")
    m.control("mxps", "1\n")
    delivered(m, net, "x@quick.alias.test")
    before = len(net.sink.messages)
    with QmtpSink(host=MAIL, port=209) as sink:
        assert m.send_mail("x@quick.alias.test", sender=b"#@[]", seconds=40).only[2] == "success"
        assert [r for _, _, r in sink.messages] == [[b"x@quick.alias.test"]]
        sink.reply = lambda r: None
        assert m.try_mail("x@quick.alias.test", sender=b"#@[]").only[2] == "deferral"
    assert len(net.sink.messages) == before, "SMTP after QMTP"
    m.control("mxps", None)


@check
def secure_insecure_and_bogus(m):
    """With a trust anchor, through a recursor that checks nothing itself, and recursively."""
    net = Net.get()
    for servers, files in (("192.0.2.55", {}), ("recursive", {"dnsroots": "192.0.2.1\n"})):
        mark = use(m, servers, net.anchor + "\n", **files)
        assert "checking signatures, from the trust anchor in control/dnsanchor" in m.log(mark), m.log(mark)
        source = "192.0.2.55@53" if servers != "recursive" else "192.0.2.1@53 (recursive)"
        equal(quill_dns("good.test"), (0, f"""good.test: found, secure
  MX 10 mail.good.test, secure
    A {MAIL}, secure
may be kept for 300 seconds
from {source}
"""))
        code, text = quill_dns("_25._tcp.mail.good.test", "TLSA")
        assert code == 0 and f"  TLSA 3 1 1 {'ab' * 32}, secure\n" in text, text
        code, text = quill_dns("nothing.good.test")
        assert code == 100 and text.startswith("nothing.good.test: there is no such name, secure\n"), text
        code, text = quill_dns("exchanger.alias.test")
        assert code == 0 and text.startswith("exchanger.alias.test: found, insecure\n"), text
        for name in ("broken.test", "expired.test"):
            code, text = quill_dns(name)
            assert code == 111 and text.startswith(
                f"{name}: not known now, bogus: the signatures of {name} are wrong ("), text
            s = m.try_mail(f"x@{name}", sender=b"#@[]")
            assert s.only[2] == "deferral" and f"DNS:_the_signatures_of_{name}_are_wrong_(" in s.only[3], s.only
        delivered(m, net, "x@good.test")
        delivered(m, net, "x@byaddress.alias.test")


@check
def recursor_that_checks_itself(m):
    """It says nothing but "server failure" about what is bogus."""
    net = Net.get()
    for address, _ in net.recursors:
        use(m, address, net.anchor + "\n")
        code, text = quill_dns("broken.test")
        assert code == 111 and text.startswith("broken.test: not known now, "), text
        assert quill_dns("good.test")[1].startswith("good.test: found, secure\n")


@check
def servers_that_do_not_pass_signatures(m):
    """Mail goes on, the log says it once, and answers do not claim to be secure."""
    net = Net.get()
    mark = use(m, "192.0.2.7", net.anchor + "\n")
    assert m.log(mark).count("resolve: warning: working without DNSSEC: ") == 1, m.log(mark)
    assert "checking" not in m.log(mark)
    assert quill_dns("good.test")[1].startswith("good.test: found, insecure\n")
    delivered(m, net, "x@good.test")
    # As does a key that is not the root's, and the system's is not that of this root.
    mark = use(m, "192.0.2.55", re.sub("[0-9a-f]{8}$", "00000000", net.anchor) + "\n")
    assert "working without DNSSEC: the keys of . do not fit the trust anchor in control/dnsanchor" in m.log(mark)
    delivered(m, net, "x@good.test")
    mark = use(m, "192.0.2.55", None)
    m.wait_log("the keys of . do not fit the trust anchor in /usr/share/dns/root.key", mark)
    mark = use(m, "192.0.2.55", "")
    assert "DNSSEC" not in m.log(mark) and "signatures" not in m.log(mark)


@check
def domains_that_need_no_signatures(m):
    net = Net.get()
    use(m, "192.0.2.55", net.anchor + "\n", dnsinsecure="broken.test\n")
    assert quill_dns("broken.test")[1].startswith("broken.test: found, insecure\n")
    assert quill_dns("good.test")[1].startswith("good.test: found, secure\n")
    delivered(m, net, "x@broken.test")
    m.control("dnsinsecure", None)


@check
def questions_wait_until_the_servers_are_known(m):
    """The first question after a start is checked as well."""
    net = Net.get()
    m.control("dnsservers", "192.0.2.55\n")
    m.control("dnsanchor", net.anchor + "\n")
    for pid in [p[0] for p in processes("qmail-resolve")]:
        os.kill(pid, signal.SIGKILL)
    assert wait(lambda: "good.test: found, secure" in quill_dns("good.test")[1]), m.log()[-500:]
    mark = m.mark()
    m.restart()
    assert quill_dns("good.test")[1].startswith("good.test: found, secure\n"), m.log(mark)


@check
def machine_without_resolv_conf(m):
    """It asks the root servers, like with the word recursive; other servers count as soon as they are written there."""
    net = Net.get()
    lab.bind_text("/etc/resolv.conf", "# nothing\n")
    mark = use(m, None, dnsroots="192.0.2.1\n")
    assert "resolve: asking 192.0.2.1@53 (recursive)\n" in m.log(mark)
    delivered(m, net, "x@first.alias.test")
    mark = m.mark()
    m.control("dnsroots", None)
    m.wait_log(r"^resolve: asking the root servers \(recursive\)$", mark)
    mark = m.mark()
    with open("/etc/resolv.conf", "w", encoding="ascii") as f:
        f.write("search lab.test\nnameserver 192.0.2.55\noptions edns0\nnameserver nonsense\n")
    m.wait_log("^resolve: asking 192.0.2.55@53$", mark)
    delivered(m, net, "x@first.alias.test")
    assert quill_dns("first.alias.test")[1].startswith("first.alias.test: found, insecure\n")


@check
def names_from_control_hosts(m):
    net = Net.get()
    mark = use(m, "192.0.2.55", hosts=f"{MAIL} byfile.invalid mail.nowhere.test # a remark\n2001:db8::9 byfile.invalid\n")
    equal(quill_dns("ByFile.invalid"), (0, f"""ByFile.invalid: found, insecure
  MX 0 ByFile.invalid, insecure
    A {MAIL}, insecure
    AAAA 2001:db8::9, insecure
may be kept for 0 seconds
from control/hosts
"""))
    equal(quill_dns(MAIL, "ptr"), (0, f"""25.2.0.192.in-addr.arpa: found, insecure
  PTR byfile.invalid, insecure
may be kept for 0 seconds
from control/hosts
"""))
    delivered(m, net, "x@mail.nowhere.test")
    # Edits count without a signal; a file that makes no sense does not.
    mark = m.mark()
    m.control("hosts", "192.0.2.256 byfile.invalid\n")
    m.wait_log("^resolve: warning: unable to use the new control files: control/hosts: 192.0.2.256 is not an IP", mark)
    assert quill_dns("byfile.invalid", "a")[0] == 0
    m.control("hosts", None)
    assert wait(lambda: quill_dns("byfile.invalid", "a")[0] != 0)


def refused(m, recipient, text):
    """It bounces at once, and the report begins so."""
    story = m.try_mail(recipient, sender=b"#@[]")
    assert story.only[2] == "failure" and story.only[3].startswith(text), story.only


def deferred(m, recipient, *texts):
    story = m.try_mail(recipient, sender=b"#@[]")
    assert story.only[2] == "deferral" and all(t in story.only[3] for t in texts), story.only
    return story


MYSELF = "Sorry._Although_I'm_listed_as_a_best-preference_MX_or_A_for_that_host,/"


@check
def domains_that_take_no_mail(m):
    Net.get()
    use(m, "192.0.2.55")
    refused(m, "x@null.odd.test", "Sorry,_null.odd.test_does_not_accept_mail:_it_has_a_null_MX._(#5.1.10)/")
    refused(m, "x@nowhere.odd.test", "Sorry,_I_couldn't_find_any_host_named_nowhere.odd.test._(#5.1.2)/")
    refused(m, "x@text.odd.test", "Sorry,_I_couldn't_find_any_host_named_text.odd.test._(#5.1.2)/")
    refused(m, "x@dead.odd.test", "Sorry,_I_couldn't_find_a_mail_exchanger_or_IP_address._(#5.4.4)/DNS:_of_the_mail_"
            "exchangers_of_dead.odd.test_none_has_an_address./")


@check
def exchangers_that_are_ourselves(m):
    """They and all that are worse are not tried (RFC 5321, section 5.1)."""
    net = Net.get()
    use(m, "192.0.2.55")
    for name in ("self", "loop", "zero", "zero6"):
        refused(m, f"x@{name}.odd.test", MYSELF)
    delivered(m, net, "x@better.odd.test")
    deferred(m, "x@worse.odd.test", "Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/")
    # Behind a router: its address is ours.
    m.control("moreipme", f"{MAIL}\n")
    refused(m, "x@byaddress.alias.test", MYSELF)
    m.control("moreipme", None)
    # An address that the machine gets while everything runs.
    delivered(m, net, "x@byaddress.alias.test")
    subprocess.run(["ip", "address", "add", f"{MAIL}/32", "dev", "lo"], check=True)
    assert wait(lambda: m.try_mail("x@byaddress.alias.test", sender=b"#@[]").only[3].startswith(MYSELF))
    subprocess.run(["ip", "address", "del", f"{MAIL}/32", "dev", "lo"], check=True)
    assert wait(lambda: m.try_mail("x@byaddress.alias.test", sender=b"#@[]").only[2] == "success")


@check
def exchangers_that_are_ip_addresses(m):
    """Nothing for good follows from that; the sender's postmaster can read why."""
    net = Net.get()
    use(m, "192.0.2.55")
    deferred(m, "x@literal.odd.test", "DNS:_the_mail_exchangers_of_literal.odd.test_are_given_as_IP_addresses_in_place_of_names./")
    delivered(m, net, "x@half.odd.test")
    code, text = quill_dns("half.odd.test")
    assert code == 0 and f"  MX 10 {MAIL}, insecure: an IP address in place of a name\n" in text, text


@check
def both_families(m):
    net = Net.get()
    use(m, "192.0.2.55")
    delivered(m, net, "x@six.odd.test", net.sink6)
    delivered(m, net, "x@next.odd.test")
    m.control("timeoutconnect", "2\n")
    try:
        m.control("addressfamily", ".odd.test:6\nodd.test:4only\n:any\n")
        # Seconds, not the delivery.
        delivered(m, net, "x@both.odd.test")
        m.control("addressfamily", "dual.odd.test:6only\n:4only\n")
        delivered(m, net, "x@dual.odd.test", net.sink6)
        deferred(m, "x@six.odd.test", "control/addressfamily")
        m.control("addressfamily", "dual.odd.test:4\n:6only\n")
        delivered(m, net, "x@dual.odd.test")
        mark = m.mark()
        m.control("addressfamily", ":5\n")
        delivered(m, net, "x@dual.odd.test")
        m.wait_log("^rspawn: warning: unable to use the new control files: control/addressfamily: line 1 does not end", mark)
    finally:
        m.control("addressfamily", None)
        m.control("timeoutconnect", None)


@check
def exchangers_of_65000_bytes_by_tcp_only(m):
    net = Net.get()
    assert 64000 < len(query("192.0.2.2", "huge.test", "MX")) < 65536
    net.filter.truncated = True
    try:
        for servers, files in (("192.0.2.53", {}), ("127.0.0.1", {}), ("192.0.2.8", {}),
                               ("recursive", {"dnsroots": "192.0.2.1\n"})):
            mark = use(m, servers, **files)
            delivered(m, net, "x@huge.test")
            assert "resolve: huge.test has 1143 records of one type; the first 100 are used\n" in m.log(mark)
    finally:
        net.filter.truncated = False


@check
def tcp_refused(m):
    Net.get()
    use(m, "192.0.2.9")
    deferred(m, "x@big.test", "(#4.1.2)/DNS:_the_name_servers_of_big.test_did_not_give_an_answer./")


@check
def server_failure_then_recovery(m):
    """Every error of the servers defers, and the same message is delivered when they are well again."""
    net = Net.get()
    use(m, "192.0.2.8")
    for rcode in (1, 2, 4, 5, 9):
        use(m, "192.0.2.8")
        net.filter.rcode = rcode
        mark = m.mark()
        story = deferred(m, f"r{rcode}@big.test", "_(#4.1.2)/DNS:_the_name_servers_of_big.test_did_not_give_an_answer./")
    net.filter.rcode = None
    use(m, "192.0.2.8")  # forgets the failure at once; by itself it would after five seconds
    m.signal(signal.SIGALRM)
    m.wait_log(f"^end msg {story.number}$", mark, 60)
    assert [x for x in net.sink.messages if x.recipients == ["r9@big.test"]], m.log(mark)


@check
def wrong_ids(m):
    """They are not answers; the right one that comes later is."""
    net = Net.get()
    net.filter.wrong_id = True
    use(m, "192.0.2.8", timeoutdns="1\n")
    try:
        deferred(m, "x@big.test", "DNS:_the_name_servers_of_big.test_did_not_answer_in_time_(1_s)./")
    finally:
        net.filter.wrong_id = False
    assert wait(lambda: quill_dns("big.test")[0] == 0, 20)
    delivered(m, net, "x@big.test")


LIES = f"""
ENTRY_BEGIN
MATCH opcode qtype qname
ADJUST copy_id
REPLY QR AA RD RA NOERROR
SECTION QUESTION
question.lie. IN MX
SECTION ANSWER
other.lie. 60 IN MX 10 mail.lie.
ENTRY_END
ENTRY_BEGIN
MATCH UDP opcode qtype qname
ADJUST copy_id
REPLY QR AA RD RA TC NOERROR
SECTION QUESTION
truncated.lie. IN MX
ENTRY_END
ENTRY_BEGIN
MATCH TCP opcode qtype qname
ADJUST copy_id
REPLY QR AA RD RA NOERROR
SECTION QUESTION
truncated.lie. IN MX
SECTION ANSWER
truncated.lie. 60 IN MX 10 mail.lie.
ENTRY_END
ENTRY_BEGIN
MATCH opcode qtype qname
ADJUST copy_id
REPLY QR AA RD RA NXDOMAIN
SECTION QUESTION
both.lie. IN MX
SECTION ANSWER
both.lie. 60 IN MX 10 mail.lie.
ENTRY_END
ENTRY_BEGIN
MATCH opcode qtype qname
ADJUST copy_id
REPLY QR AA RD RA NOERROR
SECTION QUESTION
mail.lie. IN A
SECTION ANSWER
mail.lie. 60 IN A {MAIL}
ENTRY_END
ENTRY_BEGIN
MATCH opcode qtype
ADJUST copy_id copy_query
REPLY QR AA RD RA NOERROR
SECTION QUESTION
any.lie. IN AAAA
ENTRY_END
"""


@check
def lies(m):
    """From ldns-testns: what is true in them is used, the rest is nobody's loss."""
    net = Net.get()
    with open(net.dir + "/lies", "w", encoding="ascii") as f:
        f.write(LIES)
    with subprocess.Popen(["ldns-testns", "-p", "5399", net.dir + "/lies"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as server:
        try:
            use(m, "127.0.0.1@5399", timeoutdns="2\n")
            assert wait(lambda: quill_dns("mail.lie", "a")[0] == 0)
            delivered(m, net, "x@truncated.lie")
            deferred(m, "x@question.lie", "DNS:_the_name_servers_of_question.lie_did_not_answer_in_time_(2_s)./")
            # No such name, with its records: nothing that a message may fail for.
            deferred(m, "x@both.lie", "DNS:_both.lie:_the_answer_says_both_that_it_exists_and_that_it_does_not./")
        finally:
            server.terminate()


@check
def answers_that_take_longer_than_a_look_up_may(m):
    """The delivery is put off; what came late is known at the next attempt."""
    net = Net.get()
    use(m, "192.0.2.8", timeoutdns="1\n")
    net.filter.delay = 1.2
    try:
        deferred(m, "x@big.test", "did_not_answer_in_time_(1_s)./")
        assert wait(lambda: quill_dns("big.test")[0] == 0, 30)
        delivered(m, net, "x@big.test")
    finally:
        net.filter.delay = 0


@check
def resolver_dies_while_asked(m):
    """That costs nothing but time, whether it asks again or the delivery is put off."""
    net = Net.get()
    use(m, "192.0.2.8")
    net.filter.delay = 1
    mark = m.mark()
    qp = m.queue(["dies@big.test"], sender=b"#@[]")
    m.wait_log("^starting delivery", mark)
    os.kill(processes("qmail-resolve")[0][0], signal.SIGKILL)
    net.filter.delay = 0
    m.wait_log("qmail-resolve was ended by signal 9; starting it again", mark)
    assert wait(lambda: processes("qmail-resolve") and quill_dns("big.test")[0] == 0)
    assert "failure" not in m.log(mark)
    m.signal(signal.SIGALRM)
    m.story(qp, mark, 60)
    assert len([x for x in net.sink.messages if x.recipients == ["dies@big.test"]]) == 1


@check
def cause_in_the_bounce(m):
    """What the log said all along stands in the bounce that comes in the end."""
    net = Net.get()
    use(m, "192.0.2.8")
    net.filter.rcode = 2
    m.control("queuelifetime", "0\n")
    m.restart()
    try:
        m.clear_inbox("bob")
        mark = m.mark()
        qp = m.queue(["x@good.test"], sender=b"bob@lab.test")
        m.wait_log(r"^delivery \d+: (deferral|failure): .*name_servers", mark)

        def ended():
            story = m.story_so_far(qp, mark)
            m.signal(signal.SIGALRM)
            time.sleep(0.5)
            return story and story.lines[-1].startswith("end ")
        assert wait(ended), m.log(mark)
        mail = m.find_mail("bob", b"<x@good.test>:\n")
        assert b"\nDNS: the name servers of good.test did not give an answer.\n" in mail, mail
    finally:
        net.filter.rcode = None
        m.control("queuelifetime", None)
        m.restart()

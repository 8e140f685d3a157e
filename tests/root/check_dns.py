"""
Checks of mail that depends on DNS: a root, zones and recursors of the test's own, mail to port 25 (see labrun.py).

192.0.2.0/24 and 2001:db8::/32 lead to this machine without being its addresses, so that servers can listen there and
are still other hosts to the mail system.
"""
import os
import re
import signal
import struct
import subprocess
import threading

from labrun import HOME, lab, processes, wait
from quilltest import Sink
from quilltest.nameservers import ANY, Bind, Knot, Named, Nsd, Unbound, Zone, query

CHECKS = []
MAIL = "192.0.2.25"


def check(f):
    CHECKS.append(f)
    return f


class Filter:
    """A name server that drops or refuses ANY and passes other questions on, by UDP and TCP."""

    def __init__(self, address, server, refuse=False):
        import socket
        self.server, self.refuse, self.refused = server, refuse, 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 53))
        self.tcp = socket.create_server((address, 53))
        threading.Thread(target=self.serve_udp, daemon=True).start()
        threading.Thread(target=self.serve_tcp, daemon=True).start()

    def answer(self, packet, tcp):
        import socket
        at = 12
        while packet[at]:
            at += packet[at] + 1
        if struct.unpack_from("!H", packet, at + 1)[0] == ANY:
            self.refused += 1
            return packet[:2] + b"\x80\x05" + packet[4:] if self.refuse else None
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
loop CNAME pool
pool CNAME loop
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
        subprocess.run("ip address add 127.0.0.2/8 dev lo; ip route replace local 192.0.2.0/24 dev lo; ip -6 route replace local 2001:db8::/32 dev lo",
                       shell=True, check=True)
        self.dir = lab.LAB + "/dns"
        os.mkdir(self.dir)
        big = Zone("big.test", "127.0.0.2", f"@ MX 10 mail\nfourth MX 10 mail\nmail A {MAIL}\n" + text_records(12))
        plain = [Zone("alias.test", "192.0.2.2", ALIASES)]
        refusing = [Zone("refuse.test", "192.0.2.4", f"@ MX 10 mail\nmail A {MAIL}\n" + text_records(12))]
        dropping = [Zone(f"{name}.test", address, f"@ MX 10 mail\nmail A {MAIL}\n")
                    for name, address in (("drop", "192.0.2.5"), ("refused", "192.0.2.6"))]
        signed = [Zone(f"signed{size}.test", "192.0.2.3", many_mx(count, length))
                  for size, count, length in ((512, 2, 20), (1232, 15, 40), (4096, 60, 60))]
        for zone in signed:
            zone.sign(self.dir, ("RSASHA256", "RSASHA256", "ECDSAP256SHA256"))
        knot = Knot("192.0.2.3", signed, self.dir)
        test = Zone("test", "192.0.2.1", "", [big, *plain, *refusing, *dropping, *signed])
        test.sign(self.dir)
        root = Zone(".", "192.0.2.1", "", [test])
        root.sign(self.dir)
        self.anchor = root.ds
        self.servers = [Bind("127.0.0.2", [big], self.dir), Nsd("192.0.2.1", [root, test], self.dir), Nsd("192.0.2.2", plain + dropping, self.dir),
                        knot.start(), Nsd("192.0.2.4", refusing, self.dir, refuse_any=True)]
        self.dropper = Filter("192.0.2.5", "192.0.2.2")
        self.refuser = Filter("192.0.2.6", "192.0.2.2", refuse=True)
        self.unbound = Unbound("192.0.2.53", self.dir, "192.0.2.1", self.anchor)
        self.bind = Named("127.0.0.1", self.dir, "192.0.2.1", self.anchor)
        self.sink = Sink(MAIL, 25)
        self.recursors = (("192.0.2.53", self.unbound), ("127.0.0.1", self.bind))


def use(m, servers):
    mark = m.mark()
    m.control("dnsservers", servers + "\n")
    os.kill(processes("qmail-resolve")[0][0], signal.SIGHUP)
    m.wait_log("^resolve: asking ", mark)


def delivered(m, net, recipient):
    before = len(net.sink.messages)
    story = m.send_mail(recipient, sender=b"#@[]", seconds=40)
    assert story.only[2] == "success", story.lines
    assert len(net.sink.messages) == before + 1, net.sink.messages
    message = net.sink.messages[-1]
    assert message.recipients == [recipient], message.recipients


def each_recursor(m, net, recipients):
    """Delivers through each of them; none may have been asked for ANY, nor for an alias as such."""
    for address, server in net.recursors:
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
    assert net.dropper.refused == net.refuser.refused == 0


@check
def complaint_chain_of_aliases(m):
    """Also to the exchanger; the recipient's domain stays as it was written."""
    net = Net.get()
    each_recursor(m, net, ["x@first.alias.test", "x@byaddress.alias.test", "x@exchanger.alias.test"])
    story = m.try_mail("x@loop.alias.test", sender=b"#@[]")
    assert story.only[2] == "deferral" and "loop.alias.test" in story.only[3], story.only

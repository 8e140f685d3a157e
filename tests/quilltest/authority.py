"""DNS for tests: an authoritative server (NSD) on a loopback port, qmail-resolve in front of it, and its protocol."""
import collections
import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

from .instance import program
from .net import free_port, wait_until

A, AAAA, MX, TXT, PTR, HOST, MAIL, TLSA = range(1, 9)
INSECURE, BOGUS, SECURE = range(3)
FOUND, NO_NAME, NO_DATA, TEMPORARY, NULL_MX, BAD_MX, DEAD_MX = range(7)

Record = collections.namedtuple("Record", "type outcome security preference name data")
Answer = collections.namedtuple("Answer", "outcome security cut ttl why source records")


def nsd_program():
    for path in ("/usr/sbin/nsd", os.environ.get("NSD", "")):
        if path and os.access(path, os.X_OK):
            return path
    return None


class Authority:
    """NSD serving zones {name: text without SOA and NS} on 127.0.0.1:port."""

    def __init__(self, zones):
        self.dir = tempfile.mkdtemp(prefix="nsd.", dir="/tmp")
        self.port = free_port()
        lines = ["server:", f"  ip-address: 127.0.0.1@{self.port}", f'  zonesdir: "{self.dir}"', '  database: ""',
                 f'  pidfile: "{self.dir}/pid"', f'  xfrdfile: "{self.dir}/xfrd"', f'  xfrdir: "{self.dir}"',
                 f'  zonelistfile: "{self.dir}/zonelist"', f'  logfile: "{self.dir}/log"', "  server-count: 1",
                 f'  username: "{pwd.getpwuid(os.getuid()).pw_name}"', "  refuse-any: yes", '  chroot: ""',
                 "  rrl-ratelimit: 0", "  tcp-timeout: 10", "remote-control:", "  control-enable: no"]
        for name, text in zones.items():
            with open(f"{self.dir}/{name}.zone", "w", encoding="ascii") as f:
                f.write(f"$ORIGIN {name}.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 5\n@ NS ns\nns A 127.0.0.1\n")
                f.write(text)
            lines += ["zone:", f'  name: "{name}"', f'  zonefile: "{name}.zone"']
        with open(f"{self.dir}/nsd.conf", "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([nsd_program(), "-d", "-c", f"{self.dir}/nsd.conf"])
        wait_until(self._answers, what="NSD")

    def _answers(self):
        assert self.process.poll() is None, open(f"{self.dir}/log", encoding="ascii").read()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            s.connect(("127.0.0.1", self.port))
            try:
                s.send(b"\0\1\0\0\0\1\0\0\0\0\0\0\0\0\1\0\1")
                return len(s.recv(512)) > 0
            except OSError:
                return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, True)


class Liar:
    """A UDP name server whose answers are made by reply(query bytes, question end) -> bytes or None."""

    def __init__(self, reply):
        self.reply, self.queries = reply, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            end = 12
            while query[end]:
                end += query[end] + 1
            end += 5
            self.queries.append((query[12:end - 4], struct.unpack("!H", query[end - 4:end - 2])[0]))
            answer = self.reply(query, end)
            if answer:
                self.socket.sendto(answer, peer)

    def close(self):
        self.socket.close()


class Resolver:
    """qmail-resolve in a home of its own, asking the servers named."""

    def __init__(self, servers, home=None, control=None):
        self.own_home = home is None
        self.home = home or tempfile.mkdtemp(prefix="resolve.", dir="/tmp")
        for name in ("control", "run"):
            os.makedirs(f"{self.home}/{name}", exist_ok=True)
        self.configure(servers)
        for name, text in {"dnsanchor": "", **(control or {})}.items():
            with open(f"{self.home}/control/{name}", "w", encoding="ascii") as f:
                f.write(text)
        self.process = None
        self.start()

    def configure(self, servers):
        with open(f"{self.home}/control/dnsservers", "w", encoding="ascii") as f:
            f.write("".join(s + "\n" for s in servers))

    def start(self):
        self.log = open(f"{self.home}/resolve.log", "ab")
        self.process = subprocess.Popen([program("qmail-resolve")], stderr=self.log,
                                        env={**os.environ, "QMAILHOME": self.home})
        wait_until(self._listens, what="qmail-resolve")

    def _listens(self):
        assert self.process.poll() is None, self.log_text()
        try:
            self.connect().close()
            return True
        except OSError:
            return False

    def connect(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(f"{self.home}/run/resolve")
        s.settimeout(45)
        return s

    def ask(self, kind, name):
        with self.connect() as s:
            s.send(question(7, kind, name))
            number, answer = parse_answer(s.recv(200000))
            assert number == 7
            return answer

    def log_text(self):
        with open(f"{self.home}/resolve.log", encoding="utf-8") as f:
            return f.read()

    def stop(self):
        if self.process:
            self.process.terminate()
            status = self.process.wait(10)
            self.process = None
            self.log.close()
            assert status == 0, self.log_text()

    def close(self):
        try:
            self.stop()
        finally:
            if self.own_home:
                shutil.rmtree(self.home, True)


def question(number, kind, name):
    name = name.encode() if isinstance(name, str) else name
    return struct.pack("<BIBI", 1, number, kind, len(name)) + name


def parse_answer(packet):
    at = 0

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, packet, at)
        at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def string():
        nonlocal at
        n = take("I")
        at += n
        assert at <= len(packet)
        return packet[at - n:at]
    assert take("B") == 2
    number, outcome, security, cut, ttl = take("IBBBI")
    why, source, records = string().decode(), string().decode(), []
    for _ in range(take("I")):
        kind, how, secure, preference = take("BBBI")
        name = string().decode()
        data = string()
        if kind in (A, AAAA):
            data = socket.inet_ntop(socket.AF_INET if kind == A else socket.AF_INET6, data)
        records.append(Record(kind, how, secure, preference, name, data))
    assert at == len(packet)
    return number, Answer(outcome, security, bool(cut), ttl, why, source, records)


def pause_for_cache():
    """Failures are remembered for 5 seconds."""
    time.sleep(5.5)

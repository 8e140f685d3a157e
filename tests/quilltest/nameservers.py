"""Name servers from Debian, each on an address of its own: NSD and Knot with signed zones, unbound and BIND as recursors.

    zone = Zone("signed.test", "192.0.2.3", text)
    zone.sign(directory)
    server = Nsd("192.0.2.3", [zone], directory)
    ...
    server.close()
"""
import os
import pwd
import shutil
import socket
import struct
import subprocess
import time

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "DNSKEY": 48, "TLSA": 52, "ANY": 255}
ANY = 255


def user():
    return pwd.getpwuid(os.getuid()).pw_name


class Zone:
    """A zone's text, without SOA and NS records for itself; `server` is the address of its name server."""

    def __init__(self, name, server, text, children=()):
        self.name, self.keys, self.ds = name, [], ""
        origin = name.rstrip(".") + "."
        ns = "ns." + origin.lstrip(".")
        self.text = (f"$ORIGIN {origin}\n$TTL 300\n@ SOA {ns} hostmaster.{ns} 1 3600 600 86400 5\n@ NS {ns}\n"
                     f"{ns} A {server}\n{text}\n")
        self.delegation = f"{origin} NS {ns}\n{ns} A {server}\n"
        for child in children:
            self.delegate(child)

    def delegate(self, child):
        """To a zone made before; a signed one with its DS record."""
        self.text += f"{child.delegation}{child.ds}\n"

    def sign(self, directory, algorithms=("ECDSAP256SHA256",), options=()):
        """Signs with a key-signing key and a zone-signing key of each algorithm (RSA keys have 1024 bits: those are made quickly)."""
        def run(*command):
            return subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True).stdout.strip()

        path = f"{directory}/{self.name.strip('.') or 'root'}.plain"
        with open(path, "w", encoding="ascii") as f:
            f.write(self.text)
        for i, algorithm in enumerate(algorithms):
            bits = ["-b", "1024"] if "RSA" in algorithm else []
            self.keys.append(run("ldns-keygen", "-a", algorithm, *bits, *(["-k"] if i == 0 else []), self.name))
        run("ldns-signzone", "-o", self.name, "-f", path + ".signed", *options, path, *self.keys)
        with open(path + ".signed", encoding="ascii") as f:
            self.text = f.read()
        self.ds = run("ldns-key2ds", "-n", "-2", self.keys[0] + ".key")

    def break_signature(self, name, kind):
        """Turns one letter of the signature over this set."""
        lines = self.text.split("\n")
        for i, line in enumerate(lines):
            fields = line.split()
            if fields[:1] == [name] and fields[3:5] == ["RRSIG", kind]:
                last = fields[-1]
                fields[-1] = last[:20] + ("A" if last[20] != "A" else "B") + last[21:]
                lines[i] = " ".join(fields)
                break
        else:
            raise AssertionError(f"no RRSIG {kind} of {name}")
        self.text = "\n".join(lines)


def query(server, name, kind, tcp=True, dnssec=False, timeout=5, port=53):
    """The whole answer packet, by TCP unless told otherwise; dnssec: with EDNS and the DO bit."""
    labels = [label.encode() for label in name.strip(".").split(".") if label]
    packet = struct.pack("!HHHHHH", 77, 0x0100, 1, 0, 0, 1 if dnssec else 0)
    packet += b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    packet += struct.pack("!HH", TYPES.get(kind, kind), 1)
    if dnssec:
        packet += b"\0" + struct.pack("!HHIH", 41, 65535, 0x8000, 0)
    if not tcp:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(timeout)
            s.connect((server, port))
            s.send(packet)
            return s.recv(65535)
    with socket.create_connection((server, port), timeout) as s, s.makefile("rb") as f:
        s.sendall(struct.pack("!H", len(packet)) + packet)
        return f.read(struct.unpack("!H", f.read(2))[0])


class Server:
    """A daemon in the foreground, its files below `directory`, its output in the file `log`; address or address@port."""

    program = ""

    def __init__(self, address, directory):
        self.address, _, port = address.partition("@")
        self.port = int(port or 53)
        self.dir = f"{directory}/{type(self).__name__.lower()}-{address.replace(':', '_')}"
        os.makedirs(self.dir, exist_ok=True)
        self.log_path = self.dir + "/log"
        self.process = None

    def write(self, name, text):
        path = f"{self.dir}/{name}"
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def command(self):
        raise NotImplementedError

    def start(self):
        assert shutil.which(self.program), f"{self.program} is missing: make deps"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            cwd=self.dir)
        deadline = time.monotonic() + 30
        while not self.answers():
            assert self.process.poll() is None and time.monotonic() < deadline, f"{self.program}: {self.log()}"
            time.sleep(0.02)
        return self

    def answers(self):
        try:
            return len(query(self.address, "", "SOA", timeout=1, port=self.port)) > 0
        except (OSError, struct.error):
            return False

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def close(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


class Nsd(Server):
    program = "/usr/sbin/nsd"

    def __init__(self, address, zones, directory, refuse_any=False):
        super().__init__(address, directory)
        lines = ["server:", f"  ip-address: {address}", f'  zonesdir: "{self.dir}"', '  database: ""',
                 f'  pidfile: "{self.dir}/pid"', f'  xfrdfile: "{self.dir}/xfrd"', f'  xfrdir: "{self.dir}"',
                 f'  zonelistfile: "{self.dir}/zonelist"', f"  username: {user()}", '  chroot: ""',
                 # Unless told otherwise it drops half of what one client asks beyond 200 answers a second.
                 "  rrl-ratelimit: 0",
                 "  server-count: 1", f"  refuse-any: {'yes' if refuse_any else 'no'}", "  minimal-responses: no",
                 "remote-control:", "  control-enable: no"]
        for zone in zones:
            name = (zone.name.strip(".") or "root") + ".zone"
            self.write(name, zone.text)
            lines += ["zone:", f'  name: "{zone.name}"', f'  zonefile: "{name}"']
        self.write("nsd.conf", "\n".join(lines) + "\n")
        self.start()

    def command(self):
        return [self.program, "-d", "-c", self.dir + "/nsd.conf"]


class Knot(Server):
    """Knot; zones named in `signing` get keys and signatures from the server itself."""

    program = "/usr/sbin/knotd"

    def __init__(self, address, zones, directory, signing=()):
        super().__init__(address, directory)
        lines = ["server:", f"  rundir: {self.dir}", f"  listen: {address}@53", "log:", "  - target: stderr",
                 "    any: info", "database:", f"  storage: {self.dir}", "policy:", "  - id: big",
                 "    algorithm: rsasha256", "    zsk-size: 2048", "    ksk-size: 4096", "template:", "  - id: default",
                 f"    storage: {self.dir}", '    file: "%s.zone"', "    zonefile-sync: -1", "    zonefile-load: difference",
                 "    journal-content: none", "zone:"]
        for zone in zones:
            self.write(zone.name + ".zone", zone.text)
            lines += [f"  - domain: {zone.name}"]
            if zone.name in signing:
                lines += ["    dnssec-signing: on", "    dnssec-policy: big"]
        self.write("knot.conf", "\n".join(lines) + "\n")

    def make_keys(self, zone):
        """Before the start: the DS record of a zone that the server signs."""
        keymgr = ["/usr/sbin/keymgr", "-c", self.dir + "/knot.conf", zone.name]
        for options in (["ksk=yes", "zsk=no", "size=4096"], ["ksk=no", "zsk=yes", "size=2048"]):
            subprocess.run([*keymgr, "generate", "algorithm=rsasha256", *options], check=True, capture_output=True)
        lines = subprocess.run([*keymgr, "ds"], check=True, capture_output=True, text=True).stdout.split("\n")
        zone.ds = next(line for line in lines if " 8 2 " in line)

    def command(self):
        return [self.program, "-c", self.dir + "/knot.conf"]


class Unbound(Server):
    """A validating recursor with a root of the test's own."""

    program = "/usr/sbin/unbound"

    def __init__(self, address, directory, root, anchor=None, quiet=False):
        super().__init__(address, directory)
        self.write("root.hints", f". NS ns.root.\nns.root. A {root}\n")
        lines = ["server:", f"  interface: {address}", f"  directory: {self.dir}", '  chroot: ""', '  username: ""',
                 f"  pidfile: {self.dir}/pid", "  use-syslog: no", '  logfile: ""', "  do-not-query-localhost: no",
                 "  access-control: 0.0.0.0/0 allow", f"  root-hints: {self.dir}/root.hints", f"  log-queries: {'no' if quiet else 'yes'}",
                 '  local-zone: "test." nodefault', "  num-threads: 1",
                 f'  module-config: "{"validator " if anchor else ""}iterator"']
        if anchor:
            lines.append(f"  trust-anchor-file: {self.write('anchor', anchor)}")
        self.write("unbound.conf", "\n".join([*lines, "remote-control:", "  control-enable: no"]) + "\n")
        self.start()

    def command(self):
        return [self.program, "-d", "-p", "-c", self.dir + "/unbound.conf"]

    def asked(self):
        """{(name, type)} of the queries that clients made."""
        found = set()
        for line in self.log().split("\n"):
            fields = line.split("info: ")[-1].split()
            if len(fields) == 4 and fields[3] == "IN":
                found.add((fields[1].rstrip("."), fields[2]))
        return found


class Dnsmasq(Server):
    """What many small networks have: it passes questions on and caches."""

    program = "/usr/sbin/dnsmasq"

    def __init__(self, address, directory, server):
        super().__init__(address, directory)
        self.server = server
        self.start()

    def command(self):
        return [self.program, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces",
                f"--user={user()}", "--group=", f"--listen-address={self.address}", f"--server={self.server}",
                "--log-queries", "--log-facility=-", f"--pid-file={self.dir}/pid", "--edns-packet-max=1232"]

    def asked(self):
        found = set()
        for line in self.log().split("\n"):
            if ": query[" in line:
                kind, name = line.split(": query[")[1].split()[:2]
                found.add((name, kind.rstrip("]")))
        return found


class Bind(Server):
    """BIND for zones. Its whole answer to ANY is what others no longer give; it listens only on an interface's addresses."""

    program = "/usr/sbin/named"

    def __init__(self, address, zones, directory):
        super().__init__(address, directory)
        text = self.options("recursion no; minimal-any no;")
        for zone in zones:
            text += f'zone "{zone.name}" {{ type primary; file "{self.write(zone.name + ".zone", zone.text)}"; }};\n'
        self.write("named.conf", text)
        self.start()

    def options(self, more):
        return f"""
options {{
    directory "{self.dir}"; pid-file "{self.dir}/pid"; session-keyfile "{self.dir}/session";
    listen-on {{ {self.address}; }}; listen-on-v6 {{ none; }}; allow-query {{ any; }}; max-cache-size 20m;
    empty-zones-enable no; max-records-per-type 0; {more}
}};
controls {{ }};
"""

    def command(self):
        return [self.program, "-g", "-4", "-n", "1", "-c", self.dir + "/named.conf"]


class Named(Bind):
    """As Unbound, with BIND."""

    def __init__(self, address, directory, root, anchor=None):
        Server.__init__(self, address, directory)
        self.write("root.hints", f". 300 IN NS ns.root.\nns.root. 300 IN A {root}\n")
        text = self.options("recursion yes; allow-recursion { any; }; querylog yes; minimal-responses yes; "
                            f"dnssec-validation {'yes' if anchor else 'no'};")
        if anchor:
            fields = anchor.split()
            at = fields.index("DS") + 1
            text += f'trust-anchors {{ . static-ds {" ".join(fields[at:at + 3])} "{"".join(fields[at + 3:])}"; }};\n'
        self.write("named.conf", text + 'zone "." { type hint; file "root.hints"; };\n')
        self.start()

    def asked(self):
        found = set()
        for line in self.log().split("\n"):
            if " query: " in line:
                fields = line.split(" query: ")[1].split()
                found.add((fields[0], fields[2]))
        return found

"""qmail-lspawn in a home of its own, and its protocol (src/wire/delivery.h)."""
import array
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

from .instance import program
from .net import wait_until


def _string(s):
    return struct.pack("<I", len(s)) + s


def request(number, sender, recipient, size):
    return (struct.pack("<BIQQB", 1, number, number, size, 0) + _string(sender) + _string(b"") +
            struct.pack("<I", 1) + _string(recipient))


def result(packet):
    kind, number, recipient, letter, n = struct.unpack_from("<BIIcI", packet)
    assert kind == 2 and recipient == 0 and len(packet) == 15 + n
    return number, letter.decode(), packet[14:-1].decode(errors="surrogateescape")


def memfd(content):
    fd = os.memfd_create("message", os.MFD_CLOEXEC)
    os.write(fd, content)
    return fd


class Lspawn:
    """users: name -> (uid, home). With root it runs as root, else as the caller."""

    def __init__(self, default="./Maildir/", control=None):
        self.dir = tempfile.mkdtemp(prefix="lspawn.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.home = self.dir + "/home"
        self.default = default
        for name in ("control", "users", "alias", "run"):
            os.makedirs(f"{self.home}/{name}")
        for name, text in (control or {}).items():
            with open(f"{self.home}/control/{name}", "w", encoding="ascii") as f:
                f.write(text)
        self.users = {}
        self.process = None
        self.number = 0

    def environment(self, **more):
        return {**os.environ, "QMAILHOME": self.home, **more}

    def add_user(self, name, uid=None, maildir=True):
        """A user by users/cdb; his home."""
        uid = os.getuid() if uid is None or os.getuid() != 0 else uid
        home = f"{self.dir}/{name}"
        for d in ("cur", "new", "tmp") if maildir else ():
            os.makedirs(f"{home}/Maildir/{d}")
        os.makedirs(home, exist_ok=True)
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", f"{uid}:{uid}", home], check=True)
        self.users[name] = (uid, home)
        self.write_users("".join(
            f"={n}:{n}:{u}:{u}:{h}:::\n+{n}-:{n}:{u}:{u}:{h}:-::\n" for n, (u, h) in self.users.items()))
        return home

    def write_users(self, lines):
        with open(f"{self.home}/users/assign", "w", encoding="ascii") as f:
            f.write(lines + ".\n")
        subprocess.run([program("qmail-newu")], env=self.environment(), check=True)

    def dotqmail(self, user, text, ext="", mode=0o644):
        uid, home = self.users[user]
        path = f"{home}/.qmail{ext}"
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        if os.getuid() == 0:
            os.chown(path, uid, uid)

    def start(self, **environment):
        self.log = open(f"{self.dir}/log", "ab")
        self.process = subprocess.Popen([program("qmail-lspawn"), self.default], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.log,
                                        env=self.environment(**environment), start_new_session=True)
        wait_until(lambda: self._listens(), what="qmail-lspawn")
        return self

    def _listens(self):
        assert self.process.poll() is None, self.log_text()
        try:
            self.connect().close()
            return True
        except OSError:
            return False

    def log_text(self):
        with open(f"{self.dir}/log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def connect(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(30)
        s.connect(f"{self.home}/run/lspawn")
        return s

    def send(self, s, recipient, message=b"Subject: x\n\nbody\n", sender=b"s@x.test"):
        """Asks for a delivery; its number."""
        self.number += 1
        fd = memfd(message)
        s.sendmsg([request(self.number, sender, recipient.encode(), len(message))],
                  [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        os.close(fd)
        return self.number

    def deliver(self, recipient, message=b"Subject: x\n\nbody\n", sender=b"s@x.test"):
        """One delivery on a connection of its own: (letter, text)."""
        with self.connect() as s:
            number = self.send(s, recipient, message, sender)
            got, letter, text = result(s.recv(200000))
            assert got == number
            return letter, text

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode if self.process else None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.dir, True)

"""qmail-rspawn alone, and qmail-send's side of its protocol."""
import array
import os
import shutil
import socket
import struct
import subprocess
import tempfile

from .instance import program
from .net import wait_until


class Rspawn:
    """qmail-rspawn in a home of its own with these control files."""

    def __init__(self, home=None, files=None, environment=None, **control):
        self.own_home = home is None
        self.home = home or tempfile.mkdtemp(prefix="rspawn.", dir="/tmp")
        for name in ("control", "run"):
            os.makedirs(f"{self.home}/{name}", exist_ok=True)
        self.control(me="me.test", timeoutremote="5", timeoutconnect="3", **control)
        for name, text in (files or {}).items():
            self.write(name, text)
        self.log = open(f"{self.home}/rspawn.log", "ab")
        self.process = subprocess.Popen([program("qmail-rspawn")], stderr=self.log,
                                        env={**os.environ, "QMAILHOME": self.home, **(environment or {})})
        self.socket, self.results, self.last = None, {}, 0
        wait_until(self._connect, what="qmail-rspawn")

    def write(self, name, text):
        """A file in control/, also in a directory there."""
        os.makedirs(os.path.dirname(f"{self.home}/control/{name}"), exist_ok=True)
        with open(f"{self.home}/control/{name}", "w", encoding="utf-8") as f:
            f.write(text)

    def control(self, **files):
        for name, text in files.items():
            with open(f"{self.home}/control/{name}", "w", encoding="utf-8") as f:
                f.write(text + "\n")

    def _connect(self):
        assert self.process.poll() is None, self.log_text()
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(60)
        try:
            s.connect(f"{self.home}/run/rspawn")
        except OSError:
            s.close()
            return False
        self.socket = s
        return True

    def reconnect(self):
        self.socket.close()
        self._connect()

    def request(self, recipients, content=b"Subject: x\n\nhello\n", host=None, sender="s@a.test", size=None, flags=0):
        """Asks for a delivery; returns its number."""
        self.last += 1
        host = recipients[0].rpartition("@")[2] if host is None else host
        packet = struct.pack("<BIQQB", 1, self.last, 77, len(content) if size is None else size, flags)
        for s in (sender, host):
            packet += string(s)
        packet += struct.pack("<I", len(recipients)) + b"".join(string(r) for r in recipients)
        with message_file(content) as f:
            self.socket.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [f.fileno()]))])
        self.results[self.last] = [None] * len(recipients)
        return self.last

    def wait(self, number):
        """The results of a delivery: [(letter, text)], one for each recipient."""
        while None in self.results[number]:
            packet = self.socket.recv(200000)
            assert packet, "qmail-rspawn closed the connection"
            kind, i, recipient, letter, n = struct.unpack_from("<BIIcI", packet)
            assert kind == 2 and len(packet) == 15 + n and self.results[i][recipient] is None
            self.results[i][recipient] = (letter.decode(), packet[14:-1].decode("utf-8", "surrogateescape"))
        return self.results[number]

    def deliver(self, *recipients, **options):
        return self.wait(self.request(list(recipients) or ["r@h.test"], **options))

    def log_text(self):
        with open(f"{self.home}/rspawn.log", encoding="utf-8") as f:
            return f.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.terminate()
        try:
            status = self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()
        text = self.log_text()
        if self.own_home:
            shutil.rmtree(self.home, True)
        assert status == 0, text


def string(s):
    data = s.encode("utf-8", "surrogateescape") if isinstance(s, str) else s
    return struct.pack("<I", len(data)) + data


def message_file(content):
    f = tempfile.TemporaryFile()
    f.write(content)
    f.flush()
    return f

"""qmail-smtpd alone, with a program in $QMAILQUEUE that records what it is given."""
import glob
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile

from .instance import UID, program
from .net import wait_until

# Reads the message from descriptor 0 and the envelope from descriptor 1, as every $QMAILQUEUE program does.
RECORDER = """#!/bin/sh
cat >"$RECORD/$$.message"
cat 0<&1 >"$RECORD/$$.tmp"
env >"$RECORD/$$.variables"
mv "$RECORD/$$.tmp" "$RECORD/$$.envelope"
exit $(cat "$RECORD/exit")
"""


class Recorded:
    def __init__(self, path):
        def read(ending):
            with open(path + ending, "rb") as f:
                return f.read()
        self.message, self.variables = read(".message"), read(".variables").decode(errors="replace")
        envelope = read(".envelope")
        self.complete = envelope.endswith(b"\0\0")
        sender, *recipients = envelope[:-2].split(b"\0") if self.complete else [b""]
        self.sender, self.recipients = sender[1:], [r[1:] for r in recipients]

    @property
    def content(self):
        """Without our Received field."""
        return re.sub(rb"\AReceived: [^\n]*\n  by [^\n]*\n", b"", self.message)


class Smtpd:
    def __init__(self, **control):
        self.dir = tempfile.mkdtemp(prefix="smtpd.", dir="/tmp")
        self.home, self.record = self.dir + "/home", self.dir + "/record"
        for path in (self.home, self.home + "/control", self.record):
            os.mkdir(path)
        self.queue = self.dir + "/queue"
        with open(self.queue, "w", encoding="ascii") as f:
            f.write(RECORDER)
        os.chmod(self.queue, 0o755)
        self.exit_with(0)
        self.control(**{"me": "mx.test", "rcpthosts": "ok.test", **control})
        os.chmod(self.dir, 0o755)
        os.chmod(self.record, 0o777)
        self.environment = {"PATH": "/usr/bin:/bin", "QMAILHOME": self.home, "RECORD": self.record,
                            "QMAILQUEUE": self.queue}
        for name in os.environ:
            if name.startswith(("ASAN_", "UBSAN_", "LSAN_", "GCOV_")):
                self.environment[name] = os.environ[name]
        self.log_path = self.dir + "/log"
        self.process, self.ports = None, []

    def control(self, **files):
        for name, text in files.items():
            with open(f"{self.home}/control/{name}", "wb") as f:
                f.write(text if isinstance(text, bytes) else text.encode() + b"\n")

    def exit_with(self, code):
        with open(self.record + "/exit", "w", encoding="ascii") as f:
            f.write(str(code))

    def _as_user(self):
        return {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}

    def spawn(self, *command, **options):
        return subprocess.Popen(command, env=self.environment, **self._as_user(), **options)

    # ---- its own listener ----------------------------------------------------------

    def listen(self, *addresses, wrap=()):
        """Starts the listener; self.ports get the ports it took."""
        options = [o for a in addresses for o in ("-l", a)] or ["-d"]
        with open(self.log_path, "ab") as log:
            self.process = self.spawn(*wrap, program("qmail-smtpd"), *options, stderr=log)

        def listening():
            assert self.process.poll() is None, self.log()
            self.ports = [int(p) for p in re.findall(r"listening on \S+:(\d+)$", self.log(), re.M)]
            return len(self.ports) >= max(1, len(addresses))
        wait_until(listening, what="qmail-smtpd")
        return self.ports[0]

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def connect(self, host="127.0.0.1", port=None):
        s = socket.create_connection((host, port or self.ports[0]), timeout=30)
        return Talk(s)

    def smtp(self, host="127.0.0.1", port=None):
        return smtplib.SMTP(host, port or self.ports[0], timeout=30)

    # ---- one session ---------------------------------------------------------------

    def session(self, data, environment=None, timeout=30, server="qmail-smtpd"):
        """(replies, exit code) of a session on descriptors 0 and 1, which are pipes."""
        result = subprocess.run([program(server)], input=data, env={**self.environment, **(environment or {})},
                                capture_output=True, timeout=timeout, check=False, **self._as_user())
        return result.stdout, result.returncode

    # ---- results -------------------------------------------------------------------

    def recorded(self, complete=True):
        found = [Recorded(path[:-len(".envelope")]) for path in sorted(glob.glob(self.record + "/*.envelope"),
                                                                       key=os.path.getmtime)]
        return [r for r in found if r.complete or not complete]

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self.process = None
        assert status == 0, self.log()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.stop()
        finally:
            if kind is not None:
                print(self.log()[-3000:])
            shutil.rmtree(self.dir, True)


class Talk:
    """A socket with replies read by line."""

    def __init__(self, s):
        self.socket = s
        self.file = s.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        return self.file.readline()

    def rest(self):
        """Everything up to the end of the connection."""
        try:
            return self.file.read()
        except ConnectionResetError:
            return b"reset"

    def ask(self, data):
        self.send(data + b"\r\n")
        return self.line()

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

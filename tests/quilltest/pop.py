"""POP3 servers for tests: one session on descriptors, or qmail-popup with sockets of its own."""
import os
import poplib
import socket
import subprocess
import time

from .instance import program
from .net import free_port, wait_until


class Session:
    """A server on one end of a socket pair: bytes in, bytes out, nothing in between."""

    def __init__(self, site, *command, cwd=None, environment=None):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(30)
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, cwd=cwd or site.dir,
                                        env={**site.environment, **(environment or {})}, **site._as_user())
        theirs.close()
        self.rest = b""

    def line(self):
        while b"\n" not in self.rest:
            data = self.socket.recv(65536)
            if not data:
                return self.rest
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line + b"\n"

    def say(self, data):
        self.socket.sendall(data)

    def ask(self, command):
        self.say(command.encode() + b"\r\n")
        return self.line()

    def lines(self, command):
        """The first line of the answer, and those up to the final dot, joined."""
        first, rest = self.ask(command), b""
        while not rest.endswith(b"\n.\r\n") and rest != b".\r\n":
            line = self.line()
            assert line, rest
            rest += line
        return first, rest

    def close(self):
        """Ends the connection as a broken one ends; the exit code."""
        self.socket.close()
        return self.wait()

    def wait(self):
        self.stderr = self.process.communicate(timeout=30)[1]
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        if self.process.poll() is None:
            try:
                self.process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()


class Listener:
    """qmail-popup -l, for the mailboxes of an instance."""

    def __init__(self, site, *options, checker=("checkpassword-mailbox",), host="127.0.0.1"):
        self.host, self.port = host, free_port(host)
        self.log_path = f"{site.dir}/pop.{self.port}.log"
        with open(self.log_path, "wb") as log:
            self.process = site.spawn(program("qmail-popup"), *options, "-l", f"{host}:{self.port}", "pop.test", *checker,
                                      "qmail-pop3d", "Maildir", stdout=log, stderr=log)
        wait_until(lambda: "listening on" in self.log() or self.process.poll() is not None, 20, "qmail-popup")
        assert self.process.poll() is None, self.log()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def client(self, user=None, password=None):
        c = poplib.POP3(self.host, self.port, timeout=30)
        if user:
            c.user(user)
            c.pass_(password)
        return c

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(30) == 0


def put(site, maildir, name, content, age=10):
    """A message in a Maildir, delivered some seconds ago."""
    path = site.write(f"{maildir}/{name}", content, 0o600)
    then = time.time() - age
    os.utime(path, (then, then))
    return path

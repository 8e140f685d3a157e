"""What the checks in callers_*.py share; serves them inside the namespaces that test_callers.py makes.

  callers.py LAB BINDIR CHECKOUT

Installs the tree as lab.py does and starts it. Then each line on standard input, `MODULE NUMBER`, runs one check;
the answer is one line of JSON: null, or what went wrong. At the end of input everything is stopped.
"""
import contextlib
import importlib
import json
import os
import socket
import subprocess
import sys
import traceback

HOME = "/var/qmail"
BIN = HOME + "/bin"
ANN, BOB, ALIAS, QMAILD = (2001, 2001), (2002, 2002), (7790, 2108), (7791, 2108)
ROOT = (0, 0)
PLAIN = {"PATH": "/usr/bin:/bin"}


class Result:
    def __init__(self, process):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr

    def __repr__(self):
        return f"code {self.code}, out {self.out!r}, err {self.err!r}"


def run(*command, who=ANN, data=b"", env=None, cwd="/", timeout=20):
    """Runs it as a user, with just PATH and env in its environment. A name without a slash is one of ours."""
    if "/" not in command[0]:
        command = (f"{BIN}/{command[0]}",) + command[1:]
    if isinstance(data, str):
        data = data.encode()
    return Result(subprocess.run(command, input=data, env={**PLAIN, **(env or {})}, cwd=cwd, user=who[0], group=who[1],
                                 extra_groups=[], capture_output=True, timeout=timeout, check=False))


@contextlib.contextmanager
def control(**files):
    """Control files for a while; None: absent. `__` stands for the dot in morercpthosts.cdb."""
    before = {}
    for name, text in files.items():
        path = f"{HOME}/control/{name.replace('__', '.')}"
        try:
            with open(path, "rb") as f:
                before[path] = f.read()
        except FileNotFoundError:
            before[path] = None
        put(path, text)
    try:
        yield
    finally:
        for path, text in before.items():
            put(path, text)


def put(path, text, mode=0o644):
    if text is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return path
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)
    return path


# ---- programs in the place of qmail-queue -------------------------------------------

def directory():
    """A new directory that everybody may write to."""
    directory.count += 1
    path = f"{sys.argv[1]}/d{directory.count}"
    os.mkdir(path)
    os.chmod(path, 0o777)
    return path


directory.count = 0


class Catcher:
    """$QMAILQUEUE: keeps the message and the envelope, says `words`, and ends with `code`."""

    def __init__(self, code=0, words=""):
        self.directory = directory()
        self.path = put(self.directory + "/queue", f"#!/bin/sh\numask 0\npwd >{self.directory}/place\ncd {self.directory}\n"
                        f"cat >message\ncat <&1 >envelope\nenv >environment\necho $# >arguments\n{words}\n"
                        f"exit {code}\n", 0o755)
        self.env = {"QMAILQUEUE": self.path}

    def read(self, name):
        with open(f"{self.directory}/{name}", "rb") as f:
            return f.read()

    @property
    def message(self):
        return self.read("message")

    @property
    def envelope(self):
        return self.read("envelope")

    @property
    def sender(self):
        return self.envelope.split(b"\0")[0][1:]

    @property
    def recipients(self):
        return [r[1:] for r in self.envelope.split(b"\0")[1:-2]]


# ---- SMTP ---------------------------------------------------------------------------

def smtp(data, env=None, who=QMAILD):
    """One session with all input at once. CRLF is put at line ends of a str; bytes are sent as they are."""
    if isinstance(data, str):
        data = data.replace("\n", "\r\n").encode("latin-1")
    result = run("qmail-smtpd", who=who, data=data, env=env)
    assert result.err == b"", result
    assert result.out.endswith(b"\r\n"), result
    result.lines = result.out.decode("latin-1")[:-2].split("\r\n")
    return result


def is_(got, wanted):
    assert got == wanted, f"\n got    {got!r}\n wanted {wanted!r}"


def cases(table):
    """Makes one check of each row; a row's first column names it."""
    def mark(function):
        function.rows = list(table)
        return function
    return mark


def checks(module):
    """[(name, function, arguments)] of everything named check_*."""
    found = []
    for name, function in vars(module).items():
        if name.startswith("check_") and callable(function):
            rows = getattr(function, "rows", None)
            if rows is None:
                found.append((name[6:], function, ()))
            else:
                found += [(f"{name[6:]}[{row[0]}]", function, row) for row in rows]
    return found


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:0] = [here, os.path.dirname(here)]
    sys.modules["callers"] = sys.modules["__main__"]
    import lab
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    lab.make_machine(sys.argv[2], sys.argv[3])
    socket.sethostname("machine.lab.test")
    mail = lab.Mail("tcpserver")
    assert lab.until(lambda: "status:" in mail.log()), mail.log()
    lab.mail = mail
    for line in sys.stdin:
        module, number = line.split()
        name, function, arguments = checks(importlib.import_module(module))[int(number)]
        try:
            function(*arguments)
            answer = None
        except Exception:  # whatever goes wrong in a check is its answer
            answer = f"{name}:\n{traceback.format_exc()}"
        print(json.dumps(answer), file=answers, flush=True)
    mail.stop()


if __name__ == "__main__":
    main()

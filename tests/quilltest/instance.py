"""A private mail system in a temporary directory, run by an ordinary user on loopback."""
import os
import re
import shutil
import signal
import smtplib
import stat
import subprocess
import sys
import tempfile
import time
import uuid

from .mailbox import maildir, mbox
from .net import free_port, wait_until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UID = int(os.environ.get("QUILL_TEST_UID", "20001"))  # nobody's: instances work without a password entry


def _reachable(path):
    """May anybody run programs in path?"""
    while path != "/":
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
        path = os.path.dirname(path)
    return True


def _find_bin():
    """QUILL_BIN, or build/bin; a copy that every user may run where the checkout is private."""
    path = os.path.abspath(os.environ.get("QUILL_BIN", os.path.join(TOP, "build/bin")))
    if os.getuid() != 0 or not os.path.isdir(path) or _reachable(path):
        return path
    import atexit
    copy = tempfile.mkdtemp(prefix="quill-bin.")
    atexit.register(shutil.rmtree, copy, True)
    os.chmod(copy, 0o755)
    for name in os.listdir(path):
        shutil.copy(os.path.join(path, name), copy)
        os.chmod(os.path.join(copy, name), 0o755)
    return copy


BIN = _find_bin()


def program(name):
    return os.path.join(BIN, name)


def sanitized():
    """Are these programs of `make sanitize`? Those need more memory and time."""
    with open(program("qmail-local"), "rb") as f:
        return b"__asan_init" in f.read()


class Instance:
    """
    with Instance(me="a.test") as i:
        i.add_user("joe")
        i.start()
        i.send("x@y.test", ["joe@a.test"], b"Subject: hi\\n\\nbody\\n")
        i.wait_delivered("joe", 1)

    Remote mail goes to sink (if given) whatever its domain. control: further control files, name -> text. The
    directory and every process are gone afterwards; a process that outlived `quill up` fails the test. below: where
    the directory is made.
    """

    def __init__(self, me="a.test", sink=None, control=None, default_delivery="./Maildir/", environment=None,
                 below="/tmp"):
        self.me = me
        self.dir = tempfile.mkdtemp(prefix="quill.", dir=below)
        self.mark = uuid.uuid4().hex
        self.home = self.dir + "/home"
        self.log_path = self.dir + "/log"
        self.port = free_port()
        self.process = None
        self.users, self.sessions = {}, set()
        self.as_root = os.getuid() == 0
        self.uid, self.gid = (UID, UID) if self.as_root else (os.getuid(), os.getgid())
        self.environment = {
            "PATH": f"{BIN}:/usr/bin:/bin", "QMAILHOME": self.home, "QUILLTEST": self.mark, "LANG": "C",
            "USER": "tester", "HOME": self.dir,
        }
        for name in os.environ:
            if name.startswith(("ASAN_", "UBSAN_", "LSAN_", "GCOV_")):
                self.environment[name] = os.environ[name]
        self.environment.update(environment or {})
        if self.as_root:
            os.chown(self.dir, self.uid, self.gid)
        self.run(program("quill"), "init", self.home, "--me", me, "--smtp", f"127.0.0.1:{self.port}")
        # No question leaves the machine: without a test's own servers there is no DNS.
        self.control(**{"defaultdelivery": default_delivery, "dnsservers": f"127.0.0.1:{free_port()}", "dnsanchor": "",
                        **(control or {})})
        if sink is not None:
            self.control(smtproutes=f":{sink.host}:{sink.port}")

    # ---- running things as the instance's user -----------------------------------

    def _as_user(self):
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.as_root else {}

    def run(self, *command, check=True, timeout=60, environment=None, **options):
        """Runs a command as the instance's user, in its environment; its output is captured."""
        result = subprocess.run(command, env={**self.environment, **(environment or {})}, cwd=self.dir,
                                capture_output=True, timeout=timeout, **self._as_user(), **options)
        if check and result.returncode != 0:
            raise AssertionError(f"{command} exited {result.returncode}: {result.stderr.decode(errors='replace')}")
        return result

    def spawn(self, *command, environment=None, **options):
        return subprocess.Popen(command, env={**self.environment, **(environment or {})}, cwd=self.dir,
                                **self._as_user(), **options)

    # ---- configuration -------------------------------------------------------------

    def write(self, path, text, mode=0o644):
        """Writes a file of the instance's user; relative paths are below the home. None removes it."""
        path = os.path.join(self.home, path)
        if text is None:
            if os.path.exists(path):
                os.unlink(path)
            return path
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        if self.as_root:
            os.chown(path, self.uid, self.gid)
        return path

    def control(self, **files):
        """control files, one for each argument; None removes one."""
        for name, text in files.items():
            if text is not None and not str(text).endswith("\n") and str(text):
                text = f"{text}\n"
            self.write("control/" + name, text)

    def add_user(self, name, qmail=None, **extensions):
        """
        A local user, with the text of .qmail and of .qmail-EXT for extensions (underscores in their names mean
        hyphens). Returns the user's home.
        """
        home = f"{self.dir}/{name}"
        if name not in self.users:
            os.mkdir(home, 0o755)
            self.users[name] = home
            for d in ("Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"):
                os.mkdir(f"{home}/{d}", 0o700)
            if self.as_root:
                for path in (home, *(f"{home}/{d}" for d in ("Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"))):
                    os.chown(path, self.uid, self.gid)
            self._assign()
        if qmail is not None:
            self.write(f"{home}/.qmail", qmail, 0o600)
        for extension, text in extensions.items():
            self.write(f"{home}/.qmail-{extension.replace('_', '-')}", text, 0o600)
        return home

    def _assign(self):
        lines = []
        for name, home in self.users.items():
            lines.append(f"={name}:{name}:{self.uid}:{self.gid}:{home}:::\n")
            lines.append(f"+{name}-:{name}:{self.uid}:{self.gid}:{home}:-::\n")
        alias = f"alias:{self.uid}:{self.gid}:{self.home}/alias"
        lines.append(f"+:{alias}:-::\n.\n")
        self.write("users/assign", "".join(lines))
        self.run(program("qmail-newu"))

    # ---- life ------------------------------------------------------------------------

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.stop(check=kind is None)
            assert kind is not None or not self.leftovers(), f"left running: {self.leftovers()}"
        finally:
            for pid in self.leftovers():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            log = self.log()[-6000:]
            shutil.rmtree(self.dir, ignore_errors=True)
            if kind is not None:
                print(f"---- log of {self.me} ----\n{log}", file=sys.stderr)

    def start(self, timeout=30):
        """`quill up`, until it says that mail is accepted."""
        with open(self.log_path, "ab") as log:
            before = log.tell()
            self.process = self.spawn(program("quill"), "up", self.home, stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self.sessions.add(self.process.pid)

        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"quill up exited {self.process.returncode}:\n{self.log()[before:]}")
            return "quill: ready" in self.log()[before:]
        wait_until(ready, timeout, "quill up to be ready")
        return self

    def stop(self, check=True, timeout=30):
        """SIGTERM to `quill up`; it must end in order."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.terminate()
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"quill up did not end on SIGTERM:\n{self.log()[-3000:]}") from None
        if check:
            assert status in (0, -signal.SIGTERM), f"quill up exited {status}:\n{self.log()[-3000:]}"

    def kill_all(self):
        """SIGKILL to everything at once, as a crash would."""
        for pid in self.leftovers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process is not None:
            self.process.wait()
            self.process = None
        wait_until(lambda: not self.leftovers(), 10, "killed processes to go")

    def leftovers(self):
        """This instance's processes, by its mark in their environment or by their session: {pid: name}."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    text = f.read()
                state, _, _, session = text.rpartition(")")[2].split()[:4]
                if state != "Z" and (int(session) in self.sessions or self._marked(pid)):
                    found[int(pid)] = text[text.index("(") + 1:text.rindex(")")]
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass
        return found

    def _marked(self, pid):
        with open(f"/proc/{pid}/environ", "rb") as f:
            return f"QUILLTEST={self.mark}".encode() in f.read()

    def pid_of(self, name):
        """The oldest process of that name (names are cut to 15 bytes by the kernel)."""
        pids = sorted(pid for pid, comm in self.leftovers().items() if comm == name[:15])
        assert pids, f"no process {name} among {self.leftovers()}"
        return pids[0]

    def signal(self, name, number):
        os.kill(self.pid_of(name), number)

    # ---- mail -------------------------------------------------------------------------

    def smtp(self, timeout=60):
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.test", timeout=timeout)

    def send(self, sender, recipients, message, options=()):
        """One SMTP session with one message; message with LF or CRLF line ends."""
        message = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        with self.smtp() as client:
            return client.sendmail(sender, recipients, message, mail_options=options)

    def inject(self, *arguments, message=b"Subject: x\n\nbody\n", name="qmail-inject", check=True, environment=None):
        return self.run(program(name), *arguments, input=message, check=check, environment=environment)

    def queue(self, message, sender, *recipients, check=True, raw=None):
        """Speaks to qmail-queue on descriptors 0 and 1; raw replaces the envelope's bytes. Returns its exit code."""
        envelope = raw
        if envelope is None:
            envelope = b"F" + sender.encode() + b"\0" + b"".join(b"T" + r.encode() + b"\0" for r in recipients) + b"\0"
        with tempfile.TemporaryFile() as m, tempfile.TemporaryFile() as e:
            m.write(message)
            e.write(envelope)
            m.seek(0)
            e.seek(0)
            # As a program would: both descriptors readable.
            process = self.spawn(program("qmail-queue"), stdin=m, stdout=e, stderr=subprocess.PIPE)
            _, error = process.communicate(timeout=60)
        assert not check or process.returncode == 0, f"qmail-queue exited {process.returncode}: {error}"
        return process.returncode

    # ---- looking -----------------------------------------------------------------------

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, timeout=20, count=1):
        """Until pattern matches count times; returns the matches."""
        expression = re.compile(pattern, re.M)
        try:
            return wait_until(lambda: (m := list(expression.finditer(self.log()))) if
                              len(expression.findall(self.log())) >= count else None, timeout, f"log line {pattern}")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log()[-4000:]}") from None

    def maildir(self, user):
        return maildir(f"{self.users[user]}/Maildir")

    def mbox(self, user, name="Mailbox"):
        return mbox(f"{self.users[user]}/{name}")

    def wait_delivered(self, user, count=1, timeout=30):
        """Until user's Maildir holds count messages; returns their contents."""
        try:
            wait_until(lambda: len(self.maildir(user)) >= count, timeout, f"{count} messages for {user}")
        except AssertionError as e:
            raise AssertionError(f"{e}; {len(self.maildir(user))} there\n{self.log()[-4000:]}") from None
        return self.maildir(user)

    def wait_empty(self, timeout=30):
        """Until every message that was begun has ended."""
        def empty():
            log = self.log()
            begun = re.findall(r"^new msg (\d+)$", log, re.M)
            ended = re.findall(r"^end msg (\d+)$", log, re.M)
            return len(begun) == len(ended)
        try:
            wait_until(empty, timeout, "the queue to be empty")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log()[-4000:]}") from None

    def settle(self, seconds=0.5):
        time.sleep(seconds)

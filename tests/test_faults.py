"""System calls that fail, disks that fill up and processes that die at a chosen call, in a running system.

strace lets the chosen calls of one process (and its children) fail. Whatever fails: what was acknowledged is delivered
once the fault is over, new mail gets temporary errors meanwhile, and service resumes by itself.

FAULT_SWEEP=N kills at each of the first N calls.
"""
import os
import resource
import shutil
import signal
import smtplib
import subprocess
import sys
import time

import pytest

from quilltest import Ledger, children_of, compose, program, wait_until
from test_sandbox import instrumented

SWEEP = int(os.environ.get("FAULT_SWEEP", "0"))
WRITES = "pwrite64,pwritev,pwritev2,write,writev"

needs_strace = pytest.mark.skipif(not shutil.which("strace") or os.getuid() != 0, reason="needs strace and root")


class Fault:
    """with Fault(instance, "qmail-journal", "fdatasync", "error=EIO"): …"""

    def __init__(self, instance, process, calls, what):
        self.pid = instance.pid_of(process)
        self.command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e",
                        f"inject={calls}:{what}", "-p", str(self.pid)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE)
        wait_until(self._attached, 10, "strace to attach")
        return self

    def _attached(self):
        assert self.process.poll() is None, self.process.stderr.read()
        with open(f"/proc/{self.pid}/status") as f:
            return f"TracerPid:\t{self.process.pid}\n" in f.read()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:  # it can miss the end of a thread; the kernel detaches for it
            self.process.kill()
            self.process.wait(10)
        finally:
            self.process.stderr.close()


class Sender:
    def __init__(self, instance):
        self.instance, self.ledger, self.count = instance, Ledger(), 0
        self.replies, self.timeout = [], 10

    def one(self, size=500):
        """True if accepted. A refusal must be temporary."""
        key = f"m{self.count}"
        self.count += 1
        self.ledger.uncertain.add(key)
        try:
            with smtplib.SMTP("127.0.0.1", self.instance.port, local_hostname="client.test",
                              timeout=self.timeout) as s:
                s.sendmail("s@client.test", ["joe@a.test"], compose(key, size).replace(b"\n", b"\r\n"))
        except smtplib.SMTPResponseException as e:
            assert 400 <= e.smtp_code < 500, e
            self.replies.append(e.smtp_code)
            return False
        except (OSError, smtplib.SMTPException):
            return False
        self.ledger.acknowledged.add(key)
        return True

    def settle(self, seconds=30):
        """The fault is over: mail is accepted again, and everything acknowledged arrives."""
        wait_until(self.one, 20, "mail to be accepted again")

        def all_there():
            if not hasattr(self, "next_alarm") or time.monotonic() > self.next_alarm:
                self.next_alarm = time.monotonic() + 1
                try:
                    self.instance.signal("qmail-send", signal.SIGALRM)
                except (AssertionError, ProcessLookupError):
                    pass  # it is being started again
            found = {i[0] for m in self.instance.maildir("joe") if (i := Ledger.identify(m))}
            return self.ledger.acknowledged <= found
        try:
            wait_until(all_there, seconds, "every acknowledged message")
        except AssertionError:
            pass
        return self.ledger.check(self.instance.maildir("joe"))


# process, calls, what happens to them, and what must show that it did: an SMTP reply (a class of it) or a log line
FAULTS = [
    ("qmail-journal", "fdatasync,fsync", "error=EIO", 4),
    ("qmail-journal", "fdatasync", "error=EIO:when=1", 4),
    ("qmail-journal", "fdatasync,fsync", "error=ENOSPC", 4),
    ("qmail-journal", "pwrite64,pwritev,pwritev2", "error=EIO", 4),
    ("qmail-journal", "pwrite64,pwritev,pwritev2", "error=ENOSPC:when=1+2", 4),
    ("qmail-journal", "fallocate", "error=ENOSPC", None),
    ("qmail-journal", "openat", "error=EMFILE", 4),
    ("qmail-journal", "accept,accept4", "error=EMFILE", None),
    ("qmail-journal", "memfd_create", "error=EMFILE", None),
    ("qmail-lspawn", "clone,clone3,fork,vfork", "error=EAGAIN", r"^delivery \d+: deferral: "),
    ("qmail-lspawn", "fsync,fdatasync", "error=EIO", r"^delivery \d+: deferral: "),
    ("qmail-lspawn", "linkat,link,rename,renameat,renameat2", "error=ENOSPC", r"^delivery \d+: deferral: "),
    ("qmail-lspawn", "openat", "error=EMFILE", r"^delivery \d+: deferral: "),
    ("qmail-lspawn", "write,writev,pwrite64", "error=ENOSPC:when=2+3", None),
    ("qmail-smtpd", "clone,clone3,fork,vfork", "error=EAGAIN", None),
    ("qmail-smtpd", "accept,accept4", "error=EMFILE", None),
    ("qmail-send", "clone,clone3,fork,vfork", "error=EAGAIN", None),
    ("qmail-send", "pipe,pipe2", "error=EMFILE", None),
]


@needs_strace
@pytest.mark.parametrize("process, calls, what, shows", FAULTS)
def test_failing_calls(make_instance, process, calls, what, shows):
    instance = make_instance("joe")
    sender = Sender(instance)
    # The process of a first delivery would live on and take the next ones, unseen by strace.
    before = process != "qmail-lspawn"
    if before:
        assert sender.one()
        instance.wait_delivered("joe", 1)
    pid = instance.pid_of(process)
    if "accept" in calls:
        # A process of qmail-smtpd that waits for another session keeps its connection to the journal.
        wait_until(lambda: children_of(instance.pid_of("qmail-smtpd")) == [], what="the end of idle processes")
    sender.timeout = 1 if "accept" in calls else 10
    with Fault(instance, process, calls, what):
        for _ in range(3):
            sender.one()
        if sender.timeout > 1:
            sender.one(1_500_000)
        if isinstance(shows, str):
            instance.wait_log(shows)
        time.sleep(0.2)
        ticks = cpu(pid)
        time.sleep(0.3)
        assert cpu(pid) - ticks < 15, "it spins"
    sender.timeout = 10
    assert shows != 4 or sender.replies, "nothing failed"
    assert "accept" not in calls or len(sender.ledger.acknowledged) == 1, "nothing failed"
    sender.settle()


@pytest.mark.parametrize("process", ["qmail-journal", "qmail-smtpd"])
def test_no_descriptors_left(make_instance, process):
    """A loop whose accept fails must not spin; it goes on when there are descriptors again."""
    instance = make_instance("joe")
    sender = Sender(instance)
    sender.timeout = 1
    pid = instance.pid_of(process)
    with open(f"/proc/{pid}/limits") as f:
        before = next(line.split()[3] for line in f if line.startswith("Max open files"))
    used = len(os.listdir(f"/proc/{pid}/fd"))
    instance.run("prlimit", "--pid", str(pid), f"--nofile={used}:")
    assert not any([sender.one() for _ in range(3)]), "there was a descriptor left"
    ticks = cpu(pid)
    time.sleep(0.5)
    assert cpu(pid) - ticks < 15, "it spins"
    instance.run("prlimit", "--pid", str(pid), f"--nofile={before}:")
    sender.timeout = 10
    sender.settle()


HALF_MESSAGES = """
import resource, socket, struct, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (5000, 5000))
frame = lambda kind, payload: struct.pack("<IB", len(payload) + 1, kind) + payload
held = []
for n in range(1500):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    try:
        s.sendall(frame(1, b"a@b.test") + frame(2, b"joe@a.test") + frame(5, b"x" * 1000))
    except OSError:
        pass
    held.append(s)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs a second user")
def test_one_user_cannot_take_every_place(make_instance):
    instance = make_instance("joe")
    os.chmod(instance.dir, 0o711)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 5000:
        pytest.skip("too few descriptors")
    with subprocess.Popen([sys.executable, "-c", HALF_MESSAGES, f"{instance.home}/run/journal"], user=instance.uid + 1,
                          group=instance.uid + 1, extra_groups=[], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as greedy:
        assert greedy.stdout.readline() == b"held\n"
        instance.wait_log(r"^qmail-journal: warning: turning clients away: too many are connected$")
        sender = Sender(instance)
        assert sender.one()
        assert sender.settle() == 0
        greedy.stdin.close()
    assert len(instance.maildir("joe")) == 2, "half a message became one"


# Long lists of recipients that never come to an end.
LONG_LISTS = """
import socket, struct, sys
frame = lambda kind, payload: struct.pack("<IB", len(payload) + 1, kind) + payload
data = frame(1, b"a@b.test") + frame(2, b"x" * 990 + b"@a.test") * 20000
held = []
for n in range(40):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    try:
        s.sendall(data)
    except OSError:
        pass
    held.append(s)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.getuid() != 0 or instrumented(), reason="needs a second user, and memory that can be limited")
def test_one_user_cannot_take_all_memory(make_instance):
    instance = make_instance("joe")
    os.chmod(instance.dir, 0o711)
    journal = instance.pid_of("qmail-journal")
    instance.run("prlimit", "--pid", str(journal), f"--data={400 << 20}:{400 << 20}")
    with subprocess.Popen([sys.executable, "-c", LONG_LISTS, f"{instance.home}/run/journal"], user=instance.uid + 1,
                          group=instance.uid + 1, extra_groups=[], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as greedy:
        assert greedy.stdout.readline() == b"held\n"
        instance.wait_log(r"^qmail-journal: warning: message of pid \d+ \(uid \d+\) refused: those that come in take")
        sender = Sender(instance)
        assert sender.one()
        assert sender.settle() == 0
        greedy.stdin.close()
    assert instance.pid_of("qmail-journal") == journal


# As many connections as there may be in all, and more.
CONNECTIONS = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
held = []
for _ in range(4500):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    held.append(s)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs a second user")
def test_one_user_cannot_take_dns_away(make_instance):
    instance = make_instance("joe", control={"hosts": "192.0.2.1 far.test\n"})
    os.chmod(instance.dir, 0o711)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 5000:
        pytest.skip("too few descriptors")
    with subprocess.Popen([sys.executable, "-c", CONNECTIONS, f"{instance.home}/run/resolve"], user=instance.uid + 1,
                          group=instance.uid + 1, extra_groups=[], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as greedy:
        assert greedy.stdout.readline() == b"held\n"
        instance.wait_log(r"^resolve: warning: turning away uid \d+: it has 50 connections$")
        assert b"192.0.2.1" in instance.run(program("quill"), "dns", "far.test").stdout
        greedy.stdin.close()


def cpu(pid):
    """Hundredths of a second that pid has used; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return int(fields[11]) + int(fields[12])


@needs_strace
@pytest.mark.parametrize("process", ["qmail-journal", "qmail-send"])
def test_death_at_each_call(make_instance, process):
    instance = make_instance("joe")
    sender = Sender(instance)
    calls = f"{WRITES},fdatasync,sendmsg,sendto,recvmsg,read"
    points = range(1, SWEEP + 1) if SWEEP else (1, 2, 3, 5, 8, 12)
    for n in points:
        with Fault(instance, process, calls, f"signal=SIGKILL:when={n}"):
            for _ in range(3):
                sender.one()
        wait_until(sender.one, 20, "mail to be accepted again")
    assert sender.settle() <= 10 * len(points)


class Full:
    """A small file system of its own on path of an instance's home."""

    def __init__(self, instance, path, options):
        self.path = f"{instance.home}/{path}" if not path.startswith("/") else path
        os.makedirs(self.path, exist_ok=True)
        subprocess.run(("mount", "-t", "tmpfs", "-o", f"mode=750,uid={instance.uid},gid={instance.gid},{options}",
                        "tmpfs", self.path), check=True)
        self.instance = instance

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.instance.stop()
        subprocess.run(("umount", self.path), check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")
def test_queue_disk_full(make_instance):
    """New mail gets 451 and exit 53, deliveries go on, and service resumes when there is room."""
    instance = make_instance("joe", start=False, control={"concurrencylocal": "0"})
    with Full(instance, "queue", "size=200m"):
        instance.start()
        sender = Sender(instance)
        for _ in range(300):
            if not sender.one(900_000):
                break
        assert sender.replies == [451] and len(sender.ledger.acknowledged) > 50
        assert instance.queue(b"Subject: x\n\n" + b"x\n" * 450_000, "s@b.test", "joe@a.test", check=False) == 53
        # What is in the queue can be delivered although nothing fits any more, and makes room.
        instance.stop()
        instance.control(concurrencylocal="10")
        instance.start()
        assert sender.settle() == 0
        instance.wait_log(r"^qmail-journal: warning: .*(full|room)")
        assert instance.queue(b"Subject: x\n\n" + b"x\n" * 450_000, "s@b.test", "joe@a.test") == 0


@pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")
def test_queue_without_inodes(make_instance):
    instance = make_instance("joe", start=False)
    with Full(instance, "queue", "size=200m,nr_inodes=12"):
        instance.start()
        sender = Sender(instance)
        assert sender.one()
        n = 0
        try:
            while True:
                with open(f"{instance.home}/queue/lock/filler{n}", "w"):
                    n += 1
        except OSError:
            pass
        assert sender.one(), "a small message needs no file"
        assert not sender.one(1_500_000)
        assert sender.replies == [451]
        for i in range(n):
            os.unlink(f"{instance.home}/queue/lock/filler{i}")
        assert sender.one(1_500_000)
        assert sender.settle() == 0


@pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")
def test_mailbox_disk_full(make_instance):
    """A delivery that does not fit is tried again; nothing half is seen."""
    instance = make_instance("joe")
    maildir = f"{instance.users['joe']}/Maildir"
    shutil.rmtree(maildir)
    with Full(instance, maildir, "size=1m"):
        for d in ("tmp", "new", "cur"):
            os.mkdir(f"{maildir}/{d}")
            os.chown(f"{maildir}/{d}", instance.uid, instance.gid)
        with open(f"{maildir}/filler", "wb") as f:
            f.write(bytes(900_000))
        sender = Sender(instance)
        assert sender.one(300_000)
        instance.wait_log(r"^delivery \d+: deferral: ")
        assert not os.listdir(f"{maildir}/new") and not os.listdir(f"{maildir}/tmp")
        os.unlink(f"{maildir}/filler")
        assert sender.settle() == 0

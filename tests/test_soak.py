"""Mail of all kinds for a long time: the daemons neither grow nor keep descriptors, and nothing is lost.

The load comes in rounds. After each the queue is emptied and the daemons are measured; the last round is compared with
the second, when every cache has been filled. SOAK_SECONDS sets how long (`make soak`: half an hour); SOAK_SEED repeats
a run.
"""
import os
import random
import re
import shutil
import smtplib
import socket
import threading
import time

from quilltest import DROP, Ledger, Sink, Stall, compose, program, sanitized, wait_until

SECONDS = float(os.environ.get("SOAK_SECONDS", "6"))
ROUNDS = 3 if SECONDS < 120 else int(SECONDS / 30)
CLIENTS = 4
DAEMONS = ("qmail-send", "qmail-journal", "qmail-lspawn", "qmail-rspawn", "qmail-resolve", "qmail-smtpd")
PRIVATE_KIB = 2048  # what the allocator may hold more of at one moment than at another
BYTES_A_MESSAGE = 40


def misbehave(chance):
    """A mood for the sink's stages: mostly none."""
    def mood(*_):
        draw = chance.random()
        if draw < 0.90:
            return None
        return chance.choice(["421 4.3.2 going down", "451 4.3.0 later", "452 4.2.2 full", DROP, Stall(0.2)])
    return mood


class Client(threading.Thread):
    """Good sessions, broken ones, and an administrator's commands, until told to stop."""

    def __init__(self, instance, ledger, number, chance):
        super().__init__(daemon=True)
        self.instance, self.ledger, self.number, self.chance = instance, ledger, number, chance
        self.stopping = False
        self.failed = None
        self.count = 0

    def run(self):
        kinds = [self.session] * 12 + [self.broken_off] * 3 + [self.nonsense, self.inject, self.unknown, self.command]
        while not self.stopping:
            try:
                self.chance.choice(kinds)()
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)
            except AssertionError as e:
                self.failed = e
                return

    def key(self):
        self.count += 1
        return f"{self.number}-{self.count}"

    def send(self, session, recipients, key, size=400):
        message = compose(key, size).replace(b"\n", b"\r\n")
        self.ledger.uncertain.add(key)
        session.sendmail("s@client.test", recipients, message)
        self.ledger.acknowledged.add(key)

    def session(self):
        with self.instance.smtp(timeout=30) as session:
            for _ in range(self.chance.randrange(1, 12)):
                domain = f"d{self.chance.randrange(200)}.far.test"
                recipient = self.chance.choice(["joe@a.test", "ann-list@a.test", "program@a.test", f"x@{domain}"])
                self.send(session, [recipient], self.key(), self.chance.choice([200, 400, 4000, 70_000]))

    def broken_off(self):
        with socket.create_connection(("127.0.0.1", self.instance.port), timeout=30) as s:
            said = [b"EHLO x\r\n", b"MAIL FROM:<s@x.test>\r\n", b"RCPT TO:<joe@a.test>\r\n", b"DATA\r\n", b"x: y\r\n\r\nz"]
            for line in said[:self.chance.randrange(len(said) + 1)]:
                s.recv(4096)
                s.sendall(line)

    def nonsense(self):
        with socket.create_connection(("127.0.0.1", self.instance.port), timeout=30) as s:
            s.sendall(self.chance.randbytes(3000) + b"\r\n" * 5 + b"QUIT\r\n")
            while s.recv(4096):
                pass

    def inject(self):
        key = self.key()
        self.ledger.uncertain.add(key)
        self.instance.inject("-f", "s@client.test", "joe@a.test", "x@far.test", message=compose(key, 300))
        self.ledger.acknowledged.add(key)

    def unknown(self):
        """Bounces; the bounce bounces, and goes to the postmaster."""
        with self.instance.smtp(timeout=30) as session:
            session.sendmail("nobody@a.test", ["nobody@a.test"], b"Subject: x\r\n\r\nx\r\n")

    def command(self):
        command = self.chance.choice([["qmail-qread"], ["qmail-qstat"], ["quill", "queue", "--json"], ["quill", "status"],
                                      ["quill", "why", "joe@a.test"], ["quill", "dns", "known.test", "A"]])
        self.instance.run(program(command[0]), *command[1:], check=False)
        if self.chance.random() < 0.3:
            self.instance.signal("qmail-send", self.chance.choice([1, 14]))


def daemons(instance):
    return {name: instance.pid_of(name) for name in DAEMONS}


def measure(pids):
    """{name: (descriptors, private KiB)}"""
    found = {}
    for name, pid in pids.items():
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            private = re.search(r"^Private_Dirty: +(\d+) kB$", f.read(), re.M)
        found[name] = len(os.listdir(f"/proc/{pid}/fd")), int(private.group(1))
    return found


def empty(instance):
    instance.signal("qmail-send", 14)
    return b"messages in queue: 0\n" in instance.run(program("qmail-qstat")).stdout


def forget(instance, sink, ledger):
    """What has been checked need not be kept: half an hour's mail is large."""
    for box in ("joe", "ann"):
        for name in os.listdir(f"{instance.users[box]}/Maildir/new"):
            os.unlink(f"{instance.users[box]}/Maildir/new/{name}")
    shutil.rmtree(f"{instance.users['program']}/got")
    instance.run("mkdir", f"{instance.users['program']}/got")
    with sink.lock:
        sink.messages.clear()
        sink.commands.clear()
    ledger.acknowledged.clear()
    ledger.uncertain.clear()
    with open(instance.log_path, "w"):
        pass


def found(instance, sink):
    got = f"{instance.users['program']}/got"
    programs = []
    for name in os.listdir(got):
        with open(f"{got}/{name}", "rb") as f:
            programs.append(f.read())
    return instance.maildir("joe") + instance.maildir("ann") + programs + [m.data for m in sink.messages]


def one_round(instance, sink, ledger, seconds, chance):
    """Returns how many messages were acknowledged."""
    clients = [Client(instance, ledger, n, random.Random(chance.random())) for n in range(CLIENTS)]
    for stage in ("connect", "mail", "rcpt", "dot"):
        sink.on(stage, misbehave(chance))
    for client in clients:
        client.start()
    time.sleep(seconds)
    for client in clients:
        client.stopping = True
    for client in clients:
        client.join(60)
        if client.failed:
            raise client.failed
    sink.moods.clear()
    wait_until(lambda: empty(instance), 120, "the queue to be empty")
    ledger.check(found(instance, sink))
    count = len(ledger.acknowledged)
    forget(instance, sink, ledger)
    return count


def growth(before, after, messages):
    """What grew more than it may, in words."""
    grown = []
    for name in DAEMONS:
        (fds, kib), (fds_after, kib_after) = before[name], after[name]
        if fds_after > fds + 4:
            grown.append(f"{name}: {fds_after} descriptors after {fds}")
        if not sanitized() and kib_after > kib + PRIVATE_KIB + messages * BYTES_A_MESSAGE // 1024:
            grown.append(f"{name}: {kib_after} KiB after {kib}, with {messages} messages")
    return grown


def test_long_run_leaves_nothing_behind(make_instance):
    chance = random.Random(os.environ.get("SOAK_SEED") or None)
    ledger = Ledger()
    with Sink() as sink:
        instance = make_instance("joe", "ann", "program", sink=sink, control={
            "rcpthosts": "a.test\n.far.test\nfar.test", "timeoutconnect": "5", "timeoutremote": "20",
            "doublebounceto": "joe", "hosts": "127.0.0.1 known.test"})
        home = instance.users["program"]
        instance.run("mkdir", f"{home}/got")
        instance.add_user("program", qmail=f"|cat >{home}/got/$$\n")
        instance.add_user("ann", list="./Maildir/\n&joe@a.test\n")
        pids = daemons(instance)
        counts, sizes = [], []
        for _ in range(ROUNDS):
            counts.append(one_round(instance, sink, ledger, SECONDS / ROUNDS, chance))
            sink.hang_up()
            time.sleep(1.5)  # until idle sessions and delivery processes have gone
            sizes.append(measure(pids))
        assert min(counts) > 0
        assert daemons(instance) == pids, "a daemon was started again"
        grown = growth(sizes[1], sizes[-1], sum(counts[2:]))
        print(f"{sum(counts)} messages; descriptors and private KiB: {sizes[1]} .. {sizes[-1]}")
        assert not grown, grown

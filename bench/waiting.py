#!/usr/bin/python3
"""What a large queue costs: memory, restart, lists and orders for all of it.

  bench/waiting.py [--messages 1000000] [--size 1000] [--export 2000] [--below DIR] [--queue DIR]
                   [--skip restarts,commands]

In a private instance: messages of one recipient each, submitted as qmail-queue does, wait for a destination that does
not answer. With --queue their queue is kept in DIR, and taken from there by the next run.
Prints memory for each of them (PSS of qmail-send and qmail-journal, less that of an empty system), how long a restart
takes until qmail-smtpd has accepted a message (250 after the dot), after an orderly stop and after a crash, with the
queue's files in memory and not, and what operators' commands take. CPU seconds are those of the whole mail system:
wall time says little on a busy machine.
"""
import argparse
import os
import selectors
import smtplib
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from deadhost import Bench  # noqa: E402
from quilltest import Instance, Sink, program  # noqa: E402

KEEPERS = ("qmail-send", "qmail-journal")
LIMIT = 1800  # seconds for anything


def frame(kind, payload=b""):
    return struct.pack("<IB", len(payload) + 1, kind) + payload


def submit(path, n, size):
    """n messages over run/journal (src/wire/queueproto.h), one at a time over each of many connections."""
    head = b"Subject: waiting\n\n"
    message = (frame(1, b"sender@a.test") + frame(2, b"r@dead.test")
               + frame(5, head + (b"x" * 70 + b"\n") * ((size - len(head)) // 71)) + frame(6))
    answer, given, ended = len(frame(8, bytes(9))), 0, 0
    with selectors.DefaultSelector() as ready:
        for _ in range(min(n, 200)):
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            s.sendall(message)
            ready.register(s, selectors.EVENT_READ)
            given += 1
        while ended < n:
            for key, _ in ready.select():
                said = key.fileobj.recv(answer, socket.MSG_WAITALL)
                assert said[:6] == frame(8, bytes(9))[:6], f"refused: {said}"
                ended += 1
                if given < n:
                    key.fileobj.sendall(message)
                    given += 1
        for key in list(ready.get_map().values()):
            key.fileobj.close()


class Queue(Bench):
    def __init__(self, instance, sink, options):
        super().__init__(instance, sink, {})
        self.options, self.rows = options, []

    def row(self, what, value):
        self.rows.append((what, value))
        print(f"  {what}: {value}", flush=True)

    def memories(self):
        return {name: self.memory(name) for name in KEEPERS}

    def row_memory(self, when, empty):
        each = {name: (now - empty[name]) / self.options.messages for name, now in self.memories().items()}
        self.row(f"memory of each message, {when}", f"{sum(each.values()):.0f} bytes ("
                 + ", ".join(f"{name} {n:.0f}" for name, n in each.items()) + ")")

    def quiet(self):
        """Nothing happens for a while: CPU time of the mail system stands still, but for its timers."""
        before = -1
        while (now := self.cpu()) - before > 0.05:
            before = now
            time.sleep(2)

    def fill(self):
        n, cpu, started = self.options.messages, self.cpu(), time.time()
        submit(self.i.home + "/run/journal", n, self.options.size)
        took = time.time() - started
        self.quiet()
        self.row("accepted", f"{n / took:,.0f} messages a second; {(self.cpu() - cpu) * 1000 / n:.2f} CPU s for 1,000 "
                 "of them, first attempts included")

    def copy_queue(self, source, to):
        subprocess.run(["cp", "-a", "--sparse=never", source, to], check=True)

    def take_queue(self):
        """As fill, from a run before."""
        subprocess.run(["rm", "-rf", self.i.home + "/queue"], check=True)
        self.copy_queue(self.options.queue, self.i.home + "/queue")

    def keep_queue(self):
        self.i.stop(timeout=LIMIT)
        self.copy_queue(self.i.home + "/queue", self.options.queue)
        self.i.start(timeout=LIMIT)
        self.quiet()

    # ---- restart ------------------------------------------------------------------

    def forget_files(self):
        """The kernel reads the queue from its disk next time."""
        journal = self.i.home + "/queue/journal/"
        for name in os.listdir(journal):
            fd = os.open(journal + name, os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)

    def accepted(self):
        """A message is accepted, as soon as anybody listens."""
        while True:
            try:
                with smtplib.SMTP("127.0.0.1", self.i.port, local_hostname="client.test", timeout=LIMIT) as s:
                    s.sendmail("x@client.test", ["joe@a.test"], "Subject: first\n\nbody\n")
                return
            except ConnectionError:
                time.sleep(0.005)

    def restart(self, how, end, cold):
        started = time.time()
        end()
        stopped = time.time() - started
        if cold:
            self.forget_files()
        had = len(self.i.maildir("joe"))
        started = time.time()
        with open(self.i.log_path, "ab") as log:
            self.i.process = self.i.spawn(program("quill"), "up", self.i.home, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=subprocess.STDOUT, start_new_session=True)
        self.i.sessions.add(self.i.process.pid)
        self.accepted()
        took, cpu = time.time() - started, self.cpu()
        while len(self.i.maildir("joe")) == had:
            time.sleep(0.01)
        self.row(f"restart {how}", f"{took:.2f} s until a message is accepted ({cpu:.2f} CPU s), "
                 f"{time.time() - started:.2f} s until it is delivered ({self.cpu():.2f} CPU s); the end took {stopped:.2f} s")

    def restarts(self):
        self.restart("in order", lambda: self.i.stop(timeout=LIMIT), False)
        self.quiet()
        self.restart("in order, files not in memory", lambda: self.i.stop(timeout=LIMIT), True)
        self.quiet()
        self.restart("after kill -9", self.i.kill_all, False)
        self.quiet()
        self.restart("after kill -9, files not in memory", self.i.kill_all, True)
        self.quiet()

    # ---- operators ----------------------------------------------------------------

    def command(self, what, *arguments):
        """A quill queue command; returns its output's last line."""
        cpu, started = self.cpu(), time.time()
        own = os.times()
        with open(self.i.dir + "/out", "wb") as out:
            status = self.i.spawn(program("quill"), "queue", *arguments, stdout=out).wait()
        took, now = time.time() - started, os.times()
        assert status == 0, f"{arguments}: exit {status}"
        with open(self.i.dir + "/out", "rb") as f:
            f.seek(max(0, os.path.getsize(f.name) - 400))
            last = f.read().decode().splitlines()[-1]
        self.row(what, f"{took:.2f} s ({self.cpu() - cpu:.2f} CPU s, and "
                 f"{now.children_user + now.children_system - own.children_user - own.children_system:.2f} of its own)")
        return last

    def commands(self):
        some = min(self.options.export, self.options.messages)
        self.command("list --json", "list", "--json")
        self.command("list --numbers", "list", "--numbers")
        with open(self.i.dir + "/out", encoding="ascii") as f:
            numbers = [line.strip() for _, line in zip(range(some), f)]
        if numbers:
            self.command(f"export of {some}", "export", self.i.dir + "/exported", *numbers)
        for verb, done in (("hold", "held"), ("release", "released"), ("hold", "held"), ("remove", "removed")):
            said = self.command(f"{verb} --all", verb, "--all")
            assert said == f"{self.options.messages} messages {done}", said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1000000)
    parser.add_argument("--size", type=int, default=1000, help="bytes of each message")
    parser.add_argument("--export", type=int, default=2000, help="how many of them are exported")
    parser.add_argument("--queue", help="directory that keeps the queue for the next run")
    parser.add_argument("--skip", default="", help="what is not to be measured")
    parser.add_argument("--below", default="/var/tmp", help="where the instance is made")
    o = parser.parse_args()
    with Sink() as sink, Instance(below=o.below) as i:
        sink.on("connect", "421 not today")
        q = Queue(i, sink, o)
        i.add_user("joe")
        i.control(rcpthosts="a.test\ndead.test", smtproutes=f"dead.test:127.0.0.1:{sink.port}")
        i.start()
        q.accepted()
        q.quiet()
        empty = q.memories()
        print(f"{o.messages} messages of {o.size} bytes", flush=True)
        if o.queue and os.path.exists(o.queue):
            i.stop()
            q.take_queue()
            i.start(timeout=LIMIT)
            q.quiet()
        else:
            q.fill()
            if o.queue:
                q.keep_queue()
        q.row_memory("waiting", empty)
        if "restarts" not in o.skip:
            q.restarts()
            q.row_memory("after restarts", empty)
        if "commands" not in o.skip:
            q.commands()
        print(f"\n| {o.messages:,} messages of {o.size} bytes | |\n|---|---|")
        print("\n".join(f"| {what} | {value} |" for what, value in q.rows))


if __name__ == "__main__":
    main()

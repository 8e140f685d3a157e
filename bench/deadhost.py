#!/usr/bin/python3
"""What messages for a destination that is down cost, and what they cost the others.

  bench/deadhost.py [--messages 20000] [--live 2000] [--rounds 5]

In a private instance: messages to a live destination, first with an empty queue, then with many messages waiting for
a dead one; then a round in which all of these are due; then the dead one answers again. Prints CPU seconds of the
whole mail system (wall time says little on a busy machine), connections that the dead one saw, and lines of log.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE) + "/tests")
sys.dont_write_bytecode = True
from quilltest import Instance, Sink, free_port  # noqa: E402

DAEMONS = ("qmail-send", "qmail-journal", "qmail-rspawn", "qmail-resolve", "qmail-smtpd")
TICKS = os.sysconf("SC_CLK_TCK")


def build_tool(name, to):
    subprocess.run(["gcc", "-O2", "-o", f"{to}/{name}", f"{HERE}/tools/{name}.c"], check=True)
    return f"{to}/{name}"


class Bench:
    def __init__(self, instance, sink, tools):
        self.i, self.sink, self.tools = instance, sink, tools
        self.live_port = free_port()

    def pids(self):
        return [pid for pid, name in self.i.leftovers().items() if name in [d[:15] for d in DAEMONS]]

    def cpu(self):
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                fields = f.read().rpartition(")")[2].split()
            total += sum(int(v) for v in fields[11:15])
        return total / TICKS

    def settle(self):
        before = -1
        while (now := self.cpu()) != before:
            before = now
            time.sleep(1)

    def log_lines(self):
        with open(self.i.log_path, "rb") as f:
            return sum(1 for _ in f)

    def memory(self, name):
        with open(f"/proc/{self.i.pid_of(name)}/smaps_rollup", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Pss:")) * 1024

    def load(self, n, domain):
        subprocess.run([self.tools["smtpload"], "-p", str(self.i.port), "-m", str(n), "-s", "10", "-k",
                        str(max(1, n // 10)), "-l", "1000", "-t", "r@" + domain],
                       stdout=subprocess.DEVNULL, check=True)

    def live(self, n):
        """CPU seconds and seconds for n messages to a destination that answers."""
        before, started = self.cpu(), time.time()
        with subprocess.Popen([self.tools["smtpsink"], "-p", str(self.live_port), "-n", str(n), "-T", "300"],
                              stdout=subprocess.PIPE) as sink:
            try:
                time.sleep(0.2)
                self.load(n, "live.test")
            except BaseException:
                sink.kill()
                raise
            seen = json.loads(sink.communicate()[0])
        assert seen["recipients"] == n, seen
        return self.cpu() - before, seen["t_last"] - started

    def lives(self, n, rounds):
        rows = []
        for _ in range(rounds):
            self.settle()
            rows.append(self.live(n))
        return [statistics.median(column) for column in zip(*rows)]

    def round(self, what):
        """The cost of something, until nothing happens any more."""
        cpu, lines, connections, started = self.cpu(), self.log_lines(), self.sink.connections, time.time()
        what()
        self.settle()
        return (f"{self.cpu() - cpu:.2f} CPU s, {time.time() - started:.1f} s, "
                f"{self.sink.connections - connections} connections, {self.log_lines() - lines} lines of log")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--live", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as d, Sink() as sink, Instance() as i:
        sink.on("connect", "421 not today")
        b = Bench(i, sink, {name: build_tool(name, d) for name in ("smtpload", "smtpsink")})
        i.control(rcpthosts="live.test\ndead.test", smtproutes=f"live.test:127.0.0.1:{b.live_port}\ndead.test:127.0.0.1:{sink.port}")
        i.start()
        b.live(o.live)
        memory = {name: b.memory(name) for name in DAEMONS[:2]}
        empty = b.lives(o.live, o.rounds)
        print(f"{o.live} messages to the living, empty queue: {empty[0]:.2f} CPU s, {empty[1]:.2f} s", flush=True)
        print(f"{o.messages} messages to the dead: " + b.round(lambda: b.load(o.messages, "dead.test")), flush=True)
        per = {name: (b.memory(name) - was) / o.messages for name, was in memory.items()}
        print("memory for each: " + ", ".join(f"{name} {n:.0f} bytes" for name, n in per.items()), flush=True)
        full = b.lives(o.live, o.rounds)
        print(f"{o.live} messages to the living, {o.messages} waiting: {full[0]:.2f} CPU s ({full[0] / empty[0]:.3f} "
              f"times), {full[1]:.2f} s ({full[1] / empty[1]:.3f} times)", flush=True)
        print("all due, still dead: " + b.round(lambda: i.signal("qmail-send", signal.SIGALRM)), flush=True)
        sink.on("connect", None)
        print("all due, alive: " + b.round(lambda: i.signal("qmail-send", signal.SIGALRM)), flush=True)
        print(f"delivered: {len(sink.messages)}")


if __name__ == "__main__":
    main()

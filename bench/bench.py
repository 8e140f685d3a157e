"""Quillmail against Postfix: the same machine, disk, workloads and run.

  bench/bench.py [--messages N] [--runs R] [--peers postfix,quillmail]
                 [--workloads abcde] [--keep]

Workloads, with 4 KiB messages and 20 parallel sessions:
  a  one message a session into one user's Maildir
  b  many messages a session into one user's Maildir
  c  one message a session, relayed to a sink that stores nothing
  d  one message with 1,000 recipients at 10 domains, relayed to the sink; its commands come pipelined, for
     a thousand answers one by one would measure the scheduler of the machine
  e  sendmail -t from 4 processes at a time, into the Maildir

Beside a and b stands what the disk allows: a bare loop of create, write, fsync, link and unlink in the same Maildir, by
one process and by as many as there are sessions, before the first server and after the last; also with an fsync of the
directory for each message, which is part of every delivery of ours.

Needs root. Everything runs in private network, mount and process namespaces:
loopback only, nothing listens on the machine and nothing is left running. The
servers see the machine's own file system through an overlay; Postfix's package
is installed into that overlay only. What both write (queue, mail) lies outside
the overlay, on the file system of BENCH_ROOT (default /var/tmp/quillmail-bench),
or, where that is an ext4 without a journal, in a journaled image on it.
"""
import argparse
import fcntl
import json
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("BENCH_ROOT", "/var/tmp/quillmail-bench")
BUILD = os.environ.get("BENCH_BUILD", os.path.join(os.path.dirname(HERE), "build"))
TOOLS = ROOT + "/tools"
VIEW = ROOT + "/view"  # the overlay: what the servers see as /
PORT, SINK_PORT = 2500, 2600
BENCH_UID = 2500
SESSIONS = 20
sys.path.insert(0, HERE)


def run(*command, **options):
    return subprocess.run(command, check=True, **options)


# ---- preparation: tools, accounts, Postfix ------------------------------------

def build_tools():
    os.makedirs(TOOLS, exist_ok=True)
    for name in os.listdir(HERE + "/tools"):
        source, binary = f"{HERE}/tools/{name}", f"{TOOLS}/{name[:-2]}"
        if not os.path.exists(binary) or os.path.getmtime(binary) < os.path.getmtime(source):
            run("gcc", "-O2", "-o", binary, source)


def mount_view():
    for d in ("upper", "work", "view"):
        os.makedirs(f"{ROOT}/{d}", exist_ok=True)
    run("mount", "-t", "overlay", "overlay", VIEW,
        "-o", f"lowerdir=/,upperdir={ROOT}/upper,workdir={ROOT}/work")
    run("mount", "-t", "proc", "proc", VIEW + "/proc")
    run("mount", "-t", "tmpfs", "tmpfs", VIEW + "/dev")
    for device in ("null", "zero", "random", "urandom", "full"):
        open(f"{VIEW}/dev/{device}", "w").close()
        run("mount", "--bind", f"/dev/{device}", f"{VIEW}/dev/{device}")


def lacks_journal(path):
    """Is path on an ext4 without a journal? There every unlink makes later creations search (and differently so
    for every server), and a flush is not what it costs users."""
    device = subprocess.run(["findmnt", "-n", "-o", "SOURCE,FSTYPE", "-T", path], capture_output=True,
                            text=True, check=False).stdout.split()
    if len(device) != 2 or device[1] != "ext4":
        return False
    name = os.path.basename(device[0])
    journals = os.listdir("/proc/fs/jbd2") if os.path.isdir("/proc/fs/jbd2") else []
    return not any(j.startswith(name + "-") for j in journals)


def mount_data():
    """Queue and mail on a journaled file system: the machine's own, or an image on it, written with direct I/O."""
    os.makedirs(ROOT + "/data", exist_ok=True)
    if not lacks_journal(ROOT):
        return
    image = ROOT + "/data.img"
    if not os.path.exists(image):
        run("fallocate", "-l", "6G", image)
    run("mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", image)
    device = subprocess.run(["losetup", "--direct-io=on", "-f", "--show", image], capture_output=True, text=True,
                            check=True).stdout.strip()
    run("mount", device, ROOT + "/data")
    run("losetup", "-d", device)  # as soon as the namespace, and with it the mount, is gone


def in_view(*command, **options):
    return run("chroot", VIEW, *command, **options)


ACCOUNTS = """set -e
groupadd -f qmail; groupadd -f nofiles; groupadd -f -g %(uid)d bench
user() { id "$1" >/dev/null 2>&1 || useradd -M -d "$3" -g "$2" -s "$4" $5 "$1"; }
user alias nofiles /var/qmail/alias /bin/true
for u in qmaild qmaill qmailp; do user $u nofiles /var/qmail /bin/true; done
for u in qmailq qmailr qmails; do user $u qmail /var/qmail /bin/true; done
user bench bench /home/bench /bin/sh "-u %(uid)d"
mkdir -p /home/bench /var/qmail; chown bench:bench /home/bench
"""


def prepare():
    """Inside a private mount namespace, with the machine's network."""
    mount_view()
    in_view("sh", "-c", ACCOUNTS % {"uid": BENCH_UID})
    if not os.path.exists(VIEW + "/usr/sbin/postfix"):
        print("installing Postfix into the overlay", flush=True)
        with open(VIEW + "/usr/sbin/policy-rc.d", "w") as f:
            f.write("#!/bin/sh\nexit 101\n")
        os.chmod(VIEW + "/usr/sbin/policy-rc.d", 0o755)
        log = open(ROOT + "/install.log", "w")
        env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        in_view("sh", "-c", "apt-get update -qq && apt-get install -y -qq --no-install-recommends postfix",
                stdout=log, stderr=log, env=env)
    with open(VIEW + "/etc/hosts", "w") as f:
        f.write("127.0.0.1 localhost mail.bench.test\n")
    open(ROOT + "/prepared", "w").close()


# ---- measuring ------------------------------------------------------------------

class Cgroup:
    """CPU time and processes of the server; without cgroups, of the whole machine less the load."""

    def __init__(self):
        self.path = None
        for line in open("/proc/mounts"):
            fields = line.split()
            if fields[2] == "cgroup2":
                path = f"{fields[1]}/quillmail-bench.{os.environ['BENCH_OUTER_PID']}"
                try:
                    os.mkdir(path)
                    self.path = path
                except OSError:
                    pass

    def enter(self):
        if self.path:
            with open(self.path + "/cgroup.procs", "w") as f:
                f.write("0")

    def cpu(self):
        if self.path:
            return int(open(self.path + "/cpu.stat").readline().split()[1]) / 1e6
        ticks = [int(v) for v in open("/proc/stat").readline().split()[1:9]]
        busy = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
        times = os.times()
        return busy - times.user - times.system - times.children_user - times.children_system

    def pids(self):
        if not self.path:
            return []
        return [int(p) for p in open(self.path + "/cgroup.procs").read().split() if p != "0"]


class Measured:
    """Between enter and exit: CPU and peak memory of the server."""

    def __init__(self, group):
        self.group, self.monitor = group, None

    def __enter__(self):
        if self.group.path:
            self.monitor = subprocess.Popen([TOOLS + "/cgmon", self.group.path, "500"], stdout=subprocess.PIPE)
        self.before = self.group.cpu()
        return self

    def __exit__(self, *_):
        settle(self.group)
        self.cpu = self.group.cpu() - self.before
        self.memory = None
        if self.monitor:
            self.monitor.send_signal(signal.SIGTERM)
            self.memory = json.loads(self.monitor.communicate()[0])["pss_kb"] / 1024


def settle(group, seconds=20):
    """Waits until the server has used less than 4 % of a processor for half a second."""
    for _ in range(seconds * 2):
        before = group.cpu()
        time.sleep(0.5)
        if group.cpu() - before < 0.02:
            return


def wait_ready(peer):
    deadline = time.time() + 30
    while time.time() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", PORT), 5) as s:
                s.settimeout(10)
                if s.recv(512).startswith(b"220"):
                    s.sendall(b"QUIT\r\n")
                    s.recv(512)
                    return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"bench: {peer.name} does not answer; its log is in {ROOT}/{peer.name}.log")


def empty_maildir(path):
    shutil.rmtree(path, ignore_errors=True)
    for d in ("", "/tmp", "/new", "/cur"):
        os.mkdir(path + d, 0o700)
        os.chown(path + d, BENCH_UID, BENCH_UID)


class Bench:
    def __init__(self, peer, group, n):
        self.peer, self.group, self.n = peer, group, n
        self.maildir = ROOT + "/data/home/Maildir"

    def spawn(self, *command, **options):
        """A process that counts as the server's."""
        return subprocess.Popen(command, preexec_fn=self.group.enter, **options)

    def fresh(self):
        """Empty queue and Maildir, server up."""
        self.stop()
        empty_maildir(self.maildir)
        self.peer.reset()
        os.sync()
        self.peer.start(self)
        wait_ready(self.peer)
        time.sleep(0.5)

    def stop(self):
        self.peer.stop()
        for _ in range(100):
            left = self.group.pids()
            if not left:
                return
            time.sleep(0.1)
        for pid in left:
            os.kill(pid, signal.SIGKILL)

    def load(self, n, *options):
        out = run(TOOLS + "/smtpload", "-p", str(PORT), "-m", str(n), "-s", str(SESSIONS), "-l", "4096", *options,
                  stdout=subprocess.PIPE).stdout
        return json.loads(out)

    def watch_maildir(self, n):
        p = subprocess.Popen([TOOLS + "/mdwait", self.maildir, str(n), "300"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stderr.readline()
        return p

    def watch_sink(self, n):
        p = subprocess.Popen([TOOLS + "/smtpsink", "-p", str(SINK_PORT), "-n", str(n), "-T", "300"],
                             stdout=subprocess.PIPE)
        time.sleep(0.2)
        return p

    def report(self, watcher, started, key):
        seen = json.loads(watcher.communicate()[0])
        return {"delivered": seen[key], "seconds": seen["t_last"] - started, "seen": seen}

    def finish(self, n, accepted, arrived, measured):
        if arrived["delivered"] < n:
            sys.exit(f"bench: {self.peer.name} delivered {arrived['delivered']} of {n}")
        return {"accepted": accepted, "delivered": n / arrived["seconds"], "seconds": arrived["seconds"],
                "cpu": measured.cpu * 1000 / n, "memory": measured.memory}

    def to_maildir(self, *options):
        self.fresh()
        watcher, started = self.watch_maildir(self.n), time.time()
        with Measured(self.group) as m:
            sent = self.load(self.n, "-t", "bench@bench.test", *options)
            arrived = self.report(watcher, started, "got")
        return self.finish(self.n, sent["rate"], arrived, m)

    def a(self):
        return self.to_maildir("-k", "1")

    def b(self):
        return self.to_maildir("-k", str(max(1, self.n // SESSIONS)))

    def c(self):
        self.fresh()
        watcher, started = self.watch_sink(self.n), time.time()
        with Measured(self.group) as m:
            sent = self.load(self.n, "-k", "1", "-t", "user@dest.test")
            arrived = self.report(watcher, started, "recipients")
        return self.finish(self.n, sent["rate"], arrived, m)

    def d(self):
        self.fresh()
        watcher, started = self.watch_sink(1000), time.time()
        with Measured(self.group) as m:
            sent = self.load(1, "-P", "-r", "1000", "-d", "10", "-t", "user@dest.test")
            arrived = self.report(watcher, started, "recipients")
        result = self.finish(1000, sent["rate"], arrived, m)
        result["connections"] = arrived["seen"]["connections"]
        return result

    def e(self):
        self.fresh()
        n = max(100, self.n // 3)
        with open(ROOT + "/message", "w") as f:
            f.write("From: Sender <bench@bench.test>\nTo: Bench <bench@bench.test>\nSubject: injected\n\n")
            f.write(("x" * 77 + "\n") * 52)
        watcher, started = self.watch_maildir(n), time.time()
        with Measured(self.group) as m:
            p = self.spawn(TOOLS + "/inject", "-n", str(n), "-P", "4", "-C", VIEW, "-u", str(BENCH_UID),
                           "-g", str(BENCH_UID), "-f", ROOT + "/message", "--", *self.peer.sendmail,
                           stdout=subprocess.PIPE)
            sent = json.loads(p.communicate()[0])
            if sent["failed"]:
                sys.exit(f"bench: sendmail of {self.peer.name} failed {sent['failed']} times")
            arrived = self.report(watcher, started, "got")
        return self.finish(n, sent["rate"], arrived, m)


# ---- what the disk allows ----------------------------------------------------------

LOOPS = {"create, write, fsync, link, unlink": (), "the same, and fsync of the directory": ("-D",)}


def bare_loop(maildir, n):
    """Messages a second by (loop, processes)."""
    rates = {}
    for what, options in LOOPS.items():
        for processes in (1, SESSIONS):
            empty_maildir(maildir)
            os.sync()
            out = run(TOOLS + "/mdloop", "-n", str(max(n, SESSIONS)), "-P", str(processes), "-l", "4096", *options, maildir,
                      stdout=subprocess.PIPE).stdout
            rates[what, processes] = json.loads(out)["rate"]
    return rates


def bare_results(rounds):
    return {f"loop {processes} {what}": statistics.mean(r[what, processes] for r in rounds)
            for what, processes in rounds[0]}


def bare_table(results, workloads):
    ours = {w: results[f"quillmail {w}"]["delivered"] for w in "ab" if w in workloads and f"quillmail {w}" in results}
    if not ours or not any(k.startswith("loop ") for k in results):
        return
    print("\n| bare loop, 4 KiB into the same Maildir | processes | messages/s | " + " | ".join(
        f"delivered by quillmail, {w}, as a part of it" for w in ours) + " |")
    print("|---|---:|---:|" + "---:|" * len(ours))
    for what in LOOPS:
        for processes in (1, SESSIONS):
            rate = results[f"loop {processes} {what}"]
            print(f"| {what} | {processes} | {rate:,.0f} | " + " | ".join(
                f"{delivered / rate:.0%}" for delivered in ours.values()) + " |")


# ---- all runs ---------------------------------------------------------------------

def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(s, 0x8914, request)  # SIOCSIFFLAGS


def inner(options):
    from peers import PEERS
    loopback_up()
    mount_view()
    mount_data()
    os.makedirs(ROOT + "/data/home", exist_ok=True)
    os.chown(ROOT + "/data/home", BENCH_UID, BENCH_UID)
    run("mount", "--bind", ROOT + "/data/home", VIEW + "/home/bench")
    logger = subprocess.Popen([TOOLS + "/logsink", VIEW + "/dev/log", ROOT + "/syslog"])
    group, results = Cgroup(), {}
    rounds, looping = [], set(options.workloads) & set("ab") and "quillmail" in options.peers
    try:
        if looping:
            rounds.append(bare_loop(ROOT + "/data/home/Maildir", options.messages))
        for name in options.peers.split(","):
            peer = PEERS[name](VIEW, ROOT, BUILD)
            peer.configure()
            bench = Bench(peer, group, options.messages)
            try:
                for workload in options.workloads:
                    rows = [getattr(bench, workload)() for _ in range(options.runs)]
                    results[workload, name] = median(rows)
                    print(f"  {name} {workload}: " + ", ".join(
                        f"{k} {v:.4g}" for k, v in results[workload, name].items() if v is not None)
                        + spread(rows), flush=True)
            finally:
                bench.stop()
        if looping:
            rounds.append(bare_loop(ROOT + "/data/home/Maildir", options.messages))
    finally:
        logger.kill()
        with open(ROOT + "/results.json", "w") as f:
            json.dump({**{f"{n} {w}": v for (w, n), v in results.items()}, **(bare_results(rounds) if rounds else {})},
                      f, indent=1)


def median(rows):
    return {k: statistics.median(r[k] for r in rows) if rows[0][k] is not None else None for k in rows[0]}


def spread(rows):
    """How steady the runs were."""
    seconds = sorted(r["seconds"] for r in rows)
    return f" ({seconds[0]:.3g} to {seconds[-1]:.3g} s)" if len(rows) > 1 else ""


COLUMNS = (("accepted/s", "accepted", 1), ("delivered/s", "delivered", 1),
           ("CPU s per 1,000", "cpu", -1), ("peak MiB", "memory", -1))


def table(options):
    results = json.load(open(ROOT + "/results.json"))
    peers = options.peers.split(",")
    print("\n| workload | server | " + " | ".join(c[0] for c in COLUMNS) + " |")
    print("|---|---|" + "---:|" * len(COLUMNS))
    for w in options.workloads:
        rows = {p: results.get(f"{p} {w}") for p in peers}
        for p in peers:
            if rows[p]:
                print(f"| {w} | {p} | " + " | ".join(
                    "-" if rows[p][k] is None else f"{rows[p][k]:,.2f}" for _, k, _ in COLUMNS) + " |")
        if all(rows.get(p) for p in ("quillmail", "postfix")):
            print(f"| {w} | **times better** | " + " | ".join(
                ratio(rows["quillmail"][k], rows["postfix"][k], sign) for _, k, sign in COLUMNS) + " |")
    print("\n(d: recipients instead of messages; e: a third as many messages)")
    bare_table(results, options.workloads)


def ratio(ours, theirs, sign):
    if ours is None or theirs is None or not ours or not theirs:
        return "-"
    return f"{(ours / theirs if sign > 0 else theirs / ours):.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--peers", default="postfix,quillmail")
    parser.add_argument("--workloads", default="abcde")
    parser.add_argument("--keep", action="store_true", help="leave queue and mail in BENCH_ROOT")
    parser.add_argument("--step", choices=("prepare", "inner"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step == "prepare":
        return prepare()
    if options.step == "inner":
        inner(options)
        return 0
    if os.getuid() != 0:
        sys.exit("bench: needs root, for private namespaces and one user for each process")
    os.makedirs(ROOT, exist_ok=True)
    lock = open(ROOT + "/lock", "w")  # held until this process ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"bench: another run uses {ROOT}; wait for it, or set BENCH_ROOT")
    build_tools()
    again = [sys.executable, os.path.abspath(__file__)] + sys.argv[1:]
    if not os.path.exists(ROOT + "/prepared"):
        run("unshare", "--mount", *again, "--step", "prepare")
    os.environ["BENCH_OUTER_PID"] = str(os.getpid())
    status = subprocess.call(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                              *again, "--step", "inner"])
    for line in open("/proc/mounts"):
        if " cgroup2 " in line:
            leftover = f"{line.split()[1]}/quillmail-bench.{os.getpid()}"
            for _ in range(50):
                if not os.path.isdir(leftover):
                    break
                try:
                    os.rmdir(leftover)
                except OSError:
                    time.sleep(0.1)
    if not options.keep:
        shutil.rmtree(ROOT + "/data", ignore_errors=True)
    if status == 0:
        table(options)
    return status


if __name__ == "__main__":
    sys.exit(main())

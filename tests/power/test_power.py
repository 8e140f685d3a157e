"""The power fails while mail flows, on real file systems: nothing acknowledged is lost (`make power`: many times).

An instance's home lies on disks whose writes are logged (disk.py). While mail comes in and goes out, every
acknowledgement is noted with its place in the log. Then the disks are made again as they were after a power cut at
many places in the log, the instance is started on them, and the ledger is checked.

  POWER_IMAGES    how many power cuts each test makes
  POWER_MESSAGES  how many messages flow meanwhile
  POWER_SEED      repeats a run's random choices
"""
import os
import random
import re
import shutil
import smtplib
import subprocess
import tempfile
import threading

import pytest

from power.disk import Crashed, LoggedDisk, why_not
from quilltest import Instance, Ledger, Sink, compose, program, wait_until

IMAGES = int(os.environ.get("POWER_IMAGES", "8"))
MESSAGES = int(os.environ.get("POWER_MESSAGES", "40"))
LONG = "POWER_IMAGES" in os.environ
SEED = int(os.environ.get("POWER_SEED") or random.randrange(1 << 30))
CLIENTS = 4
LARGE = 1_500_000  # has a file of its own in the queue
# Started as a whole, the instance must bring these to their end; the others are only read with --check.
STARTED = 2


class Site:
    """An instance on logged disks: "home" holds everything, unless "queue" holds the queue."""

    def __init__(self, sink, file_system="ext4", two=False):
        self.dir = tempfile.mkdtemp(prefix="quill-power.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.disks, self.instance, self.moments = {}, None, []
        self.lock = threading.Lock()
        try:
            self._make(sink, file_system, two)
        except BaseException:
            self.close()
            raise

    def _make(self, sink, file_system, two):
        os.mkdir(f"{self.dir}/mnt")
        self.disks["home"] = LoggedDisk(f"{self.dir}/mnt", file_system)
        os.chmod(f"{self.dir}/mnt", 0o755)
        self.instance = i = Instance(sink=sink, below=f"{self.dir}/mnt", control={
            "rcpthosts": "a.test\nfar.test", "databytes": "0", "smtpperip": "0"})
        i.log_path = f"{self.dir}/log"
        i.environment["HOME"] = "/"
        if two:
            os.mkdir(f"{i.home}/queue")
            self.disks["queue"] = LoggedDisk(f"{i.home}/queue", file_system)
            os.chmod(f"{i.home}/queue", 0o750)
            os.chown(f"{i.home}/queue", i.uid, i.gid)
        for user in ("ann", "bob"):
            i.add_user(user)
        # What bounces comes to an address that tells which message it was.
        i.add_user("src", default="./Maildir/\n")
        i.start()
        os.sync()

    def now(self):
        """{disk: position}. The queue's is taken first: what it says was done is on the others."""
        return {name: self.disks[name].position() for name in sorted(self.disks, reverse=True)}

    def cut(self):
        self.instance.kill_all()
        for name in sorted(self.disks, reverse=True):
            self.disks[name].cut()

    def close(self):
        try:
            if self.instance:
                self.instance.kill_all()
        finally:
            for name in sorted(self.disks, reverse=True):
                self.disks[name].close()
            shutil.rmtree(self.dir, ignore_errors=True)


class Traffic:
    """Sends messages and notes when each recipient was promised and what came to the sink when."""

    def __init__(self, site, sink):
        self.site, self.sink = site, sink
        self.promised = []  # (moment, key, recipients)
        self.sizes, self.arrived = {}, []  # (moment, key)
        self.failures = []
        sink.on("dot", self._at_sink)
        sink.on("rcpt", lambda argument, _: "550 nobody" if b"gone" in argument else None)
        self.begin = site.now()

    def _at_sink(self, data, _):
        identity = Ledger.identify(data)
        if identity:
            assert identity[1]
            self.arrived.append((self.site.now(), identity[0]))

    def recipients(self, n):
        return (["ann@a.test"], ["bob@a.test", "x@far.test"], ["ann@a.test", "nobody@a.test"], ["x@far.test"],
                ["gone@far.test", "bob@a.test"])[n % 5]

    def client(self, number):
        try:
            with smtplib.SMTP("127.0.0.1", self.site.instance.port, local_hostname="client.test", timeout=60) as s:
                for n in range(number, MESSAGES, CLIENTS):
                    key = f"k{n}"
                    size = LARGE if n % 37 == 11 else (300, 300, 5000, 60_000)[n // 5 % 4]
                    message = compose(key, size).replace(b"\n", b"\r\n")
                    s.sendmail(f"src-{key}@a.test", self.recipients(n), message)
                    self.promised.append((self.site.now(), key, self.recipients(n)))
        except Exception as e:  # noqa: BLE001 - shown by the test
            self.failures.append(e)

    def run(self):
        threads = [threading.Thread(target=self.client, args=(n,)) for n in range(CLIENTS)]
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            self.site.moments.append(self.site.now())
            threads[0].join(0.004)
        self.site.instance.wait_empty(60)
        self.site.moments.append(self.site.now())
        assert not self.failures, self.failures


def before(moment, other):
    return all(moment[name] <= other[name] for name in moment)


class Checker:
    """Is everything that was promised before a moment still there?"""

    def __init__(self, site, traffic, sink):
        self.site, self.traffic, self.sink = site, traffic, sink
        self.duplicates = 0

    def queued(self):
        """{key: recipients not done, None for failed ones that still have to bounce}, {keys with a bounce queued}"""
        queue = f"{self.site.instance.home}/queue"
        if not os.path.isdir(f"{queue}/journal"):
            return {}, set()
        out = subprocess.run((program("qmail-journal"), "--check", queue), capture_output=True, text=True, timeout=60,
                             check=False)
        damage = [line for line in out.stdout.splitlines() if line.startswith("damage: ")]
        # Half a write at the end is what a power cut leaves; anything else would be damage to what was synced.
        assert out.returncode == int(bool(damage)) and all("a write was cut off" in line for line in damage), \
            f"qmail-journal --check: {out.stdout}{out.stderr}"
        open_, bounces, key = {}, set(), None
        for line in out.stdout.splitlines():
            if line.startswith("message "):
                sender = re.search(r"from <(.*)>,", line).group(1)
                key = sender.partition("@")[0][4:] if sender.startswith("src-") else None
                if key and line.endswith("some failed"):
                    open_.setdefault(key, set()).add(None)
            elif line.startswith("        "):
                if key:
                    open_.setdefault(key, set()).add(line.strip())
                elif line.strip().startswith("src-"):
                    bounces.add(line.strip().partition("@")[0][4:])
        return open_, bounces

    def delivered(self):
        """{(key, recipient): count} in Maildirs; every file in new/ is whole. Bounces are under (key, None)."""
        found = {}
        for user in ("ann", "bob", "src"):
            for message in self.site.instance.maildir(user):
                if user == "src":
                    to = re.search(rb"^Delivered-To: src-(k\d+)@a\.test$", message, re.M)
                    assert to and b"Hi. This is the" in message, f"strange message for src: {message[:300]}"
                    where = (to.group(1).decode(), None)
                else:
                    identity = Ledger.identify(message)
                    assert identity and identity[1], f"damaged message for {user}: {message[:300]}"
                    where = (identity[0], f"{user}@a.test")
                found[where] = found.get(where, 0) + 1
        return found

    def check(self, moment, start):
        """moment: {disk: position}. start: bring everything to its end first."""
        already = len(self.sink.messages)
        found = self.delivered()
        if start:
            self._drain()
            found = self.delivered()
        open_, bounces = self.queued()
        assert not (start and open_), f"still queued: {open_}"
        remote = {key for at, key in self.traffic.arrived if before(at, moment)}
        for message in self.sink.messages[already:]:
            identity = Ledger.identify(message.data)
            assert identity[1], "damaged message at the sink"
            remote.add(identity[0])
        lost = []
        for at, key, recipients in self.traffic.promised:
            for r in recipients if before(at, moment) else ():
                fails = r in ("nobody@a.test", "gone@far.test")
                there = (r in open_.get(key, ()) or (fails and (None in open_.get(key, ()) or key in bounces))
                         or found.get((key, None if fails else r)) or (r == "x@far.test" and key in remote))
                if not there:
                    lost.append((key, r))
        assert not lost, f"lost: {lost}"
        self.duplicates += sum(n - 1 for n in found.values())

    def _drain(self):
        i = self.site.instance
        log_start = len(i.log())
        i.start(60)

        def empty():
            os.kill(i.pid_of("qmail-send"), 14)
            out = i.run(program("qmail-qstat")).stdout.decode()
            return re.search(r"messages in queue: 0$", out, re.M)
        try:
            wait_until(empty, 60, "the queue to drain")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{i.log()[log_start:][-4000:]}") from None
        i.stop()
        text = i.log()[log_start:]
        assert "alert" not in text, text


def scenario(two=False, file_system="ext4"):
    reason = why_not(file_system)
    if reason:
        pytest.skip(f"power cuts: {reason}")
    return two, file_system


def moments_of(site, traffic, chance):
    """Where to cut: half of them where something was just acknowledged, half anywhere."""
    end = site.moments[-1]
    chosen = []
    for n in range(IMAGES):
        if n % 2:
            chosen.append(chance.choice(traffic.promised)[0])
        elif len(site.disks) > 1:
            chosen.append(chance.choice(site.moments))
        else:
            chosen.append({"home": chance.randint(traffic.begin["home"], end["home"])})
    return sorted(chosen, key=lambda m: m["home"])


def cut_power(two, file_system, crashed):
    """crashed: the disk that loses power, None for all; a disk that does not has everything written."""
    print(f"POWER_SEED={SEED}")
    chance = random.Random(SEED)
    with Sink() as sink:
        site = Site(sink, file_system, two)
        try:
            traffic = Traffic(site, sink)
            traffic.run()
            sink.on("dot", None)
            site.cut()
            checker = Checker(site, traffic, sink)
            for n, moment in enumerate(moments_of(site, traffic, chance)):
                torn = random.Random(chance.random()) if n % 3 else None
                images = [(disk, disk.image(moment[name], torn) if crashed in (None, name)
                           else disk.everything(moment[name])) for name, disk in sorted(site.disks.items())]
                with Crashed(*images):
                    try:
                        checker.check(moment, start=n % max(IMAGES // STARTED, 1) == 0 or LONG)
                    except AssertionError as e:
                        raise AssertionError(f"power cut {n} at {moment}, {'torn' if torn else 'whole'}, seed "
                                             f"{SEED}: {e}") from None
                    finally:
                        site.instance.kill_all()
            would_notice(site, checker, traffic)
            print(f"{IMAGES} power cuts, {len(traffic.promised)} messages, {checker.duplicates} duplicates, "
                  f"log of {site.moments[-1]} entries")
            assert traffic.promised
        finally:
            site.close()


def would_notice(site, checker, traffic):
    """On disks as they were before the first message, the checker misses what was promised later."""
    with Crashed(*[(disk, disk.image(traffic.begin[name])) for name, disk in sorted(site.disks.items())]):
        with pytest.raises(AssertionError, match="lost"):
            checker.check(site.moments[-1], start=False)


def test_power_cut():
    """Everything on one disk."""
    cut_power(*scenario(), crashed=None)


@pytest.mark.skipif(not LONG, reason="make power")
@pytest.mark.parametrize("file_system", ["xfs", "btrfs"])
def test_power_cut_elsewhere(file_system):
    cut_power(*scenario(file_system=file_system), crashed=None)


@pytest.mark.parametrize("crashed", ["home", "queue"])
def test_power_cut_of_one_disk(crashed):
    """Mailboxes and queue are on two disks, and only one loses what was not synced."""
    cut_power(*scenario(two=True), crashed=crashed)

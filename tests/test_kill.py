"""Random processes are killed while mail flows: nothing acknowledged is lost.

CRASH_SECONDS sets how long (`make crash`: ten minutes); CRASH_SEED repeats a run.
"""
import os
import random
import re
import signal
import smtplib
import threading
import time

from quilltest import Ledger, Sink, compose, wait_until

SECONDS = float(os.environ.get("CRASH_SECONDS", "12"))
CLIENTS = 4


class Client(threading.Thread):
    """Sends ledger messages until told to stop, over sessions that may break at any time."""

    def __init__(self, instance, ledger, name):
        super().__init__(daemon=True)
        self.instance, self.ledger, self.label = instance, ledger, name
        self.stopping = threading.Event()
        self.count = 0

    def run(self):
        while not self.stopping.is_set():
            try:
                with self.instance.smtp(timeout=20) as session:
                    for _ in range(10):
                        if self.stopping.is_set():
                            break
                        self.one(session)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)

    def one(self, session):
        key = f"{self.label}-{self.count}"
        self.count += 1
        recipient = ("joe@a.test", "joe@a.test", "x@far.test", "x@fickle.test")[self.count % 4]
        size = random.choice((200, 200, 5000, 100_000) if self.count % 50 else (2_000_000,))
        message = compose(key, size).replace(b"\n", b"\r\n")
        self.ledger.uncertain.add(key)
        session.sendmail("s@client.test", [recipient], message)
        self.ledger.acknowledged.add(key)


def restart(instance):
    instance.kill_all()
    instance.start(60)


def accepts_mail(instance):
    try:
        with instance.smtp(timeout=5) as session:
            return session.noop()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False


def keep_alive(instance, since):
    """Starts everything again where an orderly supervisor would: when `quill up` ended, or does not recover."""
    if instance.process is None or instance.process.poll() is not None:
        restart(instance)
    elif not accepts_mail(instance) and time.monotonic() - since > 10:
        restart(instance)


def kill_around(instance, chance, seconds):
    """Kills one random process every now and then; now and then all at once."""
    kills = {}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(chance.uniform(0.05, 0.8))
        processes = instance.leftovers()
        if chance.random() < 0.15 or not processes:
            restart(instance)
            kills["everything"] = kills.get("everything", 0) + 1
            continue
        # Each name alike, however many processes bear it.
        name = chance.choice(sorted(set(processes.values())))
        pid = chance.choice([p for p, n in processes.items() if n == name])
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        kills[name] = kills.get(name, 0) + 1
        keep_alive(instance, time.monotonic())
    return kills


def test_killed_processes_lose_nothing(make_instance):
    chance = random.Random(os.environ.get("CRASH_SEED") or None)
    ledger = Ledger()
    with Sink() as sink, Sink() as fickle:
        # Goes down and comes up again.
        fickle.on("connect", lambda *_: "421 not now" if time.monotonic() % 4 < 3 else None)
        instance = make_instance("joe", control={
            "rcpthosts": "a.test\nfar.test\nfickle.test",
            "smtproutes": f"fickle.test:127.0.0.1:{fickle.port}\n:127.0.0.1:{sink.port}",
            "destinations": "far.test:concurrency=7 rate=500/s\nmx/:concurrency=9\nfickle.test:retry=1s"})
        clients = [Client(instance, ledger, f"client{n}") for n in range(CLIENTS)]
        for client in clients:
            client.start()
        kills = kill_around(instance, chance, SECONDS)
        for client in clients:
            client.stopping.set()
        if not accepts_mail(instance):
            restart(instance)
        for client in clients:
            client.join(60)
        assert ledger.acknowledged, "no message was ever accepted"
        restart(instance)
        fickle.on("connect", None)

        def delivered():
            return instance.maildir("joe") + [m.data for m in sink.messages + fickle.messages]

        def all_there():
            instance.signal("qmail-send", signal.SIGALRM)
            found = {identity[0] for m in delivered() if (identity := Ledger.identify(m))}
            return ledger.acknowledged <= found
        try:
            wait_until(all_there, 60, "every acknowledged message")
        except AssertionError:
            pass  # check says which
        duplicates = ledger.check(delivered())
    print(f"{len(ledger.acknowledged)} acknowledged, {duplicates} duplicates, kills: {kills}")


class Asker(Client):
    """Sends messages that somebody wants to hear of: of the success of one half, of the failure of the other."""

    def one(self, session):
        key = f"{self.label}-{self.count}"
        recipient = ("ann@a.test", "nobody@a.test")[self.count % 2]
        self.count += 1
        session.ehlo_or_helo_if_needed()
        if session.mail("joe@a.test", [f"ENVID={key}", "RET=HDRS"])[0] != 250 or \
                session.rcpt(recipient, ["NOTIFY=SUCCESS,FAILURE"])[0] != 250:
            session.rset()
            return
        if session.data(b"Subject: x\r\n\r\nx\r\n")[0] == 250:
            self.ledger.acknowledged.add(key)


def test_killed_processes_lose_no_notice(make_instance):
    """Each of these messages has a bounce or a report of success in the end; a crash may have made it twice."""
    chance = random.Random(os.environ.get("CRASH_SEED") or None)
    ledger = Ledger()
    instance = make_instance("joe", "ann")
    clients = [Asker(instance, ledger, f"asker{n}") for n in range(2)]
    for client in clients:
        client.start()
    kills = kill_around(instance, chance, SECONDS / 3)
    for client in clients:
        client.stopping.set()
    if not accepts_mail(instance):
        restart(instance)
    for client in clients:
        client.join(60)
    assert ledger.acknowledged, "no message was ever accepted"
    restart(instance)

    def told():
        return re.findall(r"^Original-Envelope-Id: (\S+)$", "".join(m.decode() for m in instance.maildir("joe")), re.M)

    def all_told():
        instance.signal("qmail-send", signal.SIGALRM)
        return ledger.acknowledged <= set(told())
    try:
        wait_until(all_told, 60, "a notice of every message")
    except AssertionError:
        pass
    assert not ledger.acknowledged - set(told()), "nobody was told of these"
    print(f"{len(ledger.acknowledged)} acknowledged, {len(told()) - len(set(told()))} told twice, kills: {kills}")


def test_crash_between_acceptance_and_delivery(make_instance):
    """Everything dies at the moment of the 250; after a restart the message is there, once."""
    instance = make_instance("joe", control={"concurrencylocal": "0"})
    ledger = Ledger()
    for n in range(20):
        instance.send("s@client.test", ["joe@a.test"], compose(f"m{n}"))
        ledger.acknowledged.add(f"m{n}")
        if n % 5 == 4:
            restart(instance)
    instance.control(concurrencylocal="10")
    restart(instance)
    messages = instance.wait_delivered("joe", 20)
    assert ledger.check(messages) == 0

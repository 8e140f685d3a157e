"""
Queues in qmail's classic layout, taken over and written.

classicqueue/left-behind.tar.xz is what a qmail left that was stopped while it delivered: a message with a delivered, a
failed and a deferred remote recipient; one with two deferred local recipients (one of a virtual domain, v.test:alias-virt)
and a failed one; a deferred bounce; one that was not preprocessed yet; and one whose qmail-queue was killed.
"""
import fcntl
import json
import os
import signal
import subprocess
import tarfile
import time

import pytest

from quilltest import Instance, Sink, program, wait_until

FIXTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "classicqueue/left-behind.tar.xz")
HOUR_AGO = int(time.time()) - 3600
LATER = "450 4.2.1 come back later"


def refuse(argument, _session):
    return "550 5.1.1 no" if b"perm" in argument else LATER


@pytest.fixture
def sink():
    with Sink() as s:
        s.on("rcpt", refuse)
        yield s


@pytest.fixture
def instance(sink):
    with Instance(me="a.test", sink=sink, control={"virtualdomains": "v.test:joe-virt"}) as i:
        i.add_user("joe", virt_default="|exit 111\n")
        yield i


@pytest.fixture
def left_behind(instance):
    path = f"{instance.dir}/classic"
    with tarfile.open(FIXTURE) as tar:
        tar.extractall(path)
    for top, _, files in os.walk(path):
        for name in ["."] + files:
            os.chown(os.path.join(top, name), instance.uid, instance.gid)
        for name in files:
            # An hour old, so that nothing has been in the queue too long.
            os.utime(os.path.join(top, name), times=(HOUR_AGO, HOUR_AGO))
    # In the recording, v.test belongs to alias.
    for name in os.listdir(f"{path}/local/14"):
        rewrite(f"{path}/local/14/{name}", b"alias-virt-", b"joe-virt-")
        rewrite(f"{path}/local/14/{name}", b"defer@a.test", b"joe-virt-x@a.test")
    return path


def rewrite(path, old, new):
    with open(path, "rb") as f:
        text = f.read()
    with open(path, "wb") as f:
        f.write(text.replace(old, new))


def queue(instance, *arguments, check=True):
    return instance.run(program("quill"), "queue", *map(str, arguments), check=check)


def listed(instance):
    return [json.loads(line) for line in queue(instance, "list", "--json").stdout.splitlines()]


def summary(messages):
    """What must be the same after a way through another queue."""
    return sorted((m["sender"], m["accepted"], m["failed"],
                   sorted((r["deliverto"], r["state"]) for r in m["recipients"])) for m in messages)


def states(instance):
    return sorted((sender, failed, recipients) for sender, _, failed, recipients in summary(listed(instance)))


EXPECTED = [
    ("", False, [("temp2@r.test", "waiting")]),
    ("send@x.test", False, [("joe-virt-u@v.test", "waiting"), ("joe@a.test", "done"), ("later@r.test", "waiting")]),
    ("send@x.test", True, [("gone@a.test", "failed"), ("joe-virt-u@v.test", "waiting"),
                           ("joe-virt-x@a.test", "waiting")]),
    ("send@x.test", True, [("ok@r.test", "done"), ("perm@r.test", "failed"), ("temp@r.test", "waiting")]),
]


def test_a_queue_left_behind_is_taken_over(instance, sink, left_behind):
    instance.start()
    assert queue(instance, "import", left_behind).stdout == \
        b"4 messages imported, 0 had been before\n1 were never accepted, and are left\n"
    instance.wait_delivered("joe")
    instance.wait_log(r"^delivery \d+: deferral: ", count=6)
    wait_until(lambda: states(instance) == EXPECTED, 20, "the attempts")
    messages = listed(instance)
    # Ages are kept, and so are contents and what has failed.
    assert {m["accepted"] for m in messages} == {time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(HOUR_AGO))}
    perm = next(r for m in messages for r in m["recipients"] if r["address"] == "perm@r.test")
    assert "no such user" in perm["answer"]
    assert b"Subject: four\n\nnot preprocessed\n" in instance.maildir("joe")[0]
    assert instance.maildir("joe")[0].count(b"(qmail ") == 1
    # Once more: nothing happens.
    assert b"0 messages imported, 4 had been before" in queue(instance, "import", left_behind).stdout
    # What waited goes out; the failure is bounced then.
    sink.on("rcpt", None)
    queue(instance, "retry", "--state", "remote")
    wait_until(lambda: {r for m in sink.messages for r in m.recipients} >= {"temp2@r.test", "temp@r.test",
                                                                          "later@r.test", "send@x.test"}, 20, "mail")
    bounce = next(m for m in sink.messages if m.recipients == ["send@x.test"])
    assert b"<perm@r.test>:" in bounce.data and b"Subject: one" in bounce.data
    assert not any("ok@r.test" in m.recipients or "perm@r.test" in m.recipients for m in sink.messages)


def test_a_system_that_is_down_takes_it_over(instance, left_behind):
    instance.start()
    instance.stop()
    queue(instance, "import", left_behind)
    assert len(listed(instance)) == 4
    instance.start()
    instance.wait_delivered("joe")


@pytest.mark.parametrize("running", [True, False])
def test_an_import_may_be_killed_at_any_time(instance, left_behind, running):
    """Whatever was reached, the next one completes it, and no message is there twice."""
    instance.start()
    if not running:
        instance.stop()
    for delay in [0.001 * 2 ** n for n in range(8)]:
        process = instance.spawn(program("quill"), "queue", "import", left_behind, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    queue(instance, "import", left_behind)
    if not running:
        wait_until(lambda: not instance.leftovers(), 20, "journals of killed imports to end")
        instance.start()
    instance.wait_delivered("joe")
    wait_until(lambda: all(m["state"] == "deferred" for m in listed(instance)), 20, "attempts")
    assert states(instance) == EXPECTED
    assert len(instance.maildir("joe")) == 1


def test_what_cannot_be_imported_is_said(instance, left_behind):
    instance.start()
    os.makedirs(f"{left_behind}/lock")
    with open(f"{left_behind}/lock/sendmutex", "w") as lock:
        os.chown(lock.name, instance.uid, instance.gid)
        fcntl.flock(lock, fcntl.LOCK_EX)
        r = queue(instance, "import", left_behind, check=False)
        assert r.returncode == 111 and b"is running" in r.stderr
    r = queue(instance, "import", instance.home, check=False)
    assert r.returncode == 100 and b"no directory mess" in r.stderr
    name, = os.listdir(f"{left_behind}/info/12")
    with open(f"{left_behind}/info/12/{name}", "wb") as f:
        f.write(b"nonsense")
    r = queue(instance, "import", left_behind, check=False)
    assert r.returncode == 1 and f"info/12/{name} is not what".encode() in r.stderr and b"3 messages" in r.stdout


def test_a_queue_is_written_and_read_again(instance, sink, left_behind):
    instance.start()
    queue(instance, "import", left_behind)
    instance.wait_delivered("joe")
    wait_until(lambda: all(m["state"] == "deferred" for m in listed(instance)), 20, "attempts")
    before = summary(listed(instance))
    copy = f"{instance.dir}/copy"
    out = queue(instance, "export", copy).stdout
    assert out.startswith(b"4 messages exported, 0 had been before\nThey are held")
    assert {m["state"] for m in listed(instance)} == {"held"}
    for top, _, files in os.walk(f"{copy}/mess"):
        for name in files:
            assert os.stat(f"{top}/{name}").st_ino == int(name) and int(name) % 23 == int(os.path.basename(top))
    assert b"0 messages exported, 4 had been before" in queue(instance, "export", copy, "--remove").stdout
    assert listed(instance) == []
    queue(instance, "import", copy)
    assert summary(listed(instance)) == before
    r = queue(instance, "export", left_behind, check=False)
    assert r.returncode == 100 and b"is a queue already" in r.stderr


def test_an_export_may_be_killed_at_any_time(instance, sink):
    instance.control(concurrencyremote="0")
    instance.start()
    for i in range(30):
        instance.queue(b"Subject: x\n\nx\n", "x@y.test", f"u{i}@far.test")
    before = summary(listed(instance))
    copy = f"{instance.dir}/copy"
    for n in range(8):
        process = instance.spawn(program("quill"), "queue", "export", copy, "--remove", stdout=subprocess.DEVNULL)
        time.sleep(0.005 * (n + 1))
        process.send_signal(signal.SIGKILL)
        process.wait()
    queue(instance, "export", copy, "--remove")
    assert listed(instance) == []
    assert sum(len(files) for _, _, files in os.walk(f"{copy}/mess")) == 30
    queue(instance, "import", copy)
    assert summary(listed(instance)) == before


def test_our_own_queue_can_be_moved_with_ordinary_tools(instance, sink):
    instance.start()
    instance.queue(b"Subject: x\n\n" + b"x" * 2000000, "x@y.test", "temp@far.test")
    wait_until(lambda: any(m["state"] == "deferred" for m in listed(instance)), 20, "an attempt")
    instance.stop()
    with Instance(me="a.test", sink=sink) as other:
        subprocess.run(["sh", "-c", f"rm -rf {other.home}/queue && cp -a {instance.home}/queue {other.home}/queue"],
                       check=True)
        sink.on("rcpt", None)
        other.start()
        queue(other, "retry", "--all")
        wait_until(lambda: sink.messages, 20, "the message")
        assert len(sink.messages[0].data) > 2000000

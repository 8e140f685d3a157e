"""Known faults of qmail (docs/DEFECTS.md): the ones without a test elsewhere, and that there is one for each."""
import os
import re
import signal
import threading
import time

from quilltest import Instance, Sink
from quilltest.net import wait_until

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def rows():
    with open(f"{TOP}/docs/DEFECTS.md", encoding="utf-8") as f:
        return re.findall(r"^\| (\d+) \|.*\| `([\w./]+)::(\w+)` \|$", f.read(), re.M)


def test_every_fault_has_a_test():
    assert [int(number) for number, _, _ in rows()] == list(range(1, 58))
    for number, path, name in rows():
        with open(f"{TOP}/{path}", encoding="utf-8") as f:
            assert re.search(rf"^(def|static void) {name}\(", f.read(), re.M), f"{number}: no {name} in {path}"


def test_more_deliveries_than_a_byte_can_count():
    """qmail: at most 255, and without a word no more than 120."""
    with Instance(control={"concurrencylocal": "300", "concurrencyremote": "1000"}) as i:
        i.start()
        i.wait_log(r"^status: local 0/300 remote 0/1000$")


def test_a_second_term_does_not_wait():
    """qmail: until the slowest delivery has ended, up to twenty minutes for each step of its dialogue."""
    release = threading.Event()
    with Sink() as sink, Instance(sink=sink) as i:
        sink.on("mail", lambda *_: None if release.wait(60) else None)
        i.start()
        i.queue(b"Subject: slow\n\nx\n", "s@a.test", "x@far.test")
        i.wait_log("^starting delivery 1")
        i.signal("qmail-send", signal.SIGTERM)
        time.sleep(0.5)
        assert "status: exiting" not in i.log()
        i.signal("qmail-send", signal.SIGTERM)
        i.wait_log("^status: exiting$")
        release.set()  # quill up starts it again
        wait_until(lambda: sink.messages, 30, "the message to be tried again")


def test_refused_envelopes_leave_nothing():
    """qmail: the message stays on the disk for 36 hours, so that anybody can fill the queue."""
    def used(i):
        found = []
        for directory, _, names in os.walk(f"{i.home}/queue"):
            found += [(n, os.stat(os.path.join(directory, n)).st_blocks) for n in names]
        return sorted(found)

    with Instance() as i:
        i.start()
        before = used(i)
        for envelope, code in ((b"F" + b"a" * 1003 + b"\0\0", 11), (b"Fs@x\0Xa@b\0\0", 91), (b"Fs@x\0Tann@a.test\0", 54)):
            assert i.queue(b"Subject: x\n\n" + 100000 * b"x", "", check=False, raw=envelope) == code
        assert used(i) == before

"""What waits for one destination: dead ones, ceilings, schedules."""
import re
import signal
import time

import pytest

from quilltest import Sink, Stall, free_port, wait_until
from quilltest.instance import program

HELLO = b"Subject: hello\n\nbody\n"


def test_one_attempt_decides_for_all_that_wait(make_instance):
    """A server that greets nobody: a few attempts find out, the other messages get their verdict."""
    with Sink() as dead:
        dead.on("connect", "421 not now")
        i = make_instance(sink=dead)
        recipients = [f"r{n}@far.test" for n in range(40)]
        for r in recipients:
            i.queue(HELLO, "s@a.test", r)
        i.wait_log(r"^delivery 40: deferral: Connected_to_127\.0\.0\.1_but_greeting_failed\./Remote_host_said:_421")
        before = dead.connections
        assert before < 20
        # All are due, one is tried; all have their line in the log.
        i.signal("qmail-send", signal.SIGALRM)
        i.wait_log(r"^delivery 80: deferral: Connected_to_127\.0\.0\.1_but_greeting_failed\.")
        assert dead.connections - before <= 2
        dead.on("connect", None)
        i.signal("qmail-send", signal.SIGALRM)
        wait_until(lambda: len(dead.messages) == 40, what="all messages")
        assert sorted(m.recipients[0] for m in dead.messages) == sorted(recipients)
        i.wait_empty()


def test_messages_that_waited_go_out_with_the_first_success(make_instance):
    """No signal: new mail finds out that the destination answers again, and takes along what waits."""
    with Sink() as dead:
        dead.on("connect", "421 not now")
        i = make_instance(sink=dead)
        for n in range(20):
            i.queue(HELLO, "s@a.test", f"r{n}@far.test")
        i.wait_log("^delivery 20: deferral")
        dead.on("connect", None)

        def another():
            i.queue(HELLO, "s@a.test", "new@far.test")
            time.sleep(0.3)
            return len(dead.messages) > 20
        wait_until(another, 30, "what waited")
        i.wait_empty()


def test_a_dying_message_gets_the_words_of_the_last_attempt(make_instance):
    i = make_instance("joe", control={"smtproutes": f":127.0.0.1:{free_port()}", "queuelifetime": "1"})
    for n in range(10):
        i.queue(HELLO, "joe@a.test", f"r{n}@far.test")
    i.wait_log("^delivery 10: deferral")
    time.sleep(2.1)
    i.signal("qmail-send", signal.SIGALRM)
    for bounce in i.wait_delivered("joe", 10):
        assert (b"Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\nTried 127.0.0.1: connection refused.\n"
                b"I'm not going to try again; this message has been in the queue too long.\n") in bounce
    i.wait_empty()


def test_a_thousand_recipients_at_ten_domains(make_instance, sink):
    """A hundred of them in each transaction, and no more connections than domains."""
    i = make_instance(sink=sink)
    recipients = [f"r{n}@d{n % 10}.test" for n in range(1000)]
    i.queue(HELLO, "s@a.test", *recipients)
    i.wait_log("^end msg")
    assert sorted(r for m in sink.messages for r in m.recipients) == sorted(recipients)
    assert len(sink.messages) == 10 and sink.connections <= 10


def test_a_restart_is_no_storm(make_instance):
    """Of many messages for a dead destination only a hundred have their lines, also when a restart forgot that."""
    i = make_instance(control={"smtproutes": f":127.0.0.1:{free_port()}"})
    for n in range(130):
        i.queue(HELLO, "s@a.test", f"r{n}@far.test")
    i.wait_log("^delivery 130: deferral", 60)
    i.stop()
    lines = len(i.log())
    i.start()
    i.signal("qmail-send", signal.SIGALRM)
    i.wait_log("^delivery 100: deferral", 30, count=2)
    i.settle(1)
    started = re.findall("^starting delivery", i.log()[lines:], re.M)
    # The first attempts find out that it is down; a hundred get the verdict of each probe.
    assert 100 <= len(started) <= 125, len(started)


def test_silent_servers_cannot_take_all_slots(make_instance, sink):
    with Sink() as silent:
        silent.on("connect", Stall(60))
        i = make_instance(control={"concurrencyremote": "5", "smtproutes":
                                   f"live.test:127.0.0.1:{sink.port}\n:127.0.0.1:{silent.port}"})
        i.queue(HELLO, "s@a.test", "r@live.test")
        i.wait_log("^end msg")
        i.queue(HELLO, "s@a.test", *[f"r@silent{n}.test" for n in range(20)])
        i.wait_log("^status: local 0/10 remote 4/5$")
        for n in range(3):
            i.queue(HELLO, "s@a.test", f"r{n}@live.test")
        wait_until(lambda: len(sink.messages) == 4, what="mail for the server that answers")
        i.kill_all()


# ---- control/destinations -------------------------------------------------------------------


def most_running(instance):
    return max(int(n) for n in re.findall(r"^status: local \d+/\d+ remote (\d+)/", instance.log(), re.M))


@pytest.mark.parametrize("line", ["far.test:concurrency=1", ".test:concurrency=1", ":concurrency=1",
                                  "far.test:concurrency=1\n:concurrency=9"])
def test_concurrency_of_a_destination(make_instance, sink, line):
    sink.on("dot", Stall(0.05))
    i = make_instance(sink=sink, control={"destinations": line})
    for n in range(5):
        i.queue(HELLO, "s@a.test", f"r{n}@far.test")
    wait_until(lambda: len(sink.messages) == 5, what="all messages")
    i.wait_empty()
    assert most_running(i) == 1 and sink.most_open == 1


def test_domains_of_one_provider_count_as_one(make_instance, sink):
    sink.on("dot", Stall(0.05))
    i = make_instance(sink=sink, control={"destinations": "mx/127.0.0.1:concurrency=2"})
    i.queue(HELLO, "s@a.test", *[f"r@far{n}.test" for n in range(12)])
    wait_until(lambda: len(sink.messages) == 12, what="all messages")
    i.wait_empty()
    assert most_running(i) == 2 and sink.most_open == 2


def test_rate_of_a_destination(make_instance, sink):
    times = []
    sink.on("dot", lambda *_: times.append(time.monotonic()))
    i = make_instance(sink=sink, control={"destinations": "far.test:rate=1/s"})
    for n in range(4):
        i.queue(HELLO, "s@a.test", f"r{n}@far.test")
    i.queue(HELLO, "s@a.test", "r@quick.test")
    wait_until(lambda: len(sink.messages) == 5, what="all messages")
    assert times[-1] - times[0] > 2
    assert [m.recipients[0] for m in sink.messages].index("r@quick.test") < 3


def test_schedule_and_lifetime_of_a_destination(make_instance, sink):
    sink.on("rcpt", "450 4.2.1 later")
    i = make_instance("joe", sink=sink, control={"destinations": "far.test:retry=1s lifetime=3s"})
    i.queue(HELLO, "joe@a.test", "r@far.test")
    [bounce] = i.wait_delivered("joe", 1)
    assert b"this message has been in the queue too long" in bounce
    assert 3 <= len(re.findall("^starting delivery .* to remote", i.log(), re.M)) <= 6
    i.wait_empty()


def test_bad_lines(make_instance, sink):
    """One line in the log; at the start the others count, and after SIGHUP all that was there before."""
    i = make_instance(sink=sink, control={"destinations": "x.test:rate=what\nfar.test:concurrency=1"})
    check = i.run(program("quill"), "check", i.home, check=False)
    assert b"problem: control/destinations line 1: \"rate=what\" is not understood" in check.stdout
    i.wait_log(r"^warning: control/destinations line 1: \"rate=what\" is not understood; this line is without effect$")
    i.control(destinations="far.test:concurrency=5\ny.test concurrency=3")
    i.signal("qmail-send", signal.SIGHUP)
    i.wait_log("^alert: control/destinations line 2: there is no colon; the old settings stay$")
    sink.on("dot", Stall(0.05))
    for n in range(4):
        i.queue(HELLO, "s@a.test", f"r{n}@far.test")
    i.wait_empty()
    assert most_running(i) == 1
    i.control(destinations="")
    i.signal("qmail-send", signal.SIGHUP)
    sink.on("dot", Stall(0.5))
    for n in range(4):
        i.queue(HELLO, "s@a.test", f"r{n}@far.test")
    i.wait_log("^status: local 0/10 remote [2-4]/20$")
    i.wait_empty()

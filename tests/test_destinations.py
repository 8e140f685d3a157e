"""What waits for one destination: dead ones, ceilings, schedules."""
import signal
import time

from quilltest import Sink, free_port, wait_until

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
        assert (b"Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"
                b"I'm not going to try again; this message has been in the queue too long.\n") in bounce
    i.wait_empty()

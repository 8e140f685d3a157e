"""quill queue: looking at what waits, and deciding about it, on a running system and on one that is down."""
import json
import os
import re
import subprocess

import pytest

from quilltest import Instance, Sink, Stall, program, wait_until

LATER = "450 4.2.1 come back later"


@pytest.fixture
def sink():
    with Sink() as s:
        s.on("rcpt", LATER)
        yield s


@pytest.fixture
def instance(sink):
    with Instance(me="a.test", sink=sink) as i:
        i.add_user("joe")
        i.start()
        yield i


def quill(instance, *arguments, check=True, **options):
    return instance.run(program("quill"), "queue", *map(str, arguments), check=check, **options)


def listed(instance, *filters):
    return [json.loads(line) for line in quill(instance, "list", "--json", *filters).stdout.splitlines()]


def one(instance, number):
    return next((m for m in listed(instance) if m["id"] == number), None)


def waiting(instance, *recipients, sender="x@y.test", message=b"Subject: waits\n\nbody\n"):
    """A message that was deferred once; its number."""
    before = {m["id"] for m in listed(instance)}
    instance.queue(message, sender, *recipients)

    def deferred():
        return next((m["id"] for m in listed(instance) if m["id"] not in before and m["state"] == "deferred"), None)
    return wait_until(deferred, 30, "a deferred message")


def test_the_list_says_why_a_message_waits(instance):
    number = waiting(instance, "Bob@far.test", "joe@a.test")
    m = one(instance, number)
    assert m["sender"] == "x@y.test" and not m["failed"] and m["age"] < 60 and m["next"] > m["accepted"]
    bob, joe = m["recipients"]
    assert bob["state"] == "waiting" and bob["channel"] == "remote" and bob["destination"] == "far.test"
    assert "come back later" in bob["answer"]
    assert joe == {"address": "joe@a.test", "deliverto": "joe@a.test", "channel": "local", "destination": "joe",
                   "state": "done"}
    text = quill(instance).stdout.decode()
    assert re.search(rf"^{number}  \d+s  \d+ bytes  from <x@y.test>  next attempt in \d+[sm]$", text, re.M)
    assert "    waiting remote Bob@far.test\n" in text and "come back later" in text and "1 messages" in text
    # What was learned survives a restart, and a list needs no running system.
    instance.stop()
    assert "come back later" in one(instance, number)["recipients"][0]["answer"]


def test_show_prints_envelope_header_and_content(instance):
    number = waiting(instance, "bob@far.test", message=b"Subject: sh\x1bow\nTo: bob\n\nthe body\n")
    text = quill(instance, "show", number).stdout.decode()
    assert "    Subject: sh?ow\n" in text and "the body" not in text and "accepted" in text
    assert quill(instance, "show", "--body", number).stdout.endswith(b"Subject: sh\x1bow\nTo: bob\n\nthe body\n")
    m = json.loads(quill(instance, "show", "--json", number).stdout)
    assert m["id"] == number and "Subject: sh\x1bow\n" in m["header"]
    r = quill(instance, "show", number + 1000, check=False)
    assert r.returncode == 100 and b"there is no message" in r.stderr


def test_what_is_held_waits_also_over_restarts(instance, sink):
    number = waiting(instance, "bob@far.test")
    assert quill(instance, "hold", number).stdout == b"1 message held\n"
    assert one(instance, number)["state"] == "held"
    sink.on("rcpt", None)
    assert quill(instance, "retry", number, check=False).returncode == 1
    instance.signal("qmail-send", 14)
    instance.kill_all()
    instance.start()
    instance.settle()
    assert one(instance, number)["state"] == "held" and not sink.messages
    quill(instance, "release", number)
    wait_until(lambda: sink.messages, 20, "the released message")
    instance.wait_log(rf"^operator: release msg {number} by uid {instance.uid}$")
    wait_until(lambda: not listed(instance), 20, "an empty queue")


def test_retry_tries_now(instance, sink):
    number = waiting(instance, "bob@far.test")
    sink.on("rcpt", None)
    quill(instance, "retry", number)
    wait_until(lambda: sink.messages, 20, "delivery")


def test_what_is_being_delivered_is_tried_again_when_that_ends(instance):
    home = instance.add_user("amy", qmail="|echo try >>tries; sleep 1; exit 111\n")
    instance.queue(b"Subject: slow\n\n", "x@y.test", "amy@a.test")
    tries = os.path.join(home, "tries")
    wait_until(lambda: os.path.exists(tries), 30, "the first attempt")
    assert b"1 message" in quill(instance, "retry", listed(instance)[0]["id"]).stdout
    wait_until(lambda: open(tries, encoding="ascii").read().count("try") >= 2, 30, "the second attempt")


def test_removed_messages_are_gone_for_good(instance, sink):
    numbers = [waiting(instance, f"bob{i}@far.test") for i in range(3)]
    r = quill(instance, "remove", numbers[0], numbers[0], check=False)
    assert r.returncode == 1 and b"1 message removed" in r.stdout and b"no such message" in r.stderr
    quill(instance, "remove", "--recipient", "BOB1@*")
    assert [m["id"] for m in listed(instance)] == numbers[2:]
    # It was durable before it was said.
    instance.kill_all()
    instance.start()
    assert [m["id"] for m in listed(instance)] == numbers[2:]
    log = instance.log()
    assert log.count(f"end msg {numbers[0]}\n") == 1 and "bounce msg" not in log


def test_a_bounce_tells_the_sender(instance):
    number = waiting(instance, "bob@far.test", "ann@far.test", sender="joe@a.test")
    quill(instance, "hold", number)
    quill(instance, "bounce", number, "--because", "The domain is closed.")
    bounce, = instance.wait_delivered("joe")
    assert b"<bob@far.test>:\n" in bounce and b"<ann@far.test>:\n" in bounce and b"The domain is closed. (#5.3.0)" in bounce
    wait_until(lambda: not listed(instance), 20, "an empty queue")
    assert len(re.findall(r"^delivery \d+: failure: This_message_was_returned", instance.log(), re.M)) == 2


def test_addresses_can_be_edited(instance, sink):
    number = waiting(instance, "bob@far.test", "carl@far.test")
    quill(instance, "edit", number, "recipient", "bob@far.test", "joe@a.test")
    instance.wait_delivered("joe")
    sink.on("rcpt", lambda arg, session: LATER if b"carl@" in arg else None)
    quill(instance, "edit", number, "sender", "new@y.test")
    instance.kill_all()
    instance.start()
    m = wait_until(lambda: (m := one(instance, number)) and m["recipients"][0]["state"] == "done" and m, 20, "Joe's")
    assert m["sender"] == "new@y.test" and [r["address"] for r in m["recipients"]] == ["joe@a.test", "carl@far.test"]
    # Who is done, or never was there, cannot be edited; and nothing else is an address.
    for old, new in (("joe@a.test", "x@far.test"), ("bob@far.test", "x@far.test"), ("carl@far.test", "")):
        assert quill(instance, "edit", number, "recipient", old, new, check=False).returncode == 1
    quill(instance, "edit", number, "recipient", "carl@far.test", "dan@far.test")
    wait_until(lambda: [m.recipients for m in sink.messages] == [["dan@far.test"]], 20, "delivery")
    assert sink.messages[0].sender == "new@y.test"


def test_requeue_follows_changed_control_files(instance):
    number = waiting(instance, "joe@moved.test")
    instance.control(locals="a.test\nmoved.test")
    instance.signal("qmail-send", 1)
    instance.settle(0.2)
    assert one(instance, number)["state"] == "deferred"
    quill(instance, "requeue", number)
    instance.wait_delivered("joe")


def test_filters_choose(instance):
    big = waiting(instance, "bob@far.test", message=b"Subject: big\n\n" + b"x" * 20000)
    small = waiting(instance, "ann@near.test", sender="")
    for filters, expected in (
            ([], [big, small]), (["--sender", ""], [small]), (["--sender", "*@Y.test"], [big]),
            (["--destination", "near.test"], [small]), (["--larger", "10k"], [big]), (["--smaller", "10k"], [small]),
            (["--reason", "COME back"], [big, small]), (["--reason", "connection refused"], []),
            (["--older", "1h"], []), (["--younger", "1h", "--state", "deferred"], [big, small]),
            (["--state", "held"], []), (["--state", "remote", "--recipient", "ann@*"], [small])):
        assert [m["id"] for m in listed(instance, *filters)] == expected, filters
    assert quill(instance, "list", "--numbers").stdout.decode().split() == [str(big), str(small)]
    assert quill(instance, "remove", "--dry-run", "--sender", "").stdout.decode().split() == [str(small)]
    assert quill(instance, "hold", "--all").stdout == b"2 messages held\n"
    assert len(listed(instance, "--state", "held")) == 2


@pytest.mark.parametrize("arguments, text", [
    (["remove"], b"which messages?"), (["show"], b"which message?"), (["hold", "--state", "happy"], b"deferred, held"),
    (["list", "--older", "soon"], b"an age such as"), (["edit", "1", "recipient", "x"], b"recipient OLD NEW"),
    (["frobnicate"], b"is expected"), (["hold", "abc"], b"is no message number"), (["list", "--nonsense"], b"no option"),
    (["list", "--sender"], b"lacks its value"),
])
def test_mistakes_are_explained(instance, arguments, text):
    r = quill(instance, *arguments, check=False)
    assert r.returncode == 100 and text in r.stderr and len(r.stderr.splitlines()) == 1


def test_what_is_being_delivered_is_not_interrupted(instance, sink):
    sink.on("rcpt", None)
    sink.on("dot", Stall(2))
    instance.queue(b"Subject: slow\n\nx\n", "x@y.test", "bob@far.test")
    instance.wait_log(r"^starting delivery ")
    number = listed(instance)[0]["id"]
    r = quill(instance, "edit", number, "sender", "z@y.test", check=False)
    assert r.returncode == 1 and b"a delivery of it runs" in r.stderr
    assert b"may still succeed" in quill(instance, "remove", number).stderr
    assert not listed(instance)
    wait_until(lambda: sink.messages, 20, "what was under way")
    instance.wait_log(r"^delivery \d+: success: ")
    assert instance.log().count(f"end msg {number}\n") == 1


def test_others_are_refused(instance):
    if os.getuid() != 0:
        pytest.skip("needs a second user")
    other = instance.uid + 1
    os.chmod(instance.dir, 0o755)
    r = subprocess.run([program("quill"), "queue", "-C", instance.home], capture_output=True, user=other, group=other,
                       extra_groups=[], env=instance.environment)
    assert r.returncode in (100, 111) and b"denied" in r.stderr and len(r.stderr.splitlines()) == 1


def test_the_queue_of_a_system_that_is_down(instance, sink):
    numbers = [waiting(instance, f"bob{i}@far.test", sender="joe@a.test") for i in range(4)]
    instance.stop()
    quill(instance, "hold", numbers[0])
    quill(instance, "remove", numbers[1])
    quill(instance, "edit", numbers[2], "recipient", "bob2@far.test", "joe@a.test")
    quill(instance, "retry", numbers[2])
    quill(instance, "bounce", numbers[3])
    assert one(instance, numbers[0])["state"] == "held" and one(instance, numbers[1]) is None
    instance.start()
    instance.wait_delivered("joe", 2)
    wait_until(lambda: [m["id"] for m in listed(instance)] == numbers[:1], 20, "one message")


def test_a_long_list_is_told_in_parts(instance):
    """Messages with thousands of recipients, more than fit in a socket at once, and mail accepted meanwhile."""
    quantity = 5000
    instance.control(concurrencyremote="0")
    instance.stop()
    instance.start()
    for i in range(12):
        instance.queue(b"Subject: many\n\nx\n", "x@y.test", *(f"user{n}-{i}@far.test" for n in range(quantity)))
    assert [len(m["recipients"]) for m in listed(instance)] == [quantity] * 12
    process = instance.spawn(program("quill"), "queue", "--json", stdout=-1)
    process.stdout.read(1000)
    instance.queue(b"Subject: meanwhile\n\nx\n", "x@y.test", "joe@a.test")
    instance.wait_delivered("joe")
    assert len(process.stdout.read().splitlines()) == 12
    process.stdout.close()
    assert process.wait() == 0


def qm(instance, *arguments, check=True):
    return instance.run(program("qmHandle"), *arguments, check=check)


def test_scripts_for_qmhandle_go_on_working(instance, sink):
    names = ["one", "two", "three", "four", "five", "six", "seven"]
    ids = {n: waiting(instance, f"{n}@far.test", sender=f"{n}@y.test",
                      message=f"Subject: say {n}\nX-Mark: {n}Mark\n\nThe body of {n}\n".encode()) for n in names}
    text = qm(instance, "-l").stdout.decode()
    assert f"{ids['one']} (" in text and "  Return-path: one@y.test\n" in text and "  Subject: say two\n" in text
    assert "Total messages: 7\nMessages with local recipients: 0\nMessages with remote recipients: 7\n" in text
    assert qm(instance, "-R", "-N").stdout.decode().split() == [str(ids[n]) for n in names]
    assert qm(instance, "-LN").stdout == b""
    assert b"The body of one" in qm(instance, f"-m{ids['one']}").stdout
    for option, name in ((f"-d{ids['one']}", "one"), ("-fTWO@y.test", "two"), ("-F^three@", "three"),
                         ("-SAY FOUR", "four"), ("-hx-mark: fivemark", "five"), ("-BThe body of six", "six")):
        assert f"Message {ids[name]} is deleted." in qm(instance, option).stdout.decode(), option
    assert qm(instance, "-hnothing like it", "-HX-MARK", "-Xnobody", "-s").stdout.decode().startswith("Total messages: 1\n")
    sink.on("rcpt", None)
    qm(instance, "-tseven@")
    wait_until(lambda: sink.messages, 20, "what was tried again")
    assert qm(instance, "-d12345", check=False).returncode == 1
    for bad in (["-F["], ["-dx"], [], ["-Q"], ["-l", "more"]):
        assert qm(instance, *bad, check=False).returncode == 100, bad
    instance.queue(b"Subject: x\n\nx\n", "", "joe-none@a.test")
    instance.wait_empty()
    qm(instance, "-D")
    assert not listed(instance)

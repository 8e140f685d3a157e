"""The log as JSON, quill trace and quill why."""
import json

import pytest

from quilltest import Instance, Sink, program, wait_until


@pytest.fixture
def sink():
    with Sink() as s:
        yield s


@pytest.fixture
def instance(sink):
    with Instance(me="a.test", sink=sink) as i:
        i.add_user("joe")
        yield i


def events(instance):
    return [json.loads(line) for line in instance.log().splitlines() if line.startswith("{")]


def test_events_are_objects_beside_the_lines(instance, sink):
    instance.control(logformat="json", rcpthosts="a.test\nfar.test")
    instance.start()
    sink.on("rcpt", lambda arg, session: "550 5.1.1 no \"such\" user" if b"bad@" in arg else None)
    instance.send("joe@a.test", ["joe@a.test", "bad@far.test"], b"Message-ID: <one@x.test>\nSubject: x\n\nbody\n")
    instance.wait_delivered("joe", 2)
    instance.wait_empty()
    found = events(instance)
    new = next(e for e in found if e["event"] == "new")
    assert new["event"] == "new" and new["sender"] == "joe@a.test" and new["recipients"] == 2
    assert new["client"] == "127.0.0.1" and new["messageid"] == "<one@x.test>" and new["time"].endswith("Z")
    own = [e for e in found if e.get("msg") == new["msg"]]
    assert {e["trace"] for e in own} == {new["trace"]}
    assert sorted(e["event"] for e in own) == ["bounce", "end", "failure", "new", "start", "start", "success"]
    failure, = (e for e in own if e["event"] == "failure")
    assert failure["recipient"] == "bad@far.test" and 'no "such" user\n' in failure["text"]
    # Every line that log tools know is there as well.
    lines = [line for line in instance.log().splitlines() if not line.startswith("{")]
    assert f"end msg {new['msg']}" in lines and sum(line.startswith("starting delivery ") for line in lines) == 3
    assert len({e["trace"] for e in found if e["event"] == "new"}) == 2


def test_the_log_can_be_objects_alone(instance):
    instance.control(logformat="json-only")
    instance.start()
    instance.queue(b"Subject: x\n\nx\n", "x@y.test", "joe@a.test")
    instance.wait_delivered("joe")
    wait_until(lambda: any(e["event"] == "end" for e in events(instance)), 20, "the end")
    assert "new msg" not in instance.log() and "status:" not in instance.log()


def trace(instance, *arguments, check=True):
    return instance.run(program("quill"), "trace", *map(str, arguments), check=check)


@pytest.mark.parametrize("form", ["qmail", "json", "json-only"])
def test_the_whole_way_of_a_message_is_told(instance, sink, form):
    sink.on("rcpt", lambda arg, session: "550 5.1.1 no such user" if b"bad@" in arg else "450 4.2.1 later")
    instance.control(logformat=form, rcpthosts="a.test\nfar.test")
    instance.start()
    instance.send("joe@a.test", ["joe@a.test", "bad@far.test", "late@far.test"], b"Message-ID: <one@x.test>\n\nbody\n")
    instance.queue(b"Subject: other\n\nx\n", "x@y.test", "joe@a.test")
    instance.wait_delivered("joe", 2)
    wait_until(lambda: b"later" in instance.run(program("quill"), "queue").stdout, 20, "a deferral")
    text = trace(instance, "late@far.test", instance.log_path).stdout.decode()
    for words in ("accepted: ", " from <joe@a.test>", "to local joe@a.test: success", "to remote late@far.test: put off",
                  "to remote bad@far.test: failure", "550 5.1.1 no such user", "in the queue now:", "waiting remote late"):
        assert words in text, words
    assert text.count("begins") == 3 and text.count("message ") == 1
    number = int(text.split()[1])
    # By number, and after it is gone.
    sink.on("rcpt", lambda arg, session: "550 5.1.1 no such user" if b"bad@" in arg else None)
    instance.run(program("quill"), "queue", "retry", "--all")
    instance.wait_delivered("joe", 3)
    wait_until(lambda: not instance.run(program("quill"), "queue", "list", "--numbers").stdout, 20, "an empty queue")
    text = trace(instance, "--log", instance.log_path, number).stdout.decode()
    assert "in the queue now" not in text and "ended: nothing of it is left" in text
    bounce = int(text.rpartition("its bounce is message ")[2].split()[0])
    assert "operator: retry" in text and text.count("ended") == 1
    assert "from <>" in trace(instance, bounce, instance.log_path).stdout.decode()
    if form != "qmail":
        events_of = [e for e in events(instance) if e.get("msg") == number]
        for what in ("<one@x.test>", events_of[0]["trace"]):
            assert f"message {number}\n" in trace(instance, what, instance.log_path).stdout.decode()
    objects = [json.loads(line) for line in trace(instance, "--json", number, instance.log_path).stdout.splitlines()]
    assert {o["msg"] for o in objects} == {number} and len(objects) >= 9
    assert trace(instance, "nobody@far.test", instance.log_path, check=False).returncode == 1
    assert trace(instance, check=False).returncode == 100


def why(instance, *arguments, check=True):
    return instance.run(program("quill"), "why", *arguments, check=check)


def test_why_tells_what_would_happen(instance):
    instance.add_user("joe", list="&ann@far.test\n|true\n./Mailbox\n", gone="|bouncesaying gone\n")
    instance.control(virtualdomains="v.test:joe\n.sub.test:joe-sub", locals="a.test", envnoathost="a.test")
    instance.start()
    text = why(instance, "joe@A.test").stdout.decode()
    assert "control/locals has A.test" in text and "joe (users/assign)" in text and "the default delivery" in text
    assert text.endswith("mail for it is delivered\n")
    text = why(instance, "joe-list").stdout.decode()
    assert "joe-list@a.test\n  given as" in text and f"{instance.dir}/joe/.qmail-list" in text and "ann@far.test" in text
    text = why(instance, "list@v.test").stdout.decode()
    assert "control/virtualdomains has v.test:joe" in text and "joe-list@v.test" in text
    r = why(instance, "joe-nobody@a.test", check=False)
    assert r.returncode == 100 and b"no .qmail file fits" in r.stdout and b"bounces" in r.stdout
    text = why(instance, "x@deep.sub.test", check=False).stdout.decode()
    assert ".sub.test:joe-sub" in text
    text = why(instance, "x@far.test").stdout.decode()
    assert "is neither in control/locals" in text and "control/smtproutes has :127.0.0.1" in text
    assert why(instance, "joe@a.test", "joe-nobody@a.test", check=False).returncode == 100


def test_sendmail_tells_what_would_happen(instance):
    instance.start()
    assert b"mail for it is delivered" in instance.run(program("sendmail"), "-bv", "joe@a.test").stdout
    r = instance.run(program("sendmail"), "-bv", "joe-nobody@a.test", check=False)
    assert r.returncode == 100 and b"mail for it bounces" in r.stdout
    assert instance.run(program("sendmail"), "-bv", check=False).returncode == 100


def test_sendmail_waits_and_shows_the_delivery(instance, sink):
    sink.on("rcpt", lambda arg, session: "550 5.1.1 no such user" if b"bad@" in arg else
            "450 4.2.1 later" if b"late@" in arg else None)
    instance.start()

    def send(*recipients):
        return sorted(instance.run(program("sendmail"), "-v", *recipients, input=b"Subject: x\n\nx\n",
                                   timeout=60).stdout.decode().splitlines())
    assert send("joe@a.test") == ["delivered"]
    bad, good, late = send("joe@a.test", "bad@far.test", "late@far.test")
    assert good == "joe@a.test: delivered"
    assert bad.startswith("bad@far.test: failed: 127.0.0.1 does not like recipient. Remote host said: 550 5.1.1 no such")
    assert late.startswith("late@far.test: put off: ") and "450 4.2.1 later" in late
    assert send("bad@far.test")[0].startswith("bad@far.test: failed")

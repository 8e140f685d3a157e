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

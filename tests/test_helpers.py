"""The helpers themselves: a ledger or a sink that cannot fail would make other tests worthless."""
import os
import smtplib

import pytest

from quilltest import DROP, Ledger, Sink, compose, mbox


def send(sink, *recipients, text="Subject: x\r\n\r\n.dot\r\n"):
    with smtplib.SMTP(sink.host, sink.port, timeout=10) as client:
        return client.sendmail("s@a.test", list(recipients), text)


def test_sink_keeps_what_it_takes(sink):
    send(sink, "x@far.test", "y@far.test")
    [message] = sink.messages
    assert (message.sender, message.recipients) == ("s@a.test", ["x@far.test", "y@far.test"])
    assert message.data == b"Subject: x\r\n\r\n.dot\r\n"


def test_sink_refuses_and_drops():
    with Sink() as sink:
        sink.on("rcpt", lambda argument, session: "550 no" if b"bad@" in argument else None)
        assert send(sink, "bad@far.test", "good@far.test") == {"bad@far.test": (550, b"no")}
        assert sink.messages[0].recipients == ["good@far.test"]
        sink.on("dot", DROP)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            send(sink, "x@far.test")
        assert len(sink.messages) == 1


def ledger_of(*keys):
    ledger = Ledger()
    ledger.acknowledged.update(keys)
    return ledger


def test_ledger_finds_loss_damage_and_strangers():
    one, two = compose("one"), compose("two")
    ledger = ledger_of("one", "two")
    assert ledger.check([b"Received: above\n" + one, two]) == 0
    assert ledger.check([one, one, two.replace(b"\n", b"\r\n")]) == 1
    assert ledger.check([one], queued=["two"]) == 0
    with pytest.raises(AssertionError, match="lost.*two"):
        ledger.check([one])
    with pytest.raises(AssertionError, match="damaged.*two"):
        ledger.check([one, two[:-1]])
    with pytest.raises(AssertionError, match="never sent.*three"):
        ledger.check([one, two, compose("three")])


def test_mbox_reader(tmp_path):
    path = os.path.join(tmp_path, "mbox")
    with open(path, "wb") as f:
        f.write(b"From a Mon\nx\n>From y\n\nFrom b Tue\nz\n\n")
    assert mbox(path) == [b"From a Mon\nx\n>From y\n\n", b"From b Tue\nz\n\n"]

"""Internationalised domains and addresses on their way out."""
import pytest

from quilltest.rspawn import Rspawn
from quilltest.sink import Sink
from test_rspawn import fake_resolver
from test_tls import ACCEPTED

SMTPUTF8 = 2


@pytest.fixture(name="sink", params=[("SMTPUTF8", "PIPELINING"), ("PIPELINING",), ()], ids=["utf8", "plain", "lockstep"])
def _sink(request):
    with Sink(extensions=request.param) as s:
        yield s


@pytest.mark.parametrize("flags", [0, SMTPUTF8])
def test_domains_in_a_labels_where_utf8_is_not_known(sink, flags):
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        assert r.deliver("joe@bücher.test", sender="ann@straße.test", flags=flags) == [("K", ACCEPTED)]
    message = sink.messages[0]
    if "SMTPUTF8" in sink.extensions:
        assert (message.sender, message.recipients) == ("ann@straße.test", ["joe@bücher.test"])
        assert any(line.endswith(b" SMTPUTF8") for _, line in sink.commands)
    else:
        assert (message.sender, message.recipients) == ("ann@xn--strae-oqa.test", ["joe@xn--bcher-kva.test"])


def test_local_parts_need_a_server_that_knows_them(sink):
    with Rspawn(smtproutes=f":127.0.0.1:{sink.port}") as r:
        results = r.deliver("jörg@h.test", flags=SMTPUTF8)
        if "SMTPUTF8" in sink.extensions:
            assert results == [("K", ACCEPTED)]
        else:
            assert results == [
                ("D", "Connected to 127.0.0.1 but it takes no internationalized addresses. (#5.6.7)\n")]
        # The session goes on.
        assert r.deliver("joe@h.test") == [("K", ACCEPTED)]
        assert sink.connections == 1


def test_dns_is_asked_for_a_labels():
    questions = []
    with Rspawn() as r:
        listener = fake_resolver(r.home, [(10, "127.0.0.9")], questions)
        r.deliver("joe@bücher.test")
        assert r.deliver("joe@b\u200bücher.test\udcff")[0] == (
            "D", "Sorry, I couldn't find any host named b??????cher.test?. (#5.1.2)\n".replace("??????", "?????"))
        listener.close()
    assert questions[0].endswith(b"xn--bcher-kva.test")

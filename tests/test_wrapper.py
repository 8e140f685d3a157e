"""$QMAILREMOTE: deliveries by a program in place of qmail-rspawn's own."""
import os
import stat

import pytest

from quilltest import program
from quilltest.rspawn import Rspawn
from quilltest.sink import Sink
from test_rspawn import ACCEPTED

RECORD = """#!/bin/sh
echo "a word for the log" >&2
{ printf '%s\\n' "$@"; cat; echo "(end)"; } >>"$RECORD.$3"
case $3 in
no@*) printf 'hno such user\\n\\0DGiving up.\\n\\0' ;;
later@*) printf 'Zlater\\n\\0' ;;
silent@*) ;;
crash@*) kill -9 $$ ;;
exit*@*) n=${3%@*}; exit ${n#exit} ;;
early@*) printf 'r\\0Kearly\\n\\0'; exec >&-; sleep 0.3 ;;
*) printf 'r\\0Kdone\\n\\0' ;;
esac
"""


@pytest.fixture(name="wrapper")
def _wrapper(tmp_path):
    path = tmp_path / "wrapper"
    path.write_text(RECORD)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    os.environ["RECORD"] = str(tmp_path / "record")
    yield str(path)
    del os.environ["RECORD"]


def recorded(recipient):
    with open(f"{os.environ['RECORD']}.{recipient}", encoding="ascii") as f:
        return f.read()


def test_reports(wrapper):
    with Rspawn(environment={"QMAILREMOTE": wrapper}) as r:
        wanted = {"a": ("K", "done\n"), "no": ("D", "no such user\nGiving up.\n"), "later": ("Z", "later\n"),
                  "silent": ("Z", "qmail-remote produced no output.\n"), "crash": ("Z", "qmail-remote crashed.\n"),
                  "exit111": ("Z", "Unable to run qmail-remote.\n"), "exit100": ("D", "Unable to run qmail-remote.\n"),
                  "early": ("K", "early\n"), "x\n": ("D", "This address cannot be sent by SMTP. (#5.1.3)\n")}
        assert r.deliver(*(f"{name}@h.test" for name in wanted)) == list(wanted.values())
        assert "a word for the log" in r.log_text() and f"deliveries by {wrapper}, without confinement" in r.log_text()
    for name in wanted:
        if name != "x\n":
            assert recorded(f"{name}@h.test") == f"h.test\ns@a.test\n{name}@h.test\nSubject: x\n\nhello\n(end)\n"


def test_many_at_a_time(wrapper):
    with Rspawn(environment={"QMAILREMOTE": wrapper}) as r:
        numbers = [r.request([f"r{i}@h.test"], content=b"%d\n" % i * 30000) for i in range(20)]
        assert all(r.wait(n) == [("K", "done\n")] for n in numbers)
    for i in range(20):
        assert recorded(f"r{i}@h.test") == f"h.test\ns@a.test\nr{i}@h.test\n" + f"{i}\n" * 30000 + "(end)\n"


def test_our_own_command():
    with Sink() as sink, Rspawn(environment={"QMAILREMOTE": program("qmail-remote")},
                                smtproutes=f":127.0.0.1:{sink.port}") as r:
        assert r.deliver("a@h.test", "b@h.test") == [ACCEPTED] * 2
        assert [m.recipients for m in sink.messages] == [["a@h.test"], ["b@h.test"]]


def test_no_such_program():
    with Rspawn(environment={"QMAILREMOTE": "/nonexistent"}) as r:
        assert r.deliver() == [("D", "Unable to run qmail-remote.\n")]

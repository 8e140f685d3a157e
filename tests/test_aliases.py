"""dot-forward, and fastforward with newaliases, newinclude, setforward, setmaillist and their printers."""
import os
import re
import struct

import pytest

from quilltest import Instance
from test_tools import DELIVERY, MESSAGE, Desk

DTLINE = DELIVERY["DTLINE"].encode()


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def recipients(envelope):
    return envelope.decode().rstrip("\0").split("\0T")[1:]


# ---- dot-forward ------------------------------------------------------------------

def test_dot_forward_sends_on(desk):
    desk.write("f", "a@b.test, c\n# comment\n")
    code, out, err = desk.run("dot-forward", "f")
    assert (code, out) == (99, "") and re.fullmatch(r"dot-forward: info: qp \d+\n", err)
    assert desk.queued() == (DTLINE + MESSAGE, b"Fnew@x.test\0Tc@me.test\0Ta@b.test\0\0")


def test_dot_forward_completes_addresses_by_control_files_only(desk):
    desk.write("control/defaulthost", "dh\n")
    desk.write("control/defaultdomain", "dd.test\n")
    desk.write("control/plusdomain", "pd.test\n")
    desk.write("f", "a\nb@c\nd@e+\n")
    assert desk.run("dot-forward", "f", QMAILDEFAULTHOST="other")[0] == 99
    assert recipients(desk.queued()[1]) == ["a@dh.dd.test", "b@c.dd.test", "d@e.pd.test"]


def test_dot_forward_direct_delivery(desk):
    desk.write("f", "\\joe, a@b.test\n")
    assert desk.run("dot-forward", "f")[0] == 0
    assert recipients(desk.queued()[1]) == ["a@b.test"]
    desk.write("g", "Joe@H.test\n")
    assert desk.run("dot-forward", "g") == (0, "", "")


def test_dot_forward_runs_programs(desk):
    desk.write("f", '"|cat >out; echo $SENDER"\n|true\n')
    assert desk.run("dot-forward", "f") == (99, "s@x.test\n", "")
    head = DELIVERY["UFLINE"] + DELIVERY["RPLINE"] + DELIVERY["DTLINE"]
    assert desk.read("out") == head.encode() + MESSAGE
    assert not desk.exists("message")


@pytest.mark.parametrize("status, code", [(1, 111), (99, 111), (100, 100), (77, 100), (67, 111), (112, 100)])
def test_dot_forward_program_exit_codes(desk, status, code):
    desk.write("f", f'"|exit {status}"\na@b.test\n')
    assert desk.run("dot-forward", "f")[0] == code
    assert not desk.exists("message")


def test_dot_forward_uses_the_first_file_that_acts(desk):
    desk.write("empty", "# nothing\n")
    desk.write("f", "a@b.test\n")
    desk.write("g", "c@d.test\n")
    assert desk.run("dot-forward", "missing", "empty", "f", "g")[0] == 99
    assert recipients(desk.queued()[1]) == ["a@b.test"]
    assert desk.run("dot-forward", "missing", "empty") == (0, "", "")


def test_dot_forward_dry_run(desk):
    desk.write("empty", "")
    desk.write("f", 'a@b.test, joe\n"|c d"\n')
    code, _, err = desk.run("dot-forward", "-n", "empty", "f")
    assert (code, err) == (0, "skipping empty file empty\npipe through c d\nforward a@b.test\ndirect delivery\n")
    assert not desk.exists("message")


def test_dot_forward_trouble(desk):
    desk.write("f", "|touch ran\n/var/mail/joe\n")
    assert desk.run("dot-forward", "f") == (111, "", "dot-forward: fatal: file delivery /var/mail/joe not supported\n")
    assert not desk.exists("ran"), "nothing is done when the file cannot be followed to its end"
    desk.write("f", 'a@b.test\n"\n')
    assert desk.run("dot-forward", "f")[0] == 111
    os.mkdir(desk.path + "/d")
    assert desk.run("dot-forward", "d")[0] == 111
    os.mkfifo(desk.path + "/fifo")
    assert desk.run("dot-forward", "fifo")[0] == 111
    desk.write("f", "a@b.test\n", 0o666)
    assert desk.run("dot-forward", "f") == (111, "", "dot-forward: fatal: everybody may write to f\n")
    desk.write("f", "a@b.test\n", 0o644)
    desk.write("status", "31")
    assert desk.run("dot-forward", "f") == (100, "", "dot-forward: fatal: unable to forward message: mail server "
                                            "permanently rejected message (#5.3.0)\n")
    assert desk.run("dot-forward")[0] == 100


# ---- setforward, printforward -----------------------------------------------------

def cdb(data):
    """All records of a constant database, read independently."""
    end, at, found = struct.unpack_from("<I", data, 0)[0], 2048, []
    while at < end:
        k, v = struct.unpack_from("<II", data, at)
        found.append((data[at + 8:at + 8 + k], data[at + 8 + k:at + 8 + k + v]))
        at += 8 + k + v
    assert at == end
    return found


TEXT = b"""
Joe@H.test: a@b.test, &c@d.test, ?owner@h.test; # comment
@wild.test: |cat\\ >\\ out;
pm@: ./list.bin;
"""


def test_setforward(desk):
    os.umask(0o022)
    assert desk.run("setforward", "x.cdb", "x.tmp", message=TEXT) == (0, "", "")
    assert cdb(desk.read("x.cdb")) == [
        (b"?joe@h.test", b"owner@h.test"), (b":joe@h.test", b"&a@b.test\0&c@d.test\0"),
        (b":@wild.test", b"|cat > out\0"), (b":pm@", b"./list.bin\0")]
    assert os.stat(desk.path + "/x.cdb").st_mode & 0o777 == 0o644
    assert not desk.exists("x.tmp")
    code, out, _ = desk.run("printforward", message=desk.read("x.cdb"))
    assert (code, out) == (0, "joe@h.test: ?owner@h.test;\njoe@h.test:\n, &a@b.test\n, &c@d.test\n;\n"
                              "@wild.test:\n, |cat\\ >\\ out\n;\npm@:\n, ./list.bin\n;\n")
    desk.run("setforward", "y.cdb", "y.tmp", message=out.encode())
    assert desk.read("y.cdb") == desk.read("x.cdb")


def test_setforward_keeps_the_old_database(desk):
    desk.run("setforward", "x.cdb", "x.tmp", message=TEXT)
    old = desk.read("x.cdb")
    assert desk.run("setforward", "x.cdb", "x.tmp", message=b"a: b") == (
        100, "", "setforward: fatal: final instruction must end with semicolon\n")
    assert desk.read("x.cdb") == old
    assert not desk.exists("x.tmp")


def test_printforward_refuses_damage(desk):
    desk.run("setforward", "x.cdb", "x.tmp", message=TEXT)
    data = desk.read("x.cdb")
    for bad in (b"", data[:100], data[:2048] + b"\xff" * 20 + data[2068:]):
        code, _, err = desk.run("printforward", message=bad)
        assert (code, err) == (100, "printmaillist: fatal: bad database format\n")


# ---- newaliases, newinclude, setmaillist -----------------------------------------

def test_newaliases(desk):
    desk.write("aliases", 'Root: ann, bob@far\nowner-list: ann\nlist: :include:/lists/all, "|archive -x"\nlast: x@y.test')
    assert desk.run("newaliases", desk.path + "/aliases") == (0, "", "")
    assert cdb(desk.read("aliases.cdb")) == [
        (b":root@", b"&bob@far.me.test\0&ann@me.test\0"),
        (b"?list@", b"owner-list@me.test"), (b":owner-list@", b"&ann@me.test\0"),
        (b":list@", b"!archive -x\0/lists/all.bin\0"), (b":last@", b"&x@y.test\0")]
    assert os.stat(desk.path + "/aliases.cdb").st_mode & 0o777 == 0o644
    old = desk.read("aliases.cdb")
    desk.write("aliases", "a: b\nfile: /var/mail/x\n")
    assert desk.run("newaliases", desk.path + "/aliases") == (
        111, "", "newaliases: fatal: file delivery /var/mail/x not supported\n")
    assert desk.read("aliases.cdb") == old and not desk.exists("aliases.tmp")


def test_newinclude(desk):
    desk.write("l", "a@b.test\n# comment\nc, Name <d@e>\n:include:other\n")
    assert desk.run("newinclude", "l", QMAILDEFAULTHOST="dh", QMAILDEFAULTDOMAIN="dd") == (0, "", "")
    assert desk.read("l.bin") == b"&a@b.test\0&d@e.dd\0&c@dh.dd\0./other\0"
    assert not desk.exists("l.tmp")
    desk.write("l", "|prog\n")
    assert desk.run("newinclude", "l")[0] == 111
    assert desk.read("l.bin").startswith(b"&a@b.test")


def test_maillists(desk):
    assert desk.run("setmaillist", "l.bin", "l.tmp", message=b"# c\na@b.test \n&c@d.test\n./other.bin\n") == (0, "", "")
    assert desk.read("l.bin") == b"&a@b.test\0&c@d.test\0./other.bin\0"
    assert os.stat(desk.path + "/l.bin").st_mode & 0o777 == 0o644
    code, out, _ = desk.run("printmaillist", message=desk.read("l.bin"))
    assert (code, out) == (0, "&a@b.test\n&c@d.test\n./other.bin\n")
    for bad in (b"&a@b.test", b"|rm\0", b"\0"):
        assert desk.run("printmaillist", message=bad) == (
            100, "", "printmaillist: fatal: bad mailing list format\n")


# ---- fastforward -------------------------------------------------------------------

@pytest.fixture
def aliases(desk):
    desk.run("setforward", "x.cdb", "x.tmp", message=b"""
        joe@h.test: a@b.test, list@h.test;
        list@h.test: ./l.bin, ?list-owner@h.test;
        pm@: root@h.test;
        prog@h.test: |cat>out, !cat>out2;
        fail@h.test: |exit\\ 77, x@y.test;
        soft@h.test: |exit\\ 1;
        self@h.test: &self@h.test;
    """)
    desk.run("setmaillist", "l.bin", "l.tmp", message=b"m1@x.test\nm2@x.test\n./l.bin\n")
    return desk


def test_fastforward(aliases):
    code, out, err = aliases.run("fastforward", "x.cdb")
    assert (code, out) == (0, "") and re.fullmatch(r"fastforward: qp \d+\n", err)
    message, envelope = aliases.queued()
    assert message == DTLINE + MESSAGE
    assert envelope.startswith(b"Fs@x.test\0")
    assert sorted(recipients(envelope)) == ["a@b.test", "list@h.test"], "a list with an owner is left to itself"


def test_fastforward_list_with_owner(aliases):
    assert aliases.run("fastforward", "x.cdb", RECIPIENT="List@H.test")[0] == 0
    _, envelope = aliases.queued()
    assert envelope.startswith(b"Flist-owner@h.test\0")
    assert sorted(recipients(envelope)) == ["m1@x.test", "m2@x.test"]
    aliases.run("fastforward", "x.cdb", RECIPIENT="list@h.test", SENDER="")
    assert aliases.queued()[1].startswith(b"F\0")


@pytest.mark.parametrize("options, recipient, code", [
    ([], "joe@h.test", 0), (["-p"], "joe@h.test", 99), (["-pP"], "joe@h.test", 0),
    ([], "nobody@h.test", 100), (["-p"], "nobody@h.test", 0), ([], "pm@any.test", 0), ([], "joe", 100),
])
def test_fastforward_exit_codes(aliases, options, recipient, code):
    status, _, err = aliases.run("fastforward", *options, "x.cdb", RECIPIENT=recipient)
    assert status == code
    assert (err == "Sorry, no mailbox here by that name. (#5.1.1)\n") == (code == 100)


def test_fastforward_default(aliases):
    assert aliases.run("fastforward", "-d", "x.cdb", DEFAULT="pm", HOST="y.test")[0] == 0
    assert aliases.run("fastforward", "-d", "x.cdb", EXT="pm")[0] == 0
    assert recipients(aliases.queued()[1]) == ["root@h.test"]
    assert aliases.run("fastforward", "-d", "x.cdb", EXT="pm", without=["HOST"]) == (
        100, "", "fastforward: fatal: $HOST must be set\n")
    assert aliases.run("fastforward", "x.cdb", without=["RECIPIENT"]) == (
        100, "", "fastforward: fatal: $RECIPIENT must be set\n")


def test_fastforward_programs(aliases):
    assert aliases.run("fastforward", "x.cdb", RECIPIENT="prog@h.test") == (0, "", "")
    assert aliases.read("out") == MESSAGE
    assert aliases.read("out2") == (DELIVERY["UFLINE"] + DELIVERY["RPLINE"] + DELIVERY["DTLINE"]).encode() + MESSAGE
    assert not aliases.exists("message")
    assert aliases.run("fastforward", "x.cdb", RECIPIENT="soft@h.test")[0] == 111
    assert aliases.run("fastforward", "x.cdb", RECIPIENT="fail@h.test")[0] == 100


def test_fastforward_dry_run(aliases):
    assert aliases.run("fastforward", "-n", "x.cdb", RECIPIENT="list@h.test", without=["SENDER"])[2] == (
        "from <list-owner@h.test>\nto <m1@x.test>\nto <m2@x.test>\n")
    assert aliases.run("fastforward", "-n", "x.cdb", without=["SENDER"])[2].startswith(
        "from <original envelope sender>\nto <")
    assert aliases.run("fastforward", "-n", "x.cdb", RECIPIENT="prog@h.test")[2] == (
        "run |cat>out\nrun !cat>out2\nno forwarding\n")
    assert not aliases.exists("out") and not aliases.exists("message")


def test_fastforward_does_not_lose_mail(aliases):
    """An alias that leads only to itself made the message vanish."""
    code, _, err = aliases.run("fastforward", "x.cdb", RECIPIENT="self@h.test")
    assert code == 100 and "only to itself" in err


def test_fastforward_trouble(aliases):
    os.chmod(aliases.path + "/l.bin", 0o640)
    assert aliases.run("fastforward", "x.cdb", RECIPIENT="list@h.test") == (
        111, "", "fastforward: fatal: ./l.bin is not world-readable\n")
    aliases.write("l.bin", b"|touch ran\0")
    assert aliases.run("fastforward", "x.cdb", RECIPIENT="list@h.test")[0] == 111
    assert not aliases.exists("ran")
    os.unlink(aliases.path + "/l.bin")
    assert aliases.run("fastforward", "x.cdb", RECIPIENT="list@h.test") == (
        111, "", "fastforward: fatal: unable to read ./l.bin: file does not exist\n")
    assert aliases.run("fastforward", "no.cdb") == (
        111, "", "fastforward: fatal: unable to read no.cdb: file does not exist\n")
    aliases.write("bad.cdb", b"x" * 3000)
    assert aliases.run("fastforward", "bad.cdb")[0] == 111
    aliases.write("status", "53")
    assert aliases.run("fastforward", "x.cdb") == (111, "", "fastforward: fatal: qq write error or disk full (#4.3.0)\n")
    assert aliases.run("fastforward")[0] == 100


# ---- within deliveries ---------------------------------------------------------------

def test_aliases_and_forward_files_in_an_instance():
    with Instance(default_delivery="|dot-forward .forward\n./Maildir/") as i:
        i.add_user("ann")
        home = i.add_user("bob")
        i.write(home + "/.forward", "\\bob, ann\n", 0o644)
        i.write("aliases", "staff: ann, bob\nowner-staff: ann\n")
        i.run("newaliases", i.home + "/aliases")
        i.write("alias/.qmail-default", f"|fastforward -d {i.home}/aliases.cdb\n", 0o600)
        i.start()
        i.send("s@x.test", ["staff@a.test"], b"Subject: all\n\nx\n")
        mails = i.wait_delivered("ann", 2)
        assert len(i.wait_delivered("bob", 1)) == 1
        assert all(m.startswith(b"Return-Path: <owner-staff@a.test>\n") for m in mails)
        i.send("ann@a.test", ["nobody@a.test"], b"Subject: no\n\nx\n")
        assert any(b"no mailbox here by that name" in m for m in i.wait_delivered("ann", 3))

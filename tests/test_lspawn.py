"""qmail-lspawn over its socket: owners, reports, limits, and programs that misbehave."""
import os
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from quilltest.lspawn import Lspawn, result
from quilltest.net import children_of, wait_until

JOE, ANN = 20801, 20802  # nobody else's: their processes are counted and killed
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root to become other users")


@pytest.fixture
def lspawn():
    with Lspawn() as l:
        l.add_user("joe", JOE)
        l.add_user("ann", ANN)
        yield l.start()


def new(home):
    return os.listdir(home + "/Maildir/new")


def processes(uid):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
                status = f.read()
        except OSError:
            continue
        if f"\nUid:\t{uid}\t" in status and "\nState:\tZ" not in status:
            found.append(int(pid))
    return found


def test_delivers_as_the_user(lspawn):
    assert lspawn.deliver("joe@a.test") == ("K", "did 1+0+0\n")
    uid, home = lspawn.users["joe"]
    [name] = new(home)
    assert os.stat(f"{home}/Maildir/new/{name}").st_uid == uid
    with open(f"{home}/Maildir/new/{name}", "rb") as f:
        assert f.read() == b"Return-Path: <s@x.test>\nDelivered-To: joe@a.test\nSubject: x\n\nbody\n"


@needs_root
def test_program_runs_as_the_user_alone(lspawn):
    lspawn.dotqmail("joe", "|id -u; id -g; id -G; ls /proc/self/fd; ps -o sid= -p $$ | tr -d ' '; echo $$\n")
    letter, text = lspawn.deliver("JOE@a.test")
    lines = text.split()
    assert letter == "K" and lines[:7] == [str(JOE)] * 3 + ["0", "1", "2", "3"]
    assert lines[7] == lines[8]


def test_deliveries_yield_to_acceptance(lspawn):
    lspawn.dotqmail("joe", "|ps -o ni= -p $$ | tr -d ' '\n")
    letter, text = lspawn.deliver("joe@a.test")
    assert letter == "K" and int(text.split()[0]) == min(19, os.nice(0) + 10)


@needs_root
def test_users_cannot_touch_each_other(lspawn):
    os.chmod(lspawn.users["ann"][1], 0o700)
    lspawn.dotqmail("joe", f"|cat {lspawn.users['ann'][1]}/.qmail || exit 100\n")
    lspawn.dotqmail("ann", "# secret\n")
    letter, text = lspawn.deliver("joe@a.test")
    assert letter == "D" and "secret" not in text
    # By a link the answer is the same, whether the target exists or not.
    for target in ("/.qmail", "/nothing"):
        os.symlink(lspawn.users["ann"][1] + target, lspawn.users["joe"][1] + "/.qmail-link")
        assert lspawn.deliver("joe-link@a.test") == ("Z", "Unable to open .qmail-link: access denied. (#4.3.0)\n")
        os.unlink(lspawn.users["joe"][1] + "/.qmail-link")


def test_addresses(lspawn):
    assert lspawn.deliver("joe") == ("D", "Sorry, address must include host name. (#5.1.3)\n")
    assert lspawn.deliver("@a.test") == ("K", "")
    assert lspawn.deliver("joe-x@a.test") == ("D", "Sorry, no mailbox here by that name. (#5.1.1)\n")
    assert lspawn.deliver("joe\0x@a.test")[0] == "D"


@needs_root
def test_never_as_root(lspawn):
    lspawn.write_users("=boss:root:0:0:/root:::\n")
    assert lspawn.deliver("boss@a.test") == ("Z", "Not allowed to perform deliveries as root.\n")
    lspawn.write_users("=group:joe:%d:0:%s:::\n" % (JOE, lspawn.users["joe"][1]))
    assert lspawn.deliver("group@a.test")[0] == "K"


def test_users_database_trouble(lspawn):
    path = lspawn.home + "/users/cdb"
    with open(path, "rb") as f:
        good = f.read()
    with open(path + ".x", "wb") as f:
        f.write(good[:2100])
    os.rename(path + ".x", path)
    assert lspawn.deliver("joe@a.test") == ("Z", "Trouble reading users/cdb in qmail-lspawn.\n")
    os.unlink(path)
    os.mkdir(path)
    assert lspawn.deliver("joe@a.test") == ("Z", "Trouble reading users/cdb in qmail-lspawn.\n")
    os.rmdir(path)
    with open(path, "wb") as f:
        f.write(good)
    assert lspawn.deliver("joe@a.test")[0] == "K"


def test_damaged_from_the_start():
    with Lspawn() as l:
        with open(l.home + "/users/cdb", "wb") as f:
            f.write(b"x" * 3000)
        l.start()
        assert l.deliver("joe@a.test") == ("Z", "Trouble reading users/cdb in qmail-lspawn.\n")


@pytest.mark.skipif(os.getuid() == 0, reason="as root the account decides")
def test_own_alias():
    with Lspawn() as l:
        with open(l.home + "/alias/.qmail-postmaster", "w", encoding="ascii") as f:
            f.write("|echo $USER $HOME\n")
        l.start()
        assert l.deliver("postmaster@a.test") == ("K", f"alias {l.home}/alias\ndid 0+0+1\n")


@pytest.mark.parametrize("line, letter, text", [
    ("|exit 0", "K", "did 0+0+1\n"), ("|exit 1", "Z", ""), ("|exit 64", "D", ""), ("|exit 99", "K", "did 0+0+1\n"),
    ("|exit 100", "D", ""), ("|exit 111", "Z", ""), ("|exit 112", "D", ""), ("|exit 127", "Z", ""),
    ("|kill -SEGV $$", "Z", "Aack, child crashed. (#4.3.0)\n"), ("|kill -9 $PPID; sleep 5", "Z", "qmail-local crashed.\n"),
    ("|exec >/dev/full; echo x", "Z", None), ("|printf 'a\\0b'", "K", "a"),
])
def test_reports(lspawn, line, letter, text):
    lspawn.dotqmail("joe", line + "\n")
    got = lspawn.deliver("joe@a.test")
    assert got[0] == letter and text in (got[1], None)
    assert lspawn.deliver("ann@a.test")[0] == "K"


@needs_root
def test_nothing_of_a_crashed_delivery_stays(lspawn):
    lspawn.dotqmail("joe", "|sleep 999 & setsid sleep 999 & kill -9 $PPID; sleep 999\n")
    assert lspawn.deliver("joe@a.test") == ("Z", "qmail-local crashed.\n")
    wait_until(lambda: not processes(JOE), what="the end of joe's processes")


def test_output_flood_is_cut(lspawn):
    lspawn.dotqmail("joe", "|head -c 3000 /dev/zero | tr '\\0' y\n")
    letter, text = lspawn.deliver("joe@a.test")
    assert letter == "K" and text.endswith("\nError report too long, sorry.\n") and len(text) <= 3000
    lspawn.dotqmail("joe", "|yes; exit 0\n")
    letter, text = lspawn.deliver("joe@a.test")
    assert text.startswith("y\ny\n") and len(text) <= 3000


def test_background_process_does_not_hold_the_delivery(lspawn):
    lspawn.dotqmail("joe", "|sleep 100 & exec cat >/dev/null\n")
    started = time.monotonic()
    assert lspawn.deliver("joe@a.test") == ("K", "did 0+0+1\n")
    assert time.monotonic() - started < 5


def test_hanging_program_is_killed():
    with Lspawn(control={"timeoutlocal": "1\n"}) as l:
        l.add_user("joe", JOE)
        l.dotqmail("joe", "|trap '' TERM INT HUP; sleep 100; sleep 100\n")
        l.start()
        started = time.monotonic()
        assert l.deliver("joe@a.test") == ("Z", "Program took longer than 1 seconds. (#4.3.0)\n")
        assert time.monotonic() - started < 10
        if os.getuid() == 0:
            assert not processes(JOE)


@needs_root
def test_fork_bomb_is_bounded():
    with Lspawn(control={"timeoutlocal": "3\n", "processeslocal": "100\n"}) as l:
        l.add_user("joe", JOE)
        l.add_user("ann", ANN)
        l.dotqmail("joe", "|bomb() { bomb | bomb & }; bomb; sleep 100\n", ext="-a")
        l.dotqmail("joe", "|bomb() { setsid sh -c 'sleep 100' & bomb; }; bomb; sleep 100\n", ext="-b")
        l.start()
        for address in ("joe-a@a.test", "joe-b@a.test"):
            with l.connect() as s:
                l.send(s, address)
                time.sleep(0.5)
                assert len(processes(JOE)) <= 101
                assert l.deliver("ann@a.test")[0] == "K"
                assert result(s.recv(200000))[1] == "Z"
            wait_until(lambda: not processes(JOE), what="the end of the bomb")


def test_many_deliveries_at_a_time(lspawn):
    with lspawn.connect() as s:
        asked = {lspawn.send(s, "joe@a.test" if i % 2 else "ann@a.test") for i in range(100)}
        answered = set()
        while len(answered) < 100:
            number, letter, _ = result(s.recv(200000))
            assert letter == "K"
            answered.add(number)
    assert answered == asked
    names = new(lspawn.users["joe"][1]) + new(lspawn.users["ann"][1])
    assert len(names) == len(set(names)) == 100


def test_connection_may_close_and_come_back(lspawn):
    lspawn.dotqmail("joe", "|sleep 1\n./Maildir/\n")
    with lspawn.connect() as s:
        for _ in range(3):
            lspawn.send(s, "joe@a.test")
        time.sleep(0.2)
    assert lspawn.deliver("ann@a.test")[0] == "K"
    wait_until(lambda: len(new(lspawn.users["joe"][1])) == 3, what="the running deliveries")


def test_killed_lspawn_does_not_take_deliveries_along(lspawn):
    lspawn.dotqmail("joe", "|sleep 1\n./Maildir/\n")
    with lspawn.connect() as s:
        lspawn.send(s, "joe@a.test")
        time.sleep(0.3)
        lspawn.process.kill()
        lspawn.process.wait()
        assert s.recv(1000) == b""  # at once: no delivery holds the socket
    assert new(lspawn.users["joe"][1]) == []
    wait_until(lambda: len(new(lspawn.users["joe"][1])) == 1, what="the delivery")


def test_term_waits_for_running_deliveries(lspawn):
    lspawn.dotqmail("joe", "|sleep 1\n./Maildir/\n")
    with lspawn.connect() as s:
        lspawn.send(s, "joe@a.test")
        time.sleep(0.3)
        lspawn.process.send_signal(signal.SIGTERM)
        assert result(s.recv(200000))[1:] == ("K", "did 1+0+1\n")
    assert lspawn.process.wait(5) == 0


def test_garbage_costs_only_its_connection(lspawn):
    for garbage in (b"\1", b"\2" + b"x" * 100, os.urandom(5000), b"\1" + b"\xff" * 100000):
        with lspawn.connect() as s:
            s.send(garbage)
            assert s.recv(1000) == b""
    assert lspawn.deliver("joe@a.test")[0] == "K"


def test_request_without_message(lspawn):
    from quilltest.lspawn import request
    with lspawn.connect() as s:
        s.send(request(7, b"", b"joe@a.test", 0))
        assert result(s.recv(1000)) == (7, "Z", "qmail-spawn unable to open message. (#4.3.0)\n")


@needs_root
def test_others_may_not_connect(lspawn):
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET); "
            f"s.connect('{lspawn.home}/run/lspawn'); s.send(b'x'); sys.exit(len(s.recv(10)))")
    p = subprocess.run(["/usr/bin/python3", "-c", code], user=JOE, group=JOE, capture_output=True, check=False)
    assert p.returncode in (0, 1) and "refused a connection from uid 20801" in lspawn.log_text()


def test_reader_that_does_not_read(lspawn):
    with lspawn.connect() as s:
        for _ in range(300):
            lspawn.send(s, "joe@a.test")
        assert lspawn.deliver("ann@a.test")[0] == "K"
        for _ in range(300):
            assert result(s.recv(200000))[1] == "K"


def test_slow_delivery_delays_nobody(lspawn):
    lspawn.dotqmail("joe", "|sleep 3\n")
    with lspawn.connect() as s:
        lspawn.send(s, "joe@a.test")
        started = time.monotonic()
        assert lspawn.deliver("ann@a.test")[0] == "K"
        assert time.monotonic() - started < 2
        assert result(s.recv(1000))[1] == "K"


def test_process_stays_for_the_next_delivery(lspawn):
    lspawn.dotqmail("joe", "./Maildir/\n", ext="-default")
    seen = set()
    for i in range(20):
        assert lspawn.deliver(f"joe-{i}@h{i}.test", b"Subject: %d\n\n" % i, b"s%d@x" % i) == ("K", "did 1+0+0\n")
        seen.update(children_of(lspawn.process.pid))
    assert len(seen) == 1
    home = lspawn.users["joe"][1]
    found = set()
    for name in new(home):
        with open(f"{home}/Maildir/new/{name}", "rb") as f:
            found.add(f.read())
    assert found == {b"Return-Path: <s%d@x>\nDelivered-To: joe-%d@h%d.test\nSubject: %d\n\n" % (i, i, i, i)
                     for i in range(20)}
    wait_until(lambda: not children_of(lspawn.process.pid), what="the end of the idle process")


def test_failures_stay_apart(lspawn):
    lspawn.dotqmail("joe", "./nothing/\n", ext="-bad")
    for _ in range(3):
        assert lspawn.deliver("joe-bad@a.test") == ("Z", "Unable to chdir to maildir. (#4.2.1)\n")
        assert lspawn.deliver("joe-none@a.test") == ("D", "Sorry, no mailbox here by that name. (#5.1.1)\n")
        assert lspawn.deliver("joe@a.test") == ("K", "did 1+0+0\n")


def test_process_ends_with_the_first_program(lspawn):
    lspawn.dotqmail("joe", "|cat; ls /proc/self/fd; echo $LOCAL $EXT $SENDER $PPID\n", ext="-p")
    pids = set()
    for i in range(3):
        assert lspawn.deliver("joe@a.test")[0] == "K"
        warm = children_of(lspawn.process.pid)
        letter, text = lspawn.deliver("joe-p@a.test", b"m%d\n" % i)
        *head, pid = text.split("\n")[-3].split()
        assert letter == "K" and text.startswith(f"m{i}\n0\n1\n2\n3\n") and head == ["joe-p", "p", "s@x.test"]
        assert [int(pid)] == warm
        pids.add(pid)
        wait_until(lambda: not children_of(lspawn.process.pid), what="the end of the process")
    assert len(pids) == 3


def test_idle_process_killed(lspawn):
    for _ in range(5):
        assert lspawn.deliver("joe@a.test")[0] == "K"
        killed = children_of(lspawn.process.pid)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not set(killed) & set(children_of(lspawn.process.pid)), what="the end of the processes")
        assert lspawn.deliver("ann@a.test")[0] == "K"
    assert lspawn.deliver("joe@a.test")[0] == "K"


@needs_root
def test_changed_owner_gets_another_process(lspawn):
    joe, ann = lspawn.users["joe"][1], lspawn.users["ann"][1]
    assert lspawn.deliver("joe@a.test")[0] == "K"
    lspawn.write_users(f"=joe:ann:{ANN}:{ANN}:{ann}:::\n")
    assert lspawn.deliver("joe@a.test")[0] == "K"
    assert len(new(joe)) == len(new(ann)) == 1
    assert os.stat(f"{ann}/Maildir/new/{new(ann)[0]}").st_uid == ANN


@needs_root
def test_idle_processes_are_few():
    with Lspawn() as l:
        for i in range(300):
            l.users[f"u{i}"] = (21000 + i, f"{l.dir}/u{i}")
        l.add_user("joe", JOE, maildir=False)
        for name, (uid, home) in l.users.items():
            os.makedirs(home, exist_ok=True)
            l.dotqmail(name, "#\n")
        l.start()
        with l.connect() as s:
            for name in l.users:
                l.send(s, name + "@a.test")
            for _ in l.users:
                assert result(s.recv(200000))[1:] == ("K", "did 0+0+0\n")
        # Those beyond are about to end.
        wait_until(lambda: len(children_of(l.process.pid)) <= 250, 20, "the processes that are too many to end")


def test_missing_argument():
    from quilltest import children_of, program
    with tempfile.TemporaryDirectory() as d:
        p = subprocess.run([program("qmail-lspawn")], env={"QMAILHOME": d}, stdin=subprocess.DEVNULL, check=False)
        assert p.returncode == 100


def test_second_lspawn_refuses(lspawn):
    from quilltest import program
    p = subprocess.run([program("qmail-lspawn"), "x"], env=lspawn.environment(), capture_output=True, check=False)
    assert p.returncode == 111 and b"already listens" in p.stderr
    assert lspawn.deliver("joe@a.test")[0] == "K"
    assert socket.AF_UNIX

"""What the running services have given up, as the kernel tells it."""
import os
import signal
import subprocess

import pytest

from quilltest import BIN, program
from quilltest.net import wait_until


def instrumented():
    """Sanitizers cannot work inside a sandbox; such builds have none."""
    with open(os.path.join(BIN, "qmail-journal"), "rb") as f:
        data = f.read()
    return b"__asan_init" in data or b"__gcov_" in data or b"libseccomp" not in data


def has_landlock():
    code = "import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))"
    return int(subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, check=True).stdout) >= 6


pytestmark = [
    pytest.mark.skipif(not os.path.exists(program("qmail-journal")), reason="qmail-journal is not built"),
    pytest.mark.skipif(os.path.exists(program("qmail-journal")) and instrumented(), reason="built without a sandbox"),
]

CONFINED = ("qmail-journal", "qmail-send", "qmail-rspawn", "qmail-resolve", "qmail-smtpd")
MIB = 1 << 20


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def limits(pid):
    """{name: (soft, hard)}, as text."""
    with open(f"/proc/{pid}/limits", encoding="utf-8") as f:
        return {line[:26].strip(): tuple(line[26:].split()[:2]) for line in f}


@pytest.mark.parametrize("name", CONFINED)
def test_service_is_confined(make_instance, name):
    i = make_instance("joe")
    pid = i.pid_of(name)
    seen = status(pid)
    assert seen["NoNewPrivs"] == "1"
    assert seen["Seccomp"] == "2"
    assert seen["Uid"].split() == [str(i.uid)] * 4
    assert limits(pid)["Max core file size"] == ("0", "0")
    most = int(limits(pid)["Max data size"][0])
    assert 256 * MIB <= most <= 8192 * MIB


def test_deliveries_are_not_confined(make_instance):
    """Users' programs may be set-id and do what their users may."""
    i = make_instance("joe")
    i.add_user("joe", qmail="|cat /proc/self/status >status\n")
    seen = status(i.pid_of("qmail-lspawn"))
    assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("0", "0")
    i.send("x@y.test", ["joe@a.test"], b"Subject: x\n\nbody\n")
    i.wait_log(r"^delivery 1: success")
    with open(f"{i.users['joe']}/status", encoding="utf-8") as f:
        assert "NoNewPrivs:\t0\n" in f.read()


def test_sessions_inherit_the_sandbox(make_instance):
    i = make_instance("joe")
    listener = i.pid_of("qmail-smtpd")
    with i.smtp() as client:
        client.ehlo()
        children = [pid for pid, name in i.leftovers().items() if name == "qmail-smtpd" and pid != listener]
        assert len(children) == 1
        assert status(children[0])["Seccomp"] == "2"


def test_single_session_is_confined(make_instance):
    """Under tcpserver: all but the filter of system calls, which would double what a session costs."""
    i = make_instance("joe")
    session = i.spawn(program("qmail-smtpd"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert session.stdout.readline().startswith(b"220 ")
        assert status(session.pid)["NoNewPrivs"] == "1"
        assert limits(session.pid)["Max core file size"] == ("0", "0")
    finally:
        session.communicate(b"QUIT\r\n", timeout=10)


def test_queue_program_keeps_its_rights(make_instance):
    """A program in $QMAILQUEUE may be set-id and open what it likes."""
    i = make_instance("joe", start=False)
    i.environment["QMAILQUEUE"] = i.home + "/scan"
    # The program itself must not meet itself again.
    i.write("scan", f"#!/bin/sh\ncat /proc/self/status >{i.dir}/status\nunset QMAILQUEUE\n"
                    f"exec {program('qmail-queue')}\n", 0o755)
    i.start()
    i.send("x@y.test", ["joe@a.test"], b"Subject: x\n\nbody\n")
    i.wait_delivered("joe")
    with open(f"{i.dir}/status", encoding="utf-8") as f:
        text = f.read()
    assert "NoNewPrivs:\t0\n" in text and "Seccomp:\t0\n" in text
    assert status(i.pid_of("qmail-journal"))["Seccomp"] == "2"


def test_settings_are_read_again(make_instance):
    """The control files can still be opened after a change, also through links that lead elsewhere."""
    i = make_instance("joe", start=False)
    elsewhere = i.dir + "/etc"
    os.mkdir(elsewhere, 0o755)
    i.write(elsewhere + "/locals", "a.test\n")
    i.write("control/locals", None)
    os.symlink(elsewhere + "/locals", i.home + "/control/locals")
    i.start()
    # As editors do: a new file in place of the old one.
    i.write(elsewhere + "/locals.new", "a.test\nb.test\n")
    os.rename(elsewhere + "/locals.new", elsewhere + "/locals")
    i.control(rcpthosts="a.test\nb.test\n", smtpgreeting="changed.test")
    for name in ("qmail-send", "qmail-rspawn", "qmail-resolve", "qmail-smtpd"):
        i.signal(name, signal.SIGHUP)

    def changed():
        with i.smtp() as client:
            return client.ehlo_or_helo_if_needed() is None and b"changed.test" in client.ehlo()[1]
    wait_until(changed, 10, "the new greeting")
    i.send("x@y.test", ["joe@b.test"], b"Subject: x\n\nbody\n")
    i.wait_delivered("joe")
    assert "unable to" not in i.log(), i.log()


def test_nothing_is_missed(make_instance):
    """No warning about what this kernel lacks, where it lacks nothing."""
    i = make_instance("joe")
    if not has_landlock():
        pytest.skip("this kernel has no Landlock")
    assert "running without" not in i.log()


def test_a_service_that_is_killed_comes_back(make_instance):
    """What ends an intruder is an ordinary crash to everybody else."""
    i = make_instance("joe")
    before = i.pid_of("qmail-resolve")
    i.signal("qmail-resolve", signal.SIGSYS)
    i.wait_log(rf"qmail-resolve was ended by signal {int(signal.SIGSYS)}; starting it again")
    wait_until(lambda: "qmail-resolve" in i.leftovers().values() and i.pid_of("qmail-resolve") != before, 10,
               "qmail-resolve to be back")
    assert status(i.pid_of("qmail-resolve"))["NoNewPrivs"] == "1"

"""The steps of docs/UPGRADE.md, as they are typed, on a machine in miniature with a qmail.

Runs as root inside private mount, process and network namespaces, with the machine of guide.py:

  upgrade.py LAB BINDIR CHECKOUT

The qmail is $NOTQMAIL (a built source tree), or, without that, a tree with files in the place of programs and the queue of
tests/classicqueue.
"""
import os
import re
import shutil
import stat
import sys
import tarfile
import time

import guide
from guide import HOME, document, inbox, pid_of, read, type_in, wait, wait_gone, write
from quilltest import Sink

NOTQMAIL = os.environ.get("NOTQMAIL")
PROGRAMS = ("qmail-send", "qmail-clean", "qmail-queue", "qmail-smtpd", "qmail-inject", "sendmail", "qmail-local")
STEPS = []


def step(f):
    STEPS.append(f)
    return f


def refuse(argument, _session):
    if b"perm" in argument:
        return "550 5.1.1 no"
    return "450 4.2.1 come back later" if b"later" in argument else None


def control(**files):
    for name, text in files.items():
        write(f"{HOME}/control/{name}", text)


def start(m):
    m.syslog.clear()
    type_in(f"sh -cf '{HOME}/rc &'")
    assert wait(lambda: "status: local 0/" in m.log()), m.log()


def stop():
    type_in(f"kill {pid_of('qmail-send')}")
    wait_gone(r"^(qmail-|splogger)")


def files_of(what):
    return {name: os.path.join(top, name) for top, _, files in os.walk(f"{HOME}/queue/{what}") for name in files}


# ---- the steps ---------------------------------------------------------------------------------

@step
def a_qmail(m):
    guide.accounts(m)
    type_in("su ann -c 'mkdir ~/Maildir ~/Maildir/tmp ~/Maildir/new ~/Maildir/cur; echo ./Maildir/ >~/.qmail-v-default'")
    if NOTQMAIL:
        type_in("./instpackage && ./instchown", cwd=NOTQMAIL)
    else:
        for d in ("control", "users", "bin", "boot", "alias"):
            os.mkdir(f"{HOME}/{d}")
        for name in PROGRAMS:
            write(f"{HOME}/bin/{name}", "\x7fELF notqmail.org", 0o4711 if name == "qmail-queue" else 0o755)
    control(me="a.test\n", locals="a.test\n", rcpthosts="a.test\nv.test\n", virtualdomains="v.test:ann-v\n",
            badrcptto="x@a.test\n", defaultdomain="test\n")
    write(f"{HOME}/rc", '#!/bin/sh\nexec env - PATH="/var/qmail/bin:/usr/bin:/bin" \\\n'
          'qmail-start ./Maildir/ splogger qmail\n', 0o755)


@step
def mail_waits_in_it(m):
    """For ann, for a virtual domain and for others."""
    if not NOTQMAIL:
        with tarfile.open(guide.SOURCE + "/tests/classicqueue/left-behind.tar.xz") as tar:
            tar.extractall(HOME + "/queue")
        for top, _, files in os.walk(HOME + "/queue"):
            for name in files:
                os.utime(os.path.join(top, name))
        type_in(f"chown -R qmailq:qmail {HOME}/queue")
        # In the recording, v.test belongs to alias.
        for path in files_of("local").values():
            write(path, read(path).replace("alias-virt-", "ann-v-"))
        m.waiting = 4
        return
    with Sink() as sink:
        sink.on("rcpt", refuse)
        control(concurrencylocal="0\n", smtproutes=f":[127.0.0.1]:{sink.port}\n")
        start(m)
        type_in(f"printf 'subject: for two\\n\\nold\\n' | {HOME}/bin/qmail-inject -fann@a.test ann@a.test x@v.test")
        type_in(f"printf 'subject: for others\\n\\nold\\n' | {HOME}/bin/qmail-inject -fann@a.test later@r.test perm@r.test ok@r.test")
        assert wait(lambda: "deferral" in m.log() and "failure" in m.log() and "success" in m.log()), m.log()
    stop()
    os.unlink(f"{HOME}/control/concurrencylocal")
    m.waiting = 2


@step
def check_before(m):
    """Before anything is installed, with the programs that were built."""
    command, = document("Before", "UPGRADE.md")
    out = type_in(command.replace("build/bin", guide.BINDIR).rstrip() + " || [ $? = 1 ]", cwd=guide.SOURCE)
    assert re.search("^used +bin: notqmail", out, re.M), out
    assert re.search("^differs +bin/qmail-queue: is set-id", out, re.M), out
    assert re.search("^ignored +control/badrcptto: ", out, re.M), out
    assert f"queue/mess: {m.waiting} messages waiting" in out, out
    assert re.search(r" control/virtualdomains\b.*\brc", out, re.S), out


@step
def change(m):
    keep, install, setup, take_over, check = document("The change", "UPGRADE.md")
    assert install == "make setup check\n"
    type_in(keep)
    guide.make_setup_check(m)
    type_in("set -e\n" + setup)
    out = type_in(take_over)
    assert f"{m.waiting} messages imported, 0 had been before" in out, out
    m.old = sorted(os.listdir(HOME + "/old"))
    assert m.old == ["bin", "boot", "queue"]
    type_in(check)


@step
def what_waited_is_delivered(m):
    with Sink() as sink:
        control(smtproutes=f":127.0.0.1:{sink.port}\n")
        start(m)
        type_in("quill queue retry --all")
        if NOTQMAIL:
            assert wait(lambda: sum("\nsubject: for two\n" in text for text in inbox("ann")) == 2), m.log()
            assert wait(lambda: [x.recipients for x in sink.messages] == [["later@r.test"]]), m.log()
            # The failure was the old qmail's, and its sender hears of it now.
            assert wait(lambda: any("<perm@r.test>:" in text for text in inbox("ann"))), m.log()
        else:
            assert wait(lambda: any("not preprocessed" in text for text in inbox("ann"))), m.log()
            assert wait(lambda: {r for x in sink.messages for r in x.recipients} >= {"temp@r.test", "later@r.test"}), m.log()
        assert wait(lambda: type_in("quill queue --numbers") == ""), type_in("quill queue")
    stop()


@step
def mail_waits_in_ours(m):
    control(concurrencylocal="0\n")
    m.born = int(time.time())
    with Sink() as sink:
        sink.on("rcpt", refuse)
        control(smtproutes=f":127.0.0.1:{sink.port}\n")
        start(m)
        type_in(f"printf 'Subject: back\\n\\nnew\\n' | {HOME}/bin/qmail-inject -a -fann@a.test "
                "ok@r.test ann@a.test perm@r.test X@V.test later@r.test")
        assert wait(lambda: "deferral" in m.log() and "failure" in m.log() and "success" in m.log()), m.log()
    stop()
    os.unlink(f"{HOME}/control/concurrencylocal")


@step
def back(m):
    queue, links = document("Back", "UPGRADE.md")
    out = type_in("set -e\n" + queue)
    assert "1 messages exported" in out, out
    assert sorted(os.listdir(HOME + "/old")) == ["queue"]
    assert os.path.exists(HOME + "/bin/qmail-clean") and os.path.exists(HOME + "/quill/bin/qmail-journal")
    type_in(links)
    assert not [n for n in os.listdir("/usr/local/bin") if not os.path.exists(f"/usr/local/bin/{n}")]


@step
def the_queue_is_as_qmail_has_it(m):
    """Every byte, owner and mode."""
    def owner(path):
        s = os.lstat(path)
        return type_in(f"stat -c %U:%G {path}").strip(), stat.S_IMODE(s.st_mode)
    q = HOME + "/queue"
    assert owner(q) == ("qmailq:qmail", 0o750)
    for name, expected in {
            "pid": ("qmailq:qmail", 0o700), "intd": ("qmailq:qmail", 0o700), "todo": ("qmailq:qmail", 0o750),
            "lock": ("qmailq:qmail", 0o750), "mess": ("qmailq:qmail", 0o750), "mess/22": ("qmailq:qmail", 0o750),
            "bounce": ("qmails:qmail", 0o700), "info": ("qmails:qmail", 0o700), "info/0": ("qmails:qmail", 0o700),
            "local": ("qmails:qmail", 0o700), "local/22": ("qmails:qmail", 0o700), "remote": ("qmails:qmail", 0o700),
            "remote/7": ("qmails:qmail", 0o700), "lock/sendmutex": ("qmails:qmail", 0o600),
            "lock/tcpto": ("qmailr:qmail", 0o644), "lock/trigger": ("qmails:qmail", 0o622)}.items():
        assert owner(f"{q}/{name}") == expected, f"{name}: {owner(f'{q}/{name}')}"
    assert stat.S_ISFIFO(os.stat(q + "/lock/trigger").st_mode)
    assert os.path.getsize(q + "/lock/sendmutex") == 0 and read(q + "/lock/tcpto") == 1024 * "\0"
    for d in ("mess", "info", "local", "remote"):
        assert sorted(map(int, os.listdir(f"{q}/{d}"))) == list(range(23)), d
    assert not files_of("pid") and not files_of("intd") and not files_of("todo")
    (number, content), = files_of("mess").items()
    there = f"{int(number) % 23}/{number}"
    assert content == f"{q}/mess/{there}" and os.stat(content).st_ino == int(number)
    assert owner(content) == ("qmailq:qmail", 0o644)
    text = read(content)
    assert re.match(r"Received: \(qmail \d+ invoked by uid 0\); \d+ \w+ \d+ \d\d:\d\d:\d\d -0000\n", text), text
    assert text.endswith("\nSubject: back\n\nnew\n") or "\nSubject: back\n" in text
    for path, expected in ((f"info/{there}", "Fann@a.test\0"), (f"local/{there}", "Tann@a.test\0Tann-v-X@V.test\0"),
                           (f"remote/{there}", "Dok@r.test\0Dperm@r.test\0Tlater@r.test\0")):
        assert owner(f"{q}/{path}") == ("qmails:qmail", 0o600), path
        assert read(f"{q}/{path}") == expected, f"{path}: {read(f'{q}/{path}')!r}"
    assert 0 <= os.stat(f"{q}/info/{there}").st_mtime - m.born < 60
    assert owner(f"{q}/bounce/{number}") == ("qmails:qmail", 0o600)
    assert re.fullmatch(r"<perm@r\.test>:\n([^\n]+\n)+\n", read(f"{q}/bounce/{number}")), read(f"{q}/bounce/{number}")


@step
def and_is_delivered(m):
    """By notqmail itself; else by ours, which reads it as any other."""
    with Sink() as sink:
        control(smtproutes=f":[127.0.0.1]:{sink.port}\n")
        shutil.rmtree("/home/ann/Maildir/new")
        type_in("su ann -c 'mkdir ~/Maildir/new'")
        if not NOTQMAIL:
            guide.make_setup_check(m)
            type_in(f"mv {HOME}/queue {HOME}/back; install -d -o qmailq -g qmail -m 700 {HOME}/queue; "
                    f"quill queue import {HOME}/back")
        start(m)
        if not NOTQMAIL:
            type_in("quill queue retry --all")
        assert wait(lambda: [x.recipients for x in sink.messages] == [["later@r.test"]]), m.log()
        # The notice of the failure has its text, too.
        assert wait(lambda: sum("\nSubject: back\n\nnew\n" in t and "<perm@" not in t for t in inbox("ann")) == 2), m.log()
        assert wait(lambda: any("<perm@r.test>:" in text for text in inbox("ann"))), m.log()
        assert wait(lambda: "end msg" in m.log())
    stop()


if __name__ == "__main__":
    sys.exit(guide.run(STEPS))

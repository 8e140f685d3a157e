"""qmail-local: one delivery by the rules of .qmail files; qmail-newu and qmail-getpw."""
import fcntl
import os
import re
import signal
import subprocess
import tempfile
import time

import pytest

from quilltest import program, sanitized

UID = 20803
MESSAGE = b"Received: x\nSubject: hi\n\nbody\nFrom here\n"
DTLINE = b"Delivered-To: joe@h.test\n"

# Stands in for the queue: keeps what it is given.
QUEUE = """#!/bin/sh
cat >"$QMAILHOME/message"
cat <&1 >"$QMAILHOME/envelope"
exit $(cat "$QMAILHOME/status" 2>/dev/null || echo 0)
"""


class Home:
    """A user's home, and qmail-local run there as that user."""

    def __init__(self, path):
        self.path = path
        self.as_root = os.getuid() == 0
        with open(path + "/.queue", "w", encoding="ascii") as f:
            f.write(QUEUE)
        os.chmod(path + "/.queue", 0o755)
        for d in ("Maildir", "Maildir/new", "Maildir/tmp", "Maildir/cur"):
            os.mkdir(f"{path}/{d}")
        self.give(path)

    def give(self, path):
        if self.as_root:
            subprocess.run(["chown", "-hR", f"{UID}:{UID}", path], check=True)

    def write(self, name, text, mode=0o644):
        path = f"{self.path}/{name}"
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        self.give(path)

    def read(self, name):
        with open(f"{self.path}/{name}", "rb") as f:
            return f.read()

    def command(self, *options, user="joe", local="joe", dash="", ext="", host="h.test", sender="s@x.test",
                default="./Maildir/", home=None):
        return [program("qmail-local"), *options, "--", user, home or self.path, local, dash, ext, host, sender,
                default]

    def start(self, *options, message=MESSAGE, stdin=None, **arguments):
        extra = {"user": UID, "group": UID, "extra_groups": []} if self.as_root else {}
        environment = {"PATH": "/usr/bin:/bin", "QMAILHOME": self.path, "QMAILQUEUE": self.path + "/.queue",
                       "DEFAULT": "inherited"}
        for name in os.environ:
            if name.startswith(("ASAN_", "UBSAN_", "LSAN_", "GCOV_")):
                environment[name] = os.environ[name]
        with tempfile.TemporaryFile() as f:
            f.write(message)
            f.seek(3)
            return subprocess.Popen(self.command(*options, **arguments), stdin=stdin or f, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, env=environment, cwd="/", **extra)

    def run(self, *options, **arguments):
        """(exit code, stdout, stderr)"""
        p = self.start(*options, **arguments)
        out, err = p.communicate(timeout=60)
        return p.returncode, out.decode(), err.decode()

    def delivered(self):
        new = sorted(os.listdir(self.path + "/Maildir/new"))
        return [self.read("Maildir/new/" + name) for name in new]


@pytest.fixture
def home():
    with tempfile.TemporaryDirectory(prefix="local.", dir="/tmp") as path:
        os.chmod(path, 0o755)
        yield Home(path)


# ---- which file, and its lines ------------------------------------------------

def test_default_delivery_without_a_file(home):
    assert home.run() == (0, "did 1+0+0\n", "")
    assert home.delivered() == [b"Return-Path: <s@x.test>\n" + DTLINE + MESSAGE]
    assert os.listdir(home.path + "/Maildir/tmp") == []
    name = os.listdir(home.path + "/Maildir/new")[0]
    assert re.fullmatch(r"\d+\.M\d{6}P\d+Q\d+R[0-9a-f]{16}\.[^/:]+", name)
    assert os.stat(f"{home.path}/Maildir/new/{name}").st_mode & 0o777 == 0o600


def test_description_of_a_mixed_file(home):
    home.write(".qmail", '# c\n&a@b  \t\n a@c\n./Maildir/ \n|prog  a  \n& d@e\n/abs/mbox\n"q"@x\n')
    assert home.run("-n") == (0, "forward a@b\nforward  a@c\nmaildir ./Maildir/\nprogram prog  a\nforward  d@e\n"
                                 'mbox /abs/mbox\nforward "q"@x\ndid 2+4+1\n', "")
    assert home.delivered() == []


def test_empty_file_means_default_delivery(home):
    home.write(".qmail", "", 0o744)
    assert home.run() == (0, "did 1+0+0\n", "")


def test_comments_only_discards(home):
    home.write(".qmail", "# nothing\n")
    assert home.run() == (0, "did 0+0+0\n", "")
    assert home.delivered() == []


@pytest.mark.parametrize("files, ext, used, default", [
    (["-a-b-c", "-default"], "a-b-c", "-a-b-c", "inherited"),
    (["-a-b-default", "-default"], "A-b-C", "-a-b-default", "C"),
    (["-a-default", "-default"], "a-b-C.d", "-a-default", "b-C.d"),
    (["-default"], "Foo.Bar", "-default", "Foo.Bar"),
    (["-foo:bar", "-default"], "Foo.Bar", "-foo:bar", "inherited"),
    (["-x-default"], "x-Default", "-x-default", "Default"),
    (["-x-default"], "x-", "-x-default", ""),
    (["-default"], "x/y", "-default", "x/y"),
    (["-default"], "../../etc/passwd", "-default", "../../etc/passwd"),
])
def test_which_file(home, files, ext, used, default):
    for name in files:
        home.write(".qmail" + name, f'|printf "%s|%s" {name} "$DEFAULT"\n')
    code, out, err = home.run(local="joe-" + ext, dash="-", ext=ext)
    assert (code, out, err) == (0, f"{used}|{default}did 0+0+1\n", "")


def test_qmaildefault_is_no_file_for_the_bare_address(home):
    """To qmail it was one, by accident."""
    home.write(".qmaildefault", "|echo here\n")
    assert home.run()[1] == "did 1+0+0\n"


def test_no_such_mailbox(home):
    assert home.run(local="joe-x", dash="-", ext="x") == (
        100, "", "Sorry, no mailbox here by that name. (#5.1.1)\n")
    code, _, err = home.run(local="joe-x", dash="-", ext="x" * 600)
    assert (code, err) == (100, "Sorry, no mailbox here by that name. (#5.1.1)\n")


def test_unreadable_file_is_temporary(home):
    home.write(".qmail-x", "joe\n", 0)
    assert home.run(dash="-", ext="x") == (111, "", "Unable to open .qmail-x: access denied. (#4.3.0)\n")


@pytest.mark.parametrize("kind", ["fifo", "directory", "dangling"])
def test_what_is_no_regular_file_is_absent(home, kind):
    path = home.path + "/.qmail"
    {"fifo": lambda: os.mkfifo(path), "directory": lambda: os.mkdir(path),
     "dangling": lambda: os.symlink("nowhere", path)}[kind]()
    home.give(path)
    assert home.run() == (0, "did 1+0+0\n", "")


def test_symbolic_link_to_a_file_is_followed(home):
    home.write("elsewhere", "#\n")
    os.symlink("elsewhere", home.path + "/.qmail")
    assert home.run() == (0, "did 0+0+0\n", "")


def test_gigabyte_of_instructions_is_refused_at_once(home):
    home.write(".qmail", "")
    os.truncate(home.path + "/.qmail", 1 << 30)
    started = time.monotonic()
    code, _, err = home.run()
    assert code == 111 and err.startswith("Unable to read .qmail: ")
    assert time.monotonic() - started < 5


def test_nul_bytes_are_refused(home):
    home.write(".qmail", b"./Mail\0dir/\n")
    code, _, err = home.run()
    assert code == 111 and "NUL" in err


def test_trailing_carriage_returns(home):
    home.write(".qmail", "./Maildir/\r\n")
    assert home.run() == (0, "did 1+0+0\n", "")


@pytest.mark.parametrize("text, default", [("\n./Maildir/\n", "x"), (" \t\n", "x"), (None, "")])
def test_first_line_blank(home, text, default):
    if text is not None:
        home.write(".qmail", text)
    assert home.run(default=default) == (111, "", "Uh-oh: first line of .qmail file is blank. (#4.2.1)\n")


def test_unsafe_modes(home):
    home.write(".qmail", "#\n", 0o646)
    assert home.run() == (111, "", "Uh-oh: .qmail file is writable. (#4.7.0)\n")
    home.write(".qmail", "./Maildir/\n", 0o744)
    assert home.run() == (111, "", "Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)\n")
    home.write(".qmail", "a@b\n|true\n", 0o744)
    assert home.run() == (111, "", "Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)\n")
    os.chmod(home.path, 0o757)
    assert home.run() == (111, "", "Uh-oh: home directory is writable. (#4.7.0)\n")
    os.chmod(home.path, 0o1755)
    assert home.run() == (
        111, "", "Home directory is sticky: user is editing his .qmail file. (#4.2.1)\n")
    home.write(".qmail", "#\n")
    assert home.run("-n") == (0, "did 0+0+0\n", "Warning: home directory is sticky.\n")


def test_home_missing(home):
    code, _, err = home.run(home="/nonexistent")
    assert (code, err) == (111, "Unable to switch to /nonexistent: file does not exist. (#4.3.0)\n")


def test_usage():
    for arguments in ([], ["a"] * 8, ["-x"], ["joe", "/"] + ["x"] * 5, ["joe", "/"] + ["x"] * 7):
        p = subprocess.run([program("qmail-local"), *arguments], capture_output=True, check=False)
        assert p.returncode == 100 and b"usage" in p.stderr


def test_looping(home):
    looping = (100, "", "This message is looping: it already has my Delivered-To line. (#5.4.6)\n")
    assert home.run(message=b"X: y\n" + DTLINE + b"\nbody\n") == looping
    assert home.run(message=b"X: y\n\n" + DTLINE)[0] == 0
    assert home.run(message=DTLINE.lower() + b"\nbody\n")[0] == 0
    assert home.run(message=b"X: " + b"y" * 200000 + b"\n" + DTLINE + b"\n") == looping


def test_message_that_cannot_be_rewound(home):
    read, write = os.pipe()
    os.close(write)
    assert home.run(stdin=read)[::2] == (111, "Unable to rewind message. (#4.3.0)\n")
    os.close(read)


# ---- mailboxes ----------------------------------------------------------------

def test_mbox(home):
    home.write("Mailbox", "before\n\n")
    home.write(".qmail", "./Mailbox\n")
    assert home.run(message=b"Subject: a\nFrom head\n\n>From b\nFrom c\n From d\nend") == (0, "did 1+0+0\n", "")
    stamp = rb"From s@x.test [A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \d{4}\n"
    head, rest = home.read("Mailbox").split(b"Return-Path", 1)
    assert re.fullmatch(b"before\n\n" + stamp, head)
    assert rest == (b": <s@x.test>\n" + DTLINE + b"Subject: a\n>From head\n\n>>From b\n>From c\n From d\nend\n\n")


def test_mbox_is_made_private(home):
    home.write(".qmail", "./new-box\n")
    assert home.run(sender="")[0] == 0
    assert os.stat(home.path + "/new-box").st_mode & 0o777 == 0o600
    assert home.read("new-box").startswith(b"From MAILER-DAEMON ")


def test_mbox_through_a_symbolic_link(home):
    home.write("real", "")
    os.symlink("real", home.path + "/Mailbox")
    home.write(".qmail", "./Mailbox\n")
    assert home.run()[0] == 0
    assert home.read("real").startswith(b"From s@x.test ")


def test_entry_after_a_torn_one_begins_its_own_line(home):
    home.write("Mailbox", "From a b\n\ntorn in the mid")
    home.write(".qmail", "./Mailbox\n")
    assert home.run()[0] == 0
    assert b"torn in the mid\n\nFrom s@x.test " in home.read("Mailbox")


def test_mbox_is_cut_back_on_failure(home):
    home.write("Mailbox", "kept\n\n")
    home.write(".qmail", "./Mailbox\n")
    limited = ["prlimit", "--fsize=4096", *home.command()]
    with tempfile.TemporaryFile() as f:
        f.write(b"Subject: x\n\n" + b"x" * 9000)
        extra = {"user": UID, "group": UID, "extra_groups": []} if home.as_root else {}
        p = subprocess.run(limited, stdin=f, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin"}, **extra)
    assert p.returncode == 111 and p.stderr.startswith(b"Unable to write ./Mailbox: "), p.stderr
    assert home.read("Mailbox") == b"kept\n\n"


def test_mbox_that_is_none(home):
    os.mkfifo(home.path + "/fifo")
    os.mkdir(home.path + "/dir")
    home.give(home.path)
    for name in ("fifo", "dir", "missing/box"):
        home.write(".qmail", f"./{name}\n")
        code, _, err = home.run()
        assert code == 111 and err.startswith(f"Unable to open ./{name}: ") and err.endswith(" (#4.2.1)\n")


def test_locked_mbox_is_waited_for(home):
    home.write("Mailbox", "")
    home.write(".qmail", "./Mailbox\n")
    with open(home.path + "/Mailbox", "ab") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        p = home.start()
        time.sleep(1)
        assert p.poll() is None
        fcntl.flock(f, fcntl.LOCK_UN)
        assert p.communicate(timeout=10) == (b"did 1+0+0\n", b"") and p.returncode == 0


def test_parallel_mbox_deliveries_do_not_mix(home):
    home.write(".qmail", "./Mailbox\n")
    body = b"".join(b"%06d\n" % i for i in range(20000))
    running = [home.start(message=b"Subject: %d\n\n" % i + body) for i in range(8)]
    for p in running:
        assert p.wait(60) == 0
        p.communicate()
    entries = home.read("Mailbox").split(b"\nFrom s@x.test ")
    assert len(entries) == 8
    assert all(body in e for e in entries)


def test_maildir_missing(home):
    home.write(".qmail", "./nothing/\n")
    assert home.run() == (111, "", "Unable to chdir to maildir. (#4.2.1)\n")
    os.mkdir(home.path + "/nothing")
    home.give(home.path)
    assert home.run() == (111, "", "Temporary error on maildir delivery. (#4.3.0)\n")


def test_maildir_large_message_is_whole(home):
    message = b"Subject: x\n\n" + os.urandom(1 << 20)
    assert home.run(message=message)[0] == 0
    assert home.delivered() == [b"Return-Path: <s@x.test>\n" + DTLINE + message]


def test_maildir_failure_leaves_nothing(home):
    limited = ["prlimit", "--fsize=4096", *home.command()]
    with tempfile.TemporaryFile() as f:
        f.write(b"Subject: x\n\n" + b"x" * 9000)
        extra = {"user": UID, "group": UID, "extra_groups": []} if home.as_root else {}
        p = subprocess.run(limited, stdin=f, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin"}, **extra)
    assert (p.returncode, p.stderr) == (111, b"Temporary error on maildir delivery. (#4.3.0)\n")
    assert home.delivered() == [] and os.listdir(home.path + "/Maildir/tmp") == []


def test_memory_does_not_grow_with_the_message(home):
    """A gigabyte with one endless header line, and little memory."""
    home.write(".qmail", "./Mailbox\n")
    with open(home.path + "/big", "wb") as f:
        f.truncate(1 << 28)
    limited = ["prlimit", "--data=8388608", *home.command()]
    if sanitized():
        pytest.skip("sanitizers need memory")
    with open(home.path + "/big", "rb") as f:
        p = subprocess.run(limited, stdin=f, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin"})
    assert (p.returncode, p.stdout) == (0, b"did 1+0+0\n"), p.stderr
    assert os.path.getsize(home.path + "/Mailbox") > 1 << 28


# ---- programs -----------------------------------------------------------------

@pytest.mark.parametrize("status, code", [
    (0, 0), (99, 0), (100, 100), (64, 100), (65, 100), (70, 100), (76, 100), (77, 100), (78, 100), (112, 100),
    (1, 111), (71, 111), (75, 111), (111, 111), (126, 111), (127, 111), (113, 111), (255, 111)])
def test_program_exit_codes(home, status, code):
    home.write(".qmail", f"|exit {status}\n|echo second\n")
    expected = {0: "second\ndid 0+0+2\n", 99: "did 0+0+1\n"}.get(status, "")
    assert home.run() == (code, expected, "")


@pytest.mark.parametrize("sig", ["SEGV", "KILL", "TERM"])
def test_program_crash(home, sig):
    home.write(".qmail", f"|kill -{sig} $$\n")
    assert home.run() == (111, "", "Aack, child crashed. (#4.3.0)\n")


def test_program_sees_the_message_and_nothing_else(home):
    home.write(".qmail", "|cat; pwd; umask; echo err >&2\n|cat\n")
    code, out, err = home.run()
    text = MESSAGE.decode()
    assert (code, out, err) == (0, f"{text}{home.path}\n0077\n{text}did 0+0+2\n", "err\n")


def test_program_has_only_standard_descriptors(home):
    home.write(".qmail", "|ls /proc/self/fd\n")
    assert home.run()[1] == "0\n1\n2\n3\ndid 0+0+1\n"  # 3: the directory being listed


def test_program_environment(home):
    home.write(".qmail-default", "|env\n")
    _, out, _ = home.run(local="joe-A-b", dash="-", ext="A-b", host="m.h.test", sender="$(id) `id`;|\t'\"@x")
    for line in ("SENDER=$(id) `id`;|\t'\"@x", "NEWSENDER=$(id) `id`;|\t'\"@x", "RECIPIENT=joe-A-b@m.h.test",
                 "LOCAL=joe-A-b", "HOST=m.h.test", "HOST2=m.h", "HOST3=m", "HOST4=m", "EXT=A-b", "EXT2=b", "EXT3=",
                 "DEFAULT=A-b", f"HOME={home.path}", "USER=joe", "DTLINE=Delivered-To: joe-A-b@m.h.test"):
        assert f"\n{line}\n" in "\n" + out, line


def test_program_left_behind_is_killed(home):
    home.write(".qmail", "|sleep 1000 & setsid sleep 1000 & (setsid sh -c 'sleep 1000; true' &) ; echo $!\n")
    started = time.monotonic()
    code, _, _ = home.run()
    assert code == 0 and time.monotonic() - started < 5
    assert not still_running(b"sleep\x001000\x00", UID if home.as_root else os.getuid())


def still_running(command, uid):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat("/proc/" + pid).st_uid == uid and open(f"/proc/{pid}/cmdline", "rb").read() == command:
                return True
        except OSError:
            continue
    return False


# ---- forwards -----------------------------------------------------------------

def envelope(home):
    return home.read("envelope")


def test_forward(home):
    home.write(".qmail", "&a@x\nb c@y\n|exit 99\n&never@z\n")
    code, out, err = home.run()
    assert code == 0 and err == "" and re.fullmatch(r"did 0\+2\+1\nqp \d+\n", out)
    assert home.read("message") == DTLINE + MESSAGE
    assert envelope(home) == b"Fs@x.test\0Ta@x\0Tb c@y\0\0"


def test_forwards_wait_for_everything_else(home):
    home.write(".qmail", "&a@x\n./nothing/\n")
    assert home.run()[0] == 111
    assert not os.path.exists(home.path + "/envelope")


@pytest.mark.parametrize("files, sender, newsender", [
    ([], "s@x", "s@x"),
    (["-owner"], "s@x", "joe-list-owner@h.test"),
    (["-owner", "-owner-default"], "s@x", "joe-list-owner-@h.test-@[]"),
    (["-owner-default"], "s@x", "s@x"),
    (["-owner"], "", ""),
    (["-owner"], "#@[]", "#@[]"),
])
def test_owner_becomes_the_sender(home, files, sender, newsender):
    home.write(".qmail-list", '&a@x\n|printf "%s" "$NEWSENDER"\n')
    for name in files:
        home.write(".qmail-list" + name, "joe\n")
    code, out, _ = home.run(local="joe-list", dash="-", ext="list", sender=sender)
    assert code == 0 and out.startswith(newsender + "did 0+1+1\n")
    assert envelope(home) == f"F{newsender}\0Ta@x\0\0".encode()


@pytest.mark.parametrize("status, code, text", [
    (31, 100, "mail server permanently rejected message (#5.3.0)"), (53, 111, "qq write error or disk full (#4.3.0)"),
    (11, 100, "envelope address too long for qq (#5.1.3)"), (71, 111, "mail server temporarily rejected message (#4.3.0)")])
def test_forward_refused(home, status, code, text):
    home.write("status", str(status))
    home.write(".qmail", "&a@x\n")
    assert home.run() == (code, "", f"Unable to forward message: {text}.\n")


def test_list_file_is_forward_only(home):
    home.write(".qmail", "+list\na@x\n|true\n")
    assert home.run() == (111, "", "Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)\n")


def test_hundred_thousand_forwards(home):
    home.write(".qmail", "".join(f"&user{i}@list.test\n" for i in range(100000)))
    code, out, _ = home.run()
    assert code == 0 and out.startswith("did 0+100000+0\nqp ")
    assert envelope(home).count(b"\0") == 100002


# ---- the users database -------------------------------------------------------

def newu(tmp_path, text):
    (tmp_path / "users").mkdir(exist_ok=True)
    if text is not None:
        (tmp_path / "users/assign").write_bytes(text)
    return subprocess.run([program("qmail-newu")], env={"QMAILHOME": str(tmp_path)}, capture_output=True, check=False)


def test_newu(tmp_path):
    p = newu(tmp_path, b"=Joe:joe:1:2:/h:-:e:\n+joe-:joe:1:2:/h:-::\n+:alias:7:8:/a:-::\n.\n")
    assert (p.returncode, p.stderr) == (0, b"")
    data = (tmp_path / "users/cdb").read_bytes()
    assert b"!joe\0joe\0" b"1\0" b"2\0/h\0-\0e" in data and b"!joe-joe\0" b"1\0" b"2\0/h\0-\0" in data
    assert os.stat(tmp_path / "users/cdb").st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path / "users") and not (tmp_path / "users/cdb.tmp").exists()


@pytest.mark.parametrize("text, message", [
    (None, b"unable to open users/assign"), (b"=joe\n.\n", b"bad format in users/assign"),
    (b"=joe:joe:1:2:/h:::\n", b"bad format in users/assign")])
def test_newu_keeps_the_old_database(tmp_path, text, message):
    (tmp_path / "users").mkdir()
    (tmp_path / "users/cdb").write_bytes(b"old")
    p = newu(tmp_path, text)
    assert (p.returncode, p.stderr) == (111, b"qmail-newu: fatal: " + message + b"\n")
    assert (tmp_path / "users/cdb").read_bytes() == b"old"
    assert not (tmp_path / "users/cdb.tmp").exists()


def test_newu_without_home():
    p = subprocess.run([program("qmail-newu")], env={"QMAILHOME": "/nonexistent"}, capture_output=True, check=False)
    assert (p.returncode, p.stderr) == (111, b"qmail-newu: fatal: unable to chdir\n")


def test_getpw():
    assert subprocess.run([program("qmail-getpw")], check=False).returncode == 100
    p = subprocess.run([program("qmail-getpw"), "daemon-x-nobody-there"], capture_output=True, check=False)
    assert p.returncode in (0, 116)
    if p.returncode == 0:
        assert p.stdout.count(b"\0") == 6

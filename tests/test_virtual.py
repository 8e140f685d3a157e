"""Mailboxes without system accounts: quill user, delivery, aliases, quotas, the check at RCPT."""
import fcntl
import os
import pty
import shutil
import signal
import sqlite3
import termios
import threading
import time

import pytest

from quilltest import Instance, program
from quilltest.net import wait_until

BODY = b"Subject: hi\n\nbody\n"


@pytest.fixture(name="site")
def running_instance():
    with Instance(control={"rcptcheck": "1"}) as i:
        yield i.start()


def user(site, *words, password=b"", check=True):
    r = site.run(program("quill"), "user", *words, input=password, check=False)
    assert not check or r.returncode == 0, r.stderr
    return r


def home_of(site, address):
    local, domain = address.split("@")
    return f"{site.home}/mailboxes/{domain}/{local}"


def messages(site, address):
    new = home_of(site, address) + "/Maildir/new"
    return [open(f"{new}/{n}", "rb").read() for n in sorted(os.listdir(new))] if os.path.isdir(new) else []


def wait_messages(site, address, count=1):
    wait_until(lambda: len(messages(site, address)) >= count, 20, f"{count} messages for {address}")
    found = messages(site, address)
    assert len(found) == count
    return found


def rcpt(site, *addresses):
    with site.smtp() as c:
        c.ehlo()
        c.mail("s@client.test")
        return [c.docmd(f"RCPT TO:<{a}>")[0] for a in addresses]


def test_a_mailbox_in_a_new_domain_gets_mail(site):
    out = user(site, "add", "Ann@V.test", password=b"secret\n").stdout.decode()
    assert "added to control/virtualdomains: v.test:v.test" in out and "added to control/rcpthosts: v.test" in out
    assert "postmaster@v.test" in out
    wait_until(lambda: rcpt(site, "ann@v.test") == [250], 20, "the domain to be known")
    assert rcpt(site, "ANN@v.TEST", "bob@v.test", "ann-x@v.test") == [250, 550, 550]
    site.send("s@client.test", ["Ann@v.test"], BODY)
    text, = wait_messages(site, "ann@v.test")
    assert text.startswith(b"Return-Path: <s@client.test>\nDelivered-To: v.test-Ann@v.test\n") and text.endswith(b"body\n")
    for d in ("", "/Maildir", "/Maildir/new"):
        assert os.stat(home_of(site, "ann@v.test") + d).st_mode & 0o077 == 0


def test_a_new_domain_is_known_when_the_command_returns(site):
    """Mail that is sent then is not on its way to where the domain was before."""
    site.signal("qmail-send", signal.SIGSTOP)
    command = threading.Thread(target=user, args=(site, "add", "ann@v.test"))
    command.start()
    command.join(1)
    early = not command.is_alive()
    site.signal("qmail-send", signal.SIGCONT)
    command.join(30)
    assert not early and not command.is_alive()
    site.queue(BODY, "s@client.test", "ann@v.test")
    wait_messages(site, "ann@v.test")
    assert "operator:" not in site.log()


def test_the_table_comes_before_accounts_where_it_has_the_address(site):
    """a.test is in control/locals; joe is an account, and all else is alias's."""
    site.add_user("joe")
    user(site, "add", "ann@a.test")
    assert not os.path.exists(f"{site.home}/control/virtualdomains")
    site.send("s@client.test", ["joe@a.test", "ann@a.test"], BODY)
    site.wait_delivered("joe")
    wait_messages(site, "ann@a.test")
    assert rcpt(site, "joe@a.test", "ann@a.test", "nobody@a.test") == [250, 250, 550]
    r = user(site, "alias", "add", "@a.test", "ann@a.test", check=False)
    assert r.returncode == 100 and b"control/locals" in r.stderr


def test_a_process_that_stays_serves_one_address(site):
    """To users/cdb, all these are alias's; a delivery's process waits a moment for the next of the same owner."""
    site.add_user("joe")
    user(site, "add", "ann@a.test")
    user(site, "add", "bob@a.test")
    site.write("alias/.qmail-info", "./Maildir/\n", 0o644)
    for n in range(5):
        for name in ("info", "ann", "bob"):
            site.send("s@client.test", [f"{name}@a.test"], b"Subject: x\n\nfor %s\n" % name.encode())
        site.wait_log("success: did_1", count=3 * n + 3)
    for name in ("ann", "bob"):
        assert [m[-8:] for m in wait_messages(site, f"{name}@a.test", 5)] == [b"for %s\n" % name.encode()] * 5
    assert len([n for n in os.listdir(site.home + "/alias/Maildir/new")]) == 5


def test_aliases_and_the_catch_all(site):
    user(site, "add", "ann@v.test")
    user(site, "add", "bob@v.test")
    user(site, "alias", "add", "team@v.test", "ann@v.test", "bob@v.test")
    user(site, "alias", "add", "@v.test", "bob@v.test")
    user(site, "alias", "add", "bob@v.test", "ann@v.test")
    wait_until(lambda: rcpt(site, "ann@v.test") == [250], 20, "the domain to be known")
    site.send("s@client.test", ["team@v.test"], b"Subject: team\n\n")
    wait_messages(site, "ann@v.test", 2)  # as one of the team, and through bob
    wait_messages(site, "bob@v.test", 1)
    site.send("s@client.test", ["any.thing@v.test"], b"Subject: catch\n\n")
    wait_messages(site, "bob@v.test", 2)
    assert sorted(user(site, "list", "V.TEST").stdout.decode().split("\n")[2:-1]) == [
        "@v.test -> bob@v.test", "bob@v.test -> ann@v.test", "team@v.test -> ann@v.test", "team@v.test -> bob@v.test"]
    user(site, "alias", "remove", "team@v.test", "bob@v.test")
    user(site, "alias", "remove", "@v.test")
    wait_until(lambda: rcpt(site, "nobody@v.test") == [550], 20, "the catch-all to be forgotten")


def test_the_home_of_a_mailbox_may_have_instructions(site):
    user(site, "add", "ann@a.test")
    site.send("s@client.test", ["ann@a.test"], BODY)
    wait_messages(site, "ann@a.test")
    site.write(home_of(site, "ann@a.test") + "/.qmail", "|cat >saw; echo $USER $HOME >>saw\n", 0o600)
    site.send("s@client.test", ["ann@a.test"], BODY)
    saw = home_of(site, "ann@a.test") + "/saw"
    wait_until(lambda: os.path.exists(saw) and "Maildir" not in open(saw).read() and "ann@a.test /" in open(saw).read(),
               20, "the program")
    assert len(messages(site, "ann@a.test")) == 1


def test_removed_mailboxes_bounce_and_keep_their_mail(site):
    user(site, "add", "ann@a.test")
    site.send("s@client.test", ["ann@a.test"], BODY)
    wait_messages(site, "ann@a.test")
    assert b"still in" in user(site, "remove", "ann@a.test").stdout
    time.sleep(1.1)
    site.send("s@client.test", ["ann@a.test"], BODY)  # for some seconds it is still remembered at RCPT
    site.wait_log("failure: Sorry,_no_mailbox_here_by_that_name")
    assert len(messages(site, "ann@a.test")) == 1
    assert user(site, "remove", "ann@a.test", check=False).returncode == 100


def test_a_row_that_another_program_writes_is_a_mailbox(site):
    user(site, "add", "ann@a.test")
    db = sqlite3.connect(site.home + "/users/mailboxes.sqlite")
    with db:
        db.execute("INSERT INTO mailbox(address) VALUES('Panel@A.test')")
    db.close()
    site.send("s@client.test", ["panel@a.test"], BODY)
    wait_messages(site, "panel@a.test")


def test_a_damaged_table_defers_and_says_why(site):
    site.write("users/mailboxes.sqlite", "x" * 5000, 0o600)
    os.mkdir(site.home + "/mailboxes", 0o700)
    os.chown(site.home + "/mailboxes", site.uid, site.gid)
    site.add_user("joe")
    site.send("s@client.test", ["joe@a.test"], BODY)
    site.wait_log("deferral: Unable_to_look_up_the_mailbox:_")
    site.write("users/mailboxes.sqlite", None)
    os.kill(site.process.pid, 14)  # ALRM: try again now
    site.wait_delivered("joe")


# ---- quotas -------------------------------------------------------------------------------


def maildirsize(site, address):
    with open(home_of(site, address) + "/Maildir/maildirsize", encoding="ascii") as f:
        return f.read().splitlines()


def test_quota_defers_and_then_bounces(site):
    user(site, "add", "ann@a.test", "--quota", "2K")
    site.send("s@a.test", ["ann@a.test"], b"Subject: 1\n\n" + b"x" * 1000 + b"\n")
    first, = wait_messages(site, "ann@a.test")
    name, = os.listdir(home_of(site, "ann@a.test") + "/Maildir/new")
    assert f",S={len(first)},W={len(first) + first.count(10)}" in name
    wait_until(lambda: maildirsize(site, "ann@a.test") == ["2048S", "0 0", f"{len(first)} 1"], 20, "it to be counted")
    assert user(site, "list").stdout.decode().startswith(f"ann@a.test  quota 2K, used {len(first)},1C  no password")
    site.send("s@a.test", ["ann@a.test"], b"Subject: 2\n\n" + b"x" * 1000 + b"\n")
    site.wait_log(r"deferral: The_mailbox_is_full:_its_quota_leaves_no_room_for_this_message\._\(#4\.2\.2\)/")
    user(site, "quota", "ann@a.test", "2K", "--overquota", "bounce")
    time.sleep(1.1)  # for so long a delivery's process may stay for the next
    site.inject("-f", "s@a.test", "ann@a.test", message=b"Subject: 3\n\n" + b"x" * 1000 + b"\n")
    site.wait_log(r"failure: Sorry,_the_mailbox_is_full:_its_quota_leaves_no_room_for_this_message\._\(#5\.2\.2\)/")
    user(site, "quota", "ann@a.test", "none")
    time.sleep(1.1)
    os.kill(site.process.pid, 14)
    wait_messages(site, "ann@a.test", 2)


def offer(site, address, size):
    """RCPT for a message of this size; None: the client does not say."""
    with site.smtp() as c:
        c.ehlo()
        c.docmd("MAIL FROM:<s@client.test>" + (f" SIZE={size}" if size else ""))
        return c.docmd(f"RCPT TO:<{address}>")


def test_full_mailboxes_are_refused_at_rcpt_where_mail_would_bounce(site):
    """With `defer` it waits for room; with `bounce` it would go back to a sender who may be forged."""
    full = (550, b"sorry, the mailbox is full (#5.2.2)")
    for name, policy in (("ann", "bounce"), ("bob", "defer"), ("cyd", "bounce")):
        user(site, "add", name + "@a.test", "--quota", "2K", "--overquota", policy)
    assert offer(site, "cyd@a.test", 2049) == full  # never
    assert offer(site, "cyd@a.test", 2048)[0] == 250
    site.inject("ann@a.test", "bob@a.test", message=b"Subject: 1\n\n" + b"x" * 1000 + b"\n")
    wait_messages(site, "ann@a.test")
    wait_messages(site, "bob@a.test")
    wait_until(lambda: len(maildirsize(site, "ann@a.test")) == 3, 20, "it to be counted")
    assert offer(site, "ann@a.test", 1000) == full
    assert offer(site, "ann@a.test", 500)[0] == offer(site, "ann@a.test", None)[0] == 250
    assert offer(site, "bob@a.test", 1000)[0] == 250
    assert site.log().count("failure: ") == 0


def test_qmtp_refuses_the_same(site):
    """There the size is known when recipients come."""
    def string(data):
        return b"%d:%s," % (len(data), data)

    user(site, "add", "ann@a.test", "--quota", "1K", "--overquota", "bounce")
    for size, reply in ((1024, b"Dsorry, the mailbox is full (#5.2.2)"), (100, b"Kok ")):
        recipients = string(b"ann@a.test") + string(b"nobody@a.test")
        out = site.run(program("qmail-qmtpd"), input=string(b"\n" + size * b"x" + b"\n") + string(b"s@x.test") +
                       string(recipients)).stdout
        assert out.split(b":", 1)[1].startswith(reply), out
        assert out.endswith(string(b"Dsorry, no mailbox here by that name (#5.1.1)"))


def test_the_file_is_counted_again_when_it_may_be_wrong(site):
    user(site, "add", "ann@a.test", "--quota", "1M,3C")
    site.send("s@a.test", ["ann@a.test"], BODY)
    site.wait_log("success: did_1")  # and counted
    maildir = home_of(site, "ann@a.test") + "/Maildir"
    new, = os.listdir(maildir + "/new")
    os.rename(f"{maildir}/new/{new}", f"{maildir}/cur/{new}:2,ST")  # deleted: does not count
    os.mkdir(maildir + "/.old")
    for folder in ("new", "cur", "tmp"):
        os.mkdir(f"{maildir}/.old/{folder}")
    with open(maildir + "/.old/cur/1.x:2,S", "w", encoding="ascii") as f:
        f.write("y" * 100)
    site.write(maildir + "/maildirsize", "1048576S,3C\n1 1\n99 2\n", 0o600)  # says full: is counted again
    for path in (maildir + "/.old", maildir + "/.old/cur", maildir + "/.old/new"):
        os.chown(path, site.uid, site.gid)
    site.send("s@a.test", ["ann@a.test"], BODY)
    text, = wait_messages(site, "ann@a.test", 1)
    wait_until(lambda: maildirsize(site, "ann@a.test") == ["1048576S,3C", "100 1", f"{len(text)} 1"], 20, "a new count")


def test_accounts_have_the_quota_that_their_maildir_names(site):
    home = site.add_user("joe", qmail="./Maildir/\n", full="./Maildir/.sub/\n")
    site.control(overquota="bounce")
    site.stop()
    site.start()
    site.write(home + "/Maildir/maildirsize", "1C\n", 0o600)
    for d in ("", "/new", "/cur", "/tmp"):
        os.mkdir(home + "/Maildir/.sub" + d)
        os.chown(home + "/Maildir/.sub" + d, site.uid, site.gid)
    site.write(home + "/Maildir/.sub/maildirfolder", "")
    site.send("s@a.test", ["joe@a.test"], BODY)
    site.wait_log("delivery 1: success")
    site.inject("joe-full@a.test", message=BODY)
    site.wait_log("failure: Sorry,_the_mailbox_is_full")
    assert rcpt(site, "joe-full@a.test") == [550]


def test_courier_and_we_count_alike(site):
    """The same Maildir by turns: each goes on with the other's file, and both turn away at the same byte."""
    home = site.add_user("joe")
    shutil.rmtree(home + "/Maildir")
    site.run("maildirmake.maildrop", home + "/Maildir")
    site.run("maildirmake.maildrop", "-q", "1500S", home + "/Maildir")
    site.control(overquota="bounce")
    site.stop()
    site.start()
    site.send("s@a.test", ["joe@a.test"], b"Subject: 1\n\n" + b"x" * 500 + b"\n")
    site.wait_log("delivery 1: success")
    ours = len(site.maildir("joe")[0])
    site.run("/usr/sbin/deliverquota.maildrop", home + "/Maildir", input=b"y" * (1500 - ours - 100))
    with open(home + "/Maildir/maildirsize", encoding="ascii") as f:
        lines = [line.split() for line in f]
    assert lines[0] == ["1500S"] and [sum(int(n[i]) for n in lines[1:]) for i in (0, 1)] == [1400, 2]
    site.send("s@a.test", ["joe@a.test"], b"Subject: 2\n\nmore than a hundred bytes, with what is put in front\n")
    site.wait_log("failure: Sorry,_the_mailbox_is_full")
    r = site.run("/usr/sbin/deliverquota.maildrop", home + "/Maildir", input=b"z" * 101, check=False)
    assert r.returncode == 77, r
    assert len(site.maildir("joe")) == 2


# ---- what the command says -------------------------------------------------------------------


@pytest.mark.parametrize("words,code,text", [
    (["add", "ann"], 100, "ann is no address"),
    (["add", "ann@v.test", "--quota", "12Q"], 100, "12Q is no quota"),
    (["add", "ann@v.test", "--overquota", "keep"], 100, "--overquota is defer, bounce or default"),
    (["add"], 100, "usage:"), (["frobnicate"], 100, "usage:"), (["list", "a", "b"], 100, "usage:"),
    (["passwd", "ann@v.test"], 100, "has no mailboxes yet"),
    (["alias", "add", "x@v.test", "not an address"], 100, "is no address"),
])
def test_mistakes_get_one_clear_answer(words, code, text):
    with Instance() as i:
        r = user(i, *words, check=False)
        assert r.returncode == code and text in r.stderr.decode(), r.stderr
        assert b"quill: fatal: " in r.stderr or b"usage:" in r.stderr


def test_quill_check_knows_the_table():
    with Instance() as i:
        def check():
            r = i.run(program("quill"), "check", check=False)
            return [line for line in r.stdout.decode().splitlines() if line.startswith("problem")]
        before = check()
        user(i, "add", "ann@v.test")
        assert check() == before
        i.control(virtualdomains="other.test:joe")
        assert [p for p in check() if p not in before] == \
            ["problem: v.test is not local; control/virtualdomains must say v.test:v.test"]
        i.control(virtualdomains="v.test:joe")
        os.chmod(i.home + "/users/mailboxes.sqlite", 0o644)
        i.write("users/mailboxes.sqlite-journal", "")
        found = "\n".join(check())
        assert "gives v.test to joe" in found and "can be read or written by others" in found and "is not finished" in found


def test_a_domain_that_belongs_to_somebody_else_is_not_taken_over():
    with Instance(control={"virtualdomains": "v.test:joe"}) as i:
        r = user(i, "add", "ann@v.test", check=False)
        assert r.returncode == 100 and b"must say v.test:v.test" in r.stderr


def test_an_interrupted_question_leaves_the_terminal_with_its_echo():
    screen, terminal = pty.openpty()

    def echoes():
        return bool(termios.tcgetattr(screen)[3] & termios.ECHO)

    with Instance() as i:
        asking = i.spawn(program("quill"), "user", "add", "ann@v.test", stdin=terminal, stderr=terminal,
                         start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY))
        os.close(terminal)
        try:
            wait_until(lambda: not echoes(), 20, "the question for the password")
            os.write(screen, b"sec\x03")
            assert asking.wait(20) == -signal.SIGINT
            assert echoes()
        finally:
            asking.kill()
            asking.wait()
            os.close(screen)

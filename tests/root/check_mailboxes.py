"""Checks of mailboxes without accounts, of checkpassword and of POP3, with separate accounts (see labrun.py)."""
import os
import poplib
import re
import subprocess

from labrun import HOME, equal, lab, processes, wait

CHECKS = []
OWNER = 4711  # of all mailboxes; an account that nothing else knows
BIN = HOME + "/bin/"


def check(f):
    CHECKS.append(f)
    return f


def user(*words, password=b""):
    r = subprocess.run([BIN + "quill", "user", *words], input=password, capture_output=True, env=lab.CLEAN, cwd="/",
                       timeout=30, check=False)
    return r.returncode, (r.stdout + r.stderr).decode()


def box(local, domain="lab.test"):
    return f"{HOME}/mailboxes/{domain}/{local}"


def arrived(local, domain="lab.test"):
    new = box(local, domain) + "/Maildir/new"
    return [f"{new}/{n}" for n in os.listdir(new)] if os.path.isdir(new) else []


@check
def an_account_for_the_mail_is_needed(m):
    code, text = user("add", "early@lab.test")
    equal(code, 100)
    assert "there is no account vmail" in text and "useradd" in text, text
    assert not os.path.exists(HOME + "/users/mailboxes.sqlite")


@check
def mail_belongs_to_one_account_and_passwords_to_nobody_else(m):
    os.mkdir(HOME + "/mailboxes", 0o700)
    os.chown(HOME + "/mailboxes", OWNER, OWNER)
    equal(user("add", "kim@lab.test", password=b"kims\n")[0], 0)
    st = os.stat(HOME + "/users/mailboxes.sqlite")
    equal((st.st_uid, st.st_gid, st.st_mode & 0o7777), (0, OWNER, 0o640))
    equal(m.send_mail("kim@lab.test").only[2:], ("success", "did_1+0+0/"))
    path, = arrived("kim")
    st = os.stat(path)
    equal((st.st_uid, st.st_gid, st.st_mode & 0o7777), (OWNER, OWNER, 0o600))
    equal(os.stat(box("kim")).st_mode & 0o7777, 0o700)


@check
def programs_run_as_that_account(m):
    m.put(box("kim") + "/.qmail", "|(id -u; id -G) >who\n")
    os.chown(box("kim") + "/.qmail", OWNER, OWNER)
    m.send_mail("kim@lab.test").expect("success", "did_0+0+1/")
    with open(box("kim") + "/who", encoding="ascii") as f:
        equal(f.read(), f"{OWNER}\n{OWNER}\n")
    os.unlink(box("kim") + "/.qmail")


@check
def full_mailboxes_are_refused_by_what_their_owner_finds(m):
    equal(user("add", "lea@lab.test", "--quota", "2K", "--overquota", "bounce")[0], 0)
    m.send_mail("lea@lab.test", b"Subject: x\n\n" + 1500 * b"x" + b"\n").expect("success", "did_1+0+0/")
    size, = [os.stat(path).st_size for path in arrived("lea")]
    m.control("rcptcheck", "1\n")
    try:
        for announced, reply in ((2049 - size, "550 sorry, the mailbox is full (#5.2.2)"), (2048 - size, "250 ok")):
            r = subprocess.run([BIN + "qmail-smtpd"], capture_output=True, text=True, user=7791, group=2108, extra_groups=[],
                               input=f"MAIL FROM:<> SIZE={announced}\r\nRCPT TO:<lea@lab.test>\r\nQUIT\r\n",
                               env=lab.CLEAN, cwd="/", timeout=30, check=False)
            equal(r.stdout.splitlines()[2], reply)
    finally:
        m.control("rcptcheck", None)


@check
def accounts_go_on_as_before(m):
    m.send_mail("ann@lab.test", b"Subject: x\n\nfor an account\n").expect("success", "did_1+0+0/")
    m.find_mail("ann", b"for an account")
    m.send_mail("nobody-here@lab.test").expect("failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")


@check
def a_new_domain_is_taken_at_once(m):
    """qmail-send is told."""
    equal(user("add", "lee@new.test", password=b"")[0], 0)
    m.send_mail("lee@new.test").expect("success", "did_1+0+0/")
    equal(len(arrived("lee", "new.test")), 1)
    m.send_mail("nobody@new.test").expect("failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")
    equal(user("alias", "add", "info@new.test", "ann@lab.test", "lee@new.test")[0], 0)
    equal(m.send_mail("info@new.test", b"Subject: x\n\nby an alias\n").only[2], "success")
    assert b"Delivered-To: new.test-info@new.test\n" in m.find_mail("ann", b"by an alias")


@check
def mailboxes_of_root_are_nobodys(m):
    os.chown(HOME + "/mailboxes", 0, 0)
    try:
        story = m.try_mail("kim@lab.test")
        equal(story.only[2], "deferral")
        assert "belongs_to_root" in story.only[3], story.only
    finally:
        os.chown(HOME + "/mailboxes", OWNER, OWNER)
    mark = m.mark()
    m.signal(14)
    m.wait_log("success: did_1", mark)


@check
def an_interrupted_change_is_taken_back_at_the_start(m):
    """A hot journal: the database was being written when the power went."""
    script = ("import sqlite3, os; c = sqlite3.connect('users/mailboxes.sqlite', isolation_level=None);"
              "c.execute('PRAGMA cache_size=1'); c.execute('BEGIN');"
              "c.executemany('INSERT INTO mailbox(address) VALUES(?)', [(f'x{i}@half.test',) for i in range(20000)]);"
              "os._exit(9)")
    subprocess.run(["/usr/bin/python3", "-c", script], cwd=HOME, check=False)
    assert os.path.exists(HOME + "/users/mailboxes.sqlite-journal")
    m.restart()
    assert not os.path.exists(HOME + "/users/mailboxes.sqlite-journal")
    m.send_mail("kim@lab.test").expect("success", "did_1+0+0/")
    assert "half.test" not in user("list")[1]


# ---- POP3 -----------------------------------------------------------------------------------


class Server:
    def __init__(self, *command):
        self.process = subprocess.Popen(command, env=lab.CLEAN, cwd="/", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def client(self, port):
        def connect():
            try:
                return poplib.POP3("127.0.0.1", port, timeout=20)
            except ConnectionRefusedError:
                return None
        return wait(connect)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.log = self.process.communicate(timeout=20)[1].decode()


@check
def the_guides_pop3_service(m):
    lab.bind_text("/etc/shadow", "ann:$1$rasmusle$rISCgZzpwk3UhDidwXvin0:19000:0:99999:7:::\n")
    m.send_mail("ann@lab.test", b"Subject: x\n\nto be fetched\n")
    with Server(BIN + "tcpserver", "-RHl0", "127.0.0.1", "2110", BIN + "qmail-popup", "lab.test", BIN + "checkpassword",
                BIN + "qmail-pop3d", "Maildir") as pop:
        c = pop.client(2110)
        front = [p for p in processes("qmail-popup") if p[2] == 7791]
        equal([p[3:] for p in front], [(2108, [2108])])
        c.user("ann")
        c.pass_("rasmuslerdorf")
        equal([p[2:] for p in processes("qmail-pop3d")], [(2001, 2001, [2001])])
        equal([p for p in processes("qmail-popup") if p[2] == 7791], [])
        wait(lambda: c.stat()[0] >= 1)
        c.quit()
        c = pop.client(2110)
        c.user("ann")
        try:
            c.pass_("wrong")
            raise AssertionError("logged in")
        except poplib.error_proto as e:
            equal(e.args[0], b"-ERR authorization failed")
    assert "failed login of ann client [127.0.0.1]" in pop.log, pop.log


@check
def mailboxes_by_our_own_listener(m):
    m.send_mail("kim@lab.test", b"Subject: x\n\nto be fetched\n")
    with Server(BIN + "qmail-popup", "-l", "127.0.0.1:2111", "lab.test", BIN + "checkpassword-mailbox", BIN + "qmail-pop3d",
                "Maildir") as pop:
        c = pop.client(2111)
        c.user("kim@lab.test")
        c.pass_("kims")
        equal([p[2:] for p in processes("qmail-pop3d")], [(OWNER, OWNER, [OWNER])])
        # A message of this second is not there yet.
        c.quit()

        def fetched():
            c = pop.client(2111)
            c.user("kim@lab.test")
            c.pass_("kims")
            found = [b"\n".join(c.retr(n)[1]) for n in range(1, c.stat()[0] + 1)]
            c.quit()
            return any(b"to be fetched" in f for f in found)
        assert wait(fetched)
    assert re.search(r"listening on 127\.0\.0\.1:2111", pop.log), pop.log

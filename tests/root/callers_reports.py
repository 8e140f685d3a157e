"""Files as installed, and the programs that report (contract §1, §2, §17, §21)."""
import os
import re
import socket
import stat
import subprocess
import time

import lab
from callers import ANN, BIN, HOME, ROOT, cases, control, is_, put, run

# ---- files --------------------------------------------------------------------------


@cases([
    ("qmail-queue", 0o711), ("qmail-lspawn", 0o700), ("qmail-start", 0o700), ("qmail-newu", 0o700),
    ("qmail-newmrh", 0o700), ("qmail-getpw", 0o711), ("qmail-local", 0o711), ("qmail-remote", 0o711),
    ("qmail-rspawn", 0o711), ("qmail-send", 0o711), ("splogger", 0o711), ("qmail-inject", 0o755),
    ("qmail-showctl", 0o755), ("qmail-qread", 0o755), ("qmail-qstat", 0o755), ("qmail-smtpd", 0o755),
    ("sendmail", 0o755),
])
def check_program_file(name, mode):
    st = os.stat(f"{BIN}/{name}")
    is_((oct(stat.S_IMODE(st.st_mode)), st.st_uid, st.st_gid), (oct(mode), 0, 2107))


@cases([
    ("", 0, 0o755), ("control", 0, 0o755), ("users", 0, 0o755), ("bin", 0, 0o755), ("boot", 0, 0o755), ("doc", 0, 0o755),
    ("man", 0, 0o755), ("man/man1", 0, 0o755), ("man/man5", 0, 0o755), ("man/man7", 0, 0o755), ("man/man8", 0, 0o755),
    ("man/cat1", 0, 0o755), ("man/cat5", 0, 0o755), ("man/cat7", 0, 0o755), ("man/cat8", 0, 0o755),
    ("alias", 7790, 0o2755),
])
def check_directory(name, owner, mode):
    st = os.stat(f"{HOME}/{name}")
    is_((oct(stat.S_IMODE(st.st_mode)), st.st_uid, st.st_gid), (oct(mode), owner, 2107))


@cases([
    ("home", "./Mailbox"), ("home+df", "|dot-forward .forward\n./Mailbox"), ("proc", "|preline procmail"),
    ("proc+df", "|dot-forward .forward\n|preline procmail"),
    ("binm1", '|preline -f /usr/libexec/mail.local -r "${SENDER:-MAILER-DAEMON}" -d "$USER"'),
    ("binm2", '|preline -f /bin/mail -r "${SENDER:-MAILER-DAEMON}" -d "$USER"'),
    ("binm3", '|preline -f /bin/mail -f "${SENDER:-MAILER-DAEMON}" -d "$USER"'),
])
def check_boot_script(name, delivery):
    """Runs it with a qmail-start of ours in its place."""
    real = HOME + "/bin/qmail-start"
    os.rename(real, real + ".away")
    try:
        put(real, '#!/bin/sh\nprintf "%s\\n" "$@" "PATH=$PATH"; env\n', 0o755)
        r = run(f"{HOME}/boot/{name}", who=ROOT, env={"SECRET": "x"})
    finally:
        os.rename(real + ".away", real)
    is_(r.code, 0)
    assert r.out.decode().startswith(f"{delivery}\nsplogger\nqmail\nPATH={HOME}/bin:"), r
    assert b"SECRET" not in r.out


# ---- options --------------------------------------------------------------------------

@cases([("preline", "-x"), ("qmail-local", "-x"), ("tcp-env", "-x"), ("dot-forward", "-x"), ("fastforward", "-x"),
        ("qmail-pw2u", "-x"), ("qmail-inject", "-x"), ("sendmail", "-k")])
def check_illegal_option(program, option):
    r = run(program, option)
    is_(r.code, 100)
    is_(r.err.decode().split("\n")[0], f"{program}: illegal option -- {option[1]}")


@cases([("tcp-env", "-t"), ("qmail-pw2u", "-c"), ("qmail-inject", "-f"), ("sendmail", "-F")])
def check_missing_argument(program, option):
    r = run(program, option)
    is_(r.code, 100)
    is_(r.err.decode().split("\n")[0], f"{program}: option requires an argument -- {option[1]}")


# ---- qmail-showctl --------------------------------------------------------------------

HEAD = """qmail home directory: /var/qmail.
user-ext delimiter: -.
paternalism (in decimal): 2.
silent concurrency limit: 120.
subdirectory split: 23.
user ids: 7790, 7791, 7792, 0, 7793, 7794, 7795, 7796.
group ids: 2108, 2107.
"""

ORDER = ("badmailfrom bouncefrom bouncehost concurrencylocal concurrencyremote databytes defaultdomain defaulthost "
         "doublebouncehost doublebounceto envnoathost helohost idhost localiphost locals me percenthack plusdomain "
         "qmqpservers queuelifetime rcpthosts morercpthosts morercpthosts.cdb smtpgreeting smtproutes timeoutconnect "
         "timeoutremote timeoutsmtpd virtualdomains").split()

NOTHING = """badmailfrom: (Default.) Any MAIL FROM is allowed.
bouncefrom: (Default.) Bounce user name is MAILER-DAEMON.
bouncehost: (Default.) Bounce host name is bouncehost.
concurrencylocal: (Default.) Local concurrency is 10.
concurrencyremote: (Default.) Remote concurrency is 20.
databytes: (Default.) SMTP DATA limit is 0 bytes.
defaultdomain: (Default.) Default domain name is defaultdomain.
defaulthost: (Default.) Default host name is defaulthost.
doublebouncehost: (Default.) 2B recipient host: doublebouncehost.
doublebounceto: (Default.) 2B recipient user: postmaster.
envnoathost: (Default.) Presumed domain name is envnoathost.
helohost: (Default.) SMTP client HELO host name is helohost.
idhost: (Default.) Message-ID host name is idhost.
localiphost: (Default.) Local IP address becomes localiphost.
locals: (Default.) Messages for me are delivered locally.
me: (Default.) My name is undefined! Uh-oh.
percenthack: (Default.) The percent hack is not allowed.
plusdomain: (Default.) Plus domain name is plusdomain.
qmqpservers: (Default.) No QMQP servers.
queuelifetime: (Default.) Message lifetime in the queue is 604800 seconds.
rcpthosts: (Default.) SMTP clients may send messages to any recipient.
morercpthosts: (Default.) No rcpthosts; morercpthosts is irrelevant.
morercpthosts.cdb: (Default.) No effect.
smtpgreeting: (Default.) SMTP greeting: 220 smtpgreeting.
smtproutes: (Default.) No artificial SMTP routes.
timeoutconnect: (Default.) SMTP client connection timeout is 60 seconds.
timeoutremote: (Default.) SMTP client data timeout is 1200 seconds.
timeoutsmtpd: (Default.) SMTP server data timeout is 1200 seconds.
virtualdomains: (Default.) No virtual domains.
"""


def showctl(**files):
    """({file: text after its name}, names in order)"""
    with control(**files):
        r = run("qmail-showctl", who=ANN)
    is_((r.code, r.err), (0, b""))
    text = r.out.decode()
    assert text.startswith(HEAD), text
    parts = [p.split(": ", 1) for p in text[len(HEAD):].removeprefix("\n").removesuffix("\n").split("\n\n")]
    return dict(parts), [p[0] for p in parts]


def check_showctl_nothing():
    found, order = showctl(me=None, locals=None, rcpthosts=None)
    is_(order, ORDER)
    for line in NOTHING.splitlines():
        name, text = line.split(": ", 1)
        if name == "rcpthosts":
            # More is said: this is no open relay.
            is_(found[name].split("\n")[0], text)
            assert "locals" in found[name]
        else:
            is_(found[name], text)


@cases([
    ("badmailfrom", "a@b\n#c\n@d\n", "\na@b not accepted in MAIL FROM.\n@d not accepted in MAIL FROM."),
    ("badmailfrom", "", ""),
    ("bouncefrom", "x \n", "Bounce user name is x."), ("bouncehost", "x", "Bounce host name is x."),
    ("bouncehost", "", "Bounce host name is ."),
    ("concurrencylocal", "7 x\n", "Local concurrency is 7."), ("concurrencyremote", "255\n", "Remote concurrency is 255."),
    ("concurrencyremote", "x\n", "(Default.) Remote concurrency is 20."),
    ("databytes", "1000\n", "SMTP DATA limit is 1000 bytes."), ("defaultdomain", "x\n", "Default domain name is x."),
    ("defaulthost", "x\n", "Default host name is x."), ("doublebouncehost", "x\n", "2B recipient host: x."),
    ("doublebounceto", "x\n", "2B recipient user: x."), ("envnoathost", "x\n", "Presumed domain name is x."),
    ("helohost", "x\n", "SMTP client HELO host name is x."), ("idhost", "x\n", "Message-ID host name is x."),
    ("localiphost", "x\n", "Local IP address becomes x."),
    ("locals", "x\ny\n", "\nMessages for x are delivered locally.\nMessages for y are delivered locally."),
    ("locals", "", ""), ("me", "x\n", "My name is x."),
    ("percenthack", "x\n", "\nThe percent hack is allowed for user%host@x."), ("plusdomain", "x\n", "Plus domain name is x."),
    ("qmqpservers", "1.2.3.4\n", "\nQMQP server: 1.2.3.4."),
    ("queuelifetime", "5\n", "Message lifetime in the queue is 5 seconds."),
    ("rcpthosts", "x\n.y\n", "\nSMTP clients may send messages to recipients at x.\n"
     "SMTP clients may send messages to recipients at .y."), ("rcpthosts", "", ""),
    ("morercpthosts", "x\n", "\nSMTP clients may send messages to recipients at x."),
    ("smtpgreeting", "x y\n", "SMTP greeting: 220 x y."), ("smtpgreeting", "x\xe4\n", "SMTP greeting: 220 x??."),
    ("smtproutes", "x:y\n:z:26\n", "\nSMTP route: x:y\nSMTP route: :z:26"),
    ("timeoutconnect", "5\n", "SMTP client connection timeout is 5 seconds."),
    ("timeoutremote", "5\n", "SMTP client data timeout is 5 seconds."),
    ("timeoutsmtpd", "5\n", "SMTP server data timeout is 5 seconds."),
    ("virtualdomains", "x:y\nz:\n", "\nVirtual domain: x:y\nVirtual domain: z:"),
    ("nonsense", "x\n", "I have no idea what this file does."),
    ("badhelo", "", "I have no idea what this file does. (It is read by the badhelo or qregex patch; here: a program before "
     "qmail-smtpd, or one named by $QMAILQUEUE, can do it.)"),
])
def check_showctl(name, text, wanted):
    found, _ = showctl(**{name: text})
    is_(found[name].rstrip("\n") if not wanted else found[name], wanted)


def check_showctl_irrelevant_hosts():
    found, _ = showctl(rcpthosts=None, morercpthosts="x\n")
    is_(found["morercpthosts"], "\nNo rcpthosts; doesn't matter that morercpthosts has x.")


@cases([
    ("both", 10, 20, "Modified recently enough; hopefully up to date."), ("older", 20, 10, "Oops! "),
    ("no-text", None, 20, "Oops! "), ("no-database", 20, None, "Oops! "), ("none", None, None, "(Default.) No effect."),
])
def check_showctl_database(name, text, database, wanted):
    with control(morercpthosts=None, morercpthosts__cdb=None):
        for file, age in (("morercpthosts", text), ("morercpthosts.cdb", database)):
            if age:
                os.utime(put(f"{HOME}/control/{file}", ""), (1000 + age, 1000 + age))
        found, _ = showctl()
    assert found["morercpthosts.cdb"].startswith(wanted), found["morercpthosts.cdb"]


def check_showctl_trouble():
    with control(bouncehost="x"):
        os.chmod(HOME + "/control/bouncehost", 0)
        r = run("qmail-showctl", who=ANN)
    is_(r.code, 111)
    assert r.out.decode().split("\n\n")[-1].startswith("bouncehost: Oops! "), r


# ---- the queue ------------------------------------------------------------------------------

def check_queue_reports():
    """A message that waits: as qmail-qread, qmail-qstat and mailq show it."""
    before = run("qmail-qstat", who=ROOT).out
    count = int(re.fullmatch(rb"messages in queue: (\d+)\nmessages in queue but not yet preprocessed: 0\n",
                             before).group(1))
    put(f"{lab.LAB}/ann/.qmail-later", "|exit 111\n")
    os.chown(f"{lab.LAB}/ann/.qmail-later", *ANN)
    at = len(lab.mail.log())
    r = run("qmail-inject", "-f", "s s@x.test", "ann-later@lab.test", "bob@lab.test", data="Subject: x\n\nx\n")
    is_(r.code, 0)
    assert lab.until(lambda: ": deferral: " in lab.mail.log()[at:] and ": success: " in lab.mail.log()[at:])
    number, size = re.search(r"info msg (\d+): bytes (\d+) ", lab.mail.log()[at:]).groups()
    text = lab.until(lambda: (t := run("qmail-qread", who=ROOT).out.decode()) and "  done" in t and t)
    match = re.search(r"^(\d+ \w+ \d{4} \d\d:\d\d:\d\d) GMT  #%s  %s  <s_s@x\.test> \n\tlocal\tann-later@lab\.test\n"
                      r"  done\tlocal\tbob@lab\.test\n" % (number, size), text, re.M)
    assert match, text
    stamp = time.strptime(match.group(1), "%d %b %Y %H:%M:%S")
    assert abs(time.mktime(time.gmtime()) - time.mktime(stamp)) < 10
    is_(run("qmail-qstat", who=ROOT).out.split(b"\n")[0], b"messages in queue: %d" % (count + 1))


def check_bouncing():
    put(f"{lab.LAB}/bob/.qmail-later", "|exit 111\n")
    os.chown(f"{lab.LAB}/bob/.qmail-later", 2002, 2002)
    at = len(lab.mail.log())
    is_(run("qmail-inject", "-f", "b@x.test", "bob-later@lab.test", "nobody-here@lab.test", data="x\n").code, 0)
    assert lab.until(lambda: ": deferral: " in lab.mail.log()[at:] and ": failure: " in lab.mail.log()[at:])
    assert lab.until(lambda: b"<b@x.test>  bouncing\n\tlocal\tbob-later@lab.test\n  done\tlocal\tnobody-here@lab.test\n"
                     in run("qmail-qread", who=ROOT).out), run("qmail-qread", who=ROOT)


@cases([("qmail-qread", "out"), ("qmail-qstat", "err")])
def check_only_root_sees_the_queue(program, where):
    r = run(program, who=ANN)
    is_(r.code, 111)
    assert b"fatal: " in getattr(r, where), r


# ---- splogger ---------------------------------------------------------------------------------

def syslog(text, *arguments):
    """The datagrams that /dev/log gets."""
    path = "/dev/log"
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], check=True)
    entries = []
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind("/dev/shm/log")
            s.settimeout(0.2)
            made = not os.path.lexists(path)
            if made:
                os.symlink("/dev/shm/log", path)
            else:
                subprocess.run(["mount", "--bind", "/dev/shm/log", os.path.realpath(path)], check=True)
            try:
                r = run("splogger", *arguments, who=ROOT, data=text)
                is_((r.code, r.out, r.err), (0, b"", b""))
                while True:
                    entries.append(s.recv(65536).decode("latin-1"))
            except TimeoutError:
                pass
            finally:
                if made:
                    os.unlink(path)
                else:
                    subprocess.run(["umount", os.path.realpath(path)], check=True)
    finally:
        subprocess.run(["umount", "/dev/shm"], check=True)
    return [re.fullmatch(r"<(\d+)>(?:\w{3} [ \d]\d \d\d:\d\d:\d\d )?(.*?): (\d{10}\.\d{6})([ +])(.*)", e, re.S).groups()
            for e in entries]


@cases([
    ("plain", "one\ntwo\n", [], [("22", "splogger", " ", "one"), ("22", "splogger", " ", "two")]),
    ("tag", "one\n", ["qmail"], [("22", "qmail", " ", "one")]),
    ("facility", "one\n", ["qmail", "3"], [("30", "qmail", " ", "one")]),
    ("priorities", "warning: x\nalert: y\n", ["q"], [("20", "q", " ", "warning: x"), ("17", "q", " ", "alert: y")]),
    ("empty-lines", "\n\none\n\n", ["q"], [("22", "q", " ", "one")]),
    ("unended", "one", ["q"], [("22", "q", " ", "one")]),
    ("unprintable", "a\tb\x01\n", ["q"], [("22", "q", " ", "a?b?")]),
    ("799", 799 * "x" + "\n", ["q"], [("22", "q", " ", 799 * "x")]),
    ("long", 1000 * "x" + "\n", ["q"], [("22", "q", " ", 799 * "x"), ("22", "q", "+", 201 * "x")]),
])
def check_splogger(name, text, arguments, wanted):
    entries = syslog(text, *arguments)
    is_([(e[0], e[1], e[3], e[4]) for e in entries], wanted)
    assert all(abs(float(e[2]) - time.time()) < 10 for e in entries)


def check_splogger_without_syslog():
    if not os.path.exists("/dev/log"):
        is_(run("splogger", data="x\n").code, 0)

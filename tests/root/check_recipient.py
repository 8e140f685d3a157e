"""Checks of control/rcptcheck with separate accounts (see labrun.py)."""
import os
import subprocess

from labrun import HOME, UIDS, equal, lab, wait

CHECKS = []
ABSENT = "550 sorry, no mailbox here by that name. (#5.1.1)"
OK = "250 ok"


def check(f):
    CHECKS.append(f)
    return f


def rcpt(*recipients, uid=7791, gid=2108, environment=None):
    """The replies of a single session, as under tcpserver -u qmaild -g nofiles."""
    lines = ["HELO x", "MAIL FROM:<>", *(f"RCPT TO:<{r}>" for r in recipients), "QUIT", ""]
    r = subprocess.run([HOME + "/bin/qmail-smtpd"], input="\r\n".join(lines).encode(), capture_output=True, user=uid,
                       group=gid, extra_groups=[], env={**lab.CLEAN, **(environment or {})}, cwd="/", timeout=60,
                       check=False)
    return r.stdout.decode().split("\r\n")[3:3 + len(recipients)]


@check
def off_until_asked_for(m):
    equal(rcpt("nobody@lab.test"), [OK])
    m.control("rcptcheck", "0\n")
    equal(rcpt("nobody@lab.test"), [OK])
    m.control("rcptcheck", "1\n")
    equal(rcpt("nobody@lab.test"), [ABSENT])


@check
def accounts_and_their_files(m):
    m.dot("ann", "-list", "&bob@lab.test\n")
    m.dot("bob", "-default", "./Maildir/\n")
    m.dot("bob", "-prog-default", "|exit 100\n")
    m.dot("alias", "-info", "&ann@lab.test\n")
    m.dot("alias", "-team-default", "&ann@lab.test\n")
    equal(rcpt("ann@lab.test", "ANN-List@lab.test", "ann-other@lab.test", "bob-any-thing@lab.test", "bob-prog-x@lab.test",
               "info@lab.test", "Team-x@lab.test", "teams@lab.test", "joe-work@lab.test", "joe-work-x@lab.test", "root@lab.test"),
          [OK, OK, ABSENT, OK, OK, OK, OK, ABSENT, OK, ABSENT, ABSENT])


@check
def homes_in_every_state(m):
    """Absent and foreign homes are no accounts; where a delivery is deferred the recipient is accepted."""
    m.dot("sticky", "-x", "")
    equal(rcpt("gone@lab.test", "foreign@lab.test", "open@lab.test", "open-x@lab.test", "sticky@lab.test", "sticky-x@lab.test"),
          [ABSENT, ABSENT, OK, OK, OK, OK])


@check
def closed_homes_are_seen_with_their_owners_eyes(m):
    home = m.home("cyd")
    m.dot("cyd", "-in", "")
    os.chmod(home, 0o700)
    equal(rcpt("cyd-in@lab.test", "cyd-out@lab.test"), [OK, ABSENT])


@check
def links_are_followed_with_their_owners_rights(m):
    """Where joe may not look it makes no difference what is there."""
    m.put("/var/qmail/secret-file", "./Maildir/\n", 0o600)
    os.mkdir(m.dir + "/closed", 0o700)
    m.put(m.dir + "/closed/there", "./Maildir/\n")
    for ext, target in (("s1", "/var/qmail/secret-file"), ("s2", m.dir + "/closed/there"), ("s3", m.dir + "/closed/missing"),
                        ("s4", m.home("ann") + "/.qmail-list"), ("s5", m.home("ann") + "/.qmail-missing")):
        os.symlink(target, f"{m.home('joe')}/.qmail-{ext}")
        os.lchown(f"{m.home('joe')}/.qmail-{ext}", UIDS["joe"], UIDS["joe"])
    equal(rcpt(*(f"joe-s{i}@lab.test" for i in range(1, 6))), [OK] * 5)


@check
def only_qmaild_and_root_may_ask(m):
    st = os.stat(HOME + "/run/recipient")
    equal((st.st_uid, oct(st.st_mode & 0o777)), (7791, "0o600"))
    equal(rcpt("nobody@lab.test", uid=0, gid=0), [ABSENT])
    # Others cannot find out, and refuse nobody.
    equal(rcpt("nobody@lab.test", uid=2001, gid=2001), [OK])


@check
def relay_clients_too(m):
    equal(rcpt("nobody@lab.test", "ann@lab.test", "x@far.test", environment={"RELAYCLIENT": ""}), [ABSENT, OK, OK])


@check
def users_database_counts_first(m):
    m.put(HOME + "/users/assign", f"=boss:ann:2001:2001:{m.home('ann')}:-:list:\n+no-:ann:2001:2001:{m.home('ann')}:-:none-:\n"
          "=rooty:root:0:0:/root:::\n.\n")
    subprocess.run([HOME + "/bin/qmail-newu"], check=True, env=lab.CLEAN, cwd="/", timeout=20)
    try:
        equal(rcpt("boss@lab.test", "no-x@lab.test", "rooty@lab.test", "bob@lab.test"), [OK, ABSENT, OK, OK])
    finally:
        os.unlink(HOME + "/users/assign")
        os.unlink(HOME + "/users/cdb")


@check
def nothing_was_delivered_or_left_behind(m):
    wait(lambda: not [p for p in os.listdir("/proc") if p.isdigit() and state(p) == "Z"], 5)
    m.control("rcptcheck", None)
    equal(rcpt("nobody@lab.test"), [OK])
    equal([m.inbox(u) for u in ("ann", "bob", "joe")], [[], [], []])


def state(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return "?"

"""Runs inside private mount, process and network namespaces, as root.

Makes a machine in miniature: /etc/passwd and /etc/group with the historical
accounts and two ordinary users, an installed tree in /var/qmail, `qmail-start
./Maildir/` and tcpserver with qmail-smtpd. Takes away what is named on the
command line (resolv.conf, proc, syslog), sends mail, and prints one line
`ok NAME` or `not ok NAME: why` for each check.

  lab.py LAB BINDIR CHECKOUT [without=resolv,proc,syslog] [listener=own|units|debian]

With listener=units everything has only the capabilities that packaging/systemd gives it.

LAB is an empty directory for everything that is not in /var/qmail.
"""
import fcntl
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import stat
import struct
import subprocess
import sys
import time

PORT = 2525
HOME = "/var/qmail"
ACCOUNTS = (("alias", 7790, 2108, HOME + "/alias"), ("qmaild", 7791, 2108, HOME), ("qmaill", 7792, 2108, HOME),
            ("qmailp", 7793, 2108, HOME), ("qmailq", 7794, 2107, HOME), ("qmailr", 7795, 2107, HOME),
            ("qmails", 7796, 2107, HOME))
USERS = (("ann", 2001), ("bob", 2002))
HERE = os.path.dirname(os.path.abspath(__file__))
LAB = sys.argv[1]
sys.path.insert(0, os.path.dirname(HERE))


def mount(*arguments):
    subprocess.run(("mount",) + arguments, check=True)


def bind_text(path, text):
    """Shows text at path, in this namespace only."""
    source = f"{LAB}/{path.replace('/', '_')}"
    with open(source, "w") as f:
        f.write(text)
    os.chmod(source, 0o644)
    mount("--bind", source, path)


def make_machine(binaries, checkout):
    with open("/etc/passwd") as f:
        passwd = "".join(line for line in f if line.split(":")[0] not in {a[0] for a in ACCOUNTS + USERS})
    with open("/etc/group") as f:
        group = "".join(line for line in f if line.split(":")[0] not in ("qmail", "nofiles", "ann", "bob"))
    passwd += "".join(f"{n}:x:{u}:{g}::{h}:/bin/true\n" for n, u, g, h in ACCOUNTS)
    passwd += "".join(f"{n}:x:{u}:{u}::{LAB}/{n}:/bin/sh\n" for n, u in USERS)
    group += "qmail:x:2107:\nnofiles:x:2108:\n" + "".join(f"{n}:x:{u}:\n" for n, u in USERS)
    bind_text("/etc/passwd", passwd)
    bind_text("/etc/group", group)
    for name, uid in USERS:
        home = f"{LAB}/{name}"
        for d in ("", "/Maildir", "/Maildir/tmp", "/Maildir/new", "/Maildir/cur"):
            os.mkdir(home + d, 0o700)
            os.chown(home + d, uid, uid)
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", HOME)
    subprocess.run([checkout + "/mk/install.sh", binaries], check=True, cwd=checkout, stdout=subprocess.DEVNULL,
                   env={**os.environ, "DESTDIR": "", "HOME_DIR": HOME})
    for name, text in (("me", "mail.lab.test"), ("locals", "lab.test\nmail.lab.test"), ("rcpthosts", "lab.test")):
        with open(f"{HOME}/control/{name}", "w") as f:
            f.write(text + "\n")
    loopback_up()


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up, running


def take_away(what):
    if "resolv" in what and os.path.exists("/etc/resolv.conf"):
        mount("--bind", "/dev/null", os.path.realpath("/etc/resolv.conf"))
    if "syslog" in what and os.path.exists("/dev/log"):
        mount("-t", "tmpfs", "tmpfs", "/run")  # where the socket behind /dev/log is


def hide_proc():
    mount("-t", "tmpfs", "tmpfs", "/proc")


CLEAN = {"PATH": HOME + "/bin:/usr/bin:/bin"}


def bounded(listener, unit, command):
    """The command with the capabilities of a systemd unit, if the units are wanted."""
    if listener != "units":
        return command
    with open(f"{sys.argv[3]}/packaging/systemd/{unit}.service") as f:
        allowed = re.search("^CapabilityBoundingSet=(.*)$", f.read(), re.M).group(1).lower().split()
    return ["setpriv", "--bounding-set", ",".join(["-all", *(c.replace("cap_", "+") for c in allowed)]), *command]


class Mail:
    def __init__(self, listener):
        self.log_path = LAB + "/log"
        log = open(self.log_path, "ab")
        self.send = subprocess.Popen(bounded(listener, "quillmail", [HOME + "/bin/qmail-start", "./Maildir/"]), env=CLEAN, cwd="/", stdout=log,
                                     stderr=log, stdin=subprocess.DEVNULL)
        qmaild, nofiles = 7791, 2108
        if listener in ("own", "units"):
            command = [HOME + "/bin/qmail-smtpd", "-d"]
            if listener == "own":
                command = ["setpriv", "--reuid", str(qmaild), "--regid", str(nofiles), "--clear-groups", *command]
            command = bounded(listener, "quillmail-smtpd", command)
            with open(HOME + "/control/smtplisten", "w") as f:
                f.write(f"127.0.0.1:{PORT}\n")
        else:
            server = "/usr/bin/tcpserver" if listener == "debian" else HOME + "/bin/tcpserver"
            command = [server, "-RHl", "0", "-u", str(qmaild), "-g", str(nofiles), "127.0.0.1", str(PORT),
                       HOME + "/bin/qmail-smtpd"]
        self.smtpd = subprocess.Popen(command, env=CLEAN, cwd="/", stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self):
        self.smtpd.terminate()
        self.send.terminate()
        return self.send.wait(20)


def until(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    return None


def inbox(user):
    directory = f"{LAB}/{user}/Maildir/new"
    return sorted(os.path.join(directory, n) for n in os.listdir(directory))


def by_smtp(recipient, text):
    def attempt():
        try:
            with smtplib.SMTP("127.0.0.1", PORT, local_hostname="client.test", timeout=20) as c:
                c.sendmail("s@client.test", [recipient], f"Subject: {text}\r\n\r\nbody\r\n")
            return True
        except (ConnectionRefusedError, ConnectionResetError, smtplib.SMTPServerDisconnected):
            return False
    assert until(attempt), "SMTP service does not take mail"


def delivered(user, text):
    def look():
        for path in inbox(user):
            with open(path) as f:
                content = f.read()
            if f"Subject: {text}\n" in content:
                return path, content
        return None
    found = until(look)
    assert found, f"{text} did not reach {user}"
    return found


# ---- checks ------------------------------------------------------------------------

def check_smtp_to_user(mail):
    by_smtp("ann@lab.test", "one")
    path, content = delivered("ann", "one")
    assert os.stat(path).st_uid == 2001, "the file belongs to the user"
    assert "invoked from network" in content, content


def check_local_injection(mail):
    subprocess.run([HOME + "/bin/qmail-inject", "bob@lab.test"], input=b"Subject: two\n\nx\n", check=True, env=CLEAN,
                   user=2001, group=2001, extra_groups=[])
    _, content = delivered("bob", "two")
    assert "invoked by uid 2001" in content, content


def check_programs_run_as_the_user(mail):
    with open(LAB + "/ann/.qmail-prog", "w") as f:
        f.write("|id >who\n")
    os.chown(LAB + "/ann/.qmail-prog", 2001, 2001)
    by_smtp("ann-prog@lab.test", "three")
    assert until(lambda: os.path.exists(LAB + "/ann/who") and os.stat(LAB + "/ann/who").st_size), mail.log()[-800:]
    with open(LAB + "/ann/who") as f:
        who = f.read()
    assert re.match(r"uid=2001\S* gid=2001\S*( groups=2001\S*)?$", who.strip()), who


def check_alias(mail):
    with open(HOME + "/alias/.qmail-root", "w") as f:
        f.write("&bob@lab.test\n")
    by_smtp("root@lab.test", "four")
    delivered("bob", "four")


def check_bounce(mail):
    subprocess.run([HOME + "/bin/sendmail", "-fann@lab.test", "nobody-here@lab.test"], input=b"Subject: five\n\nx\n",
                   check=True, env=CLEAN, user=2001, group=2001, extra_groups=[])
    _, content = delivered("ann", "failure notice")
    assert "no mailbox here by that name" in content


def check_remote(mail):
    from quilltest import Sink
    with Sink() as sink:
        with open(HOME + "/control/smtproutes", "w") as f:
            f.write(f":127.0.0.1:{sink.port}\n")
        mail.send.send_signal(signal.SIGHUP)
        subprocess.run([HOME + "/bin/sendmail", "-t"], input=b"To: x@far.test\nSubject: six\n\nx\n", check=True,
                       env=CLEAN, user=2001, group=2001, extra_groups=[])
        assert until(lambda: sink.messages), mail.log()[-1500:]


def check_remote_without_dns(mail):
    """No name server answers: a temporary failure, not a lost or bounced message."""
    os.unlink(HOME + "/control/smtproutes")
    subprocess.run([HOME + "/bin/sendmail", "-t"], input=b"To: x@nowhere.invalid\nSubject: seven\n\nx\n", check=True,
                   env=CLEAN, user=2001, group=2001, extra_groups=[])
    assert until(lambda: re.search(r"remote x@nowhere\.invalid\n(.*\n)*?delivery \d+: (deferral|failure)", mail.log()),
                 60), mail.log()[-1500:]


def check_owners(mail):
    """The queue is closed to everybody but its owner; nothing is set-id; nothing in bin is writable."""
    queue = os.stat(HOME + "/queue")
    assert queue.st_uid == 7794 and stat.S_IMODE(queue.st_mode) & 0o077 == 0, oct(queue.st_mode)
    for directory, _, files in os.walk(HOME + "/bin"):
        for name in files:
            mode = os.lstat(os.path.join(directory, name)).st_mode
            assert not mode & (stat.S_ISUID | stat.S_ISGID), name
            assert stat.S_ISLNK(mode) or not mode & 0o022, name


EXPECTED = {"qmail-journal": 7794, "qmail-send": 7796, "qmail-lspawn": 0, "qmail-rspawn": 7795, "qmail-resolve": 7793}


def check_users_of_processes(mail):
    if not os.path.exists("/proc/self"):
        return
    wrong, seen = [], set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as f:
                name = f.read().strip()
            with open(f"/proc/{pid}/status") as f:
                uids = [int(u) for u in re.search(r"^Uid:\s+(.*)$", f.read(), re.M).group(1).split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name in EXPECTED:
            if uids[0] == EXPECTED[name]:
                seen.add(name)
            # Deliveries are children of qmail-lspawn that have become their users.
            if name == "qmail-lspawn" and set(uids) in [{uid} for _, uid in USERS]:
                continue
            if set(uids) != {EXPECTED[name]}:
                wrong.append(f"{name} runs as {uids}")
    assert not wrong, wrong
    assert seen == set(EXPECTED), f"missing: {set(EXPECTED) - seen}"


def confined_build():
    """Builds for the sanitizers and for coverage have no sandbox."""
    with open(HOME + "/bin/qmail-journal", "rb") as f:
        data = f.read()
    return b"__asan_init" not in data and b"__gcov_" not in data


def check_processes_are_confined(mail):
    """docs/RIGHTS.md, with the accounts apart."""
    if not os.path.exists("/proc/self") or not confined_build():
        return
    confined = {"qmail-journal", "qmail-send", "qmail-rspawn", "qmail-resolve"}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/status") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if status["Name"] in confined:
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), status["Name"]
            assert int(status["CapEff"], 16) == 0, status["Name"]
            confined.remove(status["Name"])
    assert not confined, f"not found: {confined}"


def check_users_may_run_set_id_programs(mail):
    """Local deliveries are confined by their user's rights only."""
    shutil.copy(shutil.which("id"), LAB + "/id")
    os.chown(LAB + "/id", 2002, 2002)
    os.chmod(LAB + "/id", 0o4755)
    with open(LAB + "/ann/.qmail-setid", "w") as f:
        f.write(f"|{LAB}/id -u >setid\n")
    os.chown(LAB + "/ann/.qmail-setid", 2001, 2001)
    by_smtp("ann-setid@lab.test", "eight")
    path = LAB + "/ann/setid"
    assert until(lambda: os.path.exists(path) and os.stat(path).st_size), mail.log()[-800:]
    with open(path) as f:
        assert f.read() == "2002\n"


def check_stop(mail):
    assert mail.stop() == 0
    assert "status: exiting" in mail.log()


CHECKS = (check_smtp_to_user, check_local_injection, check_programs_run_as_the_user, check_alias, check_bounce,
          check_remote, check_remote_without_dns, check_owners, check_users_of_processes,
          check_processes_are_confined, check_users_may_run_set_id_programs, check_stop)


def main():
    binaries, checkout = sys.argv[2:4]
    settings = dict(a.split("=", 1) for a in sys.argv[4:])
    without = settings.get("without", "").split(",")
    make_machine(binaries, checkout)
    take_away(without)
    pwd.getpwnam("qmailq")
    if "proc" in without:
        hide_proc()
    mail = Mail(settings.get("listener", "tcpserver"))
    failed = 0
    for check in CHECKS:
        try:
            check(mail)
            print(f"ok {check.__name__}", flush=True)
        except Exception as e:  # one line for each check, whatever goes wrong in it
            failed += 1
            print(f"not ok {check.__name__}: {type(e).__name__}: {e}", flush=True)
    if failed:
        print("---- log ----\n" + mail.log()[-4000:])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

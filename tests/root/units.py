"""Runs inside private mount, process, network and control group namespaces, as root, as process 1.

Makes the machine in miniature of lab.py with the units of packaging/systemd, and becomes systemd. A child looks at what
that does with them, and prints one line `ok NAME` or `not ok NAME: why` for each check, and `done`.

  units.py CHECKOUT BINDIR
"""
import os
import poplib
import re
import smtplib
import ssl
import subprocess
import sys
import time

CHECKOUT, BINARIES = sys.argv[1:3]
SYSTEMD = "/lib/systemd/systemd"
UNITS = "/usr/lib/systemd/system"
PLACE = "/mnt"
# What units of a whole machine stand on.
TARGETS = ("sysinit.target", "basic.target", "shutdown.target", "network-online.target", "nss-lookup.target",
           "nss-user-lookup.target", "multi-user.target", "umount.target")
SERVICES = ("quillmail", "quillmail-smtpd", "quillmail-pop3d")


def mount(*arguments):
    subprocess.run(("mount",) + arguments, check=True)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


mount("--make-rprivate", "/")
mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", PLACE)
sys.argv[1] = PLACE
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402  pylint: disable=wrong-import-position
sys.path.insert(0, f"{CHECKOUT}/tests")
from quilltest.certificate import Authority  # noqa: E402  pylint: disable=wrong-import-position


def make_machine():
    lab.make_machine(BINARIES, CHECKOUT)
    lab.bind_text("/etc/shadow", "ann:$1$rasmusle$rISCgZzpwk3UhDidwXvin0:19000:0:99999:7:::\n")
    for path in ("/run", UNITS, "/etc/systemd"):
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
    mount("-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
    subprocess.run(["mk/install-systemd.sh", "/etc"], cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "DESTDIR": "", "HOME_DIR": lab.HOME})
    # Not before: the checkout may be there.
    os.chdir("/")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/tmp")
    # Nothing is made in the root of the real machine.
    with open("/etc/systemd/system/quillmail-svscan.service", encoding="ascii") as f:
        text = f.read().replace(" /service", f" {PLACE}/service").replace("=/service", f"={PLACE}/service")
    write("/etc/systemd/system/quillmail-svscan.service", text)
    for target in TARGETS:
        write(f"{UNITS}/{target}", "[Unit]\nDefaultDependencies=no\n")
    for service in (*SERVICES, "quillmail-svscan"):
        write(f"/etc/systemd/system/{service}.service.d/test.conf",
              f"[Service]\nRestartSec=100ms\nStandardOutput=append:/run/{service}.log\nStandardError=inherit\n")
    write("/etc/systemd/system/test.target", "[Unit]\nDefaultDependencies=no\nWants=" +
          " ".join(f"{s}.service" for s in SERVICES) + "\n")
    authority = Authority()
    with open(authority.issue("mail.lab.test"), encoding="ascii") as f:
        write(lab.HOME + "/control/servercert.pem", f.read())
    write(lab.HOME + "/control/defaultdelivery", "./Maildir/\n")
    return authority


# ---- checks ------------------------------------------------------------------------

def systemctl(*arguments, check=True):
    return subprocess.run(["systemctl", "--no-pager", *arguments], check=check, capture_output=True, text=True,
                          timeout=60).stdout.strip()


def until(condition, what):
    found = lab.until(condition, 60)
    assert found, what() if callable(what) else what
    return found


def active(*services):
    return all(systemctl("is-active", s, check=False) == "active" for s in services)


def main_pid(service):
    return int(systemctl("show", "-P", "MainPID", service))


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)


def processes():
    """The names of all programs of ours that run."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            path = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            continue
        if path.startswith(lab.HOME):
            found.append(os.path.basename(path))
    return sorted(found)


def send(recipient, subject):
    def attempt():
        try:
            with smtplib.SMTP("127.0.0.1", 25, local_hostname="c.test", timeout=20) as c:
                c.sendmail("s@c.test", [recipient], f"Subject: {subject}\r\n\r\nx\r\n")
            return True
        except (OSError, smtplib.SMTPServerDisconnected):
            return False
    until(attempt, "SMTP does not answer")
    until(lambda: lab.delivered("ann", subject), f"{subject} does not arrive")


def check_start(_):
    """All come up by themselves, with what their units say."""
    until(lambda: active(*SERVICES), lambda: systemctl("status", *SERVICES, check=False))
    send("ann@lab.test", "first")


def check_rights(_):
    smtpd, pop3d = (status_of(main_pid(s)) for s in ("quillmail-smtpd", "quillmail-pop3d"))
    assert smtpd["Uid"].split()[0] == "7791" and smtpd["NoNewPrivs"] == "1", smtpd
    assert pop3d["Uid"].split()[0] == "0" and pop3d["NoNewPrivs"] == "1", pop3d
    for s in SERVICES:
        status = status_of(main_pid(s))
        assert int(status["CapBnd"], 16) < (1 << 11), (s, status["CapBnd"])
        assert status["Seccomp"] == "2", (s, status["Seccomp"])
    shown = subprocess.run(["ls", "-di", "/tmp", f"/proc/{main_pid('quillmail-pop3d')}/root/tmp"], check=True,
                           capture_output=True, text=True).stdout.split()
    assert shown[0] != shown[2], "no /tmp of its own"


def check_pop3(authority):
    context = ssl.create_default_context(cadata=authority.pem)

    def messages():
        c = poplib.POP3("127.0.0.1", 110, timeout=30)
        c.host = "mail.lab.test"  # whose certificate it must be
        c.stls(context)
        c.user("ann")
        c.pass_("rasmuslerdorf")
        number = c.stat()[0]
        c.quit()
        return number
    # One that has come within this second is not shown yet.
    until(messages, "no message in the Maildir")


def check_reload(_):
    pid = main_pid("quillmail")
    with open(lab.HOME + "/control/locals", "a", encoding="ascii") as f:
        f.write("new.test\n")
    with open(lab.HOME + "/control/rcpthosts", "a", encoding="ascii") as f:
        f.write("new.test\n")
    systemctl("reload", "quillmail")
    send("ann@new.test", "second")
    assert main_pid("quillmail") == pid


def check_death(_):
    """What is killed comes back, all of it."""
    for service in SERVICES:
        pid = main_pid(service)
        os.kill(pid, 9)
        until(lambda s=service, p=pid: active(s) and main_pid(s) not in (0, p), f"{service} does not come back")
    send("ann@lab.test", "third")


def check_stop(_):
    systemctl("stop", *SERVICES)
    assert not processes(), processes()
    assert all(systemctl("show", "-P", "Result", s) == "success" for s in SERVICES)
    with open("/run/quillmail.log", encoding="utf-8") as f:
        log = f.read()
    assert re.search("^end msg [0-9]+$", log, re.M) and "exiting" in log, log[-2000:]


def check_svscan(_):
    """The services of older guides."""
    write(f"{PLACE}/service/one/run", "#!/bin/sh\nexec sleep 1000\n")
    os.chmod(f"{PLACE}/service/one/run", 0o755)
    systemctl("start", "quillmail-svscan")

    def says():
        return subprocess.run([lab.HOME + "/bin/svstat", f"{PLACE}/service/one"], capture_output=True, text=True, check=True).stdout
    until(lambda: ": up (pid " in says(), says)
    systemctl("stop", "quillmail-svscan")
    until(lambda: not processes(), processes)


def check_verify(_):
    units = [f"/etc/systemd/system/{s}.service" for s in (*SERVICES, "quillmail-svscan")]
    p = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60,
                       check=False)
    assert p.returncode == 0 and not p.stderr, p.stderr


CHECKS = (check_start, check_rights, check_pop3, check_reload, check_death, check_stop, check_svscan, check_verify)


def look(authority):
    until(lambda: subprocess.run(["systemctl", "is-system-running"], capture_output=True, text=True, timeout=60,
                                 check=False).stdout.strip() not in ("", "offline", "unknown"), "systemd does not come up")
    for check in CHECKS:
        try:
            check(authority)
            print(f"ok {check.__name__}", flush=True)
        except Exception as e:  # one line for each check, whatever goes wrong in it
            print(f"not ok {check.__name__}: {type(e).__name__}: {e}", flush=True)
            for service in SERVICES:
                if os.path.exists(f"/run/{service}.log"):
                    with open(f"/run/{service}.log", encoding="utf-8") as f:
                        print(f"---- {service} ----\n" + f.read()[-2000:], flush=True)
    print("done", flush=True)


if __name__ == "__main__":
    made = make_machine()
    if os.fork() == 0:
        time.sleep(0.1)
        look(made)
        os._exit(0)
    os.execve(SYSTEMD, [SYSTEMD, "--system", "--unit=test.target", "--log-target=null", "--show-status=no"],
              {"container": "quilltest", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})

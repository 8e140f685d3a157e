"""The Debian package in use, on a machine in miniature.

Runs as root inside private mount, process and network namespaces:

  package.py LAB LOWER

LAB has quillmail.deb and newer.deb; the machine is a view of LOWER (the root of a Debian, or / for this machine's own)
that can be written to. Prints a line of JSON for each step: {"name": …, "error": null or text}; each builds on those
before it, so the first error ends it.
"""
import json
import os
import re
import signal
import smtplib
import stat
import subprocess
import sys
import traceback

from labrun import wait
from quilltest import Sink

LAB, LOWER = sys.argv[1:3]
ROOT = LAB + "/view"
HOME = ROOT + "/var/qmail"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STEPS = []

MACHINE = r"""
set -e
mount --make-rprivate /
mkdir $LAB/over $ROOT
mount -t tmpfs -o mode=755 tmpfs $LAB/over
mkdir $LAB/over/upper $LAB/over/work
mount -t overlay -o "lowerdir=$LOWER,upperdir=$LAB/over/upper,workdir=$LAB/over/work" overlay $ROOT
mkdir -p $ROOT/packages
mount --bind $LAB $ROOT/packages
mount --rbind /dev $ROOT/dev
mount -t proc proc $ROOT/proc
mount -t tmpfs -o mode=1777 tmpfs $ROOT/tmp
mount -t tmpfs -o mode=755 tmpfs $ROOT/run
mkdir $ROOT/run/lock
for f in passwd shadow group gshadow; do
	grep -Ev '^(alias|qmail.|qmail|nofiles|ann):' $ROOT/etc/$f >$LAB/over/$f || true
	cat $LAB/over/$f >$ROOT/etc/$f
done
rm -rf $ROOT/var/qmail $ROOT/etc/qmail $ROOT/usr/sbin/sendmail $ROOT/usr/lib/sendmail $ROOT/usr/bin/mailq \
	$ROOT/usr/bin/newaliases
rm -f $ROOT/etc/.pwd.lock
ip link set lo up
"""


def step(f):
    STEPS.append(f)
    return f


def try_in(commands, typed=""):
    """In the machine, as root; with exit code."""
    with open(LAB + "/typed", "w+", encoding="utf-8") as out:
        p = subprocess.run(["chroot", ROOT, "sh", "-c", commands], check=False, input=typed, cwd="/", text=True,
                           env={"PATH": PATH, "HOME": "/root", "LANG": "C", "DEBIAN_FRONTEND": "noninteractive"},
                           stdout=out, stderr=subprocess.STDOUT, timeout=200)
        out.seek(0)
        return p.returncode, out.read()


def type_in(commands, typed=""):
    code, text = try_in(commands, typed)
    assert code == 0, f"{commands}\nexit code {code}\n{text[-3000:]}"
    return text


def dpkg(arguments):
    """Where the machine has a mail system of its own, that is not in the way here."""
    return type_in(f"dpkg --force-conflicts --no-triggers {arguments}")


def read(path):
    with open(ROOT + path, encoding="utf-8", errors="replace") as f:
        return f.read()


def write(path, text):
    with open(ROOT + path, "w", encoding="utf-8") as f:
        f.write(text)


def running():
    """The names of processes; those that nobody has waited for do not count."""
    names = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                _, name, state = re.match(r"(\d+) \((.*)\) (\w)", f.read()).groups()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            names[int(pid)] = name
    return names


def unit(name):
    """What systemd would start: PATH and the command."""
    text = read(f"/lib/systemd/system/{name}.service")
    command = re.search("^ExecStart=(.*)$", text, re.M).group(1).replace("$$", "$")
    return f"export {re.search('^Environment=(.*)$', text, re.M).group(1)}; cd /; {command} >/var/log/mail-{name} 2>&1 &"


def log(name="quillmail"):
    return read(f"/var/log/mail-{name}")


def start():
    type_in("rm -f /var/log/mail-*; touch /var/log/mail-quillmail;" + unit("quillmail") + unit("quillmail-smtpd"))
    assert wait(lambda: "status: local" in log()), log()


def stop():
    for pid, name in running().items():
        if name in ("qmail-send", "qmail-smtpd"):
            os.kill(pid, signal.SIGTERM)
    assert wait(lambda: not [n for n in running().values() if n.startswith("qmail-")]), running()


def inbox():
    directory = ROOT + "/home/ann/Maildir/new"
    return [read(f"/home/ann/Maildir/new/{n}") for n in os.listdir(directory)]


def wait_mail(subject):
    assert wait(lambda: [m for m in inbox() if f"\nSubject: {subject}\n" in m]), log()


def waiting():
    return [json.loads(line) for line in type_in("quill queue list --json").splitlines()]


def owner(path):
    s = os.lstat(ROOT + path)
    names = dict(line.split(":")[2::-2] for line in read("/etc/passwd").splitlines())
    groups = dict(line.split(":")[2::-2] for line in read("/etc/group").splitlines())
    return names[str(s.st_uid)], groups[str(s.st_gid)], oct(stat.S_IMODE(s.st_mode))


# ---- the steps -----------------------------------------------------------------------------

@step
def another_qmail_is_not_written_over():
    type_in("mkdir -p /var/qmail/bin; echo theirs >/var/qmail/bin/qmail-send")
    code, text = try_in("dpkg --force-conflicts -i /packages/quillmail.deb")
    assert code != 0 and "/var/qmail/bin is another qmail's" in text, text
    assert read("/var/qmail/bin/qmail-send") == "theirs\n"
    assert "qmailq" not in read("/etc/passwd")
    type_in("rm -r /var/qmail")


@step
def install():
    out = dpkg("-i /packages/quillmail.deb")
    assert "nothing runs before /var/qmail/bin/config-fast" in out, out
    users = {line.split(":")[0] for line in read("/etc/passwd").splitlines()}
    assert {"alias", "qmaild", "qmaill", "qmailn", "qmailp", "qmailq", "qmailr", "qmails"} <= users, users
    assert owner("/var/qmail/queue") == ("qmailq", "qmail", "0o700")
    assert owner("/var/qmail/alias") == ("alias", "qmail", "0o2755")
    assert owner("/etc/qmail") == ("root", "qmail", "0o755")
    found = type_in("readlink -f /usr/sbin/sendmail /usr/lib/sendmail /usr/bin/mailq /var/qmail/bin/sendmail")
    assert found == 4 * "/usr/lib/quillmail/bin/sendmail\n", found
    assert type_in("find /usr/lib/quillmail /var/qmail -xdev -type f -perm /6000") == ""
    assert type_in("dpkg-query -W -f '${Provides}' quillmail") == "mail-transport-agent"


@step
def nothing_runs_before_it_is_configured():
    assert not os.path.exists(ROOT + "/etc/qmail/me")
    for name, enabled in (("", True), ("-smtpd", True), ("-pop3d", False), ("-svscan", False)):
        assert "ConditionPath" in read(f"/lib/systemd/system/quillmail{name}.service")
        link = f"{ROOT}/etc/systemd/system/multi-user.target.wants/quillmail{name}.service"
        assert os.path.islink(link) == enabled, f"quillmail{name}"
    for name in ("", "-smtpd"):
        assert "ConditionPathExists=/var/qmail/control/me" in read(f"/lib/systemd/system/quillmail{name}.service")
    assert not [n for n in running().values() if n.startswith("qmail-")], running()


@step
def mail():
    type_in("/var/qmail/bin/config-fast mail.example.org; echo ./Maildir/ >/etc/qmail/defaultdelivery")
    assert read("/etc/qmail/me") == "mail.example.org\n"
    type_in("useradd -m ann && su ann -c '/var/qmail/bin/maildirmake ~/Maildir'")
    type_in("quill check")
    start()
    type_in("sendmail ann", "Subject: by sendmail\n\nbody\n")
    wait_mail("by sendmail")
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="client.test", timeout=30) as client:
        client.sendmail("x@client.test", ["ann@mail.example.org"], "Subject: by SMTP\r\n\r\nbody\r\n")
    wait_mail("by SMTP")


@step
def upgrade():
    """Mail waits meanwhile, and what the administrator has changed stays."""
    with Sink() as sink:
        port = sink.port
    write("/etc/qmail/smtproutes", f":127.0.0.1:{port}\n")
    type_in("sendmail -fann@mail.example.org y@far.example", "Subject: later\n\nbody\n")
    assert wait(lambda: "deferral" in log()), log()
    before = waiting()
    dpkg("-i /packages/newer.deb")
    assert type_in("dpkg-query -W -f '${Version}' quillmail").endswith("+newer")
    assert read("/etc/qmail/defaultdelivery") == "./Maildir/\n"
    assert read("/etc/qmail/me") == "mail.example.org\n"
    assert owner("/var/qmail/queue") == ("qmailq", "qmail", "0o700")
    stop()
    start()
    after = waiting()
    assert [(m["id"], m["sender"], m["accepted"]) for m in before] == [(m["id"], m["sender"], m["accepted"]) for m in after]
    with Sink(port=port) as sink:
        type_in("quill queue retry --all")
        assert wait(lambda: sink.messages), log()
        assert b"Subject: later" in sink.messages[0].data
    assert wait(lambda: waiting() == [])
    type_in("sendmail ann", "Subject: after the upgrade\n\nbody\n")
    wait_mail("after the upgrade")


@step
def purge_keeps_mail():
    type_in("sendmail -fann@mail.example.org z@far.example", "Subject: survives\n\nbody\n")
    assert wait(lambda: waiting() and waiting()[0]["state"] == "deferred")
    stop()
    dpkg("-r quillmail")
    assert not os.path.lexists(ROOT + "/usr/sbin/sendmail") and not os.path.exists(ROOT + "/usr/lib/quillmail")
    assert read("/etc/qmail/defaultdelivery") == "./Maildir/\n"
    out = dpkg("-P quillmail")
    assert "/var/qmail/queue is kept" in out, out
    assert read("/etc/qmail/me") == "mail.example.org\n"
    assert not os.path.exists(ROOT + "/etc/qmail/defaultdelivery")
    assert not os.path.lexists(ROOT + "/etc/systemd/system/multi-user.target.wants/quillmail.service")
    assert owner("/var/qmail/queue") == ("qmailq", "qmail", "0o700")


@step
def it_is_there_when_the_package_comes_back():
    dpkg("-i /packages/newer.deb")
    message, = waiting()
    assert message["sender"] == "ann@mail.example.org", message
    with Sink() as sink:
        write("/etc/qmail/smtproutes", f":127.0.0.1:{sink.port}\n")
        start()
        type_in("quill queue retry --all")
        assert wait(lambda: sink.messages), log()
        assert b"Subject: survives" in sink.messages[0].data
    stop()


@step
def nothing_is_left_of_what_was_never_used():
    type_in("dpkg --force-conflicts -P quillmail; rm -r /var/qmail /etc/qmail")
    dpkg("-i /packages/quillmail.deb")
    dpkg("-P quillmail")
    left = [d for d in ("/var/qmail", "/etc/qmail", "/usr/lib/quillmail", "/usr/share/quillmail")
            if os.path.lexists(ROOT + d)]
    assert not left, left


@step
def after_another_qmail():
    """Its programs are moved away as the package wants it; its configuration is used where it is."""
    type_in("mkdir -p /var/qmail/bin /var/qmail/control /var/qmail/alias /var/qmail/queue/mess/0; cd /var/qmail; "
            "echo mail.example.org >control/me; echo '&ann' >alias/.qmail-root; echo theirs >bin/qmail-send")
    out = try_in("dpkg --force-conflicts -i /packages/quillmail.deb")[1]
    command, = re.findall(r"^ +(cd /var/qmail && .*)$", out, re.M)
    type_in("mkdir /var/qmail/boot /var/qmail/man /var/qmail/doc; " + command)
    dpkg("-i /packages/quillmail.deb")
    assert os.path.isdir(HOME + "/control") and not os.path.islink(HOME + "/control")
    assert read("/var/qmail/control/me") == "mail.example.org\n" and read("/var/qmail/old/bin/qmail-send") == "theirs\n"
    assert "My name is mail.example.org." in type_in("qmail-showctl")
    assert "0 messages imported" in type_in("quill queue import /var/qmail/old/queue")
    start()
    stop()
    dpkg("-P quillmail")
    assert read("/var/qmail/control/me") == "mail.example.org\n" and read("/var/qmail/alias/.qmail-root") == "&ann\n"


def main():
    subprocess.run(["sh", "-c", MACHINE], check=True, env={"PATH": PATH, "LAB": LAB, "ROOT": ROOT, "LOWER": LOWER})
    for f in STEPS:
        error = None
        try:
            f()
        except Exception as e:  # a line for each step, whatever goes wrong in it
            error = "".join(traceback.format_exception(e))[-4000:]
        print(json.dumps({"name": f.__name__, "error": error}), flush=True)
        if error:
            return


if __name__ == "__main__":
    main()

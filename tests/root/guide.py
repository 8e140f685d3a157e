"""The steps of the old administrators' guide, as they are typed, on a machine in miniature that has no qmail.

Runs as root inside private mount, process and network namespaces:

  guide.py LAB BINDIR CHECKOUT

/etc, /dev, /home, /usr/local, /var/log, /var/mail and /var/qmail are private. Prints a line of JSON for each step:
{"name": …, "error": null or text}; each builds on those before it, so the first error ends it.
"""
import json
import os
import poplib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
import traceback

import labrun
from quilltest import Sink
from quilltest.certificate import Authority

LAB, BINDIR, CHECKOUT = sys.argv[1:4]
SOURCE, BUILD = LAB + "/source", LAB + "/build"  # which may be in /home
HOME = "/var/qmail"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ELSEWHERE = "192.0.2.25"
STEPS = []


def step(f):
    STEPS.append(f)
    return f


# ---- the machine and its administrator -------------------------------------------------

PRIVATE = r"""
set -e
mkdir $LAB/etc $LAB/dev
cp -a /etc/. $LAB/etc
rm -f $LAB/etc/*.lock $LAB/etc/.pwd.lock
for f in passwd shadow group gshadow; do
	grep -Ev '^(alias|qmail.|qmail|nofiles|ann|bob|vmail):' /etc/$f >$LAB/etc/$f || true
done
rm -rf $LAB/etc/service $LAB/etc/tcp.smtp*
mount --bind $LAB/etc /etc
printf '127.0.0.1 localhost\n192.0.2.25 mail.example.org mail\n' >/etc/hosts
mkdir $LAB/source $LAB/build
mount --bind $CHECKOUT $LAB/source
mount --bind $BUILD $LAB/build
for d in null zero full random urandom; do touch $LAB/dev/$d; mount --bind /dev/$d $LAB/dev/$d; done
for d in fd stdin stdout stderr; do cp -a /dev/$d $LAB/dev/$d; done
mount --rbind $LAB/dev /dev
for d in /home /usr/local /var/log /var/mail /var/qmail; do mount -t tmpfs -o mode=755 none $d; done
ip link set lo up
ip address add 192.0.2.25/24 dev lo
"""


class Machine:
    def __init__(self):
        subprocess.run(["sh", "-c", PRIVATE], check=True,
                       env={"PATH": PATH, "LAB": LAB, "CHECKOUT": CHECKOUT, "BUILD": os.path.dirname(BINDIR)})
        self.syslog = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            self.syslog.append(self.socket.recv(8192).decode(errors="replace"))

    def log(self):
        return "\n".join(self.syslog)


def type_in(commands, cwd="/", typed=""):
    """What the administrator types, in his shell; its output. What is left in the background stays."""
    with open(LAB + "/typed", "w+", encoding="utf-8") as out:
        p = subprocess.run(["sh", "-c", commands], cwd=cwd, check=False, input=typed,
                           env={"PATH": PATH, "HOME": "/root", "LOGNAME": "root", "TERM": "dumb"},
                           text=True, stdout=out, stderr=subprocess.STDOUT, timeout=100)
        out.seek(0)
        text = out.read()
    assert p.returncode == 0, f"{commands}\nexit code {p.returncode}\n{text[-2000:]}"
    return text


def wait(condition):
    return labrun.wait(condition, 40)


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def running():
    """ps, as (user, command) of each process."""
    return [tuple(line.split(None, 1)) for line in type_in("ps -eo user:16,args --no-headers").splitlines()]


def wait_running(*expected):
    missing = wait(lambda: not [e for e in expected if e not in running()])
    assert missing, f"not all of {expected} in {running()}"


def wait_gone(pattern):
    assert wait(lambda: not [r for r in running() if re.search(pattern, r[1])]), running()


def telnet(host, *lines):
    """Types lines into a telnet, each after the answer to the one before; all that came back."""
    client = subprocess.Popen(["telnet", host, "25"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                              env={"PATH": PATH, "TERM": "dumb"})
    said = b""
    try:
        for line in ("", *lines):
            if line:
                client.stdin.write(line.encode() + b"\n")
            answer = b""
            while not re.search(rb"^\d\d\d .*\n\Z", answer, re.M):
                part = client.stdout.read(4096)
                assert part, f"telnet ended after {line}: {(said + answer).decode()}"
                answer += part
            said += answer
    finally:
        client.kill()
        client.communicate()
    return said.decode().replace("\r", "")


def mail_lines(sender, recipient, subject):
    return ("HELO client.example", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA",
            f"Subject: {subject}\n\nbody\n.", "QUIT")


def mailbox(user):
    path = f"/home/{user}/Mailbox"
    return read(path) if os.path.exists(path) else ""


def wait_mail(user, subject):
    found = wait(lambda: f"\nsubject: {subject}\n" in mailbox(user).lower())
    assert found, f"{subject} is not in {user}'s Mailbox: {mailbox(user)[-600:]}"


def pid_of(name):
    return int(type_in(f"ps -eo pid,stat,comm --no-headers | awk '$2 !~ /^Z/ && $3 == \"{name}\" {{ print $1 }}'").split()[0])


# ---- chapter 2: installation -------------------------------------------------------------

@step
def accounts(m):
    type_in("""set -e
        groupadd nofiles
        useradd -g nofiles -d /var/qmail/alias alias
        useradd -g nofiles -d /var/qmail qmaild
        useradd -g nofiles -d /var/qmail qmaill
        useradd -g nofiles -d /var/qmail qmailp
        groupadd qmail
        useradd -g qmail -d /var/qmail qmailq
        useradd -g qmail -d /var/qmail qmailr
        useradd -g qmail -d /var/qmail qmails
        useradd -m ann""")


@step
def make_setup_check(m):
    """The tree is built already."""
    out = type_in(f"make --no-print-directory BUILD={BUILD} -o programs setup check", cwd=SOURCE)
    assert "installed in /var/qmail" in out and "instcheck" not in out, out
    for name in ("tcpserver", "tcprules", "setuser", "cyclog", "svscan", "multilog"):
        found = type_in(f"readlink -f $(command -v {name})").strip()
        assert found == f"{HOME}/bin/{name}", found


@step
def config_fast(m):
    """The guide types ./config-fast in the source directory, where there are links for it."""
    assert [os.readlink(f"{SOURCE}/{n}") for n in ("config", "config-fast")] == ["build/bin/config", "build/bin/config-fast"]
    out = type_in(f"{HOME}/bin/config-fast mail.example.org")
    assert "mail.example.org" in out, out
    control = {n: read(f"{HOME}/control/{n}") for n in os.listdir(HOME + "/control")}
    assert control == {"me": "mail.example.org\n", "locals": "mail.example.org\n", "rcpthosts": "mail.example.org\n",
                       "defaultdomain": "example.org\n", "plusdomain": "example.org\n"}, control
    # config finds the same name, and those of all addresses.
    type_in(f"hostname mail; rm {HOME}/control/*; {HOME}/bin/config")
    found = {n: read(f"{HOME}/control/{n}") for n in os.listdir(HOME + "/control")}
    assert found == {**control, "locals": found["locals"], "rcpthosts": found["locals"]}, found
    assert set(found["locals"].split()) == {"mail.example.org", "localhost"}, found
    type_in(f"echo example.org >>{HOME}/control/locals; echo example.org >>{HOME}/control/rcpthosts")
    assert "Messages for example.org are delivered locally." in type_in(HOME + "/bin/qmail-showctl")


@step
def aliases(m):
    type_in("""set -e
        cd ~alias
        echo '&ann' >.qmail-postmaster; echo '&ann' >.qmail-mailer-daemon; echo '&ann' >.qmail-root
        chmod 644 ~alias/.qmail*""")


@step
def start_script(m):
    type_in("echo ./Mailbox >/var/qmail/control/defaultdelivery")
    write(HOME + "/rc", '#!/bin/sh\n'
          'exec env - PATH="/var/qmail/bin:/usr/local/bin:$PATH" \\\n'
          'qmail-start "`cat /var/qmail/control/defaultdelivery`" splogger qmail\n', 0o755)
    type_in("sh -cf '/var/qmail/rc &'")
    wait_running(("qmails", "qmail-send"), ("qmaill", "splogger qmail"), ("root", "qmail-lspawn ./Mailbox"),
                 ("qmailr", "qmail-rspawn"), ("qmailq", "qmail-journal"))
    assert wait(lambda: re.search(r"qmail: \d+\.\d+ status: local 0/10 remote 0/20", m.log())), m.log()


@step
def first_mail(m):
    """TEST.deliver: to a user, to nobody, and what comes back."""
    type_in("echo to: ann | /var/qmail/bin/qmail-inject")
    assert wait(lambda: "\nto: ann@mail.example.org\n" in mailbox("ann")), m.log()
    type_in("su ann -c 'printf \"to: nonexistent\\nsubject: test\\n\\nbody\\n\" | /var/qmail/bin/qmail-inject'")
    wait_mail("ann", "failure notice")
    type_in("printf 'subject: to root\\n\\nbody\\n' | /var/qmail/bin/sendmail root")
    wait_mail("ann", "to root")
    for line in (r"new msg \d+", r"info msg \d+: bytes \d+ from <root@mail.example.org> qp \d+ uid 0",
                 r"starting delivery 1: msg \d+ to local ann@mail.example.org", r"delivery 1: success: did_1\+0\+0/",
                 r"end msg \d+"):
        assert wait(lambda: re.search(line, m.log())), f"no {line} in {m.log()}"


# ---- chapter 3: SMTP -----------------------------------------------------------------------

@step
def rules(m):
    write("/etc/tcp.smtp", '127.0.0.1:allow,RELAYCLIENT=""\n:allow\n')
    type_in("tcprules /etc/tcp.smtp.cdb /etc/tcp.smtp.tmp < /etc/tcp.smtp")
    out = "".join(type_in(f"TCPREMOTEIP={ip} tcprulescheck /etc/tcp.smtp.cdb") for ip in ("127.0.0.1", ELSEWHERE))
    assert out == ("rule 127.0.0.1:\nset environment variable RELAYCLIENT=\nallow connection\n"
                   "rule :\nallow connection\n"), out


@step
def smtp_service(m):
    type_in("mkdir -p /var/log/qmail/smtpd && chown qmaill /var/log/qmail/smtpd")
    write("/etc/rc.smtpd", """#!/bin/sh
tcpserver -v -x /etc/tcp.smtp.cdb -u `id -u qmaild` -g `id -g qmaild` 0 smtp \\
/var/qmail/bin/qmail-smtpd 2>&1 | setuser qmaill accustamp | \\
setuser qmaill cyclog -s5000000 -n5 /var/log/qmail/smtpd &
""", 0o755)
    type_in("/etc/rc.smtpd")
    wait_running(("qmaild", f"tcpserver -v -x /etc/tcp.smtp.cdb -u {uid('qmaild')} -g {gid('nofiles')} 0 smtp "
                  "/var/qmail/bin/qmail-smtpd"), ("qmaill", "accustamp"),
                 ("qmaill", "cyclog -s5000000 -n5 /var/log/qmail/smtpd"))
    assert os.readlink(f"/proc/{pid_of('tcpserver')}/exe") == HOME + "/bin/tcpserver"


def uid(name):
    return int(type_in(f"id -u {name}"))


def gid(name):
    return int(type_in(f"getent group {name} | cut -d: -f3"))


@step
def telnet_local(m):
    wait_listening(25)
    said = telnet("127.0.0.1", *mail_lines("someone@client.example", "ann@example.org", "by telnet"))
    assert "\n220 mail.example.org ESMTP\n" in said and "\n221 " in said, said
    wait_mail("ann", "by telnet")
    assert "Received: from localhost (HELO client.example) (127.0.0.1)" in mailbox("ann") or \
        "Received: from unknown (HELO client.example) (127.0.0.1)" in mailbox("ann"), mailbox("ann")


@step
def relaying(m):
    """From 127.0.0.1 to anywhere; from elsewhere to this machine's domains only."""
    said = telnet(ELSEWHERE, *mail_lines("x@client.example", "ann@example.org", "from elsewhere"))
    wait_mail("ann", "from elsewhere")
    said = telnet(ELSEWHERE, "HELO client.example", "MAIL FROM:<x@client.example>", "RCPT TO:<x@far.example>", "QUIT")
    assert "\n553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\n" in said, said
    with Sink() as sink:
        write(HOME + "/control/smtproutes", f":127.0.0.1:{sink.port}\n")
        telnet("127.0.0.1", *mail_lines("ann@example.org", "x@far.example", "relayed"))
        assert wait(lambda: sink.messages), m.log()[-1000:]


@step
def smtp_log(m):
    def log():
        directory = "/var/log/qmail/smtpd"
        return "".join(read(f"{directory}/{n}") for n in sorted(os.listdir(directory)) if re.fullmatch(r"@\d{14}", n))
    accepted = r"^\d+\.\d{6} tcpserver: ok \d+ \S*:192\.0\.2\.25:25 \S*:192\.0\.2\.25::\d+$"
    assert wait(lambda: re.search(accepted, log(), re.M)), log()
    shown = type_in("cat /var/log/qmail/smtpd/@* | tailocal")
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} tcpserver: status: 0/40$", shown, re.M), shown


@step
def waiting_mail(m):
    """What waits: nobody listens where this goes. kill -ALRM tries it again."""
    with Sink() as sink:
        port = sink.port
    write(HOME + "/control/smtproutes", f":127.0.0.1:{port}\n")
    type_in("printf 'subject: later\\n\\nbody\\n' | /var/qmail/bin/sendmail -fann@example.org y@far.example")
    assert wait(lambda: "deferral" in m.log()), m.log()[-1000:]
    assert type_in("/var/qmail/bin/qmail-qstat") == "messages in queue: 1\nmessages in queue but not yet preprocessed: 0\n"
    shown = type_in("/var/qmail/bin/qmail-qread")
    assert re.search(r" GMT  #\d+  \d+  <ann@example.org> \n\tremote\ty@far.example\n", shown), shown
    with Sink(port=port) as sink:
        type_in(f"kill -ALRM {pid_of('qmail-send')}")
        assert wait(lambda: sink.messages), m.log()[-1000:]
    assert wait(lambda: type_in("/var/qmail/bin/qmail-qstat").startswith("messages in queue: 0\n"))


@step
def stop(m):
    type_in(f"kill {pid_of('tcpserver')} {pid_of('qmail-send')}")
    wait_gone(r"^(tcpserver|qmail-|splogger|cyclog|accustamp)")
    assert wait(lambda: "status: exiting" in m.log())


# ---- docs/INSTALL.md: the same today -------------------------------------------------------

def document(heading, file="INSTALL.md"):
    """The indented blocks of a section: what is to be typed, or to be written. Services are in /etc/service here."""
    section = read(f"{SOURCE}/docs/{file}").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^(?: {4,}.+\n|\n(?= {4}))+", section, re.M)
    return [re.sub(r"(?<=\s)/service", "/etc/service", textwrap.dedent(b).strip("\n")) + "\n" for b in blocks]


def inbox(user):
    directory = f"/home/{user}/Maildir/new"
    return [read(f"{directory}/{n}") for n in os.listdir(directory)] if os.path.isdir(directory) else []


def service_log(name):
    path = {"send": "/var/log/qmail/current", "smtpd": "/var/log/qmail/smtpd/current"}[name]
    return read(path) if os.path.exists(path) else ""


def wait_listening(port):
    assert wait(lambda: subprocess.run([HOME + "/bin/tcpclient", "-RHl0", "127.0.0.1", str(port), "true"], check=False,
                                       stderr=subprocess.DEVNULL).returncode == 0), running()


@step
def configure(m):
    settings, mandatory = document("Configure")[0].split("\n\n")
    type_in(f"set -e\n{settings}\n{mandatory}")
    assert sorted(read(HOME + "/control/locals").split()) == ["example.org", "example.org", "localhost", "mail.example.org"]
    type_in("quill check")
    type_in("su ann -c 'cd && maildirmake Maildir'")


@step
def services(m):
    blocks = document("Start, under supervise")
    directories, send, smtpd, log, rules_text, compile_rules, start_them, _, obey, stop_them = blocks
    type_in("set -e\n" + directories)
    top = HOME + "/supervise"
    write(top + "/send/run", send)
    write(top + "/smtpd/run", smtpd)
    write(top + "/send/log/run", log)
    write(top + "/smtpd/log/run", log.rstrip("\n") + "/smtpd\n")
    write("/etc/tcp.smtp", rules_text)
    type_in("set -e\n" + compile_rules + start_them)
    type_in("svscanboot /etc/service >/dev/null 2>&1 &")
    assert wait(lambda: type_in("svstat /etc/service/* /etc/service/*/log").count(": up (pid ") == 4), \
        type_in("svstat /etc/service/* /etc/service/*/log")
    m.obey, m.stop_them = obey, stop_them
    wait_listening(25)


@step
def supervised_mail(m):
    telnet("127.0.0.1", *mail_lines("someone@client.example", "ann@example.org", "supervised"))
    assert wait(lambda: any("\nSubject: supervised\n" in text for text in inbox("ann"))), service_log("send")
    assert "\n550 sorry, no mailbox here by that name. (#5.1.1)\n" in telnet(
        "127.0.0.1", "HELO client.example", "MAIL FROM:<>", "RCPT TO:<nobody-here@example.org>", "QUIT")
    assert wait(lambda: re.search(r"^@[0-9a-f]{24} delivery 1: success: ", service_log("send"), re.M))
    assert re.search(r"^@[0-9a-f]{24} tcpserver: ok ", service_log("smtpd"), re.M)
    assert re.search(r"^\d{4}-\d\d-\d\d .* end msg ", type_in("tai64nlocal </var/log/qmail/current"), re.M)


@step
def questions(m):
    """What INSTALL.md says to ask about the first mail."""
    assert "running" in type_in("quill status")
    assert "someone@client.example" in type_in("quill trace ann@example.org")
    assert "/home/ann" in type_in("quill why ann@example.org")


@step
def mailboxes_and_pop3(m):
    type_in("set -e\n" + document("Users and mailboxes")[0], typed="secret\n")
    telnet("127.0.0.1", *mail_lines("x@client.example", "info@example.net", "to a mailbox"))
    _, service, classic = document("POP3")
    authority = Authority()
    shutil.copy(authority.issue("mail.example.org"), HOME + "/control/servercert.pem")
    authority.close()
    write(LAB + "/pop3", service, 0o755)
    type_in(LAB + "/pop3 >/dev/null 2>&1 &")
    wait_listening(110)

    def fetch(user, password, tls):
        pop = poplib.POP3("127.0.0.1", timeout=60)
        if tls:
            pop.stls(ssl._create_unverified_context())
        pop.user(user)
        pop.pass_(password)
        text = b"\n".join(line for n in range(len(pop.list()[1])) for line in pop.retr(n + 1)[1])
        pop.quit()
        return text
    assert wait(lambda: b"to a mailbox" in fetch("ben@example.net", "secret", True)), service_log("send")
    type_in(f"kill {pid_of('qmail-popup')}; echo ann:hush | chpasswd")
    wait_gone("^qmail-popup")
    type_in(classic.rstrip() + " >/dev/null 2>&1 & echo $! >/var/qmail/pop3.pid")
    wait_listening(110)
    assert b"supervised" in fetch("ann", "hush", False)
    type_in("kill $(cat /var/qmail/pop3.pid)")


@step
def supervised_again(m):
    """svc -h, -a; -t: it ends and is started again; -d: it stays down."""
    def send_pid():
        return re.search(r": up \(pid (\d+)\)", type_in("svstat /etc/service/send"))
    before = send_pid()[1]
    type_in("set -e\n" + m.obey)
    assert wait(lambda: (now := send_pid()) and now[1] != before)
    assert wait(lambda: "status: exiting\n" in service_log("send") and
                "status: local 0/10" in service_log("send").rsplit("status: exiting\n", 1)[1])
    down = r"/etc/service/smtpd: down \d+ seconds, normally up\n"
    assert wait(lambda: re.fullmatch(down, type_in("svstat /etc/service/smtpd")))
    type_in("svc -u /etc/service/smtpd")
    wait_listening(25)


@step
def supervised_stop(m):
    type_in(f"kill {pid_of('svscan')}; {m.stop_them}")
    wait_gone(r"^(tcpserver|qmail-|supervise|multilog|svscan)")
    assert service_log("send").rstrip().endswith("status: exiting")


def run(steps):
    machine = Machine()
    for f in steps:
        error, started = None, time.monotonic()
        try:
            f(machine)
        except Exception as e:  # whatever goes wrong in a step is its failure
            place = [t.lineno for t in traceback.extract_tb(e.__traceback__) if t.name == f.__name__]
            error = f"{f.__code__.co_filename.rsplit('/', 1)[1]}:{place}: {type(e).__name__}: {e}"
        print(json.dumps({"name": f.__name__, "error": error, "seconds": round(time.monotonic() - started, 2)}), flush=True)
        if error:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(STEPS))

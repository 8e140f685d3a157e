"""quill upgrade-check, on homes of every kind of qmail; and that it changes nothing."""
import json
import os
import subprocess
import tarfile
import tempfile

import pytest

from quilltest import program
from quilltest.instance import BIN

FIXTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "classicqueue/left-behind.tar.xz")
PROGRAMS = ("qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-local", "qmail-remote", "qmail-queue", "qmail-inject",
            "qmail-smtpd", "qmail-clean", "qmail-showctl", "sendmail", "forward", "maildirmake", "splogger")
HELP = {"qmail": "214 qmail home page: http://pobox.com/~djb/qmail.html",
        "netqmail": "214 netqmail home page: http://qmail.org/netqmail",
        "notqmail": "214 See https://notqmail.org"}


class Home:
    """Of a qmail; its programs are no programs."""

    def __init__(self, path, kind):
        self.path = path
        for d in ("control", "users", "alias", "bin", "boot"):
            os.makedirs(f"{path}/{d}")
        for name in PROGRAMS:
            self.write(f"bin/{name}", f"\x7fELF {HELP[kind]}" if name == "qmail-smtpd" else "\x7fELF", 0o755)
        os.chmod(f"{path}/bin/qmail-queue", 0o4711)
        for name, text in (("me", "mail.a.test\n"), ("locals", "a.test\n"), ("rcpthosts", "a.test\n"),
                           ("concurrencyremote", "100\n"), ("virtualdomains", "v.test:ann-v\n")):
            self.write(f"control/{name}", text)
        self.write("rc", '#!/bin/sh\nexec env - PATH="/var/qmail/bin:$PATH" \\\nqmail-start ./Mailbox splogger qmail\n', 0o755)
        self.write("alias/.qmail-postmaster", "&ann\n")

    def write(self, name, text, mode=0o644):
        path = f"{self.path}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="latin-1") as f:
            f.write(text)
        os.chmod(path, mode)

    def queue(self):
        with tarfile.open(FIXTURE) as tar:
            tar.extractall(f"{self.path}/queue")

    def run(self, *options):
        return subprocess.run([program("quill"), "upgrade-check", *options, self.path], capture_output=True, text=True,
                              check=False, env={"PATH": "/usr/bin:/bin"}, timeout=60)

    def check(self, *options):
        """{name: (verdict, text)}; of accounts, which are this machine's, nothing."""
        p = self.run("--json", *options)
        assert p.returncode in (0, 1), p.stderr
        found = [json.loads(line) for line in p.stdout.splitlines()]
        assert p.returncode == int(any(f["verdict"] != "used" for f in found))
        return {f["name"]: (f["verdict"], f["text"]) for f in found if f["name"] != "accounts"}

    def state(self):
        return {os.path.join(top, name): os.lstat(os.path.join(top, name)) for top, dirs, files in os.walk(self.path)
                for name in dirs + files}


@pytest.fixture
def make():
    with tempfile.TemporaryDirectory(prefix="quill-upgrade.") as path:
        yield lambda kind: Home(f"{path}/{kind}", kind)


def test_an_ordinary_notqmail_is_used(make):
    found = make("notqmail").check()
    others = {n: f for n, f in found.items() if f[0] != "used"}
    assert set(others) == {"bin/qmail-queue", "bin/qmail-clean"}, others
    assert "is set-id" in others["bin/qmail-queue"][1]
    assert found["bin"] == ("used", "notqmail, by what its qmail-smtpd says")
    for name in ("control/locals", "control/virtualdomains", "alias/.qmail-postmaster", "rc", "bin/forward"):
        assert found[name] == ("used", ""), name


def test_netqmail_and_qmail(make):
    assert make("netqmail").check()["bin"][1].startswith("netqmail")
    home = make("qmail")
    os.unlink(f"{home.path}/control/rcpthosts")
    found = home.check()
    assert found["bin"][0] == "differs" and "$QMAILQUEUE counts here" in found["bin"][1]
    assert "qmail relays for everybody" in found["control/rcpthosts"][1]


def test_control_files_of_patches(make):
    home = make("netqmail")
    for name in ("badrcptto", "tlsserverciphers", "smtpplugins", "simcontrol.cdb", "zork", "clientcert.pem"):
        home.write(f"control/{name}", "x\n")
    home.write("control/concurrencyremote", "200\n")
    found = home.check()
    assert found["control/badrcptto"] == ("ignored", "read by the badrcptto patch; here: control/rcptcheck refuses "
                                          "recipients that do not exist")
    assert found["control/smtpplugins"][0] == "ignored" and "qmail-spp" in found["control/smtpplugins"][1]
    assert found["control/simcontrol.cdb"][0] == "used" and "simscan" in found["control/simcontrol.cdb"][1]
    assert found["control/zork"] == ("ignored", "unknown: no program of qmail's or of ours reads it")
    assert found["control/clientcert.pem"] == ("used", "")
    assert found["control/concurrencyremote"][0] == "differs"


def test_users(make):
    home = make("netqmail")
    home.write("users/assign", "+d-:d:1:1:/h:-::\n.\n")
    assert home.check()["users/assign"][0] == "ignored"
    home.write("users/cdb", "")
    assert home.check()["users/assign"] == ("used", "")
    os.utime(f"{home.path}/users/cdb", (1, 1))
    assert "run qmail-newu" in home.check()["users/assign"][1]
    home.write("users/assign", "+d-:d:1:1:/h:-::\n")
    home.write("users/poppasswd", "")
    found = home.check()
    assert "does not take it" in found["users/assign"][1] and found["users/poppasswd"][0] == "ignored"


def test_scripts_and_rules(make):
    home = make("netqmail")
    run = "#!/bin/sh\nexec tcpserver {} -vRHl0 -x /etc/tcp.smtp.cdb 0 smtp {} 2>&1\n"
    home.write("supervise/qmail-smtpd/run", run.format("-c 40", "qmail-smtpd"))
    home.write("supervise/qmail-smtpd/log/run", "#!/bin/sh\nexec setuidgid qmaill multilog t ./main\n")
    home.write("supervise/patched/run", run.format("-s -n /x", "qmail-smtpd"))
    home.write("service/auth/run", run.format("", "spamdyke qmail-smtpd a.test checkpassword true"))
    home.write("rules", '127.:allow,RELAYCLIENT=""\n:allow,QMAILQUEUE="/x",NOSPP=""\n')
    home.write("others", '127.:allow,RELAYCLIENT=""\n')
    found = home.check("--service", f"{home.path}/service", "--rules", f"{home.path}/rules", "--rules", f"{home.path}/others")
    assert found["supervise/qmail-smtpd/run"] == found["supervise/qmail-smtpd/log/run"] == ("used", "")
    assert found["supervise/patched/run"][0] == "differs" and "patched tcpserver" in found["supervise/patched/run"][1]
    assert found[f"{home.path}/service/auth/run"][0] == "differs"
    assert "authentication" in found[f"{home.path}/service/auth/run"][1]
    assert found[f"{home.path}/rules"] == ("ignored", "NOSPP: plug-ins of the qmail-spp patch are not run")
    assert found[f"{home.path}/others"] == ("used", "")


def test_programs_of_others(make):
    home = make("netqmail")
    home.write("bin/mytool", "", 0o755)
    home.write("bin/simscan", "\x7fELF", 0o4711)
    home.write("bin/qmail-qfilter", "\x7fELF", 0o755)
    home.write("bin/qmail-remote", "#!/bin/sh\n", 0o755)
    home.write("bin/qmail-qmqpc", "\x7fELF", 0o755)
    os.unlink(f"{home.path}/bin/qmail-queue")
    os.symlink("qmail-qmqpc", f"{home.path}/bin/qmail-queue")
    home.write("alias/.qmail-list", f"|{home.path}/bin/mytool x\n")
    home.write("alias/.qmail-gone", "# a list\n|/nowhere/ezmlm-send x\n./Mailbox\n")
    home.write("alias/.qmail-old", "|preline procmail\n|/usr/bin/qsmhook x\n")
    found = home.check()
    assert "copy it to the new bin" in found["bin/mytool"][1] and found["bin/mytool"][0] == "differs"
    assert found["bin/simscan"] == ("differs", "is set-id; no program of ours is or needs it: decide whether it stays")
    assert found["bin/qmail-qfilter"][0] == "used"
    assert "script around the real program" in found["bin/qmail-remote"][1]
    assert "make that link again" in found["bin/qmail-queue"][1]
    assert found["alias/.qmail-list"] == ("used", "")
    assert found["alias/.qmail-gone"] == ("differs", "runs /nowhere/ezmlm-send, which does not exist")
    assert found["alias/.qmail-old"][0] == "differs" and "preline" in found["alias/.qmail-old"][1]


def test_a_queue_that_is_left(make):
    home = make("notqmail")
    home.queue()
    before = home.state()
    p = home.run()
    assert p.returncode == 1
    assert "\ndiffers  queue/mess: 4 messages waiting; our queue is another: quill queue import takes over what waits\n" \
        in p.stdout
    assert "\nignored  queue/mess: never accepted, and left: 1\n" in p.stdout
    assert "used as they are:\n         control/concurrencyremote control/locals control/me" in p.stdout
    assert p.stdout.splitlines()[-1].endswith(" ignored")
    # Access times are all that may change.
    assert {n: (s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for n, s in home.state().items()} == \
        {n: (s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for n, s in before.items()}


def test_a_queue_of_another_split(make):
    home = make("notqmail")
    for i in range(7):
        os.makedirs(f"{home.path}/queue/mess/{i}")
    os.makedirs(f"{home.path}/queue/todo/0")
    found = home.check()
    assert found["queue/todo"] == ("used", "of the big-todo patch")
    p = home.run()
    assert "conf-split is 7: going back needs quill queue export --split 7" in p.stdout


def test_names_that_want_to_be_more(make):
    home = make("notqmail")
    home.write("control/a\nused control", "x")
    home.write("control/\x1b[2J", "x")
    p = home.run()
    assert "control/a?used control: unknown" in p.stdout and "\x1b" not in p.stdout


def test_what_is_no_home(make):
    home = make("notqmail")
    p = subprocess.run([program("quill"), "upgrade-check", f"{home.path}/bin"], capture_output=True, text=True, check=False)
    assert p.returncode == 100 and "it is no qmail's home" in p.stderr
    assert home.run("--frob").returncode == 100
    p = subprocess.run([program("quill"), "upgrade-check", home.path, "--service"], capture_output=True, text=True,
                       check=False)
    assert p.returncode == 100
    p = subprocess.run([program("quill"), "upgrade-check", "/nonexistent"], capture_output=True, text=True, check=False)
    assert p.returncode == 111


def test_a_home_that_has_our_programs_already(make):
    home = make("notqmail")
    subprocess.run(["rm", "-r", f"{home.path}/bin"], check=True)
    os.symlink(BIN, f"{home.path}/bin")
    assert home.check()["bin"] == ("used", "the programs are ours already")

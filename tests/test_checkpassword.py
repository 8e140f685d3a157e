"""Programs of the checkpassword interface: the system's accounts by shadow and PAM, and the table of mailboxes."""
import hashlib
import hmac
import os
import shutil
import subprocess
import tempfile

import pytest

from quilltest import BIN, Instance, program

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root for accounts of its own")
SHOW = ("/bin/sh", "-c", 'echo "$USER|$HOME|$SHELL|$(id -u)|$(id -g)|$(id -G)|$(pwd)|$(ls /proc/self/fd | tr "\\n" " ")"')


def check(data, *command, run=lambda *a, **o: subprocess.run(*a, check=False, **o), **options):
    """Runs a checker with `data` on descriptor 3; (exit code, output)."""
    with tempfile.TemporaryFile() as f:
        f.write(data)
        f.flush()
        os.lseek(f.fileno(), 0, 0)
        r = run(["/bin/sh", "-c", 'exec 3<&0 </dev/null; exec "$@"', "sh", *command], capture_output=True, timeout=60,
                stdin=f, **options)
        return r.returncode, (r.stdout + r.stderr).decode()


# ---- what they share -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["checkpassword", "checkpassword-pam", "checkpassword-mailbox"])
def test_misuse(name):
    assert check(b"a\0b\0c\0", program(name)) == (2, "")
    for broken in (b"", b"a", b"a\0b"):
        assert check(broken, program(name), "true") == (2, "")
    assert check(b"a\0b\0" + b"c" * 509, program(name), "true") == (1, "")
    # Closed, or nothing that can be read.
    assert subprocess.run(["/bin/sh", "-c", f'exec 3>&-; exec {program(name)} true'], check=False).returncode == 111


# ---- the accounts of the system ------------------------------------------------------------

PASSWD = """root:x:0:0:root:/root:/bin/bash
joe:x:2001:2002::{dir}/joe:/bin/joesh
homeless:x:2003:2003::{dir}/none:/bin/sh
old:$1$rasmusle$rISCgZzpwk3UhDidwXvin0:2004:2004::{dir}/joe:/bin/sh
locked:x:2005:2005::{dir}/joe:/bin/sh
expired:x:2006:2006::{dir}/joe:/bin/sh
empty:x:2007:2007::{dir}/joe:/bin/sh
"""
HASH = "$1$rasmusle$rISCgZzpwk3UhDidwXvin0"  # rasmuslerdorf
SHADOW = f"""joe:{HASH}:19000:0:99999:7:::
homeless:{HASH}:19000:0:99999:7:::
locked:!{HASH}:19000:0:99999:7:::
expired:{HASH}:19000:0:99999:7::1:
empty::19000:0:99999:7:::
"""


@pytest.fixture(name="machine", scope="module")
def private_machine():
    """Runs checkers where /etc has accounts of our own."""
    base = tempfile.mkdtemp(prefix="quill.")
    os.chmod(base, 0o755)
    os.mkdir(base + "/joe")
    shutil.copytree("/etc/pam.d", base + "/pam.d")
    for name, text in (("passwd", PASSWD.format(dir=base)), ("shadow", SHADOW),
                       ("pam.d/checkpassword", "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"),
                       ("pam.d/never", "auth required pam_deny.so\naccount required pam_permit.so\n"),
                       ("pam.d/broken", "auth required pam_no_such_module.so\n")):
        with open(f"{base}/{name}", "w", encoding="ascii") as f:
            f.write(text)
    os.chmod(base + "/shadow", 0o600)
    binds = " && ".join(f"mount --bind {base}/{n} /etc/{n}" for n in ("passwd", "shadow", "pam.d"))

    def run(command, **options):
        return subprocess.run(["unshare", "--mount", "/bin/sh", "-c", f'{binds} && exec "$@"', "sh", *command], check=False,
                              **options)
    run.base = base
    yield run
    shutil.rmtree(base)


def login(machine, name, user, password, *command):
    code, out = check(f"{user}\0{password}\0<1@x>\0".encode(), program(name), *(command or SHOW), run=machine)
    return code, out


@needs_root
@pytest.mark.parametrize("name", ["checkpassword", "checkpassword-pam"])
def test_the_right_password_becomes_the_account(machine, name):
    home = machine.base + "/joe"
    code, out = login(machine, name, "joe", "rasmuslerdorf")
    assert code == 0
    assert out.startswith(f"joe|{home}|/bin/joesh|2001|2002|2002|{home}|0 1 2 "), out
    assert login(machine, name, "joe", "rasmuslerdorf", "sh", "-c", "exit 17") == (17, "")
    assert login(machine, name, "joe", "rasmuslerdorf", "no-such-program") == (111, "")
    assert login(machine, name, "homeless", "rasmuslerdorf") == (111, "")
    assert login(machine, name, "old", "rasmuslerdorf")[0] == 0


@needs_root
@pytest.mark.parametrize("name", ["checkpassword", "checkpassword-pam"])
def test_wrong_passwords_and_accounts_are_refused(machine, name):
    for user, password in (("joe", "rasmus"), ("joe", ""), ("nobody-here", "x"), ("", ""), ("locked", "rasmuslerdorf"),
                           ("locked", "!"), ("expired", "rasmuslerdorf"), ("empty", ""), ("empty", "x"), ("joe", HASH)):
        assert login(machine, name, user, password) == (1, ""), (user, password)


@needs_root
def test_pam_decides_by_service(machine):
    data = b"joe\0rasmuslerdorf\0\0"
    assert check(data, program("checkpassword-pam"), "-s", "never", "true", run=machine) == (1, "")
    assert check(data, program("checkpassword-pam"), "-s", "checkpassword", "true", run=machine) == (0, "")
    assert check(data, program("checkpassword-pam"), "-s", "broken", "true", run=machine)[0] in (1, 111)


# ---- the table of mailboxes ----------------------------------------------------------------


@pytest.fixture(name="site", scope="module")
def private_home():
    with Instance() as i:
        i.run(program("quill"), "user", "add", "ann@a.test", input=b"open sesame\n")
        i.run(program("quill"), "user", "add", "bob@a.test", "--apop", input=b"tanstaaf\n")
        i.run(program("quill"), "user", "add", "none@a.test", input=b"")
        yield i


def mailbox(site, user, password, stamp="<1@x>", command=SHOW):
    return check(f"{user}\0{password}\0{stamp}\0".encode(), program("checkpassword-mailbox"), *command,
                 run=lambda c, **o: subprocess.run(c, env=site.environment, check=False, **site._as_user(), **o))


def test_mailboxes_have_a_home(site):
    home = site.home + "/mailboxes/a.test/ann"
    code, out = mailbox(site, "Ann@A.test", "open sesame")
    assert code == 0 and out.startswith(f"ann@a.test|{home}|/bin/false|{site.uid}|{site.gid}|"), out
    assert f"|{home}|0 1 2 " in out
    assert os.path.isdir(home + "/Maildir/new")


def test_wrong_passwords_and_mailboxes_are_refused(site):
    for user, password in (("ann@a.test", "open sesamE"), ("ann@a.test", ""), ("ann", "open sesame"),
                           ("cyd@a.test", "x"), ("none@a.test", ""), ("none@a.test", "x"), ("", "")):
        assert mailbox(site, user, password) == (1, ""), (user, password)


def test_apop_and_cram_prove_the_secret(site):
    stamp = "<1896.697170952@dbc.mtview.ca.us>"
    assert mailbox(site, "bob@a.test", "c4c9334bac560ecc979e58001b3e22fb", stamp, ["true"]) == (0, "")
    cram = hmac.new(b"tanstaaf", stamp.encode(), hashlib.md5).hexdigest()
    assert mailbox(site, "bob@a.test", cram, stamp, ["true"]) == (0, "")
    assert mailbox(site, "bob@a.test", "tanstaaf", stamp, ["true"]) == (0, "")
    assert mailbox(site, "bob@a.test", "c4c9334bac560ecc979e58001b3e22fb", "<1@x>", ["true"]) == (1, "")
    digest = hashlib.md5((stamp + "open sesame").encode()).hexdigest()
    assert mailbox(site, "ann@a.test", digest, stamp, ["true"]) == (1, "")  # there is no secret


def test_a_new_password_counts_at_once(site):
    site.run(program("quill"), "user", "add", "eve@a.test", input=b"one\n")
    assert mailbox(site, "eve@a.test", "one", command=["true"]) == (0, "")
    site.run(program("quill"), "user", "passwd", "eve@a.test", input=b"two\n")
    assert mailbox(site, "eve@a.test", "one", command=["true"]) == (1, "")
    assert mailbox(site, "eve@a.test", "two", command=["true"]) == (0, "")


@needs_root
def test_root_becomes_the_owner_of_the_mailboxes(tmp_path):
    """As root, the table is read by the account that owns the mailboxes, not by root."""
    os.chmod(tmp_path, 0o755)
    for d in ("control", "users", "mailboxes"):
        os.mkdir(tmp_path / d, 0o755)
    (tmp_path / "control/me").write_text("a.test\n")
    (tmp_path / "control/locals").write_text("a.test\n")
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "QMAILHOME": str(tmp_path)}
    for p in (tmp_path.parent, tmp_path.parent.parent, tmp_path.parent.parent.parent):
        if p != p.parent and str(p) != "/tmp":
            os.chmod(p, 0o711)
    os.chown(tmp_path / "mailboxes", 4711, 4712)
    subprocess.run([program("quill"), "user", "add", "ann@a.test"], input=b"pw\n", check=True, env=environment)
    st = os.stat(tmp_path / "users/mailboxes.sqlite")
    assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (0, 4712, 0o640)
    code, out = check(b"ann@a.test\0pw\0\0", program("checkpassword-mailbox"), *SHOW, env=environment)
    assert code == 0 and "|4711|4712|4712|" in out, out
    assert os.stat(tmp_path / "mailboxes/a.test/ann/Maildir/new").st_uid == 4711

"""The installed tree as root with the historical accounts, in private namespaces (see lab.py)."""
import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile

import pytest

from quilltest import BIN, program

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


def namespaces_work():
    return os.getuid() == 0 and subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "true"], capture_output=True,
        check=False).returncode == 0


pytestmark = [
    pytest.mark.skipif(not namespaces_work(), reason="needs root and private namespaces"),
    pytest.mark.skipif(not os.path.exists(program("qmail-start")), reason="qmail-start is not built"),
]


@contextlib.contextmanager
def home_to_mount_over():
    """
    /var/qmail must exist to be mounted over; what was there is not touched. Tests that run side by side share it:
    all hold a lock (on /var, which needs no file of its own), and the last one takes away what one of them made.
    """
    made = "/var/qmail/.made-by-a-test"
    lock = os.open("/var", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with contextlib.suppress(FileExistsError):
            os.mkdir("/var/qmail")
            os.close(os.open(made, os.O_CREAT | os.O_WRONLY))
        yield
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.exists(made):
                os.unlink(made)
                os.rmdir("/var/qmail")
    finally:
        os.close(lock)


@pytest.fixture
def mount_point():
    with home_to_mount_over():
        yield


@pytest.fixture
def lab():
    """A directory that everybody may enter: the users' homes lie in it."""
    path = tempfile.mkdtemp(prefix="quill-lab.")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("settings", [
    (), ("without=resolv,syslog",), ("without=proc", "listener=debian"), ("listener=own",), ("listener=units",),
], ids=["plain", "no-resolv-no-syslog", "no-proc-debians-tcpserver", "own-listener", "units"])
def test_installed(mount_point, lab, settings):
    assert os.path.exists("/usr/bin/tcpserver"), "ucspi-tcp is missing: make deps"
    result = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", "/usr/bin/python3",
         f"{HERE}/lab.py", lab, BIN, TOP, *settings],
        capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]


SETUP = r"""
set -e
mkdir $LAB/etc && cp -a /etc/. $LAB/etc && rm -f $LAB/etc/*.lock $LAB/etc/.pwd.lock && mount --bind $LAB/etc /etc
for f in passwd shadow group gshadow; do
	grep -Ev '^(alias|qmail.|qmail|nofiles):' $LAB/etc/$f >$LAB/new || true; cat $LAB/new >$LAB/etc/$f
done
mount -t tmpfs -o mode=755 none /var/qmail
mount -t tmpfs -o mode=755 none /usr/local
mkdir /usr/local/bin && echo mine >/usr/local/bin/tai64n
cd $TOP
check() { DESTDIR= HOME_DIR=/var/qmail mk/instcheck.sh $BIN; }
install() { DESTDIR= HOME_DIR=/var/qmail PREFIX=/usr/local mk/install.sh $BIN; }
install
check
echo == setup
/var/qmail/bin/quill setup --print >$LAB/shown
/var/qmail/bin/quill setup >$LAB/done
cmp $LAB/shown $LAB/done
wc -l <$LAB/done
check
/var/qmail/bin/quill setup
getent passwd alias qmailq | cut -d: -f1,6
echo == spoilt
chmod 4755 /var/qmail/bin/qmail-queue; chown 1 /var/qmail/queue; chgrp 1 /var/qmail/bin
rm /var/qmail/bin/qmail-send /var/qmail/boot -r; mkdir /var/qmail/bin/qmail-send
check
rmdir /var/qmail/bin/qmail-send
install; check
readlink /usr/local/bin/svc /usr/local/bin/quill /usr/local/share/man/man8/svc.8
cat /usr/local/bin/tai64n
ls /usr/local/bin | grep -c -x -e sendmail -e qmail-send -e config || true
"""


def test_setup(mount_point, lab):
    """What `make setup check` and `quill setup` do on a machine without the accounts."""
    p = subprocess.run(["unshare", "--mount", "sh", "-c", SETUP], env={**os.environ, "LAB": lab, "TOP": TOP, "BIN": BIN},
                       capture_output=True, text=True, timeout=120, check=False)
    assert p.returncode == 0, p.stdout[-3000:] + p.stderr[-3000:]
    assert p.stdout.splitlines() == [
        "kept /usr/local/bin/tai64n, which is not ours", "installed in /var/qmail",
        "instcheck: warning: some of the accounts do not exist; as root, /var/qmail/bin/quill setup makes them",
        "== setup", "10", "alias:/var/qmail/alias", "qmailq:/var/qmail",
        "== spoilt",
        "instcheck: warning: /var/qmail/bin has wrong group",
        "instcheck: warning: /var/qmail/boot does not exist",
        "instcheck: warning: /var/qmail/queue has wrong owner",
        "instcheck: warning: /var/qmail/bin/qmail-queue has wrong permissions",
        "instcheck: warning: /var/qmail/bin/qmail-send has wrong type",
        "kept /usr/local/bin/tai64n, which is not ours", "installed in /var/qmail",
        "/var/qmail/bin/svc", "/var/qmail/bin/quill", "/var/qmail/man/man8/svc.8", "mine", "0"]


def systemd_has(tool):
    return shutil.which(tool) is not None


@pytest.mark.skipif(not systemd_has("systemd-sysusers"), reason="needs systemd's tools")
def test_systemd_files(lab):
    """systemd understands the units, and makes the same accounts and directories as we do."""
    os.mkdir(f"{lab}/etc")
    subprocess.run([f"{TOP}/mk/install-systemd.sh", "/usr/lib"], env={**os.environ, "DESTDIR": lab}, cwd=TOP, check=True,
                   stdout=subprocess.DEVNULL)
    p = subprocess.run(["systemd-sysusers", f"--root={lab}"], capture_output=True, text=True, check=False)
    assert p.returncode == 0, p.stderr
    with open(f"{lab}/etc/passwd") as f:
        users = {line.split(":")[0]: line.split(":")[3] for line in f}
    with open(f"{lab}/etc/group") as f:
        groups = {line.split(":")[2]: line.split(":")[0] for line in f}
    assert {u: groups[g] for u, g in users.items()} == {
        "alias": "nofiles", "qmaild": "nofiles", "qmaill": "nofiles", "qmailp": "nofiles", "qmailn": "nofiles",
        "qmailq": "qmail", "qmailr": "qmail", "qmails": "qmail"}
    p = subprocess.run(["systemd-tmpfiles", f"--root={lab}", "--create", "quillmail.conf"], capture_output=True, text=True,
                       check=False)
    assert p.returncode == 0, p.stderr
    assert os.stat(f"{lab}/var/qmail/queue").st_mode & 0o7777 == 0o700
    assert os.stat(f"{lab}/var/qmail/alias").st_mode & 0o7777 == 0o2755
    units = [f"{lab}/usr/lib/systemd/system/{u}" for u in sorted(os.listdir(f"{lab}/usr/lib/systemd/system"))]
    assert len(units) == 4
    for unit in units:
        p = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
        complaints = [line for line in p.stderr.splitlines() if "is not executable" not in line]
        assert not complaints, complaints

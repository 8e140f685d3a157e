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
    (), ("without=resolv,syslog",), ("without=proc",), ("listener=own",),
], ids=["plain", "no-resolv-no-syslog", "no-proc", "own-listener"])
def test_installed(mount_point, lab, settings):
    assert shutil.which("tcpserver"), "ucspi-tcp is missing: make deps"
    result = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", "/usr/bin/python3",
         f"{HERE}/lab.py", lab, BIN, TOP, *settings],
        capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]

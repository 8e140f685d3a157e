"""What is broken at the start is said in one line: what, where, what to do. Nothing is left running."""
import os
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from quilltest import BIN, Instance, program, wait_until

# Lines that are no complaint.
ORDINARY = re.compile(r"^(status: |resolve: asking |qmail-smtpd: listening |quill: ready)")


@pytest.fixture
def broken(make_instance):
    def make(**options):
        return make_instance("joe", start=False, **options)
    return make


def attempt(instance, *command):
    """Runs `quill up` (or command) to its end. (exit code, complaints); fails if it stays or leaves something."""
    try:
        out = instance.run(*(command or (program("quill"), "up", instance.home)), check=False, timeout=20)
    except subprocess.TimeoutExpired as e:
        raise AssertionError(f"it runs: {e.stdout}{e.stderr}") from None
    wait_until(lambda: not instance.leftovers(), 5, "all processes to end")
    lines = (out.stdout + out.stderr).decode(errors="replace").splitlines()
    return out.returncode, [line for line in lines if not ORDINARY.search(line)]


def refuses(instance, pattern, codes=(100, 111), command=()):
    code, complaints = attempt(instance, *command)
    assert code in codes, complaints
    assert len(complaints) == 1 and re.search(pattern, complaints[0]), complaints


def own(instance, path, mode=None):
    if instance.as_root:
        os.chown(path, instance.uid, instance.gid)
    if mode is not None:
        os.chmod(path, mode)


def make_dir(instance, path, mode=0o755):
    path = f"{instance.home}/{path}"
    if os.path.isfile(path):
        os.unlink(path)
    os.makedirs(path)
    own(instance, path, mode)


CONTROLS = {
    # name: (file, contents or None for "is a directory", what is said)
    "empty me": ("me", "", r"control/me is missing or empty; write"),
    "me is a directory": ("me", None, r"control/me: it is a directory"),
    "endless me": ("me", "a" * 10_000_000, r"control/me.* too l"),
    "locals is a directory": ("locals", None, r"control/locals: it is a directory"),
    "rcpthosts is a directory": ("rcpthosts", None, r"control/rcpthosts: it is a directory"),
    "smtproutes is a directory": ("smtproutes", None, r"control/smtproutes: it is a directory"),
    "endless defaultdelivery": ("defaultdelivery", "./a\n" * 3_000_000, r"control/defaultdelivery"),
    "no name server": ("dnsservers", "nonsense\n", r"control/dnsservers: nonsense is not"),
    "no address": ("smtplisten", "foo bar\n", r"foo bar is not ADDRESS:PORT"),
    "no addresses": ("smtplisten", "", r"control/smtplisten names no address"),
    "junk in the greeting": ("smtpgreeting", b"a\0b\rc\n", r"control/smtpgreeting has control characters"),
}


@pytest.mark.parametrize("case", CONTROLS)
def test_control_files(broken, case):
    name, contents, said = CONTROLS[case]
    instance = broken()
    if contents is None:
        make_dir(instance, f"control/{name}")
    else:
        instance.write(f"control/{name}", contents)
    refuses(instance, said)


def test_no_me(broken):
    instance = broken()
    instance.control(me=None)
    refuses(instance, r"control/me is missing or empty; write the host's full name to it")


@pytest.mark.skipif(os.getuid() != 0, reason="files of somebody else need root")
@pytest.mark.parametrize("name", ["me", "locals", "badmailfrom", "smtproutes"])
def test_unreadable_control_file(broken, name):
    instance = broken()
    path = instance.write(f"control/{name}", "a.test\n", 0o600)
    os.chown(path, 0, 0)
    refuses(instance, rf"control/{name}: access denied")


@pytest.mark.parametrize("name", ["locals", "virtualdomains", "rcpthosts", "percenthack"])
def test_junk_and_length_in_lists_do_no_harm(broken, name):
    """Every line that cannot match is ignored; mail goes on."""
    instance = broken()
    domains = b"a.test\n" if name in ("locals", "rcpthosts") else b""
    instance.write(f"control/{name}", domains + bytes(range(1, 256)) * 20 + b"\n" + b"x.y.z\n" * 300_000)
    instance.start()
    instance.send("s@b.test", ["joe@a.test"], b"Subject: x\n\nbody\n")
    instance.wait_delivered("joe", 1)


def test_no_control_directory(broken):
    instance = broken()
    shutil.rmtree(f"{instance.home}/control")
    refuses(instance, r"control.*missing")


def test_home(broken):
    instance = broken()
    refuses(instance, r"nowhere: file does not exist", command=(program("quill"), "up", f"{instance.dir}/nowhere"))
    refuses(instance, r"control/me: not a directory",
            command=(program("quill"), "up", f"{instance.home}/control/me"))


@pytest.mark.skipif(os.getuid() != 0, reason="directories of somebody else need root")
@pytest.mark.parametrize("path", ["queue", "run"])
def test_directory_of_somebody_else(broken, path):
    instance = broken()
    os.makedirs(f"{instance.home}/{path}", exist_ok=True)
    os.chown(f"{instance.home}/{path}", 0, 0)
    refuses(instance, rf"{path} belongs to uid 0 and must belong to uid {instance.uid}; chown it")


@pytest.mark.parametrize("mode, said", [(0o777, "by others; chmod it to 750"), (0o770, "by others; chmod it to 750"),
                                        (0o050, "chmod it to 750")])
def test_mode_of_the_queue(broken, mode, said):
    instance = broken()
    make_dir(instance, "queue", mode)
    refuses(instance, rf"/queue .*{said}")


@pytest.mark.parametrize("path", ["queue", "queue/journal", "queue/body", "queue/lock", "run"])
def test_file_in_place_of_a_directory(broken, path):
    instance = broken()
    if path.startswith("queue/"):
        make_dir(instance, "queue", 0o750)
    shutil.rmtree(f"{instance.home}/{path}", ignore_errors=True)
    instance.write(path, "")
    refuses(instance, rf"/{path} is not a directory; move it away")


@pytest.mark.parametrize("name", ["journal", "queue", "lspawn", "rspawn", "resolve"])
def test_something_in_the_way_of_a_socket(broken, name):
    instance = broken()
    path = instance.write(f"run/{name}", "precious")
    refuses(instance, rf"run/{name} is in the way and is not a socket; remove it")
    with open(path) as f:
        assert f.read() == "precious"
    os.unlink(path)
    make_dir(instance, f"run/{name}")
    refuses(instance, rf"run/{name} is in the way and is not a socket; remove it")


def test_stale_sockets_are_no_obstacle(broken):
    instance = broken()
    for name in ("journal", "queue", "lspawn", "rspawn", "resolve"):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(f"{instance.home}/run/{name}")
        own(instance, f"{instance.home}/run/{name}")
    instance.start()
    instance.send("s@b.test", ["joe@a.test"], b"Subject: x\n\nbody\n")
    instance.wait_delivered("joe", 1)


def test_port_in_use(broken):
    instance = broken()
    with socket.create_server(("127.0.0.1", instance.port)):
        refuses(instance, rf"unable to listen on 127\.0\.0\.1:{instance.port}: address already used")


def test_second_on_the_same_home(broken):
    instance = broken()
    instance.start()
    out = instance.run(program("quill"), "up", instance.home, check=False, timeout=20)
    lines = (out.stdout + out.stderr).decode().splitlines()
    assert out.returncode == 111 and len(lines) == 1, lines
    assert "already running in" in lines[0] and "stop it first" in lines[0]
    instance.send("s@b.test", ["joe@a.test"], b"Subject: x\n\nbody\n")
    instance.wait_delivered("joe", 1)


@pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")
def test_read_only_home(broken):
    instance = broken()
    subprocess.run(("mount", "--bind", instance.home, instance.home), check=True)
    try:
        subprocess.run(("mount", "-o", "remount,bind,ro", instance.home), check=True)
        refuses(instance, r"unable to .* (read-only|read only)")
    finally:
        subprocess.run(("umount", instance.home), check=True)


def test_strange_home():
    """Spaces, and longer than a socket's address may be."""
    top = tempfile.mkdtemp(prefix="quill.", dir="/tmp")
    below = f"{top}/a directory with spaces/{'long' * 40}"
    try:
        os.makedirs(below)
        os.chmod(top, 0o755)
        with Instance(below=below) as instance:
            instance.add_user("joe")
            instance.start()
            instance.send("s@b.test", ["joe@a.test"], b"Subject: x\n\nbody\n")
            instance.inject("joe@a.test")
            instance.wait_delivered("joe", 2)
            assert b"messages in queue: 0" in instance.run(program("qmail-qstat")).stdout
            out = instance.run(program("quill"), "status", instance.home)
            assert out.returncode == 0
    finally:
        shutil.rmtree(top)


@pytest.mark.parametrize("missing", ["qmail-journal", "qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-resolve",
                                     "qmail-smtpd", "qmail-start"])
def test_missing_program(broken, missing):
    instance = broken()
    copy = f"{instance.dir}/bin"
    shutil.copytree(BIN, copy)
    os.chmod(copy, 0o755)
    os.unlink(f"{copy}/{missing}")
    refuses(instance, rf"{missing}", command=(f"{copy}/quill", "up", instance.home))


@pytest.mark.parametrize("damage", ["head", "empty", "middle", "short"])
def test_corrupt_segment(broken, damage):
    """Costs what it held, is kept aside, and stops nothing."""
    instance = broken(control={"concurrencylocal": "0"})
    instance.start()
    for n in range(3):
        instance.send("s@b.test", ["joe@a.test"], b"Subject: %d\n\n" % n + b"x" * 70_000 + b"\n")
    instance.stop()
    journal = f"{instance.home}/queue/journal"
    path = f"{journal}/{sorted(n for n in os.listdir(journal) if n.endswith('.journal'))[-1]}"
    with open(path, "r+b") as f:
        if damage == "head":
            f.write(b"\xff" * 200)
        elif damage == "middle":
            f.seek(100_000)
            f.write(b"\xff" * 200)
        else:
            f.truncate(0 if damage == "empty" else 150_000)
    instance.control(concurrencylocal="10")
    instance.start()
    instance.send("s@b.test", ["joe@a.test"], b"Subject: new\n\nbody\n")
    wait_until(lambda: any(b"Subject: new" in m for m in instance.maildir("joe")), 10, "new mail")
    if damage == "middle":
        instance.wait_delivered("joe", 3)
    if damage in ("head", "middle"):
        assert re.search(r"warning: .*queue/corrupt", instance.log())
        assert os.listdir(f"{instance.home}/queue/corrupt")


def test_unusable_segment(broken):
    instance = broken()
    instance.control(concurrencylocal="0")
    instance.start()
    instance.inject("joe@a.test")
    instance.stop()
    journal = f"{instance.home}/queue/journal"
    name = sorted(n for n in os.listdir(journal) if n.endswith(".journal"))[-1]
    os.unlink(f"{journal}/{name}")
    make_dir(instance, f"queue/journal/{name}")
    refuses(instance, rf"queue/journal/{name}: is a directory")


def test_run_disappears(broken):
    """Without its sockets nobody new gets in: temporary errors, no loss; a new start repairs it."""
    instance = broken()
    instance.start()
    shutil.rmtree(f"{instance.home}/run")
    assert instance.queue(b"Subject: x\n\n", "s@b.test", "joe@a.test", check=False) in range(51, 92)
    with instance.smtp() as session:
        session.ehlo()
        session.mail("s@b.test")
        session.rcpt("joe@a.test")
        code = session.docmd("DATA")[0]
        if code == 354:
            session.send(b"Subject: x\r\n\r\nbody\r\n.\r\n")
            code = session.getreply()[0]
        assert 400 <= code < 500
    instance.stop()
    instance.start()
    instance.send("s@b.test", ["joe@a.test"], b"Subject: x\n\nbody\n")
    instance.wait_delivered("joe", 1)

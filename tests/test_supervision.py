"""
Programs that start others and keep them running, against the originals: where Debian's package daemontools is
installed, both get the same and must answer the same. Mixed use too: our svc on their supervise, and so on.
"""
import os
import re
import select
import signal
import struct
import subprocess
import tempfile
import time

import pytest

from quilltest import BIN, program, wait_until

ORIGINAL = "/usr/bin"
needs_original = pytest.mark.skipif(not os.path.exists(f"{ORIGINAL}/supervise"), reason="daemontools is not installed")
PATH = "/usr/bin:/bin"


def command(kind, name):
    return program(name) if kind == "ours" else f"{ORIGINAL}/{name}"


def run(kind, name, *arguments, cwd="/", stdin=b"", **environment):
    p = subprocess.run([command(kind, name), *arguments], input=stdin, cwd=cwd, capture_output=True, timeout=60,
                       env={"PATH": PATH, "HOME": "/x", **environment}, check=False)
    # getopt's complaint begins with the program as it was called
    return p.returncode, p.stdout, p.stderr.replace(os.path.dirname(command(kind, name)).encode() + b"/", b"")


def same(name, *arguments, **options):
    original, ours = run("theirs", name, *arguments, **options), run("ours", name, *arguments, **options)
    assert ours == original
    return ours


@pytest.fixture
def there(tmp_path):
    """A directory with an envdir of every kind of file, and some files."""
    env = tmp_path / "env"
    env.mkdir()
    for name, content in {"A": b"v1 \t\nsecond", "HOME": b"", "N": b"a\0b", "E": b"\n", "S": b"  x y ", "PATH": b"/bin:/usr/bin",
                          ".hidden": b"no", "x=y": b"strange", "NOLF": b"last"}.items():
        (env / name).write_bytes(content)
    (tmp_path / "bad" / "sub").mkdir(parents=True)
    (tmp_path / "noexec").write_bytes(b"")
    (tmp_path / "script").write_bytes(b"echo not a program\n")
    (tmp_path / "script").chmod(0o755)
    return tmp_path


CALLS = """
setuidgid|setuidgid nobody|setuidgid no-such-account true|setuidgid nobody id|setuidgid nobody no-such-program
setuidgid root sh -c 'exit 7'|envuidgid|envuidgid nobody|envuidgid no-such-account true
envuidgid nobody sh -c 'echo $UID.$GID'|envuidgid nobody id -un
envdir|envdir env|envdir none true|envdir env sh -c env|envdir bad true|envdir env no-such-program
softlimit|softlimit -x|softlimit -o|softlimit -o abc true|softlimit -o 12x true|softlimit -o20 sh -c 'ulimit -n; ulimit -Hn'
softlimit -o= sh -c 'ulimit -n'|softlimit -o 999999999999999999999999 sh -c 'ulimit -n'|softlimit -o -5 true
softlimit -m 300000000 sh -c 'ulimit -S -a'|softlimit -a 400000000 -c 0 -d 300000000 -f 1000000 -l 4096 -p 1000 -r 99999 -s 1000000 -t 77 sh -c 'ulimit -S -a'
softlimit -t 5|softlimit -t 5 no-such-program|softlimit -c0 -- true|softlimit -o30 -o40 sh -c 'ulimit -n'
setlock|setlock -q a b|setlock none/x true|setlock -x none/x true|setlock -n l|setlock l no-such-program|setlock -nx l sh -c 'exit 3'
setlock l sh -c 'stat -c %a l'|setlock -xX none/x true
pgrphack|pgrphack no-such-program|pgrphack sh -c 'test $(ps -o sid= -p $$) = $$'
fghack|fghack no-such-program|fghack sh -c 'exit 3'|fghack sh -c 'kill -9 $$'|fghack sh -c '(sleep 0.3; echo late) & exit 4'
svok|svok none|svok env|svok env bad|svok noexec|svc|svc -q env|svc -u env|svc -u none|svc -x noexec|svc env|svstat|svstat env none noexec
supervise|supervise a b|supervise none|readproctitle|readproctitle abcd|readproctitle x abcdef|svscan none
setuidgid nobody ./noexec|setuidgid nobody ./env|setuidgid root ./script|envdir env ./script
"""


@needs_original
@pytest.mark.parametrize("line", [c for c in CALLS.replace("\n", "|").split("|") if c])
def test_calls(there, line):
    import shlex
    words = shlex.split(line)
    if words[0] == "setuidgid" and os.getuid() != 0 and len(words) > 2:
        pytest.skip("needs root")
    if words[0] == "softlimit" and "sanitize" in BIN and {"-m", "-a"} & set(words):
        pytest.skip("instrumented programs need more memory")
    code, out, _ = same(words[0], *words[1:], cwd=there)
    if words[:3] == ["envdir", "env", "sh"]:
        assert set(out.split(b"\n")) >= {b"A=v1", b"N=a", b"b", b"E=", b"S=  x y"} and b"HOME" not in out and code == 0


@needs_original
@pytest.mark.parametrize("path,code", [("/none:/etc:/bin", 0), ("/etc/passwd:/bin", 111), ("", 111), (":/bin", 0), ("/etc", 111)])
def test_where_programs_are_looked_for(there, path, code):
    """Past what is not there or not for us; anything else ends the search."""
    for name in ("sh", "hosts", "noexec"):
        found = same("pgrphack", name, "-c", "true", cwd=there, PATH=path)[0]
        assert found == (code if name == "sh" else 111)


def test_out_of_memory():
    with tempfile.TemporaryFile() as f:
        f.write(b"a" * 40_000_000)
        f.seek(0)
        p = subprocess.run(["sh", "-c", 'ulimit -v 30000; exec "$0" /tmp/none.cdb /tmp/none.tmp', program("setforward")], stdin=f,
                           capture_output=True, check=False)
    if "sanitize" not in BIN:
        assert (p.returncode, p.stderr) == (111, b"setforward: fatal: out of memory\n")


@needs_original
@pytest.mark.parametrize("holder", ["ours", "theirs"])
@pytest.mark.parametrize("other", ["ours", "theirs"])
def test_setlock_excludes(tmp_path, holder, other):
    tries = f"{command(other, 'setlock')} -n l echo got; echo $?; {command(other, 'setlock')} -nx l echo got; echo $?"
    code, out, err = run(holder, "setlock", "l", "sh", "-c", tries, cwd=tmp_path)
    assert (code, out, err) == (0, b"111\n0\n", b"setlock: fatal: unable to lock l: temporary failure\n")
    assert run(other, "setlock", "-n", "l", "echo", "free", cwd=tmp_path)[1] == b"free\n"


def test_setlock_waits(tmp_path):
    with subprocess.Popen([program("setlock"), "l", "sh", "-c", "echo locked; cat"], cwd=tmp_path,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout.readline() == b"locked\n"
        with subprocess.Popen([program("setlock"), "l", "echo", "mine"], cwd=tmp_path, stdout=subprocess.PIPE) as second:
            time.sleep(0.2)
            assert second.poll() is None
            first.stdin.close()
            assert second.stdout.read() == b"mine\n" and second.wait() == 0


def test_readproctitle_shows_the_end():
    with subprocess.Popen([program("readproctitle"), "errors:", "." * 20], stdin=subprocess.PIPE) as p:
        def title():
            with open(f"/proc/{p.pid}/cmdline", "rb") as f:
                return f.read().split(b"\0")[-2:][0]  # nothing yet, while it starts
        p.stdin.write(b"oh\0!")
        p.stdin.flush()
        wait_until(lambda: title() == b"." * 17 + b"oh!", 10, "a short title")
        p.stdin.write(b"abcdefghijklmnopqrstuvwxyz\n")
        p.stdin.flush()
        wait_until(lambda: title() == b"...klmnopqrstuvwxyz\n", 10, "a full title")
        p.stdin.close()
        assert p.wait() == 0


@pytest.mark.parametrize("name", ["setuser", "errorsto"])
def test_older_names(tmp_path, name):
    if name == "setuser":
        account = "nobody" if os.getuid() == 0 else None
        if account:
            assert run("ours", "setuser", account, "id", "-un")[1] == b"nobody\n"
        assert run("ours", "setuser", "no-such-account", "true") == (
            111, b"", b"setuser: fatal: unknown account no-such-account\n")
        return
    for word in ("one", "two"):
        assert run("ours", "errorsto", "log", "sh", "-c", f"echo out; echo {word} >&2", cwd=tmp_path) == (0, b"out\n", b"")
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"
    assert run("ours", "errorsto", "log", cwd=tmp_path) == (100, b"", b"")
    assert run("ours", "errorsto", "no/log", "true", cwd=tmp_path) == (111, b"", b"")
    assert run("ours", "errorsto", "log", "no-such-program", cwd=tmp_path) == (111, b"", b"")


RUN = """#!/bin/sh
echo start >>events
trap 'echo hup >>events' HUP
trap 'echo int >>events' INT
trap 'echo alrm >>events' ALRM
trap 'echo term >>events; exit 0' TERM
while :; do sleep 0.05; done
"""


class Service:
    """A service directory and its supervise, ours or the original."""

    def __init__(self, directory, kind, script=RUN, down=False, start=True):
        self.directory, self.kind = directory, kind
        os.makedirs(directory, exist_ok=True)
        with open(f"{directory}/run", "w") as f:
            f.write(script)
        os.chmod(f"{directory}/run", 0o755)
        if down:
            open(f"{directory}/down", "w").close()
        self.process = None
        if start:
            self.start()

    def start(self):
        self.process = subprocess.Popen([command(self.kind, "supervise"), self.directory], stderr=subprocess.PIPE,
                                        env={"PATH": PATH})
        wait_until(lambda: run("ours", "svok", self.directory)[0] == 0, 10, "supervise")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            run("ours", "svc", "-dkx", self.directory)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stderr.close()

    def status(self):
        with open(f"{self.directory}/supervise/status", "rb") as f:
            packed = f.read()
        assert len(packed) == 18
        seconds, nanoseconds = struct.unpack(">QI", packed[:12])
        assert abs(seconds - (1 << 62) - 10 - time.time()) < 100 and nanoseconds < 10**9
        return struct.unpack("<I", packed[12:16])[0], packed[16], packed[17:18]

    def events(self):
        try:
            with open(f"{self.directory}/events") as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def until(self, condition, what):
        wait_until(lambda: condition(self), 20, what)


def says(kind, directory):
    code, out, err = run(kind, "svstat", directory)
    assert code == 0 and err == b""
    return re.sub(r"\d+", "N", out.decode().replace(directory + ": ", ""))


PAIRS = [("ours", "ours"), pytest.param("ours", "theirs", marks=needs_original),
         pytest.param("theirs", "ours", marks=needs_original)]


@pytest.mark.parametrize("supervise, svc", PAIRS)
def test_service_obeys(tmp_path, supervise, svc):
    directory = f"{tmp_path}/s"
    with Service(directory, supervise, down=True) as s:
        assert says(svc, directory) == "down N seconds\n"
        assert s.status() == (0, 0, b"d")
        assert run(svc, "svc", "-u", directory) == (0, b"", b"")
        s.until(lambda s: s.events() == ["start"] and s.status()[0], "the start")
        pid = s.status()[0]
        assert says(svc, directory) == "up (pid N) N seconds, normally down\n"
        for letter, word in (("h", "hup"), ("a", "alrm"), ("i", "int")):
            run(svc, "svc", f"-{letter}", directory)
            s.until(lambda s: s.events()[-1] == word, word)
        run(svc, "svc", "-p", directory)
        s.until(lambda s: s.status() == (pid, 1, b"u"), "a pause")
        assert says(svc, directory) == "up (pid N) N seconds, normally down, paused\n"
        run(svc, "svc", "-c", directory)
        s.until(lambda s: s.status() == (pid, 0, b"u"), "the end of the pause")
        run(svc, "svc", "-t", directory)
        s.until(lambda s: s.events()[-2:] == ["term", "start"] and s.status()[0] not in (0, pid), "a new start")
        # paused as it is, "down" must reach it
        run(svc, "svc", "-p", "-d", directory)
        s.until(lambda s: s.status() == (0, 0, b"d"), "the end")
        assert s.events()[-1] == "term"
        run(svc, "svc", "-o", directory)
        s.until(lambda s: s.status()[0] and s.status()[2] == b"\0" and s.events()[-1] == "start", "one start")
        run(svc, "svc", "-kx", directory)
        assert s.process.wait(20) == 0
        assert s.process.stderr.read() == b""
        assert says(svc, directory) == "supervise not running\n"
        assert run(svc, "svok", directory)[0] == 100
        assert run(svc, "svc", "-u", directory)[2] == (
            f"svc: warning: unable to control {directory}: supervise not running\n".encode())


def test_service_restarts_at_most_once_a_second(tmp_path):
    with Service(f"{tmp_path}/s", "ours", "#!/bin/sh\ndate +%s%N >>times\nexit 1\n") as s:
        s.until(lambda s: os.path.exists(f"{tmp_path}/s/times") and
                open(f"{tmp_path}/s/times").read().count("\n") >= 3, "three starts")
        with open(f"{tmp_path}/s/times") as f:
            times = [int(t) for t in f.read().split()]
        assert all(later - earlier > 0.99e9 for earlier, later in zip(times, times[1:]))
        run("ours", "svc", "-o", s.directory)
        s.until(lambda s: s.status() == (0, 0, b"\0"), "no further start")


@pytest.mark.parametrize("kind", ["ours", pytest.param("theirs", marks=needs_original)])
def test_one_supervise_a_directory(tmp_path, kind):
    with Service(f"{tmp_path}/s", kind, down=True):
        for second in ("ours",) if kind == "ours" and not os.path.exists(f"{ORIGINAL}/supervise") else ("ours", "theirs"):
            assert run(second, "supervise", f"{tmp_path}/s") == (
                111, b"", f"supervise: fatal: unable to acquire {tmp_path}/s/supervise/lock: temporary failure\n".encode())


@pytest.mark.parametrize("kind", ["ours", pytest.param("theirs", marks=needs_original)])
def test_supervise_files(tmp_path, kind):
    os.makedirs(f"{tmp_path}/s")
    os.symlink(f"{tmp_path}/elsewhere", f"{tmp_path}/s/supervise")
    with Service(f"{tmp_path}/s", kind, down=True) as s:
        modes = {n: os.stat(f"{tmp_path}/elsewhere/{n}").st_mode for n in os.listdir(f"{tmp_path}/elsewhere")}
        assert modes == {"lock": 0o100600, "control": 0o010600, "ok": 0o010600, "status": 0o100644}
        assert os.stat(f"{tmp_path}/elsewhere").st_mode == 0o040700
        os.remove(f"{s.directory}/run")
        run("ours", "svc", "-u", s.directory)
        line = s.process.stderr.readline()
        assert line == f"supervise: fatal: unable to start {s.directory}/run: file does not exist\n".encode()


def test_supervise_follows_no_links_to_files(tmp_path):
    """Its directory may belong to somebody who may control the service, and nothing else."""
    with open(f"{tmp_path}/precious", "w", encoding="ascii") as f:
        f.write("precious")
    for name in ("status.new", "lock"):
        os.makedirs(f"{tmp_path}/{name}/supervise")
        os.symlink(f"{tmp_path}/precious", f"{tmp_path}/{name}/supervise/{name}")
    with Service(f"{tmp_path}/status.new", "ours", down=True) as s:
        assert select.select([s.process.stderr], [], [], 20)[0], "no warning"
        assert s.process.stderr.readline().startswith(b"supervise: warning: unable to open ")
    code, _, err = run("ours", "supervise", f"{tmp_path}/lock")
    assert code == 111 and err.startswith(b"supervise: fatal: unable to acquire ")
    with open(f"{tmp_path}/precious", encoding="ascii") as f:
        assert f.read() == "precious"


def test_supervise_killed_leaves_the_service(tmp_path):
    """A new supervise takes the place of one that was killed; the old service is an orphan, as ever."""
    with Service(f"{tmp_path}/s", "ours") as s:
        s.until(lambda s: s.events() == ["start"], "the start")
        old = s.status()[0]
        s.process.kill()
        s.process.wait()
        s.process.stderr.close()
        assert says("ours", s.directory) == "supervise not running\n"
        s.start()
        s.until(lambda s: s.events() == ["start", "start"], "a second start")
        os.kill(old, signal.SIGKILL)


def test_fifo(tmp_path):
    p = subprocess.Popen([program("fifo"), f"{tmp_path}/pipe"], stdout=subprocess.PIPE)
    wait_until(lambda: os.path.exists(f"{tmp_path}/pipe"), 10, "the pipe")
    try:
        assert os.stat(f"{tmp_path}/pipe").st_mode == 0o010600
        for words in (b"one\n", b"two\n"):
            with open(f"{tmp_path}/pipe", "wb") as f:
                f.write(words)
            assert p.stdout.readline() == words
        assert p.poll() is None
    finally:
        p.kill()
        p.communicate()
    (tmp_path / "file").touch()
    assert run("ours", "fifo", f"{tmp_path}/file")[:2] == (111, b"")
    assert run("ours", "fifo", f"{tmp_path}/no/pipe") == (
        111, b"", f"fifo: fatal: unable to create {tmp_path}/no/pipe: file does not exist\n".encode())
    assert run("ours", "fifo") == (100, b"", b"fifo: usage: fifo file\n")


@pytest.mark.parametrize("kind", ["ours", pytest.param("theirs", marks=needs_original)])
def test_testfilelock(tmp_path, kind):
    assert run("ours", "testfilelock", f"{tmp_path}/lock")[0] == 111
    assert run(kind, "setlock", f"{tmp_path}/lock", program("testfilelock"), f"{tmp_path}/lock") == (0, b"", b"")
    assert run("ours", "testfilelock", f"{tmp_path}/lock") == (100, b"", b"")
    assert run("ours", "testfilelock") == (100, b"", b"testfilelock: usage: testfilelock file\n")


class OlderService:
    """supervise DIR PROGRAM, and what its directory says."""

    def __init__(self, directory, *options):
        os.makedirs(directory)
        self.directory = directory
        self.process = subprocess.Popen([program("supervise"), *options, directory, "sh", "-c", "pwd; exec sleep 1000"],
                                        env={"PATH": PATH}, cwd="/", stdout=subprocess.PIPE, text=True)
        wait_until(lambda: os.path.exists(f"{directory}/status"), 10, "supervise")

    def says(self):
        code, out, err = run("ours", "svstat", self.directory)
        assert (code, err) == (0, b"")
        seconds, rest = out.decode().split(" ", 1)
        assert abs(int(seconds) - time.time()) < 1000
        return re.sub(r"pid \d+", "pid N", rest.strip())

    def tell(self, letters, then):
        assert run("ours", "svc", "-" + letters, self.directory) == (0, b"", b"")
        wait_until(lambda: self.says() == then, 10, then)

    def end(self):
        run("ours", "svc", "-dkx", self.directory)
        assert self.process.wait(20) == 0
        self.process.stdout.close()


def test_older_supervise(tmp_path):
    s = OlderService(f"{tmp_path}/s")
    try:
        assert s.process.stdout.readline() == "/\n"
        status = (tmp_path / "s" / "status").read_bytes()
        seconds, nanoseconds, rest, pid = struct.unpack(">QII", status[:16]) + struct.unpack("<I", status[16:20])
        assert abs(seconds - (1 << 62) - time.time()) < 100 and nanoseconds < 10**9 and rest == 0
        assert status[20:] == b"\1\0u"
        wait_until(lambda: os.readlink(f"/proc/{pid}/exe").endswith("sleep"), 10, "the program")
        assert {n: os.stat(f"{tmp_path}/s/{n}").st_mode for n in os.listdir(f"{tmp_path}/s")} == {
            "lock": 0o100600, "svcontrol": 0o010600, "status": 0o100644}
        assert run("ours", "supervise", s.directory, "true")[0] == 111
        s.tell("p", "up pid N, paused")
        s.tell("c", "up pid N")
        s.tell("s", "up pid N, normally down")
        s.tell("d", "down")
        s.tell("r", "down, normally up")
        s.tell("u", "up pid N")
    finally:
        s.end()
    assert run("ours", "svc", "-u", s.directory)[2] == (
        f"svc: warning: unable to control {s.directory}: supervise not running\n".encode())


def test_older_supervise_begins_as_told(tmp_path):
    for number, (option, words) in enumerate([("-s", "down"), ("-d", "down, normally up"), ("-o", "up pid N"),
                                              ("-sr", "up pid N"), ("-su", "up pid N, normally down")]):
        s = OlderService(f"{tmp_path}/{number}", option)
        try:
            wait_until(lambda s=s, words=words: s.says() == words, 10, words)
        finally:
            s.end()


def test_what_is_no_older_supervise(tmp_path):
    """A service directory of today is not taken for one that only keeps the state of another program."""
    (tmp_path / "run").touch()
    for arguments in (tmp_path, "true"), ("/no/directory", "true"), ("-r", "/tmp"), ("-z", "/tmp", "true"):
        code, _, err = run("ours", "supervise", *map(str, arguments))
        assert code == 100 and err.endswith(b"supervise: usage: supervise dir\n")


@pytest.fixture(params=["ours", pytest.param("theirs", marks=needs_original)])
def scanned(request, tmp_path):
    """A directory under svscan; the supervise that it finds in PATH is the other kind's, where there is one."""
    other = "theirs" if request.param == "ours" and os.path.exists(f"{ORIGINAL}/supervise") else "ours"
    os.makedirs(f"{tmp_path}/bin")
    os.symlink(command(other, "supervise"), f"{tmp_path}/bin/supervise")
    os.makedirs(f"{tmp_path}/scan")
    p = None

    def start():
        nonlocal p
        p = subprocess.Popen([command(request.param, "svscan"), f"{tmp_path}/scan"], stderr=subprocess.PIPE,
                             env={"PATH": f"{tmp_path}/bin:{PATH}"}, start_new_session=True)
        return p
    yield f"{tmp_path}/scan", start
    p.kill()
    for top, _, files in os.walk(f"{tmp_path}"):
        if "run" in files:
            run("ours", "svc", "-dkx", top)
    p.wait()
    p.stderr.close()


LOGGED = "#!/bin/sh\necho begin $$\nwhile read -r line <fifo; do echo \"$line\"; done\n"


def test_svscan(scanned):
    scan, start = scanned
    logged = f"{scan}/logged"
    os.makedirs(f"{logged}/log")
    os.mkfifo(f"{logged}/fifo")
    for directory, script in ((logged, LOGGED), (f"{logged}/log", "#!/bin/sh\nexec cat >>lines\n")):
        with open(f"{directory}/run", "w") as f:
            f.write(script)
        os.chmod(f"{directory}/run", 0o755)
    Service(f"{scan}/plain", "ours", start=False)
    Service(f"{scan}/.ignored", "ours", start=False)
    open(f"{scan}/file", "w").close()
    p = start()

    def lines():
        try:
            with open(f"{logged}/log/lines") as f:
                return f.read().split("\n")
        except FileNotFoundError:
            return []
    wait_until(lambda: len(lines()) == 2 and says("ours", f"{scan}/plain").startswith("up"), 20, "the services")
    assert not os.path.exists(f"{scan}/.ignored/supervise")

    # the log's side is started again, and nothing that was written in between is lost
    run("ours", "svc", "-k", f"{logged}/log")
    with open(f"{logged}/fifo", "w") as f:
        f.write("meanwhile\n")
    wait_until(lambda: "meanwhile" in lines(), 20, "the line")

    # a supervise that ended is started again at the next look
    run("ours", "svc", "-dx", f"{scan}/plain")
    wait_until(lambda: says("ours", f"{scan}/plain") == "supervise not running\n", 20, "its end")
    wait_until(lambda: says("ours", f"{scan}/plain").startswith("up"), 20, "its new start")

    # a directory that went away is forgotten when its supervise ends
    os.rename(f"{scan}/plain", f"{scan}/.plain")
    run("ours", "svc", "-dx", f"{scan}/.plain")
    wait_until(lambda: says("ours", f"{scan}/.plain") == "supervise not running\n", 20, "its end")
    assert p.poll() is None


def test_svscanboot(tmp_path):
    scan = f"{tmp_path}/scan"
    Service(f"{scan}/s", "ours", start=False)
    with Service(f"{scan}/old", "ours", "#!/bin/sh\nexec sleep 1000\n") as old:
        old.until(lambda s: s.status()[0] != 0, "its start")
        open(f"{scan}/old/down", "w").close()
        p = subprocess.Popen([program("svscanboot"), scan])
        assert old.process.wait(20) == 0
        try:
            wait_until(lambda: says("ours", f"{scan}/s").startswith("up"), 20, "the service")
            pid = int(subprocess.run(["pgrep", "-P", str(p.pid), "svscan"], capture_output=True, check=True).stdout)
            reader = int(subprocess.run(["pgrep", "-P", str(p.pid), "readproctitle"], capture_output=True, check=True).stdout)
            with open(f"/proc/{pid}/environ", "rb") as f:
                assert f.read() == (b"PATH=/command:/usr/local/bin:/usr/local/sbin:/bin:/sbin:/usr/bin:/usr/sbin:"
                                    b"/usr/X11R6/bin\0")
            os.mkdir(f"{scan}/broken")

            def title():
                with open(f"/proc/{reader}/cmdline", "rb") as f:
                    return f.read()
            wait_until(lambda: b"unable to start broken/run: file does not exist\n" in title(), 20, "the message")
            assert title().startswith(b"readproctitle\0service\0errors:\0...")
            os.kill(pid, signal.SIGKILL)
        finally:
            for name in os.listdir(scan):
                run("ours", "svc", "-dkx", f"{scan}/{name}")
            assert p.wait(20) == 0

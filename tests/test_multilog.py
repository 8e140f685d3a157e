"""
Programs for logs, multilog above all, against the originals where Debian's package daemontools is installed: the same
input and the same script, the same lines in the same places.
"""
import glob
import itertools
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from quilltest import BIN, program, wait_until

ORIGINAL = "/usr/bin"
needs_original = pytest.mark.skipif(not os.path.exists(f"{ORIGINAL}/multilog"), reason="daemontools is not installed")


def command(kind, name):
    return program(name) if kind == "ours" else f"{ORIGINAL}/{name}"


def run(kind, name, *arguments, cwd="/", stdin=b"", code=0, **environment):
    p = subprocess.run([command(kind, name), *arguments], input=stdin, cwd=cwd, capture_output=True, timeout=60,
                       env={"PATH": "/usr/bin:/bin", **environment}, check=False)
    assert code is None or p.returncode == code, p.stderr
    return p.returncode, p.stdout, p.stderr


def read(path):
    with open(path, "rb") as f:
        return f.read()


def old_files(directory):
    return sorted(glob.glob(f"{directory}/@*"))


def whole(directory):
    """All that a log directory holds, in order."""
    return b"".join(read(f) for f in [*old_files(directory), f"{directory}/current"])


def described(directory):
    """Files of a log directory with sizes and modes; times do not count."""
    return [(re.sub(r"@[0-9a-f]{24}", "@", os.path.basename(f)), os.stat(f).st_size, oct(os.stat(f).st_mode))
            for f in sorted(glob.glob(f"{directory}/*"))]


LINES = b"".join(b"%06d %s\n" % (i, b"x" * 143) for i in range(100))
SPECIAL = (b"short\n\nalpha: beta\nstatus: local 1/10\n" + b"y" * 198 + b"\n" + b"z" * 201 + b"\n" + b"p" * 999 + b"\n" +
           b"q" * 1000 + b"\n" + b"r" * 1001 + b"\n" + b"s" * 30000 + b"\na\0b\n*star*\nno line end")
SCRIPTS = [
    "./d", "n3 s4096 ./d", "s1 n1 ./d", "s99999999 ./d", "-* +a* ./d", "-* +*: *e* ./d e", "e", "-s* e", "=status", "-*z* =status ./d",
    "-* ./d", "-* ./d +* ./e -*a* =status", "q x./d ./d", "./d t", "-*b +*a*b ./d", "s4096 ./d s8192 ./e", "s ./d n ./e", "+* -no* e ./d",
    "-** +**tar** e", "=a =b -* =c",
]


@needs_original
@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts(tmp_path, script):
    results = {}
    for kind in ("theirs", "ours"):
        os.mkdir(tmp_path / kind)
        code, out, err = run(kind, "multilog", *script.split(" "), cwd=tmp_path / kind, stdin=SPECIAL)
        logs = {d: (whole(tmp_path / kind / d), oct(os.stat(tmp_path / kind / d).st_mode)) for d in "de"
                if os.path.exists(tmp_path / kind / d)}
        others = {f: (read(tmp_path / kind / f), oct(os.stat(tmp_path / kind / f).st_mode))
                  for f in sorted(os.listdir(tmp_path / kind)) if f not in logs}
        results[kind] = code, out, err, logs, others
    assert results["ours"] == results["theirs"]


@needs_original
def test_patterns():
    words = ["".join(w) for n in range(5) for w in itertools.product("ab*", repeat=n)]
    lines = ("\n".join(words) + "\n").encode()
    for pattern in ["".join(w) for n in range(4) for w in itertools.product("ab*", repeat=n)][::2] + ["**b", "*a*b", "a*b*"]:
        script = ("-*", f"+{pattern}", "e")
        assert run("ours", "multilog", *script, stdin=lines) == run("theirs", "multilog", *script, stdin=lines), pattern


@needs_original
@pytest.mark.parametrize("script", ["s4096 n5", "s4096 n20", "n2"])
def test_rotation_line_by_line(tmp_path, script):
    """Lines that come one at a time make the same files."""
    for kind in ("theirs", "ours"):
        with subprocess.Popen([command(kind, "multilog"), *script.split(), f"./{kind}"], stdin=subprocess.PIPE, cwd=tmp_path) as p:
            for line in LINES.splitlines(keepends=True)[:60]:
                os.write(p.stdin.fileno(), line)
                time.sleep(0.002)
    # Where two lines came together their files may differ by one line.
    ours, theirs = described(tmp_path / "ours"), described(tmp_path / "theirs")
    assert [f[0] for f in ours] == [f[0] for f in theirs] and [f[2] for f in ours] == [f[2] for f in theirs]
    assert {f[1] for f in ours if f[0] == "@.s"} <= {14 * 151}


@needs_original
def test_stamped_lines(tmp_path):
    patterns = ("t", "-*", "+* alpha*", "+@*.tar*", "e", "=status", "+*", "./d")
    for kind in ("theirs", "ours"):
        os.mkdir(tmp_path / kind)
        err = run(kind, "multilog", *patterns, cwd=tmp_path / kind, stdin=SPECIAL)[2]
        lines = whole(tmp_path / kind / "d").split(b"\n")
        assert lines.pop() == b"" and all(re.fullmatch(rb"@4[0-9a-f]{23} .*", line, re.S) for line in lines)
        stamps = [line[:25] for line in lines]
        assert stamps == sorted(stamps) and b"".join(line[26:] + b"\n" for line in lines) == SPECIAL + b"\n"
        assert re.fullmatch(rb"@4[0-9a-f]{23} alpha: beta\n", err)
        assert re.fullmatch(rb"@4[0-9a-f]{23} alpha: beta\n{960,}", read(tmp_path / kind / "status"))
        assert len(read(tmp_path / kind / "status")) == 1001


WRONG = ["/nonexistent/x", "=/nonexistent/x", "./file", "=dir", "./locked", "./other"]


@needs_original
@pytest.mark.parametrize("script", WRONG)
def test_bad_starts(tmp_path, script):
    (tmp_path / "file").touch()
    (tmp_path / "dir").mkdir()
    (tmp_path / "other" / "lock").mkdir(parents=True)
    with subprocess.Popen([command("ours", "multilog"), "./locked"], cwd=tmp_path, stdin=subprocess.PIPE) as holder:
        wait_until(lambda: os.path.exists(tmp_path / "locked/current"), 10, "the log")
        results = [run(kind, "multilog", script, cwd=tmp_path, stdin=b"x\n", code=111) for kind in ("ours", "theirs")]
        assert results[0] == results[1]
        holder.stdin.close()


@needs_original
def test_each_goes_on_where_the_other_stopped(tmp_path):
    for kind in ("ours", "theirs", "ours", "theirs"):
        run(kind, "multilog", "s4096", "./d", cwd=tmp_path, stdin=f"{kind}\n".encode())
    assert whole(tmp_path / "d") == b"ours\ntheirs\n" * 2 and len(os.listdir(tmp_path / "d")) == 3
    for kind, other in (("ours", "theirs"), ("theirs", "ours")):
        with subprocess.Popen([command(kind, "multilog"), "./d"], cwd=tmp_path, stdin=subprocess.PIPE) as p:
            p.stdin.write(b"killed\n")
            p.stdin.flush()
            wait_until(lambda: read(tmp_path / "d/current").endswith(b"killed\n"), 10, "the line")
            p.kill()
        run(other, "multilog", "./d", cwd=tmp_path, stdin=b"next\n")
    names = [os.path.basename(f)[26:] for f in old_files(tmp_path / "d")]
    assert names == ["u", "u"] and whole(tmp_path / "d").endswith(b"killed\nnext\nkilled\nnext\n")


@pytest.mark.parametrize("kind", ["ours", pytest.param("theirs", marks=needs_original)])
def test_signals(tmp_path, kind):
    """SIGALRM begins new files; SIGTERM ends after the line, and leaves the rest in the pipe for the next one."""
    r, w = os.pipe()
    with subprocess.Popen([command(kind, "multilog"), "./d"], cwd=tmp_path, stdin=r) as p:
        os.write(w, b"one\n")
        wait_until(lambda: os.path.exists(tmp_path / "d/current") and read(tmp_path / "d/current") == b"one\n", 10, "a line")
        p.send_signal(signal.SIGALRM)
        wait_until(lambda: [read(f) for f in old_files(tmp_path / "d")] == [b"one\n"], 10, "a new file")
        p.send_signal(signal.SIGALRM)
        os.write(w, b"half")
        time.sleep(0.3)
        p.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert p.poll() is None
        os.write(w, b" two\nthree\n")
        assert p.wait(10) == 0
    assert read(tmp_path / "d/current") == b"half two\n" and os.stat(tmp_path / "d/current").st_mode & 0o777 == 0o744
    assert len(old_files(tmp_path / "d")) == 1
    with subprocess.Popen([command(kind, "multilog"), "./d"], cwd=tmp_path, stdin=r) as p:
        os.close(w)
        os.close(r)
        assert p.wait(10) == 0
    assert read(tmp_path / "d/current") == b"half two\nthree\n"


@pytest.mark.parametrize("kind", ["ours", pytest.param("theirs", marks=needs_original)])
def test_processor(tmp_path, kind):
    script = "cat <&4 >&5; pwd >&5; tr x- y+; ls -l /proc/$$/fd >/dev/null"
    run(kind, "multilog", "s4096", "n9", "./e", f"!{script}", "./d", cwd=tmp_path, stdin=LINES)
    assert whole(tmp_path / "e") == LINES
    processed = b"".join(read(f) for f in old_files(tmp_path / "d"))
    assert processed and LINES.replace(b"x", b"y").startswith(processed)
    assert processed.replace(b"y", b"x") + read(tmp_path / "d/current") == LINES
    assert read(tmp_path / "d/state").decode().split("\n")[:-1] == [f"{tmp_path}/d"] * len(old_files(tmp_path / "d"))


def test_processor_that_fails_is_tried_again(tmp_path):
    with subprocess.Popen([command("ours", "multilog"), "!test -e fine && cat", "s4096", "./d"], cwd=tmp_path,
                          stdin=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        p.stdin.write(LINES)
        p.stdin.close()
        assert p.stderr.readline() == b"multilog: warning: processor failed in ./d, pausing\n"
        open(tmp_path / "d/fine", "w").close()
        assert p.wait(30) == 0
    assert whole(tmp_path / "d") == LINES


needs_strace = pytest.mark.skipif(not shutil.which("strace") or "sanitize" in BIN, reason="needs strace")
CHANGES = "openat,write,fsync,rename,renameat,renameat2,fchmod,fchmodat,link,linkat,unlink,unlinkat,flock,mkdir,clone,close"


def killed(place, script, call, n):
    """Kills multilog at its n-th call of this name, while it reads the file "in". Bytes that it had read, or None."""
    with open(place / "in", "rb") as f:
        p = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                            "-e", f"inject={call}:signal=KILL:when={n}", program("multilog"), *script],
                           cwd=place, stdin=f, capture_output=True, timeout=60, check=False)
        assert p.returncode in (0, -signal.SIGKILL), f"{call} {n}: {p.stderr}"
        return os.lseek(f.fileno(), 0, os.SEEK_CUR) if p.returncode else None


@needs_strace
@pytest.mark.parametrize("processor", [False, True])
def test_killed_at_any_call(tmp_path, processor):
    """
    Killed at its system calls, and started again: no line is torn, twice, or out of order, and none is missing but
    of what was read last. MULTILOG_SWEEP=N tries the first N calls of each name.
    """
    lines = b"".join(b"%04d %s\n" % (i, b"x" * 80) for i in range(800))
    script = ["s4096", "n99", *(["!cat"] if processor else []), "./d"]
    sweep = int(os.environ.get("MULTILOG_SWEEP", "0"))
    deaths = 0
    for call, n in itertools.product(CHANGES.split(","), range(1, sweep + 1) if sweep else [1 + os.getpid() % 20]):
        place = tmp_path / f"{call}{n}"
        place.mkdir()
        run("ours", "multilog", *script, cwd=place, stdin=lines[:86])
        (place / "in").write_bytes(lines[86:])
        consumed = killed(place, script, call, n)
        deaths += consumed is not None
        run("ours", "multilog", *script, cwd=place)
        found = whole(place / "d")
        assert lines.startswith(found), f"{call} {n}"
        assert len(found) >= (len(lines) if consumed is None else 86 + max(0, consumed - 65536)), f"{call} {n}"
        names = [os.path.basename(f)[26:] for f in old_files(place / "d")]
        assert set(names) <= {"s", "u"} and names.count("u") <= 2, f"{call} {n}"
        assert not {"previous", "processed", "newstate"} & set(os.listdir(place / "d")), f"{call} {n}"
        shutil.rmtree(place)
    assert deaths >= 4


def snapshot(directory):
    """As whole, while it may be rotating."""
    try:
        return whole(directory)
    except FileNotFoundError:
        return b""


def test_killed_by_chance(tmp_path):
    """Killed while lines come in: what had been written before stays, in order, whole lines but for the end of a .u file."""
    count = 0
    for attempt in range(6):
        with subprocess.Popen([program("multilog"), "s4096", "n999", "./d"], cwd=tmp_path, stdin=subprocess.PIPE) as p:
            for _ in range(100 + 37 * attempt):
                os.write(p.stdin.fileno(), b"%06d\n" % count + b"x" * 90 + b"\n")
                count += 1
            wait_until(lambda: b"%06d" % (count - 1) in snapshot(tmp_path / "d"), 10, "the last line")
            p.kill()
    run("ours", "multilog", "n999", "./d", cwd=tmp_path)
    numbers = re.findall(rb"^(\d{6})$", whole(tmp_path / "d"), re.M)
    assert numbers == [b"%06d" % i for i in range(count)]


def test_waits_while_the_disk_is_full(tmp_path):
    if os.getuid() != 0:
        pytest.skip("needs root")
    lines = LINES[:9060]
    with subprocess.Popen(["unshare", "-m", "sh", "-c",
                           f"mount -t tmpfs -o size=16k none {tmp_path} && cd {tmp_path} && head -c 8192 /dev/zero >ballast && "
                           f"(sleep 1; rm ballast) & cd {tmp_path}; sleep 0.3; cd {tmp_path}; {program('multilog')} s16000 ./d; cat d/current"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        out, err = p.communicate(lines, timeout=60)
    assert out == lines
    assert b"multilog: warning: unable to write to ./d/current, pausing: out of disk space\n" in err


LABELS = (b"@400000000000000a00000000 x\n@4000000037c219bf2ef02e94 y\n@4000000037c219bf2ef02e94\n @4000000037c219bf2ef02e94\n"
          b"plain\n\n@4000000037c219bf2ef02e94 z\n")


@needs_original
@pytest.mark.parametrize("zone", ["UTC", "ABC-5:30", "America/New_York"])
def test_tai64nlocal(zone):
    ours = run("ours", "tai64nlocal", stdin=LABELS, TZ=zone)
    assert ours == run("theirs", "tai64nlocal", stdin=LABELS, TZ=zone)
    if zone == "UTC":
        assert ours[1].startswith(b"1970-01-01 00:00:00.000000000 x\n1999-08-24 04:04:05.787492500 y\n")


def test_tai64nlocal_leaves_what_is_no_label():
    odd = b"@\n@4\n@4000000037C219BF2EF02E94 z\n@ffffffffffffffffffffffff q\n@4000000037c219bf2ef02e9x\nend @4000000037c219bf2ef02e94"
    assert run("ours", "tai64nlocal", stdin=odd)[1] == odd


def dribble(name, pieces, **environment):
    """Output of a filter that gets its input in pieces."""
    with subprocess.Popen([program(name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as p:
        for piece in pieces:
            os.write(p.stdin.fileno(), piece)
            time.sleep(0.02)
        p.stdin.close()
        return p.stdout.read()


def test_filters_do_not_depend_on_how_input_comes():
    pieces = [b"@40000000", b"37c219bf2ef02e94", b" y\n@4", b"\n@4000000037c219bf2ef02e9", b"4", b""]
    assert dribble("tai64nlocal", pieces, TZ="UTC") == (
        b"1999-08-24 04:04:05.787492500 y\n@4\n1999-08-24 04:04:05.787492500")
    assert dribble("tailocal", [b"9354", b"67445", b".78 x\n", b"0\n", b"y"], TZ="UTC") == (
        b"1999-08-24 04:04:05.78 x\n1970-01-01 00:00:00\n1970-01-01 00:00:00y")


@pytest.mark.parametrize("name, stamp", [("tai64n", rb"@4[0-9a-f]{23} "), ("accustamp", rb"\d{10}\.\d{6} ")])
def test_stampers(name, stamp):
    out = run("ours", name, stdin=b"one\n\nlast")[1]
    assert re.fullmatch(stamp + rb"one\n" + stamp + rb"\n" + stamp + rb"last", out)
    assert run("ours", name)[1] == b""
    # the time is that of the first byte
    early, late = dribble(name, [b"a", b"b\nc"]).split(b"\n")
    assert re.fullmatch(stamp + b"ab", early) and re.fullmatch(stamp + b"c", late) and early.split()[0] < late.split()[0]


def test_stamps_become_local_time():
    local = run("ours", "tai64nlocal", stdin=run("ours", "tai64n", stdin=b"x\n")[1], TZ="UTC")[1].decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} x\n", local)
    local = run("ours", "tailocal", stdin=run("ours", "accustamp", stdin=b"x\n")[1], TZ="UTC")[1].decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} x\n", local)


def test_usually(tmp_path):
    (tmp_path / "patterns").write_bytes(b"known *\n*: fine\nxx*...\n")
    lines = b"known 1\n\nnew\nit: fine\nit: fine?\n" + b"x" * 501 + b"\n" + b"y" * 500 + b"\n" + b"y" * 501 + b"\nlast"
    _, out, err = run("ours", "usually", "patterns", cwd=tmp_path, stdin=lines)
    assert out == lines
    assert err == b"new\nit: fine?\n" + b"y" * 500 + b"\n" + b"y" * 500 + b"...\nlast\n"
    assert run("ours", "usually", "none", cwd=tmp_path, code=111)[2] == b"usually: fatal: unable to read none: file does not exist\n"
    assert run("ours", "usually", code=100)[2] == b"usually: usage: usually file\n"
    with subprocess.Popen([program("usually"), "patterns"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as p:
        os.write(p.stdin.fileno(), b"new\n")
        assert p.stderr.readline() == b"new\n"
        (tmp_path / "patterns").write_bytes(b"new\n")
        p.send_signal(signal.SIGHUP)
        time.sleep(0.1)
        os.write(p.stdin.fileno(), b"new\nnewer\n")
        assert p.stderr.readline() == b"newer\n"
        p.stdin.close()
        p.wait(10)


def test_cyclog(tmp_path):
    (tmp_path / "d").mkdir()
    lines = b"".join(b"%03d %s\n" % (i, b"x" * 95) for i in range(16))
    begun = int(time.time())
    run("ours", "cyclog", "-s600", "-n", "2", "-m100", "d", cwd=tmp_path, stdin=lines)
    files = old_files(tmp_path / "d")
    assert len(files) == 2 and all(re.fullmatch(r"@\d{14}", os.path.basename(f)) for f in files)
    times = [int(os.path.basename(f)[1:]) for f in files]
    assert begun <= times[0] < times[1] <= time.time()
    assert [os.stat(f).st_mode & 0o777 for f in files] == [0o444, 0o444]
    # 500 bytes, and 100 left: a file of five lines
    assert [read(f) for f in files] == [lines[1000:1500], lines[1500:]]
    assert run("ours", "cyclog", "-n1", "-s1", "d", cwd=tmp_path, stdin=b"z" * 600) == (0, b"", b"")
    assert [read(f) for f in old_files(tmp_path / "d")] == [b"z" * 88]
    assert run("ours", "cyclog", "none", cwd=tmp_path, code=111)[2] == (
        b"cyclog: fatal: unable to open directory none: file does not exist\n")
    assert run("ours", "cyclog", code=100)[2] == b"cyclog: usage: cyclog [ -ssize ] [ -nnum ] [ -mmargin ] dir\n"

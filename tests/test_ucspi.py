"""TCP tools: tcpserver and its family. What can be compared is given to Debian's ucspi-tcp as well."""
import os
import re
import subprocess

import pytest

from quilltest import program

# Ours, and the original.
WHOSE = ["ours", "theirs"]
KEPT = {k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_", "GCOV_"))}


def tool(whose, name):
    path = program(name) if whose == "ours" else f"/usr/bin/{name}"
    if not os.path.exists(path):
        pytest.skip(f"{path} is not installed")
    return path


def run(command, stdin=b"", timeout=60, check=None, **environment):
    """(exit code, stdout, stderr)."""
    p = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False,
                       env={"PATH": f"{os.path.dirname(program('tcpserver'))}:/usr/bin:/bin", **KEPT, **environment})
    assert check is None or p.returncode == check, p.stderr
    return p.returncode, p.stdout, p.stderr


# ---- filters ---------------------------------------------------------------------

@pytest.mark.parametrize("whose", WHOSE)
def test_line_ends(whose):
    assert run([tool(whose, "delcr")], b"a\r\r\nb\r") == (0, b"a\r\nb\r", b"")
    assert run([tool(whose, "addcr")], b"\n\r\n") == (0, b"\r\n\r\r\n", b"")
    code, out, _ = run([tool(whose, "fixcrio"), "cat"], b"a\nb\r\n")
    assert (code, out) == (0, b"a\r\nb\r\n")


@pytest.mark.parametrize("whose", WHOSE)
def test_filters_carry_much(whose):
    data = os.urandom(100000) + b"\n\r\n" * 50000
    assert run([tool(whose, "addcr")], data)[1] == data.replace(b"\n", b"\r\n")
    assert run([tool(whose, "delcr")], data)[1] == data.replace(b"\r\n", b"\n")
    # A program that answers more than it was asked, and faster than it is read.
    echo = ["sh", "-c", "tee /dev/null | cat - /dev/null"]
    assert run([tool(whose, "recordio"), *echo], data)[1] == data


@pytest.mark.parametrize("whose", WHOSE)
def test_recordio(whose):
    code, out, err = run([tool(whose, "recordio"), "sh", "-c", "echo $$; exec cat"], b"ab\ncd")
    pid = out.split(b"\n")[0].decode()
    shown = sorted(err.decode().splitlines(), key=lambda line: line.split()[1])
    assert shown == [f"{pid} < ab ", f"{pid} < cd+", f"{pid} < [EOF]",
                     f"{pid} > {pid} ", f"{pid} > ab ", f"{pid} > cd+", f"{pid} > [EOF]"]
    assert (code, out) == (0, f"{pid}\nab\ncd".encode())
    assert run([tool(whose, "recordio"), "sh", "-c", "exit 7"])[0] == 7
    long = run([tool(whose, "recordio"), "sh", "-c", "cat >/dev/null"], b"x" * 600 + b"\n")[2].decode()
    assert re.sub(r"\d+ ", "", long).splitlines()[:3] == ["< " + "x" * 256 + "+", "< " + "x" * 256 + "+",
                                                          "< " + "x" * 88 + " "]


@pytest.mark.parametrize("whose", WHOSE)
def test_argv0(whose):
    assert run([tool(whose, "argv0"), "sh", "-name", "-c", "echo $0"], check=0)[1] == b"-name\n"
    assert run([tool(whose, "argv0"), "no-such", "x"]) == (
        111, b"", b"argv0: fatal: unable to run no-such: file does not exist\n")
    assert run([tool(whose, "argv0"), "/etc/passwd", "x"]) == (
        111, b"", b"argv0: fatal: unable to run /etc/passwd: access denied\n")


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("name,usage", [
    ("argv0", "realname program [ arg ... ]"), ("recordio", "program [ arg ... ]"), ("fixcrio", "program [ arg ... ]")])
def test_usage(whose, name, usage):
    assert run([tool(whose, name)]) == (100, b"", f"{name}: usage: {name} {usage}\n".encode())

"""
The alias programs against the originals, where Debian's package fastforward is installed, or unpacked in
$QUILL_ORACLE: what they write and say must be the same, byte for byte.
"""
import os
import subprocess

import pytest

from quilltest import program

ORIGINAL = os.path.join(os.environ.get("QUILL_ORACLE", "/"), "usr/bin")
pytestmark = pytest.mark.skipif(not os.path.exists(f"{ORIGINAL}/fastforward"), reason="the originals are not installed")

TEXT = b"""Joe@H.test: a@b.test, &c@d.test, ?owner@h.test; # comment
@wild.test: |cat\\ >\\ out, !x, |x, !x;
pm@: ./list.bin, /abs;
dots@h: a, .n@o; joe@h: ?o; empty: ;
nest@h: list@h, joe@h.test, pm@x, nosuch@h, l@h; list@h: a, b;
l@h: ./l.bin, |q, z; own@: ?me@x, a@b; y@h: own@q, ./m.bin;
dup@h: a@b, a@b, c@d; @all: x@y, |p; p@h: |p, n@h, |p;
n@h: y@q, s1@h, ./l.bin, z@q; s1@h: a@b, s2@h, c@d; s2@h: e@f, |p, g@h;
esc\\:\\,@h: a\\;b\\#\\\\;
"""
LISTS = {"l": b"l1@x\ns1@h\n./m.bin\nl2@x\n", "m": b"# c\nm1@x \t\n\n&m2@x\n.odd\nlast"}
RECIPIENTS = ["joe@h.test", "JOE@h.test", "x@wild.test", "pm@z", "dots@h", "nest@h", "dup@h", "none@h", "joe", "n@h", "p@h",
              "l@h", "a@all", "own@zz", "y@h", "@all", "a@b@wild.test", "joe@h", "empty", "own@", "esc:,@h", ""]


def both(directory, name, *arguments, message=b"", **environment):
    """Runs the original in directory/original and ours in directory/ours; the results of both."""
    results = []
    for path, place in ((f"{ORIGINAL}/{name}", "original"), (program(name), "ours")):
        os.makedirs(f"{directory}/{place}", exist_ok=True)
        p = subprocess.run([path, *arguments], input=message, cwd=f"{directory}/{place}", capture_output=True, timeout=60,
                           env={"PATH": "/usr/bin:/bin", **environment}, check=False)
        results.append((p.returncode, p.stdout, p.stderr))
    return results


def same_files(directory, *names):
    for name in names:
        contents = []
        for place in ("original", "ours"):
            with open(f"{directory}/{place}/{name}", "rb") as f:
                contents.append(f.read())
        assert contents[0] == contents[1], name


@pytest.fixture
def databases(tmp_path):
    original, ours = both(tmp_path, "setforward", "x.cdb", "x.tmp", message=TEXT)
    assert original == ours == (0, b"", b"")
    for name, text in LISTS.items():
        original, ours = both(tmp_path, "setmaillist", f"{name}.bin", f"{name}.tmp", message=text)
        assert original[0] == ours[0]
    return tmp_path


def test_databases_are_the_same(databases):
    same_files(databases, "x.cdb", "l.bin", "m.bin")


def test_printers_print_the_same(databases):
    for name, file in (("printforward", "x.cdb"), ("printmaillist", "l.bin"), ("printmaillist", "m.bin")):
        with open(f"{databases}/original/{file}", "rb") as f:
            original, ours = both(databases, name, message=f.read())
        assert original == ours


@pytest.mark.parametrize("text", [b"a: b", b"a: b: c;", b"a, b: c;", b"a;", b"a: b\0c;", b"x: " + b"a" * 801 + b";", b"", b"#"])
def test_the_same_is_refused(tmp_path, text):
    original, ours = both(tmp_path, "setforward", "x.cdb", "x.tmp", message=text)
    assert original[0] == ours[0]


@pytest.mark.parametrize("recipient", RECIPIENTS)
@pytest.mark.parametrize("sender", ["s@x", "", "#@[]"])
@pytest.mark.parametrize("option", ["-n", "-np"])
def test_recipients_are_the_same(databases, recipient, sender, option):
    original, ours = both(databases, "fastforward", option, "x.cdb", SENDER=sender, RECIPIENT=recipient)
    assert original == ours
